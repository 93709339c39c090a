//! What counts as what.

use batch_eval::{Error, ErrorKind, Evaluator, Judgement, Options, ZeroDivision};

use crate::{assert_close, evaluate, evaluate_with, labels};

/// Ten records, every kind among them. As a matrix:
///
/// | expected | a | b | c | unknown | no answer | sum |
/// | --- | --- | --- | --- | --- | --- | --- |
/// | a | 3 | 1 | 0 | 0 | 1 | 5 |
/// | b | 1 | 2 | 0 | 0 | 0 | 3 |
/// | c | 0 | 1 | 0 | 1 | 0 | 2 |
pub(crate) const TEN: [(&str, Option<&str>); 10] = [
    ("a", Some("a")),
    ("a", Some("a")),
    ("a", Some("a")),
    ("a", Some("b")),
    ("a", None),
    ("b", Some("a")),
    ("b", Some("b")),
    ("b", Some("b")),
    ("c", Some("b")),
    ("c", Some("q")),
];

#[test]
fn figures_agree_with_a_computation_by_hand() {
    let metrics = evaluate(&TEN);

    assert_eq!((metrics.total, metrics.answered, metrics.correct), (10, 9, 5));
    assert_eq!(metrics.unknown_label, Some(1));
    assert_close(metrics.coverage, 0.9);
    assert_close(metrics.accuracy, 0.5);
    assert_close(metrics.accuracy_answered, 5.0 / 9.0);

    let [a, b, c] = &metrics.per_class[..] else { panic!("three classes") };
    assert_close(a.precision, 3.0 / 4.0);
    assert_close(a.recall, 3.0 / 5.0);
    assert_close(a.f1, 6.0 / 9.0);
    assert_close(b.precision, 2.0 / 4.0);
    assert_close(b.recall, 2.0 / 3.0);
    assert_close(b.f1, 4.0 / 7.0);
    assert_eq!((c.precision, c.recall, c.f1), (None, Some(0.0), Some(0.0)));
    assert_eq!((c.support, c.predicted, c.correct), (2, 0, 0));

    // c was never named: its precision counts as 0.
    assert_close(metrics.macro_avg.precision, (0.75 + 0.5 + 0.0) / 3.0);
    assert_close(metrics.macro_avg.recall, (0.6 + 2.0 / 3.0 + 0.0) / 3.0);
    assert_close(metrics.macro_avg.f1, (2.0 / 3.0 + 4.0 / 7.0 + 0.0) / 3.0);
    assert_close(metrics.weighted_avg.precision, (5.0 * 0.75 + 3.0 * 0.5) / 10.0);
    assert_close(metrics.weighted_avg.recall, 0.5);
    assert_eq!(metrics.balanced_accuracy, metrics.macro_avg.recall);

    // Chance: 5·4 + 3·4 + 2·0 = 32 of 100.
    assert_close(metrics.cohen_kappa, (0.5 - 0.32) / (1.0 - 0.32));
    // Expected counts 5, 3, 2; answers 4, 4, 0, unknown 1, none 1.
    let covariance = 5.0 * 10.0 - 32.0;
    assert_close(metrics.mcc, covariance / f64::sqrt((100.0 - 38.0) * (100.0 - 34.0)));
}

/// Wilson's score interval, checked against the published formula worked out with 50 digits.
#[test]
fn the_interval_is_wilsons() {
    let interval = evaluate(&TEN).accuracy_interval.unwrap();
    assert_close(Some(interval.low), WILSON_5_OF_10.0);
    assert_close(Some(interval.high), WILSON_5_OF_10.1);
}

const WILSON_5_OF_10: (f64, f64) = (0.236_593_090_512_563_98, 0.763_406_909_487_436);

#[test]
fn an_average_can_leave_an_undefined_precision_out() {
    let options = Options { zero_division: ZeroDivision::LeaveOut, ..Options::default() };
    let metrics = evaluate_with(options, &TEN);
    assert_close(metrics.macro_avg.precision, (0.75 + 0.5) / 2.0);
    assert_close(metrics.weighted_avg.precision, (5.0 * 0.75 + 3.0 * 0.5) / 8.0);
    // A recall of 0 is a figure, not an undefined one.
    assert_close(metrics.macro_avg.recall, (0.6 + 2.0 / 3.0) / 3.0);
}

#[test]
fn without_records_no_figure_is_defined() {
    let metrics = evaluate(&[]);
    assert_eq!((metrics.total, metrics.unlabelled), (0, 0));
    for figure in [
        metrics.coverage,
        metrics.accuracy,
        metrics.accuracy_answered,
        metrics.balanced_accuracy,
        metrics.cohen_kappa,
        metrics.mcc,
        metrics.macro_avg.f1,
        metrics.weighted_avg.f1,
    ] {
        assert_eq!(figure, None);
    }
    assert_eq!(metrics.accuracy_interval, None);
    assert!(metrics.per_class.is_empty());
}

