//! MIME multipart bodies, read as they come.
//!
//! Google's clients do not agree on how to write them, and the service takes them all:
//!
//! - the boundary parameter bare, in double quotes, or in single ones (which are no quotes
//!   in MIME: whether they belong to the boundary shows at the first delimiter);
//! - lines that end in CRLF, or in LF alone (gcloud);
//! - parts that are written as form-data, without a content type (the Rust client).

use std::io::{self, Read, Write};

use memchr::memmem::Finder;

/// How much is read at once.
const READ: usize = 64 << 10;
/// The longest line of a preamble or of part headers.
const LINE_LIMIT: usize = 64 << 10;

/// Why a multipart body could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MultipartError {
    /// What the client got wrong.
    #[error("Malformed multipart body: {0}.")]
    Malformed(&'static str),
    /// The body did not arrive, or could not be stored.
    #[error(transparent)]
    Io(#[from] io::Error),
}

use MultipartError::Malformed;

/// The boundary parameter of a content type, still in single quotes where it has them.
pub(crate) fn boundary(content_type: &str) -> Option<String> {
    let (essence, parameters) = content_type.split_once(';')?;
    if !essence.trim().to_ascii_lowercase().starts_with("multipart/") {
        return None;
    }
    let mut rest = parameters;
    loop {
        let (name, value) = rest.split_once('=')?;
        let value = value.trim_start();
        let (value, after) = match value.strip_prefix('"') {
            Some(quoted) => unquote(quoted),
            None => match value.split_once(';') {
                Some((value, after)) => (value.trim_end().to_owned(), after),
                None => (value.trim_end().to_owned(), ""),
            },
        };
        if name.trim().eq_ignore_ascii_case("boundary") {
            return Some(value).filter(|value| !value.is_empty());
        }
        rest = after.trim_start().trim_start_matches(';');
    }
}

/// Splits what follows an opening quote into the value and what comes after the closing
/// quote.
fn unquote(quoted: &str) -> (String, &str) {
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            _ => value.push(character),
        }
    }
    (value, "")
}

/// The headers of a part that matter here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PartHeaders {
    headers: Vec<(String, String)>,
}

impl PartHeaders {
    /// A header by its name, in any case.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// A multipart body. Call [`Multipart::next_part`] and [`Multipart::read_part`] in turn.
pub(crate) struct Multipart<R> {
    source: R,
    buffer: Vec<u8>,
    ended: bool,
    /// `\n--boundary`.
    delimiter: Vec<u8>,
    /// Whether lines end in CRLF, so that the CR before a delimiter belongs to it.
    crlf: bool,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Preamble,
    /// After a delimiter.
    Delimited,
    /// After the last delimiter.
    Ended,
}

impl<R: Read> Multipart<R> {
    /// Reads parts between delimiters of that boundary.
    pub(crate) fn new(source: R, boundary: &str) -> Multipart<R> {
        Multipart {
            source,
            buffer: Vec::new(),
            ended: false,
            delimiter: format!("\n--{boundary}").into_bytes(),
            crlf: true,
            state: State::Preamble,
        }
    }

    /// Goes to the next part and reads its headers; `None` after the last one.
    pub(crate) fn next_part(&mut self) -> Result<Option<PartHeaders>, MultipartError> {
        if self.state == State::Preamble {
            self.skip_preamble()?;
        }
        if self.state == State::Ended {
            return Ok(None);
        }
        let mut headers = PartHeaders::default();
        loop {
            let line = self.line()?;
            let line = trim_end(&line);
            if line.is_empty() {
                return Ok(Some(headers));
            }
            let line = std::str::from_utf8(line).map_err(|_| Malformed("a part header is not UTF-8"))?;
            let (name, value) = line.split_once(':').ok_or(Malformed("a part header has no colon"))?;
            let header = (name.trim().to_owned(), value.trim().to_owned());
            headers.headers.push(header);
        }
    }

    /// Copies the part's body, without the line end before the delimiter.
    pub(crate) fn read_part(&mut self, out: &mut dyn Write) -> Result<(), MultipartError> {
        let delimiter = self.delimiter.clone();
        let finder = Finder::new(&delimiter);
        // A body of no bytes may leave out its line end: the one that ended the headers
        // then starts the delimiter.
        self.fill_to(delimiter.len() + 1)?;
        if self.buffer.starts_with(&delimiter[1..]) && self.end_of_delimiter(delimiter.len() - 1)? {
            return Ok(());
        }
        let mut from = 0;
        loop {
            if let Some(at) = finder.find(&self.buffer[from..]).map(|at| from + at) {
                let end = match at.checked_sub(1) {
                    Some(before) if self.crlf && self.buffer[before] == b'\r' => before,
                    _ => at,
                };
                if end > 0 {
                    out.write_all(&self.buffer[..end])?;
                    self.buffer.drain(..end);
                }
                if self.end_of_delimiter(at - end + delimiter.len())? {
                    return Ok(());
                }
                // Looks like the delimiter and goes on otherwise: it is data.
                from = at - end + 1;
                continue;
            }
            // The last bytes may be the start of a delimiter.
            let safe = self.buffer.len().saturating_sub(delimiter.len() + 1);
            out.write_all(&self.buffer[..safe])?;
            self.buffer.drain(..safe);
            from = 0;
            if !self.fill()? {
                return Err(Malformed("it ends before the closing delimiter"));
            }
        }
    }

