//! What is refused at once, and what is forgiven.

use batch_emulator::{JobsConfig, Models};
use serde_json::{Value, json};

use super::{PARENT, Service, job};

async fn create(service: &Service, body: &Value) -> crate::http::Reply {
    service.post(&format!("{PARENT}/batchPredictionJobs"), body).await
}

/// The body of a good job with something changed.
fn changed(change: impl FnOnce(&mut Value)) -> Value {
    let mut body = job("gs://bucket/in.jsonl");
    change(&mut body);
    body
}

#[tokio::test]
async fn both_spellings_and_a_single_uri_are_understood() {
    let service = Service::start(JobsConfig::default()).await;
    let body = json!({
        "display_name": "a job",
        "model": "publishers/google/models/gemini-2.5-flash-lite",
        "input_config": { "instances_format": "jsonl", "gcs_source": { "uris": "gs://bucket/in.jsonl" } },
        "output_config": {
            "predictions_format": "jsonl",
            "gcs_destination": { "output_uri_prefix": "gs://bucket/out" },
        },
        "labels": { "team": "a" },
        "name": "ignored",
        "state": "JOB_STATE_SUCCEEDED",
        "serviceAccount": null,
    });
    let snake = create(&service, &body).await.ok();
    let camel = create(&service, &job("gs://bucket/in.jsonl")).await.ok();
    for field in ["displayName", "model", "inputConfig", "outputConfig", "state"] {
        assert_eq!(snake[field], camel[field], "{field}");
    }
    assert_eq!(snake["labels"], json!({ "team": "a" }));
    assert_ne!(snake["name"], "ignored");
}

#[tokio::test]
async fn what_is_wrong_with_the_body_is_said() {
    let service = Service::start(JobsConfig::default()).await;
    let cases: Vec<(Value, &str)> = vec![
        (
            changed(|body| body["colour"] = json!("red")),
            "Invalid JSON payload received. Unknown name \"colour\" at 'batch_prediction_job': Cannot find field.",
        ),
        (
            changed(|body| body["inputConfig"]["gcsSource"]["uri"] = json!("gs://bucket/in.jsonl")),
            "Invalid JSON payload received. Unknown name \"uri\" at 'batch_prediction_job.input_config.gcs_source': Cannot find field.",
        ),
        (
            changed(|body| body["displayName"] = json!(7)),
            "Invalid value at 'batch_prediction_job.display_name' (TYPE_STRING), 7",
        ),
        (
            changed(|body| body["inputConfig"]["bigquerySource"] = json!({ "inputUri": "bq://p.d.t" })),
            "Invalid value at 'batch_prediction_job.input_config' (oneof), oneof field 'source' is already set. Cannot set 'bigquerySource'",
        ),
        (
            json!({}),
            "List of found errors:\t1.Field: batch_prediction_job.display_name; Message: Required field is not set.\t2.Field: batch_prediction_job.model; Message: Required field is not set.\t3.Field: batch_prediction_job.input_config; Message: Required field is not set.\t4.Field: batch_prediction_job.output_config; Message: Required field is not set.\t",
        ),
        (
            changed(|body| body["inputConfig"] = json!({ "instancesFormat": "jsonl" })),
            "List of found errors:\t1.Field: batch_prediction_job.input_config.source; Message: Required field is not set.\t",
        ),
        (
            changed(|body| body["outputConfig"] = json!({ "predictionsFormat": "jsonl" })),
            "List of found errors:\t1.Field: batch_prediction_job.output_config.destination; Message: Required field is not set.\t",
        ),
        (
            changed(|body| body["displayName"] = json!("é".repeat(129))),
            "List of found errors:\t1.Field: batch_prediction_job.display_name; Message: The display name can be up to 128 characters long.\t",
        ),
        (
            changed(|body| body["inputConfig"]["gcsSource"]["uris"] = json!(["in.jsonl"])),
            "List of found errors:\t1.Field: batch_prediction_job.input_config.gcs_source.uris; Message: At least one URI is required, and each must be a Cloud Storage URI of the form gs://bucket/object.\t",
        ),
        (
            changed(|body| body["inputConfig"]["instancesFormat"] = json!("csv")),
            "List of found errors:\t1.Field: batch_prediction_job.input_config.instances_format; Message: The instances format \"csv\" is not supported for this model and source.\t",
        ),
        (
            changed(|body| body["labels"] = json!({ "Team": "a" })),
            "List of found errors:\t1.Field: batch_prediction_job.labels; Message: Label keys and values can only contain lowercase letters, numbers, dashes and underscores; keys must start with a letter; neither can be longer than 63 characters.\t",
        ),
        (
            changed(|body| {
                body["outputConfig"] =
                    json!({ "predictionsFormat": "bigquery", "bigqueryDestination": { "outputUri": "bq://p" } });
                body["instanceConfig"] = json!({ "keyField": "key" });
            }),
            "\"bigquery\" output format does not support key_field.",
        ),
        (
            changed(|body| body["serviceAccount"] = json!("a@b.iam.gserviceaccount.com")),
            "Custom service account is not supported for batch prediction with Gemini models.",
        ),
        (
            changed(|body| body["encryptionSpec"] = json!({ "kmsKeyName": "k" })),
            "CMEK is not supported for batch prediction with Gemini models.",
        ),
    ];
    for (body, expected) in cases {
        let (code, status, message) = create(&service, &body).await.error();
        assert_eq!((code, &*status), (400, "INVALID_ARGUMENT"), "{body}");
        assert_eq!(message, expected);
    }
    let path = format!("{PARENT}/batchPredictionJobs");
    for body in ["{", "[]", "\u{feff}{}"] {
        let reply = service.send("POST", &path, Some(body.as_bytes())).await;
        assert_eq!(reply.error().0, 400, "{body}");
    }
    let listed = service.get(&path).await.ok();
    assert_eq!(listed, json!({}), "nothing was made");
}

