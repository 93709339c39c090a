//! `batch-cli collect`: the predictions of jobs that were left alone, joined and reported.

use std::{
    fs,
    path::{Path, PathBuf},
};

use batch_model::{BatchPredictionJob, JobName};
use batch_pipeline::{
    Backends, Collected, RunDir, Spec, adopt, cached_before, download, find_input, is_of, jobs_of_run, other_model,
    stores_of, system,
};
use clap::Args;

use super::{
    session::{Session, failure_of, quoted},
    subject::{ServiceArgs, Subject, refuse_local},
    thresholds::{Thresholds, write_report},
};
use crate::{
    args::{Format, ProgressMode, ThresholdArgs},
    connect::{Jobs, Target, answered_by},
    exit::Exit,
    failure::{Failure, Result},
    progress::{count, size},
    render,
    terminal::Terminal,
};

#[derive(Debug, Args)]
pub(crate) struct CollectArgs {
    /// A run's directory or id, or a job's name or number.
    #[arg(value_name = "RUN|JOB")]
    what: String,

    /// Also what jobs that are still running have so far.
    #[arg(long)]
    partial: bool,

    /// The table, where it is not where the run was begun: it has to be the same, byte for byte. For a job,
    /// the table to join its predictions with.
    #[arg(long, visible_alias = "table", value_name = "FILE")]
    input: Option<PathBuf>,

    /// For a job: the directory that its predictions go to.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// For a job: the spec that says how its predictions are joined, read and compared.
    #[arg(long, value_name = "SPEC")]
    spec: Option<PathBuf>,

    /// For a job without a spec: the column whose values are the keys.
    #[arg(long, value_name = "COLUMN")]
    key: Option<String>,

    #[command(flatten)]
    thresholds: ThresholdArgs,

    /// How the report is written on standard output.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,

    /// How progress is told.
    #[arg(long, value_enum, default_value = "auto", value_name = "HOW")]
    pub(crate) progress: ProgressMode,

    #[command(flatten)]
    service: ServiceArgs,
}

pub(crate) async fn collect(args: CollectArgs, terminal: &Terminal) -> Result<Exit> {
    match Subject::of(&args.what, &args.service)? {
        Subject::Run { directory, state } => {
            for (given, flag) in [(&args.out, "--out"), (&args.spec, "--spec")] {
                if given.is_some() {
                    let failure = Failure::new(format!("{flag} is for a job, and {} is a run", args.what));
                    return Err(failure.with_hint("a run knows its spec and has its own directory"));
                }
            }
            refuse_local(&state, &directory)?;
            let connected = args.service.connect(&state).await?;
            let mut run = RunDir::load(&directory)?;
            find_input(&mut run, args.input.as_deref())?;
            let session = Session::start(args.progress, terminal, connected.elsewhere.is_none());
            let answered_by = answered_by(connected.elsewhere.as_deref());
            finish(&args, &mut run, &connected.backends, &session, answered_by, terminal).await
        }
        Subject::Job(name) => of_job(&args, &name, terminal).await,
    }
}

