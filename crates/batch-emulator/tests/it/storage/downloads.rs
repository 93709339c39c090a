//! The bytes of objects.

use super::{Service, crc32c, noise, object, request};

#[tokio::test]
async fn a_download_has_the_headers_that_clients_insist_on() {
    let service = Service::start().await;
    service.put("a", "hello").await;
    let patch =
        serde_json::json!({"contentDisposition": "inline", "cacheControl": "no-store", "contentLanguage": "ja"});
    service.send(&request("PATCH", &object("a")).json(&patch)).await.ok();
    let reply = service.get(&format!("/download{}?alt=media", object("a"))).await;
    let mut lines: Vec<_> = reply.head.lines().filter(|line| !line.starts_with("date:")).collect();
    lines[1..].sort_unstable();
    insta::assert_snapshot!("download", lines.join("\n"));
    assert_eq!(reply.body, b"hello");

    let head = service.send(&request("HEAD", &format!("{}?alt=media", object("a")))).await;
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, Some("5"), 0));
}

#[tokio::test]
async fn ranges_are_as_http_has_them() {
    let service = Service::start().await;
    let data = noise(1_000_000);
    service.put("a", &data).await;
    let path = format!("{}?alt=media", object("a"));
    for (range, expected) in [
        ("bytes=0-9", 0..10),
        ("bytes=300000-699999", 300_000..700_000),
        ("bytes=999990-", 999_990..1_000_000),
        ("bytes=-7", 999_993..1_000_000),
        ("bytes=999999-2000000", 999_999..1_000_000),
    ] {
        let reply = service.send(&request("GET", &path).header("Range", range)).await;
        assert_eq!(reply.status, 206, "{range}");
        let content_range = format!("bytes {}-{}/1000000", expected.start, expected.end - 1);
        assert_eq!(reply.header("content-range"), Some(content_range.as_str()));
        // The checksum is that of the object, not of the range.
        assert!(reply.header("x-goog-hash").unwrap().starts_with(&format!("crc32c={},md5=", crc32c(&data))));
        assert!(reply.body == data[expected], "{range}");
    }
    for range in ["bytes=1000000-", "bytes=5000000-6000000", "bytes=-0"] {
        let reply = service.send(&request("GET", &path).header("Range", range)).await;
        assert_eq!((reply.status, reply.header("content-range")), (416, Some("bytes */1000000")), "{range}");
        assert_eq!(reply.text(), "Request range not satisfiable");
    }
    let reply = service.send(&request("GET", &path).header("Range", "lines=1-2")).await;
    assert_eq!((reply.status, reply.body.len()), (200, 1_000_000));
}

#[tokio::test]
async fn refused_downloads_are_plain_text() {
    let service = Service::start().await;
    let reply = service.get(&format!("{}?alt=media", object("none/a"))).await;
    assert_eq!((reply.status, reply.text()), (404, "No such object: bucket/none/a"));
    assert_eq!(reply.header("content-type"), Some("text/html; charset=UTF-8"));
    let reply = service.get("/storage/v1/b/none/o/a?alt=media").await;
    assert_eq!((reply.status, reply.text()), (404, "The specified bucket does not exist."));
}

#[tokio::test]
async fn bytes_are_sent_as_they_are_stored() {
    let service = Service::start().await;
    let path = "/upload/storage/v1/b/bucket/o?uploadType=media&name=a&contentEncoding=gzip";
    service.send(&request("POST", path).body(b"\x1f\x8b not really")).await.ok();
    let reply = service.get(&format!("{}?alt=media", object("a"))).await;
    assert_eq!(reply.body, b"\x1f\x8b not really");
    assert_eq!(reply.header("content-encoding"), Some("gzip"));
    assert_eq!(reply.header("x-goog-stored-content-encoding"), Some("gzip"));
}

#[tokio::test]
async fn the_path_of_the_xml_api_reads_too() {
    let service = Service::start().await;
    service.put("dir/a b", "data").await;
    let reply = service.get("/bucket/dir/a%20b").await;
    assert_eq!((reply.status, reply.text()), (200, "data"));
    assert_eq!(service.get("/bucket/none").await.text(), "No such object: bucket/none");
    // Where there is no such bucket, nothing says that the path means one.
    assert_eq!(service.get("/none/a").await.json()["error"]["status"], "NOT_FOUND");
}
