//! Schemas for the answer and for functions, in both dialects.

use std::collections::HashSet;

use super::import::LONGEST_NAME;
use super::json::{Kind, Member, Value};
use super::names::like;
use super::pointer::Pointer;
use super::report::quoted;
use super::request::Checks;
use super::rules;

/// JSON Schema's keywords that the API's Schema does not have, and what to do instead.
const INSTEAD: &[(&str, &str)] = &[
    ("$ref", "write ref, with \"#/defs/NAME\""),
    ("$defs", "write defs"),
    ("definitions", "write defs"),
    ("oneOf", "write anyOf"),
    ("allOf", "merge the schemas into one"),
    ("const", "write enum with this one value"),
    ("examples", "write example, with one of them"),
    ("exclusiveMinimum", "write minimum, and say in the description that it is excluded"),
    ("exclusiveMaximum", "write maximum, and say in the description that it is excluded"),
];

/// What of JSON Schema the service looks at. Likely: the list of the SDKs' reference.
const JSON_SCHEMA: &[&str] = &[
    "$id",
    "$defs",
    "$ref",
    "$anchor",
    "type",
    "format",
    "title",
    "description",
    "enum",
    "items",
    "prefixItems",
    "minItems",
    "maxItems",
    "minimum",
    "maximum",
    "anyOf",
    "oneOf",
    "properties",
    "additionalProperties",
    "required",
    "propertyOrdering",
];

/// JSON Schema's keywords that ask nothing of an answer: that they are not looked at loses nothing.
const NOTES: &[&str] =
    &["$schema", "$comment", "default", "example", "examples", "deprecated", "readOnly", "writeOnly"];

pub(super) fn schema(checks: &mut Checks<'_, '_>, schema: &Value<'_>, at: &Pointer<'_>) {
    if let Some(values) = schema.get("enum") {
        let at = at.name("enum");
        for (index, value) in values.elements().iter().enumerate() {
            if !matches!(value.kind, Kind::String(_)) {
                let message = format!("{} in an enum", value.what());
                checks.report.add(&rules::ENUM_NOT_TEXT, value.start, &at.element(values, index), message);
            }
        }
        enum_values(checks, values, &at);
    }
    undeclared(checks, schema, at);
}

/// A member of a Schema that the API does not have.
pub(super) fn unknown_keyword(checks: &mut Checks<'_, '_>, member: &Member<'_>, at: &Pointer<'_>) {
    let message = format!("the API's Schema has no {}", quoted(&member.name));
    let finding = checks.report.add(&rules::SCHEMA_KEYWORD, member.start, at, message);
    let instead = INSTEAD.iter().find(|(keyword, _)| *keyword == member.name);
    if let Some((_, help)) = instead {
        finding.help(*help);
        return;
    }
    let names = batch_model::Schema::shape().members().iter().map(batch_model::MemberShape::name);
    if let Some(like) = like(&member.name, names) {
        finding.help(format!("did you mean {like:?}?"));
    }
}

/// A JSON Schema, with all the schemas in it.
pub(super) fn json_schema(checks: &mut Checks<'_, '_>, schema: &Value<'_>, at: &Pointer<'_>) {
    for member in schema.members() {
        let (name, value) = (&*member.name, &member.value);
        let below = at.name(name);
        if !JSON_SCHEMA.contains(&name) && !NOTES.contains(&name) {
            let message = format!("JSON Schema's {} is not looked at", quoted(name));
            checks.report.add(&rules::JSON_SCHEMA_KEYWORD, member.start, &below, message);
            continue;
        }
        match name {
            "properties" | "$defs" => {
                for property in value.members().iter().filter(|one| one.name.len() <= LONGEST_NAME) {
                    json_schema(checks, &property.value, &below.name(&property.name));
                }
            }
            "items" | "additionalProperties" => json_schema(checks, value, &below),
            "anyOf" | "oneOf" | "prefixItems" => {
                for (index, one) in value.elements().iter().enumerate() {
                    json_schema(checks, one, &below.element(value, index));
                }
            }
            "enum" => enum_values(checks, value, &below),
            _ => {}
        }
    }
    undeclared(checks, schema, at);
}

fn enum_values(checks: &mut Checks<'_, '_>, values: &Value<'_>, at: &Pointer<'_>) {
    if values.is_null() {
        return;
    }
    if values.elements().is_empty() {
        checks.report.add(&rules::EMPTY_ENUM, values.start, at, "an enum without values");
    }
    let mut seen = HashSet::new();
    for (index, value) in values.elements().iter().enumerate() {
        let Some(text) = value.text() else { continue };
        if text.is_empty() {
            checks.report.add(&rules::EMPTY_ENUM, value.start, &at.element(values, index), "an empty value in an enum");
        }
        if !seen.insert(text) {
            let message = format!("the enum has {} twice", quoted(text));
            checks.report.add(&rules::DUPLICATE_ENUM, value.start, &at.element(values, index), message);
        }
    }
}

/// Names in `required` and `propertyOrdering` that `properties` does not have.
fn undeclared(checks: &mut Checks<'_, '_>, schema: &Value<'_>, at: &Pointer<'_>) {
    let Some(properties) = schema.get("properties").filter(|properties| !properties.members().is_empty()) else {
        return;
    };
    let names: HashSet<&str> = properties.members().iter().map(|property| &*property.name).collect();
    for list in ["required", "propertyOrdering"] {
        let Some(member) = schema.member(list) else { continue };
        let at = at.name(&member.name);
        for (index, value) in member.value.elements().iter().enumerate() {
            let Some(name) = value.text() else { continue };
            if names.contains(name) {
                continue;
            }
            let message = format!("{list} has {}, and properties has not", quoted(name));
            let finding =
                checks.report.add(&rules::UNDECLARED_PROPERTY, value.start, &at.element(&member.value, index), message);
            if let Some(like) = like(name, names.iter().copied()) {
                finding.help(format!("did you mean {like:?}?"));
            }
        }
    }
}
