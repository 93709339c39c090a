//! One request to the JSON API, taken apart.

use axum::body::Body;
use axum::extract::{ConnectInfo, Query};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, HeaderName, IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::meta::{Preconditions, StoreError};
use crate::connection::Connection;
use crate::context::Context;
use crate::envelope::ApiError;

/// The largest JSON body that is read; metadata is limited to 8 KiB by the service, a
/// batch of a hundred calls is longer.
const JSON_LIMIT: usize = 10 << 20;

/// A request without its body.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) context: Context,
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    /// The segments of the path, decoded.
    pub(crate) path: Vec<String>,
    query: Vec<(String, String)>,
    /// Absent for a call inside a batch.
    pub(crate) connection: Option<Connection>,
}

impl Call {
    /// Takes a request apart.
    pub(crate) fn new(context: Context, request: axum::extract::Request) -> Result<(Call, Body), ApiError> {
        let (parts, body) = request.into_parts();
        let connection =
            parts.extensions.get::<ConnectInfo<Connection>>().map(|ConnectInfo(connection)| connection.clone());
        let call = Call {
            context,
            path: segments(parts.uri.path())?,
            query: parse_query(&parts.uri)?,
            method: parts.method,
            headers: parts.headers,
            connection,
        };
        Ok((call, body))
    }

    /// A query parameter; an empty one counts as absent, as it does for the service.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// Every value of a query parameter that may come more than once.
    pub(crate) fn parameters(&self, name: &str) -> Vec<&str> {
        let pairs = self.query.iter().filter(|(key, _)| key == name);
        pairs.map(|(_, value)| value.as_str()).collect()
    }

    /// A query parameter that is a number.
    pub(crate) fn number(&self, name: &'static str) -> Result<Option<i64>, ApiError> {
        let Some(text) = self.parameter(name) else {
            return Ok(None);
        };
        match text.parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(invalid(format!("Invalid value for: {text} is not a valid integer")).at("parameter", name)),
        }
    }

    /// A query parameter that is `true` or `false`; Python's client for BigQuery writes
    /// `True`.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.parameter(name).is_some_and(|flag| flag.eq_ignore_ascii_case("true"))
    }

    /// The generation that the call is about, if it names one.
    pub(super) fn generation(&self) -> Result<Option<i64>, ApiError> {
        self.number("generation")
    }

    /// The conditions on the object.
    pub(super) fn preconditions(&self) -> Result<Preconditions, ApiError> {
        Ok(Preconditions {
            if_generation_match: self.number("ifGenerationMatch")?,
            if_generation_not_match: self.number("ifGenerationNotMatch")?,
            if_metageneration_match: self.number("ifMetagenerationMatch")?,
            if_metageneration_not_match: self.number("ifMetagenerationNotMatch")?,
        })
    }

    /// The conditions on the source of a copy.
    pub(super) fn source_preconditions(&self) -> Result<Preconditions, ApiError> {
        Ok(Preconditions {
            if_generation_match: self.number("ifSourceGenerationMatch")?,
            if_generation_not_match: self.number("ifSourceGenerationNotMatch")?,
            if_metageneration_match: self.number("ifSourceMetagenerationMatch")?,
            if_metageneration_not_match: self.number("ifSourceMetagenerationNotMatch")?,
        })
    }

    /// Checks `If-Match` and `If-None-Match` against an entity tag.
    pub(super) fn check_etag(&self, etag: &str) -> Result<(), StoreError> {
        let lists = |name: HeaderName| {
            self.text_header(&name).map(|tags| {
                tags.split(',').any(|tag| matches!(tag.trim().trim_matches('"'), tag if tag == "*" || tag == etag))
            })
        };
        if lists(IF_MATCH) == Some(false) {
            return Err(StoreError::ConditionNotMet("If-Match"));
        }
        if lists(IF_NONE_MATCH) == Some(true) {
            return Err(StoreError::NotModified("If-None-Match"));
        }
        Ok(())
    }

    /// A header that is text.
    pub(crate) fn text_header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether the caller wants the bytes of an object.
    pub(super) fn wants_media(&self) -> bool {
        self.parameter("alt") == Some("media")
    }

    /// An address of the JSON API.
    pub(crate) fn link(&self, path: &str) -> String {
        format!("{}{path}", self.context.url)
    }
}

