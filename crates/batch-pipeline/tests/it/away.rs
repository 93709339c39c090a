//! A service that is away for an hour, wherever a run stands, ends no run; one that answers what nobody
//! understands ends it after a few tries.

use std::{
    error::Error as _,
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use async_trait::async_trait;
use batch_backend::{
    Columns, Error, InputStore, JobPage, JobService, Kind, ListJobs, OutputStore, PredictionSource, RequestSink,
    Result, Staged, memory::MemoryStore,
};
use batch_model::{BatchPredictionJob, InputConfig, JobName, OutputConfig, OutputInfo};
use batch_pipeline::{Backends, Context, Event, Events, Report, Stop, stopper};
use bytes::Bytes;

use crate::world::{Jobs, World, Wrong};

/// How many calls of one kind fail, and how, before the service is back.
#[derive(Debug)]
struct Outage {
    left: AtomicU32,
    kind: Kind,
}

impl Outage {
    fn check(&self, doing: &str) -> Result<()> {
        let left = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if left.is_ok() { Err(Error::new(self.kind, doing, "the service")) } else { Ok(()) }
    }
}

#[derive(Debug)]
struct AwayJobs {
    inner: Jobs,
    create: Arc<Outage>,
    list: Arc<Outage>,
}

impl fmt::Display for AwayJobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("jobs that are away")
    }
}

#[async_trait]
impl JobService for AwayJobs {
    async fn create(&self, job: &BatchPredictionJob) -> Result<BatchPredictionJob> {
        self.create.check("create the job")?;
        self.inner.create(job).await
    }

    async fn get(&self, name: &JobName) -> Result<BatchPredictionJob> {
        self.inner.get(name).await
    }

    async fn list(&self, query: &ListJobs) -> Result<JobPage> {
        self.list.check("list jobs")?;
        self.inner.list(query).await
    }

    async fn cancel(&self, name: &JobName) -> Result<()> {
        self.inner.cancel(name).await
    }

    async fn delete(&self, name: &JobName) -> Result<()> {
        self.inner.delete(name).await
    }
}

#[derive(Debug)]
struct AwayOutput {
    inner: MemoryStore,
    open: Arc<Outage>,
    read: Arc<Outage>,
}

impl fmt::Display for AwayOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an output that is away")
    }
}

#[async_trait]
impl OutputStore for AwayOutput {
    fn config(&self, name: &str) -> OutputConfig {
        self.inner.config(name)
    }

    async fn open(&self, name: &str, job: &BatchPredictionJob) -> Result<Box<dyn PredictionSource>> {
        self.open.check("list objects")?;
        let source = self.inner.open(name, job).await?;
        Ok(Box::new(AwaySource { source, read: Arc::clone(&self.read) }))
    }

    fn as_input(&self, info: &OutputInfo) -> Result<InputConfig> {
        self.inner.as_input(info)
    }

    async fn remove(&self, name: &str) -> Result<()> {
        OutputStore::remove(&self.inner, name).await
    }
}

struct AwaySource {
    source: Box<dyn PredictionSource>,
    read: Arc<Outage>,
}

#[async_trait]
impl PredictionSource for AwaySource {
    async fn next(&mut self) -> Result<Option<batch_backend::Chunk>> {
        let chunk = self.source.next().await?;
        // Half of the file is here already.
        self.read.check("read the object")?;
        Ok(chunk)
    }
}

#[derive(Debug)]
struct AwayInput {
    inner: MemoryStore,
    begin: Arc<Outage>,
    find: Arc<Outage>,
    write: Arc<Outage>,
    finish: Arc<Outage>,
}

impl fmt::Display for AwayInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an input that is away")
    }
}

#[async_trait]
impl InputStore for AwayInput {
    async fn create(&self, name: &str, columns: &Columns) -> Result<Box<dyn RequestSink>> {
        self.begin.check("begin the upload")?;
        let sink = self.inner.create(name, columns).await?;
        Ok(Box::new(AwaySink { sink, write: Arc::clone(&self.write), finish: Arc::clone(&self.finish) }))
    }

    async fn find(&self, name: &str) -> Result<Option<Staged>> {
        self.find.check("look at the object")?;
        self.inner.find(name).await
    }

    async fn remove(&self, staged: &Staged) -> Result<()> {
        InputStore::remove(&self.inner, staged).await
    }
}

struct AwaySink {
    sink: Box<dyn RequestSink>,
    write: Arc<Outage>,
    finish: Arc<Outage>,
}

#[async_trait]
impl RequestSink for AwaySink {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.write.check("write the object")?;
        self.sink.write(bytes).await
    }

    async fn finish(self: Box<Self>) -> Result<Staged> {
        // Staging is done again whether or not it was done.
        self.finish.check("end the upload").map_err(|error| error.with_maybe_done(true))?;
        self.sink.finish().await
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        self.sink.abort().await
    }
}

/// Where calls may fail.
const STEPS: [&str; 8] = ["begin", "find", "write", "finish", "create", "list", "open", "read"];

