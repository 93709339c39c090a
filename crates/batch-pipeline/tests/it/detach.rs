//! Runs that are left alone: submitted here, looked at, waited for and collected by others.

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use batch_backend::{JobService, Kind as BackendKind};
use batch_model::{BatchPredictionJob, CompletionStats, JobState};
use batch_pipeline::{
    Clock, Context, Event, Events, Fate, Kind, RemnantKind, RetryOptions, RunDir, RunStage, Stop, collect, find_input,
    find_remnants, job_status, list_runs, read_run, remove_directory, remove_remnants, retry, status, stopper, submit,
    wait, wait_for_job,
};
use insta::{assert_json_snapshot, assert_snapshot};
use jiff::{SignedDuration, Timestamp};

use crate::world::{TABLE, THREE_SHARDS, World, Wrong, names};

#[tokio::test]
async fn a_submitted_run_is_waited_for_and_collected_by_others() {
    let world = World::new();
    let (run, spec) = world.submitted().await;
    let path = run.path().to_owned();
    assert!(run.state().shards.iter().all(|shard| shard.attempts[0].state == JobState::Pending), "somebody waited");
    assert_eq!(RunStage::of(run.state()), RunStage::Running);
    drop(run);

    let mut run = RunDir::load(&path).unwrap();
    wait(&mut run, &world.backends(), &world.context()).await.unwrap();
    assert_eq!(RunStage::of(run.state()), RunStage::Ended);
    assert!(run.state().shards.iter().all(|shard| shard.attempts[0].collected.is_none()), "somebody collected");
    drop(run);

    let mut run = RunDir::load(&path).unwrap();
    let collected = collect(&mut run, &world.backends(), &world.context(), false, None).await.unwrap();
    assert_eq!(collected.running, Vec::<usize>::new());
    assert_eq!(collected.report.unwrap().accounting.answered, 5);
    assert!(run.state().is_finished());
    let left_alone = std::fs::read(path.join("results.csv")).unwrap();
    drop(run);

    // What `run` makes of the same table is the same, byte for byte.
    let options = batch_pipeline::RunDirOptions { directory: Some(world.path("other")), ..Default::default() };
    let mut run = RunDir::open(&spec, &world.path("table.csv"), &options, &world.clock).unwrap();
    world.go(&mut run, batch_pipeline::Stop::never()).await.unwrap();
    assert_eq!(std::fs::read(run.path().join("results.csv")).unwrap(), left_alone);
}

#[tokio::test]
async fn run_goes_on_with_what_was_submitted() {
    let world = World::new();
    let (run, spec) = world.submitted().await;
    let path = run.path().to_owned();
    drop(run);
    let mut run = world.open(&spec).unwrap();
    assert_eq!(run.path(), path);
    let report = world.go(&mut run, batch_pipeline::Stop::never()).await.unwrap();
    assert_eq!(report.accounting.answered, 5);
    assert_eq!(*world.jobs.created.lock().unwrap(), 3, "a job was created twice");
    // And submitting once more makes no other job either.
    drop(run);
    let mut run = RunDir::load(&path).unwrap();
    submit(&mut run, &world.backends(), &world.context()).await.unwrap();
    assert_eq!(*world.jobs.created.lock().unwrap(), 3);
}

#[tokio::test]
async fn a_run_without_jobs_is_neither_waited_for_nor_collected() {
    let world = World::new();
    let spec = world.table(TABLE).spec(THREE_SHARDS);
    let mut run = world.open(&spec).unwrap();
    for error in [
        wait(&mut run, &world.backends(), &world.context()).await.unwrap_err(),
        collect(&mut run, &world.backends(), &world.context(), true, None).await.map(drop).unwrap_err(),
    ] {
        assert_eq!(error.kind(), Kind::RunDirectory);
        assert!(error.to_string().ends_with("has no job yet"), "{error}");
        assert!(error.hint().unwrap().contains("batch-cli submit"));
    }
}

