//! A window on the input that slides forward and grows only for a record that is larger.

use std::io::{self, Read};

/// Reads at least this much at a time. Large enough that a call to the system costs
/// nothing beside the parsing, small enough to stay in a core's own cache.
const CAPACITY: usize = 128 * 1024;

/// Bytes of the input that were read and not yet consumed.
#[derive(Debug)]
pub(super) struct Buffer<R> {
    reader: R,
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// Offset in the file of `bytes[start]`.
    offset: u64,
    at_eof: bool,
}

impl<R: Read> Buffer<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, bytes: vec![0; CAPACITY], start: 0, end: 0, offset: 0, at_eof: false }
    }

    /// What was read and not consumed.
    pub(super) fn data(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// All bytes that are held, and where among them [`data`](Self::data) begins. They stay where they
    /// are until the next [`fill`](Self::fill) or [`exchange`](Self::exchange).
    pub(super) fn bytes(&self) -> (&[u8], usize) {
        (&self.bytes[..self.end], self.start)
    }

    /// Offset in the file of the first byte of [`data`](Self::data).
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether [`data`](Self::data) is all there is left.
    pub(super) fn at_eof(&self) -> bool {
        self.at_eof
    }

    pub(super) fn consume(&mut self, count: usize) {
        debug_assert!(count <= self.end - self.start);
        self.start += count;
        self.offset += count as u64;
    }

    /// Goes on in other memory, with a copy of what was not consumed, and gives out its own.
    pub(super) fn exchange(&mut self, memory: &mut Vec<u8>) {
        let held = self.end - self.start;
        let wanted = if held <= CAPACITY { CAPACITY } else { held.next_power_of_two() };
        if memory.len() < wanted {
            memory.resize(wanted, 0);
        }
        memory[..held].copy_from_slice(self.data());
        std::mem::swap(&mut self.bytes, memory);
        (self.start, self.end) = (0, held);
    }

    /// Reads more behind what is there, or finds the end.
    ///
    /// Doubles at the least: whoever scans from the front again after each call still
    /// looks at every byte only twice on average, however small the reads are.
    pub(super) fn fill(&mut self) -> io::Result<()> {
        let held = self.end - self.start;
        if self.start != 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.start = 0;
            self.end = held;
        }
        let wanted = held.saturating_mul(2).max(1);
        if self.bytes.len() < wanted {
            self.bytes.resize(wanted.next_power_of_two(), 0);
        }
        while !self.at_eof && self.end < wanted {
            match self.reader.read(&mut self.bytes[self.end..]) {
                Ok(0) => self.at_eof = true,
                Ok(count) => self.end += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
