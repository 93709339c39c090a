//! From a job's name to its predictions, where no run's directory is at hand.

use std::path::Path;

use batch_backend::{JobService, ListJobs, OutputStore};
use batch_model::{BatchPredictionJob, JobName, OutputConfig};
use jiff::Timestamp;
use serde_json::Value;

use crate::{
    Clock, Context, Error, FINGERPRINT_LABEL, Kind, RUN_LABEL, Result, RunDir, SHARD_LABEL, Spec,
    collect::spool,
    run_dir::{digest_of, new_state},
    state::{Attempt, CollectedFile, Shard, StagedState, StateSeen},
    status::Times,
    status::job_status,
};

/// Fetches the predictions of a job into `directory`, byte for byte, and nothing else: which files, with
/// paths relative to it.
///
/// A job that is running has what the service has exported so far; a job without any output has no file.
///
/// # Errors
/// The output cannot be read; the directory cannot be written; somebody asked to stop.
pub async fn download(
    output: &dyn OutputStore,
    job: &BatchPredictionJob,
    directory: &Path,
    context: &Context,
) -> Result<Vec<CollectedFile>> {
    let name = job.name.as_deref().unwrap_or("a job without a name");
    let failed = |error| Error::new(Kind::Backend, format!("collect the predictions of {name}")).with_source(error);
    let source = output.open("", job).await.map_err(failed)?;
    std::fs::create_dir_all(directory)
        .map_err(|error| Error::io(Kind::RunDirectory, "make the directory", directory, error))?;
    spool(source, directory, Path::new("predictions"), 0, context).await
}

/// The jobs of the run that `job` is of, this one among them: those with the same labels, the newest attempt
/// of every shard, in order of the shards. A job that no run of ours has made stands alone.
///
/// # Errors
/// What the service may answer.
pub async fn jobs_of_run(jobs: &dyn JobService, job: &BatchPredictionJob) -> Result<Vec<BatchPredictionJob>> {
    let (Some(run), Some(_)) = (label(job, RUN_LABEL), piece_of(job)) else { return Ok(vec![job.clone()]) };
    let mut query = ListJobs { filter: format!("labels.{RUN_LABEL}=\"{run}\""), ..ListJobs::default() };
    let mut found: Vec<BatchPredictionJob> = Vec::new();
    loop {
        let page = jobs.list(&query).await.map_err(|error| {
            Error::new(Kind::Backend, format!("look for the other jobs of the run {run}")).with_source(error)
        })?;
        // The filter is the service's; that the job is of this run, we see for ourselves.
        found.extend(page.jobs.into_iter().filter(|other| label(other, RUN_LABEL) == Some(run)));
        match page.next_page_token {
            Some(token) if !token.is_empty() => query.page_token = Some(token),
            _ => break,
        }
    }
    if !found.iter().any(|other| other.name == job.name) {
        found.push(job.clone());
    }
    found.sort_by_key(piece_of);
    found.dedup_by(|later, earlier| {
        let same = piece_of(later).map(|piece| piece.0) == piece_of(earlier).map(|piece| piece.0);
        if same {
            // The later attempt stays.
            std::mem::swap(later, earlier);
        }
        same
    });
    Ok(found)
}

fn label<'a>(job: &'a BatchPredictionJob, name: &str) -> Option<&'a str> {
    job.labels.get(name).and_then(Value::as_str)
}

/// The shard and the attempt that a job's label names.
fn piece_of(job: &BatchPredictionJob) -> Option<(usize, u32)> {
    let (shard, attempt) = label(job, SHARD_LABEL)?.strip_prefix('s')?.split_once("-a")?;
    Some((shard.parse().ok()?, attempt.parse().ok()?))
}

