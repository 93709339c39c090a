//! Tables for batch prediction jobs: the rows as JSON lines, and lines as rows.

use std::io::{self, Cursor};

use serde_json::value::RawValue;

use super::cell::{Members, Reading, write_compact, write_row};
use super::error::failed;
use super::record::TableName;
use super::rows::{RowWriter, Written, WrittenBody};
use super::schema::{Kind, Schema};
use super::shown::{Cells, Style, text_of, write_object};
use super::store::{Commit, Disposition, Store};
use crate::envelope::ApiError;
use crate::storage::ReadSeek;

/// The rows of a table as JSON lines, apart from the table, which may change or go while
/// a job works on them.
#[derive(Debug)]
pub(crate) struct TableLines {
    schema: Schema,
    written: Written,
}

impl TableLines {
    /// Writes the rows of a table as they are now; also tells where each line starts and
    /// how long it is, without its end.
    pub(crate) fn write(store: &Store, name: &TableName) -> Result<(TableLines, Vec<(u64, usize)>), String> {
        let problem = |error: io::Error| error.to_string();
        let (table, pieces) = store.read(name, 0, usize::MAX).map_err(|error| error.message().to_owned())?;
        let schema = table.schema;
        let parsed = Parsed::of(&schema);
        let mut lines = store.writer().map_err(problem)?;
        let mut places = Vec::new();
        let mut line = Vec::new();
        for (_, piece) in pieces {
            let mut reader = piece.read_from(0).map_err(problem)?;
            while let Some((_, row)) = reader.next_row().map_err(problem)? {
                line.clear();
                write_request_line(&schema, &parsed, row, &mut line).map_err(problem)?;
                places.push((lines.bytes(), line.len()));
                lines.push(&line).map_err(problem)?;
            }
        }
        let written = lines.finish().map_err(problem)?;
        Ok((TableLines { schema, written }, places))
    }

    /// The columns of the table.
    pub(crate) fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Opens the lines.
    pub(crate) fn open(&self) -> io::Result<Box<dyn ReadSeek + Send>> {
        Ok(match &self.written.body {
            WrittenBody::Memory(bytes) => Box::new(Cursor::new(bytes.clone())),
            WrittenBody::File(file) => Box::new(file.open()?),
        })
    }
}

/// The columns as they are where `request` holds JSON in a STRING.
struct Parsed {
    /// The place of that column, if it is a STRING.
    request: Option<usize>,
    schema: Schema,
}

impl Parsed {
    fn of(schema: &Schema) -> Parsed {
        let request = schema.field("request").filter(|(_, field)| field.kind == Kind::String).map(|(place, _)| place);
        let mut schema = schema.clone();
        if let Some(field) = request.and_then(|place| schema.0.get_mut(place)) {
            field.kind = Kind::Json;
        }
        Parsed { request, schema }
    }
}

/// Writes a row as a request line. A `request` that is JSON in a STRING becomes the JSON;
/// one that is not stays a string, and its row fails.
fn write_request_line(schema: &Schema, parsed: &Parsed, row: &str, line: &mut Vec<u8>) -> io::Result<()> {
    let mut cells = Cells::read(row)?;
    let text = parsed.request.and_then(|place| text_of(cells.0.get(place)?.get()));
    let json = text.filter(|text| serde_json::from_str::<&RawValue>(text).is_ok()).map(|text| {
        let mut compact = Vec::with_capacity(text.len());
        write_compact(&text, &mut compact);
        serde_json::value::to_raw_value(&String::from_utf8_lossy(&compact))
    });
    let (Some(json), Some(place)) = (json.transpose()?, parsed.request) else {
        return write_object(schema, &cells, Style::Line, line);
    };
    cells.0[place] = &json;
    write_object(&parsed.schema, &cells, Style::Line, line)
}

/// Writes the cells of a prediction line.
pub(crate) fn write_line(schema: &Schema, line: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    let members: Members<'_> = serde_json::from_slice(line)?;
    let reading = Reading { ignore_unknown: true, objects_as_text: true, ..Reading::default() };
    write_row(schema, &members, reading, out).map_err(|misfit| io::Error::other(misfit.in_load()))
}

/// Begins to write rows.
pub(crate) fn writer(store: &Store) -> io::Result<RowWriter> {
    store.writer()
}

/// Makes a table of rows; there must be none of its name but of the same job.
pub(crate) fn commit_new(
    store: &Store,
    name: &TableName,
    schema: Schema,
    rows: RowWriter,
    job: u64,
) -> Result<(), String> {
    let commit = |rows: Written| {
        let create = Some(serde_json::Map::new());
        store.commit(name, Commit { schema, rows, disposition: Disposition::New, create, job: Some(job) })
    };
    let committed: Result<_, ApiError> = rows.finish().map_err(|error| failed(&error)).and_then(commit);
    committed.map(|_| ()).map_err(|error| error.message().to_owned())
}
