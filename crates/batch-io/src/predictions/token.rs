//! Strings and numbers in bytes that nobody has looked at before.

use super::utf8::Utf8;
use crate::block::{BLOCK, Block, Simd, last_block};

/// Where a string ends of which the quotation mark before `start` was passed: behind its other one.
///
/// `None` where there is none, or where what stands in it is no JSON: a control character, an escape that
/// means nothing, or what is not UTF-8.
#[expect(clippy::inline_always, reason = "the instructions are those of the caller")]
#[inline(always)]
pub(super) fn end_of_string<S: Simd>(simd: S, bytes: &[u8], start: usize) -> Option<usize> {
    let (blocks, rest) = bytes.get(start..)?.as_chunks();
    let mut string = StringSoFar { start, least: Block::load(simd, &[b' '; BLOCK]), utf8: Utf8::default(), carry: 0 };
    let mut at = start;
    for block in blocks {
        if let Some(end) = string.take(simd, bytes, at, block)? {
            return Some(end);
        }
        at += BLOCK;
    }
    if rest.is_empty() { None } else { string.take(simd, bytes, at, &last_block(rest, b' '))? }
}

/// What is known of a string behind some of its blocks.
struct StringSoFar<S: Simd> {
    start: usize,
    /// At each place the least byte.
    least: Block<S>,
    utf8: Utf8,
    /// Whether the next byte is escaped.
    carry: u64,
}

#[expect(clippy::inline_always, reason = "the instructions are those of the caller")]
impl<S: Simd> StringSoFar<S> {
    /// Takes the next block, which stands at this place; says where the string ends if that is in it.
    #[expect(clippy::option_option, reason = "the outer says whether it is a string at all")]
    #[inline(always)]
    fn take(&mut self, simd: S, bytes: &[u8], at: usize, block: &[u8; BLOCK]) -> Option<Option<usize>> {
        let found = Block::load(simd, block);
        let stops = found.either(b'"', b'\\');
        if stops | self.carry != 0 {
            let backslashes = found.equal(b'\\');
            let escaped = escaped(backslashes, &mut self.carry);
            let ends = stops & !backslashes & !escaped;
            // All of the block in front of the first end, or all of it.
            let inside = ends.wrapping_sub(1) & !ends;
            are_escapes(bytes, at, block, escaped & inside)?;
            if ends != 0 {
                let end = at + ends.trailing_zeros() as usize;
                if found.below(b' ') & inside != 0 || self.start < at && self.least.below(b' ') != 0 {
                    return None;
                }
                // With the end: no character goes on there.
                if self.utf8.is_open() || !found.is_ascii() {
                    self.utf8.block(found, inside << 1 | 1, bytes, at)?;
                }
                return Some(Some(end + 1));
            }
        }
        if self.utf8.is_open() || !found.is_ascii() {
            self.utf8.block(found, !0, bytes, at)?;
        }
        self.least = self.least.least(found);
        Some(None)
    }
}

/// Which bytes of a block stand behind a backslash that is not itself behind one. `carry` says of the first
/// byte whether the block before ended in such a backslash, and of the next block afterwards.
#[inline]
fn escaped(backslashes: u64, carry: &mut u64) -> u64 {
    const ODD: u64 = 0xAAAA_AAAA_AAAA_AAAA;
    if backslashes == 0 {
        return std::mem::take(carry);
    }
    // In a run of backslashes the first, the third, the fifth escape the one behind: by subtracting, a run that
    // begins at an even place carries over to where it ends, and one that begins at an odd place does not.
    let first = backslashes & !*carry;
    let behind = first << 1;
    let runs = (behind | ODD).wrapping_sub(first) ^ ODD;
    let escaped = runs ^ (backslashes | *carry);
    *carry = (runs & backslashes) >> (BLOCK - 1);
    escaped
}

/// Whether the bytes of the block at `at` that stand behind backslashes make escapes with them.
#[inline]
fn are_escapes(bytes: &[u8], at: usize, block: &[u8; BLOCK], escaped: u64) -> Option<()> {
    let (mut left, mut odd) = (escaped, 0);
    // Without a branch for each: nearly all are line feeds and quotes.
    while left != 0 {
        odd |= ODD[usize::from(block[left.trailing_zeros() as usize % BLOCK])];
        left &= left - 1;
    }
    if odd == 0 { Some(()) } else { are_odd_escapes(bytes, at, block, escaped) }
}

#[cold]
fn are_odd_escapes(bytes: &[u8], at: usize, block: &[u8; BLOCK], mut escaped: u64) -> Option<()> {
    while escaped != 0 {
        let place = escaped.trailing_zeros() as usize % BLOCK;
        escaped &= escaped - 1;
        match block[place] {
            b'u' => {
                let digits = bytes.get(at + place + 1..at + place + 5)?;
                digits.iter().all(u8::is_ascii_hexdigit).then_some(())?;
            }
            byte if ODD[usize::from(byte)] == 0 => {}
            _ => return None,
        }
    }
    Some(())
}

