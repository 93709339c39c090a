//! Calls that are made again while the service is away: a network that is gone for an hour ends no run. A reply
//! that cannot be understood may be of what stands between, and is asked for again a few times.

use std::{error::Error as StdError, ops::ControlFlow, time::Duration};

use batch_backend::{Error as BackendError, Kind as BackendKind};
use jiff::SignedDuration;

use crate::{Context, Error, Event, Result, stop::interrupted};

/// The first wait, which doubles up to the [`LONGEST`].
const FIRST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(60);

/// How often a reply that cannot be understood is asked for again. No wait mends a service that speaks otherwise.
const ODD_REPLIES: u32 = 5;

/// Whether a failure says nothing about what was asked: it is the network's, the service's, a quota's, or of
/// whatever answered instead of the service.
pub(crate) fn is_passing(kind: BackendKind) -> bool {
    kind.is_transient() || kind == BackendKind::BadReply
}

/// An error of a call to a backend, or one that such an error caused.
pub(crate) trait Failure: StdError + Sized + 'static {
    /// What the backend says.
    fn backend(&self) -> Option<&BackendError>;

    /// Adds what to do about it.
    fn hinted(self, hint: String) -> Self;
}

impl Failure for BackendError {
    fn backend(&self) -> Option<&BackendError> {
        Some(self)
    }

    fn hinted(self, hint: String) -> Self {
        self.with_hint(hint)
    }
}

impl Failure for Error {
    fn backend(&self) -> Option<&BackendError> {
        self.source()?.downcast_ref()
    }

    fn hinted(self, hint: String) -> Self {
        self.with_hint(hint)
    }
}

/// Which failures of a call are followed by another try: those of a service that is away always, replies that
/// cannot be understood a few times.
#[derive(Debug, Default)]
pub(crate) struct Tries {
    /// The odd replies since one was understood.
    odd: u32,
}

impl Tries {
    /// The service was understood in between.
    pub(crate) fn renew(&mut self) {
        self.odd = 0;
    }

    /// Whether the call goes on after a failure; if not, with what to do about the last of too many odd replies.
    pub(crate) fn after<E: Failure>(&mut self, error: E) -> ControlFlow<E, E> {
        let Some(kind) = error.backend().map(BackendError::kind).filter(|kind| is_passing(*kind)) else {
            return ControlFlow::Break(error);
        };
        if kind == BackendKind::BadReply {
            self.odd += 1;
        }
        if self.odd <= ODD_REPLIES {
            return ControlFlow::Continue(error);
        }
        let hint = format!(
            "it was asked for {} times: see that the address is the service's and that no proxy and no login page \
             answers instead, then run the same command again; it goes on from here",
            self.odd
        );
        ControlFlow::Break(error.hinted(hint))
    }
}

/// How long is waited before the next try, while the service is away. Waits are by the wall clock: a machine
/// that slept tries again at once.
#[derive(Debug)]
pub(crate) struct Patience {
    /// What cannot be done, for people: "create the job".
    doing: &'static str,
    next: Duration,
    tries: Tries,
}

impl Patience {
    pub(crate) fn new(doing: &'static str) -> Self {
        Self { doing, next: FIRST, tries: Tries::default() }
    }

    /// The service was there in between.
    pub(crate) fn renew(&mut self) {
        self.next = FIRST;
        self.tries.renew();
    }

    /// Tells that the service is away, and waits until the next try.
    ///
    /// # Errors
    /// The failure, where another try is not worth it; somebody asked to stop. The first is the inner one.
    pub(crate) async fn wait<E: Failure>(
        &mut self,
        shard: usize,
        error: E,
        context: &Context,
    ) -> Result<Result<(), E>> {
        let error = match self.tries.after(error) {
            ControlFlow::Continue(error) => error,
            ControlFlow::Break(error) => return Ok(Err(error)),
        };
        let mut stop = context.stop.clone();
        let mut text = error.to_string();
        if let Some(cause) = error.source() {
            text = format!("{text}: {cause}");
        }
        // Nobody may ever be there: the address may be wrong.
        if let Some(hint) = error.backend().and_then(BackendError::hint) {
            text = format!("{text}; {hint}");
        }
        context.events.send(&Event::Away { shard, doing: self.doing, error: text, next: self.next });
        let until = context.clock.now() + SignedDuration::try_from(self.next).unwrap_or(SignedDuration::MAX);
        tokio::select! {
            () = context.clock.sleep_until(until) => {}
            () = stop.requested() => return Err(interrupted()),
        }
        self.next = self.next.saturating_mul(2).min(LONGEST);
        context.stop.check().map(Ok)
    }
}

/// Makes a call that may be repeated until the service answers it, one way or the other.
///
/// # Errors
/// Somebody asked to stop. What the service answers is the value.
pub(crate) async fn patiently<T, E: Failure>(
    shard: usize,
    doing: &'static str,
    context: &Context,
    mut call: impl AsyncFnMut() -> Result<T, E>,
) -> Result<Result<T, E>> {
    let mut patience = Patience::new(doing);
    context.stop.check()?;
    loop {
        let error = match call().await {
            Ok(answer) => return Ok(Ok(answer)),
            Err(error) => error,
        };
        // What may have happened all the same is nobody's to repeat here.
        if error.backend().is_some_and(BackendError::maybe_done) {
            return Ok(Err(error));
        }
        if let Err(error) = patience.wait(shard, error, context).await? {
            return Ok(Err(error));
        }
    }
}
