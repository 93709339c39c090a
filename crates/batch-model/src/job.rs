//! `projects.locations.batchPredictionJobs` (Vertex AI REST API, v1 and v1beta1).

use serde::de::MapAccess;
use serde_json::{Map, Value};

use crate::{
    Float, InputConfig, ModelName, OutputConfig, OutputInfo, Status,
    open_enum::open_enum,
    shape::Shape,
    wire::{Member, Wire, wire_struct},
};

open_enum! {
    /// The state of a job (`google.cloud.aiplatform.v1.JobState`).
    #[derive(Default)]
    pub enum JobState {
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

/// A state that was not given is `JOB_STATE_UNSPECIFIED`, and is not written.
impl Member for JobState {
    fn take<'de, A: MapAccess<'de>>(&mut self, name: &'static str, object: &mut A) -> Result<(), A::Error> {
        let mut state = (*self != Self::Unspecified).then(|| self.clone());
        Member::take(&mut state, name, object)?;
        *self = state.unwrap_or_default();
        Ok(())
    }

    fn is_absent(&self) -> bool {
        *self == Self::Unspecified
    }

    fn shape() -> Shape {
        <Self as Wire>::shape()
    }
}

wire_struct! {
    /// A batch prediction job: what is sent to create one, and what every method answers.
    ///
    /// Times are RFC 3339 text. What only other kinds of jobs have (explanations, monitoring, an
    /// endpoint of one's own) is in `extra`.
    pub struct BatchPredictionJob {
        /// `projects/*/locations/*/batchPredictionJobs/*`; set by the service.
        name: Option<String> = "name",
        /// A name for people, 128 characters at most. Required on create; not unique.
        display_name: Option<String> = "displayName",
        /// `publishers/*/models/*`, or a tuned `projects/*/locations/*/models/*`.
        model: Option<String> = "model",
        /// Which version of the model; set by the service.
        model_version_id: Option<String> = "modelVersionId",
        /// A model in a container that is not a resource; not for Gemini.
        unmanaged_container_model: Option<UnmanagedContainerModel> = "unmanagedContainerModel",
        /// Where the request lines are.
        input_config: Option<InputConfig> = "inputConfig",
        /// How instances are made of the input; its effect on Gemini jobs is not known.
        instance_config: Option<InstanceConfig> = "instanceConfig",
        /// Parameters of the model; not for Gemini, whose requests carry their own.
        model_parameters: Option<Value> = "modelParameters",
        /// Where the predictions shall be written.
        output_config: Option<OutputConfig> = "outputConfig",
        /// The machines of a self-deployed model.
        dedicated_resources: Option<BatchDedicatedResources> = "dedicatedResources",
        /// The account that the job runs as. Not supported for Gemini.
        service_account: Option<String> = "serviceAccount",
        /// How many instances go to a machine at a time; not for Gemini.
        manual_batch_tuning_parameters: Option<ManualBatchTuningParameters> = "manualBatchTuningParameters",
        /// Whether to explain each prediction; not for Gemini.
        generate_explanation: Option<bool> = "generateExplanation",
        /// How to explain, as it came; not for Gemini.
        explanation_spec: Option<Value> = "explanationSpec",
        /// Where the predictions are; absent until the output location exists.
        output_info: Option<OutputInfo> = "outputInfo",
        /// The state; `JOB_STATE_UNSPECIFIED` when absent.
        state: JobState = "state",
        /// Why the job failed or was cancelled.
        error: Option<Status> = "error",
        /// Up to 20 failures of parts of the job.
        partial_failures: Vec<Status> = "partialFailures",
        /// What a self-deployed model has used.
        resources_consumed: Option<ResourcesConsumed> = "resourcesConsumed",
        /// Counts of rows; may appear while the job runs.
        completion_stats: Option<CompletionStats> = "completionStats",
        /// When the job was created.
        create_time: Option<String> = "createTime",
        /// When it first ran.
        start_time: Option<String> = "startTime",
        /// When it ended.
        end_time: Option<String> = "endTime",
        /// When it last changed.
        update_time: Option<String> = "updateTime",
        /// Labels of the job: see [`limits`](crate::limits).
        labels: Map<String, Value> = "labels",
        /// A key of the customer's own (CMEK). Not supported for Gemini.
        encryption_spec: Option<EncryptionSpec> = "encryptionSpec",
        /// Whether container logs are off; for self-deployed models.
        disable_container_logging: Option<bool> = "disableContainerLogging",
        /// Reserved by the service.
        satisfies_pzs: Option<bool> = "satisfiesPzs",
        /// Reserved by the service.
        satisfies_pzi: Option<bool> = "satisfiesPzi",
    }

    /// Counts of rows. On the wire they are strings, and a zero is left out (likely).
    pub struct CompletionStats {
        /// Rows with a response.
        successful_count: Option<i64> = "successfulCount" as AsText,
        /// Rows with an error.
        failed_count: Option<i64> = "failedCount" as AsText,
        /// Rows not yet processed; −1 when the service does not know.
        incomplete_count: Option<i64> = "incompleteCount" as AsText,
        /// Forecast points; not for Gemini.
        successful_forecast_point_count: Option<i64> = "successfulForecastPointCount" as AsText,
    }

    /// How instances are made of the input of a classic model.
    pub struct InstanceConfig {
        /// `object`, `array`, or a type that goes with the input's format.
        instance_type: Option<String> = "instanceType",
        /// The column that stands for the row in the output. Refused with BigQuery output.
        key_field: Option<String> = "keyField",
        /// The columns that go to the model; all where absent.
        included_fields: Vec<String> = "includedFields",
        /// The columns that do not.
        excluded_fields: Vec<String> = "excludedFields",
    }

    /// The machines of a self-deployed model.
    pub struct BatchDedicatedResources {
        /// The machine type and accelerators, as they came.
        machine_spec: Option<Value> = "machineSpec",
        /// How many to start with.
        starting_replica_count: Option<i32> = "startingReplicaCount",
        /// How many at most; 10 where absent.
        max_replica_count: Option<i32> = "maxReplicaCount",
    }

    /// How much goes to a machine at a time.
    pub struct ManualBatchTuningParameters {
        /// Instances in one operation; 64 where absent.
        batch_size: Option<i32> = "batchSize",
    }

    /// What a self-deployed model has used.
    pub struct ResourcesConsumed {
        /// Hours of machines, summed.
        replica_hours: Option<Float> = "replicaHours",
    }

    /// A key of the customer's own.
    pub struct EncryptionSpec {
        /// `projects/*/locations/*/keyRings/*/cryptoKeys/*`.
        kms_key_name: Option<String> = "kmsKeyName",
    }

    /// A model in a container that is not a resource.
    pub struct UnmanagedContainerModel {
        /// The folder with the model's files.
        artifact_uri: Option<String> = "artifactUri",
        /// The files that describe instances, parameters and predictions.
        predict_schemata: Option<PredictSchemata> = "predictSchemata",
        /// The container, as it came.
        container_spec: Option<Value> = "containerSpec",
    }

    /// The files that describe what goes in and comes out of a container.
    pub struct PredictSchemata {
        /// Of one instance: a YAML file with an OpenAPI 3.0.2 schema.
        instance_schema_uri: Option<String> = "instanceSchemaUri",
        /// Of the parameters.
        parameters_schema_uri: Option<String> = "parametersSchemaUri",
        /// Of one prediction.
        prediction_schema_uri: Option<String> = "predictionSchemaUri",
    }
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
