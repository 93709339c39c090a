//! Where request lines are cut into shards: one rule, for staging and for planning.

use std::path::Path;

use batch_io::LineInfo;
use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_128;

use crate::{Error, Kind, LimitsSpec, Result};

/// A shard as its request lines were cut: what one job is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CutShard {
    /// Which, from 0.
    pub index: usize,
    /// The index of its first record.
    pub first: u64,
    /// How many records it has.
    pub records: u64,
    /// How many bytes its request lines have.
    pub bytes: u64,
    /// XXH3-128 of its request lines, in hexadecimal digits.
    pub digest: String,
}

/// Refuses a request line that no shard has room for.
pub(crate) fn check_length(table: &Path, line: &LineInfo<'_>, limits: &LimitsSpec) -> Result<()> {
    let (row, index, length) = (line.line, line.index, line.length);
    if length as u64 <= limits.bytes {
        return Ok(());
    }
    let table = table.display();
    let message = format!("{table}:{row}: the request line of record {index} has {length} bytes, more than a file may");
    let hint = format!("shorten it, or raise limits.bytes (now {})", limits.bytes);
    Err(Error::new(Kind::Input, message).with_hint(hint))
}

/// Cuts request lines into shards at the limits of a spec. Lines come one after the other; the cutter
/// keeps none of them.
pub(crate) struct Cutter {
    requests: u64,
    limit: u64,
    /// The shard that is being filled; it has no records where none is.
    index: usize,
    first: u64,
    records: u64,
    bytes: u64,
    hasher: XxHash3_128,
}

impl Cutter {
    pub(crate) fn new(limits: &LimitsSpec) -> Self {
        let hasher = XxHash3_128::with_seed(0);
        Self { requests: limits.requests, limit: limits.bytes, index: 0, first: 0, records: 0, bytes: 0, hasher }
    }

    /// The shard that the next line goes to: how many have ended.
    pub(crate) fn index(&self) -> usize {
        self.index
    }

    /// The shard that has to end before a line of this many bytes, if it does.
    pub(crate) fn before(&mut self, length: u64) -> Option<CutShard> {
        let is_full = self.requests <= self.records || self.limit < self.bytes + length;
        if is_full { self.end() } else { None }
    }

    /// Adds the request line of a record, line feed included.
    pub(crate) fn add(&mut self, record: u64, line: &[u8]) {
        if self.records == 0 {
            self.first = record;
        }
        self.hasher.write(line);
        self.records += 1;
        self.bytes += line.len() as u64;
    }

    /// The shard that is being filled, whole; `None` where it has no line.
    pub(crate) fn end(&mut self) -> Option<CutShard> {
        if self.records == 0 {
            return None;
        }
        let hasher = std::mem::replace(&mut self.hasher, XxHash3_128::with_seed(0));
        let digest = format!("{:032x}", hasher.finish_128());
        let (records, bytes) = (std::mem::take(&mut self.records), std::mem::take(&mut self.bytes));
        let shard = CutShard { index: self.index, first: self.first, records, bytes, digest };
        self.index += 1;
        Some(shard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(lines: &[&str], requests: u64, bytes: u64) -> Vec<(u64, u64, u64)> {
        let mut cutter = Cutter::new(&LimitsSpec { requests, bytes, jobs: 1 });
        let mut shards = Vec::new();
        for (record, line) in (0..).zip(lines) {
            shards.extend(cutter.before(line.len() as u64));
            cutter.add(record, line.as_bytes());
        }
        shards.extend(cutter.end());
        assert_eq!(cutter.end(), None);
        shards.iter().map(|shard| (shard.first, shard.records, shard.bytes)).collect()
    }

    #[test]
    fn a_shard_ends_where_one_more_line_would_be_too_much() {
        assert_eq!(cut(&["a\n", "b\n", "c\n"], 2, 100), [(0, 2, 4), (2, 1, 2)]);
        assert_eq!(cut(&["a\n", "b\n", "c\n"], 9, 4), [(0, 2, 4), (2, 1, 2)]);
        assert_eq!(cut(&["a\n", "bbbb\n", "c\n"], 9, 5), [(0, 1, 2), (1, 1, 5), (2, 1, 2)]);
        assert_eq!(cut(&[], 9, 5), []);
    }
}
