//! Where an address is, against where its jobs run.

use batch_backend::Kind;
use batch_bq::{BqClient, check_location};
use batch_gcs::GcsClient;
use batch_model::{BigQueryUri, GcsUri, Location};
use batch_pipeline::Destination;

use crate::failure::Result;

/// Holds the dataset of `uri` against the service's rules, before anything is created in it. That it
/// cannot be looked at is no failure: whoever may write tables need not be allowed to see the dataset.
pub(super) async fn check(bigquery: &BqClient, uri: &BigQueryUri, job: &Location) -> Result<()> {
    let findings = match bigquery.check_dataset(uri, job).await {
        Err(error) if error.kind() == Kind::PermissionDenied => {
            tracing::debug!(%error, "the dataset cannot be looked at");
            return Ok(());
        }
        findings => findings?,
    };
    for finding in findings {
        if finding.is_refusal() {
            return Err(finding.to_error("use", &uri.to_string()).into());
        }
        tracing::warn!("{finding}; {}", finding.hint);
    }
    Ok(())
}

/// Looks at the dataset of `uri`, as [`bucket`] does at a bucket.
pub(super) async fn dataset(bigquery: &BqClient, role: &str, uri: &BigQueryUri, job: &Location) -> Destination {
    let Some(name) = uri.dataset() else {
        let note = "the service makes a dataset in the project".to_owned();
        return Destination {
            role: role.to_owned(),
            uri: uri.to_string(),
            location: None,
            fits: None,
            note: Some(note),
        };
    };
    let (location, fits, note) = match bigquery.dataset(uri).await {
        Ok(Some(dataset)) => match check_location(name, &dataset.location, job) {
            None => (Some(dataset.location), Some(true), None),
            Some(finding) => {
                let fits = finding.is_refusal().then_some(false);
                (Some(dataset.location), fits, Some(format!("{finding}; {}", finding.hint)))
            }
        },
        Ok(None) => {
            let place = if job.as_str() == "global" { "us-central1" } else { job.as_str() };
            let project = uri.project();
            let note = format!("there is no such dataset: `bq --location={place} mk --dataset {project}:{name}`");
            (None, Some(false), Some(note))
        }
        Err(error) => (None, None, Some(format!("where the dataset is, is not known: {error}"))),
    };
    Destination { role: role.to_owned(), uri: uri.to_string(), location, fits, note }
}

/// Looks at the bucket of `uri`. That it cannot be looked at is no failure of a plan: whoever may write
/// objects need not be allowed to see the bucket.
pub(super) async fn bucket(storage: &GcsClient, role: &str, uri: &GcsUri, job: &Location) -> Destination {
    let found = storage.bucket_location(uri.bucket()).await;
    let (location, fits, note) = match found {
        Ok(Some(location)) => {
            let (fits, note) = judge(&location, job);
            (Some(location), fits, note)
        }
        Ok(None) => {
            let place = if job.as_str() == "global" { "us-central1" } else { job.as_str() };
            let note = format!(
                "there is no such bucket: `gcloud storage buckets create gs://{} --location={place}`",
                uri.bucket()
            );
            (None, Some(false), Some(note))
        }
        Err(error) if error.kind() == Kind::PermissionDenied => {
            (None, None, Some("where the bucket is, is not known: it takes storage.buckets.get to see".to_owned()))
        }
        Err(error) => (None, None, Some(format!("where the bucket is, is not known: {error}"))),
    };
    Destination { role: role.to_owned(), uri: uri.to_string(), location, fits, note }
}

/// Whether jobs in `job` can use a bucket in `location`. A bucket in the job's own region fits for
/// certain; jobs in `global` were seen to take one in us-central1; of a multi-region around the job's
/// region nothing is documented.
fn judge(location: &str, job: &Location) -> (Option<bool>, Option<String>) {
    let job = job.as_str();
    if job == "global" || location == job {
        return (Some(true), None);
    }
    if job.starts_with(&format!("{location}-")) || location.starts_with("nam") || location.starts_with("eur") {
        let note = format!("a bucket of several regions; that jobs in {job} can use it is likely and not documented");
        return (None, Some(note));
    }
    (Some(false), Some(format!("the bucket is in {location} and the jobs are to run in {job}: keep them together")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(location: &str, job: &str) -> Option<bool> {
        judge(location, &job.parse().unwrap()).0
    }

    #[test]
    fn a_bucket_belongs_where_the_job_runs() {
        assert_eq!(fits("us-central1", "us-central1"), Some(true));
        assert_eq!(fits("us-central1", "global"), Some(true));
        assert_eq!(fits("us", "us-central1"), None);
        assert_eq!(fits("eur4", "europe-west4"), None);
        assert_eq!(fits("us-east1", "us-central1"), Some(false));
        assert_eq!(fits("us", "europe-west4"), Some(false));
        let (_, note) = judge("us-east1", &"us-central1".parse().unwrap());
        assert_eq!(
            note.unwrap(),
            "the bucket is in us-east1 and the jobs are to run in us-central1: keep them together"
        );
    }
}
