//! The cache: what was answered once is not asked again.

use batch_io::Outcome;
use batch_pipeline::{
    CacheUse, Kind, Overrides, PlanOptions, RetryOptions, RunDir, RunDirOptions, Spec, Stop, cache_summary,
    clear_cache, plan,
};
use insta::assert_snapshot;

use crate::world::{World, Wrong};

const TABLE: &str = "text\na\nb\nc\n";

impl World {
    /// A run that uses the cache, where `answered_by` answers.
    fn open_with_cache(&self, spec: &Spec, answered_by: Option<&str>) -> RunDir {
        let cache = CacheUse { directory: self.path("cache"), answered_by: answered_by.map(str::to_owned) };
        let root = Some(self.path("runs"));
        // A later second, so that runs have names of their own.
        self.clock.later(1);
        let options = RunDirOptions { root, new: true, cache: Some(cache), ..RunDirOptions::default() };
        RunDir::open(spec, &self.path("table.csv"), &options, &self.clock).unwrap()
    }

    fn sent(&self, run: &RunDir) -> String {
        let names = run.state().shards.iter().map(|shard| self.store.read(&shard.staged.name).unwrap());
        names.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap()).collect()
    }
}

fn results(run: &RunDir) -> String {
    std::fs::read_to_string(run.path().join("results.csv")).unwrap()
}

/// The results without their last column, and that: what each row cost.
fn priced(run: &RunDir) -> (Vec<String>, Vec<String>) {
    let results = results(run);
    let mut lines = results.lines().map(|line| line.rsplit_once(',').unwrap());
    assert_eq!(lines.next().unwrap().1, "cost_usd");
    lines.map(|(rest, cost)| (rest.to_owned(), cost.to_owned())).unzip()
}

