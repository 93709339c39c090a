//! Bytes in blocks of 64, and which of them are this or that: a bit for each.
//!
//! The instructions are the best that the processor has (AVX2, AVX-512, NEON), found when the program
//! runs. What uses them is generic over [`Simd`] and `#[inline(always)]` down to the operations here, and
//! it is entered once for a whole line or buffer:
//!
//! ```ignore
//! let quotes = dispatch!(Level::new(), simd => count_quotes(simd, bytes));
//!
//! #[inline(always)]
//! fn count_quotes<S: Simd>(simd: S, bytes: &[u8]) -> u32 {
//!     let (blocks, rest) = bytes.as_chunks();
//!     let blocks = blocks.iter().copied().chain([last_block(rest, b' ')]);
//!     blocks.map(#[inline(always)] |block| Block::load(simd, &block).equal(b'"').count_ones()).sum()
//! }
//! ```

use fearless_simd::prelude::*;
use fearless_simd::u8x64;
pub(crate) use fearless_simd::{Level, Simd, dispatch};

/// So many bytes are looked at together.
pub(crate) const BLOCK: usize = 64;

/// A block in the processor's registers. Of each mask, the lowest bit is the first byte's.
#[derive(Clone, Copy)]
pub(crate) struct Block<S: Simd>(u8x64<S>);

// What is not inlined into the function that was entered would be compiled without its instructions.
#[expect(clippy::inline_always, reason = "the instructions are those of the caller")]
impl<S: Simd> Block<S> {
    #[inline(always)]
    pub(crate) fn load(simd: S, bytes: &[u8; BLOCK]) -> Self {
        Self(u8x64::from_slice(simd, bytes))
    }

    /// Which bytes are this one.
    #[inline(always)]
    pub(crate) fn equal(self, byte: u8) -> u64 {
        self.0.simd_eq(byte).to_bitmask()
    }

    /// Which bytes are one of the two; quicker than to ask for each.
    #[inline(always)]
    pub(crate) fn either(self, one: u8, other: u8) -> u64 {
        (self.0.simd_eq(one) | self.0.simd_eq(other)).to_bitmask()
    }

    /// Which bytes are less than this one.
    #[inline(always)]
    pub(crate) fn below(self, byte: u8) -> u64 {
        self.0.simd_lt(byte).to_bitmask()
    }

    /// Which bytes are this one or greater.
    #[inline(always)]
    pub(crate) fn at_least(self, byte: u8) -> u64 {
        self.0.simd_ge(byte).to_bitmask()
    }

    /// Whether all bytes are ASCII.
    #[inline(always)]
    pub(crate) fn is_ascii(self) -> bool {
        !self.0.simd_ge(0x80).any_true()
    }

    /// At each place the lesser of two bytes.
    #[inline(always)]
    pub(crate) fn least(self, other: Self) -> Self {
        Self(self.0.min(other.0))
    }

    /// Which bytes begin no character of UTF-8, or one whose second byte may not be any that goes on.
    #[inline(always)]
    pub(crate) fn odd_in_utf8(self) -> u64 {
        let (two, three) = (self.0.simd_eq(0xC0) | self.0.simd_eq(0xC1), self.0.simd_eq(0xE0) | self.0.simd_eq(0xED));
        (two | three | self.0.simd_ge(0xF0)).to_bitmask()
    }

    /// Which bytes cannot stand in a JSON string as they are: quotes, backslashes, control characters.
    #[inline(always)]
    pub(crate) fn json_escapes(self) -> u64 {
        (self.0.simd_lt(b' ') | self.0.simd_eq(b'"') | self.0.simd_eq(b'\\')).to_bitmask()
    }
}

/// A block that begins with these bytes, fewer than a block's, and goes on with `filler`.
#[inline]
pub(crate) fn last_block(rest: &[u8], filler: u8) -> [u8; BLOCK] {
    let mut block = [filler; BLOCK];
    block[..rest.len()].copy_from_slice(rest);
    block
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every way that this processor has, the one without any help first.
    fn levels() -> Vec<Level> {
        let level = Level::new();
        let mut levels = vec![Level::baseline(), level];
        #[cfg(target_arch = "x86_64")]
        {
            levels.extend(level.as_sse4_2().map(Simd::level));
            levels.extend(level.as_avx2().map(Simd::level));
        }
        levels
    }

    #[expect(clippy::inline_always, reason = "the instructions are those of the caller")]
    #[inline(always)]
    fn masks<S: Simd>(simd: S, bytes: &[u8; BLOCK], one: u8, other: u8) -> [u64; 8] {
        let (block, ones) = (Block::load(simd, bytes), Block::load(simd, &[one; BLOCK]));
        let least = block.least(ones);
        [
            block.equal(one),
            block.either(one, other),
            block.below(one),
            block.json_escapes(),
            block.at_least(one),
            block.odd_in_utf8(),
            u64::from(block.is_ascii()),
            least.equal(one),
        ]
    }

    fn expected(bytes: &[u8; BLOCK], one: u8, other: u8) -> [u64; 8] {
        let mask = |is: &dyn Fn(u8) -> bool| (0..BLOCK).fold(0, |mask, at| mask | u64::from(is(bytes[at])) << at);
        [
            mask(&|byte| byte == one),
            mask(&|byte| byte == one || byte == other),
            mask(&|byte| byte < one),
            mask(&|byte| byte < b' ' || byte == b'"' || byte == b'\\'),
            mask(&|byte| one <= byte),
            mask(&|byte| matches!(byte, 0xC0 | 0xC1 | 0xE0 | 0xED | 0xF0..)),
            u64::from(bytes.is_ascii()),
            mask(&|byte| one <= byte),
        ]
    }

    #[test]
    fn a_block_is_filled_up() {
        let block = last_block(b"ab", b'.');
        assert_eq!((&block[..3], block[63]), (&b"ab."[..], b'.'));
        assert_eq!(last_block(&[], 7), [7; BLOCK]);
    }

    proptest! {
        #[test]
        fn every_way_says_what_a_look_at_each_byte_says(
            bytes in proptest::collection::vec(
                prop_oneof![Just(b'"'), Just(b'\\'), Just(b' '), Just(0x1F), Just(0x80), any::<u8>()], BLOCK),
            one in any::<u8>(),
            other in any::<u8>(),
        ) {
            let bytes: [u8; BLOCK] = bytes.try_into().unwrap();
            for level in levels() {
                let found = dispatch!(level, simd => masks(simd, &bytes, one, other));
                prop_assert_eq!(found, expected(&bytes, one, other), "{:?}", level);
            }
        }
    }
}
