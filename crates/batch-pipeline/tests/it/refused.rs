//! A shard whose job the service refuses for good: the others' answers are worth having all the same.

use batch_model::JobState;
use batch_pipeline::{Kind, RetryOptions, RunStage, Stop};
use insta::assert_snapshot;

use crate::world::{TABLE, THREE_SHARDS, World, Wrong};

#[tokio::test]
async fn the_others_are_collected_and_its_records_say_why() {
    let world = World::new();
    let spec = world.table(TABLE).refuses(["s00001-a1"]).spec(THREE_SHARDS);
    let mut run = world.open(&spec).unwrap();
    let report = world.go(&mut run, Stop::never()).await.unwrap();
    assert_eq!((report.accounting.answered, report.accounting.request_error), (3, 2));
    assert!(report.accounting.is_balanced());
    let results = std::fs::read_to_string(run.path().join("results.csv")).unwrap();
    let column =
        |line: &str| line.split(',').take(2).chain(line.split(',').skip(3).take(1)).collect::<Vec<_>>().join(",");
    assert_snapshot!(results.lines().map(column).collect::<Vec<_>>().join("\n"), @r"
    text,outcome,detail
    a,answered,
    b,answered,
    c,request_error,create the job of shard 1: create the job x: 400 invalid argument: The request is not allowed.
    d,request_error,create the job of shard 1: create the job x: 400 invalid argument: The request is not allowed.
    e,answered,
    ");
    let told = world.told();
    assert!(told.contains(&"refused 1".to_owned()) && told.contains(&"collected 2: 1".to_owned()), "{told:?}");
    let refused = report.jobs.iter().find(|job| job.shard == 1).unwrap();
    assert_eq!((refused.job.as_ref(), &refused.state), (None, &JobState::Failed));
    let why = refused.error.as_ref().unwrap().message.as_deref().unwrap();
    assert_snapshot!(why, @"create the job of shard 1: create the job x: 400 invalid argument: The request is not allowed.");
    assert!(run.state().is_finished());
    assert_eq!(RunStage::of(run.state()), RunStage::Finished);

    // Taken up again it is as it is; what was refused is not tried again by the way.
    let path = run.path().to_owned();
    drop(run);
    let created = *world.refuses([]).jobs.created.lock().unwrap();
    let mut run = batch_pipeline::RunDir::load(&path).unwrap();
    let again = world.go(&mut run, Stop::never()).await.unwrap();
    assert_eq!(again.accounting, report.accounting);
    assert_eq!(*world.jobs.created.lock().unwrap(), created);

    // A retry asks about exactly these.
    let retried = world.retry(&mut run, &RetryOptions::default()).await.unwrap();
    assert_eq!(retried.report.accounting.answered, 5);
    assert_eq!(run.state().rounds[0].records, 2);
    assert_eq!(*world.jobs.created.lock().unwrap(), created + 1);
}

#[tokio::test]
async fn where_every_shard_is_refused_the_run_says_so_and_goes_on_later() {
    let world = World::new();
    let spec = world.table(TABLE).refuses(["s00000-a1", "s00001-a1", "s00002-a1"]).spec(THREE_SHARDS);
    let mut run = world.open(&spec).unwrap();
    let error = world.go(&mut run, Stop::never()).await.unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (Kind::Backend, "create the job of shard 0"));
    assert!(!run.state().is_finished());
    let report = world.refuses([]).go(&mut run, Stop::never()).await.unwrap();
    assert_eq!(report.accounting.answered, 5);
    assert_eq!(*world.jobs.created.lock().unwrap(), 3);
}

#[tokio::test]
async fn a_retry_that_is_refused_is_not_over() {
    let world = World::new();
    let spec = world.table(TABLE).fails(["b"]).spec("");
    let mut run = world.open(&spec).unwrap();
    world.go(&mut run, Stop::never()).await.unwrap();
    world.fails([]).refuses(["s00001-a1"]);
    let error = world.retry(&mut run, &RetryOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Backend);
    world.refuses([]);
    let retried = world.retry(&mut run, &RetryOptions::default()).await.unwrap();
    assert!(retried.resumed, "the round went on");
    assert_eq!(retried.report.accounting.answered, 5);
}

