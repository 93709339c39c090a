//! What time it is, and how to wait: injected, so that tests own the time.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

/// A wall clock that can be waited on.
#[async_trait]
pub trait Clock: Send + Sync {
    /// What time it is.
    fn now(&self) -> Timestamp;

    /// Returns once it is `until`, by the wall clock: a laptop that slept meanwhile returns at once.
    async fn sleep_until(&self, until: Timestamp);
}

/// The clock of this machine.
#[must_use]
pub fn system() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

struct SystemClock;

/// A timer counts ticks, and they stand still while the machine sleeps: look at the wall this often.
const LOOK: Duration = Duration::from_secs(15);

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    async fn sleep_until(&self, until: Timestamp) {
        let left = || until.duration_since(self.now()).max(SignedDuration::ZERO).unsigned_abs();
        let (begun, planned) = (tokio::time::Instant::now(), left());
        loop {
            // A wall clock that is set back makes the wait no longer: whichever of the two is over first.
            let left = left().min(planned.saturating_sub(begun.elapsed()));
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(LOOK)).await;
        }
    }
}
