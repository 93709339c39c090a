//! Whether an output says what the rows say, before anybody believes how soon it was there.

use std::{
    collections::BTreeMap,
    fmt,
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use serde_json::Value;

use super::data::{Outcome, SYSTEM, World, generation_config};
use crate::run::Result;

/// What was found in an output.
#[derive(Debug, Clone, Default)]
pub(super) struct Verdict {
    /// What is wrong, how often, and where first.
    faults: BTreeMap<&'static str, (u64, u64)>,
    /// Whether the rows stand in the order of the table.
    in_order: bool,
}

impl Verdict {
    fn new() -> Self {
        Self { faults: BTreeMap::new(), in_order: true }
    }

    pub(super) fn is_right(&self) -> bool {
        self.faults.is_empty()
    }

    fn expect(&mut self, is_so: bool, fault: &'static str, row: u64) {
        if !is_so {
            self.faults.entry(fault).or_insert((0, row)).0 += 1;
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.is_right(), self.in_order) {
            (true, true) => return f.write_str("right"),
            (true, false) => return f.write_str("right, in another order"),
            (false, _) => f.write_str("WRONG:")?,
        }
        for (number, (fault, (count, row))) in self.faults.iter().enumerate() {
            let comma = if number == 0 { "" } else { "," };
            write!(f, "{comma} {count} × {fault} (first in row {row})")?;
        }
        Ok(())
    }
}

/// Request lines: one for each row, in order.
pub(super) fn build(world: &World, rows: u64, output: &Path) -> Result<Verdict> {
    let mut verdict = Verdict::new();
    let config = generation_config();
    let mut count = 0;
    for line in BufReader::with_capacity(1 << 20, File::open(output)?).split(b'\n') {
        let (number, line) = (count, line?);
        count += 1;
        if rows <= number {
            continue;
        }
        let Ok(line) = serde_json::from_slice::<Value>(&line) else {
            verdict.expect(false, "no JSON", number);
            continue;
        };
        let request = &line["request"];
        let turn = &request["contents"][0];
        verdict.expect(
            turn["parts"][0]["text"] == world.row(number).body && turn["role"] == "user",
            "other text",
            number,
        );
        verdict.expect(request["labels"]["id"] == format!("n{number}"), "other label", number);
        let is_same =
            request["systemInstruction"]["parts"][0]["text"] == SYSTEM && request["generationConfig"] == config;
        verdict.expect(is_same, "other instruction or configuration", number);
    }
    verdict.expect(count == rows, "not one line for each row", count);
    Ok(verdict)
}

/// Results in CSV or JSONL, by the name of the file; in any order, which is told.
pub(super) fn join(world: &World, rows: u64, output: &Path) -> Result<Verdict> {
    let mut check = Joined { world, seen: vec![false; usize::try_from(rows)?], next: 0, verdict: Verdict::new() };
    if output.extension().is_some_and(|extension| extension == "jsonl") {
        for line in BufReader::with_capacity(1 << 20, File::open(output)?).split(b'\n') {
            let line: Value = serde_json::from_slice(&line?)?;
            let text = |name: &str| match &line[name] {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            check.row(text);
        }
    } else {
        let mut reader = csv::Reader::from_path(output)?;
        let names = reader.headers()?.clone();
        let mut record = csv::StringRecord::new();
        while reader.read_record(&mut record)? {
            let place = |name: &str| names.iter().position(|other| other == name);
            let text = |name: &str| place(name).and_then(|at| record.get(at)).unwrap_or_default().to_owned();
            check.row(text);
        }
    }
    let Joined { seen, mut verdict, .. } = check;
    for (number, seen) in (0..).zip(seen) {
        verdict.expect(seen, "row is not there", number);
    }
    Ok(verdict)
}

struct Joined<'a> {
    world: &'a World,
    seen: Vec<bool>,
    next: u64,
    verdict: Verdict,
}

impl Joined<'_> {
    fn row(&mut self, value: impl Fn(&str) -> String) {
        let id = value("id");
        let number: Option<u64> = id.strip_prefix("news-").and_then(|number| number.parse().ok());
        let place = number.and_then(|number| usize::try_from(number).ok());
        let (Some(number), Some(seen)) = (number, place.and_then(|place| self.seen.get_mut(place))) else {
            return self.verdict.expect(false, "row of no input", self.next);
        };
        let is_first = !std::mem::replace(seen, true);
        self.verdict.expect(is_first, "row stands twice", number);
        self.verdict.in_order &= self.next <= number;
        self.next = number;
        let row = self.world.row(number);
        self.verdict.expect(value("body") == row.body && value("category") == row.category, "other text", number);
        self.verdict.expect(value("answer") == row.outcome.answer(), "other answer", number);
        let tokens = ["prompt_tokens", "candidates_tokens", "total_tokens"].map(|name| count(&value(name)));
        self.verdict.expect(tokens == row.outcome.tokens().map(Some), "other token counts", number);
    }
}

/// Nothing is none; `12.0` is what a column with gaps becomes in some tools.
fn count(text: &str) -> Option<u64> {
    match text.strip_suffix(".0").unwrap_or(text) {
        "" => Some(0),
        digits => digits.parse().ok(),
    }
}

/// A report as JSON, at least in its last line: records, answers, and right ones among them.
pub(super) fn evaluation(world: &World, rows: u64, output: &Path) -> Result<Verdict> {
    let text = std::fs::read_to_string(output)?;
    let last = text.trim_end().lines().last().unwrap_or_default();
    let report: Value = serde_json::from_str(&text).or_else(|_| serde_json::from_str(last))?;
    let report = if report["metrics"].is_object() { &report["metrics"] } else { &report };
    let (mut answered, mut correct) = (0_u64, 0_u64);
    for number in 0..rows {
        let row = world.row(number);
        if let Outcome::Answered { answer, .. } = row.outcome {
            answered += 1;
            correct += u64::from(answer == row.category);
        }
    }
    let mut verdict = Verdict::new();
    for (name, count) in [("total", rows), ("answered", answered), ("correct", correct)] {
        verdict.expect(report[name] == count, name, rows);
    }
    Ok(verdict)
}
