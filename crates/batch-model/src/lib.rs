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

mod config;
mod content;
mod error;
mod float;
pub mod grounding;
mod job;
mod job_io;
pub mod limits;
mod list;
pub mod media;
pub mod models;
mod name;
mod open_enum;
mod part;
mod prediction;
pub mod prices;
mod request;
mod response;
pub mod retrieval;
mod safety;
mod schema;
mod shape;
mod status;
pub mod tool;
mod uri;
mod usage;
mod wire;

pub use config::{
    AutoRoutingMode, GenerationConfig, ManualRoutingMode, ModelConfig, ModelPreference, ResponseModality,
    RoutingConfig, ThinkingConfig, ThinkingLevel, TranslationConfig,
};
pub use content::Content;
pub use error::ParseError;
pub use float::Float;
pub use job::{
    BatchDedicatedResources, BatchPredictionJob, CompletionStats, EncryptionSpec, InstanceConfig, JobState,
    ManualBatchTuningParameters, PredictSchemata, ResourcesConsumed, UnmanagedContainerModel,
};
pub use job_io::{
    BigQueryDestination, BigQuerySource, GcsDestination, GcsSource, InputConfig, OutputConfig, OutputInfo,
    VertexMultimodalDatasetDestination, VertexMultimodalDatasetSource,
};
pub use list::{Entries, List};
pub use name::{JobName, Location, ModelName};
pub use part::{
    AudioTranscription, AudioTranscriptionWord, Blob, CodeExecutionOutcome, CodeExecutionResult, CodeLanguage,
    ExecutableCode, FileData, FunctionCall, FunctionResponse, FunctionResponsePart, MediaResolution, Part, PartKind,
    PartMediaResolution, PartialArg, Scheduling, SpeechMetadata, VideoMetadata,
};
pub use prediction::Prediction;
pub use request::{GenerateContentRequest, ModelArmorConfig, RequestOutputConfig};
pub use response::{
    BlockedReason, Candidate, FinishReason, GenerateContentResponse, LogprobsResult, LogprobsToken, PromptFeedback,
    TopLogprobs,
};
pub use safety::{
    HarmBlockMethod, HarmBlockThreshold, HarmCategory, HarmProbability, HarmSeverity, SafetyRating, SafetySetting,
};
pub use schema::{Schema, SchemaType};
pub use shape::{MemberShape, ObjectShape, Shape};
pub use status::{Operation, Status};
pub use tool::{FunctionCallingConfig, FunctionCallingMode, FunctionDeclaration, Tool, ToolConfig};
pub use uri::{BigQueryUri, GcsUri};
pub use usage::{Modality, ModalityTokenCount, TrafficType, UsageMetadata};
