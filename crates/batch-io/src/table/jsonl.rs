//! One line of a JSONL table: an object whose members are the record's values.

use std::borrow::Cow;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::record::ValueType;

/// An object's members in the order of the text.
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
                while let Some((name, value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
                    members.push((name.0, value));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(MembersVisitor)
    }
}

/// A string that borrows where it has no escapes (`Cow` alone never borrows in serde).
struct Name<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Name<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;

        impl<'de> Visitor<'de> for NameVisitor {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: serde::de::Error>(self, name: &'de str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Borrowed(name)))
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }

        deserializer.deserialize_str(NameVisitor)
    }
}

impl<'a> Members<'a> {
    pub(crate) fn parse(object: &'a str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(object)
    }
}

/// Appends the value as text and says what it was.
///
/// `Err` only for a string whose escapes are no text, such as half a surrogate pair: the
/// parser looks into a string when it is read, not when it is passed over.
pub(crate) fn push_value(value: &RawValue, out: &mut Vec<u8>) -> Result<ValueType, serde_json::Error> {
    let source = value.get();
    Ok(match source.as_bytes().first() {
        Some(b'"') => {
            let Name(text) = serde_json::from_str(source)?;
            out.extend_from_slice(text.as_bytes());
            ValueType::Text
        }
        Some(b'n') => ValueType::Null,
        Some(b't' | b'f') => {
            out.extend_from_slice(source.as_bytes());
            ValueType::Bool
        }
        Some(b'{' | b'[') => {
            push_compact(source, out);
            ValueType::Json
        }
        _ => {
            out.extend_from_slice(source.as_bytes());
            ValueType::Number
        }
    })
}

/// Appends JSON without the white space between its tokens; strings and numbers stay as
/// they were written.
fn push_compact(json: &str, out: &mut Vec<u8>) {
    let mut in_string = false;
    let mut escaped = false;
    for &byte in json.as_bytes() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            out.push(byte);
        } else if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
            in_string = byte == b'"';
            out.push(byte);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_values_lose_only_the_space_between_tokens() {
        let mut out = Vec::new();
        push_compact(r#"{ "a b" : [ 1.0 , "x \" y" , {} ] ,	"c":"\\" }"#, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), r#"{"a b":[1.0,"x \" y",{}],"c":"\\"}"#);
    }

    #[test]
    fn members_keep_their_order() {
        let members: Members<'_> = serde_json::from_str(r#"{"b": 1, "\u0061": [2], "c": null}"#).unwrap();
        let names: Vec<_> = members.0.iter().map(|(name, _)| name.as_ref()).collect();
        assert_eq!(names, ["b", "a", "c"]);
    }
}
