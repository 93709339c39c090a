//! One row of a table, in memory that is used again for the next.

/// One row of a [`Table`](crate::Table).
///
/// Made empty once and filled by [`Table::read`](crate::Table::read), which reuses its
/// memory. It has exactly one value for each column.
#[derive(Clone, Debug, Default)]
pub struct Record {
    pub(super) index: u64,
    pub(super) line: u64,
    pub(super) byte: u64,
    /// The values, one after the other.
    pub(super) text: String,
    /// Where each value ends in `text`.
    pub(super) ends: Vec<usize>,
    /// Empty for a table whose values are all text.
    pub(super) types: Vec<ValueType>,
}

/// What a value was in the table, before it became text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ValueType {
    /// A JSON string, and every field of a CSV or TSV table.
    #[default]
    Text,
    /// A JSON number; its text is the source's, digit for digit.
    Number,
    /// `true` or `false`.
    Bool,
    /// A JSON `null`, or a key that this line lacks; its text is empty.
    Null,
    /// An array or object; its text is the source without the white space between
    /// tokens.
    Json,
}

impl Record {
    /// A record with no values, to be read into.
    pub fn new() -> Self {
        Self::default()
    }

    /// Its place in input order, from 0.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The physical line on which it begins, from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// The offset in bytes from the beginning of the file at which it begins.
    pub fn byte(&self) -> u64 {
        self.byte
    }

    /// How many values it has: as many as the table has columns.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether it has none, as before the first read.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The value in the column at this position, verbatim.
    ///
    /// # Panics
    /// If the table has no column there, as a slice does.
    pub fn get(&self, column: usize) -> &str {
        let start = if column == 0 { 0 } else { self.ends[column - 1] };
        &self.text[start..self.ends[column]]
    }

    /// What the value was before it became text.
    pub fn value_type(&self, column: usize) -> ValueType {
        self.types.get(column).copied().unwrap_or_default()
    }

    /// The values in the columns' order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        (0..self.ends.len()).map(|column| self.get(column))
    }
}
