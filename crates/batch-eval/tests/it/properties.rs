//! What holds for all records.

use std::collections::BTreeSet;

use batch_eval::{Evaluator, Metrics, Options};
use proptest::prelude::*;

type Record = (String, Option<String>);

/// Few labels and a few more answers, so that every kind of cell is hit.
fn records() -> impl Strategy<Value = Vec<Record>> {
    let expected = prop::sample::select(vec!["a", "b", "c", "d", "é", " a", ""]);
    let answer = prop::sample::select(vec!["a", "b", "c ", "d", "é", "A", "other", " "]);
    let record = (expected, prop::option::weighted(0.85, answer))
        .prop_map(|(expected, answer)| (expected.to_owned(), answer.map(str::to_owned)));
    prop::collection::vec(record, 0..60)
}

fn options() -> impl Strategy<Value = Options> {
    let given = prop::sample::subsequence(vec!["a", "b", "never", "other"], 0..=4);
    (prop::option::of(given), 1..7_usize, 0..12_usize, 0..4_usize).prop_map(
        |(given, max_matrix, max_labels, max_confusions)| Options {
            labels: given.map(|given| given.into_iter().map(str::to_owned).collect()),
            max_matrix,
            max_labels,
            max_confusions,
            ..Options::default()
        },
    )
}

fn evaluate(options: &Options, records: &[Record]) -> Metrics {
    let mut evaluator = Evaluator::new(options.clone()).unwrap();
    for (expected, answer) in records {
        evaluator.add(expected, answer.as_deref());
    }
    evaluator.finish()
}

/// The labelled records as trimmed texts; a blank answer is none.
fn cleaned(records: &[Record]) -> Vec<(&str, Option<&str>)> {
    records
        .iter()
        .map(|(expected, answer)| (expected.trim(), answer.as_deref().map(str::trim).filter(|text| !text.is_empty())))
        .filter(|(expected, _)| !expected.is_empty())
        .collect()
}

fn close(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => (a - b).abs() < 1e-9,
        _ => false,
    }
}

fn share(part: usize, whole: usize) -> Option<f64> {
    (whole != 0).then(|| part as f64 / whole as f64)
}

