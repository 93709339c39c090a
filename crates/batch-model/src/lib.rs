//! The vocabulary of Gemini batch prediction on Vertex AI: plain serde types, no IO, no async, no clock.
//!
//! * [`BatchPredictionJob`], [`JobState`], [`InputConfig`], [`OutputConfig`], [`OutputInfo`] and
//!   [`CompletionStats`] are the resource `projects.locations.batchPredictionJobs` and what is under it.
//! * [`GcsUri`], [`BigQueryUri`], [`JobName`], [`ModelName`] and [`Location`] are parsed once, at the edge.
//!
//! Wire types are liberal in what they read: `camelCase` and `snake_case` names, numbers for enums,
//! strings for integers, a scalar where a list is due, `null` anywhere. What a type does not know
//! stays in its `extra` map and is written back.
//!
//! ```
//! use batch_model::{BatchPredictionJob, InputConfig, JobState, ModelName, OutputConfig};
//!
//! let model: ModelName = "gemini-2.5-flash".parse()?;
//! let job = BatchPredictionJob::new(
//!     "news",
//!     &model,
//!     InputConfig::gcs(["gs://bucket/in.jsonl"]),
//!     OutputConfig::gcs("gs://bucket/out"),
//! );
//! let body = serde_json::to_string(&job)?;
//! assert!(body.contains(r#""model":"publishers/google/models/gemini-2.5-flash""#));
//!
//! let reply: BatchPredictionJob = serde_json::from_str(
//!     r#"{"name":"projects/1/locations/us-central1/batchPredictionJobs/2","state":4,
//!         "completionStats":{"successfulCount":"10"}}"#,
//! )?;
//! assert_eq!(reply.state, JobState::Succeeded);
//! assert_eq!(reply.completion_stats.unwrap().successful_count, Some(10));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod job;
mod name;
mod open_enum;
mod uri;
mod wire;

pub use error::ParseError;
pub use job::{
    BatchPredictionJob, BigQueryDestination, BigQuerySource, CompletionStats, GcsDestination, GcsSource, InputConfig,
    JobState, OutputConfig, OutputInfo, Status,
};
pub use name::{JobName, Location, ModelName};
pub use uri::{BigQueryUri, GcsUri};
