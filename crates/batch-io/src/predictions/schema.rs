//! The schema that a request asked its answer to have, and whether an answer fits.
//!
//! Only what is certain counts: a keyword that is not known here, or that can be read in
//! two ways (`pattern`, `format`, `not`, `if`), is taken as fulfilled.

use std::borrow::Cow;
use std::collections::HashSet;

use serde_json::value::RawValue;

use super::fields::Fields;
use crate::json::{self, Kind, Members};

/// Deeper than this nothing is checked; the service refuses schemas far flatter.
const DEEPEST: usize = 32;

/// A schema that refers to itself can ask for any number of checks of one value; what is
/// left after this many is taken as fulfilled.
const MOST_CHECKS: usize = 100_000;

/// How far a check has come.
#[derive(Debug, Default)]
struct Walk {
    /// The way from the root of an answer to the value that does not fit, the last step first.
    steps: Vec<String>,
    /// Grows with alternatives and references too, which lead to no other value.
    depth: usize,
    checks: usize,
}

/// A schema in either of the API's dialects: `responseSchema` (OpenAPI's, type names in
/// either case, `nullable`, `propertyOrdering`) or `responseJsonSchema`.
///
/// Read out of an echo as well: nulls are absent, numbers may be strings and strings
/// numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct Schema {
    root: Node,
    definitions: Vec<(String, Node)>,
    /// Where one of some words is all that it asks for: those that stand in JSON as they are.
    words: Vec<String>,
}

/// What a schema asks of one value. A value fits where all of it holds; a keyword that is not
/// here is taken as fulfilled.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Node {
    /// The types that it may have; empty where any will do.
    pub types: Vec<Type>,
    /// Whether it may be null as well; nothing else is asked of a null then.
    pub nullable: bool,
    /// The values that a string, number or boolean may have, as text; numbers compare by value.
    pub allowed: Option<Vec<String>>,
    /// Of an object, what its members have to be.
    pub properties: Vec<(String, Node)>,
    /// Of an object, the order in which its members become columns.
    pub ordering: Vec<String>,
    /// Of an object, the members that it must have, null or not.
    pub required: Vec<String>,
    /// Whether an object may have no members but `properties`.
    pub closed: bool,
    /// Of an object, what its members beside `properties` have to be.
    pub additional: Option<Box<Node>>,
    /// Of an array, what each element has to be.
    pub items: Option<Box<Node>>,
    /// Of these, one at least has to hold; empty where nothing is asked.
    pub any_of: Vec<Node>,
    /// Of these, all have to hold.
    pub all_of: Vec<Node>,
    /// `#/$defs/NAME`: what is asked stands there, and nothing else here counts.
    pub reference: Option<String>,
    /// The smallest number.
    pub minimum: Option<f64>,
    /// The largest number.
    pub maximum: Option<f64>,
    /// The length of a string in characters.
    pub lengths: Bounds,
    /// How many elements an array has.
    pub counts: Bounds,
    /// How many members an object has.
    pub members: Bounds,
}

/// From how many up to how many.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Bounds {
    /// So many at least.
    pub min: Option<f64>,
    /// So many at most.
    pub max: Option<f64>,
}

/// A type of JSON values, as schemas name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say all")]
pub enum Type {
    String,
    Number,
    /// A number without a fraction: 1.0 and 1e2 are integers.
    Integer,
    Boolean,
    Array,
    Object,
    Null,
}

/// Where an answer does not fit, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Misfit {
    /// A JSON pointer; empty for the whole answer.
    pub(super) pointer: String,
    pub(super) what: String,
}

impl Schema {
    pub(super) fn read(schema: &RawValue) -> Self {
        let members = Members::of(schema);
        let mut definitions = Vec::new();
        for names in [["$defs"], ["defs"], ["definitions"]] {
            for (name, value) in members.get(&names).map(Members::of).unwrap_or_default().iter() {
                definitions.push((name.to_owned(), Node::read(value, 1)));
            }
        }
        let root = Node::read(schema, 0);
        let words = root.words().unwrap_or_default().iter().filter(|word| !word.contains(needs_escape));
        Self { words: words.cloned().collect(), root, definitions }
    }

