//! Records that lie in BigQuery already.

mod build;
mod flatten;
mod read;

use std::fmt;

use async_trait::async_trait;
use batch_backend::{Error, Flattened, Kind, PredictionSource, RecordStore, RecordsInfo, Result, Staged};
use batch_io::RequestSpec;
use batch_model::{BigQueryUri, InputConfig, Location, OutputInfo};
use twox_hash::XxHash3_128;

pub use self::flatten::ResultsIn;
use crate::{
    BqClient, BqInput, Field, FieldKind, Finding, Mode, TableInfo, check_input_columns,
    client::dataset_of,
    sql::{BuildRequests, Source, SourceColumn, SqlError, Statement},
    table::TableName,
};

/// The rows of a table or of a query as the records of a run: none of them need come here.
///
/// | source | what a job reads |
/// | --- | --- |
/// | a table with a column `request` | the table itself |
/// | a query whose result has a column `request` | a table of its result |
/// | any other table, view or query | tables of requests that BigQuery makes of the template ([`BuildRequests`]) |
///
/// Tables that it makes lie where a [`BqInput`] would stage, under the names that one would give them. The
/// statements run once under their names, so that a repeated call builds nothing twice.
///
/// Displays as the source.
#[derive(Debug, Clone)]
pub struct BqRecords {
    client: BqClient,
    source: Source,
    /// Names the tables of requests.
    staged_in: BqInput,
    location: Location,
    key: Option<String>,
    request: Option<RequestSpec>,
    results: Option<ResultsIn>,
}

/// The source as it was found.
#[derive(Debug)]
struct Found {
    way: Way,
    fields: Vec<Field>,
    /// The table, where the source is one.
    table: Option<TableInfo>,
    /// What the query reads, by a dry run.
    bytes: Option<u64>,
}

/// How the source becomes the input of jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// It is one.
    AsItIs,
    /// Its rows have requests, and need only be put into a table.
    Copied,
    /// Its requests are made.
    Built,
}

impl BqRecords {
    /// The records of `source`, for jobs in `location`. Tables of requests are made where `staged_in`
    /// stages. Nothing is sent yet.
    #[must_use]
    pub fn new(client: BqClient, source: Source, staged_in: BqInput, location: Location) -> Self {
        Self { client, source, staged_in, location, key: None, request: None, results: None }
    }

    /// The column whose values are the keys. Without one it is `key`, where there is a column of that name;
    /// else the keys of requests that are built are hashes of the rows.
    #[must_use]
    pub fn key_column(mut self, name: impl Into<String>) -> Self {
        self.key = Some(name.into());
        self
    }

    /// What is asked of rows that have no request.
    #[must_use]
    pub fn request(mut self, request: RequestSpec) -> Self {
        self.request = Some(request);
        self
    }

    /// Where answers are made readable, and as what.
    #[must_use]
    pub fn results(mut self, results: ResultsIn) -> Self {
        self.results = Some(results);
        self
    }

    /// The statements that would build the requests of a run of this name, without running them: all rows
    /// into one table, since how many there are is not counted. None where the source is a table with
    /// requests.
    ///
    /// # Errors
    /// As [`look`](RecordStore::look) has.
    pub async fn statements(&self, name: &str) -> Result<Vec<Statement>> {
        let found = Box::pin(self.find()).await?;
        let table = self.staged_in.table(&piece(name, 0))?.uri();
        match found.way {
            Way::AsItIs => Ok(Vec::new()),
            Way::Copied => Ok(vec![self.sql(self.source.copy(&table))?]),
            Way::Built => {
                let build = self.build(&found.fields)?;
                let mut statements = vec![self.sql(build.check_keys())?];
                statements.extend(self.sql(build.statements(&table))?);
                Ok(statements)
            }
        }
    }

