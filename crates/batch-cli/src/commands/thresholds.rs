//! The end of a run for who asked for it: the report, and whether it is good enough.

use batch_eval::{Metrics, Verdict};
use batch_pipeline::{Report, Spec};

use super::eval;
use crate::{
    args::{Format, ThresholdArgs},
    exit::Exit,
    failure::{Failure, Result},
    progress::count,
    render,
    terminal::Terminal,
};

/// Writes a report on standard output.
pub(crate) fn write_report(report: &Report, format: Format, terminal: &Terminal) -> Result<()> {
    let text = match format {
        Format::Text => render::report::text(report, terminal),
        Format::Json => serde_json::to_string_pretty(report)
            .map(|text| text + "\n")
            .map_err(|error| Failure::caused("write the report", error))?,
    };
    terminal.write_report(text.as_bytes())
}

/// What decides between exit codes 0 and 1.
pub(crate) struct Thresholds {
    min_accuracy: Option<f64>,
    max_failed: u64,
}

impl Thresholds {
    /// Those of flags, over those of the spec.
    pub(crate) fn new(args: &ThresholdArgs, spec: &Spec) -> Self {
        let evaluate = spec.evaluate.as_ref();
        Self {
            min_accuracy: args.min_accuracy.or_else(|| evaluate.and_then(|evaluate| evaluate.min_accuracy)),
            max_failed: args.max_failed.or_else(|| evaluate.and_then(|evaluate| evaluate.max_failed)).unwrap_or(0),
        }
    }

    fn metrics(&self) -> batch_eval::Thresholds {
        batch_eval::Thresholds { min_accuracy: self.min_accuracy, ..batch_eval::Thresholds::default() }
    }

    pub(crate) fn validate(&self) -> Result<()> {
        Ok(self.metrics().validate()?)
    }

    /// How many records may have no answer.
    pub(crate) fn max_failed(&self) -> u64 {
        self.max_failed
    }

    pub(crate) fn check(&self, metrics: &Metrics) -> Result<Verdict> {
        Ok(self.metrics().check(metrics)?)
    }

    pub(crate) fn judge(&self, report: &Report, terminal: &Terminal) -> Result<Exit> {
        let unanswered = report.accounting.unanswered();
        let mut passed = unanswered <= self.max_failed && !report.has_unreadable_lines();
        if report.has_unreadable_lines() {
            terminal.say("the prediction files have lines that could not be read");
        }
        if self.max_failed < unanswered {
            let records = count(unanswered, "record");
            terminal.say(&format!("{records} without an answer, more than the {} allowed", self.max_failed));
        }
        match &report.evaluation {
            Some(metrics) => {
                let verdict = self.check(metrics)?;
                eval::tell(&verdict, terminal);
                passed &= verdict.passed();
            }
            None if self.min_accuracy.is_some() => {
                terminal.say("there is no accuracy: the spec has no [evaluate]");
                passed = false;
            }
            None => {}
        }
        Ok(if passed { Exit::Done } else { Exit::No })
    }
}
