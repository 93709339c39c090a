//! Results as CSV or JSONL.

use std::borrow::Cow;
use std::io::{self, Write};

use batch_model::prices::{self, Price, UsageTotals};
use serde_json::value::RawValue;

use super::columns::Layout;
use super::row::JoinedRow;
use crate::json::{self, Kind};
use crate::table::{Columns, TableFormat, ValueType};

/// Gathered before it is written.
const CHUNK: usize = 256 * 1024;

pub(super) enum ResultWriter<'w> {
    Delimited(Box<csv::Writer<&'w mut dyn Write>>),
    Jsonl { out: &'w mut dyn Write, buffer: Vec<u8> },
}

impl<'w> ResultWriter<'w> {
    pub(super) fn new(out: &'w mut dyn Write, format: TableFormat) -> Self {
        match format {
            TableFormat::Csv { delimiter } => Self::Delimited(Box::new(
                csv::WriterBuilder::new().delimiter(delimiter).buffer_capacity(CHUNK).from_writer(out),
            )),
            TableFormat::Jsonl => Self::Jsonl { out, buffer: Vec::with_capacity(CHUNK) },
        }
    }

    pub(super) fn header(&mut self, columns: &Columns, layout: &Layout) -> io::Result<()> {
        // The names are in every line of JSONL.
        let Self::Delimited(csv) = self else { return Ok(()) };
        let names = columns.names().iter().chain(&layout.ours);
        csv.write_record(names.chain(layout.fields.iter().map(|(_, column)| column))).map_err(io::Error::from)
    }

    pub(super) fn row(&mut self, row: &JoinedRow<'_>, layout: &Layout) -> io::Result<()> {
        match self {
            Self::Delimited(csv) => write_delimited(csv, row, layout).map_err(io::Error::from),
            Self::Jsonl { out, buffer } => {
                write_object(buffer, row, layout)?;
                if CHUNK <= buffer.len() {
                    out.write_all(buffer)?;
                    buffer.clear();
                }
                Ok(())
            }
        }
    }

    pub(super) fn finish(self) -> io::Result<()> {
        match self {
            Self::Delimited(mut csv) => csv.flush(),
            Self::Jsonl { out, buffer } => {
                out.write_all(&buffer)?;
                out.flush()
            }
        }
    }
}

fn write_delimited(csv: &mut csv::Writer<&mut dyn Write>, row: &JoinedRow<'_>, layout: &Layout) -> csv::Result<()> {
    for value in row.record.iter() {
        csv.write_field(value)?;
    }
    csv.write_field(row.outcome.as_str())?;
    csv.write_field(row.answer().unwrap_or_default())?;
    csv.write_field(row.detail)?;
    csv.write_field(row.finish_reason().unwrap_or_default())?;
    for count in counts(row) {
        match count {
            Some(count) => csv.write_field(itoa::Buffer::new().format(count))?,
            None => csv.write_field("")?,
        }
    }
    if let Some(price) = layout.price_of(row) {
        csv.write_field(cost(row, price).unwrap_or_default())?;
    }
    for (field, _) in &layout.fields {
        csv.write_field(row.field(field).map(as_text).unwrap_or_default().as_bytes())?;
    }
    csv.write_record(None::<&[u8]>)
}

fn write_object(out: &mut Vec<u8>, row: &JoinedRow<'_>, layout: &Layout) -> io::Result<()> {
    let mut separator = b'{';
    let mut name = |out: &mut Vec<u8>, name: &str| -> io::Result<()> {
        out.push(separator);
        separator = b',';
        serde_json::to_writer(&mut *out, name)?;
        out.push(b':');
        Ok(())
    };
    for (position, (column, value)) in row.columns.names().iter().zip(row.record.iter()).enumerate() {
        name(out, column)?;
        match row.record.value_type(position) {
            ValueType::Text => serde_json::to_writer(&mut *out, value)?,
            ValueType::Null => out.extend_from_slice(b"null"),
            ValueType::Number | ValueType::Bool | ValueType::Json => out.extend_from_slice(value.as_bytes()),
        }
    }
    let texts = [Some(row.outcome.as_str()), row.answer(), Some(row.detail), row.finish_reason()];
    for (column, text) in layout.ours.iter().zip(texts) {
        name(out, column)?;
        serde_json::to_writer(&mut *out, &text.filter(|text| !text.is_empty()))?;
    }
    for (column, count) in layout.ours.iter().skip(texts.len()).zip(counts(row)) {
        name(out, column)?;
        serde_json::to_writer(&mut *out, &count)?;
    }
    if let (Some(price), Some(column)) = (layout.price_of(row), layout.ours.last()) {
        name(out, column)?;
        out.extend_from_slice(cost(row, price).as_deref().unwrap_or("null").as_bytes());
    }
    for (field, column) in &layout.fields {
        name(out, column)?;
        out.extend_from_slice(row.field(field).unwrap_or("null").as_bytes());
    }
    out.extend_from_slice(b"}\n");
    Ok(())
}

fn counts(row: &JoinedRow<'_>) -> [Option<u64>; 4] {
    let usage = row.usage();
    [usage.prompt_tokens, usage.candidates_tokens, usage.thoughts_tokens, usage.total_tokens]
}

/// What the row's answer cost in a batch, as a decimal number; `None` where that is not known.
fn cost(row: &JoinedRow<'_>, price: Option<&Price>) -> Option<String> {
    let mut totals = UsageTotals::default();
    totals.add_counts(&row.usage().counts()?);
    let cost = prices::cost(price?, &totals).total()?;
    // A thousandth of a millionth of a dollar is less than any token costs.
    let text = format!("{cost:.9}");
    Some(text.trim_end_matches('0').trim_end_matches('.').to_owned())
}

/// A JSON value in a cell: a string's text, nothing for null, any other as it is written.
pub(super) fn as_text(value: &str) -> Cow<'_, str> {
    let Ok(raw) = serde_json::from_str::<&RawValue>(value) else { return Cow::Borrowed(value) };
    match Kind::of(raw) {
        Kind::String => json::string(raw).unwrap_or_default(),
        Kind::Null => Cow::Borrowed(""),
        _ => Cow::Borrowed(value),
    }
}
