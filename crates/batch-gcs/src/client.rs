//! The client that the stores share.

use std::sync::Arc;

use batch_backend::{Error, Kind, Result};
use batch_http::{HttpClient, RetryPolicy};
use batch_model::{GcsUri, Location};
use bytes::{Bytes, BytesMut};

use crate::{api::Api, download::Download, google::Google};

/// A client of Cloud Storage: one login and one set of connections for any number of stores. Clones
/// share them.
#[derive(Debug, Clone)]
pub struct GcsClient {
    google: Arc<Google>,
    api: Api,
}

impl GcsClient {
    /// A client with the login, the endpoint and the clock of `http`. `retry` says when objects are
    /// read or written again; give the policy that `http` has. Nothing is sent yet.
    ///
    /// # Errors
    /// `FailedPrecondition` where a token would go over plain http to another machine, `Other` where
    /// the system's TLS roots cannot be read.
    pub async fn connect(http: HttpClient, retry: RetryPolicy) -> Result<Self> {
        let google = Google::connect(&http, retry).await?;
        Ok(Self { google: Arc::new(google), api: Api::new(http) })
    }

    /// Says where jobs run, which is where their buckets should be: the hint about a missing bucket
    /// names it.
    #[must_use]
    pub fn for_jobs_in(mut self, location: &Location) -> Self {
        self.api.set_location(location);
        self
    }

    /// Where a bucket is, in lower case (`us-central1`, `us`); `None` where there is no such bucket.
    ///
    /// Mirrors `buckets.get`, which needs `storage.buckets.get`: the role `roles/storage.objectUser`,
    /// enough for all else here, does not have it.
    ///
    /// # Errors
    /// What the service may answer.
    pub async fn bucket_location(&self, bucket: &str) -> Result<Option<String>> {
        self.api.bucket_location(bucket).await
    }

    /// Makes the bucket in `project` and `location` unless it exists, wherever it is. Says whether it
    /// was made.
    ///
    /// Mirrors `buckets.insert`. A name that somebody else's project has taken counts as existing.
    ///
    /// # Errors
    /// What the service may answer.
    pub async fn ensure_bucket(&self, project: &str, bucket: &str, location: &str) -> Result<bool> {
        match self.api.bucket_location(bucket).await? {
            Some(_) => Ok(false),
            None => self.api.create_bucket(project, bucket, location).await,
        }
    }

    /// The bytes of an object that is expected to be small.
    ///
    /// # Errors
    /// `NotFound`; `FailedPrecondition` where it has more than `limit` bytes; `DataLoss` where its
    /// checksum does not match; what the service may answer.
    pub async fn read_small(&self, uri: &GcsUri, limit: usize) -> Result<Bytes> {
        let Some(object) = self.api.stat(uri).await? else {
            return Err(Error::new(Kind::NotFound, "read", uri.to_string()));
        };
        if object.size > limit as u64 {
            return Err(Error::new(Kind::FailedPrecondition, "read", uri.to_string())
                .with_source(format!("it has {} bytes, and {limit} are the limit", object.size)));
        }
        let mut download = Download::new(self.clone(), uri.clone(), object);
        let mut bytes = BytesMut::new();
        while let Some(chunk) = download.next().await? {
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes.freeze())
    }

    pub(crate) fn api(&self) -> &Api {
        &self.api
    }

    pub(crate) fn google(&self) -> &Google {
        &self.google
    }

    /// Adds what to do to an error of Google's client about an object.
    pub(crate) fn advise(&self, error: Error, uri: &GcsUri) -> Error {
        self.api.advise(error, uri.bucket())
    }
}
