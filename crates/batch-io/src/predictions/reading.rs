//! A prediction's meaning: outcome, answer, cause, tokens.

use std::borrow::Cow;

use batch_model::FinishReason;
use serde_json::value::RawValue;

use super::answer::{AnswerSpans, Answers};
use super::fields::Fields;
use super::format::{AnswerFormat, FormatKind};
use super::json_answer::{JsonAnswer, json_answer, unfenced};
use super::kept::{KeptAnswer, KeptAnswers};
use super::prediction::Prediction;
use super::response::{Candidate, Parts, Response};
use super::schema::quote;
use super::status::Status;
use super::usage::Usage;
use crate::json::{self, Members};
use crate::outcome::{Blocked, BlockedPart, Cause, Empty, InvalidAnswer, Nothing, Outcome, Truncated};

/// What one prediction says.
///
/// ```
/// use batch_io::{AnswerFormat, Outcome, Prediction};
///
/// let line = r#"{"status":"","response":{"candidates":[{"content":{"parts":[
///     {"text":"The word is…","thought":true},{"text":"```json\n{\"topic\": \"sport\", \"id\": 12345678901234567890}\n```"}
/// ]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":523}}}"#;
/// let prediction = Prediction::parse(line)?;
/// let reading = prediction.read(&AnswerFormat::json());
///
/// assert_eq!(reading.outcome, Outcome::Answered);
/// assert_eq!(reading.answer.as_deref(), Some(r#"{"topic":"sport","id":12345678901234567890}"#));
/// assert_eq!(reading.fields().collect::<Vec<_>>(), [("topic", r#""sport""#), ("id", "12345678901234567890")]);
/// assert_eq!(reading.usage.prompt_tokens, Some(523));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Reading<'a> {
    /// Which of the outcomes it is; never [`Missing`](Outcome::Missing) or
    /// [`Skipped`](Outcome::Skipped).
    pub outcome: Outcome,
    /// Why it is not [`Answered`](Outcome::Answered); `None` if it is.
    pub cause: Option<Cause>,
    /// The text of the candidate's parts, thoughts left out: as it is where free text was
    /// asked for; where JSON was, a string's text, an object or array without white space
    /// between tokens, or a scalar's digits. A part of an answer, and one that is not what
    /// was asked for, is here too, as it came.
    ///
    /// A candidate without text whose parts are something else (`functionCall`,
    /// `inlineData`) is answered by those parts as JSON, a single one as an object and
    /// several as an array; the bytes of inline data are left in the predictions file and
    /// only their length is told.
    pub answer: Option<Cow<'a, str>>,
    /// The candidate's `finishReason`.
    pub finish_reason: Option<Cow<'a, str>>,
    /// The token counts.
    pub usage: Usage,
    /// The model that answered, as the service calls it.
    pub model_version: Option<Cow<'a, str>>,
    /// What is worth saying of an answer.
    note: Option<String>,
    /// Of an answer that is an object: its fields.
    fields: Fields,
}

impl Prediction<'_> {
    /// Reads what the prediction says, for a request that asked for this form of answer.
    #[must_use]
    pub fn read(&self, format: &AnswerFormat) -> Reading<'_> {
        Reading::of_members(self.status, self.error, self.response.as_deref(), format)
    }

    /// Whether the response alone tells what the prediction says.
    pub(crate) fn has_no_failure(&self) -> bool {
        failure(self.status, self.error).is_none()
    }
}

/// What a line says of a request that failed.
fn failure(status: Option<&RawValue>, error: Option<&RawValue>) -> Option<Cause> {
    [error, status].into_iter().find_map(|value| match Status::read(value) {
        Status::Failed(error) => Some(Cause::RequestError(error)),
        Status::Silent | Status::Success => None,
    })
}

impl<'a> Reading<'a> {
    /// One sentence without its full stop on what keeps the prediction from being a clean
    /// answer, or what comes with it; empty where there is nothing to say.
    #[must_use]
    pub fn detail(&self) -> String {
        match (&self.cause, &self.note) {
            (Some(cause), _) => cause.to_string(),
            (None, Some(note)) => note.clone(),
            (None, None) => String::new(),
        }
    }

