//! Templates in Jinja's syntax over the columns of a table.

mod jinja;
mod names;
mod plain;
mod row;
mod scan;
mod syntax;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub(crate) use jinja::Jinja;
pub(crate) use row::Row;
pub use syntax::{ExpressionKind, SourcePlace, TemplateExpression, TemplateNode};

use crate::error::Result;
use crate::table::{Columns, Record};

/// A template in Jinja's syntax, compiled for the columns of one table.
///
/// Every column is a variable, as `{{ title }}` where its name is an identifier (of any
/// script) and as `{{ row["本文 1"] }}` whatever its name is. `record.index` counts the
/// records from 0 and `record.key` is the record's key; a column named `row` or `record`
/// is reached by `row["…"]`. A name that is nothing of the kind is an error when the
/// template is compiled, not an empty string in a paid request. Nothing is escaped, and
/// the last line end of the template stays.
///
/// A value prints as the table has it. In expressions the values of a CSV table are
/// strings; of a JSONL table, a number is a number (text, if it would print otherwise than
/// it is written: `1.50`), `true` a boolean, an array or object can be looked into, and a
/// missing value is an empty string. Booleans print as in JSON.
///
/// ```
/// use batch_io::{Record, Table, TableFormat, Template};
///
/// let mut table = Table::new("id,本文\n7,世界\n".as_bytes(), "t.csv", TableFormat::CSV)?;
/// let template = Template::compile("prompt template", "{{ record.key }}: {{ 本文 }}", table.columns())?;
///
/// let mut record = Record::new();
/// let mut text = String::new();
/// table.read(&mut record)?;
/// template.render(&record, "r0", &mut text)?;
/// assert_eq!(text, "r0: 世界");
/// # Ok::<(), batch_io::Error>(())
/// ```
#[derive(Debug)]
pub struct Template {
    program: Program,
}

#[derive(Debug)]
enum Program {
    /// Text and plain placeholders alone: put together without an interpreter.
    Plain(Vec<Piece>),
    Jinja(Box<Jinja>),
}

/// A piece of a template that has no logic in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Text that is the same in every record.
    Text(String),
    /// The value of the column at this position.
    Column(usize),
    /// The record's index.
    Index,
    /// The record's key.
    Key,
}

impl Template {
    /// Compiles a template. `name` is what errors call it: `prompt template`.
    ///
    /// # Errors
    /// [`ErrorKind::Template`](crate::ErrorKind::Template) for what is not Jinja, with the
    /// line; [`ErrorKind::UnknownColumn`](crate::ErrorKind::UnknownColumn) for a column
    /// that the table does not have, with those that it has.
    pub fn compile(name: &str, source: &str, columns: &Columns) -> Result<Self> {
        if let Some(pieces) = plain::certain_pieces(source, columns) {
            return Ok(Self { program: Program::Plain(pieces) });
        }
        let jinja = Jinja::compile(name, source, Arc::new(columns.clone()))?;
        let program = match plain::pieces(source, columns) {
            Some(pieces) => Program::Plain(pieces),
            None => Program::Jinja(Box::new(jinja)),
        };
        Ok(Self { program })
    }

    /// Appends what the template makes of a record, which must be of the table that it was
    /// compiled for.
    ///
    /// # Errors
    /// [`ErrorKind::Template`](crate::ErrorKind::Template) with the record's line and key,
    /// when an expression fails on this record's values; never for a template of nothing
    /// but text and plain placeholders.
    pub fn render(&self, record: &Record, key: &str, out: &mut String) -> Result<()> {
        match &self.program {
            Program::Plain(pieces) => {
                for piece in pieces {
                    match piece {
                        Piece::Text(text) => out.push_str(text),
                        Piece::Column(position) => out.push_str(record.get(*position)),
                        Piece::Index => out.push_str(itoa::Buffer::new().format(record.index())),
                        Piece::Key => out.push_str(key),
                    }
                }
                Ok(())
            }
            Program::Jinja(jinja) => jinja.render(&Row::new(record, key), |text| out.push_str(text)),
        }
    }

    /// Whether what it makes of two records is never the same, nor ever a number or a boolean: a letter,
    /// and then the index and text that does not change. As many digits as the index has, so much
    /// longer it is for each time that the index stands in it, so equal texts have equal indexes.
    pub(crate) fn tells_records_apart(&self) -> bool {
        let Program::Plain(pieces) = &self.program else { return false };
        let has_letter =
            matches!(pieces.first(), Some(Piece::Text(text)) if text.starts_with(|c: char| c.is_ascii_alphabetic()));
        has_letter
            && pieces.contains(&Piece::Index)
            && pieces.iter().all(|piece| matches!(piece, Piece::Text(_) | Piece::Index))
    }

    /// The pieces, or the engine's program where the template has logic in it.
    pub(crate) fn into_pieces(self) -> Result<Vec<Piece>, Box<Jinja>> {
        match self.program {
            Program::Plain(pieces) => Ok(pieces),
            Program::Jinja(jinja) => Err(jinja),
        }
    }
}
