//! The JSON shape of metrics.

use batch_eval::{Metrics, Options, Thresholds};

use crate::counting::TEN;
use crate::{evaluate, evaluate_with, labels};

#[test]
fn metrics_as_json() {
    let options = Options { labels: labels(&["b", "a"]), ..Options::default() };
    insta::assert_json_snapshot!(evaluate_with(options, &TEN));
}

#[test]
fn metrics_of_nothing_as_json() {
    insta::assert_json_snapshot!(evaluate(&[]));
}

#[test]
fn a_verdict_as_json() {
    let thresholds = Thresholds { min_accuracy: Some(0.9), min_coverage: Some(0.9), ..Thresholds::default() };
    insta::assert_json_snapshot!(thresholds.check(&evaluate(&TEN)).unwrap());
}

#[test]
fn metrics_can_be_read_back() {
    let metrics = evaluate(&TEN);
    let json = serde_json::to_string(&metrics).unwrap();
    assert_eq!(serde_json::from_str::<Metrics>(&json).unwrap(), metrics);
}
