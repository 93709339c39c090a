//! Rows on their way in: JSON objects become cells.
//!
//! A row is kept as a JSON array with one cell for each column: `null`, a string with the
//! value as the API writes it (microseconds since 1970 for a TIMESTAMP, the JSON text for
//! a JSON), an array of cells for a REPEATED column or a RECORD. What columns were added
//! after the row was written are missing at the end.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use super::scalar;
use super::schema::{Field, Kind, Mode, Schema};
use crate::json::write_text;

/// The members of an object, with their values as text.
#[derive(Debug)]
pub(crate) struct Members<'a>(pub(crate) Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Members<'a> {
    /// The text of a value; of a name that comes twice the last counts.
    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().rev().find(|(other, _)| other == name).map(|(_, value)| value.get())
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Members<'de>, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(name) = map.next_key::<Name<'de>>()? {
                    members.push((name.0, map.next_value()?));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// How rows are read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reading {
    /// Members that no column has are left out instead of refused.
    pub(super) ignore_unknown: bool,
    /// A string in a JSON column is the text of the JSON, and not a JSON string.
    pub(super) json_as_text: bool,
    /// An object in a STRING column becomes its text, instead of being refused.
    pub(super) objects_as_text: bool,
}

/// Why a row does not fit its table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Misfit {
    /// The column, `a.b` in a record.
    pub(super) path: String,
    pub(super) what: What,
}

/// What is wrong with a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// There is no such column.
    Unknown,
    /// A required column has no value.
    Missing,
    /// An element of an array is null.
    NullElement,
    /// An array stands where one value is due.
    Array,
    /// One value stands where an array is due.
    NoArray,
    /// An object stands where a scalar is due.
    Object,
    /// A scalar stands where an object is due.
    NoObject,
    /// The value is none of the type.
    Value(Kind, String),
}

impl Misfit {
    /// As a load job says it.
    pub(super) fn in_load(&self) -> String {
        let path = &self.path;
        match &self.what {
            What::Unknown => format!("No such field: {path}."),
            What::Missing => format!("Missing required field: {path}."),
            What::NullElement => format!("Only optional fields can be set to NULL. Field: {path}; Value: NULL"),
            What::Array => format!("Array specified for non-repeated field: {path}."),
            What::NoArray => format!("Repeated field must be imported as a JSON array. Field: {path}."),
            What::Object => format!("JSON object specified for non-record field: {path}"),
            What::NoObject => format!("Flat value specified for record field. Field: {path}"),
            What::Value(kind, value) => format!(
                "Could not convert value to {}. Field: {path}; Value: {value}",
                kind.name().to_ascii_lowercase()
            ),
        }
    }

    /// As a streaming insert says it. Those that are not about unknown or missing columns
    /// are likely.
    pub(super) fn in_insert(&self) -> String {
        let path = &self.path;
        match &self.what {
            What::Unknown => format!("no such field: {path}."),
            What::Missing => format!("Missing required field: Msg_0_CLOUD_QUERY_TABLE.{path}."),
            What::NullElement => format!("Field value cannot be empty. Field: {path}"),
            What::Array => format!("Array specified for non-repeated field: {path}."),
            What::NoArray => format!("Repeated field must be a JSON array: {path}."),
            What::Object | What::NoObject => format!("This field: {path} is not a record."),
            What::Value(kind, value) => {
                format!("Cannot convert value to {} (bad value): {value}", kind.name().to_ascii_lowercase())
            }
        }
    }
}

/// Writes the cells of a row.
///
/// # Errors
/// The first member that does not fit; what was written by then is to be cut off.
pub(super) fn write_row(
    schema: &Schema,
    members: &Members<'_>,
    reading: Reading,
    out: &mut Vec<u8>,
) -> Result<(), Misfit> {
    write_fields(schema, members, reading, "", out)
}

