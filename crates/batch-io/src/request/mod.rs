//! Records to request lines.

mod build;
mod label;
mod outline;
mod spec;
mod template;

use std::io::{Read, Write};

pub use build::{Build, BuildSummary};
pub use outline::RequestPiece;
pub use spec::{FilePart, MimeType, RequestSpec, Role, Turn};
pub use template::RequestTemplate;

use crate::error::{Error, ErrorKind, Position, Result};
use crate::key::{KeySpec, Keys};
use crate::page::Page;
use crate::table::{Record, Table};

/// The request lines of a table, one after the other, in input order.
///
/// ```
/// use batch_io::{KeySpec, RequestLines, RequestSpec, RequestTemplate, Table, TableFormat};
///
/// let table = Table::new("id,body\nn7,hello\n".as_bytes(), "t.csv", TableFormat::CSV)?;
/// let template = RequestTemplate::compile(&RequestSpec::new("{{ body }}"), table.columns())?;
/// let mut lines = RequestLines::new(table, &template, &KeySpec::Column("id".into()))?;
///
/// let mut out = Vec::new();
/// let line = lines.next_line(&mut out)?.expect("the table has one record");
/// assert_eq!((line.index, line.line, line.key), (0, 2, "n7"));
/// assert!(lines.next_line(&mut out)?.is_none());
/// # Ok::<(), batch_io::Error>(())
/// ```
#[derive(Debug)]
pub struct RequestLines<'t, R> {
    table: Table<R>,
    template: &'t RequestTemplate,
    keys: Keys,
    record: Record,
    page: Page,
}

/// Where a request line comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LineInfo<'a> {
    /// The record's index, from 0.
    pub index: u64,
    /// The physical line of the table on which the record begins, from 1.
    pub line: u64,
    /// The record's key.
    pub key: &'a str,
    /// The length of the request line in bytes, line feed included.
    pub length: usize,
}

impl<'t, R: Read> RequestLines<'t, R> {
    /// The template must have been compiled for this table's columns.
    ///
    /// # Errors
    /// [`ErrorKind::UnknownColumn`] for a key column that the table does not have.
    pub fn new(table: Table<R>, template: &'t RequestTemplate, key: &KeySpec) -> Result<Self> {
        let keys = Keys::new(key, table.columns(), table.name())?;
        Ok(Self { table, template, keys, record: Record::new(), page: Page::default() })
    }

    /// Appends the next line, line feed included, to `out`; `None` at the end.
    ///
    /// # Errors
    /// Those of [`Table::read`], [`Keys::key`] and [`RequestTemplate::render`], with
    /// nothing appended; [`ErrorKind::NoRecords`] where the first call finds none, since
    /// no job can be made of that.
    pub fn next_line(&mut self, out: &mut Vec<u8>) -> Result<Option<LineInfo<'_>>> {
        self.next_line_if(out, |_| true)
    }

    /// The line of the next record whose index is `wanted`. The others are read, so that
    /// their keys are known to differ from it, and not rendered.
    ///
    /// # Errors
    /// Those of [`next_line`](Self::next_line).
    pub fn next_line_if(
        &mut self,
        out: &mut Vec<u8>,
        mut wanted: impl FnMut(u64) -> bool,
    ) -> Result<Option<LineInfo<'_>>> {
        let Self { table, template, keys, record, page } = self;
        loop {
            if !table.read(record)? {
                return if table.records() == 0 { Err(no_records(table.name())) } else { Ok(None) };
            }
            if wanted(record.index()) {
                break;
            }
            keys.key(record)?;
        }
        let key = keys.key(record)?;
        page.clear();
        template.render_to(record, key, page).map_err(|error| error.in_file(table.name()))?;
        out.extend_from_slice(page.bytes());
        Ok(Some(LineInfo { index: record.index(), line: record.line(), key, length: page.len() }))
    }

    /// The record whose line was appended last.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// The table, as far as it was read.
    pub fn table(&self) -> &Table<R> {
        &self.table
    }
}

/// Writes the request lines of a whole table, in one pass and in constant memory, but for
/// 16 bytes a record to tell keys of a column apart. [`Build`] does the same with settings.
///
/// ```
/// use batch_io::{KeySpec, RequestSpec, RequestTemplate, Table, TableFormat, build};
///
/// let table = Table::new("body\nこんにちは\n".as_bytes(), "t.csv", TableFormat::CSV)?;
/// let template = RequestTemplate::compile(&RequestSpec::new("{{ body }}"), table.columns())?;
/// let mut out = Vec::new();
/// assert_eq!(build(table, &template, &KeySpec::Index, &mut out)?.records, 1);
/// assert_eq!(
///     String::from_utf8_lossy(&out),
///     "{\"key\":\"r0\",\"request\":{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"こんにちは\"}]}]}}\n",
/// );
/// # Ok::<(), batch_io::Error>(())
/// ```
///
/// # Errors
/// Those of [`Build::write`].
pub fn build<R: Read + Send, W: Write + Send>(
    table: Table<R>,
    template: &RequestTemplate,
    key: &KeySpec,
    out: W,
) -> Result<BuildSummary> {
    Build::new(template, key).write(table, out)
}

fn no_records(table: &str) -> Error {
    Error::new(ErrorKind::NoRecords, "the table has a header and no records")
        .at(Position::file(table))
        .with_hint("a job needs at least one request")
}
