//! Tables: made, changed, deleted, gone when their time has come.

use std::collections::BTreeMap;
use std::io;

use serde_json::{Map, Value};

use super::super::disk::TABLES;
use super::super::error::{duplicate, failed, invalid};
use super::super::record::{TableName, TableRecord, millis};
use super::super::schema::Schema;
use super::{State, Store, Table};
use crate::envelope::ApiError;
use crate::storage::remove;

impl Store {
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

    pub(super) fn insert_table(
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
            settings.insert("expirationTime".to_owned(), millis(now + life).into());
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
    pub(in crate::bigquery) fn tables(&self, project: &str, dataset: &str) -> Result<Vec<TableRecord>, ApiError> {
        let now = self.now();
        let mut state = self.state();
        self.sweep(&mut state, project, dataset, now);
        let tables = &state.dataset_mut(project, dataset)?.tables;
        Ok(tables.values().map(|table| table.record.clone()).collect())
    }

    /// Changes what a table is, not its rows.
    pub(in crate::bigquery) fn update_table(
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
    pub(in crate::bigquery) fn delete_table(&self, name: &TableName) -> Result<(), ApiError> {
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

    /// Deletes the files of a table that is gone.
    pub(super) fn discard(&self, table: &Table) {
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
    pub(super) fn sweep(&self, state: &mut State, project: &str, dataset: &str, now: i64) {
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
