//! The rows of a table: pieces that were written together, one line for each row.
//!
//! A piece never changes once it is committed, so that whoever reads has the rows of one
//! instant. Only what streaming inserts wrote is appended to, and a reader does not look
//! beyond the length that it was told. Of every piece the places of some lines are held in
//! memory, to find a row without reading all before it.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Cursor, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::storage::{ReadSeek, Temporary};

/// The places of every so-many-th row are held.
const STRIDE: u64 = 256;

/// How much is read at once.
const READ: usize = 256 << 10;

/// Rows that are being written. Dropped before it is committed, it never was.
#[derive(Debug)]
pub(crate) struct RowWriter {
    place: Place,
    rows: u64,
    bytes: u64,
    index: Vec<u64>,
}

#[derive(Debug)]
enum Place {
    Memory(Vec<u8>),
    File(BufWriter<File>, Temporary),
}

impl RowWriter {
    /// Begins to write in memory, or in a new file.
    pub(super) fn new(path: Option<PathBuf>) -> io::Result<RowWriter> {
        let place = match path {
            None => Place::Memory(Vec::new()),
            Some(path) => {
                let file = File::options().write(true).create_new(true).open(&path)?;
                Place::File(BufWriter::with_capacity(READ, file), Temporary::new(path))
            }
        };
        Ok(RowWriter { place, rows: 0, bytes: 0, index: Vec::new() })
    }

    /// Adds a row; it has no line end.
    pub(crate) fn push(&mut self, row: &[u8]) -> io::Result<()> {
        if self.rows.is_multiple_of(STRIDE) {
            self.index.push(self.bytes);
        }
        let out: &mut dyn Write = match &mut self.place {
            Place::Memory(bytes) => bytes,
            Place::File(file, _) => file,
        };
        out.write_all(row)?;
        out.write_all(b"\n")?;
        self.rows += 1;
        self.bytes += row.len() as u64 + 1;
        Ok(())
    }

    /// How many rows there are.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// How many bytes the rows have.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Ends it.
    pub(super) fn finish(self) -> io::Result<Written> {
        let body = match self.place {
            Place::Memory(bytes) => WrittenBody::Memory(bytes.into()),
            Place::File(file, temporary) => {
                file.into_inner().map_err(io::IntoInnerError::into_error)?;
                WrittenBody::File(temporary)
            }
        };
        let index = OnceLock::new();
        // A new lock is empty.
        let _ = index.set(self.index);
        Ok(Written { body, rows: self.rows, bytes: self.bytes, index: Arc::new(index) })
    }
}

/// Rows that are ready to become a piece.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) body: WrittenBody,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) index: Arc<OnceLock<Vec<u64>>>,
}

#[derive(Debug)]
pub(super) enum WrittenBody {
    Memory(Bytes),
    File(Temporary),
}

/// A piece of a table that is open for reading.
pub(crate) struct Piece {
    rows: u64,
    bytes: u64,
    index: Arc<OnceLock<Vec<u64>>>,
    body: Box<dyn ReadSeek + Send>,
}

impl std::fmt::Debug for Piece {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Piece").field("rows", &self.rows).field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl Piece {
    pub(super) fn in_memory(bytes: Bytes, rows: u64, index: Arc<OnceLock<Vec<u64>>>) -> Piece {
        Piece { rows, bytes: bytes.len() as u64, index, body: Box::new(Cursor::new(bytes)) }
    }

    pub(super) fn in_file(file: File, rows: u64, bytes: u64, index: Arc<OnceLock<Vec<u64>>>) -> Piece {
        Piece { rows, bytes, index, body: Box::new(file) }
    }

    /// Reads rows from the `start`-th on.
    pub(crate) fn read_from(mut self, start: u64) -> io::Result<RowReader> {
        let index = match self.index.get() {
            Some(index) => index,
            None => {
                let index = scan(&mut self.body, self.bytes)?;
                self.index.get_or_init(|| index)
            }
        };
        let offset = usize::try_from(start / STRIDE).ok().and_then(|at| index.get(at)).copied().unwrap_or(self.bytes);
        self.body.seek(SeekFrom::Start(offset))?;
        let mut reader = RowReader {
            reader: BufReader::with_capacity(READ, self.body.take(self.bytes - offset)),
            offset,
            line: Vec::new(),
        };
        for _ in 0..start % STRIDE {
            reader.next_row()?;
        }
        Ok(reader)
    }
}

/// Finds the places of every so-many-th line.
fn scan(body: &mut Box<dyn ReadSeek + Send>, bytes: u64) -> io::Result<Vec<u64>> {
    body.seek(SeekFrom::Start(0))?;
    let mut index = vec![0];
    let (mut offset, mut rows) = (0, 0_u64);
    let mut buffer = vec![0; READ];
    while offset < bytes {
        let most = usize::try_from(bytes - offset).unwrap_or(READ).min(READ);
        let n = body.read(&mut buffer[..most])?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        for end in memchr::memchr_iter(b'\n', &buffer[..n]) {
            rows += 1;
            if rows.is_multiple_of(STRIDE) {
                index.push(offset + end as u64 + 1);
            }
        }
        offset += n as u64;
    }
    Ok(index)
}

/// Reads the rows of a piece one by one.
pub(crate) struct RowReader {
    reader: BufReader<io::Take<Box<dyn ReadSeek + Send>>>,
    offset: u64,
    line: Vec<u8>,
}

impl RowReader {
    /// The next row and where it stands, or none at the end.
    pub(crate) fn next_row(&mut self) -> io::Result<Option<(u64, &str)>> {
        self.line.clear();
        let n = self.reader.read_until(b'\n', &mut self.line)?;
        if n == 0 {
            return Ok(None);
        }
        let offset = self.offset;
        self.offset += n as u64;
        let row = self.line.strip_suffix(b"\n").ok_or(io::ErrorKind::UnexpectedEof)?;
        let row = std::str::from_utf8(row).map_err(io::Error::other)?;
        Ok(Some((offset, row)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_row_is_found() {
        let mut writer = RowWriter::new(None).unwrap();
        for i in 0..1000 {
            writer.push(format!("[\"{i}\"]").as_bytes()).unwrap();
        }
        let written = writer.finish().unwrap();
        let WrittenBody::Memory(bytes) = written.body else { panic!("it is in memory") };
        for index in [written.index, Arc::default()] {
            for start in [0, 1, 255, 256, 257, 511, 512, 999, 1000, 5000] {
                let piece = Piece::in_memory(bytes.clone(), 1000, Arc::clone(&index));
                let mut reader = piece.read_from(start).unwrap();
                let row = reader.next_row().unwrap().map(|(_, row)| row.to_owned());
                assert_eq!(row, (start < 1000).then(|| format!("[\"{start}\"]")));
            }
        }
    }
}
