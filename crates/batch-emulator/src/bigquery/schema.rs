//! The columns of a table.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Map, Value, json};

use super::error::invalid;
use crate::envelope::ApiError;

/// The longest name of a column.
const LONGEST_NAME: usize = 300;

/// How deep records may lie in records.
const DEEPEST: usize = 15;

/// The columns of a table, or the fields of a record, in their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Schema(pub(crate) Vec<Field>);

/// A column, or a field of a record.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) mode: Mode,
    /// The fields of a record.
    pub(crate) fields: Schema,
    /// What else the client wrote, such as a description; it is kept and shown.
    pub(super) more: Map<String, Value>,
}

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    String,
    Bytes,
    Integer,
    Float,
    Numeric,
    BigNumeric,
    Boolean,
    Timestamp,
    Date,
    Time,
    DateTime,
    Geography,
    Json,
    Interval,
    Range,
    Record,
}

/// How many values a column has in one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Nullable,
    Required,
    Repeated,
}

/// The names of the types: the first is the one that replies have.
const KINDS: [(Kind, &[&str]); 16] = [
    (Kind::String, &["STRING"]),
    (Kind::Bytes, &["BYTES"]),
    (Kind::Integer, &["INTEGER", "INT64"]),
    (Kind::Float, &["FLOAT", "FLOAT64"]),
    (Kind::Numeric, &["NUMERIC", "DECIMAL"]),
    (Kind::BigNumeric, &["BIGNUMERIC", "BIGDECIMAL"]),
    (Kind::Boolean, &["BOOLEAN", "BOOL"]),
    (Kind::Timestamp, &["TIMESTAMP"]),
    (Kind::Date, &["DATE"]),
    (Kind::Time, &["TIME"]),
    (Kind::DateTime, &["DATETIME"]),
    (Kind::Geography, &["GEOGRAPHY"]),
    (Kind::Json, &["JSON"]),
    (Kind::Interval, &["INTERVAL"]),
    (Kind::Range, &["RANGE"]),
    (Kind::Record, &["RECORD", "STRUCT"]),
];

const MODES: [(Mode, &str); 3] =
    [(Mode::Nullable, "NULLABLE"), (Mode::Required, "REQUIRED"), (Mode::Repeated, "REPEATED")];

impl Kind {
    /// The name in replies.
    pub(crate) fn name(self) -> &'static str {
        KINDS.iter().find(|(kind, _)| *kind == self).and_then(|(_, names)| names.first()).copied().unwrap_or("STRING")
    }

    /// The name in standard SQL, which some sentences use.
    pub(crate) fn sql_name(self) -> &'static str {
        match self {
            Kind::Integer => "INT64",
            Kind::Float => "FLOAT64",
            Kind::Boolean => "BOOL",
            Kind::Record => "STRUCT",
            other => other.name(),
        }
    }

    fn named(name: &str) -> Option<Kind> {
        let name = name.to_ascii_uppercase();
        KINDS.iter().find(|(_, names)| names.contains(&&*name)).map(|(kind, _)| *kind)
    }
}

impl Mode {
    /// The name in replies.
    pub(crate) fn name(self) -> &'static str {
        MODES.iter().find(|(mode, _)| *mode == self).map_or("NULLABLE", |(_, name)| name)
    }
}

impl Field {
    /// A column that may be null.
    pub(crate) fn nullable(name: impl Into<String>, kind: Kind) -> Field {
        Field { name: name.into(), kind, mode: Mode::Nullable, fields: Schema::default(), more: Map::new() }
    }

    fn parse(value: &Value, depth: usize) -> Result<Field, ApiError> {
        let object = value.as_object().ok_or_else(|| invalid("Invalid value for schema: a field is no object"))?;
        let text = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default();
        let name = text("name");
        check_name(name)?;
        let kind = text("type");
        let kind =
            Kind::named(kind).ok_or_else(|| invalid(format!("Invalid value for type: {kind} is not a valid value")))?;
        let mode = match text("mode") {
            "" => Mode::Nullable,
            mode => MODES
                .iter()
                .find(|(_, name)| mode.eq_ignore_ascii_case(name))
                .map(|(mode, _)| *mode)
                .ok_or_else(|| invalid(format!("Invalid value for mode: {mode} is not a valid value")))?,
        };
        let fields = match object.get("fields") {
            Some(Value::Array(fields)) if kind == Kind::Record => Schema::parse_fields(fields, depth + 1)?,
            _ => Schema::default(),
        };
        if kind == Kind::Record && fields.0.is_empty() {
            return Err(invalid(format!("Field {name} is type RECORD but has no schema")));
        }
        if depth > DEEPEST {
            return Err(invalid(format!("Field {name} lies in more than {DEEPEST} records")));
        }
        let mut more = object.clone();
        more.retain(|name, value| !matches!(&**name, "name" | "type" | "mode" | "fields") && !value.is_null());
        Ok(Field { name: name.to_owned(), kind, mode, fields, more })
    }

