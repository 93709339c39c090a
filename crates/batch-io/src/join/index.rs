//! The index: where the prediction of a key lies, in 24 bytes a prediction.

use std::hint::black_box;
use std::ops::Range;

use super::identity::Hash96;

/// Where a prediction line lies.
///
/// The file's number takes 16 bits and the offset 48 (281 TB): ordered as a number, places
/// are ordered by file, then offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place(u64);

impl Place {
    pub(super) const MOST_FILES: usize = 1 << 16;

    /// `None` where the numbers are too large, which no real file makes them.
    pub(super) fn new(file: usize, byte: u64) -> Option<Self> {
        (file < Self::MOST_FILES && byte < 1 << 48).then_some(Self((file as u64) << 48 | byte))
    }

    pub(super) fn file(self) -> usize {
        // The upper 16 bits fit.
        usize::try_from(self.0 >> 48).unwrap_or_default()
    }

    pub(super) fn byte(self) -> u64 {
        self.0 & ((1 << 48) - 1)
    }
}

/// One prediction line: its key's hash, and where it begins. It ends at a line end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    high: u64,
    place: Place,
    low: u32,
    /// See [`Reply::pack`].
    reply: u32,
}

/// Where what a prediction says is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// The whole line has to be read.
    Line,
    /// In the response alone; where that lies in the line is noted under this number.
    Response(u32),
    /// In what was kept of it under this number.
    Kept(u32),
}

impl Reply {
    /// Numbers are less than this.
    pub(super) const MOST: u32 = (1 << 31) - 1;

    /// The highest bit tells of a response.
    fn pack(self) -> u32 {
        match self {
            Self::Line => 0,
            Self::Response(number) => 1 << 31 | number,
            Self::Kept(number) => number + 1,
        }
    }

    fn unpack(packed: u32) -> Self {
        match packed {
            0 => Self::Line,
            number if number >> 31 == 1 => Self::Response(number & Self::MOST),
            number => Self::Kept(number - 1),
        }
    }
}

impl Entry {
    pub(super) fn new(hash: Hash96, place: Place, reply: Reply) -> Self {
        Self { high: hash.high, low: hash.low, place, reply: reply.pack() }
    }

    pub(super) fn reply(&self) -> Reply {
        Reply::unpack(self.reply)
    }

    pub(super) fn set_reply(&mut self, reply: Reply) {
        self.reply = reply.pack();
    }

    pub(super) fn hash(&self) -> Hash96 {
        Hash96 { high: self.high, low: self.low }
    }

    pub(super) fn place(&self) -> Place {
        self.place
    }
}

/// Names an entry of the index.
pub(super) type EntryId = u32;

/// All predictions, sorted by hash and then by place, and which of them are taken.
#[derive(Debug, Default)]
pub(super) struct Index {
    entries: Vec<Entry>,
    taken: Vec<u64>,
    /// Where the entries begin whose hash begins with these bits, so that a look-up goes
    /// through a handful of them instead of halving them all.
    starts: Vec<u32>,
    prefix_bits: u32,
}

impl Index {
    /// As many entries as an [`EntryId`] can name and as there can be numbers of replies.
    pub(super) const MOST: usize = Reply::MOST as usize;

