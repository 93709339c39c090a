//! Records that lie in the service's own storage: staged there, and brought here only as far as the
//! results need them.

use std::{fs, path::Path};

use batch_backend::{Flattened, RecordStore};
use batch_io::{JoinSummary, Keys, Outcome, Record};
use batch_model::{
    InputConfig, OutputInfo,
    prices::{UsageCounts, UsageTotals},
};

use crate::{
    Backends, Context, Error, Kind, Result, RunDir, Spec,
    collect::spool,
    key_spec,
    patience::patiently,
    stage::{open_table, staged_event},
    state::{RecordsState, Shard, StagedState},
};

/// The records of a run, without their requests, in its directory.
pub(crate) const RECORDS: &str = "records.jsonl";

/// The store of a run's records; `None` for a run of a table that is here.
///
/// # Errors
/// A run of records has no backend for them.
pub(crate) fn store_of<'a>(run: &RunDir, backends: &'a Backends) -> Result<Option<&'a dyn RecordStore>> {
    match (&run.state().input.records, &backends.records) {
        (None, _) => Ok(None),
        (Some(_), Some(store)) => Ok(Some(&**store)),
        (Some(records), None) => {
            Err(Error::new(Kind::Bug, format!("nobody can read the records of this run, {}", records.place)))
        }
    }
}

/// Sees to it that the records lie where jobs read them, and that what the results need of them is here.
pub(crate) async fn stage(run: &mut RunDir, store: &dyn RecordStore, context: &Context) -> Result<()> {
    context.stop.check()?;
    let state = run.state();
    let has_jobs =
        state.staged && state.shards.iter().all(|shard| shard.attempts.iter().any(|attempt| attempt.job.is_some()));
    // What the jobs have read already need not lie there any more.
    if !has_jobs {
        place(run, store, context).await?;
    }
    if run.state().spec.results.is_here() {
        bring(run, store, context).await?;
    }
    Ok(())
}

async fn place(run: &mut RunDir, store: &dyn RecordStore, context: &Context) -> Result<()> {
    let (id, most) = (run.state().id.clone(), run.state().spec.limits.requests);
    let staged = patiently(0, "stage the records", context, async || store.stage(&id, most).await).await?;
    let staged = staged.map_err(|error| Error::new(Kind::Backend, "stage the records").with_source(error))?;
    let pieces = staged.iter().enumerate();
    let pieces: Vec<StagedState> =
        pieces.map(|(index, staged)| StagedState::new(format!("{id}/s{index:05}"), staged)).collect();
    let records: u64 = pieces.iter().map(|piece| piece.rows.unwrap_or_default()).sum();
    if records == 0 {
        let message = format!("{} has no records", place_of(run));
        return Err(Error::new(Kind::Input, message));
    }
    if run.state().staged {
        let known = run.state().shards.iter().map(|shard| &shard.staged);
        if known.eq(&pieces) {
            run.state().shards.iter().for_each(|shard| context.events.send(&staged_event(shard, true)));
            return Ok(());
        }
        let message = format!("{} is not what it was when the run was begun", place_of(run));
        return Err(Error::new(Kind::Input, message).with_hint("begin a new run with --new"));
    }
    run.update(|state| {
        let mut first = 0;
        state.shards = pieces
            .into_iter()
            .enumerate()
            .map(|(index, staged)| {
                let records = staged.rows.unwrap_or_default();
                let (digest, attempts) = (String::new(), Vec::new());
                let shard = Shard { index, round: 0, first, records, bytes: 0, digest, staged, attempts };
                first += records;
                shard
            })
            .collect();
        state.staged = true;
    })?;
    run.state().shards.iter().for_each(|shard| context.events.send(&staged_event(shard, false)));
    Ok(())
}

fn place_of(run: &RunDir) -> &str {
    run.state().input.records.as_ref().map_or("the input", |records| &records.place)
}

fn inputs_of(run: &RunDir) -> Vec<InputConfig> {
    run.state().shards.iter().map(|shard| shard.staged.input.clone()).collect()
}

