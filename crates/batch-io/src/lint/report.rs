//! Collects what is found in one line.

use std::cell::Cell;
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
    /// An offset in `text` whose column is known. Most findings are near the one before: counting
    /// from here and not from the line's beginning keeps long lines with many findings cheap.
    known: Cell<(usize, u64)>,
    found: Vec<Finding>,
    /// How many findings were one too many, and what the last of them was built in.
    unlisted: Option<(u64, Box<Finding>)>,
}

/// So many findings of one line are listed; a thousand say enough, and memory stays bounded.
const LISTED: usize = 1000;

/// So many characters of a text stand in a message.
const QUOTED: usize = 60;

impl<'a> Report<'a> {
    pub(super) fn new(file: &'a str, file_index: u32, line: u64, byte: u64, text: &'a str) -> Self {
        Self {
            file,
            file_index,
            line,
            byte,
            text,
            base: 0,
            known: Cell::new((0, 1)),
            found: Vec::new(),
            unlisted: None,
        }
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
        Place { file: self.file.to_owned(), line: self.line, column: self.column(at), byte: self.byte + at as u64 }
    }

    fn column(&self, at: usize) -> u64 {
        let characters = |range: Range<usize>| self.text.get(range).unwrap_or_default().chars().count() as u64;
        let (known, column) = self.known.get();
        let column = if at >= known { column + characters(known..at) } else { column - characters(at..known) };
        self.known.set((at, column));
        column
    }

    /// Adds what was found at this offset.
    pub(super) fn add(
        &mut self,
        rule: &'static Rule,
        at: usize,
        pointer: &Pointer<'_>,
        message: impl Into<String>,
    ) -> &mut Finding {
        let number = self.found.len();
        if number < LISTED {
            let finding = Finding::new(rule, Some(self.place(at)), pointer.to_string(), message.into());
            self.found.push(finding);
            return &mut self.found[number];
        }
        let unlisted = Box::new(Finding::new(rule, None, String::new(), String::new()));
        let (count, finding) = self.unlisted.get_or_insert((0, unlisted));
        *count += 1;
        finding
    }

    /// A fix that puts this text in the place of those bytes.
    pub(super) fn replace(&self, range: Range<usize>, replacement: impl Into<String>) -> Fix {
        Fix { range: self.base + range.start..self.base + range.end, replacement: replacement.into() }
    }

    /// Hands over what was found, in the order of the line.
    pub(super) fn hand_over(mut self, out: &mut dyn FnMut(Finding)) {
        self.found.sort_by_key(|finding| (finding.place.as_ref().map(|place| place.byte), finding.rule.code));
        if let (Some((count, _)), Some(last)) = (&self.unlisted, self.found.last_mut()) {
            last.message.push_str(&format!("; {count} more findings of this line are not listed"));
        }
        self.found.into_iter().for_each(out);
    }
}

/// A text in quotation marks, and not all of it where it is long.
pub(super) fn quoted(text: &str) -> String {
    match text.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
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
