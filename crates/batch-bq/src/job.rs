//! Jobs of BigQuery: loads and queries.

use std::{fmt, time::Duration};

use batch_backend::Error;

/// How long a job is waited for: the longest that BigQuery lets one run.
pub(crate) const LONGEST_JOB: Duration = Duration::from_secs(6 * 3600);

/// The name of a job. Displays as `project:location.id`, which is what `bq show -j` takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JobName {
    pub(crate) project: String,
    pub(crate) id: String,
    /// Where it runs, as far as that is known. The service finds a job without it only in `US` and `EU`.
    pub(crate) location: Option<String>,
}

impl fmt::Display for JobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.location {
            Some(location) => write!(f, "{}:{location}.{}", self.project, self.id),
            None => write!(f, "{}:{}", self.project, self.id),
        }
    }
}

/// What is known of a job.
#[derive(Debug)]
pub(crate) struct JobInfo {
    pub(crate) name: JobName,
    pub(crate) is_done: bool,
    /// Why it failed, where it did.
    pub(crate) error: Option<Error>,
    /// The query, of a query job.
    pub(crate) sql: Option<String>,
    pub(crate) load: LoadStatistics,
    pub(crate) statistics: SqlStatistics,
}

/// What a load job did; what the service did not tell is `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct LoadStatistics {
    /// Rows that it wrote.
    pub(crate) rows: Option<u64>,
    /// Bytes that it read.
    pub(crate) bytes: Option<u64>,
    /// Lines that it left out.
    pub(crate) bad_rows: u64,
}

/// What a query did: `statistics` of its job.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SqlStatistics {
    /// The job, in the form that `bq show -j` takes.
    pub job: String,
    /// What kind of statement it was: `SELECT`, `CREATE_TABLE_AS_SELECT`, `MERGE`.
    pub statement: String,
    /// How many rows an `INSERT`, `UPDATE`, `DELETE` or `MERGE` changed; `None` of any other statement.
    pub rows_affected: Option<u64>,
    /// How many bytes it read.
    pub bytes_processed: Option<u64>,
    /// How many bytes are billed: BigQuery rounds up, to 10 MB at least. `None` where a server does not tell.
    pub bytes_billed: Option<u64>,
    /// Whether the result came from BigQuery's cache, for nothing.
    pub is_cached: bool,
}
