//! CSV on its way in.

use serde_json::{Map, Value};

use super::cell::{Reading, write_compact, write_scalar};
use super::error::{Problem, invalid};
use super::job::Failed;
use super::load::{Source, Tally};
use super::record::int64;
use super::rows::RowWriter;
use super::schema::{Field, Kind, Mode, Schema};
use crate::envelope::ApiError;
use crate::json::write_text;

/// How the fields are set apart.
#[derive(Clone, Debug)]
pub(super) struct Dialect {
    delimiter: u8,
    quote: Option<u8>,
    skip: Option<u64>,
    null_marker: String,
    jagged: bool,
}

impl Dialect {
    /// Reads the options of a load job.
    pub(super) fn read(config: &Map<String, Value>) -> Result<Dialect, ApiError> {
        let text = |name: &str| config.get(name).and_then(Value::as_str);
        let byte = |name: &str, text: &str| match text.as_bytes() {
            [byte] => Ok(*byte),
            _ => Err(invalid(format!("Invalid value for {name}: {text:?} is not a single character"))),
        };
        Ok(Dialect {
            delimiter: match text("fieldDelimiter") {
                None | Some("") => b',',
                Some("\\t" | "tab") => b'\t',
                Some(delimiter) => byte("fieldDelimiter", delimiter)?,
            },
            quote: match text("quote") {
                None => Some(b'"'),
                Some("") => None,
                Some(quote) => Some(byte("quote", quote)?),
            },
            // The service looks whether the first row is a header; here it is taken for one
            // where columns are to be guessed and nothing is said of it.
            skip: match config.get("skipLeadingRows").and_then(int64) {
                Some(rows) => rows.try_into().ok(),
                None => (config.get("autodetect") == Some(&Value::Bool(true))).then_some(1),
            },
            null_marker: text("nullMarker").unwrap_or_default().to_owned(),
            jagged: config.get("allowJaggedRows") == Some(&Value::Bool(true)),
        })
    }

    fn records(&self, source: &Source) -> Result<csv::Reader<Box<dyn std::io::Read>>, Problem> {
        let mut builder = csv::ReaderBuilder::new();
        builder.has_headers(false).flexible(true).delimiter(self.delimiter);
        match self.quote {
            Some(quote) => builder.quote(quote),
            None => builder.quoting(false),
        };
        Ok(builder.from_reader(source.open()?))
    }
}

/// Reads all rows of a source.
///
/// An empty field is null in every column: whether it stood in quotes, which for the
/// service makes an empty STRING of it, is not known here.
pub(super) fn load(
    source: &Source,
    dialect: &Dialect,
    schema: &Schema,
    reading: Reading,
    rows: &mut RowWriter,
    tally: &mut Tally,
) -> Result<(), Failed> {
    let mut records = dialect.records(source)?;
    let mut record = csv::ByteRecord::new();
    let mut cells = Vec::new();
    let mut number = 0;
    loop {
        let more = records.read_byte_record(&mut record).map_err(|error| Problem::from(std::io::Error::from(error)))?;
        if !more {
            return Ok(());
        }
        number += 1;
        if number <= dialect.skip.unwrap_or(0) {
            continue;
        }
        tally.rows += 1;
        cells.clear();
        let position = record.position().map_or(0, csv::Position::byte);
        match write_record(&record, dialect, schema, reading, position, &mut cells) {
            Ok(()) => rows.push(&cells).map_err(Problem::from)?,
            Err(problem) => tally.bad(source, "CSV", &problem)?,
        }
    }
}

