//! Which keys were seen, and in which line: 12 bytes each, and little more for the table.

use twox_hash::XxHash3_128;

/// Many small tables instead of one large: a table that grows is copied, and while it is,
/// both copies are held. Of 1,024 only one is copied at a time.
const SHARDS: usize = 1024;

/// A set of strings of which only hashes are kept, with a line number for each.
#[derive(Debug, Default)]
pub(super) struct KeySet {
    shards: Vec<Shard>,
}

/// Open addressing with linear probing, filled to at most 7/8 and grown by an eighth, so
/// that a key takes between 13.7 and 15.5 bytes.
#[derive(Debug, Default, Clone)]
struct Shard {
    slots: Vec<Slot>,
    used: usize,
}

/// Two halves of a hash and a line; of a free slot the hash is 0. Three words and not a
/// `u64` and a `u32`, which would be padded to 16 bytes.
#[derive(Debug, Default, Clone, Copy)]
struct Slot {
    high: u32,
    low: u32,
    /// 0 for a line that does not fit.
    line: u32,
}

impl Slot {
    fn is_free(self) -> bool {
        self.high == 0 && self.low == 0
    }

    fn has_hash_of(self, other: Self) -> bool {
        self.high == other.high && self.low == other.low
    }
}

impl KeySet {
    /// Adds a key that stands in this line. `Some` if it is there already, with the line
    /// it came with, if that is known.
    pub(super) fn insert(&mut self, key: &str, line: u64) -> Option<Option<u64>> {
        if self.shards.is_empty() {
            self.shards.resize(SHARDS, Shard::default());
        }
        let hash = XxHash3_128::oneshot(key.as_bytes());
        #[expect(clippy::cast_possible_truncation, reason = "takes the hash apart")]
        let (shard, high, low) = ((hash >> 64) as usize % SHARDS, (hash >> 32) as u32, hash as u32);
        // A bit that is set tells it from a free slot.
        let slot = Slot { high, low: low | 1, line: u32::try_from(line).unwrap_or(0) };
        let first = self.shards[shard].insert(slot)?;
        Some((first.line != 0).then_some(u64::from(first.line)))
    }
}

impl Shard {
    fn insert(&mut self, slot: Slot) -> Option<Slot> {
        if self.slots.len() * 7 <= self.used * 8 {
            self.grow();
        }
        let place = self.find(slot);
        let there = self.slots[place];
        if there.is_free() {
            self.slots[place] = slot;
            self.used += 1;
            None
        } else {
            Some(there)
        }
    }

    /// The slot that holds this hash, or the free one where it belongs.
    fn find(&self, slot: Slot) -> usize {
        // The upper half chooses the slot; scaled and not taken modulo, since the number
        // of slots is no power of two.
        let scaled = u64::from(slot.high) * self.slots.len() as u64;
        let mut place = usize::try_from(scaled >> 32).unwrap_or_default();
        while !self.slots[place].is_free() && !self.slots[place].has_hash_of(slot) {
            place += 1;
            if place == self.slots.len() {
                place = 0;
            }
        }
        place
    }

    fn grow(&mut self) {
        let size = (self.slots.len() + self.slots.len() / 8).max(self.slots.len() + 8);
        let old = std::mem::replace(&mut self.slots, vec![Slot::default(); size]);
        for slot in old {
            if !slot.is_free() {
                let place = self.find(slot);
                self.slots[place] = slot;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_it_was_given_and_nothing_else() {
        let mut set = KeySet::default();
        for line in 2..50_000_u64 {
            assert_eq!(set.insert(&format!("id-{line}"), line), None);
        }
        for line in 2..50_000_u64 {
            assert_eq!(set.insert(&format!("id-{line}"), 1), Some(Some(line)));
        }
        assert_eq!(set.insert("id-50000", 1), None);
    }

    #[test]
    fn a_line_beyond_32_bits_is_not_told_wrong() {
        let mut set = KeySet::default();
        assert_eq!(set.insert("a", 5_000_000_000), None);
        assert_eq!(set.insert("a", 5_000_000_001), Some(None));
    }

    #[test]
    fn takes_no_more_than_16_bytes_a_key() {
        let mut set = KeySet::default();
        for count in 1..=400_000_u64 {
            set.insert(&count.to_string(), count);
            if count % 100_000 == 0 {
                let slots: usize = set.shards.iter().map(|shard| shard.slots.capacity()).sum();
                let bytes = slots * size_of::<Slot>() + SHARDS * size_of::<Shard>();
                let keys = usize::try_from(count).unwrap();
                assert!(bytes <= keys * 16, "{bytes} bytes for {count} keys");
            }
        }
    }
}
