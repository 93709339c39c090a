//! What the linter says of request lines, counted.

use std::collections::BTreeMap;

use batch_io::{Finding, LintLimits, LintOptions, Linter};
use serde::{Deserialize, Serialize};

use crate::{Result, Spec};

/// What a rule found: how often, and once in full.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleCount {
    /// The rule's code: `B210`.
    pub code: String,
    /// Its name: `empty-text`.
    pub rule: String,
    /// `error` or `warning`.
    pub severity: String,
    /// How many findings there are.
    pub count: u64,
    /// Where the first of them is, in the input table; absent where it concerns the job as a whole.
    pub line: Option<u64>,
    /// The JSON pointer of the value in its request line.
    pub pointer: String,
    /// What is wrong there.
    pub message: String,
    /// What to do about it.
    pub help: String,
}

/// A linter whose findings are counted as they come.
pub(super) struct Counting {
    linter: Linter,
    found: BTreeMap<&'static str, RuleCount>,
    byte: u64,
}

impl Counting {
    pub(super) fn new(spec: &Spec, today: &str) -> Result<Self> {
        let mut limits = LintLimits::default();
        // Shards are cut where these limits are.
        (limits.requests, limits.file_bytes) = (Some(u64::MAX / 2), u64::MAX / 2);
        let mut options = LintOptions::default().with_model(spec.model()?).with_today(today).with_limits(limits);
        if let Some(location) = spec.target.location.as_deref().and_then(|location| location.parse().ok()) {
            options = options.with_location(location);
        }
        Ok(Self { linter: Linter::new(options), found: BTreeMap::new(), byte: 0 })
    }

    /// Looks at a request line, line feed included, of the record at `row` of the table.
    pub(super) fn line(&mut self, table: &str, row: u64, line: &[u8]) {
        let found = &mut self.found;
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        self.linter.line(table, row, self.byte, text, &mut |finding| count(found, finding));
        self.byte += line.len() as u64;
    }

    /// Errors first, then by code.
    pub(super) fn finish(mut self) -> Vec<RuleCount> {
        let found = &mut self.found;
        self.linter.finish(&mut |finding| count(found, finding));
        let mut found: Vec<RuleCount> = self.found.into_values().collect();
        found.sort_by(|a, b| a.severity.cmp(&b.severity).then_with(|| a.code.cmp(&b.code)));
        found
    }
}

fn count(found: &mut BTreeMap<&'static str, RuleCount>, finding: Finding) {
    let rule = finding.rule;
    let entry = found.entry(rule.code).or_insert_with(|| RuleCount {
        code: rule.code.to_owned(),
        rule: rule.name.to_owned(),
        severity: finding.severity.as_str().to_owned(),
        count: 0,
        line: finding.place.as_ref().map(|place| place.line),
        pointer: finding.pointer,
        message: finding.message,
        help: finding.help,
    });
    entry.count += 1;
}
