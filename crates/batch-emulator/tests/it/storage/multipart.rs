//! Uploads in one request.

use serde_json::json;

use super::wire::Request;
use super::{Service, base64, crc32c, noise, nothing, object, refusal, refused, request};

const UPLOAD: &str = "/upload/storage/v1/b/bucket/o?uploadType=multipart";

/// An upload of parts, each with its headers, whose lines end in `end`.
fn multipart(content_type: &str, boundary: &str, end: &str, parts: &[(&[&str], &[u8])]) -> Request {
    let mut body = Vec::new();
    for (headers, content) in parts {
        let mut head = format!("--{boundary}{end}");
        for header in *headers {
            head.push_str(&format!("{header}{end}"));
        }
        head.push_str(end);
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(end.as_bytes());
    }
    body.extend(format!("--{boundary}--{end}").into_bytes());
    request("POST", UPLOAD).header("Content-Type", content_type).body(body)
}

/// The upload of Google's Rust client: form-data parts, the media without a content type.
fn like_rust(metadata: &str, media: &[u8], checksums: Option<&str>) -> Request {
    let boundary = "a".repeat(67);
    let mut parts: Vec<(&[&str], &[u8])> = vec![
        (
            &["Content-Disposition: form-data; name=\"metadata\"", "Content-Type: application/json; charset=utf-8"],
            metadata.as_bytes(),
        ),
        (&["Content-Disposition: form-data; name=\"media\""], media),
    ];
    if let Some(checksums) = checksums {
        parts.push((
            &["Content-Disposition: form-data; name=\"checksums\"", "Content-Type: application/json; charset=utf-8"],
            checksums.as_bytes(),
        ));
    }
    multipart(&format!("multipart/related; boundary={boundary}"), &boundary, "\r\n", &parts).chunked(1000)
}

#[tokio::test]
async fn the_rust_client_writes_form_data_in_chunks_without_a_content_type() {
    let service = Service::start().await;
    let media = noise(100_000);
    let metadata = json!({"name": "in/a.bin", "crc32c": crc32c(&media), "metadata": {"k": "v"}}).to_string();
    let written = service.send(&like_rust(&metadata, &media, None)).await.ok();
    assert_eq!(written["contentType"], "application/octet-stream");
    assert_eq!((&written["size"], &written["metadata"]["k"]), (&json!("100000"), &json!("v")));
    assert!(service.read("in/a.bin").await == media);

    let typed = json!({"name": "b", "contentType": "application/jsonl"}).to_string();
    assert_eq!(service.send(&like_rust(&typed, b"{}\n", None)).await.ok()["contentType"], "application/jsonl");
}

