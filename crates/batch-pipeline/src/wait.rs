//! Waiting for a job: a poll that fails is no failed job.

use std::time::Duration;

use batch_backend::Kind as BackendKind;
use batch_model::{BatchPredictionJob, JobName, JobState};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;

use crate::{
    Backends, Context, Error, Event, Kind, Result, RunDir,
    poll::spread,
    state::{Attempt, StateSeen},
    stop::interrupted,
    submit::current,
};

/// How long the service keeps a job waiting for capacity.
pub const QUEUE_WINDOW: Duration = Duration::from_secs(72 * 3600);
/// How long the service lets a job run.
pub const RUN_WINDOW: Duration = Duration::from_secs(24 * 3600);

/// Polls the job of `shard` until it has ended. The job goes on if this is stopped.
pub(crate) async fn wait(run: &Mutex<&mut RunDir>, shard: usize, backends: &Backends, context: &Context) -> Result<()> {
    let mut watch = Watch::new(run, shard).await?;
    let mut stop = context.stop.clone();
    loop {
        let now = context.clock.now();
        match backends.jobs.get(&watch.name).await {
            Ok(job) => {
                watch.failures = 0;
                let ended = watch.note(run, job, now, context).await?;
                if ended {
                    return Ok(());
                }
            }
            Err(error) if is_passing(error.kind()) => {
                watch.failures += 1;
                let next = watch.next(context.clock.now());
                let mut text = error.to_string();
                if let Some(cause) = std::error::Error::source(&error) {
                    text = format!("{text}: {cause}");
                }
                context.events.send(&Event::PollFailed { shard, error: text, next });
            }
            Err(error) => {
                let gone = error.kind() == BackendKind::NotFound;
                let message = format!("look at the job of shard {shard}, {}", watch.name);
                let failed = Error::new(Kind::Backend, message).with_source(error);
                let hint = "the job was deleted, and its predictions are told by nobody; begin a new run with --new";
                return Err(if gone { failed.with_hint(hint) } else { failed });
            }
        }
        watch.looks += 1;
        let until = context.clock.now() + signed(watch.next(context.clock.now()));
        tokio::select! {
            () = context.clock.sleep_until(until) => {}
            () = stop.requested() => return Err(interrupted()),
        }
    }
}

/// Whether an error of a poll says nothing about the job: the network, the service, a quota.
fn is_passing(kind: BackendKind) -> bool {
    kind.is_transient() || kind == BackendKind::BadReply
}

struct Watch {
    shard: usize,
    name: JobName,
    records: u64,
    created: Timestamp,
    running: Option<Timestamp>,
    policy: crate::PollPolicy,
    seed: u64,
    looks: u32,
    failures: u32,
}

impl Watch {
    async fn new(run: &Mutex<&mut RunDir>, shard: usize) -> Result<Self> {
        let run = run.lock().await;
        let state = run.state();
        let attempt = current(state, shard)?;
        let name = attempt.job.clone().ok_or_else(|| Error::new(Kind::Bug, format!("shard {shard} has no job")))?;
        Ok(Self {
            shard,
            records: state.shards[shard].records,
            created: attempt.intended,
            running: first_seen(attempt, &JobState::Running),
            policy: state.spec.poll.clone(),
            seed: name.id().bytes().fold(shard as u64, |seed, byte| seed.wrapping_mul(31).wrapping_add(byte.into())),
            looks: 0,
            failures: 0,
            name,
        })
    }

    fn age(&self, now: Timestamp) -> Duration {
        now.duration_since(self.created).max(SignedDuration::ZERO).unsigned_abs()
    }

    fn next(&self, now: Timestamp) -> Duration {
        let random = spread(self.seed, self.looks.into());
        let wait = self.policy.wait(self.age(now), self.looks, random);
        // A service that is away is asked less and less often, but never less than once a minute.
        let longest = Duration::from_secs_f64(self.policy.longest.max(self.policy.steady).max(0.05));
        wait.saturating_mul(1 << self.failures.min(6)).min(longest.max(wait))
    }

    /// Takes down what the service says; whether the job has ended.
    async fn note(
        &mut self,
        run: &Mutex<&mut RunDir>,
        job: BatchPredictionJob,
        now: Timestamp,
        context: &Context,
    ) -> Result<bool> {
        let mut run = run.lock().await;
        let before = current(run.state(), self.shard)?.clone();
        let changed = before.state != job.state || before.history.is_empty();
        let ended = job.state.is_terminal();
        if changed || ended || before.output_info != job.output_info {
            run.update(|state| {
                let Some(attempt) = state.shards[self.shard].attempts.last_mut() else { return };
                attempt.state = job.state.clone();
                if changed {
                    attempt.history.push(StateSeen { state: job.state.clone(), at: now });
                }
                attempt.stats.clone_from(&job.completion_stats);
                attempt.output_info.clone_from(&job.output_info);
                attempt.error.clone_from(&job.error);
            })?;
        }
        if self.running.is_none() && job.state == JobState::Running {
            self.running = Some(now);
        }
        context.events.send(&Event::Polled {
            shard: self.shard,
            job: self.name.clone(),
            state: job.state,
            changed,
            stats: job.completion_stats.map(Box::new),
            records: self.records,
            age: self.age(now),
            running: self.running.map(|since| now.duration_since(since).max(SignedDuration::ZERO).unsigned_abs()),
            next: (!ended).then(|| self.next(now)),
        });
        Ok(ended)
    }
}

fn first_seen(attempt: &Attempt, state: &JobState) -> Option<Timestamp> {
    attempt.history.iter().find(|seen| seen.state == *state).map(|seen| seen.at)
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}
