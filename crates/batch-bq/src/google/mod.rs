//! The one place that names Google's clients.
//!
//! Their types stay in here, behind functions without type parameters: whoever names them pays for
//! their code generation, once a binary. The code of an `async fn` is made where it is waited for, so the one
//! that names most is in a box. `google-cloud-bigquery-v2` is the REST API, generated;
//! `google-cloud-bigquery` waits for queries.

mod convert;
mod error;
mod query;
mod retry;

use std::{collections::BTreeMap, fmt, pin::Pin, time::Duration};

use batch_backend::{Error, Kind, Result};
use batch_http::{
    HttpClient, Jitter, RetryPolicy, Service,
    google::{Patience, Unthrottled, causes, translate},
    init_tls,
};
use google_cloud_bigquery::client::BigQuery;
use google_cloud_bigquery_v2::{
    client::{DatasetService, JobService, TableService},
    model,
};
use google_cloud_gax::error::Error as GoogleError;

use crate::{
    job::{JobInfo, JobName},
    table::{DatasetInfo, TableInfo, TableName},
};
use retry::{ONE_TRY, Persistence};

/// Google's clients of BigQuery, with our login, address and patience.
#[derive(Clone)]
pub(crate) struct Google {
    datasets: DatasetService,
    tables: TableService,
    jobs: JobService,
    queries: BigQuery,
    retry: RetryPolicy,
    jitter: Jitter,
}

