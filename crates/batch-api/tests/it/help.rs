//! What a person is told about a job that failed.

use batch_api::failure_hint;
use batch_model::BatchPredictionJob;

/// The hint for a job with this error.
fn hint(code: i64, message: &str) -> String {
    let job: BatchPredictionJob = serde_json::from_value(serde_json::json!({
        "name": "projects/467677818012/locations/us-central1/batchPredictionJobs/7",
        "inputConfig": {"instancesFormat": "jsonl", "gcsSource": {"uris": ["gs://news-in/a.jsonl"]}},
        "outputConfig": {"predictionsFormat": "jsonl", "gcsDestination": {"outputUriPrefix": "gs://news-out/x"}},
        "state": "JOB_STATE_FAILED",
        "error": {"code": code, "message": message},
    }))
    .unwrap();
    failure_hint(&job).unwrap_or_else(|| "none".to_owned())
}

#[test]
fn the_service_agent_is_granted_what_it_lacks() {
    let hints = [
        hint(7, "Permission denied while reading gs://news-in/a.jsonl"),
        hint(
            3,
            "Failed to import data. service-9@gcp-sa-aiplatform.iam.gserviceaccount.com does not have \
             storage.objects.create access to the bucket news-out.",
        ),
    ];
    insta::assert_snapshot!(hints.join("\n"), @r"
    grant the role roles/storage.objectUser: `gcloud storage buckets add-iam-policy-binding gs://news-in --member=serviceAccount:service-467677818012@gcp-sa-aiplatform.iam.gserviceaccount.com --role=roles/storage.objectUser`
    grant the role roles/storage.objectUser: `gcloud storage buckets add-iam-policy-binding gs://news-out --member=serviceAccount:service-9@gcp-sa-aiplatform.iam.gserviceaccount.com --role=roles/storage.objectUser`
    ");
}

#[test]
fn what_else_a_job_fails_of() {
    let hints = [
        hint(8, "RESOURCE_EXHAUSTED error occurred."),
        hint(3, "Failed to import data. Not found: URI gs://news-in/a.jsonl"),
        hint(13, "INTERNAL"),
    ];
    insta::assert_snapshot!(hints.join("\n"), @r"
    a quota or the queue was full: run the job again later, or in the location `global`
    see that the input is still where the job was told, and that its location fits
    none
    ");
    assert_eq!(failure_hint(&BatchPredictionJob::default()), None);
}
