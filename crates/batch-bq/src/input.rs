//! Request lines into a table.

use std::{collections::BTreeMap, fmt, time::Duration};

use async_trait::async_trait;
use batch_backend::{Column, ColumnKind, Columns, Error, InputStore, Kind, RequestSink, Result, Staged, StagedSize};
use batch_http::{Chunks, ResumableUpload, UploadBuffer};
use batch_model::{BigQueryUri, InputConfig};
use bytes::Bytes;
use serde_json::{Value, json};
use twox_hash::XxHash3_128;

use crate::{
    BqClient, Field, FieldKind,
    check::check_staged_columns,
    client::dataset_of,
    job::{JobInfo, JobName},
    names::{LONGEST, table_name},
    table::{TableInfo, TableName},
};

/// The label with the number of rows that were staged.
const ROWS_LABEL: &str = "batch_rows";
/// The label with the hash of the lines that were staged.
const DIGEST_LABEL: &str = "batch_digest";
/// How many load jobs there may have been of one content.
const TRIES: u32 = 100;

/// Request lines as tables of one dataset, one table for each name.
///
/// Lines go, as they come and with at most 24 MiB in memory, into a load job (`NEWLINE_DELIMITED_JSON`,
/// the schema always sent), which makes a table of its own: `request` of type `JSON`, `key`, and a typed
/// column for each pass-through column. Nothing is visible before the job is done. The table's labels
/// then say how many rows it has and what the lines hash to, by which [`find`](InputStore::find) knows
/// that the table is whole and the same.
///
/// Staging the same lines under the same name again loads nothing: the table is there already. Where a
/// process died between the load and the labels, its load job is found by its id, which is a hash of
/// name and lines (of up to 8 MiB of lines; more are loaded again, in place of what is there).
///
/// A load that BigQuery itself fails is made again, as another job, where the lines fit into one buffer of
/// 8 MiB; of more not all are here any more, and the error says that trying again may help.
///
/// A name becomes a table's name: letters and digits stay, `-` becomes `_` and `/` becomes `__`, anything
/// else its hexadecimal code. With a table in the address, that is the beginning of the tables' names.
/// Displays as its address.
///
/// Load jobs are free; a table may be loaded 1,500 times a day, and a line must have 100 MB at most.
#[derive(Debug, Clone)]
pub struct BqInput {
    client: BqClient,
    at: BigQueryUri,
    dataset: String,
}

impl BqInput {
    /// A store in the dataset of `at`. Nothing is sent yet: a dataset that is not there shows when it is
    /// used.
    ///
    /// # Errors
    /// `InvalidArgument` where `at` names no dataset.
    pub fn new(client: BqClient, at: BigQueryUri) -> Result<Self> {
        let dataset = dataset_of(&at, "stage in")?.to_owned();
        Ok(Self { client, at, dataset })
    }

    /// The table of a name.
    pub(crate) fn table(&self, name: &str) -> Result<TableName> {
        let refused = |why: &str| {
            Error::new(Kind::InvalidArgument, "stage as", format!("{name:?} in {self}")).with_source(why.to_owned())
        };
        let name = name.trim_matches('/');
        let own = table_name(name);
        let table = self.at.table().map_or_else(|| own.clone(), |prefix| format!("{prefix}_{own}"));
        match () {
            () if own.is_empty() => Err(refused("a table needs a name")),
            () if LONGEST < table.len() => Err(refused("the table's name would have more than 1024 characters")),
            () => Ok(TableName { project: self.at.project().to_owned(), dataset: self.dataset.clone(), table }),
        }
    }
}

impl fmt::Display for BqInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.at.fmt(f)
    }
}

