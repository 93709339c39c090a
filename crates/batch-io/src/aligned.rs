//! Large writes that end where the system's pages end.

use std::io::{self, IoSlice, Write};

/// Less is gathered.
pub(crate) const THROUGH: usize = 64 * 1024;
/// What is written ends at a multiple of this, but for the last: a page of the system's that is written to twice
/// takes a quarter more time in all.
pub(crate) const ALIGNED: usize = 16 * 1024;

/// A writer of which every write is large and ends where a page does, but for the last.
#[derive(Debug)]
pub(crate) struct Aligned<W> {
    gathered: Vec<u8>,
    out: W,
}

impl<W: Write> Aligned<W> {
    pub(crate) fn new(out: W) -> Self {
        Self { gathered: Vec::new(), out }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.gathered.len() + bytes.len() < THROUGH {
            self.gathered.extend_from_slice(bytes);
            return Ok(());
        }
        write_aligned(&mut self.out, &mut self.gathered, bytes)
    }

    /// Writes what is left, and flushes the writer.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.out.write_all(&self.gathered)?;
        self.out.flush()
    }
}

/// Writes what was gathered, and then these; what is behind the last whole page is gathered.
pub(crate) fn write_aligned(out: &mut impl Write, gathered: &mut Vec<u8>, bytes: &[u8]) -> io::Result<()> {
    let length = gathered.len() + bytes.len();
    let whole = length - length % ALIGNED;
    let before = whole.min(gathered.len());
    let (now, later) = bytes.split_at(whole - before);
    let written = write_both(out, &gathered[..before], now);
    gathered.drain(..before);
    gathered.extend_from_slice(later);
    written
}

/// In one call of the system, where the writer has one for it.
fn write_both(out: &mut impl Write, one: &[u8], other: &[u8]) -> io::Result<()> {
    let mut both = [IoSlice::new(one), IoSlice::new(other)];
    let mut left = &mut both[..];
    // For those that are empty.
    IoSlice::advance_slices(&mut left, 0);
    while !left.is_empty() {
        match out.write_vectored(left) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => IoSlice::advance_slices(&mut left, count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes at most so many bytes at once, and remembers how many it took.
    struct Narrow(usize, Vec<usize>, Vec<u8>);

    impl Write for Narrow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.0);
            self.1.push(count);
            self.2.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn all_arrives_in_order_however_little_is_taken_at_once() {
        for most in [1000, 16 * 1024, usize::MAX] {
            let mut narrow = Narrow(most, Vec::new(), Vec::new());
            let mut out = Aligned::new(&mut narrow);
            let mut expected = Vec::new();
            for (number, length) in [10, 70_000, 5, 60_000, 200_000, 0, 65_536, 3].into_iter().enumerate() {
                let bytes: Vec<u8> = (0..length).map(|place| u8::try_from((place + number) % 251).unwrap()).collect();
                out.write(&bytes).unwrap();
                expected.extend_from_slice(&bytes);
            }
            out.finish().unwrap();
            assert!(narrow.2 == expected, "{most}");
        }
    }

    #[test]
    fn writes_end_at_whole_pages() {
        let mut narrow = Narrow(usize::MAX, Vec::new(), Vec::new());
        let mut out = Aligned::new(&mut narrow);
        for _ in 0..10 {
            out.write(&[b'x'; 70_001]).unwrap();
        }
        out.finish().unwrap();
        let mut end = 0;
        let ends: Vec<usize> = narrow
            .1
            .iter()
            .map(|count| {
                end += count;
                end
            })
            .collect();
        assert_eq!(ends.last(), Some(&700_010));
        // A write in two parts ends in the middle of itself.
        assert!(ends.iter().filter(|end| *end % ALIGNED == 0).count() >= 10, "{ends:?}");
    }

    #[test]
    fn a_writer_that_takes_nothing_is_a_failure() {
        let mut narrow = Narrow(0, Vec::new(), Vec::new());
        assert_eq!(Aligned::new(&mut narrow).write(&[0; THROUGH]).unwrap_err().kind(), io::ErrorKind::WriteZero);
    }
}
