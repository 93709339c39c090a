//! What a template sees of a record.

use std::cell::OnceCell;
use std::fmt;
use std::sync::Arc;

use minijinja::Value;
use minijinja::value::{Enumerator, Object, ObjectRepr, ValueKind};

use crate::table::{Columns, Record, ValueType};

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
        ValueType::Json => serde_json::from_str::<Value>(text)
            .ok()
            .map(|value| Value::from_object(Json { text: text.to_owned(), value })),
    };
    typed.unwrap_or_else(|| Value::from(text))
}

/// A number that prints as it was written; what would print otherwise, such as `1e3` or
/// thirty digits, stays text.
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
    value: Value,
}

impl Object for Json {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        match self.value.kind() {
            ValueKind::Map => ObjectRepr::Map,
            _ => ObjectRepr::Seq,
        }
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.value.get_item(key).ok().filter(|value| !value.is_undefined())
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        match (self.value.kind(), self.value.len()) {
            (ValueKind::Map, _) => Enumerator::Values(self.value.try_iter().map(Iterator::collect).unwrap_or_default()),
            (_, length) => Enumerator::Seq(length.unwrap_or_default()),
        }
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
