//! Thresholds and verdicts.

use batch_eval::{ErrorKind, Metric, Thresholds};

use crate::counting::TEN;
use crate::evaluate;

#[test]
fn a_figure_equal_to_its_minimum_passes() {
    let metrics = evaluate(&TEN);
    for (minimum, passed) in [(0.0, true), (0.5, true), (0.500_000_1, false), (1.0, false)] {
        let thresholds = Thresholds { min_accuracy: Some(minimum), ..Thresholds::default() };
        let verdict = thresholds.check(&metrics).unwrap();
        assert_eq!(verdict.passed(), passed, "{minimum}");
        assert_eq!(verdict.checks.len(), 1);
    }
}

/// 7 of 10 meets a minimum written as 0.7: both are the float nearest to seven tenths.
#[test]
fn a_minimum_in_decimals_meets_the_same_proportion() {
    for total in [10_usize, 100] {
        let digits = total.ilog10() as usize;
        for correct in 0..=total {
            let mut records = vec![("a", Some("a")); correct];
            records.resize(total, ("a", None));
            let decimal = format!("{:.digits$}", correct as f64 / total as f64);
            let thresholds = Thresholds { min_accuracy: Some(decimal.parse().unwrap()), ..Thresholds::default() };
            assert!(thresholds.check(&evaluate(&records)).unwrap().passed(), "{decimal}");
        }
    }
}

#[test]
fn every_threshold_is_checked_and_named() {
    let minimum = Some(0.2);
    let thresholds = Thresholds {
        min_coverage: minimum,
        min_accuracy: minimum,
        min_accuracy_answered: minimum,
        min_balanced_accuracy: minimum,
        min_macro_f1: minimum,
        min_cohen_kappa: minimum,
        min_mcc: minimum,
    };
    let metrics = evaluate(&TEN);
    let verdict = thresholds.check(&metrics).unwrap();
    assert!(verdict.passed());
    let checked: Vec<_> = verdict.checks.iter().map(|check| (check.metric, check.actual)).collect();
    assert_eq!(
        checked,
        [
            (Metric::Coverage, metrics.coverage),
            (Metric::Accuracy, metrics.accuracy),
            (Metric::AccuracyAnswered, metrics.accuracy_answered),
            (Metric::BalancedAccuracy, metrics.balanced_accuracy),
            (Metric::MacroF1, metrics.macro_avg.f1),
            (Metric::CohenKappa, metrics.cohen_kappa),
            (Metric::Mcc, metrics.mcc),
        ]
    );
}

#[test]
fn no_threshold_passes_and_an_undefined_figure_fails() {
    let nothing = evaluate(&[]);
    assert!(Thresholds::default().check(&nothing).unwrap().passed());
    let thresholds = Thresholds { min_accuracy: Some(0.0), ..Thresholds::default() };
    let verdict = thresholds.check(&nothing).unwrap();
    assert!(!verdict.passed());
    assert_eq!(verdict.checks[0].actual, None);
}

#[test]
fn a_minimum_out_of_range_is_refused_with_what_to_write() {
    let check = |minimum: f64| Thresholds { min_accuracy: Some(minimum), ..Thresholds::default() }.validate();
    let error = check(90.0).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ThresholdOutOfRange);
    assert_eq!(error.to_string(), "minimum accuracy is 90, outside 0 to 1");
    assert_eq!(error.hint(), Some("Write it as a proportion: 0.9 for 90 %."));
    for minimum in [-0.1, f64::NAN, f64::INFINITY, 1.000_001] {
        assert!(check(minimum).is_err(), "{minimum}");
    }
    let kappa = Thresholds { min_cohen_kappa: Some(-0.5), ..Thresholds::default() };
    assert!(kappa.validate().is_ok());
}
