//! Whether a JSON value fits a schema, as an expression of SQL.

use batch_io::{AnswerFormat, SchemaNode, SchemaType};

use super::{Result, SqlError, quote};

/// Deeper than this a schema refers to itself.
const DEEPEST: usize = 32;

/// More nodes than this make a statement that nobody can run.
const MOST_NODES: usize = 5_000;

/// Whether `value` fits the schema of `format`; `None` where everything does.
///
/// Equal to the check of `batch-io`, which refuses what here is an error: `additionalProperties` with
/// a schema, schemas that refer to themselves, and names of fields that no JSON path can hold.
pub(super) fn fits(format: &AnswerFormat, value: &str) -> Result<Option<String>> {
    let Some(root) = format.answer_node() else { return Ok(None) };
    let mut check = Check { format, depth: 0, nodes: 0 };
    check.node(root, value)
}

struct Check<'a> {
    format: &'a AnswerFormat,
    depth: usize,
    nodes: usize,
}

fn refused(what: &str) -> SqlError {
    SqlError::new(format!("the response schema cannot be checked in SQL: {what}"))
        .with_hint("simplify the schema, or download the predictions and join them here")
}

/// A member of an object: of one that is a member itself, by one longer path.
fn member(value: &str, name: &str) -> Result<String> {
    let path = quote::member(name)?;
    let outer = value.strip_prefix("JSON_QUERY(").and_then(|rest| rest.strip_suffix("')"));
    Ok(match (outer, path.strip_prefix("'$")) {
        (Some(outer), Some(rest)) => format!("JSON_QUERY({outer}{rest})"),
        _ => format!("JSON_QUERY({value}, {path})"),
    })
}

fn number(value: &str) -> String {
    format!("SAFE_CAST(JSON_VALUE({value}) AS FLOAT64)")
}

fn is(value: &str, json_type: &str) -> String {
    format!("JSON_TYPE({value}) = '{json_type}'")
}

fn texts<'a>(values: impl Iterator<Item = &'a str>) -> String {
    values.map(quote::text).collect::<Vec<_>>().join(", ")
}

/// All of them; `None` for none.
fn all(conditions: Vec<String>) -> Option<String> {
    match conditions.len() {
        0 => None,
        1 => conditions.into_iter().next(),
        _ => Some(format!("({})", conditions.join(" AND "))),
    }
}

impl Check<'_> {
    fn node(&mut self, node: &SchemaNode, value: &str) -> Result<Option<String>> {
        let Some(node) = self.format.resolve(node) else { return Ok(None) };
        self.depth += 1;
        self.nodes += 1;
        if DEEPEST < self.depth || MOST_NODES < self.nodes {
            return Err(refused("it refers to itself, or is too large"));
        }
        let mut conditions = Vec::new();
        conditions.extend(types(&node.types, value));
        conditions.extend(scalar(node, value));
        conditions.extend(self.array(node, value)?);
        conditions.extend(self.object(node, value)?);
        for part in &node.all_of {
            conditions.extend(self.node(part, value)?);
        }
        let alternatives: Option<Vec<String>> =
            node.any_of.iter().map(|part| self.node(part, value)).collect::<Result<_>>()?;
        // One that everything fits makes all of them fit.
        conditions.extend(
            alternatives
                .filter(|alternatives| !alternatives.is_empty())
                .map(|parts| format!("({})", parts.join(" OR "))),
        );
        self.depth -= 1;
        Ok(match all(conditions) {
            Some(condition) if node.nullable => Some(format!("({} OR {condition})", is(value, "null"))),
            condition => condition,
        })
    }

    fn array(&mut self, node: &SchemaNode, value: &str) -> Result<Option<String>> {
        // Of no array there are no elements, which not every server finds out by itself.
        let elements = format!("JSON_QUERY_ARRAY(IF({}, {value}, NULL))", is(value, "array"));
        let mut conditions = bounds(node.counts.min, node.counts.max, &format!("ARRAY_LENGTH({elements})"));
        if let Some(items) = &node.items {
            let element = format!("e{}", self.depth);
            if let Some(condition) = self.node(items, &element)? {
                conditions
                    .push(format!("NOT EXISTS(SELECT 1 FROM UNNEST({elements}) AS {element} WHERE NOT {condition})"));
            }
        }
        Ok(all(conditions).map(|condition| format!("IF({}, {condition}, TRUE)", is(value, "array"))))
    }

    fn object(&mut self, node: &SchemaNode, value: &str) -> Result<Option<String>> {
        let mut conditions =
            bounds(node.members.min, node.members.max, &format!("ARRAY_LENGTH(JSON_KEYS({value}, 1))"));
        for name in &node.required {
            conditions.push(format!("{} IS NOT NULL", member(value, name)?));
        }
        for (name, property) in &node.properties {
            let member = member(value, name)?;
            if let Some(condition) = self.node(property, &member)? {
                conditions.push(format!("({member} IS NULL OR {condition})"));
            }
        }
        if let Some(additional) = &node.additional
            && self.node(additional, value)?.is_some()
        {
            return Err(refused("additionalProperties is a schema"));
        }
        if node.closed {
            // A name that is no identifier comes in quotes.
            let names: Vec<String> =
                node.properties.iter().flat_map(|(name, _)| [name.clone(), format!("\"{name}\"")]).collect();
            let stranger = match names.as_slice() {
                [] => String::new(),
                _ => format!(" AS k WHERE k NOT IN ({})", texts(names.iter().map(String::as_str))),
            };
            conditions.push(format!("NOT EXISTS(SELECT 1 FROM UNNEST(JSON_KEYS({value}, 1)){stranger})"));
        }
        Ok(all(conditions).map(|condition| format!("IF({}, {condition}, TRUE)", is(value, "object"))))
    }
}

