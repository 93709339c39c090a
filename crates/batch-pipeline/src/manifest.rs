//! The manifest: which shard holds the request line of which record.

use std::{fs::File, io::ErrorKind, path::Path};

use twox_hash::XxHash3_64;

use crate::{Error, Kind, Result, finish::Placed};

/// The manifest's name in a run directory: a CSV of `key,index,shard,byte,bytes,digest`.
///
/// A record has a row for each shard that holds it: one, and another for each round of retries. `byte` and
/// `bytes` say where its request line lies in the shard's request lines, line feed included, and `digest`
/// is XXH3-64 of these bytes in hexadecimal digits. With it any prediction file of any shard can be joined
/// alone, without the run's state: the records of its shard are those that a prediction may be missing of.
pub const MANIFEST: &str = "manifest.csv";

const HEADER: [&str; 6] = ["key", "index", "shard", "byte", "bytes", "digest"];

/// A manifest that is being written while request lines are built.
pub(crate) struct ManifestWriter {
    writer: csv::Writer<Placed>,
    shard: usize,
    byte: u64,
}

impl ManifestWriter {
    /// Begins the manifest of `root` anew with what it says of the shards below `first`: those of earlier
    /// rounds, where there is one: who adopts jobs has none of what others staged. The manifest that is there
    /// stays until [`place`](Self::place).
    pub(crate) fn create(root: &Path, first: usize) -> Result<Self> {
        let path = root.join(MANIFEST);
        let mut writer = csv::Writer::from_writer(Placed::create(&path)?);
        let failed = |error: csv::Error| Error::new(Kind::RunDirectory, "write the manifest").with_source(error);
        writer.write_record(HEADER).map_err(failed)?;
        if 0 < first && path.exists() {
            let mut rows = Rows::open(&path)?;
            while let Some(row) = rows.next_row()? {
                if row.shard < first {
                    writer.write_byte_record(rows.record()).map_err(failed)?;
                }
            }
        }
        Ok(Self { writer, shard: first, byte: 0 })
    }

    /// Adds the request line of a record.
    pub(crate) fn add(&mut self, key: &str, index: u64, shard: usize, line: &[u8]) -> Result<()> {
        if self.shard != shard {
            (self.shard, self.byte) = (shard, 0);
        }
        let (byte, bytes) = (self.byte, line.len() as u64);
        self.byte += bytes;
        let digest = format!("{:016x}", XxHash3_64::oneshot(line));
        let row = [key, &index.to_string(), &shard.to_string(), &byte.to_string(), &bytes.to_string(), &digest];
        let failed = |error: csv::Error| Error::new(Kind::RunDirectory, "write the manifest").with_source(error);
        self.writer.write_record(row).map_err(failed)
    }

    /// Has the manifest on disk under its name before it returns.
    pub(crate) fn place(self) -> Result<()> {
        let placed = self
            .writer
            .into_inner()
            .map_err(|error| Error::new(Kind::RunDirectory, "write the manifest").with_source(error.into_error()))?;
        placed.place()
    }
}

/// A row of a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ManifestRow {
    /// The record's index.
    pub index: u64,
    /// The shard that holds its request line.
    pub shard: usize,
    /// Where the line begins in the shard's request lines.
    pub byte: u64,
    /// How long it is, line feed included.
    pub bytes: u64,
}

/// Reads a manifest row by row, in the order of its shards.
///
/// # Errors
/// It cannot be read, or is none.
pub fn read_manifest(path: &Path, mut each: impl FnMut(&str, ManifestRow)) -> Result<()> {
    let mut rows = Rows::open(path)?;
    while let Some(row) = rows.next_row()? {
        each(std::str::from_utf8(rows.record().get(0).unwrap_or_default()).unwrap_or_default(), row);
    }
    Ok(())
}

struct Rows {
    reader: csv::Reader<File>,
    record: csv::ByteRecord,
    name: String,
}

impl Rows {
    fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|error| {
            let missing = error.kind() == ErrorKind::NotFound;
            let error = Error::io(Kind::RunDirectory, "read", path, error);
            if missing { error.with_hint("a run has it once its request lines are staged") } else { error }
        })?;
        let name = path.display().to_string();
        Ok(Self { reader: csv::Reader::from_reader(file), record: csv::ByteRecord::new(), name })
    }

    fn record(&self) -> &csv::ByteRecord {
        &self.record
    }

    fn next_row(&mut self) -> Result<Option<ManifestRow>> {
        let wrong = |line: u64, name: &str| {
            let error = Error::new(Kind::RunDirectory, format!("{name}:{line}: not a row of a manifest"));
            error.with_hint(
                "it was cut off or changed since it was written: put a copy in its place, or remove it and run the same \
                 command again; no answer is lost by that, and records of shards that were refused are told as missing",
            )
        };
        let line = self.reader.position().line();
        match self.reader.read_byte_record(&mut self.record) {
            Ok(false) => return Ok(None),
            Ok(true) => {}
            Err(error) => return Err(wrong(line, &self.name).with_source(error)),
        }
        let number = |field: usize| std::str::from_utf8(self.record.get(field)?).ok()?.parse::<u64>().ok();
        let row = || {
            let shard = usize::try_from(number(2)?).ok()?;
            Some(ManifestRow { index: number(1)?, shard, byte: number(3)?, bytes: number(4)? })
        };
        row().map(Some).ok_or_else(|| wrong(line, &self.name))
    }
}
