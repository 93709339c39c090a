//! A run in steps of its own, each as its own process may take it, on whatever machine: [`submit`] and go,
//! [`wait`] later, [`collect`] what there is.

use batch_backend::Kind as BackendKind;
use futures::{StreamExt, TryStreamExt, stream};
use tokio::sync::Mutex;

use crate::{
    Backends, Context, Error, Kind, Report, Result, RunDir,
    at_once::at_once,
    collect as collecting,
    patience::is_passing,
    refused,
    run::{fail_where_all_failed, prepare, report},
    state::{RunState, Shard},
    submit as submitting,
    wait::{GONE, take_down, wait as wait_for},
};

/// Builds, stages and creates a job for each shard, and returns: the jobs go on in the service.
///
/// What was done before is not done again. All shards get their job, whatever `limits.jobs` says of how
/// many [`run`](crate::run()) keeps going at once: nobody is there to begin the others later, and the
/// service queues what it cannot run. So many are created at once. A shard whose job the service refuses for
/// good is told by an event and in the run's state; where it refuses all of them, that is the error.
///
/// # Errors
/// The input cannot be built; a backend refuses; somebody asked to stop. The run can be taken up again in
/// every case, by this or by [`run`](crate::run()).
pub async fn submit(run: &mut RunDir, backends: &Backends, context: &Context) -> Result<()> {
    prepare(run, backends, context).await?;
    let (shards, most) = (run.state().shards.len(), run.state().spec.limits.jobs);
    let run = Mutex::new(run);
    let run = &run;
    let each = |shard: usize, context: Context| async move { submitting::submit(run, shard, backends, &context).await };
    let (submitted, ended) = at_once(shards, most, context, each).await;
    let refused = submitted.into_iter().flatten().collect();
    ended.and(refused::take_down(*run.lock().await, refused, context).await)
}

/// Waits until the newest job of every shard has ended, by the spec's poll policy. Nothing is created and
/// nothing is collected.
///
/// # Errors
/// A shard has no job yet; a job was deleted; the login is refused; replies cannot be understood; somebody
/// asked to stop.
pub async fn wait(run: &mut RunDir, backends: &Backends, context: &Context) -> Result<()> {
    check_submitted(run)?;
    check_round(run)?;
    let open = open_shards(run.state());
    let run = Mutex::new(run);
    let run = &run;
    let count = open.len().max(1);
    let each = |shard: usize| wait_for(run, shard, backends, context);
    stream::iter(open.into_iter().map(each)).buffer_unordered(count).try_collect().await
}

/// What a [`collect`] found.
#[derive(Debug)]
pub struct Collected {
    /// The shards whose job had not ended, or that have none yet, in order.
    pub running: Vec<usize>,
    /// The report; absent where jobs are running and what they have so far was not asked for.
    pub report: Option<Report>,
}

/// Looks once at every job, collects the predictions of those that have ended, joins and reports.
///
/// Where a job has not ended, what the others wrote is fetched and there is no report; unless `partial`:
/// then what the service has exported of running jobs is fetched too, and the report is of what there is,
/// with `missing` for records that have no prediction yet, also of shards that have no job yet: why they have
/// none must not hold back what others have answered. The run is not finished by that.
///
/// # Errors
/// No shard has a job yet, or without `partial` one has none; a backend refuses; every job failed without an answer; somebody asked to stop.
pub async fn collect(
    run: &mut RunDir,
    backends: &Backends,
    context: &Context,
    partial: bool,
    answered_by: Option<String>,
) -> Result<Collected> {
    if !partial || !run.state().shards.iter().any(has_job) {
        check_submitted(run)?;
    }
    check_round(run)?;
    for shard in open_shards(run.state()) {
        context.stop.check()?;
        if !has_job(&run.state().shards[shard]) {
            continue;
        }
        look(run, shard, backends, context, partial).await?;
    }
    let running = open_shards(run.state());
    let is_here = run.state().spec.results.is_here();
    {
        let shards = run.state().shards.iter().filter(|shard| has_job(shard)).map(|shard| shard.index);
        let shards: Vec<usize> = shards.filter(|shard| partial || !running.contains(shard)).collect();
        let run = Mutex::new(&mut *run);
        let (run, at_once) = (&run, run.lock().await.state().spec.limits.jobs.max(1));
        let each = |shard: usize| collecting::collect(run, shard, backends, context);
        let shards = shards.into_iter().filter(|_| is_here);
        stream::iter(shards.map(each)).buffer_unordered(at_once).try_collect::<()>().await?;
    }
    if running.is_empty() {
        fail_where_all_failed(run, context)?;
    } else if !partial {
        return Ok(Collected { running, report: None });
    }
    let report = report(run, backends, context, answered_by).await?;
    Ok(Collected { running, report: Some(report) })
}

