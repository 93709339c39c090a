//! What the commands over a service share: progress, Ctrl-C, and how their failures are told.

use std::sync::Arc;

use batch_model::BatchPredictionJob;
use batch_pipeline::{Context, Events, Stopper, state::RunState, stopper, system};

use crate::{args::ProgressMode, exit::Exit, failure::Failure, progress::Progress, terminal::Terminal};

/// Progress that is shown, and Ctrl-C that is heard, while a command works.
pub(crate) struct Session {
    pub(crate) context: Context,
    progress: Arc<Progress>,
    stopper: Arc<Stopper>,
}

impl Session {
    /// `has_console` says whether jobs are Google's, and there is a page about each.
    pub(crate) fn start(mode: ProgressMode, terminal: &Terminal, has_console: bool) -> Self {
        let progress = Arc::new(Progress::new(mode, terminal, has_console));
        let events = Events::new({
            let progress = Arc::clone(&progress);
            move |event| progress.tell(event)
        });
        let (stopper, stop) = stopper();
        let stopper = Arc::new(stopper);
        stop_on_ctrl_c(&progress, Arc::clone(&stopper));
        Self { context: Context { clock: system(), events, stop }, progress, stopper }
    }

    /// What asks the command to stop, as Ctrl-C does.
    pub(crate) fn stopper(&self) -> Arc<Stopper> {
        Arc::clone(&self.stopper)
    }

    /// Takes the bars away.
    pub(crate) fn finish(&self) {
        self.progress.finish();
    }
}

/// The first Ctrl-C stops us and leaves the jobs alone; the second ends the process at once.
fn stop_on_ctrl_c(progress: &Arc<Progress>, stopper: Arc<Stopper>) {
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
}

/// A failure of a run, with the advice that the service's own words about its jobs give.
pub(crate) fn failure_of(error: batch_pipeline::Error, state: &RunState) -> Failure {
    let advice = if error.kind() == batch_pipeline::Kind::Job { job_advice(state) } else { None };
    let failure = Failure::from(error);
    match advice {
        Some(advice) => failure.with_hint(advice),
        None => failure,
    }
}

/// What the service's own words about a failed job say is to be done.
fn job_advice(state: &RunState) -> Option<String> {
    let attempts = state.shards.iter().filter_map(|shard| shard.attempts.last());
    attempts.filter(|attempt| attempt.error.is_some()).find_map(|attempt| {
        let mut job = BatchPredictionJob::default();
        job.name = attempt.job.as_ref().map(ToString::to_string);
        job.state = attempt.state.clone();
        job.error.clone_from(&attempt.error);
        batch_api::failure_hint(&job)
    })
}

/// A word as a shell takes it.
pub(crate) fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./=:,@+%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
