//! Which prediction is whose, where the key alone does not tell.

use std::collections::HashSet;
use std::io::Read;
use std::path::Path;

use serde_json::value::RawValue;

use super::files::PredictionFile;
use super::identity::Hash96;
use super::index::EntryId;
use super::pass::Pass;
use super::predictions::Predictions;
use super::row::Way;
use crate::canonical::canonical_hash;
use crate::error::{Error, ErrorKind, Position, Result};
use crate::predictions::{Line, Prediction, PredictionLines, key_text};
use crate::template::Template;

/// The prediction of each record, in 5 bytes a record.
///
/// The ways are gone through one after the other, each for all records, so that no
/// prediction is given away by a weaker way before its own record could claim it by a
/// stronger one.
#[derive(Debug, Default)]
pub(super) struct Matches {
    entries: Vec<EntryId>,
    states: Vec<State>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// No prediction so far.
    Open,
    /// No prediction, since more than one record could claim it.
    Ambiguous,
    /// None is looked for.
    Skipped,
    /// One that was found in this way.
    Found(Way),
}

/// A group of predictions, by its first, and a record that claims it.
type Claim = (EntryId, u32);

impl Matches {
    /// The record's state, and its prediction where one was found; `None` for a record that
    /// was not there when the matches were made.
    pub(super) fn get(&self, record: u64) -> Option<(State, EntryId)> {
        let record = usize::try_from(record).ok()?;
        Some((*self.states.get(record)?, self.entries[record]))
    }

    pub(super) fn len(&self) -> u64 {
        self.states.len() as u64
    }

    fn has_open(&self) -> bool {
        self.states.iter().any(|state| matches!(state, State::Open | State::Ambiguous))
    }

    fn is_open(&self, record: u32) -> bool {
        matches!(self.states.get(record as usize), Some(State::Open | State::Ambiguous))
    }

    fn set(&mut self, record: u32, entry: EntryId, way: Way) {
        self.entries[record as usize] = entry;
        self.states[record as usize] = State::Found(way);
    }

    /// The first way: by the key, as it is or as the import has retyped it.
    pub(super) fn by_key<R: Read>(pass: &mut Pass<'_, R>, predictions: &mut Predictions) -> Result<Self> {
        let mut matches = Self::default();
        let mut claims: Vec<Claim> = Vec::new();
        // Records that have a prediction, and the retyped spelling of their key.
        let mut others: Vec<Claim> = Vec::new();
        while pass.read()? {
            let (record, key) = (pass.record(), pass.key());
            let number = number(record.index())?;
            let (mut entry, mut state) = (EntryId::MAX, State::Open);
            if pass.is_skipped(record) {
                state = State::Skipped;
            } else if let Some(found) = predictions.by_key(key)? {
                (entry, state) = (found, State::Found(Way::Key));
                let group = Hash96::retyped(key).map(|hash| predictions.group(hash)).unwrap_or_default();
                others.extend((!group.is_empty()).then_some((group.start, number)));
            } else if let Some(hash) = Hash96::retyped(key) {
                let group = predictions.group(hash);
                claims.extend((!group.is_empty()).then_some((group.start, number)));
            }
            matches.entries.push(entry);
            matches.states.push(state);
        }
        let claimed: HashSet<EntryId> = claims.iter().map(|(first, _)| *first).collect();
        others.retain(|(first, _)| !claimed.contains(first));
        matches.settle(claims, Way::Key, |first| predictions.choose(&predictions.group_of(first)))?;
        matches.merge(others, predictions)?;
        Ok(matches)
    }

    /// Gives predictions under a retyped key to the record that has one under the key as it is, where no
    /// other record can be meant: a job of digits alone, such as a retry, retypes what another job left.
    fn merge(&mut self, mut others: Vec<Claim>, predictions: &mut Predictions) -> Result<()> {
        others.sort_unstable();
        for claims in others.chunk_by(|one, other| one.0 == other.0) {
            if let &[(first, record)] = claims {
                let group = predictions.group_of(first);
                let entry = &mut self.entries[record as usize];
                *entry = predictions.choose_beside(*entry, &group)?;
            }
        }
        Ok(())
    }

