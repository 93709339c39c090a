//! Splitting delimiter-separated text into fields: RFC 4180, and nothing looser.
//!
//! Our own splitter, because the `csv` crate accepts without a word what must not get
//! into a paid request: a quote left open swallows the rest of the file into one field,
//! and text behind a closing quote is glued to it. In tests that crate is the oracle for
//! everything that is well formed.

use super::marks::Marks;
use super::record::{Field, Text};
use crate::block::{BLOCK, Block, Level, Simd, dispatch, last_block};

/// Splits one record off the front of bytes that may end anywhere.
#[derive(Clone, Copy, Debug)]
pub(super) struct Splitter {
    delimiter: u8,
}

/// Bytes of which the first were looked at before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Input<'a> {
    pub(super) bytes: &'a [u8],
    /// What stands where in all of the bytes.
    pub(super) marks: &'a Marks,
    /// Where the record begins.
    pub(super) start: usize,
    /// No byte comes after these.
    pub(super) last: bool,
}

/// What stands at the front of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Split {
    /// A record; with its line end it takes this many bytes.
    Record(usize),
    /// A line end alone, of this many bytes.
    Blank(usize),
    /// A record that is not all there yet.
    Partial,
    /// Nothing, and nothing follows.
    End,
}

/// What breaks RFC 4180, and at which byte of the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The quote that opens a field and is never closed.
    OpenQuote(usize),
    /// The first byte behind a closing quote that neither separates nor ends a line.
    AfterQuote(usize),
    /// A carriage return outside quotes, with no line feed behind it.
    LoneReturn(usize),
}

/// The fields of one record, where they stand: nothing is copied before it is known to be UTF-8.
#[derive(Debug, Default)]
pub(super) struct Fields {
    pub(super) fields: Vec<Field>,
    /// Where the last one ends, its closing quote included.
    pub(super) end: usize,
    /// Whether quotes stand around the fields that need them and around no others.
    pub(super) is_plain: bool,
    /// How much text the fields with doubled quotes have without them.
    undoubled: usize,
}

impl Fields {
    fn clear(&mut self) {
        self.fields.clear();
        self.end = 0;
        self.is_plain = true;
        self.undoubled = 0;
    }

    /// A field whose text stands at `start..end`, and which with its quotes ends at `close`.
    fn add(&mut self, start: usize, end: usize, close: usize) {
        self.fields.push(Field { start, end, text: Text::AsWritten });
        self.end = close;
    }

    /// The same where `pairs` of quotes stand for one.
    fn add_doubled(&mut self, start: usize, end: usize, pairs: usize) {
        let length = end - start - pairs;
        self.fields.push(Field { start, end, text: Text::Doubled { start: self.undoubled, length } });
        self.undoubled += length;
        self.end = end + 1;
    }
}

/// What follows a field.
enum Next {
    Field(usize),
    EndOfRecord(usize),
    Partial,
}

impl Splitter {
    pub(super) fn new(delimiter: u8) -> Self {
        Self { delimiter }
    }

    pub(super) fn delimiter(self) -> u8 {
        self.delimiter
    }

    /// Finds the fields of the record at the front; their places, and those of a fault, count from its
    /// beginning.
    pub(super) fn split(self, input: Input<'_>, fields: &mut Fields) -> Result<Split, Fault> {
        dispatch!(Level::new(), simd => self.split_by(simd, input, fields))
    }
}

// What is not inlined would be compiled without the instructions of the caller.
#[expect(clippy::inline_always, reason = "the instructions are those of the caller")]
impl Splitter {
    #[inline(always)]
    fn split_by<S: Simd>(self, simd: S, input: Input<'_>, fields: &mut Fields) -> Result<Split, Fault> {
        fields.clear();
        match input.record() {
            [] if input.last => return Ok(Split::End),
            [b'\n', ..] => return Ok(Split::Blank(1)),
            [b'\r', b'\n', ..] => return Ok(Split::Blank(2)),
            [b'\r'] if input.last => return Ok(Split::Blank(1)),
            _ => {}
        }
        let mut stops = Stops { simd, input, delimiter: self.delimiter, block: usize::MAX, found: 0 };
        let mut at = 0;
        loop {
            let next = match input.record().get(at) {
                Some(b'"') => self.quoted(&mut stops, at, fields)?,
                _ => self.plain(&mut stops, at, fields)?,
            };
            match next {
                Next::Field(start) => at = start,
                Next::EndOfRecord(length) => return Ok(Split::Record(length)),
                Next::Partial => return Ok(Split::Partial),
            }
        }
    }

