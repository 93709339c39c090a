//! Predictions out of a table.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use batch_backend::{Chunk, Error, Kind, OutputStore, PredictionSource, Result};
use batch_model::{BatchPredictionJob, BigQueryUri, InputConfig, OutputConfig, OutputInfo};
use bytes::Bytes;

use crate::{BqClient, Rows, cell::Texts, names::table_name, table::TableName};

/// What the rows of a job are called as a file: as on Cloud Storage.
const FILE: &str = "predictions.jsonl";

/// Predictions as tables of one dataset, a table for each name.
///
/// Each row comes as one line with the members that a line on Cloud Storage has: `status`,
/// `processed_time`, `request` and `response`, and the pass-through columns as the schema types them
/// ([`BqClient::read_table`] says how). JSON is byte for byte what the cell has.
///
/// A name becomes a table's name as for [`BqInput`](crate::BqInput). What the address names:
///
/// | address | a job of `name` writes to |
/// | --- | --- |
/// | `bq://project.dataset` | the table of `name` in the dataset, which must exist |
/// | `bq://project.dataset.table` | the same, the table's name beginning with `table_`: each job needs a table of its own, which must not exist |
/// | `bq://project` | a dataset that the service makes; found only by what the job says of its output |
///
/// Displays as its address.
#[derive(Debug, Clone)]
pub struct BqOutput {
    client: BqClient,
    at: BigQueryUri,
}

impl BqOutput {
    /// A store at `at`. Nothing is sent yet.
    #[must_use]
    pub fn new(client: BqClient, at: BigQueryUri) -> Self {
        Self { client, at }
    }

    /// The table of a name; `None` where the service chooses it.
    fn table(&self, name: &str) -> Option<TableName> {
        let dataset = self.at.dataset()?.to_owned();
        let own = table_name(name.trim_matches('/'));
        let table = match (self.at.table(), own.as_str()) {
            (None, "") => return None,
            // A job that is not of a run of ours: what it was told to write to.
            (Some(table), "") => table.to_owned(),
            (Some(prefix), own) => format!("{prefix}_{own}"),
            (None, _) => own,
        };
        Some(TableName { project: self.at.project().to_owned(), dataset, table })
    }

    /// The table that a job says it wrote; `None` where it does not say.
    async fn table_of(&self, name: &str, job: &BatchPredictionJob) -> Result<Option<TableName>> {
        let Some(info) = &job.output_info else { return self.looked_for(name).await };
        let said = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        match (said(&info.bigquery_output_table), said(&info.bigquery_output_dataset)) {
            (Some(table), dataset) => output_table(&table, dataset.as_deref()).map(Some),
            (None, Some(dataset)) => self.table_in(&parse(&dataset)?, name).await,
            (None, None) => match said(&info.gcs_output_directory) {
                Some(directory) => Err(Error::new(Kind::Unsupported, "read", directory)
                    .with_source(format!("the predictions are on Cloud Storage, not in {self}"))),
                None => self.looked_for(name).await,
            },
        }
    }

    /// The table of `name`, where it is there.
    async fn looked_for(&self, name: &str) -> Result<Option<TableName>> {
        let Some(table) = self.table(name) else {
            return Err(Error::new(Kind::FailedPrecondition, "find the predictions in", self.at.to_string())
                .with_source("the job does not say which dataset was made for it")
                .with_hint("name a dataset as the output: bq://project.dataset"));
        };
        Ok(self.client.table(&table.uri()).await?.map(|_| table))
    }

    /// The output table in a dataset that a job names without its table.
    async fn table_in(&self, dataset: &BigQueryUri, name: &str) -> Result<Option<TableName>> {
        let own = self
            .table(name)
            .filter(|own| own.project == dataset.project() && Some(own.dataset.as_str()) == dataset.dataset());
        if let Some(own) = own
            && self.client.table(&own.uri()).await?.is_some()
        {
            return Ok(Some(own));
        }
        let id = crate::client::dataset_of(dataset, "find the predictions in")?;
        let listed = self.client.google().tables(dataset.project(), id).await?;
        // Of an older service: `predictions`, or `predictions_<time>`.
        let mut tables = listed.into_iter().filter(|table| table.starts_with("predictions")).collect::<Vec<_>>();
        tables.sort();
        match <[String; 1]>::try_from(tables) {
            Ok([table]) => Ok(Some(TableName { project: dataset.project().to_owned(), dataset: id.to_owned(), table })),
            Err(none) if none.is_empty() => Ok(None),
            Err(several) => Err(Error::new(Kind::FailedPrecondition, "find the predictions in", dataset.to_string())
                .with_source(format!("the job does not name its table, and these may be: {}", several.join(", ")))
                .with_hint("read the right one, and join it by hand")),
        }
    }
}

