//! A walk over JSON text that proves it to be JSON, and reads only what it is asked for.
//!
//! It takes the usual alone: no white space but spaces, no names with escapes, no deep nesting. Of
//! anything else it says nothing, and a parser, which is the judge, reads the text.

use std::ops::Range;

use super::token::end_of_number;
use crate::block::{BLOCK, Block, Level, Simd, dispatch, last_block};

/// Nesting beyond this is left to the parser.
const DEEPEST: u32 = 100;

/// Behind a text this long, the memory of [`Stops`] is given back.
const KEPT: usize = 8 * 1024 * 1024;

/// Where the quotes and backslashes of a text are, a bit for each byte: kept from text to text for its
/// memory.
#[derive(Debug, Default)]
pub(crate) struct Stops(Vec<u64>);

impl Stops {
    /// Looks a text through. `None` if it has a control character, which is white space or a fault, and
    /// neither is usual.
    fn of(&mut self, bytes: &[u8]) -> Option<&[u64]> {
        let blocks = bytes.len() / BLOCK + 1;
        if KEPT < self.0.len() * BLOCK && bytes.len() < KEPT {
            self.0 = Vec::new();
        }
        if self.0.len() < blocks {
            self.0.resize(blocks, 0);
        }
        let stops = self.0.get_mut(..blocks)?;
        dispatch!(Level::new(), simd => find(simd, bytes, stops)).then_some(stops)
    }
}

/// Whether there is no control character.
#[expect(clippy::inline_always, reason = "the instructions are those of the caller")]
#[inline(always)]
fn find<S: Simd>(simd: S, bytes: &[u8], stops: &mut [u64]) -> bool {
    let (blocks, rest) = bytes.as_chunks();
    let last = Block::load(simd, &last_block(rest, b' '));
    let mut least = last;
    for (stops, block) in stops.iter_mut().zip(blocks) {
        let block = Block::load(simd, block);
        least = least.least(block);
        *stops = block.either(b'"', b'\\');
    }
    if let Some(stops) = stops.last_mut() {
        *stops = last.either(b'"', b'\\');
    }
    least.below(b' ') == 0
}

/// A place in a text, in front of which all is proved.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'t, 's> {
    text: &'t str,
    stops: &'s [u64],
    at: usize,
    /// Whether spaces were passed over.
    has_spaces: bool,
}

impl<'t, 's> Cursor<'t, 's> {
    /// So many digits are less than 2^63 whatever they are.
    pub(crate) const MOST_DIGITS: usize = 18;

    /// At the beginning. `None` for a text with control characters.
    pub(crate) fn new(text: &'t str, stops: &'s mut Stops) -> Option<Self> {
        Some(Self { text, stops: stops.of(text.as_bytes())?, at: 0, has_spaces: false })
    }

    /// The same with the room for a short text. `None` also for one that is longer than this is for.
    pub(crate) fn in_short(text: &'t str, stops: &'s mut [u64]) -> Option<Self> {
        let stops = stops.get_mut(..=text.len() / BLOCK)?;
        let is_usual = dispatch!(Level::new(), simd => find(simd, text.as_bytes(), stops));
        is_usual.then_some(Self { text, stops, at: 0, has_spaces: false })
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// The text that it is in.
    pub(crate) fn whole(&self) -> &'t str {
        self.text
    }

    /// The byte at the cursor.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Passes over spaces, the only white space there is in such a text.
    #[inline]
    pub(crate) fn space(&mut self) {
        while self.peek() == Some(b' ') {
            self.at += 1;
            self.has_spaces = true;
        }
    }

    /// Whether there were spaces between what was passed over.
    pub(crate) fn has_spaces(&self) -> bool {
        self.has_spaces
    }

    /// Whether nothing but space is left.
    pub(crate) fn is_at_end(&mut self) -> bool {
        self.space();
        self.at == self.text.len()
    }