fn write_record(
    record: &csv::ByteRecord,
    dialect: &Dialect,
    schema: &Schema,
    reading: Reading,
    position: u64,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    if record.len() > schema.0.len() && !reading.ignore_unknown {
        return Err(format!(
            "Too many values in line. Found {} column(s) while expected {}. Position: {position}",
            record.len(),
            schema.0.len()
        ));
    }
    if record.len() < schema.0.len() && !dialect.jagged {
        return Err(format!(
            "CSV table references column position {}, but line contains only {} columns. Position: {position}",
            record.len(),
            record.len()
        ));
    }
    out.push(b'[');
    for (place, field) in schema.0.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        let bytes = record.get(place).unwrap_or_default();
        let text = std::str::from_utf8(bytes).map_err(|_| "Input contains invalid UTF-8.".to_owned())?;
        let value =
            Some(text).filter(|text| *text != dialect.null_marker && !(text.is_empty() && field.kind != Kind::String));
        write_field(field, value, out).map_err(|problem| {
            format!(
                "Could not parse '{text}' as {} for field {} (position {place}) starting at location {position}  with message '{problem}'",
                field.kind.sql_name(),
                field.name
            )
        })?;
    }
    out.push(b']');
    Ok(())
}

fn write_field(field: &Field, value: Option<&str>, out: &mut Vec<u8>) -> Result<(), String> {
    let Some(text) = value else {
        return match field.mode {
            Mode::Required => Err("Missing value for a required field".to_owned()),
            Mode::Nullable | Mode::Repeated => {
                out.extend_from_slice(b"null");
                Ok(())
            }
        };
    };
    if field.mode == Mode::Repeated || field.kind == Kind::Record {
        return Err("CSV has no repeated fields and no records".to_owned());
    }
    if field.kind == Kind::Json {
        if serde_json::from_str::<&serde_json::value::RawValue>(text).is_err() {
            return Err("Unable to parse".to_owned());
        }
        let mut compact = Vec::new();
        write_compact(text.trim(), &mut compact);
        write_text(&String::from_utf8_lossy(&compact), out);
        return Ok(());
    }
    write_scalar(field, text, out).map_err(|_| "Unable to parse".to_owned())
}

/// Guesses columns: names from the row before the first, types from the rows.
pub(super) fn detect(source: &Source, dialect: &Dialect) -> Result<Schema, Problem> {
    const ORDER: [Kind; 6] = [Kind::Boolean, Kind::Integer, Kind::Float, Kind::Date, Kind::Timestamp, Kind::String];
    let mut records = dialect.records(source)?;
    let mut names: Vec<String> = Vec::new();
    let mut possible: Vec<Vec<Kind>> = Vec::new();
    for (number, record) in records.records().enumerate() {
        let record = record.map_err(|error| Problem::from(std::io::Error::from(error)))?;
        if (number as u64) < dialect.skip.unwrap_or(0) {
            // The last of the rows that are skipped has the names.
            names = record.iter().map(str::to_owned).collect();
            continue;
        }
        possible.resize(record.len().max(possible.len()), ORDER.to_vec());
        for (text, kinds) in record.iter().zip(&mut possible).filter(|(text, _)| !text.is_empty()) {
            let one_or_none =
                |kind: Kind| kind != Kind::Boolean || matches!(&*text.to_ascii_lowercase(), "true" | "false");
            kinds.retain(|kind| {
                one_or_none(*kind) && (*kind == Kind::String || super::scalar::read(*kind, text).is_some())
            });
        }
    }
    possible.resize(names.len().max(possible.len()), vec![Kind::String]);
    let fields = possible.iter().enumerate().map(|(place, kinds)| {
        let name = names.get(place).filter(|name| !name.is_empty());
        let name = name.map_or_else(|| format!("string_field_{place}"), |name| clean(name));
        Field::nullable(name, kinds.first().copied().unwrap_or(Kind::String))
    });
    Ok(Schema(fields.collect()))
}

/// A header as the name of a column.
fn clean(name: &str) -> String {
    let name: String = name.trim().chars().map(|c| if c.is_alphanumeric() || c == '_' { c } else { '_' }).collect();
    match name.chars().next() {
        Some(first) if first.is_ascii_digit() => format!("_{name}"),
        _ => name,
    }
}
