//! Shards whose job the service refuses to create, whatever is tried: the answers of the other shards are
//! worth having all the same, and the records of these must not be lost.

use std::{
    io::{BufWriter, Write},
    path::PathBuf,
};

use batch_backend::Kind as BackendKind;
use batch_model::{JobState, Status};
use serde_json::json;

use crate::{
    Context, Error, Kind, MANIFEST, Result, RunDir,
    collect::folder_of,
    read_manifest,
    run_dir::write_atomically,
    state::{CollectedFile, RunState, StateSeen},
    submit::current,
};

/// What stands for the predictions of a shard that has no job, below the folder of its attempt: a line for each
/// record, with the refusal for its status. The service wrote nothing.
const FILE: &str = "refused.jsonl";

/// The service's last word on the job of a shard.
pub(crate) struct Refusal {
    pub(crate) shard: usize,
    /// Whether no job was asked for before in the place of this one.
    pub(crate) is_first: bool,
    pub(crate) error: Error,
}

/// Whether an error is the service's last word on this very job. A login that is not taken, or a machine of ours
/// that fails, says nothing about it.
pub(crate) fn is_refusal(error: &batch_backend::Error) -> bool {
    let of_the_job = !matches!(
        error.kind(),
        BackendKind::Unauthenticated | BackendKind::NoCredentials | BackendKind::Io | BackendKind::Other
    );
    // The service says so in its own form. A page is of what stands between: a proxy, a network to log in to.
    let is_said = error.service().is_some_and(|service| service.message.is_some() || service.status.is_some());
    of_the_job && is_said && !error.maybe_done()
}

/// Has it in the run's state and among its predictions that the jobs of these shards were refused, so that the
/// records are reported with the reason, and a retry asks about them.
///
/// # Errors
/// The first refusal, where no other shard of its round has a job: then nothing came of the round, and the same
/// command goes on with it once the reason is gone; or, of a retry, one with other options takes its place. The run's
/// directory cannot be read or written.
pub(crate) fn take_down(run: &mut RunDir, mut refused: Vec<Refusal>, context: &Context) -> Result<()> {
    refused.sort_by_key(|refusal| refusal.shard);
    let mut alone = Vec::new();
    for refusal in refused {
        if !has_company(run.state(), refusal.shard)? {
            alone.push(refusal);
            continue;
        }
        let text = words_of(&refusal.error);
        let file = write(run, refusal.shard, &text)?;
        let now = context.clock.now();
        run.update(|state| {
            let Some(attempt) = state.shards[refusal.shard].attempts.last_mut() else { return };
            let mut status = Status::default();
            status.message = Some(text);
            attempt.error = Some(status);
            attempt.state = JobState::Failed;
            attempt.history.push(StateSeen { state: JobState::Failed, at: now });
            attempt.collected = Some(vec![file]);
            state.finished = None;
        })?;
    }
    let withdrawn: Vec<usize> = alone.iter().filter(|alone| alone.is_first).map(|alone| alone.shard).collect();
    if !withdrawn.is_empty() {
        // It is known that no job came of these.
        run.update(|state| withdrawn.iter().for_each(|shard| drop(state.shards[*shard].attempts.pop())))?;
    }
    alone.into_iter().next().map_or(Ok(()), |first| Err(first.error))
}

/// Whether another shard of the same round has a job.
fn has_company(state: &RunState, shard: usize) -> Result<bool> {
    let round = current(state, shard)?.round;
    // Of records elsewhere the keys are not known here.
    let is_here = state.input.records.is_none();
    let newest = state.shards.iter().filter_map(|shard| shard.attempts.last());
    Ok(is_here && newest.into_iter().any(|attempt| attempt.round == round && attempt.job.is_some()))
}

/// The refusal in one line.
pub(crate) fn words_of(error: &Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

fn write(run: &RunDir, shard: usize, why: &str) -> Result<CollectedFile> {
    let relative = folder_of(shard, current(run.state(), shard)?).join(FILE);
    let path = run.path().join(&relative);
    let folder = path.parent().map_or_else(PathBuf::new, std::path::Path::to_owned);
    std::fs::create_dir_all(&folder)
        .map_err(|error| Error::io(Kind::RunDirectory, "make the directory", &folder, error))?;
    let mut listed = Ok(());
    let mut bytes = 0;
    write_atomically(&path, |file| {
        let (mut file, mut written) = (BufWriter::new(file), Ok(()));
        listed = read_manifest(&run.path().join(MANIFEST), |key, row| {
            if row.shard == shard && written.is_ok() {
                let line = format!("{}\n", json!({ "key": key, "status": why, "response": {} }));
                bytes += line.len() as u64;
                written = file.write_all(line.as_bytes());
            }
        });
        written.and_then(|()| file.flush())
    })?;
    listed?;
    Ok(CollectedFile { path: relative.to_string_lossy().replace('\\', "/"), bytes })
}

#[cfg(test)]
mod tests {
    use batch_backend::{Error as BackendError, ServiceError};

    use super::*;

    #[test]
    fn what_stands_between_does_not_speak_for_the_service() {
        let refused = |service| BackendError::new(BackendKind::PermissionDenied, "create", "x").with_service(service);
        let mut service = ServiceError::new(403);
        assert!(!is_refusal(&refused(service.clone())), "nothing is said");
        service.body = Some("<html>Log in to the hotel's network</html>".to_owned());
        assert!(!is_refusal(&refused(service.clone())));
        service.message = Some("Permission denied".to_owned());
        service.body = None;
        assert!(is_refusal(&refused(service)));
    }
}