    #[inline]
    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// Walks through an object; `each` finds the cursor in front of a value and leaves it behind.
    #[inline]
    pub(crate) fn members(&mut self, mut each: impl FnMut(&mut Self, &'t [u8]) -> Option<()>) -> Option<()> {
        self.take(b'{')?;
        self.space();
        if self.peek()? == b'}' {
            self.at += 1;
            return Some(());
        }
        loop {
            let name = self.name()?;
            each(self, name)?;
            self.space();
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Some(());
                }
                _ => return None,
            }
            self.space();
        }
    }

    /// The name of a member, with the cursor left in front of its value.
    #[inline]
    fn name(&mut self) -> Option<&'t [u8]> {
        let open = self.at;
        // An escape in a name may spell one that is asked for.
        if self.string()? {
            return None;
        }
        let name = self.text.as_bytes().get(open + 1..self.at - 1);
        self.colon()?;
        name
    }

    #[inline]
    fn colon(&mut self) -> Option<()> {
        self.space();
        self.take(b':')?;
        self.space();
        Some(())
    }

    /// Walks through an array; `each` finds the cursor in front of an element and leaves it behind.
    #[inline]
    pub(crate) fn elements(&mut self, mut each: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.take(b'[')?;
        self.space();
        if self.peek()? == b']' {
            self.at += 1;
            return Some(());
        }
        loop {
            each(self)?;
            self.space();
            match self.peek()? {
                b',' => self.at += 1,
                b']' => {
                    self.at += 1;
                    return Some(());
                }
                _ => return None,
            }
            self.space();
        }
    }

    /// Passes over a value, and tells where it lies.
    pub(crate) fn value(&mut self) -> Option<Range<usize>> {
        let start = self.at;
        // What the value is inside of: a bit for each level, the innermost the lowest, set for an object.
        let mut inside = 0_u128;
        let mut depth = 0;
        loop {
            match self.peek()? {
                b'"' => _ = self.string()?,
                open @ (b'{' | b'[') => {
                    self.at += 1;
                    self.space();
                    // In ASCII both closing characters come two behind the opening ones.
                    if self.peek()? == open + 2 {
                        self.at += 1;
                    } else if depth == DEEPEST {
                        return None;
                    } else {
                        depth += 1;
                        inside = inside << 1 | u128::from(open == b'{');
                        if open == b'{' {
                            self.string()?;
                            self.colon()?;
                        }
                        continue;
                    }
                }
                b't' => self.expect(b"true")?,
                b'f' => self.expect(b"false")?,
                b'n' => self.expect(b"null")?,
                _ => self.number()?,
            }
            // Behind a value: what it is inside of goes on or ends.
            loop {
                if depth == 0 {
                    return Some(start..self.at);
                }
                self.space();
                let is_object = inside & 1 == 1;
                match self.peek()? {
                    b',' => {
                        self.at += 1;
                        self.space();
                        if is_object {
                            self.string()?;
                            self.colon()?;
                        }
                        break;
                    }
                    b'}' if is_object => {}
                    b']' if !is_object => {}
                    _ => return None,
                }
                self.at += 1;
                depth -= 1;
                inside >>= 1;
            }
        }
    }

    /// Passes over a string; whether it has escapes.
    #[inline]
    fn string(&mut self) -> Option<bool> {
        self.take(b'"')?;
        self.rest_of_string()
    }

    /// Passes over what is left of a string, and its quotation mark; whether there are escapes.
    #[inline]
    pub(crate) fn rest_of_string(&mut self) -> Option<bool> {
        let bytes = self.text.as_bytes();
        let mut block = self.at - self.at % BLOCK;
        let mut blocks = self.stops.get(self.at / BLOCK..)?.iter();
        let mut stops = blocks.next()? & (u64::MAX << (self.at % BLOCK));
        let mut has_escapes = false;
        loop {
            while stops == 0 {
                block += BLOCK;
                stops = *blocks.next()?;
            }
            let at = block + stops.trailing_zeros() as usize;
            stops &= stops - 1;
            let (stop, escape) = match *bytes.get(at..)? {
                [stop, escape, ..] => (stop, escape),
                // A text that is a string and nothing else.
                [stop] => (stop, 0),
                [] => return None,
            };
            if stop == b'"' {
                self.at = at + 1;
                return Some(has_escapes);
            }
            has_escapes = true;
            let escape = ESCAPES[usize::from(escape)];
            if escape == STOP {
                // What is escaped is the next stop.
                while stops == 0 {
                    block += BLOCK;
                    stops = *blocks.next()?;
                }
                stops &= stops - 1;
            } else if escape != SHORT
                && !(escape == UNIT && bytes.get(at + 2..at + 6)?.iter().all(u8::is_ascii_hexdigit))
            {
                return None;
            }
        }
    }

    /// Passes over a string, and tells where it lies with its quotation marks.
    #[inline]
    pub(crate) fn quoted(&mut self) -> Option<Range<usize>> {
        let open = self.at;
        self.string()?;
        Some(open..self.at)
    }

    /// Where the name of a member lies.
    pub(crate) fn range_of(&self, name: &[u8]) -> Range<usize> {
        // Names are slices of the text.
        let start = name.as_ptr().addr() - self.text.as_ptr().addr();
        start..start + name.len()
    }

    /// Passes over a null, if there is one.
    #[inline]
    pub(crate) fn null(&mut self) -> bool {
        self.expect(b"null").is_some()
    }

    /// Passes over `true`, `false` or null, which is `None`.
    #[inline]
    pub(crate) fn bool(&mut self) -> Option<Option<bool>> {
        let (word, value): (&[u8], _) = match self.peek()? {
            b't' => (b"true", Some(true)),
            b'f' => (b"false", Some(false)),
            _ => (b"null", None),
        };
        self.expect(word)?;
        Some(value)
    }

    /// A number of few digits and nothing else, or null, which is `None`.
    #[inline]
    pub(crate) fn count(&mut self) -> Option<Option<u64>> {
        if self.null() {
            return Some(None);
        }
        let start = self.at;
        let mut count = 0_u64;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            // More digits than fit are refused below.
            count = count.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
            self.at += 1;
        }
        let digits = self.at - start;
        let is_whole = !matches!(self.peek(), Some(b'.' | b'e' | b'E'));
        let has_zeros = 1 < digits && self.text.as_bytes().get(start) == Some(&b'0');
        ((1..=Self::MOST_DIGITS).contains(&digits) && is_whole && !has_zeros).then_some(Some(count))
    }

    /// Passes over these bytes, if they stand here.
    #[inline]
    pub(crate) fn expect(&mut self, bytes: &[u8]) -> Option<()> {
        self.text.as_bytes().get(self.at..)?.starts_with(bytes).then(|| self.at += bytes.len())
    }

    /// Passes over a number, as far as it goes.
    pub(crate) fn number(&mut self) -> Option<()> {
        self.at = end_of_number(self.text.as_bytes(), self.at)?;
        Some(())
    }
}

