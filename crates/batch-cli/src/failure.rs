//! What could not be done, and how it is told: the chain of causes, and what to do.

use std::{error::Error as StdError, fmt::Write as _};

use serde_json::json;

use crate::{
    exit::Exit,
    terminal::{NobodyReads, Terminal},
};

/// A command that could not do its work.
#[derive(Debug)]
pub(crate) struct Failure {
    error: Box<dyn StdError + Send + Sync>,
    hint: Option<String>,
    exit: Exit,
}

pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    /// A failure that is only a sentence.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { error: message.into().into(), hint: None, exit: Exit::Failed }
    }

    /// A failure to do something with a file.
    pub(crate) fn io(doing: &str, path: &std::path::Path, error: std::io::Error) -> Self {
        Self::caused(format!("{doing} {}", path.display()), error)
    }

    /// A sentence with a cause.
    pub(crate) fn caused(message: impl Into<String>, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self {
            error: Box::new(Caused { message: message.into(), cause: cause.into() }),
            hint: None,
            exit: Exit::Failed,
        }
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// Whether the reader of our standard output went away: no failure of ours.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        let mut cause: Option<&(dyn StdError + 'static)> = Some(&*self.error);
        while let Some(error) = cause {
            if let Some(io) = error.downcast_ref::<std::io::Error>()
                && io.get_ref().is_some_and(|inner| inner.is::<NobodyReads>())
            {
                return true;
            }
            cause = error.source();
        }
        false
    }

    /// Tells it on standard error.
    pub(crate) fn tell(&self, terminal: &Terminal) {
        if terminal.talks_json() {
            let mut causes = Vec::new();
            let mut cause = self.error.source();
            while let Some(error) = cause {
                causes.push(error.to_string());
                cause = error.source();
            }
            terminal.say_json(json!({
                "event": "error", "message": self.error.to_string(), "causes": causes, "hint": self.hint,
            }));
            return;
        }
        let mut text = format!("{} {}", terminal.red("error:"), terminal.safe(&self.error.to_string()));
        let mut cause = self.error.source();
        while let Some(error) = cause {
            let _ = write!(text, "\n  caused by: {}", terminal.safe(&error.to_string()));
            cause = error.source();
        }
        if let Some(hint) = &self.hint {
            let _ = write!(text, "\n{} {}", terminal.bold("hint:"), terminal.safe(hint));
        }
        terminal.say(&text);
    }
}

#[derive(Debug)]
struct Caused {
    message: String,
    cause: Box<dyn StdError + Send + Sync>,
}

impl std::fmt::Display for Caused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Caused {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.cause)
    }
}

impl From<batch_pipeline::Error> for Failure {
    fn from(error: batch_pipeline::Error) -> Self {
        let exit = match error.kind() {
            batch_pipeline::Kind::Interrupted => Exit::Interrupted,
            batch_pipeline::Kind::Cost => Exit::TooExpensive,
            _ => Exit::Failed,
        };
        Self { hint: error.hint().map(str::to_owned), error: Box::new(error), exit }
    }
}

/// Errors that say by `hint()` what to do.
macro_rules! from_hinting {
    ($($error:ty),*) => { $(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self { hint: error.hint().map(str::to_owned), error: Box::new(error), exit: Exit::Failed }
            }
        }
    )* };
}

from_hinting!(batch_bq::sql::SqlError, batch_io::Error, batch_backend::Error, batch_eval::Error, batch_emulator::Error);
