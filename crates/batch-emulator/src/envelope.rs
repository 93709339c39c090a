//! Replies in the shapes of Google's APIs.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// How a family of APIs calls an error.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// By the name of a gRPC code.
    Status(&'static str),
    /// By a word of its own.
    Reason(&'static str),
    /// By a word of its own, and by the name of a gRPC code.
    Both(&'static str, &'static str),
}

/// A refused request.
///
/// All say `{"error": {"code", "message"}}`. Cloud Storage, which is older than gRPC, adds
/// `errors[]` with a domain and a reason, and no `status` (replies that users have
/// reported have none); BigQuery adds both. The younger APIs add `status` and may add `details[]`, which are
/// left out here: Google's own Python SDK refuses a job whose error has them.
#[derive(Clone, Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    message: String,
    kind: Kind,
    location: Option<(&'static str, String)>,
    retry_after: Option<u32>,
}

impl ApiError {
    /// An error of a younger API: `canonical` is the name of the gRPC code, such as
    /// `INVALID_ARGUMENT`.
    pub(crate) fn rpc(status: StatusCode, canonical: &'static str, message: impl Into<String>) -> ApiError {
        ApiError { status, message: message.into(), kind: Kind::Status(canonical), location: None, retry_after: None }
    }

    /// An error of Cloud Storage: `reason` is its own word, such as `notFound`.
    pub(crate) fn storage(status: StatusCode, reason: &'static str, message: impl Into<String>) -> ApiError {
        ApiError { status, message: message.into(), kind: Kind::Reason(reason), location: None, retry_after: None }
    }

    /// An error of BigQuery, which has taken up the newer form without giving up the older:
    /// `reason` is its own word, and the name of the gRPC code follows from the status.
    pub(crate) fn bigquery(status: StatusCode, reason: &'static str, message: impl Into<String>) -> ApiError {
        let canonical = match status {
            StatusCode::BAD_REQUEST => "INVALID_ARGUMENT",
            StatusCode::UNAUTHORIZED => "UNAUTHENTICATED",
            StatusCode::FORBIDDEN => "PERMISSION_DENIED",
            StatusCode::NOT_FOUND => "NOT_FOUND",
            StatusCode::CONFLICT => "ALREADY_EXISTS",
            StatusCode::PRECONDITION_FAILED => "FAILED_PRECONDITION",
            StatusCode::TOO_MANY_REQUESTS => "RESOURCE_EXHAUSTED",
            StatusCode::NOT_IMPLEMENTED => "UNIMPLEMENTED",
            StatusCode::SERVICE_UNAVAILABLE => "UNAVAILABLE",
            _ => "INTERNAL",
        };
        ApiError {
            status,
            message: message.into(),
            kind: Kind::Both(reason, canonical),
            location: None,
            retry_after: None,
        }
    }

    /// The word for it in `errors[]`, where the API has one.
    pub(crate) fn reason(&self) -> Option<&'static str> {
        match self.kind {
            Kind::Status(_) => None,
            Kind::Reason(reason) | Kind::Both(reason, _) => Some(reason),
        }
    }

    /// Names the parameter or header that was wrong, in `errors[]`.
    pub(crate) fn at(mut self, kind: &'static str, name: impl Into<String>) -> ApiError {
        self.location = Some((kind, name.into()));
        self
    }

    /// The HTTP status.
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// What the service says.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Adds the headers that belong to the error.
    pub(crate) fn decorate(&self, response: &mut Response) {
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
    }

    /// Asks the client to come back after `seconds`.
    pub(crate) fn with_retry_after(mut self, seconds: u32) -> ApiError {
        self.retry_after = Some(seconds);
        self
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        if self.status == StatusCode::NOT_MODIFIED {
            // What is not modified has no body.
            return self.status.into_response();
        }
        let mut error = Map::new();
        error.insert("code".to_owned(), json!(self.status.as_u16()));
        error.insert("message".to_owned(), json!(self.message));
        match self.kind {
            Kind::Status(status) => {
                error.insert("status".to_owned(), json!(status));
            }
            Kind::Reason(reason) | Kind::Both(reason, _) => {
                let mut entry = Map::new();
                entry.insert("message".to_owned(), json!(self.message));
                entry.insert("domain".to_owned(), json!("global"));
                entry.insert("reason".to_owned(), json!(reason));
                if let Some((kind, name)) = &self.location {
                    entry.insert("locationType".to_owned(), json!(kind));
                    entry.insert("location".to_owned(), json!(name));
                }
                error.insert("errors".to_owned(), json!([entry]));
                if let Kind::Both(_, status) = self.kind {
                    error.insert("status".to_owned(), json!(status));
                }
            }
        }
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
