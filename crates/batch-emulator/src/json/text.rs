//! A string of a JSON text.

use std::fmt;
use std::sync::OnceLock;

use memchr::memchr;

/// A string, or the name of a member. Most are only written again, as they stood there: what they say is found
/// out when somebody asks.
#[derive(Clone)]
pub(crate) enum Text<'a> {
    /// Without escapes: a part of the JSON.
    Plain(&'a str),
    /// With the escapes that [`write_text`](super::write_text) writes too, and no others.
    Escaped(Escaped<'a>),
    /// With others.
    Other(String),
}

/// A string with escapes of two characters each.
#[derive(Clone)]
pub(crate) struct Escaped<'a> {
    /// What stands between the quotes.
    written: &'a str,
    escapes: usize,
    /// What it says.
    said: OnceLock<String>,
}

impl<'a> Text<'a> {
    /// A string of which this stands between the quotes, with so many escapes of two characters, each of them
    /// one that is written the same way.
    pub(super) fn escaped(written: &'a str, escapes: usize) -> Text<'a> {
        match escapes {
            0 => Text::Plain(written),
            _ => Text::Escaped(Escaped { written, escapes, said: OnceLock::new() }),
        }
    }

    /// What it says.
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Text::Plain(text) => text,
            Text::Escaped(text) => text.said.get_or_init(|| unescaped(text.written).unwrap_or_default()),
            Text::Other(text) => text,
        }
    }

    /// What it says, unless it holds a character that stood there as an escape of two: quotes, backslashes and
    /// control characters are in no number and no word.
    pub(super) fn as_word(&self) -> Option<&str> {
        match self {
            Text::Plain(text) => Some(text),
            Text::Escaped(_) => None,
            Text::Other(text) => Some(text),
        }
    }

    /// How it is written between quotes, where it stood there like that.
    pub(super) fn written(&self) -> Option<&'a str> {
        match self {
            Text::Plain(text) => Some(text),
            Text::Escaped(text) => Some(text.written),
            Text::Other(_) => None,
        }
    }

    /// How many bytes of UTF-8 it says.
    pub(crate) fn len(&self) -> usize {
        match self {
            Text::Plain(text) => text.len(),
            Text::Escaped(text) => text.written.len() - text.escapes,
            Text::Other(text) => text.len(),
        }
    }

    /// Whether it says nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many characters it says.
    pub(crate) fn characters(&self) -> usize {
        match self {
            Text::Plain(text) => characters(text),
            Text::Escaped(text) => characters(text.written) - text.escapes,
            Text::Other(text) => characters(text),
        }
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

/// What a string says, given between its quotes; `None` for escapes that are rare, or none at all.
pub(super) fn unescaped(inner: &str) -> Option<String> {
    let mut text = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = memchr(b'\\', rest.as_bytes()) {
        text.push_str(rest.get(..at)?);
        text.push(match rest.as_bytes().get(at + 1)? {
            b'n' => '\n',
            b't' => '\t',
            b'r' => '\r',
            b'b' => '\x08',
            b'f' => '\x0c',
            byte @ (b'"' | b'\\' | b'/') => char::from(*byte),
            _ => return None,
        });
        rest = rest.get(at + 2..)?;
    }
    text.push_str(rest);
    Some(text)
}

/// [`str::chars`] counted, in sums of one byte each, of which the processor adds sixteen or more together.
fn characters(text: &str) -> usize {
    let starts = |bytes: &[u8]| bytes.iter().map(|byte| u8::from(byte & 0xc0 != 0x80)).fold(0, u8::wrapping_add);
    text.as_bytes().chunks(usize::from(u8::MAX)).map(|bytes| usize::from(starts(bytes))).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::json::{Tree, write_plain, write_text};

    proptest! {
        #[test]
        fn a_string_says_and_is_written_what_its_owner_means(
            said in "([a-c\"\\\\\n\r\t\x08\x0c/\x01é日]|😀){0,40}|[a-zé]{200,700}",
        ) {
            let mut written = Vec::new();
            write_text(&said, &mut written);
            let json = String::from_utf8(written.clone()).unwrap();
            for json in [json.clone(), serde_json::to_string(&said).unwrap(), json.replace('/', "\\/")] {
                let tree = Tree::parse(&json).unwrap();
                let text = tree.root().as_text().unwrap();
                prop_assert_eq!((text.len(), text.characters()), (said.len(), said.chars().count()));
                let mut again = Vec::new();
                write_plain(tree.root(), &mut again);
                prop_assert_eq!(&again, &written);
                prop_assert_eq!(text.as_str(), &said);
            }
        }
    }

    #[test]
    fn what_is_written_otherwise_is_not_taken_over() {
        for (json, written) in
            [(r#""\n\"""#, true), (r#""\/""#, false), (r#""\u000a""#, false), (r#""\u00e9\n""#, false)]
        {
            let tree = Tree::parse(json).unwrap();
            assert_eq!(tree.root().as_text().unwrap().written().is_some(), written, "{json}");
        }
    }
}
