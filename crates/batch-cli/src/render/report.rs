//! The report of a run as text.

use std::fmt::Write as _;

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
    for job in report.jobs.iter().filter(|job| job.error.is_some()) {
        let error = job.error.as_ref().and_then(|error| error.message.as_deref()).unwrap_or("(no message)");
        let _ = match &job.job {
            Some(name) => writeln!(out, "job {name} ended as {}: {}", job.state, error.trim()),
            None => writeln!(out, "no job was made of shard {}: {}", job.shard, error.trim()),
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
