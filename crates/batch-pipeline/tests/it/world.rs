//! A world in memory: a folder, a table, a clock that nobody waits for, jobs that can go wrong.

use std::{
    collections::VecDeque,
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use batch_backend::{
    Error, JobPage, JobService, Kind, ListJobs, Result, ServiceError,
    memory::{MemoryJobs, MemoryStore},
};
use batch_model::{BatchPredictionJob, JobName};
use batch_pipeline::{
    Backends, Clock, Context, Event, Events, Overrides, Report, Retried, RetryOptions, RunDir, RunDirOptions,
    SHARD_LABEL, Selection, Spec, Stop,
};
use jiff::Timestamp;
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::Barrier;

/// A table of five records, and limits that make three shards of it.
pub(crate) const TABLE: &str = "text\na\nb\nc\nd\ne\n";
pub(crate) const THREE_SHARDS: &str = "[limits]\nrequests = 2\n";

/// A clock on which every sleep takes no time.
#[derive(Clone)]
pub(crate) struct TestClock(Arc<Mutex<Timestamp>>);

impl TestClock {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new("2026-11-21T00:00:00Z".parse().unwrap())))
    }

    /// So many seconds pass.
    pub(crate) fn later(&self, seconds: i64) {
        let mut now = self.0.lock().unwrap();
        *now += jiff::SignedDuration::from_secs(seconds);
    }
}

#[async_trait]
impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }

    async fn sleep_until(&self, until: Timestamp) {
        let mut now = self.0.lock().unwrap();
        *now = (*now).max(until);
    }
}

/// What the service shall do wrong, each once, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// The job is created, and the answer is lost.
    LostCreate,
    /// The job is not created, and nobody knows.
    NoCreate,
    /// A poll fails for a while.
    Poll(Kind),
    /// No job is created, and never will be.
    RefusedCreate,
    /// The list has no job yet.
    EmptyList,
    /// The job is created, and fails as a whole.
    FailedJob,
}

/// Jobs in memory that go wrong as asked, and count what is asked of them.
#[derive(Clone)]
pub(crate) struct Jobs {
    inner: MemoryJobs,
    wrong: Arc<Mutex<VecDeque<Wrong>>>,
    pub(crate) created: Arc<Mutex<u32>>,
    labels: Arc<Mutex<Vec<serde_json::Map<String, serde_json::Value>>>>,
    /// The jobs that fail.
    failed: Arc<Mutex<Vec<String>>>,
    /// The shards, by their labels, of which no job is made.
    refused: Arc<Mutex<Vec<&'static str>>>,
    /// Where that is for want of something that all jobs need: the reason, and what to do.
    wanting: Arc<Mutex<Option<(&'static str, &'static str)>>>,
    /// What creations wait at for one another, where they shall be answered together.
    together: Arc<Mutex<Option<Arc<Barrier>>>>,
}

impl Jobs {
    /// The labels of every job that was created.
    pub(crate) fn labels(&self) -> Vec<serde_json::Map<String, serde_json::Value>> {
        self.labels.lock().unwrap().clone()
    }

    fn take(&self, matching: impl Fn(Wrong) -> bool) -> Option<Wrong> {
        let mut wrong = self.wrong.lock().unwrap();
        if wrong.front().copied().is_some_and(matching) { wrong.pop_front() } else { None }
    }
}

impl fmt::Debug for Jobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Jobs")
    }
}

impl fmt::Display for Jobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("jobs that go wrong")
    }
}

#[async_trait]
impl JobService for Jobs {
    async fn create(&self, job: &BatchPredictionJob) -> Result<BatchPredictionJob> {
        let together = self.together.lock().unwrap().clone();
        if let Some(together) = together {
            together.wait().await;
        }
        let label = job.labels.get(SHARD_LABEL).and_then(|label| label.as_str()).unwrap();
        let is_bad = self.take(|wrong| matches!(wrong, Wrong::RefusedCreate)).is_some();
        let is_refused = is_bad || self.refused.lock().unwrap().contains(&label);
        if is_refused
            && !is_bad
            && let Some((reason, hint)) = *self.wanting.lock().unwrap()
        {
            let mut service = ServiceError::new(403);
            service.message = Some("This API method is not for you.".to_owned());
            service.reason = Some(reason.to_owned());
            let error = Error::new(Kind::PermissionDenied, "create the job", "x").with_service(service);
            return Err(error.with_hint(hint));
        }
        if is_refused {
            let mut service = ServiceError::new(400);
            service.message = Some("The request is not allowed.".to_owned());
            return Err(Error::new(Kind::InvalidArgument, "create the job", "x").with_service(service));
        }
        let lost = || Err(Error::new(Kind::Unavailable, "create the job", "x").with_maybe_done(true));
        match self.take(|wrong| matches!(wrong, Wrong::LostCreate | Wrong::NoCreate | Wrong::FailedJob)) {
            Some(Wrong::NoCreate) => lost(),
            Some(Wrong::FailedJob) => {
                *self.created.lock().unwrap() += 1;
                let job = self.inner.create(job).await?;
                self.failed.lock().unwrap().extend(job.name.clone());
                Ok(job)
            }
            wrong => {
                *self.created.lock().unwrap() += 1;
                self.labels.lock().unwrap().push(job.labels.clone());
                let job = self.inner.create(job).await?;
                if wrong.is_some() { lost() } else { Ok(job) }
            }
        }
    }