#[async_trait]
impl InputStore for BqInput {
    /// As the trait says. `InvalidArgument` for a column that the service would refuse: a name that it
    /// keeps for itself, or that is no column's name.
    async fn create(&self, name: &str, columns: &Columns) -> Result<Box<dyn RequestSink>> {
        let table = self.table(name)?;
        let fields = fields(columns);
        if let Some(finding) = check_staged_columns(&fields).into_iter().next() {
            return Err(finding.to_error("stage in", &table.to_string()));
        }
        let location = match self.client.dataset(&self.at).await? {
            Some(dataset) => dataset.location,
            None => return Err(self.no_dataset("stage in")),
        };
        Ok(Box::new(BqSink {
            client: self.client.clone(),
            table,
            location: Some(location).filter(|location| !location.is_empty()),
            fields,
            buffer: UploadBuffer::default(),
            lines: Lines::default(),
            hasher: XxHash3_128::with_seed(0),
            upload: None,
            is_useless: false,
        }))
    }

    async fn find(&self, name: &str) -> Result<Option<Staged>> {
        let table = self.table(name)?;
        match self.client.table(&table.uri()).await? {
            Some(found) => Ok(staged(&table, &found)),
            // A missing table is none; a missing dataset is an error, which not every server tells apart.
            None => match self.client.dataset(&self.at).await? {
                Some(_) => Ok(None),
                None => Err(self.no_dataset("look for what was staged in")),
            },
        }
    }

    /// As the trait says. What is not in the store's dataset, or was not staged here by its name, is
    /// refused.
    async fn remove(&self, staged: &Staged) -> Result<()> {
        let mut tables = Vec::new();
        for text in staged.input.uris() {
            let refused = || Error::new(Kind::InvalidArgument, "remove", text);
            let uri: BigQueryUri = text.parse().map_err(|error| refused().with_source(error))?;
            let prefix = self.at.table().map(|prefix| format!("{prefix}_")).unwrap_or_default();
            let is_ours = uri.project() == self.at.project() && uri.dataset() == Some(&self.dataset);
            if !is_ours || !uri.table().is_some_and(|table| table.starts_with(&prefix)) {
                return Err(refused().with_source(format!("it is no table that was staged in {self}")));
            }
            tables.push(uri);
        }
        for uri in &tables {
            self.client.delete_table(uri).await?;
        }
        Ok(())
    }
}

impl BqInput {
    pub(crate) fn no_dataset(&self, doing: &str) -> Error {
        let error = Error::new(Kind::NotFound, doing, self.at.to_string()).with_source("there is no such dataset");
        error.with_hint(self.client.api().make_dataset(self.at.project(), &self.dataset))
    }
}

/// The columns of a table of request lines.
fn fields(columns: &Columns) -> Vec<Field> {
    let own = [Field::nullable("key", FieldKind::String), Field::nullable("request", FieldKind::Json)];
    own.into_iter().chain(columns.iter().map(field)).collect()
}

fn field(column: &Column) -> Field {
    let kind = match column.kind {
        ColumnKind::Integer => FieldKind::Integer,
        ColumnKind::Float => FieldKind::Float,
        ColumnKind::Bool => FieldKind::Bool,
        // A kind that came later: a text holds anything.
        _ => FieldKind::String,
    };
    Field::nullable(&column.name, kind)
}

fn hash(chunks: &Chunks) -> u128 {
    let mut hasher = XxHash3_128::with_seed(0);
    chunks.iter().for_each(|chunk| hasher.write(chunk));
    hasher.finish_128()
}

/// What a table has staged; `None` where its labels do not say so.
fn staged(name: &TableName, table: &TableInfo) -> Option<Staged> {
    let digest = table.labels.get(DIGEST_LABEL)?;
    table.labels.get(ROWS_LABEL)?;
    Some(Staged {
        input: InputConfig::bigquery(name.to_string()),
        // As they are now, not as they were: rows that somebody added or took show.
        size: StagedSize::Rows(table.rows),
        checksum: Some(format!("xxh3={digest}")),
    })
}

