//! Calls that are made again while the service is away: a network that is gone for an hour ends no run.

use std::{error::Error as StdError, time::Duration};

use batch_backend::Error as BackendError;
use jiff::SignedDuration;

use crate::{Context, Event, Result, stop::interrupted, wait::is_passing};

/// The first wait, which doubles up to the [`LONGEST`].
const FIRST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(60);

/// How long is waited before the next try, while the service is away. Waits are by the wall clock: a machine
/// that slept tries again at once.
#[derive(Debug)]
pub(crate) struct Patience {
    /// What cannot be done, for people: "create the job".
    doing: &'static str,
    next: Duration,
}

impl Patience {
    pub(crate) fn new(doing: &'static str) -> Self {
        Self { doing, next: FIRST }
    }

    /// The service was there in between.
    pub(crate) fn renew(&mut self) {
        self.next = FIRST;
    }

    /// Tells that the service is away, and waits.
    ///
    /// # Errors
    /// Somebody asked to stop.
    pub(crate) async fn wait(
        &mut self,
        shard: usize,
        error: &(dyn StdError + 'static),
        context: &Context,
    ) -> Result<()> {
        let mut stop = context.stop.clone();
        let mut text = error.to_string();
        if let Some(cause) = error.source() {
            text = format!("{text}: {cause}");
        }
        // Nobody may ever be there: the address may be wrong.
        if let Some(hint) = backend_error(error).and_then(BackendError::hint) {
            text = format!("{text}; {hint}");
        }
        context.events.send(&Event::Away { shard, doing: self.doing, error: text, next: self.next });
        let until = context.clock.now() + SignedDuration::try_from(self.next).unwrap_or(SignedDuration::MAX);
        tokio::select! {
            () = context.clock.sleep_until(until) => {}
            () = stop.requested() => return Err(interrupted()),
        }
        self.next = self.next.saturating_mul(2).min(LONGEST);
        context.stop.check()
    }
}

/// Makes a call that may be repeated until the service answers it, one way or the other.
///
/// # Errors
/// Somebody asked to stop. What the service answers is the value.
pub(crate) async fn patiently<T, E: StdError + 'static>(
    shard: usize,
    doing: &'static str,
    context: &Context,
    mut call: impl AsyncFnMut() -> Result<T, E>,
) -> Result<Result<T, E>> {
    let mut patience = Patience::new(doing);
    context.stop.check()?;
    loop {
        match call().await {
            // What may have happened all the same is nobody's to repeat here.
            Err(error) if is_away(&error) && !maybe_done(&error) => patience.wait(shard, &error, context).await?,
            answer => return Ok(answer),
        }
    }
}

/// Whether a call failed because the service is away: the error is a backend's, or caused by one.
pub(crate) fn is_away(error: &(dyn StdError + 'static)) -> bool {
    backend_error(error).is_some_and(|error| is_passing(error.kind()))
}

fn maybe_done(error: &(dyn StdError + 'static)) -> bool {
    backend_error(error).is_some_and(BackendError::maybe_done)
}

fn backend_error<'e>(error: &'e (dyn StdError + 'static)) -> Option<&'e BackendError> {
    error.downcast_ref().or_else(|| error.source().and_then(|source| source.downcast_ref()))
}
