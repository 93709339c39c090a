//! Batch prediction jobs.
//!
//! The way of a job: [`create`] checks what a client asks for, [`life`] takes the job
//! through its states, [`import`] reads the rows, [`work`] has them answered and [`output`]
//! keeps the lines. [`routes`] is the API.

mod check;
mod config;
mod create;
mod filter;
pub(crate) mod glob;
mod import;
mod life;
mod line;
mod list;
mod memo;
mod models;
mod operations;
mod output;
mod plan;
mod record;
mod routes;
mod source;
mod state;
mod store;
mod table;
mod time;
mod work;

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use config::{FailedResponse, JobsConfig, LineGeneration, Models};

use self::operations::Operation;
use self::record::{JobFaults, Record, Stats, VERSION};
use self::state::JobState;
use self::store::Store;
use crate::answer::Answerer;
use crate::clock::timestamp;
use crate::context::Context;
use crate::{Error, ErrorKind};

/// The jobs of one emulator. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Jobs(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    context: Context,
    answerer: Arc<dyn Answerer>,
    store: Store,
    state: Mutex<State>,
    /// How many jobs have a task.
    living: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct State {
    jobs: BTreeMap<u64, Job>,
    operations: BTreeMap<u64, Operation>,
    last_serial: u64,
}

/// A job and what is only known while it runs.
#[derive(Debug)]
struct Job {
    record: Record,
    progress: Arc<Progress>,
    /// Cancelled when the job is to be.
    cancel: CancellationToken,
}

/// How many rows are ready.
#[derive(Debug, Default)]
struct Progress {
    successful: AtomicU64,
    failed: AtomicU64,
    total: AtomicU64,
}

impl Progress {
    fn stats(&self) -> Stats {
        let (successful, failed) = (self.successful.load(Ordering::Relaxed), self.failed.load(Ordering::Relaxed));
        let total = self.total.load(Ordering::Relaxed);
        Stats { successful, failed, incomplete: total.saturating_sub(successful + failed) }
    }
}

impl Job {
    fn new(record: Record) -> Job {
        Job { record, progress: Arc::default(), cancel: CancellationToken::new() }
    }

    /// The record with the counts of this moment.
    fn now(&self) -> Record {
        let mut record = self.record.clone();
        if matches!(record.state, JobState::Running | JobState::Cancelling) {
            record.stats = self.progress.stats();
        }
        record
    }
}

impl Jobs {
    /// Reads the jobs that the data directory holds and goes on with unfinished ones.
    ///
    /// # Errors
    /// [`ErrorKind::Data`] for records that cannot be read, [`ErrorKind::Config`] for an
    /// answerer that cannot work.
    pub(crate) async fn open(context: &Context) -> Result<Jobs, Error> {
        let config = Arc::clone(&context.config);
        let opened = tokio::task::spawn_blocking(move || {
            let store = Store::open(config.data.as_deref())?;
            let (records, operations) = (store.jobs()?, store.operations()?);
            Ok::<_, Error>((store, records, operations, config.jobs.answer.open(&config.jobs.answer_options)?))
        });
        let (store, records, operations, answerer) = opened
            .await
            .map_err(|error| Error::new(ErrorKind::Data, "failed to open the jobs").with_source(error))??;
        let mut state = State::default();
        for operation in operations {
            state.operations.insert(operation.id, operation);
        }
        let mut unfinished = Vec::new();
        for record in records {
            state.last_serial = state.last_serial.max(record.serial);
            if !record.state.is_final() {
                unfinished.push((record.serial, record.id));
            }
            state.jobs.insert(record.id, Job::new(record));
        }
        let jobs = Jobs(Arc::new(Inner {
            context: context.clone(),
            answerer,
            store,
            state: Mutex::new(state),
            living: watch::Sender::new(0),
        }));
        unfinished.sort_unstable();
        for (_, id) in unfinished {
            tracing::info!(id, "going on with an unfinished job");
            life::start(&jobs, id);
        }
        Ok(jobs)
    }

    /// The routes under `/v1` and `/v1beta1`.
    pub(crate) fn router(&self) -> Router {
        routes::router(self)
    }

    /// Waits until no job has a task any more, which is soon once the emulator stops.
    pub(crate) async fn ended(&self) {
        let mut living = self.0.living.subscribe();
        // The sender lives in `self`.
        let _ = living.wait_for(|living| *living == 0).await;
    }

    /// Makes a job and starts it. Writes to the disk.
    fn create(
        &self,
        project: u64,
        location: &str,
        body: serde_json::Map<String, serde_json::Value>,
    ) -> io::Result<Record> {
        let context = &self.0.context;
        let now = timestamp(&*context.clock).as_microsecond();
        let mut state = self.state();
        state.last_serial += 1;
        let record = Record {
            version: VERSION,
            id: self.new_id(|id| state.jobs.contains_key(&id)),
            project,
            location: location.to_owned(),
            serial: state.last_serial,
            body,
            state: JobState::Pending,
            error: None,
            output_directory: None,
            output_table: None,
            stats: Stats::default(),
            created: now,
            started: None,
            ended: None,
            updated: now,
            faults: JobFaults::take(&context.faults),
        };
        self.0.store.save(&record)?;
        state.jobs.insert(record.id, Job::new(record.clone()));
        drop(state);
        life::start(self, record.id);
        Ok(record)
    }

    /// A number of 18 or 19 digits that is not taken: clients of Google's take nothing but
    /// digits for an id.
    fn new_id(&self, taken: impl Fn(u64) -> bool) -> u64 {
        const LEAST: u64 = 100_000_000_000_000_000;
        const END: u64 = 9_223_372_036_854_775_807;
        loop {
            let id = LEAST + self.0.context.random.next_u64() % (END - LEAST);
            if !taken(id) {
                return id;
            }
        }
    }

    /// The job of that name, as it is now.
    fn find(&self, project: u64, location: &str, id: &str) -> Option<Record> {
        let state = self.state();
        let job = state.jobs.get(&id.parse().ok()?)?;
        (job.record.project == project && job.record.location == location).then(|| job.now())
    }

    /// Changes a job and keeps the change, unless `change` says that there is none. Writes
    /// to the disk; where that fails the change holds until the emulator ends, as there is
    /// nobody to tell.
    fn update(&self, id: u64, change: impl FnOnce(&mut Record) -> bool) {
        let now = timestamp(&*self.0.context.clock).as_microsecond();
        let mut state = self.state();
        let Some(job) = state.jobs.get_mut(&id) else {
            return;
        };
        if !change(&mut job.record) {
            return;
        }
        job.record.updated = now;
        if let Err(error) = self.0.store.save(&job.record) {
            tracing::error!(id, %error, "failed to keep the state of a job");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
