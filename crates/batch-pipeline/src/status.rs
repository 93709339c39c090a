//! How jobs stand: what they have done, and how much of the service's windows is left to them.

use std::path::Path;

use batch_backend::{JobService, Kind as BackendKind};
use batch_model::{BatchPredictionJob, CompletionStats, JobName, JobState, Status};
use futures::{StreamExt, stream};
use jiff::Timestamp;
use serde::Serialize;

use crate::{
    Error, Kind, Result,
    patience::is_passing,
    state::{Attempt, RunState, Shard},
    wait::{QUEUE_WINDOW, RUN_WINDOW, first_seen},
};

/// How many jobs are looked at at once.
const AT_ONCE: usize = 8;
/// Which part of a window has to be used before that is a warning.
const NEAR: (u64, u64) = (3, 4);
/// How long a job has to run before its rate says anything about the rest.
const STEADY_SECONDS: u64 = 60;

/// How a run stands. Version 1 of the format.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunStatus {
    /// The version of this format: 1.
    pub version: u32,
    /// The run.
    pub run: String,
    /// Its directory.
    pub directory: String,
    /// The model, as the spec names it.
    pub model: String,
    /// When the run was made.
    pub created: Timestamp,
    /// When its jobs were looked at.
    pub looked: Timestamp,
    /// How far it has come.
    pub stage: RunStage,
    /// How many records its shards have; all of the table's once everything is staged.
    pub records: u64,
    /// The shards, in the table's order.
    pub shards: Vec<ShardStatus>,
}

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStage {
    /// Not every shard is staged.
    Staging,
    /// A shard has no job yet.
    Submitting,
    /// A job has not ended.
    Running,
    /// Every job has ended; predictions, or the results, are still to be collected.
    Ended,
    /// Results and report are written.
    Finished,
}

impl RunStage {
    /// How far `state` says the run has come, without asking anybody.
    #[must_use]
    pub fn of(state: &RunState) -> Self {
        let newest = || state.shards.iter().map(|shard| shard.attempts.last());
        if state.is_finished() {
            Self::Finished
        } else if !state.staged || state.rounds.iter().any(|round| !round.staged) {
            Self::Staging
        } else if newest().any(|attempt| attempt.is_none_or(|attempt| attempt.job.is_none() && !attempt.is_refused())) {
            Self::Submitting
        } else if newest().flatten().any(|attempt| !attempt.has_ended()) {
            Self::Running
        } else {
            Self::Ended
        }
    }

    /// The name, as it stands in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Staging => "staging",
            Self::Submitting => "submitting",
            Self::Running => "running",
            Self::Ended => "ended",
            Self::Finished => "finished",
        }
    }
}

/// How a shard stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ShardStatus {
    /// Which, from 0.
    pub shard: usize,
    /// Which attempt at it, from 1; 0 where there is none yet.
    pub attempt: u32,
    /// How many records it has.
    pub records: u64,
    /// Whether its predictions are in the run's directory.
    pub collected: bool,
    /// Its newest job; absent while there is none.
    pub job: Option<JobStatus>,
    /// Why the job could not be looked at; it is as it was last seen then.
    pub unseen: Option<String>,
    /// Why there is no job, where the service refused to create it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// How a job stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobStatus {
    /// Its name.
    pub name: Option<JobName>,
    /// The display name.
    pub display_name: Option<String>,
    /// The model.
    pub model: Option<String>,
    /// The state.
    pub state: JobState,
    /// When the service created, began and ended it.
    pub times: Times,
    /// The service's own counts.
    pub stats: Option<CompletionStats>,
    /// Rows that are done: answered or failed.
    pub done: u64,
    /// Rows in all, where that is known.
    pub rows: Option<u64>,
    /// The window that is running: of the queue while the job waits, of the run while it runs.
    pub window: Option<Window>,
    /// Rows a minute since it began to run, where the service counts.
    pub rows_per_minute: Option<f64>,
    /// Seconds until it is done at that rate.
    pub eta_seconds: Option<u64>,
    /// Where its predictions are.
    pub output: Option<String>,
    /// Why it failed.
    pub error: Option<Status>,
    /// What to worry about.
    pub warnings: Vec<Warning>,
}

/// When a job was created, began to run, and ended, as the service says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Times {
    /// `createTime`.
    pub created: Option<Timestamp>,
    /// `startTime`: when it first ran.
    pub started: Option<Timestamp>,
    /// `endTime`.
    pub ended: Option<Timestamp>,
}

impl Times {
    /// The times of a job; what cannot be read counts as not said.
    #[must_use]
    pub fn of(job: &BatchPredictionJob) -> Self {
        let time = |text: &Option<String>| text.as_deref().and_then(|text| text.parse().ok());
        Self { created: time(&job.create_time), started: time(&job.start_time), ended: time(&job.end_time) }
    }
}

