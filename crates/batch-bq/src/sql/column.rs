//! The columns of the table that requests are built of.

use super::{Result, SqlError, quote};

/// A column of the source: of a table's schema, or of a query's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceColumn {
    pub(super) name: String,
    pub(super) sql_type: String,
}

/// What a column's values are to a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ColumnKind {
    /// `STRING`.
    Text,
    /// Dates and times: text, as a cast makes it.
    Cast,
    /// `BYTES`: text, as base64.
    Bytes,
    /// `INT64`.
    Integer,
    /// `FLOAT64`, `NUMERIC` and `BIGNUMERIC`.
    Number,
    Bool,
    Json,
    /// `ARRAY` and `STRUCT`: text, as JSON.
    Nested,
}

impl SourceColumn {
    /// A column and its type, as SQL (`INT64`) or as the API (`INTEGER`) calls it.
    pub fn new(name: impl Into<String>, sql_type: impl Into<String>) -> Self {
        Self { name: name.into(), sql_type: sql_type.into() }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The type's name without its parameters, in upper case.
    fn bare_type(&self) -> String {
        let end = self.sql_type.find(['(', '<']).unwrap_or(self.sql_type.len());
        self.sql_type[..end].trim().to_ascii_uppercase()
    }

    pub(super) fn kind(&self) -> Result<ColumnKind> {
        Ok(match self.bare_type().as_str() {
            "STRING" => ColumnKind::Text,
            "INT64" | "INTEGER" => ColumnKind::Integer,
            "FLOAT64" | "FLOAT" | "NUMERIC" | "BIGNUMERIC" => ColumnKind::Number,
            "BOOL" | "BOOLEAN" => ColumnKind::Bool,
            "DATE" | "TIME" | "DATETIME" | "TIMESTAMP" => ColumnKind::Cast,
            "BYTES" => ColumnKind::Bytes,
            "JSON" => ColumnKind::Json,
            "ARRAY" | "STRUCT" | "RECORD" => ColumnKind::Nested,
            _ => {
                return Err(SqlError::new(format!(
                    "the column {:?} has the type {}, whose values print in no one way",
                    self.name, self.sql_type
                ))
                .with_hint("make the source a SELECT that casts it to STRING"));
            }
        })
    }

    /// The column, of the row that is called `alias`.
    pub(super) fn path(&self, alias: &str) -> Result<String> {
        Ok(format!("{alias}.{}", quote::column(&self.name, "the column")?))
    }

    /// An error where the service would refuse to pass its values through.
    pub(super) fn check_pass_through(&self) -> Result<()> {
        let refused = |why: String, hint: &str| Err(SqlError::new(why).with_hint(hint));
        let name = &self.name;
        if matches!(self.bare_type().as_str(), "ARRAY" | "STRUCT" | "RECORD" | "RANGE" | "DATETIME" | "GEOGRAPHY") {
            return refused(
                format!(
                    "the column {name:?} of type {} cannot be passed through: the service refuses it",
                    self.sql_type
                ),
                "leave it out, or make the source a SELECT that casts it to STRING",
            );
        }
        if ["key", "request", "response", "status", "processed_time"]
            .iter()
            .any(|taken| name.eq_ignore_ascii_case(taken))
        {
            return refused(
                format!("the column {name:?} cannot be passed through: its name is taken in output tables"),
                "make the source a SELECT that gives it another name",
            );
        }
        Ok(())
    }
}
