//! A run that is killed at any call to any backend, before the call or after it, as often as you like,
//! ends as one that nobody disturbed.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use async_trait::async_trait;
use batch_backend::{
    Columns, InputStore, JobPage, JobService, ListJobs, OutputStore, PredictionSource, RequestSink, Result, Staged,
};
use batch_model::{BatchPredictionJob, InputConfig, JobName, OutputConfig, OutputInfo};
use batch_pipeline::{Backends, Report, RetryOptions, SHARD_LABEL, Spec, Stop};
use bytes::Bytes;
use proptest::prelude::*;
use tokio::sync::Notify;

use crate::world::World;

/// When the process is killed: before or after its so-manieth call.
#[derive(Debug, Clone, Copy)]
struct Kill {
    call: i64,
    after: bool,
}

/// Counts the calls of one process down to the one at which it is killed.
#[derive(Clone)]
struct Killer {
    left: Arc<AtomicI64>,
    after: bool,
    killed: Arc<Notify>,
}

impl Killer {
    fn new(kill: Option<Kill>) -> Self {
        let Kill { call, after } = kill.unwrap_or(Kill { call: i64::MAX, after: false });
        Self { left: Arc::new(AtomicI64::new(call)), after, killed: Arc::default() }
    }

    /// Does a call, unless the process dies before, or before it hears the answer.
    async fn call<T>(&self, call: impl Future<Output = T>) -> T {
        let dies = self.left.fetch_sub(1, Ordering::SeqCst) == 0;
        if dies && !self.after {
            return self.die().await;
        }
        let answer = call.await;
        if dies { self.die().await } else { answer }
    }

    async fn die<T>(&self) -> T {
        self.killed.notify_one();
        std::future::pending().await
    }
}

/// A backend whose calls are counted.
struct Mortal<T: ?Sized> {
    inner: Arc<T>,
    killer: Killer,
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mortal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for Mortal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl InputStore for Mortal<dyn InputStore> {
    async fn create(&self, name: &str, columns: &Columns) -> Result<Box<dyn RequestSink>> {
        let sink = self.killer.call(self.inner.create(name, columns)).await?;
        Ok(Box::new(MortalSink { sink, killer: self.killer.clone() }))
    }

    async fn find(&self, name: &str) -> Result<Option<Staged>> {
        self.killer.call(self.inner.find(name)).await
    }

    async fn remove(&self, staged: &Staged) -> Result<()> {
        self.killer.call(self.inner.remove(staged)).await
    }
}

struct MortalSink {
    sink: Box<dyn RequestSink>,
    killer: Killer,
}

#[async_trait]
impl RequestSink for MortalSink {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.killer.call(self.sink.write(bytes)).await
    }

    async fn finish(self: Box<Self>) -> Result<Staged> {
        self.killer.call(self.sink.finish()).await
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        self.killer.call(self.sink.abort()).await
    }
}

#[async_trait]
impl OutputStore for Mortal<dyn OutputStore> {
    fn config(&self, name: &str) -> OutputConfig {
        self.inner.config(name)
    }

    async fn open(&self, name: &str, job: &BatchPredictionJob) -> Result<Box<dyn PredictionSource>> {
        let source = self.killer.call(self.inner.open(name, job)).await?;
        Ok(Box::new(MortalSource { source, killer: self.killer.clone() }))
    }

    fn as_input(&self, info: &OutputInfo) -> Result<InputConfig> {
        self.inner.as_input(info)
    }

    async fn remove(&self, name: &str) -> Result<()> {
        self.killer.call(self.inner.remove(name)).await
    }
}

struct MortalSource {
    source: Box<dyn PredictionSource>,
    killer: Killer,
}

#[async_trait]
impl PredictionSource for MortalSource {
    async fn next(&mut self) -> Result<Option<batch_backend::Chunk>> {
        self.killer.call(self.source.next()).await
    }
}

#[async_trait]
impl JobService for Mortal<dyn JobService> {
    async fn create(&self, job: &BatchPredictionJob) -> Result<BatchPredictionJob> {
        self.killer.call(self.inner.create(job)).await
    }

    async fn get(&self, name: &JobName) -> Result<BatchPredictionJob> {
        self.killer.call(self.inner.get(name)).await
    }

    async fn list(&self, query: &ListJobs) -> Result<JobPage> {
        self.killer.call(self.inner.list(query)).await
    }

    async fn cancel(&self, name: &JobName) -> Result<()> {
        self.killer.call(self.inner.cancel(name)).await
    }

    async fn delete(&self, name: &JobName) -> Result<()> {
        self.killer.call(self.inner.delete(name)).await
    }
}

