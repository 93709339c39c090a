//! The figures, and how they follow from the tally.

use serde::{Deserialize, Serialize};

use crate::confusion::{self, Confusion, TopConfusions};
use crate::evaluator::{Role, Tables, Totals};
use crate::interval::Interval;
use crate::options::{Normalize, Options, ZeroDivision};

/// What the records say, as [`Evaluator::finish`](crate::Evaluator::finish) gives it.
///
/// Counts are records; figures are proportions from 0 to 1, except for
/// [`cohen_kappa`](Self::cohen_kappa) and [`mcc`](Self::mcc), which go from -1 to 1.
/// `None` means that the figure is not defined, because its denominator is zero, or, where
/// [`limited`](Self::limited) says so, that it was not counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Metrics {
    /// Records with an expected value.
    pub total: u64,
    /// Records without one. They take no part in any figure.
    pub unlabelled: u64,
    /// Of [`total`](Self::total), records with an answer.
    pub answered: u64,
    /// Of [`answered`](Self::answered), records whose answer is the expected value.
    pub correct: u64,
    /// Of [`answered`](Self::answered), records whose answer is no label.
    pub unknown_label: Option<u64>,

    /// `answered / total`.
    pub coverage: Option<f64>,
    /// `correct / total`: a record without an answer counts as wrong.
    pub accuracy: Option<f64>,
    /// The 95 % interval of [`accuracy`](Self::accuracy).
    pub accuracy_interval: Option<Interval>,
    /// `correct / answered`: records without an answer are left out.
    pub accuracy_answered: Option<f64>,
    /// The 95 % interval of [`accuracy_answered`](Self::accuracy_answered).
    pub accuracy_answered_interval: Option<Interval>,
    /// The mean recall of the classes that occur: the accuracy, had they all been equally
    /// frequent. The same as the recall of [`macro_avg`](Self::macro_avg).
    pub balanced_accuracy: Option<f64>,
    /// Cohen's kappa: agreement beyond what the frequencies alone would give. No answer and
    /// unknown labels never agree. Undefined where a constant answer is always right.
    pub cohen_kappa: Option<f64>,
    /// Matthews' correlation coefficient in its form for many classes (Gorodkin's R_K).
    /// No answer is one class of answers, and all unknown labels together are another.
    /// Undefined where there is but one expected value, or one class of answers.
    pub mcc: Option<f64>,

    /// The plain mean over the classes that occur: each counts the same.
    pub macro_avg: Average,
    /// The mean weighted by support: each record counts the same.
    pub weighted_avg: Average,
    /// One entry a label: the given ones in their order, then the others in order of their
    /// code points.
    pub per_class: Vec<ClassMetrics>,

    /// What was expected against what was answered.
    pub confusion: Option<Confusion>,
    /// The most frequent wrong answers.
    pub top_confusions: Option<TopConfusions>,

    /// Expected values that are not among [`Options::labels`], although labels were given.
    /// Often a misspelt value in the table.
    pub undeclared_labels: Vec<String>,
    /// Why there are no figures by class, if there are none.
    pub limited: Option<Limited>,
    /// The rules by which texts were compared.
    pub normalize: Normalize,
    /// What an undefined precision counted as in the averages.
    pub zero_division: ZeroDivision,
}

/// The figures of one class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ClassMetrics {
    /// The class.
    pub label: String,
    /// Of the answers that name this class, the share that is right. Undefined where no
    /// answer names it.
    pub precision: Option<f64>,
    /// Of the records that expect this class, the share that is answered right; no answer
    /// counts as wrong. Undefined where no record expects it.
    pub recall: Option<f64>,
    /// The harmonic mean of precision and recall, `2 · correct / (support + predicted)`.
    /// Undefined where no record expects the class and no answer names it.
    pub f1: Option<f64>,
    /// Records that expect this class.
    pub support: u64,
    /// Records whose answer names this class.
    pub predicted: u64,
    /// Records of which both are true.
    pub correct: u64,
}

/// Precision, recall and F1 averaged over the classes that occur, that is, those with a
/// support of at least one.
///
/// scikit-learn's `classification_report` gives the same figures when its `labels` are these
/// classes and its `zero_division` is 0. (Unless told so, it also takes unknown labels for
/// classes, which pulls its macro average down.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Average {
    /// Of the precisions; an undefined one counts as [`ZeroDivision`] says.
    pub precision: Option<f64>,
    /// Of the recalls.
    pub recall: Option<f64>,
    /// Of the F1 figures (not the F1 of the averages).
    pub f1: Option<f64>,
}

/// Why the figures that need a table of labels are missing. Totals and accuracies never are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Limited {
    /// There are more distinct expected values than
    /// [`Options::max_labels`](crate::Options::max_labels): free text, not classes.
    TooManyLabels,
    /// An expected value first occurred after more distinct unknown answers than
    /// [`Options::max_labels`](crate::Options::max_labels), so that earlier answers which
    /// named it may not have been remembered. Giving the labels beforehand avoids it.
    LateLabel,
}

