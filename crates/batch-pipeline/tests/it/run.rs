//! Runs: from the beginning, and from wherever they stopped.

use batch_backend::Kind as BackendKind;
use batch_pipeline::{Kind, RunDir, RunDirOptions, Stop, stopper};
use insta::assert_snapshot;

use crate::world::{World, Wrong};

const TABLE: &str = "text,expected\nb,B\na,A\nb,X\n";

#[tokio::test]
async fn from_table_to_report() {
    let world = World::new();
    let spec = world.table(TABLE).spec("[evaluate]\nexpected = 'expected'\n");
    let mut run = world.open(&spec).unwrap();
    let report = world.go(&mut run, Stop::never()).await.unwrap();

    assert_snapshot!(world.told().join("\n"), @r"
    staged 0: 3
    submitted 0
    0 JOB_STATE_RUNNING
    0 JOB_STATE_SUCCEEDED
    collected 0: 1
    ");
    let read = |name: &str| std::fs::read_to_string(run.path().join(name)).unwrap();
    assert_snapshot!(read("results.csv"), @r"
    text,expected,outcome,answer,detail,finish_reason,prompt_tokens,candidates_tokens,thoughts_tokens,total_tokens,cost_usd
    b,B,answered,B,,STOP,1,1,,2,0.0000014
    a,A,answered,A,,STOP,1,1,,2,0.0000014
    b,X,answered,B,,STOP,1,1,,2,0.0000014
    ");
    assert_snapshot!(read("mismatches.csv"), @r"
    text,expected,key,outcome,answer,detail
    b,X,r2,answered,B,
    ");
    assert_eq!((report.accounting.records, report.accounting.answered), (3, 3));
    assert!(report.accounting.is_balanced());
    assert_eq!(report.evaluation.unwrap().correct, 2);
    assert!(run.state().is_finished());
}

#[tokio::test]
async fn a_lost_reply_to_create_makes_no_second_job() {
    let world = World::new();
    let spec = world.table(TABLE).spec("");
    world.goes_wrong([Wrong::LostCreate]);
    let report = world.go(&mut world.open(&spec).unwrap(), Stop::never()).await.unwrap();
    assert_eq!(report.accounting.answered, 3);
    assert_eq!(*world.jobs.created.lock().unwrap(), 1);
}

#[tokio::test]
async fn a_create_that_was_never_heard_is_made_again() {
    let world = World::new();
    let spec = world.table(TABLE).spec("");
    world.goes_wrong([Wrong::NoCreate, Wrong::NoCreate]);
    let report = world.go(&mut world.open(&spec).unwrap(), Stop::never()).await.unwrap();
    assert_eq!(report.accounting.answered, 3);
    assert_eq!(*world.jobs.created.lock().unwrap(), 1);
}

#[tokio::test]
async fn a_process_that_dies_after_create_leaves_a_job_that_the_next_one_adopts() {
    let world = World::new();
    let spec = world.table(TABLE).spec("");
    // As if killed between the call and the note of it: three lost replies end the first process.
    world.goes_wrong([Wrong::LostCreate]);
    let mut run = world.open(&spec).unwrap();
    let (stopper, stop) = stopper();
    stopper.stop();
    // Stopped before anything: nothing is created.
    assert_eq!(world.go(&mut run, stop).await.unwrap_err().kind(), Kind::Interrupted);
    assert_eq!(*world.jobs.created.lock().unwrap(), 0);
    let path = run.path().to_owned();
    drop(run);

    let mut run = world.open(&spec).unwrap();
    assert!(run.is_resumed());
    assert_eq!(run.path(), path);
    world.go(&mut run, Stop::never()).await.unwrap();
    assert_eq!(*world.jobs.created.lock().unwrap(), 1);

    // The state of a process that died right after `create`: the intent without the job.
    let file = run.path().join("run.json");
    drop(run);
    let mut state: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    state["shards"][0]["attempts"][0].as_object_mut().unwrap().remove("job");
    state["shards"][0]["attempts"][0].as_object_mut().unwrap().remove("collected");
    state["shards"][0]["attempts"][0]["state"] = "JOB_STATE_UNSPECIFIED".into();
    state["finished"] = serde_json::Value::Null;
    std::fs::write(&file, serde_json::to_vec(&state).unwrap()).unwrap();
    world.told();
    let mut run = world.open(&spec).unwrap();
    let report = world.go(&mut run, Stop::never()).await.unwrap();
    assert_eq!(report.accounting.answered, 3);
    assert_eq!(*world.jobs.created.lock().unwrap(), 1, "a second job was created");
    assert_snapshot!(world.told().join("\n"), @r"
    staged 0: 3 found
    submitted 0 adopted
    collected 0: 1
    ");
}

#[tokio::test]
async fn a_service_that_is_away_for_an_hour_fails_no_run() {
    let world = World::new();
    let spec = world.table(TABLE).spec("");
    world.goes_wrong(vec![Wrong::Poll(BackendKind::Unavailable); 90]);
    let report = world.go(&mut world.open(&spec).unwrap(), Stop::never()).await.unwrap();
    assert_eq!(report.accounting.answered, 3);
    assert_eq!(world.told().iter().filter(|line| line.ends_with("poll failed")).count(), 90);
    let hours = report.finished.duration_since(report.created).as_hours();
    assert_eq!(hours, 1, "{} to {}", report.created, report.finished);
}

#[tokio::test]
async fn a_refused_login_ends_the_process_and_not_the_run() {
    let world = World::new();
    let spec = world.table(TABLE).spec("");
    world.goes_wrong([Wrong::Poll(BackendKind::Unauthenticated)]);
    let mut run = world.open(&spec).unwrap();
    let error = world.go(&mut run, Stop::never()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Backend);
    drop(run);
    let report = world.go(&mut world.open(&spec).unwrap(), Stop::never()).await.unwrap();
    assert_eq!(report.accounting.answered, 3);
    assert_eq!(*world.jobs.created.lock().unwrap(), 1);
}

#[tokio::test]
async fn shards_are_cut_at_the_limits_and_joined_to_one_table() {
    let world = World::new();
    let rows: String = (0..25).map(|i| format!("text {i}\n")).collect();
    let spec = world.table(&format!("text\n{rows}")).spec("[limits]\nrequests = 10\njobs = 2\n");
    let mut run = world.open(&spec).unwrap();
    let report = world.go(&mut run, Stop::never()).await.unwrap();
    assert_eq!(report.accounting.answered, 25);
    let records: Vec<(u64, u64)> = run.state().shards.iter().map(|shard| (shard.first, shard.records)).collect();
    assert_eq!(records, [(0, 10), (10, 10), (20, 5)]);
    let results = std::fs::read_to_string(run.path().join("results.csv")).unwrap();
    let texts: Vec<&str> = results.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(texts, (0..25).map(|i| format!("text {i}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn bytes_limit_a_shard_too_and_a_line_that_fits_nowhere_is_refused() {
    let world = World::new();
    world.table("text\naaaaaaaaaa\nbbbbbbbbbb\n");
    let mut run = world.open(&world.spec("[limits]\nbytes = 120\n")).unwrap();
    world.go(&mut run, Stop::never()).await.unwrap();
    assert_eq!(run.state().shards.len(), 2);
    let mut run = world.open(&world.spec("[limits]\nbytes = 50\n")).unwrap();
    let error = world.go(&mut run, Stop::never()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Input);
    assert!(error.to_string().contains("table.csv:2: the request line of record 0 has"), "{error}");
    assert!(run.state().shards.is_empty(), "something was staged");
}

#[tokio::test]
async fn a_run_is_held_by_one_process() {
    let world = World::new();
    let spec = world.table(TABLE).spec("");
    let _held = world.open(&spec).unwrap();
    let error = world.open(&spec).unwrap_err();
    assert_eq!(error.kind(), Kind::RunDirectory);
    assert!(error.to_string().contains("another process is working on the run"), "{error}");
}

#[tokio::test]
async fn a_field_of_json_answers_is_compared_by_what_it_says() {
    let world = World::new();
    // The model answers in capitals.
    world.table(
        "text,expected\n\"{\"\"v\"\":\"\"good\"\"}\",GOOD\n\"{\"\"v\"\":\"\"bad\"\"}\",GOOD\n\"{\"\"v\"\":1}\",1\n",
    );
    let json = "[request.generationConfig]\nresponseMimeType = 'application/json'\n";
    let spec = world.spec(&format!("{json}[evaluate]\nexpected = 'expected'\nanswer = 'V'\n"));
    let mut run = world.open(&spec).unwrap();
    let report = world.go(&mut run, Stop::never()).await.unwrap();
    assert_eq!(report.evaluation.unwrap().correct, 2);
    assert_snapshot!(std::fs::read_to_string(run.path().join("mismatches.csv")).unwrap(), @r#"
    text,expected,key,outcome,answer,detail
    "{""v"":""bad""}",GOOD,r1,answered,BAD,
    "#);
}

#[tokio::test]
async fn a_finished_run_is_evaluated_again_without_a_new_job() {
    let world = World::new();
    world.table(TABLE);
    let mut run = world.open(&world.spec("")).unwrap();
    let path = run.path().to_owned();
    assert!(world.go(&mut run, Stop::never()).await.unwrap().evaluation.is_none());
    drop(run);
    let spec = world.spec("[evaluate]\nexpected = 'expected'\n");
    let options = batch_pipeline::RunDirOptions { directory: Some(path), ..Default::default() };
    let mut run = batch_pipeline::RunDir::open(&spec, &world.path("table.csv"), &options, &world.clock).unwrap();
    assert!(world.go(&mut run, Stop::never()).await.unwrap().evaluation.is_some());
    assert_eq!(*world.jobs.created.lock().unwrap(), 1);
    assert!(run.path().join("mismatches.csv").exists());
    drop(run);

    // In another format, and without a comparison: what was written before tells of another spec.
    let spec = world.spec("[results]\nformat = 'jsonl'\n");
    let mut run = batch_pipeline::RunDir::open(&spec, &world.path("table.csv"), &options, &world.clock).unwrap();
    world.go(&mut run, Stop::never()).await.unwrap();
    assert!(run.path().join("results.jsonl").exists());
    assert!(!run.path().join("results.csv").exists() && !run.path().join("mismatches.csv").exists());
}

#[tokio::test]
async fn staged_lines_that_were_changed_are_staged_again() {
    let world = World::new();
    let spec = world.table(TABLE).spec("");
    // The process ends after staging: the job is refused.
    world.goes_wrong([Wrong::NoCreate, Wrong::NoCreate, Wrong::NoCreate]);
    let mut run = world.open(&spec).unwrap();
    world.go(&mut run, Stop::never()).await.unwrap_err();
    let name = run.state().shards[0].staged.name.clone();
    drop(run);
    world.store.put(&name, "somebody else's");
    world.told();
    let report = world.go(&mut world.open(&spec).unwrap(), Stop::never()).await.unwrap();
    assert_eq!(report.accounting.answered, 3);
    assert!(world.told().contains(&"staged 0: 3".to_owned()));
}

#[tokio::test]
async fn a_job_that_was_deleted_is_told_with_the_way_out() {
    let world = World::new();
    world.table("text\na\n").goes_wrong([Wrong::Poll(BackendKind::NotFound)]);
    let mut run = world.open(&world.spec("")).unwrap();
    let error = world.go(&mut run, Stop::never()).await.unwrap_err();
    assert!(error.to_string().starts_with("look at the job of shard 0, projects/"), "{error}");
    assert!(error.hint().unwrap().contains("--new"), "{error:?}");
}

#[test]
fn a_kill_before_the_first_state_leaves_a_directory_that_can_be_used() {
    let world = World::new();
    world.table("text\na\n");
    let directory = world.path("run");
    std::fs::create_dir(&directory).unwrap();
    for name in ["lock", "run.json.part", ".input-1"] {
        std::fs::write(directory.join(name), "{").unwrap();
    }
    let options = RunDirOptions { directory: Some(directory.clone()), ..RunDirOptions::default() };
    let open = || RunDir::open(&world.spec(""), &world.path("table.csv"), &options, &world.clock);
    assert!(!open().unwrap().is_resumed());
    // What somebody else put there is another thing.
    std::fs::remove_file(directory.join("run.json")).unwrap();
    std::fs::write(directory.join("notes.txt"), "mine").unwrap();
    assert!(open().unwrap_err().to_string().ends_with("is not empty, and is no run"));
}

#[cfg(unix)]
#[test]
fn of_two_that_begin_at_once_one_makes_the_run_and_the_other_finds_it() {
    let world = World::new();
    let options = RunDirOptions { root: Some(world.path("runs")), ..RunDirOptions::default() };
    let hints = refused_at_once(&world, &options);
    assert!(hints.iter().all(|hint| hint.ends_with("; or begin another run with --new")), "{hints:?}");
    assert_eq!(std::fs::read_dir(world.path("runs")).unwrap().count(), 1);
}

#[cfg(unix)]
#[test]
fn of_two_that_begin_in_one_directory_the_other_is_not_sent_to_another() {
    let world = World::new();
    // They meet at another place each time.
    for round in 0..40 {
        let directory = world.path(&format!("run-{round}"));
        let options = RunDirOptions { directory: Some(directory.clone()), ..RunDirOptions::default() };
        let hint = format!("`batch-cli status {}` looks at it; wait for it, or stop it first", directory.display());
        assert_eq!(refused_at_once(&world, &options), vec![hint; 7]);
    }
}

/// Eight processes begin at once: one has the run, and the others are told that it has; what they are told to do.
#[cfg(unix)]
fn refused_at_once(world: &World, options: &RunDirOptions) -> Vec<String> {
    let (spec, table) = (world.table("text\na\n").spec(""), world.path("table.csv"));
    let barrier = std::sync::Barrier::new(8);
    // Each at a time of its own, so that the names of runs differ.
    let open = |seconds: i64| {
        let clock = crate::world::TestClock::new();
        clock.later(seconds);
        barrier.wait();
        let opened = RunDir::open(&spec, &table, options, &clock);
        // Nobody ends before all have looked.
        barrier.wait();
        opened.map(|run| run.path().to_owned())
    };
    let opened: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|seconds| {
                scope.spawn({
                    let open = &open;
                    move || open(seconds)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(opened.iter().flatten().count(), 1, "{opened:?}");
    let refused = opened.iter().filter_map(|opened| opened.as_ref().err());
    let hint_of = |error: &batch_pipeline::Error| {
        assert!(error.to_string().starts_with("another process is working on the run "), "{error}");
        error.hint().unwrap().to_owned()
    };
    refused.map(hint_of).collect()
}

#[tokio::test]
async fn lines_that_are_staged_again_leave_the_intent_of_their_job_alone() {
    let world = World::new();
    let spec = world.table(TABLE).spec("");
    let mut run = world.open(&spec).unwrap();
    let (backends, context) = world.tools(Stop::never());
    batch_pipeline::submit(&mut run, &backends, &context).await.unwrap();
    let (path, staged) = (run.path().join("run.json"), run.state().shards[0].staged.name.clone());
    drop(run);
    // The process died before it heard that the job was created, and the staged lines are not what they were.
    let mut state: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    state["shards"][0]["attempts"][0].as_object_mut().unwrap().remove("job");
    std::fs::write(&path, state.to_string()).unwrap();
    world.store.put(&staged, "something else");
    world.told();

    let mut run = world.open(&spec).unwrap();
    let report = world.go(&mut run, Stop::never()).await.unwrap();
    assert_eq!(report.accounting.answered, 3);
    assert_eq!(*world.jobs.created.lock().unwrap(), 1);
    assert_eq!(world.told()[..2], ["staged 0: 3", "submitted 0 adopted"]);
}

#[test]
fn a_directory_that_is_no_run_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let error = RunDir::load(folder.path()).unwrap_err();
    assert!(error.to_string().starts_with("there is no run in "), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
