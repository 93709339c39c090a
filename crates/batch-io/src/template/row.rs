//! What a template sees of a record.

use std::cell::OnceCell;
use std::fmt;
use std::sync::{Arc, OnceLock};

use minijinja::Value;
use minijinja::value::{Enumerator, Object, ObjectRepr};
use serde_json::value::RawValue;

use crate::json::Members;
use crate::table::{Columns, Record, ValueType, push_value};

/// One record with its key, to be rendered by any number of templates.
#[derive(Debug)]
pub(crate) struct Row<'a> {
    pub(crate) record: &'a Record,
    pub(crate) key: &'a str,
    /// Made for the first template that needs it.
    context: OnceCell<Value>,
}

impl<'a> Row<'a> {
    pub(crate) fn new(record: &'a Record, key: &'a str) -> Self {
        Self { record, key, context: OnceCell::new() }
    }

    /// The variables of a template.
    pub(super) fn context(&self, columns: &Arc<Columns>) -> Value {
        self.context
            .get_or_init(|| {
                Value::from_object(Variables(Arc::new(Snapshot {
                    columns: Arc::clone(columns),
                    record: self.record.clone(),
                    key: self.key.to_owned(),
                })))
            })
            .clone()
    }
}

/// A copy of the record, since the engine's objects may outlive what they came from.
#[derive(Debug)]
struct Snapshot {
    columns: Arc<Columns>,
    record: Record,
    key: String,
}

impl Snapshot {
    fn column(&self, name: &str) -> Option<Value> {
        let position = self.columns.position(name)?;
        Some(value(self.record.get(position), self.record.value_type(position)))
    }
}

/// The top: `row`, `record`, and every column.
#[derive(Debug)]
struct Variables(Arc<Snapshot>);

impl Object for Variables {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        match key {
            "row" => Some(Value::from_object(Columnwise(Arc::clone(&self.0)))),
            "record" => Some(Value::from_object(Place(Arc::clone(&self.0)))),
            _ => self.0.column(key),
        }
    }
}

/// `row`: the columns by name and nothing else, in the table's order.
#[derive(Debug)]
struct Columnwise(Arc<Snapshot>);

impl Object for Columnwise {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.0.column(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        self.0.column(key)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.columns.names().iter().map(Value::from).collect())
    }
}

/// `record`: where the row stands and what its key is.
#[derive(Debug)]
struct Place(Arc<Snapshot>);

impl Object for Place {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        match key {
            "index" => Some(Value::from(self.0.record.index())),
            "key" => Some(Value::from(self.0.key.as_str())),
            _ => None,
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Str(&["index", "key"])
    }
}

/// A value that prints as its text, whatever else it can do.
fn value(text: &str, value_type: ValueType) -> Value {
    let typed = match value_type {
        ValueType::Text | ValueType::Null => None,
        ValueType::Bool => Some(Value::from(text == "true")),
        ValueType::Number => number(text),
        ValueType::Json => Some(Value::from_object(Json { text: text.to_owned(), children: OnceLock::new() })),
    };
    typed.unwrap_or_else(|| Value::from(text))
}

/// A number that prints as it was written; what would print otherwise, such as `1.50`,
/// `1e3` or thirty digits, stays text.
fn number(text: &str) -> Option<Value> {
    let integer = || text.parse::<i64>().ok().map(Value::from);
    let unsigned = || text.parse::<u64>().ok().map(Value::from);
    let float = || text.parse::<f64>().ok().map(Value::from);
    integer().or_else(unsigned).or_else(float).filter(|value| value.to_string() == text)
}

/// An array or object: to be looked into, and printed as in the table.
#[derive(Debug)]
struct Json {
    text: String,
    /// One level of it, parsed when it is first looked into.
    children: OnceLock<Children>,
}

#[derive(Debug)]
enum Children {
    Items(Vec<Value>),
    Members(Vec<(String, Value)>),
}

impl Json {
    fn children(&self) -> &Children {
        self.children.get_or_init(|| {
            // The table has read this text as JSON before, so neither parse fails.
            if self.text.starts_with('[') {
                let items: Vec<&RawValue> = serde_json::from_str(&self.text).unwrap_or_default();
                Children::Items(items.into_iter().map(child).collect())
            } else {
                let members = Members::parse(&self.text).map(|members| members.0).unwrap_or_default();
                Children::Members(members.into_iter().map(|(name, value)| (name.into_owned(), child(value))).collect())
            }
        })
    }
}

fn child(source: &RawValue) -> Value {
    let mut text = Vec::new();
    match push_value(source, &mut text) {
        // Unlike a missing value of the record, it may be asked for: `x is none`.
        Ok(ValueType::Null) => Value::from(()),
        Ok(value_type) => value(&String::from_utf8_lossy(&text), value_type),
        // Half a surrogate pair, which no text can have: shown as it was written.
        Err(_) => Value::from(source.get()),
    }
}

impl Object for Json {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        if self.text.starts_with('[') { ObjectRepr::Seq } else { ObjectRepr::Map }
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match self.children() {
            Children::Items(items) => items.get(key.as_usize()?).cloned(),
            Children::Members(_) => self.get_value_by_str(key.as_str()?),
        }
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        match self.children() {
            Children::Items(_) => None,
            // Of a name that stands twice, the last, as parsers have it.
            Children::Members(members) => {
                members.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value.clone())
            }
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        match self.children() {
            Children::Items(items) => Enumerator::Seq(items.len()),
            Children::Members(members) => {
                Enumerator::Values(members.iter().map(|(name, _)| Value::from(name)).collect())
            }
        }
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
