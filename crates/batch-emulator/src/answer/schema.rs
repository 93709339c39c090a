//! Answers that obey the request's schema.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt;
use futures::future::BoxFuture;

use super::generate::generate;
use super::request::{Form, candidate_count, forced_functions, form, limit};
use super::text::{pick, sentences};
use super::{Answerer, Candidate, Content, Question, Reply};
use crate::json::{Json, View, hash, write_plain};
use crate::random::Random;

/// How many schemas are kept; a job has one, as a rule.
const MOST_SCHEMAS: usize = 64;

/// The answerer that needs nothing but the request.
#[derive(Debug, Default)]
pub(super) struct SchemaAnswerer {
    schemas: Mutex<HashMap<u128, Arc<Root>>>,
}

/// A schema with its definitions.
#[derive(Debug)]
pub(super) struct Root {
    pub(super) schema: Schema,
    definitions: HashMap<String, Schema>,
}

/// A schema, reduced to what an answer has to obey.
#[derive(Debug, Default)]
pub(super) struct Schema {
    /// What kinds of value there may be, one of which is chosen.
    pub(super) kinds: Vec<Kind>,
    /// Whether null will do as well.
    pub(super) nullable: bool,
}

/// One kind of value.
#[derive(Debug)]
pub(super) enum Kind {
    /// Null.
    Null,
    /// A boolean.
    Boolean,
    /// One of these, as JSON.
    OneOf(Vec<String>),
    /// A number between these, a multiple of the last.
    Number { whole: bool, least: Option<f64>, most: Option<f64>, step: Option<f64> },
    /// A text with so many characters.
    Text { format: Option<String>, pattern: Option<String>, least: u64, most: u64 },
    /// A list with so many elements; the first ones may have schemas of their own.
    List { first: Vec<Schema>, items: Option<Box<Schema>>, least: u64, most: u64, unique: bool },
    /// An object.
    Object(Object),
    /// Any of these schemas.
    AnyOf(Vec<Schema>),
    /// The schema of that name.
    Reference(String),
}

/// The members of an object.
#[derive(Debug, Default)]
pub(super) struct Object {
    /// Name, schema, and whether it must be there; in the order of writing.
    pub(super) members: Vec<(String, Schema, bool)>,
    /// The schema of members with other names.
    pub(super) others: Option<Box<Schema>>,
    /// How many members there must be.
    pub(super) least: u64,
    /// How many there may be.
    pub(super) most: u64,
}

impl Root {
    /// The definition that a reference names.
    pub(super) fn resolve(&self, reference: &str) -> Option<&Schema> {
        if reference == "#" {
            return Some(&self.schema);
        }
        let name = reference.rsplit('/').next().unwrap_or(reference);
        self.definitions.get(name)
    }

    /// Reads a schema in either of its spellings.
    pub(super) fn read(json: Json<'_>) -> Root {
        let mut definitions = HashMap::new();
        for name in ["$defs", "defs", "definitions"] {
            if let Some(View::Object(members)) = json.get(name).map(Json::view) {
                for (name, definition) in members {
                    definitions.insert(name.to_owned(), read(definition));
                }
            }
        }
        Root { schema: read(json), definitions }
    }
}

fn read(json: Json<'_>) -> Schema {
    let mut schema =
        Schema { kinds: Vec::new(), nullable: json.get("nullable").and_then(Json::as_bool).unwrap_or(false) };
    if let Some(reference) = either(json, "$ref", "ref").and_then(Json::as_str) {
        schema.kinds.push(Kind::Reference(reference.to_owned()));
        return schema;
    }
    if let Some(constant) = json.get("const") {
        schema.kinds.push(Kind::OneOf(vec![plain(constant)]));
        return schema;
    }
    let types: Vec<String> = json
        .get("type")
        .into_iter()
        .flat_map(Json::items_or_self)
        .filter_map(Json::as_str)
        .map(str::to_ascii_lowercase)
        .collect();
    if let Some(values) = json.get("enum") {
        let text = types.iter().all(|kind| kind == "string");
        let values = values
            .items_or_self()
            .map(|value| match value.as_str() {
                // The service's own schemas write numbers of an enum as strings.
                Some(number) if !text && number.parse::<f64>().is_ok() => number.to_owned(),
                _ => plain(value),
            })
            .collect();
        schema.kinds.push(Kind::OneOf(values));
        return schema;
    }
    for name in ["anyOf", "any_of", "oneOf", "one_of"] {
        if let Some(choices) = json.get(name) {
            let choices = choices.items_or_self().map(read).collect();
            schema.kinds.push(Kind::AnyOf(choices));
            return schema;
        }
    }
    if let Some(all) = either(json, "allOf", "all_of") {
        if let Some(kind) = read_all(all) {
            schema.kinds.push(kind);
        }
        return schema;
    }
    for kind in &types {
        schema.kinds.extend(read_kind(json, kind));
    }
    if types.is_empty() {
        schema.kinds.extend(guess(json));
    }
    if let [Kind::Null] = schema.kinds[..] {
        return schema;
    }
    // `["string", "null"]` is the other way to say nullable.
    let before = schema.kinds.len();
    schema.kinds.retain(|kind| !matches!(kind, Kind::Null));
    schema.nullable |= schema.kinds.len() < before;
    schema
}

