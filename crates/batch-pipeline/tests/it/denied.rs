//! A service that denies jobs while others are asked for: what is known to be none is not looked for, stands in
//! nobody's way and is not paid for unseen.

use batch_pipeline::{Kind, Overrides, RetryOptions, RunDir, Stop};

use crate::world::{TABLE, THREE_SHARDS, World, Wrong};

pub(crate) const REASON: &str = "IAM_PERMISSION_DENIED";

/// How many attempts each shard has, and whether the newest has a job.
pub(crate) fn attempts(run: &RunDir) -> Vec<(usize, bool)> {
    let has_job = |attempts: &[batch_pipeline::state::Attempt]| attempts.last().is_some_and(|last| last.job.is_some());
    run.state().shards.iter().map(|shard| (shard.attempts.len(), has_job(&shard.attempts))).collect()
}

#[tokio::test]
async fn of_what_is_denied_together_no_intent_is_left() {
    let world = World::new();
    let spec = world.table(TABLE).spec(THREE_SHARDS);
    world.together(3).refuses(["s00000-a1", "s00001-a1", "s00002-a1"]).for_want_of(REASON, "grant the role");
    let mut run = world.open(&spec).unwrap();
    let error = world.go(&mut run, Stop::never()).await.unwrap_err();
    assert!(error.to_string().starts_with("create the job of shard "), "{error}");
    assert_eq!(attempts(&run), [(0, false), (0, false), (0, false)]);
    // Nothing is looked for: the list would have nothing, and what is asked for is another thing than before.
    world.together(1).refuses([]).goes_wrong([Wrong::EmptyList]);
    let report = world.go(&mut run, Stop::never()).await.unwrap();
    assert_eq!((report.accounting.answered, *world.jobs.created.lock().unwrap()), (5, 3));
    assert!(!world.all_went_wrong(), "jobs were looked for");
}

#[tokio::test]
async fn a_job_that_is_made_while_another_is_denied_is_known() {
    for submits in [false, true] {
        let world = World::new();
        let spec = world.table(TABLE).spec(THREE_SHARDS);
        world.together(3).refuses(["s00000-a1", "s00001-a1"]).for_want_of(REASON, "grant the role");
        let mut run = world.open(&spec).unwrap();
        let (backends, context) = world.tools(Stop::never());
        let error = match submits {
            true => batch_pipeline::submit(&mut run, &backends, &context).await.unwrap_err(),
            false => batch_pipeline::run(&mut run, &backends, &context, None).await.unwrap_err(),
        };
        assert_eq!((error.kind(), error.hint().unwrap().contains("grant the role")), (Kind::Backend, true));
        assert_eq!(attempts(&run), [(0, false), (0, false), (1, true)]);
        let report = world.together(1).refuses([]).go(&mut run, Stop::never()).await.unwrap();
        assert_eq!((report.accounting.answered, *world.jobs.created.lock().unwrap()), (5, 3));
    }
}

#[tokio::test]
async fn one_is_refused_for_good_while_another_is_denied() {
    let world = World::new();
    let spec = world.table(TABLE).spec(THREE_SHARDS);
    world.together(3).refuses(["s00000-a1", "s00001-a1", "s00002-a1"]).for_want_of(REASON, "grant the role");
    world.goes_wrong([Wrong::RefusedCreate]);
    let mut run = world.open(&spec).unwrap();
    let error = world.go(&mut run, Stop::never()).await.unwrap_err();
    assert!(error.hint().unwrap().contains("grant the role"), "{error:?}");
    assert_eq!(attempts(&run), [(0, false), (0, false), (0, false)]);
    let report = world.together(1).refuses([]).go(&mut run, Stop::never()).await.unwrap();
    assert_eq!((report.accounting.answered, *world.jobs.created.lock().unwrap()), (5, 3));
}

#[tokio::test]
async fn what_may_have_become_a_job_is_looked_for_all_the_same() {
    let world = World::new();
    let spec = world.table(TABLE).spec(THREE_SHARDS);
    world.together(3).refuses(["s00001-a1", "s00002-a1"]).for_want_of(REASON, "grant the role");
    world.goes_wrong([Wrong::LostCreate]);
    let mut run = world.open(&spec).unwrap();
    world.go(&mut run, Stop::never()).await.unwrap_err();
    assert_eq!(attempts(&run).iter().map(|(attempts, _)| *attempts).collect::<Vec<_>>(), [1, 0, 0]);
    let report = world.together(1).refuses([]).go(&mut run, Stop::never()).await.unwrap();
    assert_eq!((report.accounting.answered, *world.jobs.created.lock().unwrap()), (5, 3));
}

fn with_model(model: &str) -> RetryOptions {
    let mut settings = Overrides::default();
    settings.push("request.model", model, "--set");
    RetryOptions { settings, ..RetryOptions::default() }
}

/// A finished run of three shards, of which three records have failed, one in each.
pub(crate) async fn with_failures(world: &World) -> RunDir {
    let spec = world.table(TABLE).fails(["a", "c", "e"]).spec("[limits]\nrequests = 1\n");
    let mut run = world.open(&spec).unwrap();
    world.go(&mut run, Stop::never()).await.unwrap();
    world.fails([]).for_want_of(REASON, "grant the role");
    run
}

#[tokio::test]
async fn a_retry_whose_jobs_are_all_denied_gives_way_to_another() {
    let world = World::new();
    let mut run = with_failures(&world).await;
    world.together(3).refuses(["s00005-a1", "s00006-a1", "s00007-a1"]);
    world.retry(&mut run, &with_model("gemini-2.5-pro")).await.unwrap_err();
    world.together(1).refuses([]);
    let retried = world.retry(&mut run, &with_model("gemini-2.5-flash-lite")).await.unwrap();
    assert_eq!((retried.report.accounting.answered, run.state().rounds.len()), (5, 1));
}

#[tokio::test]
async fn a_run_that_is_asked_to_stop_leaves_no_intent_that_nobody_was_asked_for() {
    let world = World::new();
    let spec = world.table(TABLE).spec(THREE_SHARDS);
    let mut run = world.open(&spec).unwrap();
    let (stopper, stop) = batch_pipeline::stopper();
    let (backends, context) = world.tools(stop);
    let events = batch_pipeline::Events::new(move |event| {
        if matches!(event, batch_pipeline::Event::Staged { shard: 2, .. }) {
            stopper.stop();
        }
    });
    let context = batch_pipeline::Context { events, ..context };
    let error = batch_pipeline::submit(&mut run, &backends, &context).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Interrupted);
    assert_eq!(attempts(&run), [(0, false), (0, false), (0, false)]);
    let report = world.go(&mut run, Stop::never()).await.unwrap();
    assert_eq!(report.accounting.answered, 5);
}