/// Collects, joins and reports a run.
async fn finish(
    args: &CollectArgs,
    run: &mut RunDir,
    backends: &Backends,
    session: &Session,
    answered_by: Option<String>,
    terminal: &Terminal,
) -> Result<Exit> {
    let thresholds = Thresholds::new(&args.thresholds, &run.state().spec);
    thresholds.validate()?;
    let outcome = batch_pipeline::collect(run, backends, &session.context, args.partial, answered_by).await;
    session.finish();
    let directory = quoted(&run.path().display().to_string());
    let Collected { running, report } = outcome.map_err(|error| {
        let interrupted = error.kind() == batch_pipeline::Kind::Interrupted;
        let failure = failure_of(error, run.state());
        if interrupted { failure.with_hint(format!("`batch-cli collect {directory}` goes on")) } else { failure }
    })?;
    let shards = &run.state().shards;
    let has_job = |shard: &usize| shards[*shard].attempts.last().is_some_and(|attempt| attempt.job.is_some());
    let jobs = running.iter().filter(|shard| has_job(shard)).count();
    let (unsent, all) = (running.len() - jobs, shards.len());
    let going = match all - unsent {
        1 => "the job has not ended".to_owned(),
        made => format!("{jobs} of {made} jobs have not ended"),
    };
    let Some(report) = report else {
        terminal.say(&format!(
            "{going}; what has ended is collected\nhint: `batch-cli wait {directory}` waits for the end, --partial takes \
             what there is"
        ));
        return Ok(Exit::Running);
    };
    write_report(&report, args.format, terminal)?;
    if running.is_empty() {
        return thresholds.judge(&report, terminal);
    }
    if 0 < unsent {
        terminal.say(&format!(
            "{unsent} of {all} shards have no job yet, and their records are told as missing\nhint: the command that was to \
             submit them goes on with `--run-dir {directory}`"
        ));
    }
    if jobs == 0 {
        return Ok(Exit::No);
    }
    terminal.say(&format!("{going}: records without a prediction so far are told as missing"));
    Ok(Exit::Running)
}

/// A job by its name: only its files, or joined to a table.
async fn of_job(args: &CollectArgs, name: &JobName, terminal: &Terminal) -> Result<Exit> {
    let Some(out) = &args.out else {
        let failure = Failure::new("where shall the predictions of the job go?");
        return Err(
            failure.with_hint("name a directory with --out DIR; with --spec SPEC or --table FILE they are joined too")
        );
    };
    let jobs = args.service.jobs_beside(name).await?;
    let job = jobs.jobs.get(name).await?;
    let session = Session::start(args.progress, terminal, jobs.elsewhere().is_none());
    if args.spec.is_none() && args.input.is_none() {
        return only_files(args, &jobs, &job, out, &session, terminal).await;
    }
    let spec = spec_of(args)?;
    let is_there = out.join("run.json").exists();
    let mut run = if is_there { again(out, name)? } else { adopted(args, spec.clone(), &jobs, &job, out).await? };
    find_input(&mut run, args.input.as_deref())?;
    if args.spec.is_some() && is_of(&run, &job) == Some(false) {
        terminal.say(
            "the job was made of another spec or table than these, its label says; predictions find their records by \
             their keys",
        );
    }
    if let Some(asked) = other_model(&run, &spec) {
        let given = &spec.request.model;
        terminal
            .say(&format!("the jobs asked {asked}, and not {given} as the spec says: what they cost is by its price"));
    }
    tell_unknown(&run, &job, terminal);
    let backends = {
        let spec = args.service.spec_of(run.state())?;
        Target::of(&spec)?.connect(&spec, None).await?.backends
    };
    finish(args, &mut run, &backends, &session, answered_by(jobs.elsewhere()), terminal).await
}

/// Says what the jobs of a run do not tell of it.
fn tell_unknown(run: &RunDir, job: &BatchPredictionJob, terminal: &Terminal) {
    for round in run.state().rounds.iter().filter(|round| round.unknown_settings) {
        terminal.say(&format!(
            "retry {} asked with other settings than the run, and its jobs do not tell which: its answers are read by \
             what their own requests echo",
            round.number
        ));
    }
    let cached = cached_before(job);
    if 0 < cached {
        terminal.say(&format!(
            "{} had an answer in the cache, which the jobs do not have: they are told as missing here, and a retry would \
             ask about them, and pay, again",
            count(cached, "record")
        ));
    }
}

/// The run that an earlier `collect` of the job made in `out`.
fn again(out: &Path, name: &JobName) -> Result<RunDir> {
    let run = RunDir::load(out)?;
    let of_job = |job: &JobName| job.id() == name.id() && job.location() == name.location();
    let mut jobs =
        run.state().shards.iter().flat_map(|shard| &shard.attempts).filter_map(|attempt| attempt.job.as_ref());
    if !jobs.any(of_job) {
        let failure = Failure::new(format!("{} is the run of another job", out.display()));
        return Err(failure.with_hint("name another directory with --out"));
    }
    Ok(run)
}