    async fn get(&self, name: &JobName) -> Result<BatchPredictionJob> {
        match self.take(|wrong| matches!(wrong, Wrong::Poll(_))) {
            Some(Wrong::Poll(kind)) => Err(Error::new(kind, "get the job", name.to_string())),
            _ if self.failed.lock().unwrap().contains(&name.to_string()) => {
                let mut job = BatchPredictionJob::default();
                job.name = Some(name.to_string());
                job.state = batch_model::JobState::Failed;
                Ok(job)
            }
            _ => self.inner.get(name).await,
        }
    }

    async fn list(&self, query: &ListJobs) -> Result<JobPage> {
        match self.take(|wrong| matches!(wrong, Wrong::EmptyList)) {
            Some(_) => Ok(JobPage::default()),
            None => self.inner.list(query).await,
        }
    }

    async fn cancel(&self, name: &JobName) -> Result<()> {
        self.inner.cancel(name).await
    }

    async fn delete(&self, name: &JobName) -> Result<()> {
        self.inner.delete(name).await
    }
}

/// The newest job of every shard.
pub(crate) fn names(run: &RunDir) -> Vec<JobName> {
    run.state().shards.iter().map(|shard| shard.attempts.last().unwrap().job.clone().unwrap()).collect()
}

/// Everything that a run needs, and what it told.
pub(crate) struct World {
    folder: TempDir,
    pub(crate) store: MemoryStore,
    pub(crate) jobs: Jobs,
    answers: Answers,
    pub(crate) clock: TestClock,
    pub(crate) told: Arc<Mutex<Vec<String>>>,
}

impl World {
    pub(crate) fn new() -> Self {
        let store = MemoryStore::default();
        let answers = Answers::default();
        let answerer = answers.clone();
        let inner = MemoryJobs::new(store.clone(), Arc::new(move |line| answerer.answer(line)));
        let jobs = Jobs {
            inner,
            wrong: Arc::default(),
            created: Arc::default(),
            labels: Arc::default(),
            failed: Arc::default(),
            refused: Arc::default(),
            wanting: Arc::default(),
            together: Arc::default(),
        };
        let (folder, clock) = (tempfile::tempdir().unwrap(), TestClock::new());
        Self { folder, store, jobs, answers, clock, told: Arc::default() }
    }

