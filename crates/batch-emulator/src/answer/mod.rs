//! What answers the requests of a job.
//!
//! An [`Answerer`] gets one request at a time and gives a [`Reply`]. It may take its time:
//! the answers of a network service fit in here as well as computed ones.

mod gemini;
mod generate;
mod openai;
mod pattern;
mod recording;
mod replay;
mod request;
mod response;
mod schema;
mod server;
mod text;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use futures::future::BoxFuture;

pub use recording::{RecordingAbout, condense};
pub(crate) use response::{Spoiled, Stamp, candidates_of, write_response};
pub use server::{AnswerOptions, ApiKey, ModelServer};

use crate::json::Json;
use crate::{Error, ErrorKind};

/// What answers the requests of batch prediction jobs.
///
/// ```
/// use batch_emulator::Answer;
///
/// assert_eq!("schema".parse::<Answer>()?, Answer::Schema);
/// assert_eq!(
///     "replay:monday.jsonl".parse::<Answer>()?,
///     Answer::Replay("monday.jsonl".into())
/// );
/// # Ok::<(), batch_emulator::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// `schema`: answers that obey the response schema of the request, drawn from a hash of
    /// the request. The same request gets the same answer on every machine, whatever its
    /// labels; there is no sense in it.
    #[default]
    Schema,
    /// `replay:FILE`: what the predictions in a JSONL file answered to the same request.
    ///
    /// The lines are as the service writes them; `request` and `response` are enough. So is
    /// what [`condense`] makes of them, with a hash in the place of each request.
    /// Requests are the same when they differ in nothing but labels, the order of members,
    /// nulls, `1.0` for `1`, and snake_case for camelCase. Of several predictions for one
    /// request the first usable one counts. A request without a prediction becomes a row
    /// with an error in `status`.
    Replay(PathBuf),
    /// `openai:URL` or `openai:URL#MODEL`: what a server answers that speaks OpenAI's chat
    /// completions at `URL/chat/completions`, as most servers of open models do.
    ///
    /// The request is translated, and the answer back. A real model is asked, so nothing
    /// promises the same answer twice.
    OpenAi(ModelServer),
    /// `gemini:URL` or `gemini:URL#MODEL`: what a server answers that speaks Gemini's own
    /// `generateContent`. A response comes back whole.
    ///
    /// An address with `/projects/…` or `/publishers/…` in its path is taken for one with
    /// Vertex AI's paths; any other gets the Gemini Developer API's `/models/…`, below
    /// `/v1beta` where it has no path.
    Gemini(ModelServer),
}

impl FromStr for Answer {
    type Err = Error;

    fn from_str(text: &str) -> Result<Answer, Error> {
        match text.split_once(':') {
            None if text == "schema" => Ok(Answer::Schema),
            Some(("replay", file)) if !file.is_empty() => Ok(Answer::Replay(file.into())),
            Some(("openai", server)) => Ok(Answer::OpenAi(server.parse()?)),
            Some(("gemini", server)) => Ok(Answer::Gemini(server.parse()?)),
            _ => Err(Error::new(ErrorKind::Config, format!("there is no answerer {text:?}"))
                .with_hint("the answerers are `schema`, `replay:FILE`, `openai:URL` and `gemini:URL`")),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answer::Schema => f.write_str("schema"),
            Answer::Replay(file) => write!(f, "replay:{}", file.display()),
            Answer::OpenAi(server) => write!(f, "openai:{server}"),
            Answer::Gemini(server) => write!(f, "gemini:{server}"),
        }
    }
}

impl Answer {
    /// Makes it ready. Reads files, so call it on a blocking thread.
    pub(crate) fn open(&self, options: &AnswerOptions) -> Result<Arc<dyn Answerer>, Error> {
        Ok(match self {
            Answer::Schema => Arc::new(schema::SchemaAnswerer::default()),
            Answer::Replay(file) => Arc::new(replay::Replay::open(file)?),
            Answer::OpenAi(server) => Arc::new(openai::OpenAi::open(server, options)?),
            Answer::Gemini(server) => Arc::new(gemini::Gemini::open(server, options)?),
        })
    }
}

