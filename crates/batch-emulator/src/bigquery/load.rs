//! Load jobs.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read};

use serde_json::{Map, Value, json};

use super::cell::{Members, Reading, write_row};
use super::csv::{self, Dialect};
use super::detect;
use super::error::{Problem, invalid, not_implemented, required};
use super::job::{Done, Engine, Failed, Running};
use super::record::{TableName, TableRecord, int64};
use super::rows::RowWriter;
use super::schema::{Allowed, Schema};
use super::store::{Commit, Disposition};
use crate::envelope::ApiError;
use crate::jobs::glob;
use crate::storage::{ObjectMeta, Objects, Spooled, SpooledBody, StoreError};

/// The longest row: 100 MB.
const LONGEST_ROW: u64 = 100 * 1024 * 1024;

/// How many bad rows are listed in `errors`.
const LISTED: usize = 5;

/// A load job that can be run.
pub(super) struct Load {
    pub(super) table: TableName,
    pub(super) location: String,
    source: Sources,
    format: Format,
    /// The schema that the job brings.
    schema: Option<Schema>,
    autodetect: bool,
    disposition: Disposition,
    create: bool,
    allowed: Allowed,
    max_bad: u64,
    reading: Reading,
    description: Map<String, Value>,
}

enum Sources {
    Upload(Option<Spooled>),
    Uris(Vec<String>),
}

pub(super) enum Format {
    Json,
    Csv(Dialect),
}

/// Bytes to be loaded, and what they are called.
pub(super) struct Source {
    uri: Option<String>,
    body: Body,
    size: u64,
}

enum Body {
    Object(Objects, Box<ObjectMeta>),
    Upload(SpooledBody),
}

impl Source {
    /// Opens it from its start.
    pub(super) fn open(&self) -> Result<Box<dyn Read>, Problem> {
        let mut reader: Box<dyn Read> = match &self.body {
            Body::Object(objects, meta) => {
                let opened = objects.reader_of(&meta.bucket, &meta.name, Some(meta.generation));
                let (_, reader) = opened.map_err(|error| Problem::new("notFound", error.to_string()))?;
                Box::new(reader)
            }
            Body::Upload(SpooledBody::Memory(bytes)) => Box::new(std::io::Cursor::new(bytes.clone())),
            Body::Upload(SpooledBody::File(file)) => Box::new(file.open()?),
        };
        let mut start = [0; 3];
        let mut known = 0;
        while known < start.len() {
            match reader.read(&mut start[known..])? {
                0 => break,
                n => known += n,
            }
        }
        let start = &start[..known];
        if start.starts_with(b"\x1f\x8b") {
            return Err(
                self.name(Problem::new("notImplemented", "This emulator unpacks no gzip; load the plain text."))
            );
        }
        // A mark at the start says what is so anyway.
        let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start).to_vec();
        Ok(Box::new(std::io::Cursor::new(start).chain(reader)))
    }

    /// Says in a problem where it is.
    pub(super) fn name(&self, problem: Problem) -> Problem {
        match &self.uri {
            Some(uri) => problem.at(uri),
            None => problem,
        }
    }
}

