//! Bytes of unknown length on their way into an object.
//!
//! What fits into one buffer goes in one request, by Google's client. More goes as a resumable upload
//! that is spoken here: after a broken connection that client (1.21) drops a whole piece and writes
//! what follows in its place (<https://github.com/googleapis/google-cloud-rust/issues/6685>, open), and
//! its other way, without a buffer, needs a source that can go back as far as the service forgot.
//! Here a piece is kept until the service has it.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use batch_backend::{Error, Kind, Result};
use batch_model::GcsUri;
use bytes::{Buf, Bytes, BytesMut};
use tokio::task::{JoinError, JoinHandle};

use crate::{
    api::{Object, Progress},
    client::GcsClient,
};

/// How much is gathered before it is sent: two of these are in memory, one filling, one on its way.
const BUFFER: usize = 8 << 20;
/// Pieces are multiples of this, but for the last.
const QUANTUM: usize = 256 << 10;
/// A piece that takes longer than this is followed by smaller ones, a faster one by larger ones.
const PACE: Duration = Duration::from_secs(4);
/// How often in a row the service may keep nothing of a piece.
const PATIENCE: u32 = 5;

/// An upload under way. Nothing is visible before [`finish`](Self::finish); dropped, it never was.
#[derive(Debug)]
pub(crate) struct Upload {
    gcs: GcsClient,
    uri: GcsUri,
    buffer: BytesMut,
    size: u64,
    crc32c: u32,
    flight: Flight,
    /// The address of the resumable upload, once there is one.
    session: Arc<OnceLock<String>>,
}

/// What is on its way.
#[derive(Debug)]
enum Flight {
    /// Nothing: all is in the buffer yet.
    None,
    /// A buffer, by a task of its own.
    Sending(JoinHandle<Result<Session>>),
    /// Nothing more: it failed, and the error was handed out.
    Failed,
}

impl Upload {
    pub(crate) fn new(gcs: GcsClient, uri: GcsUri) -> Self {
        let (buffer, session) = (BytesMut::new(), Arc::default());
        Self { gcs, uri, buffer, size: 0, crc32c: 0, flight: Flight::None, session }
    }

    /// Takes more bytes. Waits while the service is behind by more than a buffer.
    pub(crate) async fn write(&mut self, mut bytes: Bytes) -> Result<()> {
        if matches!(self.flight, Flight::Failed) {
            return Err(self.useless());
        }
        self.crc32c = crc32c::crc32c_append(self.crc32c, &bytes);
        self.size += bytes.len() as u64;
        loop {
            let room = BUFFER - self.buffer.len();
            if bytes.len() <= room {
                // A buffer that is just full waits for more: the last piece must not be empty.
                self.buffer.extend_from_slice(&bytes);
                return Ok(());
            }
            self.buffer.extend_from_slice(&bytes.split_to(room));
            self.send().await?;
        }
    }

    /// Completes the object, and compares what the service has with what was written.
    pub(crate) async fn finish(mut self) -> Result<Object> {
        let last = std::mem::take(&mut self.buffer).freeze();
        let object = match self.flight {
            Flight::None => self
                .gcs
                .google()
                .write(&self.uri, last)
                .await
                .map_err(|error| self.gcs.api().advise_on_bucket(error, self.uri.bucket()))?,
            Flight::Sending(_) | Flight::Failed => {
                let session = self.landed().await?;
                session.complete(&self.gcs, &self.uri, last, self.crc32c).await?
            }
        };
        self.verified(object).await
    }

    /// Gives up, and tells the service so.
    pub(crate) async fn abort(mut self) -> Result<()> {
        if let Flight::Sending(task) = &mut self.flight {
            task.abort();
            // An error is what was asked for. What it did until then, it did to the session.
            let _ = task.await;
            self.flight = Flight::Failed;
        }
        match self.session.get() {
            Some(session) => self.gcs.api().cancel_upload(&self.uri, session).await,
            None => Ok(()),
        }
    }

    /// Sends the buffer, once the one before has landed.
    async fn send(&mut self) -> Result<()> {
        let session = match self.flight {
            Flight::None => None,
            Flight::Sending(_) | Flight::Failed => Some(self.landed().await?),
        };
        let buffer = std::mem::replace(&mut self.buffer, BytesMut::with_capacity(BUFFER)).freeze();
        let (gcs, uri, url) = (self.gcs.clone(), self.uri.clone(), Arc::clone(&self.session));
        self.flight = Flight::Sending(tokio::spawn(async move {
            let mut session = match session {
                Some(session) => session,
                None => Session::begin(&gcs, &uri, &url).await?,
            };
            session.send(&gcs, &uri, buffer, None).await?;
            Ok(session)
        }));
        Ok(())
    }

    /// Waits for what is on its way.
    async fn landed(&mut self) -> Result<Session> {
        let Flight::Sending(task) = &mut self.flight else { return Err(self.useless()) };
        let landed: Result<_, JoinError> = task.await;
        self.flight = Flight::Failed;
        landed.unwrap_or_else(|error| Err(about(&self.uri, Kind::Other).with_source(error)))
    }

