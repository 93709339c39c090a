//! How many tokens a text has, by its characters.
//!
//! Nobody outside Google has the tokenizer of Gemini. Its documentation says that a token is about four
//! characters of English; other writing is far from that. What is here are rates by class of
//! character, fitted to the vocabulary of Gemma 3, which Google's own SDK counts with for Gemini: the
//! texts in `tests/it/data/tokens.json` and what they were counted to. Likely, and no more than that.

use serde::{Deserialize, Serialize};

/// A figure that is not known: at least, probably, at most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ranged<T> {
    /// It will hardly be less.
    pub low: T,
    /// The best guess.
    pub expected: T,
    /// It will hardly be more.
    pub high: T,
}

impl<T> Ranged<T> {
    /// The same in all three.
    pub(crate) fn each(value: T) -> Self
    where
        T: Copy,
    {
        Self { low: value, expected: value, high: value }
    }

    /// Each of the three by itself.
    pub(crate) fn map<U>(&self, change: impl Fn(&T) -> U) -> Ranged<U> {
        Ranged { low: change(&self.low), expected: change(&self.expected), high: change(&self.high) }
    }

    /// Each of the three with the other's.
    pub(crate) fn zip<U, V>(&self, other: &Ranged<U>, join: impl Fn(&T, &U) -> V) -> Ranged<V> {
        Ranged {
            low: join(&self.low, &other.low),
            expected: join(&self.expected, &other.expected),
            high: join(&self.high, &other.high),
        }
    }
}

impl Ranged<u64> {
    pub(crate) fn plus(self, other: Self) -> Self {
        self.zip(&other, |a, b| a.saturating_add(*b))
    }

    pub(crate) fn times(self, factor: Self) -> Self {
        self.zip(&factor, |a, b| a.saturating_mul(*b))
    }

    pub(crate) fn at_most(self, most: u64) -> Self {
        self.map(|value| (*value).min(most))
    }
}

/// How many characters of each class a text has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Characters([u64; CLASSES]);

const CLASSES: usize = 7;

/// What a character counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Letters of the Latin script.
    Latin,
    /// Digits: a token each.
    Digit,
    /// Punctuation.
    Mark,
    /// Chinese characters, kana, Hangul.
    Dense,
    /// Letters of any other script.
    Other,
    /// Symbols, emoji and what has no class.
    Symbol,
    /// White space that does not go into the next word's token.
    Gap,
}

/// Tokens of a thousand characters of each class, in the order of [`Class`].
const RATES: [Ranged<u64>; CLASSES] = [
    rate(160, 230, 500),
    rate(800, 1000, 1000),
    rate(250, 600, 1000),
    rate(480, 650, 950),
    rate(200, 380, 700),
    rate(500, 1200, 4000),
    rate(0, 300, 1000),
];

const fn rate(low: u64, expected: u64, high: u64) -> Ranged<u64> {
    Ranged { low, expected, high }
}

impl Characters {
    pub(super) fn of(text: &str) -> Self {
        let mut counts = [0; CLASSES];
        let mut before = '\0';
        for c in text.chars() {
            if let Some(class) = class_of(c, before) {
                counts[class as usize] += 1;
            }
            before = c;
        }
        Self(counts)
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (count, more) in self.0.iter_mut().zip(other.0) {
            *count += more;
        }
    }

    /// At least one where there is a character at all.
    pub(super) fn tokens(&self) -> Ranged<u64> {
        let mut thousandths = Ranged::<u64>::default();
        for (count, rate) in self.0.iter().zip(RATES) {
            thousandths = thousandths.plus(rate.times(Ranged::each(*count)));
        }
        let least = u64::from(self.0.iter().any(|count| 0 < *count));
        thousandths.map(|value| value.div_ceil(1000).max(least))
    }
}

/// The tokens of a text.
pub(super) fn tokens_of(text: &str) -> Ranged<u64> {
    Characters::of(text).tokens()
}

/// `None` for a space, which begins the token of the word behind it, and for white space that goes on.
fn class_of(c: char, before: char) -> Option<Class> {
    if c.is_ascii() {
        return match c {
            'a'..='z' | 'A'..='Z' => Some(Class::Latin),
            '0'..='9' => Some(Class::Digit),
            ' ' if before != ' ' => None,
            ' ' | '\t' | '\n' | '\r' => (before != c).then_some(Class::Gap),
            _ => Some(Class::Mark),
        };
    }
    Some(match c {
        c if c.is_whitespace() => return (before != c).then_some(Class::Gap),
        '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' | '\u{300}'..='\u{36f}' => Class::Latin,
        // Kana, Chinese characters, Hangul, their punctuation, and what is as wide as they are.
        '\u{1100}'..='\u{11ff}'
        | '\u{2e80}'..='\u{9fff}'
        | '\u{a960}'..='\u{a97f}'
        | '\u{ac00}'..='\u{d7ff}'
        | '\u{f900}'..='\u{faff}'
        | '\u{ff00}'..='\u{ffef}'
        | '\u{20000}'..='\u{3ffff}' => Class::Dense,
        '\u{80}'..='\u{bf}' | '\u{2000}'..='\u{206f}' => Class::Mark,
        c if c.is_numeric() => Class::Digit,
        // The vowel signs of Indic scripts and of Thai are no letters to `is_alphabetic` in every case.
        '\u{370}'..='\u{1fff}' => Class::Other,
        c if c.is_alphabetic() => Class::Other,
        _ => Class::Symbol,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_space_goes_into_the_next_word() {
        assert_eq!(Characters::of("a b"), Characters::of("ab"));
        assert_eq!(Characters::of("a\n\n\nb").0[Class::Gap as usize], 1);
        assert_eq!(tokens_of(""), Ranged::each(0));
        assert_eq!(tokens_of(" x"), rate(1, 1, 1));
    }

    #[test]
    fn digits_are_a_token_each() {
        assert_eq!(tokens_of("20261121").expected, 8);
    }

    #[test]
    fn rates_by_hand() {
        // 100 letters: 16, 23, 50. 10 Chinese characters: 4.8, 6.5, 9.5, rounded up.
        assert_eq!(tokens_of(&"x".repeat(100)), rate(16, 23, 50));
        assert_eq!(tokens_of(&"財".repeat(10)), rate(5, 7, 10));
    }
}