impl Load {
    /// Reads the configuration.
    pub(super) fn plan(
        engine: &Engine,
        project: &str,
        config: &Map<String, Value>,
        upload: Option<Spooled>,
    ) -> Result<Load, ApiError> {
        let table = config.get("destinationTable").and_then(|table| TableName::read(table, project));
        let table = table.ok_or_else(|| required("destinationTable"))?;
        if table.table.contains('$') {
            return Err(not_implemented("This emulator has no partitions to load into."));
        }
        let location = engine.store.dataset(&table.project, &table.dataset)?.location;
        let text = |name: &str| config.get(name).and_then(Value::as_str).unwrap_or_default();
        let flag = |name: &str| match config.get(name) {
            Some(Value::Bool(flag)) => *flag,
            Some(Value::String(text)) => text == "true",
            _ => false,
        };
        let format = match text("sourceFormat") {
            "NEWLINE_DELIMITED_JSON" => Format::Json,
            "" | "CSV" => Format::Csv(Dialect::read(config)?),
            other @ ("AVRO" | "PARQUET" | "ORC" | "DATASTORE_BACKUP") => {
                return Err(not_implemented(format!(
                    "This emulator loads NEWLINE_DELIMITED_JSON and CSV, and no {other}."
                )));
            }
            other => return Err(invalid(format!("Invalid value for sourceFormat: {other} is not a valid value"))),
        };
        let disposition = match text("writeDisposition") {
            "" | "WRITE_APPEND" => Disposition::Append,
            "WRITE_TRUNCATE" | "WRITE_TRUNCATE_DATA" => Disposition::Truncate,
            "WRITE_EMPTY" => Disposition::Empty,
            other => return Err(invalid(format!("Invalid value for writeDisposition: {other} is not a valid value"))),
        };
        let create = match text("createDisposition") {
            "" | "CREATE_IF_NEEDED" => true,
            "CREATE_NEVER" => false,
            other => return Err(invalid(format!("Invalid value for createDisposition: {other} is not a valid value"))),
        };
        let uris = config.get("sourceUris").and_then(Value::as_array);
        let uris: Vec<String> = uris.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
        let source = match (upload, uris.is_empty()) {
            (Some(upload), true) => Sources::Upload(Some(upload)),
            (Some(_), false) => return Err(invalid("sourceUris cannot be given together with an upload")),
            (None, true) => return Err(required("sourceUris")),
            (None, false) => Sources::Uris(uris),
        };
        let schema = config.get("schema").map(Schema::parse).transpose()?.filter(|schema| !schema.0.is_empty());
        let updates = config.get("schemaUpdateOptions").and_then(Value::as_array).cloned().unwrap_or_default();
        let mut description = Map::new();
        if let Some(properties) = config.get("destinationTableProperties").and_then(Value::as_object) {
            description.extend(properties.clone());
        }
        for name in ["timePartitioning", "rangePartitioning", "clustering"] {
            if let Some(value) = config.get(name) {
                description.insert(name.to_owned(), value.clone());
            }
        }
        Ok(Load {
            table,
            location,
            source,
            reading: Reading {
                ignore_unknown: flag("ignoreUnknownValues"),
                json_as_text: matches!(format, Format::Csv(_)),
                objects_as_text: false,
            },
            format,
            schema,
            autodetect: flag("autodetect"),
            disposition,
            create,
            allowed: Allowed {
                additions: updates.contains(&json!("ALLOW_FIELD_ADDITION")),
                relaxations: updates.contains(&json!("ALLOW_FIELD_RELAXATION")),
            },
            max_bad: config.get("maxBadRecords").and_then(int64).and_then(|n| n.try_into().ok()).unwrap_or(0),
            description,
        })
    }

    /// Runs it: all rows or none.
    pub(super) fn run(mut self, running: &Running<'_>) -> Result<Done, Failed> {
        let engine = running.engine;
        let sources = self.sources(&engine.objects)?;
        let table = match engine.store.table(&self.table) {
            Ok(table) if table.is_view() => {
                return Err(
                    Problem::invalid(format!("{} is a view, which no rows can be loaded into.", self.table)).into()
                );
            }
            Ok(table) => Some(table),
            Err(_) if self.create => None,
            Err(error) => return Err(Problem::from(error).into()),
        };
        if self.disposition == Disposition::Empty && table.as_ref().is_some_and(|table| table.rows() > 0) {
            return Err(Problem::new("duplicate", format!("Already Exists: Table {}", self.table)).into());
        }
        let schema = self.schema(table.as_ref(), &sources)?;

        let mut tally = Tally { max_bad: self.max_bad, ..Tally::default() };
        let mut rows = engine.store.writer().map_err(Problem::from)?;
        for source in &sources {
            match &self.format {
                Format::Json => load_json(source, &schema, self.reading, &mut rows, &mut tally)?,
                Format::Csv(dialect) => csv::load(source, dialect, &schema, self.reading, &mut rows, &mut tally)?,
            }
        }
        let mut load = Map::new();
        for (name, count) in [
            ("inputFiles", sources.len() as u64),
            ("inputFileBytes", sources.iter().map(|source| source.size).sum()),
            ("outputRows", rows.rows()),
            ("outputBytes", rows.bytes()),
            ("badRecords", tally.bad),
        ] {
            load.insert(name.to_owned(), json!(count.to_string()));
        }
        let statistics = Map::from_iter([("load".to_owned(), Value::Object(load))]);
        let commit = Commit {
            schema,
            rows: rows.finish().map_err(Problem::from)?,
            disposition: self.disposition,
            create: self.create.then_some(self.description),
            job: Some(running.record.serial),
        };
        running.about_to_commit(&statistics)?;
        engine.store.commit(&self.table, commit).map_err(Problem::from)?;
        Ok(Done { statistics, errors: tally.problems })
    }

