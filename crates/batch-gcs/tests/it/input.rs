//! Request lines into the emulator.

use batch_backend::{Columns, InputStore, Kind, Staged, StagedSize, contract};
use batch_gcs::GcsInput;
use batch_model::InputConfig;
use bytes::Bytes;

use crate::setup::{Setup, uri};

/// Bytes that are not the same everywhere, so that a piece at a wrong place shows.
fn bytes(length: usize) -> Bytes {
    (0..length / 4 + 1).flat_map(|n| (n as u32).wrapping_mul(2_654_435_761).to_le_bytes()).take(length).collect()
}

async fn stage(setup: &Setup, name: &str, bytes: &Bytes) -> batch_backend::Result<Staged> {
    let mut sink = setup.input.create(name, &Columns::default()).await?;
    let mut rest = bytes.clone();
    while !rest.is_empty() {
        sink.write(rest.split_to(rest.len().min(3_000_000))).await?;
    }
    sink.finish().await
}

async fn read_back(setup: &Setup, staged: &Staged) -> Bytes {
    setup.gcs.read_small(&uri(staged.input.uris()[0]), usize::MAX).await.unwrap()
}

#[tokio::test]
async fn the_contract_holds() {
    let setup = Setup::new().await;
    contract::input_store(&setup.input, "contract").await;
    assert_eq!(setup.input.to_string(), "gs://news/runs/in");
}

#[tokio::test]
async fn the_contract_holds_for_much() {
    let setup = Setup::new().await;
    contract::large_input(&setup.input, "contract", 25).await;
}

#[tokio::test]
async fn every_length_around_a_buffer_arrives_whole() {
    let setup = Setup::new().await;
    let buffer = 8 << 20;
    for length in [0, 1, buffer - 1, buffer, buffer + 1, buffer + (256 << 10), 2 * buffer, 2 * buffer + 7] {
        let bytes = bytes(length);
        let staged = stage(&setup, "lengths.jsonl", &bytes).await.unwrap();
        assert_eq!(staged.size, StagedSize::Bytes(length as u64));
        assert!(read_back(&setup, &staged).await == bytes, "{length} bytes came back as others");
        assert_eq!(setup.input.find("lengths.jsonl").await.unwrap(), Some(staged));
    }
}

#[tokio::test]
async fn a_staged_object_is_described_as_the_service_does() {
    let setup = Setup::new().await;
    let staged = stage(&setup, "/日本/a.jsonl", &Bytes::from_static(b"123456789")).await.unwrap();
    assert_eq!(staged.input, InputConfig::gcs(["gs://news/runs/in/日本/a.jsonl"]));
    // The check value of CRC32C, e3069283, in Base64.
    assert_eq!(staged.checksum.as_deref(), Some("crc32c=4waSgw=="));
}

#[tokio::test]
async fn a_broken_upload_goes_on_where_it_broke() {
    let setup = Setup::new().await;
    let bytes = bytes(20 << 20);
    for fault in ["cut-upload", "lost-upload-response", "storage-503", "storage-429"] {
        setup.fault(fault, 2);
        let staged = stage(&setup, "cut.jsonl", &bytes).await.unwrap();
        assert!(read_back(&setup, &staged).await == bytes, "{fault} changed what was written");
        assert!(setup.emulator.faults().remaining().is_empty(), "{fault} did not happen");
    }
}

#[tokio::test]
async fn a_broken_small_upload_is_made_again() {
    let setup = Setup::new().await;
    let bytes = bytes(1 << 20);
    for fault in ["cut-upload", "lost-upload-response", "storage-503"] {
        setup.fault(fault, 2);
        let staged = stage(&setup, "small.jsonl", &bytes).await.unwrap();
        assert!(read_back(&setup, &staged).await == bytes, "{fault} changed what was written");
        assert!(setup.emulator.faults().remaining().is_empty(), "{fault} did not happen");
    }
}

