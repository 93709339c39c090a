//! The vocabulary of Gemini batch prediction on Vertex AI: plain serde types, no IO, no async, no clock.
//!
//! * [`GenerateContentRequest`] is what stands under `request` in a line, with [`Content`], [`Part`],
//!   [`GenerationConfig`], [`Schema`] and [`Tool`] under it; all have builders.
//! * [`Prediction`] is a line of the output, with [`GenerateContentResponse`], [`Candidate`] and
//!   [`UsageMetadata`] under it.
//! * [`BatchPredictionJob`], [`JobState`], [`InputConfig`], [`OutputConfig`], [`OutputInfo`] and
//!   [`CompletionStats`] are the resource `projects.locations.batchPredictionJobs`; [`Operation`] is
//!   what its deletion answers.
//! * [`GcsUri`], [`BigQueryUri`], [`JobName`], [`ModelName`] and [`Location`] are parsed once, at the edge.
//! * [`limits`], [`models`] and [`prices`] are what is known of the service, with its date.
//! * [`media`], [`tool`], [`retrieval`] and [`grounding`] have what few requests and answers need.
//!
//! Wire types are liberal in what they read: `camelCase` and `snake_case` names, names and numbers for
//! enums, strings for numbers, a single value where a list is due, `null` anywhere. They are faithful
//! in what they write: `0.2` and `1.0` stay so, an empty list is not an absent one, a value that an
//! enum does not know is kept, and so are members that a type does not know, in its `extra` map. Only
//! a `null` of a known member is not kept: it means that the member is absent.
//! [`GenerateContentRequest::shape`] and its like give the names and types as data.
//!
//! ```
//! use batch_model::{
//!     BatchPredictionJob, GenerateContentRequest, GenerationConfig, InputConfig, JobState, ModelName, OutputConfig,
//!     Prediction,
//! };
//!
//! // A line of the input:
//! let request = GenerateContentRequest::text("The derby ended late.")
//!     .with_system("Answer with the category of the text.")
//!     .with_generation_config(GenerationConfig::default().with_temperature(0.0).with_json_enum(["sport", "tech"]));
//! let line = serde_json::json!({"key": "r0", "request": request}).to_string();
//! assert!(line.starts_with(r#"{"key":"r0","request":{"contents":[{"role":"user","parts":[{"text":"The derby"#));
//!
//! // The job, and what the service says of it:
//! let model: ModelName = "gemini-2.5-flash".parse()?;
//! let job = BatchPredictionJob::new(
//!     "news",
//!     &model,
//!     InputConfig::gcs(["gs://bucket/in.jsonl"]),
//!     OutputConfig::gcs("gs://bucket/out"),
//! );
//! let body = serde_json::to_string(&job)?;
//! assert!(body.contains(r#""model":"publishers/google/models/gemini-2.5-flash""#));
//! let reply: BatchPredictionJob = serde_json::from_str(
//!     r#"{"name":"projects/1/locations/us-central1/batchPredictionJobs/2","state":4,
//!         "completionStats":{"successfulCount":"1"}}"#,
//! )?;
//! assert_eq!(reply.state, JobState::Succeeded);
//! assert_eq!(reply.completion_stats.unwrap().successful_count, Some(1));
//!
//! // A line of the output:
//! let prediction: Prediction = serde_json::from_str(
//!     r#"{"key":"r0","request":{},"status":"","response":{"candidates":[
//!         {"content":{"role":"model","parts":[{"text":"\"sport\""}]},"finishReason":"STOP"}]}}"#,
//! )?;
//! assert_eq!(prediction.response.unwrap().text().as_deref(), Some(r#""sport""#));
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
