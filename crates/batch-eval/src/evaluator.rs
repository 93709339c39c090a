//! The tally: one record at a time, memory by classes.

use std::collections::HashMap;

use crate::error::{Error, ErrorKind};
use crate::metrics::{Limited, Metrics};
use crate::options::Options;

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
    /// Records by (expected text, answered text).
    pub(crate) pairs: HashMap<(usize, usize), u64>,
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
        Ok(Self { options, totals: Totals::default(), tables: Some(tables), limited: None })
    }

    /// Counts one record: what was expected, and what the model answered.
    ///
    /// `None` as the answer means that there is none, for whatever reason: it counts as wrong.
    /// A blank answer is the same, so that an empty cell of a results file and an answer that
    /// never came are judged alike. A blank expected value cannot be compared with anything:
    /// the record is counted as unlabelled and nowhere else.
    pub fn add(&mut self, expected: &str, answer: Option<&str>) -> Judgement {
        let normalize = self.options.normalize;
        let expected = normalize.apply(expected);
        if expected.trim().is_empty() {
            self.totals.unlabelled += 1;
            return Judgement::Unlabelled;
        }
        let answer = answer.map(|text| normalize.apply(text)).filter(|text| !text.trim().is_empty());
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

        if let Some(tables) = &mut self.tables
            && let Err(limited) = tables.count(&expected, answer, self.options.max_labels)
        {
            self.limited = Some(limited);
            // Half a table would look like a whole one.
            self.tables = None;
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

    fn count(&mut self, expected: &str, answer: Option<&str>, limit: usize) -> Result<(), Limited> {
        let row = self.label(expected, limit)?;
        self.texts[row].support += 1;
        let Some(answer) = answer else {
            self.texts[row].no_answer += 1;
            return Ok(());
        };
        let unknown = self.texts.len() - self.labels;
        let column = match self.ids.get(answer) {
            Some(&id) => id,
            None if unknown < limit => self.insert(answer, answer.to_owned(), Role::Unknown),
            None => {
                self.texts[row].unlisted += 1;
                return Ok(());
            }
        };
        *self.pairs.entry((row, column)).or_default() += 1;
        Ok(())
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