    /// What an answer says that is one of the words which are asked for, in its quotation marks: so most answers
    /// come that are to be one of some words. `None` for any other, which may fit all the same.
    pub(super) fn word<'t>(&self, answer: &'t str) -> Option<&'t str> {
        let inside = answer.strip_prefix('"')?.strip_suffix('"')?;
        self.words.iter().any(|word| word == inside).then_some(inside)
    }

    /// The names of an object's fields, in the order in which they become columns:
    /// `propertyOrdering`, then the other properties as written. `None` where the schema
    /// leaves open what fields there are; none where the answer is no object.
    pub(super) fn fields(&self) -> Option<Vec<&str>> {
        let node = self.resolve(&self.root, 0)?;
        if node.properties.is_empty() {
            let object = node.types.is_empty() || node.types.contains(&Type::Object);
            return if object && node.allowed.is_none() { None } else { Some(Vec::new()) };
        }
        let known = |name: &&str| node.properties.iter().any(|(property, _)| property == name);
        let ordering = node.ordering.iter().map(String::as_str).filter(known);
        let mut seen = HashSet::new();
        let properties = node.properties.iter().map(|(name, _)| name.as_str());
        Some(ordering.chain(properties).filter(|name| seen.insert(*name)).collect())
    }

    /// The values of a schema that allows a list of scalars.
    pub(super) fn allowed(&self) -> Option<&[String]> {
        self.resolve(&self.root, 0)?.allowed.as_deref()
    }

    /// Whether a JSON value is what the schema asks for; of an object the fields are known.
    pub(super) fn check(&self, json: &str, fields: &Fields) -> Result<(), Misfit> {
        let mut path = Walk::default();
        self.fits(&self.root, Value { json, fields: Some(fields) }, &mut path).map_err(|what| Misfit {
            pointer: path
                .steps
                .iter()
                .rev()
                .map(|step| format!("/{}", step.replace('~', "~0").replace('/', "~1")))
                .collect(),
            what,
        })
    }

    pub(super) fn root(&self) -> &Node {
        &self.root
    }

    /// What a node that is a reference leads to, or the node itself.
    pub(super) fn resolve<'a>(&'a self, node: &'a Node, hops: usize) -> Option<&'a Node> {
        let Some(reference) = &node.reference else { return Some(node) };
        if DEEPEST < hops {
            return None;
        }
        let name = reference.strip_prefix("#/")?.split_once('/')?.1;
        let (_, target) = self.definitions.iter().find(|(definition, _)| definition == name)?;
        self.resolve(target, hops + 1)
    }

    /// `Err` is what is wrong, and `path` then leads to where.
    fn fits(&self, node: &Node, value: Value<'_>, path: &mut Walk) -> Result<(), String> {
        if DEEPEST < path.depth || MOST_CHECKS < path.checks {
            return Ok(());
        }
        path.depth += 1;
        path.checks += 1;
        let result = self.fits_node(node, value, path);
        path.depth -= 1;
        result
    }

    fn fits_node(&self, node: &Node, value: Value<'_>, path: &mut Walk) -> Result<(), String> {
        // What cannot be resolved allows anything.
        let Some(node) = self.resolve(node, 0) else { return Ok(()) };
        let kind = Kind::of(value.json);
        if kind == Kind::Null && node.nullable {
            return Ok(());
        }
        node.fits_type(kind, value.json)?;
        node.fits_scalar(kind, value.json)?;
        match kind {
            Kind::Array => self.fits_array(node, value, path)?,
            Kind::Object => self.fits_object(node, value, path)?,
            _ => {}
        }
        for all in &node.all_of {
            self.fits(all, value, path)?;
        }
        let mut first = None;
        for any in &node.any_of {
            match self.fits(any, value, path) {
                Ok(()) => return Ok(()),
                Err(what) => {
                    path.steps.clear();
                    first.get_or_insert(what);
                }
            }
        }
        match first {
            Some(_) if 1 < node.any_of.len() => Err("fits none of the alternatives".to_owned()),
            Some(what) => Err(what),
            None => Ok(()),
        }
    }

    fn fits_array(&self, node: &Node, value: Value<'_>, path: &mut Walk) -> Result<(), String> {
        let elements: Vec<&RawValue> = serde_json::from_str(value.json).unwrap_or_default();
        node.counts.check(elements.len(), "element", "elements")?;
        if let Some(items) = &node.items {
            for (place, element) in elements.into_iter().enumerate() {
                self.fits(items, Value::of(element.get()), path).inspect_err(|_| path.steps.push(place.to_string()))?;
            }
        }
        Ok(())
    }

    fn fits_object(&self, node: &Node, value: Value<'_>, path: &mut Walk) -> Result<(), String> {
        let parsed;
        let fields = match value.fields {
            Some(fields) => fields,
            None => {
                parsed = Fields::parse(value.json);
                &parsed
            }
        };
        let members = || fields.of(value.json);
        node.members.check(members().len(), "field", "fields")?;
        if let Some(missing) = node.required.iter().find(|name| members().all(|(member, _)| member != *name)) {
            return Err(format!("lacks the required field {missing:?}"));
        }
        for (name, value) in members() {
            let property = node.properties.iter().find(|(property, _)| property == name).map(|found| &found.1);
            let Some(schema) = property.or(node.additional.as_deref()) else {
                if node.closed {
                    return Err(format!("has the field {name:?}, which the schema does not allow"));
                }
                continue;
            };
            self.fits(schema, Value::of(value), path).inspect_err(|_| path.steps.push(name.to_owned()))?;
        }
        Ok(())
    }
}

