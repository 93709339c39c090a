//! The contract between the batch pipeline and its backends.
//!
//! A backend implements some of [`InputStore`], [`OutputStore`], [`JobService`] and [`RecordStore`]; the
//! pipeline is written against them and knows no service. The traits are for implementors: small, object-safe,
//! without default methods. [`memory`] is the reference implementation, and [`contract`] the tests
//! that every implementation runs.
//!
//! ```
//! use batch_backend::{Columns, InputStore, memory::MemoryStore};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), batch_backend::Error> {
//! let store = MemoryStore::default();
//! let mut sink = store.create("in", &Columns::default()).await?;
//! sink.write("{\"key\":\"r0\",\"request\":{}}\n".into()).await?;
//! let staged = sink.finish().await?;
//! assert_eq!(store.find("in").await?, Some(staged));
//! # Ok(()) }
//! ```

pub mod contract;
mod error;
mod jobs;
pub mod memory;
mod records;
mod store;

pub use error::{Error, Kind, Result, ServiceError};
pub use jobs::{JobPage, JobService, ListJobs};
pub use records::{Flattened, OutcomeTotals, RecordStore, RecordsInfo};
pub use store::{
    Chunk, Column, ColumnKind, Columns, InputStore, OutputStore, PredictionSource, RequestSink, Staged, StagedSize,
};
