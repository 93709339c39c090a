//! The contract of job services, kept against the emulator, and its faults.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, SystemTime},
};

use batch_backend::{JobService, Kind, ListJobs, contract};
use batch_emulator::{Config, Emulator, Faults, JobsConfig, ManualClock};
use batch_http::{AccessToken, Credentials, Request, Service};
use batch_model::{BatchPredictionJob, InputConfig, JobName, JobState, OutputConfig};
use http::HeaderValue;

use crate::script::{TestClock, client, jobs_at};

/// A job that reads one line.
fn job(display_name: &str) -> BatchPredictionJob {
    let (input, output) = (InputConfig::gcs(["gs://news/in.jsonl"]), OutputConfig::gcs("gs://news/out"));
    BatchPredictionJob::new(display_name, &"gemini-2.5-flash".parse().unwrap(), input, output)
}

/// An emulator with the line in its bucket.
async fn emulator(config: Config) -> Emulator {
    let emulator = Emulator::start(Config { buckets: vec!["news".to_owned()], ..config }).await.unwrap();
    let line = r#"{"key":"r0","request":{"contents":[{"role":"user","parts":[{"text":"hello"}]}]}}"#;
    let upload = Request::post(Service::Storage, ["upload", "storage", "v1", "b", "news", "o"])
        .query("uploadType", "media")
        .query("name", "in.jsonl")
        .body(HeaderValue::from_static("application/jsonl"), format!("{line}\n"));
    client(emulator.url(), Credentials::anonymous(), &TestClock::default()).send(&upload).await.unwrap();
    emulator
}

/// An emulator that does these things wrong.
async fn with_faults(faults: &[&str]) -> Emulator {
    emulator(Config { faults: Faults::parse(faults).unwrap(), ..Config::default() }).await
}

#[tokio::test]
async fn it_keeps_the_contract() {
    let clock = ManualClock::new(SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_219_200));
    let second = Duration::from_secs(1);
    let jobs = JobsConfig { queue_delay: second, run_delay: second, ..JobsConfig::default() };
    let emulator = emulator(Config { clock: std::sync::Arc::new(clock.clone()), jobs, ..Config::default() }).await;
    let service = jobs_at(emulator.url(), Credentials::anonymous(), &TestClock::default());
    let ended = contract::job_service(&service, "contract-1", job("contract-1"), || {
        clock.advance(second);
        tokio::task::yield_now()
    })
    .await;
    assert_eq!(ended.completion_stats.unwrap().successful_count, Some(1));
    assert_eq!(service.to_string(), "Vertex AI jobs of projects/my-project/locations/us-central1");
}

#[tokio::test]
async fn a_job_whose_creation_got_no_reply_is_found_by_its_label() {
    let emulator = with_faults(&["lost-create"]).await;
    let service = jobs_at(emulator.url(), Credentials::anonymous(), &TestClock::default());
    let error = service.create(&job("news").with_label("run", "r1")).await.unwrap_err();
    assert!(error.maybe_done());
    let query = ListJobs { filter: "labels.run=\"r1\"".to_owned(), ..ListJobs::default() };
    assert_eq!(service.list(&query).await.unwrap().jobs.len(), 1);
}

#[tokio::test]
async fn a_full_queue_is_waited_for() {
    let emulator = with_faults(&["create-429=2"]).await;
    let clock = TestClock::default();
    jobs_at(emulator.url(), Credentials::anonymous(), &clock).create(&job("news")).await.unwrap();
    assert_eq!(clock.waits(), [1.0, 1.0], "the reply asks for a second");
}

#[tokio::test]
async fn looking_at_a_job_survives_an_outage_and_an_expired_token() {
    let emulator = with_faults(&["poll-503=2", "poll-401"]).await;
    let number = AtomicU32::new(0);
    let credentials = Credentials::from_fn("a test", move || {
        let token = format!("token-{}", number.fetch_add(1, Ordering::SeqCst));
        async move { Ok::<_, std::io::Error>(AccessToken::new(token, None)) }
    });
    let service = jobs_at(emulator.url(), credentials, &TestClock::default());
    let created = service.create(&job("news")).await.unwrap();
    let name: JobName = created.name.unwrap().parse().unwrap();
    assert_eq!(service.get(&name).await.unwrap().display_name.as_deref(), Some("news"));
    assert!(emulator.faults().remaining().is_empty());
}

#[tokio::test]
async fn a_job_is_found_by_its_projects_id_and_by_its_number() {
    let emulator = with_faults(&[]).await;
    let service = jobs_at(emulator.url(), Credentials::anonymous(), &TestClock::default());
    let by_number: JobName = service.create(&job("news")).await.unwrap().name.unwrap().parse().unwrap();
    let by_id = JobName::new("my-project", by_number.location().clone(), by_number.id());
    assert_ne!(by_number, by_id);
    assert_eq!(service.get(&by_id).await.unwrap().name, service.get(&by_number).await.unwrap().name);
}

#[tokio::test]
async fn a_job_is_cancelled() {
    let emulator = with_faults(&["job-stuck"]).await;
    let service = jobs_at(emulator.url(), Credentials::anonymous(), &TestClock::default());
    let name: JobName = service.create(&job("news")).await.unwrap().name.unwrap().parse().unwrap();
    service.cancel(&name).await.unwrap();
    let state = loop {
        let state = service.get(&name).await.unwrap().state;
        if state.is_terminal() {
            break state;
        }
        assert_eq!(state, JobState::Cancelling);
        tokio::task::yield_now().await;
    };
    assert_eq!(state, JobState::Cancelled);
}

#[tokio::test]
async fn a_wrong_job_is_refused_in_the_services_words() {
    let emulator = with_faults(&[]).await;
    let service = jobs_at(emulator.url(), Credentials::anonymous(), &TestClock::default());
    let mut unnamed = job("");
    unnamed.display_name = None;
    let error = service.create(&unnamed).await.unwrap_err();
    assert_eq!((error.kind(), error.maybe_done(), error.attempts()), (Kind::InvalidArgument, false, 1));
    assert!(error.service().unwrap().message.is_some());
}
