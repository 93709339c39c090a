//! What comes back.

use batch_backend::{Error, Kind, Result, ServiceError};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;

use crate::envelope;

/// A reply with a 2xx status, its body whole.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    pub(crate) doing: String,
    pub(crate) resource: String,
}

impl Response {
    /// The body as JSON.
    ///
    /// # Errors
    /// `BadReply` where it is none, or not of this shape; the error keeps the first 2 KiB of it.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let mut service = ServiceError::new(self.status.as_u16());
            service.body = Some(envelope::beginning(&self.body));
            Error::new(Kind::BadReply, &self.doing, &self.resource).with_service(service).with_source(error)
        })
    }
}

/// A reply with a 2xx status, its body still on the way.
///
/// What breaks while the body flows is an error of kind `Unavailable`; it is the caller who knows how
/// much has arrived, and asks for the rest with a `Range`.
#[derive(Debug)]
pub struct StreamingResponse {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    pub(crate) inner: reqwest::Response,
    pub(crate) doing: String,
    pub(crate) resource: String,
}

impl StreamingResponse {
    /// The next piece of the body; `None` at its end.
    ///
    /// # Errors
    /// `Unavailable` where the connection broke, `DeadlineExceeded` where nothing came for long.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>> {
        self.inner.chunk().await.map_err(|error| {
            let kind = if error.is_timeout() { Kind::DeadlineExceeded } else { Kind::Unavailable };
            Error::new(kind, &self.doing, &self.resource).with_source(error.without_url())
        })
    }
}
