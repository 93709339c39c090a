//! Resumable uploads.

use serde_json::{Value, json};

use super::wire::Request;
use super::{BLOCK, Service, crc32c, noise, object, refusal, refused, request};
use crate::http::Reply;

/// Begins an upload of `a` and returns the path that takes its chunks.
async fn begin(service: &Service, query: &str, metadata: &Value) -> String {
    let path = format!("/upload/storage/v1/b/bucket/o?uploadType=resumable&{query}");
    let reply = service.send(&request("POST", &path).json(metadata)).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let location = reply.header("location").unwrap();
    location.strip_prefix(service.emulator.url()).unwrap().to_owned()
}

/// A request with a part of the bytes.
fn chunk(path: &str, range: &str, bytes: &[u8]) -> Request {
    request("PUT", path).header("Content-Range", range).body(bytes)
}

/// How much is kept: the end of the range of a 308, which must be one.
#[track_caller]
fn kept(reply: &Reply) -> Option<usize> {
    assert_eq!(reply.status, 308, "{}", reply.text());
    let range = reply.header("range")?;
    Some(range.strip_prefix("bytes=0-").unwrap().parse::<usize>().unwrap() + 1)
}

#[tokio::test]
async fn the_location_has_the_port_that_the_host_header_lacks() {
    let service = Service::start().await;
    let path = "/upload/storage/v1/b/bucket/o?uploadType=resumable&name=in%2Ffile";
    let reply = service.send(&request("POST", path)).await;
    let location = reply.header("location").unwrap();
    let expected = format!("{}/upload/storage/v1/b/bucket/o?uploadType=resumable", service.emulator.url());
    assert!(location.starts_with(&format!("{expected}&name=in%2Ffile&upload_id=")), "{location}");
    let gcloud = service.send(&request("POST", &format!("/resumable{path}"))).await;
    assert!(gcloud.header("location").unwrap().starts_with(&expected));

    let proxied = Service::with(|config| config.external_url = Some("https://storage.test:8443/".to_owned())).await;
    let reply = proxied.send(&request("POST", path)).await;
    assert!(reply.header("location").unwrap().starts_with("https://storage.test:8443/upload/"));
}

#[tokio::test]
async fn chunks_of_a_known_size_make_an_object() {
    let service = Service::start().await;
    let data = noise(2 * BLOCK + 5);
    let total = data.len();
    let metadata = json!({"name": "a", "contentType": "application/jsonl", "metadata": {"k": "v"}});
    let path = begin(&service, "", &metadata).await;
    assert_eq!(kept(&service.send(&chunk(&path, "bytes */*", b"")).await), None);
    let first = chunk(&path, &format!("bytes 0-{}/{total}", BLOCK - 1), &data[..BLOCK]).chunked(1000);
    assert_eq!(kept(&service.send(&first).await), Some(BLOCK));
    assert_eq!(service.get(&object("a")).await.status, 404, "nothing is visible before the end");
    assert_eq!(kept(&service.send(&chunk(&path, &format!("bytes */{total}"), b"")).await), Some(BLOCK));
    let rest = chunk(&path, &format!("bytes {BLOCK}-{}/{total}", total - 1), &data[BLOCK..]);
    let written = service.send(&rest).await.ok();
    assert_eq!((&written["size"], &written["crc32c"]), (&json!(total.to_string()), &json!(crc32c(&data))));
    assert_eq!((&written["contentType"], &written["metadata"]), (&json!("application/jsonl"), &json!({"k": "v"})));
    assert!(service.read("a").await == data);
    // Who did not get the last reply asks again.
    assert_eq!(service.send(&chunk(&path, "bytes */*", b"")).await.ok(), written);
}

#[tokio::test]
async fn an_unknown_size_ends_with_the_last_chunk_or_after_it() {
    let service = Service::start().await;
    let data = noise(BLOCK + 9);
    for (length, empty_end) in [(BLOCK, true), (BLOCK + 9, false)] {
        let data = &data[..length];
        let path = begin(&service, "name=a", &json!({})).await;
        let first = chunk(&path, &format!("bytes 0-{}/*", BLOCK - 1), &data[..BLOCK]);
        assert_eq!(kept(&service.send(&first).await), Some(BLOCK));
        let last = if empty_end {
            chunk(&path, &format!("bytes */{length}"), b"")
        } else {
            chunk(&path, &format!("bytes {BLOCK}-{}/{length}", length - 1), &data[BLOCK..])
        };
        assert_eq!(service.send(&last).await.ok()["size"], length.to_string());
        assert!(service.read("a").await == data);
    }
    // All in one, its end known only when it comes; and nothing at all.
    for (range, length) in [("bytes 0-*/*", BLOCK + 9), ("bytes */0", 0)] {
        let path = begin(&service, "name=a", &json!({})).await;
        let upload = chunk(&path, range, &data[..length]).chunked(70_000);
        assert_eq!(service.send(&upload).await.ok()["size"], length.to_string());
    }
    let path = begin(&service, "name=a", &json!({})).await;
    assert_eq!(service.send(&request("PUT", &path).body("whole")).await.ok()["size"], "5");
}

