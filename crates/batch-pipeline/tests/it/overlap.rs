//! Building, staging and collecting go on at once, and what waits between them is bounded.

use std::{
    fmt,
    fs::OpenOptions,
    io::{Seek, SeekFrom, Write},
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use batch_backend::{
    Chunk, Columns, Error, InputStore, Kind, OutputStore, PredictionSource, RequestSink, Result, Staged,
    memory::MemoryStore,
};
use batch_model::{BatchPredictionJob, InputConfig, OutputConfig, OutputInfo};
use batch_pipeline::{Backends, Stop};
use bytes::Bytes;
use tokio::sync::{Barrier, Notify};

use crate::world::World;

/// What a store does with its uploads before it does what is asked of it.
#[derive(Debug)]
enum Watch {
    /// At the first bytes of the first, the last record of this table is put in the place of another.
    Changes(PathBuf),
    /// Each ends only together with as many others.
    Together(Barrier),
    /// The first ends only after the second.
    SecondFirst(Notify),
    /// Those whose name ends so are refused at their first bytes.
    Refuses(&'static str),
}

#[derive(Debug)]
struct Store {
    inner: MemoryStore,
    watch: Watch,
    /// How many uploads are under way, and how many were at most.
    open: AtomicUsize,
    most: AtomicUsize,
    /// How many bytes were written of uploads that have not ended, at most.
    bytes: AtomicU64,
}

impl Store {
    fn new(world: &World, watch: Watch) -> Arc<Self> {
        let inner = world.store.clone();
        Arc::new(Self { inner, watch, open: AtomicUsize::new(0), most: AtomicUsize::new(0), bytes: AtomicU64::new(0) })
    }

    async fn before_write(&self, name: &str) -> Result<()> {
        match &self.watch {
            Watch::Changes(table) if self.bytes.load(Ordering::SeqCst) == 0 => {
                let mut file = OpenOptions::new().write(true).open(table).unwrap();
                file.seek(SeekFrom::End(-7)).unwrap();
                file.write_all(b"behind\n").unwrap();
                Ok(())
            }
            Watch::Refuses(ending) if name.ends_with(ending) => {
                Err(Error::new(Kind::PermissionDenied, "write", name.to_owned()))
            }
            _ => Ok(()),
        }
    }

    async fn before_finish(&self, name: &str) {
        match &self.watch {
            Watch::Together(barrier) => {
                barrier.wait().await;
            }
            Watch::SecondFirst(second) if name.ends_with("s00000") => second.notified().await,
            _ => {}
        }
    }

    fn after_finish(&self, name: &str) {
        self.open.fetch_sub(1, Ordering::SeqCst);
        if let Watch::SecondFirst(second) = &self.watch
            && name.ends_with("s00001")
        {
            second.notify_one();
        }
    }
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a store that is watched")
    }
}

/// What a trait object needs beside the store.
#[derive(Debug)]
struct Watched(Arc<Store>);

impl fmt::Display for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[async_trait]
impl InputStore for Watched {
    async fn create(&self, name: &str, columns: &Columns) -> Result<Box<dyn RequestSink>> {
        let open = self.0.open.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.most.fetch_max(open, Ordering::SeqCst);
        let sink = self.0.inner.create(name, columns).await?;
        Ok(Box::new(WatchedSink { sink, name: name.to_owned(), store: Arc::clone(&self.0) }))
    }

    async fn find(&self, name: &str) -> Result<Option<Staged>> {
        self.0.inner.find(name).await
    }

    async fn remove(&self, staged: &Staged) -> Result<()> {
        InputStore::remove(&self.0.inner, staged).await
    }
}

struct WatchedSink {
    sink: Box<dyn RequestSink>,
    name: String,
    store: Arc<Store>,
}

#[async_trait]
impl RequestSink for WatchedSink {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.store.before_write(&self.name).await?;
        self.store.bytes.fetch_add(bytes.len() as u64, Ordering::SeqCst);
        self.sink.write(bytes).await
    }

    async fn finish(self: Box<Self>) -> Result<Staged> {
        self.store.before_finish(&self.name).await;
        let staged = self.sink.finish().await;
        self.store.after_finish(&self.name);
        staged
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        self.store.open.fetch_sub(1, Ordering::SeqCst);
        self.sink.abort().await
    }
}

fn backends(world: &World, store: &Arc<Store>) -> Backends {
    let (backends, _) = world.tools(Stop::never());
    Backends { input: Arc::new(Watched(Arc::clone(store))), ..backends }
}

/// A run in which nobody waits for somebody that never comes.
async fn run(world: &World, spec: &str, store: &Arc<Store>) -> batch_pipeline::Result<batch_pipeline::Report> {
    let (_, context) = world.tools(Stop::never());
    let (spec, backends) = (world.spec(spec), backends(world, store));
    let mut run = world.open(&spec).unwrap();
    let running = batch_pipeline::run(&mut run, &backends, &context, None);
    tokio::time::timeout(Duration::from_secs(120), running).await.expect("everybody comes")
}

