//! `batch-cli run`: a whole batch, from wherever it stopped.

use std::path::Path;

use batch_pipeline::{RunDir, RunDirOptions, Spec, system};

use super::{
    session::{Session, failure_of, quoted},
    thresholds::{Thresholds, write_report},
};
use crate::{
    args::RunArgs,
    connect::{Connected, Target, answered_by},
    exit::Exit,
    failure::{Failure, Result},
    local,
    settings::Settings,
    terminal::Terminal,
};

pub(crate) async fn run(args: RunArgs, terminal: &Terminal) -> Result<Exit> {
    let settings = Settings::from_environment().run(&args)?;
    let mut spec = settings.load(Some(&args.spec))?;
    if args.local {
        local::fill(&mut spec);
    }
    let thresholds = Thresholds::new(args.min_accuracy, args.max_failed, &spec);
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
    let elsewhere = remote.as_ref().and_then(|remote| remote.elsewhere.as_deref());
    let answered_by = if args.local { Some(local::answered_by(&spec)) } else { answered_by(elsewhere) };
    let cache = args.cache.cache(&spec, &args.spec, answered_by.as_deref(), args.local)?;
    let options = RunDirOptions {
        directory: args.run_dir.clone(),
        new: args.new,
        local: args.local,
        selection: args.part.selection(),
        cache,
        spec_file: Some(args.spec.clone()),
        ..RunDirOptions::default()
    };
    let mut run = RunDir::open(&spec, &input, &options, &*clock)?;

    let emulator = match emulator {
        Some(config) => Some(local::start(config, run.path()).await?),
        None => None,
    };
    let Connected { backends, elsewhere } = match (remote, &emulator) {
        (Some(remote), _) => remote,
        (None, emulator) => target.connect(&spec, emulator.as_ref().map(|emulator| emulator.url())).await?,
    };
    let session = Session::start(args.progress, terminal, elsewhere.is_none());
    let outcome = batch_pipeline::run(&mut run, &backends, &session.context, answered_by).await;
    session.finish();
    if let Some(emulator) = emulator {
        emulator.shutdown().await;
    }
    let report = outcome.map_err(|error| {
        if error.kind() == batch_pipeline::Kind::Interrupted {
            return Failure::from(error).with_hint(go_on(&args, &run));
        }
        failure_of(error, run.state())
    })?;
    write_report(&report, args.format, terminal)?;
    thresholds.judge(&report, terminal)
}

/// The commands that go on; the last of them is the one that was typed, whose flags are part of which run
/// it is, with the run's directory.
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
    let here = if args.local {
        // Its jobs are gone with this process; the next one makes them anew.
        String::new()
    } else {
        format!("`batch-cli status {directory}` looks at its jobs, `batch-cli collect {directory}` fetches them, ")
    };
    format!("{here}`batch-cli {words} --run-dir {directory}`{again} goes on")
}
