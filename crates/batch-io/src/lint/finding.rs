//! What was found, where, and how it is mended.

use std::fmt;
use std::ops::Range;

use super::rules::Rule;

/// How much a [`Finding`] matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// It loses rows or answers, costs money, or surprises.
    Warning,
    /// The service refuses the row, or the whole job.
    Error,
}

impl Severity {
    /// `error` or `warning`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing that is wrong with a request line, a file or a job.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The rule that found it.
    pub rule: &'static Rule,
    /// How much it matters: the rule's [`Severity`].
    pub severity: Severity,
    /// Where it is; `None` for what concerns the job as a whole, such as its model.
    pub place: Option<Place>,
    /// The JSON pointer (RFC 6901) of the value in its line: `/request/contents/0/role`; empty for
    /// the whole line and where the line is no JSON.
    pub pointer: String,
    /// What is wrong: a lower-case fragment without a full stop.
    pub message: String,
    /// What to do about it: one sentence without its full stop.
    pub help: String,
    /// The mend, where it is certain.
    pub fix: Option<Fix>,
}

/// The place of a value that is at fault.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// The file, by the name it was given.
    pub file: String,
    /// The line, from 1.
    pub line: u64,
    /// The value's first character in its line, from 1, counted in characters (code points).
    pub column: u64,
    /// The value's offset in bytes from the beginning of the file.
    pub byte: u64,
}

impl fmt::Display for Place {
    /// `requests.jsonl:7:52`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// A change to one line that mends a [`Finding`] for certain.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fix {
    /// The bytes of the line that go.
    pub range: Range<usize>,
    /// What comes in their stead.
    pub replacement: String,
}

/// The line with the fixes of these findings applied; the rest of it stays byte for byte.
///
/// Of fixes that overlap the first is applied. What it hid is found when the line is looked at again.
///
/// ```
/// use batch_io::{LintOptions, Linter, fix_line};
///
/// let line = br#"{"key":"a","request":{"contents":[{"role":"assistant","parts":[{"text":"Hi"}]}]}}"#;
/// let mut findings = Vec::new();
/// Linter::new(LintOptions::default()).line("a.jsonl", 1, 0, line, &mut |finding| findings.push(finding));
/// assert_eq!(findings[0].rule.name, "unknown-role");
/// let mended = fix_line(line, &findings);
/// assert_eq!(mended, br#"{"key":"a","request":{"contents":[{"role":"model","parts":[{"text":"Hi"}]}]}}"#);
/// ```
#[must_use]
pub fn fix_line(line: &[u8], findings: &[Finding]) -> Vec<u8> {
    let mut fixes: Vec<&Fix> = findings.iter().filter_map(|finding| finding.fix.as_ref()).collect();
    fixes.sort_by_key(|fix| (fix.range.start, fix.range.end));
    let mut mended = Vec::with_capacity(line.len());
    let mut copied = 0;
    for fix in fixes {
        // Two insertions at one place do not overlap by their ranges, and yet only one is meant.
        let free = fix.range.start >= copied && (fix.range.start > copied || copied == 0);
        let Some(kept) = line.get(copied..fix.range.start).filter(|_| free && fix.range.end <= line.len()) else {
            continue;
        };
        mended.extend_from_slice(kept);
        mended.extend_from_slice(fix.replacement.as_bytes());
        copied = fix.range.end;
    }
    mended.extend_from_slice(line.get(copied..).unwrap_or_default());
    mended
}