    /// Checks what the service says that it has.
    async fn verified(self, object: Object) -> Result<Object> {
        let why = match object.crc32c {
            Some(crc32c) if crc32c == self.crc32c && object.size == self.size => return Ok(object),
            Some(crc32c) => format!(
                "{} bytes with the CRC32C {:08x} were written, {} bytes with {crc32c:08x} arrived",
                self.size, self.crc32c, object.size
            ),
            None => "the service tells no CRC32C of what arrived".to_owned(),
        };
        let lost = about(&self.uri, Kind::DataLoss).with_source(why);
        // What arrived wrong must not be read by a job.
        match self.gcs.api().delete(&self.uri, Some(object.generation)).await {
            Ok(_) => Err(lost.with_hint("the object was deleted; run again")),
            Err(error) => Err(lost.with_hint(format!("delete it by hand, which failed: {error}"))),
        }
    }

    fn useless(&self) -> Error {
        about(&self.uri, Kind::FailedPrecondition).with_source("the upload has failed already")
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let Flight::Sending(task) = &self.flight {
            task.abort();
        }
    }
}

fn about(uri: &GcsUri, kind: Kind) -> Error {
    Error::new(kind, "write", uri.to_string())
}

fn odd(uri: &GcsUri, why: impl Into<String>) -> Error {
    about(uri, Kind::BadReply).with_source(why.into())
}

/// A resumable upload at the service.
#[derive(Debug)]
struct Session {
    url: String,
    /// How many bytes the service has.
    offset: u64,
    /// The length of the next piece.
    piece: usize,
}

impl Session {
    async fn begin(gcs: &GcsClient, uri: &GcsUri, known: &OnceLock<String>) -> Result<Self> {
        let url = gcs.api().begin_upload(uri).await?;
        // There is one session for each upload, so this is the first.
        let _ = known.set(url.clone());
        Ok(Self { url, offset: 0, piece: 4 * QUANTUM })
    }

    /// Sends bytes, of which there is at least one: a multiple of the quantum, or, where the size of the
    /// whole object is known, the last ones. Returns the object after those.
    async fn send(
        &mut self,
        gcs: &GcsClient,
        uri: &GcsUri,
        mut bytes: Bytes,
        size: Option<u64>,
    ) -> Result<Option<Object>> {
        let mut idle = 0;
        while !bytes.is_empty() {
            let piece = bytes.slice(..self.piece.min(bytes.len()));
            let end = self.offset + piece.len() as u64;
            let total = size.filter(|size| *size == end).map_or_else(|| "*".to_owned(), |size| size.to_string());
            let range = format!("bytes {}-{}/{total}", self.offset, end - 1);
            let began = gcs.now();
            let kept = match gcs.api().put(uri, &self.url, &range, piece).await {
                Ok(Progress::Complete(object)) if size == Some(end) => return Ok(Some(object)),
                Ok(Progress::Complete(_)) => {
                    return Err(odd(uri, "the service takes the upload for complete too early"));
                }
                Ok(Progress::All) => end,
                // The service may keep less than it was sent.
                Ok(Progress::Kept(kept)) if (self.offset..=end).contains(&kept) => kept,
                Ok(Progress::Kept(kept)) => {
                    return Err(odd(
                        uri,
                        format!("the service has kept {kept} bytes of {end}, and {} before", self.offset),
                    ));
                }
                Err(error) => return Err(explain(error, uri)),
            };
            if size == Some(kept) {
                return Err(odd(uri, "the service waits for more than there is"));
            }
            idle = if kept == self.offset { idle + 1 } else { 0 };
            if idle == PATIENCE {
                return Err(about(uri, Kind::Unavailable).with_attempts(idle).with_source("the service keeps nothing"));
            }
            self.adapt(gcs.now().duration_since(began).unwrap_or(PACE));
            bytes.advance(usize::try_from(kept - self.offset).unwrap_or(bytes.len()));
            self.offset = kept;
        }
        Ok(None)
    }

    /// Sends the last bytes, of which there is at least one.
    async fn complete(mut self, gcs: &GcsClient, uri: &GcsUri, last: Bytes, crc32c: u32) -> Result<Object> {
        let size = self.offset + last.len() as u64;
        match self.send(gcs, uri, last, Some(size)).await {
            Ok(Some(object)) => Ok(object),
            Ok(None) => Err(odd(uri, "the service was sent no last bytes")),
            // The object may be there although every reply that said so was lost.
            Err(error) => match gcs.api().stat(uri).await {
                Ok(Some(object)) if object.size == size && object.crc32c == Some(crc32c) => Ok(object),
                _ => Err(error),
            },
        }
    }

    /// Larger pieces on a fast line, where each costs a round trip; smaller ones on a slow line, where
    /// a large one would take longer than a reply may.
    fn adapt(&mut self, took: Duration) {
        self.piece = if took < PACE { (self.piece * 2).min(BUFFER) } else { (self.piece / 2).max(QUANTUM) };
    }
}

/// Says what it means that the service does not know the upload any more.
fn explain(error: Error, uri: &GcsUri) -> Error {
    if error.kind() != Kind::NotFound {
        return error;
    }
    about(uri, Kind::Unavailable)
        .with_source(error)
        .with_hint("the service has lost the unfinished upload, which happens: run again")
}
