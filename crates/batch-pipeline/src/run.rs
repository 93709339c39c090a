//! A run from wherever it stopped to its end.

use batch_io::{COST_COLUMN, RESULT_COLUMNS};
use tokio::sync::Mutex;

use crate::{
    Backends, Context, Error, Event, Kind, Report, Result, RunDir,
    at_once::at_once,
    collect, finish, in_place, refused,
    stage::{open_table, stage},
    state::{Attempt, RunState},
    submit::{current, submit},
    wait::wait,
};

/// Takes a run to its end: whatever was done before is not done again.
///
/// `answered_by` is told in the report's first line, where not the service's model answered.
///
/// # Errors
/// The input cannot be built; a backend refuses; every job failed without an answer; somebody asked
/// to stop. The run can be taken up again in every case.
pub async fn run(
    run: &mut RunDir,
    backends: &Backends,
    context: &Context,
    answered_by: Option<String>,
) -> Result<Report> {
    prepare(run, backends, context).await?;
    answer(run, backends, context).await?;
    fail_where_all_failed(run, context)?;
    report(run, backends, context, answered_by).await
}

/// The first steps of a run: every shard is built and lies where the service reads it.
pub(crate) async fn prepare(run: &mut RunDir, backends: &Backends, context: &Context) -> Result<()> {
    context.events.send(&Event::Run { directory: run.path().to_owned(), resumed: run.is_resumed() });
    // What cannot be is found before anything is sent.
    check(run.state())?;
    match in_place::store_of(run, backends)? {
        Some(store) => in_place::stage(run, store, context).await,
        None => stage(run, backends, context).await,
    }
}

/// The last step of a run: what was collected is joined, evaluated and reported.
pub(crate) async fn report(
    run: &mut RunDir,
    backends: &Backends,
    context: &Context,
    answered_by: Option<String>,
) -> Result<Report> {
    let report = finish::finish(run, backends, context, answered_by).await?;
    context.events.send(&Event::Finished { directory: run.path().to_owned() });
    Ok(report)
}

/// What would be found only at the end, after everything was paid for: a column that is not there, a
/// name that two columns would have.
fn check(state: &RunState) -> Result<()> {
    let spec = &state.spec;
    spec.model()?;
    let columns = match &state.input.records {
        Some(records) => records.columns.clone(),
        None => open_table(&state.input_path(), spec)?.columns().names().to_vec(),
    };
    let (name, has) = (state.input_name(), |wanted: &str| columns.iter().any(|column| column == wanted));
    if let Some(evaluate) = &spec.evaluate
        && !has(&evaluate.expected)
    {
        let message = format!("{name} has no column {:?} (evaluate.expected)", evaluate.expected);
        let columns = columns.join(", ");
        return Err(Error::new(Kind::Input, message).with_hint(match &state.input.records {
            Some(records) if records.is_built => {
                format!("of a table without requests the results have {columns}: name it in request.columns")
            }
            _ => format!("its columns are: {columns}"),
        }));
    }
    let prefix = spec.results.column_prefix.as_deref().unwrap_or_default();
    let ours = RESULT_COLUMNS.iter().chain([&COST_COLUMN]);
    let clash = ours.map(|name| format!("{prefix}{name}")).find(|name| has(name));
    if let Some(clash) = clash {
        let message = format!("{name} has a column {clash:?}, and so would the results");
        let hint =
            "set results.column_prefix, such as \"batch_\": it goes before the names of the columns that are added";
        return Err(Error::new(Kind::Input, message).with_hint(hint));
    }
    Ok(())
}

/// A job for each shard, several at once: created, waited for, collected. A shard whose job is refused for good
/// holds back no other.
async fn answer(run: &mut RunDir, backends: &Backends, context: &Context) -> Result<()> {
    let (shards, most) = (run.state().shards.len(), run.state().spec.limits.jobs);
    // Results in BigQuery are made where the predictions are.
    let is_here = run.state().spec.results.is_here();
    let run = Mutex::new(run);
    let run = &run;
    let each = |shard: usize, context: Context| async move {
        if let Some(refusal) = submit(run, shard, backends, &context).await? {
            return Ok(Some(refusal));
        }
        if !current(run.lock().await.state(), shard)?.has_ended() {
            wait(run, shard, backends, &context).await?;
        }
        if is_here {
            collect::collect(run, shard, backends, &context).await?;
        }
        Ok(None)
    };
    let (answered, ended) = at_once(shards, most, context, each).await;
    let refused = answered.into_iter().flatten().collect();
    ended.and(refused::take_down(*run.lock().await, refused, context).await)
}

/// Where no job has a single prediction, there is nothing to join: the job's own error is the answer.
pub(crate) fn fail_where_all_failed(run: &mut RunDir, context: &Context) -> Result<()> {
    let is_here = run.state().spec.results.is_here();
    let nothing = |attempt: &Attempt| {
        attempt.is_refused()
            || attempt.state != batch_model::JobState::Succeeded
                && attempt.collected.iter().flatten().all(|file| file.bytes == 0)
                && (is_here || attempt.output_info.is_none())
    };
    // What was answered before is there all the same.
    if 0 < run.state().cached_records() {
        return Ok(());
    }
    // Of earlier attempts too: a resume that failed leaves what was answered before it.
    let attempts = || run.state().shards.iter().flat_map(|shard| &shard.attempts);
    let mut newest = run.state().shards.iter().filter_map(|shard| shard.attempts.last());
    let newest = newest.clone().find(|attempt| attempt.job.is_some()).or_else(|| newest.next());
    let Some(first) = newest.filter(|_| attempts().all(nothing)) else { return Ok(()) };
    let error = job_error(first, run.state());
    // Nothing more will come of this run; the next one is a new one.
    let now = context.clock.now();
    run.update(|state| state.finished = Some(now))?;
    Err(error)
}

fn job_error(attempt: &Attempt, state: &RunState) -> Error {
    let job = attempt.job.as_ref().map_or_else(|| attempt.display_name.clone(), ToString::to_string);
    let ended = attempt.state.as_str();
    let mut message = format!("the job {job} ended as {ended} and answered nothing");
    if let Some(error) = &attempt.error {
        let code = error.code.map(|code| format!("code {code}: ")).unwrap_or_default();
        message = format!("{message}: {code}{}", error.message.as_deref().unwrap_or("(no message)").trim());
    }
    let imports = attempt.error.as_ref().is_some_and(|error| error.code == Some(3));
    let hint = match attempt.state {
        batch_model::JobState::Expired => {
            "no capacity was found in 72 hours; try again later, in another location, or with another model"
        }
        _ if imports => "the service could not read the request lines, one odd line is enough; mend it and run again",
        _ => "`batch-cli retry` makes a new job in this run, `batch-cli run` makes a new run",
    };
    let others = state.shards.len().saturating_sub(1);
    if 0 < others {
        message = format!("{message} (and so did {others} others)");
    }
    Error::new(Kind::Job, message).with_hint(hint)
}
