//! Vertex AI batch prediction jobs over the REST API.
//!
//! [`VertexJobs`] is a [`batch_backend::JobService`]: create, get, list, cancel, delete.
//! [`console_url`] and [`failure_hint`] are for messages about a job.
//!
//! ```
//! use batch_api::VertexJobs;
//! use batch_backend::{JobService, ListJobs};
//! use batch_http::{Credentials, Endpoints, HttpClient, HttpConfig};
//! use batch_model::{BatchPredictionJob, InputConfig, JobName, JobState, OutputConfig};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // A local stand-in for Google Cloud; for the real one take `Endpoints::default()` and
//! // `Credentials::discover(&batch_http::env::process).await?`.
//! let emulator = batch_emulator::Emulator::start(batch_emulator::Config {
//!     buckets: vec!["news".to_owned()],
//!     ..Default::default()
//! })
//! .await?;
//! let endpoints = Endpoints::all_at(emulator.url())?;
//! let client = HttpClient::new(HttpConfig::new(endpoints, Credentials::anonymous()))?;
//! let jobs = VertexJobs::new(client, "my-project", "us-central1".parse()?);
//!
//! let job = BatchPredictionJob::new(
//!     "news",
//!     &"gemini-2.5-flash".parse()?,
//!     InputConfig::gcs(["gs://news/in.jsonl"]),
//!     OutputConfig::gcs("gs://news/out"),
//! );
//! let job = jobs.create(&job).await?;
//! let name: JobName = job.name.unwrap().parse()?;
//! assert!(batch_api::console_url(&name).contains(name.id()));
//! assert_ne!(jobs.get(&name).await?.state, JobState::Unspecified);
//!
//! let page = jobs.list(&ListJobs { filter: "display_name=\"news\"".to_owned(), ..ListJobs::default() }).await?;
//! assert_eq!(page.jobs.len(), 1);
//! # Ok(()) }
//! ```

mod job_help;
mod jobs;

pub use job_help::{console_url, failure_hint};
pub use jobs::VertexJobs;
