//! `batch-cli run --local`.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use insta::assert_snapshot;
use serde_json::Value;

use crate::context::{Context, Ran, fixture, settings};

const QUICK: [&str; 4] = ["--set", "poll.first=0.05", "--set", "poll.steady=0.1"];

fn spec(name: &str) -> String {
    fixture(name).display().to_string()
}

fn run(context: &Context, spec: &str, more: &[&str]) -> Ran {
    context.run(&[&["run", spec, "--local"], &QUICK[..], more].concat())
}

fn report(context: &Context, directory: &str) -> Value {
    serde_json::from_str(&context.read(&format!("{directory}/report.json"))).expect("a report")
}

#[test]
fn the_walkthrough_from_table_to_report() {
    let context = Context::new();
    let ran = run(&context, &spec("article/batch.toml"), &["--run-dir", "run", "--progress", "none"]).expect(0);
    settings().bind(|| assert_snapshot!("article_report", ran.show()));
    assert_eq!(
        context.list("run"),
        ["emulator", "lock", "manifest.csv", "mismatches.csv", "predictions", "report.json", "results.csv", "run.json"]
    );
    settings().bind(|| assert_snapshot!("article_results", context.read("run/results.csv")));
    let report = report(&context, "run");
    assert_eq!(report["version"], 1);
    assert_eq!(report["accounting"]["records"], 10);
}

#[test]
fn a_thousand_packages_are_all_accounted_for() {
    let context = Context::new();
    run(&context, &spec("packages/batch.toml"), &["--run-dir", "run"]).expect(0);
    let report = report(&context, "run");
    let records = report["accounting"]["records"].as_u64().unwrap();
    assert_eq!(report["accounting"]["answered"], records);
    assert_eq!(report["evaluation"]["total"], records);
    let results = context.read("run/results.csv");
    let mut table = csv::Reader::from_reader(results.as_bytes());
    assert_eq!(table.headers().unwrap().iter().take(3).collect::<Vec<_>>(), ["package", "description", "section"]);
    assert_eq!(table.records().count() as u64, records);
}

#[test]
fn fields_of_json_answers_become_columns() {
    let context = Context::new();
    run(&context, &spec("extract/batch.toml"), &["--run-dir", "run"]).expect(0);
    let results = context.read("run/results.csv");
    assert_snapshot!(results.lines().next().unwrap());
}

#[test]
fn every_outcome_is_counted_and_a_row_without_an_answer_is_exit_code_1() {
    let context = Context::new();
    let faults = ["fail-row=1", "block-row=1", "truncate-row=1", "drop-row=1", "duplicate-row=1"];
    let faults: Vec<&str> = faults.iter().flat_map(|fault| ["--fault", fault]).collect();
    let more = [&["--run-dir", "run"], &faults[..]].concat();
    run(&context, &spec("article/batch.toml"), &more).expect(1);
    let accounting = report(&context, "run")["accounting"].clone();
    assert_eq!(
        accounting.to_string(),
        r#"{"records":10,"answered":6,"invalid_answer":0,"empty":0,"truncated":1,"blocked":1,"request_error":1,"missing":1,"skipped":0}"#
    );
    let more = [&["--run-dir", "again", "--max-failed", "4"], &faults[..]].concat();
    run(&context, &spec("article/batch.toml"), &more).expect(0);
}

#[test]
fn a_service_that_stumbles_does_not_fail_the_run() {
    let context = Context::new();
    let faults = ["storage-503=2", "poll-503=3", "create-429=1", "lost-create=1", "cut-upload=1"];
    let faults: Vec<&str> = faults.iter().flat_map(|fault| ["--fault", fault]).collect();
    let more = [&["--run-dir", "run"], &faults[..]].concat();
    run(&context, &spec("article/batch.toml"), &more).expect(0);
    let report = report(&context, "run");
    assert_eq!(report["accounting"]["answered"], 10);
    assert_eq!(report["jobs"].as_array().unwrap().len(), 1);
}

