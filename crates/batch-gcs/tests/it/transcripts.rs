//! Transcripts of `fixtures/wire/storage/`: we are served the replies, and have to send the requests.
//! The emulator's tests send the same requests, and get the same replies.

use batch_backend::{Columns, InputStore, Kind, OutputStore, StagedSize};
use batch_gcs::{GcsClient, GcsInput, GcsOutput};
use batch_model::BatchPredictionJob;
use serde_json::Value;

use crate::{
    script::{Script, transcript},
    setup::{client_at, uri},
};

fn read(name: &str) -> Value {
    transcript("storage", name)
}

/// A server that plays some transcripts, and a client of it.
async fn play(names: &[&str]) -> (Script, GcsClient) {
    let script = Script::play("storage", names).await;
    let gcs = client_at(&script.url).await;
    (script, gcs)
}

/// Panics unless the requests were those of the transcripts.
#[track_caller]
fn sent(script: &Script, names: &[&str]) {
    let lines: Vec<String> = script.seen().iter().map(|head| head.lines().next().unwrap().to_owned()).collect();
    let line = |name: &&str| {
        let request = &read(name)["request"];
        let line = format!("{} {} HTTP/1.1", request["method"].as_str().unwrap(), request["path"].as_str().unwrap());
        line.to_lowercase()
    };
    assert_eq!(lines, names.iter().map(line).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_bucket_is_made_or_is_somebody_elses() {
    for (second, made) in [("create-bucket", true), ("create-bucket-again", false)] {
        let names = ["get-bucket-missing", second];
        let (script, gcs) = play(&names).await;
        assert_eq!(gcs.ensure_bucket("demo", "wire", "us-central1").await.unwrap(), made);
        sent(&script, &names);
    }
}

#[tokio::test]
async fn an_object_is_found_or_is_not() {
    let (script, gcs) = play(&["get", "get-missing"]).await;
    let store = GcsInput::new(gcs, uri("gs://wire/in"));
    let staged = store.find("x.jsonl").await.unwrap().unwrap();
    assert_eq!(staged.size, StagedSize::Bytes(9));
    assert_eq!(staged.checksum.as_deref(), Some("crc32c=4waSgw=="));
    assert_eq!(store.find("x.jsonl").await.unwrap(), None);
    sent(&script, &["get", "get-missing"]);
}

#[tokio::test]
async fn files_are_listed() {
    let (script, gcs) = play(&["list"]).await;
    let store = GcsOutput::new(gcs, uri("gs://wire"));
    store.open("in", &BatchPredictionJob::default()).await.unwrap();
    sent(&script, &["list"]);
}

#[tokio::test]
async fn a_short_upload_is_checked_by_the_reply() {
    for (name, kind) in [("insert-multipart", None), ("insert-wrong-checksum", Some(Kind::InvalidArgument))] {
        let (script, gcs) = play(&[name]).await;
        let store = GcsInput::new(gcs, uri("gs://wire/in"));
        let mut sink = store.create("x.jsonl", &Columns::default()).await.unwrap();
        sink.write("123456789".into()).await.unwrap();
        match (sink.finish().await, kind) {
            (Ok(staged), None) => assert_eq!(staged.size, StagedSize::Bytes(9)),
            (Err(error), Some(kind)) => assert_eq!(error.kind(), kind, "{error:?}"),
            (other, _) => panic!("{name}: {other:?}"),
        }
        // Google's client says more in its query.
        let (seen, request) = (script.seen(), &read(name)["request"]);
        let path = request["path"].as_str().unwrap().to_lowercase();
        assert!(seen[0].starts_with(&format!("post {path}")), "{seen:#?}");
    }
}

#[tokio::test]
async fn a_long_upload_begins_as_others_do() {
    let (script, gcs) = play(&["resumable-start"]).await;
    let store = GcsInput::new(gcs, uri("gs://wire/in"));
    let mut sink = store.create("z.jsonl", &Columns::default()).await.unwrap();
    // Nobody answers the second request.
    let _ = sink.write(vec![b'x'; 9 << 20].into()).await;
    let _ = sink.write(vec![b'x'; 9 << 20].into()).await;
    let lines: Vec<_> = script.seen().iter().map(|head| head.lines().next().unwrap().to_owned()).collect();
    let path = |name| read(name)["request"]["path"].as_str().unwrap().to_lowercase();
    assert_eq!(lines[0], format!("post {} http/1.1", path("resumable-start")));
    assert_eq!(lines[1], format!("put {} http/1.1", path("resumable-query")));
}
