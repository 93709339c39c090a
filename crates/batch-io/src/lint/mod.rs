//! Everything about request lines that can be known before they are paid for.

mod config;
mod contents;
mod files;
mod finding;
mod import;
mod job;
mod json;
mod keys;
mod names;
mod pointer;
mod report;
mod request;
mod rules;
mod schema;

use std::io::{self, BufRead, Read};

use batch_model::{Location, ModelName, limits, models};

use crate::error::{Error, Position, Result};
use import::Import;
use job::Requests;
use json::Value;
use keys::Keys;
use pointer::Pointer;
use report::Report;
use request::Checks;

pub use finding::{Finding, Fix, Place, Severity, fix_line};
pub use rules::{Certainty, RULES, Rule, RuleExample, rules_markdown};

/// What is known of the job beside its lines.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct LintOptions {
    /// The job's model. Without it, lines are taken for Gemini's, and rules about models find nothing.
    pub model: Option<ModelName>,
    /// The job's location.
    pub location: Option<Location>,
    /// The day of the job (`2026-11-21`), by which models are retired or not; without it, the day
    /// of the list of models.
    pub today: Option<String>,
    /// What the service allows.
    pub limits: LintLimits,
}

impl LintOptions {
    /// The same options for a job of this model.
    #[must_use]
    pub fn with_model(mut self, model: ModelName) -> Self {
        self.model = Some(model);
        self
    }

    /// The same options for a job in this location.
    #[must_use]
    pub fn with_location(mut self, location: Location) -> Self {
        self.location = Some(location);
        self
    }

    /// The same options for a job on this day: `2026-11-21`.
    #[must_use]
    pub fn with_today(mut self, today: impl Into<String>) -> Self {
        self.today = Some(today.into());
        self
    }

    /// The same options with these limits.
    #[must_use]
    pub fn with_limits(mut self, limits: LintLimits) -> Self {
        self.limits = limits;
        self
    }
}

/// The limits that lines are held against. [`Default`] has the service's.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LintLimits {
    /// Most requests of a job: [`limits::REQUESTS_PER_JOB`], or an embedding model's own number.
    pub requests: Option<u64>,
    /// Most bytes of a file: [`limits::BYTES_PER_INPUT`].
    pub file_bytes: u64,
    /// Most bytes of a line: 100 MiB, BigQuery's limit for a row of JSON. Longer lines are not read
    /// into memory.
    pub line_bytes: u64,
    /// Most bytes of a file in the request: 7 MB, of the model pages. Likely.
    pub inline_bytes: u64,
    /// Most different paths in all lines: 10,000, BigQuery's limit for columns.
    pub fields: usize,
}

impl Default for LintLimits {
    fn default() -> Self {
        Self {
            requests: None,
            file_bytes: limits::BYTES_PER_INPUT,
            line_bytes: 100 * 1024 * 1024,
            inline_bytes: 7_000_000,
            fields: 10_000,
        }
    }
}

/// Looks at the request lines of a job, one after the other.
///
/// What can be said of a line alone is said at once; what needs all lines, in [`finish`](Self::finish).
/// Memory grows with the number of different paths (up to [`LintLimits::fields`]) and, by some 40
/// bytes each, with the number of keys; lines are not kept. The line at hand is held as a tree: little
/// more than its bytes for long strings, some 30 times as much for an array of tiny numbers.
///
/// ```
/// use batch_io::{LintOptions, Linter};
///
/// let lines = br#"{"key": "r0", "request": {"contents": [{"role": "user", "parts": [{"text": ""}]}]}}"#;
/// let mut linter = Linter::new(LintOptions::default());
/// let mut out = |finding: batch_io::Finding| {
///     let place = finding.place.expect("it is in a line");
///     assert_eq!(
///         format!("{place}: {}: {}", finding.rule.code, finding.message),
///         "requests.jsonl:1:76: B210: a text of no characters",
///     );
///     assert_eq!(finding.pointer, "/request/contents/0/parts/0/text");
/// };
/// linter.read("requests.jsonl", &lines[..], &mut out)?;
/// linter.finish(&mut out);
/// # Ok::<(), batch_io::Error>(())
/// ```
#[derive(Debug)]
pub struct Linter {
    options: LintOptions,
    requests: Requests,
    import: Import,
    keys: Keys,
    files: Vec<String>,
    file_is_too_large: bool,
    lines: u64,
}