    /// The bytes to load.
    fn sources(&mut self, objects: &Objects) -> Result<Vec<Source>, Problem> {
        let uris = match &mut self.source {
            Sources::Upload(upload) => {
                let upload = upload.take();
                return Ok(upload
                    .map(|upload| Source { uri: None, size: upload.size, body: Body::Upload(upload.body) })
                    .into_iter()
                    .collect());
            }
            Sources::Uris(uris) => uris,
        };
        let mut sources = Vec::new();
        let mut seen = HashSet::new();
        for uri in uris.iter() {
            let missing = || Problem::new("notFound", format!("Not found: URI {uri}")).at(uri);
            let Some((bucket, name)) = uri.strip_prefix("gs://").and_then(|rest| rest.split_once('/')) else {
                return Err(Problem::invalid(format!("Invalid source URI {uri}: it is no gs://bucket/object.")).at(uri));
            };
            if name.matches('*').count() > 1 {
                return Err(Problem::invalid(format!("Source URI must contain at most one wildcard: {uri}")).at(uri));
            }
            let prefix = name.split('*').next().unwrap_or_default();
            let found = match objects.list(bucket, prefix) {
                Ok(found) => found,
                Err(StoreError::NoBucket(_)) => return Err(missing()),
                Err(error) => return Err(Problem::invalid(error.to_string()).at(uri)),
            };
            let mut any = false;
            for meta in found.into_iter().filter(|meta| glob::matches(name, &meta.name)) {
                any = true;
                let uri = format!("gs://{}/{}", meta.bucket, meta.name);
                if seen.insert(uri.clone()) {
                    sources.push(Source {
                        uri: Some(uri),
                        size: meta.size,
                        body: Body::Object(objects.clone(), Box::new(meta)),
                    });
                }
            }
            if !any {
                return Err(missing());
            }
        }
        Ok(sources)
    }

    /// The columns that the table will have.
    fn schema(&self, table: Option<&TableRecord>, sources: &[Source]) -> Result<Schema, Problem> {
        let present = table.map(|table| &table.schema).filter(|schema| !schema.0.is_empty());
        let given = match &self.schema {
            Some(given) => Some(given.clone()),
            None if self.autodetect => Some(detect::schema(sources, &self.format)?),
            None => None,
        };
        match (given, present) {
            (Some(given), Some(present)) if self.disposition != Disposition::Truncate => {
                let changed = present.changed(&given, self.allowed, false);
                changed.map_err(|problem| {
                    Problem::invalid(format!("Provided Schema does not match Table {}. {problem}", self.table))
                })
            }
            (Some(given), _) => Ok(given),
            (None, Some(present)) => Ok(present.clone()),
            (None, None) => Err(Problem::invalid("No schema specified on job or table.")),
        }
    }
}

/// The rows that did not load.
#[derive(Debug, Default)]
pub(super) struct Tally {
    max_bad: u64,
    /// All rows so far.
    pub(super) rows: u64,
    bad: u64,
    problems: Vec<Problem>,
}

