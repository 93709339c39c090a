//! What is read of a `GenerateContentResponse`: one pass that borrows, and a second way
//! that forgives.

use std::borrow::Cow;
use std::fmt;

use batch_model::{BlockedReason, FinishReason};
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::answer::Answers;
use super::usage::Usage;
use crate::json::{self, Kind, Members, Text};

/// The first candidate of a response and what stands beside it.
#[derive(Clone, Debug, Default)]
pub(super) struct Response<'a> {
    pub(super) candidate: Option<Candidate<'a>>,
    /// Why the prompt was blocked.
    pub(super) block_reason: Option<Cow<'a, str>>,
    pub(super) block_message: Option<Cow<'a, str>>,
    pub(super) usage: Usage,
    pub(super) model_version: Option<Cow<'a, str>>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Candidate<'a> {
    pub(super) finish_reason: Option<Cow<'a, str>>,
    pub(super) finish_message: Option<Cow<'a, str>>,
    pub(super) parts: Parts<'a>,
}

/// A candidate's parts. Nearly always there is one, which takes no memory of its own.
#[derive(Clone, Debug, Default)]
pub(super) struct Parts<'a> {
    first: Option<Part<'a>>,
    others: Vec<Part<'a>>,
}

impl<'a> Parts<'a> {
    pub(super) fn push(&mut self, part: Part<'a>) {
        match self.first {
            None => self.first = Some(part),
            Some(_) => self.others.push(part),
        }
    }
}

impl<'a> FromIterator<Part<'a>> for Parts<'a> {
    fn from_iter<T: IntoIterator<Item = Part<'a>>>(parts: T) -> Self {
        let mut parts = parts.into_iter();
        Self { first: parts.next(), others: parts.collect() }
    }
}

impl<'a> IntoIterator for Parts<'a> {
    type Item = Part<'a>;
    type IntoIter = std::iter::Chain<std::option::IntoIter<Part<'a>>, std::vec::IntoIter<Part<'a>>>;

    fn into_iter(self) -> Self::IntoIter {
        self.first.into_iter().chain(self.others)
    }
}

/// One part of a candidate's content.
#[derive(Clone, Debug, Default)]
pub(super) struct Part<'a> {
    pub(super) text: Option<Cow<'a, str>>,
    /// Whether it is the model's thinking and no part of the answer.
    pub(super) thought: bool,
    /// What it holds besides text: the member's name, such as `functionCall`, and value.
    pub(super) data: Option<(Cow<'a, str>, &'a RawValue)>,
}

impl<'a> Response<'a> {
    pub(super) fn read(response: &'a RawValue) -> Self {
        Self::parse(response.get()).unwrap_or_default()
    }

    /// Fails for what is not JSON, and nothing else.
    pub(super) fn parse(response: &'a str) -> serde_json::Result<Self> {
        Self::parse_with(&mut Answers::default(), response)
    }

    /// The same for one of many that may look alike.
    pub(super) fn parse_with(answers: &mut Answers, response: &'a str) -> serde_json::Result<Self> {
        match answers.read(response) {
            Some(response) => Ok(response),
            None => Self::parse_unusual(response),
        }
    }

    /// The same for any response, and the judge of the quick way.
    pub(super) fn parse_unusual(response: &'a str) -> serde_json::Result<Self> {
        match serde_json::from_str::<WireResponse<'a>>(response) {
            Ok(wire) => Ok(wire.into_response()),
            // A type that is not the documented one somewhere: whatever can be read is.
            Err(_) => serde_json::from_str(response).map(forgiving::response),
        }
    }
}

#[derive(Deserialize)]
struct WireResponse<'a> {
    #[serde(borrow, default)]
    candidates: Option<Vec<WireCandidate<'a>>>,
    #[serde(borrow, default, rename = "promptFeedback", alias = "prompt_feedback")]
    prompt_feedback: Option<WireFeedback<'a>>,
    #[serde(default, rename = "usageMetadata", alias = "usage_metadata")]
    usage_metadata: Option<Usage>,
    #[serde(borrow, default, rename = "modelVersion", alias = "model_version")]
    model_version: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct WireCandidate<'a> {
    #[serde(default)]
    index: Option<i64>,
    #[serde(borrow, default)]
    content: Option<WireContent<'a>>,
    #[serde(borrow, default, rename = "finishReason", alias = "finish_reason")]
    finish_reason: Option<Symbol<'a>>,
    #[serde(borrow, default, rename = "finishMessage", alias = "finish_message")]
    finish_message: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct WireContent<'a> {
    #[serde(borrow, default)]
    parts: Option<Vec<Part<'a>>>,
}

