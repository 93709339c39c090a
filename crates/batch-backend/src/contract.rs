//! The tests that every backend runs, against an emulator of ours and against other people's servers.
//!
//! Each function panics with what is wrong, as a test does. They are handed a store, so that a new
//! backend is tested by a few lines; `prefix` is a name below which nothing else lives.

use batch_model::{BatchPredictionJob, JobName, JobState, ModelName};
use bytes::Bytes;

use crate::{Columns, InputStore, JobService, Kind, ListJobs, OutputStore, StagedSize};

/// What an [`InputStore`] must do: nothing is visible before `finish`, what was staged is found with
/// the same size and checksum, staging again replaces, removing is idempotent.
///
/// # Panics
/// Where the store does not.
pub async fn input_store(store: &dyn InputStore, prefix: &str) {
    let columns = Columns::default();
    let name = format!("{prefix}/lines.jsonl");
    assert_eq!(store.find(&name).await.expect("find"), None, "{store}: something is staged already");

    let line = Bytes::from_static(b"{\"key\":\"r0\",\"request\":{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"\xe6\x97\xa5\xe6\x9c\xac\"}]}]}}\n");
    let mut sink = store.create(&name, &columns).await.expect("create");
    sink.write(line.clone()).await.expect("write");
    assert_eq!(store.find(&name).await.expect("find"), None, "{store}: lines are visible before finish");
    // Pieces are cut anywhere, in the middle of a character too.
    sink.write(line.slice(..line.len() - 30)).await.expect("write");
    sink.write(line.slice(line.len() - 30..)).await.expect("write");
    let staged = sink.finish().await.expect("finish");
    match staged.size {
        StagedSize::Bytes(bytes) => assert_eq!(bytes, 2 * line.len() as u64, "{store}: bytes staged"),
        StagedSize::Rows(rows) => assert_eq!(rows, 2, "{store}: rows staged"),
    }
    assert!(!staged.input.uris().is_empty(), "{store}: the input has no address");
    assert_eq!(store.find(&name).await.expect("find"), Some(staged.clone()), "{store}: not found as it was staged");

    let sink = store.create(&format!("{prefix}/never.jsonl"), &columns).await.expect("create");
    sink.abort().await.expect("abort");
    assert_eq!(store.find(&format!("{prefix}/never.jsonl")).await.expect("find"), None, "{store}: staged after abort");

    let mut sink = store.create(&name, &columns).await.expect("create again");
    sink.write(line.clone()).await.expect("write again");
    let again = sink.finish().await.expect("finish again");
    assert_ne!(again.size, staged.size, "{store}: staging again did not replace");
    assert_eq!(store.find(&name).await.expect("find"), Some(again.clone()));

    store.remove(&again).await.expect("remove");
    assert_eq!(store.find(&name).await.expect("find"), None, "{store}: found after remove");
    store.remove(&again).await.expect("remove again");
}

/// What an [`InputStore`] must do with much data: `megabytes` MiB in uneven pieces arrive whole.
///
/// # Panics
/// Where the store does not.
pub async fn large_input(store: &dyn InputStore, prefix: &str, megabytes: usize) {
    let line = format!("{{\"key\":\"r0\",\"request\":{{\"text\":\"{}\"}}}}\n", "x".repeat(1 << 16));
    let (mut written, mut rows) = (0, 0);
    let mut sink = store.create(&format!("{prefix}/large.jsonl"), &Columns::default()).await.expect("create");
    while written < megabytes << 20 {
        // One piece that is cut in three, another in one.
        let cut = (written / 7) % line.len();
        for piece in [&line[..cut], &line[cut..]] {
            sink.write(Bytes::copy_from_slice(piece.as_bytes())).await.expect("write");
        }
        written += line.len();
        rows += 1;
    }
    let staged = sink.finish().await.expect("finish");
    match staged.size {
        StagedSize::Bytes(bytes) => assert_eq!(bytes, written as u64, "{store}: bytes staged"),
        StagedSize::Rows(staged) => assert_eq!(staged, rows, "{store}: rows staged"),
    }
    store.remove(&staged).await.expect("remove");
}

/// What an [`OutputStore`] must do with a job that has ended: the pieces of each file come in order
/// and without gaps, and removing is idempotent. Returns each file's name and its bytes.
///
/// # Panics
/// Where the store does not.
pub async fn output_store(store: &dyn OutputStore, name: &str, job: &BatchPredictionJob) -> Vec<(String, Vec<u8>)> {
    let mut source = store.open(name, job).await.expect("open");
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    while let Some(chunk) = source.next().await.expect("next") {
        assert!(!chunk.file.is_empty() && !chunk.file.starts_with('/'), "{store}: {:?} is no file name", chunk.file);
        if files.last().is_none_or(|(file, _)| **file != *chunk.file) {
            assert!(files.iter().all(|(file, _)| **file != *chunk.file), "{store}: files interleave");
            files.push((chunk.file.to_string(), Vec::new()));
        }
        let (_, bytes) = files.last_mut().expect("a file");
        assert_eq!(chunk.offset, bytes.len() as u64, "{store}: a gap in {}", chunk.file);
        bytes.extend_from_slice(&chunk.bytes);
    }
    files
}

/// What a [`JobService`] must do: a created job is found by name and by label, runs to `SUCCEEDED`
/// over states that [`JobState`] knows, and can be deleted only then.
///
/// `submit` makes the job to create for a display name; it must carry the label `contract` with the
/// display name as its value. `pause` is awaited between polls. Returns the job at its end.
///
/// # Panics
/// Where the service does not.
pub async fn job_service<P, F>(
    service: &dyn JobService,
    display_name: &str,
    job: BatchPredictionJob,
    mut pause: P,
) -> BatchPredictionJob
where
    P: FnMut() -> F,
    F: Future<Output = ()>,
{
    let job = job.with_label("contract", display_name);
    let created = service.create(&job).await.expect("create");
    let name: JobName = created.name.as_deref().expect("a created job has a name").parse().expect("a job name");
    assert_eq!(created.display_name.as_deref(), job.display_name.as_deref());
    assert!(created.model.as_deref().expect("a model").parse::<ModelName>().is_ok());

    let filter = format!("labels.contract=\"{display_name}\"");
    let page = service.list(&ListJobs { filter, page_size: Some(10), page_token: None }).await.expect("list");
    assert_eq!(page.jobs.len(), 1, "{service}: not found by its label");
    assert_eq!(page.jobs[0].name, created.name);

    let not_ended = service.delete(&name).await.expect_err("a job that has not ended was deleted");
    assert_eq!(not_ended.kind(), Kind::FailedPrecondition, "{service}: {not_ended}");

    let mut polls = 0;
    let ended = loop {
        let job = service.get(&name).await.expect("get");
        assert!(!matches!(job.state, JobState::Unspecified | JobState::Unknown(_)), "{service}: {:?}", job.state);
        if job.state.is_terminal() {
            break job;
        }
        polls += 1;
        assert!(polls < 10_000, "{service}: the job never ends");
        pause().await;
    };
    assert_eq!(ended.state, JobState::Succeeded, "{service}: {:?}", ended.error);
    assert!(ended.output_info.is_some(), "{service}: no output information");

    let ended_already = service.cancel(&name).await.expect_err("a job that has ended was cancelled");
    assert_eq!(ended_already.kind(), Kind::FailedPrecondition, "{service}: {ended_already}");

    service.delete(&name).await.expect("delete");
    let gone = service.get(&name).await.expect_err("a deleted job was found");
    assert_eq!(gone.kind(), Kind::NotFound, "{service}: {gone}");
    ended
}
