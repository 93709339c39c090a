//! What Google's clients say, in our words.

use std::error::Error as StdError;

use batch_backend::{Error, Kind, ServiceError};
use google_cloud_auth::errors::CredentialsError;
use google_cloud_bigquery::error::QueryError;
use google_cloud_bigquery_v2::model::ErrorProto;
use google_cloud_gax::error::{
    Error as GoogleError,
    rpc::{Code, StatusDetails},
};

use super::retry::retry_after;

/// How much is kept of a reply that is no error envelope.
const BODY_KEPT: usize = 2048;
/// How many errors of a job are told; a load job of bad lines has one for each line.
const ERRORS_TOLD: usize = 3;

/// The failure of a call that was made `attempts` times while `doing` something to `resource`.
pub(super) fn translate(doing: &str, resource: &str, error: &GoogleError, attempts: u32) -> Error {
    let about = |kind| Error::new(kind, doing, resource).with_attempts(attempts);
    if let Some(status) = error.http_status_code() {
        let service = service_error(status, error);
        let by_status = service.status.as_deref().and_then(Kind::from_status);
        let by_reason = service.reason.as_deref().and_then(kind_of);
        let kind = by_reason.or(by_status).unwrap_or_else(|| Kind::from_http(status));
        return about(kind).with_service(service);
    }
    about(kind(error)).with_source(causes(error))
}

/// The failure of a query.
pub(super) fn translate_query(doing: &str, resource: &str, error: &QueryError, attempts: u32) -> Error {
    match error {
        QueryError::JobFailed { errors, .. } => failed(doing, resource, errors.first(), errors),
        QueryError::Rpc { source, .. } => translate(doing, resource, source, attempts),
        other => Error::new(Kind::Other, doing, resource).with_source(other.to_string()),
    }
}

/// The failure of a job: what ended it, and the first of all that went wrong in it.
pub(super) fn failed(doing: &str, resource: &str, result: Option<&ErrorProto>, all: &[ErrorProto]) -> Error {
    let mut service = ServiceError::new(0);
    let mut texts: Vec<String> = Vec::new();
    for error in result.into_iter().chain(all) {
        let place = if error.location.is_empty() { String::new() } else { format!(" ({})", error.location) };
        let text = format!("{}{place}", error.message.trim());
        if texts.len() < ERRORS_TOLD && !error.message.is_empty() && !texts.contains(&text) {
            texts.push(text);
        }
    }
    service.message = Some(texts.join("; ")).filter(|text| !text.is_empty());
    service.reason = result.map(|error| error.reason.clone()).filter(|reason| !reason.is_empty());
    let kind = service.reason.as_deref().and_then(kind_of).unwrap_or(Kind::Other);
    Error::new(kind, doing, resource).with_service(service)
}

/// The kind of failure that one of BigQuery's reasons stands for
/// (<https://cloud.google.com/bigquery/docs/error-messages>).
fn kind_of(reason: &str) -> Option<Kind> {
    Some(match reason {
        "invalid" | "invalidQuery" | "invalidUser" | "responseTooLarge" | "resourcesExceeded" | "badRequest" => {
            Kind::InvalidArgument
        }
        "resourceInUse" | "stopped" => Kind::FailedPrecondition,
        "accessDenied" | "billingNotEnabled" | "billingTierLimitExceeded" | "blocked" => Kind::PermissionDenied,
        "notFound" => Kind::NotFound,
        "duplicate" => Kind::AlreadyExists,
        "quotaExceeded" | "rateLimitExceeded" | "jobRateLimitExceeded" => Kind::ResourceExhausted,
        "tableUnavailable" | "jobBackendError" | "backendError" => Kind::Unavailable,
        "internalError" | "jobInternalError" => Kind::Internal,
        "notImplemented" => Kind::Unsupported,
        "timeout" => Kind::DeadlineExceeded,
        _ => return None,
    })
}

/// The first reason that the service gives.
pub(super) fn reason(error: &GoogleError) -> Option<&str> {
    error.status()?.details.iter().find_map(|detail| match detail {
        StatusDetails::ErrorInfo(info) if !info.reason.is_empty() => Some(info.reason.as_str()),
        _ => None,
    })
}

/// What kind of failure it is that no reply of the service explains.
fn kind(error: &GoogleError) -> Kind {
    if let Some(error) = find::<CredentialsError>(error) {
        return if error.is_transient() { Kind::Unavailable } else { Kind::Unauthenticated };
    }
    match () {
        () if error.is_timeout() => Kind::DeadlineExceeded,
        () if error.is_connect() || error.is_io() || error.is_transport() => Kind::Unavailable,
        () if error.is_deserialization() => Kind::BadReply,
        () if error.is_binding() || error.is_serialization() => Kind::InvalidArgument,
        () => Kind::Other,
    }
}

fn service_error(http_status: u16, error: &GoogleError) -> ServiceError {
    let mut service = ServiceError::new(http_status);
    if let Some(status) = error.status() {
        service.message = Some(status.message.clone()).filter(|message| !message.is_empty());
        service.status = Some(status.code).filter(|code| *code != Code::Unknown).map(|code| code.name().to_owned());
        service.reason = reason(error).map(str::to_owned);
    } else if let Some(body) = error.http_payload().filter(|body| !body.is_empty()) {
        let beginning = String::from_utf8_lossy(&body[..body.len().min(BODY_KEPT)]);
        service.body = Some(beginning.trim_end_matches(char::REPLACEMENT_CHARACTER).to_owned());
    }
    service.retry_after = retry_after(error);
    service
}

/// The causes as one text, each once: Google's errors repeat the text of what they wrap. What has an
/// address in it is left out, which for an upload is as good as a key.
pub(super) fn causes(error: &(dyn StdError + 'static)) -> String {
    let mut innermost_first = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        innermost_first.push(error.to_string());
        next = error.source();
    }
    innermost_first.reverse();
    let mut causes: Vec<String> = Vec::new();
    for text in innermost_first {
        let repeats = causes.iter().any(|cause| text.contains(cause.as_str()));
        if !text.contains("://") && !repeats {
            causes.push(text);
        }
    }
    causes.reverse();
    match causes.is_empty() {
        true => "the client gives no cause".to_owned(),
        false => causes.join(": "),
    }
}

fn find<T: StdError + 'static>(error: &GoogleError) -> Option<&T> {
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_job_tells_its_first_errors_once_each() {
        let error = |reason: &str, message: &str| ErrorProto::new().set_reason(reason).set_message(message);
        let result = error("invalid", "too many errors, giving up");
        let all = [result.clone(), error("invalid", "no such field: x"), error("invalid", "y"), error("invalid", "z")];
        let failed = failed("load", "bq://p.d.t", Some(&result), &all);
        assert_eq!(failed.kind(), Kind::InvalidArgument);
        let text = "load bq://p.d.t: invalid: too many errors, giving up; no such field: x; y";
        assert_eq!(failed.to_string(), text);
    }
}
