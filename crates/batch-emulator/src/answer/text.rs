//! Words and tokens.

use crate::random::Random;

/// What made-up text is made of.
const WORDS: &[&str] = &[
    "about", "after", "answer", "area", "before", "between", "blue", "bridge", "case", "change", "clear", "close",
    "common", "corner", "early", "east", "field", "first", "garden", "general", "green", "harbour", "house", "large",
    "last", "letter", "light", "line", "long", "market", "middle", "morning", "music", "near", "north", "number",
    "often", "old", "open", "order", "other", "paper", "part", "place", "plain", "point", "quiet", "reason", "river",
    "road", "second", "short", "simple", "small", "sound", "south", "stone", "story", "street", "summer", "table",
    "test", "thing", "turn", "under", "water", "west", "white", "window", "winter", "word", "work", "world", "year",
    "yellow", "young",
];

/// A number below `end`, or 0.
pub(super) fn below(random: &Random, end: u64) -> u64 {
    random.next_u64().checked_rem(end).unwrap_or(0)
}

/// One of them.
pub(super) fn pick<'a, T>(random: &Random, from: &'a [T]) -> Option<&'a T> {
    let at = usize::try_from(below(random, from.len() as u64)).unwrap_or(0);
    from.get(at)
}

/// Words, separated by spaces.
pub(super) fn words(random: &Random, count: u64) -> String {
    let mut text = String::new();
    for _ in 0..count {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(pick(random, WORDS).unwrap_or(&"word"));
    }
    text
}

/// A few sentences.
pub(super) fn sentences(random: &Random) -> String {
    let mut text = String::new();
    for _ in 0..=below(random, 3) {
        if !text.is_empty() {
            text.push(' ');
        }
        let count = 5 + below(random, 8);
        let sentence = words(random, count);
        let mut letters = sentence.chars();
        text.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        text.push_str(letters.as_str());
        text.push('.');
    }
    text
}

/// How many tokens a text counts for: one for four bytes, which is near the truth for
/// English and for Japanese.
pub(super) fn tokens(text: &str) -> u64 {
    tokens_of(text.len())
}

/// How many tokens so many bytes of text count for.
pub(super) fn tokens_of(bytes: usize) -> u64 {
    (bytes as u64).div_ceil(4)
}

/// The start of a text that counts for no more than `most` tokens.
pub(super) fn first_tokens(text: &str, most: u64) -> &str {
    let most = usize::try_from(most.saturating_mul(4)).unwrap_or(usize::MAX);
    &text[..text.floor_char_boundary(most)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(first_tokens("日本語", 1), "日");
        assert_eq!(first_tokens("日本語", 3), "日本語");
        assert_eq!(tokens("日本語"), 3);
        assert_eq!(tokens(""), 0);
    }

    #[test]
    fn sentences_are_the_same_for_the_same_seed() {
        let text = sentences(&Random::new(7));
        assert_eq!(text, sentences(&Random::new(7)));
        assert_ne!(text, sentences(&Random::new(8)));
        assert!(text.ends_with('.') && text.starts_with(|c: char| c.is_ascii_uppercase()));
    }
}