fn write_fields(
    schema: &Schema,
    Members(members): &Members<'_>,
    reading: Reading,
    path: &str,
    out: &mut Vec<u8>,
) -> Result<(), Misfit> {
    // Of a name that comes twice the last counts.
    let mut values: Vec<Option<&RawValue>> = vec![None; schema.0.len()];
    for (name, value) in members {
        match schema.field(name) {
            Some((place, _)) => values[place] = Some(value),
            None if reading.ignore_unknown => {}
            None => return Err(Misfit { path: format!("{path}{name}"), what: What::Unknown }),
        }
    }
    out.push(b'[');
    for (i, (field, value)) in schema.0.iter().zip(values).enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write_value(field, value, reading, path, out)?;
    }
    out.push(b']');
    Ok(())
}

fn write_value(
    field: &Field,
    value: Option<&RawValue>,
    reading: Reading,
    path: &str,
    out: &mut Vec<u8>,
) -> Result<(), Misfit> {
    let misfit = |what| Misfit { path: format!("{path}{}", field.name), what };
    let value = value.filter(|value| value.get() != "null");
    let Some(value) = value else {
        match field.mode {
            Mode::Nullable => out.extend_from_slice(b"null"),
            Mode::Repeated => out.extend_from_slice(b"[]"),
            Mode::Required => return Err(misfit(What::Missing)),
        }
        return Ok(());
    };
    if field.mode != Mode::Repeated {
        return write_one(field, value, reading, path, out);
    }
    let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(value.get()) else {
        return Err(misfit(What::NoArray));
    };
    out.push(b'[');
    for (i, item) in items.into_iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        if item.get() == "null" {
            return Err(misfit(What::NullElement));
        }
        write_one(field, item, reading, path, out)?;
    }
    out.push(b']');
    Ok(())
}

fn write_one(field: &Field, value: &RawValue, reading: Reading, path: &str, out: &mut Vec<u8>) -> Result<(), Misfit> {
    let misfit = |what| Misfit { path: format!("{path}{}", field.name), what };
    let text = value.get();
    if field.kind == Kind::Record {
        let Ok(members) = serde_json::from_str::<Members<'_>>(text) else {
            return Err(misfit(if text.starts_with('[') { What::Array } else { What::NoObject }));
        };
        return write_fields(&field.fields, &members, reading, &format!("{path}{}.", field.name), out);
    }
    if field.kind == Kind::Json {
        let mut compact = Vec::with_capacity(text.len());
        match text.starts_with('"') && reading.json_as_text {
            true => {
                let inner = unquoted(text);
                if serde_json::from_str::<&RawValue>(&inner).is_err() {
                    return Err(misfit(What::Value(field.kind, inner.into_owned())));
                }
                write_compact(inner.trim(), &mut compact);
            }
            false => write_compact(text, &mut compact),
        }
        // Cut at blanks between tokens, which are ASCII: it is text as before.
        write_text(&String::from_utf8_lossy(&compact), out);
        return Ok(());
    }
    match text.as_bytes().first() {
        Some(b'{') if reading.objects_as_text && field.kind == Kind::String => {
            write_text(text, out);
            Ok(())
        }
        Some(b'{') => Err(misfit(What::Object)),
        Some(b'[') => Err(misfit(What::Array)),
        // A string is a string as it stands.
        Some(b'"') if field.kind == Kind::String => {
            out.extend_from_slice(text.as_bytes());
            Ok(())
        }
        Some(b'"') => {
            let inner = unquoted(text);
            write_scalar(field, &inner, out).map_err(misfit)
        }
        _ => write_scalar(field, text, out).map_err(misfit),
    }
}

/// Writes a cell that is no record and no JSON, from its text.
pub(super) fn write_scalar(field: &Field, text: &str, out: &mut Vec<u8>) -> Result<(), What> {
    match scalar::read(field.kind, text) {
        Some(value) => {
            write_text(&value, out);
            Ok(())
        }
        None => Err(What::Value(field.kind, text.to_owned())),
    }
}

/// The text of a JSON string.
fn unquoted(json: &str) -> Cow<'_, str> {
    match serde_json::from_str::<Name<'_>>(json) {
        Ok(Name(text)) => text,
        // Cannot be: it was read as JSON before.
        Err(_) => Cow::Borrowed(json),
    }
}

