//! The rows of one row group, and how a file of them is laid out.

use std::io::Write;
use std::sync::Arc;

use batch_io::{JoinedRow, ResultColumns, ValueType};
use parquet::basic::Compression;
use parquet::data_type::{DoubleType, Int64Type};
use parquet::errors::Result;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;

use crate::column::{Numbers, Texts};
use crate::compress::Compressor;
use crate::pages::PAGE_BYTES;

/// What the footer names as the file's maker.
const CREATED_BY: &str = concat!("batch-cli version ", env!("CARGO_PKG_VERSION"));
/// Behind the texts among the columns that every join adds.
const COUNTS: usize = 4;

/// Rows, by column.
pub(crate) struct Group {
    input: Vec<Texts>,
    /// `outcome`, `answer`, `detail`, `finish_reason`.
    texts: Vec<Texts>,
    counts: Vec<Numbers<Int64Type>>,
    cost: Option<Numbers<DoubleType>>,
    /// With the field's name in the answers.
    fields: Vec<(String, Texts)>,
    compressor: Compressor,
    rows: usize,
    weight: usize,
}

impl Group {
    pub(crate) fn new(columns: &ResultColumns) -> Self {
        let added = columns.added();
        let texts = added.len() - COUNTS - usize::from(columns.has_cost());
        let (texts, numbers) = added.split_at(texts);
        let (counts, cost) = numbers.split_at(COUNTS);
        Self {
            input: columns.input().iter().map(|name| Texts::new(name)).collect(),
            texts: texts.iter().map(|name| Texts::new(name)).collect(),
            counts: counts.iter().map(|name| Numbers::new(name)).collect(),
            cost: cost.first().map(|name| Numbers::new(name)),
            fields: columns.fields().map(|(field, column)| (field.to_owned(), Texts::new(column))).collect(),
            compressor: Compressor::new(),
            rows: 0,
            weight: 0,
        }
    }

    /// How many rows there are.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// What they take before they are compressed.
    pub(crate) fn weight(&self) -> usize {
        self.weight
    }

    pub(crate) fn push(&mut self, row: &JoinedRow<'_>) -> Result<()> {
        let record = row.record();
        for (position, column) in self.input.iter_mut().enumerate() {
            let is_there = record.value_type(position) != ValueType::Null;
            self.weight += column.push(is_there.then_some((record, position)), &mut self.compressor)?;
        }
        let texts = [Some(row.outcome().as_str()), row.answer(), Some(row.detail()), row.finish_reason()];
        for (column, text) in self.texts.iter_mut().zip(texts) {
            self.weight += column.push(text.filter(|text| !text.is_empty()), &mut self.compressor)?;
        }
        let usage = row.usage();
        let counts = [usage.prompt_tokens, usage.candidates_tokens, usage.thoughts_tokens, usage.total_tokens];
        for (column, count) in self.counts.iter_mut().zip(counts) {
            self.weight += column.push(count.map(|count| i64::try_from(count).unwrap_or(i64::MAX)));
        }
        if let Some(column) = &mut self.cost {
            self.weight += column.push(row.cost());
        }
        for (field, column) in &mut self.fields {
            let is_there = row.field(field).is_some_and(|value| value != "null");
            let text = if is_there { row.field_text(field) } else { None };
            self.weight += column.push(text.as_deref(), &mut self.compressor)?;
        }
        self.rows += 1;
        Ok(())
    }

    /// A file for rows like these.
    pub(crate) fn begin<W: Write + Send>(&self, out: W) -> Result<SerializedFileWriter<W>> {
        let properties = WriterProperties::builder()
            .set_created_by(CREATED_BY.to_owned())
            .set_compression(Compression::SNAPPY)
            .set_data_page_size_limit(PAGE_BYTES)
            .set_statistics_enabled(EnabledStatistics::Chunk);
        SerializedFileWriter::new(out, Arc::new(self.schema()?), Arc::new(properties.build()))
    }

    fn schema(&self) -> Result<Type> {
        let mut columns = Vec::new();
        for column in self.input.iter().chain(&self.texts) {
            columns.push(column.schema()?);
        }
        for column in &self.counts {
            columns.push(column.schema()?);
        }
        if let Some(column) = &self.cost {
            columns.push(column.schema()?);
        }
        for (_, column) in &self.fields {
            columns.push(column.schema()?);
        }
        Type::group_type_builder("results").with_fields(columns.into_iter().map(Arc::new).collect()).build()
    }

    /// Writes the rows, and is empty then.
    pub(crate) fn write<W: Write + Send>(&mut self, file: &mut SerializedFileWriter<W>) -> Result<()> {
        let described = file.schema_descr().columns().to_vec();
        let mut described = described.into_iter();
        let mut group = file.next_row_group()?;
        for (column, described) in self.input.iter_mut().chain(&mut self.texts).zip(&mut described) {
            column.write(described, &mut group, &mut self.compressor)?;
        }
        for (column, _) in self.counts.iter_mut().zip(&mut described) {
            column.write(&mut group)?;
        }
        for (column, _) in self.cost.iter_mut().zip(&mut described) {
            column.write(&mut group)?;
        }
        for ((_, column), described) in self.fields.iter_mut().zip(described) {
            column.write(described, &mut group, &mut self.compressor)?;
        }
        group.close()?;
        (self.rows, self.weight) = (0, 0);
        Ok(())
    }
}
