//! The SQL that makes request tables of any table or query.

use batch_io::{Columns, RequestPiece, RequestSpec};
use batch_model::BigQueryUri;

use super::column::{ColumnKind, SourceColumn};
use super::expression::Scope;
use super::{MOST_SHARDS, Result, SqlError, Statement, quote, shard};

/// Where the rows come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A table or view.
    Table(BigQueryUri),
    /// A `SELECT` of GoogleSQL, as its author wrote it.
    Query(String),
}

impl Source {
    /// The statement that creates a table of all rows as they are.
    ///
    /// # Errors
    /// For a query without text, and a name that is no table's.
    pub fn copy(&self, into: &BigQueryUri) -> Result<Statement> {
        let sql = format!("CREATE TABLE {} AS\nSELECT *\nFROM {}", quote::table(into)?, self.clause()?);
        Statement::new(format!("put the rows into {into}"), sql)
    }

    /// `FROM` what, with the row's alias.
    fn clause(&self) -> Result<String> {
        Ok(match self {
            Self::Table(uri) => format!("{} AS {ROW}", quote::table(uri)?),
            Self::Query(query) => {
                let query = query.trim_end_matches(|char: char| char == ';' || char.is_whitespace()).trim_start();
                if query.is_empty() {
                    return Err(SqlError::new("the source is a query without text"));
                }
                // The line end ends a comment, too.
                format!("(\n{query}\n) AS {ROW}")
            }
        })
    }
}

/// Writes the SQL that builds the requests of a spec inside BigQuery.
///
/// The tables that it creates have `key` (`STRING`), `request` (`JSON`) and the spec's
/// pass-through columns, which keep their types. A request equals, as a JSON value, the one that
/// [`RequestTemplate`](batch_io::RequestTemplate) renders of the same row.
///
/// A statement that creates a table fails on an empty or repeated key, on a file's URI that can be
/// none and on an empty MIME type, with the words and the key; nothing is created then.
#[derive(Clone, Debug)]
pub struct BuildRequests<'a> {
    request: &'a RequestSpec,
    source: Source,
    columns: Vec<SourceColumn>,
    key: Option<String>,
}

/// What the row of the source is called.
const ROW: &str = "s";

impl<'a> BuildRequests<'a> {
    /// `columns` are all of the source, of a table's schema or a query's dry run.
    ///
    /// Without a [key column](Self::key_column), a row's key is `r`, 32 digits of a hash of the
    /// row, a dash and a number that tells equal rows apart: `r4be1…9c-1`. The same table always
    /// has the same keys, as unlike random ones.
    #[must_use]
    pub fn new(request: &'a RequestSpec, source: Source, columns: Vec<SourceColumn>) -> Self {
        Self { request, source, columns, key: None }
    }

    /// The column whose values are the keys: each has to be there, and unique.
    #[must_use]
    pub fn key_column(mut self, name: impl Into<String>) -> Self {
        self.key = Some(name.into());
        self
    }

    /// Counts the source's rows and looks at its keys. The one row that comes out has `records`,
    /// `empty_keys` (how many), `repeated_keys` (how many different ones) and `example`, one of the
    /// repeated.
    ///
    /// # Errors
    /// For a key column that the source lacks or that has a type without one spelling.
    pub fn check_keys(&self) -> Result<Statement> {
        let source = self.source.clause()?;
        let sql = if self.key.is_some() {
            format!(
                "WITH keys AS (\n  SELECT {} AS batch_key, COUNT(*) AS n\n  FROM {source}\n  GROUP BY batch_key\n)\n\
                 SELECT\n  IFNULL(SUM(n), 0) AS records,\n  IFNULL(SUM(IF(batch_key = '', n, 0)), 0) AS empty_keys,\n  \
                 COUNTIF(batch_key != '' AND 1 < n) AS repeated_keys,\n  \
                 MIN(IF(batch_key != '' AND 1 < n, batch_key, NULL)) AS example\nFROM keys",
                self.key_expression(ROW)?,
            )
        } else {
            // Keys that are made are unique.
            format!(
                "SELECT COUNT(*) AS records, 0 AS empty_keys, 0 AS repeated_keys, CAST(NULL AS STRING) AS example\nFROM {source}"
            )
        };
        Statement::new("count the rows and check the keys", sql)
    }

