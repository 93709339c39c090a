//! What is wrong with a table, with the place at the front of the buffer or behind it.

use std::io::Read;

use memchr::memchr_iter;

use super::columns::BadName;
use super::csv::Fault;
use super::{Table, TableFormat};
use crate::error::{Error, ErrorKind, Position};

impl<R: Read> Table<R> {
    /// The place `at` bytes behind the front of the buffer.
    pub(super) fn here(&self, at: usize) -> Position {
        let data = self.buffer.data();
        let before = &data[..at.min(data.len())];
        Position::file(&self.name)
            .line(self.line + memchr_iter(b'\n', before).count() as u64)
            .byte(self.buffer.offset() + at as u64)
    }

    pub(super) fn empty_table(&self) -> Error {
        let message = match self.blank_lines {
            0 => "the file is empty",
            _ => "the file has nothing but blank lines",
        };
        Error::new(ErrorKind::EmptyTable, message)
            .at(Position::file(&self.name))
            .with_hint("a table needs a header, or a first object, that names its columns")
    }

    pub(super) fn bad_name(&self, bad: &BadName) -> Error {
        let position = self.here(0);
        match bad {
            BadName::Empty { position: place } => {
                let hint = match self.format {
                    TableFormat::Csv { .. } => "every column needs a name; a delimiter too many makes a column more",
                    TableFormat::Jsonl => "the keys of the first object are the table's columns, and each needs a name",
                };
                Error::new(ErrorKind::Header, format!("the name of column {} is empty", place + 1))
                    .at(position)
                    .with_hint(hint)
            }
            BadName::Duplicate { name, first, second } => {
                Error::new(ErrorKind::Header, format!("columns {} and {} have the same name", first + 1, second + 1))
                    .at(position.column(name))
                    .with_hint("rename one of them: templates and results address columns by name")
            }
        }
    }

    pub(super) fn ragged(&self, found: usize) -> Error {
        let expected = self.columns.len();
        let fields = if found == 1 { "field" } else { "fields" };
        let error =
            Error::new(ErrorKind::Ragged, format!("{found} {fields} where the header has {expected}")).at(self.here(0));
        match self.format.other_delimiter(&self.columns) {
            Some(hint) => error.with_hint(hint),
            None => error.with_hint("put text that holds the delimiter, a quote or a line end in double quotes"),
        }
    }

    pub(super) fn malformed(&self, fault: Fault) -> Error {
        match fault {
            Fault::OpenQuote(at) => Error::new(ErrorKind::Quote, "the quote that opens here is never closed")
                .at(self.here(at))
                .with_hint("close it, or double it if it is part of the text"),
            Fault::AfterQuote(at) => Error::new(ErrorKind::Quote, "text behind a closing quote")
                .at(self.here(at))
                .with_hint("a quote inside a quoted field is written twice"),
            Fault::LoneReturn(at) => {
                Error::new(ErrorKind::LineEnd, "a carriage return that no line feed follows, outside quotes")
                    .at(self.here(at))
                    .with_hint("end lines with LF or CR LF; put text that holds a carriage return in double quotes")
            }
        }
    }

    pub(super) fn not_utf8(&self, at: usize) -> Error {
        let byte = self.buffer.data().get(at).copied().unwrap_or_default();
        Error::new(ErrorKind::Encoding, format!("not UTF-8 (byte 0x{byte:02X})"))
            .at(self.here(at))
            .with_hint("convert the file to UTF-8, for example: iconv -f CP932 -t UTF-8")
    }

    pub(super) fn unexpected_key(&self, name: &str) -> Error {
        Error::new(ErrorKind::UnknownColumn, "a key that the first object does not have")
            .at(self.here(0).column(name))
            .with_hint("the keys of the first object are the table's columns; give it this one too, perhaps as null")
    }
}
