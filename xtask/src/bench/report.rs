//! What was measured, as tables of Markdown.

use std::fmt::Write;

use super::{contest::Task, measure::Taken, verify::Verdict};

/// One contestant's runs.
#[derive(Debug, Clone)]
pub(super) struct Ran {
    pub(super) name: String,
    /// One for each round.
    pub(super) runs: Vec<Taken>,
    /// `None` for a floor.
    pub(super) verdict: Option<Verdict>,
    /// Why it did not run.
    pub(super) failure: Option<String>,
}

/// A task, on data of one size, on so many processors.
#[derive(Debug, Clone)]
pub(super) struct Contest {
    pub(super) task: Task,
    pub(super) rows: u64,
    pub(super) processors: usize,
    /// What had to be read.
    pub(super) bytes: u64,
    /// How many threads wanted to run on the machine, on average, before and after.
    pub(super) load: (f64, f64),
    /// The product first.
    pub(super) ran: Vec<Ran>,
}

/// The middle of some numbers, the least and the greatest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) least: f64,
    pub(super) greatest: f64,
}

impl Spread {
    pub(super) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (&least, &greatest) = (values.first()?, values.last()?);
        let (half, odd) = (values.len() / 2, values.len() % 2 == 1);
        let median = if odd { values[half] } else { (values[half - 1] + values[half]) / 2.0 };
        Some(Self { median, least, greatest })
    }
}

impl Ran {
    pub(super) fn spread(&self, of: fn(&Taken) -> f64) -> Option<Spread> {
        Spread::of(self.runs.iter().map(of))
    }

    pub(super) fn is_right(&self) -> bool {
        self.failure.is_none() && self.verdict.as_ref().is_none_or(Verdict::is_right)
    }
}

impl Contest {
    pub(super) fn find(&self, name: &str) -> Option<&Ran> {
        self.ran.iter().find(|ran| ran.name == name && !ran.runs.is_empty())
    }

    /// How many times what the product takes another takes, round by round.
    pub(super) fn ratio(&self, name: &str, of: fn(&Taken) -> f64) -> Option<Spread> {
        let product = &self.ran.first()?.runs;
        let other = &self.find(name)?.runs;
        Spread::of(other.iter().zip(product).map(|(other, product)| of(other) / of(product).max(1e-6)))
    }

    pub(super) fn title(&self) -> String {
        let processors = if self.processors == 1 { "one core" } else { "two cores" };
        match self.task {
            Task::Startup => format!("{}, {processors}", self.task.name()),
            _ => format!("{}, {} rows, {processors}", self.task.name(), grouped(self.rows)),
        }
    }

    pub(super) fn table(&self) -> String {
        let mut text = String::new();
        // Writing to memory does not fail.
        let _ = writeln!(
            text,
            "{}; {:.1} MB to read, {} rounds, load {:.1} before and {:.1} after.\n",
            self.task.says(),
            self.bytes as f64 / 1e6,
            self.ran.iter().map(|ran| ran.runs.len()).max().unwrap_or_default(),
            self.load.0,
            self.load.1,
        );
        text.push_str("| | wall | CPU | memory | wall ÷ ours | CPU ÷ ours | output |\n| --- | ---: | ---: | ---: | ---: | ---: | --- |\n");
        for ran in &self.ran {
            let output = match (&ran.failure, &ran.verdict) {
                (Some(failure), _) => format!("failed: {failure}").replace('|', "\\|"),
                (None, Some(verdict)) => verdict.to_string(),
                (None, None) => "–".to_owned(),
            };
            let cell = |spread: Option<Spread>, show: fn(Spread) -> String| spread.map_or_else(|| "–".to_owned(), show);
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} | {output} |",
                ran.name,
                cell(ran.spread(|taken| taken.wall), |wall| seconds(wall.median)),
                cell(ran.spread(|taken| taken.cpu), |cpu| seconds(cpu.median)),
                cell(ran.spread(|taken| taken.memory), |memory| format!("{:.0} MB", memory.greatest)),
                cell(self.ratio(&ran.name, |taken| taken.wall), ratio),
                cell(self.ratio(&ran.name, |taken| taken.cpu), ratio),
            );
        }
        text
    }
}

/// `4.61 (3.30–5.40)`.
pub(super) fn ratio(spread: Spread) -> String {
    format!("{:.2} ({:.2}–{:.2})", spread.median, spread.least, spread.greatest)
}

pub(super) fn seconds(seconds: f64) -> String {
    if seconds < 0.1 { format!("{:.1} ms", seconds * 1e3) } else { format!("{seconds:.3} s") }
}

/// `100 000`, with spaces that do not break.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place != 0 && (digits.len() - place).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_an_even_number_lies_between() {
        assert_eq!(Spread::of([3.0, 1.0, 2.0]), Some(Spread { median: 2.0, least: 1.0, greatest: 3.0 }));
        assert_eq!(Spread::of([4.0, 1.0, 2.0, 3.0]).map(|spread| spread.median), Some(2.5));
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        let taken = |wall| Taken { wall, cpu: wall, memory: 1.0 };
        let ran = |name: &str, walls: [f64; 2]| Ran {
            name: name.to_owned(),
            runs: walls.map(taken).to_vec(),
            verdict: None,
            failure: None,
        };
        let contest = Contest {
            task: Task::Build,
            rows: 1_000,
            processors: 1,
            bytes: 1,
            load: (0.0, 0.0),
            ran: vec![ran("batch-cli", [1.0, 2.0]), ran("other", [3.0, 4.0])],
        };
        let ratio = contest.ratio("other", |taken| taken.wall);
        assert_eq!(ratio, Some(Spread { median: 2.5, least: 2.0, greatest: 3.0 }));
        assert_eq!(grouped(1_234_567), "1\u{202f}234\u{202f}567");
    }
}
