//! `batch-cli retry`, `batch-cli cache`, and runs of a part of a table.

use serde_json::Value;

use crate::context::{Context, Ran, fixture};

const QUICK: [&str; 6] = ["--set", "poll.first=0.05", "--set", "poll.steady=0.1", "--progress", "plain"];

fn run(context: &Context, more: &[&str]) -> Ran {
    let spec = fixture("packages/batch.toml").display().to_string();
    context.run(&[&["run", &spec, "--local"], &QUICK[..], more].concat())
}

fn accounting(context: &Context, directory: &str) -> Value {
    let report: Value = serde_json::from_str(&context.read(&format!("{directory}/report.json"))).expect("a report");
    report["accounting"].clone()
}

#[test]
fn what_failed_is_asked_again_until_nothing_is_left() {
    let context = Context::new();
    let faults = ["--run-dir", "run", "--sample", "60", "--fault", "fail-row=4", "--fault", "drop-row=2"];
    run(&context, &faults).expect(1);
    let before = accounting(&context, "run");
    assert_eq!(before["answered"], 54, "{before}");
    assert_eq!((&before["request_error"], &before["missing"]), (&4.into(), &2.into()));
    assert_eq!(before["skipped"], before["records"].as_u64().unwrap() - 60);

    // Two of them are in no output: the service could not resume them.
    let refused = context.run(&["retry", "run", "--native"]).expect(2);
    assert!(refused.stderr.contains("the service cannot resume: 2 missing ("), "{}", refused.stderr);
    let retried = context.run(&["retry", "run", "--native", "--only", "request_error"]).expect(1);
    assert!(retried.stderr.contains("retry 1: 4 records, by the service's own resume"), "{}", retried.stderr);
    context.run(&["retry", "run"]).expect(0);
    assert_eq!(accounting(&context, "run")["answered"], 60);
    let done = context.run(&["retry", "run"]).expect(0);
    assert!(done.stderr.contains("every record has its answer; nothing is asked again"), "{}", done.stderr);
    assert_eq!(context.list("run/retries"), ["1.csv", "2.csv"]);
}

#[test]
fn a_job_that_expired_half_way_is_named_beside_what_is_missing() {
    let context = Context::new();
    let said = run(&context, &["--run-dir", "run", "--sample", "60", "--fault", "job-expired=1"]).expect(1).stdout;
    assert_eq!(accounting(&context, "run")["missing"], 30, "{said}");
    let ended = said.lines().find(|line| line.starts_with("job projects/")).expect("it is named");
    assert!(ended.ends_with(" ended as JOB_STATE_EXPIRED: its time was over; what it had answered counts"), "{ended}");
    context.run(&["retry", "run"]).expect(0);
    assert_eq!(accounting(&context, "run")["answered"], 60);
}

#[test]
fn a_run_that_goes_on_with_a_retry_holds_that_against_the_ceiling() {
    let context = Context::new();
    let spec = fixture("article/batch.toml").display().to_string();
    let run = [&["run", &spec, "--local", "--run-dir", "run"], &QUICK[..]].concat();
    context.run(&[&run[..], &["--fault", "fail-row=10"]].concat()).expect(1);
    let denied = ["retry", "run", "--set", "model=gemini-2.5-pro", "--fault", "create-403=1"];
    context.run(&denied).expect(2);
    // The run itself is cheaper than that, and would pass.
    let refused = context.run(&[&run[..], &["--max-cost", "0.5"]].concat()).expect(4);
    assert!(refused.stderr.contains("error: it may cost 1.64 USD (high estimate), more than"), "{}", refused.stderr);
    context.run(&[&run[..], &["--max-cost", "2"]].concat()).expect(0);
    assert_eq!(accounting(&context, "run")["answered"], 10);
}

#[test]
fn a_retry_that_may_cost_too_much_is_refused() {
    let context = Context::new();
    run(&context, &["--run-dir", "run", "--sample", "30", "--fault", "fail-row=3"]).expect(1);
    let before = context.read("run/run.json");
    let refused = context.run(&["retry", "run", "--max-cost", "0"]).expect(4);
    assert!(refused.stderr.contains("it may cost "), "{}", refused.stderr);
    assert_eq!(context.read("run/run.json"), before);
    context.run(&["retry", "run", "--max-cost", "10"]).expect(0);
    assert_eq!(accounting(&context, "run")["answered"], 30);
}

#[test]
fn a_larger_part_of_a_table_asks_only_about_what_is_new() {
    let context = Context::new();
    let part = |directory: &str, limit: &str, more: &[&str]| {
        let args = ["--run-dir", directory, "--limit", limit, "--set", "cache.enabled=true"];
        run(&context, &[&args[..], more].concat()).expect(0)
    };
    part("first", "20", &[]);
    let second = part("second", "30", &[]);
    assert!(second.stderr.contains("20 records answered before, from the cache"), "{}", second.stderr);
    assert!(second.stderr.contains("staged 10 records"), "{}", second.stderr);
    let shown: Value = serde_json::from_str(&context.run(&["cache", "--format", "json"]).expect(0).stdout).unwrap();
    assert_eq!((&shown["runs"], &shown["answers"]), (&2.into(), &30.into()));
    assert!(part("third", "30", &["--no-cache"]).stderr.contains("staged 30 records"));
    // The answers lie with their run: it is not taken away with them unawares.
    let looked = context.run(&["clean", "first", "--local"]).expect(0);
    let with = ", and with it 20 answers that the cache had for later runs";
    assert!(looked.stderr.contains(&format!("--yes would remove the directory first too{with}")), "{}", looked.stderr);
    let cleaned = context.run(&["clean", "third", "--yes", "--local"]).expect(0);
    assert!(cleaned.stderr.ends_with("third is removed\n"), "{}", cleaned.stderr);
    assert_eq!(
        context.run(&["cache", "clear"]).expect(0).stdout,
        ".batch/cache: 2 indexes removed; predictions stay with their runs\n"
    );
    assert!(part("fourth", "30", &[]).stderr.contains("staged 30 records"));
    assert_eq!(context.without_cost("second/results.csv"), context.without_cost("fourth/results.csv"));
    // A local run has no need of it, unless it is told to.
    run(&context, &["--run-dir", "fifth", "--limit", "30"]).expect(0);
    assert_eq!(accounting(&context, "fifth")["answered"], 30);
}

#[test]
fn a_part_is_one_or_the_other_and_not_nothing() {
    let context = Context::new();
    for wrong in [&["--limit", "1", "--sample", "1"][..], &["--sample", "0"]] {
        assert_eq!(run(&context, wrong).code, Some(2));
    }
}
