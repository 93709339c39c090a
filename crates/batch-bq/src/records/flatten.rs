//! Answers made readable where they are.

use std::{
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};

use batch_backend::{Error, Flattened, Kind, OutcomeTotals, Result};
use batch_io::AnswerFormat;
use batch_model::{BigQueryUri, Location, OutputInfo};
use serde::Deserialize;

use super::{advise, job_name};
use crate::{
    BqClient, FieldKind, SqlJob,
    names::table_name,
    output::output_table,
    sql::{self, FlattenAnswers, ResponseType, SqlError, Statement},
    table::TableName,
};

/// The label of a view or table of answers: the run that made it.
const RUN_LABEL: &str = "batch_run";

/// Where answers are made readable, as what, and which columns they have.
#[derive(Debug, Clone)]
pub struct ResultsIn {
    into: BigQueryUri,
    form: sql::Flattened,
    format: AnswerFormat,
    column_prefix: String,
    field_prefix: String,
}

/// The requests to which the answers belong.
#[derive(Debug, Clone)]
pub(super) struct Inputs {
    pub(super) tables: Vec<TableName>,
    pub(super) key: String,
    pub(super) columns: Vec<String>,
}

impl Inputs {
    /// `None` where there are no tables: what was asked is not known then.
    fn of(tables: &[BigQueryUri], key: &str, columns: &[String]) -> Result<Option<Self>> {
        let tables: Vec<_> = tables.iter().map(|uri| TableName::of(uri, "read")).collect::<Result<_>>()?;
        let inputs = Self { tables, key: key.to_owned(), columns: columns.to_vec() };
        Ok(Some(inputs).filter(|inputs| !inputs.tables.is_empty()))
    }
}

impl ResultsIn {
    /// In the table of `into`; where that is a dataset, in one whose name is of the run. `format` is the
    /// form of the answers.
    #[must_use]
    pub fn new(into: BigQueryUri, form: sql::Flattened, format: AnswerFormat) -> Self {
        Self { into, form, format, column_prefix: String::new(), field_prefix: String::new() }
    }

    /// Goes before the names of the columns that are added, and of those that are made of the answers'
    /// fields.
    #[must_use]
    pub fn prefixes(mut self, column: impl Into<String>, field: impl Into<String>) -> Self {
        (self.column_prefix, self.field_prefix) = (column.into(), field.into());
        self
    }

    /// The view or table of a run.
    ///
    /// # Errors
    /// `InvalidArgument` where the address has no dataset.
    pub fn place(&self, run: &str) -> Result<BigQueryUri> {
        let dataset = crate::client::dataset_of(&self.into, "put the results into")?;
        Ok(match self.into.table() {
            Some(_) => self.into.clone(),
            None => BigQueryUri::table_of(self.into.project(), dataset, table_name(&format!("{run}/results"))),
        })
    }

    /// That the place is there and of the right kind, before anything is begun.
    pub(super) async fn check(&self, client: &BqClient, location: &Location) -> Result<()> {
        self.place("run")?;
        for finding in client.check_dataset(&self.into, location).await? {
            if finding.is_refusal() {
                return Err(finding.to_error("put the results into", &self.into.to_string()));
            }
        }
        if self.into.table().is_some()
            && let Some(table) = client.table(&self.into).await?
            && !table.labels.contains_key(RUN_LABEL)
        {
            return Err(taken(&self.into));
        }
        // That the server runs SQL is found out before anything is paid for.
        client.dry_run("SELECT 1", None).await.map(drop).map_err(advise)
    }

    /// The statement that makes the view or table of a run's answers.
    ///
    /// # Errors
    /// `Unsupported` where an output is not in BigQuery; what cannot be said in SQL.
    pub async fn statement(
        &self,
        client: &BqClient,
        run: &str,
        inputs: &[BigQueryUri],
        key: &str,
        columns: &[String],
        outputs: &[OutputInfo],
    ) -> Result<Statement> {
        self.written(client, run, Inputs::of(inputs, key, columns)?, outputs).await.map(|(_, statement)| statement)
    }

    /// Makes the view or table of a run's answers, and counts them: as [`statement`](Self::statement) has
    /// it. Without `inputs` there is a row for each prediction, and no record is `missing`.
    ///
    /// # Errors
    /// As for `statement`; `AlreadyExists` where something else than a run's results has the place.
    pub async fn make(
        &self,
        client: &BqClient,
        run: &str,
        inputs: &[BigQueryUri],
        key: &str,
        columns: &[String],
        outputs: &[OutputInfo],
    ) -> Result<Flattened> {
        self.flatten(client, run, Inputs::of(inputs, key, columns)?, outputs).await
    }