/// Request lines on their way into a table.
struct BqSink {
    client: BqClient,
    table: TableName,
    /// Where the dataset is.
    location: Option<String>,
    fields: Vec<Field>,
    buffer: UploadBuffer,
    lines: Lines,
    hasher: XxHash3_128,
    /// The load job and its data, once there was more than a buffer.
    upload: Option<(JobName, ResumableUpload)>,
    /// Whether a piece is lost: what follows it must not be loaded.
    is_useless: bool,
}

/// What an earlier load job of the same lines means.
enum Earlier {
    /// There is none, or none that counts: this is the name of a new one.
    Free(JobName),
    /// It has loaded the lines.
    Loaded(JobInfo),
}

impl BqSink {
    /// Sends a full buffer.
    async fn send(&mut self, buffer: Chunks) -> Result<()> {
        self.is_useless = true;
        if self.upload.is_none() {
            // The beginning of the lines is all that is known when the job must be named. It does not
            // tell that the rest is the same, so an earlier job of the name is not taken for this one.
            let name = self.free_name(&self.seed(hash(&buffer))).await?;
            self.upload = Some(self.upload(name)?);
        }
        if let Some((_, upload)) = &mut self.upload {
            upload.send(buffer).await.map_err(|error| self.client.api().advise(error, &self.table))?;
        }
        self.is_useless = false;
        Ok(())
    }

    /// Waits where the service is behind.
    async fn keep_up(&mut self) -> Result<()> {
        let Some((_, upload)) = &mut self.upload else { return Ok(()) };
        self.is_useless = true;
        let kept_up = upload.keep_up(&self.buffer).await;
        kept_up.map_err(|error| self.client.api().advise(error, &self.table))?;
        self.is_useless = false;
        Ok(())
    }

    fn upload(&self, job: JobName) -> Result<(JobName, ResumableUpload)> {
        let upload = self.client.api().upload(self.client.project(), &self.table, &self.job_json(&job))?;
        Ok((job, upload))
    }

    fn check_useful(&self) -> Result<()> {
        match self.is_useless {
            true => Err(self.about(Kind::FailedPrecondition).with_source("the upload has failed already")),
            false => Ok(()),
        }
    }

    /// The name of a load job by what it loads, without its number.
    fn seed(&self, lines: u128) -> String {
        let mut hasher = XxHash3_128::with_seed(1);
        hasher.write(format!("{}\n{:?}\n{lines:032x}", self.table, self.fields).as_bytes());
        format!("batch-stage-{:032x}", hasher.finish_128())
    }

    fn job_name(&self, seed: &str, number: u32) -> JobName {
        let (project, location) = (self.client.project().to_owned(), self.location.clone());
        JobName { project, id: format!("{seed}-{number}"), location }
    }

    /// A name that no load job has. One that still runs is waited for: it would overwrite ours.
    async fn free_name(&self, seed: &str) -> Result<JobName> {
        match self.earlier(seed, |_| false).await? {
            Earlier::Free(name) => Ok(name),
            Earlier::Loaded(job) => Err(self.about(Kind::Other).with_source(format!("{} was loaded twice", job.name))),
        }
    }

    /// Looks for an earlier load job of the same lines, of which `counts` says whether its table stands.
    async fn earlier(&self, seed: &str, counts: impl Fn(&JobInfo) -> bool) -> Result<Earlier> {
        for number in 0..TRIES {
            let name = self.job_name(seed, number);
            let found = self.client.google().job(&name).await;
            let found = found.map_err(|error| self.client.api().advise(error, &self.table))?;
            let Some(job) = found else { return Ok(Earlier::Free(name)) };
            let job = self.client.wait(job).await?;
            if job.error.is_none() && counts(&job) {
                return Ok(Earlier::Loaded(job));
            }
        }
        Err(self.about(Kind::FailedPrecondition).with_source(format!("there were {TRIES} load jobs of these lines")))
    }

