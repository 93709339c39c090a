//! What is pushed to a column of text.

use batch_io::Record;

/// A text, maybe in pieces.
pub(crate) trait Text {
    fn length(&self) -> usize;

    /// Hands out its bytes from front to end.
    fn each_piece(&self, each: impl FnMut(&[u8]));
}

impl Text for &str {
    fn length(&self) -> usize {
        self.len()
    }

    fn each_piece(&self, mut each: impl FnMut(&[u8])) {
        each(self.as_bytes());
    }
}

impl Text for &[u8] {
    fn length(&self) -> usize {
        self.len()
    }

    fn each_piece(&self, mut each: impl FnMut(&[u8])) {
        each(self);
    }
}

/// The value in a column of a record, by position.
impl Text for (&Record, usize) {
    fn length(&self) -> usize {
        self.0.value_len(self.1)
    }

    fn each_piece(&self, mut each: impl FnMut(&[u8])) {
        self.0.pieces(self.1).for_each(|piece| each(piece.as_bytes()));
    }
}
