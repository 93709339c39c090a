//! What a run left in the cloud, and how it is taken away: staged request lines, predictions, jobs.

use std::path::Path;

use batch_backend::{Error as BackendError, Kind as BackendKind, Staged, StagedSize};
use batch_model::{InputConfig, JobName, JobState};
use serde::Serialize;

use crate::{
    Backends, Context, Error, Kind, Result,
    state::{Attempt, RunState, StagedState},
    status::is_collected,
};

/// One thing that a run may have left in the cloud.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Remnant {
    /// What it is.
    pub kind: RemnantKind,
    /// Its address: a URI, or a job's name.
    pub address: String,
    /// Whether it may go, and what became of it.
    pub fate: Fate,
    /// How it is named to the backend.
    #[serde(skip)]
    handle: Handle,
}

/// What a remnant is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RemnantKind {
    /// Request lines that were staged.
    Input,
    /// A folder or table of predictions.
    Output,
    /// A job.
    Job,
}

/// Whether something may go, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "fate", content = "why", rename_all = "snake_case")]
pub enum Fate {
    /// It is there, or may be, and may go.
    Removable,
    /// It is not there any more.
    Gone,
    /// It stays, for this reason.
    Kept(String),
    /// It was removed.
    Removed,
    /// It could not be looked for or removed.
    Failed(String),
}

#[derive(Debug, Clone, PartialEq)]
enum Handle {
    Input(Box<StagedState>),
    /// Requests that were made where the records are.
    Records(Box<InputConfig>),
    Output(String),
    Job(JobName),
}

/// What the run left in the cloud: nothing is removed. Predictions that are not in `directory`, and the
/// jobs that tell where they are, are to be kept, unless `force`. What a running job reads and writes is
/// kept whoever insists.
///
/// # Errors
/// Somebody asked to stop. What cannot be looked for is [`Fate::Failed`].
pub async fn find_remnants(
    state: &RunState,
    directory: &Path,
    backends: &Backends,
    context: &Context,
    force: bool,
) -> Result<Vec<Remnant>> {
    let mut remnants = Vec::new();
    for shard in &state.shards {
        // Of what was adopted without a job nothing is known, so nothing can be looked for.
        if shard.staged.name.is_empty() && shard.attempts.iter().all(Attempt::is_refused) {
            continue;
        }
        let mut looks = Vec::new();
        for attempt in &shard.attempts {
            context.stop.check()?;
            looks.push(look(attempt, backends).await);
        }
        let running = looks.iter().find_map(|look| match look {
            Look::Running(state) => Some(Keep::always(format!("its job is {}: cancel it first", state.as_str()))),
            _ => None,
        });
        let keep = |keep: Option<Keep>| running.clone().or(keep).filter(|keep| !force || keep.always);
        let needed = match looks.last() {
            _ if shard.staged.name.is_empty() => Some(Keep::always(OF_OTHERS)),
            None => Some(Keep::unless_forced("it is staged for a job that is not created yet")),
            Some(look) => look.needs(),
        };
        remnants.push(match &state.input.records {
            None => input_of(&shard.staged, keep(needed), backends).await,
            Some(records) if records.is_built => {
                let read = (!state.spec.results.is_here()).then(|| Keep::unless_forced(RESULTS));
                records_of(&shard.staged, keep(needed.or(read)))
            }
            Some(_) => records_of(&shard.staged, Some(Keep::always(RECORDS))),
        });
        for (attempt, look) in shard.attempts.iter().zip(looks) {
            let needed = match look.needs() {
                _ if attempt.output.is_empty() => Some(Keep::always(OF_OTHERS)),
                None if !is_collected(attempt, directory) => {
                    Some(Keep::unless_forced("its predictions are not collected"))
                }
                needed => needed,
            };
            let needed = keep(needed);
            remnants.push(output_of(attempt, needed.clone(), backends));
            remnants.extend(job_of(attempt, look, needed));
        }
    }
    Ok(remnants)
}

/// Why what a job that is no run's of ours reads and writes stays, whoever insists.
const OF_OTHERS: &str = "the job was not made by a run";

/// Why records that were submitted as they are stay, whoever insists.
const RECORDS: &str = "it was there before the run";

/// Why requests stay that a view of the answers reads.
const RESULTS: &str = "the results are made of it";

/// Why something stays.
#[derive(Debug, Clone)]
struct Keep {
    why: String,
    /// Whoever insists.
    always: bool,
}

impl Keep {
    fn always(why: impl Into<String>) -> Self {
        Self { why: why.into(), always: true }
    }

    fn unless_forced(why: &str) -> Self {
        Self { why: why.to_owned(), always: false }
    }
}

/// What the service says of an attempt's job.
enum Look {
    /// It is not known whether there is one.
    Unknown,
    /// There is none any more.
    Gone,
    Ended,
    Running(JobState),
    /// Nobody can say.
    Failed(String),
}

impl Look {
    /// Why what the job reads and writes stays.
    fn needs(&self) -> Option<Keep> {
        match self {
            Self::Unknown => Some(Keep::unless_forced("it is not known whether its job was created")),
            Self::Failed(_) => Some(Keep::unless_forced("its job cannot be looked at")),
            Self::Running(_) | Self::Gone | Self::Ended => None,
        }
    }
}

