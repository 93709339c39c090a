//! Datasets: made, changed, deleted with what is in them.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::super::disk::DATASETS;
use super::super::error::{duplicate, failed, invalid};
use super::super::record::DatasetRecord;
use super::{Dataset, Store};
use crate::envelope::ApiError;

impl Store {
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
    pub(in crate::bigquery) fn datasets(&self, project: Option<&str>) -> Vec<DatasetRecord> {
        let state = self.state();
        let of_project = |dataset: &&Dataset| project.is_none_or(|project| project == dataset.record.project);
        state.datasets.values().filter(of_project).map(|dataset| dataset.record.clone()).collect()
    }

    /// Changes a dataset.
    pub(in crate::bigquery) fn update_dataset(
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
    pub(in crate::bigquery) fn delete_dataset(
        &self,
        project: &str,
        name: &str,
        contents: bool,
    ) -> Result<(), ApiError> {
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
