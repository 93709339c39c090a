//! Bodies between the socket, which is asynchronous, and the store, which is not.
//!
//! A body passes in pieces through a short channel, so that neither side runs ahead of
//! the other and an object of any size takes the memory of a few pieces.

use std::io::{self, Read, SeekFrom};

use axum::body::Body;
use bytes::Bytes;
use futures::{StreamExt, stream};
use tokio::sync::mpsc;

use super::objects::ReadSeek;
use crate::connection::Connection;

/// Pieces on their way; each is at most some hundred kilobytes long.
const PIECES: usize = 4;
/// The length of a piece that is read from the store.
const PIECE: usize = 256 << 10;

/// The reading end of a request's body. It fails where the body does not come to its end.
#[derive(Debug)]
pub(crate) struct BodyReader {
    pieces: mpsc::Receiver<Option<Bytes>>,
    current: Bytes,
    ended: bool,
}

/// The other end, which [`pump`] feeds.
pub(crate) type BodySender = mpsc::Sender<Option<Bytes>>;

/// A channel for one body.
pub(crate) fn channel() -> (BodySender, BodyReader) {
    let (sender, pieces) = mpsc::channel(PIECES);
    let reader = BodyReader { pieces, current: Bytes::new(), ended: false };
    (sender, reader)
}

/// Feeds a body to its reader. When the reader has gone (it found a fault), the rest is
/// read all the same: a client that is still sending would not see the reply.
///
/// With `cut`, the connection drops after that many bytes.
pub(crate) async fn pump(body: Body, sender: BodySender, connection: Option<&Connection>, cut: Option<u64>) {
    let mut pieces = body.into_data_stream();
    let mut passed = 0;
    while let Some(piece) = pieces.next().await {
        let Ok(mut piece) = piece else {
            // The client went away. Without the end mark the reader fails.
            return;
        };
        if let Some(cut) = cut
            && passed + piece.len() as u64 >= cut
        {
            piece.truncate(usize::try_from(cut - passed).unwrap_or(piece.len()));
            let _ = sender.send(Some(piece)).await;
            if let Some(connection) = connection {
                connection.cut();
            }
            return;
        }
        passed += piece.len() as u64;
        let _ = sender.send(Some(piece)).await;
    }
    let _ = sender.send(None).await;
}

impl BodyReader {
    /// The next bytes as they came; `None` at the end.
    pub(super) fn piece(&mut self) -> io::Result<Option<Bytes>> {
        self.wait()?;
        Ok(Some(std::mem::take(&mut self.current)).filter(|piece| !piece.is_empty()))
    }

    /// Waits until there are bytes, or the end.
    fn wait(&mut self) -> io::Result<()> {
        while self.current.is_empty() && !self.ended {
            match self.pieces.blocking_recv() {
                Some(Some(piece)) => self.current = piece,
                Some(None) => self.ended = true,
                None => return Err(io::ErrorKind::ConnectionAborted.into()),
            }
        }
        Ok(())
    }
}

impl Read for BodyReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.wait()?;
        let n = self.current.len().min(buffer.len());
        buffer[..n].copy_from_slice(&self.current.split_to(n));
        Ok(n)
    }
}

/// What goes wrong with a download.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Harm {
    None,
    /// The connection drops in the middle.
    Cut,
    /// One bit is wrong.
    Corrupt,
}

/// The bytes from `start` on, `length` of them, as the body of a reply.
pub(super) fn stream(mut source: Box<dyn ReadSeek + Send>, start: u64, length: u64, harm: Harm) -> Body {
    let (sender, receiver) = mpsc::channel::<io::Result<Bytes>>(PIECES);
    tokio::task::spawn_blocking(move || {
        let mut left = if harm == Harm::Cut { length / 2 } else { length };
        let mut corrupt = harm == Harm::Corrupt;
        let mut read = || -> io::Result<()> {
            source.seek(SeekFrom::Start(start))?;
            while left > 0 {
                let length = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
                let mut piece = Vec::with_capacity(length);
                source.by_ref().take(length as u64).read_to_end(&mut piece)?;
                if piece.len() < length {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                left -= length as u64;
                if std::mem::take(&mut corrupt) {
                    piece[0] ^= 1;
                }
                if sender.blocking_send(Ok(piece.into())).is_err() {
                    return Ok(()); // The client went away.
                }
            }
            if harm == Harm::Cut {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            Ok(())
        };
        if let Err(error) = read() {
            // An error in a body drops the connection, which is all that can still be
            // said once the status is sent.
            let _ = sender.blocking_send(Err(error));
        }
    });
    Body::from_stream(stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|piece| (piece, receiver))
    }))
}
