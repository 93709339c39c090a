//! How a run is asked to stop.

use futures::future::{pending, select_all};
use tokio::sync::watch;

use crate::{Error, Kind, Result};

/// Asks runs to stop.
#[derive(Debug)]
pub struct Stopper(watch::Sender<bool>);

/// Whether somebody asked to stop. Clones share the answer.
#[derive(Debug, Clone)]
pub struct Stop(Vec<watch::Receiver<bool>>);

/// A way to ask, and what hears it.
#[must_use]
pub fn stopper() -> (Stopper, Stop) {
    let (sender, receiver) = watch::channel(false);
    (Stopper(sender), Stop(vec![receiver]))
}

impl Stopper {
    /// Asks to stop. What the service has been given to do goes on there.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    /// Nobody will ever ask.
    #[must_use]
    pub fn never() -> Self {
        stopper().1
    }

    /// Whether somebody asked.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.0.iter().any(|asked| *asked.borrow())
    }

    /// A way to ask a part of the work alone, which hears also who asks all of it.
    pub(crate) fn part(&self) -> (Stopper, Self) {
        let (stopper, mut part) = stopper();
        part.0.extend(self.0.iter().cloned());
        (stopper, part)
    }

    /// An error where somebody asked.
    pub(crate) fn check(&self) -> Result<()> {
        if self.is_requested() { Err(interrupted()) } else { Ok(()) }
    }

    /// Returns once somebody asks; never, where nobody can any more.
    pub(crate) async fn requested(&mut self) {
        let each = self.0.iter_mut().map(|asked| {
            Box::pin(async {
                if asked.wait_for(|asked| *asked).await.is_err() {
                    pending::<()>().await;
                }
            })
        });
        select_all(each).await;
    }
}

pub(crate) fn interrupted() -> Error {
    Error::new(Kind::Interrupted, "stopped as asked")
}
