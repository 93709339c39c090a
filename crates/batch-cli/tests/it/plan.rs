//! `batch-cli plan`, and `run` of a plan.

use insta::assert_snapshot;
use serde_json::Value;

use crate::context::{Context, fixture, settings};

fn spec(name: &str) -> String {
    fixture(name).display().to_string()
}

#[test]
fn the_plans_of_the_examples() {
    let context = Context::new();
    for name in ["packages", "article"] {
        let ran = context.run(&["plan", &spec(&format!("{name}/batch.toml")), "--local"]).expect(0);
        let folder = fixture("packages").parent().unwrap().display().to_string();
        let shown = ran.show().replace(&folder, "[fixtures]");
        settings().bind(|| assert_snapshot!(format!("plan_{name}"), shown));
    }
    assert!(!context.exists(".batch"), "a plan makes nothing");
}

#[test]
fn a_plan_is_run_as_it_is_and_told_beside_what_it_cost() {
    let context = Context::new();
    context.write("in.csv", "text\na\nb\nc\n");
    context.write(
        "batch.toml",
        "version = 1\n[input]\npath = 'in.csv'\n[request]\nmodel = 'gemini-2.5-flash-lite'\nprompt = '{{ text }}'\n\
         [poll]\nfirst = 0.05\nsteady = 0.1\n",
    );
    let plan = ["plan", "batch.toml", "--local", "--limit", "2", "--out", "plan.json", "--format", "json"];
    let planned: Value = serde_json::from_str(&context.run(&plan).expect(0).stdout).unwrap();
    assert_eq!((planned["version"].as_u64(), planned["requests"].as_u64()), (Some(1), Some(2)));
    let run = ["run", "plan.json", "--run-dir", "run", "--progress", "none"];
    context.run(&run).expect(0);
    let report: Value = serde_json::from_str(&context.read("run/report.json")).unwrap();
    assert_eq!(
        (report["accounting"]["answered"].as_u64(), report["accounting"]["skipped"].as_u64()),
        (Some(2), Some(1))
    );
    assert_eq!(report["spending"]["billed"], false);
    assert_eq!(report["spending"]["estimate"]["input"], planned["estimate"]["input"]);

    let ran = context.run(&[&run[..], &["--model", "gemini-2.5-pro"]].concat()).expect(2);
    assert_snapshot!(ran.stderr, @r"
    error: a plan is run as it is, and --model would change it
    hint: plan again with --model, or leave it out
    ");
    context.write("in.csv", "text\na\nb\nd\n");
    let ran = context.run(&run).expect(2);
    assert_snapshot!(ran.stderr, @r"
    error: in.csv has changed since the plan was made: it had 11 bytes and has 11
    hint: plan again: `batch-cli plan batch.toml --out …`
    ");
}

#[test]
fn what_may_cost_too_much_is_refused_before_anything_is_made() {
    let context = Context::new();
    let spec = spec("packages/batch.toml");
    let ran = context.run(&["run", &spec, "--local", "--max-cost", "5"]).expect(4);
    assert_snapshot!(ran.stderr, @r"
    error: it may cost 30.80 USD (high estimate), more than the 5.00 USD allowed
    hint: the expected cost is below it: limit the answers with maxOutputTokens or thinkingBudget, or hold the ceiling against the expected cost with --max-cost-by expected
    ");
    let ran = context.run(&["run", &spec, "--local", "--max-cost", "5", "--model", "gemini-0-abacus"]).expect(4);
    assert_snapshot!(ran.stderr, @r"
    error: the price of gemini-0-abacus is not known, so that nobody can say whether it is below 5.00 USD
    hint: leave out --max-cost, or take a model that `batch-cli models` has a price for
    ");
    assert!(!context.exists(".batch"));
    context.run(&["plan", &spec, "--local", "--max-cost", "5", "--max-cost-by", "expected"]).expect(0);
}

#[test]
fn what_earlier_runs_have_answered_is_planned_and_run_as_such() {
    let context = Context::new();
    context.write("in.csv", "text\na\nb\n");
    context.write(
        "batch.toml",
        "version = 1\n[input]\npath = 'in.csv'\n[request]\nmodel = 'gemini-2.5-flash-lite'\nprompt = '{{ text }}'\n\
         [poll]\nfirst = 0.05\nsteady = 0.1\n[cache]\nenabled = true\n",
    );
    context.run(&["run", "batch.toml", "--local", "--progress", "none"]).expect(0);
    context.write("in.csv", "text\nnew\na\nb\n");
    let ran = context.run(&["plan", "batch.toml", "--local", "--out", "plan.json"]).expect(0);
    let said: Vec<&str> =
        ran.stdout.lines().filter(|line| line.contains("cached") || line.contains("requests")).collect();
    assert!(said[0].ends_with("2 records: earlier runs have their answers"), "{said:?}");
    assert!(said[1].contains("1 request, "), "{said:?}");
    let ran = context.run(&["run", "plan.json", "--no-cache"]).expect(2);
    assert!(ran.stderr.contains("a plan is run as it is, and --no-cache would change it"), "{}", ran.stderr);
    let run = ["run", "plan.json", "--run-dir", "run", "--progress", "none"];
    context.run(&run).expect(0);
    let report: Value = serde_json::from_str(&context.read("run/report.json")).unwrap();
    assert_eq!((report["accounting"]["answered"].as_u64(), report["cached"].as_u64()), (Some(3), Some(2)));
    // The run that was begun goes on, whatever the cache has now; a new one would be another.
    context.run(&run).expect(0);
    let ran = context.run(&["run", "plan.json", "--new"]).expect(2);
    assert!(ran.stderr.contains("the cache answered 2 of the records when this was planned"), "{}", ran.stderr);
}

#[test]
fn a_table_that_is_not_read_here_is_not_planned() {
    let context = Context::new();
    context.write(
        "batch.toml",
        "version = 1\n[input]\ntable = 'bq://p.d.t'\n[request]\nmodel = 'gemini-2.5-flash-lite'\n\
         [target]\nproject = 'p'\nlocation = 'us-central1'\noutput = 'bq://p.d'\n",
    );
    let ran = context.run(&["plan", "batch.toml", "--offline"]).expect(2);
    assert_snapshot!(ran.stderr, @r"
    error: a plan reads every record, and bq://p.d.t is not read here
    hint: `batch-cli build SPEC --print-sql` shows what BigQuery would do with it; its console tells what that costs
    ");
    assert!(!context.exists(".batch"), "a plan makes nothing");
    let ran = context.run(&["lint", "batch.toml"]).expect(2);
    assert!(ran.stderr.contains("the records are in bq://p.d.t, and not in a file here"), "{}", ran.stderr);
}