/// A run of two records whose first `calls` calls at `step` fail as `kind`.
async fn run(world: &World, step: &str, calls: u32, kind: Kind) -> batch_pipeline::Result<Report> {
    let spec = world.table("text\na\nb\n").spec("");
    let outage = |name: &str| {
        let left = AtomicU32::new(if name == step { calls } else { 0 });
        Arc::new(Outage { left, kind })
    };
    if step == "list" {
        // The reply to the creation is what was lost first.
        world.goes_wrong([Wrong::LostCreate]);
    }
    let mut run = world.open(&spec).unwrap();
    if step == "find" {
        // Only what an earlier process has staged is looked for.
        let (stopper, stop) = stopper();
        let (backends, context) = world.tools(stop);
        let stops = Arc::new(Mutex::new(Some(stopper)));
        let events = Events::new(move |event| {
            if let (Event::Staged { .. }, Some(stopper)) = (event, &*stops.lock().unwrap()) {
                stopper.stop();
            }
        });
        let context = Context { events, ..context };
        batch_pipeline::run(&mut run, &backends, &context, None).await.unwrap_err();
    }
    let (_, context) = world.tools(Stop::never());
    let jobs = AwayJobs { inner: world.jobs.clone(), create: outage("create"), list: outage("list") };
    let output = AwayOutput { inner: world.store.clone(), open: outage("open"), read: outage("read") };
    let input = Arc::new(AwayInput {
        inner: world.store.clone(),
        begin: outage("begin"),
        find: outage("find"),
        write: outage("write"),
        finish: outage("finish"),
    });
    let backends = Backends { input, output: Arc::new(output), jobs: Arc::new(jobs), records: None };
    batch_pipeline::run(&mut run, &backends, &context, None).await
}

/// How often it was told that the service is away.
fn told_away(world: &World) -> usize {
    world.told().iter().filter(|line| line.starts_with("away: ") || line.ends_with(" poll failed")).count()
}

#[tokio::test]
async fn an_hour_without_the_service_at_any_step_is_waited_for() {
    // With waits of up to a minute, so many calls take more than an hour.
    const CALLS: u32 = 65;
    for step in STEPS {
        let world = World::new();
        let report = run(&world, step, CALLS, Kind::Unavailable).await.unwrap();
        assert_eq!(report.accounting.answered, 2, "{step}");
        assert_eq!(*world.jobs.created.lock().unwrap(), 1, "{step}");
        assert_eq!(report.finished.duration_since(report.created).as_hours(), 1, "{step}");
        assert_eq!(told_away(&world), CALLS as usize, "{step}");
    }
}

/// How often a reply that is not understood is asked for again.
const AGAIN: u32 = 5;

#[tokio::test]
async fn a_reply_that_is_not_understood_is_asked_for_again() {
    for step in STEPS {
        let world = World::new();
        let report = run(&world, step, AGAIN, Kind::BadReply).await.unwrap();
        assert_eq!(report.accounting.answered, 2, "{step}");
        assert_eq!(told_away(&world), AGAIN as usize, "{step}");
    }
}

#[tokio::test]
async fn a_reply_that_is_never_understood_ends_the_run_and_says_which_it_was() {
    for step in STEPS {
        let world = World::new();
        // Not for ever, so that waiting for it would end.
        let error = run(&world, step, 200, Kind::BadReply).await.unwrap_err();
        assert_eq!(error.kind(), batch_pipeline::Kind::Backend, "{step}");
        let cause = error.source().unwrap().to_string();
        assert!(cause.ends_with(" the service: reply not understood"), "{step}: {cause}");
        let hint = error.hint().unwrap();
        assert!(hint.starts_with("it was asked for 6 times") && hint.contains("run the same command again"), "{hint}");
        assert_eq!(told_away(&world), AGAIN as usize, "{step}");
    }
}

#[tokio::test]
async fn odd_replies_to_looks_at_a_job_are_counted_from_one_that_is_understood_to_the_next() {
    let world = World::new();
    let odd = |count: u32| (0..count).map(|_| Wrong::Poll(Kind::BadReply));
    // What is left of these after the first run ends, the second one meets.
    world.goes_wrong(odd(AGAIN + 1).chain(odd(AGAIN)));
    let error = run(&world, "", 0, Kind::Other).await.unwrap_err();
    assert!(error.to_string().starts_with("look at the job of shard 0, projects/"), "{error}");
    assert!(error.source().unwrap().to_string().ends_with("reply not understood"), "{error:?}");
    assert!(error.hint().unwrap().starts_with("it was asked for 6 times"), "{error:?}");
    assert_eq!(told_away(&world), AGAIN as usize);
    let report = run(&world, "", 0, Kind::Other).await.unwrap();
    assert_eq!((report.accounting.answered, told_away(&world)), (2, AGAIN as usize));
    assert_eq!(*world.jobs.created.lock().unwrap(), 1, "the job went on meanwhile");
}
