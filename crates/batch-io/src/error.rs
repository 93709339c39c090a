//! The one error type of the crate: what is wrong, where, and what to do about it.

use std::error::Error as StdError;
use std::fmt;

/// The result of anything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a table, a template, a request line or a predictions file was refused.
///
/// The [`Display`](fmt::Display) form is one lower-case fragment that begins with the
/// [`Position`]: `news.csv, line 7: 2 fields where the header has 3`. What went wrong
/// underneath (an IO error, the JSON parser's words) is in
/// [`source`](StdError::source) and never repeated in the fragment; what to do is in
/// [`hint`](Error::hint).
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    position: Position,
    hint: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// What kind of fault an [`Error`] is, for a program to branch on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Reading or writing failed; the [`source`](StdError::source) is the
    /// [`std::io::Error`].
    Io,
    /// A table of no bytes, or of nothing but blank lines.
    EmptyTable,
    /// A header, and no record under it.
    NoRecords,
    /// A header name that is empty or stands twice.
    Header,
    /// A record with more or fewer fields than the header.
    Ragged,
    /// Bytes that are not UTF-8.
    Encoding,
    /// Quotes that break RFC 4180: left open, or with text behind them.
    Quote,
    /// A carriage return outside quotes that does not end a line.
    LineEnd,
    /// One record or line that is longer than what is read into memory at once.
    TooLong,
    /// A line that is not JSON, or not the JSON that is due.
    Json,
    /// A column that the table does not have.
    UnknownColumn,
    /// A template that does not compile, or that fails on a record.
    Template,
    /// A setting that can never work: a delimiter, a role, a label's name, a reserved
    /// column.
    Setting,
    /// A key that is empty.
    EmptyKey,
    /// A key that two records share.
    DuplicateKey,
    /// A file part whose URI is empty or of a scheme that the service does not read, or
    /// that has no MIME type.
    FilePart,
}

/// Where an [`Error`] stands. Whatever does not apply is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Position {
    /// The file, by the name it was opened under.
    pub file: Option<String>,
    /// The physical line, from 1; of a record that spans lines, the first unless the
    /// fault is further down.
    pub line: Option<u64>,
    /// The offset in bytes from the beginning of the file, from 0.
    pub byte: Option<u64>,
    /// The column's name.
    pub column: Option<String>,
    /// The record's key.
    pub key: Option<String>,
}

impl Position {
    /// In a file as a whole.
    pub(crate) fn file(name: impl Into<String>) -> Self {
        Self { file: Some(name.into()), ..Self::default() }
    }

    pub(crate) fn line(mut self, line: u64) -> Self {
        self.line = Some(line);
        self
    }

    pub(crate) fn byte(mut self, byte: u64) -> Self {
        self.byte = Some(byte);
        self
    }

    pub(crate) fn column(mut self, column: impl Into<String>) -> Self {
        self.column = Some(column.into());
        self
    }

    pub(crate) fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }
}

impl fmt::Display for Position {
    /// `news.csv, line 7, byte 312, column "body", key "r6"`, as far as known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        if let Some(file) = &self.file {
            f.write_str(file)?;
            separator = ", ";
        }
        if let Some(line) = self.line {
            write!(f, "{separator}line {line}")?;
            separator = ", ";
        }
        if let Some(byte) = self.byte {
            write!(f, "{separator}byte {byte}")?;
            separator = ", ";
        }
        if let Some(column) = &self.column {
            write!(f, "{separator}column {column:?}")?;
            separator = ", ";
        }
        if let Some(key) = &self.key {
            write!(f, "{separator}key {key:?}")?;
        }
        Ok(())
    }
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, message: message.into(), position: Position::default(), hint: None, source: None }))
    }

    /// `message` says what was being done: "reading failed", not what the system said.
    pub(crate) fn io(message: impl Into<String>, source: std::io::Error) -> Self {
        Self::new(ErrorKind::Io, message).caused_by(source)
    }

    pub(crate) fn at(mut self, position: Position) -> Self {
        self.0.position = position;
        self
    }

    /// Adds the file to a place that was found without knowing it.
    pub(crate) fn in_file(mut self, name: &str) -> Self {
        self.0.position.file = Some(name.to_owned());
        self
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    pub(crate) fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The JSON parser's words, without the place that they end with: it counts from the
    /// beginning of what was parsed, not of the file.
    pub(crate) fn caused_by_json(self, source: &serde_json::Error) -> Self {
        let text = source.to_string();
        let place = format!(" at line {} column {}", source.line(), source.column());
        self.caused_by(text.strip_suffix(&place).unwrap_or(&text))
    }

    /// What kind of fault it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Where it is.
    pub fn position(&self) -> &Position {
        &self.0.position
    }

    /// What to do about it, as one sentence without its full stop, where that is known.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// Whether reading or writing failed, as opposed to what was read.
    pub fn is_io(&self) -> bool {
        self.0.kind == ErrorKind::Io
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.position != Position::default() {
            write!(f, "{}: ", self.0.position)?;
        }
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .field("position", &self.0.position)
            .field("hint", &self.0.hint)
            .field("source", &self.0.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
