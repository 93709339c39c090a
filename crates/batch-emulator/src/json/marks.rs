//! Where a JSON text has what ends a string or what a string cannot hold as it is, found for 64 bytes at once.

use fearless_simd::prelude::*;
use fearless_simd::{Level, dispatch, u8x64};

/// So many bytes have their marks in one number.
const BLOCK: usize = 64;

/// The places of quotes, backslashes and control characters: a bit for each byte, the lowest for the first.
#[derive(Debug)]
pub(super) struct Marks(Vec<u64>);

impl Marks {
    /// Those of a text.
    pub(super) fn of(text: &[u8]) -> Marks {
        // Room first: with a look for room after each block the compiler takes masks apart bit by bit.
        let mut marks = vec![0; text.len() / BLOCK + 1];
        dispatch!(Level::new(), simd => find(simd, text, &mut marks));
        Marks(marks)
    }

    /// The first that is not before `at`.
    pub(super) fn next(&self, at: usize) -> Option<usize> {
        let mut block = at / BLOCK;
        let mut marks = self.0.get(block)? & (u64::MAX << (at % BLOCK));
        while marks == 0 {
            block += 1;
            marks = *self.0.get(block)?;
        }
        Some(block * BLOCK + marks.trailing_zeros() as usize)
    }
}

#[expect(clippy::inline_always, reason = "the instructions are those of the caller")]
#[inline(always)]
fn find<S: Simd>(simd: S, text: &[u8], marks: &mut [u64]) {
    let (blocks, rest) = text.as_chunks::<BLOCK>();
    for (marks, block) in marks.iter_mut().zip(blocks) {
        *marks = marks_of(simd, block);
    }
    if let Some(marks) = marks.last_mut() {
        let mut last = [b' '; BLOCK];
        last[..rest.len()].copy_from_slice(rest);
        *marks = marks_of(simd, &last);
    }
}

#[expect(clippy::inline_always, reason = "the instructions are those of the caller")]
#[inline(always)]
fn marks_of<S: Simd>(simd: S, block: &[u8; BLOCK]) -> u64 {
    let bytes = u8x64::from_slice(simd, block);
    (bytes.simd_lt(b' ') | bytes.simd_eq(b'"') | bytes.simd_eq(b'\\')).to_bitmask()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_mark_is_found_from_everywhere(text in "[a\"\\\\ \\x00-\\x20\\x7f-\u{9f}日]{0,200}", from in 0_usize..300) {
            let bytes = text.as_bytes();
            let expected = (from..bytes.len()).find(|at| bytes[*at] < b' ' || b"\"\\".contains(&bytes[*at]));
            prop_assert_eq!(Marks::of(bytes).next(from), expected);
        }
    }
}
