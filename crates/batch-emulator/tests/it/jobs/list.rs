//! Lists: order, pages, filters, masks.

use std::time::Duration;

use batch_emulator::JobsConfig;
use serde_json::{Value, json};

use super::{PARENT, Service, job};

/// Five jobs, a minute apart; the second is labelled.
async fn five() -> Service {
    let service =
        Service::start(JobsConfig { queue_delay: Duration::from_secs(86_400), ..JobsConfig::default() }).await;
    for i in 0..5 {
        let mut body = job("gs://bucket/in.jsonl");
        body["displayName"] = json!(format!("job {i}"));
        if i == 1 {
            body["labels"] = json!({ "team": "a" });
        }
        let path = format!("{PARENT}/batchPredictionJobs");
        service.post(&path, &body).await.ok();
        service.clock.advance(Duration::from_secs(60));
    }
    service
}

async fn list(service: &Service, query: &str) -> Value {
    let path = format!("{PARENT}/batchPredictionJobs?{query}");
    service.get(&path).await.ok()
}

fn names(list: &Value) -> Vec<&str> {
    let jobs = list["batchPredictionJobs"].as_array();
    jobs.into_iter().flatten().map(|job| job["displayName"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_newest_comes_first_and_pages_go_on() {
    let service = five().await;
    let all = list(&service, "").await;
    assert_eq!(names(&all), ["job 4", "job 3", "job 2", "job 1", "job 0"]);
    assert!(all.get("nextPageToken").is_none());

    let first = list(&service, "pageSize=2&filter=&pageToken=&readMask=").await;
    assert_eq!(names(&first), ["job 4", "job 3"]);
    let token = first["nextPageToken"].as_str().unwrap();
    // A job that is made meanwhile does not shift the pages.
    let path = format!("{PARENT}/batchPredictionJobs");
    service.post(&path, &job("gs://bucket/in.jsonl")).await.ok();
    let second = list(&service, &format!("pageSize=2&pageToken={token}")).await;
    assert_eq!(names(&second), ["job 2", "job 1"]);
    let token = second["nextPageToken"].as_str().unwrap();
    let last = list(&service, &format!("pageSize=2&pageToken={token}")).await;
    assert_eq!(names(&last), ["job 0"]);
    assert!(last.get("nextPageToken").is_none());
}

#[tokio::test]
async fn filters_come_encoded_and_select() {
    let service = five().await;
    for (query, selected) in [
        ("filter=display_name%3D%22job+3%22", vec!["job 3"]),
        ("filter=displayName%3D%22job%203%22", vec!["job 3"]),
        ("filter=labels.team%3A*", vec!["job 1"]),
        ("filter=create_time%3E%222026-11-21T10%3A02%3A30Z%22", vec!["job 4", "job 3"]),
        // As google-cloud-aiplatform sends it.
        (
            "filter=state%3D%22JOB_STATE_QUEUED%22+OR+state%3D%22JOB_STATE_SUCCEEDED%22&%24alt=json%3Benum-encoding%3Dint",
            vec![],
        ),
        ("filter=NOT+labels%3Ateam+AND+display_name%3A%22job*%22&pageSize=1", vec!["job 4"]),
    ] {
        assert_eq!(names(&list(&service, query).await), selected, "{query}");
    }
    assert_eq!(list(&service, "filter=display_name%3Dnone").await, json!({}), "an empty list is an empty object");
}

#[tokio::test]
async fn what_is_no_list_request_is_refused() {
    let service = five().await;
    let first = list(&service, "pageSize=1").await;
    let token = first["nextPageToken"].as_str().unwrap();
    for query in [
        "filter=a",
        "filter=state%3DDONE",
        "pageSize=-1",
        "pageSize=many",
        "pageToken=tok",
        // A token goes with the filter that it was given for.
        &format!("pageToken={token}&filter=labels%3Ateam"),
    ] {
        let path = format!("{PARENT}/batchPredictionJobs?{query}");
        let (code, status, _) = service.get(&path).await.error();
        assert_eq!((code, &*status), (400, "INVALID_ARGUMENT"), "{query}");
    }
}

#[tokio::test]
async fn a_read_mask_leaves_the_rest_out() {
    let service = five().await;
    let list = list(&service, "pageSize=1&readMask=display_name,state").await;
    assert_eq!(list["batchPredictionJobs"], json!([{ "displayName": "job 4", "state": "JOB_STATE_PENDING" }]));
}
