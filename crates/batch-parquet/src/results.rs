//! A Parquet file, written row by row.

use std::fmt;
use std::io::Write;

use batch_io::{Join, JoinSummary, JoinedRow};
use parquet::file::writer::SerializedFileWriter;

use crate::error::{Error, ErrorKind, Result};
use crate::group::Group;

/// A row group is written as soon as its values take so many bytes.
const GROUP_BYTES: usize = 32 << 20;
/// A row group has no more rows than this, however short they are.
const GROUP_ROWS: usize = 1 << 20;

/// Writes what a join finds as one Parquet file, as [`Join::run`] writes it as a table: the file is what
/// [`ParquetResults`] makes of its rows. `each` is shown every row before it is written, also after the
/// file has failed: what is counted in it is whole.
///
/// # Errors
/// The outer ones are those of [`Join::for_each`]: the table or the predictions could not be read. The inner
/// ones are those of [`ParquetResults`]: `out` does not hold a Parquet file.
pub fn write_join<W: Write + Send>(
    join: Join<'_>,
    out: W,
    each: &mut dyn FnMut(&JoinedRow<'_>),
) -> batch_io::Result<Result<JoinSummary>> {
    let mut results = ParquetResults::new(out);
    let mut written = Ok(());
    let summary = join.for_each(&mut |row| {
        each(row);
        if written.is_ok() {
            written = results.push(row);
        }
    })?;
    Ok(written.and_then(|()| results.finish(&summary)).map(|()| summary))
}

/// Writes the rows of a [`Join`] as one Parquet file, in the order in which they come.
///
/// Its columns are those of the results as CSV, of the same names and in the same order:
///
/// | columns | Parquet type | null |
/// |---|---|---|
/// | the table's own | `BYTE_ARRAY` (String) | never of a CSV table, whose empty cells are empty strings; of a JSONL table where it has `null` or lacks the key |
/// | `outcome`, `answer`, `detail`, `finish_reason` | `BYTE_ARRAY` (String) | where the CSV has an empty cell |
/// | `prompt_tokens`, …, `total_tokens` | `INT64` | where the prediction does not tell; a count beyond the type is its greatest number |
/// | `cost_usd`, where there is a price | `DOUBLE` | where the cost is not known |
/// | fields of answers | `BYTE_ARRAY` (String) | where the answer has no such field, or `null` in it |
///
/// Numbers, booleans, arrays and objects of a JSONL table, and of answers' fields, are the text that the CSV
/// has: a column may hold one thing in one row and another in the next, which no type of Parquet does.
/// All columns are optional in the schema, so that the files of several tables can be read as one.
///
/// Rows are held until they take 32 MiB, or are 1,048,576: a row group, which is what a reader works on at
/// once. Texts are compressed with Snappy as they come, in pages of 64 KiB, so that to hold them takes about the
/// memory of what is written. Columns whose values repeat among the first of them, a hundred at least, have a dictionary,
/// and are held as they are until the row group is written; columns of long texts have neither dictionary nor
/// statistics.
/// There is no time and no name of a machine in the file: the same rows make the same bytes.
pub struct ParquetResults<W: Write + Send> {
    state: State<W>,
    group: Option<Group>,
    limit: usize,
}

enum State<W: Write + Send> {
    /// Nothing is written before the first row group is full.
    Waiting(W),
    Begun(SerializedFileWriter<W>),
    /// What was written cannot be gone on with, for this reason.
    Broken(ErrorKind),
}

impl<W: Write + Send> State<W> {
    /// Writes the rows, with what stands before the first of them.
    fn write(&mut self, group: &mut Group) -> Result<()> {
        let file = match std::mem::replace(self, Self::Broken(ErrorKind::Format)) {
            Self::Waiting(out) => group.begin(out),
            Self::Begun(file) => Ok(file),
            Self::Broken(kind) => {
                *self = Self::Broken(kind);
                return Err(Error::broken(kind));
            }
        };
        let written = file.and_then(|mut file| group.write(&mut file).map(|()| file)).map_err(Error::from);
        let (state, result) = match written {
            Ok(file) => (Self::Begun(file), Ok(())),
            Err(error) => (Self::Broken(error.kind()), Err(error)),
        };
        *self = state;
        result
    }
}

impl<W: Write + Send> ParquetResults<W> {
    /// Results that go to `out`, such as a `&mut` of what is to be closed afterwards. It is written to from front to end, in pieces of any size.
    pub fn new(out: W) -> Self {
        Self { state: State::Waiting(out), group: None, limit: GROUP_BYTES }
    }

    /// Begins a new row group as soon as the values of one take so many bytes; by default 32 MiB.
    #[must_use]
    pub fn row_group_bytes(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// Adds a row. All must be of one join.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] where a row group was full and could not be written; [`ErrorKind::Format`] where
    /// the format cannot hold it. After that every call fails.
    pub fn push(&mut self, row: &JoinedRow<'_>) -> Result<()> {
        if let State::Broken(kind) = self.state {
            return Err(Error::broken(kind));
        }
        let group = self.group.get_or_insert_with(|| Group::new(row.result_columns()));
        if let Err(error) = group.push(row).map_err(Error::from) {
            self.state = State::Broken(error.kind());
            return Err(error);
        }
        if group.weight() < self.limit && group.rows() < GROUP_ROWS { Ok(()) } else { self.state.write(group) }
    }

    /// Writes what is left and the footer, and flushes. `summary` is what the join returned: it tells the
    /// columns where there was no row.
    ///
    /// # Errors
    /// Those of [`push`](Self::push). What was written is no Parquet file then.
    pub fn finish(self, summary: &JoinSummary) -> Result<()> {
        let Self { mut state, group, .. } = self;
        let mut group = group.unwrap_or_else(|| Group::new(&summary.columns));
        if 0 < group.rows() {
            state.write(&mut group)?;
        }
        let mut file = match state {
            State::Waiting(out) => group.begin(out)?,
            State::Begun(file) => file,
            State::Broken(kind) => return Err(Error::broken(kind)),
        };
        file.finish()?;
        Ok(())
    }
}

impl<W: Write + Send> fmt::Debug for ParquetResults<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParquetResults").field("limit", &self.limit).finish_non_exhaustive()
    }
}