/// A schema without a type: its keywords tell.
fn guess(json: Json<'_>) -> Option<Kind> {
    let has = |names: &[&str]| names.iter().any(|name| json.get(name).is_some());
    let kind = if has(&["properties", "required", "additionalProperties"]) {
        "object"
    } else if has(&["items", "prefixItems", "minItems", "maxItems"]) {
        "array"
    } else if has(&["minimum", "maximum", "multipleOf"]) {
        "number"
    } else {
        "string"
    };
    read_kind(json, kind)
}

fn read_kind(json: Json<'_>, kind: &str) -> Option<Kind> {
    let number = |camel, snake| either(json, camel, snake).and_then(Json::as_f64);
    let count =
        |camel, snake| either(json, camel, snake).and_then(Json::as_i64).and_then(|count| u64::try_from(count).ok());
    Some(match kind {
        "null" => Kind::Null,
        "boolean" => Kind::Boolean,
        "number" | "integer" => {
            let whole = kind == "integer";
            // An open end moves by the smallest step that the generator makes.
            let nudge = if whole { 1.0 } else { 0.001 };
            let above = number("exclusiveMinimum", "exclusive_minimum").map(|n| n + nudge);
            let under = number("exclusiveMaximum", "exclusive_maximum").map(|n| n - nudge);
            Kind::Number {
                whole,
                least: stricter(number("minimum", "minimum"), above, f64::max),
                most: stricter(number("maximum", "maximum"), under, f64::min),
                step: number("multipleOf", "multiple_of").filter(|step| *step > 0.0),
            }
        }
        "string" => Kind::Text {
            format: text(json, "format"),
            pattern: text(json, "pattern"),
            least: count("minLength", "min_length").unwrap_or(0),
            most: count("maxLength", "max_length").unwrap_or(u64::MAX),
        },
        "array" => {
            let first: Vec<_> = either(json, "prefixItems", "prefix_items")
                .into_iter()
                .flat_map(Json::items_or_self)
                .map(read)
                .collect();
            let items = json.get("items");
            let closed = items.and_then(Json::as_bool) == Some(false);
            let most = count("maxItems", "max_items").unwrap_or(u64::MAX);
            Kind::List {
                least: count("minItems", "min_items").unwrap_or(0),
                most: if closed { first.len() as u64 } else { most },
                items: items.filter(|_| !closed).map(|items| Box::new(read(items))),
                unique: either(json, "uniqueItems", "unique_items").and_then(Json::as_bool).unwrap_or(false),
                first,
            }
        }
        "object" => Kind::Object(read_object(json)),
        _ => return None,
    })
}

