//! Writing on another thread, so that who makes the bytes need not wait for the disk.

use std::io::{self, Write};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::{self, JoinHandle};

use crate::aligned::{THROUGH, write_aligned};

/// What is handed over at once: enough that neither side has to be woken up often.
const PIECE: usize = 256 * 1024;
/// How many pieces wait at most; with the two in hand this is all the memory it takes.
const WAITING: usize = 4;
/// A writer that lets another thread do the writing.
///
/// To write a file of results costs as much time as to make them; with a second core both go
/// on at once. A thread is started for more than some 256 KiB; what is less is written by
/// [`flush`](Write::flush) or [`finish`](Self::finish). Where the process has one core alone, there is no
/// thread, and large writes go through, cut where the system's pages end: to hand them over would be one more copy. Bytes arrive in order. A failure to write is told
/// by one of the next calls, and at the latest by [`finish`](Self::finish), which alone says that everything
/// was written.
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
    state: State<W>,
    /// How many cores there are for the process; `None` before anybody asked.
    cores: Option<usize>,
}

#[derive(Debug)]
enum State<W> {
    /// Nothing is written behind so far.
    Here(W),
    Behind(Thread<W>),
    /// It is known to have failed.
    Failed,
}

#[derive(Debug)]
struct Thread<W> {
    to: SyncSender<Message>,
    /// Pieces that were written come back to be filled again.
    back: Receiver<Vec<u8>>,
    handle: JoinHandle<io::Result<W>>,
}

#[derive(Debug)]
enum Message {
    Bytes(Vec<u8>),
    /// Flush, and say so.
    Flush(SyncSender<()>),
}

impl<W: Write + Send + 'static> Thread<W> {
    fn start(mut out: W) -> Self {
        let (to, pieces) = mpsc::sync_channel(WAITING);
        let (give_back, back) = mpsc::sync_channel(WAITING + 1);
        let handle = thread::spawn(move || {
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
        Self { to, back, handle }
    }

    /// Ends it, and says how it ended.
    fn join(self) -> io::Result<W> {
        drop(self.to);
        self.handle.join().unwrap_or_else(|_| Err(io::Error::other("the writing thread ended in a panic")))
    }
}

impl<W: Write + Send + 'static> WriteBehind<W> {
    /// Writes to `out`, on a thread of its own where there is much to write.
    pub fn new(out: W) -> Self {
        Self { piece: Vec::new(), state: State::Here(out), cores: None }
    }

    /// Writes to `out` on the thread that calls, however much it is: for who writes large pieces from several
    /// threads in turn, as [`Build`](crate::Build) and [`Join`](crate::Join) do.
    pub fn through(out: W) -> Self {
        Self { cores: Some(1), ..Self::new(out) }
    }

    /// Waits until everything is written and flushed, and gives the writer back.
    ///
    /// # Errors
    /// What the writer failed with, now or before.
    pub fn finish(mut self) -> io::Result<W> {
        if let State::Behind(_) = self.state {
            self.send()?;
        }
        match self.state {
            State::Here(mut out) => {
                out.write_all(&self.piece)?;
                out.flush()?;
                Ok(out)
            }
            State::Behind(thread) => thread.join(),
            State::Failed => Err(after_failure()),
        }
    }

    /// Hands over what was gathered.
    fn send(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let State::Behind(thread) = &self.state else { return Err(after_failure()) };
        let next = thread.back.try_recv().unwrap_or_else(|_| Vec::with_capacity(PIECE));
        let full = std::mem::replace(&mut self.piece, next);
        match thread.to.send(Message::Bytes(full)) {
            Ok(()) => Ok(()),
            Err(_) => Err(self.failure()),
        }
    }

    /// Why the thread takes nothing any more.
    fn failure(&mut self) -> io::Error {
        match std::mem::replace(&mut self.state, State::Failed) {
            State::Behind(thread) => thread.join().err().unwrap_or_else(after_failure),
            State::Here(_) | State::Failed => after_failure(),
        }
    }

    fn start(&mut self) {
        self.state = match std::mem::replace(&mut self.state, State::Failed) {
            State::Here(out) => State::Behind(Thread::start(out)),
            state => state,
        };
    }

    /// Whether nothing would go on beside the writing. Asked for much that is to be written alone, since
    /// the answer takes a look into files of the system.
    fn is_alone(&mut self) -> bool {
        let count = || thread::available_parallelism().map_or(1, usize::from);
        matches!(self.state, State::Here(_)) && *self.cores.get_or_insert_with(count) < 2
    }

    /// Writes what was gathered, and then these, on this thread; what is behind the last whole page is gathered.
    fn write_here(&mut self, bytes: &[u8]) -> io::Result<()> {
        let State::Here(out) = &mut self.state else { return Err(after_failure()) };
        let written = write_aligned(out, &mut self.piece, bytes);
        if written.is_err() {
            self.state = State::Failed;
        }
        written
    }
}