pub(crate) fn compute(
    options: &Options,
    totals: &Totals,
    tables: Option<&Tables>,
    limited: Option<Limited>,
) -> Metrics {
    let &Totals { total, unlabelled, answered, correct } = totals;
    let mut metrics = Metrics {
        total,
        unlabelled,
        answered,
        correct,
        unknown_label: None,
        coverage: ratio(answered, total),
        accuracy: ratio(correct, total),
        accuracy_interval: Interval::wilson(correct, total),
        accuracy_answered: ratio(correct, answered),
        accuracy_answered_interval: Interval::wilson(correct, answered),
        balanced_accuracy: None,
        cohen_kappa: None,
        mcc: None,
        macro_avg: Average::default(),
        weighted_avg: Average::default(),
        per_class: Vec::new(),
        confusion: None,
        top_confusions: None,
        undeclared_labels: Vec::new(),
        limited,
        normalize: options.normalize,
        zero_division: options.zero_division,
    };
    if let Some(tables) = tables {
        fill(&mut metrics, options, tables);
    }
    metrics
}

fn fill(metrics: &mut Metrics, options: &Options, tables: &Tables) {
    let order = label_order(tables);
    let mut predicted = vec![0; tables.texts.len()];
    for &(_, answer, count) in &tables.pairs {
        predicted[answer] += count;
    }
    metrics.per_class = order
        .iter()
        .map(|&id| {
            let text = &tables.texts[id];
            class(text.shown.clone(), text.support, predicted[id], tables.correct(id))
        })
        .collect();

    let named: u64 = metrics.per_class.iter().map(|class| class.predicted).sum();
    let unknown = metrics.answered - named;
    metrics.unknown_label = Some(unknown);
    metrics.macro_avg = average(&metrics.per_class, options.zero_division, |_| 1.0);
    metrics.weighted_avg = average(&metrics.per_class, options.zero_division, |class| class.support as f64);
    metrics.balanced_accuracy = metrics.macro_avg.recall;
    metrics.cohen_kappa = cohen_kappa(metrics.total, metrics.correct, &metrics.per_class);
    let no_answer = metrics.total - metrics.answered;
    metrics.mcc = mcc(metrics.total, metrics.correct, &metrics.per_class, &[no_answer, unknown]);

    if options.labels.is_some() {
        metrics.undeclared_labels = order
            .iter()
            .map(|&id| &tables.texts[id])
            .filter(|text| text.role == Role::Seen)
            .map(|text| text.shown.clone())
            .collect();
    }
    metrics.confusion = Some(confusion::matrix(tables, &order, options.max_matrix));
    metrics.top_confusions = Some(confusion::top(tables, &order, options.max_confusions));
}

/// The labels: the given ones as given, then the others in order of their code points.
fn label_order(tables: &Tables) -> Vec<usize> {
    let mut order: Vec<usize> = (0..tables.texts.len()).filter(|&id| tables.texts[id].role != Role::Unknown).collect();
    order.sort_by(|&a, &b| {
        let (a, b) = (&tables.texts[a], &tables.texts[b]);
        (a.role, &a.shown).cmp(&(b.role, &b.shown))
    });
    order
}

fn class(label: String, support: u64, predicted: u64, correct: u64) -> ClassMetrics {
    ClassMetrics {
        label,
        precision: ratio(correct, predicted),
        recall: ratio(correct, support),
        f1: ratio(2 * correct, support + predicted),
        support,
        predicted,
        correct,
    }
}

fn average(classes: &[ClassMetrics], zero_division: ZeroDivision, weight: impl Fn(&ClassMetrics) -> f64) -> Average {
    let mean = |figure: fn(&ClassMetrics) -> Option<f64>| {
        let (mut sum, mut weights) = (0.0, 0.0);
        for class in classes.iter().filter(|class| 0 < class.support) {
            let value = match (figure(class), zero_division) {
                (Some(value), _) => value,
                (None, ZeroDivision::Zero) => 0.0,
                (None, ZeroDivision::LeaveOut) => continue,
            };
            sum += weight(class) * value;
            weights += weight(class);
        }
        (0.0 < weights).then(|| sum / weights)
    };
    Average { precision: mean(|class| class.precision), recall: mean(|class| class.recall), f1: mean(|class| class.f1) }
}

/// `(p_o - p_e) / (1 - p_e)`, both sides times `total²` so that the products stay exact.
fn cohen_kappa(total: u64, correct: u64, classes: &[ClassMetrics]) -> Option<f64> {
    let total = u128::from(total);
    let observed = u128::from(correct) * total;
    let chance: u128 = classes.iter().map(|class| u128::from(class.support) * u128::from(class.predicted)).sum();
    let denominator = total * total - chance;
    (denominator != 0).then(|| difference(observed, chance) / denominator as f64)
}

/// Covariance over the root of the two variances (Gorodkin 2004, as scikit-learn has it).
fn mcc(total: u64, correct: u64, classes: &[ClassMetrics], others: &[u64]) -> Option<f64> {
    let square = |count: u64| u128::from(count) * u128::from(count);
    let chance: u128 = classes.iter().map(|class| u128::from(class.support) * u128::from(class.predicted)).sum();
    let covariance = difference(u128::from(correct) * u128::from(total), chance);
    let answers: u128 = classes.iter().map(|class| class.predicted).chain(others.iter().copied()).map(square).sum();
    let expected: u128 = classes.iter().map(|class| square(class.support)).sum();
    let (answers, expected) = (square(total) - answers, square(total) - expected);
    (answers != 0 && expected != 0).then(|| covariance / ((answers as f64).sqrt() * (expected as f64).sqrt()))
}

/// `a - b`, exact before it becomes a float.
fn difference(a: u128, b: u128) -> f64 {
    if a < b { -((b - a) as f64) } else { (a - b) as f64 }
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole != 0).then(|| part as f64 / whole as f64)
}
