//! When a call is made again, and after how long.

use std::time::Duration;

/// How often, how soon and for how long a call that failed is made again.
///
/// This is the only retry in the workspace: whoever stands above it does not repeat calls, and the
/// clients below it are told not to. Polling a job is another matter, and the pipeline's.
#[derive(Debug, Clone, PartialEq)]
pub struct RetryPolicy {
    /// How many times a call is made at most, the first included. 1 is: never again.
    pub max_attempts: u32,
    /// The wait after the first failure, before jitter.
    pub initial: Duration,
    /// By how much each wait is longer than the one before.
    pub factor: f64,
    /// The longest wait. A service that asks (`Retry-After`) for a longer one is not called again;
    /// [`retry_after`](batch_backend::ServiceError::retry_after) of the error says what it asked for.
    pub max_wait: Duration,
    /// No wait ends later than this after the first call began.
    pub deadline: Duration,
}

impl Default for RetryPolicy {
    /// Six attempts in about 15 seconds: after 0.5 s, 1 s, 2 s, 4 s and 8 s; 60 s at most for one wait,
    /// five minutes for all.
    fn default() -> Self {
        Self {
            max_attempts: 6,
            initial: Duration::from_millis(500),
            factor: 2.0,
            max_wait: Duration::from_secs(60),
            deadline: Duration::from_secs(300),
        }
    }
}

impl RetryPolicy {
    /// No call is made twice.
    #[must_use]
    pub fn never() -> Self {
        Self { max_attempts: 1, ..Self::default() }
    }

    /// How long to wait after attempt number `attempt` (from 1) failed, `elapsed` after the first began;
    /// `None` to give up. `jitter` is from 0 to 1: the wait is between half and the whole of the backoff,
    /// and never shorter than what the service asked for.
    ///
    /// For whoever repeats something that is no single call (a job that failed inside the service).
    #[must_use]
    pub fn wait(
        &self,
        attempt: u32,
        elapsed: Duration,
        retry_after: Option<Duration>,
        jitter: f64,
    ) -> Option<Duration> {
        if attempt >= self.max_attempts || retry_after.is_some_and(|asked| asked > self.max_wait) {
            return None;
        }
        let exponent = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
        let backoff = self.initial.as_secs_f64() * self.factor.max(1.0).powi(exponent);
        // Compared as floats, because the power may be beyond every Duration.
        let backoff = backoff.min(self.max_wait.as_secs_f64());
        let backoff = Duration::try_from_secs_f64(backoff * (0.5 + 0.5 * jitter)).unwrap_or(self.max_wait);
        let wait = backoff.max(retry_after.unwrap_or_default());
        (elapsed.saturating_add(wait) <= self.deadline).then_some(wait)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_wait_is_never_longer_than_the_cap_nor_shorter_than_what_was_asked(
            attempt: u32, asked in proptest::option::of(0_u64..100), jitter in 0.0..=1.0,
            factor in 0.0..1e9, initial in 0_u64..1_000_000,
        ) {
            let initial = Duration::from_millis(initial);
            let policy = RetryPolicy { max_attempts: u32::MAX, initial, factor, ..RetryPolicy::default() };
            let asked = asked.map(Duration::from_secs);
            if let Some(wait) = policy.wait(attempt, Duration::ZERO, asked, jitter) {
                prop_assert!(wait <= policy.max_wait && wait >= asked.unwrap_or_default());
            }
        }
    }

    const NONE: Duration = Duration::ZERO;

    #[test]
    fn waits_double_up_to_the_cap_and_then_stop() {
        let policy = RetryPolicy { max_attempts: 10, deadline: Duration::MAX, ..RetryPolicy::default() };
        let waits: Vec<_> =
            (1..=10).map(|attempt| policy.wait(attempt, NONE, None, 1.0).map(|wait| wait.as_secs_f64())).collect();
        let expected = [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0];
        assert_eq!(waits, expected.map(Some).into_iter().chain([None]).collect::<Vec<_>>());
        assert_eq!(policy.wait(2, NONE, None, 0.0), Some(Duration::from_millis(500)), "jitter halves at most");
    }

    #[test]
    fn an_absurd_number_of_attempts_does_not_overflow() {
        let policy = RetryPolicy { max_attempts: u32::MAX, deadline: Duration::MAX, ..RetryPolicy::default() };
        assert_eq!(policy.wait(u32::MAX - 1, NONE, None, 1.0), Some(policy.max_wait));
    }

    #[test]
    fn the_service_may_ask_for_more_but_not_for_ever() {
        let policy = RetryPolicy::default();
        let asked = |seconds| policy.wait(1, NONE, Some(Duration::from_secs(seconds)), 1.0);
        assert_eq!(asked(0), Some(Duration::from_millis(500)));
        assert_eq!(asked(30), Some(Duration::from_secs(30)));
        assert_eq!(asked(61), None);
    }

    #[test]
    fn no_wait_ends_after_the_deadline() {
        let policy = RetryPolicy { deadline: Duration::from_secs(10), ..RetryPolicy::default() };
        assert!(policy.wait(1, Duration::from_millis(9_500), None, 1.0).is_some());
        assert_eq!(policy.wait(1, Duration::from_millis(9_501), None, 1.0), None);
    }
}
