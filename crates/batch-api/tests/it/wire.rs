//! What is sent for each method, and what is made of the replies.

use batch_backend::{JobService, Kind, ListJobs};
use batch_model::{BatchPredictionJob, InputConfig, JobName, OutputConfig};

use crate::script::{LOST, Script, TestClock};

const NAME: &str = "projects/123/locations/europe-west4/batchPredictionJobs/456";

const ENDED: &str = r#"{"error":{"code":400,"message":"It has ended.","status":"FAILED_PRECONDITION"}}"#;

fn name() -> JobName {
    NAME.parse().unwrap()
}

fn job() -> BatchPredictionJob {
    let (input, output) = (InputConfig::gcs(["gs://news/in.jsonl"]), OutputConfig::gcs("gs://news/out"));
    BatchPredictionJob::new("news", &"gemini-2.5-flash".parse().unwrap(), input, output).with_label("run", "r1")
}

#[tokio::test]
async fn each_method_sends_what_the_api_takes() {
    let reply = include_str!("../../../../fixtures/jobs/succeeded.json");
    let done = r#"{"name":"projects/123/locations/europe-west4/operations/7","done":true,"response":{}}"#;
    let script = Script::start(&[(200, reply), (200, reply), (200, "{}"), (200, "{}"), (200, "{}"), (200, done)]).await;
    let jobs = script.jobs(&TestClock::default());
    jobs.create(&job()).await.unwrap();
    jobs.get(&name()).await.unwrap();
    jobs.list(&ListJobs::default()).await.unwrap();
    let query = ListJobs {
        filter: "labels.run=\"r1\" AND state=\"JOB_STATE_RUNNING\"".to_owned(),
        page_size: Some(20),
        page_token: Some("a+b/c=".to_owned()),
    };
    jobs.list(&query).await.unwrap();
    jobs.cancel(&name()).await.unwrap();
    jobs.delete(&name()).await.unwrap();
    insta::assert_snapshot!(script.requests().join("\n"));
}

#[tokio::test]
async fn a_reply_keeps_all_that_it_says() {
    for reply in [
        include_str!("../../../../fixtures/jobs/every-member.json"),
        include_str!("../../../../fixtures/jobs/succeeded.json"),
        r#"{"name":"projects/1/locations/global/batchPredictionJobs/2","state":"JOB_STATE_RESTING","invented":{"later":[1]}}"#,
    ] {
        let script = Script::start(&[(200, reply)]).await;
        let job = script.jobs(&TestClock::default()).get(&name()).await.unwrap();
        let (ours, theirs): (serde_json::Value, serde_json::Value) =
            (serde_json::to_value(job).unwrap(), serde_json::from_str(reply).unwrap());
        assert_eq!(ours, theirs);
    }
}

