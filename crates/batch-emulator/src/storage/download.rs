//! The bytes of an object, whole or a range of them.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH,
    CONTENT_RANGE, CONTENT_TYPE, ETAG, LAST_MODIFIED, RANGE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use super::body::{self, Harm};
use super::call::{Call, as_text, blocking};
use super::meta::ObjectMeta;
use crate::envelope::ApiError;

/// `GET …/o/{object}?alt=media`. Errors are plain text here, as the service's are.
///
/// Bytes are sent as they are stored: an object with `contentEncoding: gzip` is not
/// unpacked for clients that do not ask for gzip, which the service would do.
pub(super) async fn read(call: Call, bucket: String, name: String) -> Response {
    match try_read(&call, bucket, name).await {
        Ok(response) => response,
        Err(error) if error.status() == StatusCode::NOT_MODIFIED => error.into_response(),
        Err(error) => as_text(&error),
    }
}

async fn try_read(call: &Call, bucket: String, name: String) -> Result<Response, ApiError> {
    let (generation, preconditions) = (call.generation()?, call.preconditions()?);
    let objects = call.context.objects.clone();
    let (meta, source) = blocking(move || objects.reader_of(&bucket, &name, generation)).await?;
    preconditions.check_read(meta.generation, meta.metageneration)?;
    call.check_etag(&meta.etag())?;

    let range = match call.text_header(&RANGE) {
        None => Range::Whole,
        Some(range) => Range::parse(range, meta.size),
    };
    let (status, start, length) = match range {
        Range::Whole => (StatusCode::OK, 0, meta.size),
        Range::Part { first, last } => (StatusCode::PARTIAL_CONTENT, first, last - first + 1),
        Range::Beyond => return Ok(beyond(&meta)),
    };
    let faults = &call.context.faults;
    let harm = if call.method == Method::HEAD || length == 0 {
        Harm::None
    } else if faults.take("cut-download") {
        Harm::Cut
    } else if faults.take("corrupt-download") {
        Harm::Corrupt
    } else {
        Harm::None
    };
    let mut response = if call.method == Method::HEAD || length == 0 {
        Response::new(Body::empty())
    } else {
        Response::new(body::stream(source, start, length, harm))
    };
    *response.status_mut() = status;
    describe(response.headers_mut(), &meta);
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    if status == StatusCode::PARTIAL_CONTENT {
        let range = format!("bytes {start}-{}/{}", start + length - 1, meta.size);
        put(headers, CONTENT_RANGE, &range);
    }
    Ok(response)
}

/// 416, which still tells how long the object is.
fn beyond(meta: &ObjectMeta) -> Response {
    let error = ApiError::storage(
        StatusCode::RANGE_NOT_SATISFIABLE,
        "requestedRangeNotSatisfiable",
        "Request range not satisfiable",
    );
    let mut response = as_text(&error);
    let range = format!("bytes */{}", meta.size);
    put(response.headers_mut(), CONTENT_RANGE, &range);
    response
}

/// The headers that describe an object.
fn describe(headers: &mut HeaderMap, meta: &ObjectMeta) {
    let name = HeaderName::from_static;
    let attributes = &meta.attributes;
    let mut hash = format!("crc32c={}", meta.crc32c_base64());
    if let Some(md5) = meta.md5_base64() {
        hash.push_str(",md5=");
        hash.push_str(&md5);
    }
    let storage_class = attributes.storage_class.as_deref().unwrap_or("STANDARD");
    let encoding = attributes.content_encoding.as_deref().unwrap_or("identity");
    put(headers, name("x-goog-generation"), &meta.generation.to_string());
    put(headers, name("x-goog-metageneration"), &meta.metageneration.to_string());
    put(headers, name("x-goog-hash"), &hash);
    put(headers, name("x-goog-stored-content-length"), &meta.size.to_string());
    put(headers, name("x-goog-stored-content-encoding"), encoding);
    put(headers, name("x-goog-storage-class"), storage_class);
    put(headers, ETAG, &meta.etag());
    put(headers, ACCEPT_RANGES, "bytes");
    let modified = meta.updated.strftime("%a, %d %b %Y %H:%M:%S GMT");
    put(headers, LAST_MODIFIED, &modified.to_string());
    for (name, value) in [
        (CONTENT_TYPE, &attributes.content_type),
        (CONTENT_ENCODING, &attributes.content_encoding),
        (CONTENT_DISPOSITION, &attributes.content_disposition),
        (CONTENT_LANGUAGE, &attributes.content_language),
        (CACHE_CONTROL, &attributes.cache_control),
    ] {
        if let Some(value) = value {
            put(headers, name, value);
        }
    }
}

/// Sets a header, unless the client's value for it cannot stand in one.
fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// What of an object is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Range {
    Whole,
    /// Both ends inclusive.
    Part {
        first: u64,
        last: u64,
    },
    /// No byte of it exists.
    Beyond,
}

impl Range {
    /// Reads `bytes=a-b`, `bytes=a-` or `bytes=-n` for an object of that size. What it
    /// cannot read, several ranges among it, asks for the whole object, as HTTP has it.
    fn parse(header: &str, size: u64) -> Range {
        let Some((first, last)) = header.trim().strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
            return Range::Whole;
        };
        let (first, last) = match (first.trim(), last.trim()) {
            ("", suffix) => match suffix.parse::<u64>() {
                Ok(0) => return Range::Beyond,
                Ok(suffix) => (size.saturating_sub(suffix), u64::MAX),
                Err(_) => return Range::Whole,
            },
            (first, "") => match first.parse() {
                Ok(first) => (first, u64::MAX),
                Err(_) => return Range::Whole,
            },
            (first, last) => match (first.parse::<u64>(), last.parse::<u64>()) {
                (Ok(first), Ok(last)) if first <= last => (first, last),
                _ => return Range::Whole,
            },
        };
        if first >= size {
            return Range::Beyond;
        }
        Range::Part { first, last: last.min(size - 1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_ten_bytes() {
        let part = |first, last| Range::Part { first, last };
        for (header, expected) in [
            ("bytes=0-4", part(0, 4)),
            ("bytes=5-", part(5, 9)),
            ("bytes=-3", part(7, 9)),
            ("bytes=-30", part(0, 9)),
            ("bytes=9-100", part(9, 9)),
            ("bytes=10-", Range::Beyond),
            ("bytes=10-20", Range::Beyond),
            ("bytes=-0", Range::Beyond),
            ("bytes=4-2", Range::Whole),
            ("bytes=0-1,3-4", Range::Whole),
            ("lines=0-1", Range::Whole),
        ] {
            assert_eq!(Range::parse(header, 10), expected, "{header}");
        }
        assert_eq!(Range::parse("bytes=0-", 0), Range::Beyond);
    }
}