    /// The second way: by a label of the echoed request, among what is left.
    pub(super) fn by_label<R: Read>(
        &mut self,
        pass: &mut Pass<'_, R>,
        predictions: &mut Predictions,
        name: &str,
        template: &Template,
    ) -> Result<()> {
        // The index knows predictions without a key by their label; others are read for theirs.
        let left = match predictions.by_label("") {
            Some(_) => None,
            None => Some(SideIndex::new(predictions, |prediction| Some(Hash96::of(prediction.label(name)?)?.0))?),
        };
        let mut claims: Vec<Claim> = Vec::new();
        let mut label = String::new();
        while pass.read()? {
            let (record, key) = (pass.record(), pass.key());
            let number = number(record.index())?;
            if self.states.get(number as usize) == Some(&State::Skipped) {
                continue;
            }
            label.clear();
            template.render(record, key, &mut label)?;
            let found = match &left {
                Some(left) => left.first(Hash96::exact(&label)).or_else(|| left.first(Hash96::retyped(&label)?)),
                None => predictions.by_label(&label).filter(|group| !group.is_empty()).map(|group| group.start),
            };
            // Records that have their prediction claim too: a label that several records
            // share tells nothing.
            claims.extend(found.map(|first| (first, number)));
        }
        self.settle(claims, Way::Label, |first| match &left {
            Some(left) => predictions.choose(left.group(first)),
            None => predictions.choose(&predictions.group_of(first)),
        })
    }

    /// The third way: by the whole request, among what is left. Equal requests share their
    /// predictions, one each in the order of both.
    pub(super) fn by_request<R: Read>(
        &mut self,
        pass: &mut Pass<'_, R>,
        predictions: &mut Predictions,
        requests: &Path,
    ) -> Result<()> {
        let left = SideIndex::new(predictions, |prediction| {
            Some(Hash96::from_u128(canonical_hash(prediction.request.as_deref()?)))
        })?;
        let mut lines = RequestLines::open(requests)?;
        let mut claims: Vec<Claim> = Vec::new();
        while pass.read()? {
            let (record, key) = (pass.record(), pass.key());
            let number = number(record.index())?;
            let Some(hash) = lines.next_for(key)? else { continue };
            if self.is_open(number) {
                claims.extend(left.first(hash).map(|first| (first, number)));
            }
        }
        lines.finish(self.len())?;
        claims.sort_unstable();
        for claims in claims.chunk_by(|one, other| one.0 == other.0) {
            let chosen = predictions.choose_several(left.group(claims[0].0), claims.len())?;
            for (&(_, record), entry) in claims.iter().zip(chosen) {
                self.set(record, entry, Way::Request);
            }
        }
        Ok(())
    }

