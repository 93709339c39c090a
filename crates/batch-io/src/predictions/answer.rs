//! Where in a response lies what is read of it, found without reading the rest.
//!
//! This is the quick way for responses as they are documented, of one candidate at most. Of any other it
//! says nothing, and the parser reads it: see [`Response`], which is the judge.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr;
use serde_json::value::RawValue;

use super::cursor::{Cursor, Stops};
use super::response::{Candidate, Part, Parts, Response};
use super::shape::{Shapes, Spans};
use super::span::Span;
use super::usage::Usage;
use crate::unescape::unescaped;

/// The values of a response that are read, each with its quotation marks if it has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AnswerSpans {
    has_candidate: bool,
    first: PartSpans,
    others: Vec<PartSpans>,
    /// The rest, each at its number.
    members: [Span; MEMBERS],
}

const INDEX: usize = 0;
const FINISH_REASON: usize = 1;
const FINISH_MESSAGE: usize = 2;
const BLOCK_REASON: usize = 3;
const BLOCK_MESSAGE: usize = 4;
const MODEL_VERSION: usize = 5;
const COUNTS: Range<usize> = 6..6 + Usage::COUNTS;
const DETAILS: Range<usize> = COUNTS.end..COUNTS.end + Usage::DETAILS;
const MEMBERS: usize = DETAILS.end;

/// An answer that is one text: its strings as they stand in JSON, and its counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct PlainAnswer<'t> {
    pub(super) text: &'t [u8],
    pub(super) finish_reason: Option<&'t [u8]>,
    pub(super) model_version: Option<&'t [u8]>,
    pub(super) counts: [Option<u64>; Usage::COUNTS],
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct PartSpans {
    is_there: bool,
    thought: bool,
    text: Span,
    /// The name and the value of what it holds besides text.
    data: (Span, Span),
}

/// Reads usual responses, and gets to know how they look.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    stops: Stops,
    shapes: Shapes<AnswerSpans>,
}

impl Answers {
    /// `None` for a response that is unusual in any way.
    pub(super) fn read<'t>(&mut self, response: &'t str) -> Option<Response<'t>> {
        if let Some(shape) = self.shapes.find(response.as_bytes()) {
            return self.shapes.found(shape)?.read(response);
        }
        let cursor = Cursor::new(response, &mut self.stops)?;
        let spans = AnswerSpans::find(cursor.clone())?;
        self.shapes.learn(&cursor, &spans);
        spans.read(response)
    }
}

impl Spans for AnswerSpans {
    #[inline]
    fn each(&mut self, mut change: impl FnMut(&mut Span)) {
        self.members.iter_mut().for_each(&mut change);
        let mut part = |part: &mut PartSpans| {
            [&mut part.text, &mut part.data.0, &mut part.data.1].into_iter().for_each(&mut change);
        };
        part(&mut self.first);
        self.others.iter_mut().for_each(part);
    }
}

impl AnswerSpans {
    fn find(mut cursor: Cursor<'_, '_>) -> Option<Self> {
        cursor.space();
        let found = Self::walk(&mut cursor)?;
        cursor.is_at_end().then_some(found)
    }

    /// Passes over a response. `None` where it is unusual in any way, with the cursor anywhere.
    pub(super) fn walk(cursor: &mut Cursor<'_, '_>) -> Option<Self> {
        let mut found = Self::default();
        let mut seen = 0;
        cursor.members(|cursor, name| {
            match name {
                b"candidates" => {
                    once(&mut seen, 0)?;
                    if !cursor.null() {
                        cursor.elements(|cursor| found.candidate(cursor))?;
                    }
                }
                b"promptFeedback" | b"prompt_feedback" => {
                    once(&mut seen, 1)?;
                    if !cursor.null() {
                        found.feedback(cursor)?;
                    }
                }
                b"usageMetadata" | b"usage_metadata" => {
                    once(&mut seen, 2)?;
                    if !cursor.null() {
                        found.usage(cursor)?;
                    }
                }
                b"modelVersion" | b"model_version" => {
                    once(&mut seen, 3)?;
                    found.members[MODEL_VERSION] = string(cursor)?;
                }
                _ => _ = cursor.value()?,
            }
            Some(())
        })?;
        Some(found)
    }

