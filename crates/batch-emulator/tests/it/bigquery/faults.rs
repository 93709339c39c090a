//! What goes wrong on request.

use serde_json::json;

use super::{PROJECT, Service, refusal};
use crate::http::send;

#[tokio::test]
async fn requests_are_refused_and_then_are_not() {
    let service = Service::faulty(&["bigquery-401", "bigquery-403", "bigquery-429", "bigquery-503"]).await;
    for expected in [(401, "authError"), (403, "accessDenied"), (429, "rateLimitExceeded"), (503, "backendError")] {
        let (status, reason, _) = refusal(&service.get("/datasets").await);
        assert_eq!((status, &*reason), expected);
    }
    service.get("/datasets").await.ok();
}

#[tokio::test]
async fn a_job_whose_reply_is_lost_is_there() {
    let service = Service::faulty(&["lost-insert"]).await;
    service.put("in.jsonl", "{\"a\":\"1\"}").await;
    // The upload of the object would meet the fault first.
    service.emulator.faults().set("lost-upload-response", 1).unwrap();
    let job = json!({
        "jobReference": { "jobId": "mine", "location": "us-central1" },
        "configuration": { "load": {
            "sourceUris": ["gs://bucket/in.jsonl"],
            "sourceFormat": "NEWLINE_DELIMITED_JSON",
            "schema": { "fields": [{ "name": "a", "type": "STRING" }] },
            "destinationTable": { "datasetId": "d", "tableId": "t" },
        } },
    });
    let lost = send(service.emulator.url(), "POST", &format!("{PROJECT}/jobs"), Some(job.to_string().as_bytes())).await;
    assert!(lost.is_err(), "{lost:?}");
    assert_eq!(refusal(&service.post("/jobs", job).await).1, "duplicate");
    assert_eq!(service.rows("t", "").await.len(), 1);
    let row = json!({ "rows": [{ "json": { "a": "2" } }] }).to_string();
    let path = format!("{PROJECT}/datasets/d/tables/t/insertAll");
    let lost = send(service.emulator.url(), "POST", &path, Some(row.as_bytes())).await;
    assert!(lost.is_err(), "{lost:?}");
    assert_eq!(service.rows("t", "").await.len(), 2);
}

#[tokio::test]
async fn a_load_fails_inside_and_loads_nothing() {
    let service = Service::faulty(&["load-failed"]).await;
    service.put("in.jsonl", "{\"a\":\"1\"}").await;
    let schema = json!({ "schema": { "fields": [{ "name": "a", "type": "STRING" }] } });
    let job = service.load("t", "gs://bucket/in.jsonl", schema.clone()).await;
    assert_eq!(job["status"]["errorResult"]["reason"], "backendError");
    assert_eq!(service.get("/datasets/d/tables/t").await.status, 404);
    service.load("t", "gs://bucket/in.jsonl", schema).await;
    assert_eq!(service.rows("t", "").await.len(), 1);
}

#[tokio::test]
async fn connections_drop_before_and_after() {
    let service = Service::faulty(&["reset", "lost-response"]).await;
    let make = |name: &str| json!({ "datasetReference": { "datasetId": name } }).to_string();
    let path = format!("{PROJECT}/datasets");
    for name in ["before", "after"] {
        let lost = send(service.emulator.url(), "POST", &path, Some(make(name).as_bytes())).await;
        assert!(lost.is_err(), "{lost:?}");
    }
    assert_eq!(service.get("/datasets/before").await.status, 404);
    service.get("/datasets/after").await.ok();
}
