//! What a run tells while it works. Each event carries the numbers that it reports.

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use batch_model::{CompletionStats, JobName, JobState};

/// Something happened.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// A run was begun, or goes on.
    Run {
        /// Its directory.
        directory: PathBuf,
        /// Whether it was begun before.
        resumed: bool,
    },
    /// A round of retries was begun.
    Retrying {
        /// Which, from 1.
        round: u32,
        /// How many records it asks about.
        records: u64,
        /// Whether the service resumes its own output.
        resumed: bool,
    },
    /// Records were answered before, and are not sent.
    Cached {
        /// How many.
        records: u64,
    },
    /// What was answered could not be noted for the runs that follow; this run has all of it.
    NotNoted {
        /// Why.
        error: String,
    },
    /// Request lines are being built and staged.
    Staging {
        /// Records so far, of the whole input.
        records: u64,
        /// Bytes of request lines so far.
        bytes: u64,
    },
    /// A shard lies where the service reads it.
    Staged {
        /// Which.
        shard: usize,
        /// How many records it has.
        records: u64,
        /// How many bytes of request lines.
        bytes: u64,
        /// Where.
        uri: String,
        /// Whether it lay there already.
        found: bool,
    },
    /// A job was created, or found.
    Submitted {
        /// For which shard.
        shard: usize,
        /// Its name.
        job: JobName,
        /// Whether it had been created before.
        adopted: bool,
    },
    /// The service refused to create a job, and will. The other shards go on.
    Refused {
        /// For which shard.
        shard: usize,
        /// Why.
        error: String,
    },
    /// A job was looked at.
    Polled {
        /// For which shard.
        shard: usize,
        /// Its name.
        job: JobName,
        /// Its state.
        state: JobState,
        /// Whether the state is another than before.
        changed: bool,
        /// Counts of rows, where the service gives them.
        stats: Option<Box<CompletionStats>>,
        /// How many records the job has.
        records: u64,
        /// Since the job was created.
        age: Duration,
        /// Since it was seen to run, if it was.
        running: Option<Duration>,
        /// When it will be looked at again, unless it has ended.
        next: Option<Duration>,
    },
    /// A job could not be looked at; it will be again.
    PollFailed {
        /// For which shard.
        shard: usize,
        /// Why.
        error: String,
        /// When it will be looked at again.
        next: Duration,
    },
    /// The service is away, and is called again.
    Away {
        /// For which shard.
        shard: usize,
        /// What could not be done: "create the job".
        doing: &'static str,
        /// Why.
        error: String,
        /// When it is tried again.
        next: Duration,
    },
    /// Predictions are being collected.
    Collecting {
        /// Of which shard.
        shard: usize,
        /// Bytes so far.
        bytes: u64,
    },
    /// A shard's predictions are here.
    Collected {
        /// Of which shard.
        shard: usize,
        /// How many files.
        files: usize,
        /// How many bytes.
        bytes: u64,
    },
    /// Predictions are being joined to the records.
    Joining {
        /// Records so far.
        records: u64,
    },
    /// Results and report are written.
    Finished {
        /// The run's directory.
        directory: PathBuf,
    },
}

/// Where events go. Clones go to the same place.
#[derive(Clone)]
pub struct Events(Arc<dyn Fn(&Event) + Send + Sync>);

impl Events {
    /// Events go to `listener`, which is called from any thread and should return soon.
    pub fn new(listener: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        Self(Arc::new(listener))
    }

    /// Events go nowhere.
    #[must_use]
    pub fn none() -> Self {
        Self::new(|_| {})
    }

    pub(crate) fn send(&self, event: &Event) {
        (self.0)(event);
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Events")
    }
}
