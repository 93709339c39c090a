//! The datasets and tables themselves, in memory or on disk.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::Bytes;
use serde_json::{Map, Value};

use super::disk::{DATASETS, Disk, JOBS, TABLES};
use super::error::{duplicate, failed, invalid, not_found};
use super::job::JobRecord;
use super::record::{DatasetRecord, PieceRecord, TableName, TableRecord};
use super::rows::{Piece, RowWriter, Written, WrittenBody};
use super::schema::{Field, Schema};
use crate::Clock;
use crate::clock::timestamp;
use crate::envelope::ApiError;
use crate::storage::{Objects, Temporary, remove};

/// A piece of streamed rows is appended to until it has so many bytes.
const STREAMED: u64 = 1 << 20;

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
pub(super) struct State {
    datasets: BTreeMap<(String, String), Dataset>,
    pub(super) jobs: BTreeMap<(String, String, String), JobRecord>,
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
pub(super) struct Commit {
    pub(super) schema: Schema,
    pub(super) rows: Written,
    pub(super) disposition: Disposition,
    /// Whether the table is made where there is none, and with which settings.
    pub(super) create: Option<Map<String, Value>>,
    /// The number of the job that does it.
    pub(super) job: Option<u64>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("disk", &self.0.disk).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the store under the data directory, or an empty one in memory.
    pub(super) fn open(data: Option<&Path>, clock: Arc<dyn Clock>, objects: Objects) -> io::Result<Store> {
        let disk = data.map(Disk::open).transpose()?;
        let mut state = State::default();
        if let Some(disk) = &disk {
            state.load(disk)?;
        }
        Ok(Store(Arc::new(Inner { clock, disk, state: Mutex::new(state), _objects: objects })))
    }

    /// The files of the store, where it has any.
    pub(super) fn disk(&self) -> Option<&Disk> {
        self.0.disk.as_ref()
    }

