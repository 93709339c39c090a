//! Runs, one a line.

use std::{fmt::Write as _, time::Duration};

use batch_pipeline::RunEntry;
use jiff::Timestamp;

use crate::{
    progress::span,
    terminal::{left, right, width},
};

/// Which columns hold numbers.
const NUMBERS: [usize; 2] = [2, 3];

/// The runs as a table; a directory that holds none is told as damaged, with the reason.
pub(crate) fn text(runs: &[RunEntry], now: Timestamp) -> String {
    if runs.is_empty() {
        return String::new();
    }
    let mut rows = vec![["run", "state", "records", "answered", "age", "model", "spec"].map(str::to_owned)];
    let mut damaged = Vec::new();
    for entry in runs {
        let directory = entry.directory.display().to_string();
        let Some(run) = &entry.run else {
            damaged.push((directory, entry.damage.clone().unwrap_or_default()));
            continue;
        };
        let number = |number: Option<u64>| number.map_or_else(|| "–".to_owned(), |number| number.to_string());
        let age = Duration::try_from(now.duration_since(run.created)).unwrap_or_default();
        rows.push([
            directory,
            format!("{}{}", run.stage.as_str(), if run.local { " (local)" } else { "" }),
            number(run.accounting.map(|accounting| accounting.records).or(run.records)),
            number(run.accounting.map(|accounting| accounting.answered)),
            span(age),
            run.model.clone(),
            run.spec.clone().unwrap_or_else(|| format!("of {}", run.input)),
        ]);
    }
    let mut out = String::new();
    if 1 < rows.len() {
        table(&mut out, &rows);
    }
    for (directory, damage) in damaged {
        let _ = writeln!(out, "{directory}  damaged: {damage}");
    }
    out
}

fn table(out: &mut String, rows: &[[String; 7]]) {
    let widths: Vec<usize> =
        (0..rows[0].len()).map(|column| rows.iter().map(|row| width(&row[column])).max().unwrap_or(0)).collect();
    for row in rows {
        let cells = row.iter().zip(&widths).enumerate();
        let cells: Vec<String> = cells
            .map(|(i, (cell, width))| if NUMBERS.contains(&i) { right(cell, *width) } else { left(cell, *width) })
            .collect();
        let _ = writeln!(out, "{}", cells.join("  ").trim_end());
    }
}

#[cfg(test)]
mod tests {
    use batch_pipeline::{Accounting, RunStage, RunSummary};

    use super::*;

    #[test]
    fn runs_in_every_state() {
        let run = |stage, accounting| RunSummary {
            id: "20261121-000000-000-0011aabb".to_owned(),
            spec: Some("batch.toml".to_owned()),
            input: "news.csv".to_owned(),
            model: "gemini-2.5-flash".to_owned(),
            local: accounting,
            created: "2026-11-21T00:00:00Z".parse().unwrap(),
            stage,
            records: (stage != RunStage::Staging).then_some(10),
            shards: 1,
            accounting: accounting.then(|| Accounting {
                records: 10,
                answered: 9,
                missing: 1,
                ..Accounting::default()
            }),
        };
        let entry = |name: &str, run, damage: Option<&str>| RunEntry {
            directory: name.into(),
            run,
            damage: damage.map(str::to_owned),
        };
        let entries = [
            entry("runs/a", Some(run(RunStage::Running, false)), None),
            entry("runs/b", Some(run(RunStage::Finished, true)), None),
            entry("runs/c", Some(RunSummary { spec: None, ..run(RunStage::Staging, false) }), None),
            entry("runs/d", None, Some("runs/d/run.json: not the state of a run: EOF")),
        ];
        insta::assert_snapshot!(text(&entries, "2026-11-21T03:12:00Z".parse().unwrap()), @r"
        run     state             records  answered  age         model             spec
        runs/a  running                10         –  3 h 12 min  gemini-2.5-flash  batch.toml
        runs/b  finished (local)       10         9  3 h 12 min  gemini-2.5-flash  batch.toml
        runs/c  staging                 –         –  3 h 12 min  gemini-2.5-flash  of news.csv
        runs/d  damaged: runs/d/run.json: not the state of a run: EOF
        ");
    }
}
