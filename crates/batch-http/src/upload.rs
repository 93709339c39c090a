//! Bytes of unknown length on their way into a service, as a resumable upload.
//!
//! Cloud Storage and BigQuery speak the same protocol
//! (<https://cloud.google.com/storage/docs/performing-resumable-uploads>,
//! <https://cloud.google.com/bigquery/docs/reference/api-uploads>). A piece is kept here until the
//! service has it.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use batch_backend::{Error, Kind, Result};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{CONTENT_RANGE, LOCATION, RANGE},
};
use tokio::task::JoinSet;

use crate::{Chunks, HttpClient, Request, Response, Service};

/// How much is gathered before it is sent. Google advises pieces of 8 MiB at least, as each costs a round
/// trip.
const BUFFER: usize = 8 << 20;
/// How much is gathered beside a buffer that is on its way. More of it would be memory for little: what
/// gathers is far faster than a network, and soon has the rest of a buffer.
const AHEAD: usize = 2 << 20;
/// Pieces are multiples of this, but for the last.
const QUANTUM: usize = 256 << 10;
/// A piece that takes longer than this is followed by smaller ones, a faster one by larger ones.
const PACE: Duration = Duration::from_secs(4);
/// How often in a row the service may keep nothing of a piece.
const PATIENCE: u32 = 5;

/// Asks for 200 where the upload protocol has 308, which by now means "moved for good". Google's client
/// for Go asks so.
const NO_308: HeaderName = HeaderName::from_static("x-guploader-no-308");
/// Says that a 200 stands for a 308.
const STATUS_OVERRIDE: HeaderName = HeaderName::from_static("x-http-status-code-override");

/// Gathers bytes until there are enough to send. They are kept as they came, so they should not come one by
/// one.
#[derive(Debug, Default)]
pub struct UploadBuffer(Chunks);

impl UploadBuffer {
    /// Takes what it has room for from the beginning of `bytes`. Once there is more, hands over all that
    /// was gathered: 8 MiB, to be sent. One that is just full waits, because the last piece of an upload
    /// must not be empty.
    pub fn fill(&mut self, bytes: &mut Bytes) -> Option<Chunks> {
        let room = BUFFER - self.0.len();
        self.0.push(bytes.split_to(room.min(bytes.len())));
        (!bytes.is_empty()).then(|| std::mem::take(&mut self.0))
    }

    /// What has not been handed over yet.
    #[must_use]
    pub fn rest(&mut self) -> Chunks {
        std::mem::take(&mut self.0)
    }
}

/// A resumable upload under way. At the service nothing is visible before [`finish`](Self::finish);
/// dropped, it never was.
#[derive(Debug)]
pub struct ResumableUpload {
    target: Arc<Target>,
    flight: Flight,
}

/// What is uploaded where.
#[derive(Debug)]
struct Target {
    http: HttpClient,
    /// The call that begins it.
    begin: Request,
    /// The address of the upload, once there is one; as good as a login for this one upload.
    session: OnceLock<String>,
}

/// What is on its way.
#[derive(Debug)]
enum Flight {
    /// Nothing yet.
    None,
    /// A buffer, by a task of its own, which ends when this is dropped.
    Sending(JoinSet<Result<Session>>),
    /// Nothing any more: it has landed.
    Landed(Session),
    /// Nothing more: it failed, and the error was handed out; or who waited for it went away.
    Failed,
}

impl ResumableUpload {
    /// An upload that the call `begin` begins, whose answer names the address to send to. Errors speak of
    /// what `begin` [is about](Request::about). Nothing is sent yet.
    #[must_use]
    pub fn new(http: HttpClient, begin: Request) -> Self {
        // A session that nobody uses has no effect.
        let begin = begin.idempotent(true);
        Self { target: Arc::new(Target { http, begin, session: OnceLock::new() }), flight: Flight::None }
    }

