//! What only the errors of Google's client of Cloud Storage say.

use batch_backend::Kind;
use batch_http::google::cause;
use google_cloud_storage::{
    Error as GoogleError,
    error::{ReadError, WriteError},
    model::Object,
};

/// The object that was written, where its checksum is not that of what was sent.
pub(super) fn arrived_wrong(error: &GoogleError) -> Option<&Object> {
    match cause::<WriteError>(error) {
        Some(WriteError::ChecksumMismatch { object, .. }) => Some(object),
        _ => None,
    }
}

/// What kind of failure a broken read or write is.
pub(super) fn kind(error: &GoogleError) -> Option<Kind> {
    if cause::<WriteError>(error).is_some() {
        return Some(Kind::DataLoss);
    }
    Some(match cause::<ReadError>(error)? {
        ReadError::ChecksumMismatch(_) | ReadError::LongRead { .. } => Kind::DataLoss,
        ReadError::ShortRead(_) => Kind::Unavailable,
        _ => Kind::BadReply,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corrupted_bytes_are_data_loss() {
        let long = GoogleError::deser(ReadError::LongRead { got: 2, expected: 1 });
        assert_eq!(kind(&long), Some(Kind::DataLoss));
        let header = GoogleError::deser(ReadError::MissingHeader("x-goog-generation"));
        assert_eq!(kind(&header), Some(Kind::BadReply));
        assert_eq!(kind(&GoogleError::io("reset")), None);
    }
}