impl Linter {
    /// A linter for one job.
    #[must_use]
    pub fn new(options: LintOptions) -> Self {
        Self {
            requests: Requests::of(options.model.as_ref()),
            import: Import::new(options.limits.fields),
            keys: Keys::default(),
            files: Vec::new(),
            file_is_too_large: false,
            lines: 0,
            options,
        }
    }

    /// Looks at all lines of a file, from its first.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) where reading fails. What is wrong with the lines
    /// goes to `out`.
    pub fn read(&mut self, file: &str, mut reader: impl BufRead, out: &mut dyn FnMut(Finding)) -> Result<()> {
        let limit = self.options.limits.line_bytes.saturating_add(1);
        let (mut number, mut byte) = (0, 0);
        let mut line = Vec::new();
        self.begin(file);
        loop {
            line.clear();
            let failed = |number, error| Error::io("reading failed", error).at(Position::file(file).line(number));
            let mut length = reader
                .by_ref()
                .take(limit.saturating_add(1))
                .read_until(b'\n', &mut line)
                .map_err(|error| failed(number + 1, error))? as u64;
            if length == 0 {
                return Ok(());
            }
            number += 1;
            if line.last() == Some(&b'\n') {
                line.pop();
            } else if length > limit {
                length += skip_line(&mut reader).map_err(|error| failed(number, error))?;
            }
            self.line(file, number, byte, &line, out);
            byte += length;
        }
    }

    /// Looks at one line, without the line feed that ends it. `line_number` counts from 1, `byte` is
    /// the line's offset in the file. Lines of a file come one after the other, and in its order.
    pub fn line(&mut self, file: &str, line_number: u64, byte: u64, bytes: &[u8], out: &mut dyn FnMut(Finding)) {
        let index = self.begin(file);
        self.check_size(file, index, line_number, byte, bytes, out);
        let (text, not_utf8) = match std::str::from_utf8(bytes) {
            Ok(text) => (text, None),
            Err(error) => {
                let sound = std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default();
                (sound, Some(error.valid_up_to()))
            }
        };
        let mut report = Report::new(file, index, line_number, byte, text);
        if bytes.len() as u64 > self.options.limits.line_bytes {
            let message = format!("a line of more than {} bytes", self.options.limits.line_bytes);
            report.add(&rules::LINE_TOO_LONG, 0, &Pointer::Line, message);
        } else if let Some(at) = not_utf8 {
            report.add(&rules::NOT_UTF8, at, &Pointer::Line, format!("the byte 0x{:02X} is not UTF-8", bytes[at]));
        } else {
            self.text(byte, text, &mut report);
        }
        report.hand_over(out);
    }

    /// Looks at what needs all lines: types that differ between them, keys, sizes, the model.
    pub fn finish(self, out: &mut dyn FnMut(Finding)) {
        if let Some(model) = &self.options.model {
            job::check(model, self.options.location.as_ref(), self.options.today.as_deref(), out);
        }
        if self.lines == 0 {
            let message = "there is no request line at all".to_owned();
            out(Finding::new(&rules::NO_LINES, None, String::new(), message));
        }
        let mut found = Vec::new();
        self.import.finish(&mut found);
        self.keys.finish(&mut found);
        found.sort_by_key(|(file, finding)| (*file, finding.place.as_ref().map(|place| place.byte), finding.rule.code));
        found.into_iter().for_each(|(_, finding)| out(finding));
    }

    /// The number of this file among those of the job.
    fn begin(&mut self, file: &str) -> u32 {
        if self.files.last().is_none_or(|last| last != file) {
            self.files.push(file.to_owned());
            self.file_is_too_large = false;
        }
        u32::try_from(self.files.len() - 1).unwrap_or(u32::MAX)
    }

    /// Reports the line that is the first too many of its job, or reaches beyond its file's limit.
    fn check_size(
        &mut self,
        file: &str,
        index: u32,
        number: u64,
        byte: u64,
        bytes: &[u8],
        out: &mut dyn FnMut(Finding),
    ) {
        let mut report = Report::new(file, index, number, byte, "");
        let limit = self.options.limits.file_bytes;
        if byte + bytes.len() as u64 > limit && !self.file_is_too_large {
            self.file_is_too_large = true;
            let message = format!("this line ends beyond the {limit} bytes of a file");
            report.add(&rules::FILE_TOO_LARGE, 0, &Pointer::Line, message);
        }
        if !bytes.trim_ascii().is_empty() {
            self.lines += 1;
            let limit = self.options.limits.requests.unwrap_or(match self.requests {
                Requests::Gemini => limits::REQUESTS_PER_JOB,
                Requests::Other => limits::EMBEDDINGS_PER_JOB,
                Requests::Bare => limits::CLASSIC_EMBEDDINGS_PER_JOB,
            });
            if Some(self.lines) == limit.checked_add(1) {
                let message = format!("this is request number {}, and a job has {limit} at most", self.lines);
                report.add(&rules::TOO_MANY_REQUESTS, 0, &Pointer::Line, message);
            }
        }
        report.hand_over(out);
    }

