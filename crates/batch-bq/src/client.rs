//! The client that the stores share.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use batch_backend::{Error, Kind, Result};
use batch_http::{HttpClient, RetryPolicy};
use batch_model::{BigQueryUri, Location};

use crate::{
    DatasetInfo, DryRun, Rows, SqlJob, SqlStatistics, TableInfo,
    api::{Api, RowsOf},
    cell::Texts,
    google::Google,
    job::{JobInfo, JobName, LONGEST_JOB},
    table::TableName,
};

/// The first wait between two looks at a job, and the longest.
const LOOKS: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));
/// How often in a row a job that was begun may be unknown.
const UNKNOWN: u32 = 5;
/// How many jobs of one name may have failed.
const TRIES: u32 = 100;

/// A client of BigQuery: one login and one set of connections for any number of stores. Clones share
/// them.
#[derive(Debug, Clone)]
pub struct BqClient {
    inner: Arc<Inner>,
    api: Api,
}

#[derive(Debug)]
struct Inner {
    google: Google,
    project: String,
}

impl BqClient {
    /// A client with the login, the endpoint and the clock of `http`, whose load jobs and queries run
    /// in, and are billed to, `project`. `retry` says when a call is made again; give the policy that
    /// `http` has. Nothing is sent yet.
    ///
    /// # Errors
    /// `FailedPrecondition` where a token would go over plain http to another machine, `Other` where
    /// the system's TLS roots cannot be read.
    pub async fn connect(http: HttpClient, retry: RetryPolicy, project: impl Into<String>) -> Result<Self> {
        let project = project.into();
        let google = Google::connect(&http, retry, &project).await?;
        Ok(Self { inner: Arc::new(Inner { google, project }), api: Api::new(http) })
    }

    /// Says where batch jobs run, which is where their datasets must be: the hint about a missing
    /// dataset names it.
    #[must_use]
    pub fn for_jobs_in(mut self, location: &Location) -> Self {
        self.api.set_location(location);
        self
    }

    /// The project that pays.
    #[must_use]
    pub fn project(&self) -> &str {
        &self.inner.project
    }

    /// The dataset of `uri`; `None` where there is none.
    ///
    /// Mirrors `datasets.get`, which needs `bigquery.datasets.get` (`roles/bigquery.metadataViewer`).
    ///
    /// # Errors
    /// `InvalidArgument` where `uri` names no dataset; what the service may answer.
    pub async fn dataset(&self, uri: &BigQueryUri) -> Result<Option<DatasetInfo>> {
        let dataset = dataset_of(uri, "look at the dataset")?;
        let found = self.google().dataset(uri.project(), dataset).await;
        found.map_err(|error| self.api.advise_on(error, uri.project(), dataset))
    }

    /// Makes the dataset of `uri` in `location` unless it exists, wherever it is. Says whether it was
    /// made.
    ///
    /// Mirrors `datasets.insert`.
    ///
    /// # Errors
    /// As for [`dataset`](Self::dataset).
    pub async fn ensure_dataset(&self, uri: &BigQueryUri, location: &str) -> Result<bool> {
        let dataset = dataset_of(uri, "create the dataset")?;
        let made = self.google().create_dataset(uri.project(), dataset, location).await;
        made.map_err(|error| self.api.advise_on(error, uri.project(), dataset))
    }

    /// The table of `uri`; `None` where there is none.
    ///
    /// Mirrors `tables.get`.
    ///
    /// # Errors
    /// `InvalidArgument` where `uri` names no table, `NotFound` where there is no such dataset (as far
    /// as the server tells the two apart), what the service may answer.
    pub async fn table(&self, uri: &BigQueryUri) -> Result<Option<TableInfo>> {
        let name = TableName::of(uri, "look at the table")?;
        self.google().table(&name).await.map_err(|error| self.api.advise(error, &name))
    }

    /// Deletes the table of `uri`; whether it was there.
    ///
    /// # Errors
    /// `InvalidArgument` where `uri` names no table; what the service may answer.
    pub async fn delete_table(&self, uri: &BigQueryUri) -> Result<bool> {
        let name = TableName::of(uri, "delete the table")?;
        self.google().delete_table(&name).await.map_err(|error| self.api.advise(error, &name))
    }

    /// The rows of a table, each as one JSON line with a member for each column, in the table's order.
    ///
    /// | type | in the line |
    /// | --- | --- |
    /// | `STRING`, `DATE`, `TIME`, `DATETIME`, `GEOGRAPHY`, `INTERVAL`, `RANGE`, `BYTES` (Base64) | a string |
    /// | `INT64` | a number with all its digits |
    /// | `FLOAT64` | a number; `"NaN"`, `"Infinity"`, `"-Infinity"` |
    /// | `NUMERIC`, `BIGNUMERIC` | a string of all its digits |
    /// | `BOOL` | `true`, `false` |
    /// | `TIMESTAMP` | a string, RFC 3339 with microseconds: `2026-01-01T00:00:00.000000+00:00` |
    /// | `JSON` | the value, byte for byte |
    /// | arrays, structs, `NULL` | arrays, objects, `null` |
    ///
    /// # Errors
    /// `InvalidArgument` where `uri` names no table, `NotFound` where there is none, `Unsupported` for a
    /// view, which has no rows of its own; what the service may answer.
    pub async fn read_table(&self, uri: &BigQueryUri) -> Result<Rows> {
        self.rows_of(&TableName::of(uri, "read the rows of")?, Texts::AsTheyAre).await
    }