#[tokio::test]
async fn an_upload_whose_every_last_reply_is_lost_is_found_to_be_there() {
    let setup = Setup::new().await;
    let bytes = bytes(9 << 20);
    // As many as there are attempts.
    setup.fault("lost-upload-response", 4);
    let staged = stage(&setup, "lost.jsonl", &bytes).await.unwrap();
    assert!(setup.emulator.faults().remaining().is_empty());
    assert_eq!(setup.input.find("lost.jsonl").await.unwrap(), Some(staged));
}

#[tokio::test]
async fn an_upload_that_fails_says_so_and_leaves_nothing() {
    let setup = Setup::new().await;
    setup.fault("cut-upload", 1_000);
    let error = stage(&setup, "never.jsonl", &bytes(40 << 20)).await.unwrap_err();
    setup.fault("cut-upload", 0);
    assert_eq!(error.kind(), Kind::Unavailable);
    assert_eq!(error.attempts(), 4);
    assert_eq!(error.resource(), "gs://news/runs/in/never.jsonl");
    assert_eq!(setup.input.find("never.jsonl").await.unwrap(), None);
}

#[tokio::test]
async fn a_sink_that_failed_stays_failed() {
    let setup = Setup::new().await;
    let mut sink = setup.input.create("never.jsonl", &Columns::default()).await.unwrap();
    setup.fault("storage-403", 1_000);
    let piece = bytes(9 << 20);
    sink.write(piece.clone()).await.unwrap();
    let failed = sink.write(piece.clone()).await.unwrap_err();
    assert_eq!(failed.kind(), Kind::PermissionDenied);
    setup.fault("storage-403", 0);
    let again = sink.write(piece).await.unwrap_err();
    assert_eq!(again.kind(), Kind::FailedPrecondition);
    assert_eq!(sink.finish().await.unwrap_err().kind(), Kind::FailedPrecondition);
    assert_eq!(setup.input.find("never.jsonl").await.unwrap(), None);
}

#[tokio::test]
async fn an_aborted_upload_is_cancelled_at_the_service() {
    let setup = Setup::new().await;
    let mut sink = setup.input.create("never.jsonl", &Columns::default()).await.unwrap();
    for _ in 0..3 {
        sink.write(bytes(8 << 20)).await.unwrap();
    }
    sink.abort().await.unwrap();
    assert_eq!(setup.requests("DELETE", "upload_id="), 1);
    assert_eq!(setup.input.find("never.jsonl").await.unwrap(), None);
}

#[tokio::test]
async fn a_dropped_sink_stages_nothing() {
    let setup = Setup::new().await;
    for length in [10, 17 << 20] {
        let mut sink = setup.input.create("never.jsonl", &Columns::default()).await.unwrap();
        sink.write(bytes(length)).await.unwrap();
        drop(sink);
        assert_eq!(setup.input.find("never.jsonl").await.unwrap(), None);
    }
}

#[tokio::test]
async fn only_what_was_staged_here_is_removed() {
    let setup = Setup::new().await;
    setup.put("runs/other.jsonl", "x").await;
    setup.put("runs/in/a.jsonl", "x").await;
    let refused = ["gs://news/runs/other.jsonl", "gs://elsewhere/runs/in/a.jsonl", "gs://news/runs/in/*", "bq://p.d.t"];
    for uri in refused {
        let staged = Staged { input: InputConfig::gcs([uri]), size: StagedSize::Bytes(1), checksum: None };
        let error = setup.input.remove(&staged).await.unwrap_err();
        assert_eq!((error.kind(), error.resource()), (Kind::InvalidArgument, uri));
    }
    assert_eq!(setup.requests("DELETE", ""), 0);
}

#[tokio::test]
async fn names_that_the_service_would_take_for_patterns_are_refused() {
    let setup = Setup::new().await;
    for name in ["", "/", "folder/", "a*.jsonl", "a?.jsonl"] {
        let error = setup.input.create(name, &Columns::default()).await.err().unwrap();
        assert_eq!(error.kind(), Kind::InvalidArgument, "{name:?}");
    }
    let whole_bucket = GcsInput::new(setup.gcs.clone(), uri("gs://news"));
    contract::input_store(&whole_bucket, "top").await;
    assert_eq!(whole_bucket.to_string(), "gs://news");
}