/// What a process does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Does {
    Run,
    Retry { native: bool },
}

/// One process over the run of `spec`: `None` where it was killed.
fn process(world: &World, spec: &Spec, does: Does, kill: Option<Kill>) -> Option<Report> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let killer = Killer::new(kill);
    let (backends, context) = world.tools(Stop::never());
    let backends = Backends {
        input: Arc::new(Mortal { inner: backends.input, killer: killer.clone() }),
        output: Arc::new(Mortal { inner: backends.output, killer: killer.clone() }),
        jobs: Arc::new(Mortal { inner: backends.jobs, killer: killer.clone() }),
        records: None,
    };
    let report = runtime.block_on(async {
        let directory = Some(world.path("run"));
        let options = batch_pipeline::RunDirOptions { directory, ..Default::default() };
        let mut run = batch_pipeline::RunDir::open(spec, &world.path("table.csv"), &options, &world.clock).unwrap();
        let work = async {
            match does {
                Does::Run => batch_pipeline::run(&mut run, &backends, &context, None).await.unwrap(),
                Does::Retry { native } => {
                    let options = RetryOptions { native, ..RetryOptions::default() };
                    batch_pipeline::retry(&mut run, &backends, &context, None, &options).await.unwrap().report
                }
            }
        };
        tokio::select! {
            biased;
            () = killer.killed.notified() => None,
            report = work => Some(report),
        }
    });
    // As the end of a process does, this ends its threads before the next one begins.
    drop(runtime);
    report
}

/// The whole story: a run, and a retry of what failed in it, both killed as told. The results, and how
/// many jobs were created for each piece; and how often it was killed indeed.
fn story(rows: usize, native: bool, kills: &[Kill]) -> (String, BTreeMap<String, usize>, usize) {
    let world = World::new();
    let table: String = (0..rows).map(|row| format!("{}{row}\n", if row % 3 == 0 { "odd" } else { "plain" })).collect();
    world.table(&format!("text\n{table}"));
    let spec = world.spec("[limits]\nrequests = 4\njobs = 2\n");
    world.fails(["odd"]);
    let mut kills = kills.iter().copied();
    let mut does = Does::Run;
    let mut deaths = 0;
    let report = loop {
        let Some(report) = process(&world, &spec, does, kills.next()) else {
            deaths += 1;
            continue;
        };
        if does != Does::Run {
            break report;
        }
        assert_eq!(report.accounting.request_error, rows.div_ceil(3) as u64);
        does = Does::Retry { native };
        world.fails([]);
    };
    assert!(report.accounting.is_balanced());
    assert_eq!(report.accounting.answered, rows as u64);
    assert_eq!(report.join.unmatched.count + report.join.problems.count, 0);
    let mut jobs = BTreeMap::new();
    for labels in world.jobs.labels() {
        *jobs.entry(labels[SHARD_LABEL].as_str().unwrap().to_owned()).or_default() += 1;
    }
    (std::fs::read_to_string(world.path("run/results.csv")).unwrap(), jobs, deaths)
}

fn kills() -> impl Strategy<Value = Vec<Kill>> {
    let kill = (0_i64..40, any::<bool>()).prop_map(|(call, after)| Kill { call, after });
    proptest::collection::vec(kill, 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, ..ProptestConfig::default() })]

    #[test]
    fn a_run_that_is_killed_anywhere_ends_as_if_nobody_had(rows in 1_usize..14, native: bool, kills in kills()) {
        let (results, jobs, _) = story(rows, native, &kills);
        let (undisturbed, wanted, _) = story(rows, native, &[]);
        prop_assert_eq!(results, undisturbed);
        prop_assert!(jobs.values().all(|count| *count == 1), "two jobs for one piece: {:?}", jobs);
        prop_assert_eq!(jobs, wanted);
    }
}

/// One kill at each call in turn, of the run and of the retry: none is left to chance.
#[test]
fn a_kill_at_every_call_in_turn() {
    let (undisturbed, wanted, _) = story(5, false, &[]);
    // A process that is not killed stands before the one that is: the first is the run, the second the retry.
    let never = Kill { call: i64::MAX, after: false };
    for before in [&[][..], &[never]] {
        let mut call = 0;
        // Until a process ends before it comes to this call.
        while [false, true].into_iter().all(|after| {
            let kills = [before, &[Kill { call, after }]].concat();
            let (results, jobs, deaths) = story(5, false, &kills);
            assert_eq!(results, undisturbed, "killed at call {call}, after it: {after}");
            assert_eq!(jobs, wanted, "killed at call {call}, after it: {after}");
            0 < deaths
        }) {
            call += 1;
        }
        assert!(8 < call, "only {call} calls");
    }
}
