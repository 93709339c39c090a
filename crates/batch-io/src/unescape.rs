//! The text that the inside of a JSON string stands for.

use crate::block::{BLOCK, Block, Level, Simd, dispatch};

/// Of so many bytes each is looked at by itself.
const FEW: usize = 32;

/// The text that a string stands for, whose escapes are whole; `None` for half of a surrogate pair.
pub(crate) fn unescaped(inside: &str) -> Option<String> {
    let mut out = Vec::new();
    let length = unescape(inside.as_bytes(), &mut out)?.len();
    out.truncate(length);
    String::from_utf8(out).ok()
}

/// The same as bytes in memory that is used again, whatever is in it.
pub(crate) fn unescape<'o>(inside: &[u8], out: &'o mut Vec<u8>) -> Option<&'o [u8]> {
    // It does not become longer, and whole blocks are written.
    let most = inside.len() + 2 * BLOCK;
    if out.len() < most {
        out.resize(most, 0);
    }
    let length = if inside.len() <= FEW {
        unescape_few(inside, out)?
    } else {
        dispatch!(Level::new(), simd => unescape_blocks(simd, inside, out))?
    };
    out.get(..length)
}

fn unescape_few(text: &[u8], out: &mut [u8]) -> Option<usize> {
    let (mut from, mut at) = (0, 0);
    while let Some(byte) = text.get(from) {
        if *byte == b'\\' {
            (from, at) = escape(text, from, out, at)?;
        } else {
            *out.get_mut(at)? = *byte;
            (from, at) = (from + 1, at + 1);
        }
    }
    Some(at)
}

#[expect(clippy::inline_always, reason = "the instructions are those of the caller")]
#[inline(always)]
fn unescape_blocks<S: Simd>(simd: S, text: &[u8], out: &mut [u8]) -> Option<usize> {
    // What has a block behind it, and then the rest where it has that too.
    let whole = text.len().saturating_sub(BLOCK);
    let (from, at) = copy(simd, text, whole, out)?;
    let rest = text.get(from..)?;
    let mut padded = [0; 2 * BLOCK];
    padded.get_mut(..rest.len())?.copy_from_slice(rest);
    let (from, behind) = copy(simd, &padded, rest.len(), out.get_mut(at..)?)?;
    // What stands behind the text is no part of an escape.
    (from == rest.len()).then_some(at + behind)
}

/// Copies block by block and goes on behind an escape; says how far it came in the text, and where that is written.
/// That is `end`, or behind the escape that begins in front of it.
#[expect(clippy::inline_always, reason = "the instructions are those of the caller")]
#[inline(always)]
fn copy<S: Simd>(simd: S, text: &[u8], end: usize, out: &mut [u8]) -> Option<(usize, usize)> {
    let (mut from, mut at) = (0, 0);
    while from < end {
        let block: &[u8; BLOCK] = text.get(from..)?.first_chunk()?;
        *out.get_mut(at..)?.first_chunk_mut()? = *block;
        let backslashes = Block::load(simd, block).equal(b'\\');
        let plain = (backslashes.trailing_zeros() as usize).min(end - from);
        (from, at) = (from + plain, at + plain);
        if plain == BLOCK || from == end {
            continue;
        }
        (from, at) = escape(text, from, out, at)?;
    }
    Some((from, at))
}

/// Goes on behind the escape that begins at `from`, and behind what is written of it.
#[expect(clippy::inline_always, reason = "the instructions are those of the caller")]
#[inline(always)]
fn escape(text: &[u8], from: usize, out: &mut [u8], at: usize) -> Option<(usize, usize)> {
    let short = SHORT[usize::from(*text.get(from + 1)?)];
    if short == 0 {
        return unit(text, from, out, at);
    }
    *out.get_mut(at)? = short;
    Some((from + 2, at + 1))
}

/// The same for an escape of four digits, or for two of them that are one character.
fn unit(text: &[u8], from: usize, out: &mut [u8], at: usize) -> Option<(usize, usize)> {
    let unit = |at: usize| {
        let [b'\\', b'u', digits @ ..] = text.get(at..at + 6)? else { return None };
        u16::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()
    };
    let first = unit(from)?;
    let (character, behind) = match first {
        0xD800..=0xDBFF => (char::decode_utf16([first, unit(from + 6)?]).next()?.ok()?, from + 12),
        _ => (char::from_u32(u32::from(first))?, from + 6),
    };
    let written = character.encode_utf8(out.get_mut(at..)?).len();
    Some((behind, at + written))
}

/// What a byte means behind a backslash; 0 for the `u` in front of four digits.
const SHORT: [u8; 256] = {
    let mut short = [0; 256];
    short[b'"' as usize] = b'"';
    short[b'\\' as usize] = b'\\';
    short[b'/' as usize] = b'/';
    short[b'b' as usize] = 0x08;
    short[b'f' as usize] = 0x0C;
    short[b'n' as usize] = b'\n';
    short[b'r' as usize] = b'\r';
    short[b't' as usize] = b'\t';
    short
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_escape_is_read_wherever_it_stands() {
        for before in 0..150 {
            for escape in
                ["\\n", "\\\\", "\\u00e9", "\\ud83d\\ude00", "\\u0000", "\\\"\\/", "\\ud83d", "\\ud83dx", "\\ude00"]
            {
                for behind in [0, 1, 5, 63, 64, 65, 130] {
                    let text = format!("{}{escape}{}", "x".repeat(before), "y".repeat(behind));
                    assert_eq!(unescaped(&text), serde_json::from_str(&format!("\"{text}\"")).ok(), "{text}");
                }
            }
        }
    }

    #[test]
    fn half_an_escape_is_none() {
        for text in ["\\", "\\u", "\\u00e", "xx\\", "\\ud83d\\u"] {
            assert_eq!(unescaped(text), None, "{text}");
            let text = format!("{}{text}", "x".repeat(200));
            assert_eq!(unescaped(&text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_text_is_unescaped_as_by_the_parser(text in "(\\\\[\"\\\\/bfnrt]|\\\\u[0-9a-fA-F]{4}|\\\\ud83d\\\\ude00|\\\\ud[89a-f]00|[a-zé日 ]{0,40}){0,12}") {
            let json = format!("\"{text}\"");
            prop_assert_eq!(unescaped(&text), serde_json::from_str::<String>(&json).ok());
        }
    }
}