#[test]
fn a_job_that_fails_as_a_whole() {
    let context = Context::new();
    let ran = run(&context, &spec("article/batch.toml"), &["--fault", "job-failed=1", "--progress", "none"]).expect(2);
    settings().bind(|| assert_snapshot!("job_failed", ran.show()));
    assert!(!context.exists("run/results.csv"));
}

#[test]
fn a_shard_whose_job_is_refused_holds_back_no_other() {
    let context = Context::new();
    let more = ["--run-dir", "run", "--set", "limits.requests=4", "--set", "limits.jobs=1", "--fault", "create-400=1"];
    let ran = run(&context, &spec("article/batch.toml"), &more).expect(1);
    assert!(ran.stderr.contains("the service refused the job of shard 0 for good ("), "{}", ran.stderr);
    assert!(ran.stdout.contains("no job was made of shard 0: create the job of shard 0"), "{}", ran.stdout);
    let accounting = &report(&context, "run")["accounting"];
    assert_eq!((&accounting["answered"], &accounting["request_error"]), (&6.into(), &4.into()));
    let status = context.run(&["status", "run"]).expect(0);
    assert!(status.stdout.contains("no job: create the job of shard 0"), "{}", status.stdout);
    context.run(&["retry", "run"]).expect(0);
    assert_eq!(report(&context, "run")["accounting"]["answered"], 10);
}

#[test]
fn a_permission_that_is_missing_ends_the_run_and_refuses_no_shard() {
    let context = Context::new();
    let more = ["--run-dir", "run", "--set", "limits.requests=4", "--set", "limits.jobs=1"];
    let denied = [&more[..], &["--fault", "create-403=1"]].concat();
    let ran = run(&context, &spec("article/batch.toml"), &denied).expect(2);
    assert!(ran.stderr.contains("hint: grant the role roles/aiplatform.user: `gcloud"), "{}", ran.stderr);
    run(&context, &spec("article/batch.toml"), &more).expect(0);
    assert_eq!(report(&context, "run")["accounting"]["answered"], 10);
}

#[test]
fn several_shards_make_one_table() {
    let context = Context::new();
    run(&context, &spec("article/batch.toml"), &["--run-dir", "one"]).expect(0);
    run(&context, &spec("article/batch.toml"), &["--run-dir", "three", "--set", "limits.requests=4"]).expect(0);
    assert_eq!(report(&context, "three")["jobs"].as_array().unwrap().len(), 3);
    assert_eq!(context.read("one/results.csv"), context.read("three/results.csv"));
}