    /// From now on the service fails requests whose prompt has one of these texts in it.
    pub(crate) fn fails<const N: usize>(&self, texts: [&'static str; N]) -> &Self {
        *self.answers.fails.lock().unwrap() = texts.to_vec();
        self
    }

    /// From now on the service says nothing about such requests: neither a response nor an error.
    pub(crate) fn ignores<const N: usize>(&self, texts: [&'static str; N]) -> &Self {
        *self.answers.ignores.lock().unwrap() = texts.to_vec();
        self
    }

    /// From now on the service cuts off the answers to such requests.
    pub(crate) fn truncates<const N: usize>(&self, texts: [&'static str; N]) -> &Self {
        *self.answers.truncates.lock().unwrap() = texts.to_vec();
        self
    }

    /// From now on the service makes no jobs of these shards: `s00001-a1`.
    pub(crate) fn refuses<const N: usize>(&self, shards: [&'static str; N]) -> &Self {
        *self.jobs.refused.lock().unwrap() = shards.to_vec();
        self
    }

    /// Says that these are refused for want of something that all jobs need: the reason, and what to do.
    pub(crate) fn for_want_of(&self, reason: &'static str, hint: &'static str) -> &Self {
        *self.jobs.wanting.lock().unwrap() = Some((reason, hint));
        self
    }

    /// From now on the creations of jobs are answered once so many are asked for; each by itself for 1.
    pub(crate) fn together(&self, creations: usize) -> &Self {
        *self.jobs.together.lock().unwrap() = Some(Arc::new(Barrier::new(creations)));
        self
    }

    /// Whether all that was to go wrong did.
    pub(crate) fn all_went_wrong(&self) -> bool {
        self.jobs.wrong.lock().unwrap().is_empty()
    }

    pub(crate) fn goes_wrong(&self, wrong: impl IntoIterator<Item = Wrong>) -> &Self {
        self.jobs.wrong.lock().unwrap().extend(wrong);
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn table(&self, text: &str) -> &Self {
        std::fs::write(self.path("table.csv"), text).unwrap();
        self
    }

    pub(crate) fn spec(&self, more: &str) -> Spec {
        let text = format!(
            "version = 1\n[input]\npath = 'table.csv'\n[request]\nmodel = 'gemini-2.5-flash'\nprompt = '{{{{ text }}}}'\n{more}"
        );
        Spec::parse("batch.toml", &text, &Overrides::default()).unwrap()
    }

    pub(crate) fn open(&self, spec: &Spec) -> batch_pipeline::Result<RunDir> {
        let options = RunDirOptions { root: Some(self.path("runs")), ..RunDirOptions::default() };
        RunDir::open(spec, &self.path("table.csv"), &options, &self.clock)
    }

    pub(crate) fn open_part(&self, spec: &Spec, part: Selection) -> batch_pipeline::Result<RunDir> {
        let root = Some(self.path("runs"));
        let options = RunDirOptions { root, selection: Some(part), ..RunDirOptions::default() };
        RunDir::open(spec, &self.path("table.csv"), &options, &self.clock)
    }

    pub(crate) async fn retry(&self, run: &mut RunDir, options: &RetryOptions) -> batch_pipeline::Result<Retried> {
        let (backends, context) = self.tools(Stop::never());
        batch_pipeline::retry(run, &backends, &context, None, options).await
    }

    pub(crate) async fn go(&self, run: &mut RunDir, stop: Stop) -> batch_pipeline::Result<Report> {
        let (backends, context) = self.tools(stop);
        batch_pipeline::run(run, &backends, &context, None).await
    }

    /// A run with three shards that is submitted, and its spec.
    pub(crate) async fn submitted(&self) -> (RunDir, Spec) {
        let spec = self.table(TABLE).spec(THREE_SHARDS);
        let mut run = self.open(&spec).unwrap();
        batch_pipeline::submit(&mut run, &self.backends(), &self.context()).await.unwrap();
        (run, spec)
    }

    pub(crate) fn backends(&self) -> Backends {
        let store = Arc::new(self.store.clone());
        Backends { input: store.clone(), output: store, jobs: Arc::new(self.jobs.clone()), records: None }
    }

    /// A context that nobody listens to.
    pub(crate) fn context(&self) -> Context {
        Context { clock: Arc::new(self.clock.clone()), ..Context::default() }
    }

    /// The backends, and a context whose events are [told](Self::told).
    pub(crate) fn tools(&self, stop: Stop) -> (Backends, Context) {
        let backends = self.backends();
        let told = Arc::clone(&self.told);
        let events = Events::new(move |event| {
            if let Some(line) = line_of(event) {
                told.lock().unwrap().push(line);
            }
        });
        (backends, Context { clock: Arc::new(self.clock.clone()), events, stop })
    }

    pub(crate) fn told(&self) -> Vec<String> {
        std::mem::take(&mut *self.told.lock().unwrap())
    }
}

fn line_of(event: &Event) -> Option<String> {
    Some(match event {
        Event::Retrying { round, records, resumed } => {
            format!("retry {round}: {records}{}", if *resumed { " by the service" } else { "" })
        }
        Event::Away { doing, .. } => format!("away: could not {doing}"),
        Event::Cached { records } => format!("{records} from the cache"),
        Event::NotNoted { error } => format!("not noted: {error}"),
        Event::Staged { shard, records, found, .. } => {
            format!("staged {shard}: {records}{}", if *found { " found" } else { "" })
        }
        Event::Submitted { shard, adopted, .. } => {
            format!("submitted {shard}{}", if *adopted { " adopted" } else { "" })
        }
        Event::Refused { shard, .. } => format!("refused {shard}"),
        Event::Polled { shard, state, changed: true, .. } => format!("{shard} {state}"),
        Event::PollFailed { shard, .. } => format!("{shard} poll failed"),
        Event::Collected { shard, files, .. } => format!("collected {shard}: {files}"),
        _ => return None,
    })
}

/// The service: the prompt in capitals, unless it is to fail. What has a response already is kept.
#[derive(Clone, Default)]
struct Answers {
    fails: Arc<Mutex<Vec<&'static str>>>,
    ignores: Arc<Mutex<Vec<&'static str>>>,
    truncates: Arc<Mutex<Vec<&'static str>>>,
}

impl Answers {
    fn answer(&self, line: &[u8]) -> Vec<u8> {
        let parsed: serde_json::Value = serde_json::from_slice(line).unwrap();
        if parsed["response"].as_object().is_some_and(|response| !response.is_empty()) {
            return line.to_vec();
        }
        let prompt = parsed["request"]["contents"][0]["parts"][0]["text"].as_str().unwrap();
        let is = |texts: &Mutex<Vec<&'static str>>| texts.lock().unwrap().iter().any(|text| prompt.contains(text));
        let mut prediction = json!({ "key": parsed["key"], "request": parsed["request"], "status": "" });
        if is(&self.fails) {
            let status = r#"Service Unavailable: {"error": {"code": 503, "message": "away", "status": "UNAVAILABLE"}}"#;
            prediction["status"] = status.into();
            prediction["response"] = json!({});
        } else if is(&self.ignores) {
            prediction["response"] = json!({});
        } else {
            let reason = if is(&self.truncates) { "MAX_TOKENS" } else { "STOP" };
            prediction["response"] = json!({
                "candidates": [{
                    "content": { "role": "model", "parts": [{ "text": prompt.to_uppercase() }] },
                    "finishReason": reason,
                }],
                "usageMetadata": { "promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2 },
            });
        }
        serde_json::to_vec(&prediction).unwrap()
    }
}
