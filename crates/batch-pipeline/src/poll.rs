//! When to look at a job again.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// When to look at a job again, by its age and by how often it was looked at.
///
/// The default notices the end of a short job within seconds and costs a day-long job about 1,700
/// requests: 0.5 s after the job was made, doubling to `steady`, every `steady` until the job is
/// `young` old, then a `fraction` of its age up to `longest`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PollPolicy {
    /// The first wait, in seconds.
    pub first: f64,
    /// The wait while the job is young, in seconds.
    pub steady: f64,
    /// How long a job is young, in seconds.
    pub young: f64,
    /// What part of its age a job that is no longer young is left alone for.
    pub fraction: f64,
    /// The longest wait, in seconds.
    pub longest: f64,
    /// How far a wait may be off, as a part of it: 0.1 is ±10 %.
    pub jitter: f64,
}

impl Default for PollPolicy {
    fn default() -> Self {
        Self { first: 0.5, steady: 5.0, young: 900.0, fraction: 0.01, longest: 60.0, jitter: 0.1 }
    }
}

impl PollPolicy {
    /// How long to wait before the next look.
    ///
    /// `age` is the job's age, `looks` how often it was looked at, `random` a number in 0..1.
    #[must_use]
    pub fn wait(&self, age: Duration, looks: u32, random: f64) -> Duration {
        let age = age.as_secs_f64();
        let base = if age >= self.young {
            (age * self.fraction).clamp(self.steady, self.longest.max(self.steady))
        } else {
            let doubled = self.first * f64::from(2_u32.saturating_pow(looks.min(16)));
            doubled.min(self.steady)
        };
        let factor = 1.0 + self.jitter.clamp(0.0, 1.0) * (2.0 * random.clamp(0.0, 1.0) - 1.0);
        Duration::from_secs_f64((base * factor).max(0.05))
    }
}

/// A number in 0..1 that is always the same for the same `seed` and `step`, and as good as random.
pub(crate) fn spread(seed: u64, step: u64) -> f64 {
    // SplitMix64, public domain: three lines serve better here than a generator with state.
    let mut z = seed.wrapping_add(step.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    #[expect(clippy::cast_precision_loss, reason = "53 bits are what a float holds")]
    let unit = ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64;
    unit
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(until: f64) -> Vec<f64> {
        let policy = PollPolicy::default();
        let (mut at, mut looks, mut all) = (0.0, 0, Vec::new());
        while at < until {
            at += policy.wait(Duration::from_secs_f64(at), looks, 0.5).as_secs_f64();
            looks += 1;
            all.push(at);
        }
        all
    }

    #[test]
    fn a_new_job_is_looked_at_soon_and_then_every_five_seconds() {
        assert_eq!(schedule(20.0), [0.5, 1.5, 3.5, 7.5, 12.5, 17.5, 22.5]);
    }

    #[test]
    fn an_old_job_is_left_alone_for_a_hundredth_of_its_age_up_to_a_minute() {
        let policy = PollPolicy::default();
        let wait = |age: u64| policy.wait(Duration::from_secs(age), 1000, 0.5).as_secs_f64();
        assert_eq!((wait(899), wait(900), wait(3600), wait(86_400)), (5.0, 9.0, 36.0, 60.0));
        assert!(schedule(86_400.0).len() < 2000, "{} polls a day", schedule(86_400.0).len());
    }

    /// How long the end of a job goes unnoticed on average, where it may come at any moment between the two.
    fn mean_delay(from: f64, to: f64) -> f64 {
        let looks = schedule(to);
        let gaps = looks.windows(2).filter(|pair| from <= pair[0]).map(|pair| pair[1] - pair[0]);
        let (time, delay) = gaps.fold((0.0, 0.0), |(time, delay), gap| (time + gap, delay + gap * gap / 2.0));
        delay / time
    }

    #[test]
    fn the_end_of_a_job_is_noticed_soon_for_its_age() {
        assert!(mean_delay(0.0, 900.0) <= 2.5, "{}", mean_delay(0.0, 900.0));
        for hours in [0.25, 0.5, 1.0, 1.5] {
            let (from, to) = (hours * 3600.0, hours * 3600.0 + 900.0);
            assert!(mean_delay(from, to) <= 0.01 * from, "{hours} h: {}", mean_delay(from, to));
        }
        assert!(mean_delay(7200.0, 86_400.0) <= 30.5, "{}", mean_delay(7200.0, 86_400.0));
    }

    #[test]
    fn jitter_stays_within_its_part() {
        let policy = PollPolicy::default();
        for step in 0..1000 {
            let wait = policy.wait(Duration::from_secs(3600), 9, spread(7, step)).as_secs_f64();
            assert!((32.4..=39.6).contains(&wait), "{wait}");
        }
    }
}
