//! Building and staging at once: request lines are built on a thread of their own and flow, a piece at
//! a time, into the store. Nothing is written to disk on the way. Where the service goes away in the middle of
//! a shard, that shard is built again once it is back.

mod build;
mod upload;

use std::{fs::File, path::Path};

use batch_io::{KeySpec, Table};
use tokio::sync::mpsc;

use self::build::{Builder, Halt, Wanted};
use crate::{
    Backends, Context, CutShard, Error, Event, Kind, Result, RunDir, Spec, cache,
    input::check_input,
    patience::Patience,
    selection::Selected,
    state::{CACHED_LIST, RunState, Shard},
};

/// Sees to it that every shard of the run and of its rounds lies where the service reads it.
pub(crate) async fn stage(run: &mut RunDir, backends: &Backends, context: &Context) -> Result<()> {
    select(run).await?;
    take_from_cache(run, context).await?;
    patiently(run, 0, backends, context).await?;
    let rounds = run.state().rounds.iter().filter(|round| round.resumed.is_empty()).map(|round| round.number);
    for round in rounds.collect::<Vec<_>>() {
        patiently(run, round, backends, context).await?;
    }
    Ok(())
}

/// Finds out which records are asked about, unless that is known.
async fn select(run: &mut RunDir) -> Result<()> {
    let state = run.state();
    if state.selection.is_none() || state.selected.is_some() {
        return Ok(());
    }
    let (input, digest, spec) = (state.input_path(), state.input.digest.clone(), state.spec.clone());
    let selection = state.selection;
    let selecting = tokio::task::spawn_blocking(move || Selected::of(selection, &input, &digest, &spec));
    let selected = selecting.await.map_err(|error| Error::new(Kind::Bug, "select records").with_source(error))??;
    run.update(|state| state.selected = Some(selected))
}

/// Finds out which records are answered already, unless that is known or too late.
async fn take_from_cache(run: &mut RunDir, context: &Context) -> Result<()> {
    let state = run.state();
    let Some(cache) = state.cache.clone() else { return Ok(()) };
    if state.cached.is_none() && !state.staged && state.shards.is_empty() {
        let (root, spec, input) = (run.path().to_owned(), state.spec.clone(), state.input_path());
        let selected = state.selected.unwrap_or(Selected::All);
        let taking = tokio::task::spawn_blocking(move || cache::reuse(&root, &spec, &input, selected, &cache));
        let cached =
            taking.await.map_err(|error| Error::new(Kind::Bug, "look into the cache").with_source(error))??;
        run.update(|state| state.cached = Some(cached))?;
    }
    let records = run.state().cached_records();
    if 0 < records {
        context.events.send(&Event::Cached { records });
    }
    Ok(())
}

/// Stages a round, and again while the service is away: what lies there stays, the rest is built anew.
async fn patiently(run: &mut RunDir, round: u32, backends: &Backends, context: &Context) -> Result<()> {
    let mut patience = Patience::new("stage the request lines");
    let mut before = run.state().shards.len();
    loop {
        let Err(error) = stage_round(run, round, backends, context).await else { return Ok(()) };
        let staged = run.state().shards.len();
        if before < staged {
            patience.renew();
        }
        before = staged;
        patience.wait(staged, error, context).await??;
    }
}

