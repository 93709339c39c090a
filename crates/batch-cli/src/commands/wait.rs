//! `batch-cli wait`: until the jobs of a run have ended, or one job.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use batch_pipeline::{Kind, RunDir, job_status, wait_for_job};
use clap::Args;
use jiff::{SignedDuration, Timestamp};

use super::{
    session::{Session, quoted},
    status::Seen,
    subject::{ServiceArgs, Subject, refuse_local},
};
use crate::{
    args::{Format, ProgressMode},
    exit::Exit,
    failure::{Failure, Result},
    progress::span,
    terminal::Terminal,
};

#[derive(Debug, Args)]
pub(crate) struct WaitArgs {
    /// A run's directory or id, or a job's name or number.
    #[arg(value_name = "RUN|JOB")]
    what: String,

    /// Give up after this time (`90`, `30m`, `2h 30m`) with exit code 3. The jobs go on.
    #[arg(long, value_parser = time, value_name = "TIME")]
    timeout: Option<Duration>,

    /// How the end is written on standard output.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,

    /// How progress is told.
    #[arg(long, value_enum, default_value = "auto", value_name = "HOW")]
    pub(crate) progress: ProgressMode,

    #[command(flatten)]
    service: ServiceArgs,
}

/// Seconds, or a time as people write it.
fn time(text: &str) -> Result<Duration, String> {
    let parsed = match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string()),
        Err(_) => text
            .parse::<SignedDuration>()
            .map_err(|error| error.to_string())
            .and_then(|span| Duration::try_from(span).map_err(|_| "it is before now".to_owned())),
    };
    parsed.map_err(|why| format!("{text:?} is no time such as 90, 30m or 2h: {why}"))
}

pub(crate) async fn wait(args: WaitArgs, terminal: &Terminal) -> Result<Exit> {
    match Subject::of(&args.what, &args.service)? {
        Subject::Run { directory, state } => {
            refuse_local(&state, &directory)?;
            let connected = args.service.connect(&state).await?;
            let mut run = RunDir::load(&directory)?;
            let has_console = connected.elsewhere.is_none();
            let session = Session::start(args.progress, terminal, has_console);
            let timeout = Timeout::start(args.timeout, &session);
            let waited = batch_pipeline::wait(&mut run, &connected.backends, &session.context).await;
            session.finish();
            let directory_word = quoted(&directory.display().to_string());
            if let Err(error) = waited {
                return not_yet(error, &timeout, &format!("`batch-cli wait {directory_word}` goes on"), terminal);
            }
            let now = session.context.clock.now();
            let seen = Seen::Run(batch_pipeline::status(run.state(), &directory, None, now).await?);
            let exit = write(&seen, args.format, has_console, terminal)?;
            terminal.say(&format!("`batch-cli collect {directory_word}` fetches and joins what they wrote"));
            Ok(exit)
        }
        Subject::Job(name) => {
            let jobs = args.service.jobs_beside(&name).await?;
            let has_console = jobs.elsewhere().is_none();
            let session = Session::start(args.progress, terminal, has_console);
            let timeout = Timeout::start(args.timeout, &session);
            let policy = args.service.spec()?.poll;
            let waited = wait_for_job(&name, &*jobs.jobs, &policy, &session.context).await;
            session.finish();
            match waited {
                Ok(job) => {
                    let seen = Seen::Job(Box::new(job_status(&job, None, session.context.clock.now())));
                    write(&seen, args.format, has_console, terminal)
                }
                Err(error) => not_yet(error, &timeout, &format!("`batch-cli wait {name}` goes on"), terminal),
            }
        }
    }
}

fn write(seen: &Seen, format: Format, has_console: bool, terminal: &Terminal) -> Result<Exit> {
    let text = match format {
        Format::Text => seen.text(has_console, terminal),
        Format::Json => format!("{:#}\n", seen.json()?),
    };
    terminal.write_report(text.as_bytes())?;
    Ok(seen.exit())
}

/// A wait that ended before the jobs did: by our own time limit, by Ctrl-C, or by a failure.
fn not_yet(error: batch_pipeline::Error, timeout: &Timeout, go_on: &str, terminal: &Terminal) -> Result<Exit> {
    match timeout.over() {
        Some(limit) if error.kind() == Kind::Interrupted => {
            terminal.say(&format!("still running after {}; the jobs go on, and {go_on}", span(limit)));
            Ok(Exit::Running)
        }
        _ if error.kind() == Kind::Interrupted => {
            Err(Failure::from(error).with_hint(format!("the jobs go on, and {go_on}")))
        }
        _ => Err(error.into()),
    }
}

/// Stops the waiting after a time, by the wall clock.
struct Timeout {
    limit: Option<Duration>,
    is_over: Arc<AtomicBool>,
}

impl Timeout {
    fn start(limit: Option<Duration>, session: &Session) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        if let Some(limit) = limit {
            let (clock, stopper, over) = (Arc::clone(&session.context.clock), session.stopper(), Arc::clone(&is_over));
            let limit = SignedDuration::try_from(limit).unwrap_or(SignedDuration::MAX);
            let until = clock.now().checked_add(limit).unwrap_or(Timestamp::MAX);
            tokio::spawn(async move {
                clock.sleep_until(until).await;
                over.store(true, Ordering::SeqCst);
                stopper.stop();
            });
        }
        Self { limit, is_over }
    }

    /// The limit, once it is over.
    fn over(&self) -> Option<Duration> {
        self.limit.filter(|_| self.is_over.load(Ordering::SeqCst))
    }
}
