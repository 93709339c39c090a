//! What survives a restart.

use serde_json::json;

use super::{Service, refusal};

#[tokio::test]
async fn tables_and_jobs_survive_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let service = Service::with(&[], Some(data.path())).await;
    service.put("in.jsonl", "{\"a\":\"1\"}\n{\"a\":\"2\"}\n").await;
    let fields = json!([{ "name": "a", "type": "STRING" }]);
    let job = service.load("t", "gs://bucket/in.jsonl", json!({ "schema": { "fields": fields } })).await;
    for value in ["3", "4"] {
        service.post("/datasets/d/tables/t/insertAll", json!({ "rows": [{ "json": { "a": value } }] })).await.ok();
    }
    service.table("gone", json!([])).await;
    service.send("DELETE", "/datasets/d/tables/gone", None).await;
    service.emulator.shutdown().await;

    let service = Service::with(&[], Some(data.path())).await;
    let all = [json!(["1"]), json!(["2"]), json!(["3"]), json!(["4"])];
    assert_eq!(service.rows("t", "").await, all);
    assert_eq!(service.job(&job).await["statistics"], job["statistics"]);
    assert_eq!(service.get("/datasets/d/tables/gone").await.status, 404);
    let again =
        json!({ "jobReference": job["jobReference"], "configuration": { "load": job["configuration"]["load"] } });
    assert_eq!(refusal(&service.post("/jobs", again).await).1, "duplicate");
    // What is appended after a restart follows, and is kept in turn.
    service.post("/datasets/d/tables/t/insertAll", json!({ "rows": [{ "json": { "a": "5" } }] })).await.ok();
    service.emulator.shutdown().await;
    let service = Service::with(&[], Some(data.path())).await;
    assert_eq!(service.rows("t", "").await.len(), 5);
}

#[tokio::test]
async fn rows_that_were_never_committed_never_were() {
    let data = tempfile::tempdir().unwrap();
    let service = Service::with(&[], Some(data.path())).await;
    service.put("in.jsonl", "{\"a\":\"1\"}").await;
    let fields = json!([{ "name": "a", "type": "STRING" }]);
    let job = service.load("t", "gs://bucket/in.jsonl", json!({ "schema": { "fields": fields } })).await;
    service.emulator.shutdown().await;
    // As a kill leaves it between the record of a job and its rows.
    let jobs = data.path().join("bigquery/jobs");
    let record = std::fs::read_dir(&jobs).unwrap().next().unwrap().unwrap().path();
    let text = std::fs::read_to_string(&record).unwrap();
    assert!(text.contains("\"committed\":true"));
    std::fs::write(&record, text.replace("\"committed\":true", "\"committed\":false")).unwrap();
    let tables = data.path().join("bigquery/tables");
    let table = std::fs::read_dir(&tables).unwrap().next().unwrap().unwrap().path();
    let service = Service::with(&[], Some(data.path())).await;
    assert_eq!(service.job(&job).await["status"]["state"], "DONE", "its rows are there: it was");
    service.emulator.shutdown().await;
    std::fs::remove_file(table).unwrap();
    let service = Service::with(&[], Some(data.path())).await;
    let id = job["jobReference"]["jobId"].as_str().unwrap();
    assert_eq!(service.get(&format!("/jobs/{id}?location=us-central1")).await.status, 404);
    assert_eq!(std::fs::read_dir(data.path().join("bigquery/rows")).unwrap().count(), 0);
}
