//! One row of a table, in memory that is used again for the next.

use std::string::FromUtf8Error;
use std::sync::OnceLock;

use super::csv::Fields;
use super::marks::Marks;
use crate::block::BLOCK;
use crate::escape::{push_escaped, push_escaped_part};
use crate::page::Page;

/// One row of a [`Table`](crate::Table).
///
/// Made empty once and filled by [`Table::read`](crate::Table::read), which reuses its
/// memory. It has exactly one value for each column.
#[derive(Clone, Debug, Default)]
pub struct Record {
    pub(super) index: u64,
    pub(super) line: u64,
    pub(super) byte: u64,
    /// The values, one after the other; of a CSV table the record as it is written, without its line end.
    text: String,
    /// How much of `text` stands before the record: it stands as it stood in the blocks of the input, so
    /// that what was found in those holds for it too.
    padding: usize,
    /// Where the record ends in `text`.
    end: usize,
    /// Where each value stands in `text`.
    fields: Vec<Field>,
    /// Which bytes of `text` need an escape in JSON; nothing where that is not known.
    escapes: Vec<u64>,
    /// The delimiter of a record that is written as the `csv` crate would write it.
    delimiter: Option<u8>,
    /// The values with doubled quotes, without them: made when one is asked for.
    undoubled: OnceLock<String>,
    /// Empty for a table whose values are all text.
    types: Vec<ValueType>,
}

/// Where a value stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) text: Text,
}

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Text {
    /// Letter for letter.
    AsWritten,
    /// With two quotes for each; without them it stands at `start` among the others of this kind.
    Doubled { start: usize, length: usize },
}

/// What a value was in the table, before it became text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ValueType {
    /// A JSON string, and every field of a CSV or TSV table.
    #[default]
    Text,
    /// A JSON number; its text is the source's, digit for digit.
    Number,
    /// `true` or `false`.
    Bool,
    /// A JSON `null`, or a key that this line lacks; its text is empty.
    Null,
    /// An array or object; its text is the source without the white space between
    /// tokens.
    Json,
}

impl Record {
    /// A record with no values, to be read into.
    pub fn new() -> Self {
        Self::default()
    }

    /// Its place in input order, from 0.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The physical line on which it begins, from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// The offset in bytes from the beginning of the file at which it begins.
    pub fn byte(&self) -> u64 {
        self.byte
    }

    /// How many values it has: as many as the table has columns.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether it has none, as before the first read.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The value in the column at this position, verbatim.
    ///
    /// # Panics
    /// If the table has no column there, as a slice does.
    pub fn get(&self, column: usize) -> &str {
        let field = self.fields[column];
        match field.text {
            Text::AsWritten => &self.text[field.start..field.end],
            Text::Doubled { start, length } => &self.undoubled.get_or_init(|| self.undouble())[start..start + length],
        }
    }

    /// How long the value in the column at this position is in bytes.
    ///
    /// # Panics
    /// Like [`get`](Self::get).
    pub fn value_len(&self, column: usize) -> usize {
        let field = self.fields[column];
        match field.text {
            Text::AsWritten => field.end - field.start,
            Text::Doubled { length, .. } => length,
        }
    }

    /// The same value as [`get`](Self::get), in the pieces in which it stands in the table: several where
    /// the table has quotes doubled, and none for an empty value. For who copies it anyway, and spares putting it together first.
    ///
    /// # Panics
    /// Like [`get`](Self::get).
    pub fn pieces(&self, column: usize) -> impl Iterator<Item = &str> {
        let field = self.fields[column];
        let text = &self.text[field.start..field.end];
        Pieces { rest: text, doubled: matches!(field.text, Text::Doubled { .. }) }
    }

    /// What the value was before it became text.
    pub fn value_type(&self, column: usize) -> ValueType {
        self.types.get(column).copied().unwrap_or_default()
    }

    /// What the values were, in the columns' order.
    pub(crate) fn iter_types(&self) -> impl Iterator<Item = ValueType> {
        (0..self.fields.len()).map(|column| self.value_type(column))
    }

