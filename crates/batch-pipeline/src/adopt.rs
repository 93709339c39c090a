//! From a job's name to its predictions, where no run's directory is at hand.

use std::path::Path;

use batch_backend::{JobService, ListJobs, OutputStore};
use batch_model::{BatchPredictionJob, InputConfig, JobName, JobState, ModelName, OutputConfig, Status};
use jiff::Timestamp;
use serde_json::Value;

use crate::{
    CACHED_LABEL, Clock, Context, Error, FINGERPRINT_LABEL, Kind, PART_LABEL, ROUND_LABEL, RUN_LABEL, RequestSpec,
    Result, RunDir, SETTINGS_LABEL, SHARD_LABEL, Selected, Selection, Spec, UNANSWERED,
    collect::spool,
    input::digest_of,
    retry::list_of,
    run_dir::new_state,
    state::{Attempt, CollectedFile, Round, Shard, StagedState, StateSeen},
    status::Times,
    status::job_status,
};

/// No run has as many shards; a label that says so is not ours.
const MOST_SHARDS: usize = 100_000;

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

/// The jobs of the run that `job` is of, this one among them: those with the same labels, every attempt at
/// every shard, in order of shards and attempts. A job that no run of ours has made stands alone.
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
    found.sort_by(|one, other| (piece_of(one), &one.create_time).cmp(&(piece_of(other), &other.create_time)));
    // Two for one attempt would be one too many; the older is the one that its run goes on with.
    found.dedup_by_key(|job| piece_of(job));
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

/// The round of retries that a job was made in; 0 is the run itself.
fn round_of(job: &BatchPredictionJob) -> u32 {
    label(job, ROUND_LABEL).and_then(|round| round.parse().ok()).unwrap_or(0)
}

/// A run made of jobs that are there already, in a new `directory`: what a run of `spec` over `input` would
/// be with these jobs, in order of its shards and of the attempts at each. [`wait`](crate::wait()),
/// [`collect`](crate::collect()) and [`run`](crate::run()) go on with it.
///
/// The model of the run and of each round is the one that its jobs name, whatever the spec says by now. Rounds of
/// retries are told by the labels, which tell also that one asked with other settings
/// ([`unknown_settings`](Round::unknown_settings)) and not with which: answers are read by what their own requests echo then. Which
/// records were answered from the cache nobody tells, but for [their number](cached_before).
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
    let Some(first) = jobs.first() else {
        return Err(Error::new(Kind::Bug, "there is no job to adopt"));
    };
    let spec = &with_model_of(spec, jobs);
    // What the run did not ask about is not missing.
    let part = label(first, PART_LABEL).and_then(Selection::of_label);
    let mut state = new_state(spec, digest_of(input)?, false, part, clock);
    if part.is_some() {
        state.selected = Some(Selected::of(part, input, &state.input.digest, spec)?);
    }
    if let Some(run) = label(first, RUN_LABEL) {
        run.clone_into(&mut state.id);
    }
    if let Some(created) = Times::of(first).created {
        state.created = created;
    }
    let (mut records, mut before) = (0, None);
    for job in jobs {
        let (number, attempt) = (piece_of(job).map(|piece| piece.0), attempt_of(job, clock.now())?);
        match state.shards.last_mut().filter(|_| number.is_some() && number == before) {
            // The output of the attempt before was its input.
            Some(shard) => shard.attempts.push(Attempt { input: job.input_config.clone(), ..attempt }),
            None => {
                // What is asked later is named by its place among the shards: by the name that a job has already
                // it would be taken for that job.
                let gap = state.shards.len()..number.filter(|number| *number < MOST_SHARDS).unwrap_or(0);
                for index in gap {
                    let round = state.shards.last().map_or(0, |shard| shard.round);
                    state.shards.push(without_job(index, round, records, clock.now()));
                }
                let shard = shard_of(state.shards.len(), records, job, attempt, clock.now());
                records += if shard.round == 0 { shard.records } else { 0 };
                state.shards.push(shard);
            }
        }
        before = number;
    }
    state.rounds = rounds_of(jobs, &state.shards, &state.spec)?;
    state.staged = true;
    RunDir::create(directory.to_owned(), state)
}

/// The model that the jobs of an adopted run asked, as the run names it, where `spec` names another.
#[must_use]
pub fn other_model<'a>(run: &'a RunDir, spec: &Spec) -> Option<&'a str> {
    let (given, asked) = (&spec.request.model, &run.state().spec.request.model);
    let is_same = match (spec.model(), run.state().spec.model()) {
        (Ok(given), Ok(asked)) => is_same_model(&given, &asked),
        _ => given.is_empty() || given == asked,
    };
    (!is_same).then_some(asked)
}

/// Whether the jobs were made of this spec and table, where their labels tell.
#[must_use]
pub fn is_of(run: &RunDir, job: &BatchPredictionJob) -> Option<bool> {
    label(job, FINGERPRINT_LABEL).map(|label| run.state().fingerprint.starts_with(label))
}

/// How many records the run of a job had answers to in the cache, by its label: an adopted run does not have them.
#[must_use]
pub fn cached_before(job: &BatchPredictionJob) -> u64 {
    label(job, CACHED_LABEL).and_then(|records| records.parse().ok()).unwrap_or(0)
}