async fn stage_round(run: &mut RunDir, round: u32, backends: &Backends, context: &Context) -> Result<()> {
    let found = verify(run, round, backends, context).await?;
    let state = run.state();
    let complete = state.round(round).map_or(state.staged, |round| round.staged);
    if complete && found.iter().all(|found| *found) {
        return Ok(());
    }
    let (sender, mut shards) = mpsc::channel(1);
    let known: Vec<&Shard> = state.shards.iter().filter(|shard| shard.round == round).collect();
    let builder = Builder {
        root: run.path().to_owned(),
        input: state.input_path(),
        spec: state.spec_of(round),
        wanted: match state.round(round) {
            None => Wanted::Selected {
                selected: state.selected.unwrap_or(Selected::All),
                cached: (0 < state.cached_records()).then(|| run.path().join(CACHED_LIST)),
            },
            Some(round) => Wanted::Listed(run.path().join(&round.list)),
        },
        first: state.shards.iter().filter(|shard| shard.round < round).count(),
        known: known.into_iter().zip(&found).map(|(shard, found)| (built_of(shard), *found)).collect(),
        complete,
        shards: sender,
    };
    let building = tokio::task::spawn_blocking(move || builder.build());
    let staged = upload::receive(run, round, &mut shards, backends, context).await;
    // The builder stops at its next shard where nobody takes any more.
    drop(shards);
    let built = building.await.map_err(|error| Error::new(Kind::Bug, "build request lines").with_source(error))?;
    // What the store refuses is the cause, and the builder's complaint about it the consequence; and
    // the other way round where the builder failed.
    match (staged, built) {
        (Err(error), Ok(()) | Err(Halt::NobodyListens)) | (_, Err(Halt::Failed(error))) => Err(error),
        (Ok(()), Err(Halt::NobodyListens)) => Err(Error::new(Kind::Bug, "the builder stopped too early")),
        (Ok(()), Ok(())) => {
            // Half of it may have been built of the one table and half of the other.
            if let Err(error) = check_read(run) {
                // What was built of another table is not this run's.
                if !complete {
                    run.update(|state| forget(state, round))?;
                }
                return Err(error);
            }
            run.update(|state| *is_staged(state, round) = true)
        }
    }
}

/// Sees that the table which the request lines were built of is still the run's, where it was read.
fn check_read(run: &mut RunDir) -> Result<()> {
    let hint = "put the table back as it was and run the same command again, without --new; nothing that was built just \
                now was submitted";
    let read = run.state().input_path();
    check_input(run, |_| hint.to_owned())?;
    if run.state().input_path() == read {
        return Ok(());
    }
    Err(Error::new(Kind::Input, format!("{} has changed while it was read", read.display())).with_hint(hint))
}

/// Takes back what was built for a round of which nothing was submitted.
fn forget(state: &mut RunState, round: u32) {
    state.shards.retain(|shard| shard.round != round || !shard.attempts.is_empty());
    if round == 0 && state.shards.is_empty() {
        (state.cached, state.selected) = (None, None);
    }
}

fn is_staged(state: &mut RunState, round: u32) -> &mut bool {
    match state.rounds.iter_mut().find(|other| other.number == round) {
        Some(round) => &mut round.staged,
        None => &mut state.staged,
    }
}

/// For each shard of a round that was staged before, whether it lies there as it was.
async fn verify(run: &RunDir, round: u32, backends: &Backends, context: &Context) -> Result<Vec<bool>> {
    let mut all = Vec::new();
    for shard in run.state().shards.iter().filter(|shard| shard.round == round) {
        context.stop.check()?;
        // What a job has read already need not lie there any more, nor what none will read.
        if shard.attempts.iter().any(|attempt| attempt.job.is_some() || attempt.is_refused()) {
            all.push(true);
            continue;
        }
        let found = backends.input.find(&shard.staged.name).await.map_err(|error| {
            Error::new(Kind::Backend, format!("look for shard {} where it was staged", shard.index)).with_source(error)
        })?;
        let found = found.is_some_and(|found| shard.staged.is(&found));
        if found {
            context.events.send(&staged_event(shard, true));
        }
        all.push(found);
    }
    Ok(all)
}

pub(crate) fn staged_event(shard: &Shard, found: bool) -> Event {
    let uri = shard.staged.input.uris().first().map_or_else(String::new, |uri| (*uri).to_owned());
    Event::Staged { shard: shard.index, records: shard.records, bytes: shard.bytes, uri, found }
}

fn built_of(shard: &Shard) -> CutShard {
    let Shard { index, first, records, bytes, .. } = *shard;
    CutShard { index, first, records, bytes, digest: shard.digest.clone() }
}

/// The input table of a spec, before its first record.
///
/// # Errors
/// The file cannot be read, or its header is no header.
pub fn open_table(input: &Path, spec: &Spec) -> Result<Table<File>> {
    let file = File::open(input).map_err(|error| Error::io(Kind::Input, "read the input", input, error))?;
    let format = spec.table_format().map_err(|error| Error::new(Kind::Spec, error))?;
    let table = Table::new(file, &input.display().to_string(), format);
    table.map_err(|error| Error::new(Kind::Input, "read the input").with_source(error))
}

/// How the records of a spec get their keys.
#[must_use]
pub fn key_spec(spec: &Spec) -> KeySpec {
    spec.input.key.clone().map_or(KeySpec::Index, KeySpec::Column)
}