#[tokio::test]
async fn what_running_jobs_have_so_far_is_no_end_of_the_run() {
    let world = World::new();
    let (mut run, _) = world.submitted().await;
    // The first shard's job has exported a row; the service answers in capitals.
    let output = run.state().shards[0].attempts[0].output.clone();
    let row = r#"{"key":"r1","request":{},"status":"","response":{"candidates":[{"content":{"parts":[{"text":"B"}]},"finishReason":"STOP"}]}}"#;
    world.store.put(&format!("{output}/prediction-x/incremental_predictions.jsonl"), format!("{row}\n"));

    // Without asking for parts there is no report, and nothing is fetched.
    let collected = collect(&mut run, &world.backends(), &world.context(), false, None).await.unwrap();
    assert_eq!(collected.running, [0, 1, 2]);
    assert!(collected.report.is_none());
    assert!(!run.path().join("results.csv").exists());

    let part = collect(&mut run, &world.backends(), &world.context(), true, None).await.unwrap();
    let report = part.report.unwrap();
    assert_eq!(report.accounting.records, 5);
    assert!(report.accounting.is_balanced());

    // Whatever was partial, the end is whole.
    wait(&mut run, &world.backends(), &world.context()).await.unwrap();
    let end = collect(&mut run, &world.backends(), &world.context(), false, None).await.unwrap();
    assert_eq!(end.report.unwrap().accounting.answered, 5);
    assert!(run.state().is_finished());
}

#[tokio::test]
async fn a_partial_report_leaves_the_run_open_and_its_predictions_to_be_fetched_again() {
    let world = World::new();
    let spec = world.table("text\na\nb\n").spec("");
    let mut run = world.open(&spec).unwrap();
    submit(&mut run, &world.backends(), &world.context()).await.unwrap();
    let output = run.state().shards[0].attempts[0].output.clone();
    let row = r#"{"key":"r1","request":{},"status":"","response":{"candidates":[{"content":{"parts":[{"text":"B"}]},"finishReason":"STOP"}]}}"#;
    world.store.put(&format!("{output}/prediction-x/incremental_predictions.jsonl"), format!("{row}\n"));

    let part = collect(&mut run, &world.backends(), &world.context(), true, None).await.unwrap();
    assert_eq!(part.running, [0]);
    let accounting = part.report.unwrap().accounting;
    assert_eq!((accounting.answered, accounting.missing), (1, 1));
    assert!(!run.state().is_finished(), "a partial report was taken for the end");
    let seen = status(run.state(), run.path(), None, world.clock.now()).await.unwrap();
    assert!(!seen.shards[0].collected && seen.stage == RunStage::Running);
    let path = run.path().to_owned();
    drop(run);

    // The same command as ever goes on with this run, and fetches all.
    let mut run = world.open(&spec).unwrap();
    assert_eq!(run.path(), path, "a second run was begun");
    let report = world.go(&mut run, batch_pipeline::Stop::never()).await.unwrap();
    assert_eq!(report.accounting.answered, 2);
    assert_eq!(*world.jobs.created.lock().unwrap(), 1);
}

/// A clock of a laptop that is shut during its first sleep, and opened hours later.
struct Laptop {
    now: Mutex<Timestamp>,
    shut_for: Mutex<Option<SignedDuration>>,
}

#[async_trait]
impl Clock for Laptop {
    fn now(&self) -> Timestamp {
        *self.now.lock().unwrap()
    }

    async fn sleep_until(&self, until: Timestamp) {
        let mut now = self.now.lock().unwrap();
        *now = (*now).max(until);
        if let Some(shut) = self.shut_for.lock().unwrap().take() {
            *now += shut;
        }
    }
}

#[tokio::test]
async fn a_laptop_that_slept_looks_once_and_goes_on() {
    let world = World::new();
    let (mut run, _) = world.submitted().await;
    let polls: Arc<Mutex<Vec<Duration>>> = Arc::default();
    let told = Arc::clone(&polls);
    let events = Events::new(move |event| {
        if let Event::Polled { shard: 0, age, .. } = event {
            told.lock().unwrap().push(*age);
        }
    });
    let hours = SignedDuration::from_hours(8);
    let clock = Arc::new(Laptop { now: Mutex::new(world.clock.now()), shut_for: Mutex::new(Some(hours)) });
    let context = Context { clock, events, ..Context::default() };
    wait(&mut run, &world.backends(), &context).await.unwrap();
    let polls = polls.lock().unwrap();
    // One look before the lid was shut, one after it was opened: the job had ended meanwhile.
    assert_eq!(polls.len(), 2, "{polls:?}");
    assert!(polls[0] < Duration::from_secs(1) && Duration::from_secs(8 * 3600) <= polls[1], "{polls:?}");
}

