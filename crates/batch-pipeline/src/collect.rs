//! Collecting: every prediction file of a job, byte for byte, into the run directory.

use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

use batch_backend::{Chunk, PredictionSource};
use batch_model::BatchPredictionJob;
use tokio::sync::{Mutex, mpsc};

use crate::{
    Backends, Context, Error, Event, Kind, Result, RunDir,
    patience::patiently,
    run_dir::{PacedFile, put_in_place, temporary_of},
    state::{Attempt, CollectedFile},
    status::is_collected,
    submit::current,
};

/// How many bytes between two events.
const TELL_EVERY: u64 = 8 << 20;
/// How many chunks may wait for the disk.
const WAITING: usize = 8;

/// Collects the predictions of the newest attempt of `shard`, unless they are here already.
pub(crate) async fn collect(
    run: &Mutex<&mut RunDir>,
    shard: usize,
    backends: &Backends,
    context: &Context,
) -> Result<()> {
    let (attempt, root) = {
        let run = run.lock().await;
        (current(run.state(), shard)?.clone(), run.path().to_owned())
    };
    // What was collected while the job was running is not all.
    if attempt.is_refused() || is_collected(&attempt, &root) {
        return Ok(());
    }
    let mut job = BatchPredictionJob::default();
    job.name = attempt.job.as_ref().map(ToString::to_string);
    job.output_info.clone_from(&attempt.output_info);
    job.state = attempt.state.clone();
    let failed =
        |error| Error::new(Kind::Backend, format!("collect the predictions of shard {shard}")).with_source(error);
    let folder = folder_of(shard, &attempt);
    // From the beginning each time: a file that is half here has no name yet.
    let files = patiently(shard, "collect the predictions", context, async || {
        let source = backends.output.open(&attempt.output, &job).await.map_err(failed)?;
        spool(source, &root, &folder, shard, context).await
    });
    let files = files.await??;
    let bytes = files.iter().map(|file| file.bytes).sum();
    context.events.send(&Event::Collected { shard, files: files.len(), bytes });
    run.lock().await.update(|state| {
        if let Some(attempt) = state.shards[shard].attempts.last_mut() {
            attempt.collected = Some(files);
        }
    })
}

/// Where the predictions of an attempt are, relative to the run directory.
pub(crate) fn folder_of(shard: usize, attempt: &Attempt) -> PathBuf {
    PathBuf::from("predictions").join(format!("s{shard:05}-a{}", attempt.number))
}

/// Brings what there is into files of `folder` below `root`. The disk is written on a thread of its own, so that
/// neither waits for the other.
pub(crate) async fn spool(
    source: Box<dyn PredictionSource>,
    root: &Path,
    folder: &Path,
    shard: usize,
    context: &Context,
) -> Result<Vec<CollectedFile>> {
    let (sender, chunks) = mpsc::channel(WAITING);
    let (root, folder) = (root.to_owned(), folder.to_owned());
    let writing = tokio::task::spawn_blocking(move || write(chunks, &root, &folder));
    let fetched = fetch(source, sender, shard, context).await;
    let written = writing.await.map_err(|error| Error::new(Kind::Bug, "write the predictions").with_source(error))?;
    match (fetched, written) {
        // Where nobody writes any more, the disk is the cause.
        (_, Err(error)) | (Err(error), Ok(_)) => Err(error),
        (Ok(()), Ok(Some(files))) => Ok(files),
        (Ok(()), Ok(None)) => Err(Error::new(Kind::Bug, "the predictions ended too early")),
    }
}

/// Hands on all chunks, and `None` after the last; ends early where nobody takes them.
async fn fetch(
    mut source: Box<dyn PredictionSource>,
    to: mpsc::Sender<Option<Chunk>>,
    shard: usize,
    context: &Context,
) -> Result<()> {
    let (mut bytes, mut told) = (0, 0);
    loop {
        context.stop.check()?;
        let chunk = source.next().await.map_err(|error| {
            Error::new(Kind::Backend, format!("collect the predictions of shard {shard}")).with_source(error)
        })?;
        let is_last = chunk.is_none();
        bytes += chunk.as_ref().map_or(0, |chunk| chunk.bytes.len() as u64);
        if to.send(chunk).await.is_err() || is_last {
            return Ok(());
        }
        if bytes - told >= TELL_EVERY {
            told = bytes;
            context.events.send(&Event::Collecting { shard, bytes });
        }
    }
}

/// Writes chunks into their files, each of which gets its name when it is whole and on disk. `None` where the
/// chunks stop without an end: the last file has no name then.
fn write(mut chunks: mpsc::Receiver<Option<Chunk>>, root: &Path, folder: &Path) -> Result<Option<Vec<CollectedFile>>> {
    let path = root.join(folder);
    fs::create_dir_all(&path).map_err(|error| Error::io(Kind::RunDirectory, "make the directory", &path, error))?;
    let mut files: Vec<CollectedFile> = Vec::new();
    let mut names = BTreeSet::new();
    let mut open: Option<(Arc<str>, Spooled)> = None;
    while let Some(chunk) = chunks.blocking_recv() {
        let another = chunk.as_ref().is_none_or(|chunk| open.as_ref().is_none_or(|(name, _)| *name != chunk.file));
        if another && let Some((_, file)) = open.take() {
            files.push(file.finish(root)?);
        }
        let Some(chunk) = chunk else { return Ok(Some(files)) };
        let file = match &mut open {
            Some((_, file)) => file,
            None => {
                if !is_plain(&chunk.file) || !names.insert(chunk.file.clone()) {
                    let message = format!("the output store names a file {:?}", chunk.file);
                    return Err(Error::new(Kind::Bug, message));
                }
                &mut open.insert((chunk.file.clone(), Spooled::create(folder.join(&*chunk.file), root)?)).1
            }
        };
        file.write(&chunk.bytes)?;
    }
    Ok(None)
}

/// A name that stays in its folder, on every system.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\\', ':', '\0'])
}

/// A prediction file on its way. What does not get its name is removed: where the disk is full, it is so of this.
struct Spooled {
    relative: PathBuf,
    temporary: PathBuf,
    file: PacedFile,
    bytes: u64,
}

impl Drop for Spooled {
    fn drop(&mut self) {
        // Once it has its name, there is nothing under this one.
        let _ = fs::remove_file(&self.temporary);
    }
}

impl Spooled {
    fn create(relative: PathBuf, root: &Path) -> Result<Self> {
        let temporary = temporary_of(&root.join(&relative));
        let file = PacedFile::create(&temporary).map_err(|e| Error::io(Kind::RunDirectory, "write", &temporary, e))?;
        Ok(Self { relative, temporary, file, bytes: 0 })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.bytes += bytes.len() as u64;
        let written = self.file.write_all(bytes);
        written.map_err(|error| Error::io(Kind::RunDirectory, "write", &self.temporary, error))
    }

    fn finish(self, root: &Path) -> Result<CollectedFile> {
        let path = root.join(&self.relative);
        let placed = self.file.sync_all().and_then(|()| put_in_place(&self.temporary, &path));
        placed.map_err(|error| Error::io(Kind::RunDirectory, "write", &path, error))?;
        Ok(CollectedFile { path: self.relative.to_string_lossy().replace('\\', "/"), bytes: self.bytes })
    }
}