    /// The source, held against the service's rules. Boxed by who calls it, as whatever asks the service
    /// several things: unoptimized, such futures are too large for a thread's stack.
    async fn find(&self) -> Result<Found> {
        self.refuse(self.client.check_dataset(&self.staged_at()?, &self.location).await?, &self.staged_in.to_string())?;
        match &self.source {
            Source::Table(uri) => Box::pin(self.find_table(uri)).await,
            Source::Query(query) => {
                let dry = self.client.dry_run(query, self.sql_location().await?.as_deref()).await;
                let dry = dry.map_err(advise)?;
                let way = if has_request(&dry.fields) { Way::Copied } else { Way::Built };
                let found = Found { way, fields: dry.fields, table: None, bytes: dry.bytes_processed };
                self.check(&found)?;
                Ok(found)
            }
        }
    }

    async fn find_table(&self, uri: &BigQueryUri) -> Result<Found> {
        let about = |kind| Error::new(kind, "read", uri.to_string());
        self.refuse(self.client.check_dataset(uri, &self.location).await?, &uri.to_string())?;
        let Some(table) = self.client.table(uri).await? else {
            return Err(about(Kind::NotFound)
                .with_source("there is no such table")
                .with_hint("see that input.table has its right name: bq://project.dataset.table"));
        };
        let is_table = table.kind == "TABLE";
        let way = match has_request(&table.fields) {
            true if is_table => Way::AsItIs,
            true => Way::Copied,
            false => Way::Built,
        };
        let found = Found { way, fields: table.fields.clone(), bytes: Some(table.bytes), table: Some(table) };
        self.check(&found)?;
        Ok(found)
    }

    /// What the service would refuse of the columns, and what cannot be meant.
    fn check(&self, found: &Found) -> Result<()> {
        let about = |kind| Error::new(kind, "take as the input", self.to_string());
        match (found.way, &self.request) {
            (Way::Built, None) => {
                return Err(about(Kind::InvalidArgument)
                    .with_source("it has no column request, and the spec has no prompt to make requests of")
                    .with_hint("write `prompt = \"{{ column }}\"` under [request], or select a column request"));
            }
            (Way::Built, Some(_)) => {
                let build = self.build(&found.fields)?;
                self.sql(build.check_keys())?;
                self.sql(build.statements(&self.staged_in.table("x")?.uri()))?;
            }
            (Way::AsItIs | Way::Copied, Some(_)) => {
                return Err(about(Kind::InvalidArgument)
                    .with_source("it has a column request, and the spec has a prompt: which is meant?")
                    .with_hint("leave out request.prompt, or select all columns but request with input.query"));
            }
            (Way::AsItIs | Way::Copied, None) => self.refuse(check_input_columns(&found.fields), &self.to_string())?,
        }
        if found.way != Way::Built {
            self.key_field(&found.fields)?;
        }
        Ok(())
    }

