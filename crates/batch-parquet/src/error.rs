//! The one error type of the crate.

use std::error::Error as StdError;
use std::{fmt, io};

use parquet::errors::ParquetError;

/// The result of anything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a Parquet file was not written.
///
/// The [`Display`](fmt::Display) form is one lower-case fragment; what went wrong underneath is in
/// [`source`](StdError::source) alone.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    source: Box<dyn StdError + Send + Sync>,
}

/// What kind of fault an [`Error`] is, for a program to branch on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Writing failed; the [`source`](StdError::source) is the [`io::Error`].
    Io,
    /// What was to be written goes beyond what the format can hold.
    Format,
}

impl Error {
    /// What was written before failed in this way, and nothing can follow.
    pub(crate) fn broken(kind: ErrorKind) -> Self {
        Self { kind, source: "an earlier row group could not be written".into() }
    }

    /// What kind of fault it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whether writing failed, as opposed to what was written.
    pub fn is_io(&self) -> bool {
        self.kind == ErrorKind::Io
    }
}

impl From<ParquetError> for Error {
    fn from(error: ParquetError) -> Self {
        let source: Box<dyn StdError + Send + Sync> = match error {
            ParquetError::External(source) => source,
            error => Box::new(error),
        };
        let kind = if source.is::<io::Error>() { ErrorKind::Io } else { ErrorKind::Format };
        Self { kind, source }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            ErrorKind::Io => "writing the results failed",
            ErrorKind::Format => "the results do not fit into a Parquet file",
        })
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.source)
    }
}
