//! The key that travels with a request so that its prediction finds its record again.

mod set;

use crate::error::{Error, ErrorKind, Position, Result};
use crate::suggest;
use crate::table::{Columns, Record};
use set::KeySet;

/// Where the keys of a table's records come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum KeySpec {
    /// `r` and the record's index: `r0`, `r1`, … With a letter in front, because the
    /// service's import turns a string of digits into a number (seen in the field; its
    /// documentation says nothing about it).
    #[default]
    Index,
    /// The value in the column of this name, verbatim; every record needs one of its own.
    Column(String),
}

/// Gives the records of one table their keys, and sees to it that they differ.
///
/// Keys from a column are remembered by a hash, in no more than 16 bytes a record. The
/// hash has 73 bits: that two different keys of a million are taken for one has a
/// probability of 10⁻¹⁰. Keys made of the index need no memory.
#[derive(Debug)]
pub struct Keys {
    column: Option<KeyColumn>,
    file: String,
    buffer: String,
}

#[derive(Debug)]
struct KeyColumn {
    position: usize,
    name: String,
    seen: KeySet,
}

impl Keys {
    /// `file` is what errors call the table.
    ///
    /// # Errors
    /// [`ErrorKind::UnknownColumn`] if the table has no such column.
    pub fn new(spec: &KeySpec, columns: &Columns, file: &str) -> Result<Self> {
        let column = match spec {
            KeySpec::Index => None,
            KeySpec::Column(name) => {
                let position = columns
                    .position(name)
                    .ok_or_else(|| suggest::unknown_column(name, "for the key", columns).in_file(file))?;
                Some(KeyColumn { position, name: name.clone(), seen: KeySet::default() })
            }
        };
        Ok(Self { column, file: file.to_owned(), buffer: String::new() })
    }

    /// Where keys come from, for whoever needs the key of a record again.
    pub(crate) fn source(&self) -> KeySource {
        KeySource { column: self.column.as_ref().map(|column| column.position) }
    }

    /// The column that the keys stand in, if there is one.
    pub(crate) fn column(&self) -> Option<usize> {
        self.source().column
    }

    /// The key of a record, to be asked for once for each record of the table.
    ///
    /// # Errors
    /// [`ErrorKind::EmptyKey`], and [`ErrorKind::DuplicateKey`] with both lines.
    pub fn key<'a>(&'a mut self, record: &'a Record) -> Result<&'a str> {
        let Some(column) = &mut self.column else {
            return Ok(self.source().of(record, &mut self.buffer));
        };
        let key = record.get(column.position);
        let place = || Position::file(&self.file).line(record.line()).column(&column.name);
        if key.is_empty() {
            return Err(Error::new(ErrorKind::EmptyKey, "the key is empty")
                .at(place())
                .with_hint("fill it in, or leave the key column out to have r0, r1, … as keys"));
        }
        if let Some(first) = column.seen.insert(key, record.line()) {
            let message = match first {
                Some(line) => format!("the key {key:?} stood in line {line} before"),
                None => format!("the key {key:?} stood in an earlier line before"),
            };
            return Err(Error::new(ErrorKind::DuplicateKey, message)
                .at(place())
                .with_hint("a prediction finds its record by the key alone, so no two may be equal"));
        }
        Ok(key)
    }
}

/// Tells the key of a record that was told from the others before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeySource {
    column: Option<usize>,
}

impl KeySource {
    /// `buffer` is for a key that stands nowhere.
    pub(crate) fn of<'a>(self, record: &'a Record, buffer: &'a mut String) -> &'a str {
        if let Some(column) = self.column {
            return record.get(column);
        }
        buffer.clear();
        buffer.push('r');
        buffer.push_str(itoa::Buffer::new().format(record.index()));
        buffer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Table, TableFormat};

    #[test]
    fn index_keys_need_no_column() {
        let mut table = Table::new("a\nx\nx\n".as_bytes(), "t.csv", TableFormat::CSV).unwrap();
        let mut keys = Keys::new(&KeySpec::Index, table.columns(), "t.csv").unwrap();
        let mut record = Record::new();
        let mut seen = Vec::new();
        while table.read(&mut record).unwrap() {
            seen.push(keys.key(&record).unwrap().to_owned());
        }
        assert_eq!(seen, ["r0", "r1"]);
    }
}
