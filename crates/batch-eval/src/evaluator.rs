//! The tally: one record at a time, memory by classes.

use std::collections::HashMap;

use crate::error::{Error, ErrorKind};
use crate::metrics::{Limited, Metrics};
use crate::options::Options;
use crate::recent::Recent;

/// Counts records one at a time and gives their [`Metrics`].
///
/// ```
/// use batch_eval::{Evaluator, Options};
///
/// let mut evaluator = Evaluator::new(Options::default())?;
/// evaluator.add("games", Some("games"));
/// assert_eq!(evaluator.finish().accuracy, Some(1.0));
/// # Ok::<(), batch_eval::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Evaluator {
    options: Options,
    totals: Totals,
    /// `None` once a limit was passed; the reason is in `limited`.
    tables: Option<Tables>,
    limited: Option<Limited>,
    /// Answered records like those that were counted, with what they add to in the tables there are.
    recent: Recent<Cell>,
}

/// What [`Evaluator::add`] made of one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Judgement {
    /// The answer is the expected value.
    Correct,
    /// The answer is another text. Whether that text is a label is known only at the end.
    Wrong,
    /// There is no answer, or a blank one.
    NotAnswered,
    /// There is no expected value, or a blank one: nothing to compare with.
    Unlabelled,
}

/// The counts that need no labels.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) total: u64,
    pub(crate) unlabelled: u64,
    pub(crate) answered: u64,
    pub(crate) correct: u64,
}

/// The counts by text. A text is a label, or an answer that is no label so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tables {
    ids: HashMap<String, usize>,
    pub(crate) texts: Vec<Text>,
    /// How many texts are labels; the others are answers that no record expected so far.
    labels: usize,
    /// Where in `pairs` that of an expected and an answered text is.
    cells: HashMap<(usize, usize), usize>,
    /// (Expected text, answered text, records), each two texts once.
    pub(crate) pairs: Vec<(usize, usize, u64)>,
}

/// What an answered record adds to, besides the totals.
#[derive(Clone, Copy, Debug)]
struct Cell {
    /// The text that it expects.
    row: usize,
    /// Where its texts are among the pairs.
    pair: usize,
    is_correct: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Text {
    /// As shown: the given spelling of a given label, else the normalised text.
    pub(crate) shown: String,
    pub(crate) role: Role,
    /// Records that expected this text.
    pub(crate) support: u64,
    /// Of these, records without an answer.
    pub(crate) no_answer: u64,
    /// Of these, records whose answer is no label and was not remembered.
    pub(crate) unlisted: u64,
}

/// Why a text is in the table. The order is the order of labels: given ones first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// A label from the options, at this place.
    Given(usize),
    /// A label because a record expects it.
    Seen,
    /// An answer that no record expected so far.
    Unknown,
}

impl Evaluator {
    /// An evaluator that has seen nothing yet.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::EmptyLabel`] and [`ErrorKind::DuplicateLabel`], where
    /// [`Options::labels`] holds a label that is blank, or two that are the same, under
    /// [`Options::normalize`].
    pub fn new(options: Options) -> Result<Self, Error> {
        let mut tables = Tables::default();
        for (place, label) in options.labels.iter().flatten().enumerate() {
            let text = options.normalize.apply(label);
            if text.trim().is_empty() {
                return Err(Error::new(
                    ErrorKind::EmptyLabel,
                    format!("label {} of the label set is blank", place + 1),
                    "Remove it: a record without an answer is counted as such, and needs no label.",
                ));
            }
            if let Some(&first) = tables.ids.get(&*text) {
                return Err(Error::new(
                    ErrorKind::DuplicateLabel,
                    format!(
                        "labels {} ({:?}) and {} ({label:?}) of the label set are the same label",
                        first + 1,
                        tables.texts[first].shown,
                        place + 1,
                    ),
                    "Remove one of them, or compare less leniently (case, punctuation, spaces).",
                ));
            }
            tables.insert(&text, label.clone(), Role::Given(place));
        }
        Ok(Self { options, totals: Totals::default(), tables: Some(tables), limited: None, recent: Recent::new() })
    }

    /// Counts one record: what was expected, and what the model answered.
    ///
    /// `None` as the answer means that there is none, for whatever reason: it counts as wrong.
    /// A blank answer is the same, so that an empty cell of a results file and an answer that
    /// never came are judged alike. A blank expected value cannot be compared with anything:
    /// the record is counted as unlabelled and nowhere else.
    pub fn add(&mut self, expected: &str, answer: Option<&str>) -> Judgement {
        if let (Some(tables), Some(answer)) = (&mut self.tables, answer)
            && let Some(cell) = self.recent.get(expected, answer)
        {
            self.totals.total += 1;
            self.totals.answered += 1;
            self.totals.correct += u64::from(cell.is_correct);
            tables.texts[cell.row].support += 1;
            tables.pairs[cell.pair].2 += 1;
            return if cell.is_correct { Judgement::Correct } else { Judgement::Wrong };
        }
        self.add_unknown(expected, answer)
    }

