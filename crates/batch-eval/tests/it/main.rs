//! The integration tests of `batch-eval`, one module a subject.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod counting; // what each record counts in, on examples small enough to check by hand
mod limits; // many labels, many unknown answers
mod normalize;
mod properties; // what holds for all records, and a second computation that is plainly right
mod reference; // the same figures as scikit-learn
mod shape; // the JSON that other programs read
mod thresholds;

use batch_eval::{Evaluator, Metrics, Options};

/// The metrics of `records` under the default options.
fn evaluate(records: &[(&str, Option<&str>)]) -> Metrics {
    evaluate_with(Options::default(), records)
}

fn evaluate_with(options: Options, records: &[(&str, Option<&str>)]) -> Metrics {
    let mut evaluator = Evaluator::new(options).unwrap();
    for &(expected, answer) in records {
        evaluator.add(expected, answer);
    }
    evaluator.finish()
}

fn labels(labels: &[&str]) -> Option<Vec<String>> {
    Some(labels.iter().map(|&label| label.to_owned()).collect())
}

#[track_caller]
fn assert_close(actual: Option<f64>, expected: f64) {
    let actual = actual.expect("a defined figure");
    assert!((actual - expected).abs() < 1e-12, "{actual} is not {expected}");
}
