//! One error for the whole pipeline.

use std::{error::Error as StdError, fmt, io, path::Path};

/// What became of a step of the pipeline.
pub type Result<T, E = Error> = std::result::Result<T, E>;

type Cause = Box<dyn StdError + Send + Sync>;

/// What kind of failure it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// The spec cannot be read, or says something that cannot be.
    Spec,
    /// The input table, a template or the request lines are wrong.
    Input,
    /// The run directory cannot be used: another run's, in use, or not writable.
    RunDirectory,
    /// The cache of answers cannot be read or written.
    Cache,
    /// A backend failed; the source says how.
    Backend,
    /// The job failed as a whole; no record was answered.
    Job,
    /// It would cost more than is allowed, or nobody knows what.
    Cost,
    /// Something is not any more what a plan was made of.
    Changed,
    /// Somebody asked to stop. What was begun goes on in the service.
    Interrupted,
    /// The pipeline contradicts itself: a fault of ours.
    Bug,
}

/// A step of the pipeline that failed.
///
/// `Display` says what failed, and where; why is in `source()`, what to do in [`hint`](Self::hint).
pub struct Error(Box<Inner>);

struct Inner {
    kind: Kind,
    message: String,
    place: Option<Place>,
    hint: Option<String>,
    source: Option<Cause>,
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file, as it was named.
    pub file: String,
    /// The line, from 1; 0 where it is not known.
    pub line: usize,
    /// The column in characters, from 1; 0 where it is not known.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        if self.column > 0 {
            write!(f, ":{}", self.column)?;
        }
        Ok(())
    }
}

impl Error {
    /// A failure of `kind`; `message` fits "failed to …" or states what is wrong.
    #[must_use]
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, message: message.into(), place: None, hint: None, source: None }))
    }

    /// A failure to do something with a file.
    pub(crate) fn io(kind: Kind, doing: &str, path: &Path, error: io::Error) -> Self {
        Self::new(kind, format!("{doing} {}", path.display())).with_source(error)
    }

    /// Adds where it is.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.0.place = Some(place);
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Cause>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// What kind of failure it was.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Where it is, if it is in a file.
    #[must_use]
    pub fn place(&self) -> Option<&Place> {
        self.0.place.as_ref()
    }

    /// What to do about it: ours, or the hint of the cause below.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        if let Some(hint) = &self.0.hint {
            return Some(hint);
        }
        let mut cause = self.source();
        while let Some(error) = cause {
            let hint = match (error.downcast_ref::<batch_backend::Error>(), error.downcast_ref::<batch_io::Error>()) {
                (Some(backend), _) => backend.hint(),
                (_, Some(io)) => io.hint(),
                _ => None,
            };
            if hint.is_some() {
                return hint;
            }
            if error.downcast_ref().is_some_and(|error: &io::Error| error.kind() == io::ErrorKind::StorageFull) {
                return Some(
                    "make room on the disk and run the same command again, without --new: it goes on from here",
                );
            }
            cause = error.source();
        }
        None
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.0.place {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { kind, message, place, hint, source } = &*self.0;
        f.debug_struct("Error")
            .field("kind", kind)
            .field("message", message)
            .field("place", place)
            .field("hint", hint)
            .field("source", source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_says_what_to_do_however_deep_it_lies() {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        let direct = Error::io(Kind::RunDirectory, "write", Path::new("x"), full());
        let within = Error::new(Kind::Input, "join the predictions").with_source(io::Error::other(direct));
        let hint = within.hint().unwrap();
        assert!(hint.starts_with("make room on the disk"), "{hint}");
        let other = Error::io(Kind::RunDirectory, "write", Path::new("x"), io::ErrorKind::NotFound.into());
        assert_eq!(other.hint(), None);
    }
}
