//! `run --local`: the emulator inside this process, and what a spec leaves open for it.

use std::{path::Path, time::Duration};

use batch_emulator::{AnswerOptions, ApiKey, Config, Emulator, Faults, JobsConfig, RecordingAbout};
use batch_model::{BigQueryUri, GcsUri};
use batch_pipeline::Spec;

use crate::failure::{Failure, Result};

/// Where a run is local, unless its spec says so.
const PROJECT: &str = "local-project";
const LOCATION: &str = "us-central1";
const BUCKET: &str = "local-bucket";

/// The variable with the key of a model server.
const API_KEY: &str = "BATCH_ANSWER_API_KEY";

/// Fills in what a spec may leave out for a local run.
///
/// # Errors
/// The records are in BigQuery: the emulator begins without a table.
pub(crate) fn fill(spec: &mut Spec) -> Result<()> {
    if !spec.input.is_here() {
        let failure =
            Failure::new(format!("--local begins with an empty emulator, which has no {}", spec.input.name()));
        return Err(failure.with_hint(
            "start `batch-cli emulator --data DIR --dataset PROJECT.DATASET`, load the table there, and set \
             endpoints.bigquery and endpoints.vertex to where it listens",
        ));
    }
    let target = &mut spec.target;
    target.project.get_or_insert_with(|| PROJECT.to_owned());
    target.location.get_or_insert_with(|| LOCATION.to_owned());
    target.input.get_or_insert_with(|| format!("gs://{BUCKET}/input"));
    target.output.get_or_insert_with(|| format!("gs://{BUCKET}/output"));
    // The services are here, whatever the spec would reach otherwise.
    spec.endpoints = batch_pipeline::EndpointsSpec::default();
    Ok(())
}

/// The emulator of a local run: what the spec says of it, and the buckets and datasets that the spec names.
pub(crate) fn config(spec: &Spec, spec_file: &Path) -> Result<Config> {
    let (mut buckets, mut datasets) = (Vec::new(), Vec::new());
    // A dataset cannot be in `global`, where jobs can be.
    let region = spec.target.location.as_deref().filter(|location| *location != "global").unwrap_or(LOCATION);
    for text in [&spec.target.input, &spec.target.output].into_iter().flatten() {
        if let Ok(uri) = text.parse::<GcsUri>() {
            buckets.push(uri.bucket().to_owned());
        } else if let Ok(uri) = text.parse::<BigQueryUri>()
            && let Some(dataset) = uri.dataset()
        {
            datasets.push(format!("{}.{dataset}={region}", uri.project()));
        }
    }
    buckets.dedup();
    datasets.dedup();
    Ok(Config {
        buckets,
        datasets,
        faults: Faults::parse(&spec.local.faults)?,
        seed: spec.local.seed.unwrap_or(0),
        jobs: JobsConfig {
            answer: answer(spec, spec_file)?,
            answer_options: answer_options(spec.local.answer_concurrency),
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

/// How a model server is asked. Its key comes from the environment and from nowhere else, so that
/// no file and no list of processes shows it.
pub(crate) fn answer_options(concurrency: Option<u32>) -> AnswerOptions {
    let default = AnswerOptions::default();
    AnswerOptions {
        concurrency: concurrency.and_then(|most| most.try_into().ok()).unwrap_or(default.concurrency),
        api_key: std::env::var(API_KEY).ok().filter(|key| !key.is_empty()).map(ApiKey::from),
        ..default
    }
}

/// Who answered, for the first line of a report.
pub(crate) fn answered_by(spec: &Spec, spec_file: &Path) -> String {
    let text = spec.local.answer.as_deref().unwrap_or("schema");
    match text.split_once(':') {
        Some(("replay", file)) => {
            // A recording that cannot be read has ended the run before.
            let about = RecordingAbout::read(&Spec::resolve_path(spec_file, Path::new(file))).ok().flatten();
            let who = match about {
                Some(about) => format!("recorded answers of {}, {}", about.model, about.date),
                None => format!("a recording, {file}"),
            };
            format!("{who}; replayed, no model was asked now")
        }
        Some(("openai" | "gemini", server)) => format!("the model server at {server}, through the emulator"),
        _ => "the built-in answerer; no model was asked, the answers are made up".to_owned(),
    }
}
