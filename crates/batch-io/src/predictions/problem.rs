//! What is wrong with a line that is not a prediction: data, not the end of the reading.

use std::fmt;

use serde::Serialize;

/// A line of a predictions file that could not be read. The lines around it are read all
/// the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Problem {
    /// The file, by the name it was opened under.
    pub file: String,
    /// The line, from 1.
    pub line: u64,
    /// The offset in bytes from the beginning of the file at which the line begins, from 0.
    pub byte: u64,
    /// What kind of fault it is.
    pub kind: ProblemKind,
    /// The fault in words, with its place in the line where the line is long.
    pub message: String,
}

/// What kind of fault a [`Problem`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ProblemKind {
    /// The last line of a file ends before its JSON does: the file was cut, or is still
    /// being written.
    Cut,
    /// Bytes that are not UTF-8.
    NotUtf8,
    /// Text that is not JSON.
    NotJson,
    /// JSON that is not an object.
    NotAnObject,
    /// A line longer than what is read into memory at once.
    TooLong,
}

impl ProblemKind {
    /// The kind as it is written in JSON: `cut`, `not_utf8`, …
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cut => "cut",
            Self::NotUtf8 => "not_utf8",
            Self::NotJson => "not_json",
            Self::NotAnObject => "not_an_object",
            Self::TooLong => "too_long",
        }
    }
}

impl fmt::Display for Problem {
    /// `predictions.jsonl, line 7, byte 18204: the line is cut off after 312 bytes`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, line {}, byte {}: {}", self.file, self.line, self.byte, self.message)
    }
}