    /// The values in the columns' order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        (0..self.fields.len()).map(|column| self.get(column))
    }

    /// Appends the value in the column at this position as the inside of a JSON string.
    ///
    /// # Panics
    /// Like [`get`](Self::get).
    pub(crate) fn push_escaped(&self, column: usize, out: &mut Page) {
        let field = self.fields[column];
        if self.escapes.is_empty() {
            return push_escaped(self.get(column), out);
        }
        let doubled = matches!(field.text, Text::Doubled { .. });
        push_escaped_part(&self.text, &self.escapes, field.start..field.end, doubled, out);
    }

    /// About how many bytes it takes in the table.
    pub(crate) fn size(&self) -> usize {
        self.end - self.padding
    }

    /// About how many bytes it keeps for the next one.
    pub(crate) fn memory(&self) -> usize {
        self.text.capacity()
    }

    /// The record as it is written, where this is how the `csv` crate writes it with this delimiter: quotes
    /// around the fields that need them and around no others. Without its line end.
    pub(crate) fn as_csv(&self, delimiter: u8) -> Option<&str> {
        (self.delimiter == Some(delimiter)).then(|| &self.text[self.padding..self.end])
    }

    /// All values that are written with doubled quotes, without them.
    fn undouble(&self) -> String {
        let doubled = |field: &Field| matches!(field.text, Text::Doubled { .. });
        let lengths = self.fields.iter().map(|field| match field.text {
            Text::Doubled { length, .. } => length,
            Text::AsWritten => 0,
        });
        let mut out = String::with_capacity(lengths.sum());
        for field in self.fields.iter().filter(|field| doubled(field)) {
            Pieces { rest: &self.text[field.start..field.end], doubled: true }.for_each(|piece| out.push_str(piece));
        }
        out
    }
}

/// A value without one of each two quotes.
struct Pieces<'a> {
    rest: &'a str,
    doubled: bool,
}

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        if self.rest.is_empty() {
            return None;
        }
        let quote = if self.doubled { memchr::memchr(b'"', self.rest.as_bytes()) } else { None };
        // There is no quote in it that is not followed by another.
        let (piece, rest) = match quote {
            Some(quote) => (&self.rest[..=quote], self.rest.get(quote + 2..).unwrap_or_default()),
            None => (self.rest, ""),
        };
        self.rest = rest;
        Some(piece)
    }
}

/// How it is filled.
impl Record {
    /// Leaves no values in it, and all memory.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        (self.padding, self.end) = (0, 0);
        self.fields.clear();
        self.escapes.clear();
        self.delimiter = None;
        self.undoubled.take();
        self.types.clear();
    }

    /// Takes the fields of a CSV table whose text this is, and which begins at `start` of what was looked at.
    pub(super) fn set_fields(&mut self, text: &str, start: usize, fields: &Fields, marks: &Marks, delimiter: u8) {
        self.clear();
        self.delimiter = fields.is_plain.then_some(delimiter);
        let escapes = marks.escapes(start, start + text.len());
        if escapes.is_empty() {
            self.text.push_str(text);
            self.end = text.len();
            self.fields.extend_from_slice(&fields.fields);
            return;
        }
        let padding = start % BLOCK;
        // At once, so that what comes last does not double the room of a large record.
        self.text.reserve(padding + text.len() + SPACES.len());
        self.text.push_str(&SPACES[..padding]);
        self.text.push_str(text);
        // Who escapes a part of it may look that much further.
        self.text.push_str(SPACES);
        self.padding = padding;
        self.end = padding + text.len();
        let fields_of = fields.fields.iter();
        self.fields.extend(fields_of.map(|field| Field {
            start: padding + field.start,
            end: padding + field.end,
            ..*field
        }));
        self.escapes.extend_from_slice(escapes);
    }

    /// Takes some of the fields of a CSV table whose text this is; the others are empty.
    pub(super) fn set_some_fields(&mut self, text: &str, fields: &Fields, kept: &[bool]) {
        self.clear();
        let mut undoubled = 0;
        for (field, kept) in fields.fields.iter().zip(kept) {
            let start = self.text.len();
            let mut kind = Text::AsWritten;
            if *kept {
                self.text.push_str(&text[field.start..field.end]);
                if let Text::Doubled { length, .. } = field.text {
                    kind = Text::Doubled { start: undoubled, length };
                    undoubled += length;
                }
            }
            self.fields.push(Field { start, end: self.text.len(), text: kind });
        }
        self.end = self.text.len();
    }

    /// Gives out its memory, for [`set_values`](Self::set_values) to bring back.
    pub(super) fn take_values(&mut self) -> Values {
        self.clear();
        Values {
            text: std::mem::take(&mut self.text).into_bytes(),
            fields: std::mem::take(&mut self.fields),
            types: std::mem::take(&mut self.types),
        }
    }

    /// Takes values that are the text between their ends.
    ///
    /// # Errors
    /// They are not UTF-8.
    pub(super) fn set_values(&mut self, values: Values) -> Result<(), FromUtf8Error> {
        self.text = String::from_utf8(values.text)?;
        self.end = self.text.len();
        self.fields = values.fields;
        self.types = values.types;
        Ok(())
    }
}

