//! Request lines into a bucket.

use std::fmt;

use async_trait::async_trait;
use batch_backend::{Columns, Error, InputStore, Kind, RequestSink, Result, Staged, StagedSize};
use batch_model::{GcsUri, InputConfig};
use bytes::Bytes;

use crate::{GcsClient, api::Object, upload::Upload};

/// Request lines as objects below `gs://BUCKET/PREFIX`, one object for each name.
///
/// Lines stream into the object with at most 16 MiB in memory, whatever their number; what the
/// service has is compared with what was written by size and CRC32C. Displays as its address.
///
/// The service reads objects of 1 GB and 200,000 lines at most (its documentation, not always
/// enforced); cutting the input into such is the caller's.
#[derive(Debug, Clone)]
pub struct GcsInput {
    gcs: GcsClient,
    prefix: GcsUri,
}

impl GcsInput {
    /// A store below `prefix`. Nothing is sent yet: a bucket that is not there shows when it is used.
    #[must_use]
    pub fn new(gcs: GcsClient, prefix: GcsUri) -> Self {
        Self { gcs, prefix }
    }

    fn uri(&self, name: &str) -> Result<GcsUri> {
        let name = name.trim_start_matches('/');
        if name.is_empty() || name.ends_with('/') || name.contains(['*', '?', '[']) {
            // The service takes the input's address for a pattern.
            return Err(Error::new(Kind::InvalidArgument, "stage as", format!("{}{name}", self.prefix.as_folder()))
                .with_source("an object to stage needs a name without wildcards"));
        }
        // The ending that the service's samples have, and by which Google's SDKs know the format.
        let ending = if name.ends_with(".jsonl") { "" } else { ".jsonl" };
        Ok(self.prefix.join(&format!("{name}{ending}")))
    }
}

impl fmt::Display for GcsInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.prefix.to_string().trim_end_matches('/'))
    }
}

#[async_trait]
impl InputStore for GcsInput {
    /// As the trait says. Columns stand in the lines; the object needs nothing of them.
    async fn create(&self, name: &str, _columns: &Columns) -> Result<Box<dyn RequestSink>> {
        let uri = self.uri(name)?;
        let upload = Upload::new(self.gcs.clone(), uri.clone());
        Ok(Box::new(GcsSink { uri, upload }))
    }

    async fn find(&self, name: &str) -> Result<Option<Staged>> {
        let uri = self.uri(name)?;
        let found = self.gcs.api().stat(&uri).await?;
        Ok(found.map(|object| staged(&uri, &object)))
    }

    /// As the trait says. What does not lie below the store's address is refused: it was not staged here.
    async fn remove(&self, staged: &Staged) -> Result<()> {
        let folder = self.prefix.as_folder();
        let mut uris = Vec::new();
        for text in staged.input.uris() {
            let refused = || Error::new(Kind::InvalidArgument, "remove", text);
            let uri: GcsUri = text.parse().map_err(|error| refused().with_source(error))?;
            let ours = uri.bucket() == folder.bucket() && uri.object().starts_with(folder.object());
            if !ours || uri.object() == folder.object() || uri.object().contains(['*', '?', '[']) {
                return Err(refused().with_source(format!("it is no object that was staged in {self}")));
            }
            uris.push(uri);
        }
        for uri in &uris {
            self.gcs.api().delete(uri, None).await?;
        }
        Ok(())
    }
}

fn staged(uri: &GcsUri, object: &Object) -> Staged {
    Staged {
        input: InputConfig::gcs([uri.to_string()]),
        size: StagedSize::Bytes(object.size),
        checksum: object.checksum(),
    }
}

struct GcsSink {
    uri: GcsUri,
    upload: Upload,
}

#[async_trait]
impl RequestSink for GcsSink {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.upload.write(bytes).await
    }

    async fn finish(self: Box<Self>) -> Result<Staged> {
        let Self { uri, upload } = *self;
        let object = upload.finish().await?;
        Ok(staged(&uri, &object))
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        self.upload.abort().await
    }
}