/// The spec that says how the predictions of a job are joined, with the flags over it.
fn spec_of(args: &CollectArgs) -> Result<Spec> {
    let mut settings = args.service.settings()?;
    settings.push("input.key", args.key.as_deref(), "--key");
    let given = args.input.as_ref().map(|path| path.display().to_string());
    settings.push("input.path", given.as_deref(), "--table");
    settings.load(args.spec.as_deref())
}

/// A run made of the job, and of the others of its run where its labels tell of one.
async fn adopted(
    args: &CollectArgs,
    mut spec: Spec,
    jobs: &Jobs,
    job: &BatchPredictionJob,
    out: &Path,
) -> Result<RunDir> {
    let input = match (&args.input, &args.spec) {
        (Some(input), _) => input.clone(),
        (None, Some(file)) => Spec::resolve_path(file, &spec.input.path),
        (None, None) => PathBuf::new(),
    };
    if input == Path::new("-") || input.as_os_str().is_empty() {
        let failure = Failure::new("the spec names no table that can be read again");
        return Err(failure.with_hint("name it with --table FILE"));
    }
    let (input_store, output_store) = stores_of(job);
    let name = job.name.as_deref().and_then(|name| name.parse::<JobName>().ok());
    let target = &mut spec.target;
    if let Some(name) = name {
        target.project.get_or_insert_with(|| name.project().to_owned());
        target.location.get_or_insert_with(|| name.location().to_string());
    }
    if let Some(output) = output_store {
        // What a job of others reads is of no use here.
        let input = input_store.unwrap_or_else(|| output.clone());
        target.input.get_or_insert(input);
        target.output.get_or_insert(output);
    }
    let all = jobs_of_run(&*jobs.jobs, job).await?;
    Ok(adopt(&spec, &input, &all, out, &*system())?)
}

/// The prediction files alone, and the job as the service tells of it.
async fn only_files(
    args: &CollectArgs,
    jobs: &Jobs,
    job: &BatchPredictionJob,
    out: &Path,
    session: &Session,
    terminal: &Terminal,
) -> Result<Exit> {
    let running = !job.state.is_terminal();
    if running && !args.partial {
        session.finish();
        terminal.say(&format!(
            "the job is {}\nhint: `batch-cli wait` waits for its end, --partial takes what there is",
            render::status::state(&job.state)
        ));
        return Ok(Exit::Running);
    }
    let output = jobs.output(job).await?;
    let files = download(&*output, job, out, &session.context).await;
    session.finish();
    let files = files?;
    let path = out.join("job.json");
    let text = serde_json::to_string_pretty(job).map_err(|error| Failure::caused("write the job", error))?;
    fs::write(&path, text + "\n").map_err(|error| Failure::io("write", &path, error))?;
    let text = match args.format {
        Format::Text => files.iter().map(|file| format!("{}\n", out.join(&file.path).display())).collect(),
        Format::Json => {
            let files: Vec<_> = files
                .iter()
                .map(|file| serde_json::json!({ "path": out.join(&file.path), "bytes": file.bytes }))
                .collect();
            format!("{:#}\n", serde_json::json!({ "version": 1, "job": job, "files": files }))
        }
    };
    terminal.write_report(text.as_bytes())?;
    let bytes = files.iter().map(|file| file.bytes).sum();
    terminal.say(&format!("{} ({})", count(files.len() as u64, "file"), size(bytes)));
    if files.is_empty() {
        terminal.say("the job has no predictions");
    }
    Ok(match (running, files.is_empty()) {
        (true, _) => Exit::Running,
        (false, true) => Exit::No,
        (false, false) => Exit::Done,
    })
}
