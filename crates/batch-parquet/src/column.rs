//! The values of one column, until there are enough of them for a row group.

use std::collections::HashSet;
use std::io::Write;

use bytes::{Bytes, BytesMut};
use parquet::basic::{LogicalType, Repetition, Type as PhysicalType};
use parquet::data_type::{ByteArray, ByteArrayType, DataType};
use parquet::errors::{ParquetError, Result};
use parquet::file::writer::{SerializedColumnWriter, SerializedRowGroupWriter};
use parquet::schema::types::{ColumnDescPtr, Type};

use crate::compress::Compressor;
use crate::pages::{PAGE_BYTES, Pages};
use crate::text::Text;

/// So many texts are handed to the column's writer at once.
const BATCH: usize = 1024;
/// So many texts are looked at to find out whether they repeat.
const SAMPLE: usize = 1000;
/// Where most texts are longer, they are neither gathered in a dictionary, nor is the least and the
/// greatest of them looked for: both take time, and help nobody.
const LONG: usize = 256;
/// What a text counts for beside its bytes in the size of a row group, and what a null does.
const PER_TEXT: usize = 10;
const PER_NULL: usize = 2;
/// Of fewer texts nothing is told, so that a long one among the first does not decide for all: unless they take
/// so many bytes together.
const ENOUGH: usize = 100;
const MUCH: usize = 16 * PAGE_BYTES;

/// What is known of a column of any type.
struct Head {
    name: String,
    /// For each row whether there is a value, 1, or none, 0.
    levels: Vec<i16>,
}

impl Head {
    fn new(name: &str) -> Self {
        Self { name: name.to_owned(), levels: Vec::new() }
    }

    fn schema(&self, physical: PhysicalType, logical: Option<LogicalType>) -> Result<Type> {
        let column = Type::primitive_type_builder(&self.name, physical).with_repetition(Repetition::OPTIONAL);
        column.with_logical_type(logical).build()
    }
}

/// A column of text.
pub(crate) struct Texts {
    head: Head,
    /// One behind the other, until the row group is written, or it is known that they do not repeat.
    bytes: BytesMut,
    /// Where each ends.
    ends: Vec<usize>,
    form: Form,
}

/// How a column of text is written.
enum Form {
    /// There are too few texts so far to tell.
    Open,
    /// With a dictionary.
    Listed,
    /// As they are.
    Plain(Box<Pages>),
}

impl Texts {
    pub(crate) fn new(name: &str) -> Self {
        Self { head: Head::new(name), bytes: BytesMut::new(), ends: Vec::new(), form: Form::Open }
    }

    /// The next row's text, or none. Tells what it counts for in the size of a row group.
    pub(crate) fn push<T: Text>(&mut self, text: Option<T>, compressor: &mut Compressor) -> Result<usize> {
        let weight = text.as_ref().map_or(PER_NULL, |text| PER_TEXT + text.length());
        if let Form::Plain(pages) = &mut self.form {
            pages.push(text, compressor)?;
            return Ok(weight);
        }
        self.head.levels.push(i16::from(text.is_some()));
        if let Some(text) = text {
            text.each_piece(|piece| self.bytes.extend_from_slice(piece));
            self.ends.push(self.bytes.len());
        }
        let (bytes, texts) = (self.bytes.len(), self.ends.len());
        if PAGE_BYTES <= bytes && (ENOUGH <= texts || MUCH <= bytes) && matches!(self.form, Form::Open) {
            self.choose(compressor)?;
        }
        Ok(weight)
    }

    pub(crate) fn schema(&self) -> Result<Type> {
        self.head.schema(PhysicalType::BYTE_ARRAY, Some(LogicalType::String))
    }