    /// The field as the API writes it.
    fn show(&self) -> Value {
        let mut shown = Map::new();
        shown.insert("name".to_owned(), json!(self.name));
        shown.insert("type".to_owned(), json!(self.kind.name()));
        shown.insert("mode".to_owned(), json!(self.mode.name()));
        if self.kind == Kind::Record {
            shown.insert("fields".to_owned(), json!(self.fields.0.iter().map(Field::show).collect::<Vec<_>>()));
        }
        for (name, value) in &self.more {
            shown.insert(name.clone(), value.clone());
        }
        Value::Object(shown)
    }
}

/// What a changed schema may do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowed {
    /// Add columns that may be null.
    pub(crate) additions: bool,
    /// Make a required column nullable.
    pub(crate) relaxations: bool,
}

impl Schema {
    /// Reads a `TableSchema`.
    pub(crate) fn parse(schema: &Value) -> Result<Schema, ApiError> {
        match schema.get("fields") {
            Some(Value::Array(fields)) => Schema::parse_fields(fields, 0),
            None | Some(Value::Null) => Ok(Schema::default()),
            Some(_) => Err(invalid("Invalid value for schema.fields: it is no list")),
        }
    }

    fn parse_fields(values: &[Value], depth: usize) -> Result<Schema, ApiError> {
        let mut fields: Vec<Field> = Vec::with_capacity(values.len());
        for value in values {
            let field = Field::parse(value, depth)?;
            if let Some(same) = fields.iter().find(|other| same_name(&other.name, &field.name)) {
                return Err(invalid(format!(
                    "Duplicate(Case Insensitive) field names: {} and {}.",
                    same.name, field.name
                )));
            }
            fields.push(field);
        }
        Ok(Schema(fields))
    }

    /// The same schema, if a table may have it.
    pub(crate) fn checked(self) -> Result<Schema, ApiError> {
        Schema::parse(&self.show())
    }

    /// The schema as the API writes it.
    pub(crate) fn show(&self) -> Value {
        json!({ "fields": self.0.iter().map(Field::show).collect::<Vec<_>>() })
    }

    /// The place and the field of a name; the service tells names apart by more than case.
    pub(crate) fn field(&self, name: &str) -> Option<(usize, &Field)> {
        self.0.iter().enumerate().find(|(_, field)| same_name(&field.name, name))
    }

    /// This schema as `new` changes it. Columns keep their places, whatever the order of
    /// `new`; its additions follow. A column that is missing there stays, unless `whole`
    /// says that nothing may be missing.
    ///
    /// # Errors
    /// What the service has against it, to stand behind `Provided Schema does not match
    /// Table …`.
    pub(crate) fn changed(&self, new: &Schema, allowed: Allowed, whole: bool) -> Result<Schema, String> {
        self.changed_at(new, allowed, whole, "")
    }

    fn changed_at(&self, new: &Schema, allowed: Allowed, whole: bool, path: &str) -> Result<Schema, String> {
        let mut changed = Vec::with_capacity(new.0.len());
        for field in &self.0 {
            let path = format!("{path}{}", field.name);
            let Some((_, other)) = new.field(&field.name) else {
                if whole {
                    return Err(format!("Field {path} is missing in new schema"));
                }
                changed.push(field.clone());
                continue;
            };
            if field.kind != other.kind {
                return Err(format!(
                    "Field {path} has changed type from {} to {}",
                    field.kind.name(),
                    other.kind.name()
                ));
            }
            let relaxed = field.mode == Mode::Required && other.mode == Mode::Nullable && allowed.relaxations;
            if field.mode != other.mode && !relaxed {
                return Err(format!(
                    "Field {path} has changed mode from {} to {}",
                    field.mode.name(),
                    other.mode.name()
                ));
            }
            let fields = field.fields.changed_at(&other.fields, allowed, whole, &format!("{path}."))?;
            changed.push(Field { name: field.name.clone(), fields, ..other.clone() });
        }
        for field in &new.0 {
            if self.field(&field.name).is_none() {
                let path = format!("{path}{}", field.name);
                if !allowed.additions {
                    return Err(format!("Cannot add fields (field: {path})"));
                }
                if field.mode == Mode::Required {
                    return Err(format!("Cannot add required fields to an existing schema. (field: {path})"));
                }
                changed.push(field.clone());
            }
        }
        Ok(Schema(changed))
    }
}

