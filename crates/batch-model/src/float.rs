//! Numbers that are not integers, and yet may be written as such.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, Unexpected},
};
use serde_json::Number;

use crate::{shape::Shape, wire::Wire};

/// A `float` or `double` of the API, which is written as it was read: `0.2` stays `0.2`, `1` stays
/// `1` and `1.0` stays `1.0`.
///
/// Protocol buffers spell what JSON numbers cannot say as the strings `NaN`, `Infinity` and
/// `-Infinity`. Two are equal if they are the same number, however written; `NaN` equals itself.
/// There is no conversion from `f32`: `0.2` would become `0.20000000298023224`.
///
/// ```
/// use batch_model::Float;
///
/// assert_eq!(serde_json::to_string(&Float::from(0.2))?, "0.2");
/// assert_eq!(serde_json::to_string(&Float::from(0.0))?, "0");
/// assert_eq!(serde_json::to_string(&serde_json::from_str::<Float>("1.0")?)?, "1.0");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone)]
pub struct Float(Repr);

#[derive(Clone)]
enum Repr {
    Number(Number),
    /// One of `NaN`, `Infinity` and `-Infinity`, which Rust reads as well.
    Name(&'static str),
}

impl Float {
    /// The number.
    #[must_use]
    pub fn as_f64(&self) -> f64 {
        match &self.0 {
            // Only a number of arbitrary precision would have none; that feature is off.
            Repr::Number(number) => number.as_f64().unwrap_or(f64::NAN),
            Repr::Name(name) => name.parse().unwrap_or(f64::NAN),
        }
    }
}

/// The integer that `number` is, if it is one that a float names exactly.
pub(crate) fn whole(number: f64) -> Option<i64> {
    // 2^53: beyond it, several integers share a float.
    if number.fract() != 0.0 || number.abs() >= 9_007_199_254_740_992.0 {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "checked to be a small integer")]
    Some(number as i64)
}

impl From<f64> for Float {
    /// A whole number is written without a fraction, as the service itself writes it.
    fn from(number: f64) -> Self {
        let repr = match whole(number) {
            Some(integer) => Repr::Number(integer.into()),
            None => match Number::from_f64(number) {
                Some(number) => Repr::Number(number),
                None if number.is_nan() => Repr::Name("NaN"),
                None if number < 0.0 => Repr::Name("-Infinity"),
                None => Repr::Name("Infinity"),
            },
        };
        Self(repr)
    }
}

impl From<i32> for Float {
    fn from(number: i32) -> Self {
        Self(Repr::Number(number.into()))
    }
}

impl PartialEq for Float {
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (self.as_f64(), other.as_f64());
        a == b || (a.is_nan() && b.is_nan())
    }
}

impl Eq for Float {}

impl PartialEq<f64> for Float {
    fn eq(&self, other: &f64) -> bool {
        self.as_f64() == *other
    }
}

impl fmt::Display for Float {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Number(number) => number.fmt(f),
            Repr::Name(name) => f.write_str(name),
        }
    }
}

impl fmt::Debug for Float {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Float {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Repr::Number(number) => number.serialize(serializer),
            Repr::Name(name) => serializer.serialize_str(name),
        }
    }
}

impl<'de> Deserialize<'de> for Float {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Float;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Float, E> {
                Ok(Float(Repr::Number(number.into())))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Float, E> {
                Ok(Float(Repr::Number(number.into())))
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Float, E> {
                // Not `Float::from`: `1.0` shall stay `1.0`.
                Ok(Number::from_f64(number).map_or_else(|| number.into(), |number| Float(Repr::Number(number))))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Float, E> {
                match text {
                    "NaN" => Ok(Float(Repr::Name("NaN"))),
                    "Infinity" => Ok(Float(Repr::Name("Infinity"))),
                    "-Infinity" => Ok(Float(Repr::Name("-Infinity"))),
                    _ => match serde_json::from_str(text) {
                        Ok(number) => Ok(Float(Repr::Number(number))),
                        Err(_) => Err(E::invalid_value(Unexpected::Str(text), &self)),
                    },
                }
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl Wire for Float {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::deserialize(deserializer)
    }

    fn shape() -> Shape {
        Shape::Number
    }
}
