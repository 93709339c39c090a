//! What the service checks before it accepts a job.

use http::StatusCode;
use serde_json::{Map, Value};

use super::config::Models;
use super::models;
use super::source::{Input, Output};
use crate::envelope::ApiError;
use crate::json::{Messages, Tree, canonical};

/// The most characters of a display name.
const LONGEST_NAME: usize = 128;

/// Reads the body of a create request: the job as it is to be kept, in canonical spelling
/// and without what only the service sets.
pub(super) fn read(
    body: &[u8],
    models: &Models,
    project: &str,
    location: &str,
) -> Result<Map<String, Value>, ApiError> {
    let job = parse(body)?;
    let mut problems = Problems::default();
    let name = job.get("displayName").and_then(Value::as_str).unwrap_or_default();
    if name.is_empty() {
        problems.missing("display_name");
    } else if name.chars().count() > LONGEST_NAME {
        problems.add("display_name", "The display name can be up to 128 characters long.");
    }
    let model = ["model", "endpoint"].iter().find_map(|field| job.get(*field)?.as_str()).unwrap_or_default();
    if job.contains_key("unmanagedContainerModel") {
        return Err(ApiError::rpc(
            StatusCode::NOT_IMPLEMENTED,
            "UNIMPLEMENTED",
            "This emulator runs no containers of yours.",
        ));
    }
    if model.is_empty() {
        problems.missing("model");
    }
    check_labels(&job, &mut problems);
    let input = check_input(&job, &mut problems);
    let output = check_output(&job, &mut problems);
    problems.finish()?;

    if matches!(output, Some(Output::BigQuery(_)))
        && job.get("instanceConfig").and_then(|config| config.get("keyField")).is_some()
    {
        return Err(invalid("\"bigquery\" output format does not support key_field."));
    }
    if job.contains_key("serviceAccount") {
        return Err(invalid("Custom service account is not supported for batch prediction with Gemini models."));
    }
    if job.contains_key("encryptionSpec") {
        return Err(invalid("CMEK is not supported for batch prediction with Gemini models."));
    }
    models::check(models, model, project, location)?;
    match (input, output) {
        (Some(Input::Dataset), _) | (_, Some(Output::Dataset)) => Err(unimplemented()),
        _ => Ok(job),
    }
}

/// Parses the body and checks it against the message.
fn parse(body: &[u8]) -> Result<Map<String, Value>, ApiError> {
    let body = if body.trim_ascii().is_empty() { b"{}" } else { body };
    let bad = |problem: String| invalid(format!("Invalid JSON payload received. {problem}"));
    let text = std::str::from_utf8(body).map_err(|error| bad(error.to_string()))?;
    let tree = Tree::parse(text).map_err(|error| bad(format!("Unexpected token. {error}")))?;
    let message = Messages::get().job();
    let complaints = message.complaints(tree.root(), "batch_prediction_job");
    if !complaints.is_empty() {
        return Err(invalid(complaints.join("\n")));
    }
    let mut bytes = Vec::new();
    canonical(tree.root(), message, &mut bytes);
    let mut job: Map<String, Value> = serde_json::from_slice(&bytes).map_err(|error| bad(error.to_string()))?;
    // The format comes first, as in the service's replies.
    for (config, format) in [("inputConfig", "instancesFormat"), ("outputConfig", "predictionsFormat")] {
        if let Some(config) = job.get_mut(config).and_then(Value::as_object_mut)
            && let Some(value) = config.shift_remove(format)
        {
            config.shift_insert(0, format.to_owned(), value);
        }
    }
    job.retain(|name, _| message.field(name).is_some_and(|field| !field.is_output()));
    Ok(job)
}

