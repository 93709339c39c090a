//! `batch-cli retry`: what has no answer is asked again.

use std::path::{Path, PathBuf};

use batch_emulator::Faults;
use batch_io::Outcome;
use batch_pipeline::{Overrides, Retried, RetryOptions, RunDir, UNANSWERED, find_input};
use clap::Args;

use super::{
    plan::CostArgs,
    session::{Session, failure_of, quoted},
    subject::run_of,
    thresholds::{Thresholds, write_report},
};
use crate::{
    args::{Format, ProgressMode, ThresholdArgs},
    connect::{Connected, Target, answered_by},
    exit::Exit,
    failure::{Failure, Result},
    local,
    progress::count,
    terminal::Terminal,
};

#[derive(Debug, Args)]
pub(crate) struct RetryArgs {
    /// The run's directory or id.
    run: String,

    /// Ask only about records of these outcomes: request_error, blocked, truncated, empty, invalid_answer,
    /// missing. Without it, about all of them; some are seldom answered otherwise the second time (blocked),
    /// or need another setting (truncated).
    #[arg(long, value_delimiter = ',', value_name = "OUTCOME,…")]
    only: Vec<String>,

    /// A setting of the request for this retry alone, `generationConfig.maxOutputTokens=4096`; a template
    /// may be `@FILE`; may be repeated.
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,

    /// Let the service resume its own output: it asks again what has no response in it, and keeps the rest.
    /// Refused where that would be another thing than this retry.
    #[arg(long, conflicts_with = "set")]
    native: bool,

    #[command(flatten)]
    cost: CostArgs,

    /// The table, where it is not where the run was begun: it has to be the same, byte for byte.
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,

    #[command(flatten)]
    thresholds: ThresholdArgs,

    /// How the report is written on standard output.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,

    /// How progress is told.
    #[arg(long, value_enum, default_value = "auto", value_name = "HOW")]
    pub(crate) progress: ProgressMode,

    /// A fault for the retry of a local run, by name and count, as of `run`; may be repeated.
    #[arg(long, value_name = "NAME=COUNT", help_heading = "Local runs")]
    fault: Vec<String>,
}

pub(crate) async fn retry(args: RetryArgs, terminal: &Terminal) -> Result<Exit> {
    let options = RetryOptions {
        only: outcomes(&args.only)?,
        settings: settings(&args.set)?,
        native: args.native,
        max_cost: args.cost.ceiling(),
    };
    let (directory, _) = run_of(&args.run)?;
    let mut run = RunDir::load(&directory)?;
    // Where none is given, the retry sees for itself that the table is the run's.
    if args.input.is_some() {
        find_input(&mut run, args.input.as_deref())?;
    }
    let spec = run.state().spec.clone();
    let thresholds = Thresholds::new(&args.thresholds, &spec);
    thresholds.validate()?;
    let target = Target::of(&spec)?;
    let spec_file = PathBuf::from(run.state().spec_file.clone().unwrap_or_default());
    let emulator = if run.state().local {
        // The faults that the run was begun with were for its beginning.
        let faults = Faults::parse(&args.fault)?;
        let config = batch_emulator::Config { faults, ..local::config(&spec, &spec_file)? };
        Some(local::start(config, run.path()).await?)
    } else {
        None
    };
    let url = emulator.as_ref().map(|emulator| emulator.url());
    let Connected { backends, elsewhere } = target.connect(&spec, url).await?;
    let session = Session::start(args.progress, terminal, elsewhere.is_none());
    let answered_by = if emulator.is_some() {
        Some(local::answered_by(&spec, &spec_file))
    } else {
        answered_by(elsewhere.as_deref())
    };
    let outcome = batch_pipeline::retry(&mut run, &backends, &session.context, answered_by, &options).await;
    session.finish();
    if let Some(emulator) = emulator {
        emulator.shutdown().await;
    }
    let Retried { report, round, resumed: _ } = outcome.map_err(|error| {
        let interrupted = error.kind() == batch_pipeline::Kind::Interrupted;
        let failure = failure_of(error, run.state());
        let directory = quoted(&directory.display().to_string());
        if interrupted { failure.with_hint(format!("`batch-cli retry {directory}` goes on")) } else { failure }
    })?;
    if round.is_none() {
        terminal.say(&match report.accounting.unanswered() {
            0 => "every record has its answer; nothing is asked again".to_owned(),
            others => {
                format!("no record is to be asked again; {} other outcomes have no answer", count_of(others))
            }
        });
    }
    write_report(&report, args.format, terminal)?;
    thresholds.judge(&report, terminal)
}

fn count_of(records: u64) -> String {
    format!("{} of", count(records, "record"))
}

fn outcomes(names: &[String]) -> Result<Vec<Outcome>> {
    let outcome = |name: &String| {
        let name = name.trim();
        name.parse().map_err(|_| {
            let known = UNANSWERED.map(Outcome::as_str).join(", ");
            Failure::new(format!("--only: {name:?} is no outcome")).with_hint(format!("the outcomes are {known}"))
        })
    };
    names.iter().map(outcome).collect()
}

/// Settings of the request; the text of a template may be a file's.
fn settings(set: &[String]) -> Result<Overrides> {
    let mut overrides = Overrides::default();
    for setting in set {
        let (path, value) = setting
            .split_once('=')
            .filter(|(path, _)| !path.is_empty())
            .ok_or_else(|| Failure::new(format!("--set {setting:?} is not PATH=VALUE")))?;
        let is_template = matches!(path.trim_start_matches("request."), "prompt" | "system");
        let text = match value.strip_prefix('@').filter(|_| is_template) {
            Some(rest) if rest.starts_with('@') => rest.to_owned(),
            Some(file) => std::fs::read_to_string(file)
                .map_err(|error| Failure::io("read the template", Path::new(file), error))?,
            None => value.to_owned(),
        };
        overrides.push(path, text, format!("--set {path}"));
    }
    Ok(overrides)
}
