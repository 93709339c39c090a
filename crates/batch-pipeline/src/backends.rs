//! What a run runs on.

use std::{fmt, sync::Arc};

use batch_backend::{InputStore, JobService, OutputStore, RecordStore};

use crate::{Clock, Events, Stop, clock};

/// The backends of a run. Which they are is decided outside: the pipeline knows no address.
#[derive(Clone)]
pub struct Backends {
    /// Where request lines are staged.
    pub input: Arc<dyn InputStore>,
    /// Where predictions come from.
    pub output: Arc<dyn OutputStore>,
    /// The jobs.
    pub jobs: Arc<dyn JobService>,
    /// The records, where they lie in the service's own storage and not in a table here.
    pub records: Option<Arc<dyn RecordStore>>,
}

impl fmt::Debug for Backends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Backends({}, {}, {})", self.input, self.output, self.jobs)
    }
}

/// What a run is handed beside its backends: the time, an ear, and a way to be stopped.
#[derive(Clone)]
pub struct Context {
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Who is told.
    pub events: Events,
    /// Whether somebody asked to stop.
    pub stop: Stop,
}

impl Default for Context {
    /// This machine's clock, nobody told, never stopped.
    fn default() -> Self {
        Self { clock: clock::system(), events: Events::none(), stop: Stop::never() }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("stop", &self.stop).finish_non_exhaustive()
    }
}
