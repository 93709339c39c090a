//! Tables: named columns, and records that are read one at a time.

mod buffer;
mod columns;
mod csv;
mod faults;
mod format;
mod jsonl;
mod marks;
mod record;

use std::io::Read;

use memchr::memchr;

pub use columns::Columns;
pub use format::TableFormat;
pub(crate) use jsonl::push_value;
pub use record::{Record, ValueType};

use crate::error::{Error, ErrorKind, Position, Result};
use crate::json::Members;
use buffer::Buffer;
use csv::{Fields, Input, Split, Splitter};
use marks::Marks;

/// The most that one record may take. Nobody means a cell of this size; a quote left open
/// in a file of many gigabytes must not end in all of it being held in memory.
const LONGEST_RECORD: usize = 256 * 1024 * 1024;

/// More is not moved from one memory to another.
const MOVED: usize = 32 * 1024;
/// Memory for more is not kept for the next turn.
const LARGE: usize = 1024 * 1024;

/// A table that is read record by record, in memory that does not grow with it.
///
/// CSV and TSV are RFC 4180: the first line names the columns; quotes may hold delimiters,
/// line ends and doubled quotes; lines end in LF or CR LF, the last one perhaps in
/// nothing. A JSONL table has one object a line, and the keys of the first are the
/// columns: a later line may lack some (the value is empty then, see
/// [`ValueType::Null`]) and may have no others. A byte order mark is taken off, blank
/// lines are passed over and [counted](Self::blank_lines), and every value stands in the
/// record exactly as in the file: nothing is trimmed, retyped or unescaped beyond the
/// format's own quoting.
///
/// ```
/// use batch_io::{Record, Table, TableFormat};
///
/// let csv = "id,本文\n7,\"一行目\n二行目\"\n";
/// let mut table = Table::new(csv.as_bytes(), "news.csv", TableFormat::CSV)?;
/// assert_eq!(table.columns().position("本文"), Some(1));
///
/// let mut record = Record::new();
/// while table.read(&mut record)? {
///     assert_eq!((record.index(), record.line()), (0, 2));
///     assert_eq!(record.get(1), "一行目\n二行目");
/// }
/// # Ok::<(), batch_io::Error>(())
/// ```
#[derive(Debug)]
pub struct Table<R> {
    name: String,
    format: TableFormat,
    buffer: Buffer<R>,
    /// What stands where in the buffer, of a CSV table.
    marks: Marks,
    fields: Fields,
    columns: Columns,
    /// Which columns of a CSV table have a value in the records; all of them where there is nothing.
    kept: Vec<bool>,
    /// The physical line at the front of the buffer.
    line: u64,
    /// How many records were read.
    records: u64,
    blank_lines: u64,
    longest_record: usize,
    /// The length of the record at the front, where `fields` holds what it was split into.
    split: Option<usize>,
}

/// Memory to read a table in, for each of the threads that do so in turn: a core need not wait for what another has
/// in its cache only to write over it.
#[derive(Debug, Default)]
pub(crate) struct TableMemory {
    bytes: Vec<u8>,
    marks: Marks,
}

impl<R: Read> Table<R> {
    /// Opens a table and reads its columns. `name` is what errors call the file.
    ///
    /// # Errors
    /// [`ErrorKind::EmptyTable`] where there is no first line, [`ErrorKind::Header`] for a
    /// name that is empty or stands twice, and whatever [`read`](Self::read) can find
    /// wrong with a line.
    pub fn new(reader: R, name: &str, format: TableFormat) -> Result<Self> {
        Self::with_limit(reader, name, format, LONGEST_RECORD)
    }

    fn with_limit(reader: R, name: &str, format: TableFormat, longest_record: usize) -> Result<Self> {
        format.check()?;
        let mut table = Self {
            name: name.to_owned(),
            format,
            buffer: Buffer::new(reader),
            marks: Marks::default(),
            fields: Fields::default(),
            columns: Columns::default(),
            kept: Vec::new(),
            line: 1,
            records: 0,
            blank_lines: 0,
            longest_record,
            split: None,
        };
        table.skip_byte_order_mark()?;
        match format {
            TableFormat::Csv { delimiter } => table.read_header(Splitter::new(delimiter))?,
            TableFormat::Jsonl => table.read_first_keys()?,
        }
        Ok(table)
    }

