//! When Google's clients try again: as the rest of the program does.
//!
//! BigQuery refuses for a moment with more than the usual statuses: `rateLimitExceeded` comes as 403.

use std::{
    error::Error as StdError,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use batch_http::RetryPolicy;
use google_cloud_auth::errors::CredentialsError;
use google_cloud_gax::{
    backoff_policy::BackoffPolicy,
    error::Error,
    exponential_backoff::{ExponentialBackoff, ExponentialBackoffBuilder},
    options::RequestOptionsBuilder,
    retry_policy,
    retry_result::RetryResult,
    retry_state::RetryState,
    retry_throttler::RetryThrottler,
};
use http::header::RETRY_AFTER;

use super::error::reason;

/// How long one try may take. A query that is waited for answers within 10 s, done or not.
const ONE_TRY: Duration = Duration::from_secs(60);

/// The retries of one call. Clones share the count.
#[derive(Debug, Clone)]
pub(super) struct Persistence(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limits: RetryPolicy,
    backoff: ExponentialBackoff,
    attempts: AtomicU32,
}

impl Persistence {
    pub(super) fn new(limits: &RetryPolicy) -> Self {
        let backoff = ExponentialBackoffBuilder::new()
            .with_initial_delay(limits.initial)
            .with_scaling(limits.factor)
            .with_maximum_delay(limits.max_wait)
            .clamp();
        Self(Arc::new(Shared { limits: limits.clone(), backoff, attempts: AtomicU32::new(1) }))
    }

    /// How often the call was made, after it failed.
    pub(super) fn attempts(&self) -> u32 {
        self.0.attempts.load(Ordering::Relaxed)
    }

    /// Makes a call of Google's client as patient as this.
    pub(super) fn set<B: RequestOptionsBuilder>(&self, call: B) -> B {
        call.with_retry_policy(self.clone()).with_backoff_policy(self.clone()).with_attempt_timeout(ONE_TRY)
    }
}

impl retry_policy::RetryPolicy for Persistence {
    fn on_error(&self, state: &RetryState, error: Error) -> RetryResult {
        let Shared { limits, attempts, .. } = &*self.0;
        attempts.store(state.attempt_count.max(1), Ordering::Relaxed);
        if !is_transient(&error) || !(state.idempotent || nothing_was_done(&error)) {
            return RetryResult::Permanent(error);
        }
        let late = state.start.elapsed() > limits.deadline;
        let asks_too_much = retry_after(&error).is_some_and(|asked| asked > limits.max_wait);
        if state.attempt_count >= limits.max_attempts || late || asks_too_much {
            return RetryResult::Exhausted(error);
        }
        RetryResult::Continue(error)
    }
}

impl BackoffPolicy for Persistence {
    fn on_failure(&self, state: &RetryState) -> Duration {
        self.0.backoff.on_failure(state)
    }
}

/// Whether the same call may succeed later.
fn is_transient(error: &Error) -> bool {
    if has_no_login(error) {
        return false;
    }
    if let Some("rateLimitExceeded" | "backendError" | "internalError" | "tableUnavailable") = reason(error) {
        return true;
    }
    match error.http_status_code() {
        Some(status) => matches!(status, 408 | 429 | 500 | 502..=504),
        None => error.is_io() || error.is_connect() || error.is_timeout() || error.is_transport(),
    }
}

/// Whether the service certainly did not act.
fn nothing_was_done(error: &Error) -> bool {
    error.is_transient_and_before_rpc() || error.is_connect() || matches!(error.http_status_code(), Some(403 | 429))
}

/// Whether there is no login to be had, which Google's client takes for a broken connection.
fn has_no_login(error: &Error) -> bool {
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

/// No throttle: each call is bounded by itself, and one call's failures are not another's.
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

    fn fail(attempt: u32, idempotent: bool, error: Error) -> RetryResult {
        let persistence = Persistence::new(&RetryPolicy { max_attempts: 3, ..RetryPolicy::default() });
        let state = RetryState::new(idempotent).set_attempt_count(attempt);
        let result = retry_policy::RetryPolicy::on_error(&persistence, &state, error);
        assert_eq!(persistence.attempts(), attempt);
        result
    }

    fn status(status: u16) -> Error {
        Error::http(status, HeaderMap::new(), bytes::Bytes::new())
    }

    #[test]
    fn tries_are_bounded_and_only_for_what_may_pass() {
        assert!(fail(1, true, status(503)).is_continue());
        assert!(fail(2, true, Error::io("reset")).is_continue());
        assert!(fail(3, true, status(503)).is_exhausted());
        assert!(fail(1, true, status(404)).is_permanent());
        assert!(fail(1, true, status(403)).is_permanent());
        let login = Error::authentication(CredentialsError::from_msg(false, "no key"));
        assert!(fail(1, true, Error::io(login)).is_permanent());
    }

    #[test]
    fn what_may_have_been_done_is_not_done_twice() {
        assert!(fail(1, false, status(503)).is_permanent());
        assert!(fail(1, false, status(429)).is_continue());
    }

    #[test]
    fn a_limit_on_the_rate_comes_as_403() {
        let body =
            br#"{"error":{"code":403,"message":"slow down","errors":[{"reason":"rateLimitExceeded","domain":"g"}]}}"#;
        let read = google_cloud_gax::error::rpc::Status::try_from(&bytes::Bytes::from_static(body)).unwrap();
        let error = Error::service_with_http_metadata(read, Some(403), None);
        assert!(fail(1, false, error).is_continue());
    }
}
