//! `batch-cli join`: predictions downloaded by hand.

use insta::assert_snapshot;

use crate::context::{Context, settings};

const TABLE: &str = "id,text\n007,a\n8,b\nx,c\n";

fn prediction(key: &str, text: &str) -> String {
    format!(
        r#"{{"key":{key},"request":{{"contents":[{{"parts":[{{"text":"?"}}],"role":"user"}}]}},"status":"","response":{{"candidates":[{{"content":{{"parts":[{{"text":"{text}"}}],"role":"model"}},"finishReason":"STOP"}}],"usageMetadata":{{"promptTokenCount":3,"candidatesTokenCount":1,"totalTokenCount":4}}}}}}"#
    )
}

#[test]
fn results_come_in_the_tables_order_and_a_missing_record_is_exit_code_1() {
    let context = Context::new();
    context.write("in.csv", TABLE);
    // Another order, a key that came back as a number, one of nobody's.
    let lines =
        [prediction("\"x\"", "third"), prediction("7", "first"), prediction("\"nobody\"", "lost")].join("\n") + "\n";
    context.write("predictions.jsonl", lines);
    let args =
        ["join", "--input", "in.csv", "--key", "id", "--predictions", "predictions.jsonl", "--output", "out.csv"];
    let ran = context.run(&args).expect(1);
    settings().bind(|| {
        assert_snapshot!("join_summary", ran.show());
        assert_snapshot!("join_results", context.read("out.csv"));
    });
    let allowed = [&args[..], &["--max-failed", "1"]].concat();
    context.run(&allowed).expect(0);
}

#[test]
fn a_clash_of_columns_names_the_setting_that_renames_ours() {
    let context = Context::new();
    context.write("in.csv", "id,answer\n1,a\n");
    context.write("predictions.jsonl", prediction("\"r0\"", "b"));
    let args = ["join", "--input", "in.csv", "--predictions", "predictions.jsonl", "--output", "out.csv"];
    let ran = context.run(&args).expect(2);
    settings().bind(|| assert_snapshot!("join_clash", ran.stderr));
    assert!(!context.exists("out.csv"));
    context.run(&[&args[..], &["--column-prefix", "batch_"]].concat()).expect(0);
    assert!(context.read("out.csv").starts_with("id,answer,batch_outcome,batch_answer,"));
}

#[test]
fn a_cut_last_line_is_told_and_the_rest_is_kept() {
    let context = Context::new();
    context.write("in.csv", TABLE);
    let whole = prediction("\"r0\"", "first");
    context.write("predictions.jsonl", format!("{whole}\n{}", &whole[..40]));
    let args =
        ["join", "--input", "in.csv", "--predictions", "predictions.jsonl", "--output", "out.csv", "--max-failed", "9"];
    let ran = context.run(&args).expect(1);
    settings().bind(|| assert_snapshot!("join_cut", ran.show()));
}
