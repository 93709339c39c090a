//! What is said when it cannot work, and how soon.

use batch_backend::{Columns, InputStore, Kind, OutputStore};
use batch_gcs::{GcsInput, GcsOutput};
use batch_model::BatchPredictionJob;
use bytes::Bytes;

use crate::setup::{Setup, client_at, uri};

async fn write(store: &GcsInput, length: usize) -> batch_backend::Error {
    let mut sink = store.create("x.jsonl", &Columns::default()).await.unwrap();
    match sink.write(Bytes::from(vec![b'x'; length])).await {
        Err(error) => error,
        Ok(()) => sink.finish().await.unwrap_err(),
    }
}

#[tokio::test]
async fn a_missing_bucket_comes_with_the_command_that_makes_it() {
    let setup = Setup::new().await;
    let gcs = setup.gcs.clone().for_jobs_in(&"us-central1".parse().unwrap());
    let input = GcsInput::new(gcs.clone(), uri("gs://nowhere/in"));
    let output = GcsOutput::new(gcs, uri("gs://nowhere/out"));
    let errors = [
        input.find("x.jsonl").await.unwrap_err(),
        write(&input, 10).await,
        write(&input, 20 << 20).await,
        output.open("x", &BatchPredictionJob::default()).await.err().unwrap(),
        output.remove("x").await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), Kind::NotFound);
        assert_eq!(
            error.hint(),
            Some("create the bucket: `gcloud storage buckets create gs://nowhere --location=us-central1`"),
            "{error}"
        );
        assert!(error.resource().starts_with("gs://nowhere/"), "{error}");
    }
}

#[tokio::test]
async fn a_missing_permission_comes_with_the_role_and_the_command() {
    let setup = Setup::new().await;
    setup.put("runs/out/x/predictions.jsonl", "{}\n").await;
    let mut source = setup.output.open("x", &BatchPredictionJob::default()).await.unwrap();
    setup.fault("storage-403", 1_000);
    let errors = [
        setup.input.find("x.jsonl").await.unwrap_err(),
        write(&setup.input, 10).await,
        write(&setup.input, 20 << 20).await,
        setup.output.open("x", &BatchPredictionJob::default()).await.err().unwrap(),
        source.next().await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), Kind::PermissionDenied, "{error}");
        assert_eq!(error.attempts(), 1, "{error}");
        let hint = error.hint().unwrap();
        assert!(hint.contains("gs://news ") && hint.contains("roles/storage.objectUser"), "{hint}");
        let service = error.service().unwrap();
        assert_eq!(service.http_status, 403);
        assert!(hint.contains("--member=user:emulator@example.com"), "{hint}");
        assert!(service.message.is_some() || service.body.is_some(), "{error:?}");
    }
}

#[tokio::test]
async fn a_refused_connection_ends_after_the_attempts() {
    // A port that was free a moment ago.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let gcs = client_at(&format!("http://{address}")).await;
    let input = GcsInput::new(gcs.clone(), uri("gs://news/in"));
    for error in [input.find("x.jsonl").await.unwrap_err(), write(&input, 10).await, write(&input, 20 << 20).await] {
        assert_eq!((error.kind(), error.attempts()), (Kind::Unavailable, 4), "{error:?}");
        let cause = std::error::Error::source(&error).expect("a cause");
        let mut chain = cause.to_string();
        let mut next = cause.source();
        while let Some(cause) = next {
            chain += &format!(": {cause}");
            next = cause.source();
        }
        assert!(chain.contains("refused"), "{chain}");
    }
}

#[tokio::test]
async fn buckets_are_made_once() {
    let setup = Setup::new().await;
    assert_eq!(setup.gcs.bucket_location("batches").await.unwrap(), None);
    assert!(setup.gcs.ensure_bucket("demo", "batches", "us-central1").await.unwrap());
    assert!(!setup.gcs.ensure_bucket("demo", "batches", "europe-west1").await.unwrap());
    assert_eq!(setup.gcs.bucket_location("batches").await.unwrap().as_deref(), Some("us-central1"));
}

#[tokio::test]
async fn a_small_object_has_a_limit() {
    let setup = Setup::new().await;
    setup.put("a.jsonl", "{}").await;
    assert_eq!(setup.gcs.read_small(&uri("gs://news/a.jsonl"), 2).await.unwrap(), "{}");
    let kind = |result: batch_backend::Result<Bytes>| result.unwrap_err().kind();
    assert_eq!(kind(setup.gcs.read_small(&uri("gs://news/a.jsonl"), 1).await), Kind::FailedPrecondition);
    assert_eq!(kind(setup.gcs.read_small(&uri("gs://news/b.json"), 1).await), Kind::NotFound);
}
