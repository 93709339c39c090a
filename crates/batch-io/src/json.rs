//! Looking into JSON without building it: borrowed strings, members, elements.

use std::borrow::Cow;
use std::fmt;

use memchr::{memchr, memchr2};
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::unescape::unescaped;

/// A text that is known to be JSON.
pub(crate) trait Json {
    fn json(&self) -> &str;
}

impl Json for RawValue {
    fn json(&self) -> &str {
        self.get()
    }
}

/// Where a parser has said so.
impl Json for str {
    fn json(&self) -> &str {
        self
    }
}

/// A string that borrows where it has no escapes (`Cow` alone never does in serde).
#[derive(Clone, Debug)]
pub(crate) struct Text<'a>(pub(crate) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;

        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(TextVisitor)
    }
}

/// An object's members in the order of the text, each value unread.
#[derive(Clone, Debug, Default)]
pub(crate) struct Members<'a>(pub(crate) Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;

        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((name, value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
                    members.push((name.0, value));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(MembersVisitor)
    }
}

impl<'a> Members<'a> {
    /// The members of an object's text.
    pub(crate) fn parse(object: &'a str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(object)
    }

    /// The members of a value; none where it is no object.
    pub(crate) fn of(value: &'a (impl Json + ?Sized)) -> Self {
        serde_json::from_str(value.json()).unwrap_or_default()
    }

    /// The last member of one of these names that is not null: the service writes
    /// `camelCase`, echoes the case it was sent, and fills what is absent with nulls.
    pub(crate) fn get(&self, names: &[&str]) -> Option<&'a RawValue> {
        self.0.iter().rev().find(|(name, value)| names.contains(&name.as_ref()) && !is_null(value)).map(|found| found.1)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), *value))
    }
}

/// What a JSON value is, by its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    Bool,
    Number,
    String,
    Array,
    Object,
}

impl Kind {
    pub(crate) fn of(value: &(impl Json + ?Sized)) -> Self {
        match value.json().as_bytes().first() {
            Some(b'n') => Self::Null,
            Some(b't' | b'f') => Self::Bool,
            Some(b'"') => Self::String,
            Some(b'[') => Self::Array,
            Some(b'{') => Self::Object,
            _ => Self::Number,
        }
    }

    /// With its article, for a message.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "a boolean",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Array => "an array",
            Self::Object => "an object",
        }
    }
}

pub(crate) fn is_null(value: &RawValue) -> bool {
    Kind::of(value) == Kind::Null
}

/// The text of a JSON string, `None` for any other value. Half a surrogate pair, which is
/// legal in JSON and no text, becomes U+FFFD.
pub(crate) fn string(value: &(impl Json + ?Sized)) -> Option<Cow<'_, str>> {
    let value = value.json();
    if Kind::of(value) != Kind::String {
        return None;
    }
    // Nearly always it is a text as it stands.
    let inside = value.get(1..value.len() - 1).unwrap_or_default();
    if memchr(b'\\', inside.as_bytes()).is_none() {
        return Some(Cow::Borrowed(inside));
    }
    Some(Cow::Owned(unescaped(inside).unwrap_or_else(|| lossy_string(value))))
}

/// The text of a scalar: a string's text, the digits of a number, `true`; `None` for null,
/// an array and an object.
pub(crate) fn scalar(value: &(impl Json + ?Sized)) -> Option<Cow<'_, str>> {
    match Kind::of(value) {
        Kind::String => string(value),
        Kind::Number | Kind::Bool => Some(Cow::Borrowed(value.json())),
        Kind::Null | Kind::Array | Kind::Object => None,
    }
}

/// The elements of an array; a value of its own where a list is due; none for null.
pub(crate) fn elements(value: &RawValue) -> Vec<&RawValue> {
    match Kind::of(value) {
        Kind::Null => Vec::new(),
        Kind::Array => serde_json::from_str(value.get()).unwrap_or_default(),
        _ => vec![value],
    }
}

/// A number as it is, or in a string.
pub(crate) fn number(value: &(impl Json + ?Sized)) -> Option<f64> {
    scalar(value)?.trim().parse().ok().filter(|number: &f64| number.is_finite())
}

/// JSON without the white space between its tokens. Strings and numbers stay as they were
/// written, so that no digit and no escape changes.
pub(crate) fn compact(json: &str) -> Cow<'_, str> {
    let bytes = json.as_bytes();
    let mut out = String::new();
    let mut copied = 0;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => at = end_of_string(bytes, at),
            b' ' | b'\t' | b'\n' | b'\r' => {
                if copied == 0 {
                    out.reserve(json.len());
                }
                out.push_str(&json[copied..at]);
                at += 1;
                copied = at;
            }
            _ => at += 1,
        }
    }
    if copied == 0 {
        return Cow::Borrowed(json);
    }
    out.push_str(&json[copied..]);
    Cow::Owned(out)
}

/// The place behind the quote that closes the string which opens at `open`.
fn end_of_string(bytes: &[u8], open: usize) -> usize {
    let mut at = open + 1;
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        at += found;
        if bytes[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    bytes.len()
}

/// Unescapes what the parser refused. `quoted` is a string token that passed the scanner,
/// so its escapes are whole even where they name no character.
fn lossy_string(quoted: &str) -> String {
    let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(quoted);
    let mut units: Vec<u16> = Vec::new();
    let mut chars = inner.chars();
    let mut buffer = [0; 2];
    while let Some(char) = chars.next() {
        let unescaped = match char {
            '\\' => match chars.next() {
                Some('b') => '\u{8}',
                Some('f') => '\u{c}',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some('u') => {
                    let digits: String = chars.by_ref().take(4).collect();
                    units.push(u16::from_str_radix(&digits, 16).unwrap_or(0xFFFD));
                    continue;
                }
                Some(other) => other,
                None => break,
            },
            other => other,
        };
        units.extend_from_slice(unescaped.encode_utf16(&mut buffer));
    }
    String::from_utf16_lossy(&units)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> &RawValue {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn compacting_touches_only_the_space_between_tokens() {
        assert_eq!(compact(r#"{ "a b" : [ 1.0 ,"x \" y" , {} ] }"#), r#"{"a b":[1.0,"x \" y",{}]}"#);
        assert!(matches!(compact(r#"{"a b":"\\"}"#), Cow::Borrowed(_)));
        assert_eq!(compact("[\n12345678901234567890.10e5\r\n]\t"), "[12345678901234567890.10e5]");
    }

    #[test]
    fn half_a_surrogate_pair_costs_only_itself() {
        assert_eq!(string(raw(r#""a\ud83d\"\nb\u00e9""#)).unwrap(), "a\u{FFFD}\"\nbé");
        assert_eq!(string(raw(r#""\ud83d\ude00""#)).unwrap(), "😀");
    }

    #[test]
    fn nulls_are_absent_and_either_case_is_read() {
        let members = Members::of(raw(r#"{"finish_reason":"STOP","finishReason":null}"#));
        assert_eq!(members.get(&["finishReason", "finish_reason"]).unwrap().get(), "\"STOP\"");
        assert!(Members::of(raw("[1]")).get(&["a"]).is_none());
    }
}
