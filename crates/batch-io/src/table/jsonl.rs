//! One line of a JSONL table: what is taken of a record's values.

use serde_json::value::RawValue;

use super::record::ValueType;
use crate::json::{self, Text};

/// Appends the value as text and says what it was.
///
/// `Err` only for a string whose escapes are no text, such as half a surrogate pair: the
/// parser looks into a string when it is read, not when it is passed over.
pub(crate) fn push_value(value: &RawValue, out: &mut Vec<u8>) -> Result<ValueType, serde_json::Error> {
    let source = value.get();
    Ok(match source.as_bytes().first() {
        Some(b'"') => {
            let Text(text) = serde_json::from_str(source)?;
            out.extend_from_slice(text.as_bytes());
            ValueType::Text
        }
        Some(b'n') => ValueType::Null,
        Some(b't' | b'f') => {
            out.extend_from_slice(source.as_bytes());
            ValueType::Bool
        }
        Some(b'{' | b'[') => {
            out.extend_from_slice(json::compact(source).as_bytes());
            ValueType::Json
        }
        _ => {
            out.extend_from_slice(source.as_bytes());
            ValueType::Number
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Members;

    #[test]
    fn nested_values_lose_only_the_space_between_tokens() {
        let mut out = Vec::new();
        let value: &RawValue = serde_json::from_str(r#"{ "a b" : [ 1.0 , "x \" y" , {} ] ,	"c":"\\" }"#).unwrap();
        assert_eq!(push_value(value, &mut out).unwrap(), ValueType::Json);
        assert_eq!(String::from_utf8(out).unwrap(), r#"{"a b":[1.0,"x \" y",{}],"c":"\\"}"#);
    }

    #[test]
    fn members_keep_their_order() {
        let members: Members<'_> = serde_json::from_str(r#"{"b": 1, "\u0061": [2], "c": null}"#).unwrap();
        let names: Vec<_> = members.0.iter().map(|(name, _)| name.as_ref()).collect();
        assert_eq!(names, ["b", "a", "c"]);
    }
}
