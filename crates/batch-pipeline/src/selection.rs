//! Which records of the table are asked about: all of them, the first, or some drawn by lot.

use std::{collections::BinaryHeap, path::Path};

use batch_io::Record;
use serde::{Deserialize, Serialize};

use crate::{Error, Kind, Result, Spec, stage::open_table};

/// A part of the table that is asked about; the other records are skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Selection {
    /// So many records from the table's beginning.
    Limit(u64),
    /// So many records from anywhere in the table, or all where it has no more.
    Sample(u64),
}

impl Selection {
    /// As the label of a job.
    pub(crate) fn to_label(self) -> String {
        match self {
            Self::Limit(records) => format!("limit-{records}"),
            Self::Sample(records) => format!("sample-{records}"),
        }
    }

    /// What a label says; `None` where it says none of this.
    pub(crate) fn of_label(label: &str) -> Option<Self> {
        let (part, records) = label.split_once('-')?;
        let records = records.parse().ok()?;
        match part {
            "limit" => Some(Self::Limit(records)),
            "sample" => Some(Self::Sample(records)),
            _ => None,
        }
    }
}

/// A [`Selection`] on one table: tells of each record whether it is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Selected {
    /// Every record.
    All,
    /// Those whose index is below this.
    Below(u64),
    /// Those whose lot is drawn.
    Drawn {
        /// What the lots are made of beside the record's index.
        seed: u64,
        /// The highest lot that is drawn.
        up_to: u64,
    },
}

impl Selected {
    /// What `selection` comes to on a table. A sample needs the table to be read once, to count its
    /// records, and 8 bytes for each record that is drawn.
    ///
    /// Lots are made of `digest`, the digest of the table, alone: the same table gives the same sample
    /// for every prompt and model, so that they can be compared, and a larger sample has all of a
    /// smaller one.
    ///
    /// # Errors
    /// The table cannot be read; nothing is selected.
    pub fn of(selection: Option<Selection>, input: &Path, digest: &str, spec: &Spec) -> Result<Self> {
        let nothing = || Error::new(Kind::Input, "no record is selected").with_hint("take at least one");
        match selection {
            None => Ok(Self::All),
            Some(Selection::Limit(0) | Selection::Sample(0)) => Err(nothing()),
            Some(Selection::Limit(records)) => Ok(Self::Below(records)),
            Some(Selection::Sample(records)) => {
                let seed = u64::from_str_radix(digest.get(..16).unwrap_or_default(), 16).unwrap_or_default();
                let mut table = open_table(input, spec)?;
                let mut record = Record::new();
                let wrong = |error| Error::new(Kind::Input, "read the input").with_source(error);
                // The lowest so many lots; the highest of them is at the top.
                let mut drawn = BinaryHeap::new();
                while table.read(&mut record).map_err(wrong)? {
                    let lot = lot(seed, record.index());
                    if (drawn.len() as u64) < records {
                        drawn.push(lot);
                    } else if let Some(mut highest) = drawn.peek_mut()
                        && lot < *highest
                    {
                        *highest = lot;
                    }
                }
                Ok(Self::Drawn { seed, up_to: drawn.peek().copied().unwrap_or(u64::MAX) })
            }
        }
    }

    /// Whether the record of this index is asked about.
    #[must_use]
    pub fn has(&self, index: u64) -> bool {
        match *self {
            Self::All => true,
            Self::Below(end) => index < end,
            Self::Drawn { seed, up_to } => lot(seed, index) <= up_to,
        }
    }
}

/// The lot of a record. For one seed no two records have the same: each step can be undone, so that
/// exactly as many are drawn as were asked for.
fn lot(seed: u64, index: u64) -> u64 {
    // The finaliser of SplitMix64, public domain.
    let mut z = index.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(seed);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Overrides;

    fn selected(rows: u64, selection: Selection, digest: &str) -> Result<Vec<u64>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        let text: String = (0..rows).map(|row| format!("{row}\n")).collect();
        std::fs::write(&path, format!("a\n{text}")).unwrap();
        let text = "version = 1\ninput.path = 't.csv'\n";
        let spec = Spec::parse("batch.toml", text, &Overrides::default()).unwrap();
        let selected = Selected::of(Some(selection), &path, digest, &spec)?;
        Ok((0..rows).filter(|row| selected.has(*row)).collect())
    }

    const DIGEST: &str = "00112233445566778899aabbccddeeff";

    #[test]
    fn a_sample_has_exactly_so_many_records_and_always_the_same() {
        for records in [1, 2, 50, 99, 100, 1000] {
            let sample = selected(100, Selection::Sample(records), DIGEST).unwrap();
            assert_eq!(sample.len() as u64, records.min(100));
            assert_eq!(sample, selected(100, Selection::Sample(records), DIGEST).unwrap());
        }
        let (small, large) = (Selection::Sample(10), Selection::Sample(30));
        let (small, large) = (selected(100, small, DIGEST).unwrap(), selected(100, large, DIGEST).unwrap());
        assert!(small.iter().all(|record| large.contains(record)), "{small:?} {large:?}");
        assert_ne!(small, (0..10).collect::<Vec<_>>());
        let other = selected(100, Selection::Sample(10), "ffeeddccbbaa99887766554433221100").unwrap();
        assert_ne!(small, other);
    }

    #[test]
    fn a_limit_takes_the_first_and_nothing_is_no_selection() {
        assert_eq!(selected(9, Selection::Limit(3), DIGEST).unwrap(), [0, 1, 2]);
        assert_eq!(selected(2, Selection::Limit(3), DIGEST).unwrap(), [0, 1]);
        let error = selected(9, Selection::Sample(0), DIGEST).unwrap_err();
        assert_eq!(error.to_string(), "no record is selected");
    }
}