#[tokio::test]
async fn submitted_without_it_the_rest_is_waited_for_and_collected() {
    let world = World::new();
    let spec = world.table(TABLE).refuses(["s00002-a1"]).spec(THREE_SHARDS);
    let mut run = world.open(&spec).unwrap();
    let (backends, context) = world.tools(Stop::never());
    batch_pipeline::submit(&mut run, &backends, &context).await.unwrap();
    assert!(run.state().shards[2].attempts[0].is_refused());
    let path = run.path().to_owned();
    let seen = batch_pipeline::status(run.state(), &path, Some(&*backends.jobs), context.clock.now()).await.unwrap();
    assert_eq!(seen.stage, RunStage::Running);
    assert!(seen.shards[2].refused.as_deref().unwrap().contains("not allowed"));
    batch_pipeline::wait(&mut run, &backends, &context).await.unwrap();
    let collected = batch_pipeline::collect(&mut run, &backends, &context, false, None).await.unwrap();
    let accounting = collected.report.unwrap().accounting;
    assert_eq!((accounting.answered, accounting.request_error), (4, 1));
}

#[tokio::test]
async fn a_run_adopted_without_it_asks_under_names_that_no_job_has() {
    let world = World::new();
    let spec = world.table(TABLE).refuses(["s00001-a1"]).spec(THREE_SHARDS);
    let mut run = world.open(&spec).unwrap();
    world.go(&mut run, Stop::never()).await.unwrap();
    let (backends, context) = world.tools(Stop::never());
    let last = run.state().shards[2].attempts[0].job.clone().unwrap();
    let last = backends.jobs.get(&last).await.unwrap();
    let jobs = batch_pipeline::jobs_of_run(&*backends.jobs, &last).await.unwrap();
    assert_eq!(jobs.len(), 2);
    let (table, directory) = (world.path("table.csv"), world.path("adopted"));
    let mut adopted = batch_pipeline::adopt(&spec, &table, &jobs, &directory, &world.clock).unwrap();
    let collected = batch_pipeline::collect(&mut adopted, &backends, &context, false, None).await.unwrap();
    let accounting = collected.report.unwrap().accounting;
    assert_eq!((accounting.answered, accounting.missing), (3, 2));

    // The reply is lost, and the job is looked for by its labels.
    world.refuses([]).goes_wrong([Wrong::LostCreate]);
    let retried = world.retry(&mut adopted, &RetryOptions::default()).await.unwrap();
    assert_eq!(retried.report.accounting.answered, 5);
    let mut labels = world.jobs.labels();
    let pieces: std::collections::BTreeSet<_> =
        labels.drain(..).map(|labels| labels[batch_pipeline::SHARD_LABEL].to_string()).collect();
    assert_eq!(pieces.len(), 3, "{pieces:?}");
    let left = batch_pipeline::find_remnants(adopted.state(), &directory, &backends, &context, false).await.unwrap();
    assert_eq!(left.iter().filter(|left| left.fate == batch_pipeline::Fate::Removable).count(), 9, "{left:?}");
    assert_eq!(left.len(), 9);
}

#[tokio::test]
async fn a_refusal_after_a_lost_reply_is_not_the_last_word() {
    let world = World::new();
    let spec = world.table(TABLE).spec("");
    world.goes_wrong([Wrong::LostCreate, Wrong::EmptyList, Wrong::EmptyList, Wrong::RefusedCreate]);
    let mut run = world.open(&spec).unwrap();
    let report = world.go(&mut run, Stop::never()).await.unwrap();
    assert_eq!(report.accounting.answered, 5);
    assert_eq!(*world.jobs.created.lock().unwrap(), 1);
}

fn with_model(model: &str) -> RetryOptions {
    let mut settings = batch_pipeline::Overrides::default();
    settings.push("request.model", model, "--set");
    RetryOptions { settings, ..RetryOptions::default() }
}

