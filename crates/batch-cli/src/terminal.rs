//! Standard output and standard error: data goes to the one, talk to the other.
//!
//! The only place that prints. Text of others (a model's answer, a file's name, a server's message)
//! is made safe before a terminal shows it.

use std::{
    borrow::Cow,
    fmt::Write as _,
    io::{self, IsTerminal, Write},
};

use serde_json::{Value, json};
use unicode_width::UnicodeWidthChar;

use crate::failure::{Failure, Result};

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The two streams, and what they are.
#[derive(Debug, Clone)]
pub(crate) struct Terminal {
    stdout: bool,
    stderr: bool,
    color: bool,
    json: bool,
}

/// The reader of our standard output went away (`| head`): no failure of ours. A type of its own, since
/// the network breaks pipes too, and that is one.
#[derive(Debug)]
pub(crate) struct NobodyReads;

impl std::fmt::Display for NobodyReads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("nobody reads standard output any more")
    }
}

impl std::error::Error for NobodyReads {}

/// Marks an error of standard output where it means that nobody reads it any more.
pub(crate) fn of_stdout(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::BrokenPipe { io::Error::new(error.kind(), NobodyReads) } else { error }
}

impl Terminal {
    pub(crate) fn new(color: Color, env: impl Fn(&str) -> Option<String>) -> Self {
        let (stdout, stderr) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        let set = |name: &str| env(name).is_some_and(|value| !value.is_empty() && value != "0");
        let color = match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto if env("NO_COLOR").is_some_and(|value| !value.is_empty()) => false,
            Color::Auto => set("CLICOLOR_FORCE") || (stderr && env("TERM").as_deref() != Some("dumb")),
        };
        Self { stdout, stderr, color, json: false }
    }

    /// Whether standard error is a terminal.
    pub(crate) fn is_interactive(&self) -> bool {
        self.stderr
    }

    /// From here on all talk is JSON, one object a line.
    pub(crate) fn talk_json(&mut self) {
        self.json = true;
    }

    /// Whether all talk is JSON.
    pub(crate) fn talks_json(&self) -> bool {
        self.json
    }

    /// A line of talk.
    pub(crate) fn say(&self, line: &str) {
        if self.json {
            self.say_json(json!({ "event": "message", "message": line }));
        } else {
            self.line(line);
        }
    }

    /// An event for programs; the version of the format is added.
    pub(crate) fn say_json(&self, mut event: Value) {
        event["version"] = json!(1);
        self.line(&event.to_string());
    }

    fn line(&self, line: &str) {
        // Nobody listens any more: nothing to be done about it.
        let _ = writeln!(io::stderr().lock(), "{line}");
    }

    /// Data, as it is.
    pub(crate) fn write(&self, data: &[u8]) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(data).and_then(|()| stdout.flush()).map_err(of_stdout)
    }

    /// A report, which a reader may stop reading (`| head`): what it says decides the exit code still.
    pub(crate) fn write_report(&self, data: &[u8]) -> Result<()> {
        match self.write(data) {
            Err(error) if error.get_ref().is_some_and(|inner| inner.is::<NobodyReads>()) => Ok(()),
            written => written.map_err(|error| Failure::caused("write the report", error)),
        }
    }

    pub(crate) fn bold(&self, text: &str) -> String {
        self.paint("1", text)
    }

    pub(crate) fn red(&self, text: &str) -> String {
        self.paint("31;1", text)
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// Text of others for standard error.
    pub(crate) fn safe<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.stderr { escape(text) } else { Cow::Borrowed(text) }
    }

    /// Text of others for standard output, where a person looks at it.
    pub(crate) fn safe_data<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.stdout { escape(text) } else { Cow::Borrowed(text) }
    }
}

/// Replaces what would steer a terminal or turn the order of text around, all but line ends and tabs.
fn escape(text: &str) -> Cow<'_, str> {
    let steers = |c: char| {
        (c.is_control() && c != '\n' && c != '\t')
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{61c}')
    };
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if steers(c) {
            let _ = write!(safe, "\\u{{{:x}}}", c as u32);
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

/// How many columns a terminal needs for `text`: two for a wide character.
pub(crate) fn width(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// `text` in `columns` columns, cut with `…` where it is longer, on one line.
pub(crate) fn fit(text: &str, columns: usize) -> String {
    let line: String = text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).collect();
    if width(&line) <= columns {
        return line;
    }
    let (mut cut, mut used) = (String::new(), 0);
    for c in line.chars() {
        let wide = c.width().unwrap_or(0);
        if used + wide + 1 > columns {
            break;
        }
        used += wide;
        cut.push(c);
    }
    cut.push('…');
    cut
}

/// `text` with spaces after it, up to `columns` columns.
pub(crate) fn left(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

/// `text` with spaces before it, up to `columns` columns.
pub(crate) fn right(text: &str, columns: usize) -> String {
    format!("{}{text}", " ".repeat(columns.saturating_sub(width(text))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_others_cannot_steer_a_terminal() {
        assert_eq!(escape("a\x1b[31mb\u{202e}c\n\td"), "a\\u{1b}[31mb\\u{202e}c\n\td");
        assert!(matches!(escape("日本語"), Cow::Borrowed("日本語")));
    }

    #[test]
    fn a_wide_character_takes_two_columns() {
        assert_eq!(width("日本a"), 5);
        assert_eq!(fit("日本語です", 6), "日本…");
        assert_eq!(fit("a\nb", 6), "a b");
        assert_eq!(left("日", 4), "日  ");
        assert_eq!(right("日", 4), "  日");
    }
}
