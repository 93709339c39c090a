//! When Google's client tries again: as the rest of the program does, counted from the last progress.
//!
//! A download that takes an hour would have used up any limit of the whole call when its connection
//! breaks for the first time.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use batch_http::google::Patience;
use google_cloud_gax::{
    backoff_policy::BackoffPolicy, retry_policy::RetryPolicy, retry_result::RetryResult, retry_state::RetryState,
};
use google_cloud_storage::{
    Error,
    read_resume_policy::{ReadResumePolicy, Recommended, ResumeQuery},
    retry_policy::RetryableErrors,
};
use tokio::time::Instant;

/// How long one try may be silent.
const SILENCE: Duration = Duration::from_secs(60);

/// The retries of one call: one of these is made for each. Clones share the count.
#[derive(Debug, Clone)]
pub(super) struct Persistence {
    patience: Patience,
    /// How many bytes have passed.
    progress: Arc<AtomicU64>,
    failures: Arc<Mutex<Failures>>,
}

/// The failures since the last progress.
#[derive(Debug)]
struct Failures {
    /// The bytes that had passed by then.
    progress: u64,
    /// How many there were.
    count: u32,
    /// When the call began, or went on after the last failure of the row before.
    since: Instant,
}

impl Failures {
    fn none(progress: u64) -> Self {
        Self { progress, count: 0, since: Instant::now() }
    }
}

impl Persistence {
    pub(super) fn new(patience: Patience) -> Self {
        Self { patience, progress: Arc::default(), failures: Arc::new(Mutex::new(Failures::none(0))) }
    }

    /// Says that `bytes` more have passed.
    pub(super) fn progressed(&self, bytes: u64) {
        self.progress.fetch_add(bytes, Ordering::Relaxed);
    }

    /// How long the call may be without progress, with all its tries.
    pub(super) fn patience(&self) -> Duration {
        self.patience.whole(SILENCE)
    }

    /// How often the call was made since the last progress, after it failed.
    pub(super) fn attempts(&self) -> u32 {
        self.patience.attempts()
    }

    /// Counts a failure that may be followed by another try; whether it is.
    fn counted(&self, error: Error) -> RetryResult {
        let progress = self.progress.load(Ordering::Relaxed);
        // Counters that a panic elsewhere left are as good as any.
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.progress != progress {
            *failures = Failures::none(progress);
        }
        failures.count += 1;
        self.patience.verdict(failures.count, failures.since.elapsed(), true, error)
    }
}

impl RetryPolicy for Persistence {
    fn on_error(&self, state: &RetryState, error: Error) -> RetryResult {
        match RetryableErrors.on_error(state, error) {
            RetryResult::Continue(error) => self.counted(error),
            settled => settled,
        }
    }
}

impl BackoffPolicy for Persistence {
    fn on_failure(&self, state: &RetryState) -> Duration {
        self.patience.on_failure(state)
    }
}

impl ReadResumePolicy for Persistence {
    fn on_error(&self, status: &ResumeQuery, error: Error) -> RetryResult {
        match Recommended.on_error(status, error) {
            RetryResult::Continue(error) => self.counted(error),
            settled => settled,
        }
    }
}

#[cfg(test)]
mod tests {
    use batch_http::Jitter;
    use http::HeaderMap;

    use super::*;

    fn persistence() -> Persistence {
        let limits = batch_http::RetryPolicy { max_attempts: 3, ..batch_http::RetryPolicy::default() };
        Persistence::new(Patience::new(limits, Jitter::from_fn(|| 0.0)))
    }

    fn fail(persistence: &Persistence, error: Error) -> RetryResult {
        RetryPolicy::on_error(persistence, &RetryState::new(true), error)
    }

    fn status(status: u16) -> Error {
        Error::http(status, HeaderMap::new(), bytes::Bytes::new())
    }

    #[tokio::test]
    async fn attempts_count_from_the_last_progress() {
        let persistence = persistence();
        let broken = || Error::io("connection reset");
        assert!(fail(&persistence, broken()).is_continue());
        assert!(fail(&persistence, broken()).is_continue());
        persistence.progressed(1);
        assert!(fail(&persistence, broken()).is_continue());
        assert!(fail(&persistence, status(503)).is_continue());
        assert!(fail(&persistence, broken()).is_exhausted());
        assert_eq!(persistence.attempts(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn the_deadline_counts_from_the_last_progress_too() {
        let persistence = persistence();
        tokio::time::advance(Duration::from_secs(301)).await;
        persistence.progressed(1);
        assert!(fail(&persistence, Error::io("reset")).is_continue());
        tokio::time::advance(Duration::from_secs(301)).await;
        assert!(fail(&persistence, Error::io("reset")).is_exhausted());
    }

    #[tokio::test]
    async fn what_no_other_try_mends_is_not_tried_again() {
        let persistence = persistence();
        assert!(fail(&persistence, status(403)).is_permanent());
        assert_eq!(persistence.attempts(), 1);
    }
}