    fn job_json(&self, name: &JobName) -> Value {
        let fields: Vec<Value> = self
            .fields
            .iter()
            .map(|field| json!({ "name": field.name, "type": field.kind.wire(), "mode": "NULLABLE" }))
            .collect();
        let TableName { project, dataset, table } = &self.table;
        let mut reference = json!({ "projectId": name.project, "jobId": name.id });
        if let Some(location) = &name.location {
            reference["location"] = location.as_str().into();
        }
        json!({
            "jobReference": reference,
            "configuration": {
                "labels": { "batch_cli": "stage" },
                "load": {
                    "sourceFormat": "NEWLINE_DELIMITED_JSON",
                    "createDisposition": "CREATE_IF_NEEDED",
                    "writeDisposition": "WRITE_TRUNCATE",
                    "destinationTable": { "projectId": project, "datasetId": dataset, "tableId": table },
                    // Without it, servers guess, and guess otherwise for each file.
                    "schema": { "fields": fields },
                    "maxBadRecords": 0,
                    "ignoreUnknownValues": false,
                },
            },
        })
    }

    /// Loads all of it, and returns the job at its end. A job that BigQuery itself failed
    /// (`backendError`, `internalError`) is to be made again under another name; that is done here as long
    /// as all lines are still here, and as often as the policy of calls says.
    async fn load(&mut self, last: Chunks, digest: u128, mut found: Option<TableInfo>) -> Result<JobInfo> {
        let (retry, http) = (self.client.google().retry(), self.client.api().http());
        let (mut begun, mut attempt) = (self.upload.take(), 0);
        let is_all = begun.is_none();
        loop {
            attempt += 1;
            let job = self.load_once(begun.take(), last.clone(), digest, found.as_ref()).await?;
            let Some(error) = job.error.as_ref().filter(|error| is_all && is_of_the_service(error)) else {
                return Ok(job);
            };
            // A load takes as long as it takes: only how often it is made is bounded.
            let Some(wait) = retry.wait(attempt, Duration::ZERO, None, http.jitter().draw()) else { return Ok(job) };
            tracing::debug!(table = %self.table, %error, attempt, ?wait, "loading again");
            http.clock().sleep(wait).await;
            found = self.client.table(&self.table.uri()).await?;
        }
    }

    /// Loads by the job that is `begun`, or by one that is found or begun now.
    async fn load_once(
        &self,
        begun: Option<(JobName, ResumableUpload)>,
        last: Chunks,
        digest: u128,
        found: Option<&TableInfo>,
    ) -> Result<JobInfo> {
        let rows = self.lines.count();
        let (name, mut upload) = match begun {
            Some(begun) => begun,
            None => {
                // Not labelled yet, and as long: the process that loaded it died too early.
                let stands = |job: &JobInfo| {
                    let unlabelled = found.filter(|table| !table.labels.contains_key(DIGEST_LABEL));
                    unlabelled.is_some_and(|table| table.rows == rows) && job.load.rows.is_none_or(|had| had == rows)
                };
                match self.earlier(&self.seed(digest), stands).await? {
                    Earlier::Loaded(job) => return Ok(job),
                    Earlier::Free(name) => self.upload(name)?,
                }
            }
        };
        if found.is_some() {
            // Else its labels would stand on what is loaded now.
            self.client.delete_table(&self.table.uri()).await?;
        }
        let begun = match upload.finish(last).await {
            Ok(reply) => self.client.google().job_in(&name, &reply.body)?,
            // The job may run although every reply that said so was lost; or a second try says that it
            // exists. Its name was free, so it is ours.
            Err(error) => match self.client.google().job(&name).await {
                Ok(Some(job)) => job,
                _ => return Err(self.client.api().advise(error, &self.table)),
            },
        };
        self.client.wait(begun).await
    }

    async fn give_up(&mut self) -> Result<()> {
        match self.upload.take() {
            Some((_, upload)) => upload.abort().await,
            None => Ok(()),
        }
    }

