//! The reference implementation: stores and jobs in memory, for tests of code above the traits.

mod records;

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use batch_model::{BatchPredictionJob, InputConfig, JobName, JobState, Location, OutputConfig, OutputInfo};
use bytes::Bytes;

use crate::{
    Chunk, Columns, Error, InputStore, JobPage, JobService, Kind, ListJobs, OutputStore, PredictionSource, RequestSink,
    Result, Staged, StagedSize,
};

pub use self::records::MemoryRecords;

type Files = Arc<Mutex<BTreeMap<String, Bytes>>>;

/// A panic while the lock was held leaves a map that is still whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Files in memory. Clones share them. Its addresses are `memory:NAME`.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    files: Files,
}

impl MemoryStore {
    /// The bytes of the file `name`.
    #[must_use]
    pub fn read(&self, name: &str) -> Option<Bytes> {
        lock(&self.files).get(name).cloned()
    }

    /// Puts a file: what a job would write.
    pub fn put(&self, name: &str, bytes: impl Into<Bytes>) {
        lock(&self.files).insert(name.to_owned(), bytes.into());
    }

    fn staged(name: &str, bytes: &Bytes) -> Staged {
        Staged {
            input: InputConfig::gcs([format!("memory:{name}")]),
            size: StagedSize::Bytes(bytes.len() as u64),
            checksum: Some(format!("crc32c={:08x}", crc32c::crc32c(bytes))),
        }
    }

    fn name_of(uri: &str) -> &str {
        uri.strip_prefix("memory:").unwrap_or(uri)
    }
}

impl fmt::Display for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("memory:")
    }
}

#[async_trait]
impl InputStore for MemoryStore {
    async fn create(&self, name: &str, _columns: &Columns) -> Result<Box<dyn RequestSink>> {
        Ok(Box::new(MemorySink { files: Arc::clone(&self.files), name: name.to_owned(), bytes: Vec::new() }))
    }

    async fn find(&self, name: &str) -> Result<Option<Staged>> {
        Ok(self.read(name).map(|bytes| Self::staged(name, &bytes)))
    }

    async fn remove(&self, staged: &Staged) -> Result<()> {
        let mut files = lock(&self.files);
        for uri in staged.input.uris() {
            files.remove(Self::name_of(uri));
        }
        Ok(())
    }
}

struct MemorySink {
    files: Files,
    name: String,
    bytes: Vec<u8>,
}

#[async_trait]
impl RequestSink for MemorySink {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.bytes.extend_from_slice(&bytes);
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<Staged> {
        let bytes = Bytes::from(self.bytes);
        let staged = MemoryStore::staged(&self.name, &bytes);
        lock(&self.files).insert(self.name, bytes);
        Ok(staged)
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

#[async_trait]
impl OutputStore for MemoryStore {
    fn config(&self, name: &str) -> OutputConfig {
        OutputConfig::gcs(format!("memory:{name}/"))
    }

    async fn open(&self, name: &str, job: &BatchPredictionJob) -> Result<Box<dyn PredictionSource>> {
        let directory = job.output_info.as_ref().and_then(|info| info.gcs_output_directory.as_deref());
        let prefix = format!("{}/", directory.map_or(name, Self::name_of).trim_end_matches('/'));
        let files = lock(&self.files);
        let chunks = files.range(prefix.clone()..).take_while(|(file, _)| file.starts_with(&prefix));
        let chunks = chunks.map(|(file, bytes)| Chunk {
            // A job's folder below `name` is part of no file's name.
            file: file.rsplit('/').next().unwrap_or(file).into(),
            offset: 0,
            bytes: bytes.clone(),
        });
        Ok(Box::new(MemorySource { chunks: chunks.collect() }))
    }

    fn as_input(&self, info: &OutputInfo) -> Result<InputConfig> {
        match &info.gcs_output_directory {
            Some(directory) => Ok(InputConfig::gcs([format!("{directory}/predictions.jsonl")])),
            None => Err(Error::new(Kind::Unsupported, "use as an input", "an output that is not in memory")),
        }
    }

    async fn remove(&self, name: &str) -> Result<()> {
        let prefix = format!("{}/", name.trim_end_matches('/'));
        lock(&self.files).retain(|file, _| !file.starts_with(&prefix));
        Ok(())
    }
}

struct MemorySource {
    chunks: VecDeque<Chunk>,
}

#[async_trait]
impl PredictionSource for MemorySource {
    async fn next(&mut self) -> Result<Option<Chunk>> {
        Ok(self.chunks.pop_front())
    }
}

/// How a [`MemoryJobs`] answers one request line: the prediction line, without its line end.
pub type AnswerLine = Arc<dyn Fn(&[u8]) -> Vec<u8> + Send + Sync>;

/// Jobs in memory that read and write a [`MemoryStore`]: each `get` moves a job on by one state
/// (`PENDING`, `RUNNING`, `SUCCEEDED`), and the predictions are written at the last.
#[derive(Clone)]
pub struct MemoryJobs {
    store: MemoryStore,
    answer: AnswerLine,
    jobs: Arc<Mutex<Vec<BatchPredictionJob>>>,
}

impl MemoryJobs {
    /// Jobs that answer each line of their input with `answer`, in reverse order.
    #[must_use]
    pub fn new(store: MemoryStore, answer: AnswerLine) -> Self {
        Self { store, answer, jobs: Arc::default() }
    }

    fn run(&self, job: &mut BatchPredictionJob) {
        let mut lines = Vec::new();
        for uri in job.input_config.iter().flat_map(InputConfig::uris) {
            let bytes = self.store.read(MemoryStore::name_of(uri)).unwrap_or_default();
            lines.extend(
                bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(|line| (self.answer)(line)),
            );
        }
        lines.reverse();
        let prefix = job.output_config.as_ref().and_then(OutputConfig::uri).unwrap_or_default();
        let directory = format!("{prefix}prediction-model");
        let mut bytes = lines.join(&b'\n');
        if !bytes.is_empty() {
            bytes.push(b'\n');
        }
        self.store.put(&format!("{}/predictions.jsonl", MemoryStore::name_of(&directory)), bytes);
        let mut info = OutputInfo::default();
        info.gcs_output_directory = Some(directory);
        job.output_info = Some(info);
    }

    fn missing(doing: &str, name: &JobName) -> Error {
        Error::new(Kind::NotFound, doing, name.to_string())
    }
}

impl fmt::Debug for MemoryJobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryJobs").field("jobs", &self.jobs).finish_non_exhaustive()
    }
}