    /// The fields of an answer that is an object, in the order of the answer, each value as
    /// JSON without white space between tokens. None unless the prediction is
    /// [`Answered`](Outcome::Answered) and JSON was asked for.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.of(self.answer.as_deref().unwrap_or_default())
    }

    /// The value of a field, as JSON; of a name that stands twice, the last.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.of(self.answer.as_deref()?).rev().find(|(field, _)| *field == name).map(|found| found.1)
    }

    /// Reads what the members of a line say that are there.
    pub(crate) fn of_members(
        status: Option<&'a RawValue>,
        error: Option<&'a RawValue>,
        raw: Option<&'a RawValue>,
        format: &AnswerFormat,
    ) -> Self {
        let response = raw.map(Response::read);
        let mut reading = Self::new(response.as_ref());
        match (failure(status, error), raw, response) {
            (Some(failure), _, response) => {
                reading.answer = response.and_then(|response| Content::of(response.candidate?.parts).into_text());
                reading.fail(failure);
            }
            (None, Some(raw), Some(response)) => reading.read_response(raw.get(), response, format),
            _ => reading.fail(Cause::Empty(Empty { what: Nothing::Response, finish_reason: None, message: None })),
        }
        reading
    }

    /// Reads the text of a response beside which no failure stands.
    pub(crate) fn of_response(text: &'a str, format: &AnswerFormat, answers: &mut Answers) -> serde_json::Result<Self> {
        Ok(Self::of(text, Response::parse_with(answers, text)?, format))
    }

    /// Reads what was kept of a response under this number.
    pub(crate) fn of_kept(kept: &'a KeptAnswers, number: u32, format: &AnswerFormat) -> Option<Self> {
        Some(Self::of_answer(&kept.answer(number)?, format))
    }

    fn of_answer(answer: &KeptAnswer<'a>, format: &AnswerFormat) -> Self {
        let mut reading = Self {
            finish_reason: answer.finish_reason.map(Cow::Borrowed),
            usage: answer.usage,
            model_version: answer.model_version.map(Cow::Borrowed),
            ..Self::new(None)
        };
        if matches!(answer.finish_reason, None | Some("" | "STOP")) && !is_blank(answer.text) {
            // Whole, and one text: nothing else is to be looked for.
            reading.read_text(Cow::Borrowed(answer.text), format);
        } else {
            // Of the text of a response nothing more is wanted where it has a candidate.
            reading.read_response("", answer.into_response(), format);
        }
        reading
    }

    /// Reads a response of a line where its values lie there; `None` for one that is unusual after all.
    pub(crate) fn of_spans(line: &'a str, response: &str, spans: &AnswerSpans, format: &AnswerFormat) -> Option<Self> {
        Some(Self::of(response, spans.read(line)?, format))
    }

    fn of(text: &str, response: Response<'a>, format: &AnswerFormat) -> Self {
        let mut reading = Self::new(Some(&response));
        reading.read_response(text, response, format);
        reading
    }

    fn new(response: Option<&Response<'a>>) -> Self {
        Self {
            outcome: Outcome::Answered,
            cause: None,
            answer: None,
            finish_reason: response.and_then(|response| response.candidate.as_ref()?.finish_reason.clone()),
            usage: response.map(|response| response.usage).unwrap_or_default(),
            model_version: response.and_then(|response| response.model_version.clone()),
            note: None,
            fields: Fields::default(),
        }
    }

    fn fail(&mut self, cause: Cause) {
        self.outcome = cause.outcome();
        self.cause = Some(cause);
    }

    fn read_response(&mut self, text: &str, response: Response<'a>, format: &AnswerFormat) {
        let Response { candidate, block_reason, block_message, .. } = response;
        let block_reason = block_reason.filter(|reason| !reason.is_empty());
        if let Some(reason) = block_reason.filter(|reason| candidate.is_none() || !is_unspecified(reason)) {
            self.answer = candidate.and_then(|candidate| Content::of(candidate.parts).into_text());
            let message = block_message.map(Cow::into_owned);
            return self.fail(Cause::Blocked(Blocked {
                what: BlockedPart::Prompt,
                reason: reason.into_owned(),
                message,
            }));
        }
        match candidate {
            Some(candidate) => self.read_candidate(candidate, format),
            None => {
                let what = other_member(text).map_or(Nothing::Candidates, Nothing::OtherApi);
                let message = block_message.map(Cow::into_owned);
                self.fail(Cause::Empty(Empty { what, finish_reason: None, message }));
            }
        }
    }

    fn read_candidate(&mut self, candidate: Candidate<'a>, format: &AnswerFormat) {
        let reason = candidate.finish_reason.as_deref().unwrap_or_default();
        let content = Content::of(candidate.parts);
        if is_filter(reason) {
            let reason = reason.to_owned();
            self.answer = content.into_text();
            let message = candidate.finish_message.map(Cow::into_owned);
            return self.fail(Cause::Blocked(Blocked { what: BlockedPart::Answer, reason, message }));
        }
        if reason == "MAX_TOKENS" {
            self.answer = content.into_text();
            return self.fail(Cause::Truncated(Truncated {
                has_answer: self.answer.is_some(),
                candidates_tokens: self.usage.candidates_tokens,
                thoughts_tokens: self.usage.thoughts_tokens,
            }));
        }
        let odd_reason = Some(reason).filter(|reason| !matches!(*reason, "" | "STOP") && !is_unspecified(reason));
        if let Some(what) = content.nothing() {
            let finish_reason = odd_reason.map(str::to_owned);
            let message = candidate.finish_message.map(Cow::into_owned);
            return self.fail(Cause::Empty(Empty { what, finish_reason, message }));
        }
        self.note = note(&content, odd_reason, candidate.finish_message.as_deref());
        self.read_content(content, format);
    }

    fn read_content(&mut self, content: Content<'a>, format: &AnswerFormat) {
        let Content { text, data, .. } = content;
        let text = match (text, data.first()) {
            (Some(text), _) if data.is_empty() || !text.trim().is_empty() => text,
            (_, Some((name, _))) => {
                self.answer = Some(Cow::Owned(parts_as_json(&data)));
                if format.kind() != FormatKind::Text {
                    self.fail(Cause::InvalidAnswer(InvalidAnswer::NotText(name.clone().into_owned())));
                }
                return;
            }
            // `Content::nothing` told so before.
            (_, None) => return,
        };
        self.read_text(text, format);
    }

    fn read_text(&mut self, text: Cow<'a, str>, format: &AnswerFormat) {
        match format.kind() {
            FormatKind::Text => self.answer = Some(text),
            FormatKind::Enum => self.read_enum(text, format),
            FormatKind::Json => self.read_json(text, format),
        }
    }

    /// One of a list of values: bare, or quoted as the JSON format would have it.
    fn read_enum(&mut self, text: Cow<'a, str>, format: &AnswerFormat) {
        let bare = unfenced(&text).unwrap_or(text.trim());
        let value = match serde_json::from_str::<&RawValue>(bare).ok().and_then(json::string) {
            Some(unquoted) => unquoted.into_owned(),
            None => bare.to_owned(),
        };
        match format.schema().and_then(|schema| schema.allowed()) {
            Some(allowed) if !allowed.contains(&value) => {
                let cause = InvalidAnswer::NotAllowed { answer: quote(&value), choices: allowed.len() };
                self.answer = Some(text);
                self.fail(Cause::InvalidAnswer(cause));
            }
            _ => self.answer = Some(Cow::Owned(value)),
        }
    }

    fn read_json(&mut self, text: Cow<'a, str>, format: &AnswerFormat) {
        let found = match &text {
            Cow::Borrowed(text) => json_answer(text, format),
            Cow::Owned(text) => json_answer(text, format).map(JsonAnswer::into_owned),
        };
        match found {
            Ok(JsonAnswer { text, misfit, fields }) => {
                match misfit {
                    Some(misfit) => self.fail(Cause::InvalidAnswer(misfit)),
                    None => self.fields = fields,
                }
                self.answer = Some(text);
            }
            Err(error) => {
                self.answer = Some(text);
                self.fail(Cause::InvalidAnswer(InvalidAnswer::NotJson(error.to_string())));
            }
        }
    }
}

