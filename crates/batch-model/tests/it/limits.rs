//! The rule of labels.

use batch_model::limits::{LABEL_CHARACTERS, LabelProblem, is_retyped, label_key_problem, label_value_problem};
use proptest::prelude::*;

#[test]
fn keys_and_values() {
    assert_eq!(label_key_problem(""), Some(LabelProblem::Empty));
    assert_eq!(label_value_problem(""), None);
    assert_eq!(label_key_problem("7a"), Some(LabelProblem::Start('7')));
    assert_eq!(label_key_problem("_a"), Some(LabelProblem::Start('_')));
    assert_eq!(label_value_problem("7"), None);
    assert_eq!(label_value_problem("a/b"), Some(LabelProblem::Character('/', 1)));
    assert_eq!(label_value_problem("日本 x"), Some(LabelProblem::Character(' ', 2)));
    for letters in ["ß", "日本語", "ελληνικά", "שלום", "ñ_-9"] {
        assert_eq!(label_key_problem(letters), None, "{letters}");
    }
    // Upper case in any script, title case too.
    for capital in ["É", "Ж", "ǅ"] {
        assert!(label_key_problem(capital).is_some(), "{capital}");
    }
    // Characters count, not bytes.
    assert_eq!(label_value_problem(&"あ".repeat(LABEL_CHARACTERS)), None);
    assert_eq!(label_value_problem(&"あ".repeat(LABEL_CHARACTERS + 1)), Some(LabelProblem::TooLong(64)));
}

#[test]
fn problems_in_words() {
    let words = ["", "A", "a b", "1a", &"a".repeat(70)].map(|key| format!("{}", label_key_problem(key).unwrap()));
    insta::assert_snapshot!(words.join("\n"));
}

#[test]
fn what_the_import_retypes() {
    for text in ["7", "007", "-1", "+1", "0.5", "1e3", "1E-3", ".5", "5.", "true", "FALSE"] {
        assert!(is_retyped(text), "{text}");
    }
    for text in ["", "n7", "1.2.3", "7a", "NaN", "inf", "-", "e", "1_000", " 7", "0x1f"] {
        assert!(!is_retyped(text), "{text}");
    }
}

proptest! {
    #[test]
    fn plain_labels_are_clean(key in "[a-z][a-z0-9_-]{0,62}") {
        prop_assert_eq!(label_key_problem(&key), None);
        prop_assert_eq!(label_value_problem(&key), None);
    }

    #[test]
    fn a_key_is_also_a_value(text in "\\PC{0,80}") {
        if label_key_problem(&text).is_none() {
            prop_assert_eq!(label_value_problem(&text), None);
        }
    }
}