    /// The columns, in order.
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// Does not find out in advance what of the records needs an escape in JSON, for who writes none.
    pub(crate) fn leave_out_escapes(&mut self) {
        self.marks.leave_out_escapes();
    }

    /// Leaves the values of all other columns of a CSV table empty in the records to come, for who does not ask for
    /// them: they are judged as before, and not copied.
    pub(crate) fn keep_only(&mut self, columns: &[usize]) {
        self.kept = (0..self.columns.len()).map(|column| columns.contains(&column)).collect();
    }

    /// What errors call the file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many records were read so far.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// How many lines with nothing in them were passed over so far.
    pub fn blank_lines(&self) -> u64 {
        self.blank_lines
    }

    /// Reads the next record; `false` at the end. The record is empty then, as it is after
    /// an error.
    ///
    /// # Errors
    /// [`ErrorKind::Ragged`], [`ErrorKind::Encoding`], [`ErrorKind::Quote`],
    /// [`ErrorKind::LineEnd`], [`ErrorKind::Json`], [`ErrorKind::UnknownColumn`],
    /// [`ErrorKind::TooLong`] and [`ErrorKind::Io`], each with its place. The table is of
    /// no more use then: what follows the fault cannot be told apart from it.
    pub fn read(&mut self, record: &mut Record) -> Result<bool> {
        match self.format {
            TableFormat::Csv { delimiter } => self.read_fields(Splitter::new(delimiter), record),
            TableFormat::Jsonl => self.read_object(record),
        }
    }

    /// Whether the next record can be read without reading from the file, as far as is known: of a JSONL table the next line
    /// may be blank, or no record.
    pub(crate) fn holds_next(&mut self) -> bool {
        match self.format {
            TableFormat::Csv { delimiter } => self.split_held(Splitter::new(delimiter)),
            TableFormat::Jsonl => memchr(b'\n', self.buffer.data()).is_some(),
        }
    }

    /// Goes on in this memory with what is held, and gives out its own. Called with the same once more, it goes back
    /// to that. Where much is held it stays where it is: to copy it would cost more than is gained.
    pub(crate) fn exchange(&mut self, memory: &mut TableMemory) {
        if MOVED < self.buffer.data().len() {
            return;
        }
        self.buffer.exchange(&mut memory.bytes);
        if let TableFormat::Csv { .. } = self.format {
            self.marks.exchange(&mut memory.marks);
            self.marks.look(self.buffer.bytes().0);
        }
        if LARGE < memory.bytes.len() {
            // It was needed for a record that was large, which the next is not.
            *memory = TableMemory::default();
        }
    }

