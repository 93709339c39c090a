//! Whether bytes are UTF-8, for who looks at their blocks anyway.

use crate::block::{BLOCK, Block, Simd};

/// How far characters have come at the end of a block. Of ASCII it need not be told, where it is not open.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Utf8 {
    /// Which bytes of the next block go on with a character of the one before.
    open: u64,
}

#[expect(clippy::inline_always, reason = "the instructions are those of the caller")]
impl Utf8 {
    /// Whether a character goes on in the next block.
    #[inline(always)]
    pub(super) fn is_open(self) -> bool {
        self.open != 0
    }

    /// Takes the block at this place of bytes. `None` where what is `wanted` of it,
    /// which is all in front of some place, is not UTF-8.
    #[inline(always)]
    pub(super) fn block<S: Simd>(&mut self, block: Block<S>, wanted: u64, bytes: &[u8], at: usize) -> Option<()> {
        let (two, three, four) = (block.at_least(0xC0), block.at_least(0xE0), block.at_least(0xF0));
        let going_on = two << 1 | three << 2 | four << 3 | self.open;
        let mut wrong = going_on ^ (block.at_least(0x80) & !two);
        let odd = block.odd_in_utf8();
        if odd != 0 {
            // What would be written shorter, half of a surrogate pair, or beyond U+10FFFF.
            let (middle, upper) = (block.at_least(0x90), block.at_least(0xA0));
            wrong |= block.either(0xC0, 0xC1) | block.at_least(0xF5);
            wrong |= (block.equal(0xE0) << 1 & !upper) | (block.equal(0xED) << 1 & upper);
            wrong |= (block.equal(0xF0) << 1 & !middle) | (block.equal(0xF4) << 1 & middle);
        }
        if self.open != 0
            && let Some([first, second]) = at.checked_sub(1).and_then(|before| bytes.get(before..=at))
        {
            wrong |= u64::from(match first {
                0xE0 => *second < 0xA0,
                0xED => 0xA0 <= *second,
                0xF0 => *second < 0x90,
                0xF4 => 0x90 <= *second,
                _ => false,
            });
        }
        const LAST: usize = BLOCK - 1;
        self.open = two >> LAST | three >> (LAST - 1) | four >> (LAST - 2);
        (wrong & wanted == 0).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::block::{Level, dispatch, last_block};

    /// Of bytes with an end behind them, and behind that something else.
    #[expect(clippy::inline_always, reason = "the instructions are those of the caller")]
    #[inline(always)]
    fn is_utf8_by<S: Simd>(simd: S, bytes: &[u8], filler: u8) -> bool {
        let text = [bytes, b"\""].concat();
        let (blocks, rest) = text.as_chunks();
        let wanted = std::iter::repeat_n(!0, blocks.len()).chain([!(!0 << rest.len())]);
        let blocks = blocks.iter().copied().chain([last_block(rest, filler)]);
        let mut utf8 = Utf8::default();
        for (number, (bytes, wanted)) in blocks.zip(wanted).enumerate() {
            let block = Block::load(simd, &bytes);
            if (utf8.is_open() || !block.is_ascii()) && utf8.block(block, wanted, &text, number * BLOCK).is_none() {
                return false;
            }
        }
        true
    }

    fn is_utf8(bytes: &[u8], filler: u8) -> bool {
        dispatch!(Level::new(), simd => is_utf8_by(simd, bytes, filler))
    }

    /// Every two bytes, as the beginning of characters of any length, everywhere around the edge of a block.
    #[test]
    fn every_beginning_of_a_character_is_judged_as_by_the_standard_library() {
        for first in 0x7F..=0xFF_u8 {
            for second in [0, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC2, 0xE0, 0xFF] {
                for behind in 0..4 {
                    for before in [0, 1, 59, 60, 61, 62, 63, 64, 65] {
                        let mut bytes = vec![b'x'; before];
                        bytes.extend([first, second]);
                        bytes.extend(std::iter::repeat_n(0x80, behind));
                        for length in [before + 1, bytes.len()] {
                            let expected = str::from_utf8(&bytes[..length]).is_ok();
                            for filler in [b'x', 0x80, 0xE0] {
                                assert_eq!(is_utf8(&bytes[..length], filler), expected, "{bytes:x?}");
                            }
                        }
                    }
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn text_is_judged_as_by_the_standard_library(
            text in "([a-z ]{0,70}|[é日😀ก\u{800}\u{d7ff}\u{e000}\u{ffff}\u{10000}\u{10ffff}]{0,40}){0,6}",
            broken in proptest::option::of((any::<prop::sample::Index>(), any::<u8>())),
            filler in any::<u8>(),
        ) {
            let mut bytes = text.into_bytes();
            if let Some((at, byte)) = broken && !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            prop_assert_eq!(is_utf8(&bytes, filler), str::from_utf8(&bytes).is_ok());
        }
    }
}
