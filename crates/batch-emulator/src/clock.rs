//! Where time comes from.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;

/// The time that objects and jobs are stamped with, and the waits between job states.
///
/// The emulator asks nothing else for the time, so that a test can run a job through its
/// 72 hours in the queue at once with a [`ManualClock`].
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> SystemTime;

    /// Completes once [`Clock::now`] has reached `end`.
    ///
    /// An instant and not a length, so that a clock that moves between the asking and the
    /// waiting makes no wait longer.
    fn sleep_until(&self, end: SystemTime) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

/// The machine's own clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn sleep_until(&self, end: SystemTime) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            // The wall clock is asked again: a machine that slept has moved on further
            // than its timers know.
            while let Ok(rest) = end.duration_since(SystemTime::now())
                && !rest.is_zero()
            {
                tokio::time::sleep(rest.min(Duration::from_secs(60))).await;
            }
        })
    }
}

/// A clock that stands still until it is moved on. Clones show the same time.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use batch_emulator::{Clock, ManualClock};
///
/// let clock = ManualClock::new(SystemTime::UNIX_EPOCH);
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(clock.now(), SystemTime::UNIX_EPOCH + Duration::from_secs(60));
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock(watch::Sender<SystemTime>);

impl ManualClock {
    /// A clock that shows `start`.
    pub fn new(start: SystemTime) -> ManualClock {
        ManualClock(watch::Sender::new(start))
    }

    /// Moves the clock on by `duration` and wakes every sleep that ends by then.
    pub fn advance(&self, duration: Duration) {
        self.0.send_modify(|now| *now += duration);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> SystemTime {
        *self.0.borrow()
    }

    fn sleep_until(&self, end: SystemTime) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let mut time = self.0.subscribe();
        Box::pin(async move {
            if time.wait_for(|now| *now >= end).await.is_err() {
                // Every clone of the clock is gone: nobody can move it on any more.
                std::future::pending::<()>().await;
            }
        })
    }
}

/// The clock's time with the microseconds that Google's services keep.
pub(crate) fn timestamp(clock: &dyn Clock) -> jiff::Timestamp {
    // A clock outside the years -9999 to 9999 is nobody's intention; the epoch is as
    // good an answer as any other.
    let now = jiff::Timestamp::try_from(clock.now()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    jiff::Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_manual_sleep_ends_when_the_clock_has_moved_far_enough() {
        let clock = ManualClock::new(SystemTime::UNIX_EPOCH);
        let mut sleep = clock.sleep_until(SystemTime::UNIX_EPOCH + Duration::from_secs(10));
        clock.advance(Duration::from_secs(9));
        assert!(futures::poll!(&mut sleep).is_pending());
        clock.advance(Duration::from_secs(1));
        sleep.await;
    }

    #[test]
    fn timestamps_keep_microseconds() {
        let clock = ManualClock::new(SystemTime::UNIX_EPOCH + Duration::from_nanos(1_999));
        assert_eq!(timestamp(&clock).to_string(), "1970-01-01T00:00:00.000001Z");
    }
}