/// A value that is checked.
#[derive(Clone, Copy)]
struct Value<'a> {
    json: &'a str,
    /// Those of an object, where they were found before.
    fields: Option<&'a Fields>,
}

impl<'a> Value<'a> {
    fn of(json: &'a str) -> Self {
        Self { json, fields: None }
    }
}

fn needs_escape(character: char) -> bool {
    character < ' ' || matches!(character, '"' | '\\')
}

impl Node {
    /// The strings that it allows, where it asks for nothing else.
    fn words(&self) -> Option<&[String]> {
        let takes_strings = self.types.is_empty() || self.types.contains(&Type::String);
        let asks_for_more = self.reference.is_some()
            || !self.any_of.is_empty()
            || !self.all_of.is_empty()
            || self.lengths != Bounds::default();
        self.allowed.as_deref().filter(|_| takes_strings && !asks_for_more)
    }

    fn read(schema: &RawValue, depth: usize) -> Self {
        let members = Members::of(schema);
        if DEEPEST < depth {
            return Self::default();
        }
        let nodes = |names: &[&str]| -> Vec<Self> {
            let elements = members.get(names).map(json::elements).unwrap_or_default();
            elements.into_iter().map(|element| Self::read(element, depth + 1)).collect()
        };
        let node = |names: &[&str]| {
            let value = members.get(names).filter(|value| Kind::of(*value) == Kind::Object)?;
            Some(Box::new(Self::read(value, depth + 1)))
        };
        let names = |names: &[&str]| -> Vec<String> {
            let elements = members.get(names).map(json::elements).unwrap_or_default();
            elements.into_iter().filter_map(json::scalar).map(Cow::into_owned).collect()
        };
        let number = |names: &[&str]| members.get(names).and_then(json::number);
        let bounds = |min: &[&str], max: &[&str]| Bounds { min: number(min), max: number(max) };
        let additional = members.get(&["additionalProperties", "additional_properties"]);
        let mut any_of = nodes(&["anyOf", "any_of"]);
        any_of.extend(nodes(&["oneOf", "one_of"]));
        let properties = members.get(&["properties"]).map(Members::of).unwrap_or_default();
        Self {
            types: Type::read(members.get(&["type"])),
            nullable: members.get(&["nullable"]).is_some_and(|value| matches!(value.get(), "true" | "\"true\"")),
            allowed: allowed(&members),
            properties: properties
                .iter()
                // A null is the property of another line's schema, filled in by the import.
                .filter(|(_, value)| !json::is_null(value))
                .map(|(name, value)| (name.to_owned(), Self::read(value, depth + 1)))
                .collect(),
            ordering: names(&["propertyOrdering", "property_ordering"]),
            required: names(&["required"]),
            closed: additional.is_some_and(|value| value.get() == "false"),
            additional: node(&["additionalProperties", "additional_properties"]),
            // With `prefixItems`, `items` speaks of the elements behind them.
            items: if members.get(&["prefixItems", "prefix_items"]).is_some() { None } else { node(&["items"]) },
            any_of,
            all_of: nodes(&["allOf", "all_of"]),
            reference: members.get(&["$ref", "ref"]).and_then(json::string).map(Cow::into_owned),
            minimum: number(&["minimum"]),
            maximum: number(&["maximum"]),
            lengths: bounds(&["minLength", "min_length"], &["maxLength", "max_length"]),
            counts: bounds(&["minItems", "min_items"], &["maxItems", "max_items"]),
            members: bounds(&["minProperties", "min_properties"], &["maxProperties", "max_properties"]),
        }
    }