/// A run made of jobs that are there already, in a new `directory`: what a run of `spec` over `input` would
/// be with these jobs, in order of its shards. [`wait`](crate::wait()), [`collect`](crate::collect()) and
/// [`run`](crate::run()) go on with it.
///
/// # Errors
/// The table cannot be read; the directory is not empty; there is no job, or one without a name.
pub fn adopt(
    spec: &Spec,
    input: &Path,
    jobs: &[BatchPredictionJob],
    directory: &Path,
    clock: &dyn Clock,
) -> Result<RunDir> {
    let mut state = new_state(spec, digest_of(input)?, false, None, clock);
    let Some(first) = jobs.first() else {
        return Err(Error::new(Kind::Bug, "there is no job to adopt"));
    };
    if let Some(run) = label(first, RUN_LABEL) {
        run.clone_into(&mut state.id);
    }
    if let Some(created) = Times::of(first).created {
        state.created = created;
    }
    if state.spec.request.model.is_empty() {
        state.spec.request.model = first.model.clone().unwrap_or_default();
    }
    let mut records = 0;
    for (index, job) in jobs.iter().enumerate() {
        let shard = shard_of(index, records, job, clock.now())?;
        records += shard.records;
        state.shards.push(shard);
    }
    state.staged = true;
    RunDir::create(directory.to_owned(), state)
}

/// Whether the jobs were made of this spec and table, where their labels tell.
#[must_use]
pub fn is_of(run: &RunDir, job: &BatchPredictionJob) -> Option<bool> {
    label(job, FINGERPRINT_LABEL).map(|label| run.state().fingerprint.starts_with(label))
}

fn shard_of(index: usize, first: u64, job: &BatchPredictionJob, now: Timestamp) -> Result<Shard> {
    let name: JobName =
        job.name.as_deref().unwrap_or_default().parse().map_err(|error| {
            Error::new(Kind::Backend, "the service told of a job without its name").with_source(error)
        })?;
    let input = job.input_config.clone().unwrap_or_default();
    let created = Times::of(job).created.unwrap_or(now);
    let staged = StagedState { name: staged_name(job), input, bytes: None, rows: None, checksum: None };
    let attempt = Attempt {
        number: piece_of(job).map_or(1, |(_, attempt)| attempt),
        round: 0,
        input: None,
        output: place_of(job),
        display_name: job.display_name.clone().unwrap_or_default(),
        labels: job.labels.clone(),
        intended: created,
        job: Some(name),
        state: job.state.clone(),
        history: vec![StateSeen { state: job.state.clone(), at: now }],
        stats: job.completion_stats.clone(),
        output_info: job.output_info.clone(),
        error: job.error.clone(),
        collected: None,
    };
    // The service's own counts are all that tells how many records a job was given.
    let records = job_status(job, None, now).rows.unwrap_or(0);
    let digest = String::new();
    Ok(Shard { index, round: 0, first, records, bytes: 0, digest, staged, attempts: vec![attempt] })
}

/// The name in the output store that a run of ours gave the job; empty for a job of others.
fn place_of(job: &BatchPredictionJob) -> String {
    match (label(job, RUN_LABEL), label(job, SHARD_LABEL)) {
        (Some(run), Some(piece)) => format!("{run}/{piece}"),
        _ => String::new(),
    }
}

/// The name in the input store that a run of ours gave the job's request lines; empty for a job of others.
fn staged_name(job: &BatchPredictionJob) -> String {
    match (label(job, RUN_LABEL), piece_of(job)) {
        (Some(run), Some((shard, _))) => format!("{run}/s{shard:05}"),
        _ => String::new(),
    }
}

/// The addresses of the stores that a job of ours was made with: the folders of its input and output
/// without what the run itself put after them. For a job of others, the output as the job names it.
///
/// Addresses are text here; that one lies below another is by their letters.
#[must_use]
pub fn stores_of(job: &BatchPredictionJob) -> (Option<String>, Option<String>) {
    let above = |uri: &str, name: &str| {
        let cut = uri.find(name).filter(|_| !name.is_empty())?;
        Some(uri[..cut].trim_end_matches('/').to_owned())
    };
    let input = job.input_config.as_ref().and_then(|config| config.uris().first().map(|uri| (*uri).to_owned()));
    let output = job.output_config.as_ref().and_then(OutputConfig::uri);
    let input = input.and_then(|uri| above(&uri, &staged_name(job)));
    (input, output.map(|uri| above(uri, &place_of(job)).unwrap_or_else(|| uri.to_owned())))
}
