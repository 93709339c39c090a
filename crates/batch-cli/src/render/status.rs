//! How jobs stand, for people.

use std::{fmt::Write as _, time::Duration};

use batch_model::{JobState, Status};
use batch_pipeline::{JobStatus, RunStage, RunStatus, Warning, WindowKind};

use crate::progress::{count, span};

/// A run and its shards.
pub(crate) fn run(run: &RunStatus, has_console: bool) -> String {
    let mut out = format!("run {} ({})\n", run.directory, run.model);
    let jobs: Vec<&JobStatus> = run.shards.iter().filter_map(|shard| shard.job.as_ref()).collect();
    let going = jobs.iter().filter(|job| !job.state.is_terminal()).count();
    let done: u64 = jobs.iter().map(|job| job.done).sum();
    let sentence = match run.stage {
        RunStage::Staging => format!("{} staged so far; not all of the table", count(run.records, "record")),
        RunStage::Submitting => {
            format!("{} of {} have a job", jobs.len(), count(run.shards.len() as u64, "shard"))
        }
        RunStage::Running => {
            format!(
                "{done} of {} done, {going} of {} going",
                count(run.records, "record"),
                count(jobs.len() as u64, "job")
            )
        }
        RunStage::Ended if run.shards.iter().all(|shard| shard.collected) => {
            "every job has ended; predictions are collected, and not joined".to_owned()
        }
        RunStage::Ended => "every job has ended; predictions are not collected".to_owned(),
        RunStage::Finished => "results and report are written".to_owned(),
    };
    let _ = writeln!(out, "{}: {sentence}", run.stage.as_str());
    for shard in &run.shards {
        let attempt = if 1 < shard.attempt { format!(", attempt {}", shard.attempt) } else { String::new() };
        let collected = if shard.collected { ", collected" } else { "" };
        let _ = writeln!(out, "\nshard {}: {}{attempt}{collected}", shard.shard, count(shard.records, "record"));
        match &shard.job {
            Some(job) => lines(&mut out, job, has_console),
            None => match &shard.refused {
                Some(why) => {
                    let _ = writeln!(out, "  no job: {}", why.trim());
                }
                None => out.push_str("  no job yet\n"),
            },
        }
        if let Some(why) = &shard.unseen {
            let _ = writeln!(out, "  could not be looked at, and is as it was last seen: {why}");
        }
    }
    out
}

/// A job alone.
pub(crate) fn job(job: &JobStatus, has_console: bool) -> String {
    let mut out = String::new();
    if let Some(name) = &job.display_name {
        let _ = writeln!(out, "job {name:?} ({})", job.model.as_deref().unwrap_or("model not told"));
    }
    lines(&mut out, job, has_console);
    out
}

fn lines(out: &mut String, job: &JobStatus, has_console: bool) {
    let _ = writeln!(out, "  {}", line(job));
    if let Some(name) = &job.name {
        let _ = writeln!(out, "  {name}");
        if has_console {
            let _ = writeln!(out, "  {}", batch_api::console_url(name));
        }
    }
    if let Some(output) = &job.output {
        let _ = writeln!(out, "  predictions in {output}");
    }
    if let Some(error) = &job.error {
        let _ = writeln!(out, "  error: {}", error_line(error));
    }
    for warning in &job.warnings {
        let (text, hint) = words(warning);
        let _ = writeln!(out, "  warning: {text}\n  hint: {hint}");
    }
}

/// A job in one line: state, rows, the window that is running, rate and end.
pub(crate) fn line(job: &JobStatus) -> String {
    let mut text = state(&job.state);
    let failed = job.stats.as_ref().and_then(|stats| stats.failed_count).unwrap_or(0);
    match (&job.stats, job.rows) {
        (Some(_), Some(rows)) => {
            let _ = write!(text, ", {} of {rows} rows", job.done);
        }
        (Some(_), None) => {
            let _ = write!(text, ", {}", count(job.done, "row"));
        }
        (None, _) => {}
    }
    if 0 < failed {
        let _ = write!(text, ", {failed} failed");
    }
    if let Some(window) = &job.window {
        let used = span(Duration::from_secs(window.used_seconds));
        let hours = window.limit_seconds / 3600;
        let _ = match window.kind {
            WindowKind::Queue => write!(text, ", {used} in the queue of at most {hours} h"),
            WindowKind::Run => write!(text, ", {used} running of at most {hours} h"),
        };
    }
    if let Some(rate) = job.rows_per_minute {
        let rate = if rate < 10.0 { format!("{rate:.1}") } else { format!("{rate:.0}") };
        let _ = write!(text, ", {rate} rows a minute");
    }
    if let Some(eta) = job.eta_seconds {
        let _ = write!(text, ", done in about {}", span(Duration::from_secs(eta)));
    }
    if let (true, Some(from), Some(to)) = (job.state.is_terminal(), job.times.created, job.times.ended) {
        let took = to.duration_since(from);
        let _ = write!(text, " after {}", span(Duration::try_from(took).unwrap_or_default()));
    }
    text
}

/// `JOB_STATE_RUNNING` in a word.
pub(crate) fn state(state: &JobState) -> String {
    state.as_str().trim_start_matches("JOB_STATE_").to_lowercase().replace('_', " ")
}

fn error_line(error: &Status) -> String {
    let code = error.code.map(|code| format!("code {code}: ")).unwrap_or_default();
    format!("{code}{}", error.message.as_deref().unwrap_or("(no message)").trim())
}

/// What to worry about, and what to do about it.
fn words(warning: &Warning) -> (String, &'static str) {
    let left = |seconds: u64| span(Duration::from_secs(seconds));
    match warning {
        Warning::QueueEnds { left_seconds } => (
            format!("the job expires in {} unless it gets capacity; nothing would be answered", left(*left_seconds)),
            "queues differ: cancel it with `batch-cli jobs cancel`, and submit it in another location (global), or with \
             another model",
        ),
        Warning::RunEnds { left_seconds, unfinished } => (
            match unfinished {
                Some(rows) if 0 < *rows => {
                    let rows = count(*rows, "row");
                    format!("the job is ended in {}, likely with {rows} unfinished", left(*left_seconds))
                }
                _ => format!("the job is ended in {}, done or not", left(*left_seconds)),
            },
            "finished rows are kept and only they are paid for; collect them when it has ended, and ask for the rest with \
             `batch-cli retry`",
        ),
        Warning::UnknownState => (
            "a state that this version does not know; it counts as going on".to_owned(),
            "look at the job in the console, or with a newer version",
        ),
        _ => ("something that this version has no words for".to_owned(), "see --format json"),
    }
}
