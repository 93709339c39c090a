//! Splitting delimiter-separated text into fields: RFC 4180, and nothing looser.
//!
//! Our own splitter, because the `csv` crate accepts without a word what must not get
//! into a paid request: a quote left open swallows the rest of the file into one field,
//! and text behind a closing quote is glued to it. In tests that crate is the oracle for
//! everything that is well formed.

use std::ops::Range;

use memchr::{memchr, memchr3};

/// Splits one record off the front of bytes that may end anywhere.
#[derive(Clone, Copy, Debug)]
pub(super) struct Splitter {
    delimiter: u8,
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

/// What breaks RFC 4180, and at which byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The quote that opens a field and is never closed.
    OpenQuote(usize),
    /// The first byte behind a closing quote that neither separates nor ends a line.
    AfterQuote(usize),
    /// A carriage return outside quotes, with no line feed behind it.
    LoneReturn(usize),
}

/// The fields of one record, unquoted.
#[derive(Debug, Default)]
pub(super) struct Fields {
    /// The pieces of the record that are the fields' text, one behind the other: what
    /// separates and quotes is left out. Not the text itself, so that it is copied once,
    /// when it is known to be UTF-8.
    pub(super) pieces: Vec<Range<usize>>,
    /// How much text the pieces have up to the end of each field.
    pub(super) ends: Vec<usize>,
    length: usize,
}

impl Fields {
    fn clear(&mut self) {
        self.pieces.clear();
        self.ends.clear();
        self.length = 0;
    }

    fn add(&mut self, piece: Range<usize>) {
        self.length += piece.len();
        self.pieces.push(piece);
    }

    fn end_field(&mut self) {
        self.ends.push(self.length);
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

    /// `last`: no byte comes after `data`.
    pub(super) fn split(self, data: &[u8], last: bool, fields: &mut Fields) -> Result<Split, Fault> {
        fields.clear();
        match data {
            [] if last => return Ok(Split::End),
            [b'\n', ..] => return Ok(Split::Blank(1)),
            [b'\r', b'\n', ..] => return Ok(Split::Blank(2)),
            [b'\r'] if last => return Ok(Split::Blank(1)),
            _ => {}
        }
        let mut at = 0;
        loop {
            let next = if data.get(at) == Some(&b'"') {
                self.quoted(data, last, at, fields)?
            } else {
                self.plain(data, last, at, fields)?
            };
            match next {
                Next::Field(start) => {
                    fields.end_field();
                    at = start;
                }
                Next::EndOfRecord(length) => {
                    fields.end_field();
                    return Ok(Split::Record(length));
                }
                Next::Partial => return Ok(Split::Partial),
            }
        }
    }

    /// A field without quotes around it; quotes inside it are text.
    fn plain(self, data: &[u8], last: bool, start: usize, fields: &mut Fields) -> Result<Next, Fault> {
        let rest = &data[start..];
        match memchr3(self.delimiter, b'\n', b'\r', rest) {
            Some(length) => {
                fields.add(start..start + length);
                match self.separator(data, last, start + length) {
                    Some(next) => Ok(next),
                    None => Err(Fault::LoneReturn(start + length)),
                }
            }
            None if last => {
                fields.add(start..data.len());
                Ok(Next::EndOfRecord(data.len()))
            }
            None => Ok(Next::Partial),
        }
    }

    /// A field in quotes, of which the first is at `open`.
    fn quoted(self, data: &[u8], last: bool, open: usize, fields: &mut Fields) -> Result<Next, Fault> {
        let mut from = open + 1;
        loop {
            let Some(length) = memchr(b'"', &data[from..]) else {
                return if last { Err(Fault::OpenQuote(open)) } else { Ok(Next::Partial) };
            };
            let quote = from + length;
            match data.get(quote + 1) {
                // Doubled: one quote of the text.
                Some(b'"') => {
                    fields.add(from..quote + 1);
                    from = quote + 2;
                }
                Some(_) => {
                    fields.add(from..quote);
                    return self.separator(data, last, quote + 1).ok_or(Fault::AfterQuote(quote + 1));
                }
                None if last => {
                    fields.add(from..quote);
                    return Ok(Next::EndOfRecord(data.len()));
                }
                None => return Ok(Next::Partial),
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn split(data: &str, last: bool) -> Result<(Split, Vec<String>), Fault> {
        let mut fields = Fields::default();
        let split = Splitter::new(b',').split(data.as_bytes(), last, &mut fields)?;
        let text: String = fields.pieces.into_iter().map(|piece| &data[piece]).collect();
        let mut start = 0;
        let mut values = Vec::new();
        for end in fields.ends {
            values.push(text[start..end].to_owned());
            start = end;
        }
        Ok((split, values))
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
}
