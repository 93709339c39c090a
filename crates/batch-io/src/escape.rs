//! Text as the inside of a JSON string.

use std::ops::{Range, RangeInclusive};

use crate::block::{BLOCK, Block, Level, Simd, dispatch};
use crate::page::Page;

/// Appends text escaped as JSON requires and no further: quotes, backslashes and the
/// control characters below U+0020, in the short form where there is one. The bytes are
/// those of `serde_json`.
///
/// All else stays as it is, U+2028 too: a JSONL line ends in a line feed and nothing
/// else, and that is how the service's import reads it.
pub(crate) fn push_escaped(text: &str, out: &mut Page) {
    dispatch!(Level::new(), simd => push_text(simd, text.as_bytes(), Looked, out));
}

/// Appends text with two quotes for each, as it stands between quotes in a CSV.
pub(crate) fn push_doubled(text: &str, out: &mut Page) {
    dispatch!(Level::new(), simd => push_text(simd, text.as_bytes(), Quotes, out));
}

/// The same for a part of a text whose bytes that need an escape are known: a bit for each byte, 64 of
/// them a number. In a part that is `doubled` two quotes stand for one. At least two blocks of
/// [`BLOCK`] bytes stand behind the part, whatever they are.
pub(crate) fn push_escaped_part(text: &str, escapes: &[u64], part: Range<usize>, doubled: bool, out: &mut Page) {
    let text = text.as_bytes();
    // For the instructions that find a bit and that copy a block.
    if doubled {
        dispatch!(Level::new(), simd => push_part::<_, _, true>(simd, text, part, Known(escapes), out));
    } else {
        dispatch!(Level::new(), simd => push_part::<_, _, false>(simd, text, part, Known(escapes), out));
    }
}

#[expect(clippy::inline_always, reason = "the instructions are those of the caller")]
#[inline(always)]
fn push_text<S: Simd>(simd: S, text: &[u8], escapes: impl Escapes, out: &mut Page) {
    // A key, a label, a word.
    if text.len() <= BLOCK {
        let mut padded = [0; 2 * BLOCK];
        padded[..text.len()].copy_from_slice(text);
        return push_part::<_, _, false>(simd, &padded, 0..text.len(), escapes, out);
    }
    // Blocks with another one behind them; what is left is copied to where it has that too.
    let whole = (text.len() - BLOCK) / BLOCK * BLOCK;
    push_part::<_, _, false>(simd, text, 0..whole, escapes, out);
    let rest = &text[whole..];
    let mut padded = [0; 3 * BLOCK];
    padded[..rest.len()].copy_from_slice(rest);
    push_part::<_, _, false>(simd, &padded, 0..rest.len(), escapes, out);
}

/// Who knows which bytes of blocks need an escape.
trait Escapes: Copy {
    /// What is known of a block.
    type Found: Copy;

    /// What is written of each byte; its last byte is how much longer that is.
    const WRITTEN: &'static [[u8; ESCAPE]; 256];

    /// What is known of the blocks from the one of this number on.
    fn from(self, number: usize) -> impl Iterator<Item = Self::Found>;

    /// Which bytes of a block need one.
    fn of<S: Simd>(simd: S, found: Self::Found, block: &[u8; BLOCK]) -> u64;
}

/// They were looked for before.
#[derive(Clone, Copy)]
struct Known<'a>(&'a [u64]);

/// They are looked for now.
#[derive(Clone, Copy)]
struct Looked;

/// No escapes, but quotes that are doubled.
#[derive(Clone, Copy)]
struct Quotes;

#[expect(clippy::inline_always, reason = "the instructions are those of the caller")]
impl Escapes for Known<'_> {
    type Found = u64;

    const WRITTEN: &'static [[u8; ESCAPE]; 256] = &ESCAPES;

    #[inline(always)]
    fn from(self, number: usize) -> impl Iterator<Item = u64> {
        self.0[number..].iter().copied()
    }

    #[inline(always)]
    fn of<S: Simd>(_: S, found: u64, _: &[u8; BLOCK]) -> u64 {
        found
    }
}

#[expect(clippy::inline_always, reason = "the instructions are those of the caller")]
impl Escapes for Looked {
    type Found = ();

    const WRITTEN: &'static [[u8; ESCAPE]; 256] = &ESCAPES;

    #[inline(always)]
    fn from(self, _: usize) -> impl Iterator<Item = ()> {
        std::iter::repeat(())
    }

    #[inline(always)]
    fn of<S: Simd>(simd: S, (): (), block: &[u8; BLOCK]) -> u64 {
        Block::load(simd, block).json_escapes()
    }
}

#[expect(clippy::inline_always, reason = "the instructions are those of the caller")]
impl Escapes for Quotes {
    type Found = ();

    const WRITTEN: &'static [[u8; ESCAPE]; 256] = &DOUBLED;

    #[inline(always)]
    fn from(self, _: usize) -> impl Iterator<Item = ()> {
        std::iter::repeat(())
    }

