//! What of a run is not sent yet, and what that may cost.

use std::path::{Path, PathBuf};

use crate::{
    Error, Kind, MaxCost, Result, RunDir, Selected, Spec, cache,
    plan::cost_of_records,
    records::RecordSet,
    state::{Attempt, CACHED_LIST, Round, RunState, Shard},
};

/// Refuses a run of which what is still to be sent may cost more than is allowed: the jobs that its newest round, or
/// without a round the run itself, has not been given yet. Where all of them are there, nothing is bought.
///
/// # Errors
/// [`Kind::Cost`]: it may be more, or nobody knows. The table cannot be read, or its request lines cannot be built.
pub async fn check_cost(run: &RunDir, ceiling: MaxCost) -> Result<()> {
    let state = run.state();
    let round = state.rounds.last();
    let Some(sent) = Sent::of(state, round) else { return Ok(()) };
    // An answer that was cut off is a long one.
    let is_usual = round.is_none_or(|round| !round.only.contains(&batch_io::Outcome::Truncated));
    let spec = state.spec_of(round.map_or(0, |round| round.number));
    let asked = match round {
        Some(round) => Asked::Listed(run.path().join(&round.list)),
        None => Asked::Selected,
    };
    check(run, ceiling, spec, asked, sent, is_usual).await
}

/// Refuses to ask about the records of a list where that may cost more than is allowed. `is_usual` says that their
/// answers need be no longer than those of the run so far.
pub(crate) async fn check_list(run: &RunDir, ceiling: MaxCost, spec: Spec, list: &str, is_usual: bool) -> Result<()> {
    check(run, ceiling, spec, Asked::Listed(run.path().join(list)), Sent::default(), is_usual).await
}

/// The records that are asked about.
enum Asked {
    /// Those that the run selects, but for those that the cache answers.
    Selected,
    /// Those of a list on disk.
    Listed(PathBuf),
}

async fn check(run: &RunDir, ceiling: MaxCost, spec: Spec, asked: Asked, sent: Sent, is_usual: bool) -> Result<()> {
    if let Some(records) = &run.state().input.records {
        let message = format!("what a retry costs is not known here: the requests of {} are elsewhere", records.place);
        return Err(Error::new(Kind::Cost, message).with_hint("leave out --max-cost"));
    }
    let (state, directory, model) = (run.state().clone(), run.path().to_owned(), spec.request.model.clone());
    let estimating = tokio::task::spawn_blocking(move || {
        let asked = asked.records(&state, &directory)?;
        cost_of_records(&state, &directory, &spec, &|index| asked(index) && !sent.has(index), is_usual)
    });
    let cost = estimating.await.map_err(|error| Error::new(Kind::Bug, "estimate the cost").with_source(error))??;
    ceiling.check(&model, cost.as_ref())
}

impl Asked {
    fn records(&self, state: &RunState, directory: &Path) -> Result<Box<dyn Fn(u64) -> bool>> {
        let (input, spec) = (state.input_path(), &state.spec);
        if let Self::Listed(list) = self {
            let listed = RecordSet::read(list)?;
            return Ok(Box::new(move |index| listed.has(index)));
        }
        let selected = match state.selected {
            Some(selected) => selected,
            None => Selected::of(state.selection, &input, &state.input.digest, spec)?,
        };
        let answered = match (&state.cached, &state.cache) {
            (Some(cached), _) if 0 < cached.records => RecordSet::read(&directory.join(CACHED_LIST))?,
            // Nobody has looked yet.
            (None, Some(cache)) if state.shards.is_empty() => cache::answered(spec, &input, selected, cache)?,
            _ => RecordSet::default(),
        };
        Ok(Box::new(move |index| selected.has(index) && !answered.has(index)))
    }
}

/// The records of a round that a job was given.
#[derive(Debug, Default)]
struct Sent {
    /// Of each shard the index of its first record, and whether it has a job. Shards follow one another.
    shards: Vec<(u64, bool)>,
}

impl Sent {
    /// `None` where that is all of them.
    fn of(state: &RunState, round: Option<&Round>) -> Option<Self> {
        let number = round.map_or(0, |round| round.number);
        // An intent may have become a job, or may be about to.
        let has_job = |attempt: &Attempt| attempt.round == number && (attempt.job.is_some() || attempt.is_refused());
        let is_sent = |shard: &Shard| shard.attempts.last().is_some_and(has_job);
        if let Some(round) = round.filter(|round| !round.resumed.is_empty()) {
            // Which of its records lie in which output is not told here: all of them are held against the ceiling.
            let is_whole = round.resumed.iter().all(|shard| state.shards.get(*shard).is_some_and(is_sent));
            return (!is_whole).then(Self::default);
        }
        if !round.map_or(state.staged, |round| round.staged) {
            // Nothing is sent before all is staged.
            return Some(Self::default());
        }
        let of_round = state.shards.iter().filter(|shard| shard.round == number);
        let shards: Vec<(u64, bool)> = of_round.map(|shard| (shard.first, is_sent(shard))).collect();
        shards.iter().any(|(_, is_sent)| !is_sent).then_some(Self { shards })
    }

    fn has(&self, index: u64) -> bool {
        let at = self.shards.partition_point(|(first, _)| *first <= index);
        at.checked_sub(1).is_some_and(|at| self.shards[at].1)
    }
}
