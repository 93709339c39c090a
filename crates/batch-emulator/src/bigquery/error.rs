//! What the service refuses, in its shape.

use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::envelope::ApiError;

/// 400 with the reason `invalid`.
pub(crate) fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::bigquery(StatusCode::BAD_REQUEST, "invalid", message)
}

/// 400 with the reason `required`.
pub(super) fn required(parameter: &'static str) -> ApiError {
    ApiError::bigquery(StatusCode::BAD_REQUEST, "required", format!("Required parameter is missing: {parameter}"))
}

/// 404 for a thing of that kind, such as `Table p:d.t`.
pub(super) fn not_found(what: impl std::fmt::Display) -> ApiError {
    ApiError::bigquery(StatusCode::NOT_FOUND, "notFound", format!("Not found: {what}"))
}

/// 409 for a thing that is there already, such as `Table p:d.t`.
pub(super) fn duplicate(what: impl std::fmt::Display) -> ApiError {
    ApiError::bigquery(StatusCode::CONFLICT, "duplicate", format!("Already Exists: {what}"))
}

/// 501 for what the service does and this emulator does not.
pub(super) fn not_implemented(message: impl Into<String>) -> ApiError {
    ApiError::bigquery(StatusCode::NOT_IMPLEMENTED, "notImplemented", message)
}

/// 500, or 507 where the disk is full; unlike the service, this names the cause, as it is
/// the user's own disk.
pub(crate) fn failed(cause: &std::io::Error) -> ApiError {
    tracing::error!(error = %cause, "the tables failed");
    let status = match cause.kind() {
        std::io::ErrorKind::StorageFull => StatusCode::INSUFFICIENT_STORAGE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    ApiError::bigquery(status, "internalError", format!("The emulator failed to read or write its data: {cause}"))
}

/// An error of a job: an `ErrorProto`.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    pub(super) reason: &'static str,
    /// Where the input stands, or which column it is.
    pub(super) location: Option<String>,
    pub(super) message: String,
}

impl Problem {
    pub(super) fn new(reason: &'static str, message: impl Into<String>) -> Problem {
        Problem { reason, location: None, message: message.into() }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Problem {
        Problem::new("invalid", message)
    }

    pub(super) fn at(mut self, location: impl Into<String>) -> Problem {
        self.location = Some(location.into());
        self
    }

    /// As the API writes it.
    pub(super) fn show(&self) -> Value {
        let mut shown = Map::new();
        shown.insert("reason".to_owned(), json!(self.reason));
        if let Some(location) = &self.location {
            shown.insert("location".to_owned(), json!(location));
        }
        shown.insert("message".to_owned(), json!(self.message));
        Value::Object(shown)
    }
}

impl From<ApiError> for Problem {
    fn from(error: ApiError) -> Problem {
        Problem::new(error.reason().unwrap_or("invalid"), error.message())
    }
}

impl From<std::io::Error> for Problem {
    fn from(error: std::io::Error) -> Problem {
        tracing::error!(%error, "the rows could not be read or kept");
        Problem::new("internalError", format!("The emulator failed to read or write its data: {error}"))
    }
}
