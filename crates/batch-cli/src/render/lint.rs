//! Findings of the linter: for people, as JSON, as SARIF.

use std::collections::BTreeMap;

use batch_io::{Finding, RULES, Severity};
use serde_json::{Value, json};

use crate::{
    args::LintFormat,
    failure::{Failure, Result},
    terminal::{Terminal, fit},
};

/// How many findings of one rule people are shown.
const SHOWN: u64 = 10;

/// Findings on their way out.
pub(crate) struct Report {
    format: LintFormat,
    terminal: Terminal,
    counts: BTreeMap<&'static str, (Severity, u64)>,
    values: Vec<Value>,
    failed: Option<std::io::Error>,
}

impl Report {
    pub(crate) fn new(format: LintFormat, terminal: &Terminal) -> Self {
        Self { format, terminal: terminal.clone(), counts: BTreeMap::new(), values: Vec::new(), failed: None }
    }

    pub(crate) fn errors(&self) -> u64 {
        self.count(Severity::Error)
    }

    pub(crate) fn warnings(&self) -> u64 {
        self.count(Severity::Warning)
    }

    fn count(&self, severity: Severity) -> u64 {
        self.counts.values().filter(|(of, _)| *of == severity).map(|(_, count)| count).sum()
    }

    pub(crate) fn add(&mut self, finding: &Finding) {
        let (_, count) = self.counts.entry(finding.rule.code).or_insert((finding.severity, 0));
        *count += 1;
        match self.format {
            LintFormat::Text if *count <= SHOWN => {
                let text = text_of(finding);
                self.write(&text);
            }
            LintFormat::Text => {}
            LintFormat::Json => self.values.push(json_of(finding)),
            LintFormat::Sarif => self.values.push(sarif_of(finding)),
        }
    }

    pub(crate) fn finish(mut self) -> Result<()> {
        match self.format {
            LintFormat::Text => {
                let more = self.counts.iter().filter(|(_, (_, count))| SHOWN < *count);
                let more: String =
                    more.map(|(code, (_, count))| format!("and {} more of {code}\n", count - SHOWN)).collect();
                self.write(&more);
            }
            LintFormat::Json => {
                let (errors, warnings) = (self.errors(), self.warnings());
                let findings = std::mem::take(&mut self.values);
                let value = json!({ "version": 1, "errors": errors, "warnings": warnings, "findings": findings });
                self.write(&format!("{value:#}\n"));
            }
            LintFormat::Sarif => {
                let results = std::mem::take(&mut self.values);
                self.write(&format!("{:#}\n", sarif(&results)));
            }
        }
        self.failed.map_or(Ok(()), |error| Err(Failure::caused("write the findings", error)))
    }

    /// The first failure is told at the end; a reader that went away is one.
    fn write(&mut self, text: &str) {
        if self.failed.is_none() {
            self.failed = self.terminal.write(self.terminal.safe_data(text).as_bytes()).err();
        }
    }
}

fn text_of(finding: &Finding) -> String {
    let place = finding.place.as_ref().map_or_else(|| "the job".to_owned(), ToString::to_string);
    let rule = finding.rule;
    let pointer =
        if finding.pointer.is_empty() { String::new() } else { format!("\n    at {}", fit(&finding.pointer, 200)) };
    format!(
        "{place}: {} {} {}: {}{pointer}\n    {}\n",
        finding.severity.as_str(),
        rule.code,
        rule.name,
        fit(&finding.message, 300),
        fit(&finding.help, 300),
    )
}

fn json_of(finding: &Finding) -> Value {
    let place = finding.place.as_ref();
    json!({
        "code": finding.rule.code,
        "rule": finding.rule.name,
        "severity": finding.severity.as_str(),
        "file": place.map(|place| &place.file),
        "line": place.map(|place| place.line),
        "column": place.map(|place| place.column),
        "pointer": finding.pointer,
        "message": finding.message,
        "help": finding.help,
        "fixable": finding.fix.is_some(),
    })
}

fn sarif_of(finding: &Finding) -> Value {
    let mut result = json!({
        "ruleId": finding.rule.code,
        "level": finding.severity.as_str(),
        "message": { "text": format!("{}; {}", finding.message, finding.help) },
    });
    if let Some(place) = &finding.place {
        let region = json!({ "startLine": place.line, "startColumn": place.column });
        let physical = json!({ "artifactLocation": { "uri": place.file }, "region": region });
        let logical = json!([{ "fullyQualifiedName": finding.pointer }]);
        result["locations"] = json!([{ "physicalLocation": physical, "logicalLocations": logical }]);
    }
    result
}

/// Static Analysis Results Interchange Format 2.1.0 (OASIS), which code hosts show beside the lines.
fn sarif(results: &[Value]) -> Value {
    let rules = RULES.iter().map(|rule| {
        json!({
            "id": rule.code,
            "name": rule.name,
            "shortDescription": { "text": rule.summary },
            "fullDescription": { "text": rule.why },
            "help": { "text": rule.help },
            "defaultConfiguration": { "level": rule.severity.as_str() },
        })
    });
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "batch-cli", "version": env!("CARGO_PKG_VERSION"), "rules": rules.collect::<Vec<_>>(),
            } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}