#[tokio::test]
async fn a_network_that_is_gone_for_an_hour_neither_fails_a_wait_nor_is_asked_all_the_time() {
    let world = World::new();
    let (mut run, _) = world.submitted().await;
    let name = names(&run)[0].clone();
    world.goes_wrong(vec![Wrong::Poll(BackendKind::Unavailable); 60]);
    let begun = world.clock.now();
    let job = wait_for_job(&name, &world.jobs, &batch_pipeline::PollPolicy::default(), &world.context()).await.unwrap();
    assert_eq!(job.state, JobState::Succeeded);
    let minutes = world.clock.now().duration_since(begun).as_mins();
    assert!((45..75).contains(&minutes), "60 failed looks took {minutes} minutes");
    // The run itself was not touched; it finds its jobs where they are.
    wait(&mut run, &world.backends(), &world.context()).await.unwrap();
}

#[tokio::test]
async fn a_run_that_was_taken_elsewhere_needs_the_same_table() {
    let world = World::new();
    let (run, _) = world.submitted().await;
    let elsewhere = world.path("elsewhere");
    copy(run.path(), &elsewhere);
    drop(run);
    std::fs::rename(world.path("table.csv"), world.path("moved.csv")).unwrap();

    let mut run = RunDir::load(&elsewhere).unwrap();
    let error = find_input(&mut run, None).unwrap_err();
    assert!(error.to_string().starts_with("the table of the run is not here: "), "{error}");
    assert_eq!(error.hint(), Some("name the table as it was with --input FILE"));

    std::fs::write(world.path("other.csv"), "text\nz\n").unwrap();
    let error = find_input(&mut run, Some(&world.path("other.csv"))).unwrap_err();
    assert_eq!(error.kind(), Kind::Input);
    assert!(error.to_string().ends_with("is not the table of this run: its bytes are others"), "{error}");

    find_input(&mut run, Some(&world.path("moved.csv"))).unwrap();
    wait(&mut run, &world.backends(), &world.context()).await.unwrap();
    let collected = collect(&mut run, &world.backends(), &world.context(), false, None).await.unwrap();
    assert_eq!(collected.report.unwrap().accounting.answered, 5);
    assert!(elsewhere.join("results.csv").exists());

    // It is remembered, and a change is noticed.
    find_input(&mut run, None).unwrap();
    std::fs::write(world.path("moved.csv"), "text\nz\n").unwrap();
    let error = find_input(&mut run, None).unwrap_err();
    assert!(error.to_string().ends_with("has changed since the run was begun"), "{error}");
}

/// Copies the files of a run's directory, as one would to another machine.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test]
async fn cleaning_keeps_what_is_not_collected_and_what_is_running() {
    let world = World::new();
    let (mut run, _) = world.submitted().await;
    let (there, with) = (world.backends(), world.context());
    let fates = |remnants: &[batch_pipeline::Remnant], kind: RemnantKind| {
        let of_kind = remnants.iter().filter(move |remnant| remnant.kind == kind);
        of_kind.map(|remnant| remnant.fate.clone()).collect::<Vec<_>>()
    };

    // Running: nothing goes, whoever insists. (A look moves a job in memory on, hence only one.)
    let remnants = find_remnants(run.state(), run.path(), &there, &with, true).await.unwrap();
    assert_eq!(remnants.len(), 9);
    let running = Fate::Kept("its job is JOB_STATE_RUNNING: cancel it first".to_owned());
    assert!(remnants.iter().all(|remnant| remnant.fate == running), "{remnants:?}");

    // Ended and not collected: predictions and jobs stay, unless somebody insists.
    wait(&mut run, &there, &with).await.unwrap();
    let remnants = find_remnants(run.state(), run.path(), &there, &with, false).await.unwrap();
    let kept = Fate::Kept("its predictions are not collected".to_owned());
    assert_eq!(fates(&remnants, RemnantKind::Input), vec![Fate::Removable; 3]);
    assert_eq!(fates(&remnants, RemnantKind::Output), vec![kept.clone(); 3]);
    assert_eq!(fates(&remnants, RemnantKind::Job), vec![kept; 3]);
    let forced = find_remnants(run.state(), run.path(), &there, &with, true).await.unwrap();
    assert!(forced.iter().all(|remnant| remnant.fate == Fate::Removable), "{forced:?}");

    // Collected: everything goes.
    collect(&mut run, &there, &with, false, None).await.unwrap();
    let mut remnants = find_remnants(run.state(), run.path(), &there, &with, false).await.unwrap();
    assert!(remnants.iter().all(|remnant| remnant.fate == Fate::Removable), "{remnants:?}");
    remove_remnants(&mut remnants, &there, &with).await.unwrap();
    assert!(remnants.iter().all(|remnant| remnant.fate == Fate::Removed), "{remnants:?}");
    for name in names(&run) {
        let gone = batch_backend::JobService::get(&world.jobs, &name).await.unwrap_err();
        assert_eq!(gone.kind(), BackendKind::NotFound);
    }

    // A second time there is nothing to do, and that is no error.
    let mut again = find_remnants(run.state(), run.path(), &there, &with, false).await.unwrap();
    remove_remnants(&mut again, &there, &with).await.unwrap();
    assert!(again.iter().all(|remnant| matches!(remnant.fate, Fate::Gone | Fate::Removed)), "{again:?}");

    // The results are here still, until the directory goes as well.
    assert!(run.path().join("results.csv").exists());
    let path = run.path().to_owned();
    drop(run);
    remove_directory(&path).unwrap();
    assert!(!path.exists());
    assert!(remove_directory(&world.path("")).unwrap_err().to_string().ends_with("is no run"));
}