    #[inline(always)]
    fn of<S: Simd>(simd: S, (): (), block: &[u8; BLOCK]) -> u64 {
        Block::load(simd, block).equal(b'"')
    }
}

/// A power of two of bytes, so that a place is brought into them by an `and` and needs no other check.
const REACH: usize = 8192;
/// So many blocks are written before it is seen to that there is room for more: of nothing but the longest
/// escapes they do not take more than the reach.
const BLOCKS: usize = REACH / (6 * BLOCK);
/// What is written within the reach ends here.
const ROOM: usize = REACH + BLOCK;

/// Copies block by block, and goes back to where an escape belongs: that takes fewer instructions than to
/// copy from escape to escape, since the length of a block is known when this is compiled.
#[expect(clippy::inline_always, reason = "the instructions are those of the caller")]
#[inline(always)]
fn push_part<S: Simd, E: Escapes, const DOUBLED: bool>(
    simd: S,
    text: &[u8],
    part: Range<usize>,
    escapes: E,
    out: &mut Page,
) {
    if part.is_empty() {
        return;
    }
    let (first, last) = (part.start / BLOCK, (part.end - 1) / BLOCK);
    let (blocks, _) = text[..(last + 2) * BLOCK].as_chunks();
    let (from, behind) = (part.start % BLOCK, (last + 1) * BLOCK - part.end);
    let mut pen = Pen::<DOUBLED>::default();
    if first == last {
        pen.blocks(simd, blocks, escapes, first..=last, (from, !0 << from & !0 >> behind), out);
        return out.truncate(out.len() - behind);
    }
    pen.blocks(simd, blocks, escapes, first..=first, (from, !0 << from), out);
    for number in (first + 1..last).step_by(BLOCKS) {
        pen.blocks(simd, blocks, escapes, number..=(last - 1).min(number + BLOCKS - 1), (0, !0), out);
    }
    pen.blocks(simd, blocks, escapes, last..=last, (0, !0 >> behind), out);
    // Of the last one too much was copied.
    out.truncate(out.len() - behind);
}

/// Writes blocks one behind the other.
#[derive(Default)]
struct Pen<const DOUBLED: bool> {
    /// Set for the first byte of the next block if that is the second of two quotes of which one is written.
    skip: u64,
}

#[expect(clippy::inline_always, reason = "the instructions are those of the caller")]
impl<const DOUBLED: bool> Pen<DOUBLED> {
    /// Writes the blocks of these numbers, [`BLOCKS`] of them at most: of the first what stands `from` there on,
    /// and with the escapes that are `wanted` in each.
    #[inline(always)]
    fn blocks<S: Simd, E: Escapes>(
        &mut self,
        simd: S,
        blocks: &[[u8; BLOCK]],
        escapes: E,
        numbers: RangeInclusive<usize>,
        (from, wanted): (usize, u64),
        out: &mut Page,
    ) {
        let Some(page) = out.room(ROOM).first_chunk_mut() else { return };
        let (first, last) = numbers.into_inner();
        // Where the block begins, which is in front of the page where some of it is left out.
        let mut at = 0_usize.wrapping_sub(from);
        for (two, found) in blocks[first..=last + 1].windows(2).zip(escapes.from(first)) {
            let found = E::of(simd, found, &two[0]) & wanted;
            at = self.block::<E>(two, from, found, page, at).wrapping_add(BLOCK);
        }
        out.advance(at);
    }

    /// Writes the first of two blocks, that begins at `at`, from this place in it on; and says where it would have
    /// begun if it had no escapes.
    #[inline(always)]
    fn block<E: Escapes>(
        &mut self,
        two: &[[u8; BLOCK]],
        from: usize,
        mut found: u64,
        page: &mut [u8; ROOM],
        mut at: usize,
    ) -> usize {
        let Some(two) = two.as_flattened().first_chunk::<{ 2 * BLOCK }>() else { return at };
        write::<BLOCK>(page, at.wrapping_add(from), &two[from..from + BLOCK]);
        if DOUBLED {
            found &= !std::mem::take(&mut self.skip);
        }
        while found != 0 {
            let place = found.trailing_zeros() as usize;
            found &= found - 1;
            let byte = two[place];
            if DOUBLED && byte == b'"' {
                // The second one stays.
                page[at.wrapping_add(place) % REACH] = b'\\';
                found &= found.wrapping_sub(1);
                self.skip = (place as u64 + 1) / BLOCK as u64;
                continue;
            }
            let escape = &E::WRITTEN[usize::from(byte)];
            write::<ESCAPE>(page, at.wrapping_add(place), escape);
            // Behind it goes on what stands behind the byte.
            at = at.wrapping_add(usize::from(escape[ESCAPE - 1]));
            write::<BLOCK>(page, at.wrapping_add(place + 1), &two[place + 1..place + 1 + BLOCK]);
        }
        at
    }
}

