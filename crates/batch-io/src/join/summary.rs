//! What a join found, in numbers.

use std::collections::BTreeMap;

use batch_model::prices::UsageTotals;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::columns::ResultColumns;
use super::row::{JoinedRow, Way};
use crate::outcome::Outcome;
use crate::predictions::{Problem, TokenTotals};

/// What a join found. Every record is counted under exactly one outcome, and every line of
/// the predictions files either joined, or under `duplicates`, `unmatched` or `problems`.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct JoinSummary {
    /// Records of the input, and rows written.
    pub records: u64,
    /// Records by outcome.
    pub outcomes: OutcomeCounts,
    /// Lines of the predictions files that are predictions.
    pub predictions: u64,
    /// Predictions that joined, by how they were found.
    pub by_way: WayCounts,
    /// Predictions of a record that has another one. Of several the first that is answered
    /// counts, or else the first.
    pub duplicates: u64,
    /// Predictions that match no record.
    pub unmatched: Listed<Unmatched>,
    /// Records whose key (or label) the service may have retyped together with another
    /// record's, so that the predictions could be either's and were given to neither.
    pub ambiguous: u64,
    /// Lines that could not be read.
    pub problems: Listed<Problem>,
    /// Tokens of the predictions that joined.
    pub tokens: TokenTotals,
    /// Tokens of the predictions that did not, since another one counts or no record is theirs: they were
    /// paid for all the same.
    pub superseded: UsageTotals,
    /// The same by the name of the predictions file that they are in.
    #[serde(skip)]
    pub superseded_by_file: BTreeMap<String, UsageTotals>,
    /// How often each model version answered, among the predictions that joined.
    pub model_versions: BTreeMap<String, u64>,
    /// The first record of each outcome but `answered`.
    pub examples: BTreeMap<Outcome, OutcomeExample>,
    /// All columns of the results.
    #[serde(skip)]
    pub columns: ResultColumns,
    /// The names of the columns that were made of the answers' fields, as written.
    pub field_columns: Vec<String>,
    /// Whether the answers had so many different fields that no columns were made of those
    /// which no schema names. The column `answer` has them all.
    pub too_many_fields: bool,
}

/// Records by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutcomeCounts([u64; Outcome::ALL.len()]);

impl OutcomeCounts {
    /// How many records have this outcome.
    #[must_use]
    pub fn get(&self, outcome: Outcome) -> u64 {
        self.0[outcome as usize]
    }

    /// Every outcome with its count, in order of precedence.
    pub fn iter(&self) -> impl Iterator<Item = (Outcome, u64)> {
        Outcome::ALL.into_iter().zip(self.0)
    }

    /// How many records there are.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

impl FromIterator<(Outcome, u64)> for OutcomeCounts {
    /// Counts of somebody else's; those of one outcome are added up.
    fn from_iter<T: IntoIterator<Item = (Outcome, u64)>>(counts: T) -> Self {
        let mut this = Self::default();
        for (outcome, count) in counts {
            this.0[outcome as usize] += count;
        }
        this
    }
}

impl Serialize for OutcomeCounts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (outcome, count) in self.iter() {
            map.serialize_entry(outcome.as_str(), &count)?;
        }
        map.end()
    }
}

/// Predictions that joined, by how they were found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct WayCounts {
    /// By the key.
    pub key: u64,
    /// By a label.
    pub label: u64,
    /// By the echoed request.
    pub request: u64,
}

/// How many there are, and the first of them.
#[derive(Clone, Debug, Serialize)]
pub struct Listed<T> {
    /// How many there are.
    pub count: u64,
    /// The first, up to [`Listed::MOST`].
    pub first: Vec<T>,
}

impl<T> Listed<T> {
    /// No more than this many are listed.
    pub const MOST: usize = 20;

    pub(super) fn push(&mut self, item: T) {
        self.count += 1;
        if self.first.len() < Self::MOST {
            self.first.push(item);
        }
    }

    /// Adds another list behind this one, each item of it changed so.
    pub(super) fn extend(&mut self, other: Self, change: impl Fn(&mut T)) {
        self.count += other.count;
        let room = Self::MOST.saturating_sub(self.first.len());
        self.first.extend(other.first.into_iter().take(room).map(|mut item| {
            change(&mut item);
            item
        }));
    }
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self { count: 0, first: Vec::new() }
    }
}

/// A prediction that matches no record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Unmatched {
    /// Its file.
    pub file: String,
    /// Its line, from 1.
    pub line: u64,
    /// The offset of the line in bytes, from 0.
    pub byte: u64,
    /// Its key as text; `None` if it has none.
    pub key: Option<String>,
}

/// A record that shows what an outcome is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct OutcomeExample {
    /// The record's index, from 0.
    pub index: u64,
    /// The record's key.
    pub key: String,
    /// The column `detail`.
    pub detail: String,
}

impl JoinSummary {
    pub(super) fn add(&mut self, row: &JoinedRow<'_>) {
        self.records += 1;
        self.outcomes.0[row.outcome as usize] += 1;
        if row.outcome != Outcome::Answered {
            self.examples.entry(row.outcome).or_insert_with(|| OutcomeExample {
                index: row.record.index(),
                key: row.key.to_owned(),
                detail: row.detail.to_owned(),
            });
        }
        self.tokens += &row.usage();
        if let Some(version) = row.model_version() {
            match self.model_versions.get_mut(version) {
                Some(count) => *count += 1,
                None => _ = self.model_versions.insert(version.to_owned(), 1),
            }
        }
        match row.found.map(|found| found.way) {
            Some(Way::Key) => self.by_way.key += 1,
            Some(Way::Label) => self.by_way.label += 1,
            Some(Way::Request) => self.by_way.request += 1,
            None => {}
        }
    }
}