impl fmt::Display for MemoryJobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("jobs in memory")
    }
}

#[async_trait]
impl JobService for MemoryJobs {
    async fn create(&self, job: &BatchPredictionJob) -> Result<BatchPredictionJob> {
        if job.display_name.as_deref().unwrap_or_default().is_empty() {
            return Err(Error::new(Kind::InvalidArgument, "create", "a job without a display name"));
        }
        let location: Location =
            "local".parse().map_err(|error| Error::new(Kind::Other, "create", "a job in memory").with_source(error))?;
        let mut jobs = lock(&self.jobs);
        let mut job = job.clone();
        job.name = Some(JobName::new("0", location, (jobs.len() + 1).to_string()).to_string());
        job.state = JobState::Pending;
        jobs.push(job.clone());
        Ok(job)
    }

    async fn get(&self, name: &JobName) -> Result<BatchPredictionJob> {
        let name_text = name.to_string();
        let mut jobs = lock(&self.jobs);
        let job = jobs.iter_mut().find(|job| job.name.as_deref() == Some(&name_text));
        let job = job.ok_or_else(|| Self::missing("get the job", name))?;
        match job.state {
            JobState::Pending => job.state = JobState::Running,
            JobState::Running => {
                job.state = JobState::Succeeded;
                self.run(job);
            }
            JobState::Cancelling => job.state = JobState::Cancelled,
            _ => {}
        }
        Ok(job.clone())
    }

    async fn list(&self, query: &ListJobs) -> Result<JobPage> {
        let jobs = lock(&self.jobs);
        // `labels.KEY="VALUE"` is all of the filter language that is spoken here.
        let wanted = query.filter.strip_prefix("labels.").and_then(|filter| filter.split_once('='));
        let matching = |job: &&BatchPredictionJob| match wanted {
            Some((key, value)) => job.labels.get(key).and_then(|label| label.as_str()) == Some(value.trim_matches('"')),
            None => true,
        };
        let skip = query.page_token.as_deref().and_then(|token| token.parse().ok()).unwrap_or(0);
        let size = query.page_size.map_or(100, |size| size.max(1) as usize);
        let mut page: Vec<_> = jobs.iter().rev().filter(matching).skip(skip).take(size + 1).cloned().collect();
        let next_page_token = (page.len() > size).then(|| (skip + size).to_string());
        page.truncate(size);
        Ok(JobPage { jobs: page, next_page_token })
    }

    async fn cancel(&self, name: &JobName) -> Result<()> {
        let name_text = name.to_string();
        let mut jobs = lock(&self.jobs);
        let job = jobs.iter_mut().find(|job| job.name.as_deref() == Some(&name_text));
        let job = job.ok_or_else(|| Self::missing("cancel the job", name))?;
        if job.state.is_terminal() {
            return Err(Error::new(Kind::FailedPrecondition, "cancel the job", name_text));
        }
        job.state = JobState::Cancelling;
        Ok(())
    }

    async fn delete(&self, name: &JobName) -> Result<()> {
        let name_text = name.to_string();
        let mut jobs = lock(&self.jobs);
        let at = jobs.iter().position(|job| job.name.as_deref() == Some(&name_text));
        let at = at.ok_or_else(|| Self::missing("delete the job", name))?;
        if !jobs[at].state.is_terminal() {
            return Err(Error::new(Kind::FailedPrecondition, "delete the job", name_text));
        }
        jobs.remove(at);
        Ok(())
    }
}
