//! The least and the greatest text of a column.

use parquet::data_type::ByteArray;
use parquet::file::statistics::{Statistics, ValueStatistics};

/// What the footer has of a text is no longer than this in bytes, and one character.
const LENGTH: usize = 64;

/// By their bytes, which is the order of UTF-8 texts in Parquet.
#[derive(Default)]
pub(crate) struct Extremes(Option<(Vec<u8>, Vec<u8>)>);

impl Extremes {
    pub(crate) fn push(&mut self, text: &[u8]) {
        let Some((least, greatest)) = &mut self.0 else {
            self.0 = Some((text.to_vec(), text.to_vec()));
            return;
        };
        if text < &least[..] {
            text.clone_into(least);
        } else if &greatest[..] < text {
            text.clone_into(greatest);
        }
    }

    /// As the footer has them; nothing is left.
    pub(crate) fn take(&mut self, nulls: u64) -> Statistics {
        let (least, greatest) = self.0.take().unzip();
        let (least, greatest) = (least.map(at_most), greatest.and_then(at_least));
        let is_exact = |bound: &Option<(Vec<u8>, bool)>| bound.as_ref().is_some_and(|(_, is_exact)| *is_exact);
        let (least_is_exact, greatest_is_exact) = (is_exact(&least), is_exact(&greatest));
        let value = |bound: Option<(Vec<u8>, bool)>| bound.map(|(bytes, _)| ByteArray::from(bytes));
        let statistics = ValueStatistics::new(value(least), value(greatest), None, Some(nulls), false);
        Statistics::ByteArray(statistics.with_min_is_exact(least_is_exact).with_max_is_exact(greatest_is_exact))
    }
}

/// A short text that is not greater, and whether it is the same.
fn at_most(mut text: Vec<u8>) -> (Vec<u8>, bool) {
    if text.len() <= LENGTH {
        return (text, true);
    }
    text.truncate(start(&text).len());
    (text, false)
}

/// A short text that is not less, and whether it is the same; `None` where no short one is.
fn at_least(text: Vec<u8>) -> Option<(Vec<u8>, bool)> {
    if text.len() <= LENGTH {
        return Some((text, true));
    }
    let mut start = start(&text).to_owned();
    while let Some(last) = start.pop() {
        // Between the two ranges of characters nothing lies but surrogates, which no text has.
        let next = if last == '\u{D7FF}' { Some('\u{E000}') } else { char::from_u32(u32::from(last) + 1) };
        if let Some(next) = next {
            start.push(next);
            return Some((start.into_bytes(), false));
        }
    }
    None
}

/// The first characters of a text, [`LENGTH`] bytes at most.
fn start(text: &[u8]) -> &str {
    let whole = std::str::from_utf8(text).unwrap_or_default();
    &whole[..whole.floor_char_boundary(LENGTH)]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text() -> impl Strategy<Value = String> {
        let character = prop_oneof![Just(char::MAX), Just('\u{D7FF}'), Just('~'), any::<char>()];
        proptest::collection::vec(character, 0..90).prop_map(|characters| characters.into_iter().collect())
    }

    proptest! {
        #[test]
        fn every_text_lies_between_them(texts in proptest::collection::vec(text(), 1..6)) {
            let mut extremes = Extremes::default();
            for text in &texts {
                extremes.push(text.as_bytes());
            }
            let told = extremes.take(3);
            prop_assert_eq!(told.null_count_opt(), Some(3));
            let least = told.min_bytes_opt().unwrap();
            let (min, max) = (texts.iter().min().unwrap(), texts.iter().max().unwrap());
            prop_assert!(least.len() <= LENGTH && least <= min.as_bytes());
            prop_assert_eq!(told.min_is_exact(), least == min.as_bytes());
            if let Some(greatest) = told.max_bytes_opt() {
                prop_assert!(greatest.len() < LENGTH + 4 && max.as_bytes() <= greatest);
                prop_assert_eq!(told.max_is_exact(), greatest == max.as_bytes());
                prop_assert!(std::str::from_utf8(greatest).is_ok());
            } else {
                let is_last = max.chars().take(LENGTH / 4).all(|character| character == char::MAX);
                prop_assert!(LENGTH < max.len() && is_last);
            }
        }
    }

    #[test]
    fn where_there_is_no_text_there_are_only_nulls() {
        let told = Extremes::default().take(7);
        assert_eq!((told.null_count_opt(), told.min_bytes_opt(), told.max_bytes_opt()), (Some(7), None, None));
    }
}
