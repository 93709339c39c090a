//! What a run left in the cloud, and how it is taken away: staged request lines, predictions, jobs.

use std::path::Path;

use batch_backend::{Kind as BackendKind, Staged, StagedSize};
use batch_model::JobName;
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
    Output(String),
    Job(JobName),
}

/// What the run left in the cloud: nothing is removed. Predictions that are not in `directory`, and the
/// jobs that tell where they are, are to be kept, unless `force`.
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
        context.stop.check()?;
        let needed = match shard.attempts.last() {
            None => Some("it is staged for a job that is not created yet"),
            Some(attempt) if attempt.job.is_none() => Some("it is not known whether its job was created"),
            Some(attempt) if !attempt.has_ended() => Some("its job has not been seen to end"),
            Some(_) => None,
        };
        remnants.push(input_of(&shard.staged, needed.filter(|_| !force), backends).await);
        for attempt in &shard.attempts {
            context.stop.check()?;
            let collected = is_collected(attempt, directory);
            let needed = match &attempt.job {
                None => Some("it is not known whether its job was created"),
                Some(_) if !attempt.has_ended() => Some("its job has not been seen to end"),
                Some(_) if !collected => Some("its predictions are not collected"),
                Some(_) => None,
            };
            let needed = needed.filter(|_| !force);
            let config = backends.output.config(&attempt.output);
            let address = config.uri().unwrap_or(&attempt.output).to_owned();
            let fate = needed.map_or(Fate::Removable, |why| Fate::Kept(why.to_owned()));
            let handle = Handle::Output(attempt.output.clone());
            remnants.push(Remnant { kind: RemnantKind::Output, address, fate, handle });
            remnants.extend(job_of(attempt, needed, backends).await);
        }
    }
    Ok(remnants)
}

async fn input_of(staged: &StagedState, needed: Option<&str>, backends: &Backends) -> Remnant {
    let address = staged.input.uris().first().map_or_else(|| staged.name.clone(), |uri| (*uri).to_owned());
    let fate = match backends.input.find(&staged.name).await {
        Ok(None) => Fate::Gone,
        Ok(Some(_)) => needed.map_or(Fate::Removable, |why| Fate::Kept(why.to_owned())),
        // With the bucket everything in it is gone.
        Err(error) if error.kind() == BackendKind::NotFound => Fate::Gone,
        Err(error) => Fate::Failed(words_of(&error)),
    };
    Remnant { kind: RemnantKind::Input, address, fate, handle: Handle::Input(Box::new(staged.clone())) }
}

async fn job_of(attempt: &Attempt, needed: Option<&str>, backends: &Backends) -> Option<Remnant> {
    let name = attempt.job.clone()?;
    let fate = match backends.jobs.get(&name).await {
        Err(error) if error.kind() == BackendKind::NotFound => Fate::Gone,
        Err(error) => Fate::Failed(words_of(&error)),
        // The service refuses to delete it, whoever insists.
        Ok(job) if !job.state.is_terminal() => Fate::Kept(format!("it is {}; cancel it first", job.state.as_str())),
        Ok(_) => needed.map_or(Fate::Removable, |why| Fate::Kept(why.to_owned())),
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