/// What a candidate's parts hold, with the thoughts taken out.
#[derive(Debug, Default)]
struct Content<'a> {
    /// `None` where no part has text.
    text: Option<Cow<'a, str>>,
    data: Vec<(Cow<'a, str>, &'a RawValue)>,
    has_thoughts: bool,
}

impl<'a> Content<'a> {
    fn of(parts: Parts<'a>) -> Self {
        let mut content = Self::default();
        for part in parts {
            if part.thought {
                content.has_thoughts = true;
                continue;
            }
            if let Some(text) = part.text {
                match &mut content.text {
                    Some(joined) => joined.to_mut().push_str(&text),
                    None => content.text = Some(text),
                }
            }
            content.data.extend(part.data);
        }
        content
    }

    fn nothing(&self) -> Option<Nothing> {
        if !self.data.is_empty() {
            return None;
        }
        match &self.text {
            Some(text) if !is_blank(text) => None,
            Some(_) => Some(Nothing::Text),
            None if self.has_thoughts => Some(Nothing::Answer),
            None => Some(Nothing::Parts),
        }
    }

    /// The text there is, where it is not to be looked into.
    fn into_text(self) -> Option<Cow<'a, str>> {
        self.text.filter(|text| !text.is_empty())
    }
}

/// Whether it is nothing but white space, of any kind; mostly its first byte tells that it is not.
fn is_blank(text: &str) -> bool {
    !text.as_bytes().first().is_some_and(u8::is_ascii_graphic) && text.trim().is_empty()
}

