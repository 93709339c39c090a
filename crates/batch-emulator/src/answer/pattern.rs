//! Text that matches a regular expression.

use regex_syntax::hir::{Class, Hir, HirKind};

use super::text::{below, pick};
use crate::random::Random;

/// The most that a `*` or `+` repeats beyond what it must.
const MORE: u32 = 4;

/// The longest text made for a pattern.
const LONGEST: usize = 4096;

/// A text that matches `pattern`, or none where the pattern is beyond what this can do:
/// look-around inside, back references, or no regular expression at all.
pub(super) fn matching(pattern: &str, random: &Random) -> Option<String> {
    let parsed = regex_syntax::parse(pattern).ok()?;
    let mut text = String::new();
    write(&parsed, random, &mut text)?;
    (text.len() <= LONGEST).then_some(text)
}

fn write(hir: &Hir, random: &Random, text: &mut String) -> Option<()> {
    if text.len() > LONGEST {
        return None;
    }
    match hir.kind() {
        // Anchors ask for nothing at the ends, and what they ask for elsewhere is rare.
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => text.push_str(std::str::from_utf8(&literal.0).ok()?),
        HirKind::Class(Class::Unicode(class)) => {
            let plain = |c: char| c == ' ' || c.is_ascii_graphic();
            // Of a wide class, such as `.` or `[^,]`, the characters that people type.
            let mut choice: Vec<char> = (' '..='~').filter(|c| contains(class, *c)).collect();
            if choice.iter().any(|c| c.is_ascii_alphanumeric()) {
                choice.retain(|c| c.is_ascii_alphanumeric());
            }
            choice.retain(|c| plain(*c));
            let first = class.ranges().first().map(|range| range.start());
            text.push(pick(random, &choice).copied().or(first)?);
        }
        HirKind::Class(Class::Bytes(class)) => {
            let range = class.ranges().first()?;
            text.push(char::from(range.start()));
        }
        HirKind::Repetition(repetition) => {
            let most = repetition.max.unwrap_or(repetition.min.saturating_add(MORE));
            let spread = u64::from(most.saturating_sub(repetition.min)) + 1;
            let count = u64::from(repetition.min) + below(random, spread);
            for _ in 0..count {
                write(&repetition.sub, random, text)?;
            }
        }
        HirKind::Capture(capture) => write(&capture.sub, random, text)?,
        HirKind::Concat(all) => {
            for part in all {
                write(part, random, text)?;
            }
        }
        HirKind::Alternation(choices) => write(pick(random, choices)?, random, text)?,
    }
    Some(())
}

fn contains(class: &regex_syntax::hir::ClassUnicode, c: char) -> bool {
    class.ranges().iter().any(|range| (range.start()..=range.end()).contains(&c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simple_patterns_are_matched() {
        for seed in 0..20 {
            let random = Random::new(seed);
            let text = matching(r"^[A-Z]{2}-\d{3}(x|yz)?$", &random).unwrap();
            assert!(text.len() >= 6 && text.is_ascii());
            assert!(text[..2].bytes().all(|b| b.is_ascii_uppercase()));
            assert_eq!(&text[2..3], "-");
            assert!(text[3..6].bytes().all(|b| b.is_ascii_digit()));
            assert!(["", "x", "yz"].contains(&&text[6..]));
        }
        assert_eq!(matching("^日本$", &Random::new(0)).unwrap(), "日本");
    }

    #[test]
    fn what_cannot_be_done_is_left() {
        for pattern in ["(", r"(a)\1", "(?=a)b"] {
            assert_eq!(matching(pattern, &Random::new(0)), None, "{pattern}");
        }
        assert_eq!(matching("a{5000}", &Random::new(0)), None);
    }
}
