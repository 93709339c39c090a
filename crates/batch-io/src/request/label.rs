//! The service's rules for labels.

use crate::error::{Error, ErrorKind, Result};

/// Characters that a name or value may have.
const LONGEST: usize = 63;
/// Labels of one request. The rule of Google Cloud for all resources; that it holds for
/// requests too is likely, not certain.
const MOST: usize = 64;

const RULE: &str =
    "a label has at most 63 lower-case letters, digits, underscores and dashes, and its name begins with a letter";

pub(super) fn check_count(count: usize) -> Result<()> {
    if count <= MOST {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Setting, format!("{count} labels where a request may have {MOST}")))
}

pub(super) fn check_name(name: &str) -> Result<()> {
    if name.starts_with(is_letter) && is_legal(name) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Setting, format!("the service refuses {name:?} as the name of a label")).with_hint(RULE))
}

/// For a value that is the same in every request; what a record makes of it is its own.
pub(super) fn check_value(name: &str, value: &str) -> Result<()> {
    if is_legal(value) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Setting, format!("the service refuses {value:?} as the value of the label {name:?}"))
        .with_hint(RULE))
}

fn is_legal(text: &str) -> bool {
    text.chars().count() <= LONGEST && text.chars().all(|c| is_letter(c) || c.is_numeric() || matches!(c, '_' | '-'))
}

/// Of any script, since most have no upper case.
fn is_letter(c: char) -> bool {
    c.is_alphabetic() && !c.is_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_have_their_own_rules() {
        let long = "a".repeat(64);
        for (text, as_name, as_value) in [
            ("id", true, true),
            ("種別-1_b", true, true),
            ("7", false, true),
            ("", false, true),
            ("_x", false, true),
            ("Id", false, false),
            ("a b", false, false),
            ("a.b", false, false),
            (&long[..63], true, true),
            (&long, false, false),
        ] {
            assert_eq!(check_name(text).is_ok(), as_name, "name {text:?}");
            assert_eq!(check_value("id", text).is_ok(), as_value, "value {text:?}");
        }
        assert!(check_count(64).is_ok());
        assert!(check_count(65).is_err());
    }
}