    pub(crate) async fn rows_of(&self, name: &TableName, texts: Texts) -> Result<Rows> {
        let about = |kind| Error::new(kind, "read the rows of", name.to_string());
        let found = self.google().table(name).await.map_err(|error| self.api.advise(error, name))?;
        let Some(table) = found else {
            return Err(about(Kind::NotFound).with_source("there is no such table"));
        };
        if matches!(table.kind.as_str(), "VIEW" | "MATERIALIZED_VIEW" | "EXTERNAL") {
            let name = format!("{}.{}.{}", name.project, name.dataset, name.table);
            return Err(about(Kind::Unsupported)
                .with_source(format!("it is of type {}, which has no rows of its own", table.kind))
                .with_hint(format!("query it: SELECT * FROM `{name}`")));
        }
        Ok(Rows::of_table(self.clone(), name.clone(), table, texts))
    }

    /// Runs a statement to its end, once under its name: see [`SqlJob`].
    ///
    /// # Errors
    /// What is wrong with the statement (`InvalidArgument`, with its line and column in the message),
    /// `NotFound`, `PermissionDenied`, `AlreadyExists` where another statement has the name; what the
    /// service may answer.
    pub async fn run(&self, job: &SqlJob) -> Result<SqlStatistics> {
        self.settled(job).await.map(|job| job.statistics)
    }

    /// Runs a query to its end, once under its name, and reads its result: rows as
    /// [`read_table`](Self::read_table) has them. BigQuery keeps a result for about 24 hours.
    ///
    /// # Errors
    /// As for [`run`](Self::run).
    pub async fn query(&self, job: &SqlJob) -> Result<Rows> {
        let done = self.settled(job).await?;
        Ok(Rows::begin(self.clone(), RowsOf::Query(done.name), Vec::new(), None, Texts::AsTheyAre))
    }

    /// What a statement would read, without running it: for nothing.
    ///
    /// # Errors
    /// As for [`run`](Self::run).
    pub async fn dry_run(&self, sql: &str, location: Option<&str>) -> Result<DryRun> {
        self.google().dry_run(self.project(), sql, location).await
    }

    /// The end of a statement that is begun here, or was begun before.
    async fn settled(&self, job: &SqlJob) -> Result<JobInfo> {
        let google = self.google();
        for try_number in 0..TRIES {
            let id = if try_number == 0 { job.name().to_owned() } else { format!("{}-{try_number}", job.name()) };
            let name = JobName { project: self.project().to_owned(), id, location: job.location().map(str::to_owned) };
            let begun = match google.begin_query(&name, job).await {
                Ok(begun) => begun,
                Err(error) if error.kind() == Kind::AlreadyExists => match google.job(&name).await? {
                    // Something else exists already, such as the table that the statement makes.
                    None => return Err(error),
                    Some(earlier) if earlier.sql.as_deref() != Some(job.sql()) => {
                        return Err(Error::new(Kind::AlreadyExists, "run the query", name.to_string())
                            .with_source("a job of this name has run another statement"));
                    }
                    Some(earlier) if earlier.error.is_some() => continue,
                    Some(earlier) => earlier,
                },
                Err(error) => return Err(error),
            };
            return match begun {
                JobInfo { error: Some(error), .. } => Err(error),
                done if done.is_done => Ok(done),
                running => google.wait_for_query(&running.name).await,
            };
        }
        Err(Error::new(Kind::FailedPrecondition, "run the query", job.name())
            .with_source(format!("it has failed {TRIES} times")))
    }

    /// Waits for the end of a job, which may be a failure.
    pub(crate) async fn wait(&self, mut job: JobInfo) -> Result<JobInfo> {
        let clock = self.api.http().clock();
        let began = clock.now();
        let (mut pause, mut unknown) = (LOOKS.0, 0);
        while !job.is_done {
            if clock.now().duration_since(began).unwrap_or_default() > LONGEST_JOB {
                return Err(Error::new(Kind::DeadlineExceeded, "wait for the job", job.name.to_string())
                    .with_source("no job of BigQuery takes that long"));
            }
            clock.sleep(pause).await;
            pause = pause.mul_f64(1.5).min(LOOKS.1);
            match self.google().job(&job.name).await? {
                Some(now) => (job, unknown) = (now, 0),
                None if unknown < UNKNOWN => unknown += 1,
                None => {
                    return Err(Error::new(Kind::NotFound, "wait for the job", job.name.to_string())
                        .with_source("the service does not know the job that it has begun"));
                }
            }
        }
        Ok(job)
    }

    pub(crate) fn api(&self) -> &Api {
        &self.api
    }

    pub(crate) fn google(&self) -> &Google {
        &self.inner.google
    }

    /// The time of day, by the clock of the HTTP client.
    pub(crate) fn now(&self) -> SystemTime {
        self.api.http().clock().now()
    }
}

/// The dataset of `uri`, which must name one.
pub(crate) fn dataset_of<'a>(uri: &'a BigQueryUri, doing: &str) -> Result<&'a str> {
    uri.dataset().ok_or_else(|| {
        Error::new(Kind::InvalidArgument, doing, uri.to_string())
            .with_source("it names no dataset")
            .with_hint("write it as bq://project.dataset")
    })
}
