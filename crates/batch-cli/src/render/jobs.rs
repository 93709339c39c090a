//! Jobs of a project, for people.

use std::{fmt::Write as _, time::Duration};

use batch_model::{BatchPredictionJob, InputConfig, OutputConfig};
use batch_pipeline::job_status;
use jiff::Timestamp;

use super::status::line;
use crate::{
    progress::span,
    terminal::{fit, left},
};

/// Two lines a job: its display name, how it stands, its age and model; and its name.
pub(crate) fn table(jobs: &[BatchPredictionJob], now: Timestamp) -> String {
    let mut out = String::new();
    for job in jobs {
        let status = job_status(job, None, now);
        let age =
            status.times.created.map(|created| Duration::try_from(now.duration_since(created)).unwrap_or_default());
        let age = age.map_or_else(|| "of unknown age".to_owned(), |age| format!("{} old", span(age)));
        let model = job.model.as_deref().unwrap_or("model not told");
        let model = model.rsplit('/').next().unwrap_or(model);
        let name = left(&fit(job.display_name.as_deref().unwrap_or("(no display name)"), 48), 24);
        let _ = writeln!(out, "{name}  {}, {age}, {model}", line(&status));
        let _ = writeln!(out, "  {}", job.name.as_deref().unwrap_or("(no name)"));
    }
    out
}

/// What a job reads and writes, its times and labels.
pub(crate) fn details(job: &BatchPredictionJob) -> String {
    let mut out = String::new();
    let mut member = |name: &str, value: Option<&str>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            let _ = writeln!(out, "  {name}: {value}");
        }
    };
    for uri in job.input_config.iter().flat_map(InputConfig::uris) {
        member("input", Some(uri));
    }
    member("output", job.output_config.as_ref().and_then(OutputConfig::uri));
    member("created", job.create_time.as_deref());
    member("started", job.start_time.as_deref());
    member("ended", job.end_time.as_deref());
    for (key, value) in &job.labels {
        member(&format!("label {key}"), value.as_str());
    }
    for failure in &job.partial_failures {
        member("partial failure", failure.message.as_deref());
    }
    out
}