    /// The time in microseconds since 1970.
    pub(super) fn now(&self) -> i64 {
        timestamp(&*self.0.clock).as_microsecond()
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a dataset.
    pub(crate) fn create_dataset(
        &self,
        project: &str,
        name: &str,
        location: &str,
        settings: Map<String, Value>,
    ) -> Result<DatasetRecord, ApiError> {
        check_dataset_name(name)?;
        let now = self.now();
        let mut state = self.state();
        let key = (project.to_owned(), name.to_owned());
        if state.datasets.contains_key(&key) {
            return Err(duplicate(format_args!("Dataset {project}:{name}")));
        }
        let record = DatasetRecord {
            id: state.next_id(),
            project: project.to_owned(),
            name: name.to_owned(),
            location: location_name(location),
            settings,
            created: now,
            modified: now,
            version: 1,
        };
        self.save(DATASETS, record.id, &record)?;
        state.datasets.insert(key, Dataset { record: record.clone(), tables: BTreeMap::new() });
        Ok(record)
    }

    /// The dataset of that name.
    pub(crate) fn dataset(&self, project: &str, name: &str) -> Result<DatasetRecord, ApiError> {
        let mut state = self.state();
        Ok(state.dataset_mut(project, name)?.record.clone())
    }

    /// The datasets of a project, sorted by name; of all projects where none is named.
    pub(super) fn datasets(&self, project: Option<&str>) -> Vec<DatasetRecord> {
        let state = self.state();
        let of_project = |dataset: &&Dataset| project.is_none_or(|project| project == dataset.record.project);
        state.datasets.values().filter(of_project).map(|dataset| dataset.record.clone()).collect()
    }

    /// Changes a dataset.
    pub(super) fn update_dataset(
        &self,
        project: &str,
        name: &str,
        change: impl FnOnce(&mut DatasetRecord) -> Result<(), ApiError>,
    ) -> Result<DatasetRecord, ApiError> {
        let now = self.now();
        let mut state = self.state();
        let dataset = state.dataset_mut(project, name)?;
        let mut record = dataset.record.clone();
        change(&mut record)?;
        record.modified = now;
        record.version += 1;
        self.save(DATASETS, record.id, &record)?;
        dataset.record = record.clone();
        Ok(record)
    }

    /// Deletes a dataset; with tables in it only where `contents` says so.
    pub(super) fn delete_dataset(&self, project: &str, name: &str, contents: bool) -> Result<(), ApiError> {
        let now = self.now();
        let mut state = self.state();
        self.sweep(&mut state, project, name, now);
        let dataset = state.dataset_mut(project, name)?;
        if !dataset.tables.is_empty() && !contents {
            return Err(ApiError::bigquery(
                http::StatusCode::BAD_REQUEST,
                "resourceInUse",
                format!("Dataset {project}:{name} is still in use"),
            ));
        }
        let id = dataset.record.id;
        if let Some(disk) = self.disk() {
            // The dataset first: tables without one are swept at the start.
            disk.delete(DATASETS, id).map_err(|error| failed(&error))?;
        }
        if let Some(dataset) = state.datasets.remove(&(project.to_owned(), name.to_owned())) {
            for table in dataset.tables.into_values() {
                self.discard(&table);
            }
        }
        Ok(())
    }

    /// Makes a table without rows.
    pub(crate) fn create_table(
        &self,
        name: &TableName,
        schema: Schema,
        settings: Map<String, Value>,
    ) -> Result<TableRecord, ApiError> {
        let now = self.now();
        let mut state = self.state();
        self.sweep(&mut state, &name.project, &name.dataset, now);
        self.insert_table(&mut state, name, schema, settings, now)
    }

    fn insert_table(
        &self,
        state: &mut State,
        name: &TableName,
        schema: Schema,
        mut settings: Map<String, Value>,
        now: i64,
    ) -> Result<TableRecord, ApiError> {
        check_table_name(&name.table)?;
        let id = state.next_id();
        let dataset = state.dataset_mut(&name.project, &name.dataset)?;
        if dataset.tables.contains_key(&name.table) {
            return Err(duplicate(format_args!("Table {name}")));
        }
        if let Some(life) = dataset.record.table_life()
            && !settings.contains_key("expirationTime")
        {
            settings.insert("expirationTime".to_owned(), super::record::millis(now + life).into());
        }
        let record = TableRecord {
            id,
            name: name.clone(),
            location: dataset.record.location.clone(),
            settings,
            schema,
            pieces: Vec::new(),
            created: now,
            modified: now,
            version: 1,
        };
        self.save(TABLES, id, &record)?;
        let table = Table { record: record.clone(), bodies: BTreeMap::new() };
        dataset.tables.insert(name.table.clone(), table);
        Ok(record)
    }

    /// The table of that name.
    pub(crate) fn table(&self, name: &TableName) -> Result<TableRecord, ApiError> {
        let now = self.now();
        let mut state = self.state();
        self.sweep(&mut state, &name.project, &name.dataset, now);
        Ok(state.table_mut(name)?.record.clone())
    }

    /// The tables of a dataset, sorted by name.
    pub(super) fn tables(&self, project: &str, dataset: &str) -> Result<Vec<TableRecord>, ApiError> {
        let now = self.now();
        let mut state = self.state();
        self.sweep(&mut state, project, dataset, now);
        let tables = &state.dataset_mut(project, dataset)?.tables;
        Ok(tables.values().map(|table| table.record.clone()).collect())
    }

    /// Changes what a table is, not its rows.
    pub(super) fn update_table(
        &self,
        name: &TableName,
        change: impl FnOnce(&mut TableRecord) -> Result<(), ApiError>,
    ) -> Result<TableRecord, ApiError> {
        let now = self.now();
        let mut state = self.state();
        self.sweep(&mut state, &name.project, &name.dataset, now);
        let table = state.table_mut(name)?;
        let mut record = table.record.clone();
        change(&mut record)?;
        record.modified = now;
        record.version += 1;
        self.save(TABLES, record.id, &record)?;
        table.record = record.clone();
        Ok(record)
    }

    /// Deletes a table.
    pub(super) fn delete_table(&self, name: &TableName) -> Result<(), ApiError> {
        let mut state = self.state();
        let id = state.table_mut(name)?.record.id;
        if let Some(disk) = self.disk() {
            disk.delete(TABLES, id).map_err(|error| failed(&error))?;
        }
        let dataset = state.dataset_mut(&name.project, &name.dataset)?;
        if let Some(table) = dataset.tables.remove(&name.table) {
            self.discard(&table);
        }
        Ok(())
    }

    /// Begins to write rows; no table has them before [`Store::commit`].
    pub(super) fn writer(&self) -> io::Result<RowWriter> {
        RowWriter::new(self.disk().map(Disk::temporary))
    }

    /// Gives rows to a table, all of them or none.
    pub(super) fn commit(&self, name: &TableName, commit: Commit) -> Result<TableRecord, ApiError> {
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
    pub(super) fn stream(&self, name: &TableName, schema: &Schema, rows: &[u8], count: u64) -> Result<(), ApiError> {
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

    /// Keeps a record, where records are kept.
    pub(super) fn save<T: serde::Serialize>(&self, kind: &str, id: u64, record: &T) -> Result<(), ApiError> {
        match self.disk() {
            Some(disk) => disk.save(kind, id, record).map_err(|error| failed(&error)),
            None => Ok(()),
        }
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

    /// Deletes the files of a table that is gone.
    fn discard(&self, table: &Table) {
        let Some(disk) = self.disk() else {
            return;
        };
        for piece in &table.record.pieces {
            remove(&disk.rows(piece.id));
        }
        // Where the table went with its dataset its record is still there.
        if let Err(error) = disk.delete(TABLES, table.record.id)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "failed to delete a table");
        }
    }

    /// Deletes the tables of a dataset whose time has come.
    fn sweep(&self, state: &mut State, project: &str, dataset: &str, now: i64) {
        let Ok(dataset) = state.dataset_mut(project, dataset) else {
            return;
        };
        dataset.tables.retain(|_, table| {
            let lives = table.record.expires().is_none_or(|end| end > now);
            if !lives {
                self.discard(table);
            }
            lives
        });
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

    pub(super) fn next_id(&mut self) -> u64 {
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

/// A location in the service's spelling: multi-regions in capitals, regions not.
pub(crate) fn location_name(location: &str) -> String {
    match &*location.to_ascii_uppercase() {
        "" => "US".to_owned(),
        multi @ ("US" | "EU") => multi.to_owned(),
        _ => location.to_ascii_lowercase(),
    }
}

/// Letters, digits and underscores; at most 1,024.
fn check_dataset_name(name: &str) -> Result<(), ApiError> {
    if (1..=1024).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Ok(());
    }
    Err(invalid(format!(
        "Invalid dataset ID \"{name}\". Dataset IDs must be alphanumeric (plus underscores) and must be at most 1024 characters long."
    )))
}

/// Letters, marks, digits, connectors, dashes and blanks; at most 1,024 bytes.
fn check_table_name(name: &str) -> Result<(), ApiError> {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | ' ') || !c.is_ascii();
    if (1..=1024).contains(&name.len()) && name.chars().all(fits) {
        return Ok(());
    }
    Err(invalid(format!(
        "Invalid table ID \"{name}\". Table IDs must be alphanumeric (plus underscores) and must be at most 1024 characters long. Also, Table decorators cannot be used."
    )))
}
