//! What a run cost, for people.

use std::fmt::Write as _;

use batch_model::prices::Cost;
use batch_pipeline::{Accounting, Spending, usd};

use super::plan::grouped;
use crate::{
    progress::count,
    terminal::{left, right},
};

/// The column of names, and the columns of figures.
const NAMES: usize = 11;
const FIGURES: usize = 14;

/// That every record is counted once: `1000 = 998 answered + 1 truncated + 1 missing`.
pub(crate) fn balance(out: &mut String, accounting: &Accounting) {
    let parts = [
        (accounting.answered, "answered"),
        (accounting.invalid_answer, "invalid_answer"),
        (accounting.empty, "empty"),
        (accounting.truncated, "truncated"),
        (accounting.blocked, "blocked"),
        (accounting.request_error, "request_error"),
        (accounting.missing, "missing"),
        (accounting.skipped, "skipped"),
    ];
    let parts: Vec<String> =
        parts.iter().filter(|(count, _)| 0 < *count).map(|(count, name)| format!("{count} {name}")).collect();
    if 1 < parts.len() {
        let _ = writeln!(out, "{} = {}", accounting.records, parts.join(" + "));
    }
}

/// Tokens and cost, each beside what was expected of it.
pub(crate) fn text(out: &mut String, spending: &Spending) {
    if spending.answers == 0 {
        return;
    }
    let all = spending.usage.all();
    let expected = spending.estimate.as_ref();
    let head = if expected.is_some() { right("expected", FIGURES) } else { String::new() };
    let heads = ["tokens", "cost"].map(|name| right(name, FIGURES)).concat();
    let _ = writeln!(out, "\n{}{heads}{head}", left("spent", NAMES));
    let known = |amount: Option<f64>| amount.map_or_else(|| "unknown".to_owned(), usd);
    let part = |part: fn(&Cost) -> Option<f64>| known(spending.cost.as_ref().and_then(part));
    let mut row = |name: &str, tokens: u64, cost: String, expected: Option<String>| {
        let expected = expected.map(|expected| right(&expected, FIGURES)).unwrap_or_default();
        let (tokens, cost) = (right(&grouped(tokens), FIGURES), right(&cost, FIGURES));
        let _ = writeln!(out, "{}{tokens}{cost}{expected}", left(name, NAMES));
    };
    let input = all.input + all.audio_input;
    row("prompts", input, part(|cost| cost.input), expected.map(|it| grouped(it.input.expected)));
    let cached = all.cached_input + all.cached_audio_input;
    if 0 < cached {
        row("from cache", cached, part(|cost| cost.cached_input), None);
    }
    if 0 < all.tool_use {
        row("tools", all.tool_use, part(|cost| cost.tool_use), None);
    }
    let output = all.output + all.media_output;
    row("answers", output, part(|cost| cost.output), expected.map(|it| grouped(it.output.expected)));
    row("thinking", all.thinking, part(|cost| cost.thinking), expected.map(|it| grouped(it.thinking.expected)));
    let again = spending.superseded.all();
    let superseded = again.prompts() + again.answers();
    if 0 < superseded {
        row("superseded", superseded, known(spending.superseded_cost.and_then(|cost| cost.total())), None);
    }
    let total = all.prompts() + all.answers() + superseded;
    row("in all", total, known(spending.total_usd), expected.map(|it| known(it.batch_usd.expected)));
    notes(out, spending);
}

fn notes(out: &mut String, spending: &Spending) {
    let online = spending.online_cost.and_then(|cost| cost.total());
    if let (Some(as_of), Some(online)) = (&spending.prices_as_of, online) {
        let _ = writeln!(out, "by the batch prices of {as_of}; one request at a time it is {}", usd(online));
    }
    if !spending.billed {
        out.push_str("nothing is billed: no service was asked, and this is what such answers would cost\n");
    }
    if let (None, Some(cost)) = (spending.total_usd, &spending.cost) {
        let _ = writeln!(out, "some tokens have no known price; the others cost {}", usd(cost.at_least()));
    }
    if 0 < spending.without_counts {
        let responses = count(spending.without_counts, "response");
        let _ = writeln!(out, "{responses} without token counts: what they cost is not in these figures");
    }
    let cached = spending.cached.all();
    if 0 < cached.prompts() + cached.answers() {
        let _ =
            writeln!(out, "{} tokens more were paid for by earlier runs", grouped(cached.prompts() + cached.answers()));
    }
    if let Some(estimate) = &spending.estimate
        && let (Some(low), Some(high)) = (estimate.batch_usd.low, estimate.batch_usd.high)
    {
        let _ = writeln!(out, "planned: from {} to {}", usd(low), usd(high));
    }
}