    fn skip_byte_order_mark(&mut self) -> Result<()> {
        while self.buffer.data().len() < 3 && !self.buffer.at_eof() {
            self.fill()?;
        }
        match self.buffer.data() {
            [0xEF, 0xBB, 0xBF, ..] => self.buffer.consume(3),
            [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => {
                return Err(Error::new(ErrorKind::Encoding, "the text is UTF-16, not UTF-8")
                    .at(self.here(0))
                    .with_hint("save or export the file as UTF-8"));
            }
            _ => {}
        }
        Ok(())
    }

    fn read_header(&mut self, splitter: Splitter) -> Result<()> {
        let Some(length) = self.split(splitter)? else {
            return Err(self.empty_table());
        };
        let mut names = Record::new();
        self.put_fields(splitter, length, &mut names)?;
        let names = names.iter().map(str::to_owned).collect();
        self.columns = Columns::new(names).map_err(|bad| self.bad_name(&bad))?;
        self.advance(length);
        Ok(())
    }

    /// Leaves the line where it is: it is the first record too.
    fn read_first_keys(&mut self) -> Result<()> {
        let Some(length) = self.next_line()? else {
            return Err(self.empty_table());
        };
        let names = match self.members(length)?.0 {
            members if members.is_empty() => {
                return Err(Error::new(ErrorKind::Header, "the first object has no keys")
                    .at(self.here(0))
                    .with_hint("the keys of the first object are the table's columns"));
            }
            members => members.into_iter().map(|(name, _)| name.into_owned()).collect(),
        };
        self.columns = Columns::new(names).map_err(|bad| self.bad_name(&bad))?;
        Ok(())
    }

    fn read_fields(&mut self, splitter: Splitter, record: &mut Record) -> Result<bool> {
        record.clear();
        let Some(length) = self.split(splitter)? else {
            return Ok(false);
        };
        let found = self.fields.fields.len();
        if found != self.columns.len() {
            return Err(self.ragged(found));
        }
        self.put_fields(splitter, length, record)?;
        self.number(record);
        self.advance(length);
        Ok(true)
    }

    fn read_object(&mut self, record: &mut Record) -> Result<bool> {
        let mut put = record.take_values();
        let Some(length) = self.next_line()? else {
            return Ok(false);
        };
        let members = self.members(length)?;
        // The order of the first line is what nearly every line has.
        let mut values: Vec<Option<&serde_json::value::RawValue>> = vec![None; self.columns.len()];
        for (place, (name, value)) in members.0.iter().enumerate() {
            let position = match self.columns.name(place) {
                Some(column) if column == name => place,
                _ => self.columns.position(name).ok_or_else(|| self.unexpected_key(name))?,
            };
            if values[position].replace(value).is_some() {
                return Err(Error::new(ErrorKind::Json, "the key stands twice in one object")
                    .at(self.here(0).column(name.as_ref())));
            }
        }
        for (position, value) in values.iter().enumerate() {
            let value_type = match value {
                None => ValueType::Null,
                Some(value) => jsonl::push_value(value, &mut put.text).map_err(|error| {
                    let column = self.columns.name(position).unwrap_or_default();
                    Error::new(ErrorKind::Json, "the string is not text")
                        .at(self.here(0).column(column))
                        .caused_by_json(&error)
                })?,
            };
            put.end_value(value_type);
        }
        record
            .set_values(put)
            .map_err(|error| Error::new(ErrorKind::Encoding, "not UTF-8").at(self.here(0)).caused_by(error))?;
        self.number(record);
        self.advance(length);
        Ok(true)
    }

    /// Splits the record at the front, if it is held as a whole and nothing is wrong with it, for the next call of
    /// [`split`](Self::split).
    fn split_held(&mut self, splitter: Splitter) -> bool {
        if self.split.is_none() {
            let (bytes, start) = self.buffer.bytes();
            let input = Input { bytes, marks: &self.marks, start, last: self.buffer.at_eof() };
            if let Ok(Split::Record(length)) = splitter.split(input, &mut self.fields) {
                self.split = Some(length);
            }
        }
        self.split.is_some()
    }

    /// The length of the record at the front, split into `self.fields`.
    fn split(&mut self, splitter: Splitter) -> Result<Option<usize>> {
        if let Some(length) = self.split.take() {
            return Ok(Some(length));
        }
        loop {
            let (bytes, start) = self.buffer.bytes();
            let input = Input { bytes, marks: &self.marks, start, last: self.buffer.at_eof() };
            match splitter.split(input, &mut self.fields) {
                Ok(Split::Record(length)) => return Ok(Some(length)),
                Ok(Split::Blank(length)) => self.skip_blank(length),
                Ok(Split::End) => return Ok(None),
                Ok(Split::Partial) => self.fill()?,
                Err(fault) => return Err(self.malformed(fault)),
            }
        }
    }

    /// The length of the line at the front that is not blank, with its line end.
    fn next_line(&mut self) -> Result<Option<usize>> {
        loop {
            let data = self.buffer.data();
            let length = match memchr(b'\n', data) {
                Some(end) => end + 1,
                None if !self.buffer.at_eof() => {
                    self.fill()?;
                    continue;
                }
                None if data.is_empty() => return Ok(None),
                None => data.len(),
            };
            if data[..length].iter().all(u8::is_ascii_whitespace) {
                self.skip_blank(length);
            } else {
                return Ok(Some(length));
            }
        }
    }

    fn members(&self, length: usize) -> Result<Members<'_>> {
        let line = self.buffer.data()[..length].trim_ascii_end();
        let line = std::str::from_utf8(line).map_err(|error| self.not_utf8(error.valid_up_to()))?;
        Members::parse(line).map_err(|error| {
            // The line is one line to the parser too, so its column is a byte of it.
            let at = error.column().saturating_sub(1).min(line.len().saturating_sub(1));
            let message = if error.is_data() { "the line is not a JSON object" } else { "the line is not JSON" };
            Error::new(ErrorKind::Json, message)
                .at(self.here(at))
                .with_hint("a JSONL table has one whole object on each line")
                .caused_by_json(&error)
        })
    }

