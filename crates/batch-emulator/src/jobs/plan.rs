//! In which order rows are answered, and which of them go wrong on purpose.

use std::collections::{BTreeMap, HashMap};

use super::import::Row;
use crate::Faults;
use crate::answer::Spoiled;
use crate::json::Place;
use crate::random::Random;

/// What happens to a row on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowFault {
    /// It gets no prediction.
    Drop,
    /// It gets its prediction twice.
    Duplicate,
    /// It fails.
    Fail,
    /// Its response is spoiled.
    Spoil(Spoiled),
}

const ROW_FAULTS: [(&str, RowFault); 7] = [
    ("drop-row", RowFault::Drop),
    ("duplicate-row", RowFault::Duplicate),
    ("fail-row", RowFault::Fail),
    ("block-row", RowFault::Spoil(Spoiled::Blocked)),
    ("no-candidates-row", RowFault::Spoil(Spoiled::NoCandidates)),
    ("truncate-row", RowFault::Spoil(Spoiled::Truncated)),
    ("thought-row", RowFault::Spoil(Spoiled::Thought)),
];

/// Takes the faults of rows, no more than there are rows.
pub(super) fn take(faults: &Faults, rows: usize) -> BTreeMap<String, u64> {
    let mut left = rows;
    let mut taken = BTreeMap::new();
    for (name, _) in ROW_FAULTS {
        let count = faults.take_of(name, left);
        left -= count;
        if count > 0 {
            taken.insert(name.to_owned(), count as u64);
        }
    }
    taken
}

/// Chooses the rows that the faults hit, each row at most once.
pub(super) fn choose(counts: &BTreeMap<String, u64>, rows: &[Row], seed: u64) -> HashMap<Place, RowFault> {
    let random = Random::new(seed);
    let mut chosen = HashMap::new();
    // The start of a shuffle of all rows, of which only what moved is kept.
    let mut moved: HashMap<usize, usize> = HashMap::new();
    let mut next = 0;
    for (name, fault) in ROW_FAULTS {
        for _ in 0..counts.get(name).copied().unwrap_or(0) {
            if next == rows.len() {
                return chosen;
            }
            let at = next + index(&random, rows.len() - next);
            let drawn = moved.get(&at).copied().unwrap_or(at);
            moved.insert(at, moved.get(&next).copied().unwrap_or(next));
            next += 1;
            if let Some(row) = rows.get(drawn) {
                chosen.insert(row.place(), fault);
            }
        }
    }
    chosen
}

/// Puts the rows into another order, which depends on nothing but the seed and their
/// number; two rows or more never stay as they were.
pub(super) fn shuffle(rows: &mut [Row], seed: u64) {
    let random = Random::new(seed);
    for end in (1..rows.len()).rev() {
        rows.swap(end, index(&random, end + 1));
    }
    if rows.is_sorted_by_key(|row| row.place()) && rows.len() > 1 {
        rows.rotate_left(1);
    }
}

fn index(random: &Random, end: usize) -> usize {
    (random.next_u64() % end as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(count: u64) -> Vec<Row> {
        let row = |offset| Row { offset, length: 1, file: 0 };
        (0..count).map(row).collect()
    }

    #[test]
    fn an_order_is_another_one_and_the_same_again() {
        for count in 2..20 {
            for seed in 0..20 {
                let (mut one, mut two) = (rows(count), rows(count));
                shuffle(&mut one, seed);
                shuffle(&mut two, seed);
                assert_eq!(one, two);
                assert_ne!(one, rows(count));
                one.sort_by_key(|row| row.offset);
                assert_eq!(one, rows(count));
            }
        }
    }

    #[test]
    fn faults_hit_different_rows_and_no_more_than_there_are() {
        let faults = Faults::parse(["drop-row=2", "fail-row=7", "thought-row"]).unwrap();
        let taken = take(&faults, 5);
        assert_eq!(taken["drop-row"], 2);
        assert_eq!(taken["fail-row"], 3);
        assert_eq!(faults.remaining()["fail-row"], 4);
        assert_eq!(faults.remaining()["thought-row"], 1);
        let chosen = choose(&taken, &rows(5), 9);
        assert_eq!(chosen.len(), 5);
        assert_eq!(chosen.values().filter(|fault| **fault == RowFault::Fail).count(), 3);
        assert_eq!(chosen, choose(&taken, &rows(5), 9));
    }
}
