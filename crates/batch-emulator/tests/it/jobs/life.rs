//! The states of a job, by the clock.

use std::time::Duration;

use batch_emulator::JobsConfig;
use serde_json::{Value, json};

use super::{PARENT, Service, many, parse};

const HOUR: Duration = Duration::from_secs(3600);

fn running_for(run_delay: Duration) -> JobsConfig {
    JobsConfig { run_delay, ..JobsConfig::default() }
}

/// The job once so many rows are ready.
async fn ready(service: &Service, id: &str, rows: &str) -> Value {
    loop {
        let job = service.job(id).await;
        if job["completionStats"]["successfulCount"] == rows {
            return job;
        }
        tokio::task::yield_now().await;
    }
}

async fn cancel(service: &Service, id: &str) {
    let path = format!("{PARENT}/batchPredictionJobs/{id}:cancel");
    service.post(&path, &json!({})).await.ok();
}

#[tokio::test]
async fn a_cancelled_job_keeps_the_rows_that_are_ready() {
    let service = Service::start(running_for(Duration::from_secs(100))).await;
    service.put("in.jsonl", many(100)).await;
    let id = service.create().await;
    service.until(&id, "JOB_STATE_RUNNING").await;
    service.clock.advance(Duration::from_secs(30));
    let running = ready(&service, &id, "30").await;
    assert_eq!(running["completionStats"]["incompleteCount"], "70");
    assert!(running.get("outputInfo").is_none());
    cancel(&service, &id).await;
    let job = service.until(&id, "JOB_STATE_CANCELLED").await;
    assert_eq!(job["completionStats"], json!({ "successfulCount": "30", "incompleteCount": "70" }));
    assert!(job["endTime"].is_string());
    let lines = service.predictions(&job).await;
    assert_eq!(lines.len(), 30);
    for line in lines {
        assert_eq!(parse(&line)["status"], "");
    }
}

#[tokio::test]
async fn a_job_that_is_cancelled_in_the_queue_writes_nothing() {
    let service = Service::start(JobsConfig { queue_delay: HOUR, ..JobsConfig::default() }).await;
    service.put("in.jsonl", many(3)).await;
    let id = service.create().await;
    cancel(&service, &id).await;
    let job = service.until(&id, "JOB_STATE_CANCELLED").await;
    assert!(job.get("outputInfo").is_none() && job.get("startTime").is_none());
    assert!(service.objects("out").await.is_empty());
}

#[tokio::test]
async fn a_job_expires_after_three_days_in_the_queue() {
    let service = Service::faulty(&["job-stuck"]).await;
    service.put("in.jsonl", many(1)).await;
    let id = service.create().await;
    service.clock.advance(71 * HOUR);
    assert_eq!(service.job(&id).await["state"], "JOB_STATE_PENDING");
    service.clock.advance(HOUR);
    let job = service.until(&id, "JOB_STATE_EXPIRED").await;
    assert!(job.get("error").is_none() && job.get("outputInfo").is_none());
    assert_eq!(job["endTime"], "2026-11-24T10:00:00.123456Z");
    // The fault was for one job only.
    let next = service.create().await;
    service.until(&next, "JOB_STATE_SUCCEEDED").await;
}

#[tokio::test]
async fn a_job_that_runs_for_more_than_a_day_fails_with_what_is_ready() {
    let service = Service::start(running_for(48 * HOUR)).await;
    service.put("in.jsonl", many(10)).await;
    let id = service.create().await;
    service.until(&id, "JOB_STATE_RUNNING").await;
    service.clock.advance(24 * HOUR);
    let job = service.until(&id, "JOB_STATE_FAILED").await;
    assert_eq!(job["error"]["code"], 4);
    assert_eq!(job["completionStats"], json!({ "successfulCount": "5", "incompleteCount": "5" }));
    assert_eq!(service.predictions(&job).await.len(), 5);
}

#[tokio::test]
async fn jobs_go_on_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let config = || JobsConfig { queue_delay: HOUR, run_delay: HOUR, ..JobsConfig::default() };
    let service = Service::with(config(), &["fail-row=2", "split-output"], Some(dir.path())).await;
    service.put("in.jsonl", many(40)).await;
    let running = service.create().await;
    service.clock.advance(HOUR);
    service.until(&running, "JOB_STATE_RUNNING").await;
    service.clock.advance(HOUR / 2);
    loop {
        let job = service.job(&running).await;
        if job["completionStats"]["incompleteCount"] == "20" {
            break;
        }
        tokio::task::yield_now().await;
    }
    let pending = service.create().await;
    service.emulator.shutdown().await;

    // The next emulator's clock starts where the first one's did.
    let service = Service::with(config(), &[], Some(dir.path())).await;
    let before = service.job(&running).await;
    assert_eq!(before["state"], "JOB_STATE_RUNNING");
    assert_eq!(service.job(&pending).await["state"], "JOB_STATE_PENDING");
    service.clock.advance(4 * HOUR);
    let job = service.until(&running, "JOB_STATE_SUCCEEDED").await;
    assert_eq!(job["startTime"], before["startTime"]);
    // The faults that the first emulator took still hold, and nothing is there twice.
    assert_eq!(job["completionStats"], json!({ "successfulCount": "38", "failedCount": "2" }));
    let files = service.objects("out").await;
    assert_eq!(files.len(), 3, "{files:?}");
    let mut keys: Vec<_> =
        service.predictions(&job).await.iter().map(|line| parse(line)["key"].as_str().unwrap().to_owned()).collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 40);
    service.until(&pending, "JOB_STATE_RUNNING").await;
    service.clock.advance(HOUR);
    service.until(&pending, "JOB_STATE_SUCCEEDED").await;

    // What has ended stays as it was.
    let ended = service.job(&running).await;
    let path = format!("{PARENT}/batchPredictionJobs/{pending}");
    let deleted = service.send("DELETE", &path, None).await.ok();
    service.emulator.shutdown().await;
    let service = Service::with(config(), &[], Some(dir.path())).await;
    assert_eq!(service.job(&running).await, ended);
    assert_eq!(service.get(&path).await.status, 404);
    let operation = format!("/v1/{}", deleted["name"].as_str().unwrap());
    assert_eq!(service.get(&operation).await.ok(), deleted);
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_named() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("jobs")).unwrap();
    // A kill in the middle of writing leaves this behind, which is no harm.
    std::fs::write(dir.path().join("jobs/1.new"), "{").unwrap();
    std::fs::write(dir.path().join("jobs/2.json"), "{}").unwrap();
    let started = batch_emulator::Emulator::start(batch_emulator::Config {
        data: Some(dir.path().to_owned()),
        ..batch_emulator::Config::default()
    })
    .await;
    let error = started.unwrap_err();
    assert_eq!(error.kind(), batch_emulator::ErrorKind::Data);
    assert!(error.to_string().ends_with("2.json"), "{error}");
}