async fn look(attempt: &Attempt, backends: &Backends) -> Look {
    let Some(name) = &attempt.job else {
        return if attempt.is_refused() { Look::Gone } else { Look::Unknown };
    };
    match backends.jobs.get(name).await {
        Ok(job) if job.state.is_terminal() => Look::Ended,
        Ok(job) => Look::Running(job.state),
        Err(error) if error.kind() == BackendKind::NotFound => Look::Gone,
        Err(error) => Look::Failed(words_of(&error)),
    }
}

fn fate_of(keep: Option<Keep>) -> Fate {
    keep.map_or(Fate::Removable, |keep| Fate::Kept(keep.why))
}

async fn input_of(staged: &StagedState, keep: Option<Keep>, backends: &Backends) -> Remnant {
    let address = staged.input.uris().first().map_or_else(|| staged.name.clone(), |uri| (*uri).to_owned());
    let fate = match &keep {
        // Under no name it cannot be looked for.
        Some(_) if staged.name.is_empty() => fate_of(keep),
        _ => match backends.input.find(&staged.name).await {
            Ok(None) => Fate::Gone,
            Ok(Some(_)) => fate_of(keep),
            // With the bucket everything in it is gone.
            Err(error) if error.kind() == BackendKind::NotFound => Fate::Gone,
            Err(error) => Fate::Failed(words_of(&error)),
        },
    };
    Remnant { kind: RemnantKind::Input, address, fate, handle: Handle::Input(Box::new(staged.clone())) }
}

/// Records where they lie, or requests that were made of them there. Whether they are there any more shows
/// when they are removed.
fn records_of(staged: &StagedState, keep: Option<Keep>) -> Remnant {
    let address = staged.input.uris().first().map_or_else(|| staged.name.clone(), |uri| (*uri).to_owned());
    let handle = Handle::Records(Box::new(staged.input.clone()));
    Remnant { kind: RemnantKind::Input, address, fate: fate_of(keep), handle }
}

/// What an attempt's job wrote. Whether anything is there is not known without reading it.
fn output_of(attempt: &Attempt, keep: Option<Keep>, backends: &Backends) -> Remnant {
    let config = backends.output.config(&attempt.output);
    let address = config.uri().unwrap_or(&attempt.output).to_owned();
    Remnant { kind: RemnantKind::Output, address, fate: fate_of(keep), handle: Handle::Output(attempt.output.clone()) }
}

fn job_of(attempt: &Attempt, look: Look, keep: Option<Keep>) -> Option<Remnant> {
    let name = attempt.job.clone()?;
    let fate = match look {
        Look::Gone => Fate::Gone,
        Look::Failed(why) => Fate::Failed(why),
        _ => fate_of(keep),
    };
    Some(Remnant { kind: RemnantKind::Job, address: name.to_string(), fate, handle: Handle::Job(name) })
}

/// Removes what may go, one by one; what fails says so and stops nothing else. What is not there any more
/// is no failure.
///
/// A job goes only after its predictions: while it is there it tells where they are.
///
/// # Errors
/// Somebody asked to stop; the remnants tell how far it came.
pub async fn remove_remnants(remnants: &mut [Remnant], backends: &Backends, context: &Context) -> Result<()> {
    let mut failed_output = false;
    for remnant in remnants {
        context.stop.check()?;
        match remnant.kind {
            RemnantKind::Output => failed_output = matches!(remnant.fate, Fate::Failed(_)),
            RemnantKind::Job if failed_output && remnant.fate == Fate::Removable => {
                remnant.fate = Fate::Kept("its predictions could not be removed".to_owned());
            }
            _ => {}
        }
        if remnant.fate != Fate::Removable {
            continue;
        }
        let removed = match &remnant.handle {
            Handle::Input(staged) => backends.input.remove(&staged_of(staged)).await,
            Handle::Records(input) => match &backends.records {
                Some(records) => records.remove(input).await,
                None => Err(BackendError::new(BackendKind::Unsupported, "remove", remnant.address.clone())),
            },
            Handle::Output(name) => backends.output.remove(name).await,
            Handle::Job(name) => backends.jobs.delete(name).await,
        };
        remnant.fate = match removed {
            Ok(()) => Fate::Removed,
            Err(error) if error.kind() == BackendKind::NotFound => Fate::Gone,
            Err(error) => {
                failed_output |= remnant.kind == RemnantKind::Output;
                Fate::Failed(words_of(&error))
            }
        };
    }
    Ok(())
}

fn staged_of(staged: &StagedState) -> Staged {
    let size = match (staged.bytes, staged.rows) {
        (_, Some(rows)) => StagedSize::Rows(rows),
        (bytes, None) => StagedSize::Bytes(bytes.unwrap_or(0)),
    };
    Staged { input: staged.input.clone(), size, checksum: staged.checksum.clone() }
}

/// An error with its causes, in one line.
fn words_of(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// Removes the directory of a run from this machine.
///
/// # Errors
/// It is no run, or it cannot be removed.
pub fn remove_directory(directory: &Path) -> Result<()> {
    // What is no run is not ours to remove.
    if !directory.join("run.json").is_file() {
        return Err(Error::new(Kind::RunDirectory, format!("{} is no run", directory.display())));
    }
    std::fs::remove_dir_all(directory).map_err(|error| Error::io(Kind::RunDirectory, "remove", directory, error))
}
