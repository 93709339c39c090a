//! The predictions files: read through once, then looked into line by line.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::index::{Entry, Place};
use crate::error::{Error, ErrorKind, Position, Result};
use crate::json::{self, Kind};
use crate::predictions::{AnswerFormat, Answers, Glances, Prediction, PredictionLines, Reading, Span};
use memchr::{memchr, memchr_iter};
use serde_json::value::RawValue;

/// A predictions file, under the name by which results and errors call it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PredictionFile {
    name: String,
    path: PathBuf,
}

impl PredictionFile {
    /// A file that is called by another name than its path, such as the URI it was
    /// downloaded from.
    pub fn new(name: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        Self { name: name.into(), path: path.into() }
    }

    /// What results and errors call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its lines, from the beginning.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if it cannot be opened.
    pub fn lines(&self) -> Result<PredictionLines<File>> {
        Ok(PredictionLines::new(self.open()?, &self.name))
    }

    /// The lines of a part, which begins with a line and ends with one, or with the file.
    pub(super) fn lines_of(&self, part: Range<u64>) -> Result<PredictionLines<io::Take<File>>> {
        let mut file = self.open()?;
        let failed = |error| Error::io("reading failed", error).at(Position::file(&self.name));
        file.seek(SeekFrom::Start(part.start)).map_err(failed)?;
        Ok(PredictionLines::from_offset(file.take(part.end - part.start), &self.name, part.start))
    }

    /// The file in parts of about `size` bytes, each of whole lines. The last has no end, for what
    /// may be written behind it.
    pub(super) fn parts(&self, size: u64) -> Result<Vec<Range<u64>>> {
        let mut file = self.open()?;
        self.cut(&mut file, size).map_err(|error| Error::io("reading failed", error).at(Position::file(&self.name)))
    }

    fn cut(&self, file: &mut File, size: u64) -> io::Result<Vec<Range<u64>>> {
        let length = file.metadata()?.len();
        let (mut parts, mut start) = (Vec::new(), 0);
        let mut chunk = vec![0; 16 * 1024];
        while start + size < length {
            let Some(end) = behind_next_line_end(file, start + size - 1, &mut chunk)? else { break };
            parts.push(start..end);
            start = end;
        }
        parts.push(start..u64::MAX);
        Ok(parts)
    }

    fn open(&self) -> Result<File> {
        File::open(&self.path).map_err(|error| Error::io("opening failed", error).at(Position::file(&self.name)))
    }
}

impl<P: Into<PathBuf>> From<P> for PredictionFile {
    /// Called by its path.
    fn from(path: P) -> Self {
        let path = path.into();
        Self { name: path.display().to_string(), path }
    }
}

/// Few enough for any limit on open files; a job writes one file, or a shard for many
/// thousand rows.
const MOST_OPEN: usize = 64;

/// Read at once where lines are read in the order of the file.
const WINDOW: usize = 256 * 1024;

/// Read at once where a line lies anywhere: most are shorter.
const LINE: usize = 8 * 1024;

/// A window that grew beyond this for one line is given back behind it.
const KEPT: usize = 8 * 1024 * 1024;

/// Lines that are skipped forward over no more than this are read in the file's order.
const NEAR: u64 = 32 * 1024;

/// Random access to the lines of several files.
#[derive(Debug)]
pub(super) struct FileSet {
    files: Vec<PredictionFile>,
    /// The newest last.
    open: Vec<(usize, File)>,
    /// The bytes of a file that were read last: which file, and from where.
    window: Vec<u8>,
    held: usize,
    window_file: usize,
    window_byte: u64,
    glances: Glances,
    answers: Answers,
}

impl FileSet {
    pub(super) fn new(files: Vec<PredictionFile>) -> Result<Self> {
        if Place::MOST_FILES < files.len() {
            return Err(Error::new(ErrorKind::Setting, format!("{} predictions files", files.len()))
                .with_hint(format!("at most {} are read at once; put them together first", Place::MOST_FILES)));
        }
        Ok(Self {
            files,
            open: Vec::new(),
            window: Vec::new(),
            held: 0,
            window_file: usize::MAX,
            window_byte: 0,
            glances: Glances::default(),
            answers: Answers::default(),
        })
    }

    pub(super) fn files(&self) -> &[PredictionFile] {
        &self.files
    }

    pub(super) fn name(&self, place: Place) -> &str {
        name(&self.files, place)
    }

    /// The prediction of an entry, which was one when the file was read through, and the
    /// name of its file.
    pub(super) fn prediction(&mut self, entry: &Entry) -> Result<(Prediction<'_>, &str)> {
        let (text, name) = self.text(entry.place())?;
        let prediction = Prediction::parse(text).map_err(|error| changed(name, entry.place(), error.into()))?;
        Ok((prediction, name))
    }

