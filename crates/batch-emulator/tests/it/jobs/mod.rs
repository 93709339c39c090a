//! Batch prediction jobs. Each module is about one side of them; [`Service`] is an emulator
//! with a bucket and a clock that stands still.

mod answers;
mod api;
mod create;
mod faults;
mod import;
mod life;
mod lines;
mod list;
mod model_servers;
mod rows;

use std::path::Path;
use std::time::{Duration, SystemTime};

use batch_emulator::{Config, Emulator, Faults, JobsConfig, ManualClock};
use serde_json::{Value, json};

use crate::http::{Reply, send};

/// Where the jobs of the tests live.
const PARENT: &str = "/v1/projects/demo/locations/us-central1";

/// 2026-11-21T10:00:00.123456Z.
const START: Duration = Duration::from_micros(1_795_255_200_123_456);

struct Service {
    emulator: Emulator,
    clock: ManualClock,
}

impl Service {
    /// An emulator in memory.
    async fn start(jobs: JobsConfig) -> Service {
        Service::with(jobs, &[], None).await
    }

    /// An emulator in memory where things go wrong.
    async fn faulty(faults: &[&str]) -> Service {
        Service::with(JobsConfig::default(), faults, None).await
    }

    async fn with(jobs: JobsConfig, faults: &[&str], data: Option<&Path>) -> Service {
        let clock = ManualClock::new(SystemTime::UNIX_EPOCH + START);
        let emulator = Emulator::start(Config {
            data: data.map(Path::to_owned),
            buckets: vec!["bucket".to_owned()],
            faults: Faults::parse(faults).unwrap(),
            seed: 7,
            clock: std::sync::Arc::new(clock.clone()),
            jobs,
            ..Config::default()
        })
        .await
        .unwrap();
        Service { emulator, clock }
    }

    async fn send(&self, method: &str, path: &str, body: Option<&[u8]>) -> Reply {
        send(self.emulator.url(), method, path, body).await.unwrap()
    }

    async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, None).await
    }

    async fn post(&self, path: &str, body: &Value) -> Reply {
        self.send("POST", path, Some(body.to_string().as_bytes())).await
    }

    /// Puts an object into the bucket.
    async fn put(&self, name: &str, text: impl AsRef<[u8]>) {
        let name = name.replace('/', "%2F");
        let path = format!("/upload/storage/v1/b/bucket/o?uploadType=media&name={name}");
        let reply = self.send("POST", &path, Some(text.as_ref())).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
    }

    /// The names of the objects below a prefix.
    async fn objects(&self, prefix: &str) -> Vec<String> {
        let list = self.get(&format!("/storage/v1/b/bucket/o?prefix={prefix}")).await;
        let list = list.ok();
        let items = list["items"].as_array().cloned().unwrap_or_default();
        let name = |item: &Value| item["name"].as_str().unwrap().to_owned();
        items.iter().map(name).collect()
    }

    /// The text of an object.
    async fn object(&self, name: &str) -> String {
        let name = name.replace('/', "%2F").replace(':', "%3A");
        let reply = self.get(&format!("/storage/v1/b/bucket/o/{name}?alt=media")).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.text().to_owned()
    }

    /// Creates a job on `gs://bucket/in.jsonl` and returns its last part.
    async fn create(&self) -> String {
        let reply = self.post(&format!("{PARENT}/batchPredictionJobs"), &job("gs://bucket/in.jsonl")).await;
        id(&reply.ok())
    }

    async fn job(&self, id: &str) -> Value {
        self.get(&format!("{PARENT}/batchPredictionJobs/{id}")).await.ok()
    }

    /// The job once it is in `state`; what comes to an end in another is a failure.
    #[track_caller]
    fn until<'a>(&'a self, id: &'a str, state: &'a str) -> impl Future<Output = Value> + 'a {
        let caller = std::panic::Location::caller();
        async move {
            loop {
                let job = self.job(id).await;
                let now = job["state"].as_str().unwrap();
                if now == state {
                    return job;
                }
                let on = ["JOB_STATE_PENDING", "JOB_STATE_RUNNING", "JOB_STATE_CANCELLING"];
                assert!(on.contains(&now), "{caller}: {job:#}");
                tokio::task::yield_now().await;
            }
        }
    }

    /// Runs a job over some lines; returns it with its prediction lines.
    async fn run(&self, lines: &[Value]) -> (Value, Vec<String>) {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        self.run_text(&text).await
    }

    async fn run_text(&self, text: &str) -> (Value, Vec<String>) {
        self.put("in.jsonl", text).await;
        let id = self.create().await;
        let job = self.until(&id, "JOB_STATE_SUCCEEDED").await;
        let lines = self.predictions(&job).await;
        (job, lines)
    }

    /// Runs a job that is to fail; returns its error.
    async fn fail(&self, text: &str) -> Value {
        self.put("in.jsonl", text).await;
        let id = self.create().await;
        self.until(&id, "JOB_STATE_FAILED").await["error"].clone()
    }

    /// The lines of all prediction files of a job.
    async fn predictions(&self, job: &Value) -> Vec<String> {
        let mut lines = Vec::new();
        for name in self.objects(&directory(job)).await {
            let text = self.object(&name).await;
            // Not `lines`, which would forgive a missing line end.
            lines.extend(text.split_inclusive('\n').map(str::to_owned));
        }
        lines
    }
}

/// The last part of a job's name.
fn id(job: &Value) -> String {
    let name = job["name"].as_str().unwrap();
    name.rsplit('/').next().unwrap().to_owned()
}

/// The name of a job's output directory in the bucket.
fn directory(job: &Value) -> String {
    let uri = job["outputInfo"]["gcsOutputDirectory"].as_str().unwrap();
    uri.strip_prefix("gs://bucket/").unwrap().to_owned()
}

/// The body that creates a job.
fn job(uri: &str) -> Value {
    json!({
        "displayName": "a job",
        "model": "publishers/google/models/gemini-2.5-flash-lite",
        "inputConfig": { "instancesFormat": "jsonl", "gcsSource": { "uris": [uri] } },
        "outputConfig": {
            "predictionsFormat": "jsonl",
            "gcsDestination": { "outputUriPrefix": "gs://bucket/out" },
        },
    })
}

/// A request line with a key and a text.
fn line(key: &str, text: &str) -> Value {
    json!({ "key": key, "request": { "contents": [{ "role": "user", "parts": [{ "text": text }] }] } })
}

/// So many request lines.
fn many(count: usize) -> String {
    (0..count).map(|i| format!("{}\n", line(&format!("r{i}"), &format!("text {i}")))).collect()
}

fn parse(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

/// The prediction with that key.
#[track_caller]
fn with_key<'l>(lines: &'l [Value], key: &str) -> &'l Value {
    lines.iter().find(|line| line["key"] == key).unwrap()
}

/// The text of a prediction's first candidate.
#[track_caller]
fn answer(line: &Value) -> &str {
    line["response"]["candidates"][0]["content"]["parts"][0]["text"]
        .as_str()
        .unwrap_or_else(|| panic!("no text in {line:#}"))
}

/// The message in a failed row's status, after a look at its form.
#[track_caller]
fn row_error(line: &Value) -> String {
    assert_eq!(line["response"], json!({}), "{line:#}");
    let status = line["status"].as_str().unwrap();
    let (_, envelope) = status.split_once(": ").unwrap();
    let envelope = parse(envelope);
    envelope["error"]["message"].as_str().unwrap().to_owned()
}