    fn fits_type(&self, kind: Kind, value: &str) -> Result<(), String> {
        if self.types.is_empty() || self.types.iter().any(|expected| expected.is(kind, value)) {
            return Ok(());
        }
        let expected: Vec<_> = self.types.iter().map(|expected| expected.name()).collect();
        let found = if kind == Kind::Number { value } else { kind.name() };
        Err(format!("is {found} and should be {}", expected.join(" or ")))
    }

    fn fits_scalar(&self, kind: Kind, value: &str) -> Result<(), String> {
        if let Some(allowed) = &self.allowed
            && let Some(text) = json::scalar(value)
            && !allowed.iter().any(|allowed| same_scalar(allowed, &text, kind))
        {
            return Err(format!("is {}, which is not among the {} allowed values", quote(&text), allowed.len()));
        }
        match kind {
            Kind::Number if self.minimum.is_some() || self.maximum.is_some() => {
                let Some(number) = json::number(value) else { return Ok(()) };
                match (self.minimum, self.maximum) {
                    (Some(minimum), _) if number < minimum => Err(format!("is {number}, less than {minimum}")),
                    (_, Some(maximum)) if maximum < number => Err(format!("is {number}, more than {maximum}")),
                    _ => Ok(()),
                }
            }
            Kind::String if self.lengths.min.is_some() || self.lengths.max.is_some() => {
                let length = json::string(value).map_or(0, |text| text.chars().count());
                self.lengths.check(length, "character", "characters")
            }
            _ => Ok(()),
        }
    }
}

impl Bounds {
    fn check(self, count: usize, one: &str, many: &str) -> Result<(), String> {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
        let exact = count as f64;
        let noun = if count == 1 { one } else { many };
        match (self.min, self.max) {
            (Some(min), _) if exact < min => Err(format!("has {count} {noun}, fewer than {min}")),
            (_, Some(max)) if max < exact => Err(format!("has {count} {noun}, more than {max}")),
            _ => Ok(()),
        }
    }
}

impl Type {
    /// A name in either case, or a list of names; what is unknown allows anything.
    fn read(value: Option<&RawValue>) -> Vec<Self> {
        let names = value.map(json::elements).unwrap_or_default();
        let types: Option<Vec<Self>> = names.into_iter().map(|name| Self::of_name(&json::scalar(name)?)).collect();
        types.unwrap_or_default()
    }

    fn of_name(name: &str) -> Option<Self> {
        [Self::String, Self::Number, Self::Integer, Self::Boolean, Self::Array, Self::Object, Self::Null]
            .into_iter()
            .find(|candidate| candidate.bare_name().eq_ignore_ascii_case(name))
    }

