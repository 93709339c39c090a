//! Transcripts of `fixtures/wire/bigquery/`: we are served the replies, and have to send the requests.
//! The emulator's tests send the same requests, and get the same replies.

use batch_backend::{Columns, InputStore, Kind, StagedSize};
use batch_bq::{BqClient, BqInput, FieldKind};

use crate::{
    script::{Script, transcript},
    setup::{client_at, uri},
};

/// What a staged table has in the transcripts.
const LINES: &str = "{\"key\":\"r0\",\"request\":{\"n\":0,\"big\":12345678901234567890,\"x\":null}}\n\
                     {\"key\":\"r1\",\"request\":{\"n\":1,\"big\":12345678901234567890,\"x\":null}}\n\
                     {\"key\":\"r2\",\"request\":{\"n\":2,\"big\":12345678901234567890,\"x\":null}}\n";

/// The calls up to the end of a load job.
const LOAD: [&str; 5] = ["get-dataset", "get-table-missing", "get-job-missing", "resumable-start", "resumable-last"];

async fn play(names: &[&str]) -> (Script, BqClient) {
    let script = Script::play("bigquery", names).await;
    let client = client_at(&script.url).await;
    (script, client)
}

/// Panics unless the requests were those of the transcripts, but for their parameters and for the ids of
/// jobs, which each client chooses.
#[track_caller]
fn sent(script: &Script, names: &[&str]) {
    let plain = |method: &str, path: &str| {
        let segments = path.split('?').next().unwrap_or_default().split('/');
        let is_job = |segment: &str| segment.starts_with("load-") || segment.starts_with("batch-stage-");
        let segments: Vec<_> = segments.map(|segment| if is_job(segment) { "JOB" } else { segment }).collect();
        format!("{} {}", method.to_uppercase(), segments.join("/"))
    };
    let seen = script.seen();
    let seen: Vec<_> = seen
        .iter()
        .map(|head| {
            let mut words = head.split(' ');
            plain(words.next().unwrap(), words.next().unwrap())
        })
        .collect();
    let expected = names.iter().map(|name| {
        let request = &transcript("bigquery", name)["request"];
        plain(request["method"].as_str().unwrap(), request["path"].as_str().unwrap())
    });
    assert_eq!(seen, expected.collect::<Vec<_>>());
}

#[tokio::test]
async fn a_dataset_is_made_or_is_there_or_is_not() {
    let names = ["create-dataset", "create-dataset-again", "get-dataset", "get-dataset-missing"];
    let (script, client) = play(&names).await;
    let dataset = uri("bq://demo.wire");
    assert!(client.ensure_dataset(&dataset, "us-central1").await.unwrap());
    assert!(!client.ensure_dataset(&dataset, "us-central1").await.unwrap());
    assert_eq!(client.dataset(&dataset).await.unwrap().unwrap().location, "us-central1");
    assert!(client.dataset(&dataset).await.unwrap().is_none());
    sent(&script, &names);
}

#[tokio::test]
async fn a_table_is_there_is_deleted_and_is_gone() {
    let names = ["get-table", "delete-table", "get-table-deleted"];
    let (script, client) = play(&names).await;
    let table = uri("bq://demo.wire.in");
    let found = client.table(&table).await.unwrap().unwrap();
    assert_eq!(found.rows, 3);
    assert_eq!(found.field("request").map(|field| &field.kind), Some(&FieldKind::Json));
    assert!(client.delete_table(&table).await.unwrap());
    assert!(client.table(&table).await.unwrap().is_none());
    sent(&script, &names);
}

#[tokio::test]
async fn lines_are_staged_by_a_load_job() {
    let names = [&LOAD[..], &["get-job-done", "label-table"]].concat();
    let (script, client) = play(&names).await;
    let input = BqInput::new(client, uri("bq://demo.wire")).unwrap();
    let mut sink = input.create("in", &Columns::default()).await.unwrap();
    sink.write(LINES.into()).await.unwrap();
    let staged = sink.finish().await.unwrap();
    assert_eq!(staged.size, StagedSize::Rows(3));
    assert_eq!(staged.checksum.as_deref(), Some("xxh3=0f1e2d3c4b5a69788796a5b4c3d2e1f0"));
    sent(&script, &names);
}

#[tokio::test]
async fn a_load_job_that_fails_tells_why() {
    let names = [&LOAD[..], &["get-job-failed"]].concat();
    let (script, client) = play(&names).await;
    let input = BqInput::new(client, uri("bq://demo.wire")).unwrap();
    let mut sink = input.create("in", &Columns::default()).await.unwrap();
    sink.write(LINES.into()).await.unwrap();
    let error = sink.finish().await.unwrap_err();
    assert_eq!(error.kind(), Kind::InvalidArgument);
    assert!(error.to_string().contains("No such field: more"), "{error}");
    sent(&script, &names);
}

#[tokio::test]
async fn rows_come_page_by_page_with_their_json_as_it_was() {
    // Whether the table is the same at the end is looked at.
    let names = ["get-table", "list-rows", "list-rows-last", "get-table"];
    let (script, client) = play(&names).await;
    let mut rows = client.read_table(&uri("bq://demo.wire.in")).await.unwrap();
    let mut lines = Vec::new();
    while let Some(page) = rows.next().await.unwrap() {
        lines.extend_from_slice(&page.lines);
    }
    assert_eq!(String::from_utf8(lines).unwrap(), LINES);
    sent(&script, &names);
}
