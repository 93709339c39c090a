//! What a service says when it refuses: its error envelope, or whatever came instead of one.

use std::time::{Duration, SystemTime};

use batch_backend::{Kind, ServiceError};
use http::{HeaderMap, StatusCode, header};
use serde_json::{Map, Value};

/// How much is kept of a body that is no envelope.
const BODY_KEPT: usize = 2048;

/// Reads the reply to a call that failed.
///
/// Known shapes: `{"error": {…}}` with `details` (Vertex AI) or `errors` (Cloud Storage, BigQuery); the
/// same in a list; `{"error": "…", "error_description": "…"}` (tokens). Anything else is kept as text.
pub(crate) fn service_error(status: StatusCode, headers: &HeaderMap, body: &[u8], now: SystemTime) -> ServiceError {
    let mut service = ServiceError::new(status.as_u16());
    let value = serde_json::from_slice::<Value>(body).unwrap_or_default();
    match envelope(&value) {
        Some(Envelope::Error(error)) => read_envelope(error, &mut service),
        Some(Envelope::OAuth { error, description }) => {
            service.status = Some(error.to_owned());
            service.message = description.map(str::to_owned);
        }
        None => {}
    }
    if service.status.is_none() && service.message.is_none() && !body.is_empty() {
        service.body = Some(beginning(body));
    }
    service.retry_after = retry_after(headers, now).or_else(|| retry_delay(&service.details));
    service
}

/// The kind of a failure: by the canonical status where the service names one, which is finer than
/// the HTTP status.
pub(crate) fn kind(service: &ServiceError) -> Kind {
    let by_status = service.status.as_deref().and_then(Kind::from_status);
    by_status.unwrap_or_else(|| Kind::from_http(service.http_status))
}

enum Envelope<'a> {
    Error(&'a Map<String, Value>),
    OAuth { error: &'a str, description: Option<&'a str> },
}

fn envelope(value: &Value) -> Option<Envelope<'_>> {
    // Streaming methods answer a list of one.
    let value = match value {
        Value::Array(items) => items.first()?,
        other => other,
    };
    match value.get("error")? {
        Value::Object(error) => Some(Envelope::Error(error)),
        Value::String(error) => {
            Some(Envelope::OAuth { error, description: value.get("error_description").and_then(Value::as_str) })
        }
        _ => None,
    }
}

fn read_envelope(error: &Map<String, Value>, service: &mut ServiceError) {
    let text = |name: &str| error.get(name).and_then(Value::as_str).map(str::to_owned);
    let list = |name: &str| error.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    service.status = text("status");
    service.message = text("message");
    service.details = list("details");
    if service.details.is_empty() {
        service.details = list("errors");
    }
    let is_info = |detail: &&Value| detail["@type"].as_str().is_some_and(|name| name.ends_with(".ErrorInfo"));
    let reason = |detail: &Value| detail["reason"].as_str().map(str::to_owned);
    let details = &service.details;
    service.reason = details.iter().find(is_info).and_then(reason).or_else(|| details.iter().find_map(reason));
}

/// The beginning of a body as text, cut between two characters.
pub(crate) fn beginning(body: &[u8]) -> String {
    let cut = &body[..body.len().min(BODY_KEPT)];
    // Where the cut went through a character, the replacement character that stands for its
    // beginning goes.
    let text = match std::str::from_utf8(cut) {
        Err(error) if error.error_len().is_none() && cut.len() < body.len() => &cut[..error.valid_up_to()],
        _ => cut,
    };
    String::from_utf8_lossy(text).into_owned()
}

/// `Retry-After`: seconds, or an HTTP date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    seconds_asked(headers).or_else(|| {
        let date = httpdate::parse_http_date(headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim()).ok()?;
        // A date that has passed is: now.
        Some(date.duration_since(now).unwrap_or_default())
    })
}

/// `Retry-After` where it is a number of seconds, which needs no clock.
pub(crate) fn seconds_asked(headers: &HeaderMap) -> Option<Duration> {
    headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// `google.rpc.RetryInfo`'s `retryDelay`: `"1.5s"`.
fn retry_delay(details: &[Value]) -> Option<Duration> {
    let delay = details.iter().find_map(|detail| detail["retryDelay"].as_str())?;
    Duration::try_from_secs_f64(delay.strip_suffix('s')?.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_beginning_is_a_prefix_within_bounds(text: String, times in 0_usize..500) {
            let text = text.repeat(times);
            let kept = beginning(text.as_bytes());
            prop_assert!(text.starts_with(&kept));
            prop_assert!(kept.len() <= BODY_KEPT && kept.len() + 4 > text.len().min(BODY_KEPT));
        }

        #[test]
        fn every_reply_is_read(bytes: Vec<u8>, status in 100_u16..1000, header in "[ -~]{0,40}") {
            let status = StatusCode::from_u16(status).unwrap();
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, header.parse().unwrap());
            let service = service_error(status, &headers, &bytes, SystemTime::UNIX_EPOCH);
            prop_assert_eq!(service.http_status, status.as_u16());
            prop_assert!(bytes.is_empty() || service.body.is_some() || service.message.is_some() || service.status.is_some());
        }
    }
}