/// A spec with the model that the jobs of the run itself asked; of a round of retries it may be another. The spec's
/// own where no job tells.
fn with_model_of(spec: &Spec, jobs: &[BatchPredictionJob]) -> Spec {
    let mut spec = spec.clone();
    let asked = jobs.iter().find(|job| round_of(job) == 0).and_then(model_of);
    let ours = spec.model().ok();
    let model = match (asked, ours) {
        (Some(asked), Some(ours)) if is_same_model(&asked, &ours) => None,
        (None, None) => jobs.iter().find_map(model_of),
        (asked, _) => asked,
    };
    if let Some(model) = model {
        // As specs name it mostly: the fingerprint of a run is of the letters.
        spec.request.model = match model.publisher_model() {
            Some(("google", name)) => name.to_owned(),
            _ => model.to_string(),
        };
    }
    spec
}

fn model_of(job: &BatchPredictionJob) -> Option<ModelName> {
    job.model.as_deref()?.parse().ok()
}

/// A publisher's model may stand below a project or by itself, and a project has an id and a number.
fn is_same_model(one: &ModelName, other: &ModelName) -> bool {
    match (one.publisher_model(), other.publisher_model()) {
        (Some(one), Some(other)) => one == other,
        (None, None) => one.short() == other.short(),
        _ => false,
    }
}

/// The rounds that the jobs were made in, as far as is known of them.
fn rounds_of(jobs: &[BatchPredictionJob], shards: &[Shard], spec: &Spec) -> Result<Vec<Round>> {
    let last = jobs.iter().map(round_of).max().unwrap_or(0);
    let ours = spec.model()?;
    (1..=last)
        .map(|number| {
            let of_round = || {
                let attempts =
                    shards.iter().flat_map(|shard| shard.attempts.iter().map(move |attempt| (shard, attempt)));
                attempts.filter(|(_, attempt)| attempt.round == number)
            };
            let jobs_of = || jobs.iter().filter(|job| round_of(job) == number);
            let model = jobs_of().filter_map(model_of).find(|model| !is_same_model(model, &ours));
            Ok(Round {
                number,
                begun: of_round().map(|(_, attempt)| attempt.intended).min().unwrap_or_default(),
                only: UNANSWERED.to_vec(),
                records: of_round().filter(|(shard, _)| shard.round == number).map(|(shard, _)| shard.records).sum(),
                list: list_of(number),
                request: model.map(|model| RequestSpec { model: model.to_string(), ..spec.request.clone() }),
                unknown_settings: jobs_of().any(|job| label(job, SETTINGS_LABEL).is_some()),
                resumed: of_round().filter(|(shard, _)| shard.round < number).map(|(shard, _)| shard.index).collect(),
                staged: true,
            })
        })
        .collect()
}

fn attempt_of(job: &BatchPredictionJob, now: Timestamp) -> Result<Attempt> {
    let name: JobName =
        job.name.as_deref().unwrap_or_default().parse().map_err(|error| {
            Error::new(Kind::Backend, "the service told of a job without its name").with_source(error)
        })?;
    Ok(Attempt {
        number: piece_of(job).map_or(1, |(_, attempt)| attempt),
        round: round_of(job),
        input: None,
        output: place_of(job),
        display_name: job.display_name.clone().unwrap_or_default(),
        labels: job.labels.clone(),
        intended: Times::of(job).created.unwrap_or(now),
        job: Some(name),
        state: job.state.clone(),
        history: vec![StateSeen { state: job.state.clone(), at: now }],
        stats: job.completion_stats.clone(),
        output_info: job.output_info.clone(),
        error: job.error.clone(),
        collected: None,
    })
}

fn shard_of(index: usize, first: u64, job: &BatchPredictionJob, attempt: Attempt, now: Timestamp) -> Shard {
    let input = job.input_config.clone().unwrap_or_default();
    let staged = StagedState { name: staged_name(job), input, bytes: None, rows: None, checksum: None };
    // The service's own counts are all that tells how many records a job was given.
    let records = job_status(job, None, now).rows.unwrap_or(0);
    let digest = String::new();
    Shard { index, round: attempt.round, first, records, bytes: 0, digest, staged, attempts: vec![attempt] }
}

/// A shard of which the service has no job: it was refused, or deleted since. Nothing is known of it but that.
fn without_job(index: usize, round: u32, first: u64, now: Timestamp) -> Shard {
    let mut error = Status::default();
    error.message = Some("the service has no job of it".to_owned());
    let attempt = Attempt {
        number: 1,
        round,
        input: None,
        output: String::new(),
        display_name: String::new(),
        labels: serde_json::Map::new(),
        intended: now,
        job: None,
        state: JobState::Failed,
        history: vec![StateSeen { state: JobState::Failed, at: now }],
        stats: None,
        output_info: None,
        error: Some(error),
        collected: Some(Vec::new()),
    };
    let staged =
        StagedState { name: String::new(), input: InputConfig::default(), bytes: None, rows: None, checksum: None };
    let (digest, attempts) = (String::new(), vec![attempt]);
    Shard { index, round, first, records: 0, bytes: 0, digest, staged, attempts }
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
