//! Text as the inside of a JSON string.

use wide::u8x16;

/// Appends text escaped as JSON requires and no further: quotes, backslashes and the
/// control characters below U+0020, in the short form where there is one. The bytes are
/// those of `serde_json`.
///
/// All else stays as it is, U+2028 too: a JSONL line ends in a line feed and nothing
/// else, and that is how the service's import reads it.
pub(super) fn push_escaped(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let (blocks, rest) = bytes.as_chunks::<BLOCK>();
    // What stands before it is in `out`.
    let mut start = 0;
    let mut push_block = |first: usize, mut found: u64| {
        while found != 0 {
            let at = first + found.trailing_zeros() as usize;
            out.extend_from_slice(&bytes[start..at]);
            push_escape(bytes[at], out);
            start = at + 1;
            found &= found - 1;
        }
    };
    for (number, block) in blocks.iter().enumerate() {
        push_block(number * BLOCK, escapes_in(block));
    }
    // Spaces behind it need no escape.
    let mut last = [b' '; BLOCK];
    last[..rest.len()].copy_from_slice(rest);
    push_block(blocks.len() * BLOCK, escapes_in(&last));
    out.extend_from_slice(&bytes[start..]);
}

/// The letter of the short escape of a byte; 0 where there is none.
const SHORT: [u8; 256] = {
    let mut short = [0; 256];
    short[b'"' as usize] = b'"';
    short[b'\\' as usize] = b'\\';
    short[b'\n' as usize] = b'n';
    short[b'\r' as usize] = b'r';
    short[b'\t' as usize] = b't';
    short[0x08] = b'b';
    short[0x0C] = b'f';
    short
};

fn push_escape(byte: u8, out: &mut Vec<u8>) {
    match SHORT[usize::from(byte)] {
        0 => {
            const HEX: &[u8; 16] = b"0123456789abcdef";
            out.extend_from_slice(b"\\u00");
            out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
        letter => out.extend_from_slice(&[b'\\', letter]),
    }
}

/// So many bytes are looked at together, a bit of a number for each.
const BLOCK: usize = 64;

/// A bit for each byte that cannot stand in a JSON string as it is, the first byte's the lowest.
fn escapes_in(block: &[u8; BLOCK]) -> u64 {
    let (lanes, _) = block.as_chunks::<16>();
    lanes.iter().enumerate().fold(0, |found, (number, lane)| {
        let bytes = u8x16::new(*lane);
        let control = bytes.min(u8x16::splat(0x1F)).simd_eq(bytes);
        let (quote, backslash) = (bytes.simd_eq(u8x16::splat(b'"')), bytes.simd_eq(u8x16::splat(b'\\')));
        found | u64::from((control | quote | backslash).to_bitmask()) << (16 * number)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn escaped(text: &str) -> String {
        let mut out = Vec::new();
        push_escaped(text, &mut out);
        String::from_utf8(out).unwrap()
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

    proptest! {
        #[test]
        fn same_bytes_as_serde_json(text in ".*", head in "[\u{0}-\u{7f}é日]{0,150}") {
            let text = head + &text;
            prop_assert_eq!(format!("\"{}\"", escaped(&text)), serde_json::to_string(&text).unwrap());
        }
    }
}
