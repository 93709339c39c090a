//! What goes wrong when it is asked for.

use std::io::ErrorKind;

use super::{BLOCK, Service, noise, object, refused, request};

#[tokio::test]
async fn refusals_come_as_often_as_asked_and_in_the_services_words() {
    let service = Service::faulty(&["storage-503=2", "storage-429", "storage-403", "storage-401"]).await;
    let mut seen = Vec::new();
    for _ in 0..6 {
        let reply = service.get("/storage/v1/b/bucket").await;
        let reason = if reply.status == 200 { String::new() } else { refused(&reply).1 };
        seen.push((reply.status, reason, reply.header("retry-after").map(str::to_owned)));
    }
    let of = |status, reason: &str, after: Option<&str>| (status, reason.to_owned(), after.map(str::to_owned));
    let expected = [
        of(401, "authError", None),
        of(403, "forbidden", None),
        of(429, "rateLimitExceeded", Some("1")),
        of(503, "backendError", None),
        of(503, "backendError", None),
        of(200, "", None),
    ];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_refused_download_is_plain_text() {
    let service = Service::faulty(&["storage-403"]).await;
    let reply = service.get(&format!("{}?alt=media", object("a"))).await;
    assert_eq!((reply.status, reply.header("content-type")), (403, Some("text/html; charset=UTF-8")));
    assert!(reply.text().contains("does not have storage.objects access"), "{}", reply.text());
}

#[tokio::test]
async fn a_refused_upload_is_read_to_its_end() {
    let service = Service::faulty(&["storage-503"]).await;
    let upload = request("POST", "/upload/storage/v1/b/bucket/o?uploadType=media&name=a").body(noise(4 << 20));
    // A client that is still sending when the connection closes would not see this.
    assert_eq!(service.send(&upload).await.status, 503);
    assert_eq!(service.send(&upload).await.status, 200);
}

#[tokio::test]
async fn a_cut_upload_leaves_no_object() {
    let service = Service::faulty(&["cut-upload=2"]).await;
    let upload = request("POST", "/upload/storage/v1/b/bucket/o?uploadType=media&name=a").body(noise(1 << 20));
    for upload in [upload.clone(), upload.clone().chunked(10_000)] {
        assert_cut(upload.try_send(service.emulator.url()).await.unwrap_err().kind());
        assert_eq!(service.get(&object("a")).await.status, 404);
    }
    assert_eq!(service.send(&upload).await.ok()["size"], "1048576");
    let statuses: Vec<_> = service.emulator.requests().iter().map(|request| request.status).collect();
    assert_eq!(statuses, [None, Some(404), None, Some(404), Some(200)]);
}

#[tokio::test]
async fn a_cut_chunk_leaves_its_full_blocks() {
    let service = Service::faulty(&["cut-upload"]).await;
    let start = request("POST", "/upload/storage/v1/b/bucket/o?uploadType=resumable&name=a");
    let location = service.send(&start).await.header("location").unwrap().to_owned();
    let path = location.strip_prefix(service.emulator.url()).unwrap();
    let data = noise(5 * BLOCK);
    let range = format!("bytes 0-{}/{}", data.len() - 1, data.len());
    let upload = request("PUT", path).header("Content-Range", &range).body(&data);
    assert_cut(upload.try_send(service.emulator.url()).await.unwrap_err().kind());

    let status = request("PUT", path).header("Content-Range", "bytes */*");
    let kept = service.send(&status).await;
    assert_eq!((kept.status, kept.header("range")), (308, Some("bytes=0-524287")));
    let range = format!("bytes {}-{}/{}", 2 * BLOCK, data.len() - 1, data.len());
    let rest = request("PUT", path).header("Content-Range", &range).body(&data[2 * BLOCK..]);
    service.send(&rest).await.ok();
    assert!(service.read("a").await == data);
}

#[tokio::test]
async fn an_upload_whose_reply_is_lost_is_there() {
    let service = Service::faulty(&["lost-upload-response"]).await;
    let upload = request("POST", "/upload/storage/v1/b/bucket/o?uploadType=media&name=a&ifGenerationMatch=0").body("x");
    assert_cut(upload.try_send(service.emulator.url()).await.unwrap_err().kind());
    assert_eq!(refused(&service.send(&upload).await), (412, "conditionNotMet".to_owned()));
    assert_eq!(service.read("a").await, b"x");
}

#[tokio::test]
async fn downloads_are_cut_and_corrupted() {
    let service = Service::faulty(&["cut-download", "corrupt-download"]).await;
    let data = noise(3 << 20);
    service.put("a", &data).await;
    let read = request("GET", &format!("{}?alt=media", object("a")));
    assert_cut(read.try_send(service.emulator.url()).await.unwrap_err().kind());
    let corrupt = service.send(&read).await.body;
    let differing = corrupt.iter().zip(&data).filter(|(a, b)| a != b).count();
    assert_eq!((corrupt.len(), differing), (data.len(), 1));
    assert!(service.send(&read).await.body == data);
}

#[track_caller]
fn assert_cut(kind: ErrorKind) {
    let cut = [ErrorKind::ConnectionReset, ErrorKind::UnexpectedEof, ErrorKind::BrokenPipe];
    assert!(cut.contains(&kind), "{kind}");
}