    /// The statement that creates one table of all rows.
    ///
    /// # Errors
    /// [`SqlError`] for what cannot be said in SQL; its source is a [`batch_io::Error`] where the
    /// request is wrong in any case.
    pub fn statements(&self, into: &BigQueryUri) -> Result<Vec<Statement>> {
        let sql = format!("CREATE TABLE {} AS\n{}", quote::table(into)?, self.select(None)?);
        Ok(vec![Statement::new(format!("build the requests into {into}"), sql)?])
    }

    /// The statements that create a table for each shard, for more rows than one job takes.
    ///
    /// All rows are built once, into `staging`, which has a partition for each shard, so that
    /// each shard costs its own bytes alone; the last statement drops it again. The second one
    /// fails where a shard has more than `limit` rows.
    ///
    /// # Errors
    /// As [`statements`](Self::statements); and for no shards, or more than [`MOST_SHARDS`].
    pub fn sharded_statements(
        &self,
        staging: &BigQueryUri,
        shards: &[BigQueryUri],
        limit: u64,
    ) -> Result<Vec<Statement>> {
        let count = u32::try_from(shards.len()).unwrap_or(u32::MAX);
        if count == 0 || MOST_SHARDS < count {
            return Err(SqlError::new(format!("{count} shards, where there may be 1 to {MOST_SHARDS}")));
        }
        let names = self.request.columns.iter().map(String::as_str);
        let shard = quote::unused("shard", names.chain(["key", "request"]));
        let from = quote::table(staging)?;
        let mut statements = vec![
            Statement::new(
                format!("build the requests into {staging}, by shard"),
                format!(
                    "CREATE TABLE {from}\nPARTITION BY RANGE_BUCKET({shard}, GENERATE_ARRAY(0, {count}, 1)) AS\n{}",
                    self.select(Some((&shard, count)))?
                ),
            )?,
            Statement::new(
                format!("check that no shard has more than {limit} rows"),
                format!(
                    "SELECT {shard}, IF({limit} < COUNT(*), ERROR(CONCAT('shard ', CAST({shard} AS STRING), ' has ', \
                     CAST(COUNT(*) AS STRING), ' rows, more than {limit}: take more shards')), COUNT(*)) AS records\n\
                     FROM {from}\nGROUP BY {shard}\nORDER BY {shard}"
                ),
            )?,
        ];
        for (number, into) in shards.iter().enumerate() {
            let sql = format!(
                "CREATE TABLE {} AS\nSELECT * EXCEPT ({shard})\nFROM {from}\nWHERE {shard} = {number}",
                quote::table(into)?
            );
            statements.push(Statement::new(format!("put shard {number} into {into}"), sql)?);
        }
        statements.push(Statement::new(format!("drop {staging}"), format!("DROP TABLE {from}"))?);
        Ok(statements)
    }

    /// The key of a row of the source.
    fn key_expression(&self, alias: &str) -> Result<String> {
        let Some(name) = &self.key else {
            let hash = row_hash(alias);
            return Ok(format!("CONCAT({hash}, '-', CAST(ROW_NUMBER() OVER (PARTITION BY {hash}) AS STRING))"));
        };
        let column = self.columns.iter().find(|column| column.name() == name.as_str()).ok_or_else(|| {
            let names: Vec<_> = self.columns.iter().map(|column| format!("{:?}", column.name())).collect();
            SqlError::new(format!("unknown column {name:?} for the key; the source has {}", names.join(", ")))
        })?;
        let path = column.path(alias)?;
        Ok(match column.kind()? {
            ColumnKind::Text => format!("IFNULL({path}, '')"),
            ColumnKind::Integer | ColumnKind::Cast | ColumnKind::Bool => format!("IFNULL(CAST({path} AS STRING), '')"),
            ColumnKind::Bytes => format!("IFNULL(TO_BASE64({path}), '')"),
            ColumnKind::Number | ColumnKind::Json | ColumnKind::Nested => {
                return Err(SqlError::new(format!(
                    "the column {name:?} cannot be the key: values of its type have no one spelling"
                ))
                .with_hint("make the source a SELECT that casts it to STRING"));
            }
        })
    }

