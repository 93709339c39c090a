//! Jobs.

use std::fmt;

use async_trait::async_trait;
use batch_model::{BatchPredictionJob, JobName};

use crate::Result;

/// The five methods of `projects.locations.batchPredictionJobs`, in one project and location.
#[async_trait]
pub trait JobService: fmt::Debug + fmt::Display + Send + Sync {
    /// Creates a job; it begins at once. **Not idempotent**: an error with
    /// [`maybe_done`](crate::Error::maybe_done) may have created one all the same, and an
    /// implementation must not repeat the call by itself once it may have.
    ///
    /// # Errors
    /// What the service may answer.
    async fn create(&self, job: &BatchPredictionJob) -> Result<BatchPredictionJob>;

    /// The job as it is now.
    ///
    /// # Errors
    /// `NotFound`, and what the service may answer.
    async fn get(&self, name: &JobName) -> Result<BatchPredictionJob>;

    /// One page of jobs.
    ///
    /// # Errors
    /// What the service may answer.
    async fn list(&self, query: &ListJobs) -> Result<JobPage>;

    /// Asks for a cancellation; the job ends some time later, and its finished rows are exported.
    ///
    /// # Errors
    /// `NotFound`; `FailedPrecondition` for a job that has ended.
    async fn cancel(&self, name: &JobName) -> Result<()>;

    /// Deletes a job that has ended, and waits for the operation. Its outputs stay.
    ///
    /// # Errors
    /// `NotFound`; `FailedPrecondition` for a job that has not ended.
    async fn delete(&self, name: &JobName) -> Result<()>;
}

/// What to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListJobs {
    /// The service's filter language: `labels.run="abc" AND state="JOB_STATE_RUNNING"`. Empty for all.
    pub filter: String,
    /// How many at most; `None` leaves it to the service.
    pub page_size: Option<u32>,
    /// Where the page before ended.
    pub page_token: Option<String>,
}

/// One page of jobs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct JobPage {
    /// The jobs, newest first (likely; the service does not promise an order).
    pub jobs: Vec<BatchPredictionJob>,
    /// What to ask the next page with; `None` on the last.
    pub next_page_token: Option<String>,
}
