//! Framing: bytes that arrive in any pieces become numbered lines.

use std::io::{self, Read};
use std::ops::Range;

use memchr::memchr;

use super::glance::{Glance, Glances};
use super::prediction::Prediction;
use super::problem::{Problem, ProblemKind};
use crate::error::{Error, Position, Result};

/// Reads this much at a time.
const CHUNK: usize = 256 * 1024;

/// The most that one line may take. Lines of 100 MB are seen where images were sent inline
/// (the request is echoed); a file without line ends must not end up in memory as a whole.
const LONGEST_LINE: usize = 1 << 30;

/// A buffer that grew beyond this for one line is given back behind it.
const KEPT: usize = 8 * 1024 * 1024;

/// The lines of a predictions file, one at a time, in memory that a line alone can make
/// grow.
///
/// A line ends at LF and nowhere else: U+2028, U+0085 and a carriage return inside a JSON
/// string are text. A carriage return before the LF belongs to the line end, a byte order
/// mark at the beginning is passed over, so are lines of nothing but white space, and the
/// last line needs no end.
///
/// ```
/// use batch_io::PredictionLines;
///
/// let file = "{\"key\":\"r1\",\"status\":\"\"}\r\n\n{\"key\":\"r0\",\"sta";
/// let mut lines = PredictionLines::new(file.as_bytes(), "predictions.jsonl");
///
/// let line = lines.next_line()?.unwrap();
/// assert_eq!((line.number(), line.byte()), (1, 0));
/// assert_eq!(line.prediction().unwrap().key().unwrap().get(), "\"r1\"");
///
/// let cut = lines.next_line()?.unwrap().prediction().unwrap_err();
/// assert_eq!(cut.to_string(), "predictions.jsonl, line 3, byte 27: the line is cut off after 16 bytes");
/// assert!(lines.next_line()?.is_none());
/// # Ok::<(), batch_io::Error>(())
/// ```
#[derive(Debug)]
pub struct PredictionLines<R> {
    name: String,
    reader: R,
    buffer: Vec<u8>,
    /// What was read and not handed out lies in `buffer[start..end]`.
    start: usize,
    end: usize,
    /// The offset in the file of `buffer[start]`.
    offset: u64,
    /// The number of the line at `start`.
    number: u64,
    at_eof: bool,
    longest: usize,
    /// The line before was given up at its length; its rest is still to be passed over.
    inside_too_long: bool,
}

/// One line of a predictions file that is not blank.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    file: &'a str,
    number: u64,
    byte: u64,
    bytes: &'a [u8],
    end: LineEnd,
}

/// What the line stopped at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LineEnd {
    Newline,
    EndOfFile,
    /// It goes on, and is too long.
    Limit,
}

/// Where a line lies in the buffer.
struct Frame {
    number: u64,
    byte: u64,
    place: Range<usize>,
    end: LineEnd,
}

impl<R: Read> PredictionLines<R> {
    /// Reads lines from a reader. `name` is what problems and errors call the file.
    pub fn new(reader: R, name: &str) -> Self {
        Self::with_limit(reader, name, LONGEST_LINE)
    }

    pub(crate) fn with_limit(reader: R, name: &str, longest: usize) -> Self {
        Self {
            name: name.to_owned(),
            reader,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            offset: 0,
            number: 1,
            at_eof: false,
            longest,
            inside_too_long: false,
        }
    }