    /// What an entry says where this form of answer was asked for, without a look into its request, and the
    /// name of its file; `None` for a line that has to be parsed.
    pub(super) fn line(&mut self, entry: &Entry, format: &AnswerFormat) -> Result<Option<(Reading<'_>, &str)>> {
        let place = entry.place();
        let range = self.line_range(place)?;
        let name = name(&self.files, place);
        let text =
            simdutf8::basic::from_utf8(&self.window[range]).map_err(|error| changed(name, place, error.into()))?;
        let Some(glance) = self.glances.at(text.as_bytes()) else { return Ok(None) };
        let raw = |span: Span| serde_json::from_str::<&RawValue>(span.of(text).unwrap_or("null")).ok();
        let present = |span| raw(span).filter(|value| !json::is_null(value));
        let response = present(glance.response);
        // JSON in a string is looked into by the parser.
        if response.is_some_and(|response| Kind::of(response) == Kind::String) {
            return Ok(None);
        }
        Ok(Some((Reading::of_members(present(glance.status), present(glance.error), response, format), name)))
    }

    /// What the response of an entry, which was one when the file was read through, says where this
    /// form of answer was asked for, and the name of its file.
    pub(super) fn response(&mut self, entry: &Entry, span: Span, format: &AnswerFormat) -> Result<(Reading<'_>, &str)> {
        let place = entry.place();
        let range = self.range(place, span)?;
        let name = name(&self.files, place);
        let changed = |error| changed(name, place, error);
        let text = simdutf8::basic::from_utf8(&self.window[range]).map_err(|error| changed(error.into()))?;
        let reading = Reading::of_response(text, format, &mut self.answers).map_err(|error| changed(error.into()))?;
        Ok((reading, name))
    }

    /// A line, and the name of its file.
    fn text(&mut self, place: Place) -> Result<(&str, &str)> {
        let range = self.line_range(place)?;
        let name = self.name(place);
        let text = simdutf8::basic::from_utf8(&self.window[range]);
        Ok((text.map_err(|error| changed(name, place, error.into()))?, name))
    }

    /// Where in the window a part of a line lies.
    fn range(&mut self, place: Place, part: Span) -> Result<Range<usize>> {
        let length = part.length() as usize;
        match self.load(place.file(), place.byte() + u64::from(part.start), length) {
            Ok(range) if range.len() == length => Ok(range),
            Ok(_) => Err(self.error_at(place, io::ErrorKind::UnexpectedEof.into())),
            Err(error) => Err(self.error_at(place, error)),
        }
    }

    /// Where in the window the line lies that begins at a place, without its end.
    fn line_range(&mut self, place: Place) -> Result<Range<usize>> {
        self.load_line(place).map_err(|error| self.error_at(place, error))
    }

    fn load_line(&mut self, place: Place) -> io::Result<Range<usize>> {
        let start = self.load(place.file(), place.byte(), LINE)?.start;
        let mut looked = start;
        loop {
            if let Some(end) = memchr(b'\n', &self.window[looked..self.held]) {
                let line = &self.window[start..looked + end];
                return Ok(start..start + line.strip_suffix(b"\r").unwrap_or(line).len());
            }
            looked = self.held;
            if self.load_more(place.file(), (looked - start).max(LINE))? == 0 {
                // The last line needs no end.
                return Ok(start..looked);
            }
        }
    }