    /// A field without quotes around it; quotes inside it are text.
    #[inline(always)]
    fn plain<S: Simd>(self, stops: &mut Stops<'_, S>, start: usize, fields: &mut Fields) -> Result<Next, Fault> {
        let input = stops.input;
        let data = input.record();
        let mut from = start;
        loop {
            let Some(end) = stops.first(from) else {
                if !input.last {
                    return Ok(Next::Partial);
                }
                fields.add(start, data.len(), data.len());
                return Ok(Next::EndOfRecord(data.len()));
            };
            match data[end] {
                byte if byte == self.delimiter || byte == b'\n' || byte == b'\r' => {
                    fields.add(start, end, end);
                    return self.separator(data, input.last, end).ok_or(Fault::LoneReturn(end));
                }
                byte => fields.is_plain &= byte != b'"',
            }
            from = end + 1;
        }
    }

    /// A field in quotes, of which the first is at `open`.
    #[inline(always)]
    fn quoted<S: Simd>(self, stops: &mut Stops<'_, S>, open: usize, fields: &mut Fields) -> Result<Next, Fault> {
        let input = stops.input;
        let data = input.record();
        let mut quotes = input.marks.quotes(input.start + open + 1);
        let mut pairs = 0;
        loop {
            let Some(quote) = quotes.next() else {
                return if input.last { Err(Fault::OpenQuote(open)) } else { Ok(Next::Partial) };
            };
            let quote = quote - input.start;
            let behind = data.get(quote + 1);
            // Doubled: one quote of the text.
            if behind == Some(&b'"') {
                pairs += 1;
                quotes.next();
                continue;
            }
            if pairs == 0 {
                fields.is_plain &= self.needs_quotes(stops, open + 1, quote);
                fields.add(open + 1, quote, quote + 1);
            } else {
                fields.add_doubled(open + 1, quote, pairs);
            }
            return match behind {
                Some(_) => self.separator(data, input.last, quote + 1).ok_or(Fault::AfterQuote(quote + 1)),
                None if input.last => Ok(Next::EndOfRecord(data.len())),
                None => Ok(Next::Partial),
            };
        }
    }

    /// Whether text without quotes needs quotes around it.
    #[inline(always)]
    fn needs_quotes<S: Simd>(self, stops: &mut Stops<'_, S>, mut from: usize, end: usize) -> bool {
        let data = stops.input.record();
        while let Some(stop) = stops.first(from).filter(|stop| *stop < end) {
            if data[stop] == self.delimiter || matches!(data[stop], b'\n' | b'\r') {
                return true;
            }
            from = stop + 1;
        }
        false
    }

    /// What the byte at `at`, which is there, says about the field before it; `None` when
    /// it neither separates nor ends a line.
    fn separator(self, data: &[u8], last: bool, at: usize) -> Option<Next> {
        match data[at] {
            byte if byte == self.delimiter => Some(Next::Field(at + 1)),
            b'\n' => Some(Next::EndOfRecord(at + 1)),
            b'\r' => match data.get(at + 1) {
                Some(b'\n') => Some(Next::EndOfRecord(at + 2)),
                Some(_) => None,
                // A line end that was cut in two.
                None if last => Some(Next::EndOfRecord(at + 1)),
                None => Some(Next::Partial),
            },
            _ => None,
        }
    }
}

impl<'a> Input<'a> {
    /// What begins with the record.
    fn record(&self) -> &'a [u8] {
        &self.bytes[self.start..]
    }
}

/// Where a field may end that no quotes stand around: looked for a block at a time, and in long texts in
/// quotes not at all.
struct Stops<'a, S> {
    simd: S,
    input: Input<'a>,
    delimiter: u8,
    /// The block that was looked at last.
    block: usize,
    found: u64,
}