fn is_unspecified(value: &str) -> bool {
    value.ends_with("_UNSPECIFIED")
}

/// Whether a finish reason says that a filter withheld the answer: see [`Blocked`].
fn is_filter(reason: &str) -> bool {
    // Most answers are whole, and a name that is known to be none of these need not be looked up.
    reason != "STOP" && FinishReason::from_name(reason).is_blocked()
}

/// The member by which another API's response is known, or else the first that no
/// `GenerateContentResponse` has.
fn other_member(response: &str) -> Option<String> {
    const OTHERS: [&str; 6] = ["embedding", "embeddings", "predictions", "choices", "body", "content"];
    const OURS: [&str; 9] = [
        "candidates",
        "promptFeedback",
        "prompt_feedback",
        "usageMetadata",
        "usage_metadata",
        "modelVersion",
        "model_version",
        "responseId",
        "createTime",
    ];
    let members = Members::parse(response).unwrap_or_default();
    let strangers = || members.iter().filter(|(name, value)| !OURS.contains(name) && !json::is_null(value));
    let known = strangers().find(|(name, _)| OTHERS.contains(name));
    known.or_else(|| strangers().next()).map(|(name, _)| name.to_owned())
}

/// What is worth saying of content that counts as an answer.
fn note(content: &Content<'_>, odd_reason: Option<&str>, message: Option<&str>) -> Option<String> {
    let mut note = String::new();
    if let Some(reason) = odd_reason {
        note = format!("the model stopped with {reason}");
        if let Some(message) = message {
            note = format!("{note} ({message})");
        }
    }
    if !content.data.is_empty() {
        let names: Vec<_> = content.data.iter().map(|(name, value)| describe(name, value)).collect();
        let has_text = content.text.as_deref().is_some_and(|text| !text.trim().is_empty());
        let verb = if has_text { "beside the text there is" } else { "the answer is" };
        let separator = if note.is_empty() { "" } else { "; " };
        note = format!("{note}{separator}{verb} {}", names.join(", "));
    }
    (!note.is_empty()).then_some(note)
}

/// `functionCall look_up`, `inlineData image/png`.
fn describe(name: &str, value: &RawValue) -> String {
    let members = Members::of(value);
    let which = members.get(&["name", "mimeType", "mime_type", "language"]).and_then(json::string);
    match which {
        Some(which) => format!("{name} {which}"),
        None => name.to_owned(),
    }
}