#[tokio::test]
async fn only_full_blocks_are_kept_before_the_end() {
    let service = Service::start().await;
    let data = noise(2 * BLOCK);
    let path = begin(&service, "name=a", &json!({})).await;
    let small = chunk(&path, "bytes 0-99/*", &data[..100]);
    let (status, _, message) = refusal(&service.send(&small).await);
    assert_eq!(status, 400);
    assert!(message.contains("required to be equal or greater than 262144"), "{message}");
    let uneven = chunk(&path, &format!("bytes 0-{}/*", BLOCK + 99), &data[..BLOCK + 100]);
    assert_eq!(kept(&service.send(&uneven).await), Some(BLOCK));
    // What is kept already may come again …
    let again = chunk(&path, &format!("bytes 100-{}/*", 2 * BLOCK - 1), &data[100..]);
    assert_eq!(kept(&service.send(&again).await), Some(2 * BLOCK));
    // … but there must be no hole.
    let ahead = chunk(&path, &format!("bytes {}-{}/*", 3 * BLOCK, 4 * BLOCK - 1), &data[..BLOCK]);
    let (status, _, message) = refusal(&service.send(&ahead).await);
    assert_eq!(status, 503);
    assert!(message.contains("exceeds already uploaded size of 524288 byte(s)"), "{message}");
    service.send(&chunk(&path, &format!("bytes */{}", 2 * BLOCK), b"")).await.ok();
    assert!(service.read("a").await == data);
}

#[tokio::test]
async fn ranges_that_do_not_fit_are_refused_and_change_nothing() {
    let service = Service::start().await;
    let data = noise(BLOCK);
    let path = begin(&service, "name=a", &json!({})).await;
    service.send(&chunk(&path, &format!("bytes 0-{}/*", BLOCK - 1), &data)).await;
    for range in ["bytes 9-5/*", "octets 0-1/2", "bytes */5", &format!("bytes {BLOCK}-{}/*", 3 * BLOCK - 1)] {
        assert_eq!(refused(&service.send(&chunk(&path, range, b"data!")).await).0, 400, "{range}");
        assert_eq!(kept(&service.send(&chunk(&path, "bytes */*", b"")).await), Some(BLOCK), "{range}");
    }
}

#[tokio::test]
async fn a_checksum_may_come_at_the_begin_or_with_the_last_chunk() {
    let service = Service::start().await;
    let data = b"data";
    let hash = |crc32c: &str| format!("crc32c={crc32c}");
    for (begun, ended, expected) in [
        (crc32c(data), crc32c(data), 200),
        ("AAAAAA==".to_owned(), crc32c(data), 400),
        (crc32c(data), "AAAAAA==".to_owned(), 400),
    ] {
        let path = begin(&service, "name=a", &json!({"crc32c": begun})).await;
        let last = chunk(&path, "bytes 0-3/4", data).header("x-goog-hash", &hash(&ended));
        assert_eq!(service.send(&last).await.status, expected);
        if expected == 400 {
            assert_eq!(refused(&service.send(&last).await), (404, "notFound".to_owned()), "the upload is over");
        }
    }
}

#[tokio::test]
async fn conditions_are_checked_at_both_ends() {
    let service = Service::start().await;
    let path = begin(&service, "name=a&ifGenerationMatch=0", &json!({})).await;
    service.put("a", "meanwhile").await;
    let last = chunk(&path, "bytes 0-3/4", b"data");
    assert_eq!(refused(&service.send(&last).await), (412, "conditionNotMet".to_owned()));
    assert_eq!(service.read("a").await, b"meanwhile");
    let start = "/upload/storage/v1/b/bucket/o?uploadType=resumable&name=a&ifGenerationMatch=0";
    assert_eq!(refused(&service.send(&request("POST", start)).await), (412, "conditionNotMet".to_owned()));
    let nowhere = "/upload/storage/v1/b/none/o?uploadType=resumable&name=a";
    assert_eq!(refused(&service.send(&request("POST", nowhere)).await), (404, "notFound".to_owned()));
}

#[tokio::test]
async fn a_cancelled_upload_is_over() {
    let service = Service::start().await;
    let path = begin(&service, "name=a", &json!({})).await;
    assert_eq!(service.send(&request("DELETE", &path)).await.status, 499);
    for request in [request("DELETE", &path), chunk(&path, "bytes 0-3/4", b"data")] {
        assert_eq!(refused(&service.send(&request).await), (404, "notFound".to_owned()));
    }
}

#[tokio::test]
async fn the_announced_type_is_that_of_the_object() {
    let service = Service::start().await;
    let start = request("POST", "/upload/storage/v1/b/bucket/o?uploadType=resumable&name=a")
        .header("X-Upload-Content-Type", "application/jsonl")
        .header("X-Upload-Content-Length", "4");
    let reply = service.send(&start).await;
    let path = reply.header("location").unwrap().strip_prefix(service.emulator.url()).unwrap();
    assert_eq!(service.send(&chunk(path, "bytes 0-3/4", b"data")).await.ok()["contentType"], "application/jsonl");
}
