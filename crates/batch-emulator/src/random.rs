//! Identifiers and shuffles, from a seed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A stream of numbers that is the same for the same seed. Clones draw from one stream.
#[derive(Clone, Debug)]
pub(crate) struct Random(Arc<AtomicU64>);

impl Random {
    /// The stream that `seed` stands for.
    pub(crate) fn new(seed: u64) -> Random {
        Random(Arc::new(AtomicU64::new(seed)))
    }

    /// The next number: SplitMix64, whose state is a plain counter and so needs no lock.
    pub(crate) fn next_u64(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_the_published_one() {
        // The first values of SplitMix64 for the seed 1234567, as other implementations
        // of it list them.
        let random = Random::new(1_234_567);
        assert_eq!(random.next_u64(), 6_457_827_717_110_365_317);
        assert_eq!(random.next_u64(), 3_203_168_211_198_807_973);
    }
}
