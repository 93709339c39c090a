//! When two texts are the same.

use batch_eval::{Judgement, Normalize, Options};
use proptest::prelude::*;

use crate::{evaluate_with, labels};

fn rules() -> impl Strategy<Value = Normalize> {
    any::<[bool; 4]>().prop_map(|[trim, collapse_whitespace, strip_punctuation, case_fold]| Normalize {
        trim,
        collapse_whitespace,
        strip_punctuation,
        case_fold,
    })
}

#[track_caller]
fn check(rules: Normalize, text: &str, expected: &str) {
    assert_eq!(rules.apply(text), expected);
}

#[test]
fn by_default_only_the_ends_are_trimmed() {
    check(Normalize::default(), "\u{3000} Sport\r\n", "Sport");
    check(Normalize::default(), "\"Sport\".", "\"Sport\".");
    check(Normalize::EXACT, " a ", " a ");
}

#[test]
fn each_rule_does_what_it_says() {
    let collapse = Normalize { collapse_whitespace: true, ..Normalize::default() };
    check(collapse, " real  time\n\tstrategy ", "real time strategy");
    check(collapse, "real\u{a0}time", "real time");

    let strip = Normalize { strip_punctuation: true, ..Normalize::default() };
    check(strip, "「スポーツ」。", "スポーツ");
    check(strip, " \" sport. \" ", "sport");
    check(strip, "C++", "C++");
    check(strip, "(other)", "(other)");
    check(strip, "it's", "it's");

    let fold = Normalize { case_fold: true, ..Normalize::default() };
    check(fold, "ΣΊΣΥΦΟΣ", "σίσυφοσ");
    check(fold, "σίσυφος", "σίσυφοσ");
    check(fold, "STRASSE", "strasse");
    check(fold, "Straße", "strasse");
    check(fold, "スポーツ", "スポーツ");
}

#[test]
fn a_given_label_is_shown_as_it_was_given() {
    let normalize = Normalize { case_fold: true, ..Normalize::default() };
    let options = Options { normalize, labels: labels(&["Science Fiction"]), ..Options::default() };
    let metrics = evaluate_with(options, &[("science fiction", Some("SCIENCE FICTION")), ("Drama", Some("drama"))]);
    assert_eq!(metrics.correct, 2);
    let shown: Vec<_> = metrics.per_class.iter().map(|class| class.label.as_str()).collect();
    assert_eq!(shown, ["Science Fiction", "drama"]);
    assert_eq!(metrics.normalize, normalize);
}

#[test]
fn upper_and_lower_case_of_every_character_are_the_same() {
    let fold = Normalize { case_fold: true, ..Normalize::EXACT };
    // No script beyond has case.
    for c in '\0'..='\u{1ffff}' {
        let text = c.to_string();
        let folded = fold.apply(&text);
        assert_eq!(fold.apply(&folded), folded, "{c:?} folded twice");
        assert_eq!(fold.apply(&text.to_uppercase()), folded, "{c:?} in upper case");
        assert_eq!(fold.apply(&text.to_lowercase()), folded, "{c:?} in lower case");
    }
}

proptest! {
    #[test]
    fn applying_rules_twice_changes_nothing_more(rules in rules(), text in any::<String>()) {
        let once = rules.apply(&text).into_owned();
        prop_assert_eq!(&rules.apply(&once), &once);
    }

    #[test]
    fn a_text_is_correct_for_itself_under_any_rules(rules in rules(), text in any::<String>()) {
        let options = Options { normalize: rules, ..Options::default() };
        let mut evaluator = batch_eval::Evaluator::new(options).unwrap();
        let judgement = evaluator.add(&text, Some(&text));
        let blank = rules.apply(&text).trim().is_empty();
        let expected = if blank { Judgement::Unlabelled } else { Judgement::Correct };
        prop_assert_eq!(judgement, expected);
    }
}