    /// Tells from the texts that are there how they and all that follow are written.
    fn choose(&mut self, compressor: &mut Compressor) -> Result<()> {
        if self.ends.is_empty() {
            return Ok(());
        }
        let starts = std::iter::once(&0).chain(&self.ends);
        let long = starts.zip(&self.ends).filter(|(start, end)| LONG < **end - **start).count();
        let is_long = self.ends.len() < 2 * long;
        if !is_long && self.repeats() {
            self.form = Form::Listed;
            return Ok(());
        }
        let mut pages = Box::new(Pages::new(!is_long));
        let (mut ends, mut start) = (self.ends.iter(), 0);
        for level in &self.head.levels {
            let end = if *level == 1 { ends.next() } else { None };
            let text = end.map(|end| &self.bytes[std::mem::replace(&mut start, *end)..*end]);
            pages.push(text, compressor)?;
        }
        (self.bytes, self.ends, self.head.levels) = Default::default();
        self.form = Form::Plain(pages);
        Ok(())
    }

    /// Whether a text stands there twice on average.
    fn repeats(&self) -> bool {
        let step = self.ends.len().div_ceil(SAMPLE).max(1);
        let mut distinct = HashSet::new();
        let mut sampled = 0;
        for number in (0..self.ends.len()).step_by(step) {
            let start = if number == 0 { 0 } else { self.ends[number - 1] };
            distinct.insert(&self.bytes[start..self.ends[number]]);
            sampled += 1;
        }
        2 * distinct.len() <= sampled
    }

    /// Writes the column's part of the row group, and is empty then.
    pub(crate) fn write<W: Write + Send>(
        &mut self,
        column: ColumnDescPtr,
        group: &mut SerializedRowGroupWriter<'_, W>,
        compressor: &mut Compressor,
    ) -> Result<()> {
        if let Form::Open = self.form {
            self.choose(compressor)?;
        }
        if let Form::Plain(pages) = &mut self.form {
            let (bytes, told) = pages.take(column, compressor)?;
            group.append_column(&bytes, told)?;
            pages.reuse(bytes);
            return Ok(());
        }
        let bytes = std::mem::take(&mut self.bytes).freeze();
        let mut column = next(group)?;
        self.write_texts(&bytes, &mut column)?;
        column.close()?;
        self.ends.clear();
        self.head.levels.clear();
        // The memory is used again.
        if let Ok(mut bytes) = bytes.try_into_mut() {
            bytes.clear();
            self.bytes = bytes;
        }
        Ok(())
    }

    fn write_texts(&self, bytes: &Bytes, column: &mut SerializedColumnWriter<'_>) -> Result<()> {
        let writer = column.typed::<ByteArrayType>();
        let mut batch: Vec<ByteArray> = Vec::with_capacity(BATCH.min(self.ends.len()));
        let (mut ends, mut start) = (self.ends.iter(), 0);
        for levels in self.head.levels.chunks(BATCH) {
            let there = levels.iter().filter(|level| **level == 1).count();
            batch.extend(ends.by_ref().take(there).map(|end| {
                let text = bytes.slice(start..*end);
                start = *end;
                ByteArray::from(text)
            }));
            writer.write_batch(&batch, Some(levels), None)?;
            batch.clear();
        }
        Ok(())
    }
}

/// A column of numbers.
pub(crate) struct Numbers<T: DataType> {
    head: Head,
    values: Vec<T::T>,
}

impl<T: DataType> Numbers<T> {
    pub(crate) fn new(name: &str) -> Self {
        Self { head: Head::new(name), values: Vec::new() }
    }

    /// The next row's number, or none. Tells what it takes in memory.
    pub(crate) fn push(&mut self, value: Option<T::T>) -> usize {
        self.head.levels.push(i16::from(value.is_some()));
        self.values.extend(value);
        size_of::<T::T>() + size_of::<i16>()
    }

    pub(crate) fn schema(&self) -> Result<Type> {
        self.head.schema(T::get_physical_type(), None)
    }

    /// Writes the column's part of the row group, and is empty then.
    pub(crate) fn write<W: Write + Send>(&mut self, group: &mut SerializedRowGroupWriter<'_, W>) -> Result<()> {
        let mut column = next(group)?;
        column.typed::<T>().write_batch(&self.values, Some(&self.head.levels), None)?;
        column.close()?;
        self.values.clear();
        self.head.levels.clear();
        Ok(())
    }
}

fn next<'g, W: Write + Send>(group: &'g mut SerializedRowGroupWriter<'_, W>) -> Result<SerializedColumnWriter<'g>> {
    group.next_column()?.ok_or_else(|| ParquetError::General("the schema has no further column".to_owned()))
}