    /// Gives a group of predictions to the record that is alone in claiming it.
    fn settle(
        &mut self,
        mut claims: Vec<Claim>,
        way: Way,
        mut choose: impl FnMut(EntryId) -> Result<EntryId>,
    ) -> Result<()> {
        claims.sort_unstable();
        for claims in claims.chunk_by(|one, other| one.0 == other.0) {
            match claims {
                &[(first, record)] if self.is_open(record) => self.set(record, choose(first)?, way),
                [_] => {}
                several => {
                    for &(_, record) in several {
                        if self.is_open(record) {
                            self.states[record as usize] = State::Ambiguous;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether another way could find anything.
    pub(super) fn is_worth_going_on(&self, predictions: &Predictions) -> bool {
        predictions.has_left() && self.has_open()
    }
}

/// The predictions that are left, by another hash than that of their keys.
#[derive(Debug)]
struct SideIndex {
    hashes: Vec<(Hash96, EntryId)>,
    entries: Vec<EntryId>,
}

impl SideIndex {
    fn new(predictions: &mut Predictions, mut hash: impl FnMut(&Prediction<'_>) -> Option<Hash96>) -> Result<Self> {
        let mut hashes = Vec::new();
        for entry in predictions.left() {
            hashes.extend(hash(&predictions.read(entry)?).map(|hash| (hash, entry)));
        }
        // Stable: those of one hash stay in the order of their places.
        hashes.sort_by_key(|(hash, _)| *hash);
        let entries = hashes.iter().map(|(_, entry)| *entry).collect();
        Ok(Self { hashes, entries })
    }

    /// Names the group of a hash, if there is one.
    fn first(&self, hash: Hash96) -> Option<u32> {
        let first = self.hashes.partition_point(|(other, _)| *other < hash);
        (self.hashes.get(first)?.0 == hash).then(|| u32::try_from(first).ok())?
    }

    fn group(&self, first: u32) -> &[EntryId] {
        let rest = &self.hashes[first as usize..];
        let hash = rest.first().map(|(hash, _)| *hash);
        let length = rest.partition_point(|(other, _)| Some(*other) <= hash);
        &self.entries[first as usize..first as usize + length]
    }
}

/// Our own request lines, walked through beside the records: they are in the same order,
/// and some records may have none.
struct RequestLines {
    name: String,
    lines: PredictionLines<std::fs::File>,
    pending: Option<Pending>,
    read: u64,
    has_keyless: bool,
}

struct Pending {
    key: Option<String>,
    hash: Hash96,
    line: u64,
}

impl RequestLines {
    fn open(path: &Path) -> Result<Self> {
        let file = PredictionFile::from(path);
        let mut lines =
            Self { name: file.name().to_owned(), lines: file.lines()?, pending: None, read: 0, has_keyless: false };
        lines.advance()?;
        Ok(lines)
    }

    fn advance(&mut self) -> Result<()> {
        self.pending = match self.lines.next_line()? {
            None => None,
            Some(line) => {
                let (key, hash) =
                    read_request_line(&line, |key, request| (key, Hash96::from_u128(canonical_hash(request))))?;
                self.read += 1;
                self.has_keyless |= key.is_none();
                Some(Pending { key, hash, line: line.number() })
            }
        };
        Ok(())
    }

    /// The hash of the record's request, if it has a line.
    fn next_for(&mut self, key: &str) -> Result<Option<Hash96>> {
        let Some(pending) = &self.pending else { return Ok(None) };
        if pending.key.as_deref().is_some_and(|other| other != key) {
            return Ok(None);
        }
        let hash = pending.hash;
        self.advance()?;
        Ok(Some(hash))
    }

    fn finish(&self, records: u64) -> Result<()> {
        let position = Position::file(&self.name);
        match &self.pending {
            Some(Pending { key: Some(key), line, .. }) => {
                Err(Error::new(ErrorKind::Setting, "no record that follows has this request line's key")
                    .at(position.line(*line).key(key))
                    .with_hint("give the request lines that were built of this input, with the same key column"))
            }
            Some(Pending { key: None, line, .. }) => {
                Err(Error::new(ErrorKind::Setting, format!("more request lines than the input's {records} records"))
                    .at(position.line(*line))
                    .with_hint("give the request lines that were built of this input"))
            }
            None if self.has_keyless && self.read < records => Err(Error::new(
                ErrorKind::Setting,
                format!("{} request lines without keys for {records} records", self.read),
            )
            .at(position)
            .with_hint("without keys there must be one line for each record, in the same order")),
            None => Ok(()),
        }
    }
}

/// Gives the key and the request of one of our own lines to `read`.
pub(super) fn read_request_line<T>(line: &Line<'_>, read: impl FnOnce(Option<String>, &RawValue) -> T) -> Result<T> {
    let position = || Position::file(line.file()).line(line.number()).byte(line.byte());
    let hint = "a request line is {\"key\": …, \"request\": …}";
    let parsed = line
        .prediction()
        .map_err(|problem| Error::new(ErrorKind::Json, problem.message).at(position()).with_hint(hint))?;
    match &parsed.request {
        Some(request) => Ok(read(parsed.key().map(key_text), request)),
        None => Err(Error::new(ErrorKind::Json, "the line has no request").at(position()).with_hint(hint)),
    }
}

fn number(record: u64) -> Result<u32> {
    u32::try_from(record).map_err(|_| {
        Error::new(ErrorKind::TooLong, "more records than can be matched at once").with_hint("join the input in parts")
    })
}
