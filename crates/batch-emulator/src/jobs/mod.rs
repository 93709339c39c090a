//! Batch prediction jobs.

mod config;

pub use config::JobsConfig;

use axum::Router;

use crate::Error;
use crate::context::Context;

/// The jobs of one emulator.
#[derive(Clone, Debug)]
pub(crate) struct Jobs {}

impl Jobs {
    /// Reads the jobs that the data directory holds and goes on with unfinished ones.
    pub(crate) async fn open(_context: &Context) -> Result<Jobs, Error> {
        Ok(Jobs {})
    }

    /// The routes under `/v1` and `/v1beta1`.
    pub(crate) fn router(&self) -> Router {
        Router::new()
    }
}
