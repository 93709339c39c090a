//! The life of a job: pending, running, and an end.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::import::{Imported, Refused, import};
use super::output::{FilePredictions, Predictions};
use super::record::{JobError, Record};
use super::source::{GcsUri, Input, Output};
use super::state::JobState;
use super::table::TablePredictions;
use super::time::{after, from_micros, micros};
use super::work::{Work, process};
use super::{Jobs, Progress, models, plan, table};
use crate::bigquery::TableName;
use crate::clock::timestamp;

/// Takes a job through its states, from the one that it is in.
pub(super) fn start(jobs: &Jobs, id: u64) {
    let jobs = jobs.clone();
    jobs.0.living.send_modify(|living| *living += 1);
    let alive = Alive(jobs.clone());
    tokio::spawn(async move {
        let _alive = alive;
        let Some(life) = Life::of(&jobs, id) else {
            return;
        };
        if let Some(end) = life.run().await {
            life.end(end);
        }
    });
}

/// Counts a job as living as long as it is held.
struct Alive(Jobs);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.0.living.send_modify(|living| *living -= 1);
    }
}

/// How a job ends.
struct End {
    state: JobState,
    error: Option<JobError>,
    output_directory: Option<String>,
    output_table: Option<TableName>,
}

impl From<JobState> for End {
    fn from(state: JobState) -> End {
        End { state, error: None, output_directory: None, output_table: None }
    }
}

impl From<JobError> for End {
    fn from(error: JobError) -> End {
        End { error: Some(error), ..End::from(JobState::Failed) }
    }
}

/// Why rows are no longer answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Halt {
    /// The emulator stops; the job goes on at its next start.
    Stopped,
    /// A client cancelled the job.
    Cancelled,
    /// The job ran for too long.
    TooLong,
    /// The fault that lets jobs expire.
    Expired,
}

struct Life {
    jobs: Jobs,
    id: u64,
    record: Record,
    progress: Arc<Progress>,
    cancel: CancellationToken,
}

impl Life {
    fn of(jobs: &Jobs, id: u64) -> Option<Life> {
        let state = jobs.state();
        let job = state.jobs.get(&id)?;
        Some(Life {
            jobs: jobs.clone(),
            id,
            record: job.record.clone(),
            progress: Arc::clone(&job.progress),
            cancel: job.cancel.clone(),
        })
    }

    /// None where the emulator stops first.
    async fn run(&self) -> Option<End> {
        let config = &self.jobs.0.context.config.jobs;
        let record = &self.record;
        if record.state == JobState::Cancelling {
            return Some(JobState::Cancelled.into());
        }
        if record.state == JobState::Pending {
            let created = record.created_at();
            let expiry = after(created, config.queue_limit);
            let leaves = after(created, config.queue_delay);
            let stuck = record.faults.stuck || leaves > expiry;
            match self.wait(if stuck { expiry } else { leaves }).await {
                Some(Halt::Stopped) => return None,
                Some(_) => return Some(JobState::Cancelled.into()),
                None if stuck => return Some(JobState::Expired.into()),
                None => {}
            }
            if record.faults.failed {
                return Some(JobError::internal("INTERNAL").into());
            }
        }
        let life = Life::of(&self.jobs, self.id)?;
        let runtime = Handle::current();
        let worked = tokio::task::spawn_blocking(move || life.work(&runtime)).await;
        worked.unwrap_or_else(|error| {
            tracing::error!(id = self.id, %error, "a job broke");
            Some(JobError::internal("INTERNAL").into())
        })
    }

    /// Waits until the clock shows `end`, unless the emulator stops or the job is
    /// cancelled before.
    async fn wait(&self, end: SystemTime) -> Option<Halt> {
        let context = &self.jobs.0.context;
        tokio::select! {
            biased;
            () = context.stop.cancelled() => Some(Halt::Stopped),
            () = self.cancel.cancelled() => Some(Halt::Cancelled),
            () = context.clock.sleep_until(end) => None,
        }
    }