    fn bare_name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Number => "number",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
            Self::Array => "array",
            Self::Object => "object",
            Self::Null => "null",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Integer => "an integer",
            Self::String => Kind::String.name(),
            Self::Number => Kind::Number.name(),
            Self::Boolean => Kind::Bool.name(),
            Self::Array => Kind::Array.name(),
            Self::Object => Kind::Object.name(),
            Self::Null => Kind::Null.name(),
        }
    }

    fn is(self, kind: Kind, value: &str) -> bool {
        match self {
            Self::String => kind == Kind::String,
            Self::Number => kind == Kind::Number,
            // 1.0 and 1e2 are integers to JSON Schema.
            Self::Integer => kind == Kind::Number && json::number(value).is_none_or(|number| number.fract() == 0.0),
            Self::Boolean => kind == Kind::Bool,
            Self::Array => kind == Kind::Array,
            Self::Object => kind == Kind::Object,
            Self::Null => kind == Kind::Null,
        }
    }
}

/// `enum` or `const`, where all of it is scalars.
fn allowed(members: &Members<'_>) -> Option<Vec<String>> {
    let values = match (members.get(&["enum"]), members.get(&["const"])) {
        (Some(list), _) => json::elements(list),
        (None, Some(single)) => vec![single],
        (None, None) => return None,
    };
    // An empty list is what the import makes of an absent one.
    let values: Vec<_> = values.into_iter().filter(|value| !json::is_null(value)).collect();
    let texts: Option<Vec<String>> = values.into_iter().map(|value| json::scalar(value).map(Cow::into_owned)).collect();
    texts.filter(|texts| !texts.is_empty())
}

/// The allowed values of numbers are written as strings in one dialect and come back
/// retyped in the other, so numbers compare by value.
fn same_scalar(allowed: &str, text: &str, kind: Kind) -> bool {
    allowed == text
        || (kind == Kind::Number
            && matches!((allowed.parse::<f64>(), text.parse::<f64>()), (Ok(left), Ok(right)) if left == right))
}