#[tokio::test]
async fn the_first_bytes_are_on_their_way_before_the_last_row_is_read() {
    let world = World::new();
    let row = format!("{}\n", "a long text ".repeat(700));
    // More than there may be between the two.
    world.table(&format!("text\n{}before\n", row.repeat((8 << 20) / row.len())));
    let store = Store::new(&world, Watch::Changes(world.path("table.csv")));
    // What tells when a row was read is a change, which the run notices.
    let error = run(&world, "", &store).await.unwrap_err();
    assert!(error.to_string().ends_with("has changed since the run was begun"), "{error}");
    let id = std::fs::read_dir(world.path("runs")).unwrap().next().unwrap().unwrap().file_name();
    let staged = world.store.read(&format!("{}/s00000", id.to_str().unwrap())).unwrap();
    let last = staged.trim_ascii_end().rsplit(|byte| *byte == b'\n').next().unwrap();
    assert!(String::from_utf8_lossy(last).contains("behind"), "the last row was read at the beginning");
}

#[tokio::test]
async fn four_shards_are_on_their_way_at_once_and_no_more() {
    let world = World::new();
    world.table("text\na\nb\nc\nd\ne\nf\ng\nh\n");
    let store = Store::new(&world, Watch::Together(Barrier::new(4)));
    let report = run(&world, "[limits]\nrequests = 1\n", &store).await.unwrap();
    assert_eq!(report.accounting.answered, 8);
    assert_eq!(store.most.load(Ordering::SeqCst), 4);
    assert_eq!(store.open.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn shards_that_arrive_in_another_order_are_kept_in_theirs() {
    let world = World::new();
    world.table("text\na\nb\nc\n");
    let store = Store::new(&world, Watch::SecondFirst(Notify::new()));
    let report = run(&world, "[limits]\nrequests = 1\n", &store).await.unwrap();
    assert_eq!(report.accounting.answered, 3);
    let told = world.told();
    let staged: Vec<_> = told.iter().filter(|line| line.starts_with("staged")).collect();
    assert_eq!(staged, ["staged 0: 1", "staged 1: 1", "staged 2: 1"]);
}

#[tokio::test]
async fn where_one_of_several_is_refused_the_others_stay() {
    let world = World::new();
    world.table("text\na\nb\nc\nd\ne\nf\n");
    let spec = "[limits]\nrequests = 1\n";
    let store = Store::new(&world, Watch::Refuses("s00002"));
    let refused = run(&world, spec, &store).await.unwrap_err();
    assert_eq!(refused.to_string(), "stage the request lines of shard 2");
    assert_eq!(store.open.load(Ordering::SeqCst), 0, "an upload was left open");
    world.told();
    let report = run(&world, spec, &Store::new(&world, Watch::Refuses("nobody"))).await.unwrap();
    assert_eq!(report.accounting.answered, 6);
    let told = world.told();
    assert_eq!(told[..2], ["staged 0: 1 found", "staged 1: 1 found"]);
    assert!(told.contains(&"staged 2: 1".to_owned()), "{told:?}");
}

/// Predictions whose sources begin only together with as many others.
#[derive(Debug)]
struct Together {
    inner: MemoryStore,
    barrier: Arc<Barrier>,
}

impl fmt::Display for Together {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an output that waits")
    }
}

#[async_trait]
impl OutputStore for Together {
    fn config(&self, name: &str) -> OutputConfig {
        self.inner.config(name)
    }

    async fn open(&self, name: &str, job: &BatchPredictionJob) -> Result<Box<dyn PredictionSource>> {
        let source = self.inner.open(name, job).await?;
        Ok(Box::new(TogetherSource { source, barrier: Mutex::new(Some(Arc::clone(&self.barrier))) }))
    }

    fn as_input(&self, info: &OutputInfo) -> Result<InputConfig> {
        self.inner.as_input(info)
    }

    async fn remove(&self, name: &str) -> Result<()> {
        OutputStore::remove(&self.inner, name).await
    }
}

struct TogetherSource {
    source: Box<dyn PredictionSource>,
    barrier: Mutex<Option<Arc<Barrier>>>,
}

#[async_trait]
impl PredictionSource for TogetherSource {
    async fn next(&mut self) -> Result<Option<Chunk>> {
        let first = self.barrier.lock().unwrap().take();
        if let Some(barrier) = first {
            barrier.wait().await;
        }
        self.source.next().await
    }
}

#[tokio::test]
async fn the_predictions_of_several_shards_are_fetched_at_once() {
    let world = World::new();
    let spec = world.table("text\na\nb\nc\n").spec("[limits]\nrequests = 1\njobs = 3\n");
    let (backends, context) = world.tools(Stop::never());
    let output = Together { inner: world.store.clone(), barrier: Arc::new(Barrier::new(3)) };
    let backends = Backends { output: Arc::new(output), ..backends };
    let mut run = world.open(&spec).unwrap();
    batch_pipeline::submit(&mut run, &backends, &context).await.unwrap();
    batch_pipeline::wait(&mut run, &backends, &context).await.unwrap();
    let collecting = batch_pipeline::collect(&mut run, &backends, &context, false, None);
    let collected = tokio::time::timeout(Duration::from_secs(120), collecting).await.expect("all begin").unwrap();
    assert_eq!(collected.report.unwrap().accounting.answered, 3);
}