    /// Imports the rows and has them answered. Blocks.
    fn work(&self, runtime: &Handle) -> Option<End> {
        let context = &self.jobs.0.context;
        let config = &context.config.jobs;
        let (Some(input), Some(output)) = (self.record.input(), self.record.output()) else {
            return Some(JobError::internal("The job has no source or no destination.").into());
        };
        if let Output::CloudStorage(prefix) = &output
            && context.objects.bucket(&prefix.bucket).is_none()
        {
            let message = format!("Not found: bucket gs://{} of the output.", prefix.bucket);
            return Some(JobError { code: 5, message }.into());
        }
        // A job that is cancelled while it is read has nothing to keep.
        let imported = match &input {
            Input::CloudStorage(uris) => import(&context.objects, uris, config.max_requests, &context.stop),
            Input::BigQuery(name) => table::import(&context.tables, name, &self.record.location, config.max_requests),
            Input::Dataset => return Some(JobError::internal("There are no multimodal datasets.").into()),
        };
        let imported = match imported {
            Ok(imported) => imported,
            Err(Refused::Stopped) => return None,
            Err(Refused::Failed(error)) => return Some(error.into()),
        };
        if self.cancel.is_cancelled() {
            return Some(JobState::Cancelled.into());
        }
        self.run_rows(imported, &output, runtime)
    }

    /// Goes over to running, once, and takes the faults that hit rows.
    fn begin(&self, imported: &Imported, output: &Output) -> Record {
        let context = &self.jobs.0.context;
        let now = timestamp(&*context.clock).as_microsecond();
        self.progress.total.store(imported.rows.len() as u64, Ordering::Relaxed);
        let mut begun = self.record.clone();
        self.jobs.update(self.id, |record| {
            if record.state == JobState::Pending {
                record.state = JobState::Running;
            }
            record.started = Some(record.started.unwrap_or(now));
            if record.faults.rows.is_none() {
                record.faults.rows = Some(plan::take(&context.faults, imported.rows.len()));
                record.faults.cut_output = context.faults.take("cut-output");
                let splits = matches!(output, Output::CloudStorage(_));
                record.faults.split_output = splits && context.faults.take("split-output");
            }
            begun = record.clone();
            true
        });
        begun
    }

    fn run_rows(&self, mut imported: Imported, output: &Output, runtime: &Handle) -> Option<End> {
        let context = &self.jobs.0.context;
        let config = &context.config.jobs;
        let seed = context.config.seed;
        let record = self.begin(&imported, output);
        let rows = imported.rows.len() as u64;
        let chosen = record.faults.rows.clone().unwrap_or_default();
        let faults = plan::choose(&chosen, &imported.rows, seed ^ 0x5eed_0001);
        if config.shuffle {
            plan::shuffle(&mut imported.rows, seed ^ 0x5eed_0002);
        }
        let started = from_micros(record.started.unwrap_or(record.created));
        let retype = config.retype_digits && imported.shape.retypes_any();
        let target = match self.target(output, &imported, &record, retype) {
            Ok(target) => target,
            Err(error) => return Some(error.into()),
        };
        let Target { mut predictions, place } = target;
        let work = Work {
            objects: &context.objects,
            answerer: &*self.jobs.0.answerer,
            config,
            clock: &*context.clock,
            runtime,
            retype,
            no_response: match output {
                Output::BigQuery(_) => table::no_response(config.failed_response),
                _ => b"{}",
            },
            imported: &imported,
            model: models::version(record.text("model")),
            started,
            seed,
            faults: &faults,
            // Slow jobs show their progress in a hundred steps.
            step: match config.run_delay.is_zero() && !record.faults.expired {
                true => usize::MAX,
                false => imported.rows.len().div_ceil(100),
            },
            halts: [&context.stop, &self.cancel],
        };
        let limit = after(started, config.run_limit);
        let mut done = 0;
        let ready = |after_step: u64| {
            if record.faults.expired && after_step > rows / 2 {
                return ControlFlow::Break(Halt::Expired);
            }
            let share = config.run_delay.mul_f64(after_step as f64 / rows.max(1) as f64);
            let due = after(started, share);
            match runtime.block_on(self.wait(due.min(limit))) {
                Some(halt) => ControlFlow::Break(halt),
                None if due > limit => ControlFlow::Break(Halt::TooLong),
                None => ControlFlow::Continue(()),
            }
        };
        let processed = process(&work, ready, |lines| {
            done += lines.rows;
            let progress = &self.progress;
            progress.successful.fetch_add(lines.successful, Ordering::Relaxed);
            progress.failed.fetch_add(lines.failed, Ordering::Relaxed);
            predictions.write(lines.bytes, lines.rows)
        });
        let mut end = match processed {
            Ok(ControlFlow::Continue(())) => End::from(JobState::Succeeded),
            Ok(ControlFlow::Break(Halt::Stopped)) => return None,
            Ok(ControlFlow::Break(Halt::Cancelled)) => End::from(JobState::Cancelled),
            Ok(ControlFlow::Break(Halt::Expired)) => End::from(JobState::Expired),
            Ok(ControlFlow::Break(Halt::TooLong)) => End::from(JobError {
                code: 4,
                message: "The job did not finish within 24 hours of starting to run.".to_owned(),
            }),
            Err(error) => End::from(JobError::internal(error.to_string())),
        };
        // Whatever the end, what is ready is exported.
        if done > 0 {
            match predictions.commit(record.faults.cut_output) {
                Ok(()) => match place {
                    Place::Directory(uri) => end.output_directory = Some(uri),
                    Place::Table(name) => end.output_table = Some(name),
                },
                Err(error) => end = End::from(JobError::internal(error)),
            }
        }
        Some(end)
    }