#[derive(Deserialize)]
struct WireFeedback<'a> {
    #[serde(borrow, default, rename = "blockReason", alias = "block_reason")]
    block_reason: Option<Symbol<'a>>,
    #[serde(borrow, default, rename = "blockReasonMessage", alias = "block_reason_message")]
    block_reason_message: Option<Text<'a>>,
}

impl<'a> WireResponse<'a> {
    fn into_response(self) -> Response<'a> {
        let (reason, message) =
            self.prompt_feedback.map_or((None, None), |found| (found.block_reason, found.block_reason_message));
        let mut candidates = self.candidates.unwrap_or_default();
        // The index of the first is left out, as every 0 is.
        let first = candidates.iter().position(|candidate| candidate.index.unwrap_or(0) == 0).unwrap_or(0);
        let candidate = (first < candidates.len()).then(|| candidates.swap_remove(first));
        Response {
            candidate: candidate.map(WireCandidate::into_candidate),
            block_reason: reason.map(|reason| reason.name(BlockedReason::name_of)),
            block_message: message.map(|text| text.0),
            usage: self.usage_metadata.unwrap_or_default(),
            model_version: self.model_version.map(|text| text.0),
        }
    }
}

impl<'a> WireCandidate<'a> {
    fn into_candidate(self) -> Candidate<'a> {
        Candidate {
            finish_reason: self.finish_reason.map(|reason| reason.name(FinishReason::name_of)),
            finish_message: self.finish_message.map(|text| text.0),
            parts: self.content.and_then(|content| content.parts).into_iter().flatten().collect(),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Part<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PartVisitor;

        impl<'de> Visitor<'de> for PartVisitor {
            type Value = Part<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a part, which is a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut part = Part::default();
                while let Some(name) = map.next_key::<Text<'de>>()? {
                    match name.0.as_ref() {
                        "text" => part.text = map.next_value::<Option<Text<'de>>>()?.map(|text| text.0),
                        "thought" => part.thought = map.next_value::<Option<bool>>()?.unwrap_or(false),
                        _ => part.take(name.0, map.next_value()?),
                    }
                }
                Ok(part)
            }
        }

        deserializer.deserialize_map(PartVisitor)
    }
}

impl<'a> Part<'a> {
    /// Keeps a member that is content.
    fn take(&mut self, name: Cow<'a, str>, value: &'a RawValue) {
        if Self::is_content(name.as_bytes()) && !json::is_null(value) {
            self.data = Some((name, value));
        }
    }

    /// Whether a member but `text` and `thought` is content; what stands beside the content says nothing
    /// here.
    pub(super) fn is_content(name: &[u8]) -> bool {
        !matches!(
            name,
            b"thoughtSignature"
                | b"thought_signature"
                | b"videoMetadata"
                | b"video_metadata"
                | b"mediaResolution"
                | b"media_resolution"
                | b"mediaProcessing"
                | b"partMetadata"
                | b"speechMetadata"
                | b"speech_metadata"
        )
    }
}

/// A value of an enum: its name, or its number in the protocol buffers.
enum Symbol<'a> {
    Name(Cow<'a, str>),
    Number(i64),
}