#[tokio::test]
async fn a_table_that_has_grown_and_changed_sends_what_is_new() {
    let world = World::new();
    let spec = world.table(TABLE).spec("");
    let mut first = world.open_with_cache(&spec, None);
    assert_eq!(world.go(&mut first, Stop::never()).await.unwrap().cached, 0);

    // One in front, one changed, one at the end; the keys are all others now.
    world.table("text\nnew\na\nB\nc\nlast\n");
    world.told();
    let mut second = world.open_with_cache(&spec, None);
    let report = world.go(&mut second, Stop::never()).await.unwrap();
    assert_eq!((report.accounting.answered, report.cached), (5, 2));
    assert_snapshot!(world.sent(&second), @r#"
    {"key":"r0","request":{"contents":[{"role":"user","parts":[{"text":"new"}]}]}}
    {"key":"r2","request":{"contents":[{"role":"user","parts":[{"text":"B"}]}]}}
    {"key":"r4","request":{"contents":[{"role":"user","parts":[{"text":"last"}]}]}}
    "#);
    assert_eq!(world.told()[..2], ["2 from the cache", "staged 0: 3"]);
    let read = std::fs::read_to_string(second.path().join("predictions/cached.jsonl")).unwrap();
    assert!(read.starts_with(r#"{"key":"r1","request":"#), "{read}");
    // The same as without a cache, but for what it cost.
    let mut whole = world.open(&spec).unwrap();
    let report_of_whole = world.go(&mut whole, Stop::never()).await.unwrap();
    let (of_second, costs) = priced(&second);
    let (of_whole, costs_of_whole) = priced(&whole);
    assert_eq!(of_second, of_whole);
    assert_eq!(costs, ["0.0000014", "0", "0.0000014", "0", "0.0000014"]);
    // The column is what the run spent.
    for (report, costs) in [(&report, costs), (&report_of_whole, costs_of_whole)] {
        let sum: f64 = costs.iter().map(|cost| cost.parse::<f64>().unwrap()).sum();
        assert!((sum - report.spending.total_usd.unwrap()).abs() < 1e-12, "{costs:?}");
    }

    // Who finds the jobs alone is told how many answers they do not have.
    let labels = world.jobs.labels();
    let told = |labels: &serde_json::Map<_, _>| {
        let mut job = batch_model::BatchPredictionJob::default();
        job.labels = labels.clone();
        batch_pipeline::cached_before(&job)
    };
    assert_eq!(labels.iter().map(told).collect::<Vec<_>>(), [0, 2, 0]);

    // Now all of it is there, by two indexes, and nothing is sent at all.
    let jobs = *world.jobs.created.lock().unwrap();
    let mut third = world.open_with_cache(&spec, None);
    let report = world.go(&mut third, Stop::never()).await.unwrap();
    assert_eq!((report.accounting.answered, report.cached, report.jobs.len()), (5, 5, 0));
    assert_eq!(*world.jobs.created.lock().unwrap(), jobs);
    let (of_third, costs) = priced(&third);
    assert_eq!((of_third, costs), (of_whole, vec!["0".to_owned(); 5]));
    assert_eq!(report.spending.total_usd, Some(0.0));
    assert_eq!(cache_summary(&world.path("cache")).unwrap().answers, 6);
}

#[tokio::test]
async fn another_request_another_model_and_another_answerer_are_asked() {
    let world = World::new();
    world.table(TABLE);
    let spec = |more: &str| world.spec(more);
    let mut first = world.open_with_cache(&spec(""), Some("the emulator"));
    world.go(&mut first, Stop::never()).await.unwrap();
    for (more, answered_by, cached) in [
        ("", Some("the emulator"), 3),
        // What an emulator made up never serves the service's own runs.
        ("", None, 0),
        ("", Some("another server"), 0),
        ("[local]\nseed = 7\n", Some("the emulator"), 0),
        ("[request.generationConfig]\nseed = 7\n", Some("the emulator"), 0),
        // Of no answer: labels, what travels beside the request, where it is sent, how it is cut.
        ("columns = ['text']\n[request.labels]\nid = 'n{{ record.index }}'\n", Some("the emulator"), 3),
        ("[target]\nlocation = 'global'\n[limits]\nrequests = 1\n", Some("the emulator"), 3),
    ] {
        let mut run = world.open_with_cache(&spec(more), answered_by);
        let report = world.go(&mut run, Stop::never()).await.unwrap();
        assert_eq!((report.cached, report.accounting.answered), (cached, 3), "{more:?} {answered_by:?}");
        clear_all_but(&world, first.path());
    }
    let mut model = Overrides::default();
    model.push("model", "gemini-2.5-pro", "--set");
    let mut run = world.open_with_cache(&spec("").with_request(&model).unwrap(), Some("the emulator"));
    assert_eq!(world.go(&mut run, Stop::never()).await.unwrap().cached, 0);
}

/// Removes the indexes of all runs but one.
fn clear_all_but(world: &World, run: &std::path::Path) {
    let id = run.file_name().unwrap().to_str().unwrap();
    for entry in std::fs::read_dir(world.path("cache")).unwrap() {
        let path = entry.unwrap().path();
        if !path.file_name().unwrap().to_str().unwrap().starts_with(id) {
            std::fs::remove_file(path).unwrap();
        }
    }
}

#[tokio::test]
async fn only_answers_are_kept_and_those_of_a_retry_under_its_own_settings() {
    let world = World::new();
    let spec = world.table(TABLE).spec("");
    world.fails(["a"]).truncates(["b"]);
    let mut first = world.open_with_cache(&spec, None);
    world.go(&mut first, Stop::never()).await.unwrap();
    assert_eq!(cache_summary(&world.path("cache")).unwrap().answers, 1);
    world.fails([]).truncates([]);
    world.retry(&mut first, &RetryOptions { only: vec![Outcome::RequestError], ..Default::default() }).await.unwrap();
    let mut settings = Overrides::default();
    settings.push("generationConfig.maxOutputTokens", "99", "--set");
    world.retry(&mut first, &RetryOptions { settings, ..Default::default() }).await.unwrap();
    let summary = cache_summary(&world.path("cache")).unwrap();
    assert_eq!((summary.runs, summary.answers), (1, 3));
    // b was answered under another setting than this run has.
    let mut run = world.open_with_cache(&spec, None);
    assert_eq!(world.go(&mut run, Stop::never()).await.unwrap().cached, 2);
    let mut run = world.open_with_cache(&world.spec("[request.generationConfig]\nmaxOutputTokens = 99\n"), None);
    assert_eq!(world.go(&mut run, Stop::never()).await.unwrap().cached, 1);
}

#[tokio::test]
async fn what_is_gone_or_was_changed_is_asked_again() {
    let world = World::new();
    let spec = world.table(TABLE).spec("");
    let mut first = world.open_with_cache(&spec, None);
    world.go(&mut first, Stop::never()).await.unwrap();
    let file = first.path().join("predictions/s00000-a1/predictions.jsonl");
    let text = std::fs::read_to_string(&file).unwrap();
    // One answer is another now; the lines are as long as they were.
    std::fs::write(&file, text.replace(r#""text":"B""#, r#""text":"X""#)).unwrap();
    let index = || {
        let mut files = std::fs::read_dir(world.path("cache")).unwrap().map(|entry| entry.unwrap().path());
        files.next().unwrap()
    };
    let noted = std::fs::read(index()).unwrap();
    let mut run = world.open_with_cache(&spec, None);
    let report = world.go(&mut run, Stop::never()).await.unwrap();
    assert_eq!((report.cached, report.accounting.answered), (2, 3));
    assert!(!results(&run).contains('X'));
    for damage in [true, false] {
        clear_cache(&world.path("cache")).unwrap();
        let path = world.path("cache").join("first.index");
        std::fs::write(&path, if damage { &noted[..noted.len() - 1] } else { &noted }).unwrap();
        std::fs::remove_file(&file).ok();
        let mut run = world.open_with_cache(&spec, None);
        assert_eq!(world.go(&mut run, Stop::never()).await.unwrap().cached, 0);
        assert_eq!(cache_summary(&world.path("cache")).unwrap().damaged.len(), usize::from(damage));
    }
    assert_eq!(clear_cache(&world.path("cache")).unwrap(), 2);
    assert_eq!(cache_summary(&world.path("cache")).unwrap(), Default::default());
}

#[tokio::test]
async fn a_run_that_goes_on_keeps_what_it_took_whatever_became_of_the_cache() {
    let world = World::new();
    let spec = world.table(TABLE).spec("");
    world.fails(["b"]);
    let mut first = world.open_with_cache(&spec, None);
    world.go(&mut first, Stop::never()).await.unwrap();
    world.fails([]);
    // The second run stops after staging: its job is refused.
    world.goes_wrong([crate::world::Wrong::NoCreate; 3]);
    let mut second = world.open_with_cache(&spec, None);
    world.go(&mut second, Stop::never()).await.unwrap_err();
    clear_cache(&world.path("cache")).unwrap();
    std::fs::remove_dir_all(first.path()).unwrap();
    let report = world.go(&mut second, Stop::never()).await.unwrap();
    assert_eq!((report.cached, report.accounting.answered), (2, 3));
}

#[tokio::test]
async fn a_plan_is_of_what_the_cache_leaves_to_be_asked() {
    let world = World::new();
    let spec = world.table(TABLE).spec("");
    world.go(&mut world.open_with_cache(&spec, None), Stop::never()).await.unwrap();
    world.table("text\nnew\na\nb\n");
    let cache = CacheUse { directory: world.path("cache"), answered_by: None };
    let options = PlanOptions { root: Some(world.path("runs")), cache: Some(cache), ..PlanOptions::default() };
    let made = plan(&spec, &world.path("table.csv"), &options, &world.clock).unwrap();
    assert_eq!((made.records, made.requests, made.cached), (3, 1, 2));
    made.verify(&world.clock).unwrap();
    made.verify_cache().unwrap();
    let again = plan(&spec, &world.path("table.csv"), &PlanOptions { cache: None, ..options }, &world.clock).unwrap();
    assert_eq!((again.requests, again.cached), (3, 0));

    let mut run = world.open_with_cache(&spec, None);
    world.go(&mut run, Stop::never()).await.unwrap();
    let staged: Vec<_> = run.state().shards.iter().map(|shard| (shard.first, shard.digest.clone())).collect();
    assert_eq!(made.shards.iter().map(|shard| (shard.first, shard.digest.clone())).collect::<Vec<_>>(), staged);
    // Now nothing is left to be asked: a run that is begun would not be the one that was planned.
    made.verify(&world.clock).unwrap();
    let error = made.verify_cache().unwrap_err();
    assert_eq!(error.kind(), Kind::Changed);
    assert!(
        error.to_string().ends_with("the cache answered 2 of the records when this was planned, and answers 3 now")
    );
}

#[tokio::test]
async fn a_run_that_goes_on_without_the_cache_says_what_it_took_from_it() {
    let world = World::new();
    let spec = world.table(TABLE).spec("");
    world.go(&mut world.open_with_cache(&spec, None), Stop::never()).await.unwrap();
    for (table, taken) in [("text\na\nnew\n", true), ("text\nother\n", false)] {
        world.table(table);
        let mut run = world.open_with_cache(&spec, None);
        // The process ends where the job is to be created.
        world.goes_wrong([Wrong::NoCreate, Wrong::NoCreate, Wrong::NoCreate]);
        world.go(&mut run, Stop::never()).await.unwrap_err();
        drop(run);
        match world.open(&spec) {
            Ok(run) => assert!(!taken && run.is_resumed() && run.state().cache.is_none()),
            Err(error) => {
                assert!(taken && error.to_string().ends_with("has taken 1 answers from it"), "{error}");
                assert!(error.hint().unwrap().contains("--new"));
            }
        }
    }
}
