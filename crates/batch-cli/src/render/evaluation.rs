//! Metrics as text: figures, classes, the confusion matrix.

use std::fmt::Write as _;

use batch_eval::{Confusion, Interval, Metrics};

use crate::terminal::{fit, left, right, width};

/// A matrix with more labels than this is a wall; the list of confusions says more.
const MATRIX: usize = 20;
/// Labels longer than this are cut.
const LABEL: usize = 24;

/// The evaluation as it stands in a report.
pub(crate) fn text(metrics: &Metrics) -> String {
    let mut out = String::new();
    figures(&mut out, metrics);
    classes(&mut out, metrics);
    match &metrics.confusion {
        Some(confusion) if confusion.labels.len() <= MATRIX => matrix(&mut out, confusion),
        _ => pairs(&mut out, metrics),
    }
    out
}

fn figures(out: &mut String, metrics: &Metrics) {
    let Metrics { total, answered, correct, .. } = metrics;
    line(out, "compared", &format!("{total} records with an expected value"));
    if 0 < metrics.unlabelled {
        line(out, "", &format!("{} records without one are left out", metrics.unlabelled));
    }
    line(out, "coverage", &format!("{}  {answered} of {total} answered", percent(metrics.coverage)));
    let interval = metrics.accuracy_interval.as_ref().map(between).unwrap_or_default();
    line(
        out,
        "accuracy",
        &format!("{}  {correct} of {total} correct, no answer counts as wrong{interval}", percent(metrics.accuracy)),
    );
    line(out, "", &format!("{}  of the {answered} answered", percent(metrics.accuracy_answered)));
    if let Some(unknown) = metrics.unknown_label.filter(|unknown| 0 < *unknown) {
        line(out, "", &format!("{unknown} answers are no label"));
    }
    if metrics.cohen_kappa.is_some() || metrics.mcc.is_some() {
        let figure = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.3}"));
        line(out, "agreement", &format!("kappa {}, MCC {}", figure(metrics.cohen_kappa), figure(metrics.mcc)));
    }
    if !metrics.undeclared_labels.is_empty() {
        let labels = metrics.undeclared_labels.join(", ");
        line(out, "note", &format!("expected values that are not among the known labels: {labels}"));
    }
    if let Some(limited) = metrics.limited {
        line(out, "note", &format!("no figures by class: {limited:?}"));
    }
}

fn between(interval: &Interval) -> String {
    format!(" (95 %: {:.1} to {:.1} %)", 100.0 * interval.low, 100.0 * interval.high)
}

fn line(out: &mut String, name: &str, text: &str) {
    let _ = writeln!(out, "{}  {text}", left(name, 9));
}

fn percent(value: Option<f64>) -> String {
    value.map_or_else(|| "    –  ".to_owned(), |value| format!("{:5.1} %", 100.0 * value))
}

fn classes(out: &mut String, metrics: &Metrics) {
    if metrics.per_class.is_empty() {
        return;
    }
    let names = metrics.per_class.iter().map(|class| fit(&class.label, LABEL));
    let column = names.clone().map(|name| width(&name)).chain([8]).max().unwrap_or(8);
    let head = ["precision", "recall", "f1", "support"].map(|name| right(name, 10));
    let _ = writeln!(out, "\n{}{}", left("class", column), head.concat());
    let row = |name: &str, [precision, recall, f1]: [Option<f64>; 3], support: u64| {
        let figures = [precision, recall, f1].map(|f| f.map_or_else(|| "–".to_owned(), |f| format!("{f:.3}")));
        let cells: String = figures.iter().map(|figure| right(figure, 10)).collect();
        format!("{}{cells}{}", left(name, column), right(&support.to_string(), 10))
    };
    for (class, name) in metrics.per_class.iter().zip(names) {
        let _ = writeln!(out, "{}", row(&name, [class.precision, class.recall, class.f1], class.support));
    }
    for (name, average) in [("macro", &metrics.macro_avg), ("weighted", &metrics.weighted_avg)] {
        let _ = writeln!(out, "{}", row(name, [average.precision, average.recall, average.f1], metrics.total));
    }
}

