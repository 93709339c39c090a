//! Shards whose job the service refuses to create, whatever is tried: the answers of the other shards are
//! worth having all the same, and the records of these must not be lost.

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use batch_backend::Kind as BackendKind;
use batch_model::{JobState, Status};
use serde_json::json;

use crate::{
    Context, Error, Kind, MANIFEST, Result, RunDir,
    collect::folder_of,
    finish::Placed,
    read_manifest,
    state::{CollectedFile, RunState, StateSeen},
    submit::current,
};

/// What stands for the predictions of a shard that has no job, below the folder of its attempt: a line for each
/// record, with the refusal for its status. The service wrote nothing.
const FILE: &str = "refused.jsonl";

/// Reasons that are about the project or the login, which every job would meet, where the service gives them with
/// another status than 403: a project that is none, an API that is not enabled (google.api.ErrorReason; the last is of
/// older APIs).
const OF_THE_PROJECT: [&str; 10] = [
    "BILLING_DISABLED",
    "SERVICE_DISABLED",
    "CONSUMER_INVALID",
    "CONSUMER_SUSPENDED",
    "GCP_SUSPENDED",
    "RESOURCE_PROJECT_INVALID",
    "USER_PROJECT_DENIED",
    "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
    "IAM_PERMISSION_DENIED",
    "accessNotConfigured",
];

/// The service's last word on the job of a shard.
pub(crate) struct Refusal {
    pub(crate) shard: usize,
    /// Whether no job was asked for before in the place of this one.
    pub(crate) is_first: bool,
    pub(crate) error: Error,
}

/// Whether an error is the service's last word on this very job. A login that is not taken, a permission that is
/// missing, a project without billing, or a machine of ours that fails, says nothing about it: that ends the run
/// until it is mended.
pub(crate) fn is_refusal(error: &batch_backend::Error) -> bool {
    let of_the_job = !matches!(
        error.kind(),
        BackendKind::Unauthenticated | BackendKind::NoCredentials | BackendKind::Io | BackendKind::Other
    );
    of_the_job && is_said(error) && !is_of_all_jobs(error) && !error.maybe_done()
}

/// Whether an error tells for certain that no job came of the call: the service itself declined, in its own form. A
/// page is of what stands between: a proxy, a network to log in to.
pub(crate) fn is_declined(error: &batch_backend::Error) -> bool {
    let is_status = error.service().is_some_and(|service| (400..500).contains(&service.http_status));
    is_status && is_said(error) && !error.maybe_done()
}

fn is_said(error: &batch_backend::Error) -> bool {
    error.service().is_some_and(|service| service.message.is_some() || service.status.is_some())
}

/// Whether every job of the run would meet the same error.
///
/// That is so of all that is denied (403), also where the words name a shard's own object or table: the shards are
/// asked for by one login, in one project and location, and lie beside each other, where who may read the one may
/// read the others. (Nobody has seen the service look at the input before the job runs.) And of service agents,
/// which the first job of a project brings into being.
fn is_of_all_jobs(error: &batch_backend::Error) -> bool {
    let Some(service) = error.service() else { return false };
    let is_of_the_project = service.reason.as_deref().is_some_and(|reason| OF_THE_PROJECT.contains(&reason));
    let tells_of = |words: &str| service.message.as_deref().is_some_and(|text| text.to_lowercase().contains(words));
    is_of_the_project
        || error.kind() == BackendKind::PermissionDenied
        || error.kind() == BackendKind::FailedPrecondition && tells_of("service agent")
}

