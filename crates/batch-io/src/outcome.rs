//! What became of a record, and why.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::predictions::RequestError;

/// What became of a record: the first that applies, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The service refused or failed the request; there is no response.
    RequestError,
    /// The prompt was blocked, or the answer was withheld by a filter.
    Blocked,
    /// The output limit cut the answer off, or was used up by thinking. The part that is
    /// there is kept.
    Truncated,
    /// The service is content, and there is nothing that could be an answer.
    Empty,
    /// There is an answer, and it is not what was asked for: no JSON, not of the schema, not
    /// among the values.
    InvalidAnswer,
    /// There is an answer of the form that was asked for.
    Answered,
    /// No prediction is this record's.
    Missing,
    /// The record was never sent.
    Skipped,
}

impl Outcome {
    /// All, in order of precedence.
    pub const ALL: [Self; 8] = [
        Self::RequestError,
        Self::Blocked,
        Self::Truncated,
        Self::Empty,
        Self::InvalidAnswer,
        Self::Answered,
        Self::Missing,
        Self::Skipped,
    ];

    /// As it stands in the column `outcome`: `request_error`, `blocked`, …
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RequestError => "request_error",
            Self::Blocked => "blocked",
            Self::Truncated => "truncated",
            Self::Empty => "empty",
            Self::InvalidAnswer => "invalid_answer",
            Self::Answered => "answered",
            Self::Missing => "missing",
            Self::Skipped => "skipped",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that names no outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an outcome")]
pub struct UnknownOutcome;

impl FromStr for Outcome {
    type Err = UnknownOutcome;

    fn from_str(text: &str) -> Result<Self, UnknownOutcome> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == text).ok_or(UnknownOutcome)
    }
}

/// Why a prediction is no clean answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Cause {
    /// Of [`Outcome::RequestError`].
    RequestError(RequestError),
    /// Of [`Outcome::Blocked`].
    Blocked(Blocked),
    /// Of [`Outcome::Truncated`].
    Truncated(Truncated),
    /// Of [`Outcome::Empty`].
    Empty(Empty),
    /// Of [`Outcome::InvalidAnswer`].
    InvalidAnswer(InvalidAnswer),
}

/// What was blocked and by which filter.
///
/// A finish reason counts as blocked where the service withholds what the model made for
/// what it says: `SAFETY`, `RECITATION` (too close to a source), `BLOCKLIST`,
/// `PROHIBITED_CONTENT`, `SPII`, `MODEL_ARMOR`, `IMAGE_SAFETY`,
/// `IMAGE_PROHIBITED_CONTENT` and `IMAGE_RECITATION`. `OTHER`, `LANGUAGE`, `NO_IMAGE`, the
/// malformed calls and whatever is not known are no filters: they are empty without text,
/// and answered with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Blocked {
    /// What the filter stopped.
    pub what: BlockedPart,
    /// `promptFeedback.blockReason`, or the candidate's finish reason.
    pub reason: String,
    /// The service's words, where it has any.
    pub message: Option<String>,
}

/// What a filter stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockedPart {
    /// The prompt: there are no candidates.
    Prompt,
    /// The answer.
    Answer,
}

/// How the output limit was used up (`finishReason` `MAX_TOKENS`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Truncated {
    /// Whether a part of the answer is there.
    pub has_answer: bool,
    /// Tokens of the answer.
    pub candidates_tokens: Option<u64>,
    /// Tokens of thinking, which the same limit covers.
    pub thoughts_tokens: Option<u64>,
}

/// Where the response ends before there is an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Empty {
    /// What is not there.
    pub what: Nothing,
    /// The candidate's finish reason, such as `NO_IMAGE` or `MALFORMED_FUNCTION_CALL`.
    pub finish_reason: Option<String>,
    /// The service's words, where it has any.
    pub message: Option<String>,
}

/// What a response without an answer lacks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Nothing {
    /// The line has no response, and no status that says why.
    Response,
    /// The response is of another model's API; the name of its first member.
    OtherApi(String),
    /// The response has no candidates.
    Candidates,
    /// The candidate has no content, or content of no parts.
    Parts,
    /// All parts are thoughts.
    Answer,
    /// The text is of no characters, or of white space alone.
    Text,
}