fn matrix(out: &mut String, confusion: &Confusion) {
    let others = 0 < confusion.folded_labels;
    let mut columns: Vec<String> = confusion.labels.iter().map(|label| fit(label, LABEL)).collect();
    if others {
        columns.push("(others)".to_owned());
    }
    columns.extend(["(unknown)", "(no answer)", "total"].map(str::to_owned));
    let row = |counts: &[u64], other: u64, unknown: u64, none: u64, total: u64| {
        let mut cells = counts.to_vec();
        if others {
            cells.push(other);
        }
        cells.extend([unknown, none, total]);
        cells
    };
    let mut rows: Vec<(String, Vec<u64>)> = Vec::new();
    for line in &confusion.rows {
        let name = line.label.as_deref().map_or_else(|| "(others)".to_owned(), |label| fit(label, LABEL));
        rows.push((name, row(&line.counts, line.other_labels, line.unknown_label, line.no_answer, line.total)));
    }
    let totals = &confusion.totals;
    let sums = row(&totals.counts, totals.other_labels, totals.unknown_label, totals.no_answer, totals.total);
    rows.push(("total".to_owned(), sums));

    let first = rows.iter().map(|(name, _)| width(name)).chain([width("expected ↓ answer →")]).max().unwrap_or(0);
    let _ = write!(out, "\n{}", left("expected ↓ answer →", first));
    for column in &columns {
        let _ = write!(out, "  {column}");
    }
    out.push('\n');
    for (name, cells) in &rows {
        let _ = write!(out, "{}", left(name, first));
        for (cell, column) in cells.iter().zip(&columns) {
            // A zero says nothing; a dot keeps the eye on what is there.
            let text = if *cell == 0 { "·".to_owned() } else { cell.to_string() };
            let _ = write!(out, "  {}", right(&text, width(column)));
        }
        out.push('\n');
    }
}

fn pairs(out: &mut String, metrics: &Metrics) {
    let Some(top) = metrics.top_confusions.as_ref().filter(|top| !top.pairs.is_empty()) else { return };
    let _ = writeln!(out, "\nmost frequent confusions");
    for pair in &top.pairs {
        let unknown = if pair.known { "" } else { " (no label)" };
        let (expected, answer) = (fit(&pair.expected, LABEL), fit(&pair.answer, LABEL));
        let _ = writeln!(out, "{:>8}  {expected} → {answer}{unknown}", pair.count);
    }
    if 0 < top.left_out {
        let _ = writeln!(out, "{:>8}  others", top.left_out);
    }
}

#[cfg(test)]
mod tests {
    use batch_eval::{Evaluator, Options};
    use insta::assert_snapshot;

    use super::*;

    fn of(pairs: &[(&str, Option<&str>)]) -> Metrics {
        let mut evaluator = Evaluator::new(Options::default()).unwrap();
        for (expected, answer) in pairs {
            evaluator.add(expected, *answer);
        }
        evaluator.finish()
    }

    #[test]
    fn a_report_lines_up_also_where_characters_are_wide() {
        let metrics = of(&[
            ("スポーツ", Some("スポーツ")),
            ("スポーツ", Some("tech")),
            ("tech", Some("tech")),
            ("tech", None),
            ("tech", Some("テク")),
            ("", Some("tech")),
        ]);
        assert_snapshot!(text(&metrics), @r"
        compared   5 records with an expected value
                   1 records without one are left out
        coverage    80.0 %  4 of 5 answered
        accuracy    40.0 %  2 of 5 correct, no answer counts as wrong (95 %: 11.8 to 76.9 %)
                    50.0 %  of the 4 answered
                   1 answers are no label
        agreement  kappa 0.118, MCC 0.136

        class    precision    recall        f1   support
        tech         0.500     0.333     0.400         3
        スポーツ     1.000     0.500     0.667         2
        macro        0.750     0.417     0.533         5
        weighted     0.700     0.400     0.507         5

        expected ↓ answer →  tech  スポーツ  (unknown)  (no answer)  total
        tech                    1         ·          1            1      3
        スポーツ                1         1          ·            ·      2
        total                   2         1          1            1      5
        ");
    }

    #[test]
    fn nothing_to_compare_is_no_zero() {
        assert_snapshot!(text(&of(&[])), @r"
        compared   0 records with an expected value
        coverage       –    0 of 0 answered
        accuracy       –    0 of 0 correct, no answer counts as wrong
                       –    of the 0 answered

        expected ↓ answer →  (unknown)  (no answer)  total
        total                        ·            ·      ·
        ");
    }
}