    /// Reads up to so many bytes more behind those that are held; how many there were.
    fn load_more(&mut self, file: usize, count: usize) -> io::Result<usize> {
        let (before, end) = (self.held, self.held + count);
        if self.window.len() < end {
            self.window.resize(end, 0);
        }
        let handle = open(&self.files, &mut self.open, file)?;
        while self.held < end {
            match read_at(handle, &mut self.window[self.held..end], self.window_byte + self.held as u64) {
                Ok(0) => break,
                Ok(count) => self.held += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.held - before)
    }

    /// The number of the line that begins at a place, from 1.
    pub(super) fn line_number(&mut self, place: Place) -> Result<u64> {
        self.count_lines(place).map_err(|error| self.error_at(place, error))
    }

    fn error_at(&self, place: Place, error: io::Error) -> Error {
        Error::io("reading failed", error).at(Position::file(self.name(place)).byte(place.byte()))
    }

    /// Where in the window so many bytes lie, once they are in it; fewer where the file ends.
    fn load(&mut self, file: usize, byte: u64, length: usize) -> io::Result<Range<usize>> {
        let behind = if file == self.window_file { byte.checked_sub(self.window_byte) } else { None };
        let start = behind.and_then(|behind| usize::try_from(behind).ok());
        if let Some(start) = start
            && start + length <= self.held
        {
            return Ok(start..start + length);
        }
        let in_order = behind.is_some_and(|behind| behind <= self.held as u64 + NEAR);
        let wanted = if in_order { length.max(WINDOW) } else { length };
        (self.window_file, self.held) = (usize::MAX, 0);
        // What one long line made it is given back.
        if KEPT < self.window.len() && wanted < KEPT {
            self.window = Vec::new();
        }
        // Not shrunk otherwise: to fill it with zeros each time would cost more than the reading.
        if self.window.len() < wanted {
            self.window.resize(wanted, 0);
        }
        let handle = open(&self.files, &mut self.open, file)?;
        let mut held = 0;
        while held < wanted {
            match read_at(handle, &mut self.window[held..wanted], byte + held as u64) {
                Ok(0) => break,
                Ok(count) => held += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        (self.window_file, self.window_byte, self.held) = (file, byte, held);
        Ok(0..length.min(held))
    }

    fn count_lines(&mut self, place: Place) -> io::Result<u64> {
        let handle = open(&self.files, &mut self.open, place.file())?;
        handle.seek(SeekFrom::Start(0))?;
        let mut rest = handle.take(place.byte());
        let mut chunk = vec![0; WINDOW];
        let mut lines = 1;
        loop {
            match rest.read(&mut chunk) {
                Ok(0) => return Ok(lines),
                Ok(count) => lines += memchr_iter(b'\n', &chunk[..count]).count() as u64,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

fn name(files: &[PredictionFile], place: Place) -> &str {
    files.get(place.file()).map_or("", PredictionFile::name)
}

fn changed(file: &str, place: Place, source: Box<dyn std::error::Error + Send + Sync>) -> Error {
    Error::new(ErrorKind::Json, "the file was changed while it was read")
        .at(Position::file(file).byte(place.byte()))
        .caused_by(source)
}

/// Reads at an offset: in one call of the system, where it has one for it.
fn read_at(file: &mut File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::read_at(file, bytes, offset);
    #[cfg(not(unix))]
    {
        file.seek(SeekFrom::Start(offset))?;
        file.read(bytes)
    }
}

/// The offset behind the first line end at `from` or behind it.
fn behind_next_line_end(file: &mut File, from: u64, chunk: &mut [u8]) -> io::Result<Option<u64>> {
    file.seek(SeekFrom::Start(from))?;
    let mut at = from;
    loop {
        match file.read(chunk) {
            Ok(0) => return Ok(None),
            Ok(count) => match memchr(b'\n', &chunk[..count]) {
                Some(found) => return Ok(Some(at + found as u64 + 1)),
                None => at += count as u64,
            },
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The file's handle; the one that was not asked for the longest is closed for it.
fn open<'a>(files: &[PredictionFile], open: &'a mut Vec<(usize, File)>, file: usize) -> io::Result<&'a mut File> {
    let found = match open.iter().rposition(|(number, _)| *number == file) {
        Some(found) => open.remove(found),
        None => {
            let path = files.get(file).map_or(Path::new(""), PredictionFile::path);
            (file, File::open(path)?)
        }
    };
    if MOST_OPEN <= open.len() {
        open.remove(0);
    }
    open.push(found);
    let last = open.len() - 1;
    Ok(&mut open[last].1)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::identity::Hash96;
    use super::super::index::Reply;
    use super::*;

    #[test]
    fn lines_are_found_in_any_order() {
        let directory = tempfile::tempdir().unwrap();
        let mut files = Vec::new();
        let mut entries = Vec::new();
        for number in 0..3 {
            let path = directory.path().join(format!("{number}.jsonl"));
            let mut file = File::create(&path).unwrap();
            let mut byte = 0;
            for line in 0..500_u64 {
                // Some are longer than what is read at once, or than the window.
                let pad = match line {
                    100 | 250 => WINDOW + 7,
                    line if line % 50 == 3 => 3 * LINE,
                    _ => 1000,
                };
                let end = if line % 3 == 0 { "\r\n" } else { "\n" };
                let mut text = format!("{{\"key\":\"{number}-{line}\",\"pad\":\"{}\"}}{end}", "x".repeat(pad));
                if line == 499 {
                    text.truncate(text.trim_end().len());
                }
                file.write_all(text.as_bytes()).unwrap();
                let place = Place::new(number, byte).unwrap();
                entries.push((number, line, Entry::new(Hash96::NONE, place, Reply::Line)));
                byte += text.len() as u64;
            }
            files.push(PredictionFile::from(path));
        }
        let mut set = FileSet::new(files).unwrap();
        let mut check = |(number, line, entry): &(usize, u64, Entry)| {
            let key = set.prediction(entry).unwrap().0.key().unwrap().get().to_owned();
            assert_eq!(key, format!("\"{number}-{line}\""));
        };
        entries.iter().for_each(&mut check);
        entries.iter().rev().step_by(7).for_each(&mut check);
        entries.iter().skip(3).step_by(11).for_each(&mut check);
        let (_, line, entry) = entries[1234];
        assert_eq!(set.line_number(entry.place()).unwrap(), line + 1);
    }
}
