//! Asking again: only about the records that have no answer, as a new round of the same run.

mod resume;
mod select;

use batch_io::{Outcome, RequestTemplate};

use crate::{
    Backends, Context, Error, Event, Kind, MaxCost, Overrides, Report, RequestSpec, Result, RunDir, Spec, find_input,
    finish, open_table, request_spec,
    rest::{check_cost, check_list},
    run,
    state::{Round, RunState},
};

/// The outcomes that a retry asks about unless it is told otherwise: all but answered and skipped.
pub const UNANSWERED: [Outcome; 6] = [
    Outcome::RequestError,
    Outcome::Blocked,
    Outcome::Truncated,
    Outcome::Empty,
    Outcome::InvalidAnswer,
    Outcome::Missing,
];

/// What is asked again, and how.
#[derive(Debug, Clone, Default)]
pub struct RetryOptions {
    /// The outcomes whose records are asked about again, some of [`UNANSWERED`]; empty for all of them.
    pub only: Vec<Outcome>,
    /// Settings of the request that are changed for this round: `request.generationConfig.temperature`,
    /// where `request.` may be left out.
    pub settings: Overrides,
    /// By the service's own resume: the output of a shard's job is the input of another, and the service
    /// keeps every row of it that has a response (as documented since 2025-10).
    pub native: bool,
    /// Most that may be bought: held against an estimate of the records that are asked about again before anything
    /// is sent, and of what goes on against the rest, of which no job is there yet. Of a run that has to be ended
    /// first, its rest and the round are held against it one after the other.
    pub max_cost: Option<MaxCost>,
}

/// What a retry did.
#[derive(Debug)]
pub struct Retried {
    /// The run's report, with the answers of all rounds.
    pub report: Report,
    /// The round that asked again; `None` where there was nothing to ask.
    pub round: Option<u32>,
    /// Whether the round was begun before, and went on.
    pub resumed: bool,
}

/// Asks again about the records of a run that have no answer, and reports on the whole run.
///
/// What is unfinished goes on first. If that was a retry, it is this one; with other options than it was
/// begun with it is refused. The records of the round are on disk before anything is sent, so it can be
/// killed anywhere: [`run`](crate::run()) and `retry` go on with it.
///
/// A retry of which nothing was sent yet gives way to one with other options.
///
/// Every attempt is kept. Of several answers to one record the newest one counts, and a failure never
/// takes the place of an answer.
///
/// # Errors
/// Those of [`run`](crate::run()); a table that is not what it was when the run was begun; a setting that is
/// none; an outcome that is not retried; a round that may cost more than is allowed; a resume that the service could not do, with the records that stand
/// in its way.
pub async fn retry(
    run: &mut RunDir,
    backends: &Backends,
    context: &Context,
    answered_by: Option<String>,
    options: &RetryOptions,
) -> Result<Retried> {
    let wanted = Wanted::of(run.state(), options)?;
    check_records(run.state(), options)?;
    // Records are listed by their indexes: in another table these would be others.
    find_input(run, None)?;
    if let Some(round) = run.state().rounds.last().filter(|_| !run.state().is_finished()) {
        let number = round.number;
        match wanted.is_of(round) {
            Ok(()) => {
                check_rest(run, options).await?;
                let report = run::run(run, backends, context, answered_by).await?;
                return Ok(Retried { report, round: Some(number), resumed: true });
            }
            Err(error) if is_sent(run.state(), number) => return Err(error),
            Err(_) => run.update(|state| {
                state.rounds.retain(|round| round.number != number);
                state.shards.retain(|shard| shard.round != number);
            })?,
        }
    } else if !run.state().is_finished() {
        check_rest(run, options).await?;
        match run::run(run, backends, context, answered_by.clone()).await {
            // That every job failed is a reason to ask again.
            Err(error) if error.kind() == Kind::Job => {}
            other => drop(other?),
        }
    }
    let Some(round) = begin(run, wanted, options.max_cost, context).await? else {
        let report = finish::finish(run, backends, context, answered_by).await?;
        return Ok(Retried { report, round: None, resumed: false });
    };
    let report = run::run(run, backends, context, answered_by).await?;
    Ok(Retried { report, round: Some(round), resumed: false })
}

/// Refuses what goes on where the rest of it may cost more than is allowed.
async fn check_rest(run: &RunDir, options: &RetryOptions) -> Result<()> {
    match options.max_cost {
        Some(ceiling) => check_cost(run, ceiling).await,
        None => Ok(()),
    }
}

/// Whether a job of a round was created, or may have been.
fn is_sent(state: &RunState, round: u32) -> bool {
    state.shards.iter().flat_map(|shard| &shard.attempts).any(|attempt| attempt.round == round)
}

