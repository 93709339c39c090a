//! Text as the inside of a JSON string.

/// Appends text escaped as JSON requires and no further: quotes, backslashes and the
/// control characters below U+0020, in the short form where there is one. The bytes are
/// those of `serde_json`.
///
/// All else stays as it is, U+2028 too: a JSONL line ends in a line feed and nothing
/// else, and that is how the service's import reads it.
pub(super) fn push_escaped(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let mut start = 0;
    while let Some(length) = first_escape(&bytes[start..]) {
        let at = start + length;
        out.extend_from_slice(&bytes[start..at]);
        push_escape(bytes[at], out);
        start = at + 1;
    }
    out.extend_from_slice(&bytes[start..]);
}

fn push_escape(byte: u8, out: &mut Vec<u8>) {
    let short = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0C => b'f',
        _ => {
            const HEX: &[u8; 16] = b"0123456789abcdef";
            out.extend_from_slice(b"\\u00");
            out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// The first byte that cannot stand in a JSON string as it is; eight bytes at a time.
fn first_escape(bytes: &[u8]) -> Option<usize> {
    let (words, rest) = bytes.as_chunks::<8>();
    for (number, word) in words.iter().enumerate() {
        let found = escapes_in(u64::from_le_bytes(*word));
        if found != 0 {
            return Some(number * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let behind = bytes.len() - rest.len();
    rest.iter().position(|&byte| needs_escape(byte)).map(|at| behind + at)
}

/// The top bit of every byte that needs an escape. A borrow can set one too many above
/// the lowest that is rightly set, and never below, so the lowest is right.
fn escapes_in(word: u64) -> u64 {
    const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
    const TOPS: u64 = u64::from_ne_bytes([0x80; 8]);
    let zero_bytes = |word: u64| word.wrapping_sub(ONES) & !word;
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    let quote = zero_bytes(word ^ (ONES * b'"' as u64));
    let backslash = zero_bytes(word ^ (ONES * b'\\' as u64));
    (control | quote | backslash) & TOPS
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

    /// Every pair of neighbours at every place in a word: what a carry could confuse.
    #[test]
    fn every_byte_beside_every_other() {
        for first in 0..=0x7F_u8 {
            for second in 0..=0x7F_u8 {
                for place in 0..7 {
                    let mut bytes = [b'x'; 9];
                    bytes[place] = first;
                    bytes[place + 1] = second;
                    assert_eq!(first_escape(&bytes), bytes.iter().position(|&byte| needs_escape(byte)));
                }
            }
        }
    }

    proptest! {
        #[test]
        fn same_bytes_as_serde_json(text in ".*", head in "[\u{0}-\u{7f}é日]{0,24}") {
            let text = head + &text;
            prop_assert_eq!(format!("\"{}\"", escaped(&text)), serde_json::to_string(&text).unwrap());
        }
    }
}
