//! Where the members of a prediction line lie, found in one pass that reads none of them.
//!
//! Most of a line is the echoed request, which nobody wants to read. What is passed over is
//! still proved to be JSON, so that a damaged line is found here as well as by a parser. Of a
//! line that has anything unusual, nothing is said: the parser, which is the judge, reads it.

use super::answer::AnswerSpans;
use super::cursor::{Cursor, Stops};
use super::shape::{Shapes, Spans};
use super::span::Span;

/// The members that a join looks at, each as it stands in the line; of a name that stands
/// twice, the last. A null is one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Glance {
    pub(crate) status: Span,
    pub(crate) error: Span,
    pub(crate) request: Span,
    pub(crate) response: Span,
    pub(crate) key: Span,
    pub(crate) id: Span,
    pub(crate) custom_id: Span,
    /// `generationConfig` of the request.
    pub(crate) config: Span,
    /// `labels` of the request; of several, the last that is not null.
    pub(crate) labels: Span,
    /// The label that was asked for in them; of several, the last that is not null.
    pub(crate) label: Span,
    /// Where in the line the values of a usual response are.
    pub(crate) answer: Option<AnswerSpans>,
}

/// Looks lines over, and gets to know how they look.
#[derive(Debug, Default)]
pub(crate) struct Glances {
    label: Option<String>,
    stops: Stops,
    shapes: Shapes<Glance>,
    /// Of the line that was walked through last.
    walked: Glance,
}

impl Glances {
    /// Looks for the label of this name too.
    pub(crate) fn with_label(label: Option<&str>) -> Self {
        Self { label: label.map(str::to_owned), ..Self::default() }
    }

    /// Looks a line over. `None` where it is not an object as the service writes it, on one
    /// line and with plain names: it may be JSON all the same.
    ///
    /// A line of which something is said is UTF-8.
    pub(crate) fn at(&mut self, line: &[u8]) -> Option<&Glance> {
        match self.shapes.find(line) {
            Some(shape) => self.shapes.found(shape),
            None => self.walk(line),
        }
    }

    /// The same for a line that is known to have no shape that was met.
    pub(super) fn walk(&mut self, line: &[u8]) -> Option<&Glance> {
        let line = simdutf8::basic::from_utf8(line).ok()?;
        let cursor = Cursor::new(line, &mut self.stops)?;
        self.walked = Glance::at(cursor.clone(), self.label.as_deref())?;
        self.shapes.learn(&cursor, &self.walked);
        Some(&self.walked)
    }
}

/// Of a line that is the first of several.
impl Glances {
    /// The number of its shape, if that was met, and how long it is without its end.
    pub(super) fn find_line(&mut self, bytes: &[u8]) -> Option<(usize, usize)> {
        self.shapes.find_line(bytes)
    }

    /// What was found in it, until another line is looked at.
    pub(super) fn of_shape(&self, shape: usize) -> Option<&Glance> {
        self.shapes.found(shape)
    }
}

impl Spans for Glance {
    #[inline]
    fn each(&mut self, mut change: impl FnMut(&mut Span)) {
        let Self { status, error, request, response, key, id, custom_id, config, labels, label, answer } = self;
        [status, error, request, response, key, id, custom_id, config, labels, label].into_iter().for_each(&mut change);
        if let Some(answer) = answer {
            answer.each(change);
        }
    }
}

impl Glance {
    fn at(mut cursor: Cursor<'_, '_>, label: Option<&str>) -> Option<Self> {
        let mut glance = Self::default();
        cursor.space();
        cursor.members(|cursor, name| {
            if name == b"request" {
                return glance.pass_over_request(cursor, label);
            }
            if name == b"response" {
                return glance.pass_over_response(cursor);
            }
            let value = Span::new(&cursor.value()?)?;
            match name {
                b"status" => glance.status = value,
                b"error" => glance.error = value,
                b"key" => glance.key = value,
                b"id" => glance.id = value,
                b"custom_id" => glance.custom_id = value,
                _ => {}
            }
            Some(())
        })?;
        cursor.is_at_end().then_some(glance)
    }

    fn pass_over_response(&mut self, cursor: &mut Cursor<'_, '_>) -> Option<()> {
        let start = cursor.at();
        let mut quick = cursor.clone();
        self.answer = AnswerSpans::walk(&mut quick);
        match &self.answer {
            Some(_) => *cursor = quick,
            None => _ = cursor.value()?,
        }
        self.response = Span::new(&(start..cursor.at()))?;
        Some(())
    }

    fn pass_over_request(&mut self, cursor: &mut Cursor<'_, '_>, label: Option<&str>) -> Option<()> {
        let start = cursor.at();
        (self.config, self.labels, self.label) = <_>::default();
        if cursor.peek() == Some(b'{') {
            cursor.members(|cursor, name| {
                let start = cursor.at();
                match name {
                    b"generationConfig" | b"generation_config" => self.config = Span::new(&cursor.value()?)?,
                    b"labels" if !cursor.null() => {
                        self.label = Span::default();
                        if cursor.peek() == Some(b'{') {
                            cursor
                                .members(|cursor, name| self.meet_label(cursor, label == str::from_utf8(name).ok()))?;
                        } else {
                            cursor.value()?;
                        }
                        self.labels = Span::new(&(start..cursor.at()))?;
                    }
                    b"labels" => {}
                    _ => _ = cursor.value()?,
                }
                Some(())
            })?;
        } else {
            cursor.value()?;
        }
        self.request = Span::new(&(start..cursor.at()))?;
        Some(())
    }

