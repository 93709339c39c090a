//! The settings of batch prediction jobs.

/// How jobs are run and what answers them.
#[derive(Clone, Debug, Default)]
pub struct JobsConfig {}