    fn about(&self, kind: Kind) -> Error {
        Error::new(kind, "load into", self.table.to_string())
    }
}

#[async_trait]
impl RequestSink for BqSink {
    async fn write(&mut self, mut bytes: Bytes) -> Result<()> {
        self.check_useful()?;
        self.lines.add(&bytes);
        self.hasher.write(&bytes);
        while let Some(full) = self.buffer.fill(&mut bytes) {
            self.send(full).await?;
        }
        self.keep_up().await
    }

    async fn finish(mut self: Box<Self>) -> Result<Staged> {
        self.check_useful()?;
        let (rows, digest) = (self.lines.count(), self.hasher.finish_128());
        let labels: BTreeMap<String, String> =
            [(ROWS_LABEL, rows.to_string()), (DIGEST_LABEL, format!("{digest:032x}"))]
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .collect();
        let found = self.client.table(&self.table.uri()).await?;
        if let Some(found) = &found
            && labels.iter().all(|(key, value)| found.labels.get(key) == Some(value))
            && found.rows == rows
            && let Some(staged) = staged(&self.table, found)
        {
            tracing::debug!(table = %self.table, rows, "staged already");
            self.give_up().await?;
            return Ok(staged);
        }
        let last = self.buffer.rest();
        let job = self.load(last, digest, found).await?;
        if let Some(error) = job.error {
            return Err(match is_of_the_service(&error) {
                true => error.with_hint("BigQuery failed, not the lines: run the same command again"),
                false => error,
            });
        }
        let table = self.client.google().label_table(&self.table, &labels).await;
        let table = table.map_err(|error| self.client.api().advise(error, &self.table))?;
        let arrived = job.load.rows.unwrap_or(table.rows);
        if arrived != rows || job.load.bad_rows != 0 || table.rows != rows {
            let why = format!("{rows} lines were written, {arrived} rows arrived, and the table has {}", table.rows);
            let lost = self.about(Kind::DataLoss).with_source(why);
            // What arrived wrong must not be read by a job.
            return Err(match self.client.delete_table(&self.table.uri()).await {
                Ok(_) => lost.with_hint("the table was deleted; run again"),
                Err(error) => lost.with_hint(format!("delete it by hand, which failed: {error}")),
            });
        }
        staged(&self.table, &table)
            .ok_or_else(|| self.about(Kind::BadReply).with_source("the table has not taken its labels"))
    }

    async fn abort(mut self: Box<Self>) -> Result<()> {
        self.give_up().await
    }
}

/// Whether a job failed for no reason that lies in it
/// (<https://cloud.google.com/bigquery/docs/error-messages>).
fn is_of_the_service(error: &Error) -> bool {
    matches!(error.kind(), Kind::Unavailable | Kind::Internal)
}

/// Counts lines as they come in pieces; a line of white space is none, as the service has it.
#[derive(Debug, Default)]
struct Lines {
    ended: u64,
    /// Whether the line that has not ended has anything in it.
    open: bool,
}

impl Lines {
    fn add(&mut self, bytes: &[u8]) {
        let mut pieces = bytes.split(|byte| *byte == b'\n').peekable();
        while let Some(piece) = pieces.next() {
            self.open = self.open || piece.iter().any(|byte| !byte.is_ascii_whitespace());
            if pieces.peek().is_some() && std::mem::take(&mut self.open) {
                self.ended += 1;
            }
        }
    }

    fn count(&self) -> u64 {
        self.ended + u64::from(self.open)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn lines_are_counted_however_they_are_cut(text in "[a\n \r]{0,40}", cuts in proptest::collection::vec(0_usize..40, 0..5)) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let mut lines = Lines::default();
            for pair in cuts.windows(2) {
                lines.add(&text.as_bytes()[pair[0]..pair[1]]);
            }
            let expected = text.split('\n').filter(|line| !line.trim().is_empty()).count() as u64;
            prop_assert_eq!(lines.count(), expected);
        }
    }
}
