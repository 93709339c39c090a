//! What became of the records, and what was odd about the predictions.

use std::fmt::Write as _;

use batch_io::{JoinSummary, Outcome};
use batch_pipeline::Accounting;

use crate::{
    progress::count,
    terminal::{fit, left, right},
};

/// How many odd things of one kind are listed.
const LISTED: usize = 5;

/// The count of every outcome, each with an example, and that they add up.
pub(crate) fn accounting(out: &mut String, summary: &JoinSummary) {
    let accounting = Accounting::of(summary);
    let _ = writeln!(out, "{}", count(accounting.records, "record"));
    for (outcome, number) in summary.outcomes.iter().filter(|(_, number)| 0 < *number) {
        let _ = write!(out, "{}  {}", right(&number.to_string(), 9), left(outcome.as_str(), 14));
        if let Some(example) = summary.examples.get(&outcome).filter(|_| outcome != Outcome::Answered) {
            let key = fit(&example.key, 24);
            let _ = write!(out, "  {key}: {}", fit(&example.detail, 100));
        }
        // No space at the end of a line.
        out.truncate(out.trim_end().len());
        out.push('\n');
    }
    let tokens = &summary.tokens;
    if 0 < tokens.total_tokens {
        let thinking = match tokens.thoughts_tokens {
            0 => String::new(),
            thoughts => format!(", {thoughts} of thinking"),
        };
        let (prompt, answer) = (tokens.prompt_tokens, tokens.candidates_tokens);
        let _ =
            writeln!(out, "tokens: {prompt} of prompts, {answer} of answers{thinking}, {} in all", tokens.total_tokens);
    }
}

/// What was odd about the predictions; nothing where all is well.
pub(crate) fn notes(out: &mut String, summary: &JoinSummary) {
    let ways = &summary.by_way;
    if 0 < ways.label + ways.request {
        let _ = writeln!(
            out,
            "predictions found their records by key ({}), by label ({}), by request ({})",
            ways.key, ways.label, ways.request
        );
    }
    if 0 < summary.duplicates {
        let _ = writeln!(
            out,
            "{} of a record that had one already; the best one counts",
            count(summary.duplicates, "prediction")
        );
    }
    if 0 < summary.ambiguous {
        let _ = writeln!(out, "{} could not be told from another", count(summary.ambiguous, "record"));
    }
    let unmatched = &summary.unmatched;
    if 0 < unmatched.count {
        let _ = writeln!(out, "{} of no record of the table:", count(unmatched.count, "prediction"));
        for prediction in unmatched.first.iter().take(LISTED) {
            let key =
                prediction.key.as_deref().map_or_else(|| "no key".to_owned(), |key| format!("key {:?}", fit(key, 40)));
            let _ = writeln!(out, "  {}, line {}: {key}", prediction.file, prediction.line);
        }
        more(out, unmatched.count);
    }
    let problems = &summary.problems;
    if 0 < problems.count {
        let _ = writeln!(out, "{} that could not be read:", count(problems.count, "line"));
        for problem in problems.first.iter().take(LISTED) {
            let _ = writeln!(out, "  {problem}");
        }
        more(out, problems.count);
    }
    if 1 < summary.model_versions.len() {
        let versions: Vec<String> =
            summary.model_versions.iter().map(|(version, answers)| format!("{version} ({answers})")).collect();
        let _ = writeln!(out, "several model versions answered: {}", versions.join(", "));
    }
    if summary.too_many_fields {
        let _ = writeln!(out, "the answers have too many different fields for columns; they are in the answer column");
    }
}

fn more(out: &mut String, count: u64) {
    let listed = LISTED as u64;
    if listed < count {
        let _ = writeln!(out, "  and {} more", count - listed);
    }
}
