//! Records that lie in the service's own storage already.

use std::fmt;

use async_trait::async_trait;
use batch_model::{InputConfig, OutputInfo};

use crate::{PredictionSource, Result, Staged};

/// Records that lie where the service reads them, such as the rows of a table of BigQuery, so that
/// none of them need come here: they are staged, and their answers made readable, in their own place.
#[async_trait]
pub trait RecordStore: fmt::Debug + fmt::Display + Send + Sync {
    /// Looks at the records, and at all that staging them and placing their answers needs.
    ///
    /// # Errors
    /// `InvalidArgument`, `NotFound`, `FailedPrecondition` and `AlreadyExists` where the service would
    /// refuse the records or the place of their answers; what it may answer.
    async fn look(&self) -> Result<RecordsInfo>;

    /// Sees to it that the records lie where jobs read them, in pieces of at most `most` requests, and
    /// returns the pieces in order. Called again with the same name it makes nothing anew and returns the
    /// same.
    ///
    /// Records that have requests are one piece as they are; of others requests are made first, in
    /// tables whose names come of `name`.
    ///
    /// # Errors
    /// `FailedPrecondition` where records that have requests are more than `most`; `Unsupported` where
    /// the server cannot make requests of records; what the service may answer.
    async fn stage(&self, name: &str, most: u64) -> Result<Vec<Staged>>;

    /// What was staged, without the requests: JSON lines with the columns of [`RecordsInfo::columns`],
    /// piece after piece, as one file.
    ///
    /// # Errors
    /// What the service may answer.
    async fn open(&self, staged: &[InputConfig]) -> Result<Box<dyn PredictionSource>>;

    /// Makes the predictions of these jobs readable in their own place, a row for each staged record,
    /// and counts them. What an earlier call with the same name has made is replaced.
    ///
    /// # Errors
    /// `Unsupported` where an output is elsewhere, or the server cannot do that; `AlreadyExists` where
    /// something else has the place; what the service may answer.
    async fn flatten(&self, name: &str, staged: &[InputConfig], outputs: &[OutputInfo]) -> Result<Flattened>;

    /// Removes what [`stage`](Self::stage) has made. Records that were staged as they are stay, and what
    /// is not there any more is no error.
    ///
    /// # Errors
    /// What the service may answer.
    async fn remove(&self, staged: &InputConfig) -> Result<()>;
}

/// What a [`RecordStore`] knows of its records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordsInfo {
    /// Where they are, for people: `bq://project.dataset.table`.
    pub place: String,
    /// Another text whenever the records or their columns are others, as far as the service tells.
    pub identity: String,
    /// How many there are, where the service tells without counting.
    pub records: Option<u64>,
    /// How many bytes they have, by the service's count.
    pub bytes: u64,
    /// The columns of the lines that [`RecordStore::open`] gives.
    pub columns: Vec<String>,
    /// The one of them whose values are the keys: in a prediction line too.
    pub key: String,
    /// Whether staging makes tables of requests; otherwise the records are submitted as they are.
    pub is_built: bool,
}

/// Predictions that were made readable in their own place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flattened {
    /// Where they are: `bq://project.dataset.view`.
    pub place: String,
    /// How many records have each outcome, and what they cost in tokens.
    pub outcomes: Vec<OutcomeTotals>,
}

/// The records of one outcome.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutcomeTotals {
    /// The outcome: `answered`, `missing`, …
    pub outcome: String,
    /// How many records.
    pub records: u64,
    /// Sum of their prompts' tokens.
    pub prompt_tokens: u64,
    /// Sum of their answers' tokens.
    pub candidates_tokens: u64,
    /// Sum of their thoughts' tokens.
    pub thoughts_tokens: u64,
    /// Sum of the service's own sums.
    pub total_tokens: u64,
}