fn check_labels(job: &Map<String, Value>, problems: &mut Problems) {
    let Some(labels) = job.get("labels").and_then(Value::as_object) else {
        return;
    };
    if labels.len() > 64 {
        problems.add("labels", "There can be no more than 64 labels.");
    }
    for (key, value) in labels {
        let value = value.as_str().unwrap_or_default();
        if !super::check::is_label_key(key) || !super::check::is_label_value(value) {
            problems.add(
                "labels",
                "Label keys and values can only contain lowercase letters, numbers, dashes and underscores; keys must start with a letter; neither can be longer than 63 characters.",
            );
        }
    }
}

fn check_input(job: &Map<String, Value>, problems: &mut Problems) -> Option<Input> {
    let Some(config) = job.get("inputConfig") else {
        problems.missing("input_config");
        return None;
    };
    let format = config.get("instancesFormat").and_then(Value::as_str).unwrap_or_default();
    if format.is_empty() {
        problems.missing("input_config.instances_format");
    }
    let has = |name: &str| config.get(name).is_some();
    if !has("gcsSource") && !has("bigquerySource") && !has("vertexMultimodalDatasetSource") {
        problems.missing("input_config.source");
        return None;
    }
    let Some(input) = Input::read(config) else {
        if has("bigquerySource") && !has("gcsSource") {
            problems.add(
                "input_config.bigquery_source.input_uri",
                "Must be a BigQuery URI of the form bq://projectId.bqDatasetId.bqTableId.",
            );
        } else {
            problems.add(
                "input_config.gcs_source.uris",
                "At least one URI is required, and each must be a Cloud Storage URI of the form gs://bucket/object.",
            );
        }
        return None;
    };
    if !format.is_empty() && format != input.format() {
        problems.add(
            "input_config.instances_format",
            &format!("The instances format {format:?} is not supported for this model and source."),
        );
    }
    Some(input)
}

fn check_output(job: &Map<String, Value>, problems: &mut Problems) -> Option<Output> {
    let Some(config) = job.get("outputConfig") else {
        problems.missing("output_config");
        return None;
    };
    let format = config.get("predictionsFormat").and_then(Value::as_str).unwrap_or_default();
    if format.is_empty() {
        problems.missing("output_config.predictions_format");
    }
    let has = |name: &str| config.get(name).is_some();
    if !has("gcsDestination") && !has("bigqueryDestination") && !has("vertexMultimodalDatasetDestination") {
        problems.missing("output_config.destination");
        return None;
    }
    let Some(output) = Output::read(config) else {
        if has("bigqueryDestination") && !has("gcsDestination") {
            problems.add(
                "output_config.bigquery_destination.output_uri",
                "Must be a BigQuery URI of the form bq://projectId, bq://projectId.bqDatasetId or bq://projectId.bqDatasetId.bqTableId.",
            );
        } else {
            problems.add(
                "output_config.gcs_destination.output_uri_prefix",
                "Must be a Cloud Storage URI of the form gs://bucket/prefix.",
            );
        }
        return None;
    };
    if !format.is_empty() && format != output.format() {
        problems.add(
            "output_config.predictions_format",
            &format!("The predictions format {format:?} is not supported for this model and destination."),
        );
    }
    Some(output)
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::rpc(StatusCode::BAD_REQUEST, "INVALID_ARGUMENT", message)
}

fn unimplemented() -> ApiError {
    ApiError::rpc(
        StatusCode::NOT_IMPLEMENTED,
        "UNIMPLEMENTED",
        "This emulator reads and writes Cloud Storage and BigQuery. It has no multimodal datasets.",
    )
}

/// What is wrong with the fields, in the form in which the service lists it.
#[derive(Default)]
struct Problems(String, usize);

impl Problems {
    fn add(&mut self, field: &str, message: &str) {
        self.1 += 1;
        self.0.push_str(&format!("{}.Field: batch_prediction_job.{field}; Message: {message}\t", self.1));
    }

    fn missing(&mut self, field: &str) {
        self.add(field, "Required field is not set.");
    }

    fn finish(self) -> Result<(), ApiError> {
        if self.0.is_empty() {
            return Ok(());
        }
        Err(invalid(format!("List of found errors:\t{}", self.0)))
    }
}