/// Where a number ends that begins at `start`, as far as it goes; `None` where there is none.
#[inline]
pub(super) fn end_of_number(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    let peek = |at: usize| bytes.get(at).copied();
    if peek(at)? == b'-' {
        at += 1;
    }
    at = if peek(at)? == b'0' { at + 1 } else { end_of_digits(bytes, at)? };
    if peek(at) == Some(b'.') {
        at = end_of_digits(bytes, at + 1)?;
    }
    if matches!(peek(at), Some(b'e' | b'E')) {
        at += 1;
        if matches!(peek(at), Some(b'+' | b'-')) {
            at += 1;
        }
        at = end_of_digits(bytes, at)?;
    }
    Some(at)
}

#[inline]
fn end_of_digits(bytes: &[u8], start: usize) -> Option<usize> {
    let rest = bytes.get(start..)?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (0 < digits).then_some(start + digits)
}

/// Behind a backslash, 0 for the bytes that make an escape with it and nothing else.
const ODD: [u8; 256] = {
    let mut odd = [1; 256];
    let (usual, mut at) = (br#""\/bfnrt"#, 0);
    while at < usual.len() {
        odd[usual[at] as usize] = 0;
        at += 1;
    }
    odd
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::value::RawValue;

    use super::*;
    use crate::block::{Level, dispatch};

    fn end(bytes: &[u8], start: usize) -> Option<usize> {
        dispatch!(Level::new(), simd => end_of_string(simd, bytes, start))
    }

    /// What the parser says of the string that begins in front of `start`.
    fn parsed(bytes: &[u8], start: usize) -> Option<usize> {
        let mut strings = serde_json::Deserializer::from_slice(&bytes[start - 1..]).into_iter::<&RawValue>();
        let string = strings.next()?.ok()?;
        Some(start - 1 + string.get().len())
    }

    #[test]
    fn a_string_ends_at_its_quote_wherever_that_stands() {
        for length in 0..200 {
            for escape in ["", "\\\"", "\\\\", "\\n", "\\u00e9", "é", "\\x", "\\u00g9", "\u{1}", "\\\\\\"] {
                for behind in 0..3 {
                    let text = format!("\"{}{escape}{}\", \"\\t\"", "x".repeat(length), "y".repeat(behind));
                    assert_eq!(end(text.as_bytes(), 1), parsed(text.as_bytes(), 1), "{text}");
                    for cut in 1..text.len() {
                        assert_eq!(end(&text.as_bytes()[..cut], 1), parsed(&text.as_bytes()[..cut], 1), "{text}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_stands_behind_a_string_is_none_of_it() {
        for behind in ["\n", "\t", "\\x", "\\", "\u{80}"] {
            for length in [0, 3, 62, 63, 64, 130] {
                let text = format!("\"{}\"{behind}", "x".repeat(length));
                assert_eq!(end(text.as_bytes(), 1), Some(length + 2), "{text:?}");
            }
        }
        assert_eq!(end(b"\"\xFF\"", 1), None);
        // A character that goes on nowhere, before a block with nothing else to look at.
        let cut = [&b"\""[..], &[b'x'; 63], b"\xC3", &[b'x'; 64], b"\xA9\""].concat();
        assert_eq!(end(&cut, 1), None);
        assert_eq!(end(b"\"a\"\xFF", 1), Some(3));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn a_string_is_what_the_parser_takes_for_one(
            pieces in proptest::collection::vec(prop_oneof![
                8 => "[a-z]{0,70}",
                4 => "\\\\{1,5}",
                2 => "\\\\[\"/bfnrtux]",
                2 => "\\\\u[0-9a-fA-F]{3,4}",
                1 => Just("\"".to_owned()),
                1 => "[é日😀]{1,30}",
                1 => "[\u{0}-\u{1f}]",
            ], 0..12),
            broken in proptest::option::weighted(0.2, any::<prop::sample::Index>()),
        ) {
            let mut bytes = format!("\"{}\"", pieces.concat()).into_bytes();
            if let Some(broken) = broken {
                let at = 1 + broken.index(bytes.len() - 1);
                bytes[at] = 0xC3;
            }
            prop_assert_eq!(end(&bytes, 1), parsed(&bytes, 1));
        }

        #[test]
        fn a_number_is_what_the_parser_takes_for_one(text in "-?[0-9]{0,3}(\\.[0-9]{0,2})?([eE][+-]?[0-9]{0,2})?") {
            let parsed = serde_json::from_str::<&RawValue>(&text).is_ok();
            prop_assert_eq!(end_of_number(text.as_bytes(), 0) == Some(text.len()), parsed);
        }
    }
}