/// The decoded segments of a path.
fn segments(path: &str) -> Result<Vec<String>, ApiError> {
    path.split('/')
        .skip(1)
        .map(|segment| match percent_decode_str(segment).decode_utf8() {
            Ok(text) => Ok(text.into_owned()),
            Err(_) => Err(invalid(format!("The path segment {segment} is not UTF-8."))),
        })
        .collect()
}

fn parse_query(uri: &Uri) -> Result<Vec<(String, String)>, ApiError> {
    match Query::try_from_uri(uri) {
        Ok(Query(pairs)) => Ok(pairs),
        Err(error) => Err(invalid(format!("The query cannot be read: {error}."))),
    }
}

/// Reads a JSON object; an empty body counts as `{}`.
pub(crate) async fn json_body(body: Body) -> Result<Map<String, Value>, ApiError> {
    let Ok(bytes) = axum::body::to_bytes(body, JSON_LIMIT).await else {
        return Err(ApiError::storage(
            StatusCode::PAYLOAD_TOO_LARGE,
            "uploadTooLarge",
            format!("The body was cut off, or is longer than {JSON_LIMIT} bytes."),
        ));
    };
    parse_json(&bytes)
}

/// Parses a JSON object; nothing counts as `{}`.
pub(crate) fn parse_json(bytes: &[u8]) -> Result<Map<String, Value>, ApiError> {
    if bytes.trim_ascii().is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_slice(bytes) {
        Ok(object) => Ok(object),
        Err(error) => Err(ApiError::storage(StatusCode::BAD_REQUEST, "parseError", format!("Parse Error: {error}"))),
    }
}

/// 400 with the reason `invalid`.
pub(super) fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::storage(StatusCode::BAD_REQUEST, "invalid", message)
}

/// 400 with the reason `required`.
pub(super) fn required(parameter: &'static str) -> ApiError {
    ApiError::storage(StatusCode::BAD_REQUEST, "required", format!("Required parameter: {parameter}"))
        .at("parameter", parameter)
}

/// A blocking task that did not end by itself.
pub(crate) fn lost_task(error: &tokio::task::JoinError) -> ApiError {
    tracing::error!(%error, "a storage task was lost");
    ApiError::storage(
        StatusCode::INTERNAL_SERVER_ERROR,
        "internalError",
        "We encountered an internal error. Please try again.",
    )
}

/// Runs a call on the store, which may touch the disk, on a blocking thread.
pub(crate) async fn blocking<T, E, F>(work: F) -> Result<T, ApiError>
where
    F: FnOnce() -> Result<T, E> + Send + 'static,
    T: Send + 'static,
    E: Into<ApiError> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(Into::into),
        Err(error) => Err(lost_task(&error)),
    }
}

/// The same error as those words alone: what the service says where the caller asked for
/// the bytes of an object.
pub(super) fn as_text(error: &ApiError) -> Response {
    let mut response = (error.status(), error.message().to_owned()).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=UTF-8"));
    error.decorate(&mut response);
    response
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> ApiError {
        let message = error.to_string();
        let (status, reason) = match &error {
            StoreError::NoBucket(_) | StoreError::NoObject { .. } => (StatusCode::NOT_FOUND, "notFound"),
            StoreError::BucketExists | StoreError::BucketNotEmpty => (StatusCode::CONFLICT, "conflict"),
            StoreError::BucketName(_) | StoreError::ObjectName(_) | StoreError::Checksum { .. } => {
                (StatusCode::BAD_REQUEST, "invalid")
            }
            StoreError::ConditionNotMet(header) => {
                return ApiError::storage(StatusCode::PRECONDITION_FAILED, "conditionNotMet", message)
                    .at("header", *header);
            }
            StoreError::NotModified(header) => {
                return ApiError::storage(StatusCode::NOT_MODIFIED, "notModified", message).at("header", *header);
            }
            StoreError::Io(cause) => {
                tracing::error!(error = %cause, "the store failed");
                // Unlike the service, name the cause: it is the user's own disk. One that is full is not
                // emptied by asking again, which a 500 would invite to.
                let status = match cause.kind() {
                    std::io::ErrorKind::StorageFull => StatusCode::INSUFFICIENT_STORAGE,
                    _ => StatusCode::INTERNAL_SERVER_ERROR,
                };
                return ApiError::storage(
                    status,
                    "internalError",
                    format!("The emulator failed to read or write its data: {cause}"),
                );
            }
        };
        ApiError::storage(status, reason, message)
    }
}