/// The values of a record that is being put together.
#[derive(Debug, Default)]
pub(super) struct Values {
    /// Their text, one behind the other.
    pub(super) text: Vec<u8>,
    fields: Vec<Field>,
    types: Vec<ValueType>,
}

impl Values {
    /// What was added to the text since the last one is a value.
    pub(super) fn end_value(&mut self, value_type: ValueType) {
        let start = self.fields.last().map_or(0, |before| before.end);
        self.fields.push(Field { start, end: self.text.len(), text: Text::AsWritten });
        self.types.push(value_type);
    }
}

/// As many as stand behind a record; before it stand fewer.
const SPACES: &str = match str::from_utf8(&[b' '; 2 * BLOCK]) {
    Ok(spaces) => spaces,
    Err(_) => "",
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::table::{Table, TableFormat};

    fn written(fields: &[&str], delimiter: u8, style: csv::QuoteStyle) -> String {
        let mut writer = csv::WriterBuilder::new().delimiter(delimiter).quote_style(style).from_writer(Vec::new());
        writer.write_record(fields).unwrap();
        String::from_utf8(writer.into_inner().unwrap()).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        /// However it is written; and whatever is escaped of it is what is read of it.
        #[test]
        fn is_known_to_be_written_as_by_the_csv_crate(
            body in "(a|b|,|;|\t|\"|\"\"|\"a\"|\"\n\"|\r\n|\u{1}|é){0,24}\n",
            delimiter in proptest::sample::select(b",;\t".to_vec()),
            always: bool,
            without_escapes: bool,
        ) {
            let header = ["x", "y"].join(char::from(delimiter).encode_utf8(&mut [0; 4]));
            let style = if always { csv::QuoteStyle::Always } else { csv::QuoteStyle::Necessary };
            for text in [format!("{header}\n{body}"), format!("{header}\n{}", written(&["k", &body], delimiter, style))] {
                let mut table = Table::new(text.as_bytes(), "t.csv", TableFormat::Csv { delimiter }).unwrap();
                if without_escapes {
                    table.leave_out_escapes();
                }
                let mut record = Record::new();
                while let Ok(true) = table.read(&mut record) {
                    let fields: Vec<&str> = record.iter().collect();
                    let theirs = written(&fields, delimiter, csv::QuoteStyle::Necessary);
                    let theirs = theirs.strip_suffix('\n').unwrap();
                    let start = usize::try_from(record.byte()).unwrap();
                    // Not those of a longer record that begins alike.
                    let is_as_theirs = text[start..].strip_prefix(theirs).is_some_and(|rest| rest.starts_with(['\n', '\r']));
                    prop_assert_eq!(record.as_csv(delimiter), is_as_theirs.then_some(theirs));
                    prop_assert_eq!(record.as_csv(b'|'), None);
                    for (column, field) in fields.iter().enumerate() {
                        let (mut ours, mut plain) = (Page::default(), Page::default());
                        record.push_escaped(column, &mut ours);
                        push_escaped(field, &mut plain);
                        prop_assert_eq!(ours.bytes(), plain.bytes());
                        prop_assert_eq!(record.pieces(column).collect::<String>(), *field);
                        prop_assert_eq!(record.value_len(column), field.len());
                    }
                }
            }
        }
    }
}