impl Tally {
    /// Takes in a bad row, unless it is one too many.
    pub(super) fn bad(&mut self, source: &Source, format: &str, message: &str) -> Result<(), Failed> {
        self.bad += 1;
        if self.problems.len() < LISTED {
            self.problems
                .push(source.name(Problem::invalid(format!("Error while reading data, error message: {message}"))));
        }
        if self.bad <= self.max_bad {
            return Ok(());
        }
        let (rows, bad, most) = (self.rows, self.bad, self.max_bad);
        let result = source.name(Problem::invalid(format!(
            "Error while reading data, error message: {format} table encountered too many errors, giving up. Rows: {rows}; errors: {bad}. Please look into the errors[] collection for more details."
        )));
        let mut errors = vec![
            result.clone(),
            Problem::invalid(format!(
                "Error while reading data, error message: {format} processing encountered too many errors, giving up. Rows: {rows}; errors: {bad}; max bad: {most}; error percent: 0"
            )),
        ];
        errors.append(&mut self.problems);
        Err(Failed { result, errors })
    }
}

fn load_json(
    source: &Source,
    schema: &Schema,
    reading: Reading,
    rows: &mut RowWriter,
    tally: &mut Tally,
) -> Result<(), Failed> {
    let mut cells = Vec::new();
    for_each_line(source, |offset, line| {
        tally.rows += 1;
        cells.clear();
        let read = match line {
            Line::TooLong => Err(format!("Row size is larger than: {LONGEST_ROW}.")),
            Line::Whole(bytes) => read_json(bytes, schema, reading, &mut cells),
        };
        match read {
            Ok(()) => rows.push(&cells).map_err(|error| Problem::from(error).into()),
            Err(problem) => tally.bad(
                source,
                "JSON",
                &format!("JSON parsing error in row starting at position {offset}: {problem}"),
            ),
        }
    })
}

fn read_json(bytes: &[u8], schema: &Schema, reading: Reading, out: &mut Vec<u8>) -> Result<(), String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "Input contains invalid UTF-8.".to_owned())?;
    let members: Members<'_> = serde_json::from_str(text).map_err(|error| json_problem(text, &error))?;
    write_row(schema, &members, reading, out).map_err(|misfit| misfit.in_load())
}

/// What the service says of a line that is no JSON object.
fn json_problem(text: &str, error: &serde_json::Error) -> String {
    match text.trim_start().as_bytes().first() {
        Some(b'[') => "Start of array encountered without start of object.".to_owned(),
        Some(b'{') if error.is_eof() => "Parser terminated before end of string".to_owned(),
        Some(b'{') => "Unexpected token".to_owned(),
        _ => "Value encountered without start of object.".to_owned(),
    }
}

/// A line that is not blank.
pub(super) enum Line<'a> {
    Whole(&'a [u8]),
    TooLong,
}

/// Shows every line of a source and where it starts.
pub(super) fn for_each_line(
    source: &Source,
    mut visit: impl FnMut(u64, Line<'_>) -> Result<(), Failed>,
) -> Result<(), Failed> {
    let mut reader = BufReader::with_capacity(1 << 20, source.open()?);
    let (mut offset, mut line) = (0_u64, Vec::new());
    loop {
        line.clear();
        let n = (&mut reader).take(LONGEST_ROW + 2).read_until(b'\n', &mut line).map_err(Problem::from)?;
        if n == 0 {
            return Ok(());
        }
        let start = offset;
        offset += n as u64;
        let text = line.trim_ascii();
        if text.is_empty() {
            continue;
        }
        if text.len() as u64 > LONGEST_ROW {
            visit(start, Line::TooLong)?;
            // What follows in that line is no row.
            offset += reader.skip_until(b'\n').map_err(Problem::from)? as u64;
            continue;
        }
        visit(start, Line::Whole(text))?;
    }
}