impl<'a> Symbol<'a> {
    fn name(self, name: fn(i64) -> Option<&'static str>) -> Cow<'a, str> {
        match self {
            Self::Name(name) => name,
            Self::Number(number) => name(number).map_or_else(|| Cow::Owned(number.to_string()), Cow::Borrowed),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Symbol<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SymbolVisitor;

        impl<'de> Visitor<'de> for SymbolVisitor {
            type Value = Symbol<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name or the number of an enum's value")
            }

            fn visit_borrowed_str<E: de::Error>(self, name: &'de str) -> Result<Self::Value, E> {
                Ok(Symbol::Name(Cow::Borrowed(name)))
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Self::Value, E> {
                Ok(Symbol::Name(Cow::Owned(name.to_owned())))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
                Ok(Symbol::Number(number))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
                i64::try_from(number).map(Symbol::Number).map_err(E::custom)
            }
        }

        deserializer.deserialize_any(SymbolVisitor)
    }
}

/// The same, member by member: what is not of its documented type is passed over and the
/// rest is read.
mod forgiving {
    use super::{BlockedReason, Candidate, Cow, FinishReason, Kind, Members, Part, RawValue, Response, Usage};
    use crate::json;

    pub(super) fn response(response: &RawValue) -> Response<'_> {
        let members = Members::of(response);
        let candidates = members.get(&["candidates"]).map(json::elements).unwrap_or_default();
        let first = candidates.iter().find(|candidate| index(candidate) == 0).or(candidates.first());
        let feedback = members.get(&["promptFeedback", "prompt_feedback"]).map(Members::of).unwrap_or_default();
        Response {
            candidate: first.map(|first| candidate(first)),
            block_reason: symbol(feedback.get(&["blockReason", "block_reason"]), BlockedReason::name_of),
            block_message: feedback.get(&["blockReasonMessage", "block_reason_message"]).and_then(json::scalar),
            usage: members.get(&["usageMetadata", "usage_metadata"]).map(Usage::forgiving).unwrap_or_default(),
            model_version: members.get(&["modelVersion", "model_version"]).and_then(json::scalar),
        }
    }

    fn index(candidate: &RawValue) -> i64 {
        let index = Members::of(candidate).get(&["index"]).and_then(json::number);
        // Only whether it is 0 matters.
        i64::from(index.is_some_and(|index| index != 0.0))
    }

    fn candidate(candidate: &RawValue) -> Candidate<'_> {
        let members = Members::of(candidate);
        let content = members.get(&["content"]);
        // A list of parts without the object around it is read as well.
        let parts = match content.map(|content| (Kind::of(content), content)) {
            Some((Kind::Array | Kind::String, parts)) => Some(parts),
            Some((_, content)) => Members::of(content).get(&["parts"]),
            None => None,
        };
        Candidate {
            finish_reason: symbol(members.get(&["finishReason", "finish_reason"]), FinishReason::name_of),
            finish_message: members.get(&["finishMessage", "finish_message"]).and_then(json::scalar),
            parts: parts.map(json::elements).unwrap_or_default().into_iter().map(part).collect(),
        }
    }

    fn part(value: &RawValue) -> Part<'_> {
        if Kind::of(value) == Kind::String {
            return Part { text: json::string(value), ..Part::default() };
        }
        let mut part = Part::default();
        for (name, value) in Members::of(value).0 {
            match name.as_ref() {
                "text" => part.text = json::scalar(value),
                "thought" => part.thought = matches!(value.get(), "true" | "\"true\""),
                _ => part.take(name, value),
            }
        }
        part
    }

    fn symbol(value: Option<&RawValue>, name: fn(i64) -> Option<&'static str>) -> Option<Cow<'_, str>> {
        let text = json::scalar(value?)?;
        match text.parse::<i64>().ok().and_then(name) {
            Some(name) => Some(Cow::Borrowed(name)),
            None => Some(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> &RawValue {
        serde_json::from_str(json).unwrap()
    }

    /// Everything that is read, in one line.
    fn show(response: &Response<'_>) -> String {
        let candidate = response.candidate.as_ref().map(|candidate| {
            let parts: Vec<_> = candidate
                .parts
                .clone()
                .into_iter()
                .map(|part| (part.text, part.thought, part.data.map(|data| data.0)))
                .collect();
            format!("{:?} {parts:?}", candidate.finish_reason.as_deref())
        });
        format!("{candidate:?} {:?} {:?}", response.block_reason.as_deref(), response.usage)
    }

    #[test]
    fn both_ways_read_the_same() {
        for json in [
            r#"{"candidates":[{"index":1,"content":{"parts":[{"text":"no"}]}},{"content":{"parts":[{"text":"t","thought":true},{"text":"a\n"},{"functionCall":{"name":"f"},"thoughtSignature":"x"}],"role":"model"},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":14,"thoughtsTokenCount":"346"}}"#,
            r#"{"prompt_feedback":{"block_reason":4},"usage_metadata":{"prompt_token_count":5.0}}"#,
            r#"{"candidates":[{"finish_reason":2}],"modelVersion":null,"promptFeedback":null}"#,
            r#"{"candidates":null}"#,
            r#"{}"#,
        ] {
            assert!(serde_json::from_str::<WireResponse<'_>>(json).is_ok(), "{json}");
            assert_eq!(show(&Response::read(raw(json))), show(&forgiving::response(raw(json))), "{json}");
        }
    }

    #[test]
    fn a_wrong_type_costs_only_itself() {
        let response = Response::read(raw(
            r#"{"candidates":{"content":{"parts":{"text":"a"}},"finishReason":"STOP"},"usageMetadata":[],"modelVersion":5}"#,
        ));
        assert_eq!(
            show(&response),
            show(&Response::read(raw(
                r#"{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}]}"#
            )))
        );
        assert!(Response::read(raw("[]")).candidate.is_none());
        assert!(Response::read(raw(r#"{"candidates":"x"}"#)).candidate.unwrap().parts.into_iter().next().is_none());
    }
}
