//! Writing on another thread, so that who makes the bytes need not wait for the disk.

use std::io::{self, Write};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::{self, JoinHandle};

/// What is handed over at once.
const PIECE: usize = 512 * 1024;
/// How many pieces wait at most; with the two in hand this is all the memory it takes.
const WAITING: usize = 2;

/// A writer that lets another thread do the writing.
///
/// To write a file of results costs as much time as to make them; with a second core both go
/// on at once. Bytes arrive in order. A failure to write is told by the next call, and at the
/// latest by [`finish`](Self::finish), which alone says that everything was written.
///
/// ```
/// use std::io::Write;
///
/// use batch_io::WriteBehind;
///
/// let mut out = WriteBehind::new(Vec::new());
/// out.write_all(b"one line\n")?;
/// assert_eq!(out.finish()?, b"one line\n");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct WriteBehind<W> {
    piece: Vec<u8>,
    /// `None` once the thread is known to have ended.
    to: Option<SyncSender<Message>>,
    /// Pieces that were written come back to be filled again.
    back: Receiver<Vec<u8>>,
    thread: Option<JoinHandle<io::Result<W>>>,
}

enum Message {
    Bytes(Vec<u8>),
    /// Flush, and say so.
    Flush(SyncSender<()>),
}

impl<W: Write + Send + 'static> WriteBehind<W> {
    /// Writes to `out` on a thread of its own.
    pub fn new(mut out: W) -> Self {
        let (to, pieces) = mpsc::sync_channel(WAITING);
        let (give_back, back) = mpsc::sync_channel(WAITING + 1);
        let thread = thread::spawn(move || {
            for message in pieces {
                match message {
                    Message::Bytes(mut bytes) => {
                        out.write_all(&bytes)?;
                        bytes.clear();
                        // No room means that there are pieces enough.
                        let _ = give_back.try_send(bytes);
                    }
                    Message::Flush(done) => {
                        out.flush()?;
                        let _ = done.send(());
                    }
                }
            }
            out.flush()?;
            Ok(out)
        });
        Self { piece: Vec::with_capacity(PIECE), to: Some(to), back, thread: Some(thread) }
    }

    /// Waits until everything is written and flushed, and gives the writer back.
    ///
    /// # Errors
    /// What the writer failed with, now or before.
    pub fn finish(mut self) -> io::Result<W> {
        let sent = self.send();
        self.to = None;
        let ended = self.join()?;
        // The thread's own error says more than that nobody took the last piece.
        sent.map(|()| ended)
    }

    fn send(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let next = self.back.try_recv().unwrap_or_else(|_| Vec::with_capacity(PIECE));
        let full = std::mem::replace(&mut self.piece, next);
        self.tell(Message::Bytes(full))
    }

    fn tell(&mut self, message: Message) -> io::Result<()> {
        match self.to.as_ref().map(|to| to.send(message)) {
            Some(Ok(())) => Ok(()),
            _ => Err(self.failure()),
        }
    }

    /// Why the thread takes nothing any more.
    fn failure(&mut self) -> io::Error {
        self.to = None;
        match self.join() {
            Err(error) => error,
            Ok(_) => io::Error::other("written to after a failure"),
        }
    }

    fn join(&mut self) -> io::Result<W> {
        let Some(thread) = self.thread.take() else {
            return Err(io::Error::other("written to after a failure"));
        };
        thread.join().unwrap_or_else(|_| Err(io::Error::other("the writing thread ended in a panic")))
    }
}

impl<W: Write + Send + 'static> Write for WriteBehind<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if PIECE <= self.piece.len() {
            self.send()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send()?;
        let (done, flushed) = mpsc::sync_channel(1);
        self.tell(Message::Flush(done))?;
        flushed.recv().map_err(|_| self.failure())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_arrive_in_order() {
        let mut out = WriteBehind::new(Vec::new());
        let mut expected = Vec::new();
        for number in 0..300_000_u32 {
            let line = format!("{number}\n");
            out.write_all(line.as_bytes()).unwrap();
            expected.extend_from_slice(line.as_bytes());
        }
        assert!(out.finish().unwrap() == expected);
    }

    /// Takes some bytes, and then no more.
    #[derive(Debug)]
    struct Full(usize);

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_failure_is_told_and_stays() {
        let mut out = WriteBehind::new(Full(3 * PIECE));
        let line = [b'x'; 1000];
        let failed = (0..10_000).find_map(|_| out.write_all(&line).err()).expect("ten megabytes do not fit");
        assert_eq!(failed.kind(), io::ErrorKind::StorageFull);
        assert!((0..1000).any(|_| out.write_all(&line).is_err()));
        assert!(out.finish().is_err());
    }

    #[test]
    fn a_failure_at_the_end_is_told_by_the_end() {
        let mut out = WriteBehind::new(Full(10));
        out.write_all(b"more than ten bytes").unwrap();
        assert_eq!(out.finish().unwrap_err().kind(), io::ErrorKind::StorageFull);
        let mut out = WriteBehind::new(Full(10));
        out.write_all(b"more than ten bytes").unwrap();
        assert_eq!(out.flush().unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