/// Has it in the run's state and among its predictions that the jobs of these shards were refused, so that the
/// records are reported with the reason, and a retry asks about them.
///
/// # Errors
/// The first refusal, where no other shard of its round has a job: then nothing came of the round, and the same
/// command goes on with it once the reason is gone; or, of a retry, one with other options takes its place. The run's
/// directory cannot be read or written.
pub(crate) async fn take_down(run: &mut RunDir, mut refused: Vec<Refusal>, context: &Context) -> Result<()> {
    refused.sort_by_key(|refusal| refusal.shard);
    let (mut alone, mut files) = (Vec::new(), Vec::new());
    for refusal in refused {
        if !has_company(run.state(), refusal.shard)? {
            alone.push(refusal);
            continue;
        }
        let shard = refusal.shard;
        let file = folder_of(shard, current(run.state(), shard)?).join(FILE);
        files.push(RefusedFile { shard, file, why: words_of(&refusal.error) });
    }
    if !files.is_empty() {
        let root = run.path().to_owned();
        let writing = tokio::task::spawn_blocking(move || RefusedFiles::write(root, files)).await;
        let written = writing.map_err(|error| Error::new(Kind::Bug, "write what was refused").with_source(error))??;
        let now = context.clock.now();
        run.update(|state| {
            for (RefusedFile { shard, why, .. }, file) in written {
                let Some(attempt) = state.shards[shard].attempts.last_mut() else { continue };
                let mut status = Status::default();
                status.message = Some(why);
                attempt.error = Some(status);
                attempt.state = JobState::Failed;
                attempt.history.push(StateSeen { state: JobState::Failed, at: now });
                attempt.collected = Some(vec![file]);
                state.finished = None;
            }
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

/// What stands for the predictions of a refused shard.
struct RefusedFile {
    shard: usize,
    /// Relative to the run directory.
    file: PathBuf,
    why: String,
}

/// The files of all refused shards, written in one pass over the manifest: it may have a row for each of millions
/// of records, and has its shards one after the other, so that one file is open at a time.
struct RefusedFiles {
    root: PathBuf,
    /// By shard; `None` where it has been begun.
    waiting: BTreeMap<usize, Option<RefusedFile>>,
    open: Option<Open>,
    written: Vec<(RefusedFile, CollectedFile)>,
}

struct Open {
    of: RefusedFile,
    file: Placed,
    bytes: u64,
}

impl RefusedFiles {
    fn write(root: PathBuf, files: Vec<RefusedFile>) -> Result<Vec<(RefusedFile, CollectedFile)>> {
        let manifest = root.join(MANIFEST);
        let waiting = files.into_iter().map(|file| (file.shard, Some(file))).collect();
        let mut this = Self { root, waiting, open: None, written: Vec::new() };
        let mut added = Ok(());
        // Who has lost it has no names for these records: they are reported as missing then.
        if manifest.exists() {
            read_manifest(&manifest, |key, row| {
                if added.is_ok() {
                    added = this.add(key, row.shard);
                }
            })?;
        }
        added?;
        this.close()?;
        // A shard of which the manifest has nothing has an empty file.
        while let Some(file) = this.waiting.values_mut().find_map(Option::take) {
            this.open(file)?;
            this.close()?;
        }
        Ok(this.written)
    }

    fn add(&mut self, key: &str, shard: usize) -> Result<()> {
        if self.open.as_ref().is_none_or(|open| open.of.shard != shard) {
            self.close()?;
            match self.waiting.get_mut(&shard).map(Option::take) {
                None => return Ok(()),
                Some(Some(file)) => self.open(file)?,
                Some(None) => {
                    let message = format!("the manifest has shard {shard} in two places");
                    return Err(Error::new(Kind::RunDirectory, message));
                }
            }
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        let line = format!("{}\n", json!({ "key": key, "status": open.of.why, "response": {} }));
        open.bytes += line.len() as u64;
        let written = open.file.write_all(line.as_bytes());
        written.map_err(|error| Error::io(Kind::RunDirectory, "write", &self.root.join(&open.of.file), error))
    }

    fn open(&mut self, of: RefusedFile) -> Result<()> {
        let path = self.root.join(&of.file);
        let folder = path.parent().unwrap_or(Path::new(""));
        fs::create_dir_all(folder)
            .map_err(|error| Error::io(Kind::RunDirectory, "make the directory", folder, error))?;
        self.open = Some(Open { of, file: Placed::create(&path)?, bytes: 0 });
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        let Some(Open { of, file, bytes }) = self.open.take() else { return Ok(()) };
        file.place()?;
        let path = of.file.to_string_lossy().replace('\\', "/");
        self.written.push((of, CollectedFile { path, bytes }));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use batch_backend::{Error as BackendError, ServiceError};

    use super::*;

    #[test]
    fn what_stands_between_does_not_speak_for_the_service() {
        let refused = |service| BackendError::new(BackendKind::InvalidArgument, "create", "x").with_service(service);
        let mut service = ServiceError::new(400);
        assert!(!is_refusal(&refused(service.clone())), "nothing is said");
        service.body = Some("<html>Log in to the hotel's network</html>".to_owned());
        assert!(!is_refusal(&refused(service.clone())));
        assert!(!is_declined(&refused(service.clone())));
        service.message = Some("Request contains an invalid argument.".to_owned());
        service.body = None;
        assert!(is_refusal(&refused(service.clone())) && is_declined(&refused(service.clone())));
        assert!(!is_declined(&refused(service).with_maybe_done(true)));
    }

    #[test]
    fn what_every_job_would_meet_is_about_no_job() {
        let is_refusal_for = |status: u16, kind: BackendKind, reason: Option<&str>, message: &str| {
            let mut service = ServiceError::new(status);
            service.message = Some(message.to_owned());
            service.reason = reason.map(str::to_owned);
            let error = BackendError::new(kind, "create", "x").with_service(service);
            assert!(is_declined(&error), "no job came of it");
            is_refusal(&error)
        };
        let (invalid, denied) = (BackendKind::InvalidArgument, BackendKind::PermissionDenied);
        let unmet = BackendKind::FailedPrecondition;
        assert!(OF_THE_PROJECT.iter().all(|reason| !is_refusal_for(400, invalid, Some(reason), "No such project.")));
        for message in [
            "Permission 'aiplatform.batchPredictionJobs.create' denied on resource \
             '//aiplatform.googleapis.com/projects/p/locations/us-central1' (or it may not exist).",
            "The caller does not have permission",
            // A shard's own object: who may not read this one may read none.
            "service-7@gcp-sa-aiplatform.iam.gserviceaccount.com does not have storage.objects.get access to \
             gs://news/x/s00001.jsonl.",
        ] {
            assert!(!is_refusal_for(403, denied, None, message), "{message}");
        }
        assert!(!is_refusal_for(403, denied, Some("SECURITY_POLICY_VIOLATED"), "Request is prohibited."));
        assert!(!is_refusal_for(400, unmet, None, "Service agents are being provisioned. Try again later."));
        assert!(is_refusal_for(400, unmet, None, "The model is being updated."));
        assert!(is_refusal_for(400, invalid, Some("FIELD_INVALID"), "Too many labels."));
    }
}
