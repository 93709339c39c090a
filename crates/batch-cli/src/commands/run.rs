//! `batch-cli run`: a whole batch, from wherever it stopped.

use std::path::{Path, PathBuf};

use batch_backend::RecordStore;
use batch_pipeline::{CacheUse, Clock, Plan, PlanOptions, RunDir, RunDirOptions, Selection, Spec, check_cost, system};

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
    let clock = system();
    let Wanted { spec, spec_file, input, local: is_local, selection, cache, plan } = Wanted::of(&args, &*clock)?;
    let thresholds = Thresholds::new(&args.thresholds, &spec);
    thresholds.validate()?;
    // All that can be wrong with the arguments is told before anything is begun.
    let target = Target::of(&spec)?;
    spec.model()?;
    let emulator = if is_local { Some(local::config(&spec, &spec_file)?) } else { None };
    // A login that fails is told before there is a run.
    let remote = if is_local { None } else { Some(target.connect(&spec, None).await?) };
    let elsewhere = remote.as_ref().and_then(|remote| remote.elsewhere.as_deref());
    let answered_by = if is_local { Some(local::answered_by(&spec, &spec_file)) } else { answered_by(elsewhere) };
    let options = RunDirOptions {
        directory: args.run_dir.clone(),
        new: args.new,
        local: is_local,
        selection,
        cache,
        spec_file: Some(spec_file.clone()),
        ..RunDirOptions::default()
    };
    let records = remote.as_ref().and_then(|remote| remote.backends.records.as_deref());
    let mut run = open(&spec, &input, records, &options, &*clock).await?;
    if let Some(ceiling) = args.cost.ceiling().filter(|_| run.is_resumed()) {
        // The plan is of the run itself; what goes on may be a retry, with settings of its own.
        check_cost(&run, ceiling).await?;
    }
    if let Some(plan) = &plan {
        plan.keep_in(run.path())?;
    }

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
            return Failure::from(error).with_hint(go_on(&args, is_local, &run));
        }
        failure_of(error, run.state())
    })?;
    write_report(&report, args.format, terminal)?;
    thresholds.judge(&report, terminal)
}

/// The run of a table here, or of records where they lie.
pub(crate) async fn open(
    spec: &Spec,
    input: &Path,
    records: Option<&dyn RecordStore>,
    options: &RunDirOptions,
    clock: &dyn Clock,
) -> Result<RunDir> {
    let Some(records) = records else { return Ok(RunDir::open(spec, input, options, clock)?) };
    // What the service would refuse is told before there is a run.
    let info = records.look().await?;
    Ok(RunDir::open_records(spec, &info, options, clock)?)
}

/// What is to be run, and where that is told.
struct Wanted {
    spec: Spec,
    /// The file that the spec's paths are relative to.
    spec_file: PathBuf,
    input: PathBuf,
    local: bool,
    selection: Option<Selection>,
    cache: Option<CacheUse>,
    /// What it would come to, where that was asked.
    plan: Option<Plan>,
}

impl Wanted {
    fn of(args: &RunArgs, clock: &dyn Clock) -> Result<Self> {
        let is_plan = args.spec.extension().is_some_and(|extension| extension == "json");
        let wanted = if is_plan { Self::planned(args, clock)? } else { Self::specified(args, clock)? };
        if let Some(plan) = &wanted.plan {
            args.cost.check(plan)?;
        }
        Ok(wanted)
    }

    /// A plan, exactly as it stands there.
    fn planned(args: &RunArgs, clock: &dyn Clock) -> Result<Self> {
        if let Some(flag) = changing_flag(args) {
            let failure = Failure::new(format!("a plan is run as it is, and {flag} would change it"));
            return Err(failure.with_hint(format!("plan again with {flag}, or leave it out")));
        }
        let plan = Plan::read(&args.spec)?;
        plan.verify(clock)?;
        let options = RunDirOptions { directory: args.run_dir.clone(), new: args.new, ..RunDirOptions::default() };
        if !RunDir::goes_on(&plan.fingerprint, &options)? {
            plan.verify_cache()?;
        }
        let spec_file = plan.spec_file.as_ref().map_or_else(|| args.spec.clone(), |file| PathBuf::from(&file.path));
        Ok(Self {
            spec: plan.spec.clone(),
            spec_file,
            input: PathBuf::from(&plan.input.path),
            local: plan.local,
            selection: plan.selection,
            cache: plan.cache.clone(),
            plan: Some(plan),
        })
    }

    /// A spec with flags and environment over it; planned first where a ceiling asks for it.
    fn specified(args: &RunArgs, clock: &dyn Clock) -> Result<Self> {
        let settings = Settings::from_environment().run(args)?;
        let mut spec = settings.load(Some(&args.spec))?;
        if args.local {
            local::fill(&mut spec)?;
        }
        let input = match spec.input.path.as_path() {
            stdin if stdin == Path::new("-") => stdin.to_owned(),
            path => Spec::resolve_path(&args.spec, path),
        };
        Target::of(&spec)?;
        let selection = args.part.selection();
        let cache = args.cache.planned(&spec, &args.spec, args.local)?;
        let options = PlanOptions {
            spec_file: Some(args.spec.clone()),
            local: args.local,
            selection,
            cache: cache.clone(),
            ..PlanOptions::default()
        };
        let plan = match args.cost.max_cost {
            Some(_) if !spec.input.is_here() => {
                let failure = Failure::new(format!("what {} costs is not known before", spec.input.name()));
                return Err(failure.with_hint("leave out --max-cost"));
            }
            Some(_) => Some(batch_pipeline::plan(&spec, &input, &options, clock)?),
            None => None,
        };
        Ok(Self { spec, spec_file: args.spec.clone(), input, local: args.local, selection, cache, plan })
    }
}

/// A flag that would make another run of a plan.
fn changing_flag(args: &RunArgs) -> Option<&'static str> {
    let (settings, request) = (&args.settings, &args.request);
    let flags = [
        ("--input", settings.input.is_some()),
        ("--input-format", settings.input_format.is_some()),
        ("--delimiter", settings.delimiter.is_some()),
        ("--key", settings.key.is_some()),
        ("--label", !settings.label.is_empty()),
        ("--set", !settings.set.is_empty()),
        ("--model", request.model.is_some()),
        ("--prompt", request.prompt.is_some()),
        ("--system", request.system.is_some()),
        ("--generation-config", request.generation_config.is_some()),
        ("--project", args.place.project.is_some()),
        ("--location", args.place.location.is_some()),
        ("--limit or --sample", args.part.selection().is_some()),
        ("--no-cache", args.cache.is_off()),
        ("--answer", args.answer.is_some()),
        ("--fault", !args.fault.is_empty()),
    ];
    flags.into_iter().find(|(_, is_there)| *is_there).map(|(flag, _)| flag)
}

/// The commands that go on; the last of them is the one that was typed, whose flags are part of which run
/// it is, with the run's directory.
fn go_on(args: &RunArgs, is_local: bool, run: &RunDir) -> String {
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
    let here = if is_local {
        // Its jobs are gone with this process; the next one makes them anew.
        String::new()
    } else {
        format!("`batch-cli status {directory}` looks at its jobs, `batch-cli collect {directory}` fetches them, ")
    };
    format!("{here}`batch-cli {words} --run-dir {directory}`{again} goes on")
}
