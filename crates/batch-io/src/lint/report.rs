//! Collects what is found in one line.

use std::ops::Range;

use super::finding::{Finding, Fix, Place};
use super::pointer::Pointer;
use super::rules::Rule;

/// The findings of one line, and what is needed to place them.
pub(super) struct Report<'a> {
    file: &'a str,
    /// The number of the file among those of the job.
    file_index: u32,
    line: u64,
    byte: u64,
    /// The line, as far as it is UTF-8.
    text: &'a str,
    /// Where in `text` the JSON begins: offsets count from there.
    base: usize,
    found: Vec<Finding>,
}

impl<'a> Report<'a> {
    pub(super) fn new(file: &'a str, file_index: u32, line: u64, byte: u64, text: &'a str) -> Self {
        Self { file, file_index, line, byte, text, base: 0, found: Vec::new() }
    }

    /// From now on offsets count from this one.
    pub(super) fn begin_at(&mut self, base: usize) {
        self.base = base;
    }

    pub(super) fn file_index(&self) -> u32 {
        self.file_index
    }

    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// The place of what begins at this offset.
    pub(super) fn place(&self, at: usize) -> Place {
        let at = (self.base + at).min(self.text.len());
        let before = self.text.get(..at).unwrap_or_default();
        Place {
            file: self.file.to_owned(),
            line: self.line,
            column: before.chars().count() as u64 + 1,
            byte: self.byte + at as u64,
        }
    }

    /// Adds what was found at this offset.
    pub(super) fn add(
        &mut self,
        rule: &'static Rule,
        at: usize,
        pointer: &Pointer<'_>,
        message: impl Into<String>,
    ) -> &mut Finding {
        let finding = Finding::new(rule, Some(self.place(at)), pointer.to_string(), message.into());
        let number = self.found.len();
        self.found.push(finding);
        &mut self.found[number]
    }

    /// A fix that puts this text in the place of those bytes.
    pub(super) fn replace(&self, range: Range<usize>, replacement: impl Into<String>) -> Fix {
        Fix { range: self.base + range.start..self.base + range.end, replacement: replacement.into() }
    }

    /// Hands over what was found, in the order of the line.
    pub(super) fn hand_over(mut self, out: &mut dyn FnMut(Finding)) {
        self.found.sort_by_key(|finding| (finding.place.as_ref().map(|place| place.byte), finding.rule.code));
        self.found.into_iter().for_each(out);
    }
}

impl Finding {
    pub(super) fn new(rule: &'static Rule, place: Option<Place>, pointer: String, message: String) -> Self {
        Self { rule, severity: rule.severity, place, pointer, message, help: rule.help.to_owned(), fix: None }
    }

    /// Says what to do in this case, where more is known than the rule's own words.
    pub(super) fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = help.into();
        self
    }

    pub(super) fn fix(&mut self, fix: Fix) -> &mut Self {
        self.fix = Some(fix);
        self
    }
}
