//! `batch-cli eval`.

use insta::assert_snapshot;

use crate::context::{Context, settings};

const RESULTS: &str = "text,category,outcome,answer\na,sport,answered,sport\nb,sport,answered,tech\nc,tech,answered,tech\nd,tech,blocked,\ne,tech,truncated,te\n";

#[test]
fn figures_classes_and_confusion() {
    let context = Context::new();
    context.write("results.csv", RESULTS);
    let ran = context
        .run(&["eval", "--input", "results.csv", "--expected", "category", "--mismatches", "wrong.csv"])
        .expect(1);
    settings().bind(|| assert_snapshot!("eval_text", ran.show()));
    assert_snapshot!(context.read("wrong.csv"), @r"
    text,category,outcome,answer
    b,sport,answered,tech
    d,tech,blocked,
    e,tech,truncated,te
    ");
}

#[test]
fn json_has_a_version_and_says_whether_it_passed() {
    let context = Context::new();
    context.write("results.csv", RESULTS);
    let args = [
        "eval",
        "--input",
        "results.csv",
        "--expected",
        "category",
        "--format",
        "json",
        "--min-accuracy",
        "0.5",
        "--max-failed",
        "2",
    ];
    let ran = context.run(&args).expect(1);
    settings().bind(|| assert_snapshot!("eval_json", ran.show()));
    let args = args.map(|arg| if arg == "0.5" { "0.4" } else { arg });
    context.run(&args).expect(0);
}

#[test]
fn a_column_that_is_not_there() {
    let context = Context::new();
    context.write("results.csv", RESULTS);
    let ran = context.run(&["eval", "--input", "results.csv", "--expected", "label"]).expect(2);
    assert_snapshot!(ran.stderr, @r#"
    error: results.csv has no column "label" (--expected)
    hint: its columns are: text, category, outcome, answer
    "#);
}

#[test]
fn a_record_without_an_answer_is_exit_code_1_unless_allowed() {
    let context = Context::new();
    context.write("results.csv", RESULTS);
    let args = ["eval", "--input", "results.csv", "--expected", "category"];
    let ran = context.run(&args).expect(1);
    assert_eq!(ran.stderr, "2 records without an answer, more than the 0 allowed\n");
    context.run(&[&args[..], &["--max-failed", "2"]].concat()).expect(0);
}

#[test]
fn a_record_that_was_not_asked_about_is_not_compared() {
    let context = Context::new();
    context.write("results.csv", "category,outcome,answer\nsport,answered,sport\ntech,skipped,\n");
    let ran = context.run(&["eval", "--input", "results.csv", "--expected", "category", "--format", "json"]).expect(0);
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&report["metrics"]["total"], &report["unanswered"]), (&1.into(), &0.into()), "{}", ran.stdout);
}

#[test]
fn mismatches_do_not_overwrite_the_results() {
    let context = Context::new();
    context.write("results.csv", RESULTS);
    context
        .run(&["eval", "--input", "results.csv", "--expected", "category", "--mismatches", "./results.csv"])
        .expect(2);
    assert_eq!(context.read("results.csv"), RESULTS);
}

fn prediction(record: usize, answer: &str) -> String {
    format!(
        r#"{{"key":"r{record}","status":"","response":{{"candidates":[{{"content":{{"parts":[{{"text":{}}}]}},"finishReason":"STOP"}}]}}}}"#,
        serde_json::Value::from(answer)
    )
}

/// Records in which a right answer, a wrong one, a failure and a missing one are told apart.
fn predictions(context: &Context, answer: impl Fn(&str) -> String) {
    context.write("in.csv", "text,category\na,sport\nb,sport\nc,tech\nd,tech\ne,tech\n");
    let failed = r#"{"key":"r3","status":"Bad Request: {\"error\": {\"code\": 400, \"message\": \"no\"}}"}"#;
    let lines = [
        prediction(2, &answer("tech")),
        prediction(1, &answer("tech")),
        failed.into(),
        prediction(0, &answer("sport")),
    ];
    context.write("predictions.jsonl", lines.join("\n") + "\n");
}

#[test]
fn predictions_are_judged_without_results_between() {
    let context = Context::new();
    predictions(&context, str::to_owned);
    let table = ["--input", "in.csv", "--predictions", "predictions.jsonl"];
    let join = [&["join"], &table[..], &["--output", "results.csv", "--max-failed", "2"]].concat();
    context.run(&join).expect(0);
    let rules = ["--expected", "category", "--max-failed", "2", "--format", "json"];
    let results = ["--input", "results.csv", "--mismatches", "of-results.csv"];
    let of_results = context.run(&[&["eval"], &results[..], &rules].concat()).expect(0);
    let mismatches = ["--mismatches", "of-predictions.csv"];
    let direct = context.run(&[&["eval"], &table[..], &mismatches, &rules].concat()).expect(0);
    assert_eq!(direct.stdout, of_results.stdout);
    assert_snapshot!("eval_mismatches", context.read("of-predictions.csv"));
    assert!(context.read("of-results.csv").lines().skip(1).all(|line| line.ends_with(",,,,")));
    context.run(&[&["eval"], &table[..], &["--expected", "category"]].concat()).expect(1);
}

#[test]
fn a_spec_says_what_is_compared() {
    let context = Context::new();
    predictions(&context, |answer| format!(r#"{{"topic":"{}"}}"#, answer.to_uppercase()));
    let spec = "version = 1\ninput.path = \"in.csv\"\nevaluate = { expected = \"category\", answer = \"topic\", \
                ignore_case = true, max_failed = 2, labels = [\"tech\", \"sport\"] }\n\
                request.generationConfig.responseMimeType = \"application/json\"\n";
    context.write("batch.toml", spec);
    let args = ["--spec", "batch.toml", "--predictions", "predictions.jsonl"];
    let direct = context.run(&[&["eval"], &args[..]].concat()).expect(0);
    context.run(&[&["join"], &args[..], &["--output", "results.csv"]].concat()).expect(0);
    let of_results = context.run(&["eval", "--spec", "batch.toml", "--input", "results.csv"]).expect(0);
    assert_eq!(direct.stdout, of_results.stdout);
    settings().bind(|| assert_snapshot!("eval_spec", direct.show()));
}

#[test]
fn what_is_not_named_is_asked_for() {
    let context = Context::new();
    predictions(&context, str::to_owned);
    let table = ["eval", "--input", "in.csv", "--predictions", "predictions.jsonl"];
    assert_snapshot!("eval_without_expected", context.run(&table).expect(2).stderr);
    assert_snapshot!("eval_without_input", context.run(&["eval", "--expected", "category"]).expect(2).stderr);
    let ran = context.run(&[&table[..], &["--expected", "topic"]].concat()).expect(2);
    assert_snapshot!("eval_without_column", ran.stderr);
}