/// Copies bytes of which the number is known when this is compiled.
#[expect(clippy::inline_always, reason = "the instructions are those of the caller")]
#[inline(always)]
fn write<const COUNT: usize>(page: &mut [u8; ROOM], at: usize, bytes: &[u8]) {
    let at = at % REACH;
    page[at..at + COUNT].copy_from_slice(bytes);
}

/// What is written of an escape, whatever its length.
const ESCAPE: usize = 8;

/// The escape of each byte; its last byte is how much longer it is than the byte.
const ESCAPES: [[u8; ESCAPE]; 256] = {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut escapes = [[0; ESCAPE]; 256];
    let mut byte = 0;
    while byte < 0x20 {
        escapes[byte] = [b'\\', b'u', b'0', b'0', HEX[byte >> 4], HEX[byte & 15], 0, 5];
        byte += 1;
    }
    let short = *b"\"\"\\\\\nn\rr\tt\x08b\x0Cf";
    let mut place = 0;
    while place < short.len() {
        escapes[short[place] as usize] = [b'\\', short[place + 1], 0, 0, 0, 0, 0, 1];
        place += 2;
    }
    escapes
};

/// The same for text in quotes.
const DOUBLED: [[u8; ESCAPE]; 256] = {
    let mut doubled = [[0; ESCAPE]; 256];
    doubled[b'"' as usize] = [b'"', b'"', 0, 0, 0, 0, 0, 1];
    doubled
};

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn escaped(text: &str) -> String {
        let mut out = Page::default();
        push_escaped(text, &mut out);
        String::from_utf8(out.into_vec()).unwrap()
    }

    #[test]
    fn only_what_json_requires() {
        assert_eq!(escaped("日本語 \u{2028}\u{7f}é/'<"), "日本語 \u{2028}\u{7f}é/'<");
        assert_eq!(escaped("a\"b\\c\r\n\t\u{8}\u{c}\u{0}\u{1f}"), r#"a\"b\\c\r\n\t\b\f\u0000\u001f"#);
    }

    /// Every pair of neighbours in a block, at its end and behind it.
    #[test]
    fn every_byte_beside_every_other() {
        for first in 0..=0x7F_u8 {
            for second in 0..=0x7F_u8 {
                for place in [0, 7, 14, 15, 30, 62, 63, 64, 65] {
                    let mut bytes = [b'x'; 67];
                    bytes[place] = first;
                    bytes[place + 1] = second;
                    let text = str::from_utf8(&bytes).unwrap();
                    assert_eq!(format!("\"{}\"", escaped(text)), serde_json::to_string(text).unwrap());
                }
            }
        }
    }

    /// The longest escapes, which no guess leaves room for.
    #[test]
    fn text_that_grows_sixfold() {
        for length in [1, 8, 63, 64, 65, 1000, 10_000] {
            assert_eq!(escaped(&"\u{1}".repeat(length)), "\\u0001".repeat(length));
        }
    }

    proptest! {
        #[test]
        fn same_bytes_as_serde_json(before in ".{0,4}", text in ".*", head in "[\u{0}-\u{7f}é日]{0,150}") {
            let text = head + &text;
            let mut out = Page::from_vec(before.clone().into_bytes());
            push_escaped(&text, &mut out);
            prop_assert_eq!(format!("\"{}\"", &String::from_utf8(out.into_vec()).unwrap()[before.len()..]), serde_json::to_string(&text).unwrap());
        }

        #[test]
        fn quotes_are_doubled(text in "([a日\n\\\\]{0,70}\"{0,3}){0,9}") {
            let mut out = Page::default();
            push_doubled(&text, &mut out);
            prop_assert_eq!(String::from_utf8(out.into_vec()).unwrap(), text.replace('"', "\"\""));
        }

        /// Between other text, as a field stands between others; and with its quotes doubled.
        #[test]
        fn a_part_is_escaped_as_it_is_alone(
            head in "[a\"\n]{0,150}",
            text in "([a日]{0,40}[\n\"\\\\\u{1}]){0,90}",
            tail in "[a\"\n]{0,150}",
        ) {
            for doubled in [false, true] {
                let written = if doubled { text.replace('"', "\"\"") } else { text.clone() };
                let whole = format!("{head}{written}{tail}{}", " ".repeat(2 * BLOCK));
                let escapes: Vec<u64> = whole.as_bytes().chunks(BLOCK).map(|bytes| {
                    bytes.iter().rev().fold(0, |found, byte| {
                        found << 1 | u64::from(*byte < b' ' || matches!(byte, b'"' | b'\\'))
                    })
                }).collect();
                let mut out = Page::from_vec(b"before".to_vec());
                push_escaped_part(&whole, &escapes, head.len()..head.len() + written.len(), doubled, &mut out);
                prop_assert_eq!(String::from_utf8(out.into_vec()).unwrap(), format!("before{}", escaped(&text)));
            }
        }
    }
}
