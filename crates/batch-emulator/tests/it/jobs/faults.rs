//! What goes wrong on request.

use serde_json::{Value, json};

use super::{PARENT, Service, directory, job, line, many, parse};
use crate::http::send;

#[tokio::test]
async fn creations_fail_and_then_do_not() {
    let service = Service::faulty(&["create-400", "create-403", "create-429", "create-500"]).await;
    let path = format!("{PARENT}/batchPredictionJobs");
    let body = job("gs://bucket/in.jsonl");
    let (code, status, _) = service.post(&path, &body).await.error();
    assert_eq!((code, &*status), (400, "INVALID_ARGUMENT"));
    let (code, status, message) = service.post(&path, &body).await.error();
    assert_eq!((code, &*status), (403, "PERMISSION_DENIED"));
    assert!(message.contains("'aiplatform.batchPredictionJobs.create' denied"), "{message}");
    let first = service.post(&path, &body).await;
    assert_eq!(first.header("retry-after"), Some("1"));
    let (code, status, _) = first.error();
    assert_eq!((code, &*status), (429, "RESOURCE_EXHAUSTED"));
    let (code, status, _) = service.post(&path, &body).await.error();
    assert_eq!((code, &*status), (500, "INTERNAL"));
    service.post(&path, &body).await.ok();
    let listed = service.get(&path).await.ok();
    assert_eq!(listed["batchPredictionJobs"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_lost_reply_leaves_a_job_behind() {
    let service = Service::faulty(&["lost-create"]).await;
    let path = format!("{PARENT}/batchPredictionJobs");
    let body = job("gs://bucket/in.jsonl").to_string();
    let lost = send(service.emulator.url(), "POST", &path, Some(body.as_bytes())).await;
    assert!(lost.is_err(), "{lost:?}");
    let listed = service.get(&format!("{path}?filter=display_name%3D%22a+job%22")).await.ok();
    assert_eq!(listed["batchPredictionJobs"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn polls_fail_and_show_states_unheard_of() {
    let service = Service::faulty(&["poll-401", "poll-503=2", "unknown-state=2"]).await;
    service.put("in.jsonl", many(1)).await;
    let id = service.create().await;
    let path = format!("{PARENT}/batchPredictionJobs/{id}");
    for (code, status) in [(401, "UNAUTHENTICATED"), (503, "UNAVAILABLE"), (503, "UNAVAILABLE")] {
        let (got, name, _) = service.get(&path).await.error();
        assert_eq!((got, &*name), (code, status));
    }
    let unknown = service.get(&path).await.ok();
    assert_eq!(unknown["state"], "JOB_STATE_UNHEARD_OF");
    let number = format!("{path}?$alt=json;enum-encoding=int");
    assert_eq!(service.get(&number).await.ok()["state"], 99);
    service.until(&id, "JOB_STATE_SUCCEEDED").await;
}

#[tokio::test]
async fn whole_jobs_fail_or_expire() {
    let service = Service::faulty(&["job-failed", "job-expired"]).await;
    service.put("in.jsonl", many(300)).await;
    let failed = service.create().await;
    let failed = service.until(&failed, "JOB_STATE_FAILED").await;
    assert_eq!(failed["error"], json!({ "code": 13, "message": "INTERNAL" }));
    assert!(failed.get("outputInfo").is_none());

    service.clock.advance(std::time::Duration::from_secs(1));
    let expired = service.create().await;
    let expired = service.until(&expired, "JOB_STATE_EXPIRED").await;
    let lines = service.predictions(&expired).await;
    assert!(lines.len() > 100 && lines.len() <= 150, "{}", lines.len());
    let count = lines.len();
    assert_eq!(
        expired["completionStats"],
        json!({ "successfulCount": count.to_string(), "incompleteCount": (300 - count).to_string() })
    );
}

/// The predictions of ten rows, some of which go wrong.
async fn ten(faults: &[&str]) -> (Value, Vec<Value>) {
    let service = Service::faulty(faults).await;
    let rows: Vec<_> = (0..10)
        .map(|i| {
            let mut row = line(&format!("r{i}"), "x");
            row["request"]["generationConfig"] = json!({ "maxOutputTokens": 1000 });
            row
        })
        .collect();
    let (job, lines) = service.run(&rows).await;
    (job, lines.iter().map(|line| parse(line)).collect())
}

#[tokio::test]
async fn rows_are_dropped_and_doubled() {
    let (job, lines) = ten(&["drop-row=2", "duplicate-row=3"]).await;
    assert_eq!(job["completionStats"], json!({ "successfulCount": "10" }));
    let mut keys: Vec<_> = lines.iter().map(|line| line["key"].to_string()).collect();
    assert_eq!(keys.len(), 11);
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 8);
}

#[tokio::test]
async fn rows_fail_with_what_may_pass() {
    let (job, lines) = ten(&["fail-row=10"]).await;
    assert_eq!(job["completionStats"], json!({ "failedCount": "10" }));
    let statuses: Vec<_> = lines.iter().map(|line| line["status"].as_str().unwrap()).collect();
    let starts = |start: &str| statuses.iter().any(|status| status.starts_with(start));
    assert!(starts("Too Many Requests: {\"error\": {\"code\": 429, "), "{statuses:?}");
    assert!(starts("Internal Server Error: {\"error\": {\"code\": 500, "), "{statuses:?}");
}

#[tokio::test]
async fn responses_are_spoiled() {
    let (job, lines) = ten(&["block-row", "no-candidates-row", "truncate-row", "thought-row"]).await;
    assert_eq!(job["completionStats"], json!({ "successfulCount": "10" }));
    let one = |test: &dyn Fn(&Value) -> bool| {
        let found: Vec<_> = lines.iter().map(|line| &line["response"]).filter(|r| test(r)).collect();
        assert_eq!(found.len(), 1, "{lines:#?}");
        found[0].clone()
    };
    let blocked = one(&|response| response.get("promptFeedback").is_some());
    assert_eq!(blocked["promptFeedback"]["blockReason"], "PROHIBITED_CONTENT");
    assert!(blocked.get("candidates").is_none());
    let none = one(&|response| response.get("promptFeedback").is_none() && response.get("candidates").is_none());
    assert!(none["usageMetadata"]["promptTokenCount"].is_u64());
    let truncated = one(&|response| response["candidates"][0]["finishReason"] == "MAX_TOKENS");
    assert_eq!(truncated["candidates"][0]["content"], json!({ "role": "model" }));
    assert_eq!(truncated["usageMetadata"]["thoughtsTokenCount"], 1000);
    let thought = one(&|response| response["candidates"][0]["content"]["parts"][0]["thought"] == true);
    let parts = thought["candidates"][0]["content"]["parts"].as_array().unwrap();
    assert_eq!(parts.len(), 2);
    assert!(parts[1].get("thought").is_none());
}

#[tokio::test]
async fn files_are_cut_and_split() {
    let service = Service::faulty(&["cut-output", "split-output"]).await;
    let (job, lines) = service.run_text(&many(10)).await;
    let directory = directory(&job);
    assert_eq!(
        service.objects(&directory).await,
        [0, 1, 2].map(|i| format!("{directory}/predictions.jsonl-0000{i}-of-00003"))
    );
    assert_eq!(lines.len(), 10);
    let (last, whole) = lines.split_last().unwrap();
    assert!(!last.ends_with('\n'));
    assert!(serde_json::from_str::<Value>(last).is_err());
    assert!(whole.iter().all(|line| line.ends_with("}\n")));
}
