//! When Google's clients try again: as the rest of the program does.
//!
//! Their own limits are either none or those of the whole call, and their default, 300 seconds in which
//! a refused connection counts as worth another try, looks like a hang.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use google_cloud_auth::errors::CredentialsError;
use google_cloud_gax::{
    backoff_policy::BackoffPolicy, error::Error as GoogleError, retry_result::RetryResult, retry_state::RetryState,
    retry_throttler::RetryThrottler,
};

use super::cause;
use crate::{Jitter, RetryPolicy, envelope};

/// The patience of one call of Google's clients: a [`RetryPolicy`] behind their traits.
///
/// Which failures may be followed by another try is for the service's crate to say, in its own
/// `google_cloud_gax::retry_policy::RetryPolicy`, which then asks [`verdict`](Self::verdict). Clones
/// share what is counted; one of these is made for each call.
#[derive(Debug, Clone)]
pub struct Patience(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limits: RetryPolicy,
    jitter: Jitter,
    last: Mutex<Last>,
}

/// The last failure.
#[derive(Debug, Clone, Copy)]
struct Last {
    /// How many there were until then.
    attempts: u32,
    /// How long to wait after it.
    wait: Duration,
}

impl Patience {
    /// The patience that `limits` say.
    #[must_use]
    pub fn new(limits: RetryPolicy, jitter: Jitter) -> Self {
        let last = Mutex::new(Last { attempts: 1, wait: limits.initial });
        Self(Arc::new(Shared { limits, jitter, last }))
    }

    /// How long the call may take with all its tries, of which the last may take `silence`.
    #[must_use]
    pub fn whole(&self, silence: Duration) -> Duration {
        self.0.limits.deadline.saturating_add(silence)
    }

    /// How often the call was made, after it failed.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.last().attempts
    }

    /// What follows attempt number `attempt` (from 1), which failed with `error`, `elapsed` after the
    /// first began. `may_repeat` says whether the same call may succeed later, and may be made twice. A
    /// login that is not to be had, which Google's clients take for a broken connection, no try mends.
    #[must_use]
    pub fn verdict(&self, attempt: u32, elapsed: Duration, may_repeat: bool, error: GoogleError) -> RetryResult {
        let Shared { limits, jitter, .. } = &*self.0;
        let has_no_login = cause::<CredentialsError>(&error).is_some_and(|error| !error.is_transient());
        let asked = error.http_headers().and_then(envelope::seconds_asked);
        let wait = limits.wait(attempt, elapsed, asked, jitter.draw());
        *self.last() = Last { attempts: attempt, wait: wait.unwrap_or_default() };
        match wait {
            _ if has_no_login || !may_repeat => RetryResult::Permanent(error),
            Some(_) => RetryResult::Continue(error),
            None => RetryResult::Exhausted(error),
        }
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        // Numbers that a panic elsewhere left are as good as any.
        self.0.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BackoffPolicy for Patience {
    fn on_failure(&self, _: &RetryState) -> Duration {
        self.last().wait
    }
}

/// No throttle: [`Patience`] bounds each call by itself, and one call's failures are not another's.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unthrottled;

impl RetryThrottler for Unthrottled {
    fn throttle_retry_attempt(&self) -> bool {
        false
    }

    fn on_retry_failure(&mut self, _: &RetryResult) {}

    fn on_success(&mut self) {}
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, header::RETRY_AFTER};

    use super::*;

    fn patience() -> Patience {
        Patience::new(RetryPolicy { max_attempts: 3, ..RetryPolicy::default() }, Jitter::from_fn(|| 1.0))
    }

    fn unavailable(headers: HeaderMap) -> GoogleError {
        GoogleError::http(503, headers, bytes::Bytes::new())
    }

    #[test]
    fn tries_are_bounded_by_number_and_by_time() {
        let patience = patience();
        let fail = |attempt, seconds| {
            let broken = GoogleError::io("connection reset");
            let verdict = patience.verdict(attempt, Duration::from_secs(seconds), true, broken);
            assert_eq!(patience.attempts(), attempt);
            verdict
        };
        assert!(fail(1, 0).is_continue());
        assert!(fail(2, 298).is_continue());
        assert!(fail(2, 300).is_exhausted());
        assert!(fail(3, 0).is_exhausted());
    }

    #[test]
    fn what_no_other_try_mends_is_not_tried_again() {
        let verdict = |error| patience().verdict(1, Duration::ZERO, true, error);
        let login = |transient| GoogleError::authentication(CredentialsError::from_msg(transient, "no key"));
        // As Google's client wraps it when an upload begins.
        assert!(verdict(GoogleError::io(login(false))).is_permanent());
        assert!(verdict(login(false)).is_permanent());
        assert!(verdict(login(true)).is_continue());
        assert!(patience().verdict(1, Duration::ZERO, false, unavailable(HeaderMap::new())).is_permanent());
    }

    #[test]
    fn the_service_may_ask_for_time_but_not_for_any() {
        let asked = |seconds: &'static str| {
            let patience = patience();
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_static(seconds));
            let again = patience.verdict(1, Duration::ZERO, true, unavailable(headers)).is_continue();
            (again, patience.on_failure(&RetryState::new(true)))
        };
        assert_eq!(asked("17"), (true, Duration::from_secs(17)));
        assert_eq!(asked("0"), (true, Duration::from_millis(500)));
        assert!(!asked("61").0);
    }
}
