//! The stores against a server that is running already: the emulator as a program, or somebody else's.
//!
//! `cargo xtask interop --only gcs` starts servers and runs these. By hand, the variable
//! `BATCH_TEST_STORAGE` is the server's URL, and these are run with `--ignored`.

use batch_backend::{Columns, InputStore, Kind, OutputStore, StagedSize, contract};
use batch_gcs::{GcsClient, GcsInput, GcsOutput};
use batch_model::BatchPredictionJob;
use bytes::Bytes;

use crate::setup::{client_at, uri};

/// A client of the server, and a bucket of this test alone.
async fn bucket(name: &str) -> (GcsClient, String) {
    let url = std::env::var("BATCH_TEST_STORAGE").expect("BATCH_TEST_STORAGE is the server's URL");
    let gcs = client_at(&url).await;
    let bucket = format!("batch-test-{name}");
    gcs.ensure_bucket("demo", &bucket, "us-central1").await.unwrap();
    (gcs, bucket)
}

async fn put(gcs: &GcsClient, bucket: &str, object: &str, bytes: &Bytes) {
    let store = GcsInput::new(gcs.clone(), uri(&format!("gs://{bucket}")));
    let mut sink = store.create(object, &Columns::default()).await.unwrap();
    sink.write(bytes.clone()).await.unwrap();
    sink.finish().await.unwrap();
}

/// Bytes that are not the same everywhere.
fn bytes(length: usize) -> Bytes {
    (0..length / 4 + 1).flat_map(|n| (n as u32).wrapping_mul(2_654_435_761).to_le_bytes()).take(length).collect()
}

#[tokio::test]
#[ignore = "needs a storage server at BATCH_TEST_STORAGE"]
async fn buckets_are_made_once() {
    let (gcs, name) = bucket("once").await;
    assert!(!gcs.ensure_bucket("demo", &name, "us-central1").await.unwrap());
    assert!(gcs.bucket_location(&name).await.unwrap().is_some());
    assert_eq!(gcs.bucket_location("batch-test-nowhere").await.unwrap(), None);
}

#[tokio::test]
#[ignore = "needs a storage server at BATCH_TEST_STORAGE"]
async fn the_contract_of_input_holds() {
    let (gcs, bucket) = bucket("input").await;
    let store = GcsInput::new(gcs, uri(&format!("gs://{bucket}/runs/in")));
    contract::input_store(&store, "contract").await;
}

#[tokio::test]
#[ignore = "needs a storage server at BATCH_TEST_STORAGE"]
async fn the_contract_of_input_holds_for_much() {
    let (gcs, bucket) = bucket("much").await;
    let store = GcsInput::new(gcs, uri(&format!("gs://{bucket}/runs/in")));
    contract::large_input(&store, "contract", 25).await;
}

#[tokio::test]
#[ignore = "needs a storage server at BATCH_TEST_STORAGE"]
async fn every_length_arrives_whole() {
    let (gcs, bucket) = bucket("lengths").await;
    let store = GcsInput::new(gcs.clone(), uri(&format!("gs://{bucket}/in")));
    let buffer = 8 << 20;
    for length in [0, 1, buffer, buffer + 1, buffer + (256 << 10), 2 * buffer + 7] {
        let bytes = bytes(length);
        let mut sink = store.create("日本/x.jsonl", &Columns::default()).await.unwrap();
        sink.write(bytes.clone()).await.unwrap();
        let staged = sink.finish().await.unwrap();
        assert_eq!(staged.size, StagedSize::Bytes(length as u64));
        let back = gcs.read_small(&uri(staged.input.uris()[0]), usize::MAX).await.unwrap();
        assert!(back == bytes, "{length} bytes came back as others");
    }
}

#[tokio::test]
#[ignore = "needs a storage server at BATCH_TEST_STORAGE"]
async fn predictions_are_read_and_removed() {
    let (gcs, bucket) = bucket("output").await;
    let store = GcsOutput::new(gcs.clone(), uri(&format!("gs://{bucket}/out")));
    let folder = "prediction-model-2026-11-21T03:00:00.123456Z";
    let large = bytes(3_000_000);
    put(&gcs, &bucket, &format!("out/s0/{folder}/predictions.jsonl"), &large).await;
    put(&gcs, &bucket, &format!("out/s0/{folder}/errors.jsonl"), &Bytes::new()).await;
    let mut job = BatchPredictionJob::default();
    job.create_time = Some("2026-11-21T03:00:00.123456Z".to_owned());
    let files = contract::output_store(&store, "s0", &job).await;
    let names: Vec<_> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.len())).collect();
    assert_eq!(names, [("errors.jsonl", 0), ("predictions.jsonl", 3_000_000)]);
    assert!(files[1].1 == large);
    store.remove("s0").await.unwrap();
    assert!(contract::output_store(&store, "s0", &job).await.is_empty());
    store.remove("s0").await.unwrap();
}

#[tokio::test]
#[ignore = "needs a storage server at BATCH_TEST_STORAGE"]
async fn more_files_than_a_page_are_listed() {
    let (gcs, bucket) = bucket("pages").await;
    let store = GcsOutput::new(gcs.clone(), uri(&format!("gs://{bucket}/out")));
    let count = 1_003;
    for n in 0..count {
        let object = format!("out/p/prediction-model-1/predictions.jsonl-{n:05}-of-{count:05}");
        put(&gcs, &bucket, &object, &Bytes::from_static(b"x")).await;
    }
    let files = contract::output_store(&store, "p", &BatchPredictionJob::default()).await;
    assert_eq!(files.len(), count);
}

#[tokio::test]
#[ignore = "needs a storage server at BATCH_TEST_STORAGE"]
async fn what_is_not_there_is_not_found() {
    let (gcs, bucket) = bucket("none").await;
    let store = GcsInput::new(gcs.clone(), uri(&format!("gs://{bucket}/in")));
    assert_eq!(store.find("none.jsonl").await.unwrap(), None);
    let nowhere = GcsInput::new(gcs.clone(), uri("gs://batch-test-nowhere/in"));
    assert_eq!(nowhere.find("none.jsonl").await.unwrap_err().kind(), Kind::NotFound);
    let missing = uri(&format!("gs://{bucket}/none.json"));
    assert_eq!(gcs.read_small(&missing, 10).await.unwrap_err().kind(), Kind::NotFound);
}