    fn meet_label(&mut self, cursor: &mut Cursor<'_, '_>, is_wanted: bool) -> Option<()> {
        if !cursor.null() {
            let value = Span::new(&cursor.value()?)?;
            self.label = if is_wanted { value } else { self.label };
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Read};

    use proptest::prelude::*;
    use serde_json::value::RawValue;

    use super::super::lines::PredictionLines;
    use super::super::prediction::Prediction;
    use super::*;
    use crate::json::Members;

    /// What a glance says is what the parser says; it may say nothing.
    fn agrees(glances: &mut Glances, line: &str) -> bool {
        let Some(glance) = glances.at(line.as_bytes()) else { return false };
        let parsed = Prediction::parse(line).expect("a glance takes JSON alone");
        let present = |span: &Span| span.of(line).filter(|text| *text != "null").map(str::to_owned);
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
            let label = members.get(&["labels"]).and_then(|labels| Members::of(labels).get(&["key"]));
            assert_eq!(present(&glance.label), raw(label), "{line}");
            let config =
                members.0.iter().rev().find(|(name, _)| name == "generationConfig" || name == "generation_config");
            let config = config.map(|(_, value)| value.get().to_owned());
            assert_eq!(glance.config.of(line).map(str::to_owned), config, "{line}");
        }
        true
    }

    fn new() -> Glances {
        Glances::with_label(Some("key"))
    }

    /// Bytes that arrive so many at a time.
    struct Pieces<'a>(&'a [u8], usize);

    impl Read for Pieces<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(buffer.len());
            self.0.read(&mut buffer[..count])
        }
    }

    #[test]
    fn usual_lines_are_looked_over() {
        for line in [
            r#"{"status":"","processed_time":"x","request":{"contents":[{"parts":[{"text":"a\n\"b\" \\"}],"role":"user"}],"generationConfig":{"temperature":1.5e-3},"labels":{"id":"n7"}},"response":{"candidates":[]}}"#,
            r#"{ "key" : "r1" , "request" : { "labels" : null , "labels":{}, "x":[ ] } , "response" : { } , "error": null }"#,
            r#"{"request":{"labels":{"key":"b","key":null}},"request":{"labels":{}},"request":{}}"#,
            r#"{"request":"{\"labels\":{}}","response":null,"id":-0,"custom_id":false}"#,
            r#"{}"#,
            r#"{"request":{"contents":[{"parts":[{"fileData":null,"text":"😀\ud83d"}]}]}} "#,
        ] {
            assert!(agrees(&mut new(), line), "{line}");
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
            assert_eq!(Glances::default().at(line.as_bytes()), None, "{line}");
        }
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(500), "]".repeat(500));
        assert_eq!(Glances::default().at(deep.as_bytes()), None);
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
            agrees(&mut new(), &line);
        }

        #[test]
        fn lines_of_one_shape_are_looked_over_alike(
            lines in proptest::collection::vec(json(), 1..3),
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), r#"[0-9a-z\"\\\\,{}:.-]{0,3}"#), 0..40),
        ) {
            let mut glances = new();
            for (which, at, change) in changes {
                let line = which.get(&lines);
                let at = line.floor_char_boundary(at.index(line.len()));
                let behind = line.ceil_char_boundary((at + 1).min(line.len()));
                agrees(&mut glances, &format!("{}{change}{}", &line[..at], &line[behind..]));
                agrees(&mut glances, line);
            }
        }

        /// A line whose shape tells where it ends is the line that its line feed ends.
        #[test]
        fn lines_end_where_they_end(
            lines in proptest::collection::vec(json(), 1..3),
            all in proptest::collection::vec(
                (
                    any::<prop::sample::Index>(),
                    "[a-z0-9é\\\\\"]{0,3}",
                    proptest::sample::select(vec!["\n", "\n", "\n", "\r\n", " \n", "\n\n", "\r\r\n", "}\n", "\u{feff}\n", ""]),
                ),
                0..20,
            ),
            mark: bool,
            piece in proptest::sample::select(vec![1, 7, 100, 100_000]),
        ) {
            let mut file = if mark { "\u{feff}".to_owned() } else { String::new() };
            for (which, text, end) in all {
                // Often of one shape, with another text.
                file.push_str(&format!("{{\"key\":\"{text}\",\"response\":{}}}", which.get(&lines)));
                file.push_str(end);
            }
            let mut expected = PredictionLines::new(Pieces(file.as_bytes(), piece), "p");
            let mut found = PredictionLines::new(Pieces(file.as_bytes(), piece), "p");
            let mut glances = new();
            loop {
                let (line, found) = (expected.next_line().unwrap(), found.next_glance(&mut glances).unwrap());
                let Some(line) = line else {
                    prop_assert!(found.is_none());
                    break;
                };
                let (same, glance) = found.unwrap();
                prop_assert_eq!((line.number(), line.byte(), line.bytes()), (same.number(), same.byte(), same.bytes()));
                prop_assert_eq!(format!("{:?}", line.prediction()), format!("{:?}", same.prediction()));
                // Numbers of many digits are in no answer that is walked through.
                let without_answer = |glance: &Glance| Glance { answer: None, ..glance.clone() };
                prop_assert_eq!(glance.map(without_answer), new().at(line.bytes()).map(without_answer));
            }
        }

        #[test]
        fn a_damaged_line_is_never_taken_for_a_whole_one(line in json(), at in any::<prop::sample::Index>(), byte in 0x20_u8..0x7f) {
            let mut bytes = line.into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Ok(line) = String::from_utf8(bytes) {
                agrees(&mut new(), &line);
                agrees(&mut new(), &line[..line.floor_char_boundary(at)]);
            }
        }
    }
}
