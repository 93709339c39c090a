//! Noting what a run has answered, for the runs that follow.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{BufRead, BufReader, Seek, SeekFrom},
    path::PathBuf,
};

use batch_io::{JoinedRow, Outcome};
use twox_hash::XxHash3_64;

use super::{
    CacheUse, Digester,
    index::{Entry, write},
    index_of,
};
use crate::{Error, Kind, Result, RunDir, Spec};

/// The answers of a run, gathered while its predictions are joined: 48 bytes each.
pub(crate) struct Notes {
    cache: CacheUse,
    run: String,
    root: PathBuf,
    /// For each prediction file the spec whose requests it answers, by its round.
    files: HashMap<String, (u32, u32)>,
    specs: HashMap<u32, Spec>,
    names: Vec<String>,
    digesters: HashMap<u32, Digester>,
    entries: Vec<Entry>,
}

impl Notes {
    /// `None` where the run uses no cache.
    pub(crate) fn of(run: &RunDir) -> Option<Self> {
        let state = run.state();
        let cache = state.cache.clone()?;
        let (mut files, mut specs, mut names) = (HashMap::new(), HashMap::new(), Vec::new());
        for attempt in state.shards.iter().flat_map(|shard| &shard.attempts) {
            specs.entry(attempt.round).or_insert_with(|| state.spec_of(attempt.round));
            for file in attempt.collected.iter().flatten() {
                let number = u32::try_from(names.len()).ok()?;
                files.insert(file.path.clone(), (attempt.round, number));
                names.push(file.path.clone());
            }
        }
        let (run, root) = (state.id.clone(), run.path().to_owned());
        Some(Self { cache, run, root, files, specs, names, digesters: HashMap::new(), entries: Vec::new() })
    }

    /// Empty ones of the same run, for a join from the beginning.
    pub(crate) fn anew(&self) -> Self {
        Self {
            cache: self.cache.clone(),
            run: self.run.clone(),
            root: self.root.clone(),
            files: self.files.clone(),
            specs: self.specs.clone(),
            names: self.names.clone(),
            digesters: HashMap::new(),
            entries: Vec::new(),
        }
    }

    /// Notes the answer of a row, if it has one that came from a job of this run.
    pub(crate) fn add(&mut self, row: &JoinedRow<'_>) -> Result<()> {
        let Some(found) = row.found().filter(|_| row.outcome() == Outcome::Answered) else { return Ok(()) };
        let Some(&(round, file)) = self.files.get(found.file) else { return Ok(()) };
        let digester = match self.digesters.get_mut(&round) {
            Some(digester) => digester,
            None => {
                let spec = self.specs.get(&round).ok_or_else(|| Error::new(Kind::Bug, "a round without a spec"))?;
                let digester = Digester::new(spec, self.cache.answered_by.as_deref(), row.columns())?;
                self.digesters.entry(round).or_insert(digester)
            }
        };
        let digest = digester.digest(row.record(), row.key())?;
        self.entries.push(Entry { digest, file, byte: found.byte, bytes: 0, line: 0 });
        Ok(())
    }

    /// Writes the index of the run: in the place of the one that it had, where it was joined before.
    pub(crate) fn write(mut self) -> Result<()> {
        if self.entries.is_empty() {
            return Ok(());
        }
        self.entries.sort_unstable_by_key(|entry| (entry.file, entry.byte));
        let (root, names) = (&self.root, &self.names);
        for entries in self.entries.chunk_by_mut(|one, other| one.file == other.file) {
            let path = root.join(&names[entries[0].file as usize]);
            measure(&path, entries).map_err(|error| Error::io(Kind::Cache, "read", &path, error))?;
        }
        let directory = &self.cache.directory;
        fs::create_dir_all(directory)
            .map_err(|error| Error::io(Kind::Cache, "make the directory", directory, error))?;
        let absolute = |name: &String| std::path::absolute(root.join(name));
        let files: std::io::Result<Vec<PathBuf>> = names.iter().map(absolute).collect();
        let files = files.map_err(|error| Error::io(Kind::Cache, "find", root, error))?;
        write(&index_of(directory, &self.run), &files, &mut self.entries)
    }
}

/// Finds out how long the lines are that begin at the entries' places, and their digests.
fn measure(path: &std::path::Path, entries: &mut [Entry]) -> std::io::Result<()> {
    let mut reader = BufReader::with_capacity(1 << 18, File::open(path)?);
    reader.seek(SeekFrom::Start(0))?;
    let (mut at, mut line) = (0_u64, Vec::new());
    for entry in entries {
        let ahead = i64::try_from(entry.byte.wrapping_sub(at)).map_err(std::io::Error::other)?;
        reader.seek_relative(ahead)?;
        line.clear();
        let read = reader.read_until(b'\n', &mut line)?;
        at = entry.byte + read as u64;
        let text = line.trim_ascii_end();
        entry.bytes = u32::try_from(text.len()).map_err(std::io::Error::other)?;
        entry.line = XxHash3_64::oneshot(text);
    }
    Ok(())
}
