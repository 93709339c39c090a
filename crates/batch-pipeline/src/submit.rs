//! One job for each shard, and never two: the intent is on disk before the job is created, and a job
//! that may have been created is looked for before another is.

use std::time::Duration;

use batch_backend::{JobService, ListJobs};
use batch_model::{BatchPredictionJob, InputConfig, JobName, JobState};
use jiff::SignedDuration;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

use crate::{
    Backends, Context, Error, Event, Kind, RequestSpec, Result, RunDir,
    patience::patiently,
    refused::{Refusal, is_declined, is_refusal, words_of},
    state::{Attempt, Round, RunState, StateSeen},
};

/// The label that names the run of a job.
pub const RUN_LABEL: &str = "batch_run";
/// The label that names a job's shard and attempt within its run.
pub const SHARD_LABEL: &str = "batch_shard";
/// The label that names the round of retries that a job was made in; a job of the run itself has none.
pub const ROUND_LABEL: &str = "batch_round";
/// The label that names the part of the table that a job's run asks about: `limit-100`, `sample-100`. Jobs of
/// a run over all of it have none.
pub const PART_LABEL: &str = "batch_part";
/// The label of jobs of a round of retries that asks with other settings than the run, the model aside, which a job
/// names itself: the first 16 hexadecimal digits of their SHA-256. It tells that they were changed, and not to what.
pub const SETTINGS_LABEL: &str = "batch_settings";
/// The label that tells how many records the run of a job took from the cache, where it took any.
pub const CACHED_LABEL: &str = "batch_cached";
/// The label with the first half of the run's fingerprint.
pub const FINGERPRINT_LABEL: &str = "batch_fingerprint";

/// How long a new job may take to appear in the list of jobs.
const SETTLE: Duration = Duration::from_secs(5);
/// How often a job is created whose creation was not acknowledged and that was not found either.
const CREATES: u32 = 3;

/// Sees to it that the newest attempt of `shard` has a job; why not, where the service refused it for good.
/// A job that was not the first to be asked for is refused only once those before were looked for again.
pub(crate) async fn submit(
    run: &Mutex<&mut RunDir>,
    shard: usize,
    backends: &Backends,
    context: &Context,
) -> Result<Option<Refusal>> {
    let Some((attempt, intended_before, job)) = intend(run, shard, backends, context).await? else { return Ok(None) };
    // An intent from an earlier process may have become a job.
    let mut found = if intended_before { look_twice(backends, shard, &attempt, context).await? } else { None };
    let adopted = found.is_some();
    let mut creates = 0;
    let job = loop {
        if let Some(job) = found.take() {
            break job;
        }
        creates += 1;
        let is_first = !intended_before && creates == 1;
        // Whether it is known that no job came of what was asked here.
        let mut is_none = true;
        let create = async || {
            let created = backends.jobs.create(&job).await;
            is_none = created.as_ref().is_err_and(is_declined);
            created
        };
        let created = match patiently(shard, "create the job", context, create).await {
            Ok(created) => created,
            Err(stopped) => {
                if is_first && is_none {
                    withdraw(run, shard).await?;
                }
                return Err(stopped);
            }
        };
        match created {
            Ok(job) => break job,
            Err(error) if error.maybe_done() && creates < CREATES => {
                context.stop.check()?;
                tracing::warn!(%error, "the job may have been created; looking for it");
                found = look_twice(backends, shard, &attempt, context).await?;
            }
            Err(error) => {
                let (maybe_done, is_declined, is_refusal) =
                    (error.maybe_done(), is_declined(&error), is_refusal(&error));
                if is_refusal && !is_first {
                    // The list may have it only now.
                    found = look_twice(backends, shard, &attempt, context).await?;
                    if found.is_some() {
                        continue;
                    }
                }
                let failed = Error::new(Kind::Backend, format!("create the job of shard {shard}")).with_source(error);
                if is_refusal {
                    context.events.send(&Event::Refused { shard, error: words_of(&failed) });
                    return Ok(Some(Refusal { shard, is_first, error: failed }));
                }
                if is_declined && is_first {
                    withdraw(run, shard).await?;
                }
                let goes_on = |hint: &str| {
                    format!("{hint}; then run the same command again, without --new: it goes on from here")
                };
                let hint = match maybe_done {
                    true => Some("run it again: the job is looked for before another is created".to_owned()),
                    false => failed.hint().filter(|_| is_declined).map(goes_on),
                };
                return Err(match hint {
                    Some(hint) => failed.with_hint(hint),
                    None => failed,
                });
            }
        }
    };
    let name = name_of(&job)?;
    let now = context.clock.now();
    run.lock().await.update(|state| {
        if let Some(attempt) = state.shards[shard].attempts.last_mut() {
            attempt.job = Some(name.clone());
            attempt.state = job.state.clone();
            attempt.history.push(StateSeen { state: job.state.clone(), at: now });
        }
    })?;
    context.events.send(&Event::Submitted { shard, job: name, adopted });
    Ok(None)
}

