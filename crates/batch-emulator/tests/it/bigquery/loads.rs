//! Load jobs.

use serde_json::json;

use super::{PROJECT, Service, refusal};
use crate::http::send;

fn fields() -> serde_json::Value {
    json!([{ "name": "key", "type": "STRING", "mode": "REQUIRED" }, { "name": "n", "type": "INT64" }, { "name": "request", "type": "JSON" }])
}

#[tokio::test]
async fn objects_are_loaded_by_a_pattern() {
    let service = Service::start().await;
    service
        .put(
            "in-1.jsonl",
            "{\"key\":\"a\",\"n\":1}\n\n{\"key\":\"b\",\"request\":{\"z\":1,\"a\":123456789012345678901234567890}}\n",
        )
        .await;
    service.put("in-2.jsonl", "{\"key\":\"c\"}").await;
    let mut job = service.load("t", "gs://bucket/in-*.jsonl", json!({ "schema": { "fields": fields() } })).await;
    assert_eq!(
        service.rows("t", "").await,
        [
            json!(["a", "1", null]),
            json!(["b", null, r#"{"z":1,"a":123456789012345678901234567890}"#]),
            json!(["c", null, null])
        ]
    );
    job["selfLink"] = json!("URL");
    insta::assert_json_snapshot!("load-job", job);
}

#[tokio::test]
async fn a_bad_row_fails_the_whole_load_and_is_placed() {
    let service = Service::start().await;
    service.table("t", fields()).await;
    service.put("in.jsonl", "{\"key\":\"a\"}\n{\"key\":\"b\",\"x\":1}\n{\"n\":1}\n{\n").await;
    let job = service.load("t", "gs://bucket/in.jsonl", json!({})).await;
    insta::assert_json_snapshot!("failed-load", job["status"]);
    assert!(service.rows("t", "").await.is_empty());
    let job = service.load("t", "gs://bucket/in.jsonl", json!({ "maxBadRecords": 3 })).await;
    assert_eq!(job["statistics"]["load"]["badRecords"], "3");
    assert_eq!(job["status"]["errors"].as_array().unwrap().len(), 3);
    assert!(job["status"].get("errorResult").is_none());
    assert_eq!(service.rows("t", "").await, [json!(["a", null, null])]);
    service.put("one.jsonl", "{\"key\":\"b\",\"x\":1}").await;
    let job = service
        .load(
            "t",
            "gs://bucket/one.jsonl",
            json!({ "ignoreUnknownValues": true, "writeDisposition": "WRITE_TRUNCATE" }),
        )
        .await;
    assert_eq!(job["statistics"]["load"]["outputRows"], "1");
    assert_eq!(service.rows("t", "").await, [json!(["b", null, null])]);
}

#[tokio::test]
async fn a_load_that_cannot_be_says_why() {
    let service = Service::start().await;
    service.table("t", fields()).await;
    service.put("in.jsonl", "{\"key\":\"a\"}").await;
    for (table, uri, more, reason, message) in [
        ("t", "gs://bucket/none", json!({}), "notFound", "Not found: URI gs://bucket/none"),
        ("none", "gs://bucket/in.jsonl", json!({}), "invalid", "No schema specified on job or table."),
        (
            "none",
            "gs://bucket/in.jsonl",
            json!({ "createDisposition": "CREATE_NEVER" }),
            "notFound",
            "Not found: Table demo:d.none",
        ),
        (
            "t",
            "gs://bucket/in.jsonl",
            json!({ "schema": { "fields": [{ "name": "x", "type": "STRING" }] } }),
            "invalid",
            "Provided Schema does not match Table demo:d.t. Cannot add fields (field: x)",
        ),
    ] {
        let job = service.load(table, uri, more).await;
        assert_eq!(job["status"]["errorResult"]["reason"], reason, "{job:#}");
        assert_eq!(job["status"]["errorResult"]["message"], message);
    }
}

#[tokio::test]
async fn a_job_is_taken_once() {
    let service = Service::start().await;
    service.put("in.jsonl", "{\"key\":\"a\"}").await;
    let job = json!({
        "jobReference": { "jobId": "mine", "location": "us-central1" },
        "configuration": { "labels": { "run": "7" }, "load": {
            "sourceUris": ["gs://bucket/in.jsonl"],
            "sourceFormat": "NEWLINE_DELIMITED_JSON",
            "schema": { "fields": fields() },
            "destinationTable": { "datasetId": "d", "tableId": "t" },
        } },
    });
    service.post("/jobs", job.clone()).await.ok();
    let (status, reason, message) = refusal(&service.post("/jobs", job).await);
    assert_eq!((status, &*reason, &*message), (409, "duplicate", "Already Exists: Job demo:us-central1.mine"));
    assert_eq!(service.rows("t", "").await.len(), 1);
    assert_eq!(
        service.get("/jobs/mine?location=us-central1").await.ok()["configuration"]["labels"],
        json!({ "run": "7" })
    );
    // As the service has it: a job of a region is not found without the region.
    assert_eq!(service.get("/jobs/mine").await.status, 404);
    assert_eq!(service.get("/jobs/mine?location=").await.status, 404);
    assert_eq!(service.get("/jobs?allUsers=true").await.ok()["jobs"].as_array().unwrap().len(), 1);
}

/// Begins a resumable upload of rows into `d.t`; returns the path for its chunks.
async fn begin(service: &Service) -> String {
    let job = json!({ "configuration": { "load": {
        "sourceFormat": "NEWLINE_DELIMITED_JSON",
        "schema": { "fields": fields() },
        "destinationTable": { "datasetId": "d", "tableId": "t" },
    } } });
    let path = format!("/resumable/upload{PROJECT}/jobs?uploadType=resumable");
    let reply = send(service.emulator.url(), "POST", &path, Some(job.to_string().as_bytes())).await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.header("location").unwrap().strip_prefix(service.emulator.url()).unwrap().to_owned()
}

#[tokio::test]
async fn a_resumable_upload_becomes_a_load() {
    let service = Service::start().await;
    let session = begin(&service).await;
    let rows: String = (0..30_000).map(|i| format!("{{\"key\":\"r{i}\",\"n\":{i}}}\n")).collect();
    let block = 256 << 10;
    let chunk = async |range: String, bytes: &str| {
        let request = crate::storage::wire::request("PUT", &session).header("Content-Range", &range).body(bytes);
        request.send(service.emulator.url()).await
    };
    let first = chunk(format!("bytes 0-{}/*", block - 1), &rows[..block]).await;
    assert_eq!((first.status, first.header("range")), (308, Some("bytes=0-262143")));
    let asked = chunk("bytes */*".to_owned(), "").await;
    assert_eq!((asked.status, asked.header("range")), (308, Some("bytes=0-262143")));
    let last = chunk(format!("bytes {block}-{}/{}", rows.len() - 1, rows.len()), &rows[block..]).await.ok();
    let job = service.job(&last).await;
    assert_eq!(job["statistics"]["load"]["outputRows"], "30000");
    // A client that lost the last reply asks again, and does not load twice.
    let again = chunk("bytes */*".to_owned(), "").await.ok();
    assert_eq!(again["jobReference"], last["jobReference"]);
    assert_eq!(service.rows("t", "selectedFields=key").await.len(), 30_000);
}