#[expect(clippy::inline_always, reason = "the instructions are those of the caller")]
impl<S: Simd> Stops<'_, S> {
    /// The first byte of the record at `from` or behind it that is a delimiter, a line feed, a carriage return
    /// or a quote, or another that needs an escape in JSON.
    #[inline(always)]
    fn first(&mut self, from: usize) -> Option<usize> {
        let start = self.input.start;
        let mut block = (start + from) / BLOCK;
        let mut mask = !0 << ((start + from) % BLOCK);
        loop {
            if block != self.block {
                (self.block, self.found) = (block, self.look(block)?);
            }
            let found = self.found & mask;
            if found != 0 {
                return Some(block * BLOCK + found.trailing_zeros() as usize - start);
            }
            mask = !0;
            block += 1;
        }
    }

    #[inline(always)]
    fn look(&self, block: usize) -> Option<u64> {
        let bytes = self.input.bytes.get(block * BLOCK..).filter(|bytes| !bytes.is_empty())?;
        // What is not there is found nowhere.
        let (block, mask) = match bytes.first_chunk() {
            Some(whole) => (*whole, !0),
            None => (last_block(bytes, b'.'), (1 << bytes.len()) - 1),
        };
        let block = Block::load(self.simd, &block);
        Some((block.json_escapes() | block.equal(self.delimiter)) & mask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(data: &str, last: bool) -> Result<(Split, Vec<String>), Fault> {
        let (split, fields) = split_behind("", data, last)?;
        let values = fields.fields.iter().map(|field| {
            let text = &data[field.start..field.end];
            match field.text {
                Text::AsWritten => text.to_owned(),
                Text::Doubled { length, .. } => {
                    let text = text.replace("\"\"", "\"");
                    assert_eq!(text.len(), length);
                    text
                }
            }
        });
        Ok((split, values.collect()))
    }

    fn split_behind(before: &str, data: &str, last: bool) -> Result<(Split, Fields), Fault> {
        let mut fields = Fields::default();
        let mut marks = Marks::default();
        let bytes = [before, data].concat().into_bytes();
        marks.look(&bytes);
        let input = Input { bytes: &bytes, marks: &marks, start: before.len(), last };
        let split = Splitter::new(b',').split(input, &mut fields)?;
        Ok((split, fields))
    }

    fn record(data: &str) -> Vec<String> {
        let (split, values) = split(data, true).unwrap();
        assert_eq!(split, Split::Record(data.len()));
        values
    }

    #[test]
    fn takes_quotes_off_and_keeps_what_they_hold() {
        assert_eq!(record("a,\"b \"\"c\"\",\r\nd\",\n"), ["a", "b \"c\",\r\nd", ""]);
        assert_eq!(record("\"\"\n"), [""]);
        assert_eq!(record("\"\""), [""]);
        assert_eq!(record("a,\"\"\"\"\r\n"), ["a", "\""]);
    }

    #[test]
    fn a_quote_inside_a_plain_field_is_text() {
        assert_eq!(record("5\" pipe,say \"hi\"\n"), ["5\" pipe", "say \"hi\""]);
    }

    #[test]
    fn a_last_line_needs_no_end() {
        assert_eq!(record("a,b"), ["a", "b"]);
        assert_eq!(record("a,"), ["a", ""]);
        assert_eq!(record("a,b\r"), ["a", "b"]);
    }

    #[test]
    fn whatever_is_cut_is_asked_for_again() {
        let whole = "ab,\"c\"\"d\",\"\"\r\n";
        for cut in 0..whole.len() {
            assert_eq!(split(&whole[..cut], false).unwrap().0, Split::Partial, "{cut}");
        }
        assert_eq!(split(whole, false).unwrap().0, Split::Record(whole.len()));
    }

    #[test]
    fn faults_say_which_byte() {
        assert_eq!(split("a,\"b\nc,d\n", true), Err(Fault::OpenQuote(2)));
        assert_eq!(split("a,\"b\" c\n", true), Err(Fault::AfterQuote(5)));
        assert_eq!(split("a,\"b\"\rc\n", true), Err(Fault::AfterQuote(5)));
        assert_eq!(split("a\rb\n", true), Err(Fault::LoneReturn(1)));
    }

    /// Wherever a record begins: what stands before it in the same block is none of it.
    #[test]
    fn what_stands_before_is_of_no_account() {
        let data = "ab,\"c\"\"d\",\"e\nf\"\r\n\"";
        let (_, expected) = split_behind("", data, true).unwrap();
        for length in [1, 2, 50, 60, 63, 64, 65, 130] {
            let (split, fields) = split_behind(&"\"".repeat(length), data, true).unwrap();
            assert_eq!((split, fields.fields), (Split::Record(data.len() - 1), expected.fields.clone()));
        }
    }

    #[test]
    fn knows_where_quotes_are_needed() {
        for (data, is_plain) in [
            ("a,b", true),
            ("a,\"b\"", false),
            ("a,\"b,\"", true),
            ("a,\"b\n\"", true),
            ("\"\r\",b", true),
            ("\"\t\\\u{1}\",b", false),
            ("\"\t\\\u{1},\",b", true),
            ("a,\"b\"\"\"", true),
            ("a,b\"", false),
            ("\"\",b", false),
            ("a\tb\\,", true),
        ] {
            assert_eq!(split_behind("\"", data, true).unwrap().1.is_plain, is_plain, "{data:?}");
        }
    }
}
