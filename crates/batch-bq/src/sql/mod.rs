//! The statements by which BigQuery builds requests and reads answers itself, as text.
//!
//! A table of a billion rows need not pass through this machine: [`BuildRequests`] writes the SQL
//! that makes each row's request of a [`RequestSpec`](batch_io::RequestSpec), and
//! [`FlattenAnswers`] the SQL that makes columns of an output table's answers. Both equal what
//! `batch-io` makes of the same rows. Nothing is sent from here, and whatever cannot be said in SQL
//! is refused with its place.
//!
//! ```
//! use batch_bq::sql::{BuildRequests, Source, SourceColumn};
//! use batch_io::RequestSpec;
//!
//! let spec = RequestSpec::new("{{ title | upper }}");
//! let columns = vec![SourceColumn::new("id", "STRING"), SourceColumn::new("title", "STRING")];
//! let source = Source::Table("bq://shop.news.articles".parse()?);
//! let build = BuildRequests::new(&spec, source, columns).key_column("id");
//! let statements = build.statements(&"bq://shop.news.requests".parse()?)?;
//! assert!(statements[0].sql.contains("TO_JSON_STRING(UPPER(IFNULL(k.`title`, '')))"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What a value prints as
//!
//! | type of the column | in a template and as a key |
//! | --- | --- |
//! | `STRING` | itself |
//! | `INT64`, `BOOL` | its digits, `true` or `false`: as in JSON |
//! | `FLOAT64`, `NUMERIC`, `BIGNUMERIC` | as `CAST(… AS STRING)` has it; no key |
//! | `DATE`, `TIME`, `DATETIME`, `TIMESTAMP` | as `CAST(… AS STRING)` has it: `2026-01-02`, `2026-01-02 03:04:05.678+00` |
//! | `BYTES` | base64 |
//! | `JSON` | a string's text, nothing for null, anything else as JSON; no key |
//! | `ARRAY`, `STRUCT` | as JSON; no key |
//! | null, of any type | nothing |
//!
//! # What of a template can be said
//!
//! Text, placeholders, `record.key`, `{% if %}` with `elif` and `else`, `a if b else c`, `and`, `or`,
//! `not`, `~`, `==` and `!=` of two texts or of a number and a constant, slices `[a:b]` by constants,
//! and these filters:
//!
//! | filter | equal to the renderer's |
//! | --- | --- |
//! | `upper`, `lower`, `capitalize` | but for letters that the two Unicode tables map in other ways (a Greek sigma at a word's end, ligatures): not certain |
//! | `trim`, `trim("set")` | exactly; all white space of Unicode |
//! | `replace("constant", to)` | exactly |
//! | `length` of a text | exactly, in characters |
//! | `default(x)`, `default(x, true)`, `string` | exactly; a column is never undefined |
//! | `tojson` of a text | exactly |
//!
//! Loops, variables, macros, calls, tests, arithmetic, looks into a JSON value and `record.index`
//! (rows have no order) are refused.
//!
//! # Where servers differ
//!
//! The statements keep to what BigQuery documents. Two servers that run its SQL elsewhere take them
//! with these exceptions, which the tests account for:
//!
//! | what | BigQuery | local-bigquery 0.3.2 | bqemulator 1.4.0 |
//! | --- | --- | --- | --- |
//! | `JSON_TYPE` of a string, of a number | `string`, `number` | the same | `varchar`, `bigint`, `ubigint`, `double` |
//! | `TO_JSON_STRING(JSON_QUERY(…))` | JSON | JSON | JSON in a string |
//! | `\x01` in a literal | a control character | the same | four characters |
//! | `'\\u0041'` (avoided by raw literals) | `\u0041` | `A` | `\u0041` |
//! | `JSON_QUERY_ARRAY` of no array (avoided by a condition) | null | an error | an error |
//! | `JSON_QUERY` of a `JSON_QUERY` beside `IN` (avoided by one path) | a value | the same | an error |
//! | `PARSE_JSON` of `[1,]`, `NaN` | an error | a value | a value |
//! | `CAST(NUMERIC '1.5' AS STRING)` | `1.5` | `1.500000000` | `1.500000000` |
//! | `JSON_KEYS` of names with a full stop | in quotes | left out | bare |

mod build;
mod column;
mod expression;
mod flatten;
mod quote;
mod schema;
mod shard;
#[cfg(test)]
mod tests;

use std::error::Error as StdError;
use std::fmt;

pub use build::{BuildRequests, Source};
pub use column::SourceColumn;
pub use flatten::{FlattenAnswers, Flattened, ResponseType};
pub use shard::{MOST_SHARDS, shards_for};

/// The result of writing SQL.
pub type Result<T, E = SqlError> = std::result::Result<T, E>;

/// One statement to run, and what it does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statement {
    /// What it does, in one line: `check the keys`.
    pub title: String,
    /// GoogleSQL, without a semicolon behind it.
    pub sql: String,
}

/// The longest statement that BigQuery takes, in characters (quotas page, "maximum unresolved
/// GoogleSQL query length").
const LONGEST: usize = 1_000_000;

impl Statement {
    fn new(title: impl Into<String>, sql: String) -> Result<Self> {
        let title = title.into();
        let length = sql.chars().count();
        if LONGEST < length {
            return Err(SqlError::new(format!(
                "the statement to {title} has {length} characters, and BigQuery takes {LONGEST}"
            ))
            .with_hint("put long texts of the request into columns of the source, or build the requests here"));
        }
        Ok(Self { title, sql })
    }
}

impl fmt::Display for Statement {
    /// The title as a comment, the statement, a semicolon: to be pasted into a console.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "-- {}\n{};\n", self.title, self.sql)
    }
}

/// Why something cannot be said in SQL.
///
/// Displays as a lower-case fragment with the template's line and column, or the column's or
/// field's name; what to do is the [`hint`](Self::hint).
pub struct SqlError(Box<Inner>);

struct Inner {
    message: String,
    hint: Option<String>,
    source: Option<batch_io::Error>,
}

impl SqlError {
    fn new(message: impl Into<String>) -> Self {
        Self(Box::new(Inner { message: message.into(), hint: None, source: None }))
    }

    fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// What to do about it, where something can be done.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref().or_else(|| self.0.source.as_ref()?.hint())
    }
}

impl From<batch_io::Error> for SqlError {
    fn from(error: batch_io::Error) -> Self {
        Self(Box::new(Inner { message: "the request cannot be built".to_owned(), hint: None, source: Some(error) }))
    }
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlError").field("message", &self.0.message).field("hint", &self.0.hint).finish_non_exhaustive()
    }
}

impl StdError for SqlError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_ref().map(|source| source as _)
    }
}
