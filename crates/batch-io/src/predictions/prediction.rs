//! One line of a predictions file, in whatever order and of whatever members.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::json::{self, Kind, Text};

/// One prediction as the service wrote it: a view of the line that borrows from it and
/// keeps every value raw.
///
/// No member is required and their order means nothing, since the service has changed both
/// (`status, processed_time, request, response` until 2025; `request, status, response,
/// processed_time` since 2025-12). A member that is null is absent. Lines of the Gemini
/// Developer API (`key` with `response` or `error`) and rows of a BigQuery output table,
/// whose `request` and `response` are JSON in strings, are read as well.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Prediction<'a> {
    /// Empty on success, otherwise what the service says of the failed request.
    pub status: Option<&'a RawValue>,
    /// When the row was written, in the service's own notation.
    pub processed_time: Option<&'a RawValue>,
    /// The request as echoed: keys sorted, absent members filled with nulls, numbers and
    /// digit strings retyped.
    pub request: Option<Cow<'a, RawValue>>,
    /// A `GenerateContentResponse`; `{}` in a failed row.
    pub response: Option<Cow<'a, RawValue>>,
    /// The failure in a line of the Gemini Developer API.
    pub error: Option<&'a RawValue>,
    /// Our own key, which passed through; perhaps retyped.
    pub key: Option<&'a RawValue>,
    /// The key of programs that call it so.
    pub id: Option<&'a RawValue>,
    /// The key of programs that call it so.
    pub custom_id: Option<&'a RawValue>,
    /// Every other member, in the line's order: what passed through, and what the service
    /// may add one day.
    pub extra: Vec<(Cow<'a, str>, &'a RawValue)>,
}

impl<'a> Prediction<'a> {
    /// Reads one line.
    ///
    /// # Errors
    /// The parser's error for text that is not JSON, or not one object and nothing behind
    /// it.
    pub fn parse(line: &'a str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(line)
    }

    /// What tells which record this is: the first of `key`, `id` and `custom_id` that is
    /// there.
    pub fn key(&self) -> Option<&'a RawValue> {
        self.key.or(self.id).or(self.custom_id)
    }

    /// The top-level member of this name, if it is there and not null. `request` and
    /// `response` are fields alone.
    pub fn member(&self, name: &str) -> Option<&'a RawValue> {
        match name {
            "status" => self.status,
            "processed_time" => self.processed_time,
            "error" => self.error,
            "key" => self.key,
            "id" => self.id,
            "custom_id" => self.custom_id,
            _ => self.extra.iter().rev().find(|(extra, _)| extra == name).map(|(_, value)| *value),
        }
        .filter(|value| !json::is_null(value))
    }

    /// The value of a label of the echoed request.
    pub fn label(&self, name: &str) -> Option<&RawValue> {
        let request = json::Members::of(self.request.as_deref()?);
        json::Members::of(request.get(&["labels"])?).get(&[name])
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Prediction<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PredictionVisitor;

        impl<'de> Visitor<'de> for PredictionVisitor {
            type Value = Prediction<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a prediction, which is a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut prediction = Prediction::default();
                while let Some((name, value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
                    let present = (!json::is_null(value)).then_some(value);
                    match name.0.as_ref() {
                        "status" => prediction.status = present,
                        "processed_time" | "processedTime" => prediction.processed_time = present,
                        "request" => prediction.request = present.map(embedded),
                        "response" => prediction.response = present.map(embedded),
                        "error" => prediction.error = present,
                        "key" => prediction.key = present,
                        "id" => prediction.id = present,
                        "custom_id" => prediction.custom_id = present,
                        _ => prediction.extra.push((name.0, value)),
                    }
                }
                Ok(prediction)
            }
        }

        deserializer.deserialize_map(PredictionVisitor)
    }
}

/// The value itself, or the JSON in it if it is a string of JSON, as a BigQuery export
/// writes a JSON column.
fn embedded(value: &RawValue) -> Cow<'_, RawValue> {
    if Kind::of(value) == Kind::String
        && let Some(text) = json::string(value)
        && text.trim_start().starts_with('{')
        && let Ok(inner) = RawValue::from_string(text.into_owned())
    {
        return Cow::Owned(inner);
    }
    Cow::Borrowed(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_nulls_and_strangers_do_not_matter() {
        let line = r#"{"row":7,"response":{},"status":null,"custom_id":"c","key":null,"request":"{\"labels\":{\"id\":\"n7\"}}"}"#;
        let prediction = Prediction::parse(line).unwrap();
        assert!(prediction.status.is_none());
        assert_eq!(prediction.key().unwrap().get(), "\"c\"");
        assert_eq!(prediction.label("id").unwrap().get(), "\"n7\"");
        assert_eq!(prediction.response.as_ref().unwrap().get(), "{}");
        assert_eq!(prediction.member("row").unwrap().get(), "7");
    }
}