#[tokio::test]
async fn a_retry_that_is_refused_gives_way_to_one_with_other_options() {
    let world = World::new();
    let spec = world.table(TABLE).fails(["b"]).spec("");
    let mut run = world.open(&spec).unwrap();
    world.go(&mut run, Stop::never()).await.unwrap();
    world.fails([]).refuses(["s00001-a1"]);
    world.retry(&mut run, &with_model("gemini-2.5-flahs")).await.unwrap_err();
    // Nothing was sent, and nothing was paid for.
    let retried = world.refuses([]).retry(&mut run, &with_model("gemini-2.5-pro")).await.unwrap();
    assert_eq!(retried.report.accounting.answered, 5);
    assert_eq!(*world.jobs.created.lock().unwrap(), 2);
}

#[tokio::test]
async fn a_project_that_loses_its_billing_has_no_shard_refused() {
    ends_and_goes_on("BILLING_DISABLED", "the project has no billing account").await;
}

#[tokio::test]
async fn a_login_that_loses_its_permission_has_no_shard_refused() {
    ends_and_goes_on("IAM_PERMISSION_DENIED", "grant the role roles/aiplatform.user").await;
}

/// A run that is denied all jobs but the first ends there, and goes on once it is mended.
async fn ends_and_goes_on(reason: &'static str, hint: &'static str) {
    let world = World::new();
    let spec = world.table(TABLE).refuses(["s00001-a1", "s00002-a1"]).for_want_of(reason, hint);
    let spec = spec.spec("[limits]\nrequests = 2\njobs = 1\n");
    let mut run = world.open(&spec).unwrap();
    let error = world.go(&mut run, Stop::never()).await.unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (Kind::Backend, "create the job of shard 1"));
    assert_eq!(
        error.hint().unwrap(),
        format!("{hint}; then run the same command again, without --new: it goes on from here")
    );
    let told = world.told();
    assert!(!told.iter().any(|line| line.starts_with("refused")), "{told:?}");
    assert!(!run.state().is_finished());
    // No job came of it, and nobody asked for more once it was clear.
    assert!(run.state().shards[1].attempts.is_empty() && run.state().shards[2].attempts.is_empty());

    // What was answered and paid for can be had all the same.
    let (backends, context) = world.tools(Stop::never());
    let error = batch_pipeline::collect(&mut run, &backends, &context, false, None).await.unwrap_err();
    assert!(error.hint().unwrap().contains("--partial"), "{error:?}");
    let there = batch_pipeline::collect(&mut run, &backends, &context, true, None).await.unwrap();
    assert_eq!(there.running, [1, 2]);
    let accounting = there.report.unwrap().accounting;
    assert_eq!((accounting.answered, accounting.missing), (2, 3));
    assert!(!run.state().is_finished());

    // The same command, once it is mended.
    let path = run.path().to_owned();
    drop(run);
    let mut run = batch_pipeline::RunDir::load(&path).unwrap();
    let report = world.refuses([]).go(&mut run, Stop::never()).await.unwrap();
    assert_eq!((report.accounting.answered, report.accounting.request_error), (5, 0));
    assert_eq!(*world.jobs.created.lock().unwrap(), 3);
    let told = world.told();
    assert_eq!(told.iter().filter(|line| line.ends_with(" found")).count(), 2, "{told:?}");
    assert!(!told.contains(&"submitted 0".to_owned()), "{told:?}");
}

#[tokio::test]
async fn a_retry_that_is_denied_its_model_gives_way_to_one_with_another() {
    let world = World::new();
    let spec = world.table(TABLE).fails(["b"]).spec("");
    let mut run = world.open(&spec).unwrap();
    world.go(&mut run, Stop::never()).await.unwrap();
    world.fails([]).refuses(["s00001-a1"]).for_want_of("IAM_PERMISSION_DENIED", "grant the role");
    world.retry(&mut run, &with_model("gemini-2.5-pro")).await.unwrap_err();
    let retried = world.refuses([]).retry(&mut run, &with_model("gemini-2.5-flash-lite")).await.unwrap();
    assert_eq!((retried.report.accounting.answered, run.state().rounds.len()), (5, 1));
    assert_eq!(*world.jobs.created.lock().unwrap(), 2);
}

