//! Copy jobs.

use serde_json::{Map, Value, json};

use super::error::{Problem, invalid, not_implemented, required};
use super::job::{Done, Engine, Failed, Running};
use super::record::TableName;
use super::store::{Commit, Disposition};
use crate::envelope::ApiError;

/// A copy job that can be run.
pub(super) struct Copy {
    pub(super) destination: TableName,
    pub(super) location: String,
    sources: Vec<TableName>,
    disposition: Disposition,
    create: bool,
}

impl Copy {
    /// Reads the configuration.
    pub(super) fn plan(engine: &Engine, project: &str, config: &Map<String, Value>) -> Result<Copy, ApiError> {
        let read = |table: &Value| TableName::read(table, project);
        let destination = config.get("destinationTable").and_then(read).ok_or_else(|| required("destinationTable"))?;
        let sources: Option<Vec<_>> = match (config.get("sourceTable"), config.get("sourceTables")) {
            (Some(source), None) => read(source).map(|source| vec![source]),
            (None, Some(Value::Array(sources))) => sources.iter().map(read).collect(),
            _ => None,
        };
        let sources = sources.filter(|sources| !sources.is_empty()).ok_or_else(|| required("sourceTables"))?;
        let text = |name: &str| config.get(name).and_then(Value::as_str).unwrap_or_default();
        if !matches!(text("operationType"), "" | "COPY" | "OPERATION_TYPE_UNSPECIFIED") {
            return Err(not_implemented("This emulator makes copies, and no snapshots or clones."));
        }
        Ok(Copy {
            location: engine.store.dataset(&destination.project, &destination.dataset)?.location,
            destination,
            sources,
            disposition: match text("writeDisposition") {
                "" | "WRITE_EMPTY" => Disposition::Empty,
                "WRITE_APPEND" => Disposition::Append,
                "WRITE_TRUNCATE" => Disposition::Truncate,
                other => {
                    return Err(invalid(format!("Invalid value for writeDisposition: {other} is not a valid value")));
                }
            },
            create: text("createDisposition") != "CREATE_NEVER",
        })
    }

    /// Runs it.
    pub(super) fn run(self, running: &Running<'_>) -> Result<Done, Failed> {
        let store = &running.engine.store;
        let mut rows = store.writer().map_err(Problem::from)?;
        let mut schema = None;
        let mut settings = Map::new();
        for source in &self.sources {
            let (table, pieces) = store.read(source, 0, usize::MAX).map_err(Problem::from)?;
            if table.location != self.location {
                return Err(Problem::invalid("Source and destination tables must be in the same location.").into());
            }
            if table.is_view() {
                return Err(Problem::invalid(format!("Cannot copy the view {source}.")).into());
            }
            match &schema {
                None => {
                    settings = table.settings.clone();
                    settings.retain(|name, _| name != "expirationTime");
                    schema = Some(table.schema);
                }
                Some(first) if *first != table.schema => {
                    return Err(Problem::invalid(format!("Provided Schema does not match Table {source}.")).into());
                }
                Some(_) => {}
            }
            for (_, piece) in pieces {
                let mut reader = piece.read_from(0).map_err(Problem::from)?;
                while let Some((_, row)) = reader.next_row().map_err(Problem::from)? {
                    rows.push(row.as_bytes()).map_err(Problem::from)?;
                }
            }
        }
        let copied = json!({ "copiedRows": rows.rows().to_string(), "copiedLogicalBytes": rows.bytes().to_string() });
        let statistics = Map::from_iter([("copy".to_owned(), copied)]);
        let commit = Commit {
            schema: schema.unwrap_or_default(),
            rows: rows.finish().map_err(Problem::from)?,
            disposition: self.disposition,
            create: self.create.then_some(settings),
            job: Some(running.record.serial),
        };
        running.about_to_commit(&statistics)?;
        store.commit(&self.destination, commit).map_err(Problem::from)?;
        Ok(Done { statistics, errors: Vec::new() })
    }
}
