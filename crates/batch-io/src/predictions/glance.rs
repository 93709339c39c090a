//! Where the members of a prediction line lie, found in one pass that reads none of them.
//!
//! Most of a line is the echoed request, which nobody wants to read. What is passed over is
//! still proved to be JSON, so that a damaged line is found here as well as by a parser. Of a
//! line that has anything unusual, nothing is said: the parser, which is the judge, reads it.

use std::ops::Range;

use memchr::memchr2;
use wide::u8x16;

/// Nesting beyond this is left to the parser.
const DEEPEST: u32 = 100;

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
    pub(crate) fn at(line: &str) -> Option<Self> {
        let bytes = line.as_bytes();
        // Control characters are white space or a fault, and neither is usual.
        if has_control(bytes) {
            return None;
        }
        let mut cursor = Cursor { bytes, at: 0 };
        let mut glance = Self::default();
        cursor.members(|cursor, name| {
            if name == b"request" {
                let start = cursor.start();
                (glance.config, glance.labels) = (None, None);
                if cursor.bytes.get(start) == Some(&b'{') {
                    cursor.members(|cursor, name| {
                        let value = cursor.value(2)?;
                        match name {
                            b"generationConfig" | b"generation_config" => glance.config = Some(value),
                            b"labels" if !cursor.bytes[value.clone()].starts_with(b"n") => glance.labels = Some(value),
                            _ => {}
                        }
                        Some(())
                    })?;
                } else {
                    cursor.value(1)?;
                }
                glance.request = Some(start..cursor.at);
                return Some(());
            }
            let value = cursor.value(1)?;
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
        cursor.space();
        (cursor.at == bytes.len()).then_some(glance)
    }
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Passes over spaces, the only white space there is in such a line.
    fn space(&mut self) {
        while self.peek() == Some(b' ') {
            self.at += 1;
        }
    }

    fn start(&mut self) -> usize {
        self.space();
        self.at
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// Walks through an object; `each` finds the cursor before a value and leaves it behind.
    fn members(&mut self, mut each: impl FnMut(&mut Self, &'a [u8]) -> Option<()>) -> Option<()> {
        self.space();
        self.take(b'{')?;
        self.space();
        if self.peek()? == b'}' {
            self.at += 1;
            return Some(());
        }
        loop {
            self.space();
            let open = self.at;
            let escapes = self.string()?;
            // An escape in a name may spell one that is asked for.
            if escapes {
                return None;
            }
            let name = &self.bytes[open + 1..self.at - 1];
            self.space();
            self.take(b':')?;
            each(self, name)?;
            self.space();
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Some(());
                }
                _ => return None,
            }
        }
    }

    /// Passes over a value, and tells where it lies.
    fn value(&mut self, depth: u32) -> Option<Range<usize>> {
        let start = self.start();
        match self.peek()? {
            b'"' => self.string().map(|_| ())?,
            b'{' => self.object(depth)?,
            b'[' => self.array(depth)?,
            b't' => self.word(b"true")?,
            b'f' => self.word(b"false")?,
            b'n' => self.word(b"null")?,
            _ => self.number()?,
        }
        Some(start..self.at)
    }

    fn object(&mut self, depth: u32) -> Option<()> {
        if DEEPEST <= depth {
            return None;
        }
        self.at += 1;
        self.space();
        if self.peek()? == b'}' {
            self.at += 1;
            return Some(());
        }
        loop {
            self.space();
            self.string()?;
            self.space();
            self.take(b':')?;
            self.value(depth + 1)?;
            self.space();
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Some(());
                }
                _ => return None,
            }
        }
    }

    fn array(&mut self, depth: u32) -> Option<()> {
        if DEEPEST <= depth {
            return None;
        }
        self.at += 1;
        self.space();
        if self.peek()? == b']' {
            self.at += 1;
            return Some(());
        }
        loop {
            self.value(depth + 1)?;
            self.space();
            match self.peek()? {
                b',' => self.at += 1,
                b']' => {
                    self.at += 1;
                    return Some(());
                }
                _ => return None,
            }
        }
    }

    /// Passes over a string; whether it has escapes.
    fn string(&mut self) -> Option<bool> {
        self.take(b'"')?;
        let mut escapes = false;
        loop {
            self.at += quote_or_backslash(self.bytes.get(self.at..)?)?;
            if self.bytes[self.at] == b'"' {
                self.at += 1;
                return Some(escapes);
            }
            escapes = true;
            self.at += match self.bytes.get(self.at + 1)? {
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => 2,
                b'u' if self.bytes.get(self.at + 2..self.at + 6)?.iter().all(u8::is_ascii_hexdigit) => 6,
                _ => return None,
            };
        }
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.bytes[self.at..].starts_with(word).then(|| self.at += word.len())
    }

    fn number(&mut self) -> Option<()> {
        if self.peek()? == b'-' {
            self.at += 1;
        }
        if self.peek()? == b'0' {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(())
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        (start < self.at).then_some(())
    }
}

/// Whether a byte is below the space: the least of each place in sixteen is kept, and looked at once.
fn has_control(bytes: &[u8]) -> bool {
    let (lanes, rest) = bytes.as_chunks::<16>();
    let least = lanes.iter().fold(u8x16::splat(u8::MAX), |least, lane| least.min(u8x16::new(*lane)));
    least.as_array().iter().chain(rest).any(|&byte| byte < b' ')
}

/// Where the first of the two stands. Most strings are names and numbers and end at once, for which a
/// search that is made for long ones takes too long to begin.
fn quote_or_backslash(bytes: &[u8]) -> Option<usize> {
    let Some((first, rest)) = bytes.split_first_chunk::<16>() else { return memchr2(b'"', b'\\', bytes) };
    let first = u8x16::new(*first);
    let found = (first.simd_eq(u8x16::splat(b'"')) | first.simd_eq(u8x16::splat(b'\\'))).to_bitmask();
    match found {
        0 => memchr2(b'"', b'\\', rest).map(|at| 16 + at),
        _ => Some(found.trailing_zeros() as usize),
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
        let Some(glance) = Glance::at(line) else { return false };
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
            assert_eq!(Glance::at(line), None, "{line}");
        }
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(500), "]".repeat(500));
        assert_eq!(Glance::at(&deep), None);
    }

    #[test]
    fn a_control_character_is_found_wherever_it_stands() {
        for length in 0..70 {
            let mut bytes = vec![b' '; length];
            assert!(!has_control(&bytes));
            for at in 0..length {
                bytes[at] = 0x1F;
                assert!(has_control(&bytes), "{at} of {length}");
                bytes[at] = 0xFF;
            }
        }
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
