//! Where request lines go and where predictions come from.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use batch_model::{BatchPredictionJob, InputConfig, OutputConfig, OutputInfo};
use bytes::Bytes;

use crate::Result;

/// The pass-through columns of request lines: what stands beside `key` and `request` in each line.
///
/// A store with a schema (BigQuery) makes a column of each; a store of files needs nothing of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Columns(Vec<Column>);

impl Columns {
    /// These columns, in this order.
    #[must_use]
    pub fn new(columns: Vec<Column>) -> Self {
        Self(columns)
    }

    /// The columns, in the order of the lines.
    pub fn iter(&self) -> std::slice::Iter<'_, Column> {
        self.0.iter()
    }
}

/// One pass-through column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name: the member's name in the request line.
    pub name: String,
    /// What its values are.
    pub kind: ColumnKind,
}

/// The JSON type of a pass-through column's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ColumnKind {
    /// A JSON string.
    String,
    /// A JSON integer.
    Integer,
    /// A JSON number.
    Float,
    /// `true` or `false`.
    Bool,
}

/// Request lines that lie where the service reads them.
#[derive(Debug, Clone, PartialEq)]
pub struct Staged {
    /// The input of the job that reads them.
    pub input: InputConfig,
    /// How much was staged.
    pub size: StagedSize,
    /// A checksum in the store's own terms (`crc32c=…`), to verify later that it is still the same.
    pub checksum: Option<String>,
}

/// How much was staged: what the store itself counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StagedSize {
    /// The bytes of a file.
    Bytes(u64),
    /// The rows of a table.
    Rows(u64),
}

/// A place for request lines: a folder of a bucket, or a dataset.
///
/// `name` in every method is chosen by the caller (letters, digits, `-`, `_` and `/`) and becomes an
/// object's or a table's name below the store's own address.
#[async_trait]
pub trait InputStore: fmt::Debug + fmt::Display + Send + Sync {
    /// Begins to stage request lines as `name`; what is there already is replaced when the sink
    /// finishes. Nothing is visible to the service before that.
    ///
    /// # Errors
    /// `NotFound` where the bucket or dataset does not exist, `PermissionDenied`, and what a service
    /// may answer. A store may find out only when it writes.
    async fn create(&self, name: &str, columns: &Columns) -> Result<Box<dyn RequestSink>>;

    /// What is staged as `name`; `None` where nothing is.
    ///
    /// # Errors
    /// As for `create`; a missing object is no error, a missing bucket is.
    async fn find(&self, name: &str) -> Result<Option<Staged>>;

    /// Removes what was staged. What is not there any more is no error.
    ///
    /// # Errors
    /// What the service may answer.
    async fn remove(&self, staged: &Staged) -> Result<()>;
}

/// A stream of request lines on its way into an [`InputStore`].
#[async_trait]
pub trait RequestSink: Send {
    /// Adds bytes: whole lines or pieces of lines, in order. Waits while the store is behind.
    ///
    /// # Errors
    /// What the service may answer; the sink is of no use afterwards but to be aborted.
    async fn write(&mut self, bytes: Bytes) -> Result<()>;

    /// Completes the staging: from here on it can be found, and read by a job.
    ///
    /// # Errors
    /// What the service may answer, and `DataLoss` where the store's checksum is not ours. Nothing
    /// is staged then.
    async fn finish(self: Box<Self>) -> Result<Staged>;

    /// Gives up: nothing is staged.
    ///
    /// # Errors
    /// What the service may answer to the cleaning up.
    async fn abort(self: Box<Self>) -> Result<()>;
}

/// A place for predictions: a folder of a bucket, or a dataset.
#[async_trait]
pub trait OutputStore: fmt::Debug + fmt::Display + Send + Sync {
    /// The output of a job that shall write below `name`: a folder or table of its own.
    fn config(&self, name: &str) -> OutputConfig;

    /// The predictions of a job that was created with [`config`](Self::config) of the same name.
    ///
    /// Where the job has no `outputInfo`, the store looks below `name`. A job without any output
    /// yields no chunk.
    ///
    /// # Errors
    /// What the service may answer.
    async fn open(&self, name: &str, job: &BatchPredictionJob) -> Result<Box<dyn PredictionSource>>;

    /// A job's output as the input of another: the service keeps every row of it that has a response.
    ///
    /// # Errors
    /// `Unsupported` where `info` is not an output of this kind of store.
    fn as_input(&self, info: &OutputInfo) -> Result<InputConfig>;

    /// Removes everything below `name`. What is not there any more is no error.
    ///
    /// # Errors
    /// What the service may answer.
    async fn remove(&self, name: &str) -> Result<()>;
}

/// Predictions on their way out of an [`OutputStore`].
#[async_trait]
pub trait PredictionSource: Send {
    /// The next piece; `None` at the end. Pieces of one file come in order and without gaps, and
    /// files do not interleave.
    ///
    /// # Errors
    /// What the service may answer, and `DataLoss` where a checksum does not match.
    async fn next(&mut self) -> Result<Option<Chunk>>;
}

/// A piece of one prediction file, cut anywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// The file's name, relative to the output: `predictions.jsonl`. Safe as a local file name.
    pub file: Arc<str>,
    /// Where in the file the piece begins, in bytes.
    pub offset: u64,
    /// The bytes as they were stored. Empty only for a file that is empty.
    pub bytes: Bytes,
}
