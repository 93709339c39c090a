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
fn mismatches_do_not_overwrite_the_results() {
    let context = Context::new();
    context.write("results.csv", RESULTS);
    context
        .run(&["eval", "--input", "results.csv", "--expected", "category", "--mismatches", "./results.csv"])
        .expect(2);
    assert_eq!(context.read("results.csv"), RESULTS);
}