/// Writes JSON without the blanks between its tokens, and otherwise byte for byte: the
/// order of members, and numbers of any length.
pub(super) fn write_compact(json: &str, out: &mut Vec<u8>) {
    let bytes = json.as_bytes();
    let (mut in_string, mut escaped) = (false, false);
    for &byte in bytes {
        if in_string {
            in_string = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
        } else if matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
            continue;
        } else {
            in_string = byte == b'"';
        }
        out.push(byte);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn schema() -> Schema {
        Schema::parse(&json!({ "fields": [
            { "name": "key", "type": "STRING", "mode": "REQUIRED" },
            { "name": "n", "type": "INTEGER" },
            { "name": "request", "type": "JSON" },
            { "name": "tags", "type": "STRING", "mode": "REPEATED" },
            { "name": "r", "type": "RECORD", "fields": [{ "name": "at", "type": "TIMESTAMP" }] },
        ] }))
        .unwrap_or_default()
    }

    fn cells(row: &str, reading: Reading) -> Result<Value, Misfit> {
        let members: Members<'_> = serde_json::from_str(row).unwrap();
        let mut out = Vec::new();
        write_row(&schema(), &members, reading, &mut out)?;
        Ok(serde_json::from_slice(&out).unwrap())
    }

    #[test]
    fn a_row_is_its_cells() {
        let row = r#"{ "KEY": "k\u00e9", "n": 9007199254740993, "tags": ["a", 2],
            "request": { "b": 123456789012345678901234567890, "a": [1.0, " x \" "] }, "r": {"at": "2026-01-01T00:00:00Z"} }"#;
        assert_eq!(
            cells(row, Reading::default()).unwrap(),
            json!([
                "ké",
                "9007199254740993",
                r#"{"b":123456789012345678901234567890,"a":[1.0," x \" "]}"#,
                ["a", "2"],
                ["1767225600000000"]
            ])
        );
        assert_eq!(cells(r#"{"key":"k"}"#, Reading::default()).unwrap(), json!(["k", null, null, [], null]),);
    }

    #[test]
    fn a_string_in_a_json_column_is_a_string_or_the_text() {
        let row = r#"{"key":"k","request":"{\"a\": 1}"}"#;
        let text = Reading { json_as_text: true, ..Reading::default() };
        assert_eq!(cells(row, Reading::default()).unwrap()[2], r#""{\"a\": 1}""#);
        assert_eq!(cells(row, text).unwrap()[2], r#"{"a":1}"#);
        let error = cells(r#"{"key":"k","request":"{"}"#, text).unwrap_err();
        assert_eq!(error.in_load(), "Could not convert value to json. Field: request; Value: {");
    }

    #[test]
    fn a_misfit_is_named() {
        for (row, load, insert) in [
            (r#"{"key":"k","x":1}"#, "No such field: x.", "no such field: x."),
            (r#"{"n":1}"#, "Missing required field: key.", "Missing required field: Msg_0_CLOUD_QUERY_TABLE.key."),
            (
                r#"{"key":"k","n":"one"}"#,
                "Could not convert value to integer. Field: n; Value: one",
                "Cannot convert value to integer (bad value): one",
            ),
            (
                r#"{"key":"k","tags":"a"}"#,
                "Repeated field must be imported as a JSON array. Field: tags.",
                "Repeated field must be a JSON array: tags.",
            ),
            (
                r#"{"key":"k","r":{"at":[1]}}"#,
                "Array specified for non-repeated field: r.at.",
                "Array specified for non-repeated field: r.at.",
            ),
        ] {
            let error = cells(row, Reading::default()).unwrap_err();
            assert_eq!((&*error.in_load(), &*error.in_insert()), (load, insert));
        }
        let lenient = Reading { ignore_unknown: true, ..Reading::default() };
        assert!(cells(r#"{"key":"k","x":{"y":[]},"r":{"z":1}}"#, lenient).is_ok());
    }
}