#[tokio::test]
async fn a_page_has_its_jobs_and_the_token_of_the_next() {
    let page = format!(r#"{{"batchPredictionJobs":[{{"name":"{NAME}"}}],"nextPageToken":"more"}}"#);
    let script = Script::start(&[(200, &page), (200, r#"{"batchPredictionJobs":null,"nextPageToken":""}"#)]).await;
    let jobs = script.jobs(&TestClock::default());
    let page = jobs.list(&ListJobs::default()).await.unwrap();
    assert_eq!((page.jobs[0].name.as_deref(), page.next_page_token.as_deref()), (Some(NAME), Some("more")));
    let page = jobs.list(&ListJobs::default()).await.unwrap();
    assert_eq!((page.jobs.len(), page.next_page_token), (0, None));
}

#[tokio::test]
async fn a_create_whose_reply_is_lost_or_cut_is_not_repeated() {
    for reply in [(LOST, ""), (503, ""), (200, "{\"name\":")] {
        let script = Script::start(&[reply, (200, "{}")]).await;
        let error = script.jobs(&TestClock::default()).create(&job()).await.unwrap_err();
        assert!(error.maybe_done(), "{error:?}");
        assert_eq!(script.requests().len(), 1);
    }
    let script = Script::start(&[(LOST, "")]).await;
    let error = script.jobs(&TestClock::default()).create(&job()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "create the job \"news\" in projects/my-project/locations/us-central1: service unavailable"
    );
    assert_eq!(error.hint(), Some("the job may have been created: look for it before creating another"));
}

#[tokio::test]
async fn a_cancellation_whose_reply_is_lost_has_been_asked_for() {
    let clock = TestClock::default();
    let script = Script::start(&[(LOST, ""), (400, ENDED)]).await;
    script.jobs(&clock).cancel(&name()).await.unwrap();
    assert_eq!(script.requests().len(), 2);

    let script = Script::start(&[(400, ENDED)]).await;
    let error = script.jobs(&clock).cancel(&name()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::FailedPrecondition, "it had ended before");
}

#[tokio::test]
async fn a_deletion_whose_reply_is_lost_is_done_when_the_job_is_gone() {
    let clock = TestClock::default();
    let script = Script::start(&[(LOST, ""), (404, "")]).await;
    script.jobs(&clock).delete(&name()).await.unwrap();

    let script = Script::start(&[(404, "")]).await;
    assert_eq!(script.jobs(&clock).delete(&name()).await.unwrap_err().kind(), Kind::NotFound, "it was never there");
}

#[tokio::test]
async fn a_deletion_waits_for_its_operation() {
    let clock = TestClock::default();
    let running = r#"{"name":"projects/123/locations/europe-west4/operations/7"}"#;
    let script = Script::start(&[
        (200, running),
        (200, running),
        (200, r#"{"done":false}"#),
        (200, r#"{"name":"projects/123/locations/europe-west4/operations/7","done":true,"response":{}}"#),
    ])
    .await;
    script.jobs(&clock).delete(&name()).await.unwrap();
    assert_eq!(clock.waits(), [0.5, 1.0, 2.0]);
    assert_eq!(script.requests()[1..], ["GET /v1/projects/123/locations/europe-west4/operations/7"; 3]);
}

#[tokio::test]
async fn a_deletion_that_fails_later_says_why() {
    let failed =
        r#"{"name":"o","done":true,"error":{"code":9,"message":"The job is in use.","details":[{"@type":"x"}]}}"#;
    let script = Script::start(&[(200, failed)]).await;
    let error = script.jobs(&TestClock::default()).delete(&name()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::FailedPrecondition);
    assert_eq!(error.to_string(), format!("delete the job {NAME}: FAILED_PRECONDITION: The job is in use."));
    assert_eq!(error.service().unwrap().details, [serde_json::json!({"@type": "x"})]);
}

#[tokio::test]
async fn an_operation_that_is_forgotten_is_judged_by_the_job() {
    let clock = TestClock::default();
    let running = r#"{"name":"projects/123/locations/europe-west4/operations/7","done":false}"#;
    let script = Script::start(&[(200, running), (404, ""), (404, "")]).await;
    script.jobs(&clock).delete(&name()).await.unwrap();

    let there = format!(r#"{{"name":"{NAME}"}}"#);
    let script = Script::start(&[(200, running), (404, ""), (200, &there)]).await;
    assert_eq!(script.jobs(&clock).delete(&name()).await.unwrap_err().kind(), Kind::NotFound);
}

#[tokio::test]
async fn an_operation_that_never_ends_is_given_up() {
    let clock = TestClock::default();
    let running = (200, r#"{"name":"operations/7"}"#);
    let script = Script::start(&[running; 65]).await;
    let error = script.jobs(&clock).delete(&name()).await.unwrap_err();
    assert_eq!((error.kind(), error.maybe_done()), (Kind::DeadlineExceeded, true));
    let waited: f64 = clock.waits().iter().sum();
    assert!((590.0..620.0).contains(&waited), "{waited} s");
}
