//! All predictions of a join: the index over them, and the lines behind it.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::ops::Range;
use std::sync::Arc;

use batch_model::prices::UsageTotals;

use super::files::FileSet;
use super::identity::Hash96;
use super::index::{Entry, EntryId, Index, Reply};
use super::scan::Scan;
use super::summary::{Listed, Unmatched};
use crate::error::Result;
use crate::outcome::Outcome;
use crate::predictions::{AnswerFormat, Formats, KeptAnswers, Prediction, Reading, Span, key_text};

#[derive(Debug)]
pub(super) struct Predictions {
    pub(super) files: FileSet,
    formats: Formats,
    /// The format of all of them, where they have one.
    common: Option<Arc<AnswerFormat>>,
    index: Index,
    kept: KeptAnswers,
    /// Where in their lines the responses lie of which nothing was kept.
    responses: Vec<Span>,
    /// How many have no key.
    keyless: usize,
    /// Taken by a record that has another one.
    pub(super) duplicates: u64,
    /// What the predictions that do not count had in tokens, by their file.
    pub(super) superseded: BTreeMap<String, UsageTotals>,
    taken: usize,
}

impl Predictions {
    /// Takes out of a scan of these files what is looked up later.
    pub(super) fn new(files: FileSet, scan: &mut Scan) -> Self {
        let mut formats = std::mem::take(&mut scan.formats);
        Self {
            files,
            common: formats.common(),
            formats,
            index: Index::new(std::mem::take(&mut scan.entries)),
            kept: std::mem::take(&mut scan.kept),
            responses: std::mem::take(&mut scan.responses),
            keyless: scan.keyless,
            duplicates: 0,
            superseded: BTreeMap::new(),
            taken: 0,
        }
    }

    pub(super) fn len(&self) -> u64 {
        self.index.len() as u64
    }

    /// The prediction of a key as it is, taken out of the index with its duplicates.
    pub(super) fn by_key(&mut self, key: &str) -> Result<Option<EntryId>> {
        self.take_group(self.group(Hash96::exact(key)))
    }

    /// The one of a group that counts, taken out of the index with the others.
    pub(super) fn take_group(&mut self, group: Range<EntryId>) -> Result<Option<EntryId>> {
        match group.len() {
            0 => Ok(None),
            1 => {
                self.take(group.start);
                Ok(Some(group.start))
            }
            _ => self.choose(&group.collect::<Vec<_>>()).map(Some),
        }
    }

    pub(super) fn group(&self, hash: Hash96) -> Range<EntryId> {
        self.index.group(hash)
    }

    /// Has the memory brought in that [`group`](Self::group) will look at.
    pub(super) fn touch(&self, hash: Hash96) {
        self.index.touch(hash);
    }

    /// The same for what stands behind an entry's name.
    pub(super) fn touch_entry(&self, entry: EntryId) {
        black_box(self.index.entry(entry).reply());
    }

    /// The same for what was kept of an entry's answer.
    pub(super) fn touch_reply(&self, entry: EntryId) {
        if let Reply::Kept(number) = self.index.entry(entry).reply() {
            self.kept.touch(number);
        }
    }

    /// All entries with the hash of this one.
    pub(super) fn group_of(&self, entry: EntryId) -> Vec<EntryId> {
        self.index.group(self.index.entry(entry).hash()).collect()
    }

    /// Of several predictions of one record the one that counts: the first that is
    /// answered, or else the first. All are taken.
    pub(super) fn choose(&mut self, group: &[EntryId]) -> Result<EntryId> {
        Ok(self.choose_several(group, 1)?[0])
    }

    /// Of several predictions of `count` equal records those that count, in their order:
    /// first come those that are answered. All are taken.
    ///
    /// `group` is not empty; fewer than `count` come out where it has fewer.
    pub(super) fn choose_several(&mut self, group: &[EntryId], count: usize) -> Result<Vec<EntryId>> {
        let mut chosen = group.to_vec();
        if count < group.len() {
            let mut failed = Vec::new();
            chosen.clear();
            for &entry in group {
                let is_answered = self.is_answered(entry)?;
                if is_answered { &mut chosen } else { &mut failed }.push(entry);
            }
            chosen.extend(failed);
            chosen.truncate(count);
            chosen.sort_unstable_by_key(|&entry| self.index.entry(entry).place());
            self.duplicates += (group.len() - count) as u64;
            for &entry in group.iter().filter(|entry| !chosen.contains(entry)) {
                self.supersede(entry)?;
            }
        }
        for &entry in group {
            self.take(entry);
        }
        Ok(chosen)
    }