fn types(types: &[SchemaType], value: &str) -> Option<String> {
    let tests: Vec<String> = types
        .iter()
        .map(|expected| match expected {
            SchemaType::String => is(value, "string"),
            SchemaType::Number => is(value, "number"),
            SchemaType::Integer => {
                let number = number(value);
                format!("({} AND IFNULL({number} = FLOOR({number}), TRUE))", is(value, "number"))
            }
            SchemaType::Boolean => is(value, "boolean"),
            SchemaType::Array => is(value, "array"),
            SchemaType::Object => is(value, "object"),
            SchemaType::Null => is(value, "null"),
        })
        .collect();
    match tests.as_slice() {
        [] => None,
        [test] => Some(test.clone()),
        _ => Some(format!("({})", tests.join(" OR "))),
    }
}

fn scalar(node: &SchemaNode, value: &str) -> Option<String> {
    let mut conditions = Vec::new();
    if let Some(allowed) = &node.allowed {
        let list = texts(allowed.iter().map(String::as_str));
        let numbers: Vec<String> = allowed
            .iter()
            .filter_map(|allowed| allowed.parse::<f64>().ok().filter(|number| number.is_finite()))
            .map(float)
            .collect();
        let numbers = match numbers.as_slice() {
            [] => "FALSE".to_owned(),
            _ => format!("IFNULL({} IN ({}), FALSE)", number(value), numbers.join(", ")),
        };
        conditions.push(format!(
            "CASE JSON_TYPE({value}) WHEN 'array' THEN TRUE WHEN 'object' THEN TRUE WHEN 'null' THEN TRUE \
             ELSE JSON_VALUE({value}) IN ({list}) OR ({} AND {numbers}) END",
            is(value, "number")
        ));
    }
    let range = bounds(node.minimum, node.maximum, &number(value));
    conditions.extend(all(range).map(|range| format!("IF({}, IFNULL({range}, TRUE), TRUE)", is(value, "number"))));
    let length = bounds(node.lengths.min, node.lengths.max, &format!("CHAR_LENGTH(JSON_VALUE({value}))"));
    conditions.extend(all(length).map(|length| format!("IF({}, {length}, TRUE)", is(value, "string"))));
    all(conditions)
}

fn bounds(min: Option<f64>, max: Option<f64>, count: &str) -> Vec<String> {
    let min = min.map(|min| format!("{} <= {count}", float(min)));
    let max = max.map(|max| format!("{count} <= {}", float(max)));
    min.into_iter().chain(max).collect()
}

/// A float as a literal, which a negative one cannot be taken for a minus sign and more.
fn float(number: f64) -> String {
    format!("({number:?})")
}
