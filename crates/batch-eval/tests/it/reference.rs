//! `reference/cases.json` holds what scikit-learn says; `reference/make.py` makes it.

use batch_eval::{Average, Evaluator, Metrics, Options, ZeroDivision};
use serde_json::Value;

use crate::assert_close;

fn evaluate(case: &Value, zero_division: ZeroDivision) -> Metrics {
    let options = Options { zero_division, ..Options::default() };
    let mut evaluator = Evaluator::new(options).unwrap();
    for pair in case["pairs"].as_array().unwrap() {
        evaluator.add(pair[0].as_str().unwrap(), pair[1].as_str());
    }
    evaluator.finish()
}

#[track_caller]
fn check_average(average: Average, expected: &Value) {
    assert_close(average.precision, expected["precision"].as_f64().unwrap());
    assert_close(average.recall, expected["recall"].as_f64().unwrap());
    assert_close(average.f1, expected["f1-score"].as_f64().unwrap());
}

#[test]
fn scikit_learn_gives_the_same_figures() {
    let reference: Value = serde_json::from_str(include_str!("reference/cases.json")).unwrap();
    let cases = reference["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 12);
    for case in cases {
        let metrics = evaluate(case, ZeroDivision::Zero);
        assert_close(metrics.accuracy, case["accuracy"].as_f64().unwrap());
        assert_close(metrics.balanced_accuracy, case["balanced_accuracy"].as_f64().unwrap());
        assert_eq!(metrics.cohen_kappa.is_some(), case["cohen_kappa"].is_number());
        if let Some(kappa) = case["cohen_kappa"].as_f64() {
            assert_close(metrics.cohen_kappa, kappa);
        }
        // Where the coefficient is undefined, scikit-learn says 0 and we say so.
        assert_close(metrics.mcc.or(Some(0.0)), case["mcc"].as_f64().unwrap());

        for class in &metrics.per_class {
            let expected = &case["per_class"][&class.label];
            assert_eq!(class.precision.is_some(), expected["precision"].is_number());
            if let Some(precision) = expected["precision"].as_f64() {
                assert_close(class.precision, precision);
            }
            assert_close(class.recall, expected["recall"].as_f64().unwrap());
            assert_close(class.f1, expected["f1-score"].as_f64().unwrap());
            assert_eq!(class.support as f64, expected["support"].as_f64().unwrap());
        }
        check_average(metrics.macro_avg, &case["averages_zero"]["macro avg"]);
        check_average(metrics.weighted_avg, &case["averages_zero"]["weighted avg"]);
        let left_out = evaluate(case, ZeroDivision::LeaveOut);
        check_average(left_out.macro_avg, &case["averages_left_out"]["macro avg"]);
        check_average(left_out.weighted_avg, &case["averages_left_out"]["weighted avg"]);

        let confusion = metrics.confusion.unwrap();
        let rows: Vec<Vec<u64>> = confusion
            .rows
            .iter()
            .map(|row| {
                let mut cells = row.counts.clone();
                cells.extend([row.unknown_label, row.no_answer]);
                cells
            })
            .collect();
        assert_eq!(serde_json::to_value(rows).unwrap(), case["confusion"]);
    }
}
