//! What is left out where values are free text, and that it is told.

use batch_eval::{Limited, Options};

use crate::{evaluate_with, labels};

#[test]
fn beyond_the_largest_matrix_the_rest_share_a_row_and_a_column() {
    let records = [
        ("a", Some("d")),
        ("b", Some("b")),
        ("b", Some("c")),
        ("b", Some("?")),
        ("c", Some("c")),
        ("c", Some("a")),
        ("c", None),
        ("d", Some("a")),
        ("d", Some("b")),
    ];
    let options = Options { max_matrix: 2, ..Options::default() };
    let metrics = evaluate_with(options, &records);
    assert_eq!(metrics.per_class.len(), 4, "the table by class is whole");

    // b and c have the largest support; a and d are folded.
    let confusion = metrics.confusion.unwrap();
    assert_eq!(confusion.labels, ["b", "c"]);
    assert_eq!(confusion.folded_labels, 2);
    let rows: Vec<_> = confusion
        .rows
        .iter()
        .map(|row| {
            let label = row.label.as_deref();
            (label, &row.counts[..], row.other_labels, row.unknown_label, row.no_answer, row.total)
        })
        .collect();
    assert_eq!(
        rows,
        [(Some("b"), &[1, 1][..], 0, 1, 0, 3), (Some("c"), &[0, 1][..], 1, 0, 1, 3), (None, &[1, 0][..], 2, 0, 0, 3),]
    );
    assert_eq!(confusion.totals.total, 9);
}

#[test]
fn among_labels_of_equal_support_the_first_keep_their_row() {
    let options = Options { max_matrix: 2, ..Options::default() };
    let metrics = evaluate_with(options, &[("c", None), ("b", None), ("a", None)]);
    assert_eq!(metrics.confusion.unwrap().labels, ["a", "b"]);
}

#[test]
fn top_confusions_are_the_largest_and_say_what_they_leave_out() {
    let mut records = vec![("b", Some("a")); 3];
    records.extend([("a", Some("zzz")), ("a", Some("zzz")), ("a", Some("b")), ("a", Some("b"))]);
    records.extend([("a", None), ("a", Some("a")), ("b", Some("once"))]);
    let options = Options { max_confusions: 3, ..Options::default() };
    let top = evaluate_with(options, &records).top_confusions.unwrap();
    let pairs: Vec<_> =
        top.pairs.iter().map(|pair| (pair.expected.as_str(), pair.answer.as_str(), pair.known, pair.count)).collect();
    // Among equals a label comes before what is none.
    assert_eq!(pairs, [("b", "a", true, 3), ("a", "b", true, 2), ("a", "zzz", false, 2)]);
    assert_eq!(top.left_out, 1);
}

#[test]
fn free_text_keeps_totals_exact_and_withholds_the_tables() {
    let texts: Vec<String> = (0..50).map(|i| format!("text {i}")).collect();
    let records: Vec<(&str, Option<&str>)> = texts.iter().map(|text| (text.as_str(), Some(text.as_str()))).collect();
    let options = Options { max_labels: 49, ..Options::default() };
    let metrics = evaluate_with(options.clone(), &records);
    assert_eq!(metrics.limited, Some(Limited::TooManyLabels));
    assert_eq!((metrics.total, metrics.correct), (50, 50));
    assert_eq!(metrics.accuracy, Some(1.0));
    assert!(metrics.per_class.is_empty());
    assert_eq!((metrics.confusion, metrics.top_confusions), (None, None));
    assert_eq!((metrics.cohen_kappa, metrics.mcc, metrics.unknown_label), (None, None, None));

    let metrics = evaluate_with(options, &records[..49]);
    assert_eq!(metrics.limited, None);
    assert_eq!(metrics.per_class.len(), 49);
}

#[test]
fn given_labels_are_told_apart_however_many_they_are() {
    let options = Options { labels: labels(&["a", "b", "c"]), max_labels: 1, ..Options::default() };
    let metrics = evaluate_with(options, &[("a", Some("b")), ("c", Some("c"))]);
    assert_eq!(metrics.limited, None);
    assert_eq!(metrics.per_class.len(), 3);
}

#[test]
fn unknown_answers_beyond_the_limit_are_counted_and_not_listed() {
    let texts: Vec<String> = (0..9).map(|i| format!("text {i}")).collect();
    let records: Vec<(&str, Option<&str>)> = texts.iter().map(|text| ("a", Some(text.as_str()))).collect();
    let options = Options { max_labels: 4, ..Options::default() };
    let metrics = evaluate_with(options, &records);
    assert_eq!(metrics.limited, None);
    assert_eq!(metrics.unknown_label, Some(9));
    assert_eq!(metrics.confusion.unwrap().rows[0].unknown_label, 9);
    let top = metrics.top_confusions.unwrap();
    assert_eq!((top.pairs.len(), top.left_out), (4, 5));
}

#[test]
fn a_label_that_comes_after_forgotten_answers_withholds_the_tables() {
    let mut records = vec![("a", Some("w")), ("a", Some("x")), ("a", Some("y")), ("a", Some("late"))];
    let options = Options { max_labels: 3, ..Options::default() };
    assert_eq!(evaluate_with(options.clone(), &records).limited, None);

    records.push(("late", Some("late")));
    let metrics = evaluate_with(options.clone(), &records);
    assert_eq!(metrics.limited, Some(Limited::LateLabel));
    assert_eq!((metrics.total, metrics.correct), (5, 1));

    // Told beforehand, it is counted exactly.
    let options = Options { labels: labels(&["a", "late"]), ..options };
    let metrics = evaluate_with(options, &records);
    assert_eq!(metrics.limited, None);
    assert_eq!(metrics.per_class[1].predicted, 2);
}
