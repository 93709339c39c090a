//! When Google's client tries again: as the rest of the program does, counted from the last progress.
//!
//! Its own limits are either none or those of the whole call: a download that takes an hour would
//! have used up any time limit when its connection breaks for the first time. And its default, 300
//! seconds in which a refused connection counts as worth another try, looks like a hang.

use std::{
    error::Error as StdError,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use batch_http::RetryPolicy;
use google_cloud_auth::errors::CredentialsError;
use google_cloud_gax::{
    backoff_policy::BackoffPolicy,
    exponential_backoff::{ExponentialBackoff, ExponentialBackoffBuilder},
    retry_policy,
    retry_result::RetryResult,
    retry_state::RetryState,
    retry_throttler::RetryThrottler,
};
use google_cloud_storage::{
    Error,
    read_resume_policy::{ReadResumePolicy, Recommended, ResumeQuery},
    retry_policy::RetryableErrors,
};
use http::header::RETRY_AFTER;
use tokio::time::Instant;

/// How long one try may be silent.
const SILENCE: Duration = Duration::from_secs(60);

/// The retries of one call: one of these is made for each. Clones share the count.
#[derive(Debug, Clone)]
pub(super) struct Persistence(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limits: RetryPolicy,
    backoff: ExponentialBackoff,
    /// How many bytes have passed.
    progress: AtomicU64,
    failures: Mutex<Failures>,
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
    /// What the service asked for at the last one.
    retry_after: Option<Duration>,
}

impl Persistence {
    pub(super) fn new(limits: &RetryPolicy) -> Self {
        let backoff = ExponentialBackoffBuilder::new()
            .with_initial_delay(limits.initial)
            .with_scaling(limits.factor)
            .with_maximum_delay(limits.max_wait)
            .clamp();
        let failures = Failures { progress: 0, count: 0, since: Instant::now(), retry_after: None };
        Self(Arc::new(Shared {
            limits: limits.clone(),
            backoff,
            progress: AtomicU64::new(0),
            failures: Mutex::new(failures),
        }))
    }

    /// Says that `bytes` more have passed.
    pub(super) fn progressed(&self, bytes: u64) {
        self.0.progress.fetch_add(bytes, Ordering::Relaxed);
    }

    /// How long the call may be without progress, with all its tries.
    pub(super) fn patience(&self) -> Duration {
        self.0.limits.deadline + SILENCE
    }

    /// How often the call was made since the last progress, after it failed.
    pub(super) fn attempts(&self) -> u32 {
        self.failures().count.max(1)
    }

    /// Counts a failure that may be followed by another try; whether it is.
    fn counted(&self, error: Error) -> RetryResult {
        if hopeless(&error) {
            self.failures().count += 1;
            return RetryResult::Permanent(error);
        }
        let Shared { limits, progress, .. } = &*self.0;
        let progress = progress.load(Ordering::Relaxed);
        let mut failures = self.failures();
        if failures.progress != progress {
            *failures = Failures { progress, count: 0, since: Instant::now(), retry_after: None };
        }
        failures.count += 1;
        failures.retry_after = retry_after(&error);
        let late = failures.since.elapsed() > limits.deadline;
        let asks_too_much = failures.retry_after.is_some_and(|asked| asked > limits.max_wait);
        if failures.count >= limits.max_attempts || late || asks_too_much {
            return RetryResult::Exhausted(error);
        }
        RetryResult::Continue(error)
    }

    fn failures(&self) -> MutexGuard<'_, Failures> {
        // Counters that a panic elsewhere left are as good as any.
        self.0.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl retry_policy::RetryPolicy for Persistence {
    fn on_error(&self, state: &RetryState, error: Error) -> RetryResult {
        match RetryableErrors.on_error(state, error) {
            RetryResult::Continue(error) => self.counted(error),
            settled => settled,
        }
    }
}

impl BackoffPolicy for Persistence {
    fn on_failure(&self, state: &RetryState) -> Duration {
        let failures = self.failures();
        let backoff = self.0.backoff.on_failure(&state.clone().set_attempt_count(failures.count));
        backoff.max(failures.retry_after.unwrap_or_default())
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

/// Whether there is no login to be had. Google's client wraps that in what it takes for a broken
/// connection.
fn hopeless(error: &Error) -> bool {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<CredentialsError>() {
            return !error.is_transient();
        }
        cause = error.source();
    }
    false
}

/// How many seconds the service asks to wait.
pub(super) fn retry_after(error: &Error) -> Option<Duration> {
    let value = error.http_headers()?.get(RETRY_AFTER)?.to_str().ok()?;
    value.trim().parse().ok().map(Duration::from_secs)
}

/// No throttle: [`Persistence`] bounds each call by itself, and one call's failures are not another's.
#[derive(Debug)]
pub(super) struct Unthrottled;

impl RetryThrottler for Unthrottled {
    fn throttle_retry_attempt(&self) -> bool {
        false
    }

    fn on_retry_failure(&mut self, _: &RetryResult) {}

    fn on_success(&mut self) {}
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    fn limits() -> RetryPolicy {
        RetryPolicy { max_attempts: 3, ..RetryPolicy::default() }
    }

    fn fail(persistence: &Persistence, error: Error) -> RetryResult {
        retry_policy::RetryPolicy::on_error(persistence, &RetryState::new(true), error)
    }

    fn unavailable(headers: HeaderMap) -> Error {
        Error::http(503, headers, bytes::Bytes::new())
    }

    #[tokio::test]
    async fn attempts_count_from_the_last_progress() {
        let persistence = Persistence::new(&limits());
        let broken = || Error::io("connection reset");
        assert!(fail(&persistence, broken()).is_continue());
        assert!(fail(&persistence, broken()).is_continue());
        persistence.progressed(1);
        assert!(fail(&persistence, broken()).is_continue());
        assert!(fail(&persistence, unavailable(HeaderMap::new())).is_continue());
        assert!(fail(&persistence, broken()).is_exhausted());
        assert_eq!(persistence.attempts(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn the_deadline_counts_from_the_last_progress_too() {
        let persistence = Persistence::new(&limits());
        tokio::time::advance(Duration::from_secs(301)).await;
        persistence.progressed(1);
        assert!(fail(&persistence, Error::io("reset")).is_continue());
        tokio::time::advance(Duration::from_secs(301)).await;
        assert!(fail(&persistence, Error::io("reset")).is_exhausted());
    }

    #[tokio::test]
    async fn what_no_other_try_mends_is_not_tried_again() {
        let persistence = Persistence::new(&limits());
        assert!(fail(&persistence, Error::http(403, HeaderMap::new(), bytes::Bytes::new())).is_permanent());
        // As Google's client wraps it when an upload begins.
        let login = || Error::authentication(CredentialsError::from_msg(false, "no key"));
        assert!(fail(&persistence, Error::io(login())).is_permanent());
        assert!(fail(&persistence, login()).is_permanent());
        assert_eq!(persistence.attempts(), 1);
    }

    #[tokio::test]
    async fn the_service_may_ask_for_time_but_not_for_any() {
        let asked = |seconds: &'static str| {
            let persistence = Persistence::new(&limits());
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, http::HeaderValue::from_static(seconds));
            let result = fail(&persistence, unavailable(headers));
            (result.is_continue(), persistence.on_failure(&RetryState::new(true)))
        };
        let (again, wait) = asked("17");
        assert!(again && wait >= Duration::from_secs(17), "{wait:?}");
        assert!(!asked("61").0);
    }
}
