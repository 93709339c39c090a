//! Shards on their way into the store, several at once.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use batch_backend::{Columns, InputStore, RequestSink};
use tokio::{
    sync::mpsc,
    task::{JoinError, JoinSet},
};

use super::{
    build::{Begun, Piece},
    staged_event,
};
use crate::{
    Backends, Context, CutShard, Error, Event, Kind, Result, RunDir, Spec,
    state::{Shard, StagedState},
};

/// How many shards are on their way to the store at once. The end of one takes the store a while, in
/// which the next ones go on: large shards overlap at their ends, small ones are under way together. What is
/// held in memory is a few pieces of each, and what its sink holds.
const AT_ONCE: usize = 4;

/// Takes the builder's shards into the store, and has each in the run's state once it lies there.
pub(super) async fn receive(
    run: &mut RunDir,
    round: u32,
    shards: &mut mpsc::Receiver<Begun>,
    backends: &Backends,
    context: &Context,
) -> Result<()> {
    let shared = Arc::new(Shared {
        input: Arc::clone(&backends.input),
        run: run.state().id.clone(),
        columns: Columns::new(pass_through(&run.state().spec_of(round))),
        sent: Mutex::default(),
        is_given_up: AtomicBool::new(false),
        context: context.clone(),
    });
    let mut uploads = JoinSet::new();
    let mut arrived = Arrived { round, waiting: BTreeMap::new() };
    let (mut is_open, mut outcome) = (true, Ok(()));
    loop {
        let takes = is_open && uploads.len() < AT_ONCE;
        let step = tokio::select! {
            begun = shards.recv(), if takes => {
                match begun {
                    Some(begun) => drop(uploads.spawn(Arc::clone(&shared).upload(begun))),
                    None => is_open = false,
                }
                Ok(())
            }
            Some(done) = uploads.join_next() => arrived.add(done, run, context),
            else => break,
        };
        if step.is_err() && outcome.is_ok() {
            // The others end at their next piece. What is whole by then counts.
            outcome = step;
            is_open = false;
            shared.is_given_up.store(true, Ordering::Relaxed);
            shards.close();
            // What was begun and not taken is nobody's.
            while shards.try_recv().is_ok() {}
        }
    }
    outcome
}

/// Shards that lie in the store. The state has them in order and without gaps, so that some may have to
/// wait; what a kill loses of these is staged again.
struct Arrived {
    round: u32,
    waiting: BTreeMap<usize, (CutShard, StagedState)>,
}

impl Arrived {
    fn add(
        &mut self,
        done: Result<Result<Option<(CutShard, StagedState)>>, JoinError>,
        run: &mut RunDir,
        context: &Context,
    ) -> Result<()> {
        let done = done.map_err(|error| Error::new(Kind::Bug, "stage request lines").with_source(error))?;
        let Some((built, staged)) = done? else { return Ok(()) };
        self.waiting.insert(built.index, (built, staged));
        while let Some(first) = self.waiting.first_entry()
            && *first.key() <= run.state().shards.len()
        {
            let (built, staged) = first.remove();
            let round = self.round;
            let event = run.update(|state| {
                let CutShard { index, first, records, bytes, digest } = built;
                // Of a shard that is staged again: an intent may have become a job.
                let place = state.shards.get_mut(index);
                let attempts = place.map(|place| std::mem::take(&mut place.attempts)).unwrap_or_default();
                let shard = Shard { index, round, first, records, bytes, digest, staged, attempts };
                let event = staged_event(&shard, false);
                match state.shards.get_mut(index) {
                    Some(place) => *place = shard,
                    None => state.shards.push(shard),
                }
                event
            })?;
            context.events.send(&event);
        }
        Ok(())
    }
}

/// What all uploads of a round share.
struct Shared {
    input: Arc<dyn InputStore>,
    /// The run's id.
    run: String,
    columns: Columns,
    /// Records and bytes that were handed to the store.
    sent: Mutex<(u64, u64)>,
    /// Whether another upload has failed.
    is_given_up: AtomicBool,
    context: Context,
}

impl Shared {
    /// Stages one shard; `None` where it is not wanted any more.
    async fn upload(self: Arc<Self>, begun: Begun) -> Result<Option<(CutShard, StagedState)>> {
        let Begun { index, mut pieces } = begun;
        let name = format!("{}/s{index:05}", self.run);
        let mut sink = self.input.create(&name, &self.columns).await.map_err(|error| failed(index, error))?;
        match self.write(index, &mut *sink, &mut pieces).await {
            Ok(Some(built)) => {
                let staged = sink.finish().await.map_err(|error| failed(index, error))?;
                Ok(Some((built, StagedState::new(name, &staged))))
            }
            // The builder failed, another upload did, or we stop.
            unwanted => {
                drop(pieces);
                if let Err(error) = sink.abort().await {
                    tracing::warn!(%error, "what was staged half could not be removed");
                }
                unwanted.map(|_| None)
            }
        }
    }

    /// Hands the pieces of a shard to its sink; `None` where they do not come to their end.
    async fn write(
        &self,
        index: usize,
        sink: &mut dyn RequestSink,
        pieces: &mut mpsc::Receiver<Piece>,
    ) -> Result<Option<CutShard>> {
        loop {
            self.context.stop.check()?;
            if self.is_given_up.load(Ordering::Relaxed) {
                return Ok(None);
            }
            match pieces.recv().await {
                None => return Ok(None),
                Some(Piece::End(built)) => return Ok(Some(built)),
                Some(Piece::Lines { bytes, records }) => {
                    let length = bytes.len() as u64;
                    sink.write(bytes).await.map_err(|error| failed(index, error))?;
                    self.tell(records, length);
                }
            }
        }
    }

    fn tell(&self, records: u64, bytes: u64) {
        // Held until it is told, so that the numbers only grow.
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.0 += records;
        sent.1 += bytes;
        self.context.events.send(&Event::Staging { records: sent.0, bytes: sent.1 });
    }
}

fn failed(shard: usize, error: batch_backend::Error) -> Error {
    Error::new(Kind::Backend, format!("stage the request lines of shard {shard}")).with_source(error)
}

/// The pass-through columns: in a CSV every value is a text.
fn pass_through(spec: &Spec) -> Vec<batch_backend::Column> {
    let column = |name: &String| batch_backend::Column { name: name.clone(), kind: batch_backend::ColumnKind::String };
    spec.request.columns.iter().map(column).collect()
}