#[tokio::test]
async fn a_list_hides_no_run_that_is_damaged() {
    let world = World::new();
    let runs = world.path("runs");
    assert!(list_runs(&runs).unwrap().is_empty(), "there is no folder yet");
    let (run, _) = world.submitted().await;
    std::fs::create_dir(runs.join("empty")).unwrap();
    for (name, text) in
        [("torn", "{\"version\": 1, \"id\""), ("newer", "{\"version\": 2}"), ("odd", "{\"version\": 1}")]
    {
        std::fs::create_dir(runs.join(name)).unwrap();
        std::fs::write(runs.join(name).join("run.json"), text).unwrap();
    }
    std::fs::write(runs.join("notes.txt"), "mine").unwrap();
    let listed = list_runs(&runs).unwrap();
    assert_eq!(listed[0].directory, run.path());
    let summary = listed[0].run.as_ref().unwrap();
    assert_eq!((summary.records, summary.shards, summary.stage), (Some(5), 3, RunStage::Running));
    let text: Vec<String> = listed[1..]
        .iter()
        .map(|entry| {
            let name = entry.directory.file_name().unwrap().to_string_lossy().into_owned();
            format!("{name}: {}", entry.damage.as_deref().unwrap().replace(&runs.display().to_string(), "runs"))
        })
        .collect();
    assert_snapshot!(text.join("\n"));
}

#[tokio::test]
async fn a_look_writes_nothing_and_holds_nothing() {
    let world = World::new();
    let (run, _) = world.submitted().await;
    let before = std::fs::read(run.path().join("run.json")).unwrap();
    // While another process holds the run: `run` is alive here.
    let state = read_run(run.path()).unwrap();
    let seen = status(&state, run.path(), Some(&world.jobs), world.clock.now()).await.unwrap();
    assert_eq!(seen.stage, RunStage::Running);
    assert!(seen.shards.iter().all(|shard| shard.job.as_ref().unwrap().state == JobState::Running));
    assert_eq!(std::fs::read(run.path().join("run.json")).unwrap(), before);

    // A service that is away leaves a job as it was last seen; a refused login ends the command.
    world.goes_wrong([Wrong::Poll(BackendKind::Unavailable)]);
    let seen = status(&state, run.path(), Some(&world.jobs), world.clock.now()).await.unwrap();
    assert!(seen.shards[0].unseen.is_some());
    assert_eq!(seen.shards[0].job.as_ref().unwrap().state, JobState::Pending);
    world.goes_wrong([Wrong::Poll(BackendKind::Unauthenticated)]);
    assert!(status(&state, run.path(), Some(&world.jobs), world.clock.now()).await.is_err());
}

fn job(state: JobState, stats: Option<[i64; 3]>) -> BatchPredictionJob {
    let mut job = BatchPredictionJob::default();
    job.state = state;
    job.create_time = Some("2026-11-20T00:00:00.5Z".to_owned());
    job.completion_stats = stats.map(|[successful, failed, incomplete]| {
        let mut stats = CompletionStats::default();
        stats.successful_count = Some(successful);
        stats.failed_count = Some(failed);
        stats.incomplete_count = Some(incomplete);
        stats
    });
    job
}

