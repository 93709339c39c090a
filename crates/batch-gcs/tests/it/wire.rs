//! What no emulator does on purpose: wrong checksums, lost sessions, odd replies. And the login.

use batch_backend::{Columns, InputStore, Kind, OutputStore, Result, Staged};
use batch_gcs::{GcsClient, GcsInput, GcsOutput};
use batch_http::Credentials;
use batch_model::BatchPredictionJob;

use crate::{
    script::Script,
    setup::{client_at, client_with, uri},
};

const SESSION: (&str, &str) = ("200 OK\r\nlocation: {url}/session?upload_id=1", "");
const INCOMPLETE: (&str, &str) = ("308 Resume Incomplete", "");
/// The length is right, the checksum is not.
const WRONG: &str = r#"{"name":"in/x","bucket":"news","generation":"7","size":"3","crc32c":"AAAAAA=="}"#;

async fn write(gcs: GcsClient, length: usize) -> Result<Staged> {
    let store = GcsInput::new(gcs, uri("gs://news/in"));
    let mut sink = store.create("x", &Columns::default()).await?;
    sink.write(vec![b'x'; length].into()).await?;
    sink.finish().await
}

fn first_lines(script: &Script) -> Vec<String> {
    script.seen().iter().map(|head| head.lines().next().unwrap().to_owned()).collect()
}

fn ranges(script: &Script) -> Vec<String> {
    let range = |head: &String| head.lines().find_map(|line| line.strip_prefix("content-range: ").map(str::to_owned));
    script.seen().iter().filter_map(range).collect()
}

#[tokio::test]
async fn what_arrived_wrong_is_deleted_and_told() {
    let script = Script::start(&[("200 OK", WRONG), ("204 No Content", "")]).await;
    let error = write(client_at(&script.url).await, 3).await.unwrap_err();
    assert_eq!(error.kind(), Kind::DataLoss);
    assert_eq!(first_lines(&script)[1], "delete /storage/v1/b/news/o/in%2fx.jsonl?ifgenerationmatch=7 http/1.1");

    let pieces = [INCOMPLETE; 4];
    let answers = [&[SESSION], &pieces[..], &[("200 OK", WRONG), ("204 No Content", "")]].concat();
    let script = Script::start(&answers).await;
    let error = write(client_at(&script.url).await, (8 << 20) + 3).await.unwrap_err();
    assert_eq!(error.kind(), Kind::DataLoss);
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(
        cause.starts_with("8388611 bytes with the CRC32C ") && cause.contains(", 3 bytes with 00000000"),
        "{cause}"
    );
    assert!(first_lines(&script).last().unwrap().starts_with("delete "));
}

#[tokio::test]
async fn pieces_grow_and_follow_each_other() {
    let script = Script::start(&[&[SESSION], &[INCOMPLETE; 4][..], &[("200 OK", WRONG)]].concat()).await;
    write(client_at(&script.url).await, (8 << 20) + 3).await.unwrap_err();
    assert_eq!(
        ranges(&script),
        [
            "bytes 0-1048575/*",
            "bytes 1048576-3145727/*",
            "bytes 3145728-7340031/*",
            "bytes 7340032-8388607/*",
            "bytes 8388608-8388610/8388611"
        ]
    );
}

#[tokio::test]
async fn what_the_service_did_not_keep_is_sent_again() {
    // As Google's servers answer instead of 308, when asked to.
    let kept = |range: &'static str| (range, "");
    let script = Script::start(&[
        SESSION,
        kept("200 OK\r\nx-http-status-code-override: 308\r\nrange: bytes=0-524287"),
        kept("200 OK\r\nx-http-status-code-override: 308\r\nrange: bytes=0-2621439"),
        kept("200 OK\r\nx-http-status-code-override: 308\r\nrange: bytes=0-2621439"),
        kept("200 OK\r\nx-http-status-code-override: 308\r\nrange: bytes=0-8388607"),
        ("200 OK", WRONG),
    ])
    .await;
    write(client_at(&script.url).await, (8 << 20) + 3).await.unwrap_err();
    assert_eq!(
        ranges(&script),
        [
            "bytes 0-1048575/*",
            "bytes 524288-2621439/*",
            "bytes 2621440-6815743/*",
            "bytes 2621440-8388607/*",
            "bytes 8388608-8388610/8388611"
        ]
    );
}

