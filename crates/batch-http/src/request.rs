//! What is sent.

use batch_backend::{Error, Kind, Result};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use crate::{Chunks, Service};

/// What stays as it is in a segment of a path: the unreserved characters, and those that Google's
/// own path syntax uses (`jobs/1:cancel`, `models/2@default`).
const SEGMENT: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':').remove(b'@');

/// A call to make: method, address, body, whether it may be repeated, and what to say where it fails.
///
/// ```
/// use batch_http::{Request, Service};
///
/// let request = Request::get(Service::Storage, ["storage", "v1", "b", "bucket", "o", "in/日本.jsonl"])
///     .query("fields", "name,size")
///     .about("look at", "gs://bucket/in/日本.jsonl");
/// assert_eq!(request.path(), "/storage/v1/b/bucket/o/in%2F%E6%97%A5%E6%9C%AC.jsonl");
/// ```
#[derive(Debug, Clone)]
pub struct Request {
    pub(crate) method: Method,
    pub(crate) service: Service,
    pub(crate) target: Target,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Chunks,
    pub(crate) idempotent: bool,
    pub(crate) doing: String,
    pub(crate) resource: String,
}

/// Where a request goes.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    /// Segments below the service's base URL, not yet encoded.
    Segments(Vec<String>),
    /// A whole URL that the service gave us.
    Url(String),
}

impl Request {
    /// A request for the path that `segments` make below the service's base URL. Each segment is
    /// percent-encoded here: an object's name with slashes in it is one segment.
    ///
    /// `GET`, `HEAD`, `PUT` and `DELETE` count as idempotent, others do not; see
    /// [`idempotent`](Self::idempotent).
    #[must_use]
    pub fn new<S: Into<String>>(method: Method, service: Service, segments: impl IntoIterator<Item = S>) -> Self {
        Self::to(method, service, Target::Segments(segments.into_iter().map(Into::into).collect()))
    }

    /// A request to a URL that the service itself handed out (an upload session).
    #[must_use]
    pub fn to_url(method: Method, service: Service, url: impl Into<String>) -> Self {
        Self::to(method, service, Target::Url(url.into()))
    }

    /// A `GET`.
    #[must_use]
    pub fn get<S: Into<String>>(service: Service, segments: impl IntoIterator<Item = S>) -> Self {
        Self::new(Method::GET, service, segments)
    }

    /// A `POST`; not idempotent unless it is said to be.
    #[must_use]
    pub fn post<S: Into<String>>(service: Service, segments: impl IntoIterator<Item = S>) -> Self {
        Self::new(Method::POST, service, segments)
    }

    /// A `DELETE`.
    #[must_use]
    pub fn delete<S: Into<String>>(service: Service, segments: impl IntoIterator<Item = S>) -> Self {
        Self::new(Method::DELETE, service, segments)
    }

    fn to(method: Method, service: Service, target: Target) -> Self {
        let idempotent = matches!(method, Method::GET | Method::HEAD | Method::PUT | Method::DELETE);
        let doing = method.as_str().to_owned();
        let mut request = Self {
            method,
            service,
            target,
            query: Vec::new(),
            headers: HeaderMap::new(),
            body: Chunks::default(),
            idempotent,
            doing,
            resource: String::new(),
        };
        request.resource = request.path();
        request
    }

    /// Adds a query parameter.
    #[must_use]
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.append(name, value);
        self
    }

    /// Sends `value` as JSON.
    ///
    /// # Errors
    /// `InvalidArgument` where `value` has no JSON form (a map with keys that are no strings).
    pub fn json(self, value: &impl Serialize) -> Result<Self> {
        match serde_json::to_vec(value) {
            Ok(bytes) => Ok(self.body(HeaderValue::from_static("application/json"), bytes)),
            Err(error) => Err(Error::new(Kind::InvalidArgument, &self.doing, &self.resource).with_source(error)),
        }
    }

    /// Sends these bytes.
    #[must_use]
    pub fn body(self, content_type: HeaderValue, bytes: impl Into<Bytes>) -> Self {
        self.chunks(content_type, bytes.into().into())
    }

    /// Sends these bytes, which lie in several places.
    pub(crate) fn chunks(mut self, content_type: HeaderValue, chunks: Chunks) -> Self {
        self.headers.insert(header::CONTENT_TYPE, content_type);
        self.body = chunks;
        self
    }

    /// Says whether making the call twice is the same as making it once. Only then is it repeated
    /// after a failure that leaves open whether the service acted.
    #[must_use]
    pub fn idempotent(mut self, idempotent: bool) -> Self {
        self.idempotent = idempotent;
        self
    }

    /// Says what an error shall call it: what was being done ("get the job") to which resource.
    #[must_use]
    pub fn about(mut self, doing: impl Into<String>, resource: impl Into<String>) -> Self {
        self.doing = doing.into();
        self.resource = resource.into();
        self
    }

    /// The path, percent-encoded, or the whole URL where the request has one; without the query.
    #[must_use]
    pub fn path(&self) -> String {
        match &self.target {
            Target::Segments(segments) => {
                segments.iter().flat_map(|segment| ["/".into(), encode(segment)]).collect::<Vec<_>>().concat()
            }
            Target::Url(url) => url.split(['?', '#']).next().unwrap_or_default().to_owned(),
        }
    }

    /// A segment that a URL cannot have: an empty one, or one that means the folder itself or the one
    /// above. What is below it would be something else, a bucket in place of its object.
    pub(crate) fn impossible_segment(&self) -> Option<&str> {
        let Target::Segments(segments) = &self.target else { return None };
        segments.iter().map(String::as_str).find(|segment| matches!(*segment, "" | "." | ".."))
    }

    /// The segment that comes after the segment `collection`: the bucket after `b`.
    pub(crate) fn segment_after(&self, collection: &str) -> Option<&str> {
        let Target::Segments(segments) = &self.target else { return None };
        let at = segments.iter().position(|segment| segment == collection)?;
        segments.get(at + 1).map(String::as_str)
    }
}

fn encode(segment: &str) -> std::borrow::Cow<'_, str> {
    utf8_percent_encode(segment, SEGMENT).into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_segment_comes_back_as_it_was_and_is_one(segment: String) {
            let encoded = encode(&segment).into_owned();
            prop_assert!(!encoded.contains(['/', '?', '#', ' ']));
            let decoded = percent_encoding::percent_decode_str(&encoded).decode_utf8().unwrap();
            prop_assert_eq!(decoded, segment);
        }
    }

    #[test]
    fn each_segment_is_encoded_by_itself() {
        let path = |segments: &[&str]| Request::get(Service::Storage, segments.iter().copied()).path();
        assert_eq!(path(&["b", "x", "o", "a/b c?d#e%f+g&h"]), "/b/x/o/a%2Fb%20c%3Fd%23e%25f%2Bg%26h");
        assert_eq!(path(&["jobs", "7:cancel"]), "/jobs/7:cancel");
    }

    #[test]
    fn methods_that_create_are_not_idempotent() {
        let idempotent = |method| Request::new(method, Service::Storage, ["x"]).idempotent;
        assert!(idempotent(Method::GET) && idempotent(Method::PUT) && idempotent(Method::DELETE));
        assert!(!idempotent(Method::POST) && !idempotent(Method::PATCH));
    }

    #[test]
    fn the_name_after_a_collection() {
        let request = Request::get(Service::Storage, ["storage", "v1", "b", "bucket", "o", "b"]);
        assert_eq!(request.segment_after("b"), Some("bucket"));
        assert_eq!(request.segment_after("x"), None);
    }
}
