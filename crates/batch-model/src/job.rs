//! `projects.locations.batchPredictionJobs` (Vertex AI REST API, v1 and v1beta1).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{ModelName, open_enum::open_enum, wire};

open_enum! {
    /// The state of a job (`google.cloud.aiplatform.v1.JobState`).
    #[derive(Default)]
    JobState {
        /// Not said.
        #[default]
        Unspecified = "JOB_STATE_UNSPECIFIED" = 0,
        /// Just created, not yet begun.
        Queued = "JOB_STATE_QUEUED" = 1,
        /// Waits for capacity, 72 hours at most.
        Pending = "JOB_STATE_PENDING" = 2,
        /// The input was read; rows are answered, for 24 hours at most.
        Running = "JOB_STATE_RUNNING" = 3,
        /// Finished. Rows may have failed all the same: each has its own status.
        Succeeded = "JOB_STATE_SUCCEEDED" = 4,
        /// The input could not be read, or the time was up.
        Failed = "JOB_STATE_FAILED" = 5,
        /// A cancellation is under way.
        Cancelling = "JOB_STATE_CANCELLING" = 6,
        /// Cancelled; the rows that were answered are in the output.
        Cancelled = "JOB_STATE_CANCELLED" = 7,
        /// Stopped; nothing resumes it by itself.
        Paused = "JOB_STATE_PAUSED" = 8,
        /// Waited too long for capacity.
        Expired = "JOB_STATE_EXPIRED" = 9,
        /// Being changed; only for job kinds that can be.
        Updating = "JOB_STATE_UPDATING" = 10,
        /// Finished with some results missing.
        PartiallySucceeded = "JOB_STATE_PARTIALLY_SUCCEEDED" = 11,
    }
}

impl JobState {
    /// Whether nothing more will happen to the job.
    ///
    /// `PAUSED` counts as terminal, because nothing resumes a batch job. An unknown state does not:
    /// who waits goes on waiting, and can say so.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        matches!(
            self,
            Self::Succeeded | Self::Failed | Self::Cancelled | Self::Paused | Self::Expired | Self::PartiallySucceeded
        )
    }
}

/// A batch prediction job: what is sent to create one, and what every method answers.
///
/// Fields that this type does not name (explanations, machine types, …) are in `extra` and are
/// written back as they came. Times are RFC 3339 text.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct BatchPredictionJob {
    /// `projects/*/locations/*/batchPredictionJobs/*`; set by the service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A name for people, 128 characters at most. Required on create; not unique.
    #[serde(alias = "display_name", skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// `publishers/*/models/*`, or a tuned `projects/*/locations/*/models/*`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Which version of the model; set by the service.
    #[serde(alias = "model_version_id", skip_serializing_if = "Option::is_none")]
    pub model_version_id: Option<String>,
    /// Where the request lines are.
    #[serde(alias = "input_config", skip_serializing_if = "Option::is_none")]
    pub input_config: Option<InputConfig>,
    /// Where the predictions shall be written.
    #[serde(alias = "output_config", skip_serializing_if = "Option::is_none")]
    pub output_config: Option<OutputConfig>,
    /// Where the predictions are; absent until the output location exists.
    #[serde(alias = "output_info", skip_serializing_if = "Option::is_none")]
    pub output_info: Option<OutputInfo>,
    /// The state; `JOB_STATE_UNSPECIFIED` when absent.
    #[serde(deserialize_with = "state_or_null", skip_serializing_if = "is_unspecified")]
    pub state: JobState,
    /// Why the job failed or was cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Status>,
    /// Up to 20 failures of parts of the job.
    #[serde(
        alias = "partial_failures",
        deserialize_with = "wire::list::deserialize",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub partial_failures: Vec<Status>,
    /// Counts of rows; may appear while the job runs.
    #[serde(alias = "completion_stats", skip_serializing_if = "Option::is_none")]
    pub completion_stats: Option<CompletionStats>,
    /// When the job was created.
    #[serde(alias = "create_time", skip_serializing_if = "Option::is_none")]
    pub create_time: Option<String>,
    /// When it first ran.
    #[serde(alias = "start_time", skip_serializing_if = "Option::is_none")]
    pub start_time: Option<String>,
    /// When it ended.
    #[serde(alias = "end_time", skip_serializing_if = "Option::is_none")]
    pub end_time: Option<String>,
    /// When it last changed.
    #[serde(alias = "update_time", skip_serializing_if = "Option::is_none")]
    pub update_time: Option<String>,
    /// Labels of the job: lowercase letters, digits, `_` and `-`, 64 characters at most each.
    #[serde(deserialize_with = "map_or_null", skip_serializing_if = "Map::is_empty")]
    pub labels: Map<String, Value>,
    /// Every other field, as it came.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl BatchPredictionJob {
    /// A job to be created.
    #[must_use]
    pub fn new(display_name: impl Into<String>, model: &ModelName, input: InputConfig, output: OutputConfig) -> Self {
        Self {
            display_name: Some(display_name.into()),
            model: Some(model.to_string()),
            input_config: Some(input),
            output_config: Some(output),
            ..Self::default()
        }
    }

    /// The same job with one more label.
    #[must_use]
    pub fn with_label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(key.into(), Value::String(value.into()));
        self
    }
}

