//! What is to be run as SQL.

use std::collections::BTreeMap;

use crate::table::Field;

/// A statement to run, under a name of the caller's so that it is run once.
///
/// The name makes the job's id (letters, digits, `-` and `_`; anything else is an error of the service).
/// A statement that was begun under the same name before, by this process or another, is waited for and
/// not begun again; one that failed is begun again, under the name and a number. Where another statement
/// has the name, that is an error.
///
/// ```
/// let job = batch_bq::SqlJob::new("run-7-flatten", "CREATE TABLE d.answers AS SELECT 1 AS n")
///     .in_location("us-central1")
///     .with_label("batch_run", "run-7")
///     .with_maximum_bytes_billed(10 << 30);
/// assert_eq!(job.sql(), "CREATE TABLE d.answers AS SELECT 1 AS n");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlJob {
    name: String,
    sql: String,
    location: Option<String>,
    labels: BTreeMap<String, String>,
    maximum_bytes_billed: Option<u64>,
}

impl SqlJob {
    /// The statement `sql` in BigQuery's standard SQL, under the name `name`.
    #[must_use]
    pub fn new(name: impl Into<String>, sql: impl Into<String>) -> Self {
        let (name, sql) = (name.into(), sql.into());
        Self { name, sql, location: None, labels: BTreeMap::new(), maximum_bytes_billed: None }
    }

    /// Says where to run it; else BigQuery chooses by the tables that it names.
    #[must_use]
    pub fn in_location(mut self, location: impl Into<String>) -> Self {
        self.location = Some(location.into());
        self
    }

    /// Adds a label to the job, by which its costs are found in the bill.
    #[must_use]
    pub fn with_label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(key.into(), value.into());
        self
    }

    /// Lets the statement fail, for nothing, rather than be billed for more than this.
    #[must_use]
    pub fn with_maximum_bytes_billed(mut self, bytes: u64) -> Self {
        self.maximum_bytes_billed = Some(bytes);
        self
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The statement.
    #[must_use]
    pub fn sql(&self) -> &str {
        &self.sql
    }

    pub(crate) fn location(&self) -> Option<&str> {
        self.location.as_deref()
    }

    pub(crate) fn labels(&self) -> &BTreeMap<String, String> {
        &self.labels
    }

    pub(crate) fn maximum_bytes_billed(&self) -> Option<u64> {
        self.maximum_bytes_billed
    }
}

/// What a statement would do, by BigQuery's own estimate. A dry run is free.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DryRun {
    /// How many bytes it would read; `None` where a server does not tell.
    pub bytes_processed: Option<u64>,
    /// The columns of its result.
    pub fields: Vec<Field>,
    /// What kind of statement it is: `SELECT`, `CREATE_TABLE_AS_SELECT`.
    pub statement: String,
}
