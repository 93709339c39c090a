//! A job as it is kept, and as it is shown.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::filter::Subject;
use super::source::{Input, Output};
use super::state::JobState;
use super::time::{from_micros, proto};
use crate::Faults;
use crate::bigquery::TableName;

/// The version of the records in the data directory.
pub(super) const VERSION: u32 = 1;

/// All that is known of one job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Record {
    /// Always [`VERSION`].
    pub(super) version: u32,
    /// The last part of the name: 18 or 19 digits.
    pub(super) id: u64,
    /// The number of the project.
    pub(super) project: u64,
    /// The location.
    pub(super) location: String,
    /// Counts the jobs of the emulator; the later of two made in one microsecond has the
    /// higher number.
    pub(super) serial: u64,
    /// The job as it was asked for, in canonical spelling.
    pub(super) body: Map<String, Value>,
    pub(super) state: JobState,
    pub(super) error: Option<JobError>,
    /// `gs://…/prediction-model-TIME`, once there is something in it.
    pub(super) output_directory: Option<String>,
    /// The dataset and the table of the output, once there is something in it.
    #[serde(default)]
    pub(super) output_table: Option<TableName>,
    pub(super) stats: Stats,
    /// Microseconds since 1970, as all times here.
    pub(super) created: i64,
    pub(super) started: Option<i64>,
    pub(super) ended: Option<i64>,
    pub(super) updated: i64,
    /// What shall go wrong with this job.
    pub(super) faults: JobFaults,
}

/// Why a whole job failed: a `google.rpc.Status` without details, as a client of Google's
/// chokes on them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct JobError {
    pub(super) code: i32,
    pub(super) message: String,
}

impl JobError {
    /// The input could not be imported.
    pub(super) fn import(message: impl AsRef<str>) -> JobError {
        JobError { code: 3, message: format!("Failed to import data. {}", message.as_ref()) }
    }

    /// Something broke inside.
    pub(super) fn internal(message: impl Into<String>) -> JobError {
        JobError { code: 13, message: message.into() }
    }
}

/// How far the rows are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stats {
    pub(super) successful: u64,
    pub(super) failed: u64,
    pub(super) incomplete: u64,
}

/// The faults that were taken for a job, kept so that a restart changes nothing.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct JobFaults {
    pub(super) stuck: bool,
    pub(super) failed: bool,
    pub(super) expired: bool,
    pub(super) cut_output: bool,
    pub(super) split_output: bool,
    /// How many rows each fault of rows hits; none before the job runs.
    pub(super) rows: Option<BTreeMap<String, u64>>,
}

impl JobFaults {
    /// Takes at most one of the faults of whole jobs.
    pub(super) fn take(faults: &Faults) -> JobFaults {
        let stuck = faults.take("job-stuck");
        let failed = !stuck && faults.take("job-failed");
        let expired = !stuck && !failed && faults.take("job-expired");
        JobFaults { stuck, failed, expired, ..JobFaults::default() }
    }
}

impl Record {
    /// `projects/NUMBER/locations/LOCATION/batchPredictionJobs/ID`.
    pub(super) fn name(&self) -> String {
        format!("projects/{}/locations/{}/batchPredictionJobs/{}", self.project, self.location, self.id)
    }

    pub(super) fn text(&self, field: &str) -> &str {
        self.body.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn created_at(&self) -> Timestamp {
        from_micros(self.created)
    }

    /// Where the rows come from.
    pub(super) fn input(&self) -> Option<Input> {
        Input::read(self.body.get("inputConfig")?)
    }

    /// Where the predictions go.
    pub(super) fn output(&self) -> Option<Output> {
        Output::read(self.body.get("outputConfig")?)
    }

    /// What filters look at.
    pub(super) fn subject(&self) -> Subject<'_> {
        Subject {
            display_name: self.text("displayName"),
            model: self.text("model"),
            state: self.state,
            created: self.created_at(),
            labels: self.body.get("labels").and_then(Value::as_object),
        }
    }

    /// The job as the API shows it, with states as numbers where the client asks for them.
    /// What is zero or not there yet is left out.
    pub(super) fn show(&self, numbers: bool) -> Map<String, Value> {
        let mut shown = Map::new();
        let mut put = |name: &str, value: Value| {
            shown.insert(name.to_owned(), value);
        };
        put("name", json!(self.name()));
        for field in [
            "displayName",
            "model",
            "endpoint",
            "inputConfig",
            "instanceConfig",
            "modelParameters",
            "outputConfig",
            "dedicatedResources",
            "manualBatchTuningParameters",
            "generateExplanation",
            "explanationSpec",
            "disableContainerLogging",
        ] {
            if let Some(value) = self.body.get(field) {
                put(field, value.clone());
            }
        }
        if let Some(directory) = &self.output_directory {
            put("outputInfo", json!({ "gcsOutputDirectory": directory }));
        }
        if let Some(TableName { project, dataset, table }) = &self.output_table {
            put(
                "outputInfo",
                json!({ "bigqueryOutputDataset": format!("bq://{project}.{dataset}"), "bigqueryOutputTable": table }),
            );
        }
        put(
            "state",
            match numbers {
                true => json!(self.state.number()),
                false => json!(self.state.name()),
            },
        );
        if let Some(error) = &self.error {
            put("error", json!({ "code": error.code, "message": error.message }));
        }
        let mut stats = Map::new();
        for (name, count) in [
            ("successfulCount", self.stats.successful),
            ("failedCount", self.stats.failed),
            ("incompleteCount", self.stats.incomplete),
        ] {
            if count > 0 {
                // 64-bit numbers are strings in protobuf's JSON.
                stats.insert(name.to_owned(), json!(count.to_string()));
            }
        }
        if !stats.is_empty() {
            put("completionStats", Value::Object(stats));
        }
        for (name, time) in [
            ("createTime", Some(self.created)),
            ("startTime", self.started),
            ("endTime", self.ended),
            ("updateTime", Some(self.updated)),
        ] {
            if let Some(time) = time {
                put(name, json!(proto(from_micros(time))));
            }
        }
        if let Some(labels) = self.body.get("labels") {
            put("labels", labels.clone());
        }
        put("modelVersionId", json!("1"));
        shown
    }
}