/// Where a job's request lines are: one of the sources, and the format that goes with it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct InputConfig {
    /// `jsonl`, `bigquery` or `vertex-dataset`.
    #[serde(alias = "instances_format", skip_serializing_if = "String::is_empty")]
    pub instances_format: String,
    /// JSONL files on Cloud Storage.
    #[serde(alias = "gcs_source", skip_serializing_if = "Option::is_none")]
    pub gcs_source: Option<GcsSource>,
    /// A BigQuery table with a `request` column.
    #[serde(alias = "bigquery_source", skip_serializing_if = "Option::is_none")]
    pub bigquery_source: Option<BigQuerySource>,
    /// Every other field, as it came.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl InputConfig {
    /// JSONL files on Cloud Storage; a URI may have wildcards.
    #[must_use]
    pub fn gcs<U: Into<String>>(uris: impl IntoIterator<Item = U>) -> Self {
        Self {
            instances_format: "jsonl".to_owned(),
            gcs_source: Some(GcsSource { uris: uris.into_iter().map(Into::into).collect() }),
            ..Self::default()
        }
    }

    /// The table at `bq://project.dataset.table`.
    #[must_use]
    pub fn bigquery(uri: impl Into<String>) -> Self {
        Self {
            instances_format: "bigquery".to_owned(),
            bigquery_source: Some(BigQuerySource { input_uri: uri.into() }),
            ..Self::default()
        }
    }

    /// The addresses of the input, whichever source it is.
    #[must_use]
    pub fn uris(&self) -> Vec<&str> {
        let gcs = self.gcs_source.iter().flat_map(|source| source.uris.iter().map(String::as_str));
        gcs.chain(self.bigquery_source.iter().map(|source| source.input_uri.as_str())).collect()
    }
}

/// Files on Cloud Storage.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GcsSource {
    /// `gs://` URIs; the service takes wildcards.
    #[serde(deserialize_with = "wire::list::deserialize")]
    pub uris: Vec<String>,
}

/// A BigQuery table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BigQuerySource {
    /// `bq://project.dataset.table`.
    #[serde(alias = "input_uri")]
    pub input_uri: String,
}

