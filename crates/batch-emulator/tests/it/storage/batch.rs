//! Several calls in one request.

use super::{Service, object, refusal, request};

#[tokio::test]
async fn each_call_of_a_batch_gets_its_own_reply() {
    let service = Service::start().await;
    service.put("a", "1").await;
    service.put("b", "2").await;
    // As Python's client writes it: bare LF lines, quoted boundary, one call with a body.
    let part = |id: u32, call: &str| {
        format!("--===1==\nContent-Type: application/http\nMIME-Version: 1.0\nContent-ID: <x+{id}>\n\n{call}\n")
    };
    let body = [
        part(0, "DELETE /storage/v1/b/bucket/o/a HTTP/1.1\n\n"),
        part(1, "DELETE /storage/v1/b/bucket/o/none HTTP/1.1\n\n"),
        part(
            2,
            "PATCH /storage/v1/b/bucket/o/b HTTP/1.1\nContent-Type: application/json\n\n{\"contentType\": \"x/y\"}",
        ),
        part(3, "POST /batch/storage/v1 HTTP/1.1\n\n"),
        "--===1==--\n".to_owned(),
    ]
    .concat();
    let batch = request("POST", "/batch/storage/v1").header("Content-Type", "multipart/mixed; boundary=\"===1==\"");
    let reply = service.send(&batch.clone().body(&body)).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), Some("multipart/mixed; boundary=batch_emulator_reply"));
    let replies: Vec<_> = reply
        .text()
        .split("--batch_emulator_reply")
        .filter_map(|part| {
            let id = part.lines().find_map(|line| line.strip_prefix("Content-ID: "))?;
            let status = part.lines().find_map(|line| line.strip_prefix("HTTP/1.1 "))?;
            Some((id.to_owned(), status.to_owned()))
        })
        .collect();
    let expected = [
        ("<response-x+0>", "204 No Content"),
        ("<response-x+1>", "404 Not Found"),
        ("<response-x+2>", "200 OK"),
        ("<response-x+3>", "400 Bad Request"),
    ];
    assert_eq!(replies, expected.map(|(id, status)| (id.to_owned(), status.to_owned())));
    assert_eq!(service.get(&object("a")).await.status, 404);
    assert_eq!(service.get(&object("b")).await.ok()["contentType"], "x/y");

    let many = part(0, "GET /storage/v1/b HTTP/1.1\n\n").repeat(101) + "--===1==--\n";
    let (status, _, message) = refusal(&service.send(&batch.body(&many)).await);
    assert_eq!(status, 400);
    assert!(message.contains("101 calls"), "{message}");
}
