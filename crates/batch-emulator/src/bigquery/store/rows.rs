//! Rows: given to a table at once, streamed, and read.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value};

use super::super::disk::{Disk, TABLES};
use super::super::error::{duplicate, failed};
use super::super::record::{PieceRecord, TableName, TableRecord};
use super::super::rows::{Piece, RowWriter, Written, WrittenBody};
use super::super::schema::{Field, Schema};
use super::{Body, Store};
use crate::envelope::ApiError;
use crate::storage::{Temporary, remove};

/// A piece of streamed rows is appended to until it has so many bytes.
const STREAMED: u64 = 1 << 20;

/// What rows do to a table that has some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disposition {
    /// They follow.
    Append,
    /// They take their place.
    Truncate,
    /// They are refused.
    Empty,
    /// They are refused even where there is a table without rows, unless it is the work of
    /// the same job.
    New,
}

/// Rows for a table, and what the table is to be.
#[derive(Debug)]
pub(in crate::bigquery) struct Commit {
    pub(in crate::bigquery) schema: Schema,
    pub(in crate::bigquery) rows: Written,
    pub(in crate::bigquery) disposition: Disposition,
    /// Whether the table is made where there is none, and with which settings.
    pub(in crate::bigquery) create: Option<Map<String, Value>>,
    /// The number of the job that does it.
    pub(in crate::bigquery) job: Option<u64>,
}

impl Store {
    /// Begins to write rows; no table has them before [`Store::commit`].
    pub(in crate::bigquery) fn writer(&self) -> io::Result<RowWriter> {
        RowWriter::new(self.disk().map(Disk::temporary))
    }

    /// Gives rows to a table, all of them or none.
    pub(in crate::bigquery) fn commit(&self, name: &TableName, commit: Commit) -> Result<TableRecord, ApiError> {
        let now = self.now();
        let mut state = self.state();
        self.sweep(&mut state, &name.project, &name.dataset, now);
        let Commit { schema, rows, disposition, create, job } = commit;
        let mut made = false;
        match (state.table_mut(name), create) {
            (Ok(_), _) => {}
            (Err(_), Some(settings)) => {
                self.insert_table(&mut state, name, schema.clone(), settings, now)?;
                made = true;
            }
            (Err(error), None) => return Err(error),
        }
        let id = state.next_id();
        let table = state.table_mut(name)?;
        if disposition == Disposition::Empty && table.record.rows() > 0 {
            return Err(duplicate(format_args!("Table {name}")));
        }
        // Rows are cells by place: they were made for these columns, or for the first of them.
        let fits = |(old, new): (&Field, &Field)| old.name == new.name && old.kind == new.kind;
        if matches!(disposition, Disposition::Append | Disposition::Empty)
            && !(schema.0.len() >= table.record.schema.0.len() && table.record.schema.0.iter().zip(&schema.0).all(fits))
        {
            return Err(changed_meanwhile(name));
        }
        if disposition == Disposition::New
            && !(table.record.pieces.is_empty() && made)
            && !job.is_some_and(|job| table.record.is_of_job(job))
        {
            return Err(duplicate(format_args!("Table {name}")));
        }
        let mut record = table.record.clone();
        let replaces = matches!(disposition, Disposition::Truncate | Disposition::New);
        let replaced = if replaces { std::mem::take(&mut record.pieces) } else { Vec::new() };
        record.schema = schema;
        record.modified = now;
        record.version += 1;
        let piece = PieceRecord { id, rows: rows.rows, bytes: rows.bytes, job, streamed: false };
        // A piece without rows stays as well: it tells that the job has been.
        record.pieces.push(piece);
        let body = Body { index: rows.index, bytes: self.keep(rows.body, id).map_err(|error| failed(&error))? };
        self.save(TABLES, record.id, &record).inspect_err(|_| {
            if let Some(disk) = self.disk() {
                remove(&disk.rows(id));
            }
        })?;
        table.record = record.clone();
        table.bodies.insert(id, body);
        for piece in replaced {
            table.bodies.remove(&piece.id);
            if let Some(disk) = self.disk() {
                remove(&disk.rows(piece.id));
            }
        }
        Ok(record)
    }