    fn candidate(&mut self, cursor: &mut Cursor<'_, '_>) -> Option<()> {
        // Of several, the parser tells which one counts.
        if std::mem::replace(&mut self.has_candidate, true) {
            return None;
        }
        let mut seen = 0;
        cursor.members(|cursor, name| {
            match name {
                b"content" => {
                    once(&mut seen, 0)?;
                    if !cursor.null() {
                        self.content(cursor)?;
                    }
                }
                b"finishReason" | b"finish_reason" => {
                    once(&mut seen, 1)?;
                    self.members[FINISH_REASON] = string(cursor)?;
                }
                b"finishMessage" | b"finish_message" => {
                    once(&mut seen, 2)?;
                    self.members[FINISH_MESSAGE] = string(cursor)?;
                }
                b"index" => {
                    once(&mut seen, 3)?;
                    self.members[INDEX] = count(cursor)?;
                }
                _ => _ = cursor.value()?,
            }
            Some(())
        })
    }

    fn content(&mut self, cursor: &mut Cursor<'_, '_>) -> Option<()> {
        let mut seen = 0;
        cursor.members(|cursor, name| {
            if name != b"parts" {
                cursor.value()?;
                return Some(());
            }
            once(&mut seen, 0)?;
            if cursor.null() {
                return Some(());
            }
            cursor.elements(|cursor| {
                let part = PartSpans::find(cursor)?;
                if self.first.is_there {
                    self.others.push(part);
                } else {
                    self.first = part;
                }
                Some(())
            })
        })
    }

    fn feedback(&mut self, cursor: &mut Cursor<'_, '_>) -> Option<()> {
        let mut seen = 0;
        cursor.members(|cursor, name| {
            match name {
                b"blockReason" | b"block_reason" => {
                    once(&mut seen, 0)?;
                    self.members[BLOCK_REASON] = string(cursor)?;
                }
                b"blockReasonMessage" | b"block_reason_message" => {
                    once(&mut seen, 1)?;
                    self.members[BLOCK_MESSAGE] = string(cursor)?;
                }
                _ => _ = cursor.value()?,
            }
            Some(())
        })
    }

    fn usage(&mut self, cursor: &mut Cursor<'_, '_>) -> Option<()> {
        let mut seen = 0;
        cursor.members(|cursor, name| {
            if let Some(number) = Usage::count_number(name) {
                once(&mut seen, number)?;
                *self.members.get_mut(COUNTS.start + number)? = count(cursor)?;
            } else if let Some(number) = Usage::detail_number(name) {
                once(&mut seen, Usage::COUNTS + number)?;
                *self.members.get_mut(DETAILS.start + number)? = Span::new(&cursor.value()?)?;
            } else {
                cursor.value()?;
            }
            Some(())
        })
    }

    /// The values of an answer that is one text and nothing else, if it is one.
    pub(super) fn plain<'t>(&self, line: &'t [u8]) -> Option<PlainAnswer<'t>> {
        let PartSpans { is_there: true, thought: false, text: answer, data: (other, _) } = self.first else {
            return None;
        };
        let odd =
            [FINISH_MESSAGE, BLOCK_REASON, BLOCK_MESSAGE].into_iter().any(|member| self.members[member].is_there());
        if odd || other.is_there() || !self.others.is_empty() {
            return None;
        }
        self.members[INDEX].of_bytes(line).map_or(Some(0), count_of)?;
        let mut counts = [None; Usage::COUNTS];
        for (count, digits) in counts.iter_mut().zip(&self.members[COUNTS]) {
            if let Some(digits) = digits.of_bytes(line) {
                *count = Some(count_of(digits)?);
            }
        }
        let is_all_text = self.members[DETAILS].iter().all(|list| list.of_bytes(line).is_none_or(Usage::is_of_text));
        is_all_text.then_some(PlainAnswer {
            text: answer.of_bytes(line)?,
            finish_reason: self.members[FINISH_REASON].of_bytes(line),
            model_version: self.members[MODEL_VERSION].of_bytes(line),
            counts,
        })
    }

    /// Reads the values out of the response. `None` for one that is unusual after all.
    pub(super) fn read<'t>(&self, response: &'t str) -> Option<Response<'t>> {
        // Of one candidate it says nothing, but it has to be a number.
        self.members[INDEX].of_bytes(response.as_bytes()).map_or(Some(0), count_of)?;
        let candidate = if self.has_candidate {
            let mut parts = Parts::default();
            for part in std::iter::once(&self.first).filter(|first| first.is_there).chain(&self.others) {
                parts.push(part.read(response)?);
            }
            Some(Candidate {
                finish_reason: read(self.members[FINISH_REASON], response)?,
                finish_message: read(self.members[FINISH_MESSAGE], response)?,
                parts,
            })
        } else {
            None
        };
        let mut usage = Usage::default();
        for (number, count) in self.members[COUNTS].iter().enumerate() {
            if let Some(digits) = count.of_bytes(response.as_bytes()) {
                usage.set_count(number, Some(count_of(digits)?));
            }
        }
        for (number, list) in self.members[DETAILS].iter().enumerate() {
            if let Some(list) = list.of(response) {
                usage.add_detail(number, list);
            }
        }
        Some(Response {
            candidate,
            block_reason: read(self.members[BLOCK_REASON], response)?,
            block_message: read(self.members[BLOCK_MESSAGE], response)?,
            usage,
            model_version: read(self.members[MODEL_VERSION], response)?,
        })
    }
}

