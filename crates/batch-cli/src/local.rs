//! `run --local`: the emulator inside this process, and what a spec leaves open for it.

use std::{path::Path, time::Duration};

use batch_emulator::{Config, Emulator, Faults, JobsConfig};
use batch_model::GcsUri;
use batch_pipeline::Spec;

use crate::failure::{Failure, Result};

/// Where a run is local, unless its spec says so.
const PROJECT: &str = "local-project";
const LOCATION: &str = "us-central1";
const BUCKET: &str = "local-bucket";

/// Fills in what a spec may leave out for a local run.
pub(crate) fn fill(spec: &mut Spec) {
    let target = &mut spec.target;
    target.project.get_or_insert_with(|| PROJECT.to_owned());
    target.location.get_or_insert_with(|| LOCATION.to_owned());
    target.input.get_or_insert_with(|| format!("gs://{BUCKET}/input"));
    target.output.get_or_insert_with(|| format!("gs://{BUCKET}/output"));
    // The services are here, whatever the spec would reach otherwise.
    spec.endpoints = batch_pipeline::EndpointsSpec::default();
}

/// The emulator of a local run: what the spec says of it, and the buckets that the spec names.
pub(crate) fn config(spec: &Spec, spec_file: &Path) -> Result<Config> {
    let mut buckets: Vec<String> = Vec::new();
    for uri in [&spec.target.input, &spec.target.output].into_iter().flatten() {
        if let Ok(uri) = uri.parse::<GcsUri>() {
            buckets.push(uri.bucket().to_owned());
        }
    }
    buckets.dedup();
    Ok(Config {
        buckets,
        faults: Faults::parse(&spec.local.faults)?,
        seed: spec.local.seed.unwrap_or(0),
        jobs: JobsConfig {
            answer: answer(spec, spec_file)?,
            queue_delay: seconds(spec.local.queue_seconds),
            run_delay: seconds(spec.local.run_seconds),
            ..JobsConfig::default()
        },
        ..Config::default()
    })
}

/// Starts the emulator with its data under the run directory.
pub(crate) async fn start(config: Config, directory: &Path) -> Result<Emulator> {
    Ok(Emulator::start(Config { data: Some(directory.join("emulator")), ..config }).await?)
}

fn seconds(seconds: Option<f64>) -> Duration {
    seconds.map_or(Duration::ZERO, Duration::from_secs_f64)
}

/// What answers: a recording lies beside the spec.
fn answer(spec: &Spec, spec_file: &Path) -> Result<batch_emulator::Answer> {
    let text = spec.local.answer.as_deref().unwrap_or("schema");
    Ok(match text.strip_prefix("replay:") {
        Some(file) => {
            let file = Spec::resolve_path(spec_file, Path::new(file));
            if !file.is_file() {
                return Err(Failure::new(format!("there is no recording {}", file.display())));
            }
            batch_emulator::Answer::Replay(file)
        }
        None => text.parse()?,
    })
}

/// Who answered, for the first line of a report.
pub(crate) fn answered_by(spec: &Spec) -> String {
    match spec.local.answer.as_deref() {
        None | Some("schema") => "the built-in answerer; no model was asked, the answers are made up".to_owned(),
        Some(other) => match other.strip_prefix("replay:") {
            Some(file) => format!("a recording, {file}; no model was asked"),
            None => format!("the emulator with {other}"),
        },
    }
}