/// Looks once at the job of a shard. A service that is away for the moment leaves it as it was; so does, where
/// what there is is wanted, a job that is there no more.
async fn look(run: &mut RunDir, shard: usize, backends: &Backends, context: &Context, partial: bool) -> Result<()> {
    let attempt = submitting::current(run.state(), shard)?;
    let Some(name) = attempt.job.clone() else { return Ok(()) };
    match backends.jobs.get(&name).await {
        Ok(job) => take_down(run, shard, &job, context.clock.now()).map(drop),
        Err(error) if is_passing(error.kind()) || (partial && error.kind() == BackendKind::NotFound) => {
            tracing::warn!(%error, shard, "the job is as it was last seen");
            Ok(())
        }
        Err(error) => {
            let gone = error.kind() == BackendKind::NotFound;
            let message = format!("look at the job of shard {shard}, {name}");
            let failed = Error::new(Kind::Backend, message).with_source(error);
            Err(if gone { failed.with_hint(GONE) } else { failed })
        }
    }
}

/// Whether the newest attempt at a shard has a job, or was refused one.
fn has_job(shard: &Shard) -> bool {
    shard.attempts.last().is_some_and(|attempt| attempt.job.is_some() || attempt.is_refused())
}

/// Refuses a run of which a shard has no job.
fn check_submitted(run: &RunDir) -> Result<()> {
    let state = run.state();
    let submitted = state.shards.iter().filter(|shard| has_job(shard)).count();
    if state.staged && submitted == state.shards.len() {
        return Ok(());
    }
    let (shards, directory) = (state.shards.len(), run.path().display());
    let message = match (state.staged, submitted) {
        (_, 0) => format!("the run {directory} has no job yet"),
        (true, _) => format!("{} of {shards} shards of {directory} have no job yet", shards - submitted),
        (false, _) => format!("the run {directory} is not staged whole"),
    };
    let goes_on = "`batch-cli submit` or `batch-cli run`, with the same spec and this --run-dir, goes on";
    Err(Error::new(Kind::RunDirectory, message).with_hint(match submitted {
        0 => goes_on.to_owned(),
        _ => format!("{goes_on}; `batch-cli collect {directory} --partial` reports what is answered"),
    }))
}

/// Refuses a run whose newest round of retries is not submitted.
fn check_round(run: &RunDir) -> Result<()> {
    let Some(round) = run.state().round_to_submit() else { return Ok(()) };
    let directory = run.path().display();
    let message = format!("retry {} of {directory} was begun and is not submitted", round.number);
    let hint = format!("`batch-cli retry {directory}` goes on with it; what was reported before still stands");
    Err(Error::new(Kind::RunDirectory, message).with_hint(hint))
}

/// The shards whose newest job has not ended, or that have none.
fn open_shards(state: &RunState) -> Vec<usize> {
    let is_open = |shard: &&Shard| shard.attempts.last().is_none_or(|attempt| !attempt.has_ended());
    state.shards.iter().filter(is_open).map(|shard| shard.index).collect()
}
