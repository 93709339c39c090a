//! A response schema as JSON Schema.

use serde_json::{Map, Value};

/// The JSON Schema that says what a `Schema` of the Gemini API says: types in lower case,
/// null among the types, members in the order of `propertyOrdering`, counts as numbers,
/// `$ref` and `$defs`. What is JSON Schema already stays as it is.
pub(super) fn json_schema(schema: &Value) -> Value {
    let Value::Object(given) = schema else {
        // `true` and `false` are schemas too.
        return schema.clone();
    };
    let order = names(given.get("propertyOrdering").or_else(|| given.get("property_ordering")));
    let nullable = given.get("nullable").and_then(Value::as_bool).unwrap_or(false);
    let mut out = Map::new();
    for (name, value) in given.iter().filter(|(_, value)| !value.is_null()) {
        let camel = camel(name);
        match &*camel {
            // Said elsewhere in JSON Schema, or of no weight.
            "nullable" | "propertyOrdering" | "example" => {}
            "type" => drop(lower(value).map(|kinds| out.insert(camel, kinds))),
            // `enum` and the widths of numbers are no formats there.
            "format" => {
                if !matches!(value.as_str(), Some("enum" | "int32" | "int64" | "float" | "double")) {
                    out.insert(camel, value.clone());
                }
            }
            "minItems" | "maxItems" | "minLength" | "maxLength" | "minProperties" | "maxProperties" => {
                out.insert(camel, number(value));
            }
            "enum" => drop(out.insert(camel, members_of(value, given.get("type")))),
            "ref" | "$ref" => {
                let path = value.as_str().unwrap_or_default().replacen("#/defs/", "#/$defs/", 1);
                out.insert("$ref".to_owned(), path.into());
            }
            "defs" | "$defs" | "definitions" => {
                let name = if camel == "definitions" { camel } else { "$defs".to_owned() };
                out.insert(name, each(value, &[]));
            }
            "properties" => drop(out.insert(camel, each(value, &order))),
            "items" | "additionalProperties" | "not" => drop(out.insert(camel, json_schema(value))),
            "anyOf" | "oneOf" | "allOf" | "prefixItems" => {
                let choices = match value {
                    Value::Array(choices) => choices.iter().map(json_schema).collect(),
                    single => vec![json_schema(single)],
                };
                out.insert(camel, choices.into());
            }
            _ => drop(out.insert(name.clone(), value.clone())),
        }
    }
    if nullable { or_null(out) } else { Value::Object(out) }
}

/// Adds null to what a schema allows.
fn or_null(mut schema: Map<String, Value>) -> Value {
    if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
        choices.push(serde_json::json!({ "type": "null" }));
        // A type beside the choices would take null away again.
        schema.shift_remove("type");
        return Value::Object(schema);
    }
    if schema.contains_key("$ref") {
        return serde_json::json!({ "anyOf": [schema, { "type": "null" }] });
    }
    if let Some(kind) = schema.get_mut("type") {
        let mut kinds = match kind.take() {
            Value::Array(kinds) => kinds,
            kind => vec![kind],
        };
        if !kinds.contains(&"null".into()) {
            kinds.push("null".into());
        }
        *kind = kinds.into();
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum")
        && !values.contains(&Value::Null)
    {
        values.push(Value::Null);
    }
    Value::Object(schema)
}

/// A type or a list of types; nothing for the one that stands for nothing.
fn lower(value: &Value) -> Option<Value> {
    Some(match value {
        Value::String(kind) if kind == "TYPE_UNSPECIFIED" => return None,
        Value::String(kind) => kind.to_ascii_lowercase().into(),
        Value::Array(kinds) => kinds.iter().filter_map(lower).collect(),
        other => other.clone(),
    })
}

/// The service writes 64-bit counts as strings.
fn number(value: &Value) -> Value {
    value.as_str().and_then(|text| text.parse::<u64>().ok()).map_or_else(|| value.clone(), Value::from)
}

/// The values of an enum, which the service writes as strings whatever their type.
fn members_of(values: &Value, kind: Option<&Value>) -> Value {
    let kind = kind.and_then(Value::as_str).unwrap_or_default();
    let is_number = kind.eq_ignore_ascii_case("integer") || kind.eq_ignore_ascii_case("number");
    let typed = |value: &Value| match value {
        Value::String(text) if is_number => {
            serde_json::from_str(text).ok().filter(Value::is_number).unwrap_or_else(|| value.clone())
        }
        other => other.clone(),
    };
    match values {
        Value::Array(values) => values.iter().map(typed).collect(),
        single => vec![typed(single)].into(),
    }
}

/// A schema for each name; those that `order` names first, in its order.
fn each(value: &Value, order: &[&str]) -> Value {
    let Value::Object(schemas) = value else {
        return value.clone();
    };
    let mut named: Vec<_> = schemas.iter().collect();
    named.sort_by_key(|(name, _)| order.iter().position(|first| first == name).unwrap_or(usize::MAX));
    named.into_iter().map(|(name, schema)| (name.clone(), json_schema(schema))).collect()
}

fn names(value: Option<&Value>) -> Vec<&str> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

/// `any_of` as `anyOf`.
fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let mut out = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        out.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        out.push_str(letters.as_str());
    }
    out
}