    /// The one that counts of a prediction that is taken already and of a group that is not: the first that
    /// is answered, or else the first. All are taken.
    pub(super) fn choose_beside(&mut self, taken: EntryId, group: &[EntryId]) -> Result<EntryId> {
        let mut all: Vec<EntryId> = group.iter().copied().chain([taken]).collect();
        all.sort_unstable_by_key(|&entry| self.index.entry(entry).place());
        let mut chosen = all[0];
        for &entry in &all {
            if self.is_answered(entry)? {
                chosen = entry;
                break;
            }
        }
        for entry in all.into_iter().filter(|entry| *entry != chosen) {
            self.supersede(entry)?;
        }
        self.duplicates += group.len() as u64;
        for &entry in group {
            self.take(entry);
        }
        Ok(chosen)
    }

    fn take(&mut self, entry: EntryId) {
        self.index.take(entry);
        self.taken += 1;
    }

    /// Counts the tokens of a prediction that counts for nothing else.
    fn supersede(&mut self, entry: EntryId) -> Result<()> {
        let (counts, file) = self.with_reading(entry, |reading, file, _| (reading.usage.counts(), file.to_owned()))?;
        if let Some(counts) = counts {
            self.superseded.entry(file).or_default().add_counts(&counts);
        }
        Ok(())
    }

    fn is_answered(&mut self, entry: EntryId) -> Result<bool> {
        self.with_reading(entry, |reading, _, _| reading.outcome == Outcome::Answered)
    }

    pub(super) fn read(&mut self, entry: EntryId) -> Result<Prediction<'_>> {
        Ok(self.files.prediction(self.index.entry(entry))?.0)
    }

    /// Reads what a prediction says, with its file and the offset of its line.
    pub(super) fn with_reading<T>(
        &mut self,
        entry: EntryId,
        read: impl FnOnce(&Reading<'_>, &str, u64) -> T,
    ) -> Result<T> {
        let entry: &Entry = self.index.entry(entry);
        match (entry.reply(), &self.common) {
            (Reply::Kept(number), Some(format)) => {
                if let Some(reading) = Reading::of_kept(&self.kept, number, format) {
                    return Ok(read(&reading, self.files.name(entry.place()), entry.place().byte()));
                }
            }
            (Reply::Response(number), Some(format)) => {
                if let Some(&span) = self.responses.get(number as usize) {
                    let (reading, file) = self.files.response(entry, span, format)?;
                    return Ok(read(&reading, file, entry.place().byte()));
                }
            }
            (Reply::Line, Some(format)) => {
                if let Some((reading, file)) = self.files.line(entry, format)? {
                    return Ok(read(&reading, file, entry.place().byte()));
                }
            }
            (_, None) => {}
        }
        let (prediction, file) = self.files.prediction(entry)?;
        let format = self.formats.of(prediction.request.as_deref());
        Ok(read(&prediction.read(&format), file, entry.place().byte()))
    }

    /// The predictions without a key whose label this is, as it is or as the import has retyped it;
    /// `None` where predictions with a key are left too, which the index does not know by their label.
    pub(super) fn by_label(&self, label: &str) -> Option<Range<EntryId>> {
        if self.index.len() - self.taken != self.keyless {
            return None;
        }
        let exact = self.index.group(Hash96::exact(label).in_place_of_a_key());
        if !exact.is_empty() {
            return Some(exact);
        }
        Some(Hash96::retyped(label).map(|hash| self.index.group(hash.in_place_of_a_key())).unwrap_or_default())
    }

    /// Whether no prediction has a key, and there are some.
    pub(super) fn has_no_keys(&self) -> bool {
        0 < self.keyless && self.keyless == self.index.len()
    }

    pub(super) fn has_left(&self) -> bool {
        self.taken < self.index.len()
    }

    /// Those that were not taken, in the order of files and lines.
    pub(super) fn left(&self) -> Vec<EntryId> {
        self.index.left()
    }

    pub(super) fn unmatched(&mut self) -> Result<Listed<Unmatched>> {
        if !self.has_left() {
            return Ok(Listed::default());
        }
        let left = self.left();
        let mut unmatched = Listed { count: left.len() as u64, first: Vec::new() };
        for &entry in &left {
            self.supersede(entry)?;
        }
        for entry in left.into_iter().take(Listed::<Unmatched>::MOST) {
            let place = self.index.entry(entry).place();
            let line = self.files.line_number(place)?;
            let file = self.files.name(place).to_owned();
            let key = self.read(entry)?.key().map(key_text);
            unmatched.first.push(Unmatched { file, line, byte: place.byte(), key });
        }
        Ok(unmatched)
    }
}