/// A value for a message, cut where it is long.
pub(super) fn quote(text: &str) -> String {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(schema: &str, answer: &str) -> String {
        let schema = Schema::read(serde_json::from_str(schema).unwrap());
        let answer = serde_json::from_str::<&RawValue>(answer).unwrap().get();
        match schema.check(answer, &Fields::parse(answer)) {
            Ok(()) => "fits".to_owned(),
            Err(Misfit { pointer, what }) => format!("{pointer} {what}"),
        }
    }

    /// What is known without a parser is what the parser says.
    #[test]
    fn a_word_in_quotes_is_known_where_words_are_all_that_is_asked_for() {
        let words = r#""enum":["a","b c","日本","q\"","x\\u0061","x\\"]"#;
        let schema = |rest: &str| Schema::read(serde_json::from_str(&format!("{{{words}{rest}}}")).unwrap());
        let answers = [
            r#""a""#,
            r#""b c""#,
            r#""日本""#,
            r#""\u0061""#,
            r#""q\"""#,
            r#""q"""#,
            r#""x\u0061""#,
            r#""x\""#,
            r#""c""#,
            "a",
            " \"a\"",
            "\"",
        ];
        for (rest, is_simple) in [
            ("", true),
            (r#","type":"STRING","nullable":true"#, true),
            (r#","type":["integer","string"]"#, true),
            (r#","type":"INTEGER""#, false),
            (r#","maxLength":1"#, false),
            (r#","anyOf":[{"type":"INTEGER"}]"#, false),
            (r##","$ref":"#/$defs/x""##, false),
        ] {
            let schema = schema(rest);
            let known: Vec<&str> = answers.iter().filter_map(|answer| schema.word(answer)).collect();
            assert_eq!(known, if is_simple { vec!["a", "b c", "日本"] } else { Vec::new() }, "{rest}");
            for answer in answers {
                if let Some(word) = schema.word(answer) {
                    let value = serde_json::from_str::<&RawValue>(answer).unwrap();
                    let checked = schema.check(value.get(), &Fields::default());
                    assert_eq!((json::string(value).as_deref(), checked), (Some(word), Ok(())));
                }
            }
        }
    }

    #[test]
    fn each_keyword_refuses_what_it_says() {
        let cases = [
            (r#"{"type":"STRING","enum":["a","b"]}"#, r#""a""#, "fits"),
            (r#"{"type":"string","enum":["a","b"]}"#, r#""c""#, " is \"c\", which is not among the 2 allowed values"),
            (r#"{"type":"INTEGER"}"#, "1.0", "fits"),
            (r#"{"type":"INTEGER"}"#, "1.5", " is 1.5 and should be an integer"),
            (r#"{"type":"INTEGER","enum":["1","2"]}"#, "2", "fits"),
            (r#"{"type":"NUMBER","minimum":0,"maximum":"1"}"#, "1.5", " is 1.5, more than 1"),
            (r#"{"type":"STRING","nullable":true}"#, "null", "fits"),
            (r#"{"type":"STRING","nullable":null}"#, "null", " is null and should be a string"),
            (r#"{"type":["string","null"]}"#, "null", "fits"),
            (r#"{"type":"ARRAY","items":{"type":"STRING"},"minItems":"1"}"#, "[]", " has 0 elements, fewer than 1"),
            (r#"{"type":"ARRAY","items":{"type":"STRING"}}"#, r#"["a",1]"#, "/1 is 1 and should be a string"),
            (r#"{"type":"STRING","maxLength":2}"#, r#""日本語""#, " has 3 characters, more than 2"),
            (
                r#"{"type":"OBJECT","properties":{"a":{"type":"STRING"},"b":null},"required":["a"]}"#,
                r#"{"b":1}"#,
                " lacks the required field \"a\"",
            ),
            (
                r#"{"properties":{"a/b":{"properties":{"c":{"type":"BOOLEAN"}}}}}"#,
                r#"{"a/b":{"c":"x"}}"#,
                "/a~1b/c is a string and should be a boolean",
            ),
            (
                r#"{"properties":{},"additionalProperties":false}"#,
                r#"{"x":1}"#,
                " has the field \"x\", which the schema does not allow",
            ),
            (r#"{"anyOf":[{"type":"STRING"},{"type":"INTEGER"}]}"#, "1", "fits"),
            (r#"{"anyOf":[{"type":"STRING"},{"type":"INTEGER"}]}"#, "[]", " fits none of the alternatives"),
            (r##"{"$ref":"#/$defs/x","$defs":{"x":{"type":"string"}}}"##, "1", " is 1 and should be a string"),
            (r##"{"$ref":"#/$defs/x","$defs":{"x":{"$ref":"#/$defs/x"}}}"##, "1", "fits"),
            (
                r##"{"$ref":"#/$defs/x","$defs":{"x":{"allOf":[{"$ref":"#/$defs/x"},{"$ref":"#/$defs/x"}]}}}"##,
                "1",
                "fits",
            ),
            (r#"{"const":"x"}"#, r#""y""#, " is \"y\", which is not among the 1 allowed values"),
            (r#"{"type":"TYPE_UNSPECIFIED"}"#, "1", "fits"),
            (r#"true"#, "1", "fits"),
        ];
        for (schema, answer, expected) in cases {
            assert_eq!(check(schema, answer), expected, "{schema} {answer}");
        }
    }

    #[test]
    fn fields_follow_the_ordering_then_the_properties() {
        let fields = |schema: &str| -> Option<Vec<String>> {
            let schema = Schema::read(serde_json::from_str(schema).unwrap());
            schema.fields().map(|fields| fields.into_iter().map(str::to_owned).collect())
        };
        let object = r#"{"type":"OBJECT","properties":{"z":{},"a":{},"m":{}},"propertyOrdering":["m","x","z"]}"#;
        assert_eq!(fields(object).unwrap(), ["m", "z", "a"]);
        assert_eq!(fields(r#"{"type":"STRING"}"#).unwrap(), Vec::<String>::new());
        assert_eq!(fields(r#"{"type":"OBJECT"}"#), None);
        assert_eq!(fields(r#"{}"#), None);
    }
}
