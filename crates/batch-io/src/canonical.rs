//! A request and its echo in one form, to find out which echo is whose.

use std::borrow::Cow;
use std::fmt::{self, Write};

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use twox_hash::XxHash3_128;

use crate::json::{self, Text};

/// A request in the form that it and its echo have in common.
///
/// The service's import stores a request in typed columns and writes it anew, so an echo
/// has its keys sorted, members filled in with `null` or `[]`, `1.0` as `1`, and labels of
/// digits as numbers. In the canonical form members that are null or hold nothing are left
/// out, keys are in `camelCase` and sorted, numbers are written in one way, and the values
/// of `labels` are strings. The order of arrays, the text of strings and everything else
/// stays.
///
/// ```
/// use batch_io::canonical_request;
/// use serde_json::value::RawValue;
///
/// let sent = r#"{"contents":[{"role":"user","parts":[{"text":"Hi"}]}],"generation_config":{"top_p":1.0},"labels":{"id":"7"}}"#;
/// let echo = r#"{"contents":[{"parts":[{"fileData":null,"text":"Hi"}],"role":"user"}],"generationConfig":{"stopSequences":[],"topP":1},"labels":{"id":7}}"#;
/// let canonical = |json: &str| canonical_request(serde_json::from_str::<&RawValue>(json).unwrap());
///
/// assert_eq!(canonical(sent), canonical(echo));
/// assert_eq!(
///     canonical(echo),
///     r#"{"contents":[{"parts":[{"text":"Hi"}],"role":"user"}],"generationConfig":{"topP":1},"labels":{"id":"7"}}"#,
/// );
/// ```
#[must_use]
pub fn canonical_request(request: &RawValue) -> String {
    let Ok(node) = serde_json::from_str::<Node<'_>>(request.get()) else {
        // Nested deeper than the parser follows, or half a character in a string: equal
        // only to itself.
        return json::compact(request.get()).into_owned();
    };
    let mut out = String::new();
    match node {
        Node::Object(members) => write_object(members, true, &mut out),
        node => node.write(&mut out),
    }
    out
}

/// A hash of the canonical form that stands for it: two different ones of a million are
/// taken for equal with a probability of 10⁻²⁷.
pub(crate) fn canonical_hash(request: &RawValue) -> u128 {
    XxHash3_128::oneshot(canonical_request(request).as_bytes())
}

/// JSON with its numbers and names normalised.
enum Node<'a> {
    Null,
    Bool(bool),
    Number(String),
    String(Cow<'a, str>),
    Array(Vec<Node<'a>>),
    Object(Vec<(String, Node<'a>)>),
}

impl Node<'_> {
    /// What the import makes of an absent member.
    fn is_nothing(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Array(elements) => elements.is_empty(),
            Self::Object(members) => members.iter().all(|(_, value)| value.is_nothing()),
            Self::Bool(_) | Self::Number(_) | Self::String(_) => false,
        }
    }

    fn write(self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if value { "true" } else { "false" }),
            Self::Number(number) => out.push_str(&number),
            Self::String(text) => write_string(&text, out),
            Self::Array(elements) => {
                out.push('[');
                for (place, element) in elements.into_iter().enumerate() {
                    if place != 0 {
                        out.push(',');
                    }
                    element.write(out);
                }
                out.push(']');
            }
            Self::Object(members) => write_object(members, false, out),
        }
    }

    fn into_text(self) -> Self {
        match self {
            Self::Bool(value) => Self::String(Cow::Borrowed(if value { "true" } else { "false" })),
            Self::Number(number) => Self::String(Cow::Owned(number)),
            other => other,
        }
    }
}

fn write_object(mut members: Vec<(String, Node<'_>)>, is_request: bool, out: &mut String) {
    members.retain(|(_, value)| !value.is_nothing());
    members.sort_by(|left, right| left.0.cmp(&right.0));
    out.push('{');
    for (place, (name, value)) in members.into_iter().enumerate() {
        if place != 0 {
            out.push(',');
        }
        write_string(&name, out);
        out.push(':');
        match value {
            Node::Object(labels) if is_request && name == "labels" => {
                let labels = labels.into_iter().map(|(label, value)| (label, value.into_text())).collect();
                write_object(labels, false, out);
            }
            value => value.write(out),
        }
    }
    out.push('}');
}

fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for char in text.chars() {
        match char {
            '"' | '\\' => out.extend(['\\', char]),
            // Writing to a string cannot fail.
            '\0'..='\u{1f}' => _ = write!(out, "\\u{:04x}", u32::from(char)),
            _ => out.push(char),
        }
    }
    out.push('"');
}