/// How an answer is not what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum InvalidAnswer {
    /// JSON was asked for; the parser's words.
    NotJson(String),
    /// One of a list of values was asked for.
    NotAllowed {
        /// The answer, or its beginning.
        answer: String,
        /// How many values there are to choose from.
        choices: usize,
    },
    /// The JSON does not fit the schema.
    Misfit {
        /// A JSON pointer into the answer; empty for the whole.
        pointer: String,
        /// What is wrong there.
        what: String,
    },
    /// JSON or one of a list of values was asked for, and the answer has no text; the kind
    /// of part it has instead, such as `functionCall`.
    NotText(String),
}

impl Cause {
    /// The outcome that it is the cause of.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::RequestError(_) => Outcome::RequestError,
            Self::Blocked(_) => Outcome::Blocked,
            Self::Truncated(_) => Outcome::Truncated,
            Self::Empty(_) => Outcome::Empty,
            Self::InvalidAnswer(_) => Outcome::InvalidAnswer,
        }
    }
}

impl fmt::Display for Cause {
    /// One sentence without its full stop.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RequestError(cause) => cause.fmt(f),
            Self::Blocked(cause) => cause.fmt(f),
            Self::Truncated(cause) => cause.fmt(f),
            Self::Empty(cause) => cause.fmt(f),
            Self::InvalidAnswer(cause) => cause.fmt(f),
        }
    }
}

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.what {
            BlockedPart::Prompt => "the prompt was blocked",
            BlockedPart::Answer => "the answer was blocked",
        };
        write!(f, "{what}: {}", self.reason)?;
        message(f, self.message.as_deref())
    }
}

impl fmt::Display for Truncated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let thoughts = self.thoughts_tokens.filter(|&count| count != 0);
        match (self.has_answer, thoughts, self.candidates_tokens) {
            (false, Some(thoughts), _) => {
                write!(f, "the output limit was used up by {thoughts} tokens of thinking, before the answer began")
            }
            (false, None, _) => f.write_str("the output limit was reached before the answer began"),
            (true, Some(thoughts), Some(answer)) => {
                write!(f, "cut off at the output limit after {answer} tokens, beside {thoughts} of thinking")
            }
            (true, _, Some(answer)) => write!(f, "cut off at the output limit after {answer} tokens"),
            (true, Some(thoughts), None) => {
                write!(f, "cut off at the output limit, beside {thoughts} tokens of thinking")
            }
            (true, None, None) => f.write_str("cut off at the output limit"),
        }
    }
}

impl fmt::Display for Empty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            Nothing::Response => f.write_str("the line has neither a response nor an error")?,
            Nothing::OtherApi(member) => write!(f, "the response has {member:?} and no candidates")?,
            Nothing::Candidates => f.write_str("the response has no candidates")?,
            Nothing::Parts => f.write_str("the candidate has no content")?,
            Nothing::Answer => f.write_str("the candidate has thoughts and no answer")?,
            Nothing::Text => f.write_str("the answer is empty")?,
        }
        if let Some(reason) = &self.finish_reason {
            write!(f, ", finish reason {reason}")?;
        }
        message(f, self.message.as_deref())
    }
}

impl fmt::Display for InvalidAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson(words) => write!(f, "the answer is not JSON: {words}"),
            Self::NotAllowed { answer, choices } => {
                write!(f, "the answer is {answer}, which is not among the {choices} allowed values")
            }
            Self::Misfit { pointer, what } if pointer.is_empty() => write!(f, "the answer {what}"),
            Self::Misfit { pointer, what } => write!(f, "the answer's {pointer} {what}"),
            Self::NotText(part) => write!(f, "the answer is a {part} and no text"),
        }
    }
}

fn message(f: &mut fmt::Formatter<'_>, message: Option<&str>) -> fmt::Result {
    match message {
        Some(message) => write!(f, " ({message})"),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_column() {
        for outcome in Outcome::ALL {
            assert_eq!(outcome.as_str().parse(), Ok(outcome));
            assert_eq!(serde_json::to_string(&outcome).unwrap(), format!("\"{outcome}\""));
        }
        assert_eq!("Answered".parse::<Outcome>(), Err(UnknownOutcome));
        assert!(Outcome::ALL.is_sorted());
    }
}
