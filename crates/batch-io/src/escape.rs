//! Text as the inside of a JSON string.

use std::ops::Range;

use crate::block::{BLOCK, Block, Level, Simd, dispatch};
use crate::page::Page;

/// Appends text escaped as JSON requires and no further: quotes, backslashes and the
/// control characters below U+0020, in the short form where there is one. The bytes are
/// those of `serde_json`.
///
/// All else stays as it is, U+2028 too: a JSONL line ends in a line feed and nothing
/// else, and that is how the service's import reads it.
pub(crate) fn push_escaped(text: &str, out: &mut Page) {
    dispatch!(Level::new(), simd => push_text(simd, text.as_bytes(), out));
}

/// The same for a part of a text whose bytes that need an escape are known: a bit for each byte, 64 of
/// them a number. In a part that is `doubled` two quotes stand for one. At least two blocks of
/// [`BLOCK`] bytes stand behind the part, whatever they are.
pub(crate) fn push_escaped_part(text: &str, escapes: &[u64], part: Range<usize>, doubled: bool, out: &mut Page) {
    let text = text.as_bytes();
    // For the instructions that find a bit and that copy a block.
    if doubled {
        dispatch!(Level::new(), simd => push_part::<_, true>(simd, text, part, Known(escapes), out));
    } else {
        dispatch!(Level::new(), simd => push_part::<_, false>(simd, text, part, Known(escapes), out));
    }
}

#[expect(clippy::inline_always, reason = "the instructions are those of the caller")]
#[inline(always)]
fn push_text<S: Simd>(simd: S, text: &[u8], out: &mut Page) {
    // A key, a label, a word.
    if text.len() <= BLOCK {
        let mut padded = [0; 2 * BLOCK];
        padded[..text.len()].copy_from_slice(text);
        return push_part::<_, false>(simd, &padded, 0..text.len(), Looked, out);
    }
    // Blocks with another one behind them; what is left is copied to where it has that too.
    let whole = (text.len() - BLOCK) / BLOCK * BLOCK;
    push_part::<_, false>(simd, text, 0..whole, Looked, out);
    let rest = &text[whole..];
    let mut padded = [0; 3 * BLOCK];
    padded[..rest.len()].copy_from_slice(rest);
    push_part::<_, false>(simd, &padded, 0..rest.len(), Looked, out);
}

/// Who knows which bytes of a block need an escape.
trait Escapes: Copy {
    /// Which of the block of this number do.
    fn of<S: Simd>(self, simd: S, number: usize, block: &[u8; BLOCK]) -> u64;
}

/// They were looked for before.
#[derive(Clone, Copy)]
struct Known<'a>(&'a [u64]);

/// They are looked for now.
#[derive(Clone, Copy)]
struct Looked;

#[expect(clippy::inline_always, reason = "the instructions are those of the caller")]
impl Escapes for Known<'_> {
    #[inline(always)]
    fn of<S: Simd>(self, _: S, number: usize, _: &[u8; BLOCK]) -> u64 {
        self.0[number]
    }
}

#[expect(clippy::inline_always, reason = "the instructions are those of the caller")]
impl Escapes for Looked {
    #[inline(always)]
    fn of<S: Simd>(self, simd: S, _: usize, block: &[u8; BLOCK]) -> u64 {
        Block::load(simd, block).json_escapes()
    }
}

/// So many blocks are written before it is seen to that there is room for more.
const BLOCKS: usize = 16;
/// Of nothing but the longest escapes, and what is written behind them at once.
const ROOM: usize = 6 * BLOCK * BLOCKS + BLOCK;

/// Copies block by block, and goes back to where an escape belongs: that takes fewer instructions than to
/// copy from escape to escape, since the length of a block is known when this is compiled.
#[expect(clippy::inline_always, reason = "the instructions are those of the caller")]
#[inline(always)]
fn push_part<S: Simd, const DOUBLED: bool>(
    simd: S,
    text: &[u8],
    part: Range<usize>,
    escapes: impl Escapes,
    out: &mut Page,
) {
    if part.is_empty() {
        return;
    }
    let (first, last) = (part.start / BLOCK, (part.end - 1) / BLOCK);
    let (blocks, _) = text[..(last + 2) * BLOCK].as_chunks();
    let mut pen = Pen::<DOUBLED> { from: part.start % BLOCK, mask: !0 << (part.start % BLOCK) };
    let mut number = first;
    while number < last {
        let page = out.room(ROOM);
        let end = last.min(number + BLOCKS);
        let mut at = 0;
        for two in blocks[number..=end].windows(2) {
            at = pen.block(two, escapes.of(simd, number, &two[0]), page, at);
            number += 1;
        }
        out.advance(at);
    }
    // Of the last one too much is copied, and taken back.
    let behind = (last + 1) * BLOCK - part.end;
    let page = out.room(ROOM);
    let at = pen.block(&blocks[last..], escapes.of(simd, last, &blocks[last]) & !0 >> behind, page, 0);
    out.advance(at - behind);
}

/// Where the text of a block begins, and what of it is looked for.
struct Pen<const DOUBLED: bool> {
    from: usize,
    mask: u64,
}

impl<const DOUBLED: bool> Pen<DOUBLED> {
    /// Writes the first of two blocks to `at` on the page, and says where it ends there.
    #[expect(clippy::inline_always, reason = "the instructions are those of the caller")]
    #[inline(always)]
    fn block(&mut self, two: &[[u8; BLOCK]], found: u64, page: &mut [u8], mut at: usize) -> usize {
        let Some(two) = two.as_flattened().first_chunk::<{ 2 * BLOCK }>() else { return at };
        let mut from = self.from;
        let mut found = found & self.mask;
        *self = Self { from: 0, mask: !0 };
        page[at..at + BLOCK].copy_from_slice(&two[from..from + BLOCK]);
        while found != 0 {
            let place = found.trailing_zeros() as usize;
            found &= found - 1;
            let byte = two[place];
            at += place - from;
            from = place;
            if DOUBLED && byte == b'"' {
                // The second one stays.
                page[at] = b'\\';
                if place + 1 == BLOCK {
                    self.mask = !1;
                } else {
                    found &= found - 1;
                }
                continue;
            }
            let escape = &ESCAPES[usize::from(byte)];
            page[at..at + ESCAPE].copy_from_slice(escape);
            at += usize::from(escape[ESCAPE - 1]);
            from += 1;
            page[at..at + BLOCK].copy_from_slice(&two[from..from + BLOCK]);
        }
        at + BLOCK - from
    }
}

/// What is written of an escape, whatever its length.
const ESCAPE: usize = 8;

/// The escape of each byte; its last byte is the length.
const ESCAPES: [[u8; ESCAPE]; 256] = {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut escapes = [[0; ESCAPE]; 256];
    let mut byte = 0;
    while byte < 0x20 {
        escapes[byte] = [b'\\', b'u', b'0', b'0', HEX[byte >> 4], HEX[byte & 15], 0, 6];
        byte += 1;
    }
    let short = *b"\"\"\\\\\nn\rr\tt\x08b\x0Cf";
    let mut place = 0;
    while place < short.len() {
        escapes[short[place] as usize] = [b'\\', short[place + 1], 0, 0, 0, 0, 0, 2];
        place += 2;
    }
    escapes
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
        for length in [1, 8, 63, 64, 65, 1000] {
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

        /// Between other text, as a field stands between others; and with its quotes doubled.
        #[test]
        fn a_part_is_escaped_as_it_is_alone(
            head in "[a\"\n]{0,150}",
            text in "([a日]{0,40}[\n\"\\\\\u{1}]){0,9}",
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
