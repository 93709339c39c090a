//! Where in the bytes of a table the few stand that mean something.

use crate::block::{BLOCK, Block, Level, Simd, dispatch, last_block};

/// Bytes with what was found in them: one look at each finds all that splitting, counting lines and
/// escaping ask for later.
#[derive(Debug, Default)]
pub(super) struct Marks {
    blocks: Vec<Marked>,
    /// Which bytes need an escape in JSON, a bit for each; nothing where nobody asks.
    escapes: Vec<u64>,
    /// Whether nobody asks which bytes need an escape.
    without_escapes: bool,
}

/// What was found in a block, a bit for each byte.
#[derive(Clone, Copy, Debug, Default)]
struct Marked {
    quotes: u64,
    line_feeds: u64,
    /// How many line feeds stand before it.
    line_feeds_before: u64,
}

impl Marks {
    /// Does not look any more for what needs an escape: a third of the work.
    pub(super) fn leave_out_escapes(&mut self) {
        self.without_escapes = true;
        self.escapes = Vec::new();
    }

    /// Goes on in other memory, and gives out its own.
    pub(super) fn exchange(&mut self, memory: &mut Self) {
        std::mem::swap(&mut self.blocks, &mut memory.blocks);
        std::mem::swap(&mut self.escapes, &mut memory.escapes);
    }

    /// Looks at these bytes.
    pub(super) fn look(&mut self, bytes: &[u8]) {
        // What is there already is written over.
        let blocks = bytes.len().div_ceil(BLOCK);
        self.blocks.resize(blocks, Marked::default());
        if self.without_escapes {
            let mut nothing = vec![(); blocks];
            dispatch!(Level::new(), simd => look(simd, bytes, &mut self.blocks, &mut nothing));
        } else {
            self.escapes.resize(blocks, 0);
            let (blocks, escapes) = (&mut self.blocks, &mut self.escapes);
            dispatch!(Level::new(), simd => look(simd, bytes, blocks, escapes));
        }
    }

    /// The quotes at `from` and behind it, one after the other.
    pub(super) fn quotes(&self, from: usize) -> Places<'_> {
        let number = from / BLOCK;
        let found = self.blocks.get(number).map_or(0, |block| block.quotes & !0 << (from % BLOCK));
        Places { blocks: &self.blocks, number, found }
    }

    /// How many line feeds stand from `from` on before `end`.
    pub(super) fn line_feeds(&self, from: usize, end: usize) -> u64 {
        self.line_feeds_before(end) - self.line_feeds_before(from)
    }

    fn line_feeds_before(&self, place: usize) -> u64 {
        match (self.blocks.get(place / BLOCK), self.blocks.last()) {
            (Some(block), _) => {
                let before = block.line_feeds & ((1 << (place % BLOCK)) - 1);
                block.line_feeds_before + u64::from(before.count_ones())
            }
            (None, Some(last)) => last.line_feeds_before + u64::from(last.line_feeds.count_ones()),
            (None, None) => 0,
        }
    }

    /// Which bytes need an escape in JSON, from the block on in which the byte at `from` is, to the one
    /// before `end`. Nothing where they were left out.
    pub(super) fn escapes(&self, from: usize, end: usize) -> &[u64] {
        if self.without_escapes { &[] } else { &self.escapes[from / BLOCK..end.div_ceil(BLOCK)] }
    }
}

/// Quotes.
#[derive(Debug)]
pub(super) struct Places<'a> {
    blocks: &'a [Marked],
    number: usize,
    /// Those of this block that are to come.
    found: u64,
}

impl Iterator for Places<'_> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        while self.found == 0 {
            self.number += 1;
            self.found = self.blocks.get(self.number)?.quotes;
        }
        let place = self.number * BLOCK + self.found.trailing_zeros() as usize;
        self.found &= self.found - 1;
        Some(place)
    }
}

/// What is noted of a block besides.
trait Noted {
    fn of<S: Simd>(block: Block<S>) -> Self;
}

/// Which bytes need an escape.
#[expect(clippy::inline_always, reason = "the instructions are those of the caller")]
impl Noted for u64 {
    #[inline(always)]
    fn of<S: Simd>(block: Block<S>) -> Self {
        block.json_escapes()
    }
}