    /// Skips to the first delimiter, and learns from it how lines end and whether the
    /// single quotes of the boundary belong to it.
    fn skip_preamble(&mut self) -> Result<(), MultipartError> {
        let literal = self.delimiter[3..].to_vec();
        let bare = literal.strip_prefix(b"'").and_then(|boundary| boundary.strip_suffix(b"'")).map(<[u8]>::to_vec);
        loop {
            let line = self.line()?;
            let Some(found) = trim_end(&line).strip_prefix(b"--") else {
                continue;
            };
            if found == literal || Some(found) == bare.as_deref() {
                self.delimiter = [b"\n--", found].concat();
                self.crlf = line.ends_with(b"\r\n");
                self.state = State::Delimited;
                return Ok(());
            }
        }
    }

    /// If a delimiter ends at `at` in the buffer, takes it with the rest of its line.
    fn end_of_delimiter(&mut self, at: usize) -> Result<bool, MultipartError> {
        self.fill_to(at + 2)?;
        if self.buffer[at..].starts_with(b"--") {
            self.state = State::Ended;
            // The epilogue says nothing, and must have arrived all the same: a body that
            // was cut off must not count as whole.
            self.buffer.clear();
            while self.fill()? {
                self.buffer.clear();
            }
            return Ok(true);
        }
        let mut end = at;
        loop {
            self.fill_to(end + 1)?;
            match self.buffer.get(end) {
                Some(b' ' | b'\t' | b'\r') => end += 1,
                Some(b'\n') => {
                    self.buffer.drain(..=end);
                    return Ok(true);
                }
                _ => return Ok(false),
            }
        }
    }

    /// Takes a line with its end.
    fn line(&mut self) -> Result<Vec<u8>, MultipartError> {
        let mut searched = 0;
        loop {
            if let Some(at) = memchr::memchr(b'\n', &self.buffer[searched..]) {
                return Ok(self.buffer.drain(..=searched + at).collect());
            }
            searched = self.buffer.len();
            if searched > LINE_LIMIT {
                return Err(Malformed("a header line does not end"));
            }
            if !self.fill()? {
                return Err(Malformed("it ends before the first delimiter or in a header"));
            }
        }
    }

    /// Reads until the buffer holds that many bytes or the source ends.
    fn fill_to(&mut self, length: usize) -> io::Result<()> {
        while self.buffer.len() < length && self.fill()? {}
        Ok(())
    }

    /// Reads some more; `false` at the end.
    fn fill(&mut self) -> io::Result<bool> {
        if self.ended {
            return Ok(false);
        }
        let before = self.buffer.len();
        self.buffer.resize(before + READ, 0);
        let read = self.source.read(&mut self.buffer[before..]);
        self.buffer.truncate(before + *read.as_ref().unwrap_or(&0));
        self.ended = read? == 0;
        Ok(!self.ended)
    }
}

fn trim_end(line: &[u8]) -> &[u8] {
    line.trim_ascii_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The parts of a body that arrives `step` bytes at a time.
    fn parts(body: &[u8], boundary: &str, step: usize) -> Result<Vec<String>, MultipartError> {
        struct Steps<'a>(&'a [u8], usize);
        impl Read for Steps<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let n = self.1.min(self.0.len()).min(buffer.len());
                buffer[..n].copy_from_slice(&self.0[..n]);
                self.0 = &self.0[n..];
                Ok(n)
            }
        }
        let mut multipart = Multipart::new(Steps(body, step), boundary);
        let mut parts = Vec::new();
        while let Some(headers) = multipart.next_part()? {
            let mut part = Vec::new();
            multipart.read_part(&mut part)?;
            let kind = headers.get("content-type").unwrap_or("-").to_owned();
            parts.push(format!("{kind}|{}", String::from_utf8_lossy(&part)));
        }
        Ok(parts)
    }

    fn check(body: &str, boundary: &str, expected: &[&str]) {
        for step in [1, 2, 3, 7, 64, 4096] {
            let parts = parts(body.as_bytes(), boundary, step).unwrap();
            assert_eq!(parts, expected, "{step} bytes at a time");
        }
    }

    #[test]
    fn crlf_and_data_that_looks_like_a_delimiter() {
        check(
            "preamble\r\n--b\r\nContent-Type: a/b\r\n\r\n1\r\n--bb\r\n2\r\n--b \r\n\r\n\r\n--c\r\n--b--\r\nepilogue",
            "b",
            &["a/b|1\r\n--bb\r\n2", "-|\r\n--c"],
        );
    }

    #[test]
    fn bare_lf_keeps_a_carriage_return_of_the_data() {
        check(
            "--===\nContent-Type: a/b\nMIME-Version: 1.0\n\n1\r\n--===\n\n2\n\n--===--",
            "===",
            &["a/b|1\r", "-|2\n"],
        );
    }

    #[test]
    fn empty_parts_with_and_without_their_line_end() {
        check("--b\r\n\r\n--b\r\n\r\n\r\n--b--", "b", &["-|", "-|"]);
    }

    #[test]
    fn single_quotes_are_part_of_the_boundary_only_where_the_body_has_them() {
        check("--b\n\n1\n--b--", "'b'", &["-|1"]);
        check("--'b'\n\n1\n--'b'--", "'b'", &["-|1"]);
    }

    #[test]
    fn a_body_that_was_cut_is_no_body() {
        let whole = "--b\r\n\r\n1\r\n--b--";
        for cut in 0..whole.len() {
            assert!(parts(&whole.as_bytes()[..cut], "b", 4096).is_err(), "{cut}");
        }
    }

    #[test]
    fn boundaries_of_all_spellings() {
        let b = |content_type| boundary(content_type);
        assert_eq!(b("multipart/related; boundary=a-b"), Some("a-b".into()));
        assert_eq!(b(r#"Multipart/Related; type="x;y"; BOUNDARY="a\"=b" ; c=d"#), Some("a\"=b".into()));
        assert_eq!(b("multipart/mixed; boundary='=='"), Some("'=='".into()));
        assert_eq!(b("multipart/related"), None);
        assert_eq!(b("application/json; boundary=a"), None);
    }
}