    /// The column with the keys of rows that have requests.
    fn key_field<'a>(&self, fields: &'a [Field]) -> Result<&'a Field> {
        let about = || Error::new(Kind::InvalidArgument, "take as the input", self.to_string());
        let name = self.key.as_deref().unwrap_or("key");
        let names = fields.iter().map(|field| field.name.as_str()).collect::<Vec<_>>().join(", ");
        let Some(field) = fields.iter().find(|field| field.name == name) else {
            return Err(about()
                .with_source(format!("it has no column {name:?} with the keys"))
                .with_hint(format!("name the column of keys with input.key; the columns are: {names}")));
        };
        // Of others the service's spelling need not be ours.
        let is_plain = matches!(field.kind, FieldKind::String | FieldKind::Integer) && field.mode != Mode::Repeated;
        if is_plain {
            return Ok(field);
        }
        Err(about()
            .with_source(format!("the column {name} with the keys is of type {}", field.sql_type()))
            .with_hint("keys are STRING or INT64: cast it, with input.query"))
    }

    fn build(&self, fields: &[Field]) -> Result<BuildRequests<'_>> {
        let Some(request) = &self.request else {
            return Err(Error::new(Kind::InvalidArgument, "build the requests of", self.to_string())
                .with_source("there is no prompt"));
        };
        let columns = fields.iter().map(|field| SourceColumn::new(&field.name, field.sql_type())).collect();
        let build = BuildRequests::new(request, self.source.clone(), columns);
        Ok(match &self.key {
            Some(key) => build.key_column(key),
            None => build,
        })
    }

    /// The columns of staged rows that are no request: the key first where requests are built.
    fn columns(&self, found: &Found) -> Vec<String> {
        match found.way {
            Way::AsItIs | Way::Copied => without_request(&found.fields).map(|field| field.name.clone()).collect(),
            Way::Built => {
                let columns = self.request.iter().flat_map(|request| request.columns.iter().cloned());
                ["key".to_owned()].into_iter().chain(columns).collect()
            }
        }
    }

    fn refuse(&self, findings: Vec<Finding>, resource: &str) -> Result<()> {
        for finding in findings {
            if finding.is_refusal() {
                return Err(finding.to_error("use", resource));
            }
            tracing::warn!("{finding}; {}", finding.hint);
        }
        Ok(())
    }

    /// The dataset in which tables are made.
    fn staged_at(&self) -> Result<BigQueryUri> {
        Ok(self.staged_in.table("x")?.uri())
    }

    /// Where the statements run: where the tables are made.
    async fn sql_location(&self) -> Result<Option<String>> {
        match self.client.dataset(&self.staged_at()?).await? {
            Some(dataset) => Ok(Some(dataset.location).filter(|location| !location.is_empty())),
            None => Err(self.staged_in.no_dataset("stage in")),
        }
    }

    fn sql<T>(&self, written: Result<T, SqlError>) -> Result<T> {
        written.map_err(|error| {
            let hint = error.hint().map(str::to_owned);
            let failed = Error::new(Kind::InvalidArgument, "write the SQL for", self.to_string()).with_source(error);
            match hint {
                Some(hint) => failed.with_hint(hint),
                None => failed,
            }
        })
    }
}

/// The name of a piece of a run, as the pipeline calls it.
fn piece(name: &str, number: u32) -> String {
    format!("{name}/s{number:05}")
}

/// The name of a statement's job: the same for the same statement of the same run.
fn job_name(name: &str, what: &str, sql: &str) -> String {
    let hash = XxHash3_128::oneshot(format!("{name}\n{sql}").as_bytes());
    format!("batch-{what}-{hash:032x}")
}

fn has_request(fields: &[Field]) -> bool {
    fields.iter().any(is_request)
}

fn is_request(field: &Field) -> bool {
    field.name.eq_ignore_ascii_case("request")
}

fn without_request(fields: &[Field]) -> impl Iterator<Item = &Field> {
    fields.iter().filter(|field| !is_request(field))
}

/// What to do where a server has no query engine.
fn advise(error: Error) -> Error {
    if error.kind() == Kind::Unsupported && error.hint().is_none() {
        return error.with_hint(
            "this server runs no SQL: name a table with a column request as input.table, and have the results here; \
             or use BigQuery itself",
        );
    }
    error
}

impl fmt::Display for BqRecords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Source::Table(uri) => uri.fmt(f),
            Source::Query(query) => {
                let line = query.split_whitespace().collect::<Vec<_>>().join(" ");
                let short: String = line.chars().take(60).collect();
                write!(f, "query {short}{}", if short == line { "" } else { "…" })
            }
        }
    }
}