/// Nothing.
impl Noted for () {
    #[inline(always)]
    fn of<S: Simd>(_: Block<S>) -> Self {}
}

#[expect(clippy::inline_always, reason = "the instructions are those of the caller")]
#[inline(always)]
fn look<S: Simd, N: Noted>(simd: S, bytes: &[u8], blocks: &mut [Marked], notes: &mut [N]) {
    let mut line_feeds = 0;
    let (whole, rest) = bytes.as_chunks();
    let ((blocks, last), (notes, last_note)) = (blocks.split_at_mut(whole.len()), notes.split_at_mut(whole.len()));
    // There is so little to do for each block that it counts what going on to the next one takes.
    let (fours, singles) = whole.as_chunks::<4>();
    let (marked_fours, marked) = blocks.as_chunks_mut::<4>();
    let (notes_fours, notes) = notes.as_chunks_mut::<4>();
    for ((blocks, marked), notes) in fours.iter().zip(marked_fours).zip(notes_fours) {
        look_at(simd, blocks, marked, notes, &mut line_feeds);
    }
    look_at(simd, singles, marked, notes, &mut line_feeds);
    look_at(simd, &[last_block(rest, b'.')], last, last_note, &mut line_feeds);
}

#[expect(clippy::inline_always, reason = "the instructions are those of the caller")]
#[inline(always)]
fn look_at<S: Simd, N: Noted>(
    simd: S,
    blocks: &[[u8; BLOCK]],
    marked: &mut [Marked],
    notes: &mut [N],
    line_feeds: &mut u64,
) {
    for ((block, marked), note) in blocks.iter().zip(marked).zip(notes) {
        let block = Block::load(simd, block);
        (*marked, *note) = (mark(block, line_feeds), N::of(block));
    }
}

#[expect(clippy::inline_always, reason = "the instructions are those of the caller")]
#[inline(always)]
fn mark<S: Simd>(block: Block<S>, line_feeds_before: &mut u64) -> Marked {
    let line_feeds = block.equal(b'\n');
    let marked = Marked { quotes: block.equal(b'"'), line_feeds, line_feeds_before: *line_feeds_before };
    *line_feeds_before += u64::from(line_feeds.count_ones());
    marked
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_found_is_there(
            bytes in proptest::collection::vec(prop_oneof![Just(b'"'), Just(b'\n'), Just(b'x'), any::<u8>()], 0..200),
        ) {
            let mut marks = Marks::default();
            // Other bytes before: they leave nothing behind.
            marks.look(&[b'"'; 150]);
            marks.look(&bytes);
            let mut fewer = Marks::default();
            fewer.look(&[b'"'; 150]);
            fewer.leave_out_escapes();
            fewer.look(&bytes);
            prop_assert!(fewer.escapes(0, bytes.len()).is_empty());
            prop_assert!(fewer.quotes(0).eq(marks.quotes(0)));
            prop_assert_eq!(fewer.line_feeds(0, bytes.len()), marks.line_feeds(0, bytes.len()));
            let escape = |byte: &u8| *byte < b' ' || matches!(byte, b'"' | b'\\');
            for from in 0..=bytes.len() {
                let first = |is: &dyn Fn(&u8) -> bool| bytes[from..].iter().position(is).map(|place| from + place);
                prop_assert_eq!(marks.quotes(from).next(), first(&|byte| *byte == b'"'));
                prop_assert_eq!(marks.quotes(from).count(), bytes[from..].iter().filter(|byte| **byte == b'"').count());
                for end in [from, bytes.len(), (from + bytes.len()) / 2] {
                    let lines = bytes[from..end].iter().filter(|byte| **byte == b'\n').count() as u64;
                    prop_assert_eq!(marks.line_feeds(from, end), lines);
                }
            }
            for (place, byte) in bytes.iter().enumerate() {
                let found = marks.escapes(place, place + 1);
                prop_assert_eq!(found.len(), 1);
                prop_assert_eq!(found[0] >> (place % BLOCK) & 1 == 1, escape(byte));
            }
        }
    }
}