    fn select(&self, shard: Option<(&str, u32)>) -> Result<String> {
        let table = Columns::of(self.columns.iter().map(SourceColumn::name))?;
        // Before the names of our own, so that these stay what they are.
        let pieces = self.request.outline(&table)?;
        let names = self.columns.iter().map(SourceColumn::name);
        let key_name = quote::unused("batch_key", names.clone());
        let count_name = quote::unused("batch_rows", names);
        let key = format!("k.{key_name}");
        let mut columns = vec![
            format!(
                "CASE\n    WHEN {key} = '' THEN ERROR('a key is empty: fill it in, or name no key column')\n    \
                 WHEN 1 < k.{count_name} THEN ERROR(CONCAT('the key ', TO_JSON_STRING({key}), ' stands in ', \
                 CAST(k.{count_name} AS STRING), ' rows'))\n    ELSE {key}\n  END AS key"
            ),
            format!("{} AS request", self.request_expression(&pieces, &key)?),
        ];
        for name in &self.request.columns {
            let column = self.columns.iter().find(|column| column.name() == name.as_str());
            // That it is there has been checked with the request.
            let Some(column) = column else { continue };
            column.check_pass_through()?;
            columns.push(column.path("k")?);
        }
        if let Some((name, count)) = shard {
            columns.push(format!("{} AS {name}", shard::number(&key, count)));
        }
        Ok(format!(
            "WITH keyed AS (\n  SELECT {ROW}.*, {} AS {key_name}\n  FROM {}\n),\n\
             counted AS (\n  SELECT *, COUNT(*) OVER (PARTITION BY {key_name}) AS {count_name}\n  FROM keyed\n)\n\
             SELECT\n  {}\nFROM counted AS k",
            self.key_expression(ROW)?,
            self.source.clause()?,
            columns.join(",\n  "),
        ))
    }

    fn request_expression(&self, pieces: &[RequestPiece], key: &str) -> Result<String> {
        let mut parts = Vec::new();
        for piece in pieces {
            parts.push(match piece {
                RequestPiece::Json(json) => quote::text(json),
                RequestPiece::Text { template, nodes } => {
                    let scope = Scope { template, columns: &self.columns, alias: "k", key };
                    format!("TO_JSON_STRING({})", scope.text(nodes)?)
                }
                RequestPiece::FileUri { column } => {
                    let uri = self.text_column(column)?;
                    format!(
                        "TO_JSON_STRING(IF(REGEXP_CONTAINS({uri}, {}), {uri}, ERROR(CONCAT('the service reads no file from ', \
                         TO_JSON_STRING({uri}), ', key ', TO_JSON_STRING({key})))))",
                        quote::pattern("^(gs|https)://(?s:.)")
                    )
                }
                RequestPiece::MimeType { column } => {
                    let mime = self.text_column(column)?;
                    format!(
                        "TO_JSON_STRING(IF({mime} != '', {mime}, ERROR(CONCAT('the MIME type of the file is empty, key ', \
                         TO_JSON_STRING({key})))))"
                    )
                }
                _ => return Err(SqlError::new("a piece of the request cannot be said in SQL")),
            });
        }
        Ok(match parts.as_slice() {
            [constant] => format!("PARSE_JSON({constant})"),
            _ => format!("PARSE_JSON(CONCAT(\n    {}\n  ))", parts.join(",\n    ")),
        })
    }

    /// A column's text, in the row that the requests are made of.
    fn text_column(&self, name: &str) -> Result<String> {
        let column = self.columns.iter().find(|column| column.name() == name);
        let column = column.ok_or_else(|| SqlError::new(format!("unknown column {name:?}")))?;
        match column.kind()? {
            ColumnKind::Text => Ok(format!("IFNULL({}, '')", column.path("k")?)),
            _ => Err(SqlError::new(format!("the column {name:?} is of no text, as a file's URI or MIME type is"))
                .with_hint("make the source a SELECT that casts it to STRING")),
        }
    }
}

/// A letter, since digits alone are taken for a number in places, and 128 bits of a hash.
fn row_hash(alias: &str) -> String {
    format!("CONCAT('r', SUBSTR(TO_HEX(SHA256(TO_JSON_STRING({alias}))), 1, 32))")
}
