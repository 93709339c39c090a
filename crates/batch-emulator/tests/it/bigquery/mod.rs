//! BigQuery. Each module is about one kind of call; [`Service`] is an emulator with a
//! dataset, a bucket and a clock that stands still.

mod data;
mod discovery;
mod faults;
mod jobs;
mod loads;
mod rows;
mod tables;

use std::path::Path;
use std::time::{Duration, SystemTime};

use batch_emulator::{Config, Emulator, Faults, ManualClock};
use serde_json::{Value, json};

use crate::http::{Reply, send};

/// 2026-11-21T10:00:00.123456Z.
const START: Duration = Duration::from_micros(1_795_255_200_123_456);

/// The project's path.
const PROJECT: &str = "/bigquery/v2/projects/demo";

struct Service {
    emulator: Emulator,
    clock: ManualClock,
}

impl Service {
    async fn start() -> Service {
        Service::with(&[], None).await
    }

    async fn faulty(faults: &[&str]) -> Service {
        Service::with(faults, None).await
    }

    async fn with(faults: &[&str], data: Option<&Path>) -> Service {
        let clock = ManualClock::new(SystemTime::UNIX_EPOCH + START);
        let emulator = Emulator::start(Config {
            data: data.map(Path::to_owned),
            buckets: vec!["bucket".to_owned()],
            datasets: vec!["demo.d=us-central1".to_owned()],
            faults: Faults::parse(faults).unwrap(),
            seed: 7,
            clock: std::sync::Arc::new(clock.clone()),
            ..Config::default()
        })
        .await
        .unwrap();
        Service { emulator, clock }
    }

    async fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Reply {
        let body = body.map(|body| body.to_string().into_bytes());
        send(self.emulator.url(), method, &format!("{PROJECT}{path}"), body.as_deref()).await.unwrap()
    }

    async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, None).await
    }

    async fn post(&self, path: &str, body: Value) -> Reply {
        self.send("POST", path, Some(&body)).await
    }

    /// Makes a table in the dataset.
    async fn table(&self, name: &str, fields: Value) -> Value {
        let table = json!({ "tableReference": { "tableId": name }, "schema": { "fields": fields } });
        self.post("/datasets/d/tables", table).await.ok()
    }

    /// Puts an object into the bucket.
    async fn put(&self, name: &str, text: &str) {
        let path = format!("/upload/storage/v1/b/bucket/o?uploadType=media&name={name}");
        send(self.emulator.url(), "POST", &path, Some(text.as_bytes())).await.unwrap().ok();
    }

    /// Runs a load job from objects of the bucket; returns it as it ended.
    async fn load(&self, table: &str, uri: &str, more: Value) -> Value {
        let mut load = json!({
            "sourceUris": [uri],
            "sourceFormat": "NEWLINE_DELIMITED_JSON",
            "destinationTable": { "projectId": "demo", "datasetId": "d", "tableId": table },
        });
        for (name, value) in more.as_object().unwrap() {
            load[name] = value.clone();
        }
        let begun = self.post("/jobs", json!({ "configuration": { "load": load } })).await.ok();
        assert_eq!(begun["status"], json!({ "state": "RUNNING" }));
        self.job(&begun).await
    }

    /// A job as it is now.
    async fn job(&self, begun: &Value) -> Value {
        let text = |name: &str| begun["jobReference"][name].as_str().unwrap().to_owned();
        self.get(&format!("/jobs/{}?location={}", text("jobId"), text("location"))).await.ok()
    }

    /// The cells of all rows of a table, page by page.
    async fn rows(&self, table: &str, parameters: &str) -> Vec<Value> {
        let mut rows = Vec::new();
        let mut token = String::new();
        loop {
            let path = format!("/datasets/d/tables/{table}/data?pageToken={token}&{parameters}");
            let page = self.get(&path).await.ok();
            rows.extend(page["rows"].as_array().cloned().unwrap_or_default());
            match page["pageToken"].as_str() {
                Some(next) => next.clone_into(&mut token),
                None => return rows.iter().map(values).collect(),
            }
        }
    }
}

/// The values of a listed row.
fn values(row: &Value) -> Value {
    row["f"].as_array().unwrap().iter().map(|cell| cell["v"].clone()).collect()
}

/// The status, reason and message of an error, after a look at its envelope.
#[track_caller]
fn refusal(reply: &Reply) -> (u16, String, String) {
    let json = reply.json();
    let error = &json["error"];
    assert_eq!(error["code"], reply.status, "{json}");
    assert_eq!(error["errors"][0]["message"], error["message"], "{json}");
    assert!(error["status"].is_string(), "{json}");
    let reason = error["errors"][0]["reason"].as_str().unwrap();
    (reply.status, reason.to_owned(), error["message"].as_str().unwrap().to_owned())
}
