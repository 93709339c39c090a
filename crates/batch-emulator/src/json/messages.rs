//! The messages of the service, and how its front end checks JSON against them.

use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::OnceLock;

use super::tree::{Json, View, write_plain};

/// Where the types of the service live, for its error messages.
const PACKAGE: &str = "type.googleapis.com/google.cloud.aiplatform.v1.";

/// The front end lists all it finds; a row with a thousand wrong parts needs no thousand
/// sentences.
const MOST_COMPLAINTS: usize = 10;

/// Every message and enum that a request can hold.
#[derive(Debug)]
pub(crate) struct Messages {
    messages: Vec<Message>,
    enums: Vec<Enum>,
    request: usize,
    job: usize,
}

/// One message: its fields by either spelling.
#[derive(Debug)]
pub(crate) struct Message {
    name: &'static str,
    fields: HashMap<String, usize, BuildHasherDefault<NameHasher>>,
    list: Vec<Field>,
}

/// Names of fields are few, short and our own: a row looks up dozens of them.
#[derive(Clone, Copy, Debug, Default)]
struct NameHasher(u64);

impl Hasher for NameHasher {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 = (self.0.rotate_left(5) ^ u64::from_le_bytes(word)).wrapping_mul(0x517c_c1b7_2722_0a95);
        }
    }

    fn write_u8(&mut self, _: u8) {
        // The end of a string, which its length tells as well.
    }

    fn finish(&self) -> u64 {
        // The table takes its group from the low bits, where a product is weakest.
        self.0 ^ (self.0 >> 32)
    }
}

#[derive(Debug)]
struct Enum {
    name: &'static str,
    values: Vec<&'static str>,
}

/// One field of a message.
#[derive(Debug)]
pub(crate) struct Field {
    name: &'static str,
    snake: String,
    kind: Stored,
    repeated: bool,
    oneof: Option<&'static str>,
    output: bool,
}

/// A [`Kind`] whose messages are places in the list.
#[derive(Clone, Copy, Debug)]
enum Stored {
    String,
    Bytes,
    Bool,
    Int32,
    Int64,
    Float,
    Double,
    Any,
    Enum(usize),
    Message(usize),
    MapOfAny,
    MapOfString,
    MapOf(usize),
}

