//! What a data directory keeps.

use std::fs;
use std::path::Path;

use batch_emulator::{Config, Emulator, ErrorKind};
use serde_json::json;

use super::{BLOCK, Service, noise, object, request};

/// The files below a directory whose names end so.
fn files(dir: &Path, ending: &str) -> usize {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| match path.is_dir() {
            true => files(&path, ending),
            false => usize::from(path.to_str().unwrap().ends_with(ending)),
        })
        .sum()
}

#[tokio::test]
async fn buckets_and_objects_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let service = Service::at(dir.path()).await;
    let bucket = request("POST", "/storage/v1/b?project=p").json(&json!({"name": "made", "labels": {"a": "b"}}));
    service.send(&bucket).await.ok();
    service.put("gone", "1").await;
    service.send(&request("DELETE", &object("gone"))).await;
    service.put("dir/a:日", "1").await;
    let data = noise(300_000);
    let written = service.put("dir/a:日", &data).await;
    let patch = request("PATCH", &object("dir/a:日")).json(&json!({"metadata": {"k": "v"}}));
    let patched = service.send(&patch).await.ok();
    let url = service.emulator.url().to_owned();
    service.emulator.shutdown().await;
    assert_eq!(files(dir.path(), ".body"), 1, "what was replaced or deleted leaves no file");

    let service = Service::at(dir.path()).await;
    let mut after = service.get(&object("dir/a:日")).await.ok();
    for link in ["selfLink", "mediaLink"] {
        // A new port.
        let old = after[link].as_str().unwrap().replace(service.emulator.url(), &url);
        after[link] = old.into();
    }
    assert_eq!(after, patched);
    assert!(service.read("dir/a:日").await == data);
    assert_eq!(service.get("/storage/v1/b/made").await.ok()["labels"], json!({"a": "b"}));
    assert_eq!(service.get(&object("gone")).await.status, 404);
    // The clock is at its start again, and generations grow all the same.
    let next = service.put("dir/a:日", "2").await;
    assert!(next["generation"].as_str().unwrap() > written["generation"].as_str().unwrap());
}

#[tokio::test]
async fn an_unfinished_upload_goes_on_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let service = Service::at(dir.path()).await;
    let start = "/upload/storage/v1/b/bucket/o?uploadType=resumable&name=a";
    let begin = async |service: &Service| {
        let reply = service.send(&request("POST", start).json(&json!({"contentType": "x/y"}))).await;
        reply.header("location").unwrap().strip_prefix(service.emulator.url()).unwrap().to_owned()
    };
    let path = begin(&service).await;
    let data = noise(BLOCK + 5);
    let first = request("PUT", &path).header("Content-Range", &format!("bytes 0-{}/*", BLOCK - 1));
    assert_eq!(service.send(&first.body(&data[..BLOCK])).await.status, 308);
    service.emulator.shutdown().await;

    let service = Service::at(dir.path()).await;
    assert_ne!(begin(&service).await, path, "the same seed draws other identifiers");
    let status = service.send(&request("PUT", &path).header("Content-Range", "bytes */*")).await;
    assert_eq!((status.status, status.header("range")), (308, Some("bytes=0-262143")));
    let range = format!("bytes {BLOCK}-{}/{}", BLOCK + 4, BLOCK + 5);
    let last = request("PUT", &path).header("Content-Range", &range).body(&data[BLOCK..]);
    assert_eq!(service.send(&last).await.ok()["contentType"], "x/y");
    assert!(service.read("a").await == data);
    service.emulator.shutdown().await;

    let service = Service::at(dir.path()).await;
    let done = service.send(&request("PUT", &path).header("Content-Range", "bytes */*")).await;
    assert_eq!(done.ok()["name"], "a", "the end is remembered, too");
}

#[tokio::test]
async fn what_a_kill_leaves_behind_is_swept() {
    let dir = tempfile::tempdir().unwrap();
    let service = Service::at(dir.path()).await;
    service.put("a", "old").await;
    let objects = dir.path().join("storage/buckets/bucket");
    let old: Vec<_> = fs::read_dir(&objects)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| !path.ends_with("bucket.json"))
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    assert_eq!(old.len(), 2);
    service.put("a", "new").await;
    service.emulator.shutdown().await;
    // Killed before the replaced generation was deleted, …
    for (path, bytes) in &old {
        fs::write(path, bytes).unwrap();
    }
    // … before a body had its record, in the middle of a body, and of making a bucket.
    fs::write(objects.join("1.body"), "no record").unwrap();
    fs::write(dir.path().join("storage/tmp/0"), "half").unwrap();
    fs::create_dir(dir.path().join("storage/buckets/half-made")).unwrap();

    let service = Service::at(dir.path()).await;
    assert_eq!(service.read("a").await, b"new");
    assert_eq!(service.get("/storage/v1/b/half-made").await.status, 404);
    assert_eq!((files(dir.path(), ".body"), files(&objects, ".json")), (1, 2));
    assert_eq!(fs::read_dir(dir.path().join("storage/tmp")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_directory_that_cannot_be_used_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let service = Service::at(dir.path()).await;
    let start = || Emulator::start(Config { data: Some(dir.path().to_owned()), ..Config::default() });
    let error = start().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
    assert!(error.to_string().contains(dir.path().to_str().unwrap()), "{error}");
    let source = std::error::Error::source(&error).unwrap();
    assert_eq!(source.to_string(), "another emulator runs on it");
    service.emulator.shutdown().await;

    let record = dir.path().join("storage/buckets/bucket/bucket.json");
    for (text, says) in [("{", "EOF while parsing"), (r#"{"version": 2, "record": {}}"#, "version 2 is not 1")] {
        fs::write(&record, text).unwrap();
        let error = start().await.unwrap_err();
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains("bucket.json") && source.contains(says), "{source}");
    }
}

#[tokio::test]
async fn a_large_object_streams_both_ways() {
    let dir = tempfile::tempdir().unwrap();
    let service = Service::at(dir.path()).await;
    let data = noise(20 << 20);
    let path = "/upload/storage/v1/b/bucket/o?uploadType=media&name=a";
    service.send(&request("POST", path).body(&data).chunked(100_000)).await.ok();
    assert!(service.read("a").await == data);
    // Only once all is read is an object in memory that is not on disk.
    assert_eq!(files(dir.path(), ".body"), 1);
}