#[test]
fn without_answers_accuracy_is_zero_and_over_answered_undefined() {
    let metrics = evaluate(&[("a", None), ("b", None)]);
    assert_eq!(metrics.accuracy, Some(0.0));
    assert_eq!(metrics.accuracy_answered, None);
    assert_eq!(metrics.accuracy_answered_interval, None);
    assert_eq!(metrics.cohen_kappa, Some(0.0));
    assert_eq!(metrics.mcc, None, "the answers do not vary");
}

#[test]
fn one_class_always_right_leaves_nothing_beyond_chance() {
    let metrics = evaluate(&[("a", Some("a")), ("a", Some("a"))]);
    assert_eq!(metrics.accuracy, Some(1.0));
    assert_eq!(metrics.cohen_kappa, None);
    assert_eq!(metrics.mcc, None);
}

#[test]
fn everything_right_is_one_everywhere() {
    let metrics = evaluate(&[("a", Some("a")), ("b", Some("b")), ("b", Some("b"))]);
    for figure in
        [metrics.accuracy, metrics.macro_avg.f1, metrics.weighted_avg.precision, metrics.cohen_kappa, metrics.mcc]
    {
        assert_close(figure, 1.0);
    }
    assert!(metrics.top_confusions.unwrap().pairs.is_empty());
}

#[test]
fn a_blank_answer_is_no_answer_and_a_blank_expected_value_no_label() {
    let mut evaluator = Evaluator::new(Options::default()).unwrap();
    assert_eq!(evaluator.add("a", Some(" \u{3000}\n")), Judgement::NotAnswered);
    assert_eq!(evaluator.add("  ", Some("a")), Judgement::Unlabelled);
    assert_eq!(evaluator.add("", None), Judgement::Unlabelled);
    assert_eq!(evaluator.add("a", Some("a ")), Judgement::Correct);
    assert_eq!(evaluator.add("a", Some("A")), Judgement::Wrong);

    let metrics = evaluator.finish();
    assert_eq!((metrics.total, metrics.unlabelled, metrics.answered), (3, 2, 2));
    assert_eq!(metrics.per_class.len(), 1);
}

#[test]
fn an_answer_seen_before_any_record_expects_it_is_a_label_all_the_same() {
    let metrics = evaluate(&[("a", Some("b")), ("b", Some("b"))]);
    assert_eq!(metrics.unknown_label, Some(0));
    assert_eq!(metrics.per_class[1].predicted, 2);
    let confusion = metrics.confusion.unwrap();
    assert_eq!(confusion.count("a", "b"), Some(1));
    assert_eq!(confusion.count("a", "z"), None);
}

#[test]
fn labels_are_sorted_by_code_point_unless_given() {
    let records = [("b", Some("b")), ("日", Some("日")), ("a", None), ("Z", None)];
    let names = |metrics: batch_eval::Metrics| -> Vec<String> {
        metrics.per_class.into_iter().map(|class| class.label).collect()
    };
    assert_eq!(names(evaluate(&records)), ["Z", "a", "b", "日"]);

    let options = Options { labels: labels(&["日", "never", "a"]), ..Options::default() };
    let metrics = evaluate_with(options, &records);
    assert_eq!(metrics.undeclared_labels, ["Z", "b"]);
    assert_eq!(names(metrics), ["日", "never", "a", "Z", "b"]);
}

#[test]
fn a_given_label_that_never_occurs_is_shown_and_not_averaged() {
    let options = Options { labels: labels(&["a", "b", "c"]), ..Options::default() };
    let metrics = evaluate_with(options, &[("a", Some("a")), ("a", Some("b"))]);
    assert_eq!(metrics.unknown_label, Some(0), "b is a label, although nothing expects it");
    let [_, b, c] = &metrics.per_class[..] else { panic!("three classes") };
    assert_eq!((b.precision, b.recall, b.f1), (Some(0.0), None, Some(0.0)));
    assert_eq!((c.precision, c.recall, c.f1), (None, None, None));
    assert_close(metrics.macro_avg.recall, 0.5);
}

#[test]
fn more_records_can_follow_a_finish() {
    let mut evaluator = Evaluator::new(Options::default()).unwrap();
    evaluator.add("a", Some("a"));
    assert_eq!(evaluator.finish().accuracy, Some(1.0));
    evaluator.add("b", Some("a"));
    assert_eq!(evaluator.finish().accuracy, Some(0.5));
}

#[test]
fn a_label_set_that_cannot_be_meant_is_refused() {
    let refused = |given: &[&str], options: Options| -> Error {
        Evaluator::new(Options { labels: labels(given), ..options }).unwrap_err()
    };
    let error = refused(&["a", " "], Options::default());
    assert_eq!(error.kind(), ErrorKind::EmptyLabel);
    assert_eq!(error.to_string(), "label 2 of the label set is blank");

    let mut lenient = Options::default();
    lenient.normalize.case_fold = true;
    assert!(Evaluator::new(Options { labels: labels(&["Sport", "sport"]), ..Options::default() }).is_ok());
    let error = refused(&["Sport", "tech", "sport"], lenient);
    assert_eq!(error.kind(), ErrorKind::DuplicateLabel);
    assert_eq!(error.to_string(), r#"labels 1 ("Sport") and 3 ("sport") of the label set are the same label"#);
    assert!(error.hint().is_some());
}