/// `snake_case` as `camelCase`. The names that a user chose (of functions, of properties)
/// are changed as well: that does no harm, since both sides are.
fn camel_case(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut chars = name.chars().peekable();
    while let Some(char) = chars.next() {
        match chars.peek() {
            Some(next) if char == '_' && next.is_ascii_lowercase() && !out.is_empty() => {
                out.push(next.to_ascii_uppercase());
                chars.next();
            }
            _ => out.push(char),
        }
    }
    out
}

/// A number in one notation: an integer of up to 63 bits by its digits, even if it was
/// written `7.0` or `7e0`; any other by the shortest digits that name the same double.
pub(crate) fn canonical_number(number: f64) -> String {
    // 2^53: beyond it a double does not name one integer, and the digits would pretend so.
    if number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0 {
        #[expect(clippy::cast_possible_truncation, reason = "checked to be a small integer")]
        let integer = number as i64;
        return integer.to_string();
    }
    format!("{number:e}")
}

impl<'de: 'a, 'a> Deserialize<'de> for Node<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NodeVisitor;

        impl<'de> Visitor<'de> for NodeVisitor {
            type Value = Node<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Node::Null)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
                Ok(Node::Bool(value))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
                Ok(Node::Number(number.to_string()))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
                #[expect(clippy::cast_precision_loss, reason = "the import makes it a double as well")]
                let digits = match i64::try_from(number) {
                    Ok(number) => number.to_string(),
                    Err(_) => canonical_number(number as f64),
                };
                Ok(Node::Number(digits))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
                Ok(Node::Number(canonical_number(number)))
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Node::String(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Node::String(Cow::Owned(text.to_owned())))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut elements = Vec::new();
                while let Some(element) = seq.next_element()? {
                    elements.push(element);
                }
                Ok(Node::Array(elements))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((name, value)) = map.next_entry::<Text<'de>, Node<'de>>()? {
                    members.push((camel_case(&name.0), value));
                }
                Ok(Node::Object(members))
            }
        }

        deserializer.deserialize_any(NodeVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(json: &str) -> String {
        canonical_request(serde_json::from_str(json).unwrap())
    }

    #[test]
    fn what_the_import_changes_makes_no_difference() {
        for (sent, echo) in [
            (r#"{"a":1.0,"b":[2e2,-0.5]}"#, r#"{"b":[200,-5e-1],"a":1,"c":null}"#),
            (r#"{"tools":[{"google_search":{"time_range_filter":null}}]}"#, r#"{"tools":[{"googleSearch":{}}]}"#),
            (r#"{"labels":{"id":"true","n":"7"}}"#, r#"{"labels":{"n":7,"id":true,"other":null}}"#),
            (r#"{"a":"\u65e5\n"}"#, "{\"a\":\"日\\u000a\"}"),
        ] {
            assert_eq!(canonical(sent), canonical(echo));
        }
    }

    #[test]
    fn what_a_user_meant_to_differ_does() {
        for (left, right) in [
            (r#"{"a":"7"}"#, r#"{"a":"007"}"#),
            (r#"{"a":"7"}"#, r#"{"a":7}"#),
            (r#"{"labels":{"id":"007"}}"#, r#"{"labels":{"id":"7"}}"#),
            (r#"{"a":[1,2]}"#, r#"{"a":[2,1]}"#),
            (r#"{"a":["",null]}"#, r#"{"a":[""]}"#),
            (r#"{"seed":9007199254740993}"#, r#"{"seed":9007199254740992}"#),
            (r#"{"a":"x"}"#, r#"{"a":"X"}"#),
        ] {
            assert_ne!(canonical(left), canonical(right));
        }
    }

    #[test]
    fn what_cannot_be_taken_apart_is_compared_as_it_is() {
        let deep = format!("{}{}", "[".repeat(500), " ]".repeat(500));
        assert_eq!(canonical(&deep), deep.replace(' ', ""));
    }

    #[test]
    fn names_are_recased_only_where_a_letter_follows() {
        assert_eq!(camel_case("max_output_tokens"), "maxOutputTokens");
        assert_eq!(camel_case("_private"), "_private");
        assert_eq!(camel_case("a__b_1_"), "a_B_1_");
    }
}