/// A time that the service allows, and how much of it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Window {
    /// Which.
    pub kind: WindowKind,
    /// Seconds used.
    pub used_seconds: u64,
    /// Seconds in all: 72 hours in the queue, 24 hours of running.
    pub limit_seconds: u64,
}

impl Window {
    /// Seconds left; 0 where the window is over.
    #[must_use]
    pub fn left_seconds(&self) -> u64 {
        self.limit_seconds.saturating_sub(self.used_seconds)
    }

    fn is_near_its_end(&self) -> bool {
        self.limit_seconds * NEAR.0 <= self.used_seconds * NEAR.1
    }
}

/// What a window is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowKind {
    /// Waiting for capacity: a job that gets none expires, with nothing answered.
    Queue,
    /// Running: a job that is not done is ended, with the rows that are.
    Run,
}

/// What to worry about. The words are the program's.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Warning {
    /// The time in the queue is nearly over.
    QueueEnds {
        /// Seconds left.
        left_seconds: u64,
    },
    /// The time to run is nearly over, or will be before the rows are done.
    RunEnds {
        /// Seconds left.
        left_seconds: u64,
        /// Rows that will not be done by then at the rate so far, where there is one.
        unfinished: Option<u64>,
    },
    /// A state that this version does not know: whoever waits goes on waiting.
    UnknownState,
}

/// How a job stands at `now`. `rows` is how many it was given, where that is known; else what the service
/// counts.
#[must_use]
pub fn job_status(job: &BatchPredictionJob, rows: Option<u64>, now: Timestamp) -> JobStatus {
    let times = Times::of(job);
    let stats = job.completion_stats.clone();
    let count = |value: Option<i64>| value.and_then(|value| u64::try_from(value).ok());
    let of = |stats: &CompletionStats| {
        let done = count(stats.successful_count).unwrap_or(0) + count(stats.failed_count).unwrap_or(0);
        // −1 is "unknown", and a zero may be left out.
        let open =
            if stats.incomplete_count.is_some_and(|open| open < 0) { None } else { count(stats.incomplete_count) };
        (done, open)
    };
    let (done, open) = stats.as_ref().map_or((0, None), of);
    let ended = job.state.is_terminal();
    let rows = rows.or_else(|| open.map(|open| done + open)).or_else(|| (ended && 0 < done).then_some(done));
    let window = match &job.state {
        _ if ended => None,
        JobState::Queued | JobState::Pending => times.created.map(|since| window(WindowKind::Queue, since, now)),
        _ => times.started.map(|since| window(WindowKind::Run, since, now)),
    };
    let running = window.filter(|window| window.kind == WindowKind::Run);
    #[expect(clippy::cast_precision_loss, reason = "a rate is shown with three digits")]
    let per_second = running
        .filter(|window| 0 < done && STEADY_SECONDS <= window.used_seconds)
        .map(|window| done as f64 / window.used_seconds as f64);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate, of positive numbers"
    )]
    let eta = per_second.zip(rows).map(|(rate, rows)| (rows.saturating_sub(done) as f64 / rate).ceil() as u64);
    let mut warnings = Vec::new();
    match window {
        Some(window) if window.kind == WindowKind::Queue && window.is_near_its_end() => {
            warnings.push(Warning::QueueEnds { left_seconds: window.left_seconds() });
        }
        Some(window) if window.kind == WindowKind::Run => {
            let left_seconds = window.left_seconds();
            let late = eta.is_some_and(|eta| left_seconds < eta);
            if late || window.is_near_its_end() {
                #[expect(
                    clippy::cast_precision_loss,
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "an estimate, of positive numbers"
                )]
                let unfinished = per_second.zip(rows).map(|(rate, rows)| {
                    rows.saturating_sub(done).saturating_sub((rate * left_seconds as f64).floor() as u64)
                });
                warnings.push(Warning::RunEnds { left_seconds, unfinished });
            }
        }
        _ => {}
    }
    if matches!(job.state, JobState::Unknown(_)) {
        warnings.push(Warning::UnknownState);
    }
    let info = job.output_info.as_ref();
    let output = info.and_then(|info| info.gcs_output_directory.as_deref().or(info.bigquery_output_table.as_deref()));
    JobStatus {
        name: job.name.as_deref().and_then(|name| name.parse().ok()),
        display_name: job.display_name.clone(),
        model: job.model.clone(),
        state: job.state.clone(),
        times,
        stats,
        done,
        rows,
        window,
        rows_per_minute: per_second.map(|rate| rate * 60.0),
        eta_seconds: eta,
        output: output.filter(|output| !output.is_empty()).map(str::to_owned),
        error: job.error.clone(),
        warnings,
    }
}

