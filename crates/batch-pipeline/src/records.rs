//! Sets of records: a bit for each in memory, a line for each on disk.

use std::path::Path;

use batch_io::Outcome;

use crate::{Error, Kind, Result, finish::Placed};

/// A set of records by their indexes: an eighth of a byte for each record of the table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RecordSet {
    words: Vec<u64>,
    count: u64,
}

impl RecordSet {
    pub(crate) fn insert(&mut self, index: u64) {
        let Ok(word) = usize::try_from(index / 64) else { return };
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        let bit = 1 << (index % 64);
        self.count += u64::from(self.words[word] & bit == 0);
        self.words[word] |= bit;
    }

    pub(crate) fn has(&self, index: u64) -> bool {
        let word = usize::try_from(index / 64).ok().and_then(|word| self.words.get(word));
        word.is_some_and(|word| word & (1 << (index % 64)) != 0)
    }

    pub(crate) fn len(&self) -> u64 {
        self.count
    }

    /// Reads a list that [`RecordList`] wrote.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let wrong = |error| Error::new(Kind::RunDirectory, format!("read {}", path.display())).with_source(error);
        let mut reader = csv::Reader::from_path(path).map_err(wrong)?;
        let mut record = csv::ByteRecord::new();
        let mut set = Self::default();
        while reader.read_byte_record(&mut record).map_err(wrong)? {
            let index =
                record.get(1).and_then(|text| std::str::from_utf8(text).ok()).and_then(|text| text.parse().ok());
            let line = record.position().map_or(0, csv::Position::line);
            let missing = || Error::new(Kind::RunDirectory, format!("{}:{line}: no index of a record", path.display()));
            set.insert(index.ok_or_else(missing)?);
        }
        Ok(set)
    }
}

/// A list of records on its way to disk: a CSV of `key,index,outcome`, which gets its name when it is whole.
pub(crate) struct RecordList {
    writer: csv::Writer<Placed>,
    path: std::path::PathBuf,
}

impl RecordList {
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let mut this = Self { writer: csv::Writer::from_writer(Placed::create(path)?), path: path.to_owned() };
        this.write(["key", "index", "outcome"])?;
        Ok(this)
    }

    /// Adds a record, and what became of it so far.
    pub(crate) fn add(&mut self, key: &str, index: u64, outcome: Outcome) -> Result<()> {
        self.write([key, &index.to_string(), outcome.as_str()])
    }

    fn write(&mut self, fields: [&str; 3]) -> Result<()> {
        let written = self.writer.write_record(fields);
        written.map_err(|error| Error::io(Kind::RunDirectory, "write", &self.path, error.into()))
    }

    /// Has the list on disk under its name before it returns.
    pub(crate) fn place(self) -> Result<()> {
        let placed = self.writer.into_inner().map_err(|error| {
            let error = error.into_error();
            Error::io(Kind::RunDirectory, "write", &self.path, error)
        })?;
        placed.place()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_what_was_put_into_it_and_comes_back_from_disk() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list.csv");
        let mut list = RecordList::create(&path).unwrap();
        let (mut set, wanted) = (RecordSet::default(), [0, 1, 63, 64, 1000]);
        for index in wanted {
            set.insert(index);
            set.insert(index);
            list.add(&format!("a,\"{index}\"\nb"), index, Outcome::Missing).unwrap();
        }
        list.place().unwrap();
        assert_eq!(set.len(), 5);
        assert_eq!((0..2000).filter(|index| set.has(*index)).collect::<Vec<_>>(), wanted);
        assert_eq!(RecordSet::read(&path).unwrap(), set);
        std::fs::write(&path, "key,index,outcome\na,b,missing\n").unwrap();
        assert!(RecordSet::read(&path).unwrap_err().to_string().ends_with("list.csv:2: no index of a record"));
    }
}