#[test]
fn windows_rates_and_warnings() {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let queue = |now: &str| job_status(&job(JobState::Pending, None), Some(100), at(now));
    assert!(queue("2026-11-21T00:00:00Z").warnings.is_empty());
    assert_json_snapshot!("queue_ends", queue("2026-11-22T23:00:00Z"));

    let running = |stats, now: &str| {
        let mut job = job(JobState::Running, stats);
        job.start_time = Some("2026-11-20T10:00:00Z".to_owned());
        job_status(&job, None, at(now))
    };
    // 100 rows in an hour, 900 to go: nine hours, well within the day.
    let fine = running(Some([90, 10, 900]), "2026-11-20T11:00:00Z");
    assert_eq!((fine.rows, fine.eta_seconds, fine.warnings.len()), (Some(1000), Some(9 * 3600), 0));
    // 100 rows in an hour, 9,900 to go: 23 hours are left, and 2,300 rows will be done by then.
    assert_json_snapshot!("run_ends", running(Some([90, 10, 9900]), "2026-11-20T11:00:00Z"));
    // No counts: the window alone tells.
    assert!(running(None, "2026-11-21T03:00:00Z").warnings.is_empty());
    assert_eq!(running(None, "2026-11-21T04:00:00Z").warnings.len(), 1);
    // −1 is "unknown": how many rows there are cannot be known from that.
    let unknown = running(Some([5, 0, -1]), "2026-11-20T11:00:00Z");
    assert_eq!((unknown.done, unknown.rows, unknown.eta_seconds), (5, None, None));
    // A clock that is behind the service's makes no negative time.
    assert_eq!(queue("2026-11-19T00:00:00Z").window.unwrap().used_seconds, 0);
    let odd = job_status(&job(JobState::from_name("JOB_STATE_DREAMING"), None), None, at("2026-11-20T11:00:00Z"));
    assert_eq!(odd.warnings, [batch_pipeline::Warning::UnknownState]);
}

/// A stop that is asked for at the first event that is told.
fn stops_at(world: &World, wanted: fn(&Event) -> bool) -> Context {
    let (stopper, stop) = stopper();
    let events = Events::new(move |event| {
        if wanted(event) {
            stopper.stop();
        }
    });
    Context { clock: Arc::new(world.clock.clone()), events, stop }
}

#[tokio::test]
async fn a_retry_that_was_only_begun_is_not_collected_away() {
    let world = World::new();
    let spec = world.table(TABLE).spec("");
    world.fails(["b"]);
    let mut run = world.open(&spec).unwrap();
    world.go(&mut run, Stop::never()).await.unwrap();
    world.fails([]);
    for native in [false, true] {
        let options = RetryOptions { native, ..RetryOptions::default() };
        let context_ = stops_at(&world, |event| matches!(event, Event::Retrying { .. }));
        let error = retry(&mut run, &world.backends(), &context_, None, &options).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Interrupted);
        for partial in [false, true] {
            let error = collect(&mut run, &world.backends(), &world.context(), partial, None).await.unwrap_err();
            assert!(error.to_string().starts_with("retry 1 of "), "{error}");
            assert!(error.hint().unwrap().contains("batch-cli retry"));
        }
        assert!(!run.state().is_finished());
    }
    // Whatever was collected between, each record is asked once more and not twice.
    world.retry(&mut run, &RetryOptions { native: true, ..RetryOptions::default() }).await.unwrap();
    assert_eq!(*world.jobs.created.lock().unwrap(), 2);
    assert!(run.state().is_finished());
}

#[tokio::test]
async fn a_job_that_was_deleted_hides_nothing_of_the_others() {
    let world = World::new();
    let (mut run, _) = world.submitted().await;
    wait(&mut run, &world.backends(), &world.context()).await.unwrap();
    let path = run.path().join("run.json");
    drop(run);
    // As if nobody had looked before the job was deleted.
    let mut state: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    state["shards"][1]["attempts"][0]["state"] = "JOB_STATE_RUNNING".into();
    std::fs::write(&path, state.to_string()).unwrap();
    let mut run = RunDir::load(path.parent().unwrap()).unwrap();
    world.jobs.delete(&names(&run)[1]).await.unwrap();

    let error = collect(&mut run, &world.backends(), &world.context(), false, None).await.unwrap_err();
    assert!(error.hint().unwrap().contains("--partial"), "{error}");
    let collected = collect(&mut run, &world.backends(), &world.context(), true, None).await.unwrap();
    assert_eq!(collected.running, [1]);
    assert!(3 <= collected.report.unwrap().accounting.answered);
}
