//! The confidence interval of a proportion.

use serde::{Deserialize, Serialize};

/// Where the true proportion lies, with 95 % confidence, if the records are a random sample:
/// Wilson's score interval, without continuity correction.
///
/// Unlike the textbook interval around the mean it stays inside 0 to 1 and says something
/// useful for small samples and for proportions of 0 and 1: ten right out of ten is
/// 0.72 to 1, not "certainly all".
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Interval {
    /// The lower bound, 0 to 1.
    pub low: f64,
    /// The upper bound, 0 to 1.
    pub high: f64,
}

/// The 97.5 % point of the normal distribution.
const Z: f64 = 1.959_963_984_540_054;

impl Interval {
    /// The interval for `successes` out of `trials`; `None` without trials, or where there are
    /// more successes than trials.
    ///
    /// ```
    /// # use batch_eval::Interval;
    /// let interval = Interval::wilson(10, 10).unwrap();
    /// assert!((interval.low - 0.722_467).abs() < 1e-6);
    /// assert_eq!(interval.high, 1.0);
    /// ```
    #[must_use]
    pub fn wilson(successes: u64, trials: u64) -> Option<Self> {
        if trials == 0 || trials < successes {
            return None;
        }
        let n = trials as f64;
        let p = successes as f64 / n;
        let z2 = Z * Z;
        let denominator = 1.0 + z2 / n;
        let centre = (p + z2 / (2.0 * n)) / denominator;
        let half = Z * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt() / denominator;
        // Both bounds are exact at the ends; rounding would leave a crumb such as 1e-17 there.
        let low = if successes == 0 { 0.0 } else { (centre - half).max(0.0) };
        let high = if successes == trials { 1.0 } else { (centre + half).min(1.0) };
        Some(Self { low, high })
    }
}
