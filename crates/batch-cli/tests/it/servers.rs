//! `batch-cli emulator` in one process, the rest in another.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Stdio},
};

use insta::assert_snapshot;

use crate::context::{Context, fixture, settings};

/// An emulator in a process of its own; it is killed when the test ends.
pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
}

impl Server {
    pub(crate) fn start(context: &Context, args: &[&str]) -> Self {
        let mut command = context.command(&[&["emulator", "--port", "0"], args].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("start the emulator");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line).expect("its first line");
        let line: serde_json::Value = serde_json::from_str(&line).expect("a line of JSON");
        let url = line["listening"].as_str().expect("where it listens").to_owned();
        Self { child, url }
    }

    /// The settings by which a spec reaches it.
    pub(crate) fn settings(&self) -> Vec<String> {
        let endpoints = ["storage", "vertex"].map(|service| format!("endpoints.{service}={}", self.url));
        let settings = endpoints.into_iter().chain(["poll.first=0.05".to_owned(), "poll.steady=0.1".to_owned()]);
        settings.flat_map(|setting| ["--set".to_owned(), setting]).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_run_against_an_emulator_by_endpoints_needs_no_login() {
    let context = Context::new();
    let server = Server::start(&context, &["--bucket", "batch-demo"]);
    let spec = fixture("article/batch.toml").display().to_string();
    let reached = server.settings();
    let mut args = vec!["run", &spec, "--project", "p", "--location", "us-central1", "--format", "json"];
    args.extend(reached.iter().map(String::as_str));
    let report: serde_json::Value = serde_json::from_str(&context.run(&args).expect(0).stdout).unwrap();
    assert_eq!(report["accounting"]["answered"], 10);
    // Nobody may take its answers for those of a model.
    let answered_by = report["answered_by"].as_str().unwrap();
    assert!(answered_by.starts_with("the server at http://127.0.0.1:"), "{answered_by}");
}

#[test]
fn a_bucket_that_does_not_exist() {
    let context = Context::new();
    let server = Server::start(&context, &[]);
    let spec = fixture("article/batch.toml").display().to_string();
    let reached = server.settings();
    let mut args = vec!["run", &spec, "--project", "p", "--location", "us-central1", "--progress", "none"];
    args.extend(reached.iter().map(String::as_str));
    let ran = context.run(&args).expect(2);
    settings().bind(|| assert_snapshot!("missing_bucket", ran.stderr));
}

#[test]
fn a_service_that_refuses_the_caller() {
    let context = Context::new();
    let server = Server::start(&context, &["--bucket", "batch-demo", "--fault", "storage-403=100"]);
    let spec = fixture("article/batch.toml").display().to_string();
    let reached = server.settings();
    let mut args = vec!["run", &spec, "--project", "p", "--location", "us-central1", "--progress", "none"];
    args.extend(reached.iter().map(String::as_str));
    let ran = context.run(&args).expect(2);
    settings().bind(|| assert_snapshot!("refused_caller", ran.stderr));
}
