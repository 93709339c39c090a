//! When Google's clients try again: as the rest of the program does.
//!
//! BigQuery refuses for a moment with more than the usual statuses: `rateLimitExceeded` comes as 403.

use std::time::Duration;

use batch_http::google::{Patience, reason};
use google_cloud_gax::{
    error::Error, options::RequestOptionsBuilder, retry_policy::RetryPolicy, retry_result::RetryResult,
    retry_state::RetryState,
};

/// How long one try may take. A query that is waited for answers within 10 s, done or not.
pub(super) const ONE_TRY: Duration = Duration::from_secs(60);

/// Which failed calls are made again.
#[derive(Debug, Clone)]
pub(super) struct Persistence(pub(super) Patience);

impl Persistence {
    /// Makes a call of Google's client as patient as this.
    pub(super) fn set<B: RequestOptionsBuilder>(&self, call: B) -> B {
        call.with_retry_policy(self.clone()).with_backoff_policy(self.0.clone()).with_attempt_timeout(ONE_TRY)
    }
}

impl RetryPolicy for Persistence {
    fn on_error(&self, state: &RetryState, error: Error) -> RetryResult {
        let may_repeat = is_transient(&error) && (state.idempotent || nothing_was_done(&error));
        self.0.verdict(state.attempt_count.max(1), state.start.elapsed(), may_repeat, error)
    }
}

/// Whether the same call may succeed later.
fn is_transient(error: &Error) -> bool {
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

#[cfg(test)]
mod tests {
    use batch_http::Jitter;
    use http::HeaderMap;

    use super::*;

    fn fail(attempt: u32, idempotent: bool, error: Error) -> RetryResult {
        let limits = batch_http::RetryPolicy { max_attempts: 3, ..batch_http::RetryPolicy::default() };
        let persistence = Persistence(Patience::new(limits, Jitter::from_fn(|| 0.0)));
        let state = RetryState::new(idempotent).set_attempt_count(attempt);
        let result = persistence.on_error(&state, error);
        assert_eq!(persistence.0.attempts(), attempt);
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