/// The parts that are not text as JSON, with the bytes of inline data left out.
fn parts_as_json(data: &[(Cow<'_, str>, &RawValue)]) -> String {
    let parts: Vec<String> = data
        .iter()
        .map(|(name, value)| {
            let value = match name.as_ref() {
                "inlineData" | "inline_data" => Cow::Owned(without_bytes(value)),
                _ => json::compact(value.get()),
            };
            format!("{{{}:{value}}}", as_json(name))
        })
        .collect();
    match parts.as_slice() {
        [part] => part.clone(),
        _ => format!("[{}]", parts.join(",")),
    }
}

fn without_bytes(blob: &RawValue) -> String {
    let members: Vec<String> = Members::of(blob)
        .iter()
        .map(|(name, value)| match name {
            "data" => format!("\"base64Length\":{}", json::string(value).map_or(0, |data| data.len())),
            _ => format!("{}:{}", as_json(name), json::compact(value.get())),
        })
        .collect();
    format!("{{{}}}", members.join(","))
}

fn as_json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::value::RawValue;

    use super::{AnswerFormat, KeptAnswer, Reading, Usage, json_answer, unfenced};

    proptest! {
        /// An object without white space is found and checked by one walk; with some, the parser proves it first.
        #[test]
        fn an_object_says_the_same_with_white_space_in_it(
            members in proptest::collection::vec(
                (
                    prop_oneof!["[abc]", Just("\\u0061".to_owned())],
                    prop_oneof!["[0-9]{1,2}", "\"[xyz]\"", Just("null".to_owned()), Just("[1,\"x\"]".to_owned()),
                        Just("{\"a\":2}".to_owned()), Just("01".to_owned())],
                ),
                0..4,
            ),
            space in proptest::sample::select(vec![" ", "\n", "\t "]),
        ) {
            let schema = r#"{"responseMimeType":"application/json","responseSchema":{"type":"OBJECT","required":["b"],"properties":{
                "a":{"type":"INTEGER","maximum":50},"b":{"type":"STRING","enum":["x","y"],"nullable":true},
                "c":{"anyOf":[{"type":"ARRAY","items":{"type":"INTEGER"}},{"type":"OBJECT","properties":{"a":{"type":"STRING"}}}]}}}}"#;
            let schema = AnswerFormat::from_generation_config(serde_json::from_str::<&RawValue>(schema).unwrap());
            let members: Vec<String> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
            let text = format!("{{{}}}", members.join(","));
            let spaced = text.replacen('{', &format!("{{{space}"), 1);
            for format in [AnswerFormat::json(), schema] {
                match (json_answer(&text, &format), json_answer(&spaced, &format)) {
                    (Ok(one), Ok(other)) => {
                        prop_assert_eq!(&one.text, &other.text);
                        prop_assert_eq!(format!("{:?}", one.misfit), format!("{:?}", other.misfit));
                        let (fields, others) = (one.fields.of(&one.text), other.fields.of(&other.text));
                        prop_assert!(fields.eq(others), "{}", text);
                    }
                    (one, other) => prop_assert!(one.is_err() && other.is_err(), "{}", text),
                }
            }
        }
    }

    proptest! {
        /// Whatever was asked for, and whatever came of it.
        #[test]
        fn an_answer_reads_as_the_response_that_it_was_kept_of(
            text in prop_oneof![
                "[ \n\"]{0,2}(sport|tech|42|x y)?[ \n\"]{0,2}", "(```(json)?\n?)?\"sport\"(\n?```)?", "\\{\"a\": ?[0-9x]\\}",
            ],
            finish_reason in proptest::option::of(proptest::sample::select(
                vec!["", "STOP", "STOP", "OTHER", "MAX_TOKENS", "SAFETY", "FINISH_REASON_UNSPECIFIED"],
            )),
            model_version in proptest::option::of(Just("v")),
            count: Option<u64>,
        ) {
            let of_config = |config| AnswerFormat::from_generation_config(serde_json::from_str::<&RawValue>(config).unwrap());
            let usage = Usage { total_tokens: count, ..Usage::default() };
            let answer = KeptAnswer { text: &text, finish_reason, model_version, usage };
            for format in [
                AnswerFormat::text(),
                AnswerFormat::json(),
                of_config(r#"{"responseMimeType":"application/json","responseSchema":{"type":"STRING","enum":["sport","x y"]}}"#),
                of_config(r#"{"responseMimeType":"text/x.enum","responseSchema":{"type":"STRING","enum":["sport","x y"]}}"#),
            ] {
                let by_response = Reading::of("", answer.into_response(), &format);
                let reading = Reading::of_answer(&answer, &format);
                prop_assert_eq!(format!("{reading:?}"), format!("{by_response:?}"));
            }
        }
    }

    #[test]
    fn a_fence_of_one_line_or_of_several() {
        assert_eq!(unfenced("```json\n{\"a\":1}\n```"), Some("{\"a\":1}"));
        assert_eq!(unfenced("```json {\"a\":1}```"), Some("{\"a\":1}"));
        assert_eq!(unfenced(" ```sport``` "), Some("sport"));
        assert_eq!(unfenced("```jsonl```"), Some("jsonl"));
        assert_eq!(unfenced("sport"), None);
        assert_eq!(unfenced("```two words\nsport```"), None);
    }
}