#[tokio::test]
async fn a_manifest_that_was_cut_off_holds_back_nothing_once_it_is_removed() {
    let world = World::new();
    let spec = world.table(TABLE).refuses(["s00001-a1"]).spec(THREE_SHARDS);
    let mut run = world.open(&spec).unwrap();
    let (backends, context) = world.tools(Stop::never());
    let manifest = run.path().join(batch_pipeline::MANIFEST);
    let cut = manifest.clone();
    let events = batch_pipeline::Events::new(move |event| {
        if matches!(event, batch_pipeline::Event::Refused { .. }) {
            let text = std::fs::read(&cut).unwrap();
            std::fs::write(&cut, &text[..text.len() - 20]).unwrap();
        }
    });
    let context = batch_pipeline::Context { events, ..context };
    let error = batch_pipeline::run(&mut run, &backends, &context, None).await.unwrap_err();
    assert!(error.to_string().ends_with("manifest.csv:6: not a row of a manifest"), "{error}");
    assert!(error.hint().unwrap().contains("remove it"), "{error:?}");

    std::fs::remove_file(&manifest).unwrap();
    let report = world.go(&mut run, Stop::never()).await.unwrap();
    assert_eq!((report.accounting.answered, report.accounting.missing), (3, 2));
    let retried = world.refuses([]).retry(&mut run, &RetryOptions::default()).await.unwrap();
    assert_eq!(retried.report.accounting.answered, 5);
    assert_eq!(*world.jobs.created.lock().unwrap(), 3);
}

/// A manifest that can be read once, by a reader that lets others work until they have written it.
#[cfg(unix)]
#[test]
fn the_manifest_is_read_once_and_holds_up_nobody() {
    let (sender, receiver) = std::sync::mpsc::channel();
    // On a thread of its own: one that waits for ever for a second manifest cannot be told to stop.
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let refused = runtime.block_on(refused_with_a_pipe_for_manifest());
        sender.send(refused).unwrap();
    });
    let refused = receiver.recv_timeout(std::time::Duration::from_secs(30)).expect("the run comes to its end");
    assert_eq!(refused, [vec!["r0", "r1"], vec!["r4"]]);
}

/// The keys of the records that the files of two refused shards name.
#[cfg(unix)]
async fn refused_with_a_pipe_for_manifest() -> Vec<Vec<String>> {
    let world = World::new();
    let spec = world.table(TABLE).refuses(["s00000-a1", "s00002-a1"]).spec(THREE_SHARDS);
    let mut run = world.open(&spec).unwrap();
    let (backends, context) = world.tools(Stop::never());
    let manifest = run.path().join(batch_pipeline::MANIFEST);
    let (is_piped, piped) = tokio::sync::oneshot::channel();
    let is_piped = std::sync::Mutex::new(Some(is_piped));
    let path = manifest.clone();
    let events = batch_pipeline::Events::new(move |event| {
        if matches!(event, batch_pipeline::Event::Refused { .. })
            && let Some(tell) = is_piped.lock().unwrap().take()
        {
            let text = std::fs::read(&path).unwrap();
            std::fs::remove_file(&path).unwrap();
            assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
            tell.send(text).unwrap();
        }
    });
    // Whoever holds up this thread is not served.
    tokio::spawn(async move {
        let text = piped.await.unwrap();
        tokio::task::spawn_blocking(move || std::fs::write(manifest, text).unwrap()).await.unwrap();
    });
    let context = batch_pipeline::Context { events, ..context };
    batch_pipeline::submit(&mut run, &backends, &context).await.unwrap();
    let keys_of = |shard: usize| {
        let file = &run.state().shards[shard].attempts[0].collected.as_ref().unwrap()[0];
        let text = std::fs::read_to_string(run.path().join(&file.path)).unwrap();
        assert_eq!(text.len() as u64, file.bytes);
        let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        lines.map(|line| line["key"].as_str().unwrap().to_owned()).collect()
    };
    vec![keys_of(0), keys_of(2)]
}
