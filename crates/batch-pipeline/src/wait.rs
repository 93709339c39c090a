//! Waiting for a job: a poll that fails is no failed job.

use std::{ops::ControlFlow, time::Duration};

use batch_backend::{JobService, Kind as BackendKind};
use batch_model::{BatchPredictionJob, JobName, JobState};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;

use crate::{
    Backends, Context, Error, Event, Kind, PollPolicy, Result, RunDir,
    patience::Tries,
    poll::spread,
    state::{Attempt, StateSeen},
    status::Times,
    stop::interrupted,
    submit::current,
};

/// How long the service keeps a job waiting for capacity.
pub const QUEUE_WINDOW: Duration = Duration::from_secs(72 * 3600);
/// How long the service lets a job run.
pub const RUN_WINDOW: Duration = Duration::from_secs(24 * 3600);

/// What to do about a job of a run that is there no more.
pub(crate) const GONE: &str = "the job was deleted, or is elsewhere than was asked; `batch-cli collect RUN --partial` \
     reports what the other jobs answered, and a run that is begun with --new takes these answers from the cache";

/// Polls the job of `shard` until it has ended. The job goes on if this is stopped.
pub(crate) async fn wait(run: &Mutex<&mut RunDir>, shard: usize, backends: &Backends, context: &Context) -> Result<()> {
    let mut watch = Watch::of_shard(run, shard).await?;
    watch.until_ended(Some(run), &*backends.jobs, context).await.map(drop)
}

/// Polls the job `name`, which need be of no run, until it has ended; then the job as it is. The job goes
/// on if this is stopped.
///
/// Events tell of it as shard 0. When to look again is by the wall clock: a machine that slept looks once
/// and goes on, and a service that is away is asked less and less often.
///
/// # Errors
/// There is no such job, the login is refused, the replies cannot be understood, somebody asked to stop.
pub async fn wait_for_job(
    name: &JobName,
    jobs: &dyn JobService,
    policy: &PollPolicy,
    context: &Context,
) -> Result<BatchPredictionJob> {
    let mut watch = Watch::new(name.clone(), 0, context.clock.now(), policy.clone());
    watch.until_ended(None, jobs, context).await
}

struct Watch {
    shard: usize,
    name: JobName,
    /// How many records the job has; 0 where that is not known.
    records: u64,
    created: Timestamp,
    running: Option<Timestamp>,
    policy: PollPolicy,
    seed: u64,
    looks: u32,
    failures: u32,
    tries: Tries,
    /// The state of the look before.
    last: Option<JobState>,
}

impl Watch {
    fn new(name: JobName, shard: usize, created: Timestamp, policy: PollPolicy) -> Self {
        let seed = name.id().bytes().fold(shard as u64, |seed, byte| seed.wrapping_mul(31).wrapping_add(byte.into()));
        let (looks, failures, tries) = (0, 0, Tries::default());
        Self { shard, name, records: 0, created, running: None, policy, seed, looks, failures, tries, last: None }
    }

    async fn of_shard(run: &Mutex<&mut RunDir>, shard: usize) -> Result<Self> {
        let run = run.lock().await;
        let state = run.state();
        let attempt = current(state, shard)?;
        let name = attempt.job.clone().ok_or_else(|| Error::new(Kind::Bug, format!("shard {shard} has no job")))?;
        let new = Self::new(name, shard, attempt.intended, state.spec.poll.clone());
        Ok(Self { records: state.shards[shard].records, running: first_seen(attempt, &JobState::Running), ..new })
    }

    async fn until_ended(
        &mut self,
        run: Option<&Mutex<&mut RunDir>>,
        jobs: &dyn JobService,
        context: &Context,
    ) -> Result<BatchPredictionJob> {
        let mut stop = context.stop.clone();
        loop {
            context.stop.check()?;
            let now = context.clock.now();
            match jobs.get(&self.name).await {
                Ok(job) => {
                    self.failures = 0;
                    self.tries.renew();
                    let changed = match run {
                        Some(run) => take_down(&mut **run.lock().await, self.shard, &job, now)?,
                        None => self.last.as_ref() != Some(&job.state),
                    };
                    self.tell(&job, changed, now, context);
                    if job.state.is_terminal() {
                        return Ok(job);
                    }
                }
                Err(error) => {
                    let error = match self.tries.after(error) {
                        ControlFlow::Continue(error) => error,
                        ControlFlow::Break(error) => return Err(self.failed(error, run.is_some())),
                    };
                    self.failures += 1;
                    let next = self.next(context.clock.now());
                    let mut text = error.to_string();
                    if let Some(cause) = std::error::Error::source(&error) {
                        text = format!("{text}: {cause}");
                    }
                    context.events.send(&Event::PollFailed { shard: self.shard, error: text, next });
                }
            }
            self.looks += 1;
            let until = context.clock.now() + signed(self.next(context.clock.now()));
            tokio::select! {
                () = context.clock.sleep_until(until) => {}
                () = stop.requested() => return Err(interrupted()),
            }
        }
    }

    fn failed(&self, error: batch_backend::Error, of_run: bool) -> Error {
        let gone = of_run && error.kind() == BackendKind::NotFound;
        let message = if of_run {
            format!("look at the job of shard {}, {}", self.shard, self.name)
        } else {
            format!("look at the job {}", self.name)
        };
        let failed = Error::new(Kind::Backend, message).with_source(error);
        if gone { failed.with_hint(GONE) } else { failed }
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

    /// Tells what the service says.
    fn tell(&mut self, job: &BatchPredictionJob, changed: bool, now: Timestamp, context: &Context) {
        self.last = Some(job.state.clone());
        let times = Times::of(job);
        // The service knows since when, also of what happened while nobody looked.
        if self.looks == 0
            && let Some(created) = times.created
        {
            self.created = created;
        }
        if times.started.is_some() {
            self.running = times.started;
        } else if self.running.is_none() && job.state == JobState::Running {
            self.running = Some(now);
        }
        context.events.send(&Event::Polled {
            shard: self.shard,
            job: self.name.clone(),
            state: job.state.clone(),
            changed,
            stats: job.completion_stats.clone().map(Box::new),
            records: self.records,
            age: self.age(now),
            running: self.running.map(|since| now.duration_since(since).max(SignedDuration::ZERO).unsigned_abs()),
            next: (!job.state.is_terminal()).then(|| self.next(now)),
        });
    }
}

/// Takes down in the run what the service says of the job of `shard`; whether its state is another.
pub(crate) fn take_down(run: &mut RunDir, shard: usize, job: &BatchPredictionJob, now: Timestamp) -> Result<bool> {
    let before = current(run.state(), shard)?;
    let changed = before.state != job.state || before.history.is_empty();
    let ended = job.state.is_terminal();
    let ends = ended && !before.has_ended();
    if changed || ended || before.output_info != job.output_info {
        run.update(|state| {
            if ends {
                // Results that were written while the job was running are not all.
                state.finished = None;
            }
            let Some(attempt) = state.shards[shard].attempts.last_mut() else { return };
            if ends {
                attempt.collected = None;
            }
            attempt.state = job.state.clone();
            if changed {
                attempt.history.push(StateSeen { state: job.state.clone(), at: now });
            }
            attempt.stats.clone_from(&job.completion_stats);
            attempt.output_info.clone_from(&job.output_info);
            attempt.error.clone_from(&job.error);
        })?;
    }
    Ok(changed)
}

pub(crate) fn first_seen(attempt: &Attempt, state: &JobState) -> Option<Timestamp> {
    attempt.history.iter().find(|seen| seen.state == *state).map(|seen| seen.at)
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}