    /// The same for a record of which nothing is known.
    fn add_unknown(&mut self, as_expected: &str, as_answered: Option<&str>) -> Judgement {
        let normalize = self.options.normalize;
        let expected = normalize.apply(as_expected);
        if expected.trim().is_empty() {
            self.totals.unlabelled += 1;
            return Judgement::Unlabelled;
        }
        let answer = as_answered.map(|text| normalize.apply(text)).filter(|text| !text.trim().is_empty());
        let answer = answer.as_deref();

        self.totals.total += 1;
        let judgement = match answer {
            None => Judgement::NotAnswered,
            Some(answer) => {
                self.totals.answered += 1;
                if answer == expected {
                    self.totals.correct += 1;
                    Judgement::Correct
                } else {
                    Judgement::Wrong
                }
            }
        };

        if let Some(tables) = &mut self.tables {
            match tables.count(&expected, answer, self.options.max_labels) {
                // What is in the tables stays there, and so does the place of it.
                Ok(Some((row, pair))) => {
                    let cell = Cell { row, pair, is_correct: judgement == Judgement::Correct };
                    self.recent.put(as_expected, as_answered.unwrap_or_default(), cell);
                }
                Ok(None) => {}
                Err(limited) => {
                    self.limited = Some(limited);
                    // Half a table would look like a whole one.
                    self.tables = None;
                }
            }
        }
        judgement
    }

    /// The metrics of the records so far. More may be added afterwards.
    #[must_use]
    pub fn finish(&self) -> Metrics {
        crate::metrics::compute(&self.options, &self.totals, self.tables.as_ref(), self.limited)
    }
}

impl Tables {
    fn insert(&mut self, text: &str, shown: String, role: Role) -> usize {
        let id = self.texts.len();
        self.ids.insert(text.to_owned(), id);
        self.texts.push(Text { shown, role, support: 0, no_answer: 0, unlisted: 0 });
        if role != Role::Unknown {
            self.labels += 1;
        }
        id
    }

    /// Counts a record, and tells the text that it expects and its pair; `None` where it adds to none.
    fn count(&mut self, expected: &str, answer: Option<&str>, limit: usize) -> Result<Option<(usize, usize)>, Limited> {
        let row = self.label(expected, limit)?;
        self.texts[row].support += 1;
        let Some(answer) = answer else {
            self.texts[row].no_answer += 1;
            return Ok(None);
        };
        let unknown = self.texts.len() - self.labels;
        let column = match self.ids.get(answer) {
            Some(&id) => id,
            None if unknown < limit => self.insert(answer, answer.to_owned(), Role::Unknown),
            None => {
                self.texts[row].unlisted += 1;
                return Ok(None);
            }
        };
        let pair = *self.cells.entry((row, column)).or_insert_with(|| {
            self.pairs.push((row, column, 0));
            self.pairs.len() - 1
        });
        self.pairs[pair].2 += 1;
        Ok(Some((row, pair)))
    }

    /// Records that expect this text and are answered with it.
    pub(crate) fn correct(&self, text: usize) -> u64 {
        self.cells.get(&(text, text)).map_or(0, |&pair| self.pairs[pair].2)
    }

    /// The text that a record expects, which is a label from now on.
    fn label(&mut self, expected: &str, limit: usize) -> Result<usize, Limited> {
        let known = self.ids.get(expected).copied();
        if let Some(id) = known.filter(|&id| self.texts[id].role != Role::Unknown) {
            return Ok(id);
        }
        if limit <= self.labels {
            return Err(Limited::TooManyLabels);
        }
        match known {
            Some(id) => {
                self.texts[id].role = Role::Seen;
                self.labels += 1;
                Ok(id)
            }
            // Answers that were not remembered may have named this label.
            None if self.texts.iter().any(|text| 0 < text.unlisted) => Err(Limited::LateLabel),
            None => Ok(self.insert(expected, expected.to_owned(), Role::Seen)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Normalize;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        /// Also where limits are passed on the way, and after white space and case.
        #[test]
        fn what_was_seen_before_counts_as_what_is_new(
            records in proptest::collection::vec(
                ("[abcdé ]|tech|Tech", proptest::option::weighted(0.9, "[abcdefgé ]| tech|tech |x{40}")),
                0..80,
            ),
            max_labels in 0..9_usize,
            given in proptest::option::of(Just(vec!["a".to_owned(), "never".to_owned()])),
            case_fold: bool,
        ) {
            let normalize = Normalize { case_fold, ..Normalize::default() };
            let options = Options { max_labels, labels: given, normalize, ..Options::default() };
            let mut quick = Evaluator::new(options).unwrap();
            let mut slow = quick.clone();
            for (expected, answer) in &records {
                let answer = answer.as_deref();
                prop_assert_eq!(quick.add(expected, answer), slow.add_unknown(expected, answer));
                prop_assert_eq!(quick.finish(), slow.finish());
            }
        }
    }
}
