//! `POST /batch/storage/v1`: several calls in one request, each a part of a multipart body.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};

use super::call::{Call, invalid};
use super::multipart::{self, Multipart, PartHeaders};
use super::{Storage, serve};
use crate::envelope::ApiError;

/// The most calls in one batch.
const MOST_CALLS: usize = 100;
/// The longest batch, and the longest reply to one of its calls.
const LIMIT: usize = 10 << 20;
/// Separates the replies.
const BOUNDARY: &str = "batch_emulator_reply";

/// Answers each call by itself and puts the replies into one.
pub(super) async fn run(storage: Storage, call: Call, body: Body) -> Result<Response, ApiError> {
    let content_type = call.text_header(&CONTENT_TYPE).unwrap_or_default();
    let boundary = multipart::boundary(content_type)
        .ok_or_else(|| invalid("The content type of a batch must be multipart/mixed."))?;
    let Ok(body) = to_bytes(body, LIMIT).await else {
        return Err(invalid(format!("The batch is longer than {LIMIT} bytes.")));
    };
    let mut parts = Multipart::new(&*body, &boundary);
    let mut calls = Vec::new();
    while let Some(headers) = parts.next_part()? {
        let mut part = Vec::new();
        parts.read_part(&mut part)?;
        calls.push((headers, part));
    }
    if calls.len() > MOST_CALLS {
        return Err(invalid(format!(
            "The batch request contains {} calls; at most {MOST_CALLS} are allowed.",
            calls.len()
        )));
    }
    let mut replies = Vec::new();
    for (headers, part) in calls {
        let response = match parse_call(&part) {
            // A batch in a batch would have no end.
            Ok(request) if request.uri().path().starts_with("/batch") => {
                invalid("A batch cannot contain a batch.").into_response()
            }
            Ok(request) => Box::pin(serve(storage.clone(), request)).await,
            Err(error) => error.into_response(),
        };
        write_reply(&mut replies, &headers, response).await;
    }
    replies.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    let mut response = Response::new(Body::from(replies));
    let content_type = format!("multipart/mixed; boundary={BOUNDARY}");
    if let Ok(content_type) = HeaderValue::from_str(&content_type) {
        response.headers_mut().insert(CONTENT_TYPE, content_type);
    }
    Ok(response)
}

/// Reads `METHOD /path HTTP/1.1`, headers, and a body.
fn parse_call(part: &[u8]) -> Result<Request, ApiError> {
    let wrong = || invalid("A part of the batch is no HTTP request.");
    let (head, body) = split_head(part);
    let head = std::str::from_utf8(head).map_err(|_| wrong())?;
    let mut lines = head.lines();
    let mut words = lines.next().unwrap_or_default().split_ascii_whitespace();
    let (Some(method), Some(uri)) = (words.next(), words.next()) else {
        return Err(wrong());
    };
    let mut request = http::Request::builder().method(method).uri(uri);
    for line in lines {
        let (name, value) = line.split_once(':').ok_or_else(wrong)?;
        request = request.header(name.trim(), value.trim());
    }
    let body = Body::from(body.to_vec());
    request.body(body).map_err(|_| wrong())
}

/// The bytes before and after the first empty line.
fn split_head(part: &[u8]) -> (&[u8], &[u8]) {
    for end in [b"\r\n\r\n".as_slice(), b"\n\n"] {
        if let Some(at) = memchr::memmem::find(part, end) {
            return (&part[..at], &part[at + end.len()..]);
        }
    }
    (part, &[])
}

async fn write_reply(out: &mut Vec<u8>, call: &PartHeaders, response: Response) {
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, LIMIT).await.unwrap_or_default();
    let reason = parts.status.canonical_reason().unwrap_or("Unknown");
    let mut head = format!("--{BOUNDARY}\r\nContent-Type: application/http\r\n");
    if let Some(id) = call.get("content-id") {
        // `<x>` is answered by `<response-x>`.
        let id = id.trim_matches(['<', '>']);
        head.push_str(&format!("Content-ID: <response-{id}>\r\n"));
    }
    head.push_str(&format!("\r\nHTTP/1.1 {} {reason}\r\n", parts.status.as_u16()));
    write_headers(&mut head, &parts.headers, body.len());
    head.push_str("\r\n");
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(&body);
    out.extend_from_slice(b"\r\n");
}

fn write_headers(head: &mut String, headers: &HeaderMap, length: usize) {
    for (name, value) in headers {
        if let Ok(value) = value.to_str()
            && name != CONTENT_LENGTH
        {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    head.push_str(&format!("content-length: {length}\r\n"));
}
