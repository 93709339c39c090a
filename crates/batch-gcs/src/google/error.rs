//! What Google's client says, in our words.

use std::error::Error as StdError;

use batch_backend::{Error, Kind, ServiceError};
use batch_model::GcsUri;
use google_cloud_auth::errors::CredentialsError;
use google_cloud_gax::error::rpc::Code;
use google_cloud_storage::{
    Error as GoogleError,
    error::{ReadError, WriteError},
    model::Object,
};

use super::retry::retry_after;

/// How much is kept of a reply that is no error envelope.
const BODY_KEPT: usize = 2048;

/// The failure of a call that was made `attempts` times while `doing` something to `uri`.
pub(super) fn translate(doing: &str, uri: &GcsUri, error: &GoogleError, attempts: u32) -> Error {
    let about = |kind| Error::new(kind, doing, uri.to_string()).with_attempts(attempts);
    if let Some(status) = error.http_status_code() {
        let service = service_error(status, error);
        return about(Kind::from_http(status)).with_service(service);
    }
    about(kind(error)).with_source(causes(error))
}

/// The object that was written, where its checksum is not that of what was sent.
pub(super) fn arrived_wrong(error: &GoogleError) -> Option<&Object> {
    match find::<WriteError>(error) {
        Some(WriteError::ChecksumMismatch { object, .. }) => Some(object),
        _ => None,
    }
}

/// What kind of failure it is that no reply of the service explains.
fn kind(error: &GoogleError) -> Kind {
    if let Some(error) = find::<CredentialsError>(error) {
        return if error.is_transient() { Kind::Unavailable } else { Kind::Unauthenticated };
    }
    if find::<WriteError>(error).is_some() {
        return Kind::DataLoss;
    }
    match find::<ReadError>(error) {
        Some(ReadError::ChecksumMismatch(_) | ReadError::LongRead { .. }) => return Kind::DataLoss,
        Some(ReadError::ShortRead(_)) => return Kind::Unavailable,
        Some(_) => return Kind::BadReply,
        None => {}
    }
    match () {
        () if error.is_timeout() => Kind::DeadlineExceeded,
        () if error.is_connect() || error.is_io() || error.is_transport() => Kind::Unavailable,
        () if error.is_deserialization() => Kind::BadReply,
        () if error.is_binding() || error.is_serialization() => Kind::InvalidArgument,
        () => Kind::Other,
    }
}

/// What the service said. Google's client has read the envelope of Cloud Storage already, which has
/// a code, a message and a list of errors; what it could not read it hands over.
fn service_error(http_status: u16, error: &GoogleError) -> ServiceError {
    let mut service = ServiceError::new(http_status);
    if let Some(status) = error.status() {
        service.message = Some(status.message.clone()).filter(|message| !message.is_empty());
        // Cloud Storage names no status, which arrives here as `UNKNOWN`.
        service.status = Some(status.code).filter(|code| *code != Code::Unknown).map(|code| code.name().to_owned());
    } else if let Some(body) = error.http_payload().filter(|body| !body.is_empty()) {
        let beginning = String::from_utf8_lossy(&body[..body.len().min(BODY_KEPT)]);
        service.body = Some(beginning.trim_end_matches(char::REPLACEMENT_CHARACTER).to_owned());
    }
    service.retry_after = retry_after(error);
    service
}

/// The causes as one text, each once. Google's errors repeat the text of what they wrap, and some of
/// those have the address in it, which for an upload is as good as a key.
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
    use bytes::Bytes;
    use google_cloud_gax::error::rpc::Status;
    use http::{HeaderMap, HeaderValue};

    use super::*;

    fn uri() -> GcsUri {
        GcsUri::new("b", "in/x.jsonl")
    }

    #[test]
    fn the_services_own_words_are_kept() {
        let status = Status::default().set_message("The specified bucket does not exist.");
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", HeaderValue::from_static("3"));
        let google = GoogleError::service_with_http_metadata(status, Some(404), Some(headers));
        let error = translate("write", &uri(), &google, 1);
        assert_eq!(error.to_string(), "write gs://b/in/x.jsonl: 404 not found: The specified bucket does not exist.");
        assert_eq!(error.kind(), Kind::NotFound);
        assert_eq!(error.service().unwrap().retry_after, Some(std::time::Duration::from_secs(3)));
        assert!(StdError::source(&error).is_none(), "it would be said twice");
    }

    #[test]
    fn a_reply_that_is_no_envelope_is_kept_in_part() {
        let body = Bytes::from("あ".repeat(1000));
        let error = translate("read", &uri(), &GoogleError::http(502, HeaderMap::new(), body), 6);
        assert_eq!(error.kind(), Kind::Unavailable);
        assert_eq!(error.attempts(), 6);
        let kept = error.service().unwrap().body.clone().unwrap();
        assert_eq!(kept, "あ".repeat(682), "cut between two characters");
    }

    #[test]
    fn a_broken_connection_shows_no_address_and_each_cause_once() {
        let inner = std::io::Error::other("Connection refused (os error 111)");
        let google = GoogleError::io(GoogleError::connect(inner));
        let error = translate("write", &uri(), &google, 2);
        assert_eq!(error.kind(), Kind::Unavailable);
        let cause = StdError::source(&error).unwrap().to_string();
        assert_eq!(cause, "Connection refused (os error 111)");
        let secret = GoogleError::io("error sending request for url (https://x/?upload_id=secret)");
        assert!(!causes(&secret).contains("secret"));
    }

    #[test]
    fn corrupted_bytes_are_data_loss_and_a_missing_login_is_said() {
        let long = GoogleError::deser(ReadError::LongRead { got: 2, expected: 1 });
        assert_eq!(translate("read", &uri(), &long, 1).kind(), Kind::DataLoss);
        let header = GoogleError::deser(ReadError::MissingHeader("x-goog-generation"));
        assert_eq!(translate("read", &uri(), &header, 1).kind(), Kind::BadReply);
        let login = GoogleError::io(GoogleError::authentication(CredentialsError::from_msg(false, "no key")));
        assert_eq!(translate("read", &uri(), &login, 1).kind(), Kind::Unauthenticated);
    }
}
