//! BigQuery tables as the input and the output of jobs.
//!
//! Which columns a table may have is documented, and so are most of the rules about places;
//! the sentences about them are likely. When the service looks is not known: here it is
//! when the job begins, as with files.

use std::io;

use super::config::FailedResponse;
use super::import::{ADDED, Imported, Refused, Row, Source, check_count};
use super::record::{JobError, Record};
use super::source::BigQueryUri;
use crate::bigquery::{self, Field, Kind, Mode, RowWriter, Schema, Store, TableLines, TableName};
use crate::json::{Column, Shape};

/// Types that no column beside `request` may have.
const REFUSED: [Kind; 4] = [Kind::Record, Kind::Range, Kind::DateTime, Kind::Geography];

/// Reads every row of a table, `most` of them at most. Blocks.
pub(super) fn import(store: &Store, name: &TableName, location: &str, most: usize) -> Result<Imported, Refused> {
    let table = store.table(name).map_err(|error| {
        Refused::Failed(JobError { code: 5, message: format!("Failed to import data. {}", error.message()) })
    })?;
    check_location(location, &table.location, &format!("bq://{}.{}", name.project, name.dataset))
        .map_err(Refused::Failed)?;
    if table.is_view() {
        return Err(Refused::because(format!("{name} is not a table.")));
    }
    check_columns(&table.schema).map_err(Refused::because)?;
    check_count(usize::try_from(table.rows()).unwrap_or(usize::MAX), most)?;
    let failed = |error: &dyn std::fmt::Display| Refused::because(format!("Error while reading table {name}: {error}"));
    let (lines, places) = TableLines::write(store, name).map_err(|error| failed(&error))?;
    let rows: Option<Vec<Row>> = places
        .into_iter()
        .map(|(offset, length)| Some(Row { offset, length: length.try_into().ok()?, file: 0 }))
        .collect();
    let rows = rows.ok_or_else(|| failed(&"a row is too long"))?;
    check_count(rows.len(), most)?;
    Ok(Imported { source: Source::Table(lines), rows, shape: Shape::default() })
}

/// A job's dataset is where the job is, and in no multi-region. What holds for jobs in
/// `global` is not known; they are let through.
fn check_location(job: &str, dataset: &str, uri: &str) -> Result<(), JobError> {
    if job == "global" || dataset.eq_ignore_ascii_case(job) {
        return Ok(());
    }
    let what = match dataset {
        "US" | "EU" => format!("is in the multi-region {dataset}, which is not supported"),
        _ => format!("is in {dataset}"),
    };
    Err(JobError {
        code: 3,
        message: format!("BigQuery dataset {uri} {what}. The dataset must be in the same region as the job: {job}."),
    })
}

/// The columns that a job can read.
fn check_columns(schema: &Schema) -> Result<(), String> {
    match schema.field("request").map(|(_, field)| (field.mode, field.kind)) {
        Some((Mode::Nullable | Mode::Required, Kind::Json | Kind::String)) => {}
        Some((mode, kind)) => {
            let kind = if mode == Mode::Repeated { "ARRAY" } else { kind.sql_name() };
            return Err(format!("Column request must be of type JSON or STRING, and is {kind}."));
        }
        None => return Err("Missing required column: request.".to_owned()),
    }
    // The output of an earlier job is an input too, with all of these.
    let earlier = [("status", Kind::String), ("response", Kind::Json), ("processed_time", Kind::Timestamp)];
    let is_output = earlier.iter().all(|(name, kind)| {
        schema.field(name).is_some_and(|(_, field)| field.kind == *kind && field.mode == Mode::Nullable)
    });
    for field in &schema.0 {
        let name = &field.name;
        if name.eq_ignore_ascii_case("request") {
            continue;
        }
        if !is_output && ADDED.iter().any(|added| name.eq_ignore_ascii_case(added)) {
            return Err(format!("Column name {name} is reserved for the output."));
        }
        let refused = field.mode == Mode::Repeated || REFUSED.contains(&field.kind);
        if refused {
            let kind = if field.mode == Mode::Repeated { "ARRAY" } else { field.kind.sql_name() };
            return Err(format!("Column {name} is of type {kind}, which is not supported."));
        }
    }
    Ok(())
}

/// The table that a job writes, chosen by how much of it the job names. Where it names no
/// table its name is of the job's own time, so that a job that is started again writes to
/// the same.
pub(super) fn target(uri: &BigQueryUri, record: &Record) -> TableName {
    let time = format!("{:.3}", record.created_at()).replace(['-', ':', '.'], "_");
    TableName {
        project: uri.project.clone(),
        dataset: uri.dataset.clone().unwrap_or_else(|| format!("prediction_model_{time}")),
        table: uri.table.clone().unwrap_or_else(|| format!("predictions_{time}")),
    }
}

