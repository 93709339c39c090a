//! The records of jobs and operations in the data directory.
//!
//! ```text
//! DATA/jobs/ID.json               a job
//! DATA/jobs/operations/ID.json    the operation of a deletion
//! ```
//! A record is written beside its place and renamed into it, so that a kill at any instant
//! leaves the record of before or of after.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::operations::Operation;
use super::record::{Record, VERSION};
use crate::{Error, ErrorKind};

/// Where records are kept; nowhere, for an emulator in memory.
#[derive(Debug)]
pub(super) struct Store(Option<PathBuf>);

impl Store {
    /// Makes the directories below `data` that are missing.
    pub(super) fn open(data: Option<&Path>) -> Result<Store, Error> {
        let Some(data) = data else {
            return Ok(Store(None));
        };
        let dir = data.join("jobs");
        fs::create_dir_all(dir.join("operations")).map_err(|error| unusable("make", &dir).with_source(error))?;
        Ok(Store(Some(dir)))
    }

    /// The jobs that are kept.
    pub(super) fn jobs(&self) -> Result<Vec<Record>, Error> {
        let Some(dir) = &self.0 else {
            return Ok(Vec::new());
        };
        let records: Vec<(PathBuf, Record)> = read(dir)?;
        for (path, record) in &records {
            if record.version != VERSION {
                return Err(unusable("read", path)
                    .with_hint("another version of the emulator wrote it; use its data with that version"));
            }
        }
        Ok(records.into_iter().map(|(_, record)| record).collect())
    }

    /// The operations that are kept.
    pub(super) fn operations(&self) -> Result<Vec<Operation>, Error> {
        let Some(dir) = &self.0 else {
            return Ok(Vec::new());
        };
        let operations = read(&dir.join("operations"))?;
        Ok(operations.into_iter().map(|(_, operation)| operation).collect())
    }

    /// Keeps a job as it is now.
    pub(super) fn save(&self, record: &Record) -> io::Result<()> {
        self.write("", record.id, record)
    }

    /// Keeps an operation.
    pub(super) fn save_operation(&self, operation: &Operation) -> io::Result<()> {
        self.write("operations", operation.id, operation)
    }

    /// Forgets a job.
    pub(super) fn remove(&self, id: u64) -> io::Result<()> {
        self.delete("", id)
    }

    /// Forgets an operation.
    pub(super) fn remove_operation(&self, id: u64) -> io::Result<()> {
        self.delete("operations", id)
    }

    fn write(&self, below: &str, id: u64, record: &impl Serialize) -> io::Result<()> {
        let Some(dir) = &self.0 else {
            return Ok(());
        };
        let dir = dir.join(below);
        let temporary = dir.join(format!("{id}.new"));
        fs::write(&temporary, serde_json::to_vec_pretty(record)?)?;
        fs::rename(&temporary, dir.join(format!("{id}.json")))
    }

    fn delete(&self, below: &str, id: u64) -> io::Result<()> {
        match &self.0 {
            Some(dir) => fs::remove_file(dir.join(below).join(format!("{id}.json"))),
            None => Ok(()),
        }
    }
}

/// All records of a directory, and what a kill left half-written swept away.
fn read<T: DeserializeOwned>(dir: &Path) -> Result<Vec<(PathBuf, T)>, Error> {
    let failed = |error: io::Error| unusable("read", dir).with_source(error);
    let mut records = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("json") => {
                let bytes = fs::read(&path).map_err(|error| unusable("read", &path).with_source(error))?;
                let record =
                    serde_json::from_slice(&bytes).map_err(|error| unusable("read", &path).with_source(error))?;
                records.push((path, record));
            }
            Some("new") => {
                fs::remove_file(&path).map_err(|error| unusable("remove", &path).with_source(error))?;
            }
            _ => {}
        }
    }
    Ok(records)
}

fn unusable(verb: &str, path: &Path) -> Error {
    Error::new(ErrorKind::Data, format!("failed to {verb} {}", path.display()))
}