/// Answers requests, in its own time.
pub(crate) trait Answerer: fmt::Debug + Send + Sync {
    /// The reply to one request.
    fn answer<'a>(&'a self, question: &'a Question<'a>) -> BoxFuture<'a, Reply>;

    /// How many requests a worker of a job may have under way at once. A computed answer
    /// gains nothing from more than one.
    fn concurrency(&self) -> usize {
        1
    }
}

/// One request, already found to be valid.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'q> {
    /// The `GenerateContentRequest`.
    pub(crate) request: Json<'q>,
    /// The name of the job's model, without a path.
    pub(crate) model: &'q str,
    /// The hash of its canonical form.
    pub(crate) hash: u128,
    /// What stands for its generation configuration, where other requests have the same: equal ones have one.
    pub(crate) config: Option<u128>,
}

/// What an answerer has to say.
#[derive(Debug)]
pub(crate) enum Reply {
    /// Candidates; the job makes a `GenerateContentResponse` around them.
    Candidates(Vec<Candidate>),
    /// A whole `GenerateContentResponse` as JSON, and its `status`.
    Whole {
        /// `""`, or what was wrong.
        status: String,
        /// The JSON, to be passed on as it is.
        response: Vec<u8>,
    },
    /// The row fails.
    Refused(RowError),
}

impl From<Result<Vec<u8>, RowError>> for Reply {
    fn from(answer: Result<Vec<u8>, RowError>) -> Reply {
        match answer {
            Ok(response) => Reply::Whole { status: String::new(), response },
            Err(error) => Reply::Refused(error),
        }
    }
}

/// One candidate.
#[derive(Debug)]
pub(crate) struct Candidate {
    /// What it consists of.
    pub(crate) content: Content,
    /// Whether it was cut at the limit of tokens.
    pub(crate) truncated: bool,
}

/// The content of a candidate.
#[derive(Debug)]
pub(crate) enum Content {
    /// A text part.
    Text(String),
    /// A function call: the name, and the arguments as JSON.
    Call(String, Vec<u8>),
}

/// Why a row failed, in the terms of an HTTP reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RowError {
    /// The HTTP status code.
    pub(crate) code: u16,
    /// The sentence for people.
    pub(crate) message: String,
}

impl RowError {
    /// The request is wrong.
    pub(crate) fn invalid(message: impl Into<String>) -> RowError {
        RowError { code: 400, message: message.into() }
    }

    /// What stands in a row's `status`: the HTTP reason phrase and the error envelope,
    /// spaced as Python's `json.dumps` does it. For 400 this is what the service's
    /// documentation shows; for the other codes it is likely.
    pub(crate) fn status(&self) -> String {
        let (phrase, canonical) = match self.code {
            400 => ("Bad Request", "INVALID_ARGUMENT"),
            401 => ("Unauthorized", "UNAUTHENTICATED"),
            403 => ("Forbidden", "PERMISSION_DENIED"),
            404 => ("Not Found", "NOT_FOUND"),
            429 => ("Too Many Requests", "RESOURCE_EXHAUSTED"),
            503 => ("Service Unavailable", "UNAVAILABLE"),
            504 => ("Gateway Timeout", "DEADLINE_EXCEEDED"),
            _ => ("Internal Server Error", "INTERNAL"),
        };
        let mut message = Vec::new();
        crate::json::write_text(&self.message, &mut message);
        format!(
            "{phrase}: {{\"error\": {{\"code\": {}, \"message\": {}, \"status\": \"{canonical}\"}}}}",
            self.code,
            String::from_utf8_lossy(&message)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answerers_are_read_and_written_by_name() {
        for text in ["schema", "replay:a:b.jsonl"] {
            assert_eq!(text.parse::<Answer>().unwrap().to_string(), text);
        }
        for text in ["", "replay", "replay:", "Schema", "oracle:x"] {
            let error = text.parse::<Answer>().unwrap_err();
            assert!(error.hint().unwrap().contains("replay:FILE"), "{text}");
        }
    }

    #[test]
    fn a_status_is_what_the_documentation_shows() {
        assert_eq!(
            RowError::invalid("Please use a valid role: user, model.").status(),
            r#"Bad Request: {"error": {"code": 400, "message": "Please use a valid role: user, model.", "status": "INVALID_ARGUMENT"}}"#
        );
    }
}
