//! The one place that names Google's client.
//!
//! Its types stay in here, behind functions without type parameters: whoever names them pays for
//! their code generation, once a binary. The code of an `async fn` is made where it is waited for, so those that
//! other crates come to wait for are in boxes.

mod error;
mod retry;

use std::{fmt, pin::Pin, time::Duration};

use batch_backend::{Error, Kind, Result};
use batch_http::{
    HttpClient, Jitter, RetryPolicy, Service,
    google::{Patience, Unthrottled, causes, translate},
    init_tls,
};
use batch_model::GcsUri;
use bytes::Bytes;
use google_cloud_storage::{client::Storage, model, read_object::ReadObjectResponse};

use crate::api::{CONTENT_TYPE, Object};
use retry::Persistence;

/// Google's client of Cloud Storage, with our login, address and patience.
#[derive(Clone)]
pub(crate) struct Google {
    storage: Storage,
    retry: RetryPolicy,
    jitter: Jitter,
}

impl Google {
    pub(crate) fn connect(
        http: &HttpClient,
        retry: RetryPolicy,
    ) -> Pin<Box<dyn Future<Output = Result<Self>> + Send + '_>> {
        Box::pin(Self::connected(http, retry))
    }

    async fn connected(http: &HttpClient, retry: RetryPolicy) -> Result<Self> {
        init_tls();
        // Checked there to be an address that the login may be sent to.
        let endpoint = http.base_url(&Service::Storage)?;
        let storage = Storage::builder()
            .with_endpoint(&endpoint)
            .with_credentials(http.credentials().google())
            .with_retry_throttler(Unthrottled)
            .build()
            .await
            .map_err(|error| Error::new(Kind::Other, "make a client for", endpoint).with_source(causes(&error)))?;
        Ok(Self { storage, retry, jitter: http.jitter().clone() })
    }

    fn persistence(&self) -> Persistence {
        Persistence::new(Patience::new(self.retry.clone(), self.jitter.clone()))
    }

    /// Writes a whole object in one request, in place of what is there. The bytes travel with their
    /// checksum, which the service compares.
    pub(crate) async fn write(&self, uri: &GcsUri, bytes: Bytes) -> Result<Object> {
        let persistence = self.persistence();
        let written = self
            .storage
            .write_object(bucket_name(uri), uri.object(), bytes)
            .set_content_type(CONTENT_TYPE)
            .with_resumable_upload_threshold(usize::MAX)
            // The same bytes again are the same object.
            .with_idempotency(true)
            .with_retry_policy(persistence.clone())
            .with_backoff_policy(persistence.clone())
            .send_buffered()
            .await;
        match written {
            Ok(object) => Ok(object_of(&object)),
            // The object is there, and who called compares it anyhow.
            Err(error) => match error::arrived_wrong(&error) {
                Some(object) => Ok(object_of(object)),
                None => Err(failed("write", uri, &error, &persistence)),
            },
        }
    }

    /// Begins to read an object: its generation `generation`, or the newest.
    pub(crate) fn read<'a>(
        &'a self,
        uri: &'a GcsUri,
        generation: Option<i64>,
    ) -> Pin<Box<dyn Future<Output = Result<Reader>> + Send + 'a>> {
        Box::pin(self.opened(uri, generation))
    }

    async fn opened(&self, uri: &GcsUri, generation: Option<i64>) -> Result<Reader> {
        let persistence = self.persistence();
        let mut request = self.storage.read_object(bucket_name(uri), uri.object());
        if let Some(generation) = generation {
            request = request.set_generation(generation);
        }
        let opening = request
            .with_retry_policy(persistence.clone())
            .with_backoff_policy(persistence.clone())
            .with_read_resume_policy(persistence.clone())
            .send();
        let opened = tokio::time::timeout(persistence.patience(), opening).await;
        match opened.map_err(|_| silent(uri, persistence.patience()))? {
            Ok(response) => Ok(Reader { uri: uri.clone(), persistence, response }),
            Err(error) => Err(failed("read", uri, &error, &persistence)),
        }
    }
}

impl fmt::Debug for Google {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Google").field("retry", &self.retry).finish_non_exhaustive()
    }
}

/// An object on its way here. A broken connection is resumed where it broke, of the same generation.
pub(crate) struct Reader {
    uri: GcsUri,
    persistence: Persistence,
    response: ReadObjectResponse,
}

impl Reader {
    /// The next bytes; `None` at the end, when the service's checksum was found to be right.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>> {
        // A silent connection is no error to Google's client.
        let next = tokio::time::timeout(self.persistence.patience(), self.response.next()).await;
        match next.map_err(|_| silent(&self.uri, self.persistence.patience()))? {
            Some(Ok(bytes)) => {
                self.persistence.progressed(bytes.len() as u64);
                Ok(Some(bytes))
            }
            Some(Err(error)) => Err(failed("read", &self.uri, &error, &self.persistence)),
            None => Ok(None),
        }
    }
}

fn failed(doing: &str, uri: &GcsUri, error: &google_cloud_storage::Error, persistence: &Persistence) -> Error {
    translate(doing, &uri.to_string(), error, persistence.attempts(), error::kind)
}

fn silent(uri: &GcsUri, patience: Duration) -> Error {
    Error::new(Kind::DeadlineExceeded, "read", uri.to_string())
        .with_source(format!("nothing came for {} s", patience.as_secs()))
}

fn bucket_name(uri: &GcsUri) -> String {
    format!("projects/_/buckets/{}", uri.bucket())
}

fn object_of(object: &model::Object) -> Object {
    Object {
        name: object.name.clone(),
        size: object.size.try_into().unwrap_or_default(),
        generation: object.generation,
        crc32c: object.checksums.as_ref().and_then(|checksums| checksums.crc32c),
    }
}
