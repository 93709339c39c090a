//! Bytes of unknown length on their way into an object.
//!
//! What fits into one buffer goes in one request, by Google's client. More goes as a resumable upload of
//! `batch-http`: after a broken connection Google's client (1.21) drops a whole piece and writes what
//! follows in its place (<https://github.com/googleapis/google-cloud-rust/issues/6685>, open), and its
//! other way, without a buffer, needs a source that can go back as far as the service forgot.

use batch_backend::{Error, Kind, Result};
use batch_http::{ResumableUpload, UploadBuffer};
use batch_model::GcsUri;
use bytes::Bytes;

use crate::{api::Object, client::GcsClient};

/// An upload under way. Nothing is visible before [`finish`](Self::finish); dropped, it never was.
#[derive(Debug)]
pub(crate) struct Upload {
    gcs: GcsClient,
    uri: GcsUri,
    buffer: UploadBuffer,
    size: u64,
    crc32c: u32,
    /// Once there was more than a buffer.
    resumable: Option<ResumableUpload>,
}

impl Upload {
    pub(crate) fn new(gcs: GcsClient, uri: GcsUri) -> Self {
        Self { gcs, uri, buffer: UploadBuffer::default(), size: 0, crc32c: 0, resumable: None }
    }

    /// Takes more bytes. Waits while the service is behind by more than a buffer and a part of
    /// the next.
    pub(crate) async fn write(&mut self, mut bytes: Bytes) -> Result<()> {
        self.crc32c = crc32c::crc32c_append(self.crc32c, &bytes);
        self.size += bytes.len() as u64;
        while let Some(full) = self.buffer.fill(&mut bytes) {
            let upload = match &mut self.resumable {
                Some(upload) => upload,
                none => none.insert(self.gcs.api().upload(&self.uri)?),
            };
            upload.send(full).await.map_err(|error| self.gcs.api().advise_on_bucket(error, self.uri.bucket()))?;
        }
        if let Some(upload) = &mut self.resumable {
            let kept_up = upload.keep_up(&self.buffer).await;
            kept_up.map_err(|error| self.gcs.api().advise_on_bucket(error, self.uri.bucket()))?;
        }
        Ok(())
    }

    /// Completes the object, and compares what the service has with what was written.
    pub(crate) async fn finish(mut self) -> Result<Object> {
        let last = self.buffer.rest();
        let object = match &mut self.resumable {
            None => self.gcs.google().write(&self.uri, last.into_bytes()).await,
            Some(upload) => match upload.finish(last).await.and_then(|response| response.json()) {
                Ok(object) => Ok(object),
                // The object may be there although every reply that said so was lost.
                Err(error) => match self.gcs.api().stat(&self.uri).await {
                    Ok(Some(object)) if self.is_whole(&object) => Ok(object),
                    _ => Err(error),
                },
            },
        };
        let object = object.map_err(|error| self.gcs.api().advise_on_bucket(error, self.uri.bucket()))?;
        self.verified(object).await
    }

    /// Gives up, and tells the service so.
    pub(crate) async fn abort(self) -> Result<()> {
        match self.resumable {
            Some(upload) => upload.abort().await,
            None => Ok(()),
        }
    }

    /// Checks what the service says that it has.
    async fn verified(self, object: Object) -> Result<Object> {
        let why = match object.crc32c {
            _ if self.is_whole(&object) => return Ok(object),
            Some(crc32c) => format!(
                "{} bytes with the CRC32C {:08x} were written, {} bytes with {crc32c:08x} arrived",
                self.size, self.crc32c, object.size
            ),
            None => "the service tells no CRC32C of what arrived".to_owned(),
        };
        let lost = Error::new(Kind::DataLoss, "write", self.uri.to_string()).with_source(why);
        // What arrived wrong must not be read by a job.
        match self.gcs.api().delete(&self.uri, Some(object.generation)).await {
            Ok(_) => Err(lost.with_hint("the object was deleted; run again")),
            Err(error) => Err(lost.with_hint(format!("delete it by hand, which failed: {error}"))),
        }
    }

    fn is_whole(&self, object: &Object) -> bool {
        object.size == self.size && object.crc32c == Some(self.crc32c)
    }
}