/// Where a job shall write its predictions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct OutputConfig {
    /// `jsonl`, `bigquery` or `vertex-dataset`.
    #[serde(alias = "predictions_format", skip_serializing_if = "String::is_empty")]
    pub predictions_format: String,
    /// A folder on Cloud Storage.
    #[serde(alias = "gcs_destination", skip_serializing_if = "Option::is_none")]
    pub gcs_destination: Option<GcsDestination>,
    /// A BigQuery project, dataset or table.
    #[serde(alias = "bigquery_destination", skip_serializing_if = "Option::is_none")]
    pub bigquery_destination: Option<BigQueryDestination>,
    /// Every other field, as it came.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl OutputConfig {
    /// A folder on Cloud Storage; the service makes a folder of its own below it.
    #[must_use]
    pub fn gcs(prefix: impl Into<String>) -> Self {
        Self {
            predictions_format: "jsonl".to_owned(),
            gcs_destination: Some(GcsDestination { output_uri_prefix: prefix.into() }),
            ..Self::default()
        }
    }

    /// `bq://project.dataset.table`, a table that must not exist yet.
    #[must_use]
    pub fn bigquery(uri: impl Into<String>) -> Self {
        Self {
            predictions_format: "bigquery".to_owned(),
            bigquery_destination: Some(BigQueryDestination { output_uri: uri.into() }),
            ..Self::default()
        }
    }

    /// The address of the output, whichever destination it is.
    #[must_use]
    pub fn uri(&self) -> Option<&str> {
        let gcs = self.gcs_destination.as_ref().map(|destination| destination.output_uri_prefix.as_str());
        gcs.or_else(|| self.bigquery_destination.as_ref().map(|destination| destination.output_uri.as_str()))
    }
}

/// A folder on Cloud Storage.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GcsDestination {
    /// `gs://bucket/folder`; a missing trailing slash is added by the service.
    #[serde(alias = "output_uri_prefix")]
    pub output_uri_prefix: String,
}

/// A place in BigQuery.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BigQueryDestination {
    /// `bq://project`, `bq://project.dataset` or `bq://project.dataset.table`.
    #[serde(alias = "output_uri")]
    pub output_uri: String,
}

/// Where a job's predictions are. All fields are set by the service.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct OutputInfo {
    /// `gs://…/prediction-model-<time>`, without a trailing slash.
    #[serde(alias = "gcs_output_directory", skip_serializing_if = "Option::is_none")]
    pub gcs_output_directory: Option<String>,
    /// `bq://project.dataset`.
    #[serde(alias = "bigquery_output_dataset", skip_serializing_if = "Option::is_none")]
    pub bigquery_output_dataset: Option<String>,
    /// The table: its name or, for Gemini jobs (likely), the full `bq://project.dataset.table`.
    #[serde(alias = "bigquery_output_table", skip_serializing_if = "Option::is_none")]
    pub bigquery_output_table: Option<String>,
    /// Every other field, as it came.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Counts of rows. On the wire they are strings, and a zero is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct CompletionStats {
    /// Rows with a response.
    #[serde(alias = "successful_count", with = "wire::int64", skip_serializing_if = "Option::is_none")]
    pub successful_count: Option<i64>,
    /// Rows with an error.
    #[serde(alias = "failed_count", with = "wire::int64", skip_serializing_if = "Option::is_none")]
    pub failed_count: Option<i64>,
    /// Rows not yet processed; −1 when the service does not know.
    #[serde(alias = "incomplete_count", with = "wire::int64", skip_serializing_if = "Option::is_none")]
    pub incomplete_count: Option<i64>,
    /// Forecast points; not for Gemini.
    #[serde(alias = "successful_forecast_point_count", with = "wire::int64", skip_serializing_if = "Option::is_none")]
    pub successful_forecast_point_count: Option<i64>,
}

/// `google.rpc.Status`: why something failed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Status {
    /// A `google.rpc.Code` (3 is invalid argument, 13 internal), or an HTTP status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<i64>,
    /// What is said about it, for developers, in English.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Structured details, as they came.
    #[serde(deserialize_with = "wire::list::deserialize", skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<Value>,
    /// Every other field, as it came.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

fn is_unspecified(state: &JobState) -> bool {
    *state == JobState::Unspecified
}

fn state_or_null<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<JobState, D::Error> {
    Ok(Option::<JobState>::deserialize(deserializer)?.unwrap_or_default())
}

fn map_or_null<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Map<String, Value>, D::Error> {
    Ok(Option::<Map<String, Value>>::deserialize(deserializer)?.unwrap_or_default())
}
