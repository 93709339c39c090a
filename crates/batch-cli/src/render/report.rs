//! The report of a run as text.

use std::fmt::Write as _;

use batch_model::JobState;
use batch_pipeline::Report;

use super::{evaluation, join, spending};
use crate::{progress::count, terminal::Terminal};

pub(crate) fn text(report: &Report, terminal: &Terminal) -> String {
    let mut out = String::new();
    // Who reads figures must not miss that no model stands behind them.
    match &report.answered_by {
        Some(who) => {
            let _ = writeln!(out, "answers by {who}");
        }
        None => {
            let _ = writeln!(out, "answers by {}", report.model);
        }
    }
    out.push('\n');
    join::accounting(&mut out, &report.join);
    spending::balance(&mut out, &report.accounting);
    if 0 < report.cached {
        let _ = writeln!(out, "{} answered before this run, from the cache", count(report.cached, "record"));
    }
    join::notes(&mut out, &report.join);
    for job in report.jobs.iter().filter(|job| job.error.is_some() || why_of(&job.state).is_some()) {
        let error = job.error.as_ref().and_then(|error| error.message.as_deref());
        let why = error.or_else(|| why_of(&job.state)).unwrap_or("(no message)").trim();
        let _ = match &job.job {
            Some(name) => writeln!(out, "job {name} ended as {}: {why}", job.state),
            None => writeln!(out, "no job was made of shard {}: {why}", job.shard),
        };
    }
    spending::text(&mut out, &report.spending);
    if let Some(metrics) = &report.evaluation {
        let _ = write!(out, "\n{}", evaluation::text(metrics));
    }
    let _ = match report.results_in {
        None => writeln!(out, "\nresults: {}/{}", report.directory, report.results),
        Some(_) => writeln!(out, "\nresults: {}", report.results),
    };
    if let Some(mismatches) = &report.mismatches {
        let _ = writeln!(out, "answers that are not the expected ones: {}/{mismatches}", report.directory);
    }
    terminal.safe_data(&out).into_owned()
}

/// Why a job that ended otherwise than well leaves records without an answer, where the service says nothing.
fn why_of(state: &JobState) -> Option<&'static str> {
    Some(match state {
        JobState::Failed => "(no message)",
        JobState::Expired => "its time was over; what it had answered counts",
        JobState::Cancelled => "it was cancelled; what it had answered counts",
        JobState::Paused => "somebody paused it; what it had answered counts",
        JobState::PartiallySucceeded => "not all of it was answered",
        _ => return None,
    })
}
