//! What was expected against what was answered: as a matrix, and as a list of the worst.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};

use crate::evaluator::{Role, Tables};

/// The confusion matrix: a row for each expected label, a column for each answered one, and
/// columns for what is no label.
///
/// The counts of all rows add up to [`Metrics::total`](crate::Metrics::total).
///
/// Up to [`Options::max_matrix`](crate::Options::max_matrix) labels are shown: those with the
/// largest support, in label order. The others share one row, whose
/// [`label`](ConfusionRow::label) is `None` and which comes last, and one column,
/// [`other_labels`](ConfusionRow::other_labels), so that nothing is lost from the sums.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Confusion {
    /// The labels that have a row and a column of their own, in label order.
    pub labels: Vec<String>,
    /// How many labels share a row and a column.
    pub folded_labels: u64,
    /// One row a label, in the order of [`labels`](Self::labels); then the shared one, if any.
    pub rows: Vec<ConfusionRow>,
    /// The sum of every column.
    pub totals: ConfusionTotals,
}

/// What became of the records that expect one label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ConfusionRow {
    /// The expected label; `None` for those that share a row.
    pub label: Option<String>,
    /// Records by answered label, in the order of [`Confusion::labels`].
    pub counts: Vec<u64>,
    /// Records whose answer is one of the labels that share a column. In the shared row this
    /// holds right and wrong answers.
    pub other_labels: u64,
    /// Records whose answer is no label.
    pub unknown_label: u64,
    /// Records without an answer.
    pub no_answer: u64,
    /// Records that expect the label: the sum of all of these.
    pub total: u64,
}

/// The sums of the columns of a [`Confusion`] matrix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ConfusionTotals {
    /// Records by answered label, in the order of [`Confusion::labels`].
    pub counts: Vec<u64>,
    /// Records whose answer is one of the labels that share a column.
    pub other_labels: u64,
    /// Records whose answer is no label.
    pub unknown_label: u64,
    /// Records without an answer.
    pub no_answer: u64,
    /// All records.
    pub total: u64,
}

impl Confusion {
    /// The records that expect one label and were answered with another (or the same).
    /// `None` where a label has no row of its own.
    #[must_use]
    pub fn count(&self, expected: &str, answer: &str) -> Option<u64> {
        let place = |label: &str| self.labels.iter().position(|shown| shown == label);
        self.rows.get(place(expected)?)?.counts.get(place(answer)?).copied()
    }
}

/// The most frequent wrong answers: what to read when there are too many classes for a matrix.
///
/// Records without an answer are not in it; they are in the matrix. Of the answers that are
/// no label, the first [`Options::max_labels`](crate::Options::max_labels) distinct ones are
/// remembered and can be listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TopConfusions {
    /// The largest counts first; among equals, in label order of what was expected, then of
    /// what was answered, then unknown labels in order of their code points.
    pub pairs: Vec<PairCount>,
    /// Wrongly answered records that are in none of [`pairs`](Self::pairs).
    pub left_out: u64,
}

/// How often one label was answered with one other text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PairCount {
    /// The expected label.
    pub expected: String,
    /// The answer.
    pub answer: String,
    /// Whether the answer is a label.
    pub known: bool,
    /// How many records.
    pub count: u64,
}

/// The matrix over `order`, all labels in label order, with rows for at most `limit`.
pub(crate) fn matrix(tables: &Tables, order: &[usize], limit: usize) -> Confusion {
    let mut shown = order.to_vec();
    // Stable: among labels of equal support the first in label order stay.
    shown.sort_by_key(|&id| Reverse(tables.texts[id].support));
    shown.truncate(limit);
    let mut place = vec![None; tables.texts.len()];
    for &id in &shown {
        place[id] = Some(0);
    }
    let labels: Vec<usize> = order.iter().copied().filter(|&id| place[id].is_some()).collect();
    for (row, &id) in labels.iter().enumerate() {
        place[id] = Some(row);
    }

    let folded = order.len() - labels.len();
    let empty = |label: Option<String>| ConfusionRow {
        label,
        counts: vec![0; labels.len()],
        other_labels: 0,
        unknown_label: 0,
        no_answer: 0,
        total: 0,
    };
    let mut rows: Vec<ConfusionRow> = labels.iter().map(|&id| empty(Some(tables.texts[id].shown.clone()))).collect();
    if 0 < folded {
        rows.push(empty(None));
    }

    for &id in order {
        let text = &tables.texts[id];
        let row = &mut rows[place[id].unwrap_or(labels.len())];
        row.no_answer += text.no_answer;
        row.unknown_label += text.unlisted;
        row.total += text.support;
    }
    for &(expected, answer, count) in &tables.pairs {
        let row = &mut rows[place[expected].unwrap_or(labels.len())];
        match (place[answer], tables.texts[answer].role) {
            (Some(column), _) => row.counts[column] += count,
            (None, Role::Unknown) => row.unknown_label += count,
            (None, Role::Given(_) | Role::Seen) => row.other_labels += count,
        }
    }

    let sum = |cell: &dyn Fn(&ConfusionRow) -> u64| rows.iter().map(cell).sum::<u64>();
    let totals = ConfusionTotals {
        counts: (0..labels.len()).map(|column| sum(&|row| row.counts[column])).collect(),
        other_labels: sum(&|row| row.other_labels),
        unknown_label: sum(&|row| row.unknown_label),
        no_answer: sum(&|row| row.no_answer),
        total: sum(&|row| row.total),
    };
    Confusion {
        labels: labels.iter().map(|&id| tables.texts[id].shown.clone()).collect(),
        folded_labels: folded as u64,
        rows,
        totals,
    }
}

/// The `limit` largest wrong pairs.
pub(crate) fn top(tables: &Tables, order: &[usize], limit: usize) -> TopConfusions {
    let mut rank = vec![usize::MAX; tables.texts.len()];
    for (place, &id) in order.iter().enumerate() {
        rank[id] = place;
    }
    let wrong = tables.pairs.iter().filter(|(expected, answer, _)| expected != answer);
    let mut wrong: Vec<(usize, usize, u64)> = wrong.copied().collect();
    let records: u64 = wrong.iter().map(|&(_, _, count)| count).sum();
    let unlisted: u64 = tables.texts.iter().map(|text| text.unlisted).sum();
    wrong.sort_by_key(|&(expected, answer, count)| {
        (Reverse(count), rank[expected], rank[answer], &tables.texts[answer].shown)
    });
    wrong.truncate(limit);

    let pairs: Vec<PairCount> = wrong
        .into_iter()
        .map(|(expected, answer, count)| PairCount {
            expected: tables.texts[expected].shown.clone(),
            answer: tables.texts[answer].shown.clone(),
            known: tables.texts[answer].role != Role::Unknown,
            count,
        })
        .collect();
    let listed: u64 = pairs.iter().map(|pair| pair.count).sum();
    TopConfusions { pairs, left_out: records + unlisted - listed }
}
