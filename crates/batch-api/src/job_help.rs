//! What a person wants beside a job: its page in the console, and what to do about its failure.

use batch_http::bucket_grant;
use batch_model::{BatchPredictionJob, GcsUri, InputConfig, JobName, OutputConfig};

/// The job's page in the Google Cloud console.
///
/// The address is the one that `google-cloud-aiplatform` 2.7.0 prints; likely to change some day.
///
/// ```
/// let name = "projects/123/locations/us-central1/batchPredictionJobs/456".parse()?;
/// assert_eq!(
///     batch_api::console_url(&name),
///     "https://console.cloud.google.com/agent-platform/locations/us-central1/batch-predictions/456?project=123",
/// );
/// # Ok::<(), batch_model::ParseError>(())
/// ```
#[must_use]
pub fn console_url(name: &JobName) -> String {
    format!(
        "https://console.cloud.google.com/agent-platform/locations/{}/batch-predictions/{}?project={}",
        name.location(),
        name.id(),
        name.project()
    )
}

/// What to do about a job that failed, where its error tells: mostly, to let Vertex AI's service agent
/// read the input or write the output.
///
/// The service agent is `service-PROJECT_NUMBER@gcp-sa-aiplatform.iam.gserviceaccount.com` (likely;
/// what the error names wins). Its messages are not documented, hence the search for words.
#[must_use]
pub fn failure_hint(job: &BatchPredictionJob) -> Option<String> {
    let error = job.error.as_ref()?;
    let message = error.message.as_deref().unwrap_or_default();
    let words = message.to_lowercase();
    let has = |word: &str| words.contains(word);
    // 7: PERMISSION_DENIED.
    if error.code == Some(7) || has("permission") || has("does not have") || has("access denied") {
        let uris = job.input_config.iter().flat_map(InputConfig::uris);
        let uris: Vec<GcsUri> = uris
            .chain(job.output_config.iter().filter_map(OutputConfig::uri))
            .filter_map(|uri| uri.parse().ok())
            .collect();
        // The bucket that the message speaks of, else the first.
        let bucket = uris.iter().find(|uri| message.contains(uri.bucket())).or(uris.first())?.bucket();
        return bucket_grant(message, bucket).or_else(|| bucket_grant(&service_agent(job)?, bucket));
    }
    if has("quota") || error.code == Some(8) {
        return Some("a quota or the queue was full: run the job again later, or in the location `global`".to_owned());
    }
    if has("not found") || has("no such object") || has("does not exist") || has("matched no") {
        return Some("see that the input is still where the job was told, and that its location fits".to_owned());
    }
    None
}

/// Vertex AI's service agent in the job's project, where the job's name has the project's number.
fn service_agent(job: &BatchPredictionJob) -> Option<String> {
    let name: JobName = job.name.as_deref()?.parse().ok()?;
    let number = name.project();
    let is_number = number.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| format!("service-{number}@gcp-sa-aiplatform.iam.gserviceaccount.com"))
}
