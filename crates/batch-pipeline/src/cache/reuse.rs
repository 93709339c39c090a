//! Taking answers that are there already: before anything is staged, and for the rest of the run.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use batch_io::{Keys, Outcome, Prediction, Record};
use serde::Serialize;
use serde_json::value::RawValue;
use twox_hash::XxHash3_64;

use super::{
    CacheUse, Digester,
    index::{Entry, Index},
    indexes,
};
use crate::{
    Error, Kind, Result, Selected, Spec,
    finish::Placed,
    key_spec,
    records::{RecordList, RecordSet},
    stage::open_table,
    state::{CACHED_LIST, CACHED_PREDICTIONS, CachedState, CollectedFile},
};

/// Looks up every selected record of a table, and copies the predictions of those that are answered
/// already, under the keys that they have here: to a prediction file of the run at `root`, and to a list of
/// the records.
pub(crate) fn reuse(
    root: &Path,
    spec: &Spec,
    input: &Path,
    selected: Selected,
    cache: &CacheUse,
) -> Result<CachedState> {
    let mut answers = Answers::open(&cache.directory)?;
    if answers.indexes.is_empty() {
        return Ok(CachedState::default());
    }
    let folder = root.join("predictions");
    fs::create_dir_all(&folder).map_err(|error| Error::io(Kind::RunDirectory, "make the directory", &folder, error))?;
    let path = root.join(CACHED_PREDICTIONS);
    let mut predictions = Placed::create(&path)?;
    let mut list = RecordList::create(&root.join(CACHED_LIST))?;
    let (mut records, mut bytes) = (0, 0);
    look_up(&mut answers, spec, input, selected, cache, |key, index, line| {
        let written = predictions.write_all(line);
        written.map_err(|error| Error::io(Kind::RunDirectory, "write", &path, error))?;
        list.add(key, index, Outcome::Answered)?;
        records += 1;
        bytes += line.len() as u64;
        Ok(())
    })?;
    if records == 0 {
        return Ok(CachedState::default());
    }
    list.place()?;
    predictions.place()?;
    Ok(CachedState { records, file: Some(CollectedFile { path: CACHED_PREDICTIONS.to_owned(), bytes }) })
}

/// The selected records of a table that are answered already. Nothing is written.
pub(crate) fn answered(spec: &Spec, input: &Path, selected: Selected, cache: &CacheUse) -> Result<RecordSet> {
    let (mut answers, mut set) = (Answers::open(&cache.directory)?, RecordSet::default());
    if !answers.indexes.is_empty() {
        look_up(&mut answers, spec, input, selected, cache, |_, index, _| {
            set.insert(index);
            Ok(())
        })?;
    }
    Ok(set)
}

/// Hands on every selected record that is answered already: its key, its index, and the line of its
/// prediction.
fn look_up(
    answers: &mut Answers,
    spec: &Spec,
    input: &Path,
    selected: Selected,
    cache: &CacheUse,
    mut each: impl FnMut(&str, u64, &[u8]) -> Result<()>,
) -> Result<()> {
    let wrong = |error| Error::new(Kind::Input, "read the input").with_source(error);
    let mut table = open_table(input, spec)?;
    let mut digester = Digester::new(spec, cache.answered_by.as_deref(), table.columns())?;
    let mut keys = Keys::new(&key_spec(spec), table.columns(), table.name()).map_err(wrong)?;
    let mut record = Record::new();
    while table.read(&mut record).map_err(wrong)? {
        let key = keys.key(&record).map_err(wrong)?;
        if !selected.has(record.index()) {
            continue;
        }
        // A request that cannot be built is told of by who builds it, with its place.
        let Ok(digest) = digester.digest(&record, key) else { continue };
        if let Some(line) = answers.find(digest, key)? {
            each(key, record.index(), &line)?;
        }
    }
    Ok(())
}

/// All answers of a cache.
struct Answers {
    /// The newest first.
    indexes: Vec<Index>,
    open: HashMap<PathBuf, Option<File>>,
    line: Vec<u8>,
}

/// Few enough for any limit on open files.
const MOST_OPEN: usize = 64;

impl Answers {
    fn open(directory: &Path) -> Result<Self> {
        let mut indexes: Vec<Index> = indexes(directory)?
            .into_iter()
            .filter_map(|path| match Index::open(&path) {
                Ok(index) => Some(index),
                // What it had is asked again, which costs and loses nothing.
                Err(error) => {
                    tracing::warn!(%error, "an index of the cache is passed over");
                    None
                }
            })
            .collect();
        indexes.retain(|index| 0 < index.len());
        Ok(Self { indexes, open: HashMap::new(), line: Vec::new() })
    }

    /// The prediction of a request as a line under this key, if there is one whose file is as it was.
    fn find(&mut self, digest: u128, key: &str) -> Result<Option<Vec<u8>>> {
        for number in 0..self.indexes.len() {
            for entry in self.indexes[number].find(digest)? {
                let path = self.indexes[number].file(&entry).to_owned();
                if self.read(&path, &entry).is_ok_and(|is_same| is_same)
                    && let Some(line) = under(key, &self.line)
                {
                    return Ok(Some(line));
                }
            }
        }
        Ok(None)
    }

    /// Reads the line of an entry; whether it is what it was when it was noted.
    fn read(&mut self, path: &Path, entry: &Entry) -> io::Result<bool> {
        if !self.open.contains_key(path) {
            if MOST_OPEN <= self.open.len() {
                self.open.clear();
            }
            self.open.insert(path.to_owned(), File::open(path).ok());
        }
        let Some(Some(file)) = self.open.get_mut(path) else { return Ok(false) };
        // The file may have become shorter, and the length in a damaged entry is anything.
        if file.metadata()?.len() < entry.byte.saturating_add(entry.bytes.into()) {
            return Ok(false);
        }
        self.line.resize(entry.bytes as usize, 0);
        file.seek(SeekFrom::Start(entry.byte))?;
        file.read_exact(&mut self.line)?;
        Ok(XxHash3_64::oneshot(&self.line) == entry.line)
    }
}

/// A prediction under another key, and without what passed through beside its request; `None` for a line
/// that is none.
fn under(key: &str, line: &[u8]) -> Option<Vec<u8>> {
    #[derive(Serialize)]
    struct Line<'a> {
        key: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        request: Option<&'a RawValue>,
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<&'a RawValue>,
        #[serde(skip_serializing_if = "Option::is_none")]
        response: Option<&'a RawValue>,
        #[serde(skip_serializing_if = "Option::is_none")]
        processed_time: Option<&'a RawValue>,
    }
    let prediction = Prediction::parse(std::str::from_utf8(line).ok()?).ok()?;
    let line = Line {
        key,
        request: prediction.request.as_deref(),
        status: prediction.status,
        response: prediction.response.as_deref(),
        processed_time: prediction.processed_time,
    };
    let mut line = serde_json::to_vec(&line).ok()?;
    line.push(b'\n');
    Some(line)
}
