//! One pass over the records.

use std::io::Read;

use crate::error::{Error, ErrorKind, Position, Result};
use crate::key::{KeySpec, Keys};
use crate::table::{Record, Table, TableMemory};

/// Tells by its index which record was never sent.
pub(super) type Skip<'a> = dyn Fn(u64) -> bool + Sync + 'a;

/// A record with its key.
#[derive(Debug, Default)]
pub(super) struct Keyed {
    record: Record,
    key: String,
}

impl Keyed {
    pub(super) fn record(&self) -> &Record {
        &self.record
    }

    pub(super) fn key(&self) -> &str {
        &self.key
    }
}

/// A table, and the record of it that was read last.
pub(super) struct Pass<'p, R> {
    table: Table<R>,
    keys: Keys,
    last: Keyed,
    skip: Option<&'p Skip<'p>>,
}

impl<'p, R: Read> Pass<'p, R> {
    pub(super) fn new(table: Table<R>, key: &KeySpec, skip: Option<&'p Skip<'p>>) -> Result<Self> {
        let keys = Keys::new(key, table.columns(), table.name())?;
        Ok(Self { table, keys, last: Keyed::default(), skip })
    }

    /// Reads the next record; `false` at the end.
    pub(super) fn read(&mut self) -> Result<bool> {
        let mut last = std::mem::take(&mut self.last);
        let read = self.read_to(&mut last);
        self.last = last;
        read
    }

    /// Reads the next record to there, and not to where the others are.
    pub(super) fn read_to(&mut self, keyed: &mut Keyed) -> Result<bool> {
        if !self.table.read(&mut keyed.record)? {
            return Ok(false);
        }
        let key = self.keys.key(&keyed.record)?;
        key.clone_into(&mut keyed.key);
        Ok(true)
    }

    pub(super) fn table(&self) -> &Table<R> {
        &self.table
    }

    /// Leaves the values of all columns but these and the key's empty, where that spares copying them.
    pub(super) fn keep_only(&mut self, columns: &[usize]) {
        let kept: Vec<usize> = columns.iter().copied().chain(self.keys.column()).collect();
        self.table.keep_only(&kept);
    }

    /// Whether the next record can be read without reading from the file.
    pub(super) fn holds_next(&mut self) -> bool {
        self.table.holds_next()
    }

    /// Goes on reading in this memory, and gives out what it had before.
    pub(super) fn exchange(&mut self, memory: &mut TableMemory) {
        self.table.exchange(memory);
    }

    pub(super) fn record(&self) -> &Record {
        &self.last.record
    }

    pub(super) fn key(&self) -> &str {
        &self.last.key
    }

    pub(super) fn is_skipped(&self, record: &Record) -> bool {
        self.skip.is_some_and(|skip| skip(record.index()))
    }
}

/// The table of this name is not what it was in the pass before.
pub(super) fn changed(table: &str) -> Error {
    Error::new(ErrorKind::Setting, "the table was changed while it was read")
        .at(Position::file(table))
        .with_hint("run it again once nothing writes to the file")
}
