//! Bytes that are being written, in memory that is used again.

/// Memory for more is not kept for the next batch.
const LARGE: usize = 1024 * 1024;

/// Like a vector that keeps its length when it is emptied: what is written over need not be zeroed
/// first, and a piece of a known length goes in without a call.
#[derive(Debug, Default)]
pub(crate) struct Page {
    bytes: Vec<u8>,
    length: usize,
}

impl Page {
    /// Goes on where these bytes end.
    pub(crate) fn from_vec(bytes: Vec<u8>) -> Self {
        Self { length: bytes.len(), bytes }
    }

    /// What was written.
    pub(crate) fn into_vec(mut self) -> Vec<u8> {
        self.bytes.truncate(self.length);
        self.bytes
    }

    /// What was written.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    pub(crate) fn len(&self) -> usize {
        self.length
    }

    pub(crate) fn clear(&mut self) {
        self.length = 0;
    }

    /// Takes back all behind this length.
    pub(crate) fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
    }

    /// Empties it, and gives back memory that a large record needed, which the next is not.
    pub(crate) fn give_back(&mut self) {
        if LARGE < self.bytes.len() {
            self.bytes = Vec::new();
        }
        self.length = 0;
    }

    #[inline]
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let end = self.length + bytes.len();
        if self.bytes.len() < end {
            self.grow(bytes.len());
        }
        self.bytes[self.length..end].copy_from_slice(bytes);
        self.length = end;
    }

    /// At least so many bytes behind what was written; what of them is, [`advance`](Self::advance) tells.
    #[inline]
    pub(crate) fn room(&mut self, count: usize) -> &mut [u8] {
        if self.bytes.len() < self.length + count {
            self.grow(count);
        }
        &mut self.bytes[self.length..]
    }

    /// So many of the bytes in the room were written.
    #[inline]
    pub(crate) fn advance(&mut self, count: usize) {
        debug_assert!(self.length + count <= self.bytes.len());
        self.length += count;
    }

    #[cold]
    fn grow(&mut self, count: usize) {
        // What a vector has allocated already costs nothing but to be zeroed.
        self.bytes.reserve(self.length + count - self.bytes.len());
        let length = self.bytes.capacity().min((self.length + count).max(2 * self.length));
        self.bytes.resize(length, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_before_is_written_over() {
        let mut page = Page::from_vec(b"ab".to_vec());
        page.push(b"cd");
        page.room(2)[..2].copy_from_slice(b"ef");
        page.advance(1);
        assert_eq!((page.bytes(), page.len()), (&b"abcde"[..], 5));
        page.truncate(3);
        page.push(&[b'x'; 100]);
        assert_eq!(page.bytes(), [&b"abc"[..], &[b'x'; 100]].concat());
        page.clear();
        page.push(b"y");
        assert_eq!(page.into_vec(), b"y");
    }
}
