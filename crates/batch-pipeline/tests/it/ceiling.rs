//! What is still to be paid for is held against the ceiling, however much of it was sent before.

use batch_pipeline::{CostBound, Kind, MaxCost, RetryOptions, Stop, check_cost};

use crate::{
    denied::{REASON, attempts, with_failures},
    world::{TABLE, THREE_SHARDS, World},
};

fn at_most(usd: f64) -> RetryOptions {
    RetryOptions { max_cost: Some(MaxCost { usd, bound: CostBound::High }), ..RetryOptions::default() }
}

#[tokio::test]
async fn a_ceiling_is_held_against_the_rest_of_a_round() {
    let world = World::new();
    let mut run = with_failures(&world).await;
    world.together(3).refuses(["s00005-a1", "s00006-a1"]);
    world.retry(&mut run, &RetryOptions::default()).await.unwrap_err();
    assert_eq!(attempts(&run)[5..], [(0, false), (0, false), (1, true)]);
    world.together(1).refuses([]);

    let error = world.retry(&mut run, &at_most(0.0)).await.unwrap_err();
    let rest = error.to_string();
    assert_eq!((error.kind(), *world.jobs.created.lock().unwrap()), (Kind::Cost, 6));
    // `run` goes on with a round as `retry` does.
    let error = check_cost(&run, at_most(0.0).max_cost.unwrap()).await.unwrap_err();
    assert_eq!((error.kind(), error.to_string()), (Kind::Cost, rest));
    let retried = world.retry(&mut run, &at_most(1.0)).await.unwrap();
    assert_eq!((retried.report.accounting.answered, *world.jobs.created.lock().unwrap()), (5, 8));
    check_cost(&run, at_most(0.0).max_cost.unwrap()).await.unwrap();
}

#[tokio::test]
async fn a_ceiling_is_held_against_the_rest_of_a_run_that_a_retry_ends() {
    let world = World::new();
    let spec = world.table(TABLE).spec(THREE_SHARDS);
    world.together(3).refuses(["s00000-a1", "s00001-a1"]).for_want_of(REASON, "grant the role");
    let mut run = world.open(&spec).unwrap();
    world.go(&mut run, Stop::never()).await.unwrap_err();
    world.together(1).refuses([]);
    let mut told = Vec::new();
    for usd in [0.0, 0.1, 1.0] {
        let retried = world.retry(&mut run, &at_most(usd)).await;
        told.push(retried.map_or_else(|error| error.to_string(), |retried| retried.round.is_none().to_string()));
    }
    // Four of the five records, each of which may be as long as it can be.
    insta::assert_snapshot!(told.join("\n"), @r"
    it may cost 0.328 USD (high estimate), more than the 0 USD allowed
    it may cost 0.328 USD (high estimate), more than the 0.100 USD allowed
    true
    ");
    assert_eq!(*world.jobs.created.lock().unwrap(), 3);
    // What goes on and buys nothing is not held back.
    let world = World::new();
    let (run, _) = world.submitted().await;
    check_cost(&run, at_most(0.0).max_cost.unwrap()).await.unwrap();
}
