//! One prediction told in full, for a person who asks what happened to a record.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::format::{AnswerFormat, Formats};
use super::lines::Line;
use super::problem::Problem;
use super::response::Response;
use super::usage::Usage;
use crate::json;
use crate::outcome::{Cause, Outcome};

/// Everything that one prediction line says, and what was made of it.
///
/// What the service wrote is in it as it came ([`request`](Self::request),
/// [`response`](Self::response), [`extra`](Self::extra)), beside the outcome and its cause.
///
/// ```
/// use batch_io::{Explanation, PredictionLines};
///
/// let file = r#"{"key":"r7","request":{"contents":[]},"status":"","response":{"candidates":[
///     {"finishReason":"MAX_TOKENS"}],"usageMetadata":{"thoughtsTokenCount":1024}}}"#.replace('\n', "");
/// let mut lines = PredictionLines::new(file.as_bytes(), "predictions.jsonl");
/// let line = lines.next_line()?.unwrap();
///
/// let told = Explanation::of(&line, None).unwrap();
/// assert_eq!(told.key.as_deref(), Some("r7"));
/// assert_eq!(told.outcome.as_str(), "truncated");
/// assert_eq!(told.detail, "the output limit was used up by 1024 tokens of thinking, before the answer began");
/// # Ok::<(), batch_io::Error>(())
/// ```
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Explanation {
    /// The file of the line.
    pub file: String,
    /// The line's number, from 1.
    pub line: u64,
    /// The offset in bytes of the line, from 0.
    pub byte: u64,
    /// The key as text, if the line has one.
    pub key: Option<String>,
    /// Which outcome it is.
    pub outcome: Outcome,
    /// Why it is not an answer.
    pub cause: Option<Cause>,
    /// The same as one sentence; see [`Reading::detail`](crate::Reading::detail).
    pub detail: String,
    /// The answer, or the part of it that is there.
    pub answer: Option<String>,
    /// The fields of an answer that is an object, in its order, each value as JSON.
    #[serde(serialize_with = "object")]
    pub fields: Vec<(String, Box<RawValue>)>,
    /// The text of the thoughts, where the request asked for them.
    pub thoughts: Option<String>,
    /// The candidate's finish reason.
    pub finish_reason: Option<String>,
    /// The token counts.
    pub usage: Usage,
    /// The model that answered.
    pub model_version: Option<String>,
    /// The status as the service wrote it.
    pub status: Option<Box<RawValue>>,
    /// When the service wrote the line, in its own notation.
    pub processed_time: Option<Box<RawValue>>,
    /// The request as echoed.
    pub request: Option<Box<RawValue>>,
    /// The response as received.
    pub response: Option<Box<RawValue>>,
    /// Every other member of the line, in its order.
    #[serde(serialize_with = "object")]
    pub extra: Vec<(String, Box<RawValue>)>,
}

impl Explanation {
    /// Tells what a line says. `format` is what its request asked for; without it the
    /// echoed request tells.
    ///
    /// # Errors
    /// The line's [`Problem`], if it is no prediction.
    pub fn of(line: &Line<'_>, format: Option<&AnswerFormat>) -> Result<Self, Problem> {
        let prediction = line.prediction()?;
        let request = prediction.request.as_deref();
        let format = Formats::new(format.cloned(), AnswerFormat::text()).of(request);
        let reading = prediction.read(&format);
        let text = |value: Option<&RawValue>| value.map(ToOwned::to_owned);
        let extra = [("error", prediction.error), ("id", prediction.id), ("custom_id", prediction.custom_id)]
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
            .chain(prediction.extra.iter().map(|(name, value)| (name.clone().into_owned(), (*value).to_owned())));
        Ok(Self {
            file: line.file().to_owned(),
            line: line.number(),
            byte: line.byte(),
            key: prediction.key().map(key_text),
            outcome: reading.outcome,
            detail: reading.detail(),
            fields: reading
                .fields()
                .filter_map(|(name, value)| Some((name.to_owned(), RawValue::from_string(value.to_owned()).ok()?)))
                .collect(),
            answer: reading.answer.as_deref().map(str::to_owned),
            thoughts: prediction.response.as_deref().and_then(thoughts),
            finish_reason: reading.finish_reason.as_deref().map(str::to_owned),
            usage: reading.usage,
            model_version: reading.model_version.as_deref().map(str::to_owned),
            cause: reading.cause,
            status: text(prediction.status),
            processed_time: text(prediction.processed_time),
            request: text(request),
            response: text(prediction.response.as_deref()),
            extra: extra.collect(),
        })
    }
}

/// A key of any type as text.
pub(crate) fn key_text(key: &RawValue) -> String {
    json::scalar(key).unwrap_or_else(|| json::compact(key.get())).into_owned()
}

fn thoughts(response: &RawValue) -> Option<String> {
    let parts = Response::read(response).candidate?.parts;
    let texts: Vec<_> = parts.into_iter().filter(|part| part.thought).filter_map(|part| part.text).collect();
    (!texts.is_empty()).then(|| texts.concat())
}

fn object<S: Serializer>(members: &[(String, Box<RawValue>)], serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(members.len()))?;
    for (name, value) in members {
        map.serialize_entry(name, value)?;
    }
    map.end()
}