impl PartSpans {
    fn find(cursor: &mut Cursor<'_, '_>) -> Option<Self> {
        let mut part = Self { is_there: true, ..Self::default() };
        let mut seen = 0;
        cursor.members(|cursor, name| {
            match name {
                b"text" => {
                    once(&mut seen, 0)?;
                    part.text = string(cursor)?;
                }
                b"thought" => {
                    once(&mut seen, 1)?;
                    part.thought = cursor.bool()?.unwrap_or(false);
                }
                name => {
                    let is_null = cursor.peek() == Some(b'n');
                    let value = cursor.value()?;
                    if Part::is_content(name) && !is_null {
                        once(&mut seen, 2)?;
                        // A name of no length would lie nowhere.
                        if name.is_empty() {
                            return None;
                        }
                        part.data = (Span::new(&cursor.range_of(name))?, Span::new(&value)?);
                    }
                }
            }
            Some(())
        })?;
        Some(part)
    }

    fn read<'t>(&self, response: &'t str) -> Option<Part<'t>> {
        let data = match (self.data.0.of(response), self.data.1.of(response)) {
            (Some(name), Some(value)) => Some((Cow::Borrowed(name), serde_json::from_str::<&RawValue>(value).ok()?)),
            _ => None,
        };
        Some(Part { text: read(self.text, response)?, thought: self.thought, data })
    }
}

/// `None` for a member that stands twice: the parser knows which one counts.
fn once(seen: &mut u16, number: usize) -> Option<()> {
    let bit = 1 << number;
    let is_new = *seen & bit == 0;
    *seen |= bit;
    is_new.then_some(())
}

/// Passes over a string, or over a null, which is nowhere.
fn string(cursor: &mut Cursor<'_, '_>) -> Option<Span> {
    if cursor.null() { Some(Span::default()) } else { Span::new(&cursor.quoted()?) }
}

/// Passes over a count, or over a null, which is nowhere.
fn count(cursor: &mut Cursor<'_, '_>) -> Option<Span> {
    let start = cursor.at();
    match cursor.count()? {
        Some(_) => Span::new(&(start..cursor.at())),
        None => Some(Span::default()),
    }
}

/// The text of a string; `Some(None)` where there is none.
#[expect(clippy::option_option, reason = "the outer says whether the quick way can tell")]
fn read(span: Span, response: &str) -> Option<Option<Cow<'_, str>>> {
    match span.of(response) {
        Some(quoted) => text_of(quoted).map(Some),
        None => Some(None),
    }
}

/// The text that a string in its quotation marks stands for; `None` for one with half a character.
pub(super) fn text_of(quoted: &str) -> Option<Cow<'_, str>> {
    let inside = quoted.get(1..quoted.len() - 1)?;
    match memchr(b'\\', inside.as_bytes()) {
        None => Some(Cow::Borrowed(inside)),
        Some(_) => Some(Cow::Owned(unescaped(inside)?)),
    }
}

