//! Rows on their way out: cells become what the API lists, or JSON objects.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::error::invalid;
use super::scalar::{micros_as_iso, micros_as_seconds, micros_as_utc};
use super::schema::{Field, Kind, Mode, Schema};
use crate::envelope::ApiError;
use crate::json::write_text;

/// The cells of a row as they are kept.
#[derive(Debug, Deserialize)]
pub(super) struct Cells<'a>(#[serde(borrow)] pub(super) Vec<&'a RawValue>);

impl<'a> Cells<'a> {
    /// Reads a row that was written by `cell::write_row`.
    pub(super) fn read(row: &'a str) -> std::io::Result<Cells<'a>> {
        Ok(serde_json::from_str(row)?)
    }

    fn get(&self, place: usize) -> &'a str {
        self.0.get(place).map_or("null", |cell| cell.get())
    }
}

/// Which columns are listed, and in a record which of its fields.
#[derive(Clone, Debug)]
pub(super) struct Selection(Vec<(usize, Option<Selection>)>);

impl Selection {
    /// Reads `selectedFields`: names with commas, `a.b` for a field of a record. The
    /// columns come in the order of the table.
    pub(super) fn parse(schema: &Schema, names: &str) -> Result<Selection, ApiError> {
        let paths: Vec<Vec<&str>> = names.split(',').map(|path| path.trim().split('.').collect()).collect();
        Selection::of(schema, &paths)
    }

    fn of(schema: &Schema, paths: &[Vec<&str>]) -> Result<Selection, ApiError> {
        for path in paths {
            let name = path.first().copied().unwrap_or_default();
            if schema.field(name).is_none() {
                return Err(invalid(format!("Field {name} not found in table schema.")));
            }
        }
        let mut chosen = Vec::new();
        for (place, field) in schema.0.iter().enumerate() {
            let below: Vec<Vec<&str>> = paths
                .iter()
                .filter(|path| path.first().is_some_and(|name| field.name.eq_ignore_ascii_case(name)))
                .map(|path| path.get(1..).unwrap_or_default().to_vec())
                .collect();
            if below.is_empty() {
                continue;
            }
            let whole = below.iter().any(Vec::is_empty) || field.kind != Kind::Record;
            chosen.push((place, if whole { None } else { Some(Selection::of(&field.fields, &below)?) }));
        }
        Ok(Selection(chosen))
    }
}

/// Writes a row as `tabledata.list` has it: `{"f":[{"v":…},…]}`.
pub(super) fn write_listed(
    schema: &Schema,
    cells: &Cells<'_>,
    selection: Option<&Selection>,
    micros: bool,
    out: &mut Vec<u8>,
) -> std::io::Result<()> {
    out.extend_from_slice(b"{\"f\":[");
    let mut first = true;
    let mut one = |place: usize, below: Option<&Selection>, out: &mut Vec<u8>| {
        let Some(field) = schema.0.get(place) else {
            return Ok(());
        };
        if !std::mem::take(&mut first) {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"v\":");
        write_listed_cell(field, cells.get(place), below, micros, out)?;
        out.push(b'}');
        Ok::<_, std::io::Error>(())
    };
    match selection {
        None => (0..schema.0.len()).try_for_each(|place| one(place, None, out))?,
        Some(Selection(chosen)) => {
            chosen.iter().try_for_each(|(place, below)| one(*place, below.as_ref(), out))?;
        }
    }
    out.extend_from_slice(b"]}");
    Ok(())
}

fn write_listed_cell(
    field: &Field,
    cell: &str,
    below: Option<&Selection>,
    micros: bool,
    out: &mut Vec<u8>,
) -> std::io::Result<()> {
    write_cell(field, cell, [b"{\"v\":", b"}"], out, |cell, out| match field.kind {
        Kind::Record => write_listed(&field.fields, &Cells::read(cell)?, below, micros, out),
        Kind::Timestamp if !micros => {
            write_text(&micros_as_seconds(micros_of(cell)), out);
            Ok(())
        }
        _ => {
            out.extend_from_slice(cell.as_bytes());
            Ok(())
        }
    })
}

/// Writes a cell by `one`; of a repeated field each of its values, in between `around`.
fn write_cell(
    field: &Field,
    cell: &str,
    around: [&[u8]; 2],
    out: &mut Vec<u8>,
    one: impl Fn(&str, &mut Vec<u8>) -> std::io::Result<()>,
) -> std::io::Result<()> {
    if cell == "null" {
        // A repeated column that was added later has no values in earlier rows.
        out.extend_from_slice(if field.mode == Mode::Repeated { b"[]" } else { b"null" });
        return Ok(());
    }
    if field.mode != Mode::Repeated {
        return one(cell, out);
    }
    out.push(b'[');
    for (i, item) in Cells::read(cell)?.0.into_iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        out.extend_from_slice(around[0]);
        one(item.get(), out)?;
        out.extend_from_slice(around[1]);
    }
    out.push(b']');
    Ok(())
}

/// How a row is written as a JSON object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// As exports have it: integers are strings, nulls are left out.
    Export,
    /// As a batch prediction job sees it: numbers are numbers, nulls are there. How the
    /// service writes dates and times there is not known; here they are as in a
    /// prediction's `processed_time`.
    Line,
}

/// Writes a row as a JSON object, without a line end.
pub(super) fn write_object(schema: &Schema, cells: &Cells<'_>, style: Style, out: &mut Vec<u8>) -> std::io::Result<()> {
    out.push(b'{');
    let mut first = true;
    for (place, field) in schema.0.iter().enumerate() {
        let cell = cells.get(place);
        if style == Style::Export && cell == "null" {
            continue;
        }
        if !std::mem::take(&mut first) {
            out.push(b',');
        }
        write_text(&field.name, out);
        out.push(b':');
        write_value(field, cell, style, out)?;
    }
    out.push(b'}');
    Ok(())
}

fn write_value(field: &Field, cell: &str, style: Style, out: &mut Vec<u8>) -> std::io::Result<()> {
    write_cell(field, cell, [b"", b""], out, |cell, out| {
        match field.kind {
            Kind::Record => return write_object(&field.fields, &Cells::read(cell)?, style, out),
            Kind::Json => out.extend_from_slice(serde_json::from_str::<String>(cell)?.as_bytes()),
            Kind::Boolean => out.extend_from_slice(cell.trim_matches('"').as_bytes()),
            Kind::Integer if style == Style::Line => out.extend_from_slice(cell.trim_matches('"').as_bytes()),
            Kind::Float => {
                let text = cell.trim_matches('"');
                match text.parse::<f64>() {
                    Ok(number) if number.is_finite() => out.extend_from_slice(text.as_bytes()),
                    _ => out.extend_from_slice(cell.as_bytes()),
                }
            }
            Kind::Timestamp => {
                let micros = micros_of(cell);
                write_text(&if style == Style::Export { micros_as_utc(micros) } else { micros_as_iso(micros) }, out);
            }
            _ => out.extend_from_slice(cell.as_bytes()),
        }
        Ok(())
    })
}

/// The microseconds in the cell of a TIMESTAMP.
fn micros_of(cell: &str) -> i64 {
    cell.trim_matches('"').parse().unwrap_or_default()
}

/// The text of a cell that is no array: none for null.
pub(super) fn text_of(cell: &str) -> Option<String> {
    serde_json::from_str(cell).ok().flatten()
}