    fn text(&mut self, byte: u64, mut text: &str, report: &mut Report<'_>) {
        let mut base = 0;
        if let Some(rest) = text.strip_prefix('\u{feff}').filter(|_| byte == 0) {
            base = text.len() - rest.len();
            let fix = report.replace(0..base, "");
            let message = "a byte order mark before the first line";
            report.add(&rules::BYTE_ORDER_MARK, 0, &Pointer::Line, message).fix(fix);
            text = rest;
        }
        if let Some(rest) = text.strip_suffix('\r') {
            let at = base + rest.len();
            let fix = report.replace(at..at + 1, "");
            report
                .add(&rules::CARRIAGE_RETURN, at, &Pointer::Line, "a carriage return at the end of the line")
                .fix(fix);
            text = rest;
        }
        report.begin_at(base);
        if text.trim_ascii().is_empty() {
            report.add(&rules::BLANK_LINE, 0, &Pointer::Line, "a blank line");
            return;
        }
        match Value::parse(text) {
            Ok(value) => self.value(&value, text, report),
            Err(refusal) => {
                report.add(&rules::NOT_JSON, refusal.at, &Pointer::Line, format!("not JSON: {}", refusal.why));
            }
        }
    }

    fn value(&mut self, line: &Value<'_>, text: &str, report: &mut Report<'_>) {
        if !matches!(line.kind, json::Kind::Object(_)) {
            let message = format!("{} where an object is due", line.what());
            report.add(&rules::NOT_AN_OBJECT, line.start, &Pointer::Line, message);
            return;
        }
        let request = line.members().iter().rev().find(|member| member.name == "request");
        match request {
            Some(member) if matches!(member.value.kind, json::Kind::Object(_)) => {
                self.import.observe(line, report);
                self.keys.observe(line, &self.files, report);
                if self.requests == Requests::Gemini {
                    let model = self.options.model.as_ref().and_then(models::find);
                    Checks { report, limits: &self.options.limits, model }.request(&member.value);
                }
            }
            None if self.requests == Requests::Bare => self.import.observe(line, report),
            Some(member) => {
                let at = Pointer::Line.name("request");
                let message = format!("the request is {}", member.value.what());
                let finding = report.add(&rules::NO_REQUEST, member.value.start, &at, message);
                finding.help("write {\"contents\": [{\"role\": \"user\", \"parts\": [{\"text\": …}]}]}");
            }
            None => no_request(line, text, report),
        }
    }
}

/// Says what a line without a request was probably meant to be.
fn no_request(line: &Value<'_>, text: &str, report: &mut Report<'_>) {
    let shape = batch_model::GenerateContentRequest::shape();
    let has = |name: &str| line.members().iter().any(|member| member.name == name);
    let is_bare = has("contents") && line.members().iter().all(|member| shape.member(&member.name).is_some());
    let help = if is_bare {
        Some("put the whole line under \"request\"")
    } else if has("body") && has("custom_id") {
        Some("this is a line for OpenAI's batches: rename custom_id to key, and write the body as a Gemini request")
    } else if has("params") && has("custom_id") {
        Some("this is a line for Anthropic's batches: rename custom_id to key, and write params as a Gemini request")
    } else if has("contents") {
        Some("put everything but the key under \"request\"")
    } else {
        None
    };
    let fix = report.replace(line.start..line.end, format!("{{\"request\":{}}}", &text[line.start..line.end]));
    let finding = report.add(&rules::NO_REQUEST, line.start, &Pointer::Line, "a line without \"request\"");
    if let Some(help) = help {
        finding.help(help);
    }
    finding.fix = Some(fix).filter(|_| is_bare);
}

/// Reads the rest of a line without keeping it; how many bytes it has, its end included.
fn skip_line(reader: &mut impl BufRead) -> io::Result<u64> {
    let mut length = 0;
    loop {
        let buffer = match reader.fill_buf() {
            Ok(buffer) => buffer,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let (taken, is_end) = match memchr::memchr(b'\n', buffer) {
            Some(found) => (found + 1, true),
            None => (buffer.len(), buffer.is_empty()),
        };
        reader.consume(taken);
        length += taken as u64;
        if is_end {
            return Ok(length);
        }
    }
}
