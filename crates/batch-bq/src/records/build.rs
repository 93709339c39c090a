//! Tables of requests.

use batch_backend::{Error, Kind, Result, Staged, StagedSize};
use batch_model::InputConfig;
use serde::Deserialize;

use super::{BqRecords, Found, Way, advise, job_name, piece};
use crate::{
    SqlJob, TableInfo,
    sql::{BuildRequests, Statement, shards_for},
    table::TableName,
};

/// What counting the rows of a source gives.
#[derive(Debug, Deserialize)]
struct Counted {
    records: u64,
    empty_keys: u64,
    repeated_keys: u64,
    #[serde(default)]
    example: Option<String>,
}

impl BqRecords {
    /// A table that has requests, as it is.
    pub(super) fn take(&self, table: &TableInfo, most: u64) -> Result<Staged> {
        if table.is_streamed {
            tracing::warn!(table = %table.uri, "rows are being streamed into it, which its count of rows does not have");
        }
        if most < table.rows {
            return Err(too_many(&table.uri.to_string(), table.rows, most));
        }
        Ok(staged(table))
    }

    /// Tables of requests, made by BigQuery, unless they are there.
    pub(super) async fn make(&self, name: &str, most: u64, found: &Found) -> Result<Vec<Staged>> {
        let location = self.sql_location().await?;
        let location = location.as_deref();
        let tables = match found.way {
            Way::Built => {
                let build = self.build(&found.fields)?;
                let counted = self.count(name, &build, location).await?;
                let shards = self.sql(shards_for(counted.records, most))?;
                let tables: Vec<TableName> =
                    (0..shards).map(|shard| self.staged_in.table(&piece(name, shard))).collect::<Result<_>>()?;
                if self.are_there(&tables).await?.is_none() {
                    let statements = self.statements_into(name, &build, &tables, most)?;
                    self.run(name, &statements, location).await?;
                }
                tables
            }
            Way::AsItIs | Way::Copied => {
                let table = self.staged_in.table(&piece(name, 0))?;
                if self.are_there(std::slice::from_ref(&table)).await?.is_none() {
                    let copy = self.sql(self.source.copy(&table.uri()))?;
                    self.run(name, &[copy], location).await?;
                }
                vec![table]
            }
        };
        let Some(made) = self.are_there(&tables).await? else {
            return Err(Error::new(Kind::FailedPrecondition, "build the requests of", self.to_string())
                .with_source("a table of them was deleted after it was built")
                .with_hint("begin a new run with --new"));
        };
        if let Some(long) = made.iter().find(|table| most < table.rows) {
            return Err(too_many(&long.uri.to_string(), long.rows, most));
        }
        Ok(made.iter().map(staged).collect())
    }

    fn statements_into(
        &self,
        name: &str,
        build: &BuildRequests<'_>,
        tables: &[TableName],
        most: u64,
    ) -> Result<Vec<Statement>> {
        match tables {
            [only] => self.sql(build.statements(&only.uri())),
            several => {
                let uris: Vec<_> = several.iter().map(TableName::uri).collect();
                let all = self.staged_in.table(&format!("{name}/all"))?.uri();
                self.sql(build.sharded_statements(&all, &uris, most))
            }
        }
    }

    /// Counts the rows. A second time it is the count of the first.
    async fn count(&self, name: &str, build: &BuildRequests<'_>, location: Option<&str>) -> Result<Counted> {
        let statement = self.sql(build.check_keys())?;
        let mut rows = self.client.query(&job(name, "count", &statement, location)).await.map_err(advise)?;
        let about = |kind| Error::new(kind, "count the rows of", self.to_string());
        let page = rows.next().await?.ok_or_else(|| about(Kind::BadReply).with_source("the count has no row"))?;
        let counted: Counted =
            serde_json::from_slice(&page.lines).map_err(|error| about(Kind::BadReply).with_source(error))?;
        let column = self.key.as_deref().unwrap_or("key");
        let wrong = match (&counted, &counted.example) {
            (Counted { empty_keys: 1.., .. }, _) => {
                format!("the key column {column} is empty in {} rows", counted.empty_keys)
            }
            (Counted { repeated_keys: 1.., .. }, Some(example)) => {
                format!("{} keys stand in more than one row, such as {example:?}", counted.repeated_keys)
            }
            (Counted { repeated_keys: 1.., .. }, None) => {
                format!("{} keys stand in more than one row", counted.repeated_keys)
            }
            _ => return Ok(counted),
        };
        Err(about(Kind::InvalidArgument)
            .with_source(wrong)
            .with_hint("name another column with input.key, or none: then the keys are made of the rows"))
    }

    /// Runs statements one after the other, each once under its name.
    async fn run(&self, name: &str, statements: &[Statement], location: Option<&str>) -> Result<()> {
        for statement in statements {
            tracing::info!(statement = %statement.title, "run SQL");
            self.client.run(&job(name, "build", statement, location)).await.map_err(advise)?;
        }
        Ok(())
    }

    /// What is known of tables; `None` where one of them is not there. Each is there as soon as it is whole.
    async fn are_there(&self, tables: &[TableName]) -> Result<Option<Vec<TableInfo>>> {
        let mut found = Vec::new();
        for table in tables {
            match self.client.table(&table.uri()).await? {
                Some(table) => found.push(table),
                None => return Ok(None),
            }
        }
        Ok(Some(found))
    }
}

fn job(name: &str, what: &str, statement: &Statement, location: Option<&str>) -> SqlJob {
    let job = SqlJob::new(job_name(name, what, &statement.sql), &statement.sql).with_label("batch_cli", what);
    match location {
        Some(location) => job.in_location(location),
        None => job,
    }
}

/// A table as the input of a job.
fn staged(table: &TableInfo) -> Staged {
    Staged {
        input: InputConfig::bigquery(table.uri.to_string()),
        size: StagedSize::Rows(table.rows),
        checksum: Some(format!("modified={}", table.modified)),
    }
}

fn too_many(table: &str, rows: u64, most: u64) -> Error {
    Error::new(Kind::FailedPrecondition, "take as the input", table)
        .with_source(format!("its {rows} rows are more than the {most} that one job takes"))
        .with_hint(
            "run parts of it one after the other, each a SELECT in input.query; or leave the requests to a template, \
             whose tables are cut into shards",
        )
}
