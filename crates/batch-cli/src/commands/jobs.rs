//! `batch-cli jobs`: any batch prediction job of a project and location, whoever made it.

use std::collections::BTreeSet;

use batch_backend::{JobService, Kind, ListJobs};
use batch_model::{BatchPredictionJob, JobName, JobState};
use batch_pipeline::{PollPolicy, job_status, system, wait_for_job};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::{
    session::Session,
    subject::{ServiceArgs, Subject, refuse_local},
};
use crate::{
    args::{Format, ProgressMode},
    connect::Jobs,
    exit::Exit,
    failure::{Failure, Result},
    render,
    terminal::Terminal,
};

/// How many jobs come with one page, at most.
const PAGE: u32 = 100;

#[derive(Debug, Args)]
pub(crate) struct JobsArgs {
    #[command(subcommand)]
    command: JobsCommand,

    #[command(flatten)]
    service: ServiceArgs,
}

#[derive(Debug, Subcommand)]
enum JobsCommand {
    /// List jobs, newest first.
    List(ListArgs),
    /// Show a job as the service tells of it.
    Get(GetArgs),
    /// Cancel jobs: what they have answered is kept, and only that is paid for.
    Cancel(CancelArgs),
    /// Delete jobs that have ended. Their predictions stay.
    Delete(DeleteArgs),
}

/// How a list of jobs is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ListFormat {
    /// For people.
    Text,
    /// For programs: one JSON object with a `version`.
    Json,
    /// The jobs' names, one a line.
    Ids,
}

#[derive(Debug, Args)]
struct ListArgs {
    /// The service's own filter (AIP-160): `display_name:"news*"`, `labels.batch_run:*`,
    /// `create_time>"2026-11-01T00:00:00Z"`.
    #[arg(long, default_value = "", hide_default_value = true)]
    filter: String,

    /// Only jobs in this state: running, succeeded, …; may be repeated.
    #[arg(long, value_parser = state)]
    state: Vec<JobState>,

    /// How many at most; without it, all.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,

    /// How the list is written.
    #[arg(long, value_enum, default_value = "text")]
    format: ListFormat,
}

#[derive(Debug, Args)]
struct GetArgs {
    /// The job's name or number.
    job: String,

    /// How it is written.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Debug, Args)]
struct CancelArgs {
    /// The jobs' names or numbers; a run's directory or id is all jobs of it.
    #[arg(required = true, value_name = "JOB|RUN")]
    jobs: Vec<String>,

    /// Wait until they have ended.
    #[arg(long)]
    wait: bool,

    /// How what became of them is written.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Debug, Args)]
struct DeleteArgs {
    /// The jobs' names or numbers.
    #[arg(required = true)]
    jobs: Vec<String>,