/// Behind a backslash: a letter or a slash.
const SHORT: u8 = 1;
/// Behind a backslash: a quote or a backslash.
const STOP: u8 = 2;
/// Behind a backslash: the `u` in front of four digits.
const UNIT: u8 = 3;

/// What a byte is behind a backslash; 0 where it cannot stand there.
const ESCAPES: [u8; 256] = {
    let mut escapes = [0; 256];
    let (short, mut at) = (b"/bfnrt", 0);
    while at < short.len() {
        escapes[short[at] as usize] = SHORT;
        at += 1;
    }
    escapes[b'"' as usize] = STOP;
    escapes[b'\\' as usize] = STOP;
    escapes[b'u' as usize] = UNIT;
    escapes
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_character_is_found_wherever_it_stands() {
        let mut stops = Stops::default();
        for length in 0..200 {
            let mut bytes = vec![b' '; length];
            assert!(stops.of(&bytes).is_some());
            for at in 0..length {
                bytes[at] = 0x1F;
                assert!(stops.of(&bytes).is_none(), "{at} of {length}");
                bytes[at] = 0xFF;
            }
        }
    }

    #[test]
    fn a_string_ends_at_its_quote_wherever_that_stands() {
        let mut stops = Stops::default();
        for length in 0..200 {
            for escape in ["", "\\\"", "\\\\", "\\n", "\\u00e9", "é"] {
                for before in 0..3 {
                    let string = format!("\"{}{escape}{}\"", "x".repeat(length), "y".repeat(before));
                    let text = format!("{}{string}, \"\"", " ".repeat(before));
                    let mut cursor = Cursor::new(&text, &mut stops).unwrap();
                    cursor.space();
                    assert_eq!(cursor.quoted(), Some(before..before + string.len()));
                }
            }
        }
    }

    #[test]
    fn counts_are_few_digits() {
        let mut stops = Stops::default();
        for (text, count) in [
            ("0", Some(Some(0))),
            ("512,", Some(Some(512))),
            ("null", Some(None)),
            ("999999999999999999", Some(Some(999_999_999_999_999_999))),
            ("1000000000000000000", None),
            ("01", None),
            ("1.0", None),
            ("1e3", None),
            ("-1", None),
            ("", None),
            ("\"5\"", None),
        ] {
            assert_eq!(Cursor::new(text, &mut stops).unwrap().count(), count, "{text}");
        }
    }

    #[test]
    fn deep_nesting_is_left_to_the_parser() {
        let mut stops = Stops::default();
        let mut passes = |depth: usize| {
            let text = format!("{}{}", "[{\"a\":".repeat(depth / 2) + "1", "}]".repeat(depth / 2));
            Cursor::new(&text, &mut stops).unwrap().value().is_some()
        };
        assert!(passes(DEEPEST as usize));
        assert!(!passes(DEEPEST as usize + 2));
    }
}
