//! The files of predictions.

use std::io::{self, Write};

use super::table::TablePredictions;
use crate::storage::{Attributes, ObjectWriter, Objects, Preconditions, StoreError};

/// How many files a split output has.
const SHARDS: u64 = 3;

/// Where the lines of a job go. Nothing is to be seen before [`Predictions::commit`].
#[derive(Debug)]
pub(super) enum Predictions {
    /// Files in a directory.
    Files(FilePredictions),
    /// A table.
    Table(TablePredictions),
}

impl Predictions {
    /// Adds the lines of so many rows.
    pub(super) fn write(&mut self, bytes: Vec<u8>, rows: u64) -> io::Result<()> {
        match self {
            Predictions::Files(files) => files.write(bytes, rows),
            Predictions::Table(table) => table.write(&bytes),
        }
    }

    /// Makes them visible; with `cut`, the last line ends in its middle, or the last row
    /// of a table is missing.
    pub(super) fn commit(self, cut: bool) -> Result<(), String> {
        match self {
            Predictions::Files(files) => files.commit(cut).map_err(|error| error.to_string()),
            Predictions::Table(table) => table.commit(cut),
        }
    }
}

/// Writes the lines of a job into the objects of its output directory. Nothing is to be
/// seen before [`FilePredictions::commit`].
#[derive(Debug)]
pub(super) struct FilePredictions {
    objects: Objects,
    bucket: String,
    /// The directory with its slash at the end.
    directory: String,
    shards: u64,
    rows: u64,
    written: u64,
    writers: Vec<ObjectWriter>,
    /// The last lines, held back in case the last one is to be cut.
    pending: Vec<u8>,
}

impl FilePredictions {
    /// Begins the files of a job with so many rows.
    pub(super) fn begin(
        objects: &Objects,
        bucket: &str,
        directory: &str,
        split: bool,
        rows: u64,
    ) -> Result<FilePredictions, StoreError> {
        let mut predictions = FilePredictions {
            objects: objects.clone(),
            bucket: bucket.to_owned(),
            directory: directory.to_owned(),
            shards: if split { SHARDS } else { 1 },
            rows: rows.max(1),
            written: 0,
            writers: Vec::new(),
            pending: Vec::new(),
        };
        predictions.next_writer()?;
        Ok(predictions)
    }

    /// Adds the lines of so many rows.
    pub(super) fn write(&mut self, bytes: Vec<u8>, rows: u64) -> io::Result<()> {
        let shard = self.written.saturating_mul(self.shards) / self.rows;
        self.flush()?;
        while (self.writers.len() as u64) <= shard.min(self.shards - 1) {
            self.next_writer().map_err(io::Error::other)?;
        }
        self.pending = bytes;
        self.written += rows;
        Ok(())
    }

    /// Makes the files visible; with `cut`, the last line ends in its middle.
    pub(super) fn commit(mut self, cut: bool) -> Result<(), StoreError> {
        if cut {
            let line = self.pending.strip_suffix(b"\n").unwrap_or(&self.pending);
            let start = line.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            let middle = start + (line.len() - start) / 2;
            self.pending.truncate(middle);
        }
        self.flush()?;
        while (self.writers.len() as u64) < self.shards {
            self.next_writer()?;
        }
        for writer in self.writers {
            // The service says nothing better of its files.
            let attributes = Attributes::of_type("application/octet-stream");
            writer.commit(attributes, Preconditions::default())?;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        let pending = std::mem::take(&mut self.pending);
        match self.writers.last_mut() {
            Some(writer) => writer.write_all(&pending),
            None => Ok(()),
        }
    }

    fn next_writer(&mut self) -> Result<(), StoreError> {
        let (number, shards) = (self.writers.len(), self.shards);
        let name = match shards {
            1 => format!("{}predictions.jsonl", self.directory),
            _ => format!("{}predictions.jsonl-{number:05}-of-{shards:05}", self.directory),
        };
        let writer = self.objects.writer(&self.bucket, &name)?;
        self.writers.push(writer);
        Ok(())
    }
}