#[tokio::test]
async fn checksums_that_come_after_the_media_are_no_part_of_it() {
    let service = Service::start().await;
    let media = noise(70_000);
    let checksums = json!({"crc32c": crc32c(&media)}).to_string();
    let written = service.send(&like_rust(r#"{"name": "a"}"#, &media, Some(&checksums))).await.ok();
    assert_eq!(written["size"], "70000");
    assert!(service.read("a").await == media);

    let wrong = json!({"crc32c": "AAAAAA=="}).to_string();
    let refused = refusal(&service.send(&like_rust(r#"{"name": "b"}"#, &media, Some(&wrong))).await);
    let message = format!("Provided CRC32C \"AAAAAA==\" doesn't match calculated CRC32C \"{}\".", crc32c(&media));
    assert_eq!(refused, (400, "invalid".to_owned(), message));
    assert_eq!(service.get(&object("b")).await.status, 404);
}

#[tokio::test]
async fn gcloud_ends_lines_with_lf_alone() {
    let service = Service::start().await;
    // A line of the data that ends in CRLF keeps its CR.
    let media = b"1\r\n2\r\n--====\r\n3\r";
    let boundary = "===============7330845974216740156==";
    let upload = multipart(
        &format!("multipart/related; boundary='{boundary}'"),
        boundary,
        "\n",
        &[
            (&["Content-Type: application/json", "MIME-Version: 1.0"], br#"{"name": "a", "bucket": "bucket"}"#),
            (
                &["Content-Type: application/jsonl", "MIME-Version: 1.0", "Content-Transfer-Encoding: binary"],
                media.as_slice(),
            ),
        ],
    );
    let written = service.send(&upload).await.ok();
    assert_eq!(written["contentType"], "application/jsonl");
    assert_eq!(service.read("a").await, media);
}

#[tokio::test]
async fn boundaries_come_quoted_and_bare() {
    let service = Service::start().await;
    let parts: &[(&[&str], &[u8])] =
        &[(&["content-type: application/json"], b"{\"name\": \"a\"}"), (&["content-type: */*"], b"data")];
    for (parameter, boundary) in [
        ("boundary=\"==a b==\"", "==a b=="),
        ("boundary=abc", "abc"),
        ("charset=utf-8; Boundary=abc ; x=y", "abc"),
        ("boundary='abc'", "abc"),
        ("boundary='abc'", "'abc'"),
    ] {
        let upload = multipart(&format!("multipart/related; {parameter}"), boundary, "\r\n", parts);
        assert_eq!(service.send(&upload).await.ok()["size"], "4", "{parameter}");
    }
}

#[tokio::test]
async fn wrong_checksums_are_refused_wherever_they_stand() {
    let service = Service::start().await;
    let media = b"data";
    let md5 = "AAAAAAAAAAAAAAAAAAAAAA==";
    let right = format!(
        "crc32c={},md5={}",
        crc32c(media),
        base64(&[0x8d, 0x77, 0x7f, 0x38, 0x5d, 0x3d, 0xfe, 0xc8, 0x81, 0x5d, 0x20, 0xf7, 0x49, 0x60, 0x26, 0xdc])
    );
    for upload in [
        like_rust(r#"{"name": "a", "crc32c": "AAAAAA=="}"#, media, None),
        like_rust(&json!({"name": "a", "md5Hash": md5}).to_string(), media, None),
        like_rust(r#"{"name": "a"}"#, media, None).header("x-goog-hash", "crc32c=AAAAAA=="),
        request("POST", "/upload/storage/v1/b/bucket/o?uploadType=media&name=a")
            .header("x-goog-hash", &format!("crc32c={}", crc32c(media)))
            .header("x-goog-hash", &format!("md5={md5}"))
            .body(media),
    ] {
        assert_eq!(refused(&service.send(&upload).await), (400, "invalid".to_owned()));
    }
    assert_eq!(service.get(&object("a")).await.status, 404);
    let upload = like_rust(r#"{"name": "a"}"#, media, None).header("x-goog-hash", &right);
    assert_eq!(service.send(&upload).await.ok()["size"], "4");
}

#[tokio::test]
async fn malformed_uploads_say_what_is_wrong() {
    let service = Service::start().await;
    let related = "multipart/related; boundary=b";
    let json: (&[&str], &[u8]) = (&["Content-Type: application/json"], b"{\"name\": \"a\"}");
    let data: (&[&str], &[u8]) = (&[], b"data");
    for (upload, says) in [
        (multipart("text/plain", "b", "\r\n", &[json, data]), "multipart/related with a boundary"),
        (multipart(related, "b", "\r\n", &[json]), "it has no media part"),
        (multipart(related, "c", "\r\n", &[json, data]), "it ends before the first delimiter"),
        (multipart(related, "b", "\r\n", &[json, data, (&[], b"{}"), data]), "more parts than"),
        (multipart(related, "b", "\r\n", &[data, data]), "Parse Error"),
        (multipart(related, "b", "\r\n", &[(&[], b"{}"), data]), "Required parameter: name"),
        (multipart(related, "b", "\r\n", &[json, (&["no colon"], b"")]), "a part header has no colon"),
        (multipart(related, "b", "\r\n", &[json, (&["Content-Transfer-Encoding: BASE64"], b"")]), "base64"),
        (request("POST", "/upload/storage/v1/b/bucket/o?name=a").body("x"), "Required parameter: uploadType"),
    ] {
        let (status, _, message) = refusal(&service.send(&upload).await);
        assert_eq!(status, 400);
        assert!(message.contains(says), "{message}");
    }
    let nowhere = request("POST", "/upload/storage/v1/b/none/o?uploadType=media&name=a").body(noise(1 << 20));
    assert_eq!(refused(&service.send(&nowhere).await), (404, "notFound".to_owned()));
}

#[tokio::test]
async fn media_alone_takes_its_attributes_from_the_request() {
    let service = Service::start().await;
    let path = "/upload/storage/v1/b/bucket/o?uploadType=media&name=a%2Fb&contentEncoding=gzip";
    let upload = request("POST", path).header("Content-Type", "application/jsonl").body("data").chunked(3);
    let written = service.send(&upload).await.ok();
    assert_eq!((&written["contentType"], &written["contentEncoding"]), (&json!("application/jsonl"), &json!("gzip")));
    assert_eq!(service.read("a/b").await, b"data");

    let empty = request("POST", "/storage/v1/b/bucket/o?name=none").json(&nothing());
    assert_eq!(service.send(&empty).await.ok()["size"], "0");
    assert_eq!(service.read("none").await, b"");
}
