//! The transcripts of `fixtures/wire/`: each request is sent, and the reply has to be the one in the
//! file. The tests of our clients are served the same replies.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use batch_emulator::{Config, Emulator, JobsConfig, ManualClock};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::http::Reply;

const HOUR: Duration = Duration::from_secs(3600);

/// What stood in the place of each placeholder when it was first seen.
type Bound = BTreeMap<String, String>;

#[tokio::test]
async fn jobs() {
    let line = br#"{"key":"r0","request":{"contents":[{"role":"user","parts":[{"text":"A goal"}]}]}}"#;
    let jobs = JobsConfig { queue_delay: HOUR, ..JobsConfig::default() };
    play("jobs", jobs, Some(("news", line))).await;
}

#[tokio::test]
async fn storage() {
    play("storage", JobsConfig::default(), None).await;
}

#[tokio::test]
async fn bigquery() {
    play("bigquery", JobsConfig::default(), None).await;
}

/// Plays a folder in the order of its names, on an emulator with one object.
async fn play(folder: &str, jobs: JobsConfig, object: Option<(&str, &[u8])>) {
    let clock = ManualClock::new(SystemTime::UNIX_EPOCH + Duration::from_micros(1_795_255_200_123_456));
    let buckets = object.iter().map(|(bucket, _)| (*bucket).to_owned()).collect();
    let config = Config { clock: Arc::new(clock.clone()), buckets, jobs, ..Config::default() };
    let emulator = Emulator::start(config).await.unwrap();
    if let Some((bucket, bytes)) = object {
        let path = format!("/upload/storage/v1/b/{bucket}/o?uploadType=media&name=in.jsonl");
        assert_eq!(crate::http::send(emulator.url(), "POST", &path, Some(bytes)).await.unwrap().status, 200);
    }
    let mut bound = Bound::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/wire").join(folder);
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 10, "{files:?}");
    for file in files {
        let exchange: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        clock.advance(Duration::from_secs(exchange["after_seconds"].as_u64().unwrap_or(0)));
        let expected = &exchange["response"];
        let reply = loop {
            let reply = send(&emulator, &exchange["request"], &bound).await;
            // A job comes to its state by itself.
            let state = &expected["body"]["state"];
            if state.is_null() || reply.status != 200 || &reply.json()["state"] == state {
                break reply;
            }
            tokio::task::yield_now().await;
        };
        let name = file.display();
        assert_eq!(reply.status, expected["status"], "{name}: {}", reply.text());
        for (header, value) in expected["headers"].as_object().into_iter().flatten() {
            let (value, actual) = (value.as_str().unwrap(), reply.header(header).unwrap_or_default());
            assert!(matches(value, actual, &mut bound), "{name}: {header}: {actual}");
        }
        if let Some(text) = expected["text"].as_str() {
            assert_eq!(reply.text(), text, "{name}");
        }
        if let Some(body) = expected.get("body") {
            compare(&format!("{name}: "), body, &reply.json(), &mut bound);
        }
    }
}

async fn send(emulator: &Emulator, request: &Value, bound: &Bound) -> Reply {
    let fill = |text: &str| bound.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value));
    let body = match request.get("body") {
        Some(body) => fill(&body.to_string()),
        None => request["text"].as_str().unwrap_or_default().to_owned(),
    };
    let (method, path) = (request["method"].as_str().unwrap(), fill(request["path"].as_str().unwrap()));
    let mut head = format!("{method} {path} HTTP/1.0\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in request["headers"].as_object().into_iter().flatten() {
        head.push_str(&format!("{name}: {}\r\n", fill(value.as_str().unwrap())));
    }
    let mut stream = TcpStream::connect(emulator.addr()).await.unwrap();
    stream.write_all(format!("{head}\r\n{body}").as_bytes()).await.unwrap();
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).await.unwrap();
    let end = reply.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
    let head = String::from_utf8_lossy(&reply[..end]).into_owned();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Reply { status, head, body: reply.split_off(end + 4) }
}

/// Panics unless `actual` is as `expected`, where `{{name}}` stands for anything, the same each time,
/// `{{time}}` for any time, and a member `...` lets others be there.
#[track_caller]
fn compare(place: &str, expected: &Value, actual: &Value, bound: &mut Bound) {
    match (expected, actual) {
        (Value::Object(expected), Value::Object(actual)) => {
            for (name, value) in expected.iter().filter(|(name, _)| *name != "...") {
                let actual = actual.get(name).unwrap_or_else(|| panic!("{place}{name} is missing in {actual:?}"));
                compare(&format!("{place}{name}."), value, actual, bound);
            }
            let other = actual.keys().find(|name| !expected.contains_key(*name));
            assert!(other.is_none() || expected.contains_key("..."), "{place}{other:?} is not in the file");
        }
        (Value::Array(expected), Value::Array(actual)) => {
            assert_eq!(expected.len(), actual.len(), "{place}");
            for (number, (expected, actual)) in expected.iter().zip(actual).enumerate() {
                compare(&format!("{place}{number}."), expected, actual, bound);
            }
        }
        (Value::String(expected), Value::String(actual)) => {
            assert!(matches(expected, actual, bound), "{place} {actual:?} is not {expected:?}");
        }
        _ => assert_eq!(expected, actual, "{place}"),
    }
}

/// Whether a text is as a pattern says; binds placeholders that are seen for the first time.
fn matches(pattern: &str, text: &str, bound: &mut Bound) -> bool {
    let Some((before, rest)) = pattern.split_once("{{") else { return pattern == text };
    let Some((name, after)) = rest.split_once("}}") else { return pattern == text };
    let Some(text) = text.strip_prefix(before) else { return false };
    // Up to what follows the placeholder, or to the end.
    let next = after.split("{{").next().unwrap_or_default();
    let end = if next.is_empty() { text.len() } else { text.find(next).unwrap_or(0) };
    let (value, rest) = text.split_at(end);
    let right = match bound.get(&format!("{{{{{name}}}}}")) {
        _ if name == "time" => value.len() >= 20 && value.starts_with("20") && value.ends_with('Z'),
        Some(known) => known == value,
        None => !value.is_empty(),
    };
    if name != "time" {
        bound.insert(format!("{{{{{name}}}}}"), value.to_owned());
    }
    right && matches(after, rest, bound)
}

#[test]
fn placeholders() {
    let mut bound = Bound::new();
    assert!(matches("projects/{{p}}/jobs/{{j}}", "projects/1/jobs/2", &mut bound));
    assert!(matches("{{j}}", "2", &mut bound));
    for wrong in ["projects/2/jobs/2", "projects/1/jobs/", "projects/1/2", ""] {
        assert!(!matches("projects/{{p}}/jobs/{{j}}", wrong, &mut bound.clone()), "{wrong:?}");
    }
    assert!(matches("at {{time}}, then", "at 2026-11-21T03:00:00.1Z, then", &mut bound));
    assert!(!matches("{{time}}", "yesterday", &mut bound));
}
