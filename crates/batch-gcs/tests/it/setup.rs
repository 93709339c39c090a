//! An emulator, and stores on it.

use std::time::Duration;

use batch_backend::{Columns, InputStore};
use batch_emulator::{Config, Emulator};
use batch_gcs::{GcsClient, GcsInput, GcsOutput};
use batch_http::{Credentials, Endpoints, HttpClient, HttpConfig, RetryPolicy};
use batch_model::GcsUri;

/// Tries that follow each other at once.
pub(crate) fn impatient() -> RetryPolicy {
    RetryPolicy { initial: Duration::from_millis(1), max_attempts: 4, ..RetryPolicy::default() }
}

pub(crate) async fn client_at(url: &str) -> GcsClient {
    client_with(url, Credentials::anonymous()).await.unwrap()
}

pub(crate) async fn client_with(url: &str, credentials: Credentials) -> batch_backend::Result<GcsClient> {
    let mut config = HttpConfig::new(Endpoints::all_at(url).unwrap(), credentials);
    config.retry = impatient();
    GcsClient::connect(HttpClient::new(config).unwrap(), impatient()).await
}

pub(crate) fn uri(text: &str) -> GcsUri {
    text.parse().unwrap()
}

pub(crate) struct Setup {
    pub(crate) emulator: Emulator,
    pub(crate) gcs: GcsClient,
    pub(crate) input: GcsInput,
    pub(crate) output: GcsOutput,
}

impl Setup {
    pub(crate) async fn new() -> Self {
        let emulator = Emulator::start(Config { buckets: vec!["news".to_owned()], ..Config::default() }).await.unwrap();
        let gcs = client_at(emulator.url()).await;
        let input = GcsInput::new(gcs.clone(), uri("gs://news/runs/in"));
        let output = GcsOutput::new(gcs.clone(), uri("gs://news/runs/out/"));
        Self { emulator, gcs, input, output }
    }

    /// Lets something go wrong from now on.
    pub(crate) fn fault(&self, name: &str, count: u64) {
        self.emulator.faults().set(name, count).unwrap();
    }

    /// Puts an object, as a job would.
    pub(crate) async fn put(&self, object: &str, bytes: impl Into<bytes::Bytes>) {
        let store = GcsInput::new(self.gcs.clone(), uri("gs://news"));
        let mut sink = store.create(object, &Columns::default()).await.unwrap();
        sink.write(bytes.into()).await.unwrap();
        sink.finish().await.unwrap();
    }

    /// The requests of a method whose path has `part` in it.
    pub(crate) fn requests(&self, method: &str, part: &str) -> usize {
        let requests = self.emulator.requests();
        requests.iter().filter(|request| request.method == method && request.path.contains(part)).count()
    }
}
