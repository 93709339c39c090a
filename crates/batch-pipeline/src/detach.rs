//! A run in steps of its own, each as its own process may take it, on whatever machine: [`submit`] and go,
//! [`wait`] later, [`collect`] what there is.

use std::path::Path;

use batch_backend::Kind as BackendKind;
use futures::{StreamExt, TryStreamExt, future::ready, stream};
use tokio::sync::Mutex;

use crate::{
    Backends, Context, Error, Kind, Report, Result, RunDir, collect as collecting,
    in_place::RECORDS,
    patience::is_passing,
    refused,
    run::{fail_where_all_failed, prepare, report},
    run_dir::digest_of,
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
    let (shards, at_once) = (run.state().shards.len(), run.state().spec.limits.jobs.max(1));
    let run = Mutex::new(run);
    let run = &run;
    let each = |shard: usize| submitting::submit(run, shard, backends, context);
    let submitted = stream::iter((0..shards).map(each)).buffer_unordered(at_once);
    let refused = submitted.try_filter_map(|refused| ready(Ok(refused))).try_collect().await?;
    refused::take_down(*run.lock().await, refused, context).await
}

/// Waits until the newest job of every shard has ended, by the spec's poll policy. Nothing is created and
/// nothing is collected.
///
/// # Errors
/// A shard has no job yet; a job was deleted; the login is refused; replies cannot be understood; somebody
/// asked to stop.
pub async fn wait(run: &mut RunDir, backends: &Backends, context: &Context) -> Result<()> {
    let open = open_shards(run)?;
    let run = Mutex::new(run);
    let run = &run;
    let count = open.len().max(1);
    let each = |shard: usize| wait_for(run, shard, backends, context);
    stream::iter(open.into_iter().map(each)).buffer_unordered(count).try_collect().await
}

/// What a [`collect`] found.
#[derive(Debug)]
pub struct Collected {
    /// The shards whose job had not ended, in order.
    pub running: Vec<usize>,
    /// The report; absent where jobs are running and what they have so far was not asked for.
    pub report: Option<Report>,
}

/// Looks once at every job, collects the predictions of those that have ended, joins and reports.
///
/// Where a job has not ended, what the others wrote is fetched and there is no report; unless `partial`:
/// then what the service has exported of running jobs is fetched too, and the report is of what there is,
/// with `missing` for records that have no prediction yet. The run is not finished by that.
///
/// # Errors
/// A shard has no job yet; a backend refuses; every job failed without an answer; somebody asked to stop.
pub async fn collect(
    run: &mut RunDir,
    backends: &Backends,
    context: &Context,
    partial: bool,
    answered_by: Option<String>,
) -> Result<Collected> {
    for shard in open_shards(run)? {
        context.stop.check()?;
        look(run, shard, backends, context, partial).await?;
    }
    let running = open_shards(run)?;
    let is_here = run.state().spec.results.is_here();
    {
        let shards = (0..run.state().shards.len()).filter(|shard| partial || !running.contains(shard));
        let shards: Vec<usize> = shards.collect();
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

/// The shards whose newest job has not ended; an error where one has no job.
fn open_shards(run: &RunDir) -> Result<Vec<usize>> {
    let state = run.state();
    let created = |attempt: &crate::state::Attempt| attempt.job.is_some() || attempt.is_refused();
    let submitted = state.shards.iter().filter(|shard| shard.attempts.last().is_some_and(created)).count();
    if !state.staged || submitted < state.shards.len() {
        let shards = state.shards.len();
        let message = match (state.staged, submitted) {
            (_, 0) => format!("the run {} has no job yet", run.path().display()),
            (true, _) => {
                format!("{} of {shards} shards of {} have no job yet", shards - submitted, run.path().display())
            }
            (false, _) => format!("the run {} is not staged whole", run.path().display()),
        };
        return Err(Error::new(Kind::RunDirectory, message)
            .with_hint("`batch-cli submit` or `batch-cli run`, with the same spec and this --run-dir, goes on"));
    }
    if let Some(round) = state.round_to_submit() {
        let directory = run.path().display();
        let message = format!("retry {} of {directory} was begun and is not submitted", round.number);
        let hint = format!("`batch-cli retry {directory}` goes on with it; what was reported before still stands");
        return Err(Error::new(Kind::RunDirectory, message).with_hint(hint));
    }
    Ok(state
        .shards
        .iter()
        .filter(|shard| shard.attempts.last().is_some_and(|attempt| !attempt.has_ended()))
        .map(|shard| shard.index)
        .collect())
}

/// Sees to it that the run's table can be read: where it was, in the run's own directory, or as `given`.
/// Its bytes have to be those that the run was begun with.
///
/// # Errors
/// There is no such table, or it is another one.
pub fn find_input(run: &mut RunDir, given: Option<&Path>) -> Result<()> {
    let wanted = run.state().input.clone();
    if wanted.records.is_some() {
        let Some(given) = given else {
            // Wherever the directory was taken.
            let own = run.path().join(RECORDS).display().to_string();
            return run.update(|state| state.input.path = own);
        };
        let message = format!("the run has no file as its table, and {} is one", given.display());
        let hint = format!("its records are in {}; leave out --input", run.state().input_name());
        return Err(Error::new(Kind::Input, message).with_hint(hint));
    }
    let take = |run: &mut RunDir, path: &Path| {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        run.update(|state| state.input.path = path.display().to_string())
    };
    if let Some(given) = given {
        let found = digest_of(given)?;
        if found.digest != wanted.digest {
            let message = format!("{} is not the table of this run: its bytes are others", given.display());
            let hint = format!("the run was begun with {}, of {} bytes", wanted.path, wanted.bytes);
            return Err(Error::new(Kind::Input, message).with_hint(hint));
        }
        return take(run, given);
    }
    let is_it = |path: &Path| digest_of(path).is_ok_and(|found| found.digest == wanted.digest);
    if is_it(Path::new(&wanted.path)) {
        return Ok(());
    }
    // A run that read standard input has its table with it, wherever its directory was taken.
    let own = run.path().join("input");
    if is_it(&own) {
        return take(run, &own);
    }
    let there = Path::new(&wanted.path).exists();
    let message = if there {
        format!("{} has changed since the run was begun", wanted.path)
    } else {
        format!("the table of the run is not here: {}", wanted.path)
    };
    Err(Error::new(Kind::Input, message).with_hint("name the table as it was with --input FILE"))
}
