//! A JSON value that knows where each of its parts stands in the line.

use std::borrow::Cow;

use serde::de::IgnoredAny;

/// Deeper than this nothing is read: protocol buffers stop at 100.
const DEEPEST: usize = 100;

/// A value, and the bytes of the line that it takes.
#[derive(Debug)]
pub(super) struct Value<'a> {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) kind: Kind<'a>,
}

#[derive(Debug)]
pub(super) enum Kind<'a> {
    Null,
    Bool(bool),
    /// As it was written.
    Number(&'a str),
    String(Cow<'a, str>),
    Array(Vec<Value<'a>>),
    Object(Vec<Member<'a>>),
}

/// A member of an object; `start` is the quote before its name.
#[derive(Debug)]
pub(super) struct Member<'a> {
    pub(super) start: usize,
    pub(super) name_end: usize,
    pub(super) name: Cow<'a, str>,
    pub(super) value: Value<'a>,
}

/// Why a line is no JSON, and at which of its bytes.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) at: usize,
    pub(super) why: String,
}

impl<'a> Value<'a> {
    /// The value of the whole text.
    pub(super) fn parse(text: &'a str) -> Result<Self, Refusal> {
        // The parser below relies on sound JSON; serde's words for what is not are better.
        if let Err(error) = serde_json::from_str::<IgnoredAny>(text) {
            return Err(Refusal::of(text, &error));
        }
        let mut parser = Parser { text, at: 0 };
        parser.value(0)
    }

    pub(super) fn members(&self) -> &[Member<'a>] {
        match &self.kind {
            Kind::Object(members) => members,
            _ => &[],
        }
    }

    /// The elements of an array; a value of its own where a list is due; none for null.
    pub(super) fn elements(&self) -> &[Self] {
        match &self.kind {
            Kind::Array(elements) => elements,
            Kind::Null => &[],
            _ => std::slice::from_ref(self),
        }
    }

    /// The last member of this `camelCase` name, in either spelling, that is not null.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        self.member(name).map(|member| &member.value)
    }

    pub(super) fn member(&self, name: &str) -> Option<&Member<'a>> {
        self.members().iter().rev().find(|member| !member.value.is_null() && is_spelling_of(&member.name, name))
    }

    pub(super) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::String(text) => Some(text),
            _ => None,
        }
    }

    /// A number as it is, or in a string.
    pub(super) fn number(&self) -> Option<f64> {
        match &self.kind {
            Kind::Number(text) => text.parse().ok(),
            Kind::String(text) => text.parse().ok(),
            _ => None,
        }
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(self.kind, Kind::Null)
    }

    /// An object without members.
    pub(super) fn is_empty_object(&self) -> bool {
        matches!(&self.kind, Kind::Object(members) if members.is_empty())
    }

    /// What it is, with its article.
    pub(super) fn what(&self) -> &'static str {
        match &self.kind {
            Kind::Null => "null",
            Kind::Bool(_) => "a boolean",
            Kind::Number(_) => "a number",
            Kind::String(_) => "a string",
            Kind::Array(_) => "an array",
            Kind::Object(_) => "an object",
        }
    }
}

/// Whether `name` is this `camelCase` name, or the same in `snake_case`.
pub(super) fn is_spelling_of(name: &str, camel: &str) -> bool {
    if name == camel {
        return true;
    }
    let mut rest = name.chars();
    camel.chars().all(|c| {
        if c.is_ascii_uppercase() {
            rest.next() == Some('_') && rest.next() == Some(c.to_ascii_lowercase())
        } else {
            rest.next() == Some(c)
        }
    }) && rest.next().is_none()
}

impl Refusal {
    fn of(text: &str, error: &serde_json::Error) -> Self {
        let words = error.to_string();
        let place = format!(" at line {} column {}", error.line(), error.column());
        let why = words.strip_suffix(&place).unwrap_or(&words).to_owned();
        // A line has no line breaks, but text handed over as one may have some.
        let before: usize = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
        let mut at = (before + error.column().saturating_sub(1)).min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        Self { at, why }
    }
}

