//! The error of this crate: a setting that cannot be meant.

use std::fmt;

/// Why a setting was refused. Records are never refused: see the table on the front page.
#[derive(Debug)]
pub struct Error(Box<Repr>);

#[derive(Debug)]
struct Repr {
    kind: ErrorKind,
    message: String,
    hint: String,
}

/// What kind of setting was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A label in [`Options::labels`](crate::Options::labels) is blank under the rules.
    EmptyLabel,
    /// Two labels in [`Options::labels`](crate::Options::labels) are the same under the rules.
    DuplicateLabel,
    /// A minimum in [`Thresholds`](crate::Thresholds) is outside the range of its metric.
    ThresholdOutOfRange,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: String, hint: impl Into<String>) -> Self {
        Self(Box::new(Repr { kind, message, hint: hint.into() }))
    }

    /// What kind of setting was refused.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What to do about it, as a sentence of its own; not part of the message.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        Some(&self.0.hint)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {}