/// Writes the lines of a job into a new table.
#[derive(Debug)]
pub(super) struct TablePredictions {
    store: Store,
    name: TableName,
    /// Where the dataset is to be, if it is to be made.
    make_dataset: Option<String>,
    job: u64,
    schema: Schema,
    rows: RowWriter,
    /// The last row, held back in case it is to be lost.
    pending: Option<Vec<u8>>,
}

impl TablePredictions {
    /// Begins the table of a job.
    pub(super) fn begin(
        store: &Store,
        uri: &BigQueryUri,
        record: &Record,
        schema: Schema,
    ) -> Result<TablePredictions, JobError> {
        let name = target(uri, record);
        let make_dataset = match (store.dataset(&name.project, &name.dataset), &uri.dataset) {
            (Ok(dataset), _) => {
                let uri = format!("bq://{}.{}", name.project, name.dataset);
                check_location(&record.location, &dataset.location, &uri)?;
                None
            }
            (Err(_), None) => Some(if record.location == "global" { "US".to_owned() } else { record.location.clone() }),
            (Err(error), Some(_)) => return Err(JobError { code: 5, message: error.message().to_owned() }),
        };
        // That of this very job is one that a kill left behind.
        if store.table(&name).is_ok_and(|table| !table.is_of_job(record.id)) {
            return Err(JobError { code: 6, message: format!("Already Exists: Table {name}") });
        }
        let rows = bigquery::writer(store).map_err(|error| JobError::internal(error.to_string()))?;
        Ok(TablePredictions { store: store.clone(), name, make_dataset, job: record.id, schema, rows, pending: None })
    }

    /// Adds lines.
    pub(super) fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            self.flush()?;
            let mut cells = Vec::with_capacity(line.len());
            bigquery::write_line(&self.schema, line, &mut cells)?;
            self.pending = Some(cells);
        }
        Ok(())
    }

    /// Makes the table; with `cut`, its last row is missing.
    pub(super) fn commit(mut self, cut: bool) -> Result<(), String> {
        if cut {
            self.pending = None;
        }
        self.flush().map_err(|error| error.to_string())?;
        if let Some(location) = &self.make_dataset {
            let made =
                self.store.create_dataset(&self.name.project, &self.name.dataset, location, serde_json::Map::new());
            made.map_err(|error| error.message().to_owned())?;
        }
        bigquery::commit_new(&self.store, &self.name, self.schema, self.rows, self.job)
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.pending.take() {
            Some(cells) => self.rows.push(&cells),
            None => Ok(()),
        }
    }
}

/// The columns of an output: those of the input, then what the service adds. In which
/// order is not known.
///
/// # Errors
/// A member of a request line that no column can be called.
pub(super) fn schema(imported: &Imported, pass_through: bool, retype: bool) -> Result<Schema, JobError> {
    let (others, request) = match &imported.source {
        Source::Table(lines) => {
            let input = &lines.schema().0;
            // What a STRING held comes back as a STRING; likely.
            let request = lines.schema().field("request").map_or(Kind::Json, |(_, field)| field.kind);
            (input.iter().filter(|field| pass_through && !is_own(&field.name)).cloned().collect(), request)
        }
        Source::Files(_) if !pass_through => (Vec::new(), Kind::Json),
        Source::Files(_) => {
            let columns = imported.shape.members(retype).into_iter().filter(|(name, _)| !is_own(name));
            (columns.map(|(name, column)| Field::nullable(name, kind_of(&column))).collect(), Kind::Json)
        }
    };
    let added =
        [("status", Kind::String), ("processed_time", Kind::Timestamp), ("request", request), ("response", Kind::Json)];
    let mut fields: Vec<Field> = others;
    fields.extend(added.map(|(name, kind)| Field::nullable(name, kind)));
    Schema(fields).checked().map_err(|error| JobError { code: 3, message: error.message().to_owned() })
}

fn is_own(name: &str) -> bool {
    name.eq_ignore_ascii_case("request") || ADDED.iter().any(|added| name.eq_ignore_ascii_case(added))
}

/// The type of a column for what a member of request lines has; lists and objects become
/// JSON, which is likely.
fn kind_of(column: &Column) -> Kind {
    match column {
        Column::Integer => Kind::Integer,
        Column::Float => Kind::Float,
        Column::Bool => Kind::Boolean,
        Column::Unknown | Column::Text => Kind::String,
        Column::Record(_) | Column::List(_) => Kind::Json,
    }
}

/// What a failed row has for a response.
pub(super) fn no_response(failed: FailedResponse) -> &'static [u8] {
    match failed {
        FailedResponse::Null => b"null",
        FailedResponse::Empty => b"{}",
    }
}
