//! Time and chance, handed in so that tests decide both.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;

/// What the time is, and how to wait.
#[async_trait]
pub trait Clock: fmt::Debug + Send + Sync {
    /// The time of day. Tokens expire by it, also while a laptop sleeps.
    fn now(&self) -> SystemTime;

    /// Waits.
    async fn sleep(&self, duration: Duration);
}

/// The system's clock, and tokio's timer.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// Where jitter comes from: numbers from 0 (included) to 1 (not included).
#[derive(Clone)]
pub struct Jitter(Arc<dyn Fn() -> f64 + Send + Sync>);

impl Jitter {
    /// Evenly spread random numbers.
    #[must_use]
    pub fn random() -> Self {
        Self(Arc::new(fastrand::f64))
    }

    /// Numbers from a function: for tests.
    #[must_use]
    pub fn from_fn(draw: impl Fn() -> f64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(draw))
    }

    /// The next number.
    #[must_use]
    pub fn draw(&self) -> f64 {
        (self.0)().clamp(0.0, 1.0)
    }
}

impl fmt::Debug for Jitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Jitter")
    }
}
