//! What only the errors of Google's clients of BigQuery say.

use batch_backend::{Error, Kind, ServiceError};
use batch_http::google::{reason, translate};
use google_cloud_bigquery::error::QueryError;
use google_cloud_bigquery_v2::model::ErrorProto;
use google_cloud_gax::error::Error as GoogleError;

/// How many errors of a job are told; a load job of bad lines has one for each line.
const ERRORS_TOLD: usize = 3;

/// The failure of a query.
pub(super) fn translate_query(doing: &str, resource: &str, error: &QueryError) -> Error {
    match error {
        QueryError::JobFailed { errors, .. } => failed(doing, resource, errors.first(), errors),
        QueryError::Rpc { source, .. } => translate(doing, resource, source, 1, kind),
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

/// As [`kind_of`], of a refused call.
pub(super) fn kind(error: &GoogleError) -> Option<Kind> {
    reason(error).and_then(kind_of)
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
