//! Where the members of a prediction line lie, found in one pass that reads none of them.
//!
//! Most of a line is the echoed request, which nobody wants to read. What is passed over is
//! still proved to be JSON, so that a damaged line is found here as well as by a parser. Of a
//! line that has anything unusual, nothing is said: the parser, which is the judge, reads it.

use std::ops::Range;

use super::cursor::{Cursor, Stops};

/// The members that a join looks at, each as it stands in the line; of a name that stands
/// twice, the last. `None` where there is none; a null is one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Glance {
    pub(crate) status: Option<Range<usize>>,
    pub(crate) error: Option<Range<usize>>,
    pub(crate) request: Option<Range<usize>>,
    pub(crate) response: Option<Range<usize>>,
    pub(crate) key: Option<Range<usize>>,
    pub(crate) id: Option<Range<usize>>,
    pub(crate) custom_id: Option<Range<usize>>,
    /// `generationConfig` of the request.
    pub(crate) config: Option<Range<usize>>,
    /// `labels` of the request; of several, the last that is not null.
    pub(crate) labels: Option<Range<usize>>,
}

impl Glance {
    /// Looks a line over. `None` where it is not an object as the service writes it, on one
    /// line and with plain names: it may be JSON all the same.
    pub(crate) fn at(line: &str, stops: &mut Stops) -> Option<Self> {
        let mut cursor = Cursor::new(line, stops)?;
        let mut glance = Self::default();
        cursor.space();
        cursor.members(|cursor, name| {
            if name == b"request" {
                return glance.pass_over_request(line, cursor);
            }
            let value = cursor.value()?;
            match name {
                b"status" => glance.status = Some(value),
                b"error" => glance.error = Some(value),
                b"response" => glance.response = Some(value),
                b"key" => glance.key = Some(value),
                b"id" => glance.id = Some(value),
                b"custom_id" => glance.custom_id = Some(value),
                _ => {}
            }
            Some(())
        })?;
        cursor.is_at_end().then_some(glance)
    }