    /// Puts the fields that were split off into a record.
    fn put_fields(&self, splitter: Splitter, length: usize, record: &mut Record) -> Result<()> {
        let raw = &self.buffer.data()[..length];
        let Ok(text) = simdutf8::basic::from_utf8(raw) else {
            return Err(self.not_utf8(std::str::from_utf8(raw).err().map_or(0, |error| error.valid_up_to())));
        };
        if self.kept.is_empty() {
            let start = self.buffer.bytes().1;
            record.set_fields(&text[..self.fields.end], start, &self.fields, &self.marks, splitter.delimiter());
        } else {
            record.set_some_fields(text, &self.fields, &self.kept);
        }
        Ok(())
    }

    fn number(&mut self, record: &mut Record) {
        record.index = self.records;
        record.line = self.line;
        record.byte = self.buffer.offset();
        self.records += 1;
    }

    fn skip_blank(&mut self, length: usize) {
        self.blank_lines += 1;
        self.advance(length);
    }

    fn advance(&mut self, length: usize) {
        let start = self.buffer.bytes().1;
        self.line += match self.format {
            TableFormat::Csv { .. } => self.marks.line_feeds(start, start + length),
            // A line is one line.
            TableFormat::Jsonl => u64::from(self.buffer.data()[..length].ends_with(b"\n")),
        };
        self.buffer.consume(length);
    }

