//! What replies look like.

use serde_json::json;

use super::{PARENT, Service, id, job, many};
use batch_emulator::JobsConfig;
use std::time::Duration;

fn slow() -> JobsConfig {
    JobsConfig { queue_delay: Duration::from_secs(60), run_delay: Duration::from_secs(100), ..JobsConfig::default() }
}

#[tokio::test]
async fn a_job_shows_what_is_known_of_it_at_each_stage() {
    let service = Service::start(slow()).await;
    service.put("in.jsonl", many(10)).await;
    let path = format!("{PARENT}/batchPredictionJobs");
    let created = service.post(&path, &job("gs://bucket/in.jsonl")).await;
    assert_eq!(created.header("content-type"), Some("application/json; charset=UTF-8"));
    insta::assert_snapshot!("created", created.text());

    let id = id(&created.ok());
    service.clock.advance(Duration::from_secs(60));
    service.until(&id, "JOB_STATE_RUNNING").await;
    service.clock.advance(Duration::from_secs(50));
    let half = loop {
        let job = service.job(&id).await;
        if job["completionStats"]["successfulCount"] == "5" {
            break job;
        }
        tokio::task::yield_now().await;
    };
    insta::assert_json_snapshot!("running", half);

    service.clock.advance(Duration::from_secs(50));
    let done = service.until(&id, "JOB_STATE_SUCCEEDED").await;
    insta::assert_json_snapshot!("done", done);
}

#[tokio::test]
async fn names_hold_the_project_number_and_digits() {
    let service = Service::start(slow()).await;
    let path = format!("{PARENT}/batchPredictionJobs");
    let created = service.post(&path, &job("gs://bucket/in.jsonl")).await.ok();
    let name = created["name"].as_str().unwrap();
    let parts: Vec<_> = name.split('/').collect();
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    assert!(digits(parts[1]) && digits(parts[5]), "{name}");
    assert!((18..=19).contains(&parts[5].len()), "{name}");
    assert!(parts[5].parse::<i64>().is_ok(), "{name}");

    // The same job by number and by id, in both versions.
    let id = parts[5];
    for path in [
        format!("/v1/{name}"),
        format!("/v1beta1/{name}"),
        format!("/v1beta1/projects/demo/locations/us-central1/batchPredictionJobs/{id}"),
    ] {
        assert_eq!(service.get(&path).await.ok()["name"], name, "{path}");
    }
    // Elsewhere it is unknown.
    for path in [
        format!("/v1/projects/other/locations/us-central1/batchPredictionJobs/{id}"),
        format!("/v1/projects/demo/locations/global/batchPredictionJobs/{id}"),
        format!("{PARENT}/batchPredictionJobs/123"),
        format!("{PARENT}/batchPredictionJobs/a-name"),
    ] {
        let (code, status, _) = service.get(&path).await.error();
        assert_eq!((code, &*status), (404, "NOT_FOUND"), "{path}");
    }
}

#[tokio::test]
async fn states_are_numbers_for_those_who_ask() {
    let service = Service::start(slow()).await;
    let asked = format!("{PARENT}/batchPredictionJobs?%24alt=json%3Benum-encoding%3Dint");
    let created = service.post(&asked, &job("gs://bucket/in.jsonl")).await;
    assert_eq!(created.ok()["state"], 2);
    let listed = service.get(&asked).await.ok();
    assert_eq!(listed["batchPredictionJobs"][0]["state"], 2);
    let id = id(&created.json());
    for (query, state) in [
        ("$alt=json;enum-encoding=int", json!(2)),
        ("%24alt=json%3Benum-encoding%3Dint", json!(2)),
        ("alt=json", json!("JOB_STATE_PENDING")),
        ("", json!("JOB_STATE_PENDING")),
    ] {
        let path = format!("{PARENT}/batchPredictionJobs/{id}?{query}");
        assert_eq!(service.get(&path).await.ok()["state"], state, "{query}");
    }
}

#[tokio::test]
async fn express_mode_names_no_project() {
    let service = Service::start(JobsConfig::default()).await;
    service.put("in.jsonl", many(1)).await;
    let created = service.post("/v1beta1/batchPredictionJobs", &job("gs://bucket/in.jsonl")).await.ok();
    let name = created["name"].as_str().unwrap();
    assert!(name.contains("/locations/global/"), "{name}");
    let path = format!("/v1/batchPredictionJobs/{}", id(&created));
    assert_eq!(service.get(&path).await.ok()["name"], name);
    let listed = service.get("/v1/batchPredictionJobs").await.ok();
    assert_eq!(listed["batchPredictionJobs"][0]["name"], name);
}

#[tokio::test]
async fn a_deletion_is_an_operation_that_is_done() {
    let service = Service::start(JobsConfig::default()).await;
    service.put("in.jsonl", many(1)).await;
    let id = service.create().await;
    let done = service.until(&id, "JOB_STATE_SUCCEEDED").await;
    let path = format!("{PARENT}/batchPredictionJobs/{id}");
    // One of Google's clients sends a body with its DELETE.
    let deleted = service.send("DELETE", &path, Some(b"{}")).await;
    let operation = deleted.ok();
    insta::assert_json_snapshot!("deleted", operation);
    assert_eq!(service.get(&path).await.status, 404);

    let name = operation["name"].as_str().unwrap();
    assert_eq!(service.get(&format!("/v1/{name}")).await.ok(), operation);
    let waited = service.post(&format!("/v1/{name}:wait"), &json!({})).await;
    assert_eq!(waited.ok(), operation);
    let cancelled = service.send("POST", &format!("/v1/{name}:cancel"), None).await;
    assert_eq!(cancelled.ok(), json!({}));
    let listed = service.get(&format!("{PARENT}/operations")).await.ok();
    assert_eq!(listed["operations"], json!([operation]));
    let other = service.get(&format!("/v1beta1/{name}")).await.ok();
    assert!(other["metadata"]["@type"].as_str().unwrap().contains(".v1beta1."));
    let gone = service.send("DELETE", &format!("/v1/{name}"), None).await;
    assert_eq!(gone.ok(), json!({}));
    assert_eq!(service.get(&format!("/v1/{name}")).await.status, 404);

    // What the job wrote stays.
    assert_eq!(service.predictions(&done).await.len(), 1);
}

#[tokio::test]
async fn only_ended_jobs_are_deleted_and_only_others_cancelled() {
    let service = Service::start(slow()).await;
    service.put("in.jsonl", many(1)).await;
    let id = service.create().await;
    let path = format!("{PARENT}/batchPredictionJobs/{id}");
    let (code, status, message) = service.send("DELETE", &path, None).await.error();
    assert_eq!((code, &*status), (400, "FAILED_PRECONDITION"));
    assert!(message.contains("JOB_STATE_PENDING"), "{message}");

    // An empty body and an empty object are both fine.
    let cancelled = service.send("POST", &format!("{path}:cancel"), None).await;
    assert_eq!(cancelled.ok(), json!({}));
    service.until(&id, "JOB_STATE_CANCELLED").await;
    let again = service.post(&format!("{path}:cancel"), &json!({})).await;
    let (code, status, message) = again.error();
    assert_eq!((code, &*status), (400, "FAILED_PRECONDITION"));
    assert!(message.contains("JOB_STATE_CANCELLED"), "{message}");
    assert_eq!(service.post(&format!("{path}:frobnicate"), &json!({})).await.status, 404);
    assert_eq!(service.send("DELETE", &path, None).await.status, 200);
}
