//! A service that is away for an hour, wherever a run stands, ends no run.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use async_trait::async_trait;
use batch_backend::{
    Error, JobPage, JobService, Kind, ListJobs, OutputStore, PredictionSource, Result, memory::MemoryStore,
};
use batch_model::{BatchPredictionJob, InputConfig, JobName, OutputConfig, OutputInfo};
use batch_pipeline::{Backends, Stop};

use crate::world::{Jobs, World, Wrong};

/// How many calls of one kind fail before the service is back.
#[derive(Debug, Default)]
struct Outage(AtomicU32);

impl Outage {
    fn of(calls: u32) -> Arc<Self> {
        Arc::new(Self(AtomicU32::new(calls)))
    }

    fn check(&self, doing: &str) -> Result<()> {
        let left = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if left.is_ok() { Err(Error::new(Kind::Unavailable, doing, "the service")) } else { Ok(()) }
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

#[tokio::test]
async fn an_hour_without_the_service_at_any_step_is_waited_for() {
    // With waits of up to a minute, so many calls take more than an hour.
    const CALLS: u32 = 65;
    for step in ["create", "list", "open", "read"] {
        let world = World::new();
        let spec = world.table("text\na\nb\n").spec("");
        let outage = |name: &str| Outage::of(if name == step { CALLS } else { 0 });
        if step == "list" {
            // The reply to the creation is what was lost first.
            world.goes_wrong([Wrong::LostCreate]);
        }
        let (_, context) = world.tools(Stop::never());
        let jobs = AwayJobs { inner: world.jobs.clone(), create: outage("create"), list: outage("list") };
        let output = AwayOutput { inner: world.store.clone(), open: outage("open"), read: outage("read") };
        let input = Arc::new(world.store.clone());
        let backends = Backends { input, output: Arc::new(output), jobs: Arc::new(jobs), records: None };
        let mut run = world.open(&spec).unwrap();
        let report = batch_pipeline::run(&mut run, &backends, &context, None).await.unwrap();
        assert_eq!(report.accounting.answered, 2, "{step}");
        assert_eq!(*world.jobs.created.lock().unwrap(), 1, "{step}");
        assert_eq!(report.finished.duration_since(report.created).as_hours(), 1, "{step}");
        let told = world.told();
        let away = told.iter().filter(|line| line.starts_with("away: ")).count();
        assert_eq!(away, CALLS as usize, "{step}: {told:?}");
    }
}