impl Google {
    pub(crate) fn connect<'a>(
        http: &'a HttpClient,
        retry: RetryPolicy,
        project: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<Self>> + Send + 'a>> {
        Box::pin(Self::connected(http, retry, project))
    }

    async fn connected(http: &HttpClient, retry: RetryPolicy, project: &str) -> Result<Self> {
        init_tls();
        // Checked there to be an address that the login may be sent to.
        let endpoint = http.base_url(&Service::BigQuery)?;
        let failed = |error: &(dyn std::error::Error + 'static)| {
            Error::new(Kind::Other, "make a client for", endpoint.clone()).with_source(causes(error))
        };
        // Each service is a client of its own, made alike; each call brings its patience.
        macro_rules! client {
            ($service:ty) => {
                <$service>::builder()
                    .with_endpoint(&endpoint)
                    .with_credentials(http.credentials().google())
                    .with_retry_throttler(Unthrottled)
                    .build()
                    .await
                    .map_err(|error| failed(&error))?
            };
        }
        // But for this one's, which take no options.
        let patience = Patience::new(retry.clone(), http.jitter().clone());
        let queries = BigQuery::builder()
            .with_endpoint(&endpoint)
            .with_project_id(project)
            .with_credentials(http.credentials().google())
            .with_retry_policy(Persistence(patience.clone()))
            .with_backoff_policy(patience)
            .build()
            .await
            .map_err(|error| failed(&error))?;
        let (datasets, tables, jobs) = (client!(DatasetService), client!(TableService), client!(JobService));
        Ok(Self { datasets, tables, jobs, queries, retry, jitter: http.jitter().clone() })
    }

    /// What is known of a dataset; `None` where there is none.
    pub(crate) async fn dataset(&self, project: &str, dataset: &str) -> Result<Option<DatasetInfo>> {
        let about = ("look at the dataset", format!("bq://{project}.{dataset}"));
        let call = self.datasets.get_dataset().set_project_id(project).set_dataset_id(dataset);
        let persistence = self.persistence();
        let found = self.finish(&about, &persistence, persistence.set(call).send()).await;
        found_or_none(found).map(|found| found.map(|dataset| convert::dataset(about.1, &dataset)))
    }

    /// Makes a dataset; whether it was made just now.
    pub(crate) async fn create_dataset(&self, project: &str, dataset: &str, location: &str) -> Result<bool> {
        let about = ("create the dataset", format!("bq://{project}.{dataset}"));
        let reference = model::DatasetReference::new().set_project_id(project).set_dataset_id(dataset);
        let call = self
            .datasets
            .insert_dataset()
            .set_project_id(project)
            .set_dataset(model::Dataset::new().set_dataset_reference(reference).set_location(location));
        let persistence = self.persistence();
        match self.finish(&about, &persistence, persistence.set(call).send()).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == Kind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What is known of a table; `None` where there is none. A missing dataset is told from a missing
    /// table by its message, and is an error.
    pub(crate) async fn table(&self, name: &TableName) -> Result<Option<TableInfo>> {
        let about = ("look at the table", name.to_string());
        let call = self
            .tables
            .get_table()
            .set_project_id(&name.project)
            .set_dataset_id(&name.dataset)
            .set_table_id(&name.table);
        let persistence = self.persistence();
        match self.finish(&about, &persistence, persistence.set(call).send()).await {
            Err(error) if says_dataset(&error) => Err(error),
            found => found_or_none(found).map(|found| found.map(|table| convert::table(name, &table))),
        }
    }

    /// The names of a dataset's tables and views.
    pub(crate) async fn tables(&self, project: &str, dataset: &str) -> Result<Vec<String>> {
        let about = ("list the tables of", format!("bq://{project}.{dataset}"));
        let (mut names, mut token) = (Vec::new(), String::new());
        loop {
            let call = self.tables.list_tables().set_project_id(project).set_dataset_id(dataset);
            let call = call.set_page_token(&token).set_max_results(1000_u32);
            let persistence = self.persistence();
            let page = self.finish(&about, &persistence, persistence.set(call).send()).await?;
            names.extend(page.tables.into_iter().filter_map(|table| Some(table.table_reference?.table_id)));
            if page.next_page_token.is_empty() || page.next_page_token == token {
                return Ok(names);
            }
            token = page.next_page_token;
        }
    }

    /// Deletes a table; whether it was there.
    pub(crate) async fn delete_table(&self, name: &TableName) -> Result<bool> {
        let about = ("delete the table", name.to_string());
        let call = self
            .tables
            .delete_table()
            .set_project_id(&name.project)
            .set_dataset_id(&name.dataset)
            .set_table_id(&name.table);
        let persistence = self.persistence();
        let deleted = self.finish(&about, &persistence, persistence.set(call).send()).await;
        found_or_none(deleted).map(|deleted| deleted.is_some())
    }

    /// Adds labels to a table.
    pub(crate) async fn label_table(&self, name: &TableName, labels: &BTreeMap<String, String>) -> Result<TableInfo> {
        let about = ("label the table", name.to_string());
        let labels = labels.iter().map(|(key, value)| (key.clone(), value.clone()));
        let call = self
            .tables
            .patch_table()
            .set_project_id(&name.project)
            .set_dataset_id(&name.dataset)
            .set_table_id(&name.table)
            .set_table(model::Table::new().set_labels(labels));
        let persistence = self.persistence();
        // The same labels again are the same labels.
        let call = google_cloud_gax::options::RequestOptionsBuilder::with_idempotency(call, true);
        let table = self.finish(&about, &persistence, persistence.set(call).send()).await?;
        Ok(convert::table(name, &table))
    }

    /// A job; `None` where there is none.
    pub(crate) async fn job(&self, name: &JobName) -> Result<Option<JobInfo>> {
        let about = ("look at the job", name.to_string());
        let mut call = self.jobs.get_job().set_project_id(&name.project).set_job_id(&name.id);
        if let Some(location) = &name.location {
            call = call.set_location(location);
        }
        let persistence = self.persistence();
        let found = self.finish(&about, &persistence, persistence.set(call).send()).await;
        found_or_none(found).map(|found| found.map(|job| convert::job(name, &job)))
    }

    /// A job as an upload answers with it.
    pub(crate) fn job_in(&self, name: &JobName, reply: &[u8]) -> Result<JobInfo> {
        match serde_json::from_slice::<model::Job>(reply) {
            Ok(job) => Ok(convert::job(name, &job)),
            Err(error) => Err(Error::new(Kind::BadReply, "begin the job", name.to_string()).with_source(error)),
        }
    }

    /// When a call is made again.
    pub(crate) fn retry(&self) -> &RetryPolicy {
        &self.retry
    }

    fn persistence(&self) -> Persistence {
        Persistence(Patience::new(self.retry.clone(), self.jitter.clone()))
    }

    /// Waits for a call, and translates what it comes to. Google's client bounds each try, and how
    /// often it tries; this bounds the whole, whatever that client thinks of next.
    async fn finish<T>(
        &self,
        (doing, resource): &(&str, String),
        persistence: &Persistence,
        call: impl Future<Output = Result<T, GoogleError>>,
    ) -> Result<T> {
        // A reply of these is large; so is the future.
        let patience = persistence.0.whole(ONE_TRY);
        match tokio::time::timeout(patience, Box::pin(call)).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(translate(doing, resource, &error, persistence.0.attempts(), error::kind)),
            Err(_) => Err(silent(doing, resource, patience)),
        }
    }
}

impl fmt::Debug for Google {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Google").field("retry", &self.retry).finish_non_exhaustive()
    }
}

fn silent(doing: &str, resource: &str, patience: Duration) -> Error {
    Error::new(Kind::DeadlineExceeded, doing, resource).with_source(format!("no answer in {} s", patience.as_secs()))
}

fn found_or_none<T>(found: Result<T>) -> Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == Kind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether it is the dataset that is not there (`Not found: Dataset p:d`), not only the table.
fn says_dataset(error: &Error) -> bool {
    let message = error.service().and_then(|service| service.message.as_deref()).unwrap_or_default();
    error.kind() == Kind::NotFound
        && message.to_ascii_lowercase().contains("dataset")
        && !message.to_ascii_lowercase().contains("table")
}
