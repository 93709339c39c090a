//! A plan for people.

use std::fmt::Write as _;

use batch_model::prices::Cost;
use batch_pipeline::{CostEstimate, Plan, Ranged, RuleCount, Selection, usd};

use crate::{
    progress::{count, size},
    terminal::{fit, left, right},
};

/// The column of names.
const NAMES: usize = 12;
/// A column of figures.
const FIGURES: usize = 16;

pub(crate) fn text(plan: &Plan) -> String {
    let mut out = String::new();
    what(&mut out, plan);
    where_to(&mut out, plan);
    tokens(&mut out, plan);
    cost(&mut out, plan.cost.as_ref(), &plan.spec.request.model);
    out.push_str("\nhow this was estimated\n");
    for method in &plan.estimate.method {
        let _ = writeln!(out, "  {method}");
    }
    findings(&mut out, &plan.findings);
    runs(&mut out, plan);
    out
}

fn line(out: &mut String, name: &str, text: &str) {
    let _ = writeln!(out, "{}{text}", left(name, NAMES));
}

fn what(out: &mut String, plan: &Plan) {
    let records = count(plan.records, "record");
    line(out, "input", &format!("{}, {records}, {}", plan.input.path, size(plan.input.bytes)));
    let skipped = plan.records.saturating_sub(plan.requests).saturating_sub(plan.cached);
    match plan.selection {
        Some(Selection::Limit(limit)) => {
            line(out, "selected", &format!("the first {limit}; {} skipped", count(skipped, "record")));
        }
        Some(Selection::Sample(sample)) => {
            line(out, "selected", &format!("a sample of {sample}; {} skipped", count(skipped, "record")));
        }
        None => {}
    }
    if 0 < plan.cached {
        line(out, "cached", &format!("{}: earlier runs have their answers", count(plan.cached, "record")));
    }
    let shards = plan.shards.len() as u64;
    let jobs = if shards == 1 {
        "1 job".to_owned()
    } else {
        format!("{}, {} at once", count(shards, "job"), plan.spec.limits.jobs.min(plan.shards.len()))
    };
    line(out, "requests", &format!("{}, {}, in {jobs}", count(plan.requests, "request"), size(plan.bytes)));
    if 1 < shards {
        let largest = plan.shards.iter().map(|shard| shard.records).max().unwrap_or(0);
        let bytes = plan.shards.iter().map(|shard| shard.bytes).max().unwrap_or(0);
        line(out, "", &format!("up to {} and {} a job", count(largest, "request"), size(bytes)));
    }
    let target = &plan.spec.target;
    let location = target.location.as_deref().unwrap_or("?");
    let project = target.project.as_deref().unwrap_or("?");
    let wherever = if plan.local {
        "on the emulator of this machine".to_owned()
    } else {
        format!("in {location}, project {project}")
    };
    line(out, "model", &format!("{} {wherever}", plan.spec.request.model));
}

fn where_to(out: &mut String, plan: &Plan) {
    for destination in &plan.destinations {
        let at = destination.location.as_ref().map(|location| format!("  ({location})")).unwrap_or_default();
        line(out, &destination.role, &format!("{}{at}", destination.uri));
        if let Some(note) = &destination.note {
            line(out, "", note);
        }
    }
}

fn head(out: &mut String, name: &str) {
    let figures = ["low", "expected", "high"].map(|name| right(name, FIGURES));
    let _ = writeln!(out, "\n{}{}", left(name, NAMES), figures.concat());
}

fn row(out: &mut String, name: &str, figures: &Ranged<String>) {
    let figures = [&figures.low, &figures.expected, &figures.high].map(|figure| right(figure, FIGURES));
    let _ = writeln!(out, "{}{}", left(name, NAMES), figures.concat());
}

fn tokens(out: &mut String, plan: &Plan) {
    head(out, "tokens");
    let estimate = &plan.estimate;
    for (name, tokens) in [("prompts", estimate.input), ("answers", estimate.output), ("thinking", estimate.thinking)] {
        row(out, name, &each(&tokens, |tokens| grouped(*tokens)));
    }
}

fn cost(out: &mut String, cost: Option<&CostEstimate>, model: &str) {
    let Some(cost) = cost else {
        let _ = writeln!(out, "\ncost        unknown: no price of {model} is known");
        return;
    };
    head(out, "cost");
    let known = |usd_of: Option<f64>| usd_of.map_or_else(|| "unknown".to_owned(), usd);
    for (name, part) in PARTS {
        row(out, name, &each(&cost.batch, |cost| known(part(cost))));
    }
    row(out, "batch", &each(&cost.batch, |cost| known(cost.total())));
    row(out, "online", &each(&cost.online, |cost| known(cost.total())));
    let _ = writeln!(
        out,
        "by the prices of {}, which are likely and not certain; thinking is paid as output",
        cost.prices_as_of
    );
}

type Part = fn(&Cost) -> Option<f64>;

const PARTS: [(&str, Part); 3] =
    [("prompts", |cost| cost.input), ("answers", |cost| cost.output), ("thinking", |cost| cost.thinking)];

fn each<T>(figures: &Ranged<T>, text: impl Fn(&T) -> String) -> Ranged<String> {
    Ranged { low: text(&figures.low), expected: text(&figures.expected), high: text(&figures.high) }
}

/// Digits in groups of three.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if 0 < at && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn findings(out: &mut String, findings: &[RuleCount]) {
    if findings.is_empty() {
        out.push_str("\nlint found nothing\n");
        return;
    }
    out.push_str("\nlint found\n");
    for finding in findings {
        let RuleCount { code, rule, severity, count, message, help, .. } = finding;
        let line = finding.line.map(|line| format!(", first at line {line}")).unwrap_or_default();
        let _ = writeln!(out, "  {severity} {code} {rule}: {count}{line}");
        let _ = writeln!(out, "    {}; {}", fit(message, 200), fit(help, 200));
    }
}

fn runs(out: &mut String, plan: &Plan) {
    if plan.runs.is_empty() {
        return;
    }
    out.push_str("\nruns of the same spec and input\n");
    for run in &plan.runs {
        let answered = run.accounting.map(|counts| format!(", {} of {} answered", counts.answered, counts.records));
        let _ = writeln!(out, "  {}: {}{}", run.directory, run.stage, answered.unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_in_groups() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