#[tokio::test]
async fn a_key_field_is_taken_where_the_output_is_cloud_storage() {
    let service = Service::start(JobsConfig::default()).await;
    let body = changed(|body| body["instanceConfig"] = json!({ "keyField": "key" }));
    let created = create(&service, &body).await.ok();
    assert_eq!(created["instanceConfig"], json!({ "keyField": "key" }));
}

#[tokio::test]
async fn what_this_emulator_cannot_do_it_says() {
    let service = Service::start(JobsConfig::default()).await;
    for (body, word) in [
        (
            changed(|body| {
                body["inputConfig"] = json!({ "instancesFormat": "vertex-dataset", "vertexMultimodalDatasetSource": { "datasetName": "projects/p/locations/l/datasets/7" } });
            }),
            "datasets",
        ),
        (changed(|body| body["model"] = json!("publishers/google/models/gemini-embedding-001")), "embeddings"),
    ] {
        let (code, status, message) = create(&service, &body).await.error();
        assert_eq!((code, &*status), (501, "UNIMPLEMENTED"), "{message}");
        assert!(message.contains(word), "{message}");
    }
}

#[tokio::test]
async fn models_that_are_not_served_are_not_found() {
    let service = Service::start(JobsConfig::default()).await;
    for model in [
        "publishers/google/models/gemini-1.5-pro-002",
        "publishers/google/models/gemini-3.5-flash-lite",
        "publishers/google/models/no-such-model",
    ] {
        let body = changed(|body| body["model"] = json!(model));
        let (code, status, message) = create(&service, &body).await.error();
        assert_eq!((code, &*status), (404, "NOT_FOUND"), "{model}");
        assert!(
            message.starts_with("Publisher Model `projects/demo/locations/us-central1/publishers/google/models/"),
            "{message}"
        );
    }
    for model in
        ["gemini-2.5-pro", "publishers/anthropic/models/claude-sonnet-5", "projects/1/locations/us-central1/models/2"]
    {
        let body = changed(|body| body["model"] = json!(model));
        let created = create(&service, &body).await.ok();
        assert_eq!(created["model"], model, "echoed as it was sent");
    }
    let only =
        Service::start(JobsConfig { models: Models::Only(vec!["gemini-2.5-pro".to_owned()]), ..JobsConfig::default() })
            .await;
    assert_eq!(create(&only, &job("gs://bucket/in.jsonl")).await.status, 404);
}