    /// The next line that is not blank; `None` at the end.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) alone, when the reader fails. What is wrong
    /// with a line is found by [`Line::prediction`], and the next line is there all the
    /// same.
    pub fn next_line(&mut self) -> Result<Option<Line<'_>>> {
        let frame = self.next_frame()?;
        Ok(frame.map(|frame| self.line(frame)))
    }

    /// The same, and where its members lie if there is nothing unusual about it; it is UTF-8 then.
    pub(crate) fn next_glance<'g>(
        &mut self,
        glances: &'g mut Glances,
    ) -> Result<Option<(Line<'_>, Option<&'g Glance>)>> {
        let (offset, held) = (self.offset, self.end - self.start);
        // A line that looks like one before tells by itself where it ends.
        if !self.inside_too_long
            && let Some((shape, length)) = glances.find_line(&self.buffer[self.start..self.end])
        {
            let place = self.start..self.start + length;
            let end = if self.buffer[place.end] == b'\n' { 1 } else { 2 };
            let frame = Frame { number: self.number, byte: offset, place, end: LineEnd::Newline };
            self.consume(length + end);
            self.number += 1;
            return Ok(Some((self.line(frame), glances.of_shape(shape))));
        }
        let Some(frame) = self.next_frame()? else { return Ok(None) };
        // Whether it was there as a whole when its shape was asked for.
        let was_whole = frame.byte == offset && frame.place.len() < held;
        let line = self.line(frame);
        let glance = match line.end {
            LineEnd::Limit => None,
            _ if was_whole => glances.walk(line.bytes),
            _ => glances.at(line.bytes),
        };
        Ok(Some((line, glance)))
    }

    fn next_frame(&mut self) -> Result<Option<Frame>> {
        self.frame().map_err(|error| Error::io("reading failed", error).at(Position::file(&self.name)))
    }

    fn line(&self, Frame { number, byte, place, end }: Frame) -> Line<'_> {
        Line { file: &self.name, number, byte, bytes: &self.buffer[place], end }
    }

    /// The same, where the reader begins `offset` bytes into the file, at the beginning of a line.
    /// Lines are numbered from there.
    pub(crate) fn from_offset(reader: R, name: &str, offset: u64) -> Self {
        Self { offset, ..Self::new(reader, name) }
    }

    /// How many lines were passed, blank ones included.
    pub(crate) fn passed(&self) -> u64 {
        self.number - 1
    }

    fn frame(&mut self) -> io::Result<Option<Frame>> {
        if self.inside_too_long {
            self.pass_over_rest()?;
        }
        loop {
            let (length, end) = self.measure()?;
            let from = self.start;
            let (number, byte) = (self.number, self.offset);
            self.consume(length);
            match end {
                LineEnd::EndOfFile if length == 0 => return Ok(None),
                LineEnd::Limit => self.inside_too_long = true,
                _ => self.number += 1,
            }
            let line = &self.buffer[from..from + length];
            // Of a file with a byte order mark, the first line begins behind it.
            let mark = if byte == 0 && line.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
            let bytes = without_line_end(&line[mark..]);
            if !bytes.iter().all(u8::is_ascii_whitespace) {
                let place = from + mark..from + mark + bytes.len();
                return Ok(Some(Frame { number, byte: byte + mark as u64, place, end }));
            }
        }
    }

    /// The length of the line at the front, its end included, and what it stops at.
    fn measure(&mut self) -> io::Result<(usize, LineEnd)> {
        let mut scanned = 0;
        loop {
            let held = &self.buffer[self.start..self.end];
            if let Some(found) = memchr(b'\n', &held[scanned..]) {
                return Ok((scanned + found + 1, LineEnd::Newline));
            }
            scanned = held.len();
            if self.at_eof {
                return Ok((scanned, LineEnd::EndOfFile));
            }
            if self.longest < scanned {
                return Ok((scanned, LineEnd::Limit));
            }
            self.fill()?;
        }
    }

    fn pass_over_rest(&mut self) -> io::Result<()> {
        loop {
            let (length, end) = self.measure()?;
            self.consume(length);
            if end != LineEnd::Limit {
                self.number += 1;
                self.inside_too_long = false;
                return Ok(());
            }
        }
    }

    fn consume(&mut self, length: usize) {
        self.start += length;
        self.offset += length as u64;
    }

    /// Reads more behind what is held, or finds the end.
    fn fill(&mut self) -> io::Result<()> {
        let held = self.end - self.start;
        if KEPT < self.buffer.len() && held < CHUNK {
            self.buffer = self.buffer[self.start..self.end].to_vec();
        } else if 0 < self.start {
            self.buffer.copy_within(self.start..self.end, 0);
        }
        (self.start, self.end) = (0, held);
        // Twice what is held, so that a long line is moved only a few times.
        let wanted = (held * 2).max(CHUNK);
        if self.buffer.len() < wanted {
            self.buffer.resize(wanted, 0);
        }
        loop {
            match self.reader.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.at_eof = true,
                Ok(count) => self.end += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            return Ok(());
        }
    }
}

fn without_line_end(line: &[u8]) -> &[u8] {
    let Some(line) = line.strip_suffix(b"\n") else { return line };
    line.strip_suffix(b"\r").unwrap_or(line)
}

impl<'a> Line<'a> {
    /// Its number in the file, from 1; blank lines count.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The offset in bytes from the beginning of the file at which it begins, from 0.
    pub fn byte(&self) -> u64 {
        self.byte
    }

    /// The line without its end.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The name of its file.
    pub fn file(&self) -> &'a str {
        self.file
    }

    /// The line as a prediction: an object, of whatever members.
    ///
    /// # Errors
    /// The line's one [`Problem`].
    pub fn prediction(&self) -> Result<Prediction<'a>, Problem> {
        let text = self.text()?;
        Prediction::parse(text).map_err(|error| match error.classify() {
            serde_json::error::Category::Eof if self.end == LineEnd::EndOfFile => self.cut(),
            serde_json::error::Category::Data => {
                self.problem(ProblemKind::NotAnObject, "the line is not a JSON object".to_owned())
            }
            _ => self.problem(ProblemKind::NotJson, format!("the line is not JSON: {}", without_line_number(&error))),
        })
    }

    fn text(&self) -> Result<&'a str, Problem> {
        if self.end == LineEnd::Limit {
            return Err(self.problem(
                ProblemKind::TooLong,
                format!("the line is longer than the {} MB that are read at once", self.bytes.len() >> 20),
            ));
        }
        std::str::from_utf8(self.bytes).map_err(|error| match error.error_len() {
            // The end of the file inside a character.
            None if self.end == LineEnd::EndOfFile => self.cut(),
            _ => {
                let at = error.valid_up_to();
                let byte = self.bytes.get(at).copied().unwrap_or_default();
                self.problem(ProblemKind::NotUtf8, format!("not UTF-8 (0x{byte:02X} at byte {at} of the line)"))
            }
        })
    }

    fn cut(&self) -> Problem {
        self.problem(ProblemKind::Cut, format!("the line is cut off after {} bytes", self.bytes.len()))
    }

    fn problem(&self, kind: ProblemKind, message: String) -> Problem {
        Problem { file: self.file.to_owned(), line: self.number, byte: self.byte, kind, message }
    }
}

/// The parser's words. It sees one line at a time, so its line number says nothing.
fn without_line_number(error: &serde_json::Error) -> String {
    let words = error.to_string();
    match words.rsplit_once(" at line 1 column ") {
        Some((what, column)) => format!("{what} at byte {column} of the line"),
        None => words,
    }
}
