//! The datasets and tables themselves, in memory or on disk.

mod datasets;
mod rows;
mod tables;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::Bytes;

use super::disk::{DATASETS, Disk, JOBS, TABLES};
use super::error::{failed, not_found};
use super::job::JobRecord;
use super::record::{DatasetRecord, PieceRecord, TableName, TableRecord};
use crate::Clock;
use crate::clock::timestamp;
use crate::envelope::ApiError;
use crate::storage::Objects;

pub(crate) use datasets::location_name;
pub(super) use rows::Commit;
pub(crate) use rows::Disposition;

/// All datasets, tables and jobs of BigQuery. Clones share them.
///
/// Every call may touch the disk: from async code, call it on a blocking thread.
#[derive(Clone)]
pub(crate) struct Store(Arc<Inner>);

struct Inner {
    clock: Arc<dyn Clock>,
    disk: Option<Disk>,
    state: Mutex<State>,
    /// Holds the lock of the data directory.
    _objects: Objects,
}

#[derive(Default)]
pub(in crate::bigquery) struct State {
    datasets: BTreeMap<(String, String), Dataset>,
    pub(in crate::bigquery) jobs: BTreeMap<(String, String, String), JobRecord>,
    last: u64,
}

struct Dataset {
    record: DatasetRecord,
    tables: BTreeMap<String, Table>,
}

struct Table {
    record: TableRecord,
    /// By the numbers of the pieces.
    bodies: BTreeMap<u64, Body>,
}

/// What of a piece is in memory.
#[derive(Clone)]
struct Body {
    /// The rows, or none where they are on disk.
    bytes: Option<Bytes>,
    index: Arc<OnceLock<Vec<u64>>>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("disk", &self.0.disk).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the store under the data directory, or an empty one in memory.
    pub(in crate::bigquery) fn open(data: Option<&Path>, clock: Arc<dyn Clock>, objects: Objects) -> io::Result<Store> {
        let disk = data.map(Disk::open).transpose()?;
        let mut state = State::default();
        if let Some(disk) = &disk {
            state.load(disk)?;
        }
        Ok(Store(Arc::new(Inner { clock, disk, state: Mutex::new(state), _objects: objects })))
    }

    /// The files of the store, where it has any.
    pub(in crate::bigquery) fn disk(&self) -> Option<&Disk> {
        self.0.disk.as_ref()
    }

    /// The time in microseconds since 1970.
    pub(in crate::bigquery) fn now(&self) -> i64 {
        timestamp(&*self.0.clock).as_microsecond()
    }

    pub(in crate::bigquery) fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a record, where records are kept.
    pub(in crate::bigquery) fn save<T: serde::Serialize>(
        &self,
        kind: &str,
        id: u64,
        record: &T,
    ) -> Result<(), ApiError> {
        match self.disk() {
            Some(disk) => disk.save(kind, id, record).map_err(|error| failed(&error)),
            None => Ok(()),
        }
    }
}

impl State {
    fn load(&mut self, disk: &Disk) -> io::Result<()> {
        let mut by_id = BTreeMap::new();
        for record in disk.load::<DatasetRecord>(DATASETS)? {
            self.last = self.last.max(record.id);
            by_id.insert((record.project.clone(), record.name.clone()), record.id);
            let key = (record.project.clone(), record.name.clone());
            self.datasets.insert(key, Dataset { record, tables: BTreeMap::new() });
        }
        let mut pieces = std::collections::HashSet::new();
        let mut committed = std::collections::HashSet::new();
        for record in disk.load::<TableRecord>(TABLES)? {
            self.last = self.last.max(record.id);
            let Ok(dataset) = self.dataset_mut(&record.name.project, &record.name.dataset) else {
                // The kill came while its dataset was deleted.
                disk.delete(TABLES, record.id)?;
                continue;
            };
            pieces.extend(record.pieces.iter().map(|piece| piece.id));
            committed.extend(record.pieces.iter().filter_map(|piece| piece.job));
            let body = |piece: &PieceRecord| (piece.id, Body { bytes: None, index: Arc::default() });
            let bodies = record.pieces.iter().map(body).collect();
            dataset.tables.insert(record.name.table.clone(), Table { record, bodies });
        }
        self.last = self.last.max(disk.sweep_rows(|id| pieces.contains(&id))?);
        for mut record in disk.load::<JobRecord>(JOBS)? {
            self.last = self.last.max(record.serial);
            if !record.committed {
                if !committed.contains(&record.serial) {
                    // The kill came before its rows were there: it never was.
                    disk.delete(JOBS, record.serial)?;
                    continue;
                }
                record.committed = true;
            }
            self.jobs.insert(record.key(), record);
        }
        Ok(())
    }

    pub(in crate::bigquery) fn next_id(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    fn dataset_mut(&mut self, project: &str, name: &str) -> Result<&mut Dataset, ApiError> {
        let key = (project.to_owned(), name.to_owned());
        self.datasets.get_mut(&key).ok_or_else(|| not_found(format_args!("Dataset {project}:{name}")))
    }

    fn table_mut(&mut self, name: &TableName) -> Result<&mut Table, ApiError> {
        let dataset = self.dataset_mut(&name.project, &name.dataset)?;
        dataset.tables.get_mut(&name.table).ok_or_else(|| not_found(format_args!("Table {name}")))
    }
}
