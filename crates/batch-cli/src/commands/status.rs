//! `batch-cli status`: how the jobs of a run stand, or one job; looks once, changes nothing.

use std::io::IsTerminal;

use batch_model::{JobName, JobState};
use batch_pipeline::{JobStatus, RunStage, RunStatus, job_status, system};
use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::subject::{ServiceArgs, Subject};
use crate::{
    args::Format,
    connect::{Connected, is_google},
    exit::Exit,
    failure::{Failure, Result},
    render,
    terminal::Terminal,
};

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// A run's directory or id, or a job's name or number.
    #[arg(value_name = "RUN|JOB")]
    what: String,

    /// Look again until every job has ended.
    #[arg(long, short)]
    watch: bool,

    /// How it is written. With --watch JSON is one object a line.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,

    #[command(flatten)]
    service: ServiceArgs,
}

/// What was seen at one look.
pub(crate) enum Seen {
    Run(RunStatus),
    Job(Box<JobStatus>),
}

impl Seen {
    /// Whether jobs go on, and if not, whether all of them are well.
    pub(crate) fn exit(&self) -> Exit {
        let jobs: Vec<&JobStatus> = match self {
            Self::Run(run) => {
                if matches!(run.stage, RunStage::Staging | RunStage::Submitting) {
                    return Exit::Running;
                }
                run.shards.iter().filter_map(|shard| shard.job.as_ref()).collect()
            }
            Self::Job(job) => vec![job],
        };
        let is_well = |job: &&JobStatus| matches!(job.state, JobState::Succeeded | JobState::PartiallySucceeded);
        if jobs.iter().any(|job| !job.state.is_terminal()) {
            Exit::Running
        } else if jobs.iter().all(is_well) {
            Exit::Done
        } else {
            Exit::No
        }
    }

    pub(crate) fn text(&self, has_console: bool, terminal: &Terminal) -> String {
        let text = match self {
            Self::Run(run) => render::status::run(run, has_console),
            Self::Job(job) => render::status::job(job, has_console),
        };
        terminal.safe_data(&text).into_owned()
    }

    pub(crate) fn json(&self) -> Result<Value> {
        let value = match self {
            Self::Run(run) => serde_json::to_value(run),
            Self::Job(job) => serde_json::to_value(job).map(|job| json!({ "version": 1, "job": job })),
        };
        value.map_err(|error| Failure::caused("write the status", error))
    }
}

pub(crate) async fn status(args: StatusArgs, terminal: &Terminal) -> Result<Exit> {
    let subject = Subject::of(&args.what, &args.service)?;
    let looker = Looker::new(subject, &args.service).await?;
    if let Looker::Run { local: true, .. } = looker {
        terminal.say("a run with --local: its jobs ended with its process; this is how it last saw them");
    }
    let clock = system();
    let mut looks = 0;
    let mut drawn = 0;
    loop {
        let seen = looker.look(clock.now()).await?;
        let text = match args.format {
            Format::Text => seen.text(looker.has_console(), terminal),
            Format::Json if args.watch => format!("{}\n", seen.json()?),
            Format::Json => format!("{:#}\n", seen.json()?),
        };
        // On a terminal what was drawn before is drawn over; elsewhere it stays.
        let redraws = args.watch && args.format == Format::Text && std::io::stdout().is_terminal();
        let over = if redraws && 0 < drawn { format!("\x1b[{drawn}A\x1b[J") } else { String::new() };
        terminal
            .write(format!("{over}{text}").as_bytes())
            .map_err(|error| Failure::caused("write the status", error))?;
        drawn = text.lines().count();
        let exit = seen.exit();
        if !args.watch || exit != Exit::Running {
            return Ok(exit);
        }
        let wait = looker.next(&seen, looks, clock.now());
        looks += 1;
        tokio::select! {
            () = clock.sleep_until(clock.now() + wait) => {}
            _ = tokio::signal::ctrl_c() => return Ok(Exit::Interrupted),
        }
    }
}

/// What looks at a run or at a job.
enum Looker {
    Run { directory: std::path::PathBuf, connected: Option<Connected>, local: bool, has_console: bool },
    Job { name: JobName, jobs: crate::connect::Jobs },
}

impl Looker {
    async fn new(subject: Subject, service: &ServiceArgs) -> Result<Self> {
        Ok(match subject {
            Subject::Run { directory, state } => {
                // What has ended is known; nobody has to be asked, and no login is needed.
                let asks = !state.local && matches!(RunStage::of(&state), RunStage::Running | RunStage::Submitting);
                let connected = if asks { Some(service.connect(&state).await?) } else { None };
                let has_console = !state.local && is_google(&service.spec_of(&state)?);
                Self::Run { directory, connected, local: state.local, has_console }
            }
            Subject::Job(name) => {
                let jobs = service.jobs_beside(&name).await?;
                Self::Job { name, jobs }
            }
        })
    }

    fn has_console(&self) -> bool {
        match self {
            Self::Run { has_console, .. } => *has_console,
            Self::Job { jobs, .. } => jobs.elsewhere().is_none(),
        }
    }

    async fn look(&self, now: Timestamp) -> Result<Seen> {
        Ok(match self {
            Self::Run { directory, connected, .. } => {
                // Anew each time: another process may have taken the run on.
                let state = batch_pipeline::read_run(directory)?;
                let jobs = connected.as_ref().map(|connected| &*connected.backends.jobs);
                Seen::Run(batch_pipeline::status(&state, directory, jobs, now).await?)
            }
            Self::Job { name, jobs } => Seen::Job(Box::new(job_status(&jobs.jobs.get(name).await?, None, now))),
        })
    }

    /// When to look again: by the run's own policy, and by the age of what was seen.
    fn next(&self, seen: &Seen, looks: u32, now: Timestamp) -> jiff::SignedDuration {
        let (policy, created) = match (self, seen) {
            (Self::Run { directory, .. }, Seen::Run(run)) => {
                let policy = batch_pipeline::read_run(directory).map(|state| state.spec.poll).unwrap_or_default();
                (policy, run.created)
            }
            (_, Seen::Job(job)) => (batch_pipeline::PollPolicy::default(), job.times.created.unwrap_or(now)),
            (_, Seen::Run(run)) => (batch_pipeline::PollPolicy::default(), run.created),
        };
        let age = now.duration_since(created).max(jiff::SignedDuration::ZERO).unsigned_abs();
        jiff::SignedDuration::try_from(policy.wait(age, looks, 0.5)).unwrap_or(jiff::SignedDuration::MAX)
    }
}
