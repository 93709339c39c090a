//! What Google's clients say, in our words.

use std::error::Error as StdError;

use batch_backend::{Error, Kind, ServiceError};
use google_cloud_auth::errors::CredentialsError;
use google_cloud_gax::error::{
    Error as GoogleError,
    rpc::{Code, StatusDetails},
};

use crate::envelope;

/// The failure of a call that was made `attempts` times while `doing` something to `resource`.
///
/// `own` knows the errors of one service or client better than the rules here do: by a reason that only
/// this service gives, or by what lies below. It is asked first, but for a login that failed.
#[must_use]
pub fn translate(
    doing: &str,
    resource: &str,
    error: &GoogleError,
    attempts: u32,
    own: fn(&GoogleError) -> Option<Kind>,
) -> Error {
    let about = |kind| Error::new(kind, doing, resource).with_attempts(attempts);
    if let Some(status) = error.http_status_code() {
        let service = service_error(status, error);
        return about(own(error).unwrap_or_else(|| envelope::kind(&service))).with_service(service);
    }
    about(kind(error, own)).with_source(causes(error))
}

/// What kind of failure it is that no reply of the service explains.
fn kind(error: &GoogleError, own: fn(&GoogleError) -> Option<Kind>) -> Kind {
    if let Some(error) = cause::<CredentialsError>(error) {
        return if error.is_transient() { Kind::Unavailable } else { Kind::Unauthenticated };
    }
    own(error).unwrap_or(match () {
        () if error.is_timeout() => Kind::DeadlineExceeded,
        () if error.is_connect() || error.is_io() || error.is_transport() => Kind::Unavailable,
        () if error.is_deserialization() => Kind::BadReply,
        () if error.is_binding() || error.is_serialization() => Kind::InvalidArgument,
        () => Kind::Other,
    })
}

/// What the service said. Google's client has read the envelope already; what it could not read it hands
/// over.
fn service_error(http_status: u16, error: &GoogleError) -> ServiceError {
    let mut service = ServiceError::new(http_status);
    if let Some(status) = error.status() {
        service.message = Some(status.message.clone()).filter(|message| !message.is_empty());
        // Cloud Storage names no status, which arrives here as `UNKNOWN`.
        service.status = Some(status.code).filter(|code| *code != Code::Unknown).map(|code| code.name().to_owned());
        service.reason = reason(error).map(str::to_owned);
    } else if let Some(body) = error.http_payload().filter(|body| !body.is_empty()) {
        service.body = Some(envelope::beginning(body));
    }
    service.retry_after = error.http_headers().and_then(envelope::seconds_asked);
    service
}

/// The first reason that the service gives (`rateLimitExceeded`).
#[must_use]
pub fn reason(error: &GoogleError) -> Option<&str> {
    error.status()?.details.iter().find_map(|detail| match detail {
        StatusDetails::ErrorInfo(info) if !info.reason.is_empty() => Some(info.reason.as_str()),
        _ => None,
    })
}

/// The causes as one text, each once. Google's errors repeat the text of what they wrap, and some of
/// those have the address in it, which for an upload is as good as a key: those are left out.
#[must_use]
pub fn causes(error: &(dyn StdError + 'static)) -> String {
    let mut innermost_first: Vec<String> = chain(error).map(ToString::to_string).collect();
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

/// The error or the first of its causes that is a `T`.
#[must_use]
pub fn cause<T: StdError + 'static>(error: &GoogleError) -> Option<&T> {
    chain(error).find_map(|error| error.downcast_ref())
}

fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use google_cloud_gax::error::rpc::Status;
    use http::{HeaderMap, HeaderValue};

    use super::*;

    fn translated(error: &GoogleError) -> Error {
        translate("write", "gs://b/in/x.jsonl", error, 6, |_| None)
    }

    #[test]
    fn the_services_own_words_are_kept() {
        let status = Status::default().set_message("The specified bucket does not exist.");
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", HeaderValue::from_static("3"));
        let google = GoogleError::service_with_http_metadata(status, Some(404), Some(headers));
        let error = translate("write", "gs://b/in/x.jsonl", &google, 1, |_| None);
        assert_eq!(error.to_string(), "write gs://b/in/x.jsonl: 404 not found: The specified bucket does not exist.");
        assert_eq!(error.kind(), Kind::NotFound);
        assert_eq!(error.service().unwrap().retry_after, Some(std::time::Duration::from_secs(3)));
        assert!(StdError::source(&error).is_none(), "it would be said twice");
    }

    #[test]
    fn who_knows_the_service_better_is_asked_first() {
        let refused = GoogleError::http(403, HeaderMap::new(), Bytes::new());
        assert_eq!(translated(&refused).kind(), Kind::PermissionDenied);
        let own = translate("write", "gs://b/o", &refused, 1, |_| Some(Kind::ResourceExhausted));
        assert_eq!(own.kind(), Kind::ResourceExhausted);
    }

    #[test]
    fn a_reply_that_is_no_envelope_is_kept_in_part() {
        let body = Bytes::from("あ".repeat(1000));
        let error = translated(&GoogleError::http(502, HeaderMap::new(), body));
        assert_eq!(error.kind(), Kind::Unavailable);
        assert_eq!(error.attempts(), 6);
        let kept = error.service().unwrap().body.clone().unwrap();
        assert_eq!(kept, "あ".repeat(682), "cut between two characters");
    }

    #[test]
    fn a_broken_connection_shows_no_address_and_each_cause_once() {
        let inner = std::io::Error::other("Connection refused (os error 111)");
        let error = translated(&GoogleError::io(GoogleError::connect(inner)));
        assert_eq!(error.kind(), Kind::Unavailable);
        let cause = StdError::source(&error).unwrap().to_string();
        assert_eq!(cause, "Connection refused (os error 111)");
        let secret = GoogleError::io("error sending request for url (https://x/?upload_id=secret)");
        assert!(!causes(&secret).contains("secret"));
    }

    #[test]
    fn a_missing_login_is_said_whatever_it_is_wrapped_in() {
        let login =
            |transient| GoogleError::io(GoogleError::authentication(CredentialsError::from_msg(transient, "no key")));
        let kind = |error| translate("read", "gs://b/o", &error, 1, |_| Some(Kind::DataLoss)).kind();
        assert_eq!(kind(login(false)), Kind::Unauthenticated);
        assert_eq!(kind(login(true)), Kind::Unavailable);
    }
}
