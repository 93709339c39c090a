//! BigQuery's files.
//!
//! ```text
//! DATA/bigquery/tmp/N              rows and records being written; swept at the start
//! DATA/bigquery/uploads/ID.…       unfinished resumable uploads
//! DATA/bigquery/datasets/ID.json   a dataset
//! DATA/bigquery/tables/ID.json     a table, with the list of its pieces
//! DATA/bigquery/rows/ID.rows       a piece: one line for each row
//! DATA/bigquery/jobs/ID.json       a job
//! ```
//! A table is what its record says: rows that no record names were never committed. The
//! record is replaced by renaming, so that a kill at any instant leaves the table of
//! before or of after, and with it the whole of what one job or insert has written.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::storage::{Versioned, read_record, remove};

/// The version of the records.
const VERSION: u32 = 1;

/// The kinds of records.
pub(super) const DATASETS: &str = "datasets";
pub(super) const TABLES: &str = "tables";
pub(super) const JOBS: &str = "jobs";

const ROWS: &str = "rows";

/// The directory of the store.
#[derive(Debug)]
pub(super) struct Disk {
    root: PathBuf,
    next_temporary: AtomicU64,
}

impl Disk {
    /// Makes what is missing, and sweeps what a kill left behind. The data directory is
    /// locked by then.
    pub(super) fn open(data: &Path) -> io::Result<Disk> {
        let root = data.join("bigquery");
        for dir in ["tmp", "uploads", DATASETS, TABLES, ROWS, JOBS] {
            fs::create_dir_all(root.join(dir))?;
        }
        for entry in fs::read_dir(root.join("tmp"))? {
            fs::remove_file(entry?.path())?;
        }
        Ok(Disk { root, next_temporary: AtomicU64::new(0) })
    }

    /// A path for a file that is being written.
    pub(super) fn temporary(&self) -> PathBuf {
        let n = self.next_temporary.fetch_add(1, Ordering::Relaxed);
        self.root.join("tmp").join(n.to_string())
    }

    /// The directory of unfinished uploads.
    pub(super) fn uploads(&self) -> PathBuf {
        self.root.join("uploads")
    }

    /// The file of a piece.
    pub(super) fn rows(&self, id: u64) -> PathBuf {
        self.root.join(ROWS).join(format!("{id}.rows"))
    }

    /// Keeps a record.
    pub(super) fn save<T: Serialize>(&self, kind: &str, id: u64, record: &T) -> io::Result<()> {
        self.write(&self.root.join(kind).join(format!("{id}.json")), record)
    }

    /// Writes a record under a temporary name and renames it.
    pub(super) fn write<T: Serialize>(&self, path: &Path, record: &T) -> io::Result<()> {
        let temporary = self.temporary();
        fs::write(&temporary, serde_json::to_vec(&Versioned { version: VERSION, record })?)?;
        fs::rename(&temporary, path)
    }

    /// Deletes a record.
    pub(super) fn delete(&self, kind: &str, id: u64) -> io::Result<()> {
        fs::remove_file(self.root.join(kind).join(format!("{id}.json")))
    }

    /// Reads all records of a kind.
    pub(super) fn load<T: DeserializeOwned>(&self, kind: &str) -> io::Result<Vec<T>> {
        let mut records = Vec::new();
        for entry in fs::read_dir(self.root.join(kind))? {
            records.push(read_record(&entry?.path())?);
        }
        Ok(records)
    }

    /// Deletes the pieces that no table has; returns the highest number of those there
    /// were.
    pub(super) fn sweep_rows(&self, used: impl Fn(u64) -> bool) -> io::Result<u64> {
        let mut last = 0;
        for entry in fs::read_dir(self.root.join(ROWS))? {
            let path = entry?.path();
            let Some(id) = path.file_stem().and_then(|id| id.to_str()).and_then(|id| id.parse().ok()) else {
                continue;
            };
            last = last.max(id);
            if !used(id) {
                remove(&path);
            }
        }
        Ok(last)
    }
}