    fn fill(&mut self) -> Result<()> {
        if self.longest_record < self.buffer.data().len() {
            return Err(Error::new(ErrorKind::TooLong, format!("a record of more than {} bytes", self.longest_record))
                .at(self.here(0))
                .with_hint("look for a quote that is opened here and not closed, or a missing line end"));
        }
        self.buffer.fill().map_err(|error| Error::io("reading failed", error).at(Position::file(&self.name)))?;
        if let TableFormat::Csv { .. } = self.format {
            self.marks.look(self.buffer.bytes().0);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::page::Page;

    /// A reader that gives a few bytes at a time.
    struct Trickle<'a>(&'a [u8], usize);

    impl Read for Trickle<'_> {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            let count = self.1.min(into.len());
            self.0.read(&mut into[..count])
        }
    }

    fn all(
        mut table: Table<Trickle<'_>>,
        mut between: impl FnMut(&mut Table<Trickle<'_>>),
    ) -> (Vec<String>, Option<String>) {
        let (mut records, mut record, mut escaped) = (Vec::new(), Record::new(), Page::default());
        loop {
            between(&mut table);
            match table.read(&mut record) {
                Ok(true) => {
                    escaped.clear();
                    (0..record.len()).for_each(|column| record.push_escaped(column, &mut escaped));
                    let values: Vec<&str> = record.iter().collect();
                    let place = (record.index(), record.line(), record.byte());
                    records.push(format!("{place:?} {values:?} {}", String::from_utf8_lossy(escaped.bytes())));
                }
                Ok(false) => return (records, None),
                Err(error) => return (records, Some(error.to_string())),
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        /// Whoever comes when, with whatever is left in the memory.
        #[test]
        fn in_whichever_memory_it_is_read_the_records_are_the_same(
            body in "(a|,|\"|\"x\"|\"\n\"\"\"|\r\n|\n|\n\n|é|\u{1}|long text of some length){0,60}",
            jsonl: bool,
            trickle in 1_usize..90,
            large in proptest::option::weighted(0.1, 1_usize..3_000_000),
            readers in proptest::collection::vec(0_usize..5, 1..9),
        ) {
            let (text, format) = match jsonl {
                true => (format!("{{\"x\":1}}\n{}", body.replace(',', "{\"x\":\"y\"}\n")), TableFormat::Jsonl),
                false => (format!("x,y\n{body}"), TableFormat::CSV),
            };
            // Perhaps with a record for which the memory grows, and rows behind it that are held with it.
            let (text, trickle) = match large {
                Some(large) => (text.replacen("long text", &"x".repeat(large), 1), trickle * 10_000),
                None => (text, trickle),
            };
            let open = || Table::new(Trickle(text.as_bytes(), trickle), "t", format).unwrap();
            let mut memories = [const { None }; 3];
            let mut readers = readers.iter().cycle();
            let mut here = None;
            let read = all(open(), |table| {
                let reader = *readers.next().unwrap();
                if let Some(before) = here.take() {
                    let held = table.holds_next();
                    let memory: &mut Option<TableMemory> = &mut memories[before];
                    table.exchange(memory.as_mut().unwrap());
                    assert_eq!(table.split.is_some(), held && !jsonl);
                }
                // Others read on where nobody entered.
                if reader < memories.len() {
                    table.exchange(memories[reader].get_or_insert_default());
                    here = Some(reader);
                }
            });
            prop_assert_eq!(read, all(open(), |_| {}));
        }
    }

    proptest! {
        /// What is wrong is wrong in any column.
        #[test]
        fn the_values_that_are_kept_are_those_of_all(
            body in "(a|,|\"|\"x\"|\"\n\"\"\"|\"\"\"|\r\n|\n|é|long text of some length){0,60}",
            broken in proptest::option::weighted(0.2, any::<prop::sample::Index>()),
            kept in proptest::sample::subsequence(vec![0, 1, 2], 0..=3),
            trickle in 1_usize..90,
        ) {
            let mut text = format!("x,y,z\n{body}").into_bytes();
            if let Some(at) = broken {
                let at = at.index(text.len());
                text[at] = 0xFF;
            }
            let open = || Table::new(Trickle(&text, trickle), "t", TableFormat::CSV);
            if let (Ok(mut whole), Ok(mut some)) = (open(), open()) {
                some.keep_only(&kept);
                let (mut one, mut other) = (Record::new(), Record::new());
                loop {
                    let read = whole.read(&mut one).map_err(|error| error.to_string());
                    prop_assert_eq!(some.read(&mut other).map_err(|error| error.to_string()), read.clone());
                    if read != Ok(true) {
                        break;
                    }
                    prop_assert_eq!((one.index(), one.line(), one.byte()), (other.index(), other.line(), other.byte()));
                    prop_assert_eq!(other.as_csv(b','), None);
                    for (column, value) in one.iter().enumerate() {
                        let expected = if kept.contains(&column) { value } else { "" };
                        prop_assert_eq!(other.get(column), expected);
                        prop_assert_eq!(other.value_len(column), expected.len());
                        prop_assert_eq!(other.pieces(column).collect::<String>(), expected);
                        let mut escaped = Page::default();
                        let mut plain = Page::default();
                        other.push_escaped(column, &mut escaped);
                        crate::escape::push_escaped(expected, &mut plain);
                        prop_assert_eq!(escaped.bytes(), plain.bytes());
                    }
                }
            }
        }
    }

    /// With the real limit the test would take as much memory as the limit allows.
    #[test]
    fn a_record_without_an_end_does_not_fill_the_memory() {
        let limit = 1 << 20;
        for (text, format) in [("a,b\n1,\"", TableFormat::CSV), ("{\"a\":\"", TableFormat::Jsonl)] {
            let endless = text.as_bytes().chain(std::io::repeat(b'x'));
            let error = Table::with_limit(endless, "t.csv", format, limit)
                .and_then(|mut table| table.read(&mut Record::new()))
                .unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TooLong);
            let line = if format == TableFormat::CSV { 2 } else { 1 };
            assert_eq!(error.position().line, Some(line));
        }
        let long = format!("a\n{}\n", "x".repeat(limit));
        let mut table = Table::with_limit(long.as_bytes(), "t.csv", TableFormat::CSV, limit).unwrap();
        let mut record = Record::new();
        assert!(table.read(&mut record).unwrap());
        assert_eq!(record.get(0).len(), limit);
    }
}
