//! What several modules need.

use std::error::Error as _;
use std::io::{self, Read};

use batch_io::{Error, Record, Result, Table, TableFormat};

/// An error as a person sees it: the fragment, its causes, what to do.
pub(crate) fn explain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!("\n  cause: {cause}"));
        source = cause.source();
    }
    if let Some(hint) = error.hint() {
        text.push_str(&format!("\n  hint: {hint}"));
    }
    text
}

/// All records as strings, or the first error.
pub(crate) fn read_all(reader: impl Read, format: TableFormat) -> Result<Vec<Vec<String>>> {
    let mut table = Table::new(reader, "t.csv", format)?;
    let mut rows = vec![table.columns().names().to_vec()];
    let mut record = Record::new();
    while table.read(&mut record)? {
        rows.push(record.iter().map(str::to_owned).collect());
    }
    assert!(record.is_empty());
    Ok(rows)
}

/// Reads a few bytes at a time, and is interrupted in between, as a pipe may.
pub(crate) struct Trickle<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) step: usize,
    pub(crate) interrupted: bool,
}

impl<'a> Trickle<'a> {
    pub(crate) fn new(bytes: &'a [u8], step: usize) -> Self {
        Self { bytes, step, interrupted: false }
    }
}

impl Read for Trickle<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.interrupted = !self.interrupted;
        if self.interrupted {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let count = self.step.min(out.len());
        self.bytes.read(&mut out[..count])
    }
}