#[tokio::test]
async fn a_service_that_keeps_nothing_is_given_up() {
    let nothing = ("200 OK\r\nx-http-status-code-override: 308", "");
    let script = Script::start(&[&[SESSION], &[nothing; 5][..]].concat()).await;
    let error = write(client_at(&script.url).await, 20 << 20).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);

    let more = ("200 OK\r\nx-http-status-code-override: 308\r\nrange: bytes=0-99999999", "");
    let script = Script::start(&[SESSION, more]).await;
    let error = write(client_at(&script.url).await, 20 << 20).await.unwrap_err();
    assert_eq!(error.kind(), Kind::BadReply);
}

#[tokio::test]
async fn a_lost_session_is_told_as_what_it_is() {
    let script = Script::start(&[SESSION, INCOMPLETE, ("404 Not Found", "")]).await;
    let error = write(client_at(&script.url).await, 20 << 20).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(error.hint().unwrap().contains("lost the unfinished upload"), "{error:?}");
}

#[tokio::test]
async fn a_server_that_does_not_say_what_is_missing_is_asked_once_more() {
    let script =
        Script::start(&[("404 Not Found", "{}"), ("200 OK", "{}"), ("404 Not Found", "{}"), ("404 Not Found", "{}")])
            .await;
    let store = GcsInput::new(client_at(&script.url).await, uri("gs://news/in"));
    assert_eq!(store.find("x").await.unwrap(), None);
    let error = store.find("x").await.unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
    assert!(error.hint().unwrap().starts_with("create the bucket"));
}

#[tokio::test]
async fn a_listing_that_never_ends_is_an_error() {
    let page = r#"{"nextPageToken":"again"}"#;
    let script = Script::start(&[("200 OK", page), ("200 OK", page)]).await;
    let store = GcsOutput::new(client_at(&script.url).await, uri("gs://news/out"));
    let error = store.open("x", &BatchPredictionJob::default()).await.err().unwrap();
    assert_eq!(error.kind(), Kind::BadReply);
}

#[tokio::test]
async fn odd_replies_are_errors() {
    for body in ["", "[]", r#"{"size":"many","generation":"1"}"#, r#"{"size":"1","generation":"1","crc32c":"x"}"#] {
        let script = Script::start(&[("200 OK", body)]).await;
        let store = GcsInput::new(client_at(&script.url).await, uri("gs://news/in"));
        assert_eq!(store.find("x").await.unwrap_err().kind(), Kind::BadReply, "{body}");
    }
    let script = Script::start(&[("200 OK", "")]).await;
    let error = write(client_at(&script.url).await, 20 << 20).await.unwrap_err();
    assert_eq!(error.kind(), Kind::BadReply, "no address for the upload");
}

#[tokio::test]
async fn both_clients_have_one_login_and_show_it_nowhere() {
    let found = r#"{"name":"in/x","generation":"7","size":"3","crc32c":"T7bKOQ=="}"#;
    let script = Script::start(&[("200 OK", found), ("200 OK", found)]).await;
    let gcs = client_with(&script.url, Credentials::access_token("ya29.secret")).await.unwrap();
    let store = GcsInput::new(gcs.clone(), uri("gs://news/in"));
    store.find("x").await.unwrap();
    // Whether or not the made-up checksum is right, the request was made.
    let _ = write(gcs, 3).await;
    let seen = script.seen();
    assert!(seen.len() >= 2);
    assert!(seen[..2].iter().all(|head| head.contains("authorization: bearer ya29.secret")), "{seen:#?}");
    assert!(!format!("{store:?}").contains("secret"));
}

#[tokio::test]
async fn a_token_goes_nowhere_in_the_open() {
    let refused = client_with("http://storage.example", Credentials::access_token("ya29.secret")).await.unwrap_err();
    assert_eq!(refused.kind(), Kind::FailedPrecondition);
}
