//! Answers compared with expected values: coverage, accuracy, per-class metrics, the confusion matrix.
//!
//! An [`Evaluator`] takes one pair of expected value and answer at a time and gives [`Metrics`];
//! [`Thresholds`] turn metrics into a [`Verdict`]. [`Options`] says how texts are compared
//! ([`Normalize`]), which labels there are, and what an undefined figure counts as.
//!
//! ```
//! use batch_eval::{Evaluator, Judgement, Options, Thresholds};
//!
//! let mut evaluator = Evaluator::new(Options::default())?;
//! evaluator.add("sport", Some("sport"));
//! evaluator.add("sport", Some(" tech\n"));
//! evaluator.add("tech", Some("tech"));
//! let judgement = evaluator.add("tech", None); // blocked, failed, or missing
//! assert_eq!(judgement, Judgement::NotAnswered);
//!
//! let metrics = evaluator.finish();
//! assert_eq!(metrics.accuracy, Some(0.5)); // no answer counts as wrong …
//! assert_eq!(metrics.accuracy_answered, Some(2.0 / 3.0)); // … and is left out here
//! assert_eq!(metrics.per_class[0].label, "sport");
//! assert_eq!(metrics.per_class[0].recall, Some(0.5));
//!
//! let thresholds = Thresholds { min_accuracy: Some(0.9), ..Thresholds::default() };
//! assert!(!thresholds.check(&metrics)?.passed());
//! # Ok::<(), batch_eval::Error>(())
//! ```
//!
//! # What counts as what
//!
//! | the record has | it counts in |
//! | --- | --- |
//! | an expected value and the same answer | `total`, `answered`, `correct` |
//! | an expected value and another answer, which is itself a label | `total`, `answered`; a miss of the expected class, a false alarm of the other |
//! | an expected value and an answer that is no label | `total`, `answered`, `unknown_label`; a miss of the expected class only |
//! | an expected value and no answer, or a blank one | `total`; a miss of the expected class only |
//! | no expected value, or a blank one | `unlabelled`, and nothing else |
//!
//! The labels are the expected values that occur, and those given in [`Options::labels`].
//! Texts are compared exactly after white space is trimmed from both ends, unless
//! [`Normalize`] says otherwise.
//!
//! A figure whose denominator is zero is `None` (`null` in JSON), never NaN, 0 or 1.
//!
//! Memory grows with the number of distinct labels and not with the number of records;
//! [`Options::max_labels`] bounds it when the values turn out to be free text.
//!
//! No IO, no clock, no randomness: the same records give the same metrics.
//! The order of the records matters only to what [`Limited::LateLabel`] and
//! [`TopConfusions`] describe, and only after more than [`Options::max_labels`] distinct
//! answers were no label.

mod options;

mod evaluator;

mod confusion;
mod interval;
mod metrics;
mod recent;

mod thresholds;

mod error;

pub use confusion::{Confusion, ConfusionRow, ConfusionTotals, PairCount, TopConfusions};
pub use error::{Error, ErrorKind};
pub use evaluator::{Evaluator, Judgement};
pub use interval::Interval;
pub use metrics::{Average, ClassMetrics, Limited, Metrics};
pub use options::{Normalize, Options, ZeroDivision};
pub use thresholds::{Check, Metric, Thresholds, Verdict};
