//! Runs of records that lie in the service's own storage.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use async_trait::async_trait;
use batch_backend::{
    Error, Flattened, Kind as BackendKind, PredictionSource, RecordStore, RecordsInfo, Staged, memory::MemoryRecords,
};
use batch_model::{InputConfig, OutputInfo};
use batch_pipeline::{
    Backends, CacheUse, Fate, Kind, Overrides, Report, Result, RetryOptions, RunDir, RunDirOptions, Selection, Spec,
    Stop, find_remnants, state::RunState,
};

use crate::world::{World, Wrong};

const LINES: &str = r#"{"key":"a","request":{"contents":[{"parts":[{"text":"one"}]}]},"kind":"x"}
{"key":"b","request":{"contents":[{"parts":[{"text":"two"}]}]},"kind":"y"}
{"key":"c","request":{"contents":[{"parts":[{"text":"three"}]}]},"kind":null}
"#;

fn spec(more: &str) -> Spec {
    let text = format!("version = 1\n[input]\ntable = 'memory'\n[request]\nmodel = 'gemini-2.5-flash'\n{more}");
    Spec::parse("batch.toml", &text, &Overrides::default()).unwrap()
}

struct There {
    world: World,
    records: MemoryRecords,
}

impl There {
    fn new(lines: &str) -> Self {
        let world = World::new();
        let records = MemoryRecords::new(world.store.clone(), lines);
        Self { world, records }
    }

    fn options(&self) -> RunDirOptions {
        RunDirOptions { directory: Some(self.world.path("run")), ..RunDirOptions::default() }
    }

    async fn open(&self, spec: &Spec) -> Result<RunDir> {
        RunDir::open_records(spec, &self.records.look().await.unwrap(), &self.options(), &self.world.clock)
    }

    fn backends(&self) -> Backends {
        let (backends, _) = self.world.tools(Stop::never());
        Backends { records: Some(Arc::new(self.records.clone())), ..backends }
    }

    async fn go(&self, run: &mut RunDir) -> Result<Report> {
        let (_, context) = self.world.tools(Stop::never());
        batch_pipeline::run(run, &self.backends(), &context, None).await
    }

    fn state(&self) -> RunState {
        batch_pipeline::read_run(&self.world.path("run")).unwrap()
    }
}

#[tokio::test]
async fn results_here_are_those_of_a_table_here() {
    let there = There::new(LINES);
    let mut run = there.open(&spec("[limits]\nrequests = 2\n")).await.unwrap();
    let report = there.go(&mut run).await.unwrap();
    assert_eq!(report.input, "memory:records");
    assert_eq!((report.accounting.records, report.accounting.answered), (3, 3));
    let staged = ["staged 0: 2", "staged 1: 1"];
    assert_eq!(there.world.told()[..2], staged);
    let results = std::fs::read_to_string(there.world.path("run/results.csv")).unwrap();
    let answers: Vec<&str> = results.lines().skip(1).map(|line| &line[..line.find(",answered").unwrap()]).collect();
    assert_eq!(answers, ["a,x", "b,y", "c,"], "{results}");
    assert!(results.contains("THREE"));
}

#[tokio::test]
async fn results_there_bring_nothing_here() {
    let there = There::new(LINES);
    there.world.fails(["two"]);
    let mut run = there.open(&spec("[results]\nin = 'bigquery'\n")).await.unwrap();
    let report = there.go(&mut run).await.unwrap();
    let accounting = report.accounting;
    assert_eq!((accounting.records, accounting.answered, accounting.request_error), (3, 2, 1));
    assert_eq!((report.results_in.as_deref(), report.join.tokens.total_tokens), (Some("bigquery"), 4));
    assert_eq!(report.results, format!("memory:{}/results", there.state().id));
    for name in ["records.jsonl", "results.csv", "predictions"] {
        assert!(!there.world.path("run").join(name).exists(), "{name}");
    }
    drop(run);
    // Asked for here after all, they are joined from what is there.
    let mut run = there.open(&spec("")).await.unwrap();
    let report = there.go(&mut run).await.unwrap();
    assert_eq!((report.accounting, report.results.as_str()), (accounting, "results.csv"));
}

#[tokio::test]
async fn a_run_goes_on_over_the_same_shards() {
    let there = There::new(LINES);
    let spec = spec("[limits]\nrequests = 2\n");
    let (backends, context) = (there.backends(), there.world.tools(Stop::never()).1);
    let mut run = there.open(&spec).await.unwrap();
    batch_pipeline::submit(&mut run, &backends, &context).await.unwrap();
    let before = there.state();
    drop(run);
    let mut run = there.open(&spec).await.unwrap();
    assert!(run.is_resumed());
    there.go(&mut run).await.unwrap();
    let staged = |state: &RunState| state.shards.iter().map(|shard| shard.staged.clone()).collect::<Vec<_>>();
    assert_eq!(staged(&there.state()), staged(&before));
    assert_eq!(*there.world.jobs.created.lock().unwrap(), 2);
}

#[tokio::test]
async fn other_records_are_another_run() {
    let there = There::new(LINES);
    there.world.goes_wrong([Wrong::FailedJob]);
    drop(there.open(&spec("")).await.unwrap());
    there.records.replace(&LINES.replace("two", "too"));
    let error = there.open(&spec("")).await.unwrap_err();
    assert!(error.to_string().ends_with("is a run of memory:records, which has changed since"), "{error}");
}