    pub(super) fn new(mut entries: Vec<Entry>) -> Self {
        debug_assert!(entries.len() <= Self::MOST);
        sort(&mut entries);
        // About 8 entries to a prefix, and no more than a quarter of a megabyte for all.
        let prefix_bits = (entries.len() / 8).max(1).ilog2().min(16);
        let mut starts = Vec::with_capacity((1 << prefix_bits) + 1);
        for (place, entry) in entries.iter().enumerate() {
            let prefix = prefix(entry.high, prefix_bits);
            while starts.len() <= prefix {
                starts.push(id(place));
            }
        }
        starts.resize((1 << prefix_bits) + 1, id(entries.len()));
        let taken = vec![0; entries.len().div_ceil(64)];
        Self { entries, taken, starts, prefix_bits }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn entry(&self, id: EntryId) -> &Entry {
        &self.entries[id as usize]
    }

    /// Has the memory brought in that [`group`](Self::group) will look at, as far as that can be told: who touches
    /// what is asked for next does not wait for each by itself.
    pub(super) fn touch(&self, hash: Hash96) {
        let (_, entries) = self.bucket(hash);
        black_box(entries.get(guess(hash, entries.len(), self.prefix_bits)).map(|entry| entry.high));
    }

    /// The entries whose hash begins with the same bits, and where they stand among all.
    fn bucket(&self, hash: Hash96) -> (EntryId, &[Entry]) {
        let prefix = prefix(hash.high, self.prefix_bits);
        let (start, end) = (self.starts[prefix], self.starts[prefix + 1]);
        (start, &self.entries[start as usize..end as usize])
    }

    /// The entries of a hash, in the order of their places; empty if there are none.
    pub(super) fn group(&self, hash: Hash96) -> Range<EntryId> {
        if hash == Hash96::NONE {
            return 0..0;
        }
        let (start, entries) = self.bucket(hash);
        let first = first_of(hash, entries, self.prefix_bits);
        let rest = &entries[first..];
        let few = rest.iter().take(FEW).take_while(|entry| entry.hash() == hash).count();
        // A label that all share is that of as many as there are.
        let count = if few < FEW { few } else { rest.partition_point(|entry| entry.hash() <= hash) };
        start + id(first)..start + id(first + count)
    }

    pub(super) fn take(&mut self, entry: EntryId) {
        self.taken[entry as usize / 64] |= 1 << (entry % 64);
    }

    pub(super) fn is_taken(&self, entry: EntryId) -> bool {
        self.taken[entry as usize / 64] & 1 << (entry % 64) != 0
    }

    /// The entries that are not taken, in the order of their places.
    pub(super) fn left(&self) -> Vec<EntryId> {
        let mut left: Vec<_> = (0..id(self.len())).filter(|&entry| !self.is_taken(entry)).collect();
        left.sort_unstable_by_key(|&entry| self.entry(entry).place);
        left
    }
}

/// So many entries are looked at one after the other; among more, the place is found by halving them.
const FEW: usize = 64;

/// Where the first entry of a hash stands among those whose hash begins with the same bits, or would stand.
///
/// Hashes are spread evenly, so its place among a few can nearly be told: that spares the memory of the others,
/// which no cache holds where there are many predictions.
fn first_of(hash: Hash96, entries: &[Entry], prefix_bits: u32) -> usize {
    let guess = guess(hash, entries.len(), prefix_bits);
    let (before, behind) = entries.split_at(guess);
    let back = before.iter().rev().take(FEW).take_while(|entry| hash <= entry.hash()).count();
    if back == FEW {
        return before.partition_point(|entry| entry.hash() < hash);
    }
    if 0 < back {
        return guess - back;
    }
    let on = behind.iter().take(FEW).take_while(|entry| entry.hash() < hash).count();
    guess + if on < FEW { on } else { behind.partition_point(|entry| entry.hash() < hash) }
}

/// About where a hash stands among so many that begin with the same bits.
fn guess(hash: Hash96, count: usize, prefix_bits: u32) -> usize {
    let behind_prefix = hash.high.checked_shl(prefix_bits).unwrap_or(0);
    usize::try_from((u128::from(behind_prefix) * count as u128) >> u64::BITS).unwrap_or_default()
}

/// Sorts by hash and then by place.
///
/// Hashes are spread evenly, so most of it is done by putting each where those are that begin with the same bits:
/// twice where there are many, as among a thousand places at a time each is still in a cache.
fn sort(entries: &mut [Entry]) {
    spread(entries, 0, &mut |entries, skipped| {
        spread(entries, skipped, &mut |few, _| few.sort_unstable_by_key(|entry| (entry.hash(), entry.place)));
    });
}

/// Brings those together whose hashes have the same bits behind the first ones, which were looked at before; and hands
/// each of these groups on, with how many bits have been looked at.
fn spread(entries: &mut [Entry], skipped: u32, each: &mut impl FnMut(&mut [Entry], u32)) {
    let bits = (entries.len() / 8).max(1).ilog2().min(10);
    if bits == 0 {
        return each(entries, skipped);
    }
    let group = |entry: &Entry| prefix(entry.high << skipped, bits);
    let mut ends = vec![0; 1 << bits];
    for entry in &*entries {
        ends[group(entry)] += 1;
    }
    let mut starts = Vec::with_capacity(ends.len());
    let mut before = 0;
    for end in &mut ends {
        starts.push(before);
        before += *end;
        *end = before;
    }
    // Each that stands elsewhere changes places with one that stands where it belongs, and which is the next then.
    let mut from = 0;
    for number in 0..ends.len() {
        let end = ends[number];
        while starts[number] < end {
            let other = group(&entries[starts[number]]);
            if other != number {
                entries.swap(starts[number], starts[other]);
            }
            starts[other] += 1;
        }
        each(&mut entries[from..end], skipped + bits);
        from = end;
    }
}

fn prefix(high: u64, bits: u32) -> usize {
    // At most 16 bits.
    usize::try_from(high.checked_shr(64 - bits).unwrap_or(0)).unwrap_or_default()
}

/// There are never more than [`Index::MOST`].
fn id(place: usize) -> EntryId {
    u32::try_from(place).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_of_24_bytes() {
        assert_eq!(size_of::<Entry>(), 24);
    }

    #[test]
    fn a_reply_is_what_it_was() {
        let most = Reply::MOST - 1;
        for reply in [Reply::Line, Reply::Kept(0), Reply::Kept(most), Reply::Response(0), Reply::Response(most)] {
            let mut entry = Entry::new(Hash96::NONE, Place::new(0, 0).unwrap(), reply);
            assert_eq!(entry.reply(), reply);
            entry.set_reply(Reply::Kept(3));
            assert_eq!(entry.reply(), Reply::Kept(3));
        }
    }

    #[test]
    fn every_key_is_found_with_all_its_places_in_order() {
        for count in [0_u64, 1, 7, 100, 5_000] {
            // Each third key three times, far apart.
            let entries = (0..count).rev().map(|number| {
                let key = if number % 3 == 0 { number % 9 } else { number };
                let hash = Hash96::exact(&format!("r{key}"));
                Entry::new(hash, Place::new(usize::from(number % 2 == 0), number * 10).unwrap(), Reply::Line)
            });
            let index = Index::new(entries.collect());
            let mut found = 0;
            for key in 0..count {
                let group = index.group(Hash96::exact(&format!("r{key}")));
                let places: Vec<_> = group.clone().map(|entry| index.entry(entry).place()).collect();
                assert!(places.is_sorted());
                found += places.len() as u64;
            }
            assert_eq!(found, count);
            assert_eq!(
                index.group(Hash96::exact("x")),
                index.group(Hash96::exact("x")).start..index.group(Hash96::exact("x")).start
            );
        }
    }

    /// More under one hash than are looked at one by one, with others before and behind.
    #[test]
    fn a_hash_that_many_share_is_one_group() {
        let hashes = (0..5_000_u64).map(|number| if number % 2 == 0 { 7 } else { number });
        let entries = hashes.enumerate().map(|(place, number)| {
            let hash = Hash96::exact(&format!("r{number}"));
            Entry::new(hash, Place::new(0, place as u64).unwrap(), Reply::Line)
        });
        let index = Index::new(entries.collect());
        assert_eq!(index.group(Hash96::exact("r7")).len(), 2_501);
        assert!(
            (0..5_000)
                .filter(|number| number % 2 == 1 && *number != 7)
                .all(|number| { index.group(Hash96::exact(&format!("r{number}"))).len() == 1 })
        );
        let all = (0..1_000).map(|place| Entry::new(Hash96::exact("x"), Place::new(0, place).unwrap(), Reply::Line));
        let index = Index::new(all.collect());
        assert_eq!(index.group(Hash96::exact("x")), 0..1_000);
        assert_eq!(index.group(Hash96::exact("y")).len(), 0);
    }

    /// Of any number, with hashes that are spread and with those that are not.
    #[test]
    fn entries_are_sorted() {
        for count in [0, 1, 15, 16, 17, 1_000, 9_000, 20_000] {
            for different in [1, 3, 100, 20_000] {
                let entries = (0..count).map(|number| {
                    let hash = Hash96::exact(&format!("r{}", number * 7_919 % different));
                    Entry::new(hash, Place::new(0, number * 31 % 20_011).unwrap(), Reply::Line)
                });
                let mut entries: Vec<Entry> = entries.collect();
                let mut expected = entries.clone();
                expected.sort_by_key(|entry| (entry.hash(), entry.place));
                sort(&mut entries);
                assert_eq!(entries, expected, "{count} of {different}");
            }
        }
    }

    #[test]
    fn what_is_taken_is_not_left() {
        let entries = (0..130).map(|number| Entry::new(Hash96::NONE, Place::new(0, number).unwrap(), Reply::Line));
        let mut index = Index::new(entries.collect());
        for entry in (0..130).step_by(2) {
            index.take(entry);
        }
        assert_eq!(index.left(), (0..130).filter(|entry| entry % 2 == 1).collect::<Vec<_>>());
        assert!(index.group(Hash96::NONE).is_empty());
    }
}