    /// Appends streamed rows: to the last piece where that was streamed and is short.
    pub(in crate::bigquery) fn stream(
        &self,
        name: &TableName,
        schema: &Schema,
        rows: &[u8],
        count: u64,
    ) -> Result<(), ApiError> {
        let now = self.now();
        let mut state = self.state();
        let id = state.next_id();
        let table = state.table_mut(name)?;
        if table.record.schema != *schema {
            return Err(changed_meanwhile(name));
        }
        let mut record = table.record.clone();
        let last = record.pieces.last_mut().filter(|piece| piece.streamed && piece.bytes < STREAMED);
        let (id, offset) = match last {
            Some(piece) => {
                let offset = piece.bytes;
                piece.bytes += rows.len() as u64;
                piece.rows += count;
                (piece.id, offset)
            }
            None => {
                let bytes = rows.len() as u64;
                record.pieces.push(PieceRecord { id, rows: count, bytes, job: None, streamed: true });
                (id, 0)
            }
        };
        let bytes = match self.disk() {
            Some(disk) => {
                append(&disk.rows(id), offset, rows).map_err(|error| failed(&error))?;
                None
            }
            None => {
                let before = table.bodies.get(&id).and_then(|body| body.bytes.clone()).unwrap_or_default();
                Some([&*before, rows].concat().into())
            }
        };
        record.modified = now;
        self.save(TABLES, record.id, &record)?;
        table.record = record;
        table.bodies.insert(id, Body { bytes, index: Arc::default() });
        Ok(())
    }

    /// Opens a table from the `start`-th row on, as it is now: the pieces with the number
    /// of the first row of each, `most` of them at most.
    pub(crate) fn read(
        &self,
        name: &TableName,
        start: u64,
        most: usize,
    ) -> Result<(TableRecord, Vec<(u64, Piece)>), ApiError> {
        let now = self.now();
        let mut state = self.state();
        self.sweep(&mut state, &name.project, &name.dataset, now);
        let table = state.table_mut(name)?;
        let mut pieces = Vec::new();
        let mut first = 0;
        for record in &table.record.pieces {
            let end = first + record.rows;
            if end > start && record.rows > 0 {
                if pieces.len() == most {
                    break;
                }
                let Body { bytes, index } =
                    table.bodies.get(&record.id).cloned().unwrap_or(Body { bytes: None, index: Arc::default() });
                let piece = match (bytes, self.disk()) {
                    (None, Some(disk)) => {
                        // Opened under the lock, so that no deletion comes between.
                        let file = File::open(disk.rows(record.id)).map_err(|error| failed(&error))?;
                        Piece::in_file(file, record.rows, record.bytes, index)
                    }
                    (bytes, _) => Piece::in_memory(bytes.unwrap_or_default(), record.rows, index),
                };
                pieces.push((first, piece));
            }
            first = end;
        }
        Ok((table.record.clone(), pieces))
    }

    /// Moves rows to where they belong; gives them back where that is in memory.
    fn keep(&self, body: WrittenBody, id: u64) -> io::Result<Option<Bytes>> {
        match (body, self.disk()) {
            (WrittenBody::Memory(bytes), None) => Ok(Some(bytes)),
            (WrittenBody::Memory(bytes), Some(disk)) => {
                let path = disk.temporary();
                std::fs::write(&path, bytes)?;
                Temporary::new(path).rename(&disk.rows(id))?;
                Ok(None)
            }
            (WrittenBody::File(file), Some(disk)) => {
                file.rename(&disk.rows(id))?;
                Ok(None)
            }
            (WrittenBody::File(file), None) => {
                let mut bytes = Vec::new();
                io::Read::read_to_end(&mut file.open()?, &mut bytes)?;
                Ok(Some(bytes.into()))
            }
        }
    }
}

fn changed_meanwhile(name: &TableName) -> ApiError {
    ApiError::bigquery(
        http::StatusCode::SERVICE_UNAVAILABLE,
        "backendError",
        format!("Table {name} changed meanwhile. Please try again."),
    )
}

/// Writes at a place in a file, and cuts off what was there and never counted.
fn append(path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
    file.set_len(offset)?;
    file.seek(SeekFrom::Start(offset))?;
    file.write_all(bytes)
}