#[test]
fn a_killed_run_goes_on_with_the_same_job() {
    let context = Context::new();
    let spec = spec("article/batch.toml");
    let args = [&["run", &spec, "--local", "--progress", "json"], &QUICK[..]].concat();
    // A job that takes its time: the process is killed long before it ends.
    let slow = [&args[..], &["--set", "local.queue_seconds=600"]].concat();
    let mut child = context.command(&slow).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let submitted = lines
        .map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap())
        .find(|event| event["event"] == "submitted");
    let job = submitted.expect("a job was created")["job"].clone();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(context.list(".batch/runs").len(), 1);

    let ran = context.run(&args);
    assert_eq!(context.list(".batch/runs").len(), 1, "{}", ran.show());
    let ran = ran.expect(0);
    assert!(ran.stderr.contains(r#""resumed":true"#), "{}", ran.stderr);
    let directory = format!(".batch/runs/{}", context.list(".batch/runs")[0]);
    let report = report(&context, &directory);
    assert_eq!(report["jobs"][0]["job"], job);
    assert_eq!(report["accounting"]["answered"], 10);

    // It has finished: the same command is a new run now.
    context.run(&args).expect(0);
    assert_eq!(context.list(".batch/runs").len(), 2);
}

#[test]
fn a_directory_of_another_input_is_refused() {
    let context = Context::new();
    context.write("in.csv", "text\na\n");
    context.write(
        "batch.toml",
        "version = 1\n[input]\npath = 'in.csv'\n[request]\nmodel = 'gemini-2.5-flash'\nprompt = '{{ text }}'\n",
    );
    run(&context, "batch.toml", &["--run-dir", "run"]).expect(0);
    context.write("in.csv", "text\nb\n");
    let ran = run(&context, "batch.toml", &["--run-dir", "run"]).expect(2);
    assert_snapshot!(ran.stderr, @r"
    error: run is a run of in.csv, which has changed since
    hint: name another --run-dir, or leave it out for a new run
    ");
    context.write("in.csv", "text\na\n");
    let ran = run(&context, "batch.toml", &["--run-dir", "run", "--model", "gemini-2.5-pro"]).expect(2);
    assert_snapshot!(ran.stderr, @r"
    error: run is a run of another spec
    hint: name another --run-dir, or leave it out for a new run
    ");
}

#[test]
fn standard_input_is_spooled_into_the_run() {
    use std::io::Write;
    let context = Context::new();
    context.write(
        "batch.toml",
        "version = 1\n[input]\npath = '-'\n[request]\nmodel = 'gemini-2.5-flash'\nprompt = '{{ text }}'\n",
    );
    let args = [&["run", "batch.toml", "--local", "--run-dir", "run"], &QUICK[..]].concat();
    let mut child =
        context.command(&args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"text\na\nb\n").unwrap();
    context.ran(&child.wait_with_output().unwrap()).expect(0);
    assert_eq!(context.read("run/input"), "text\na\nb\n");
    assert_eq!(report(&context, "run")["accounting"]["answered"], 2);
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_the_job_running_and_says_how_to_go_on() {
    let context = Context::new();
    let spec = spec("article/batch.toml");
    let args =
        [&["run", &spec, "--local", "--run-dir", "run", "--progress", "json", "--fault", "job-stuck=1"], &QUICK[..]]
            .concat();
    let mut child = context.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let polled = lines.by_ref().find(|line| line.contains(r#""event":"polled""#));
    assert!(polled.is_some());
    let interrupted = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    let rest: Vec<String> = lines.collect();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let events: Vec<Value> = rest.iter().map(|line| serde_json::from_str(line).expect("only JSON")).collect();
    let error = events.last().expect("an event");
    assert_eq!((error["event"].as_str(), error["version"].as_u64()), (Some("error"), Some(1)));
    // The flags are part of which run it is.
    let hint = error["hint"].as_str().expect("a hint");
    assert!(hint.contains("--fault job-stuck=1"), "{hint}");
    assert!(hint.ends_with("--run-dir run` goes on"), "{hint}");
}

#[test]
fn machines_hear_json_only_also_when_the_answer_is_no() {
    let context = Context::new();
    let more = ["--run-dir", "run", "--progress", "json", "--fault", "drop-row=1"];
    let ran = run(&context, &spec("article/batch.toml"), &more).expect(1);
    let events: Vec<Value> = ran.stderr.lines().map(|line| serde_json::from_str(line).expect("only JSON")).collect();
    assert_eq!(events.last().unwrap()["message"], "1 record without an answer, more than the 0 allowed");
}

#[test]
fn a_reader_that_goes_away_does_not_turn_no_into_yes() {
    let context = Context::new();
    let spec = spec("article/batch.toml");
    let args = [&["run", &spec, "--local", "--run-dir", "run", "--fault", "drop-row=1"], &QUICK[..]].concat();
    let mut child = context.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    context.ran(&child.wait_with_output().unwrap()).expect(1);
}

#[cfg(unix)]
#[test]
fn a_table_in_a_named_pipe_is_spooled_as_well() {
    let context = Context::new();
    let made = std::process::Command::new("mkfifo").arg(context.path("pipe")).status().unwrap();
    assert!(made.success());
    context.write("batch.toml", "version = 1\n[request]\nmodel = 'gemini-2.5-flash'\nprompt = '{{ text }}'\n");
    let pipe = context.path("pipe");
    let writer = std::thread::spawn(move || std::fs::write(pipe, "text\na\nb\n").unwrap());
    run(&context, "batch.toml", &["--input", "pipe", "--run-dir", "run"]).expect(0);
    writer.join().unwrap();
    assert_eq!(context.read("run/input"), "text\na\nb\n");
    assert!(!context.exists(".batch"), "the run lives elsewhere");
}