fn after_failure() -> io::Error {
    io::Error::other("written to after a failure")
}

impl<W: Write + Send + 'static> Write for WriteBehind<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if THROUGH <= self.piece.len() + bytes.len() && self.is_alone() {
            self.write_here(bytes)?;
            return Ok(bytes.len());
        }
        let count = bytes.len().min(PIECE - self.piece.len());
        self.piece.extend_from_slice(&bytes[..count]);
        if PIECE <= self.piece.len() {
            self.start();
            self.send()?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        if let State::Here(_) = self.state {
            // All of it, wherever it ends.
            let piece = std::mem::take(&mut self.piece);
            let State::Here(out) = &mut self.state else { return Err(after_failure()) };
            let flushed = out.write_all(&piece).and_then(|()| out.flush());
            if flushed.is_err() {
                self.state = State::Failed;
            }
            return flushed;
        }
        self.send()?;
        let State::Behind(thread) = &self.state else { return Err(after_failure()) };
        let (done, flushed) = mpsc::sync_channel(1);
        if thread.to.send(Message::Flush(done)).is_err() || flushed.recv().is_err() {
            return Err(self.failure());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aligned::ALIGNED;

    fn on<W: Write + Send + 'static>(cores: usize, out: W) -> WriteBehind<W> {
        WriteBehind { cores: Some(cores), ..WriteBehind::new(out) }
    }

    #[test]
    fn bytes_arrive_in_order() {
        for cores in [1, 2] {
            let mut out = on(cores, Vec::new());
            let mut expected = Vec::new();
            for number in 0..300_000_u32 {
                let line = format!("{number}\n");
                out.write_all(line.as_bytes()).unwrap();
                expected.extend_from_slice(line.as_bytes());
            }
            assert!(out.finish().unwrap() == expected);
        }
    }

    /// Tells of each write how long it is, and on which thread.
    #[derive(Debug)]
    struct Told(Vec<(usize, thread::ThreadId)>);

    impl Write for Told {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.push((bytes.len(), thread::current().id()));
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn with_one_core_large_writes_go_through() {
        let mut out = on(1, Told(Vec::new()));
        for length in [10, THROUGH, 3 * THROUGH + 100, ALIGNED, 7] {
            out.write_all(&vec![b'x'; length]).unwrap();
        }
        let here = thread::current().id();
        // In two pieces each, of which a vector cannot take the second as it is.
        let mut written = Vec::new();
        for (gathered, through) in [(10, THROUGH - 10), (10, 3 * THROUGH - 10)] {
            written.extend([(gathered, here), (through, here)]);
        }
        written.push((110 + ALIGNED + 7, here));
        assert_eq!(out.finish().unwrap().0, written);

        let mut out = on(1, Told(Vec::new()));
        for _ in 0..1000 {
            out.write_all(&[b'x'; 1003]).unwrap();
        }
        let written = out.finish().unwrap().0;
        let ends = written.iter().scan(0, |end, (length, _)| {
            *end += length;
            Some(*end)
        });
        // Two pieces at a time, and the rest at the end.
        assert!(ends.skip(1).step_by(2).take(written.len() / 2).all(|end| end % ALIGNED == 0), "{written:?}");
        assert_eq!(written.iter().map(|(length, _)| length).sum::<usize>(), 1_003_000);

        let mut out = on(2, Told(Vec::new()));
        out.write_all(&vec![b'x'; 3 * PIECE]).unwrap();
        assert!(out.finish().unwrap().0.iter().all(|(_, thread)| *thread != here));
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
        for cores in [1, 2] {
            let mut out = on(cores, Full(3 * PIECE));
            let line = [b'x'; 1000];
            let failed = (0..10_000).find_map(|_| out.write_all(&line).err()).expect("ten megabytes do not fit");
            assert_eq!(failed.kind(), io::ErrorKind::StorageFull);
            assert!((0..1000).any(|_| out.write_all(&line).is_err()));
            assert!(out.finish().is_err());
        }
    }

    #[test]
    fn pieces_of_any_size_arrive_whole() {
        for length in [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 7] {
            for cores in [1, 2] {
                let mut out = on(cores, Vec::new());
                out.write_all(&vec![b'x'; length]).unwrap();
                out.flush().unwrap();
                out.write_all(b"end").unwrap();
                let written = out.finish().unwrap();
                assert!(written.len() == length + 3 && written.ends_with(b"end"));
            }
        }
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
