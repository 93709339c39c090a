//! What came of it, as a table.

use std::collections::BTreeSet;

use super::{
    check::Check,
    faults::{self, FAULTS},
    rows::{Ci, ROWS, Row},
};
use crate::run::Result;

/// What came of a row.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It ran.
    Ran {
        /// Everything that was looked at.
        checks: Vec<Check>,
        /// What failed and should not.
        wrong: usize,
        /// What failed as it must.
        known: usize,
        /// What should fail, and no longer does.
        gone: Vec<String>,
    },
    /// It cannot run here.
    Skipped(String),
    /// It did not come to run.
    Broken(String),
}

/// A row that has been run.
#[derive(Debug)]
pub(crate) struct Done<'a> {
    pub(crate) row: &'a Row,
    pub(crate) seconds: f64,
    pub(crate) verdict: Verdict,
}

impl Verdict {
    pub(crate) fn of(row: &Row, checks: Vec<Check>) -> Self {
        let failed = |check: &&Check| check.wrong.is_some();
        let known = checks.iter().filter(failed).filter(|check| faults::of(row.server, &check.name).is_some()).count();
        let wrong = checks.iter().filter(failed).count() - known;
        let passed = checks.iter().filter(|check| check.wrong.is_none());
        let gone = passed.filter(|check| faults::of(row.server, &check.name).is_some());
        let gone = gone.map(|check| check.name.clone()).collect();
        Self::Ran { checks, wrong, known, gone }
    }

    fn is_failure(&self, ci: bool) -> bool {
        match self {
            Self::Ran { wrong, gone, .. } => *wrong > 0 || !gone.is_empty(),
            Self::Skipped(_) => ci,
            Self::Broken(_) => true,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Ran { wrong: 0, known: 0, gone, .. } if gone.is_empty() => "passed".to_owned(),
            Self::Ran { wrong: 0, known, gone, .. } if gone.is_empty() => {
                format!("passed but for {known} known faults")
            }
            Self::Ran { wrong: 0, gone, .. } => format!("FAILED: {} known faults are gone", gone.len()),
            Self::Ran { wrong, .. } => format!("FAILED: {wrong} wrong"),
            Self::Skipped(reason) => format!("skipped: {reason}"),
            Self::Broken(error) => format!("FAILED: {}", error.lines().next().unwrap_or_default()),
        }
    }

    fn counts(&self) -> String {
        let Self::Ran { checks, .. } = self else { return "-".to_owned() };
        let passed = checks.iter().filter(|check| check.wrong.is_none()).count();
        format!("{passed}/{}", checks.len())
    }

    /// Says what is not in the table.
    pub(crate) fn say(&self) {
        if let Self::Broken(error) = self {
            println!("  {error}");
        }
        if let Self::Ran { gone, .. } = self {
            for name in gone {
                println!(
                    "  GONE {name}: a known fault that no longer shows; take it out of xtask/src/interop/faults.rs"
                );
            }
        }
        println!("  {} {}", self.counts(), self.text());
    }
}

pub(crate) fn print(done: &[Done<'_>]) {
    let mut lines = vec![["row", "client", "server", "checks", "seconds", "verdict"].map(str::to_owned)];
    lines.extend(done.iter().map(|done| {
        let server = format!("{} {}", done.row.server.name(), done.row.server.version());
        let seconds = format!("{:.1}", done.seconds);
        let (checks, verdict) = (done.verdict.counts(), done.verdict.text());
        [done.row.name.to_owned(), done.row.client_version(), server, checks, seconds, verdict]
    }));
    println!();
    print_columns(&lines);
}

fn print_columns<const N: usize>(lines: &[[String; N]]) {
    let mut widths = [0; N];
    for line in lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for line in lines {
        let cells = line.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        println!("{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
}

/// Whether all is as it must be.
pub(crate) fn judge(done: &[Done<'_>], ci: bool) -> Result {
    let mut wrong: Vec<String> = done
        .iter()
        .filter(|done| done.verdict.is_failure(ci))
        .map(|done| format!("{}: {}", done.row.name, done.verdict.text()))
        .collect();
    wrong.extend(unseen(done));
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n       ").into()) }
}

/// Known faults whose checks are none: of a server all of whose rows were run.
fn unseen(done: &[Done<'_>]) -> Vec<String> {
    let ran =
        |row: &Row| done.iter().any(|done| done.row.name == row.name && matches!(done.verdict, Verdict::Ran { .. }));
    let names: BTreeSet<&str> = done
        .iter()
        .filter_map(|done| match &done.verdict {
            Verdict::Ran { checks, .. } => Some(checks),
            _ => None,
        })
        .flatten()
        .map(|check| check.name.as_str())
        .collect();
    let complete = FAULTS.iter().filter(|fault| ROWS.iter().filter(|row| row.server == fault.server).all(ran));
    let checks = complete.flat_map(|fault| fault.checks.iter().map(|check| (fault.server, *check)));
    let unseen = checks.filter(|(_, check)| !names.contains(check));
    unseen
        .map(|(server, check)| format!("{}: a fault names the check {check:?}, which is none", server.name()))
        .collect()
}

/// `--list`.
pub(crate) fn list() -> Result {
    let mut lines = vec![["row", "client", "server", "CI", "here"].map(str::to_owned)];
    lines.extend(ROWS.iter().map(|row| {
        let ci = match row.ci {
            Ci::Always => "yes".to_owned(),
            Ci::OrElse(other) => format!("or {other}"),
            Ci::No => "-".to_owned(),
        };
        let server = format!("{} {}", row.server.name(), row.server.version());
        [row.name.to_owned(), row.client_version(), server, ci, row.missing().unwrap_or_else(|| "yes".to_owned())]
    }));
    print_columns(&lines);
    Ok(())
}

/// `--faults`: the known faults in Markdown, as they stand in `docs/reference/wire.md`.
pub(crate) fn faults() -> String {
    let head = "| server | what it does | checks that fail | told to its maintainers |\n| --- | --- | --- | --- |\n";
    let rows = FAULTS.iter().map(|fault| {
        let server = format!("{} {}", fault.server.name(), fault.server.version());
        let checks: Vec<_> = fault.checks.iter().map(|check| format!("`{check}`")).collect();
        let link = fault.link.map_or_else(|| "not reported".to_owned(), |link| format!("<{link}>"));
        format!("| {server} | {} | {} | {link} |\n", fault.what, checks.join(", "))
    });
    std::iter::once(head.to_owned()).chain(rows).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::root;

    #[test]
    fn the_page_about_the_wire_has_the_faults_that_are_known() {
        let page = std::fs::read_to_string(root().join("docs/reference/wire.md")).unwrap();
        let (_, behind) = page.split_once("## Known faults of servers\n").unwrap();
        let table = &behind[behind.find("| server |").unwrap()..];
        assert!(
            table == faults(),
            "write the output of `cargo xtask interop --faults` to the end of docs/reference/wire.md"
        );
    }
}