/// Puts the intent on disk, unless it is there: the attempt, whether it was there, and the job to
/// create. `None` where the job exists already, or was refused before.
async fn intend(
    run: &Mutex<&mut RunDir>,
    shard: usize,
    backends: &Backends,
    context: &Context,
) -> Result<Option<(Attempt, bool, BatchPredictionJob)>> {
    let mut run = run.lock().await;
    // Before anything is on disk that would have to be taken back.
    context.stop.check()?;
    let resumed = resume_of(run.state(), shard, backends)?;
    let intended_before = match (run.state().shards[shard].attempts.last(), &resumed) {
        (Some(attempt), None) if attempt.job.is_some() || attempt.is_refused() => return Ok(None),
        (Some(attempt), _) if attempt.job.is_none() && !attempt.is_refused() => true,
        _ => {
            let now = context.clock.now();
            run.update(|state| {
                let attempt = new_attempt(state, shard, resumed, now);
                state.shards[shard].attempts.push(attempt);
            })?;
            false
        }
    };
    let attempt = current(run.state(), shard)?.clone();
    let model = run.state().spec_of(attempt.round).model()?;
    let input = attempt.input.clone().unwrap_or_else(|| run.state().shards[shard].staged.input.clone());
    let mut job =
        BatchPredictionJob::new(&attempt.display_name, &model, input, backends.output.config(&attempt.output));
    job.labels.clone_from(&attempt.labels);
    Ok(Some((attempt, intended_before, job)))
}

/// Takes back the intent of which it is known that no job came: nothing is begun that would have to go on.
async fn withdraw(run: &Mutex<&mut RunDir>, shard: usize) -> Result<()> {
    run.lock().await.update(|state| drop(state.shards[shard].attempts.pop()))
}

/// The round that resumes a shard and has not yet, with the input of its job: what the newest attempt
/// left, of which the service keeps every row that has a response.
fn resume_of(state: &RunState, shard: usize, backends: &Backends) -> Result<Option<(u32, InputConfig)>> {
    let Some(round) = state.rounds.last().filter(|round| round.resumed.contains(&shard)) else { return Ok(None) };
    let attempt = current(state, shard)?;
    if round.number <= attempt.round {
        return Ok(None);
    }
    let missing = || Error::new(Kind::Bug, format!("shard {shard} has no output to resume"));
    let input = backends
        .output
        .as_input(attempt.output_info.as_ref().ok_or_else(missing)?)
        .map_err(|error| Error::new(Kind::Backend, format!("resume the job of shard {shard}")).with_source(error))?;
    Ok(Some((round.number, input)))
}

/// The newest attempt of a shard.
pub(crate) fn current(state: &RunState, shard: usize) -> Result<&Attempt> {
    let attempt = state.shards.get(shard).and_then(|shard| shard.attempts.last());
    attempt.ok_or_else(|| Error::new(Kind::Bug, format!("shard {shard} has no attempt")))
}

