//! A spec as a document: TOML with the place of every value, overridden setting by setting.

use std::collections::HashMap;

use serde_json::{Map, Value};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::keys;
use crate::{Error, Kind, Result, error::Place};

/// A spec's values with where each came from.
pub(super) struct Document {
    pub(super) values: Value,
    places: HashMap<String, Origin>,
    file: String,
}

enum Origin {
    File { line: usize, column: usize },
    Elsewhere(String),
}

/// A setting that comes from elsewhere than the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// The setting's dotted path: `target.project`.
    pub path: String,
    /// Its value: TOML where it is TOML (`0.5`, `true`, `["a"]`), else the text itself.
    pub value: String,
    /// Who says so, for messages: `--project`, `BATCH_TARGET_PROJECT`.
    pub origin: String,
}

impl Document {
    pub(super) fn parse(file: &str, text: &str) -> Result<Self> {
        let table = DeTable::parse(text).map_err(|error| {
            let (line, column) = position(text, error.span().map_or(0, |span| span.start));
            Error::new(Kind::Spec, format!("not valid TOML: {}", error.message().replace('\n', "; "))).at(Place {
                file: file.to_owned(),
                line,
                column,
            })
        })?;
        let mut this = Self { values: Value::Null, places: HashMap::new(), file: file.to_owned() };
        let mut walk = Walk { text, places: &mut this.places };
        this.values = walk.table("", table.get_ref()).map_err(|(span, why)| {
            let (line, column) = position(text, span);
            Error::new(Kind::Spec, why).at(Place { file: file.to_owned(), line, column })
        })?;
        Ok(this)
    }

    /// The values of a spec that was read before.
    pub(super) fn of(values: Value) -> Self {
        Self { values, places: HashMap::new(), file: "the spec".to_owned() }
    }

    /// Puts a setting over what the file says.
    pub(super) fn set(&mut self, setting: &Override) -> Result<()> {
        let mut at = &mut self.values;
        let segments: Vec<&str> = setting.path.split('.').collect();
        for (depth, segment) in segments.iter().enumerate() {
            let wrong = || {
                let path = segments[..depth].join(".");
                Error::new(Kind::Spec, format!("{}: {path:?} is not a table of settings", setting.origin))
            };
            let table = at.as_object_mut().ok_or_else(wrong)?;
            if depth + 1 == segments.len() {
                table.insert((*segment).to_owned(), value_of(&setting.value, is_text(&setting.path)));
                break;
            }
            at = table.entry(*segment).or_insert_with(|| Value::Object(Map::new()));
        }
        self.places.insert(setting.path.clone(), Origin::Elsewhere(setting.origin.clone()));
        Ok(())
    }

    /// Refuses keys that are not of a spec, with the nearest one that is.
    pub(super) fn check_keys(&self) -> Result<()> {
        self.check_table("", "", &self.values)
    }

    /// `table` is the table's path in the format, `path` its path in this document: `a.b` and `a.b[2]`.
    fn check_table(&self, table: &str, path: &str, value: &Value) -> Result<()> {
        let Some(known) = keys::of(table) else { return Ok(()) };
        match value {
            Value::Array(items) => {
                let mut items = items.iter().enumerate();
                items.try_for_each(|(i, item)| self.check_table(table, &format!("{path}[{i}]"), item))
            }
            Value::Object(values) => values.iter().try_for_each(|(key, value)| {
                let (in_format, here) = (keys::join(table, key), keys::join(path, key));
                if known.contains(&key.as_str()) {
                    return self.check_table(&in_format, &here, value);
                }
                Err(self.error_at(&here, unknown_key(table, key)).with_hint(suggestion(table, key, known)))
            }),
            // A value where a table is due is told by its type, later.
            _ => Ok(()),
        }
    }

    /// An error about the setting at `path`.
    pub(super) fn error_at(&self, path: &str, message: impl Into<String>) -> Error {
        let message = message.into();
        // A value inside a list is found by the list's own place.
        let mut known = path;
        let origin = loop {
            if let Some(origin) = self.places.get(known) {
                break Some(origin);
            }
            match known.rfind(['.', '[']) {
                Some(cut) => known = &known[..cut],
                None => break None,
            }
        };
        match origin {
            Some(Origin::File { line, column }) => {
                Error::new(Kind::Spec, message).at(Place { file: self.file.clone(), line: *line, column: *column })
            }
            Some(Origin::Elsewhere(origin)) => Error::new(Kind::Spec, format!("{origin}: {message}")),
            None => Error::new(Kind::Spec, message).at(Place { file: self.file.clone(), line: 0, column: 0 }),
        }
    }
}

