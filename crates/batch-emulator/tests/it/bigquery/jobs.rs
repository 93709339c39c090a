//! Batch prediction jobs over tables.

use serde_json::{Value, json};

use super::Service;
use crate::http::send;

const PARENT: &str = "/v1/projects/demo/locations/us-central1/batchPredictionJobs";

/// Runs a batch prediction job from one URI to another; returns it as it ended.
async fn run(service: &Service, from: &str, to: &str) -> Value {
    let input = match from.starts_with("bq://") {
        true => json!({ "instancesFormat": "bigquery", "bigquerySource": { "inputUri": from } }),
        false => json!({ "instancesFormat": "jsonl", "gcsSource": { "uris": [from] } }),
    };
    let output = match to.starts_with("bq://") {
        true => json!({ "predictionsFormat": "bigquery", "bigqueryDestination": { "outputUri": to } }),
        false => json!({ "predictionsFormat": "jsonl", "gcsDestination": { "outputUriPrefix": to } }),
    };
    let job = json!({ "displayName": "a job", "model": "publishers/google/models/gemini-2.5-flash", "inputConfig": input, "outputConfig": output });
    let url = service.emulator.url();
    let made = send(url, "POST", PARENT, Some(job.to_string().as_bytes())).await.unwrap().ok();
    let path = format!("/v1/{}", made["name"].as_str().unwrap());
    loop {
        let job = send(url, "GET", &path, None).await.unwrap().ok();
        if !["JOB_STATE_PENDING", "JOB_STATE_RUNNING"].contains(&job["state"].as_str().unwrap()) {
            return job;
        }
        tokio::task::yield_now().await;
    }
}

/// Three rows, the second of which fails.
async fn input(service: &Service) {
    let row = |i: u32, role: &str| {
        let request = json!({ "contents": [{ "role": role, "parts": [{ "text": format!("t{i}") }] }] });
        json!({ "json": { "key": format!("k{i}"), "n": i, "meta": "{\"z\": 12345678901234567890123, \"a\": 1}", "request": request.to_string() } })
    };
    service
        .table(
            "in",
            json!([{ "name": "key", "type": "STRING" }, { "name": "n", "type": "INT64" }, { "name": "meta", "type": "JSON" }, { "name": "request", "type": "JSON" }]),
        )
        .await;
    let rows = json!({ "rows": [row(0, "user"), row(1, "system"), row(2, "user")] });
    service.post("/datasets/d/tables/in/insertAll", rows).await.ok();
}

/// The rows of an output by key, as objects.
async fn output(service: &Service, table: &str) -> Vec<Value> {
    let shown = service.get(&format!("/datasets/d/tables/{table}")).await.ok();
    let names: Vec<_> =
        shown["schema"]["fields"].as_array().unwrap().iter().map(|f| f["name"].as_str().unwrap().to_owned()).collect();
    let mut rows: Vec<Value> = service
        .rows(table, "formatOptions.useInt64Timestamp=true")
        .await
        .into_iter()
        .map(|row| names.iter().cloned().zip(row.as_array().unwrap().clone()).collect())
        .collect();
    rows.sort_by_key(|row| row["key"].as_str().unwrap().to_owned());
    rows
}