#[tokio::test]
async fn what_needs_the_requests_here_is_refused() {
    let there = There::new(LINES);
    let info = there.records.look().await.unwrap();
    let part = RunDirOptions { selection: Some(Selection::Limit(1)), ..there.options() };
    let cache = CacheUse { directory: there.world.path("cache"), answered_by: None };
    let cached = RunDirOptions { cache: Some(cache), ..there.options() };
    for options in [part, cached] {
        let error = RunDir::open_records(&spec(""), &info, &options, &there.world.clock).unwrap_err();
        assert_eq!(error.kind(), Kind::Spec, "{error}");
        assert!(error.hint().is_some());
    }
    let mut run = there.open(&spec("")).await.unwrap();
    there.go(&mut run).await.unwrap();
    let (backends, context) = (there.backends(), there.world.tools(Stop::never()).1);
    let retried = batch_pipeline::retry(&mut run, &backends, &context, None, &RetryOptions::default()).await;
    assert!(retried.unwrap_err().hint().is_some_and(|hint| hint.contains("--native")));
}

#[tokio::test]
async fn keys_that_are_not_unique_show_before_a_job_is_made() {
    let there = There::new(&LINES.replace("\"b\"", "\"a\""));
    let mut run = there.open(&spec("")).await.unwrap();
    let error = there.go(&mut run).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Input);
    assert_eq!(*there.world.jobs.created.lock().unwrap(), 0);
    let there = There::new("");
    let mut run = there.open(&spec("")).await.unwrap();
    assert_eq!(there.go(&mut run).await.unwrap_err().to_string(), "memory:records has no records");
}

#[tokio::test]
async fn what_a_view_reads_is_kept_unless_somebody_insists() {
    let there = There::new(LINES);
    let mut run = there.open(&spec("[results]\nin = 'bigquery'\n")).await.unwrap();
    there.go(&mut run).await.unwrap();
    let (backends, context) = (there.backends(), there.world.tools(Stop::never()).1);
    for (force, is_kept) in [(false, true), (true, false)] {
        let path = there.world.path("run");
        let remnants = find_remnants(&there.state(), &path, &backends, &context, force).await.unwrap();
        assert_eq!(matches!(remnants[0].fate, Fate::Kept(_)), is_kept, "{remnants:?}");
    }
}

#[test]
fn inputs_and_results_that_do_not_go_together() {
    let wrong = |text: &str| {
        let text = format!("version = 1\n{text}\n[request]\nmodel = 'm'\n");
        Spec::parse("batch.toml", &text, &Overrides::default()).unwrap_err().to_string()
    };
    let cases = [
        ("[input]\npath = 'a'\nquery = 'SELECT 1'", "the input is named twice: input.path and input.query"),
        ("[input]\ntable = ''", "the input is an empty text"),
        ("[input]\ntable = 't'\nformat = 'csv'", "input.format is of a file, and the records are in t"),
        ("[input]\ntable = 't'\n[cache]\nenabled = true", "the cache knows records that are here, and these are not"),
        (
            "[input]\npath = 'a'\n[results]\nin = 'bigquery'",
            "the table is a file, and its results would be in BigQuery alone",
        ),
        ("[input]\ntable = 't'\n[results]\nin = 'bigquery'\nformat = 'csv'", "results in BigQuery are no file"),
        ("[input]\ntable = 't'\n[results]\nas = 'heap'", "results in BigQuery are a \"view\" or a \"table\""),
    ];
    for (text, expected) in cases {
        let said = wrong(text);
        assert!(said.ends_with(expected), "{text}: {said}");
    }
}

/// Records whose store is away at the first calls of each kind.
#[derive(Debug)]
struct Away {
    inner: MemoryRecords,
    left: [AtomicU32; 3],
}

impl Away {
    const CALLS: u32 = 4;

    fn check(&self, call: usize) -> batch_backend::Result<()> {
        let left = self.left[call].fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if left.is_ok() { Err(Error::new(BackendKind::Unavailable, "reach", "the store")) } else { Ok(()) }
    }
}

impl fmt::Display for Away {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl RecordStore for Away {
    async fn look(&self) -> batch_backend::Result<RecordsInfo> {
        self.inner.look().await
    }

    async fn stage(&self, name: &str, most: u64) -> batch_backend::Result<Vec<Staged>> {
        self.check(0)?;
        self.inner.stage(name, most).await
    }

    async fn open(&self, staged: &[InputConfig]) -> batch_backend::Result<Box<dyn PredictionSource>> {
        self.check(1)?;
        self.inner.open(staged).await
    }

    async fn flatten(
        &self,
        name: &str,
        staged: &[InputConfig],
        outputs: &[OutputInfo],
    ) -> batch_backend::Result<Flattened> {
        self.check(2)?;
        self.inner.flatten(name, staged, outputs).await
    }

    async fn remove(&self, staged: &InputConfig) -> batch_backend::Result<()> {
        self.inner.remove(staged).await
    }
}

#[tokio::test]
async fn a_store_of_records_that_is_away_is_waited_for() {
    for (more, doing) in [("", "read the records"), ("[results]\nin = 'bigquery'\n", "make columns of the answers")] {
        let there = There::new(LINES);
        let away = Away { inner: there.records.clone(), left: [(); 3].map(|()| AtomicU32::new(Away::CALLS)) };
        let (backends, context) = (there.backends(), there.world.tools(Stop::never()).1);
        let backends = Backends { records: Some(Arc::new(away)), ..backends };
        let mut run = there.open(&spec(more)).await.unwrap();
        let report = batch_pipeline::run(&mut run, &backends, &context, None).await.unwrap();
        assert_eq!(report.accounting.answered, 3);
        let told = there.world.told();
        for doing in ["stage the records", doing] {
            let away = told.iter().filter(|line| **line == format!("away: could not {doing}")).count();
            assert_eq!(away, Away::CALLS as usize, "{doing}: {told:?}");
        }
    }
}