/// The table that a job names: its whole address, or its name in the dataset that the job names too.
pub(crate) fn output_table(table: &str, dataset: Option<&str>) -> Result<TableName> {
    if table.starts_with("bq://") {
        return TableName::of(&parse(table)?, "read");
    }
    let uri = match dataset {
        Some(dataset) => format!("{}.{table}", parse(dataset)?),
        // `project.dataset.table`, should a service say it so.
        None => format!("bq://{table}"),
    };
    TableName::of(&parse(&uri)?, "read")
}

fn parse(text: &str) -> Result<BigQueryUri> {
    let text = if text.starts_with("bq://") { text.to_owned() } else { format!("bq://{text}") };
    text.parse().map_err(|error| Error::new(Kind::BadReply, "read", text.clone()).with_source(error))
}

impl fmt::Display for BqOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.at.fmt(f)
    }
}

#[async_trait]
impl OutputStore for BqOutput {
    fn config(&self, name: &str) -> OutputConfig {
        OutputConfig::bigquery(self.table(name).map_or_else(|| self.at.to_string(), |table| table.to_string()))
    }

    /// As the trait says. Rows are read as they are now: a table that is changed meanwhile is an error,
    /// not a mixture.
    async fn open(&self, name: &str, job: &BatchPredictionJob) -> Result<Box<dyn PredictionSource>> {
        let rows = match self.table_of(name, job).await? {
            Some(table) => Some(self.client.rows_of(&table, Texts::RequestsAsJson).await?),
            None => None,
        };
        Ok(Box::new(BqSource { rows, file: FILE.into(), offset: 0 }))
    }

    /// The output table. The service reads it again as an input, although it has columns of its own
    /// names in it (likely, by its page about resuming jobs).
    fn as_input(&self, info: &OutputInfo) -> Result<InputConfig> {
        match info.bigquery_output_table.as_deref().filter(|table| !table.is_empty()) {
            Some(table) => {
                let table = output_table(table, info.bigquery_output_dataset.as_deref())?;
                Ok(InputConfig::bigquery(table.to_string()))
            }
            None => Err(Error::new(Kind::Unsupported, "use as an input", "an output that names no table of BigQuery")),
        }
    }

    /// As the trait says. `InvalidArgument` for a name that is no table's, or where the service has
    /// chosen the dataset.
    async fn remove(&self, name: &str) -> Result<()> {
        match self.table(name).filter(|_| !name.trim_matches('/').is_empty()) {
            Some(table) => self.client.delete_table(&table.uri()).await.map(|_| ()),
            None => Err(Error::new(Kind::InvalidArgument, "remove", format!("{name:?} in {self}"))
                .with_source("it names no table of this store")),
        }
    }
}

/// The rows of one job.
struct BqSource {
    /// `None` once they have come, or where there were none to begin with.
    rows: Option<Rows>,
    file: Arc<str>,
    offset: u64,
}

#[async_trait]
impl PredictionSource for BqSource {
    async fn next(&mut self) -> Result<Option<Chunk>> {
        let Some(rows) = &mut self.rows else { return Ok(None) };
        let (file, offset) = (Arc::clone(&self.file), self.offset);
        if let Some(page) = rows.next().await? {
            self.offset += page.lines.len() as u64;
            return Ok(Some(Chunk { file, offset, bytes: page.lines }));
        }
        self.rows = None;
        // A table without rows is a file without bytes, which is more than no output at all.
        Ok((offset == 0).then(|| Chunk { file, offset, bytes: Bytes::new() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_may_name_its_table_in_several_ways() {
        let named = |table: &str, dataset| output_table(table, dataset).map(|table| table.to_string()).unwrap();
        assert_eq!(named("bq://p.d.t", None), "bq://p.d.t");
        assert_eq!(named("bq://p.d.t", Some("bq://p.d")), "bq://p.d.t");
        assert_eq!(named("t", Some("bq://p.d")), "bq://p.d.t");
        assert_eq!(named("p.d.t", None), "bq://p.d.t");
        assert_eq!(output_table("t", None).unwrap_err().kind(), Kind::InvalidArgument);
    }
}