fn read_object(json: Json<'_>) -> Object {
    let names = |camel, snake| -> Vec<&str> {
        either(json, camel, snake).into_iter().flat_map(Json::items_or_self).filter_map(Json::as_str).collect()
    };
    let (required, order) = (names("required", "required"), names("propertyOrdering", "property_ordering"));
    let mut members: Vec<_> = match json.get("properties").map(Json::view) {
        Some(View::Object(members)) => members.sorted().collect(),
        _ => Vec::new(),
    }
    .into_iter()
    .map(|(name, schema)| (name.to_owned(), read(schema), required.contains(&name)))
    .collect();
    // What the ordering does not name comes after it, by name.
    members.sort_by_key(|(name, ..)| order.iter().position(|first| first == name).unwrap_or(usize::MAX));
    let others = either(json, "additionalProperties", "additional_properties");
    let count =
        |camel, snake| either(json, camel, snake).and_then(Json::as_i64).and_then(|count| u64::try_from(count).ok());
    Object {
        members,
        others: others.filter(|others| matches!(others.view(), View::Object(_))).map(|others| Box::new(read(others))),
        least: count("minProperties", "min_properties").unwrap_or(0),
        most: count("maxProperties", "max_properties").unwrap_or(u64::MAX),
    }
}

/// `allOf`: the members of all objects together, else what comes first.
fn read_all(all: Json<'_>) -> Option<Kind> {
    let mut together: Option<Object> = None;
    for part in all.items_or_self() {
        for kind in read(part).kinds {
            match (kind, &mut together) {
                (Kind::Object(object), Some(together)) => {
                    together.members.extend(object.members);
                    together.least = together.least.max(object.least);
                    together.most = together.most.min(object.most);
                }
                (Kind::Object(object), None) => together = Some(object),
                (other, None) => return Some(other),
                (_, Some(_)) => {}
            }
        }
    }
    together.map(Kind::Object)
}

fn stricter(a: Option<f64>, b: Option<f64>, choose: fn(f64, f64) -> f64) -> Option<f64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(choose(a, b)),
        (a, b) => a.or(b),
    }
}

fn either<'t>(json: Json<'t>, camel: &str, snake: &str) -> Option<Json<'t>> {
    json.get_either(camel, snake)
}

fn text(json: Json<'_>, name: &str) -> Option<String> {
    json.get(name).and_then(Json::as_str).map(str::to_owned)
}

fn plain(json: Json<'_>) -> String {
    let mut out = Vec::new();
    write_plain(json, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

impl SchemaAnswerer {
    /// The schema in its reduced form, from the last time if there was one.
    /// `config` stands for the generation configuration that it is part of.
    fn schema(&self, json: Json<'_>, config: Option<u128>) -> Arc<Root> {
        let key = config.unwrap_or_else(|| hash(plain(json).as_bytes()));
        let mut schemas = self.schemas.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(schema) = schemas.get(&key) {
            return Arc::clone(schema);
        }
        let schema = Arc::new(Root::read(json));
        if schemas.len() >= MOST_SCHEMAS {
            schemas.clear();
        }
        schemas.insert(key, Arc::clone(&schema));
        schema
    }

    fn candidate(&self, request: Json<'_>, config: Option<u128>, random: &Random) -> Candidate {
        let functions = forced_functions(request);
        if let Some((name, parameters)) = pick(random, &functions) {
            let arguments = match parameters {
                Some(parameters) => generate(&self.schema(*parameters, None), random),
                None => "{}".to_owned(),
            };
            return Candidate { content: Content::Call((*name).to_owned(), arguments.into_bytes()), truncated: false };
        }
        let (text, stops) = match form(request) {
            Form::Text => (sentences(random), true),
            Form::Json(Some(schema)) => (generate(&self.schema(schema, config), random), false),
            Form::Json(None) => {
                let mut text = b"{\"answer\":".to_vec();
                crate::json::write_text(&sentences(random), &mut text);
                text.push(b'}');
                (String::from_utf8_lossy(&text).into_owned(), false)
            }
            Form::Enum(schema) => {
                let value = generate(&self.schema(schema, config), random);
                // Bare, without the quotes that JSON would have.
                (serde_json::from_str(&value).unwrap_or(value), true)
            }
        };
        let (text, truncated) = limit(request, text, stops);
        Candidate { content: Content::Text(text), truncated }
    }
}

impl Answerer for SchemaAnswerer {
    fn answer<'a>(&'a self, question: &'a Question<'a>) -> BoxFuture<'a, Reply> {
        let random = Random::new(question.hash as u64 ^ (question.hash >> 64) as u64);
        let Question { request, config, .. } = *question;
        let candidates = (0..candidate_count(request)).map(|_| self.candidate(request, config, &random)).collect();
        futures::future::ready(Reply::Candidates(candidates)).boxed()
    }
}
