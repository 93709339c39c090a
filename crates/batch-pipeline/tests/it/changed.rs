//! A table that is written to while its run goes on.

use batch_pipeline::{Context, Event, Events, Kind, RunDir, collect, find_input};

use crate::world::World;

const TABLE: &str = "text\na\nb\nc\n";

/// What becomes of a run whose table is another from the first such event on.
async fn changed_at(world: &World, run: &mut RunDir, at: fn(&Event) -> bool) -> batch_pipeline::Error {
    let (backends, context) = world.tools(batch_pipeline::Stop::never());
    let table = world.path("table.csv");
    let events = Events::new(move |event| {
        if at(event) {
            std::fs::write(&table, "text\nnew\na\nb\n").unwrap();
        }
    });
    let context = Context { events, ..context };
    batch_pipeline::run(run, &backends, &context, None).await.unwrap_err()
}

#[tokio::test]
async fn answers_are_never_joined_to_other_records() {
    let world = World::new();
    let spec = world.table(TABLE).spec("");
    let mut run = world.open(&spec).unwrap();
    let error = changed_at(&world, &mut run, |event| matches!(event, Event::Submitted { .. })).await;
    assert_eq!(error.kind(), Kind::Input);
    assert!(error.to_string().ends_with("table.csv has changed since the run was begun"), "{error}");
    assert!(error.hint().unwrap().contains("collect"), "{error:?}");
    assert!(!run.path().join("results.csv").exists() && !run.state().is_finished());

    // Nothing is lost: with a copy of the table, or the table as it was, it goes on from here.
    std::fs::write(world.path("copy.csv"), TABLE).unwrap();
    find_input(&mut run, Some(&world.path("copy.csv"))).unwrap();
    let (backends, context) = world.tools(batch_pipeline::Stop::never());
    let report = collect(&mut run, &backends, &context, false, None).await.unwrap().report.unwrap();
    assert_eq!(report.accounting.answered, 3);
    drop(run);
    let mut run = world.table(TABLE).open(&spec).unwrap();
    world.go(&mut run, batch_pipeline::Stop::never()).await.unwrap();
    assert!(std::fs::read_to_string(run.path().join("results.csv")).unwrap().contains("\na,answered,A,"));
}

#[tokio::test]
async fn what_is_built_while_the_table_changes_is_not_submitted() {
    let world = World::new();
    let spec = world.table(TABLE).spec("");
    let mut run = world.open(&spec).unwrap();
    let error = changed_at(&world, &mut run, |event| matches!(event, Event::Staged { .. })).await;
    assert_eq!(error.kind(), Kind::Input);
    assert!(error.hint().unwrap().starts_with("put the table back"), "{error:?}");
    assert_eq!(*world.jobs.created.lock().unwrap(), 0);
    assert_eq!(run.state().shards, [], "what was built of two tables is not kept");
    drop(run);

    let mut run = world.table(TABLE).open(&spec).unwrap();
    let report = world.go(&mut run, batch_pipeline::Stop::never()).await.unwrap();
    assert_eq!((report.accounting.answered, *world.jobs.created.lock().unwrap()), (3, 1));
}

#[tokio::test]
async fn a_table_that_was_only_touched_is_the_same() {
    let world = World::new();
    let spec = world.table(TABLE).spec("");
    let mut run = world.open(&spec).unwrap();
    let file = std::fs::File::options().write(true).open(world.path("table.csv")).unwrap();
    file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    let report = world.go(&mut run, batch_pipeline::Stop::never()).await.unwrap();
    assert_eq!(report.accounting.answered, 3);
}