fn unknown_key(path: &str, key: &str) -> String {
    if path.is_empty() { format!("unknown key {key:?}") } else { format!("unknown key {key:?} in [{path}]") }
}

fn suggestion(path: &str, key: &str, known: &[&str]) -> String {
    let folded = |text: &str| text.to_lowercase().replace(['_', '-'], "");
    let near = known.iter().find(|known| folded(known) == folded(key)).or_else(|| {
        let scored = known.iter().map(|known| (strsim::jaro_winkler(&folded(known), &folded(key)), known));
        scored.filter(|(score, _)| *score > 0.82).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, known)| known)
    });
    if let Some(near) = near {
        return format!("did you mean {near:?}?");
    }
    // A key of another table, or of the model's own configuration.
    let elsewhere = keys::TABLES.iter().find(|(table, keys)| *table != path && keys.contains(&key));
    match elsewhere {
        Some(("", _)) => format!("{key:?} stands at the top of the file, before any [table]"),
        Some((table, _)) => format!("{key:?} belongs to [{table}]"),
        None => format!("the keys there are: {}", known.join(", ")),
    }
}

/// Whether the setting is always text, so that `--model 123` is no number.
fn is_text(path: &str) -> bool {
    let table = path.split('.').next().unwrap_or_default();
    !matches!(table, "version" | "limits" | "poll")
        && !matches!(
            path,
            "request.generationConfig"
                | "request.turns"
                | "request.labels"
                | "request.safetySettings"
                | "request.tools"
                | "request.toolConfig"
                | "request.files"
                | "request.columns"
                | "target.labels"
                | "local.answer_concurrency"
                | "local.seed"
                | "local.faults"
                | "local.queue_seconds"
                | "local.run_seconds"
                | "cache.enabled"
                | "evaluate.labels"
                | "evaluate.trim"
                | "evaluate.ignore_case"
                | "evaluate.min_accuracy"
                | "evaluate.max_failed"
        )
        && !path.starts_with("request.generationConfig.")
}

fn value_of(text: &str, is_text: bool) -> Value {
    let plain = || Value::String(text.to_owned());
    if is_text {
        return plain();
    }
    // JSON first: a schema is more often at hand as JSON than as TOML.
    if let Ok(value) = serde_json::from_str(text) {
        return value;
    }
    let Ok(value) = DeValue::parse(text) else { return plain() };
    let mut places = HashMap::new();
    Walk { text, places: &mut places }.value("", &value).unwrap_or_else(|_| plain())
}

struct Walk<'a> {
    text: &'a str,
    places: &'a mut HashMap<String, Origin>,
}

type Unfit = (usize, String);

impl Walk<'_> {
    fn table(&mut self, path: &str, table: &DeTable<'_>) -> Result<Value, Unfit> {
        let mut values = Map::new();
        for (key, value) in table {
            let full = keys::join(path, key.get_ref());
            let (line, column) = position(self.text, key.span().start);
            self.places.insert(full.clone(), Origin::File { line, column });
            values.insert(key.get_ref().to_string(), self.value(&full, value)?);
        }
        Ok(Value::Object(values))
    }

    fn value(&mut self, path: &str, value: &Spanned<DeValue<'_>>) -> Result<Value, Unfit> {
        let unfit = |why: String| (value.span().start, why);
        Ok(match value.get_ref() {
            DeValue::String(text) => Value::String(text.to_string()),
            DeValue::Boolean(boolean) => Value::Bool(*boolean),
            DeValue::Integer(integer) => {
                let number = i64::from_str_radix(integer.as_str(), integer.radix());
                Value::from(number.map_err(|_| unfit(format!("the integer {integer} is too large")))?)
            }
            DeValue::Float(float) => {
                let number = float.as_str().parse::<f64>().ok().and_then(serde_json::Number::from_f64);
                Value::Number(number.ok_or_else(|| unfit(format!("{float} is no number of JSON")))?)
            }
            DeValue::Datetime(datetime) => Value::String(datetime.to_string()),
            DeValue::Array(items) => {
                let items = items.iter().enumerate();
                Value::Array(
                    items.map(|(i, item)| self.value(&format!("{path}[{i}]"), item)).collect::<Result<_, _>>()?,
                )
            }
            DeValue::Table(table) => self.table(path, table)?,
        })
    }
}

/// Line and column, from 1, of a byte offset.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}