/// What a field holds, as far as its structure goes.
#[derive(Debug)]
pub(crate) enum Kind {
    /// A string, number, boolean, enum or free-form JSON.
    Other,
    /// Another message.
    Message(&'static Message),
    /// A map from strings, to messages or to anything else.
    Map(Option<&'static Message>),
}

impl Messages {
    /// The table.
    pub(crate) fn get() -> &'static Messages {
        static MESSAGES: OnceLock<Messages> = OnceLock::new();
        MESSAGES.get_or_init(|| read(include_str!("messages.txt")))
    }

    /// `GenerateContentRequest`.
    pub(crate) fn request(&'static self) -> &'static Message {
        &self.messages[self.request]
    }

    /// `BatchPredictionJob`.
    pub(crate) fn job(&'static self) -> &'static Message {
        &self.messages[self.job]
    }
}

/// Reads the table. A line that it cannot make sense of stands for free-form JSON; a test
/// sees to it that there is none.
fn read(text: &'static str) -> Messages {
    let names = |keyword: &str| -> HashMap<&'static str, usize> {
        text.lines()
            .filter_map(|line| line.strip_prefix(keyword)?.split_whitespace().next())
            .enumerate()
            .map(|(i, name)| (name, i))
            .collect()
    };
    let (message_names, enum_names) = (names("message "), names("enum "));
    let mut messages: Vec<Message> = Vec::new();
    let mut enums = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("message ") {
            messages.push(Message { name, fields: HashMap::default(), list: Vec::new() });
        } else if let Some(line) = line.strip_prefix("enum ") {
            let mut words = line.split_whitespace();
            enums.push(Enum { name: words.next().unwrap_or_default(), values: words.collect() });
        } else if let Some(line) = line.strip_prefix("  ")
            && let Some(message) = messages.last_mut()
        {
            let mut words = line.split_whitespace();
            let (Some(name), Some(kind)) = (words.next(), words.next()) else {
                continue;
            };
            let (kind, repeated) = match kind.strip_suffix("[]") {
                Some(kind) => (kind, true),
                None => (kind, false),
            };
            let kind = match kind {
                "string" => Stored::String,
                "bytes" => Stored::Bytes,
                "bool" => Stored::Bool,
                "int32" => Stored::Int32,
                "int64" => Stored::Int64,
                "float" => Stored::Float,
                "double" => Stored::Double,
                "map<string>" => Stored::MapOfString,
                "map<any>" => Stored::MapOfAny,
                other => {
                    let of = other.strip_prefix("map<").and_then(|other| other.strip_suffix('>'));
                    if let Some(message) = of.and_then(|of| message_names.get(of)) {
                        Stored::MapOf(*message)
                    } else if let Some(message) = message_names.get(other) {
                        Stored::Message(*message)
                    } else if let Some(of) = enum_names.get(other) {
                        Stored::Enum(*of)
                    } else {
                        Stored::Any
                    }
                }
            };
            let rest: Vec<_> = words.collect();
            let field = Field {
                name,
                snake: snake(name),
                kind,
                repeated,
                oneof: rest.iter().find_map(|word| word.strip_prefix("oneof=")),
                output: rest.contains(&"output"),
            };
            message.fields.insert(name.to_owned(), message.list.len());
            message.fields.insert(field.snake.clone(), message.list.len());
            message.list.push(field);
        }
    }
    let index = |name| message_names.get(name).copied().unwrap_or(0);
    Messages { request: index("GenerateContentRequest"), job: index("BatchPredictionJob"), messages, enums }
}

fn snake(camel: &str) -> String {
    let mut snake = String::with_capacity(camel.len() + 4);
    for c in camel.chars() {
        if c.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

impl Field {
    /// The name in lowerCamelCase.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Whether only the service sets it.
    pub(crate) fn is_output(&self) -> bool {
        self.output
    }

    /// Whether it is a list.
    pub(crate) fn is_repeated(&self) -> bool {
        self.repeated
    }

    /// What it holds.
    pub(crate) fn kind(&self) -> Kind {
        let message = |at: usize| &Messages::get().messages[at];
        match self.kind {
            Stored::Message(at) => Kind::Message(message(at)),
            Stored::MapOf(at) => Kind::Map(Some(message(at))),
            Stored::MapOfAny | Stored::MapOfString => Kind::Map(None),
            _ => Kind::Other,
        }
    }
}

/// Where in a request a value stands: names in snake_case, as the front end prints them.
#[derive(Clone, Copy)]
enum Path<'p> {
    Root(&'p str),
    Name(&'p Path<'p>, &'p str),
    Index(&'p Path<'p>, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Root(root) => f.write_str(root),
            Path::Name(Path::Root(""), name) => f.write_str(name),
            Path::Name(parent, name) => write!(f, "{parent}.{name}"),
            Path::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

impl Path<'_> {
    /// ` at 'path'`, or nothing for a root without a name.
    fn at(&self) -> String {
        match self {
            Path::Root("") => String::new(),
            path => format!(" at '{path}'"),
        }
    }
}

impl Message {
    /// The field of that name, in either spelling.
    pub(crate) fn field(&self, name: &str) -> Option<&Field> {
        self.fields.get(name).map(|at| &self.list[*at])
    }

    /// What the service's front end has against a JSON value that is to be this message,
    /// in its words; nothing where all is well. `root` is what it calls the value.
    pub(crate) fn complaints(&'static self, json: Json<'_>, root: &str) -> Vec<String> {
        self.complaints_but_for(json, root, &|_| false)
    }

    /// As [`Message::complaints`], without a look at the members that are `known` to be well.
    pub(crate) fn complaints_but_for(
        &'static self,
        json: Json<'_>,
        root: &str,
        known: &dyn Fn(Json<'_>) -> bool,
    ) -> Vec<String> {
        let mut complaints = Vec::new();
        check_message(json, self, &Path::Root(root), known, &mut complaints);
        complaints.truncate(MOST_COMPLAINTS);
        complaints
    }

    /// Whether the front end has nothing against a value for the field `name`.
    pub(crate) fn takes(&'static self, name: &str, value: Json<'_>) -> bool {
        let Some(field) = self.field(name) else { return false };
        let mut complaints = Vec::new();
        check_field(value, name, field, &Path::Root(""), &mut complaints);
        complaints.is_empty()
    }
}

fn check_message(
    json: Json<'_>,
    message: &'static Message,
    path: &Path<'_>,
    known: &dyn Fn(Json<'_>) -> bool,
    complaints: &mut Vec<String>,
) {
    let View::Object(members) = json.view() else {
        if !json.is_null() {
            wrong_value(json, path, &format!("{PACKAGE}{}", message.name), complaints);
        }
        return;
    };
    let mut set: Vec<(&str, &str)> = Vec::new();
    for (name, value) in members {
        if complaints.len() >= MOST_COMPLAINTS {
            return;
        }
        let Some(field) = message.field(name) else {
            complaints.push(format!(
                "Invalid JSON payload received. Unknown name \"{name}\"{}: Cannot find field.",
                path.at()
            ));
            continue;
        };
        if value.is_null() {
            continue;
        }
        if let Some(oneof) = field.oneof {
            if set.iter().any(|(group, _)| *group == oneof) {
                complaints.push(format!(
                    "Invalid value{} (oneof), oneof field '{oneof}' is already set. Cannot set '{}'",
                    path.at(),
                    field.name
                ));
                continue;
            }
            set.push((oneof, field.name));
        }
        if !known(value) {
            check_field(value, name, field, path, complaints);
        }
    }
}

fn check_field(value: Json<'_>, name: &str, field: &'static Field, parent: &Path<'_>, complaints: &mut Vec<String>) {
    let path = Path::Name(parent, &field.snake);
    match value.view() {
        View::Array(items) if field.repeated => {
            for (i, item) in items.enumerate() {
                check_value(item, field.kind, &Path::Index(&path, i), complaints);
            }
        }
        View::Array(_) if !matches!(field.kind, Stored::Any) => {
            complaints.push(format!(
                "Invalid JSON payload received. Unknown name \"{name}\"{}: Proto field is not repeating, cannot start list.",
                parent.at()
            ));
        }
        _ => check_value(value, field.kind, &path, complaints),
    }
}

fn check_value(json: Json<'_>, kind: Stored, path: &Path<'_>, complaints: &mut Vec<String>) {
    let messages = Messages::get();
    match kind {
        Stored::Any => {}
        Stored::Message(at) => check_message(json, &messages.messages[at], path, &|_| false, complaints),
        Stored::MapOfAny | Stored::MapOfString | Stored::MapOf(_) => {
            let View::Object(members) = json.view() else {
                wrong_value(json, path, "Map", complaints);
                return;
            };
            for (name, value) in members {
                let path = Path::Name(path, name);
                match kind {
                    Stored::MapOf(at) => {
                        check_message(value, &messages.messages[at], &path, &|_| false, complaints);
                    }
                    Stored::MapOfString if !value.is_null() => {
                        check_value(value, Stored::String, &path, complaints);
                    }
                    _ => {}
                }
            }
        }
        Stored::Enum(at) => {
            let of = &messages.enums[at];
            let known = match json.view() {
                View::Int(_) => true,
                // The service takes type names in lower case; so it does elsewhere.
                View::Str(name) => of.values.iter().any(|value| value.eq_ignore_ascii_case(name.as_str())),
                _ => false,
            };
            if !known {
                wrong_value(json, path, &format!("{PACKAGE}{}", of.name), complaints);
            }
        }
        Stored::String => expect(json.as_text().is_some(), json, path, "TYPE_STRING", complaints),
        Stored::Bool => {
            let known = match json.view() {
                View::Str(word) => matches!(word.as_str(), "true" | "false"),
                other => matches!(other, View::Bool(_)),
            };
            expect(known, json, path, "TYPE_BOOL", complaints);
        }
        Stored::Int32 => {
            let fits = json.as_i64().is_some_and(|n| i32::try_from(n).is_ok());
            expect(fits, json, path, "TYPE_INT32", complaints);
        }
        Stored::Int64 => expect(json.as_i64().is_some(), json, path, "TYPE_INT64", complaints),
        Stored::Float => expect(json.as_f64().is_some(), json, path, "TYPE_FLOAT", complaints),
        Stored::Double => expect(json.as_f64().is_some(), json, path, "TYPE_DOUBLE", complaints),
        Stored::Bytes => match json.as_str() {
            Some(text) if is_base64(text) => {}
            Some(text) => {
                let start: String = text.chars().take(32).collect();
                complaints
                    .push(format!("Invalid value at '{path}' (TYPE_BYTES), Base64 decoding failed for \"{start}\""));
            }
            None => wrong_value(json, path, "TYPE_BYTES", complaints),
        },
    }
}

fn expect(fits: bool, json: Json<'_>, path: &Path<'_>, kind: &str, complaints: &mut Vec<String>) {
    if !fits {
        wrong_value(json, path, kind, complaints);
    }
}

fn wrong_value(json: Json<'_>, path: &Path<'_>, kind: &str, complaints: &mut Vec<String>) {
    let mut value = Vec::new();
    write_plain(json, &mut value);
    let mut value = String::from_utf8_lossy(&value).into_owned();
    if value.chars().count() > 100 {
        value = value.chars().take(100).collect();
        value.push('…');
    }
    let mut complaint = String::new();
    // Writing to a string does not fail.
    let _ = write!(complaint, "Invalid value{} ({kind}), {value}", path.at());
    complaints.push(complaint);
}

/// Standard or URL-safe alphabet, padded or not: protobuf's JSON takes all four.
fn is_base64(text: &str) -> bool {
    let data = text.trim_end_matches('=');
    text.len() - data.len() <= 2
        && data.len() % 4 != 1
        && data.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Tree;

    #[test]
    fn the_table_names_only_types_that_it_has() {
        for line in include_str!("messages.txt").lines() {
            let Some(field) = line.strip_prefix("  ") else {
                continue;
            };
            let kind = field.split_whitespace().nth(1).unwrap();
            let kind = kind.trim_end_matches("[]");
            if kind == "any" {
                continue;
            }
            let name = field.split_whitespace().next().unwrap();
            let stored = Messages::get()
                .messages
                .iter()
                .filter_map(|message| message.field(name))
                .find(|field| matches!(field.kind, Stored::Any) && kind != "any");
            let elsewhere = include_str!("messages.txt").contains(&format!("  {name} any"));
            assert!(stored.is_none() || elsewhere, "{field} has an unknown type");
        }
    }

    fn complaints(text: &str) -> Vec<String> {
        let tree = Tree::parse(text).unwrap();
        Messages::get().request().complaints(tree.root(), "")
    }

    #[test]
    fn both_spellings_and_single_values_for_lists_are_fine() {
        let none: Vec<String> = Vec::new();
        for text in [
            r#"{"contents":[{"role":"user","parts":[{"text":"a"}]}]}"#,
            r#"{"contents":{"role":"user","parts":{"text":"a"}},"system_instruction":{"parts":{"text":"s"}}}"#,
            r#"{"generationConfig":{"thinking_config":{"thinkingBudget":"0"},"topK":64.0,"responseSchema":{"type":"string","enum":["a"],"maxLength":"5"}}}"#,
            r#"{"tools":[{"google_search":{"timeRangeFilter":null}}],"safetySettings":[{"category":1,"threshold":"BLOCK_NONE"}]}"#,
            r#"{"contents":[{"parts":[{"fileData":null,"text":"a"},{"inlineData":{"mimeType":"image/png","data":"AA=="}}],"role":null}]}"#,
            r#"{"generationConfig":{"responseJsonSchema":{"$defs":{"x":{"anything":[1]}}}}}"#,
        ] {
            assert_eq!(complaints(text), none, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_as_the_front_end_says_it() {
        for (text, complaint) in [
            (r#"{"content":[]}"#, r#"Invalid JSON payload received. Unknown name "content": Cannot find field."#),
            (
                r#"{"contents":[{"parts":[{"txt":"a"}]}]}"#,
                r#"Invalid JSON payload received. Unknown name "txt" at 'contents[0].parts[0]': Cannot find field."#,
            ),
            (
                r#"{"generationConfig":{"responseSchema":{"type_":"STRING"}}}"#,
                r#"Invalid JSON payload received. Unknown name "type_" at 'generation_config.response_schema': Cannot find field."#,
            ),
            (r#"{"labels":{"id":7}}"#, "Invalid value at 'labels.id' (TYPE_STRING), 7"),
            (
                r#"{"generationConfig":{"temperature":"warm"}}"#,
                r#"Invalid value at 'generation_config.temperature' (TYPE_FLOAT), "warm""#,
            ),
            (
                r#"{"contents":[{"parts":[{"text":["a"]}]}]}"#,
                r#"Invalid JSON payload received. Unknown name "text" at 'contents[0].parts[0]': Proto field is not repeating, cannot start list."#,
            ),
            (
                r#"{"contents":[{"parts":[{"text":"a","inline_data":{"data":""}}]}]}"#,
                "Invalid value at 'contents[0].parts[0]' (oneof), oneof field 'data' is already set. Cannot set 'inlineData'",
            ),
            (
                r#"{"safetySettings":[{"category":"HARM"}]}"#,
                r#"Invalid value at 'safety_settings[0].category' (type.googleapis.com/google.cloud.aiplatform.v1.HarmCategory), "HARM""#,
            ),
            (
                r#"{"contents":["hello"]}"#,
                r#"Invalid value at 'contents[0]' (type.googleapis.com/google.cloud.aiplatform.v1.Content), "hello""#,
            ),
            (
                r#"{"contents":[{"parts":[{"inlineData":{"data":"a!"}}]}]}"#,
                r#"Invalid value at 'contents[0].parts[0].inline_data.data' (TYPE_BYTES), Base64 decoding failed for "a!""#,
            ),
        ] {
            assert_eq!(complaints(text), [complaint], "{text}");
        }
    }
}
