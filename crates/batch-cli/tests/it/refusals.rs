//! What lint calls an error, the emulator refuses; what lint calls sound, it answers.

use std::{
    fmt::Write as _,
    io::{Read, Write},
    net::TcpStream,
};

use batch_emulator::{Config, Emulator, JobsConfig};
use batch_io::{RULES, RuleExample, Severity};
use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::context::{Context, fixture, settings};

/// Errors that have no example, as theirs would be of a size or of a model that nobody has.
/// [`beyond_the_examples`] has the lines for them.
const WITHOUT_EXAMPLE: [&str; 7] = ["B002", "B009", "B107", "B223", "B604", "B611", "B613"];

/// Errors whose bad example the emulator accepts, with the reason.
const ACCEPTED: [(&str, &str); 0] = [];

/// Rules whose good example the emulator does not accept, with the reason.
const REFUSED: [(&str, &str); 0] = [];

/// An emulator with one bucket, and the runtime that it lives in.
struct Service {
    runtime: tokio::runtime::Runtime,
    emulator: Option<Emulator>,
}

impl Service {
    fn start(jobs: JobsConfig) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let config = Config { buckets: vec!["bucket".to_owned()], jobs, ..Config::default() };
        let emulator = runtime.block_on(Emulator::start(config)).unwrap();
        Self { runtime, emulator: Some(emulator) }
    }

    /// One request, over HTTP/1.0 so that the reply comes whole: its status and its body.
    fn send(&self, method: &str, path: &str, body: &[u8]) -> (u16, String) {
        let mut stream = TcpStream::connect(self.emulator.as_ref().unwrap().addr()).unwrap();
        let head = format!("{method} {path} HTTP/1.0\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    fn json(&self, method: &str, path: &str, body: &[u8]) -> Value {
        let (status, body) = self.send(method, path, body);
        assert_eq!(status, 200, "{method} {path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    /// Runs a job over these lines to its end: when and in which words it was refused, if it was.
    fn refusal(&self, lines: &[u8], model: Option<&str>, location: Option<&str>) -> Option<(&'static str, String)> {
        self.json("POST", "/upload/storage/v1/b/bucket/o?uploadType=media&name=in.jsonl", lines);
        let jobs = format!("/v1/projects/demo/locations/{}/batchPredictionJobs", location.unwrap_or("us-central1"));
        let job = json!({
            "displayName": "refusals",
            "model": format!("publishers/google/models/{}", model.unwrap_or("gemini-2.5-flash")),
            "inputConfig": {"instancesFormat": "jsonl", "gcsSource": {"uris": ["gs://bucket/in.jsonl"]}},
            "outputConfig": {
                "predictionsFormat": "jsonl",
                "gcsDestination": {"outputUriPrefix": "gs://bucket/out"},
            },
        });
        let (status, body) = self.send("POST", &jobs, job.to_string().as_bytes());
        let mut job: Value = serde_json::from_str(&body).unwrap();
        if status != 200 {
            return Some(("create", job["error"]["message"].as_str().unwrap().to_owned()));
        }
        let path = format!("/v1/{}", job["name"].as_str().unwrap());
        while matches!(job["state"].as_str(), Some("JOB_STATE_PENDING" | "JOB_STATE_RUNNING")) {
            std::thread::yield_now();
            job = self.json("GET", &path, b"");
        }
        if job["state"] == "JOB_STATE_FAILED" {
            return Some(("import", job["error"]["message"].as_str().unwrap().to_owned()));
        }
        assert_eq!(job["state"], "JOB_STATE_SUCCEEDED", "{job}");
        self.failed_row(&job, lines).map(|status| ("row", status))
    }

    /// The first status of a failed row, after a look at the number of predictions.
    fn failed_row(&self, job: &Value, lines: &[u8]) -> Option<String> {
        let directory = job["outputInfo"]["gcsOutputDirectory"].as_str().unwrap();
        let name = format!("{}/predictions.jsonl", directory.strip_prefix("gs://bucket/").unwrap());
        let name = name.replace('/', "%2F").replace(':', "%3A");
        let (status, text) = self.send("GET", &format!("/storage/v1/b/bucket/o/{name}?alt=media"), b"");
        assert_eq!(status, 200, "{text}");
        let predictions: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let rows = lines.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).count();
        assert_eq!(predictions.len(), rows, "{text}");
        let mut failed = predictions.iter().map(|prediction| prediction["status"].as_str().unwrap());
        failed.find(|status| !status.is_empty()).map(str::to_owned)
    }

    fn refusal_of(&self, example: RuleExample) -> Option<(&'static str, String)> {
        self.refusal(example.lines.as_bytes(), example.model, example.location)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(emulator) = self.emulator.take() {
            self.runtime.block_on(emulator.shutdown());
        }
    }
}

fn with_request(members: &str) -> String {
    format!(r#"{{"key":"r0","request":{{"contents":[{{"role":"user","parts":[{{"text":"Hi"}}]}}]{members}}}}}"#)
}

#[test]
fn what_lint_calls_an_error_is_refused() {
    let service = Service::start(JobsConfig::default());
    let mut table = String::new();
    let mut accepted = Vec::new();
    for rule in RULES.iter().filter(|rule| rule.severity == Severity::Error) {
        let without = WITHOUT_EXAMPLE.contains(&rule.code);
        assert_eq!(rule.bad.lines.is_empty(), without, "{}: an example, or lines below, and not both", rule.code);
        if without {
            continue;
        }
        match service.refusal_of(rule.bad) {
            Some((when, words)) => writeln!(table, "{} {} → {when}: {words}", rule.code, rule.name).unwrap(),
            None => accepted.push(rule.code),
        }
    }
    assert_eq!(accepted, ACCEPTED.map(|(code, _)| code));
    settings().bind(|| assert_snapshot!("refusals", table));
}

/// A rule's code, name and variant; where it runs; its lines, model and location.
type Case<'a> = (&'a str, &'a Service, Vec<u8>, Option<&'a str>, Option<&'a str>);

/// The errors without an example, and further ways to make some of those that have one.
#[test]
fn beyond_the_examples() {
    let small = Service::start(JobsConfig { max_requests: 2, ..JobsConfig::default() });
    let service = Service::start(JobsConfig::default());
    let hi = with_request("");
    let config = |config: &str| with_request(&format!(r#","generationConfig":{{{config}}}"#));
    let labels: Vec<_> = (0..65).map(|number| format!(r#""l{number}":"a""#)).collect();
    let columns: Vec<_> = (0..10_001).map(|number| format!(r#""c{number}":1"#)).collect();
    let video = r#"{"fileData":{"fileUri":"gs://b/a.mp4","mimeType":"video/mp4"},"videoMetadata":{"fps":25}}"#;
    let cases: Vec<Case<'_>> = vec![
        ("B002 not-utf8", &service, b"{\"key\":\"\xff\",\"request\":{\"contents\":[]}}".to_vec(), None, None),
        ("B009 line-too-long", &service, hi.replace("Hi", &"a".repeat(100 * 1024 * 1024)).into_bytes(), None, None),
        ("B103 retyped-text, a decimal", &service, hi.replace("Hi", "-1.5e3").into_bytes(), None, None),
        ("B103 retyped-text, a boolean", &service, hi.replace("Hi", "true").into_bytes(), None, None),
        ("B107 too-many-fields", &service, format!("{{{},{}", columns.join(","), &hi[1..]).into_bytes(), None, None),
        (
            "B223 too-many-labels",
            &service,
            with_request(&format!(r#","labels":{{{}}}"#, labels.join(","))).into_bytes(),
            None,
            None,
        ),
        (
            "B224 retyped-label, a boolean",
            &service,
            with_request(r#","labels":{"id":"true"}"#).into_bytes(),
            None,
            None,
        ),
        ("B411 out-of-range, tokens", &service, config(r#""maxOutputTokens":65537"#).into_bytes(), None, None),
        ("B411 out-of-range, frames", &service, hi.replace(r#"{"text":"Hi"}"#, video).into_bytes(), None, None),
        (
            "B421 not-in-batch, a picture",
            &service,
            config(r#""imageConfig":{"imageSize":"4K"}"#).into_bytes(),
            None,
            None,
        ),
        (
            "B421 not-in-batch, a format",
            &service,
            config(r#""responseFormat":[{"image":{"imageSize":"IMAGE_SIZE_TWO_K"}}]"#).into_bytes(),
            None,
            None,
        ),
        (
            "B601 model-retired, a preview",
            &service,
            hi.clone().into_bytes(),
            Some("gemini-3-pro-preview"),
            Some("global"),
        ),
        ("B604 model-not-for-batch", &service, hi.clone().into_bytes(), Some("gemini-2.5-flash-live"), None),
        ("B605 model-not-here, a preview", &service, hi.clone().into_bytes(), Some("gemini-3-flash-preview"), None),
        ("B611 too-many-requests", &small, format!("{hi}\n{hi}\n{hi}\n").into_bytes(), None, None),
        ("B613 no-lines", &service, b"\n".to_vec(), None, None),
    ];
    for code in WITHOUT_EXAMPLE {
        assert!(cases.iter().any(|(name, ..)| name.starts_with(code)), "there are no lines for {code}");
    }
    let mut table = String::new();
    for (name, service, lines, model, location) in cases {
        let (when, words) = service.refusal(&lines, model, location).unwrap_or_else(|| panic!("{name} is accepted"));
        writeln!(table, "{name} → {when}: {words}").unwrap();
    }
    settings().bind(|| assert_snapshot!("refusals_beyond_the_examples", table));
    assert_eq!(small.refusal(format!("{hi}\n{hi}\n").as_bytes(), None, None), None, "as many as may be");
}

#[test]
fn what_lint_calls_sound_is_answered() {
    let service = Service::start(JobsConfig::default());
    let mut refused = Vec::new();
    for rule in RULES.iter().filter(|rule| !rule.good.lines.is_empty()) {
        if let Some((when, words)) = service.refusal_of(rule.good) {
            refused.push((rule.code, format!("{when}: {words}")));
        }
    }
    assert_eq!(
        refused.iter().map(|(code, _)| *code).collect::<Vec<_>>(),
        REFUSED.map(|(code, _)| code),
        "{refused:#?}"
    );
    for name in ["categories", "functions", "mixed-case", "snake-case"] {
        let text = std::fs::read_to_string(fixture(&format!("requests/{name}.json"))).unwrap();
        let request: Value = serde_json::from_str(&text).unwrap();
        let line = json!({"key": "r0", "request": request}).to_string();
        assert_eq!(service.refusal(line.as_bytes(), None, None), None, "{name}");
    }
}

#[test]
fn the_lines_of_every_fixture_spec_are_answered() {
    let service = Service::start(JobsConfig::default());
    let context = Context::new();
    for name in ["article", "extract", "packages"] {
        let spec = fixture(&format!("{name}/batch.toml")).display().to_string();
        let lines = context.run(&["build", &spec, "--output", "-"]).expect(0).stdout;
        assert!(!lines.is_empty(), "{name}");
        assert_eq!(service.refusal(lines.as_bytes(), None, None), None, "{name}");
    }
}
