//! What is known of a table and of a dataset.

use std::{collections::BTreeMap, fmt};

use batch_backend::{Error, Kind, Result};
use batch_model::BigQueryUri;

/// The name of one table, all three parts of it. Displays as `bq://project.dataset.table`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct TableName {
    pub(crate) project: String,
    pub(crate) dataset: String,
    pub(crate) table: String,
}

impl TableName {
    /// The table that `uri` names; an error where it names only a project or a dataset.
    pub(crate) fn of(uri: &BigQueryUri, doing: &str) -> Result<Self> {
        match (uri.dataset(), uri.table()) {
            (Some(dataset), Some(table)) => {
                let (project, dataset, table) = (uri.project().to_owned(), dataset.to_owned(), table.to_owned());
                Ok(Self { project, dataset, table })
            }
            _ => Err(Error::new(Kind::InvalidArgument, doing, uri.to_string())
                .with_source("it names no table")
                .with_hint("write it as bq://project.dataset.table")),
        }
    }

    pub(crate) fn uri(&self) -> BigQueryUri {
        BigQueryUri::table_of(&self.project, &self.dataset, &self.table)
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uri().fmt(f)
    }
}

/// What BigQuery knows of a table: the members of [`tables.get`] that are of use here.
///
/// [`tables.get`]: https://cloud.google.com/bigquery/docs/reference/rest/v2/tables
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct TableInfo {
    /// Its address, with all three parts.
    pub uri: BigQueryUri,
    /// `TABLE`, `VIEW`, `EXTERNAL`, `MATERIALIZED_VIEW` or `SNAPSHOT`.
    pub kind: String,
    /// Its columns, in their order.
    pub fields: Vec<Field>,
    /// How many rows it has, without those that are still in its streaming buffer.
    pub rows: u64,
    /// How many bytes of data it has, by BigQuery's own count.
    pub bytes: u64,
    /// Where it lies, as its dataset: `us-central1`, `US`.
    pub location: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// When it was last changed, in milliseconds since 1970.
    pub modified: u64,
    /// Whether rows are being streamed into it, which its count of rows does not have yet.
    pub is_streamed: bool,
}

impl TableInfo {
    /// The column of this name. BigQuery tells no upper case from lower case in it.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name.eq_ignore_ascii_case(name))
    }
}

/// What BigQuery knows of a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DatasetInfo {
    /// Its address: `bq://project.dataset`.
    pub uri: String,
    /// Where it lies, as the service writes it: `us-central1`, `US`.
    pub location: String,
}

/// A column of a table, or a member of a column of type [`Record`](FieldKind::Record).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// The type of its values.
    pub kind: FieldKind,
    /// Whether it may be null, or is an array.
    pub mode: Mode,
    /// The members of a record; empty for any other type.
    pub fields: Vec<Field>,
}

impl Field {
    /// A column that may be null.
    #[must_use]
    pub fn nullable(name: impl Into<String>, kind: FieldKind) -> Self {
        Self { name: name.into(), kind, mode: Mode::Nullable, fields: Vec::new() }
    }

    /// The column's type as SQL has it: `ARRAY<STRING>`, `STRUCT`, `INT64`.
    #[must_use]
    pub fn sql_type(&self) -> String {
        match self.mode {
            Mode::Repeated => format!("ARRAY<{}>", self.kind),
            Mode::Nullable | Mode::Required => self.kind.to_string(),
        }
    }
}

/// The mode of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// May be null.
    Nullable,
    /// Is never null.
    Required,
    /// An array, in SQL.
    Repeated,
}

/// The type of a column's values. Displays by its name in SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldKind {
    /// `STRING`.
    String,
    /// `BYTES`; Base64 in JSON.
    Bytes,
    /// `INT64`.
    Integer,
    /// `FLOAT64`.
    Float,
    /// `BOOL`.
    Bool,
    /// `NUMERIC`.
    Numeric,
    /// `BIGNUMERIC`.
    BigNumeric,
    /// `TIMESTAMP`.
    Timestamp,
    /// `DATE`.
    Date,
    /// `TIME`.
    Time,
    /// `DATETIME`.
    DateTime,
    /// `GEOGRAPHY`.
    Geography,
    /// `JSON`.
    Json,
    /// `INTERVAL`.
    Interval,
    /// `RANGE`.
    Range,
    /// `STRUCT`.
    Record,
    /// One that came later than this program, by the service's name.
    Other(String),
}

impl FieldKind {
    /// The type that a schema names, in SQL's words or in those of legacy SQL.
    pub(crate) fn of(name: &str) -> Self {
        match name.to_ascii_uppercase().as_str() {
            "STRING" => Self::String,
            "BYTES" => Self::Bytes,
            "INTEGER" | "INT64" => Self::Integer,
            "FLOAT" | "FLOAT64" => Self::Float,
            "BOOLEAN" | "BOOL" => Self::Bool,
            "NUMERIC" => Self::Numeric,
            "BIGNUMERIC" => Self::BigNumeric,
            "TIMESTAMP" => Self::Timestamp,
            "DATE" => Self::Date,
            "TIME" => Self::Time,
            "DATETIME" => Self::DateTime,
            "GEOGRAPHY" => Self::Geography,
            "JSON" => Self::Json,
            "INTERVAL" => Self::Interval,
            "RANGE" => Self::Range,
            "RECORD" | "STRUCT" => Self::Record,
            _ => Self::Other(name.to_owned()),
        }
    }

    /// The type's name in a schema that is sent: those that every server knows.
    pub(crate) fn wire(&self) -> &str {
        match self {
            Self::Integer => "INTEGER",
            Self::Float => "FLOAT",
            Self::Bool => "BOOLEAN",
            Self::Record => "RECORD",
            other => other.sql(),
        }
    }

    fn sql(&self) -> &str {
        match self {
            Self::String => "STRING",
            Self::Bytes => "BYTES",
            Self::Integer => "INT64",
            Self::Float => "FLOAT64",
            Self::Bool => "BOOL",
            Self::Numeric => "NUMERIC",
            Self::BigNumeric => "BIGNUMERIC",
            Self::Timestamp => "TIMESTAMP",
            Self::Date => "DATE",
            Self::Time => "TIME",
            Self::DateTime => "DATETIME",
            Self::Geography => "GEOGRAPHY",
            Self::Json => "JSON",
            Self::Interval => "INTERVAL",
            Self::Range => "RANGE",
            Self::Record => "STRUCT",
            Self::Other(name) => name,
        }
    }
}

impl fmt::Display for FieldKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sql())
    }
}
