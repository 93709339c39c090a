//! `batch-cli run`: a whole batch, from wherever it stopped.

use std::{path::Path, sync::Arc};

use batch_model::BatchPredictionJob;
use batch_pipeline::{Context, Events, RunDir, RunDirOptions, Spec, Stop, stopper, system};

use super::eval;
use crate::{
    args::{Format, RunArgs},
    connect::{Connected, Target},
    exit::Exit,
    failure::{Failure, Result},
    local,
    progress::{Progress, count},
    render,
    settings::Settings,
    terminal::Terminal,
};

pub(crate) async fn run(args: RunArgs, terminal: &Terminal) -> Result<Exit> {
    let settings = Settings::from_environment().run(&args)?;
    let mut spec = settings.load(Some(&args.spec))?;
    if args.local {
        local::fill(&mut spec);
    }
    let thresholds = Thresholds::of(&args, &spec);
    thresholds.validate()?;
    // All that can be wrong with the arguments is told before anything is begun.
    let target = Target::of(&spec)?;
    spec.model()?;
    let emulator = if args.local { Some(local::config(&spec, &args.spec)?) } else { None };
    let clock = system();
    let input = match spec.input.path.as_path() {
        stdin if stdin == Path::new("-") => stdin.to_owned(),
        path => Spec::resolve_path(&args.spec, path),
    };
    // A login that fails is told before there is a run.
    let remote = if args.local { None } else { Some(target.connect(&spec, None).await?) };
    let options = RunDirOptions { directory: args.run_dir.clone(), new: args.new, root: None, local: args.local, spec_file: Some(args.spec.clone()) };
    let mut run = RunDir::open(&spec, &input, &options, &*clock)?;

    let emulator = match emulator {
        Some(config) => Some(local::start(config, run.path()).await?),
        None => None,
    };
    let Connected { backends, elsewhere } = match (remote, &emulator) {
        (Some(remote), _) => remote,
        (None, emulator) => target.connect(&spec, emulator.as_ref().map(|emulator| emulator.url())).await?,
    };
    let progress = Arc::new(Progress::new(args.progress, terminal, elsewhere.is_none()));
    let events = Events::new({
        let progress = Arc::clone(&progress);
        move |event| progress.tell(event)
    });
    let context = Context { clock, events, stop: stop_on_ctrl_c(&progress) };
    let answered_by = match &elsewhere {
        _ if args.local => Some(local::answered_by(&spec)),
        // Whatever serves there, its answers are not known to be the model's.
        Some(url) => Some(format!("the server at {url}, which is not Google's; perhaps no model was asked")),
        None => None,
    };
    let outcome = batch_pipeline::run(&mut run, &backends, &context, answered_by).await;
    progress.finish();
    if let Some(emulator) = emulator {
        emulator.shutdown().await;
    }
    let report = outcome.map_err(|error| {
        let interrupted = error.kind() == batch_pipeline::Kind::Interrupted;
        let advice = if error.kind() == batch_pipeline::Kind::Job { job_advice(&run) } else { None };
        let failure = Failure::from(error);
        match advice {
            _ if interrupted => failure.with_hint(go_on(&args, &run)),
            Some(advice) => failure.with_hint(advice),
            None => failure,
        }
    })?;

    let text = match args.format {
        Format::Text => render::report::text(&report, terminal),
        Format::Json => serde_json::to_string_pretty(&report)
            .map(|text| text + "\n")
            .map_err(|error| Failure::caused("write the report", error))?,
    };
    terminal.write_report(text.as_bytes())?;
    thresholds.judge(&report, terminal)
}

/// The first Ctrl-C stops us and leaves the jobs alone; the second ends the process at once.
fn stop_on_ctrl_c(progress: &Arc<Progress>) -> Stop {
    let (stopper, stop) = stopper();
    let progress = Arc::clone(progress);
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            progress.say("stopping; jobs that were created go on in the service (Ctrl-C again ends this at once)");
            stopper.stop();
            if tokio::signal::ctrl_c().await.is_ok() {
                std::process::exit(Exit::Interrupted as i32);
            }
        }
        // Dropped, the stopper could never be heard again; it lives as long as the process.
        std::future::pending::<()>().await;
    });
    stop
}

/// What the service's own words about a failed job say is to be done.
fn job_advice(run: &RunDir) -> Option<String> {
    let attempts = run.state().shards.iter().filter_map(|shard| shard.attempts.last());
    attempts.filter(|attempt| attempt.error.is_some()).find_map(|attempt| {
        let mut job = BatchPredictionJob::default();
        job.name = attempt.job.as_ref().map(ToString::to_string);
        job.state = attempt.state.clone();
        job.error.clone_from(&attempt.error);
        batch_api::failure_hint(&job)
    })
}

/// The command that goes on: the one that was typed, whose flags are part of which run it is, with the
/// run's directory.
fn go_on(args: &RunArgs, run: &RunDir) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut typed = std::env::args().skip(1);
    while let Some(word) = typed.next() {
        match word.as_str() {
            "--new" => {}
            "--run-dir" => drop(typed.next()),
            _ if word.starts_with("--run-dir=") => {}
            _ => words.push(quoted(&word)),
        }
    }
    let (words, directory) = (words.join(" "), quoted(&run.path().display().to_string()));
    let stdin = args.settings.input.as_deref() == Some("-") || run.state().spec.input.path == Path::new("-");
    let again = if stdin { ", with the same standard input," } else { "" };
    format!("`batch-cli {words} --run-dir {directory}`{again} goes on")
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./=:,@+%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// What decides between exit codes 0 and 1.
struct Thresholds {
    min_accuracy: Option<f64>,
    max_failed: u64,
}

impl Thresholds {
    fn of(args: &RunArgs, spec: &Spec) -> Self {
        let evaluate = spec.evaluate.as_ref();
        Self {
            min_accuracy: args.min_accuracy.or_else(|| evaluate.and_then(|evaluate| evaluate.min_accuracy)),
            max_failed: args.max_failed.or_else(|| evaluate.and_then(|evaluate| evaluate.max_failed)).unwrap_or(0),
        }
    }

    fn metrics(&self) -> batch_eval::Thresholds {
        batch_eval::Thresholds { min_accuracy: self.min_accuracy, ..batch_eval::Thresholds::default() }
    }

    fn validate(&self) -> Result<()> {
        Ok(self.metrics().validate()?)
    }

    fn judge(&self, report: &batch_pipeline::Report, terminal: &Terminal) -> Result<Exit> {
        let unanswered = report.accounting.unanswered();
        let mut passed = unanswered <= self.max_failed && !report.has_unreadable_lines();
        if report.has_unreadable_lines() {
            terminal.say("the prediction files have lines that could not be read");
        }
        if self.max_failed < unanswered {
            let records = count(unanswered, "record");
            terminal.say(&format!("{records} without an answer, more than the {} allowed", self.max_failed));
        }
        match &report.evaluation {
            Some(metrics) => {
                let verdict = self.metrics().check(metrics)?;
                eval::tell(&verdict, terminal);
                passed &= verdict.passed();
            }
            None if self.min_accuracy.is_some() => {
                terminal.say("there is no accuracy: the spec has no [evaluate]");
                passed = false;
            }
            None => {}
        }
        Ok(if passed { Exit::Done } else { Exit::No })
    }
}