/// Reads text that is known to be JSON.
struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn peek(&mut self) -> u8 {
        let bytes = self.text.as_bytes();
        while matches!(bytes.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        bytes.get(self.at).copied().unwrap_or_default()
    }

    fn value(&mut self, depth: usize) -> Result<Value<'a>, Refusal> {
        let first = self.peek();
        let start = self.at;
        if depth > DEEPEST {
            return Err(Refusal { at: start, why: format!("nested more than {DEEPEST} deep") });
        }
        let kind = match first {
            b'{' => Kind::Object(self.object(depth)?),
            b'[' => Kind::Array(self.array(depth)?),
            b'"' => Kind::String(self.string()?),
            b'n' => self.word(Kind::Null),
            b't' => self.word(Kind::Bool(true)),
            b'f' => self.word(Kind::Bool(false)),
            _ => Kind::Number(self.token()),
        };
        Ok(Value { start, end: self.at, kind })
    }

    fn object(&mut self, depth: usize) -> Result<Vec<Member<'a>>, Refusal> {
        let mut members = Vec::new();
        self.at += 1;
        loop {
            match self.peek() {
                b'"' => {
                    let start = self.at;
                    let name = self.string()?;
                    let name_end = self.at;
                    // The colon.
                    self.peek();
                    self.at += 1;
                    members.push(Member { start, name_end, name, value: self.value(depth + 1)? });
                }
                b',' => self.at += 1,
                _ => {
                    self.at += 1;
                    return Ok(members);
                }
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Vec<Value<'a>>, Refusal> {
        let mut elements = Vec::new();
        self.at += 1;
        loop {
            match self.peek() {
                b']' | 0 => {
                    self.at += 1;
                    return Ok(elements);
                }
                b',' => self.at += 1,
                _ => elements.push(self.value(depth + 1)?),
            }
        }
    }

    fn string(&mut self) -> Result<Cow<'a, str>, Refusal> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        let mut escaped = false;
        self.at += 1;
        while let Some(found) = memchr::memchr2(b'"', b'\\', bytes.get(self.at..).unwrap_or_default()) {
            self.at += found;
            if bytes[self.at] == b'"' {
                break;
            }
            escaped = true;
            self.at += 2;
        }
        self.at = (self.at + 1).min(self.text.len());
        if !escaped {
            return Ok(Cow::Borrowed(&self.text[start + 1..self.at - 1]));
        }
        match serde_json::from_str::<String>(&self.text[start..self.at]) {
            Ok(text) => Ok(Cow::Owned(text)),
            // What passed above and fails here is half a surrogate pair.
            Err(error) => {
                let refusal = Refusal::of(&self.text[start..self.at], &error);
                Err(Refusal { at: start + refusal.at, ..refusal })
            }
        }
    }

    fn token(&mut self) -> &'a str {
        let start = self.at;
        let rest = &self.text.as_bytes()[start..];
        let length = rest
            .iter()
            .position(|byte| matches!(byte, b',' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r'))
            .unwrap_or(rest.len());
        self.at += length;
        &self.text[start..self.at]
    }

    fn word(&mut self, kind: Kind<'a>) -> Kind<'a> {
        self.token();
        kind
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_knows_its_place() {
        let text = r#" {"a b" : [1.50, "x\"\u00e9", null] ,"c":{}} "#;
        let value = Value::parse(text).unwrap();
        let slice = |value: &Value<'_>| &text[value.start..value.end];
        assert_eq!(slice(&value), text.trim());
        let member = &value.members()[0];
        assert_eq!((&text[member.start..member.name_end], &*member.name), ("\"a b\"", "a b"));
        assert_eq!(member.value.elements().iter().map(slice).collect::<Vec<_>>(), ["1.50", r#""x\"\u00e9""#, "null"]);
        assert_eq!(member.value.elements()[1].text(), Some("x\"é"));
        assert!(value.get("c").unwrap().is_empty_object());
    }

    #[test]
    fn what_is_no_json_is_refused_with_its_place() {
        let refused = |text: &str| Value::parse(text).map(|_| ()).unwrap_err();
        assert_eq!(refused("{\"a\":é}").at, 5);
        assert_eq!(refused("{\"a\":1").why, "EOF while parsing an object");
        assert_eq!(refused(r#"["ab\ud83d"]"#).why, "unexpected end of hex escape");
        assert_eq!(refused(&"[".repeat(5_000)).at, 4_999);
        let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
        assert_eq!(refused(&deep).why, "nested more than 100 deep");
    }

    #[test]
    fn both_spellings_are_one_name() {
        for name in ["thinkingConfig", "thinking_config"] {
            assert!(is_spelling_of(name, "thinkingConfig"), "{name}");
        }
        for name in ["thinkingconfig", "thinking_Config", "thinking_config_", "thinking"] {
            assert!(!is_spelling_of(name, "thinkingConfig"), "{name}");
        }
    }
}