    /// How what became of them is written.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// A state as people write it: `running`, `JOB_STATE_RUNNING`.
fn state(text: &str) -> Result<JobState, String> {
    let name = text.to_uppercase().replace('-', "_");
    let name = if name.starts_with("JOB_STATE_") { name } else { format!("JOB_STATE_{name}") };
    match JobState::from_name(&name) {
        JobState::Unknown(_) | JobState::Unspecified => {
            Err("the states are queued, pending, running, succeeded, failed, \
             cancelling, cancelled, paused, expired, updating and partially_succeeded"
                .to_owned())
        }
        state => Ok(state),
    }
}

pub(crate) async fn jobs(args: JobsArgs, terminal: &Terminal) -> Result<Exit> {
    match &args.command {
        JobsCommand::List(list) => self::list(list, &args.service, terminal).await,
        JobsCommand::Get(get) => self::get(get, &args.service, terminal).await,
        JobsCommand::Cancel(cancel) => self::cancel(cancel, &args.service, terminal).await,
        JobsCommand::Delete(delete) => self::delete(delete, &args.service, terminal).await,
    }
}

async fn list(args: &ListArgs, service: &ServiceArgs, terminal: &Terminal) -> Result<Exit> {
    let jobs = service.jobs().await?;
    let found = all(&*jobs.jobs, args).await?;
    let now = system().now();
    let text = match args.format {
        ListFormat::Text => terminal.safe_data(&render::jobs::table(&found, now)).into_owned(),
        ListFormat::Json => format!("{:#}\n", json!({ "version": 1, "jobs": found })),
        ListFormat::Ids => found.iter().filter_map(|job| Some(format!("{}\n", job.name.as_deref()?))).collect(),
    };
    // A reader that has seen enough (`| head`) is no failure.
    terminal.write_report(text.as_bytes())?;
    if found.is_empty() && args.format == ListFormat::Text {
        terminal.say("no such jobs");
    }
    Ok(Exit::Done)
}

/// All jobs that are asked for, page by page. States are asked for one by one: how the service reads
/// `AND` beside `OR` without parentheses is nowhere promised.
async fn all(jobs: &dyn JobService, args: &ListArgs) -> Result<Vec<BatchPredictionJob>> {
    let filters: Vec<String> = if args.state.is_empty() {
        vec![args.filter.clone()]
    } else {
        let with = |state: &JobState| match args.filter.as_str() {
            "" => format!("state=\"{}\"", state.as_str()),
            filter if filter.contains(" OR ") => format!("({filter}) AND state=\"{}\"", state.as_str()),
            filter => format!("{filter} AND state=\"{}\"", state.as_str()),
        };
        args.state.iter().map(with).collect()
    };
    let limit = args.limit.unwrap_or(usize::MAX);
    let mut found: Vec<BatchPredictionJob> = Vec::new();
    for filter in filters {
        found.extend(pages(jobs, filter, limit).await?);
    }
    // A job may have gone from one state to the next between two lists.
    let mut names = BTreeSet::new();
    found.retain(|job| names.insert(job.name.clone()));
    if 1 < args.state.len() {
        found.sort_by(|a, b| b.create_time.cmp(&a.create_time));
    }
    found.truncate(limit);
    Ok(found)
}

async fn pages(jobs: &dyn JobService, filter: String, limit: usize) -> Result<Vec<BatchPredictionJob>> {
    let size = u32::try_from(limit).unwrap_or(PAGE).clamp(1, PAGE);
    let mut query = ListJobs { filter, page_size: Some(size), page_token: None };
    let mut found = Vec::new();
    while found.len() < limit {
        let page = jobs.list(&query).await?;
        found.extend(page.jobs);
        match page.next_page_token.filter(|token| !token.is_empty()) {
            Some(token) if query.page_token.as_ref() == Some(&token) => {
                return Err(Failure::new("the service gives the same page of jobs again and again"));
            }
            Some(token) => query.page_token = Some(token),
            None => break,
        }
    }
    found.truncate(limit);
    Ok(found)
}

async fn get(args: &GetArgs, service: &ServiceArgs, terminal: &Terminal) -> Result<Exit> {
    let name = service.job(&args.job)?;
    let jobs = service.jobs_beside(&name).await?;
    let job = jobs.jobs.get(&name).await?;
    let status = job_status(&job, None, system().now());
    let text = match args.format {
        Format::Text => {
            let text = render::status::job(&status, jobs.elsewhere().is_none()) + &render::jobs::details(&job);
            terminal.safe_data(&text).into_owned()
        }
        Format::Json => format!("{:#}\n", json!({ "version": 1, "job": job, "status": status })),
    };
    terminal.write_report(text.as_bytes())?;
    Ok(Exit::Done)
}

/// What became of one job that was to be cancelled or deleted.
struct Became {
    job: JobName,
    /// In a word, for programs.
    result: &'static str,
    /// In words.
    text: String,
    exit: Exit,
}

impl Became {
    fn new(job: &JobName, result: &'static str, text: impl Into<String>, exit: Exit) -> Self {
        Self { job: job.clone(), result, text: text.into(), exit }
    }
}

/// Writes what became of the jobs; the worst of it is the exit code.
fn write(all: &[Became], format: Format, terminal: &Terminal) -> Result<Exit> {
    let text = match format {
        Format::Text => {
            let lines = all.iter().map(|became| format!("{}  {}\n", became.job, became.text));
            terminal.safe_data(&lines.collect::<String>()).into_owned()
        }
        Format::Json => {
            let jobs =
                all.iter().map(|became| json!({ "job": became.job, "result": became.result, "message": became.text }));
            format!("{:#}\n", json!({ "version": 1, "jobs": jobs.collect::<Vec<_>>() }))
        }
    };
    terminal.write_report(text.as_bytes())?;
    Ok(all.iter().map(|became| became.exit).max_by_key(|exit| *exit as u8).unwrap_or(Exit::Done))
}

/// A failure that says something about this job only; any other ends the command.
fn told(error: batch_backend::Error, name: &JobName) -> Result<Became> {
    match error.kind() {
        Kind::NotFound => Ok(Became::new(name, "not_found", "there is no such job", Exit::Failed)),
        _ => Err(error.into()),
    }
}

async fn cancel(args: &CancelArgs, service: &ServiceArgs, terminal: &Terminal) -> Result<Exit> {
    let mut names = Vec::new();
    for text in &args.jobs {
        match Subject::of(text, service)? {
            Subject::Job(name) => names.push((name, service.spec()?.endpoints)),
            Subject::Run { directory, state } => {
                refuse_local(&state, &directory)?;
                let newest = state.shards.iter().filter_map(|shard| shard.attempts.last()?.job.clone());
                let before = names.len();
                // Where the run's jobs are, the run knows.
                let endpoints = service.spec_of(&state)?.endpoints;
                names.extend(newest.map(|name| (name, endpoints.clone())));
                if names.len() == before {
                    return Err(Failure::new(format!("the run {text} has no job yet")));
                }
            }
        }
    }
    let mut all = Vec::new();
    for (name, endpoints) in &names {
        let jobs = Jobs::connect(name.project(), name.location(), endpoints).await?.jobs;
        all.push(match cancel_one(&*jobs, name).await {
            Ok(became) => became,
            Err(error) => told(error, name)?,
        });
    }
    if args.wait {
        let session = Session::start(ProgressMode::None, terminal, true);
        let cancelling = all.iter_mut().zip(&names).filter(|(became, _)| became.result == "cancelling");
        for (became, (name, endpoints)) in cancelling {
            let jobs = Jobs::connect(name.project(), name.location(), endpoints).await?.jobs;
            let job = wait_for_job(&became.job, &*jobs, &quick(service)?, &session.context).await?;
            let state = render::status::state(&job.state);
            *became = match job.state {
                JobState::Cancelled => Became::new(&became.job, "cancelled", "cancelled", Exit::Done),
                // It was quicker than we.
                _ => Became::new(&became.job, "ended", format!("has ended as {state}"), Exit::No),
            };
        }
        session.finish();
    }
    write(&all, args.format, terminal)
}

/// A cancelled job ends soon, however old it is.
fn quick(service: &ServiceArgs) -> Result<PollPolicy> {
    let policy = service.spec()?.poll;
    Ok(PollPolicy { young: f64::MAX, ..policy })
}

/// Asks to cancel a job, and reads a refusal.
async fn cancel_one(jobs: &dyn JobService, name: &JobName) -> Result<Became, batch_backend::Error> {
    let error = match jobs.cancel(name).await {
        Ok(()) => return Ok(Became::new(name, "cancelling", "is being cancelled", Exit::Done)),
        Err(error) => error,
    };
    // How the service refuses is not documented; how the job stands says why.
    if !matches!(error.kind(), Kind::FailedPrecondition | Kind::InvalidArgument | Kind::Other) {
        return Err(error);
    }
    let state = jobs.get(name).await?.state;
    let word = render::status::state(&state);
    Ok(match state {
        JobState::Cancelled => Became::new(name, "cancelled", "is cancelled already", Exit::Done),
        JobState::Cancelling => Became::new(name, "cancelling", "is being cancelled already", Exit::Done),
        state if state.is_terminal() => Became::new(name, "ended", format!("has ended already as {word}"), Exit::No),
        _ => return Err(error),
    })
}

async fn delete(args: &DeleteArgs, service: &ServiceArgs, terminal: &Terminal) -> Result<Exit> {
    let names = args.jobs.iter().map(|text| service.job(text)).collect::<Result<Vec<_>>>()?;
    let mut all = Vec::new();
    for name in &names {
        let jobs = service.jobs_beside(name).await?.jobs;
        all.push(match delete_one(&*jobs, name).await {
            Ok(became) => became,
            Err(error) => told(error, name)?,
        });
    }
    write(&all, args.format, terminal)
}

async fn delete_one(jobs: &dyn JobService, name: &JobName) -> Result<Became, batch_backend::Error> {
    let error = match jobs.delete(name).await {
        Ok(()) => return Ok(Became::new(name, "deleted", "deleted", Exit::Done)),
        Err(error) => error,
    };
    if !matches!(error.kind(), Kind::FailedPrecondition | Kind::InvalidArgument | Kind::Other) {
        return Err(error);
    }
    let state = jobs.get(name).await?.state;
    if state.is_terminal() {
        return Err(error);
    }
    let word = render::status::state(&state);
    Ok(Became::new(
        name,
        "running",
        format!("is {word}, and cannot be deleted before it ends: cancel it first"),
        Exit::No,
    ))
}
