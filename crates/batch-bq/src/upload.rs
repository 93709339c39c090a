//! Request lines on their way into a load job, as a resumable upload.
//!
//! Pieces are kept until the service has them; two buffers are in memory, one filling, one on its way.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use batch_backend::{Error, Kind, Result};
use bytes::{Buf, Bytes};
use serde_json::Value;
use tokio::task::{JoinError, JoinHandle};

use crate::{BqClient, api::Progress, table::TableName};

/// How much is gathered before it is sent.
pub(crate) const BUFFER: usize = 8 << 20;
/// Pieces are multiples of this, but for the last.
const QUANTUM: usize = 256 << 10;
/// A piece that takes longer than this is followed by smaller ones, a faster one by larger ones.
const PACE: Duration = Duration::from_secs(4);
/// How often in a row the service may keep nothing of a piece.
const PATIENCE: u32 = 5;

/// An upload under way. No job begins before [`finish`](Self::finish).
#[derive(Debug)]
pub(crate) struct Upload {
    client: BqClient,
    table: TableName,
    flight: Flight,
    /// The address of the upload, once there is one.
    session: Arc<OnceLock<String>>,
}

/// What is on its way.
#[derive(Debug)]
enum Flight {
    /// Nothing yet.
    None,
    /// A buffer, by a task of its own.
    Sending(JoinHandle<Result<Session>>),
    /// Nothing more: it failed, and the error was handed out.
    Failed,
}

impl Upload {
    pub(crate) fn new(client: BqClient, table: TableName) -> Self {
        Self { client, table, flight: Flight::None, session: Arc::default() }
    }

    /// Sends a whole buffer, once the one before has landed. The first begins an upload for `job`.
    pub(crate) async fn send(&mut self, buffer: Bytes, job: &Value) -> Result<()> {
        let session = match self.flight {
            Flight::None => None,
            Flight::Sending(_) | Flight::Failed => Some(self.landed().await?),
        };
        let (client, table, url) = (self.client.clone(), self.table.clone(), Arc::clone(&self.session));
        let job = if session.is_none() { job.clone() } else { Value::Null };
        self.flight = Flight::Sending(tokio::spawn(async move {
            let mut session = match session {
                Some(session) => session,
                None => Session::begin(&client, &table, &job, &url).await?,
            };
            session.send(&client, &table, buffer, None).await?;
            Ok(session)
        }));
        Ok(())
    }

    /// Sends the last bytes, and returns the job as the service answers with it.
    pub(crate) async fn finish(&mut self, last: Bytes, job: &Value) -> Result<Bytes> {
        let mut session = match self.flight {
            Flight::None => Session::begin(&self.client, &self.table, job, &self.session).await?,
            Flight::Sending(_) | Flight::Failed => self.landed().await?,
        };
        let size = session.offset + last.len() as u64;
        match session.send(&self.client, &self.table, last, Some(size)).await? {
            Some(job) => Ok(job),
            None => Err(odd(&self.table, "the service was sent all, and has begun no job")),
        }
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
            Some(session) => self.client.api().cancel_upload(&self.table, session).await,
            None => Ok(()),
        }
    }

    /// Waits for what is on its way.
    async fn landed(&mut self) -> Result<Session> {
        let Flight::Sending(task) = &mut self.flight else {
            return Err(about(&self.table, Kind::FailedPrecondition).with_source("the upload has failed already"));
        };
        let landed: Result<_, JoinError> = task.await;
        self.flight = Flight::Failed;
        landed.unwrap_or_else(|error| Err(about(&self.table, Kind::Other).with_source(error)))
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let Flight::Sending(task) = &self.flight {
            task.abort();
        }
    }
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
    async fn begin(client: &BqClient, table: &TableName, job: &Value, known: &OnceLock<String>) -> Result<Self> {
        let url = client.api().begin_upload(client.project(), table, job).await?;
        // There is one session for each upload, so this is the first.
        let _ = known.set(url.clone());
        Ok(Self { url, offset: 0, piece: 4 * QUANTUM })
    }

    /// Sends bytes: a multiple of the quantum, or, where the size of it all is known, the last ones,
    /// after which the service answers with the job.
    async fn send(
        &mut self,
        client: &BqClient,
        table: &TableName,
        mut bytes: Bytes,
        size: Option<u64>,
    ) -> Result<Option<Bytes>> {
        let mut idle = 0;
        // Nothing at all is a piece too, of which the service must be told.
        let mut empty = size == Some(self.offset) && bytes.is_empty();
        while !bytes.is_empty() || empty {
            let piece = bytes.slice(..self.piece.min(bytes.len()));
            let end = self.offset + piece.len() as u64;
            let total = size.filter(|size| *size == end).map_or_else(|| "*".to_owned(), |size| size.to_string());
            let range = match piece.is_empty() {
                true => format!("bytes */{total}"),
                false => format!("bytes {}-{}/{total}", self.offset, end - 1),
            };
            let began = client.now();
            let kept = match client.api().put(table, &self.url, &range, piece).await {
                Ok(Progress::Complete(job)) if size == Some(end) => return Ok(Some(job)),
                Ok(Progress::Complete(_)) => {
                    return Err(odd(table, "the service takes the upload for complete too early"));
                }
                Ok(Progress::All) => end,
                // The service may keep less than it was sent.
                Ok(Progress::Kept(kept)) if (self.offset..=end).contains(&kept) => kept,
                Ok(Progress::Kept(kept)) => {
                    let before = self.offset;
                    return Err(odd(table, format!("the service has kept {kept} bytes of {end}, and {before} before")));
                }
                Err(error) => return Err(explain(error, table)),
            };
            if size == Some(kept) {
                return Err(odd(table, "the service waits for more than there is"));
            }
            idle = if kept == self.offset { idle + 1 } else { 0 };
            if idle == PATIENCE {
                return Err(about(table, Kind::Unavailable)
                    .with_attempts(idle)
                    .with_source("the service keeps nothing"));
            }
            // Larger pieces on a fast line, where each costs a round trip; smaller ones on a slow one.
            let took = client.now().duration_since(began).unwrap_or(PACE);
            self.piece = if took < PACE { (self.piece * 2).min(BUFFER) } else { (self.piece / 2).max(QUANTUM) };
            bytes.advance(usize::try_from(kept - self.offset).unwrap_or(bytes.len()).min(bytes.len()));
            self.offset = kept;
            empty = false;
        }
        Ok(None)
    }
}

fn about(table: &TableName, kind: Kind) -> Error {
    Error::new(kind, "load into", table.to_string())
}

fn odd(table: &TableName, why: impl Into<String>) -> Error {
    about(table, Kind::BadReply).with_source(why.into())
}

/// Says what it means that the service does not know the upload any more.
fn explain(error: Error, table: &TableName) -> Error {
    if error.kind() != Kind::NotFound {
        return error;
    }
    about(table, Kind::Unavailable)
        .with_source(error)
        .with_hint("the service has lost the unfinished upload, which happens: run again")
}