fn new_attempt(state: &RunState, shard: usize, resumed: Option<(u32, InputConfig)>, now: jiff::Timestamp) -> Attempt {
    let before = state.shards[shard].attempts.last();
    let number = before.map_or(1, |attempt| attempt.number + 1);
    let (round, input) = match resumed {
        Some((round, input)) => (round, Some(input)),
        None => (state.shards[shard].round, None),
    };
    let piece = format!("s{shard:05}-a{number}");
    let mut labels = state.spec.target.labels.clone();
    for (key, value) in [
        (RUN_LABEL, state.id.as_str()),
        (SHARD_LABEL, piece.as_str()),
        (FINGERPRINT_LABEL, &state.fingerprint[..state.fingerprint.len().min(16)]),
    ] {
        labels.insert(key.to_owned(), Value::String(value.to_owned()));
    }
    if 0 < round {
        labels.insert(ROUND_LABEL.to_owned(), Value::String(round.to_string()));
    }
    if let Some(settings) = state.round(round).and_then(|round| settings_label(&state.spec.request, round)) {
        labels.insert(SETTINGS_LABEL.to_owned(), Value::String(settings));
    }
    if 0 < state.cached_records() {
        labels.insert(CACHED_LABEL.to_owned(), Value::String(state.cached_records().to_string()));
    }
    if let Some(part) = state.selection {
        labels.insert(PART_LABEL.to_owned(), Value::String(part.to_label()));
    }
    Attempt {
        number,
        round,
        input,
        output: format!("{}/{piece}", state.id),
        display_name: format!("batch-cli {} {piece}", state.id),
        labels,
        intended: now,
        job: None,
        state: JobState::Unspecified,
        history: Vec::new(),
        stats: None,
        output_info: None,
        error: None,
        collected: None,
    }
}

/// What tells the settings of a round from those of the run; `None` where they are the same.
fn settings_label(run: &RequestSpec, round: &Round) -> Option<String> {
    let settings = round.request.clone().map(|request| RequestSpec { model: run.model.clone(), ..request })?;
    if settings == *run {
        return None;
    }
    let digest = Sha256::digest(json!(settings).to_string().as_bytes());
    Some(digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect())
}

/// The job that carries the attempt's labels, where there is one; a new job may not be listed at once.
async fn look_twice(
    backends: &Backends,
    shard: usize,
    attempt: &Attempt,
    context: &Context,
) -> Result<Option<BatchPredictionJob>> {
    let jobs = &*backends.jobs;
    if let Some(job) = look(jobs, shard, attempt, context).await? {
        return Ok(Some(job));
    }
    let until = context.clock.now() + SignedDuration::try_from(SETTLE).unwrap_or(SignedDuration::ZERO);
    context.clock.sleep_until(until).await;
    look(jobs, shard, attempt, context).await
}

async fn look(
    jobs: &dyn JobService,
    shard: usize,
    attempt: &Attempt,
    context: &Context,
) -> Result<Option<BatchPredictionJob>> {
    let label = |labels: &Map<String, Value>, key: &str| labels.get(key).and_then(Value::as_str).map(str::to_owned);
    let run = label(&attempt.labels, RUN_LABEL).unwrap_or_default();
    let mut query = ListJobs { filter: format!("labels.{RUN_LABEL}=\"{run}\""), ..ListJobs::default() };
    loop {
        let page = patiently(shard, "look for the job", context, async || jobs.list(&query).await).await?;
        let page = page.map_err(|error| {
            Error::new(Kind::Backend, "look for a job that may have been created").with_source(error)
        })?;
        // The filter is the service's; that the job is ours, we see for ourselves.
        let ours = |job: &BatchPredictionJob| {
            [RUN_LABEL, SHARD_LABEL].iter().all(|key| label(&job.labels, key) == label(&attempt.labels, key))
        };
        let mut ours: Vec<_> = page.jobs.into_iter().filter(|job| ours(job)).collect();
        // Two would be one too many; the older is the one that was paid for first.
        ours.sort_by(|a, b| a.create_time.cmp(&b.create_time));
        if let Some(job) = ours.into_iter().next() {
            return Ok(Some(job));
        }
        match page.next_page_token {
            Some(token) if !token.is_empty() => query.page_token = Some(token),
            _ => return Ok(None),
        }
    }
}

fn name_of(job: &BatchPredictionJob) -> Result<JobName> {
    let name = job.name.as_deref().unwrap_or_default();
    name.parse().map_err(|error| {
        Error::new(Kind::Backend, "the service answered to the creation of a job without its name").with_source(error)
    })
}
