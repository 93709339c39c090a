//! Extract jobs: tables to objects, as newline-delimited JSON or CSV.

use std::io::Write;

use serde_json::{Map, Value, json};

use super::error::{Problem, invalid, not_implemented, required};
use super::job::{Done, Engine, Failed, Running};
use super::record::TableName;
use super::schema::{Kind, Mode, Schema};
use super::shown::{Cells, Style, text_of, write_object};
use crate::envelope::ApiError;
use crate::storage::{Attributes, Preconditions, StoreError};

/// An extract job that can be run.
pub(super) struct Extract {
    pub(super) source: TableName,
    pub(super) location: String,
    uri: String,
    /// With its delimiter and whether it has a header, or JSON.
    csv: Option<(u8, bool)>,
}

impl Extract {
    /// Reads the configuration.
    pub(super) fn plan(engine: &Engine, project: &str, config: &Map<String, Value>) -> Result<Extract, ApiError> {
        let source = config.get("sourceTable").and_then(|table| TableName::read(table, project));
        let source = source.ok_or_else(|| required("sourceTable"))?;
        let text = |name: &str| config.get(name).and_then(Value::as_str).unwrap_or_default();
        let uris = config.get("destinationUris").and_then(Value::as_array);
        let uri = match uris.map(Vec::as_slice) {
            Some([uri]) => uri.as_str(),
            Some([_, ..]) => return Err(not_implemented("This emulator extracts to one URI at a time.")),
            _ => config.get("destinationUri").and_then(Value::as_str),
        };
        let uri = uri.ok_or_else(|| required("destinationUris"))?;
        if !matches!(text("compression"), "" | "NONE") {
            return Err(not_implemented("This emulator compresses nothing."));
        }
        let csv = match text("destinationFormat") {
            "" | "CSV" => {
                let delimiter = match text("fieldDelimiter") {
                    "" => b',',
                    "\\t" | "tab" => b'\t',
                    one => *one.as_bytes().first().unwrap_or(&b','),
                };
                Some((delimiter, config.get("printHeader") != Some(&Value::Bool(false))))
            }
            "NEWLINE_DELIMITED_JSON" => None,
            other => {
                return Err(not_implemented(format!(
                    "This emulator extracts NEWLINE_DELIMITED_JSON and CSV, and no {other}."
                )));
            }
        };
        let table = engine.store.table(&source)?;
        let nested = |schema: &Schema| schema.0.iter().any(|f| f.mode == Mode::Repeated || f.kind == Kind::Record);
        if csv.is_some() && nested(&table.schema) {
            return Err(invalid("Operation cannot be performed on a nested schema. Field: repeated or record"));
        }
        Ok(Extract { source, location: table.location, uri: uri.to_owned(), csv })
    }

    /// Runs it.
    pub(super) fn run(self, running: &Running<'_>) -> Result<Done, Failed> {
        let engine = running.engine;
        let (table, pieces) = engine.store.read(&self.source, 0, usize::MAX).map_err(Problem::from)?;
        let at = |problem: Problem| problem.at(&self.uri);
        let Some((bucket, name)) = self.uri.strip_prefix("gs://").and_then(|rest| rest.split_once('/')) else {
            return Err(at(Problem::invalid(format!("Invalid extract destination URI '{}'.", self.uri))).into());
        };
        // A star stands for the number of the file, and one file is enough here.
        let name = name.replacen('*', "000000000000", 1);
        let store_problem = |error: StoreError| match error {
            StoreError::NoBucket(_) => at(Problem::new("notFound", format!("Not found: URI {}", self.uri))),
            other => at(Problem::invalid(other.to_string())),
        };
        let mut writer = engine.objects.writer(bucket, &name).map_err(store_problem)?;
        let mut line = Vec::new();
        if let Some((delimiter, true)) = self.csv {
            let names: Vec<_> = table.schema.0.iter().map(|field| Some(field.name.clone())).collect();
            write_csv(&names, delimiter, &mut line);
            writer.write_all(&line).map_err(Problem::from)?;
        }
        for (_, piece) in pieces {
            let mut reader = piece.read_from(0).map_err(Problem::from)?;
            while let Some((_, row)) = reader.next_row().map_err(Problem::from)? {
                line.clear();
                let cells = Cells::read(row).map_err(Problem::from)?;
                match self.csv {
                    None => {
                        write_object(&table.schema, &cells, Style::Export, &mut line).map_err(Problem::from)?;
                        line.push(b'\n');
                    }
                    Some((delimiter, _)) => write_csv(&texts(&table.schema, &cells), delimiter, &mut line),
                }
                writer.write_all(&line).map_err(Problem::from)?;
            }
        }
        let kind = if self.csv.is_some() { "text/csv" } else { "application/octet-stream" };
        writer.commit(Attributes::of_type(kind), Preconditions::default()).map_err(store_problem)?;
        let extract = json!({ "destinationUriFileCounts": ["1"], "inputBytes": table.bytes().to_string() });
        Ok(Done { statistics: Map::from_iter([("extract".to_owned(), extract)]), errors: Vec::new() })
    }
}

/// The texts of the cells of a flat row.
fn texts(schema: &Schema, cells: &Cells<'_>) -> Vec<Option<String>> {
    let text = |(place, kind): (usize, Kind)| {
        let text = text_of(cells.0.get(place).map_or("null", |cell| cell.get()))?;
        Some(match kind {
            Kind::Timestamp => super::scalar::micros_as_utc(text.parse().unwrap_or_default()),
            _ => text,
        })
    };
    schema.0.iter().enumerate().map(|(place, field)| text((place, field.kind))).collect()
}

fn write_csv(fields: &[Option<String>], delimiter: u8, out: &mut Vec<u8>) {
    for (i, field) in fields.iter().enumerate() {
        if i > 0 {
            out.push(delimiter);
        }
        let Some(text) = field else {
            continue;
        };
        let special = |byte: u8| byte == delimiter || matches!(byte, b'"' | b'\r' | b'\n');
        if text.is_empty() || text.bytes().any(special) {
            out.push(b'"');
            out.extend_from_slice(text.replace('"', "\"\"").as_bytes());
            out.push(b'"');
        } else {
            out.extend_from_slice(text.as_bytes());
        }
    }
    out.push(b'\n');
}