/// Refuses what would need the requests here, of records that are elsewhere.
fn check_records(state: &RunState, options: &RetryOptions) -> Result<()> {
    let Some(records) = &state.input.records else { return Ok(()) };
    let place = &records.place;
    if !state.spec.results.is_here() {
        let message = format!("which records have no answer is not known here: the results of {place} are in BigQuery");
        let hint = "begin a run whose input.query selects them: those that the results have without an answer";
        return Err(Error::new(Kind::Spec, message).with_hint(hint));
    }
    if options.native {
        return Ok(());
    }
    let message = format!("the requests of {place} are not here, to be asked again");
    let hint = "let the service resume its own output, with --native; or begin a run whose input.query selects the \
                records without an answer";
    Err(Error::new(Kind::Spec, message).with_hint(hint))
}

/// The options of a retry on one run.
struct Wanted {
    only: Vec<Outcome>,
    /// Whether the outcomes or the settings were named.
    is_explicit: bool,
    request: Option<RequestSpec>,
    native: bool,
}

impl Wanted {
    fn of(state: &RunState, options: &RetryOptions) -> Result<Self> {
        if let Some(other) = options.only.iter().find(|outcome| !UNANSWERED.contains(outcome)) {
            let error = Error::new(Kind::Spec, format!("records that are {other} are not retried"));
            return Err(error.with_hint(match other {
                Outcome::Skipped => "begin a run that does not skip them",
                _ => "begin a new run to ask about answered records again",
            }));
        }
        let mut only = if options.only.is_empty() { UNANSWERED.to_vec() } else { options.only.clone() };
        only.sort_unstable();
        only.dedup();
        let request = state.spec.with_request(&options.settings)?.request;
        let request = (request != state.spec.request).then_some(request);
        if options.native && request.is_some() {
            let error = Error::new(Kind::Spec, "a resume by the service asks the same requests again");
            return Err(error.with_hint("leave out --native, or the changed settings"));
        }
        let is_explicit = !options.only.is_empty() || request.is_some() || options.native;
        Ok(Self { only, is_explicit, request, native: options.native })
    }

    /// The spec under which it asks.
    fn spec(&self, state: &RunState) -> Spec {
        let mut spec = state.spec.clone();
        if let Some(request) = &self.request {
            spec.request = request.clone();
        }
        spec
    }

    /// Refuses to take an unfinished round for this retry where it was begun otherwise.
    fn is_of(&self, round: &Round) -> Result<()> {
        let same = self.only == round.only && self.request == round.request && self.native != round.resumed.is_empty();
        if same || !self.is_explicit {
            return Ok(());
        }
        let message = format!("retry {} of this run is not finished, and was begun with other options", round.number);
        Err(Error::new(Kind::RunDirectory, message).with_hint("let it end first: retry without options"))
    }
}

/// Where the records of a round are listed, relative to the run directory.
pub(crate) fn list_of(round: u32) -> String {
    format!("retries/{round}.csv")
}

/// Refuses a request that cannot be built for any record, before anything is begun.
fn check_request(state: &RunState, request: Option<&RequestSpec>) -> Result<()> {
    let mut spec = state.spec.clone();
    if let Some(request) = request {
        spec.request = request.clone();
    }
    spec.model()?;
    let table = open_table(&state.input_path(), &spec)?;
    let template = RequestTemplate::compile(&request_spec(&spec)?, table.columns());
    template.map_err(|error| Error::new(Kind::Input, "build request lines").with_source(error)).map(drop)
}

/// Has the round on disk: first its records, then that it is begun. `None` where there is nothing to ask.
async fn begin(run: &mut RunDir, wanted: Wanted, max_cost: Option<MaxCost>, context: &Context) -> Result<Option<u32>> {
    let number = run.state().rounds.last().map_or(1, |round| round.number + 1);
    let list = list_of(number);
    if !wanted.native {
        check_request(run.state(), wanted.request.as_ref())?;
    }
    let chosen = select::select(run, &wanted.only, &list).await?;
    if chosen.records == 0 {
        return Ok(None);
    }
    let resumed = if wanted.native { resume::resumable(run, &chosen).await? } else { Vec::new() };
    if let Some(ceiling) = max_cost {
        // An answer that was cut off is a long one.
        let is_usual = !chosen.others.contains_key(&Outcome::Truncated);
        check_list(run, ceiling, wanted.spec(run.state()), &list, is_usual).await.inspect_err(|_| {
            // Nothing of the round is left; where that fails, the next one writes over it.
            let _ = std::fs::remove_file(run.path().join(&list));
        })?;
    }
    let event = Event::Retrying { round: number, records: chosen.records, resumed: wanted.native };
    let round = Round {
        number,
        begun: context.clock.now(),
        only: wanted.only,
        records: chosen.records,
        list,
        request: wanted.request,
        unknown_settings: false,
        staged: wanted.native,
        resumed,
    };
    run.update(|state| {
        state.rounds.push(round);
        state.finished = None;
    })?;
    context.events.send(&event);
    Ok(Some(number))
}