    fn pass_over_request(&mut self, line: &str, cursor: &mut Cursor<'_, '_>) -> Option<()> {
        let start = cursor.at();
        (self.config, self.labels) = (None, None);
        if cursor.peek() == Some(b'{') {
            cursor.members(|cursor, name| {
                let value = cursor.value()?;
                match name {
                    b"generationConfig" | b"generation_config" => self.config = Some(value),
                    b"labels" if line.as_bytes().get(value.start) != Some(&b'n') => self.labels = Some(value),
                    _ => {}
                }
                Some(())
            })?;
        } else {
            cursor.value()?;
        }
        self.request = Some(start..cursor.at());
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::value::RawValue;

    use super::super::prediction::Prediction;
    use super::*;
    use crate::json::Members;

    /// What a glance says is what the parser says; it may say nothing.
    fn agrees(line: &str) -> bool {
        let Some(glance) = Glance::at(line, &mut Stops::default()) else { return false };
        let parsed = Prediction::parse(line).expect("a glance takes JSON alone");
        let present = |range: &Option<Range<usize>>| {
            range.clone().map(|range| &line[range]).filter(|text| *text != "null").map(str::to_owned)
        };
        let raw = |value: Option<&RawValue>| value.map(|value| value.get().to_owned());
        assert_eq!(present(&glance.status), raw(parsed.status), "{line}");
        assert_eq!(present(&glance.error), raw(parsed.error), "{line}");
        assert_eq!(present(&glance.key), raw(parsed.key), "{line}");
        assert_eq!(present(&glance.id), raw(parsed.id), "{line}");
        assert_eq!(present(&glance.custom_id), raw(parsed.custom_id), "{line}");
        for (range, embedded) in [(&glance.request, &parsed.request), (&glance.response, &parsed.response)] {
            let text = present(range);
            // A string may be JSON in a string, which is not looked into here.
            if text.as_deref().is_none_or(|text| !text.starts_with('"')) {
                assert_eq!(text, raw(embedded.as_deref()), "{line}");
            }
        }
        if let Some(request) = parsed.request.as_deref().filter(|request| request.get().starts_with('{'))
            && present(&glance.request).is_some_and(|text| text.starts_with('{'))
        {
            let members = Members::of(request);
            assert_eq!(present(&glance.labels), raw(members.get(&["labels"])), "{line}");
            let config =
                members.0.iter().rev().find(|(name, _)| name == "generationConfig" || name == "generation_config");
            let config = config.map(|(_, value)| value.get().to_owned());
            assert_eq!(glance.config.map(|range| line[range].to_owned()), config, "{line}");
        }
        true
    }

    #[test]
    fn usual_lines_are_looked_over() {
        for line in [
            r#"{"status":"","processed_time":"x","request":{"contents":[{"parts":[{"text":"a\n\"b\" \\"}],"role":"user"}],"generationConfig":{"temperature":1.5e-3},"labels":{"id":"n7"}},"response":{"candidates":[]}}"#,
            r#"{ "key" : "r1" , "request" : { "labels" : null , "labels":{}, "x":[ ] } , "response" : { } , "error": null }"#,
            r#"{"request":{"labels":{"a":"b"}},"request":{}}"#,
            r#"{"request":"{\"labels\":{}}","response":null,"id":-0,"custom_id":false}"#,
            r#"{}"#,
            r#"{"request":{"contents":[{"parts":[{"fileData":null,"text":"😀\ud83d"}]}]}} "#,
        ] {
            assert!(agrees(line), "{line}");
        }
    }

    #[test]
    fn the_rest_is_left_to_the_parser() {
        for line in [
            "",
            "{",
            "[]",
            "{}x",
            "{\"a\":1,}",
            "{\"a\"}",
            "{\"a\":01}",
            "{\"a\":1.}",
            "{\"a\":tru}",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\\u12g4\"}",
            "{\"a\":\"b}",
            "{\"a\":-}",
            "{\"a\":1e}",
            "{\"a\":[1,]}",
            "{\"a\":[1}",
            "{,}",
            "{\"\\u006bey\":1}",
            "{\t}",
            "{\"a\":\"\u{1}\"}",
            "{\"a\":{\"b\"}}",
            "{\"request\":{\"a\":1,}}",
        ] {
            assert_eq!(Glance::at(line, &mut Stops::default()), None, "{line}");
        }
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(500), "]".repeat(500));
        assert_eq!(Glance::at(&deep, &mut Stops::default()), None);
    }

    fn json() -> impl Strategy<Value = String> {
        let scalar = prop_oneof![
            Just("null".to_owned()),
            Just("true".to_owned()),
            any::<i32>().prop_map(|number| number.to_string()),
            any::<f64>().prop_filter_map("finite", |number| serde_json::to_string(&number).ok()),
            any::<String>().prop_filter_map("a string", |text| serde_json::to_string(&text).ok()),
        ];
        let name = prop_oneof![
            Just("request".to_owned()),
            Just("response".to_owned()),
            Just("labels".to_owned()),
            Just("generationConfig".to_owned()),
            Just("key".to_owned()),
            Just("status".to_owned()),
            "[a-zé\"]{0,3}",
        ];
        scalar.prop_recursive(4, 32, 4, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
                proptest::collection::vec((name.clone(), inner), 0..5).prop_map(|members| {
                    let members = members
                        .iter()
                        .map(|(name, value)| format!("{}:{value}", serde_json::to_string(name).unwrap_or_default()));
                    format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_is_taken_is_what_the_parser_takes(line in json()) {
            agrees(&line);
        }

        #[test]
        fn a_damaged_line_is_never_taken_for_a_whole_one(line in json(), at in any::<prop::sample::Index>(), byte in 0x20_u8..0x7f) {
            let mut bytes = line.into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Ok(line) = String::from_utf8(bytes) {
                agrees(&line);
                agrees(&line[..line.floor_char_boundary(at)]);
            }
        }
    }
}