#[tokio::test]
async fn a_table_becomes_a_table() {
    let service = Service::start().await;
    input(&service).await;
    let job = run(&service, "bq://demo.d.in", "bq://demo.d.out").await;
    assert_eq!(job["state"], "JOB_STATE_SUCCEEDED", "{job:#}");
    assert_eq!(job["outputInfo"], json!({ "bigqueryOutputDataset": "bq://demo.d", "bigqueryOutputTable": "out" }));
    assert_eq!(job["completionStats"], json!({ "successfulCount": "2", "failedCount": "1" }));
    insta::assert_json_snapshot!("output-schema", service.get("/datasets/d/tables/out").await.ok()["schema"]);
    let rows = output(&service, "out").await;
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[0]["meta"], r#"{"z":12345678901234567890123,"a":1}"#);
    assert_eq!((&rows[0]["n"], &rows[0]["status"]), (&json!("0"), &json!("")));
    assert_eq!(rows[0]["request"], r#"{"contents":[{"role":"user","parts":[{"text":"t0"}]}]}"#);
    assert!(rows[0]["response"].as_str().unwrap().starts_with("{\"candidates\":["));
    assert!(rows[1]["status"].as_str().unwrap().starts_with("Bad Request: {"));
    assert_eq!(rows[1]["response"], Value::Null);

    // The output as the next input: what has a response stays as it is.
    service.clock.advance(std::time::Duration::from_secs(60));
    run(&service, "bq://demo.d.out", "bq://demo.d.again").await;
    let again = output(&service, "again").await;
    assert_eq!([&again[0], &again[2]], [&rows[0], &rows[2]]);
    assert_ne!(again[1]["processed_time"], rows[1]["processed_time"]);
    assert_eq!(
        service.get("/datasets/d/tables/again").await.ok()["schema"],
        service.get("/datasets/d/tables/out").await.ok()["schema"]
    );
}

#[tokio::test]
async fn tables_and_files_mix() {
    let service = Service::start().await;
    input(&service).await;
    let job = run(&service, "bq://demo.d.in", "gs://bucket/out").await;
    let directory = job["outputInfo"]["gcsOutputDirectory"].as_str().unwrap().to_owned();
    // What was answered in the file is kept when the file is the input.
    let job = run(&service, &format!("{directory}/predictions.jsonl"), "bq://demo.d").await;
    assert_eq!(job["state"], "JOB_STATE_SUCCEEDED", "{job:#}");
    let table = job["outputInfo"]["bigqueryOutputTable"].as_str().unwrap();
    let rows = output(&service, table).await;
    assert_eq!((rows.len(), &rows[2]["n"], &rows[2]["status"]), (3, &json!("2"), &json!("")));
    let name = directory.strip_prefix("gs://bucket/").unwrap().replace(':', "%3A").replace('/', "%2F");
    let path = format!("/storage/v1/b/bucket/o/{name}%2Fpredictions.jsonl?alt=media");
    let text = send(service.emulator.url(), "GET", &path, None).await.unwrap();
    let lines: Vec<Value> = text.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let line = lines.iter().find(|line| line["key"] == "k2").unwrap();
    let response: Value = serde_json::from_str(rows[2]["response"].as_str().unwrap()).unwrap();
    assert_eq!(line["response"], response);
    // A project alone gets a dataset where the job is.
    let job = run(&service, "bq://demo.d.in", "bq://demo").await;
    let dataset =
        job["outputInfo"]["bigqueryOutputDataset"].as_str().unwrap().strip_prefix("bq://demo.").unwrap().to_owned();
    assert_eq!(service.get(&format!("/datasets/{dataset}")).await.ok()["location"], "us-central1");
}

#[tokio::test]
async fn what_a_job_cannot_read_or_write_fails_it() {
    let service = Service::start().await;
    input(&service).await;
    let us = json!({ "datasetReference": { "datasetId": "us" } });
    service.post("/datasets", us).await.ok();
    let request = json!({ "name": "request", "type": "JSON" });
    for (name, other) in [
        ("reserved", json!({ "name": "Status", "type": "STRING" })),
        ("list", json!({ "name": "l", "type": "STRING", "mode": "REPEATED" })),
        ("date_time", json!({ "name": "x", "type": "DATETIME" })),
    ] {
        service.table(name, json!([request, other])).await;
    }
    service.table("number", json!([{ "name": "request", "type": "INT64" }])).await;
    service.table("none", json!([{ "name": "prompt", "type": "STRING" }])).await;
    for (from, to, code, message) in [
        ("d.missing", "d.x", 5, "Failed to import data. Not found: Table demo:d.missing"),
        ("d.in", "d.in", 6, "Already Exists: Table demo:d.in"),
        ("d.in", "nope.x", 5, "Not found: Dataset demo:nope"),
        (
            "d.in",
            "us.x",
            3,
            "BigQuery dataset bq://demo.us is in the multi-region US, which is not supported. The dataset must be in the same region as the job: us-central1.",
        ),
        ("d.reserved", "d.x", 3, "Failed to import data. Column name Status is reserved for the output."),
        ("d.list", "d.x", 3, "Failed to import data. Column l is of type ARRAY, which is not supported."),
        ("d.date_time", "d.x", 3, "Failed to import data. Column x is of type DATETIME, which is not supported."),
        ("d.number", "d.x", 3, "Failed to import data. Column request must be of type JSON or STRING, and is INT64."),
        ("d.none", "d.x", 3, "Failed to import data. Missing required column: request."),
    ] {
        let job = run(&service, &format!("bq://demo.{from}"), &format!("bq://demo.{to}")).await;
        assert_eq!(job["error"], json!({ "code": code, "message": message }), "{from} {to}");
    }
    assert_eq!(service.get("/datasets/d/tables/x").await.status, 404);
}

#[tokio::test]
async fn rows_of_tables_meet_the_same_faults() {
    let service = Service::faulty(&["drop-row", "duplicate-row", "cut-output"]).await;
    input(&service).await;
    run(&service, "bq://demo.d.in", "bq://demo.d.out").await;
    // One dropped, one doubled, the last one lost.
    assert_eq!(output(&service, "out").await.len(), 2);
}