impl Serialize for Schema {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.show().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Schema {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Schema, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Schema::parse(&value).map_err(|error| de::Error::custom(error.message()))
    }
}

fn same_name(a: &str, b: &str) -> bool {
    a == b || a.to_lowercase() == b.to_lowercase()
}

/// Letters, marks, digits, and most signs, since names have become flexible. Refused are
/// the signs that the documentation lists, and prefixes that are the service's own.
fn check_name(name: &str) -> Result<(), ApiError> {
    const REFUSED: [char; 14] = ['!', '"', '$', '(', ')', '*', ',', '.', '/', ';', '?', '@', '[', ']'];
    const MORE_REFUSED: [char; 7] = ['\\', '^', '`', '{', '}', '~', '\u{7f}'];
    const OWN: [&str; 7] =
        ["_TABLE_", "_FILE_", "_PARTITION", "_ROW_TIMESTAMP", "__ROOT__", "_COLIDENTIFIER", "_CHANGE_"];
    let refused = |c: char| REFUSED.contains(&c) || MORE_REFUSED.contains(&c) || c.is_control();
    if name.is_empty() || name.chars().count() > LONGEST_NAME || name.contains(refused) {
        return Err(invalid(format!(
            "Invalid field name \"{name}\". Fields must contain the allowed characters, and be at most {LONGEST_NAME} characters long. For allowed characters, please refer to https://cloud.google.com/bigquery/docs/schemas#column_names"
        )));
    }
    let upper = name.to_ascii_uppercase();
    if let Some(own) = OWN.iter().find(|own| upper.starts_with(**own)) {
        return Err(invalid(format!(
            "Invalid field name \"{name}\". Field names are not allowed to start with the (case-insensitive) prefix {own}."
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(fields: impl Into<Value>) -> Result<Schema, String> {
        Schema::parse(&json!({ "fields": fields.into() })).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn names_of_types_are_those_of_replies() {
        let parsed = schema(json!([
            { "name": "a", "type": "INT64" },
            { "name": "b", "type": "struct", "mode": "repeated", "fields": [{ "name": "c", "type": "BOOL", "description": "d" }] },
        ]));
        assert_eq!(
            parsed.unwrap().show(),
            json!({ "fields": [
                { "name": "a", "type": "INTEGER", "mode": "NULLABLE" },
                { "name": "b", "type": "RECORD", "mode": "REPEATED", "fields": [
                    { "name": "c", "type": "BOOLEAN", "mode": "NULLABLE", "description": "d" },
                ] },
            ] })
        );
    }

    #[test]
    fn what_no_table_has_is_refused() {
        for (fields, problem) in [
            (json!([{ "name": "a", "type": "INT" }]), "Invalid value for type: INT is not a valid value"),
            (json!([{ "name": "a.b", "type": "STRING" }]), "Invalid field name \"a.b\"."),
            (json!([{ "name": "_table_x", "type": "STRING" }]), "prefix _TABLE_."),
            (json!([{ "name": "a", "type": "RECORD" }]), "Field a is type RECORD but has no schema"),
            (json!([{ "name": "a", "type": "STRING" }, { "name": "A", "type": "JSON" }]), "a and A."),
        ] {
            let error = schema(fields).unwrap_err();
            assert!(error.contains(problem), "{error}");
        }
    }

    #[test]
    fn a_schema_grows_at_its_end() {
        let old =
            schema(json!([{ "name": "a", "type": "STRING", "mode": "REQUIRED" }, { "name": "b", "type": "JSON" }]));
        let new = schema(
            json!([{ "name": "c", "type": "DATE" }, { "name": "b", "type": "JSON" }, { "name": "a", "type": "STRING" }]),
        );
        let (old, new) = (old.unwrap(), new.unwrap());
        let all = Allowed { additions: true, relaxations: true };
        let names = |schema: Schema| schema.0.into_iter().map(|field| field.name).collect::<Vec<_>>();
        assert_eq!(old.changed(&new, all, true).map(names), Ok(vec!["a".to_owned(), "b".to_owned(), "c".to_owned()]));
        let none = Allowed { additions: false, relaxations: true };
        assert_eq!(old.changed(&new, none, true), Err("Cannot add fields (field: c)".to_owned()));
        assert_eq!(new.changed(&old, all, true), Err("Field c is missing in new schema".to_owned()));
    }
}
