//! Keys as the index sees them: what a value is, and what the import may have made of it.

use memchr::memchr;
use serde_json::value::RawValue;
use twox_hash::XxHash3_128;

use crate::canonical::canonical_number;
use crate::json::{self, Kind};

/// A hash of 96 bits, which keeps an entry of the index small. That two different keys
/// of a million are taken for one has a probability of 10⁻¹⁷.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Hash96 {
    pub(super) high: u64,
    pub(super) low: u32,
}

/// What two values have to have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// The text of a JSON string.
    Exact,
    /// The value of a number or boolean, which may have been text.
    Retyped,
}

impl Hash96 {
    /// Of predictions without a key: found by no look-up.
    pub(super) const NONE: Self = Self { high: 0, low: 0 };

    /// Of a label, where it takes the place of a key that is not there: no key has this hash.
    pub(super) fn in_place_of_a_key(self) -> Self {
        Self { high: self.high ^ 0x6c61_6265_6c00_0000, low: !self.low }
    }

    pub(super) fn exact(text: &str) -> Self {
        Self::new(Class::Exact, text.as_bytes())
    }

    /// Of what the import would make of a text, if it would make anything of it.
    pub(super) fn retyped(text: &str) -> Option<Self> {
        retype(text).map(|value| Self::new(Class::Retyped, value.as_bytes()))
    }

    /// Of a key or label as it stands in a prediction; `None` for one that says nothing.
    pub(super) fn of(value: &RawValue) -> Option<(Self, Class)> {
        match Kind::of(value) {
            Kind::Null => None,
            Kind::String => {
                let text = json::string(value)?;
                (!text.is_empty()).then(|| (Self::exact(&text), Class::Exact))
            }
            Kind::Number | Kind::Bool => Some((Self::retyped(value.get())?, Class::Retyped)),
            // The text of such a value in a table of objects.
            Kind::Array | Kind::Object => Some((Self::exact(&json::compact(value.get())), Class::Exact)),
        }
    }

    /// The same of a value's JSON.
    pub(super) fn of_json(value: &[u8]) -> Option<(Self, Class)> {
        match value {
            // Nearly always it is a string as it stands.
            [b'"', text @ .., b'"'] if memchr(b'\\', text).is_none() => {
                (!text.is_empty()).then(|| (Self::new(Class::Exact, text), Class::Exact))
            }
            _ => Self::of(serde_json::from_slice(value).ok()?),
        }
    }

    /// Whether a key as it stands in a prediction may be this text.
    pub(super) fn may_be(value: &RawValue, text: &str) -> bool {
        match Self::of(value) {
            Some((hash, Class::Exact)) => hash == Self::exact(text),
            Some((hash, Class::Retyped)) => Some(hash) == Self::retyped(text),
            None => false,
        }
    }

    pub(super) fn from_u128(hash: u128) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "96 of the 128 bits are kept")]
        Self { high: (hash >> 64) as u64, low: hash as u32 }
    }

    fn new(class: Class, text: &[u8]) -> Self {
        let seed = match class {
            Class::Exact => 0,
            Class::Retyped => 1,
        };
        Self::from_u128(XxHash3_128::oneshot_with_seed(seed, text))
    }
}

/// What BigQuery's type detection makes of a text in quotes: an integer, a float or a
/// boolean, in one notation. `None` for what stays text.
fn retype(text: &str) -> Option<String> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false") {
        return Some(text.to_ascii_lowercase());
    }
    // Rust reads `inf` and `nan` as numbers too.
    if !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')) {
        return None;
    }
    if let Ok(integer) = text.parse::<i64>() {
        return Some(integer.to_string());
    }
    text.parse::<f64>().ok().filter(|number| number.is_finite()).map(canonical_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(text: &str, json: &str) -> bool {
        assert_eq!(Hash96::of_json(json.as_bytes()), Hash96::of(serde_json::from_str(json).unwrap()), "{json}");
        Hash96::may_be(serde_json::from_str(json).unwrap(), text)
    }

    #[test]
    fn a_retyped_key_is_known_by_its_value() {
        for (text, json) in [
            ("r7", "\"r7\""),
            ("7", "\"7\""),
            ("007", "7"),
            ("7", "7.0"),
            ("+7", "7"),
            ("1e3", "1000"),
            ("1e3", "1000.0"),
            ("0.50", "5e-1"),
            ("-0", "0"),
            ("TRUE", "true"),
            ("9223372036854775808", "9.223372036854776e18"),
            (r#"{"a":[1,2]}"#, r#"{ "a": [1, 2] }"#),
        ] {
            assert!(same(text, json), "{text} {json}");
        }
        for (text, json) in [("7", "\"007\""), ("r7", "7"), ("7", "8"), ("nan", "0"), ("true", "\"TRUE\"")] {
            assert!(!same(text, json), "{text} {json}");
        }
        assert_eq!(Hash96::retyped("nan"), None);
        assert!(Hash96::of(serde_json::from_str("\"\"").unwrap()).is_none());
    }
}