#[async_trait]
impl RecordStore for BqRecords {
    async fn look(&self) -> Result<RecordsInfo> {
        let found = Box::pin(self.find()).await?;
        if found.table.is_some() && found.way != Way::AsItIs {
            // That the server runs SQL at all is found out before there is a run.
            let sql = format!("SELECT * FROM `{}` LIMIT 0", self.to_string().trim_start_matches("bq://"));
            let location = self.sql_location().await?;
            Box::pin(self.client.dry_run(&sql, location.as_deref())).await.map_err(advise)?;
        }
        if let Some(results) = &self.results {
            Box::pin(results.check(&self.client, &self.location)).await?;
        }
        let is_built = found.way != Way::AsItIs;
        let key = match (found.way, &self.key) {
            (Way::AsItIs | Way::Copied, Some(key)) => key.clone(),
            _ => "key".to_owned(),
        };
        let modified = found.table.as_ref().map(|table| (table.modified, table.rows));
        let schema: Vec<String> =
            found.fields.iter().map(|field| format!("{} {}", field.name, field.sql_type())).collect();
        // The whole query, of which the display is a beginning.
        let identity = format!("{:?}\n{modified:?}\n{:?}\n{schema:?}", self.source, found.bytes);
        Ok(RecordsInfo {
            place: self.to_string(),
            identity: format!("{:032x}", XxHash3_128::oneshot(identity.as_bytes())),
            records: found.table.as_ref().filter(|table| table.kind == "TABLE").map(|table| table.rows),
            bytes: found.bytes.unwrap_or_default(),
            columns: self.columns(&found),
            key,
            is_built,
        })
    }

    async fn stage(&self, name: &str, most: u64) -> Result<Vec<Staged>> {
        let found = Box::pin(self.find()).await?;
        match (&found.table, found.way) {
            (Some(table), Way::AsItIs) => self.take(table, most).map(|staged| vec![staged]),
            _ => Box::pin(self.make(name, most, &found)).await,
        }
    }

    async fn open(&self, staged: &[InputConfig]) -> Result<Box<dyn PredictionSource>> {
        let tables = tables_of(staged)?;
        Ok(Box::new(read::Records::new(self.client.clone(), tables)))
    }

    async fn flatten(&self, name: &str, staged: &[InputConfig], outputs: &[OutputInfo]) -> Result<Flattened> {
        let results = self.results.as_ref().ok_or_else(|| {
            Error::new(Kind::FailedPrecondition, "flatten the answers of", self.to_string())
                .with_source("no place for them is named")
        })?;
        let tables = tables_of(staged)?;
        // Of what was staged, and not of the source, which may be gone by now.
        let first = tables.first().map(TableName::uri);
        let first = match &first {
            Some(uri) => self.client.table(uri).await?,
            None => None,
        };
        let Some(first) = first else {
            return Err(Error::new(Kind::NotFound, "flatten the answers of", self.to_string())
                .with_source("what was staged is not there any more"));
        };
        let columns = without_request(&first.fields).map(|field| field.name.clone()).collect();
        let key = self.key.clone().filter(|_| self.request.is_none()).unwrap_or_else(|| "key".to_owned());
        let flat = flatten::Inputs { tables, key, columns };
        Box::pin(results.flatten(&self.client, name, Some(flat), outputs)).await
    }

    async fn remove(&self, staged: &InputConfig) -> Result<()> {
        let ours = self.staged_at()?;
        for table in tables_of(std::slice::from_ref(staged))? {
            let is_source = matches!(&self.source, Source::Table(uri) if *uri == table.uri());
            if !is_source && dataset_of(&table.uri(), "remove")? == dataset_of(&ours, "remove")? {
                self.client.delete_table(&table.uri()).await?;
            }
        }
        Ok(())
    }
}

/// The tables of the inputs of jobs.
fn tables_of(staged: &[InputConfig]) -> Result<Vec<TableName>> {
    let uris = staged.iter().flat_map(InputConfig::uris);
    uris.map(|text| {
        let uri: BigQueryUri =
            text.parse().map_err(|error| Error::new(Kind::InvalidArgument, "read", text).with_source(error))?;
        TableName::of(&uri, "read")
    })
    .collect()
}
