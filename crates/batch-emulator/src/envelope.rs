//! Replies in the shapes of Google's APIs.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// A refused request.
///
/// Both families of APIs say `{"error": {"code", "message", "status"}}`. Those that are
/// older than gRPC (Cloud Storage, BigQuery) add `errors[]` with a domain and a reason;
/// the younger ones (Vertex AI) may add `details[]`, which is left out: Google's own
/// Python SDK refuses a job whose error has them.
#[derive(Clone, Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    message: String,
    canonical: &'static str,
    reason: Option<&'static str>,
    location: Option<(&'static str, String)>,
    retry_after: Option<u32>,
}

impl ApiError {
    /// An error of a younger API: `canonical` is the name of the gRPC code, such as
    /// `INVALID_ARGUMENT`.
    pub(crate) fn rpc(status: StatusCode, canonical: &'static str, message: impl Into<String>) -> ApiError {
        ApiError { status, message: message.into(), canonical, reason: None, location: None, retry_after: None }
    }

    /// An error of an older API: `reason` is its own word, such as `notFound`.
    pub(crate) fn storage(status: StatusCode, reason: &'static str, message: impl Into<String>) -> ApiError {
        ApiError {
            status,
            message: message.into(),
            canonical: canonical(status),
            reason: Some(reason),
            location: None,
            retry_after: None,
        }
    }

    /// Names the parameter or header that was wrong, in `errors[]`.
    pub(crate) fn at(mut self, kind: &'static str, name: impl Into<String>) -> ApiError {
        self.location = Some((kind, name.into()));
        self
    }

    /// Asks the client to come back after `seconds`.
    pub(crate) fn with_retry_after(mut self, seconds: u32) -> ApiError {
        self.retry_after = Some(seconds);
        self
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut error = Map::new();
        error.insert("code".to_owned(), json!(self.status.as_u16()));
        error.insert("message".to_owned(), json!(self.message));
        if let Some(reason) = self.reason {
            let mut entry = json!({
                "message": self.message,
                "domain": "global",
                "reason": reason,
            });
            if let (Some((kind, name)), Some(entry)) = (self.location, entry.as_object_mut()) {
                entry.insert("locationType".to_owned(), json!(kind));
                entry.insert("location".to_owned(), json!(name));
            }
            error.insert("errors".to_owned(), json!([entry]));
        }
        error.insert("status".to_owned(), json!(self.canonical));
        let mut response = json(self.status, &json!({ "error": Value::Object(error) }));
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// A reply with a JSON body, indented as Google's are unless asked otherwise.
pub(crate) fn json<T: Serialize>(status: StatusCode, body: &T) -> Response {
    let Ok(mut bytes) = serde_json::to_vec_pretty(body) else {
        // Only a map with keys that are no strings gets here, and no reply has one.
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    bytes.push(b'\n');
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=UTF-8"));
    response
}

/// The name of the gRPC code that goes with an HTTP status.
fn canonical(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST => "INVALID_ARGUMENT",
        StatusCode::UNAUTHORIZED => "UNAUTHENTICATED",
        StatusCode::FORBIDDEN => "PERMISSION_DENIED",
        StatusCode::NOT_FOUND => "NOT_FOUND",
        StatusCode::CONFLICT => "ALREADY_EXISTS",
        StatusCode::PRECONDITION_FAILED => "FAILED_PRECONDITION",
        StatusCode::RANGE_NOT_SATISFIABLE => "OUT_OF_RANGE",
        StatusCode::TOO_MANY_REQUESTS => "RESOURCE_EXHAUSTED",
        StatusCode::NOT_IMPLEMENTED => "UNIMPLEMENTED",
        StatusCode::SERVICE_UNAVAILABLE => "UNAVAILABLE",
        _ => "INTERNAL",
    }
}
