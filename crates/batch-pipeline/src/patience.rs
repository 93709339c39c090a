//! Calls that are made again while the service is away: a network that is gone for an hour ends no run.

use std::{error::Error as StdError, time::Duration};

use batch_backend::Error as BackendError;
use jiff::SignedDuration;

use crate::{Context, Event, Result, stop::interrupted, wait::is_passing};

/// The first wait, which doubles up to the [`LONGEST`].
const FIRST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(60);

/// Makes a call that may be repeated until the service answers it, one way or the other. Waits are by the
/// wall clock: a machine that slept calls again at once.
///
/// # Errors
/// Somebody asked to stop. What the service answers is the value.
pub(crate) async fn patiently<T, E: StdError + 'static>(
    shard: usize,
    doing: &'static str,
    context: &Context,
    mut call: impl AsyncFnMut() -> Result<T, E>,
) -> Result<Result<T, E>> {
    let mut stop = context.stop.clone();
    let mut next = FIRST;
    loop {
        context.stop.check()?;
        let error = match call().await {
            Err(error) if is_away(&error) => error,
            answer => return Ok(answer),
        };
        let mut text = error.to_string();
        if let Some(cause) = error.source() {
            text = format!("{text}: {cause}");
        }
        context.events.send(&Event::Away { shard, doing, error: text, next });
        let until = context.clock.now() + SignedDuration::try_from(next).unwrap_or(SignedDuration::MAX);
        tokio::select! {
            () = context.clock.sleep_until(until) => {}
            () = stop.requested() => return Err(interrupted()),
        }
        next = next.saturating_mul(2).min(LONGEST);
    }
}

/// Whether a call failed because the service is away: the error is a backend's, or caused by one. What may
/// have happened all the same is nobody's to repeat here.
fn is_away(error: &(dyn StdError + 'static)) -> bool {
    let backend = error.downcast_ref::<BackendError>();
    let backend = backend.or_else(|| error.source().and_then(|source| source.downcast_ref()));
    backend.is_some_and(|error: &BackendError| is_passing(error.kind()) && !error.maybe_done())
}
