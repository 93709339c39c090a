//! One pass over the records.

use std::io::Read;

use super::columns::ResultColumns;
use super::index::EntryId;
use super::matches::State;
use super::predictions::Predictions;
use super::row::{Found, JoinedRow};
use crate::error::{Error, ErrorKind, Position, Result};
use crate::key::{KeySpec, Keys};
use crate::outcome::Outcome;
use crate::table::{Record, Table};

/// Tells by its index which record was never sent.
pub(super) type Skip<'a> = dyn Fn(u64) -> bool + 'a;

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

    pub(super) fn record(&self) -> &Record {
        &self.last.record
    }

    pub(super) fn key(&self) -> &str {
        &self.last.key
    }

    pub(super) fn is_skipped(&self, record: &Record) -> bool {
        self.skip.is_some_and(|skip| skip(record.index()))
    }

    /// Hands out the row of a record that was read.
    pub(super) fn join(
        &self,
        keyed: &Keyed,
        state: State,
        entry: EntryId,
        predictions: &mut Predictions,
        layout: &ResultColumns,
        row: impl FnOnce(&JoinedRow<'_>) -> Result<()>,
    ) -> Result<()> {
        let (columns, record, key) = (self.table.columns(), keyed.record(), keyed.key());
        let missing = JoinedRow {
            columns,
            layout,
            record,
            key,
            outcome: Outcome::Missing,
            reading: None,
            detail: "",
            found: None,
        };
        match state {
            State::Found(way) => predictions.with_reading(entry, |reading, file, byte| {
                row(&JoinedRow {
                    outcome: reading.outcome,
                    reading: Some(reading),
                    detail: &reading.detail(),
                    found: Some(Found { way, file, byte }),
                    columns,
                    layout,
                    record,
                    key,
                })
            })?,
            State::Open => row(&JoinedRow { detail: &format!("no prediction has the key {key:?}"), ..missing }),
            State::Ambiguous => {
                let detail = "the predictions with this key, which came back retyped, may be another record's";
                row(&JoinedRow { detail, ..missing })
            }
            State::Skipped => row(&JoinedRow { outcome: Outcome::Skipped, detail: "not sent", ..missing }),
        }
    }

    /// The table is not what it was in the pass before.
    pub(super) fn changed(&self) -> Error {
        Error::new(ErrorKind::Setting, "the table was changed while it was read")
            .at(Position::file(self.table.name()))
            .with_hint("run it again once nothing writes to the file")
    }
}