proptest! {
    #[test]
    fn every_record_is_counted_once(options in options(), records in records()) {
        let metrics = evaluate(&options, &records);
        prop_assert_eq!(metrics.total + metrics.unlabelled, records.len() as u64);
        prop_assert!(metrics.correct <= metrics.answered && metrics.answered <= metrics.total);

        let Some(confusion) = &metrics.confusion else {
            prop_assert!(metrics.limited.is_some());
            return Ok(());
        };
        let mut cells = 0;
        for row in &confusion.rows {
            prop_assert_eq!(row.counts.len(), confusion.labels.len());
            let sum = row.counts.iter().sum::<u64>()
                + row.other_labels + row.unknown_label + row.no_answer;
            prop_assert_eq!(sum, row.total);
            cells += sum;
        }
        prop_assert_eq!(cells, metrics.total);
        prop_assert_eq!(confusion.totals.total, metrics.total);
        prop_assert_eq!(confusion.totals.no_answer, metrics.total - metrics.answered);
        prop_assert_eq!(Some(confusion.totals.unknown_label), metrics.unknown_label);
        prop_assert_eq!(
            confusion.labels.len() as u64 + confusion.folded_labels,
            metrics.per_class.len() as u64
        );
        let named = confusion.totals.counts.iter().sum::<u64>() + confusion.totals.other_labels;
        prop_assert_eq!(named, metrics.per_class.iter().map(|class| class.predicted).sum::<u64>());

        let top = metrics.top_confusions.as_ref().unwrap();
        let listed: u64 = top.pairs.iter().map(|pair| pair.count).sum();
        prop_assert_eq!(listed + top.left_out, metrics.answered - metrics.correct);
        prop_assert!(top.pairs.is_sorted_by(|a, b| b.count <= a.count));
    }

    #[test]
    fn sums_over_classes_are_the_totals(records in records()) {
        let metrics = evaluate(&Options::default(), &records);
        let sum = |count: fn(&batch_eval::ClassMetrics) -> u64| -> u64 {
            metrics.per_class.iter().map(count).sum()
        };
        prop_assert_eq!(sum(|class| class.support), metrics.total);
        prop_assert_eq!(sum(|class| class.correct), metrics.correct);
        prop_assert_eq!(
            sum(|class| class.predicted) + metrics.unknown_label.unwrap(),
            metrics.answered
        );
        // Recall weighted by support is accuracy.
        prop_assert!(close(metrics.weighted_avg.recall, metrics.accuracy));
    }

    #[test]
    fn figures_stay_in_their_range(options in options(), records in records()) {
        let metrics = evaluate(&options, &records);
        let proportions = [
            metrics.coverage,
            metrics.accuracy,
            metrics.accuracy_answered,
            metrics.balanced_accuracy,
            metrics.macro_avg.precision,
            metrics.macro_avg.recall,
            metrics.macro_avg.f1,
            metrics.weighted_avg.precision,
            metrics.weighted_avg.recall,
            metrics.weighted_avg.f1,
        ];
        let tolerance = 1e-12; // sums of rounded quotients
        for figure in proportions.into_iter().flatten() {
            prop_assert!((0.0..=1.0 + tolerance).contains(&figure), "{}", figure);
        }
        for figure in [metrics.cohen_kappa, metrics.mcc].into_iter().flatten() {
            prop_assert!(figure.abs() <= 1.0 + tolerance, "{}", figure);
        }
        if let (Some(accuracy), Some(interval)) = (metrics.accuracy, metrics.accuracy_interval) {
            prop_assert!(0.0 <= interval.low && interval.low <= accuracy);
            prop_assert!(accuracy <= interval.high && interval.high <= 1.0);
        }
    }

    #[test]
    fn the_order_of_the_records_does_not_matter(
        (records, shuffled) in records().prop_flat_map(|records| {
            (Just(records.clone()), Just(records).prop_shuffle())
        }),
    ) {
        let options = Options::default();
        prop_assert_eq!(evaluate(&options, &records), evaluate(&options, &shuffled));
    }

    #[test]
    fn a_plain_recomputation_gives_the_same(records in records()) {
        let metrics = evaluate(&Options::default(), &records);
        let records = cleaned(&records);
        let labels: Vec<&str> =
            records.iter().map(|&(e, _)| e).collect::<BTreeSet<_>>().into_iter().collect();
        let count = |f: &dyn Fn(&str, Option<&str>) -> bool| {
            records.iter().filter(|&&(e, a)| f(e, a)).count()
        };

        prop_assert_eq!(metrics.total, records.len() as u64);
        let answered = count(&|_, a| a.is_some());
        let correct = count(&|e, a| a == Some(e));
        prop_assert!(close(metrics.coverage, share(answered, records.len())));
        prop_assert!(close(metrics.accuracy, share(correct, records.len())));
        prop_assert!(close(metrics.accuracy_answered, share(correct, answered)));

        let shown: Vec<&str> = metrics.per_class.iter().map(|c| c.label.as_str()).collect();
        prop_assert_eq!(&shown, &labels);
        for class in &metrics.per_class {
            let label = class.label.as_str();
            let hits = count(&|e, a| e == label && a == Some(label));
            let precision = share(hits, count(&|_, a| a == Some(label)));
            let recall = share(hits, count(&|e, _| e == label));
            let f1 = match (precision, recall) {
                (Some(p), Some(r)) if p + r != 0.0 => Some(2.0 * p * r / (p + r)),
                (None, None) => None,
                _ => Some(0.0),
            };
            prop_assert!(close(class.precision, precision));
            prop_assert!(close(class.recall, recall));
            prop_assert!(close(class.f1, f1));
        }

        let n = records.len() as f64;
        let chance: f64 = labels
            .iter()
            .map(|&l| (count(&|e, _| e == l) * count(&|_, a| a == Some(l))) as f64 / (n * n))
            .sum();
        let kappa = (chance < 1.0 - 1e-12 && !records.is_empty())
            .then(|| (correct as f64 / n - chance) / (1.0 - chance));
        prop_assert!(close(metrics.cohen_kappa, kappa));

        // Pearson's correlation of the indicator vectors, summed over all classes.
        let name = |a: Option<&str>| match a {
            None => "none".to_owned(),
            Some(a) if labels.contains(&a) => format!("label {a}"),
            Some(_) => "unknown".to_owned(),
        };
        let mut classes: Vec<String> = labels.iter().map(|l| format!("label {l}")).collect();
        classes.extend(["none".to_owned(), "unknown".to_owned()]);
        let (mut xy, mut xx, mut yy) = (0.0, 0.0, 0.0);
        for class in &classes {
            let is = |b: bool| if b { 1.0 } else { 0.0 };
            let x: Vec<f64> = records.iter().map(|&(e, _)| is(&format!("label {e}") == class)).collect();
            let y: Vec<f64> = records.iter().map(|&(_, a)| is(&name(a) == class)).collect();
            let mean = |v: &[f64]| v.iter().sum::<f64>() / n;
            let (mx, my) = (mean(&x), mean(&y));
            for (x, y) in x.iter().zip(&y) {
                xy += (x - mx) * (y - my);
                xx += (x - mx) * (x - mx);
                yy += (y - my) * (y - my);
            }
        }
        let mcc = (1e-9 < xx && 1e-9 < yy).then(|| xy / (xx * yy).sqrt());
        prop_assert!(close(metrics.mcc, mcc), "{:?} {:?}", metrics.mcc, mcc);
    }
}