    /// Sends a full buffer of an [`UploadBuffer`], in the background, once the one before has landed.
    ///
    /// # Errors
    /// What became of the buffer before: `Unavailable` where the service has lost the upload or keeps
    /// nothing of it, `BadReply` where it has kept what cannot be, `FailedPrecondition` where the upload
    /// has failed already; what the service may answer.
    pub async fn send(&mut self, buffer: Chunks) -> Result<()> {
        let session = self.landed().await?;
        let target = Arc::clone(&self.target);
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut session = target.begun(session).await?;
            target.send(&mut session, buffer, None).await?;
            Ok(session)
        });
        self.flight = Flight::Sending(task);
        Ok(())
    }

    /// Waits for what is on its way, if so much is gathered behind it that more of it would be too much in
    /// memory: to be called whenever an [`UploadBuffer`] has taken something.
    ///
    /// # Errors
    /// As for [`send`](Self::send).
    pub async fn keep_up(&mut self, buffer: &UploadBuffer) -> Result<()> {
        if matches!(self.flight, Flight::Sending(_))
            && AHEAD <= buffer.0.len()
            && let Some(session) = self.landed().await?
        {
            self.flight = Flight::Landed(session);
        }
        Ok(())
    }

    /// Sends the last bytes, and returns what the service answers to the whole.
    ///
    /// # Errors
    /// As for [`send`](Self::send), of the last bytes too. All may have arrived nevertheless, where it is
    /// the answer that was lost.
    pub async fn finish(&mut self, last: Chunks) -> Result<Response> {
        let landed = self.landed().await?;
        let mut session = self.target.begun(landed).await?;
        let size = session.offset + last.len() as u64;
        match self.target.send(&mut session, last, Some(size)).await? {
            Some(response) => Ok(response),
            None => Err(self.target.odd("the service was sent all, and waits for more")),
        }
    }

    /// Gives up, and tells the service so.
    ///
    /// # Errors
    /// What the service may answer. The upload expires by itself after a week.
    pub async fn abort(self) -> Result<()> {
        if let Flight::Sending(mut task) = self.flight {
            // What it did until then, it did to the session.
            task.shutdown().await;
        }
        self.target.cancel().await
    }

    /// Waits for what is on its way; `None` where nothing was yet. What comes next, or what was lost
    /// because nobody waited to the end, must not be taken for the beginning.
    async fn landed(&mut self) -> Result<Option<Session>> {
        let about = |kind| self.target.about(kind);
        match std::mem::replace(&mut self.flight, Flight::Failed) {
            Flight::None => Ok(None),
            Flight::Landed(session) => Ok(Some(session)),
            Flight::Failed => Err(about(Kind::FailedPrecondition).with_source("the upload has failed already")),
            Flight::Sending(mut task) => match task.join_next().await {
                Some(Ok(session)) => session.map(Some),
                Some(Err(error)) => Err(about(Kind::Other).with_source(error)),
                None => Err(about(Kind::Other).with_source("the upload has no task")),
            },
        }
    }
}

/// How far an upload has come.
#[derive(Debug)]
struct Session {
    /// How many bytes the service has.
    offset: u64,
    /// The length of the next piece.
    piece: usize,
}

/// What the service answers to a piece.
enum Progress {
    /// It has so many bytes, and waits for the rest.
    Kept(u64),
    /// It took the piece, and waits for the rest.
    All,
    /// That was all.
    Complete(Response),
}

impl Target {
    /// Begins the upload unless it has begun.
    async fn begun(&self, session: Option<Session>) -> Result<Session> {
        if let Some(session) = session {
            return Ok(session);
        }
        let response = self.http.send(&self.begin).await?;
        match response.headers.get(LOCATION).and_then(|value| value.to_str().ok()) {
            // There is one session for each upload, so this is the first.
            Some(url) => _ = self.session.set(url.to_owned()),
            None => return Err(self.odd("the reply has no Location for the upload")),
        }
        Ok(Session { offset: 0, piece: 4 * QUANTUM })
    }

    /// Sends bytes: a multiple of the quantum, or, where the `size` of it all is known, the last ones,
    /// after which the service answers.
    async fn send(&self, session: &mut Session, mut bytes: Chunks, size: Option<u64>) -> Result<Option<Response>> {
        let clock = self.http.clock();
        let mut idle = 0;
        // Nothing at all is a piece too, of which the service must be told.
        let mut empty = size == Some(session.offset) && bytes.is_empty();
        while !bytes.is_empty() || empty {
            let piece = bytes.first(session.piece);
            let (offset, end) = (session.offset, session.offset + piece.len() as u64);
            let total = size.filter(|size| *size == end).map_or_else(|| "*".to_owned(), |size| size.to_string());
            let range = match piece.is_empty() {
                true => format!("bytes */{total}"),
                false => format!("bytes {offset}-{}/{total}", end - 1),
            };
            let began = clock.now();
            let kept = match self.put(&range, piece).await? {
                Progress::Complete(response) if size == Some(end) => return Ok(Some(response)),
                Progress::Complete(_) => return Err(self.odd("the service takes the upload for complete too early")),
                Progress::All => end,
                // The service may keep less than it was sent.
                Progress::Kept(kept) if (offset..=end).contains(&kept) => kept,
                Progress::Kept(kept) => {
                    let why = format!("the service has kept {kept} bytes of {end}, and {offset} before");
                    return Err(self.odd(why));
                }
            };
            if size == Some(kept) {
                return Err(self.odd("the service waits for more than there is"));
            }
            idle = if kept == offset { idle + 1 } else { 0 };
            if idle == PATIENCE {
                let nothing = self.about(Kind::Unavailable).with_attempts(idle);
                return Err(nothing.with_source("the service keeps nothing"));
            }
            // Larger pieces on a fast line, where each costs a round trip; smaller ones on a slow line,
            // where a large one would take longer than a reply may.
            let is_fast = clock.now().duration_since(began).unwrap_or(PACE) < PACE;
            session.piece = if is_fast { (session.piece * 2).min(BUFFER) } else { (session.piece / 2).max(QUANTUM) };
            bytes.advance(usize::try_from(kept - offset).unwrap_or(bytes.len()));
            session.offset = kept;
            empty = false;
        }
        Ok(None)
    }

