//! Pairs of short texts that were counted before, by their bytes.

/// Pairs of an expected value and an answer as they were given, and what came of each: most records of a job
/// say one of a few things, which need not be normalised and looked up again.
///
/// A pair has one place, and takes it from the one that was there.
#[derive(Clone, Debug)]
pub(crate) struct Recent<T> {
    /// None before the first pair.
    places: Vec<Place<T>>,
}

#[derive(Clone, Debug)]
struct Place<T> {
    /// The expected value, and behind it the answer.
    bytes: [u8; LONGEST],
    expected: usize,
    both: usize,
    /// `None` where there is no pair.
    found: Option<T>,
}

/// How many pairs there may be.
const PLACES: usize = 128;
/// Longer pairs are not kept.
const LONGEST: usize = 64;

impl<T: Copy> Recent<T> {
    pub(crate) fn new() -> Self {
        Self { places: Vec::new() }
    }

    /// What came of this pair, if it is here.
    #[inline]
    pub(crate) fn get(&self, expected: &str, answer: &str) -> Option<T> {
        let place = self.places.get(place_of(expected, answer))?;
        let (one, other) = place.bytes.get(..place.both)?.split_at_checked(place.expected)?;
        if one == expected.as_bytes() && other == answer.as_bytes() { place.found } else { None }
    }

    /// Notes what came of a pair, unless it is too long.
    pub(crate) fn put(&mut self, expected: &str, answer: &str, found: T) {
        let both = expected.len() + answer.len();
        if LONGEST < both {
            return;
        }
        if self.places.is_empty() {
            let empty = Place { bytes: [0; LONGEST], expected: 0, both: 0, found: None };
            self.places = vec![empty; PLACES];
        }
        let place = &mut self.places[place_of(expected, answer)];
        let (one, other) = place.bytes[..both].split_at_mut(expected.len());
        one.copy_from_slice(expected.as_bytes());
        other.copy_from_slice(answer.as_bytes());
        (place.expected, place.both, place.found) = (expected.len(), both, Some(found));
    }
}

/// By the last eight bytes of each, and how long they are.
#[inline]
fn place_of(expected: &str, answer: &str) -> usize {
    const ODD: u64 = 0x9E37_79B9_7F4A_7C15;
    let mixed = |text: &str| (last_bytes(text.as_bytes()) ^ text.len() as u64).wrapping_mul(ODD);
    let both = (mixed(expected).rotate_left(23) ^ mixed(answer)).wrapping_mul(ODD);
    // The upper bits depend on all of them.
    usize::from(both.to_be_bytes()[0]) % PLACES
}

#[inline]
fn last_bytes(text: &[u8]) -> u64 {
    match text.last_chunk() {
        Some(last) => u64::from_le_bytes(*last),
        None => text.iter().fold(0, |bytes, byte| bytes << 8 | u64::from(*byte)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Nothing but what was put in last for the very pair.
        #[test]
        fn says_what_came_of_the_pair_and_of_no_other(
            pairs in proptest::collection::vec(("[ab]{0,2}|[ab]{29,35}", "[ab]{0,2}|[ab]{29,35}"), 0..60),
        ) {
            let mut recent = Recent::new();
            for (number, (expected, answer)) in pairs.iter().enumerate() {
                recent.put(expected, answer, number);
                let is_kept = expected.len() + answer.len() <= LONGEST;
                prop_assert_eq!(recent.get(expected, answer), is_kept.then_some(number));
                let (one, other) = &pairs[pairs.len() - 1 - number];
                let found = recent.get(one, other);
                prop_assert!(found.is_none_or(|found| found <= number && pairs[found] == (one.clone(), other.clone())));
            }
        }
    }

    #[test]
    fn knows_where_one_text_ends() {
        let mut recent = Recent::new();
        for (expected, answer) in [("", ""), ("ab", ""), ("", "ab"), ("a", "b")] {
            assert_eq!(recent.get(expected, answer), None);
            recent.put(expected, answer, ());
            assert_eq!(recent.get(expected, answer), Some(()));
        }
    }
}