    pub(super) async fn flatten(
        &self,
        client: &BqClient,
        run: &str,
        inputs: Option<Inputs>,
        outputs: &[OutputInfo],
    ) -> Result<Flattened> {
        let place = self.place(run)?;
        let name = TableName::of(&place, "put the results into")?;
        if let Some(there) = client.table(&place).await?
            && there.labels.get(RUN_LABEL).is_none_or(|label| *label != label_of(run))
        {
            return Err(taken(&place));
        }
        let (answers, statement) = self.written(client, run, inputs, outputs).await?;
        let location = client.dataset(&place).await?.map(|dataset| dataset.location).filter(|at| !at.is_empty());
        let job = |what: &str, statement: &Statement| {
            // Each time anew: what it reads may be other than the last time.
            let name = format!("{}-{}", job_name(run, what, &statement.sql), millis(client.now()));
            let job = SqlJob::new(name, &statement.sql).with_label("batch_cli", what);
            match &location {
                Some(location) => job.in_location(location),
                None => job,
            }
        };
        client.run(&job("flatten", &statement)).await.map_err(advise)?;
        let labels = BTreeMap::from([(RUN_LABEL.to_owned(), label_of(run))]);
        client.google().label_table(&name, &labels).await?;
        let summary = written(answers.summary(&place), &place)?;
        let mut rows = client.query(&job("summary", &summary)).await.map_err(advise)?;
        let mut outcomes = Vec::new();
        while let Some(page) = rows.next().await? {
            for line in page.lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                let row: Row = serde_json::from_slice(line).map_err(|error| {
                    Error::new(Kind::BadReply, "count the outcomes of", place.to_string()).with_source(error)
                })?;
                outcomes.push(row.into());
            }
        }
        Ok(Flattened { place: place.to_string(), outcomes })
    }

    async fn written(
        &self,
        client: &BqClient,
        run: &str,
        inputs: Option<Inputs>,
        outputs: &[OutputInfo],
    ) -> Result<(FlattenAnswers, Statement)> {
        let place = self.place(run)?;
        let mut tables = Vec::new();
        for info in outputs {
            tables.push(table_of(info)?);
        }
        let Some(first) = tables.first() else {
            return Err(Error::new(Kind::FailedPrecondition, "flatten the answers into", place.to_string())
                .with_source("no job has written a table"));
        };
        let response = match client.table(&first.uri()).await? {
            Some(table) => match table.field("response").map(|field| &field.kind) {
                Some(FieldKind::String) => ResponseType::String,
                _ => ResponseType::Json,
            },
            None => {
                return Err(Error::new(Kind::NotFound, "flatten the answers of", first.to_string())
                    .with_source("there is no such table any more"));
            }
        };
        let mut answers = FlattenAnswers::new(tables.iter().map(TableName::uri).collect(), self.format.clone())
            .response_type(response)
            .flattened(self.form)
            .column_prefix(&self.column_prefix)
            .field_prefix(&self.field_prefix);
        if let Some(Inputs { tables, key, columns }) = inputs {
            let columns = columns.into_iter().filter(|column| !column.eq_ignore_ascii_case("key")).collect();
            let tables = tables.iter().map(TableName::uri).collect();
            answers = answers.inputs(tables).key_column(key).columns(columns);
        }
        let mut statements = written(answers.statements(&place), &place)?;
        match (statements.pop(), statements.is_empty()) {
            (Some(statement), true) => Ok((answers, statement)),
            _ => Err(Error::new(Kind::Other, "flatten the answers into", place.to_string())
                .with_source("there is not one statement for it")),
        }
    }
}

/// A row of the count of outcomes.
#[derive(Debug, Deserialize)]
struct Row {
    outcome: String,
    records: u64,
    prompt_tokens: u64,
    candidates_tokens: u64,
    thoughts_tokens: u64,
    total_tokens: u64,
}

impl From<Row> for OutcomeTotals {
    fn from(row: Row) -> Self {
        let Row { outcome, records, prompt_tokens, candidates_tokens, thoughts_tokens, total_tokens } = row;
        Self { outcome, records, prompt_tokens, candidates_tokens, thoughts_tokens, total_tokens }
    }
}

/// The table that a job says it wrote.
fn table_of(info: &OutputInfo) -> Result<TableName> {
    let said = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    match said(&info.bigquery_output_table) {
        Some(table) => output_table(&table, said(&info.bigquery_output_dataset).as_deref()),
        None => {
            let elsewhere = info.gcs_output_directory.clone().unwrap_or_else(|| "the output of a job".to_owned());
            Err(Error::new(Kind::Unsupported, "flatten", elsewhere)
                .with_source("it is no table of BigQuery")
                .with_hint("`batch-cli join` reads predictions of Cloud Storage here"))
        }
    }
}

fn taken(place: &BigQueryUri) -> Error {
    Error::new(Kind::AlreadyExists, "put the results into", place.to_string())
        .with_source("it is there already, and no results of this run")
        .with_hint("name another, or only the dataset: bq://project.dataset")
}

/// A run's id as the value of a label: lower case, digits, dashes.
fn label_of(run: &str) -> String {
    run.to_ascii_lowercase().chars().take(63).collect()
}

fn millis(now: SystemTime) -> u128 {
    now.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()
}

fn written<T>(written: Result<T, SqlError>, place: &BigQueryUri) -> Result<T> {
    written.map_err(|error| {
        let hint = error.hint().map(str::to_owned);
        let failed =
            Error::new(Kind::InvalidArgument, "flatten the answers into", place.to_string()).with_source(error);
        match hint {
            Some(hint) => failed.with_hint(hint),
            None => failed,
        }
    })
}