    /// Begins the output.
    fn target(&self, output: &Output, imported: &Imported, record: &Record, retype: bool) -> Result<Target, JobError> {
        let context = &self.jobs.0.context;
        let rows = imported.rows.len() as u64;
        match output {
            Output::CloudStorage(prefix) => {
                let directory = Directory::of(prefix, record);
                let files = FilePredictions::begin(
                    &context.objects,
                    &prefix.bucket,
                    &directory.name,
                    record.faults.split_output,
                    rows,
                );
                let files = files.map_err(|error| JobError::internal(error.to_string()))?;
                Ok(Target { predictions: Predictions::Files(files), place: Place::Directory(directory.uri) })
            }
            Output::BigQuery(uri) => {
                let schema = table::schema(imported, context.config.jobs.pass_through, retype)?;
                let rows = TablePredictions::begin(&context.tables, uri, record, schema)?;
                Ok(Target { predictions: Predictions::Table(rows), place: Place::Table(table::target(uri, record)) })
            }
            Output::Dataset => Err(JobError::internal("There are no multimodal datasets.")),
        }
    }

    fn end(&self, end: End) {
        let now = timestamp(&*self.jobs.0.context.clock).as_microsecond();
        let stats = self.progress.stats();
        tracing::info!(id = self.id, state = end.state.name(), ?stats, "a job ended");
        self.jobs.update(self.id, |record| {
            record.state = end.state;
            record.error = end.error;
            record.output_directory = end.output_directory;
            record.output_table = end.output_table;
            record.stats = stats;
            record.ended = Some(now);
            true
        });
    }
}

/// An output that is being written, and where it will be.
struct Target {
    predictions: Predictions,
    place: Place,
}

enum Place {
    /// The URI of a directory.
    Directory(String),
    Table(TableName),
}

/// Where the predictions of a job go. The time is the job's own, so that a job that is
/// started again writes to the same place.
struct Directory {
    /// The name with a slash at the end.
    name: String,
    /// The URI without one.
    uri: String,
}

impl Directory {
    fn of(prefix: &GcsUri, record: &Record) -> Directory {
        let slash = if prefix.name.is_empty() || prefix.name.ends_with('/') { "" } else { "/" };
        let name = format!("{}{slash}prediction-model-{}", prefix.name, micros(record.created_at()));
        Directory { uri: format!("gs://{}/{name}", prefix.bucket), name: format!("{name}/") }
    }
}