fn window(kind: WindowKind, since: Timestamp, now: Timestamp) -> Window {
    let limit = match kind {
        WindowKind::Queue => QUEUE_WINDOW,
        WindowKind::Run => RUN_WINDOW,
    };
    let used = u64::try_from(now.duration_since(since).as_secs()).unwrap_or(0);
    Window { kind, used_seconds: used, limit_seconds: limit.as_secs() }
}

/// Looks once at every job of a run that has not been seen to end. Nothing is held and nothing written:
/// another process may work on the run meanwhile.
///
/// Without `jobs` nobody is asked, and everything is as the run last saw it. A job that cannot be looked at
/// for the moment is as it was last seen, and its shard says why.
///
/// # Errors
/// The spec names no model; the login is refused.
pub async fn status(
    state: &RunState,
    directory: &Path,
    jobs: Option<&dyn JobService>,
    now: Timestamp,
) -> Result<RunStatus> {
    let shards = stream::iter(&state.shards).map(|shard| look(shard, directory, jobs, now)).buffered(AT_ONCE);
    let shards: Vec<Result<ShardStatus>> = shards.collect().await;
    let shards = shards.into_iter().collect::<Result<Vec<_>>>()?;
    let running = |shard: &ShardStatus| shard.job.as_ref().is_some_and(|job| !job.state.is_terminal());
    let stage = match RunStage::of(state) {
        // What was looked at just now is newer than what the run has written down.
        RunStage::Running if !shards.iter().any(running) => RunStage::Ended,
        stage => stage,
    };
    Ok(RunStatus {
        version: 1,
        run: state.id.clone(),
        directory: directory.display().to_string(),
        model: state.spec.model()?.to_string(),
        created: state.created,
        looked: now,
        stage,
        records: records_of(state),
        shards,
    })
}

/// The records of a run; those of a round of retries are among them.
pub(crate) fn records_of(state: &RunState) -> u64 {
    state.shards.iter().filter(|shard| shard.round == 0).map(|shard| shard.records).sum()
}

async fn look(shard: &Shard, directory: &Path, jobs: Option<&dyn JobService>, now: Timestamp) -> Result<ShardStatus> {
    let mut status = ShardStatus {
        shard: shard.index,
        attempt: 0,
        records: shard.records,
        collected: false,
        job: None,
        unseen: None,
        refused: None,
    };
    let Some(attempt) = shard.attempts.last() else { return Ok(status) };
    status.attempt = attempt.number;
    status.collected = is_collected(attempt, directory);
    let Some(name) = &attempt.job else {
        if attempt.is_refused() {
            status.refused = attempt.error.as_ref().map(|error| error.message.clone().unwrap_or_default());
        }
        return Ok(status);
    };
    let mut job = None;
    if let Some(jobs) = jobs.filter(|_| !attempt.has_ended()) {
        match jobs.get(name).await {
            Ok(found) => job = Some(found),
            Err(error) if is_passing(error.kind()) || error.kind() == BackendKind::NotFound => {
                status.unseen = Some(error.to_string());
            }
            Err(error) => {
                let message = format!("look at the job of shard {}, {name}", shard.index);
                return Err(Error::new(Kind::Backend, message).with_source(error));
            }
        }
    }
    let job = job.unwrap_or_else(|| as_last_seen(attempt));
    status.job = Some(job_status(&job, Some(shard.records), now));
    Ok(status)
}

/// A job from what the run has written down of it.
fn as_last_seen(attempt: &Attempt) -> BatchPredictionJob {
    let mut job = BatchPredictionJob::default();
    job.name = attempt.job.as_ref().map(ToString::to_string);
    job.display_name = Some(attempt.display_name.clone());
    job.state = attempt.state.clone();
    job.completion_stats.clone_from(&attempt.stats);
    job.output_info.clone_from(&attempt.output_info);
    job.error.clone_from(&attempt.error);
    job.create_time = Some(attempt.intended.to_string());
    job.start_time = first_seen(attempt, &JobState::Running).map(|at| at.to_string());
    let ended = attempt.history.last().filter(|seen| seen.state.is_terminal());
    job.end_time = ended.map(|seen| seen.at.to_string());
    job
}

/// Whether all that the job wrote is in the run's directory.
pub(crate) fn is_collected(attempt: &Attempt, directory: &Path) -> bool {
    attempt.has_ended()
        && attempt.collected.as_ref().is_some_and(|files| {
            let whole = |path: &str, bytes: u64| {
                std::fs::metadata(directory.join(path)).is_ok_and(|meta| meta.is_file() && meta.len() == bytes)
            };
            files.iter().all(|file| whole(&file.path, file.bytes))
        })
}
