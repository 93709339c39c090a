//! A server, and stores on it.

use std::time::Duration;

use batch_backend::{Columns, InputStore, RequestSink};
use batch_bq::{BqClient, BqInput, BqOutput};
use batch_http::{Credentials, Endpoints, HttpClient, HttpConfig, RetryPolicy};
use batch_model::{BatchPredictionJob, BigQueryUri, OutputInfo};

/// Tries that follow each other at once.
pub(crate) fn impatient() -> RetryPolicy {
    RetryPolicy { initial: Duration::from_millis(1), max_attempts: 4, ..RetryPolicy::default() }
}

pub(crate) async fn client_at(url: &str) -> BqClient {
    let mut config = HttpConfig::new(Endpoints::all_at(url).unwrap(), Credentials::anonymous());
    config.retry = impatient();
    BqClient::connect(HttpClient::new(config).unwrap(), impatient(), "demo").await.unwrap()
}

pub(crate) fn uri(text: &str) -> BigQueryUri {
    text.parse().unwrap()
}

/// A dataset of its own on some server.
pub(crate) struct World {
    pub(crate) client: BqClient,
    pub(crate) dataset: BigQueryUri,
    pub(crate) input: BqInput,
    pub(crate) output: BqOutput,
}

impl World {
    pub(crate) async fn at(url: &str, dataset: &str) -> Self {
        let client = client_at(url).await;
        let dataset = uri(&format!("bq://demo.{dataset}"));
        client.ensure_dataset(&dataset, "us-central1").await.unwrap();
        let input = BqInput::new(client.clone(), dataset.clone()).unwrap();
        let output = BqOutput::new(client.clone(), dataset.clone());
        Self { client, dataset, input, output }
    }

    /// The address of a table in the dataset.
    pub(crate) fn table(&self, table: &str) -> BigQueryUri {
        uri(&format!("{}.{table}", self.dataset))
    }

    /// Stages lines; returns what the store says of them.
    pub(crate) async fn stage(&self, name: &str, columns: &Columns, lines: &str) -> batch_backend::Staged {
        let mut sink: Box<dyn RequestSink> = self.input.create(name, columns).await.unwrap();
        sink.write(lines.to_owned().into()).await.unwrap();
        sink.finish().await.unwrap()
    }

    /// The lines of a table.
    pub(crate) async fn lines(&self, table: &BigQueryUri) -> String {
        let mut rows = self.client.read_table(table).await.unwrap();
        let mut lines = Vec::new();
        while let Some(page) = rows.next().await.unwrap() {
            lines.extend_from_slice(&page.lines);
        }
        String::from_utf8(lines).unwrap()
    }
}

/// A job that names its table.
pub(crate) fn ended(table: &str) -> BatchPredictionJob {
    let mut info = OutputInfo::default();
    info.bigquery_output_table = Some(table.to_owned());
    let mut job = BatchPredictionJob::default();
    job.output_info = Some(info);
    job
}
