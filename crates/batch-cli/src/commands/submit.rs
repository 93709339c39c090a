//! `batch-cli submit`: build, stage, create the jobs, and go.

use std::path::{Path, PathBuf};

use batch_pipeline::{
    RunDirOptions, Spec,
    state::{Attempt, RunState},
    system,
};
use clap::Args;
use serde_json::json;

use super::{
    cache::UseArgs,
    part::PartArgs,
    run::open,
    session::{Session, failure_of, quoted},
    subject::EMULATOR_HINT,
};
use crate::{
    args::{Format, PlaceArgs, ProgressMode, RequestArgs, SettingArgs},
    connect::{Connected, Target, answered_by},
    exit::Exit,
    failure::{Failure, Result},
    progress::count,
    settings::Settings,
    terminal::Terminal,
};

#[derive(Debug, Args)]
pub(crate) struct SubmitArgs {
    /// The spec: batch.toml.
    spec: PathBuf,

    /// Refused: the emulator of a local run ends with its process.
    #[arg(long, hide = true)]
    local: bool,

    /// The run's directory. Without it the newest unfinished run of the same spec and input goes on,
    /// and where there is none a new one is made below .batch/runs/.
    #[arg(long, value_name = "DIR")]
    run_dir: Option<PathBuf>,

    /// Begin a new run, whatever is unfinished.
    #[arg(long)]
    new: bool,

    #[command(flatten)]
    part: PartArgs,

    #[command(flatten)]
    cache: UseArgs,

    /// How the run and its jobs are written on standard output.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,

    /// How progress is told.
    #[arg(long, value_enum, default_value = "auto", value_name = "HOW")]
    pub(crate) progress: ProgressMode,

    #[command(flatten)]
    place: PlaceArgs,

    #[command(flatten)]
    settings: SettingArgs,

    #[command(flatten)]
    request: RequestArgs,
}

pub(crate) async fn submit(args: SubmitArgs, terminal: &Terminal) -> Result<Exit> {
    if args.local {
        let failure = Failure::new("a local run cannot be left alone: its emulator ends with this process");
        return Err(failure.with_hint(EMULATOR_HINT));
    }
    let mut settings = Settings::from_environment();
    settings.place(&args.place);
    let settings = settings.table(&args.settings, Some(&args.spec))?.request(&args.request)?;
    let spec = settings.load(Some(&args.spec))?;
    let target = Target::of(&spec)?;
    spec.model()?;
    let input = match spec.input.path.as_path() {
        stdin if stdin == Path::new("-") => stdin.to_owned(),
        path => Spec::resolve_path(&args.spec, path),
    };
    // A login that fails is told before there is a run.
    let Connected { backends, elsewhere } = target.connect(&spec, None).await?;
    let answers = answered_by(elsewhere.as_deref());
    let options = RunDirOptions {
        directory: args.run_dir.clone(),
        new: args.new,
        selection: args.part.selection(),
        cache: args.cache.cache(&spec, &args.spec, answers.as_deref(), false)?,
        spec_file: Some(args.spec.clone()),
        ..RunDirOptions::default()
    };
    let mut run = open(&spec, &input, backends.records.as_deref(), &options, &*system()).await?;
    let session = Session::start(args.progress, terminal, elsewhere.is_none());
    let outcome = batch_pipeline::submit(&mut run, &backends, &session.context).await;
    session.finish();
    let directory = quoted(&run.path().display().to_string());
    outcome.map_err(|error| {
        let interrupted = error.kind() == batch_pipeline::Kind::Interrupted;
        let failure = failure_of(error, run.state());
        if interrupted {
            failure.with_hint(format!("the same command with --run-dir {directory} goes on"))
        } else {
            failure
        }
    })?;
    let text = match args.format {
        Format::Text => terminal.safe_data(&text(run.state(), run.path(), elsewhere.is_none())).into_owned(),
        Format::Json => format!("{:#}\n", value(run.state(), run.path(), elsewhere.is_none())),
    };
    terminal.write_report(text.as_bytes())?;
    terminal.say(&format!(
        "`batch-cli status {directory}` looks at them, `batch-cli wait {directory}` waits for their end, \
         `batch-cli collect {directory}` fetches and joins what they wrote"
    ));
    let is_whole = shards(run.state()).all(|(.., attempt)| attempt.job.is_some());
    Ok(if is_whole { Exit::Done } else { Exit::No })
}

/// The shards with their records, and the newest attempt at each.
fn shards(state: &RunState) -> impl Iterator<Item = (usize, u64, &Attempt)> {
    state.shards.iter().filter_map(|shard| Some((shard.index, shard.records, shard.attempts.last()?)))
}

fn text(state: &RunState, directory: &Path, has_console: bool) -> String {
    let mut text = format!("run {}\n", directory.display());
    for (shard, records, attempt) in shards(state) {
        text.push_str(&format!("shard {shard}: {}\n", count(records, "record")));
        let Some(job) = &attempt.job else {
            text.push_str(&format!("  no job: {}\n", refusal(attempt)));
            continue;
        };
        text.push_str(&format!("  {job}\n"));
        if has_console {
            text.push_str(&format!("  {}\n", batch_api::console_url(job)));
        }
    }
    text
}

/// Why the service made no job.
fn refusal(attempt: &Attempt) -> &str {
    attempt.error.as_ref().and_then(|error| error.message.as_deref()).unwrap_or("(no message)").trim()
}

fn value(state: &RunState, directory: &Path, has_console: bool) -> serde_json::Value {
    let jobs = shards(state).map(|(shard, records, attempt)| match &attempt.job {
        Some(job) => {
            let console = has_console.then(|| batch_api::console_url(job));
            json!({ "shard": shard, "records": records, "job": job, "console": console })
        }
        None => json!({ "shard": shard, "records": records, "job": null, "error": refusal(attempt) }),
    });
    json!({
        "version": 1, "run": state.id, "directory": directory, "model": state.spec.request.model,
        "jobs": jobs.collect::<Vec<_>>(),
    })
}