/// Brings the records here, before anything is paid for: what is wrong with a key shows now.
pub(crate) async fn bring(run: &mut RunDir, store: &dyn RecordStore, context: &Context) -> Result<()> {
    if run.state().input.records.as_ref().is_none_or(|records| records.is_here) {
        return Ok(());
    }
    let failed = |error| Error::new(Kind::Backend, format!("read {}", place_of(run))).with_source(error);
    let (folder, inputs) = (Path::new("records"), inputs_of(run));
    let files = patiently(0, "read the records", context, async || {
        let source = store.open(&inputs).await.map_err(failed)?;
        spool(source, run.path(), folder, 0, context).await
    });
    let files = files.await??;
    let [file] = &files[..] else {
        return Err(Error::new(Kind::Bug, format!("the records came as {} files", files.len())));
    };
    let (from, to) = (run.path().join(&file.path), run.path().join(RECORDS));
    let moved = crate::run_dir::put_in_place(&from, &to);
    moved.map_err(|error| Error::io(Kind::RunDirectory, "write", &to, error))?;
    // It is empty now; where it is not, nothing is lost.
    let _ = fs::remove_dir(run.path().join(folder));
    let (spec, expected) = (run.state().table_spec(), run.state().shards.iter().map(|shard| shard.records).sum());
    let checking = tokio::task::spawn_blocking(move || check_keys(&to, &spec, expected)).await;
    checking.map_err(|error| Error::new(Kind::Bug, "read the records").with_source(error))??;
    let path = run.path().join(RECORDS).display().to_string();
    run.update(|state| {
        state.input.path = path;
        if let Some(records) = &mut state.input.records {
            records.is_here = true;
        }
    })
}

/// Every record has a key of its own, and all of them are here.
fn check_keys(path: &Path, spec: &Spec, expected: u64) -> Result<()> {
    let wrong = |error| Error::new(Kind::Input, "read the records").with_source(error);
    let mut table = open_table(path, spec)?;
    let mut keys = Keys::new(&key_spec(spec), table.columns(), table.name()).map_err(wrong)?;
    let (mut record, mut records) = (Record::new(), 0);
    while table.read(&mut record).map_err(wrong)? {
        keys.key(&record).map_err(wrong)?;
        records += 1;
    }
    if records == expected {
        return Ok(());
    }
    let message = format!("{records} records came, and {expected} were staged");
    Err(Error::new(Kind::Input, message).with_hint("run again once nobody writes to the table"))
}

/// What became of the records, without any of them being here.
pub(crate) struct Counted {
    pub(crate) place: String,
    pub(crate) summary: JoinSummary,
    pub(crate) usage: UsageTotals,
}

/// Has the answers made readable where they are, and counts them.
pub(crate) async fn flatten(run: &RunDir, store: &dyn RecordStore, context: &Context) -> Result<Counted> {
    let attempts = run.state().shards.iter().filter_map(|shard| shard.attempts.last());
    let outputs: Vec<OutputInfo> = attempts.filter_map(|attempt| attempt.output_info.clone()).collect();
    let (id, inputs) = (&run.state().id, inputs_of(run));
    let flattening = async || store.flatten(id, &inputs, &outputs).await;
    let flattened = patiently(0, "make columns of the answers", context, flattening).await?;
    let flattened =
        flattened.map_err(|error| Error::new(Kind::Backend, "make columns of the answers").with_source(error))?;
    let expected: u64 = run.state().shards.iter().map(|shard| shard.records).sum();
    let counted = count(&flattened)?;
    if counted.summary.records == expected {
        return Ok(counted);
    }
    let message = format!("{} has {} rows of {expected} records", flattened.place, counted.summary.records);
    Err(Error::new(Kind::Input, message).with_hint("see that every key stands in one record alone"))
}

fn count(flattened: &Flattened) -> Result<Counted> {
    let mut counts = Vec::new();
    let (mut summary, mut usage) = (JoinSummary::default(), UsageTotals::default());
    for totals in &flattened.outcomes {
        let outcome: Outcome = totals.outcome.parse().map_err(|_| {
            Error::new(Kind::Backend, format!("{} has an outcome {:?}", flattened.place, totals.outcome))
        })?;
        counts.push((outcome, totals.records));
        summary.records += totals.records;
        summary.tokens.prompt_tokens += totals.prompt_tokens;
        summary.tokens.candidates_tokens += totals.candidates_tokens;
        summary.tokens.thoughts_tokens += totals.thoughts_tokens;
        summary.tokens.total_tokens += totals.total_tokens;
        if outcome != Outcome::Missing {
            summary.predictions += totals.records;
            summary.by_way.key += totals.records;
        }
        // As text, and by the lower price: of caches, pictures and long prompts the columns do not tell.
        let counts = UsageCounts {
            prompt: totals.prompt_tokens,
            candidates: totals.candidates_tokens,
            thoughts: totals.thoughts_tokens,
            ..UsageCounts::default()
        };
        let mut sum = UsageTotals::default();
        sum.add_counts(&counts);
        for tokens in [sum.base, sum.long] {
            usage.base += tokens;
        }
    }
    summary.outcomes = counts.into_iter().collect();
    Ok(Counted { place: flattened.place.clone(), summary, usage })
}

impl RecordsState {
    /// What is kept of a look at the records.
    pub(crate) fn of(info: &batch_backend::RecordsInfo) -> Self {
        Self {
            place: info.place.clone(),
            key: info.key.clone(),
            columns: info.columns.clone(),
            is_built: info.is_built,
            is_here: false,
        }
    }
}
