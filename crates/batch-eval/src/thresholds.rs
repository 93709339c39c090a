//! What the figures have to reach, and whether they do.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind};
use crate::metrics::Metrics;

/// The least that each figure has to be; `None` asks for nothing.
///
/// ```
/// use batch_eval::{Evaluator, Metric, Options, Thresholds};
///
/// let mut evaluator = Evaluator::new(Options::default())?;
/// evaluator.add("web", Some("web"));
/// evaluator.add("web", Some("games"));
///
/// let thresholds = Thresholds { min_accuracy: Some(0.8), ..Thresholds::default() };
/// let verdict = thresholds.check(&evaluator.finish())?;
/// assert!(!verdict.passed());
/// assert_eq!(verdict.checks[0].metric, Metric::Accuracy);
/// assert_eq!(verdict.checks[0].actual, Some(0.5));
/// # Ok::<(), batch_eval::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Thresholds {
    /// Of [`Metrics::coverage`], 0 to 1.
    pub min_coverage: Option<f64>,
    /// Of [`Metrics::accuracy`], 0 to 1.
    pub min_accuracy: Option<f64>,
    /// Of [`Metrics::accuracy_answered`], 0 to 1.
    pub min_accuracy_answered: Option<f64>,
    /// Of [`Metrics::balanced_accuracy`], 0 to 1.
    pub min_balanced_accuracy: Option<f64>,
    /// Of the F1 of [`Metrics::macro_avg`], 0 to 1.
    pub min_macro_f1: Option<f64>,
    /// Of [`Metrics::cohen_kappa`], -1 to 1.
    pub min_cohen_kappa: Option<f64>,
    /// Of [`Metrics::mcc`], -1 to 1.
    pub min_mcc: Option<f64>,
}

/// A figure that can have a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Metric {
    /// [`Metrics::coverage`].
    Coverage,
    /// [`Metrics::accuracy`].
    Accuracy,
    /// [`Metrics::accuracy_answered`].
    AccuracyAnswered,
    /// [`Metrics::balanced_accuracy`].
    BalancedAccuracy,
    /// The F1 of [`Metrics::macro_avg`].
    MacroF1,
    /// [`Metrics::cohen_kappa`].
    CohenKappa,
    /// [`Metrics::mcc`].
    Mcc,
}

/// What came of all thresholds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Verdict {
    /// One check for each threshold that was set, in the order of [`Thresholds`]' fields.
    pub checks: Vec<Check>,
}

/// What came of one threshold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Check {
    /// The figure.
    pub metric: Metric,
    /// The least it has to be.
    pub minimum: f64,
    /// What it is; `None` where it is undefined.
    pub actual: Option<f64>,
    /// Whether it is at least the minimum. An undefined figure is not: a threshold that
    /// could not be measured must not let a build pass.
    pub passed: bool,
}

impl Thresholds {
    /// Compares `metrics` with every threshold that is set.
    ///
    /// # Errors
    ///
    /// As [`validate`](Self::validate).
    pub fn check(&self, metrics: &Metrics) -> Result<Verdict, Error> {
        self.validate()?;
        let checks = self
            .set()
            .map(|(metric, minimum)| {
                let actual = metric.of(metrics);
                Check { metric, minimum, actual, passed: actual.is_some_and(|a| minimum <= a) }
            })
            .collect();
        Ok(Verdict { checks })
    }

    /// Whether every minimum is one that its figure can have: worth asking before a batch
    /// is paid for.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::ThresholdOutOfRange`], where a minimum is not a number or lies outside
    /// the range of its figure.
    pub fn validate(&self) -> Result<(), Error> {
        for (metric, minimum) in self.set() {
            let (low, high) = metric.range();
            if !(low..=high).contains(&minimum) {
                return Err(Error::new(
                    ErrorKind::ThresholdOutOfRange,
                    format!("minimum {metric} is {minimum}, outside {low} to {high}"),
                    if 1.0 < minimum && minimum <= 100.0 {
                        format!("Write it as a proportion: {} for {minimum} %.", minimum / 100.0)
                    } else {
                        format!("Write a number from {low} to {high}.")
                    },
                ));
            }
        }
        Ok(())
    }

    fn set(&self) -> impl Iterator<Item = (Metric, f64)> {
        [
            (Metric::Coverage, self.min_coverage),
            (Metric::Accuracy, self.min_accuracy),
            (Metric::AccuracyAnswered, self.min_accuracy_answered),
            (Metric::BalancedAccuracy, self.min_balanced_accuracy),
            (Metric::MacroF1, self.min_macro_f1),
            (Metric::CohenKappa, self.min_cohen_kappa),
            (Metric::Mcc, self.min_mcc),
        ]
        .into_iter()
        .filter_map(|(metric, minimum)| Some((metric, minimum?)))
    }
}

impl Metric {
    /// This figure of `metrics`; `None` where it is undefined.
    #[must_use]
    pub fn of(self, metrics: &Metrics) -> Option<f64> {
        match self {
            Self::Coverage => metrics.coverage,
            Self::Accuracy => metrics.accuracy,
            Self::AccuracyAnswered => metrics.accuracy_answered,
            Self::BalancedAccuracy => metrics.balanced_accuracy,
            Self::MacroF1 => metrics.macro_avg.f1,
            Self::CohenKappa => metrics.cohen_kappa,
            Self::Mcc => metrics.mcc,
        }
    }

    fn range(self) -> (f64, f64) {
        match self {
            Self::CohenKappa | Self::Mcc => (-1.0, 1.0),
            Self::Coverage | Self::Accuracy | Self::AccuracyAnswered | Self::BalancedAccuracy | Self::MacroF1 => {
                (0.0, 1.0)
            }
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Coverage => "coverage",
            Self::Accuracy => "accuracy",
            Self::AccuracyAnswered => "accuracy over answered records",
            Self::BalancedAccuracy => "balanced accuracy",
            Self::MacroF1 => "macro F1",
            Self::CohenKappa => "Cohen's kappa",
            Self::Mcc => "Matthews correlation",
        })
    }
}

impl Verdict {
    /// Whether every check passed. Without a threshold there is nothing to fail.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.checks.iter().all(|check| check.passed)
    }
}