    /// Sends a piece. The call is repeated as it is where it failed: bytes that the service has already,
    /// it ignores.
    async fn put(&self, range: &str, piece: Chunks) -> Result<Progress> {
        let octets = HeaderValue::from_static("application/octet-stream");
        let range =
            HeaderValue::from_str(range).map_err(|error| self.about(Kind::InvalidArgument).with_source(error))?;
        let request = Request::to_url(Method::PUT, self.service(), self.url())
            .header(CONTENT_RANGE, range)
            .header(NO_308, HeaderValue::from_static("yes"))
            .chunks(octets, piece)
            .about(&self.begin.doing, &self.begin.resource);
        match self.http.send(&request).await {
            Ok(response) => match response.headers.get(STATUS_OVERRIDE) {
                Some(status) if status == "308" => self.kept(&response.headers).map(Progress::Kept),
                _ => Ok(Progress::Complete(response)),
            },
            // A server that does not know the header, and whose `Range` is not to be had therefore.
            Err(error) if status(&error) == Some(308) => Ok(Progress::All),
            Err(error) if error.kind() == Kind::NotFound => Err(self
                .about(Kind::Unavailable)
                .with_source(error)
                .with_hint("the service has lost the unfinished upload, which happens: run again")),
            Err(error) => Err(error),
        }
    }

    /// How many bytes the service has kept: `Range: bytes=0-262143`; none where it says none.
    fn kept(&self, headers: &HeaderMap) -> Result<u64> {
        let Some(range) = headers.get(RANGE) else { return Ok(0) };
        let last = range.to_str().ok().and_then(|range| range.rsplit_once('-')?.1.trim().parse::<u64>().ok());
        last.map(|last| last + 1).ok_or_else(|| self.odd(format!("the Range {range:?} is none")))
    }

    /// Ends the upload, if it has begun.
    async fn cancel(&self) -> Result<()> {
        if self.session.get().is_none() {
            return Ok(());
        }
        let request = Request::to_url(Method::DELETE, self.service(), self.url())
            .about("give up the upload to", &self.begin.resource);
        match self.http.send(&request).await {
            Ok(_) => Ok(()),
            // 499 is the documented answer; 404 and 410: the session is over.
            Err(error) if matches!(status(&error), Some(499 | 404 | 410)) => Ok(()),
            // Some servers cannot; a session expires by itself after a week.
            Err(error) if matches!(status(&error), Some(405 | 501)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn service(&self) -> Service {
        self.begin.service.clone()
    }

    fn url(&self) -> &str {
        self.session.get().map(String::as_str).unwrap_or_default()
    }

    fn about(&self, kind: Kind) -> Error {
        Error::new(kind, &self.begin.doing, &self.begin.resource)
    }

    fn odd(&self, why: impl Into<String>) -> Error {
        self.about(Kind::BadReply).with_source(why.into())
    }
}

fn status(error: &Error) -> Option<u16> {
    error.service().map(|service| service.http_status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_hands_over_all_but_the_last_bytes_and_always_some_remain() {
        for lengths in [&[][..], &[0, 1], &[BUFFER], &[BUFFER, 1], &[3 * BUFFER], &[BUFFER - 1, BUFFER + 2, 0]] {
            let mut buffer = UploadBuffer::default();
            let mut sent = 0;
            for length in lengths {
                let mut bytes = Bytes::from(vec![0; *length]);
                while let Some(full) = buffer.fill(&mut bytes) {
                    assert_eq!(full.len(), BUFFER, "{lengths:?}");
                    sent += full.len();
                }
            }
            let rest = buffer.rest().len();
            assert_eq!(sent + rest, lengths.iter().sum::<usize>(), "{lengths:?}");
            assert!(sent == 0 || rest > 0, "{lengths:?}");
        }
    }
}