/// The number that few digits say.
fn count_of(digits: &[u8]) -> Option<u64> {
    if Cursor::MOST_DIGITS < digits.len() {
        return None;
    }
    digits.iter().try_fold(0, |count: u64, digit| {
        let digit = digit.wrapping_sub(b'0');
        (digit < 10).then(|| count * 10 + u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use proptest::prelude::*;
    use proptest::sample::{Index, select};

    use super::super::prediction::Prediction;
    use super::*;

    /// What the quick way says is what the parser says; it may say nothing.
    fn agrees(answers: &mut Answers, response: &str) -> bool {
        let Some(found) = answers.read(response) else { return false };
        let parsed = Response::parse_unusual(response).expect("the quick way takes JSON alone");
        assert_eq!(format!("{found:?}"), format!("{parsed:?}"), "{response}");
        true
    }

    fn new() -> Answers {
        Answers::default()
    }

    #[test]
    fn documented_responses_are_read() {
        for response in [
            r#"{"candidates":[{"avgLogprobs":-0.065,"content":{"parts":[{"text":"\"tech\""}],"role":"model"},"finishReason":"STOP"}],"createTime":"2025-03-19T09:36:26.595000Z","modelVersion":"gemini-2.0-flash-001@default","responseId":"x","usageMetadata":{"candidatesTokenCount":3,"candidatesTokensDetails":[{"modality":"TEXT","tokenCount":3}],"promptTokenCount":521,"promptTokensDetails":[{"modality":"TEXT","tokenCount":500},{"modality":"AUDIO","tokenCount":21}],"totalTokenCount":524,"trafficType":"ON_DEMAND"}}"#,
            r#"{"candidates":[{"index":0,"content":{"role":"model","parts":[{"text":"Hm…","thought":true},{"text":"a\n\u00e9😀","thoughtSignature":"x=="},{"functionCall":{"name":"f","args":{}}}]},"finishReason":"STOP","finishMessage":null}]}"#,
            r#"{"promptFeedback":{"blockReason":"SAFETY","blockReasonMessage":"no\/never"},"usageMetadata":{"promptTokenCount":null}}"#,
            r#"{"candidates":[{"content":{},"finishReason":"MAX_TOKENS"}],"promptFeedback":null,"usageMetadata":null,"modelVersion":null}"#,
            r#" { "candidates" : [ { "content" : { "parts" : [ ] } } ] } "#,
            r#"{"candidates":null}"#,
            r#"{}"#,
        ] {
            assert!(agrees(&mut new(), response), "{response}");
        }
    }

    #[test]
    fn the_rest_is_left_to_the_parser() {
        for response in [
            r#"{"candidates":[{},{}]}"#,
            r#"{"candidates":{}}"#,
            r#"{"candidates":[null]}"#,
            r#"{"candidates":[{"finishReason":1}]}"#,
            r#"{"candidates":[{"index":"0"}]}"#,
            r#"{"candidates":[{"index":0.5}]}"#,
            r#"{"candidates":[{"content":[]}]}"#,
            r#"{"candidates":[{"content":{"parts":{}}}]}"#,
            r#"{"candidates":[{"content":{"parts":["a"]}}]}"#,
            r#"{"candidates":[{"content":{"parts":[{"text":"\ud800"}]}}]}"#,
            r#"{"candidates":[{"content":{"parts":[{"text":"a","text":null}]}}]}"#,
            r#"{"candidates":[{"content":{"parts":[{"thought":1}]}}]}"#,
            r#"{"candidates":[{"content":{"parts":[{"inlineData":{},"functionCall":{}}]}}]}"#,
            r#"{"candidates":[{"content":{"parts":[{"text":"a","":{}}]}}]}"#,
            r#"{"usageMetadata":{"promptTokenCount":"5"}}"#,
            r#"{"usageMetadata":{"promptTokenCount":5.0}}"#,
            r#"{"usageMetadata":{"promptTokenCount":5,"prompt_token_count":6}}"#,
            r#"{"modelVersion":"a","model_version":null}"#,
            r#"{"modelVersion":5}"#,
            r#"{"model\u0056ersion":"x"}"#,
            "{\n}",
            "[]",
            "{",
            "",
        ] {
            assert!(!agrees(&mut new(), response), "{response}");
        }
    }

    #[test]
    fn every_fixture_reads_the_same() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/predictions");
        let (mut seen, mut quick, mut answers) = (0, 0, new());
        for entry in fs::read_dir(folder).unwrap() {
            let text = String::from_utf8_lossy(&fs::read(entry.unwrap().path()).unwrap()).into_owned();
            for line in text.lines() {
                let Ok(prediction) = Prediction::parse(line) else { continue };
                if let Some(response) = prediction.response.as_deref() {
                    seen += 1;
                    quick += u32::from(agrees(&mut answers, response.get()));
                }
            }
        }
        assert!(0 < quick && quick < seen, "{quick} of {seen}");
    }

    fn text() -> impl Strategy<Value = String> {
        let escape = select(vec!["\\n", "\\\"", "\\u00e9", "\\ud83d\\ude00", "\\ud83d", "é"]);
        prop_oneof![
            3 => "[a-z ]{0,70}".prop_map(|text| format!("\"{text}\"")),
            1 => ("[a-z]{0,70}", escape, "[a-z]{0,10}").prop_map(|(a, b, c)| format!("\"{a}{b}{c}\"")),
        ]
    }

    fn object(members: impl Strategy<Value = (String, String)>, most: usize) -> impl Strategy<Value = String> {
        proptest::collection::vec(members, 0..most).prop_map(|members| {
            let members: Vec<_> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
            format!("{{{}}}", members.join(","))
        })
    }

    fn member(
        name: &'static [&'static str],
        value: impl Strategy<Value = String>,
    ) -> impl Strategy<Value = (String, String)> {
        let value = prop_oneof![8 => value, 1 => Just("null".to_owned()), 1 => select(vec!["1", "{}", "[]", "\"\"", "true"]).prop_map(str::to_owned)];
        (select(name).prop_map(str::to_owned), value)
    }

    fn list(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
        proptest::collection::vec(value, 0..3).prop_map(|values| format!("[{}]", values.join(", ")))
    }

    fn count() -> impl Strategy<Value = String> {
        prop_oneof![
            8 => any::<u16>().prop_map(|count| count.to_string()),
            1 => select(vec!["-1", "1.5", "\"7\"", "1e3", "0", "99999999999999999999"]).prop_map(str::to_owned),
        ]
    }

    fn response() -> impl Strategy<Value = String> {
        let data = || select(vec![r#"{"name":"f"}"#, "\"x\"", "[1, 2]"]).prop_map(str::to_owned);
        let part = object(
            prop_oneof![
                4 => member(&["text"], text()),
                1 => member(&["thought"], select(vec!["true", "false"]).prop_map(str::to_owned)),
                1 => member(&["functionCall", "thoughtSignature", "odd"], data()),
            ],
            3,
        );
        let content = object(prop_oneof![3 => member(&["parts"], list(part)), 1 => member(&["role"], text())], 3);
        let candidate = object(
            prop_oneof![
                3 => member(&["content"], content),
                2 => member(&["finishReason", "finish_reason", "finishMessage"], text()),
                1 => member(&["index", "avgLogprobs"], count()),
            ],
            4,
        );
        let detail = object(
            prop_oneof![
                member(&["modality"], select(vec!["\"TEXT\"", "\"AUDIO\"", "\"IMAGE\""]).prop_map(str::to_owned)),
                member(&["tokenCount"], count()),
            ],
            3,
        );
        let usage = object(
            prop_oneof![
                3 => member(&["promptTokenCount", "totalTokenCount", "thoughtsTokenCount", "prompt_token_count"], count()),
                1 => member(&["promptTokensDetails", "candidatesTokensDetails"], list(detail)),
            ],
            4,
        );
        let feedback = object(member(&["blockReason", "blockReasonMessage", "x"], text()), 3);
        object(
            prop_oneof![
                4 => member(&["candidates"], list(candidate)),
                2 => member(&["usageMetadata"], usage),
                1 => member(&["promptFeedback"], feedback),
                1 => member(&["modelVersion", "createTime", "model_version"], text()),
            ],
            4,
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn the_quick_way_reads_what_the_parser_reads(response in response()) {
            agrees(&mut new(), &response);
        }

        /// Each response in many versions, so that they have a shape in common.
        #[test]
        fn responses_of_one_shape_read_the_same(
            responses in proptest::collection::vec(response(), 1..3),
            changes in proptest::collection::vec((any::<Index>(), any::<Index>(), r#"[0-9a-z\"\\\\,{}:.-]{0,3}"#), 0..40),
        ) {
            let mut answers = new();
            for (which, at, change) in changes {
                let response = which.get(&responses);
                let at = response.floor_char_boundary(at.index(response.len()));
                let behind = response.ceil_char_boundary((at + 1).min(response.len()));
                agrees(&mut answers, &format!("{}{change}{}", &response[..at], &response[behind..]));
                agrees(&mut answers, response);
            }
        }

        #[test]
        fn a_damaged_response_is_never_taken_for_another(response in response(), at in any::<Index>(), byte in 0x20_u8..0x7f) {
            let mut bytes = response.into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Ok(response) = String::from_utf8(bytes) {
                agrees(&mut new(), &response);
                agrees(&mut new(), &response[..response.floor_char_boundary(at)]);
            }
        }
    }
}
