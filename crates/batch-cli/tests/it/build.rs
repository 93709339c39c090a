//! `batch-cli build`.

use std::{io::Write, process::Stdio};

use insta::assert_snapshot;

use crate::context::{Context, fixture, settings};

#[test]
fn the_walkthroughs_request_lines_byte_for_byte() {
    let context = Context::new();
    let spec = fixture("article/batch.toml").display().to_string();
    let ran = context.run(&["build", &spec, "--output", "-"]).expect(0);
    assert_eq!(ran.stdout.lines().count(), 10);
    settings().bind(|| assert_snapshot!("article_request_lines", ran.stdout));
}

#[test]
fn flags_alone_are_enough() {
    let context = Context::new();
    context.write("in.csv", "id,text\r\na,\"one \"\"1\"\"\"\r\nb,\"二\n行\"\r\n");
    context.write("config.json", r#"{"temperature":0.2,"seed":1}"#);
    context.write("system.txt", "Be brief, {{ id }}.");
    let args = ["--input", "in.csv", "--key", "id", "--prompt", "{{ text | upper }}", "--system", "@system.txt"];
    let args = [
        &["build", "--output", "out.jsonl", "--generation-config", "config.json", "--label", "id=n{{ id }}"],
        &args[..],
    ];
    let ran = context.run(&args.concat()).expect(0);
    assert_snapshot!(ran.stderr, @"2 request lines, 417 B");
    assert_eq!(ran.stdout, "");
    assert_snapshot!(context.read("out.jsonl"), @r#"
    {"key":"a","request":{"contents":[{"role":"user","parts":[{"text":"ONE \"1\""}]}],"systemInstruction":{"parts":[{"text":"Be brief, a."}]},"generationConfig":{"temperature":0.2,"seed":1},"labels":{"id":"na"}}}
    {"key":"b","request":{"contents":[{"role":"user","parts":[{"text":"二\n行"}]}],"systemInstruction":{"parts":[{"text":"Be brief, b."}]},"generationConfig":{"temperature":0.2,"seed":1},"labels":{"id":"nb"}}}
    "#);
}

#[test]
fn standard_input_to_standard_output() {
    let context = Context::new();
    let args = ["build", "--input", "-", "--input-format", "jsonl", "--prompt", "{{ t }}", "--output", "-"];
    let mut child =
        context.command(&args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"{\"t\":\"\xe6\x97\xa5\"}\n{\"t\":7}\n").unwrap();
    let ran = context.ran(&child.wait_with_output().unwrap()).expect(0);
    assert_snapshot!(ran.stdout, @r#"
    {"key":"r0","request":{"contents":[{"role":"user","parts":[{"text":"日"}]}]}}
    {"key":"r1","request":{"contents":[{"role":"user","parts":[{"text":"7"}]}]}}
    "#);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let context = Context::new();
    let rows: String = (0..200_000).map(|i| format!("row {i}\n")).collect();
    context.write("in.csv", format!("text\n{rows}"));
    let args = ["build", "--input", "in.csv", "--prompt", "{{ text }}", "--output", "-"];
    let mut child = context.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    context.ran(&child.wait_with_output().unwrap()).expect(0);
}

#[test]
fn the_table_is_not_overwritten() {
    let context = Context::new();
    context.write("in.csv", "text\na\n");
    let ran = context.run(&["build", "--input", "in.csv", "--prompt", "{{ text }}", "--output", "./in.csv"]).expect(2);
    assert_snapshot!(ran.stderr, @r"
    error: ./in.csv is an input, and would be overwritten
    hint: name another output
    ");
    assert_eq!(context.read("in.csv"), "text\na\n");
}
