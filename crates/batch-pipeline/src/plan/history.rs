//! What earlier runs of the same request have cost in tokens.

use std::{fs, path::Path};

use batch_model::prices::UsageTotals;
use serde::{Deserialize, Serialize};

use crate::{Spec, list_runs, read_run, state::RunState};

/// Fewer answers than this tell little of the next ones.
const FEW: u64 = 20;

/// The tokens that an earlier run was answered with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// The run's directory.
    pub run: String,
    /// How many answers were counted.
    pub answers: u64,
    /// Mean tokens of a prompt.
    pub prompt: f64,
    /// Mean tokens of an answer, without thoughts.
    pub output: f64,
    /// Mean tokens of thoughts.
    pub thinking: f64,
    /// Whether it was of the same records: then the prompts are the same, too.
    pub same_records: bool,
}

impl Measured {
    /// How far the next answers may be from the mean: a factor.
    pub(super) fn spread(&self) -> f64 {
        if self.answers < FEW { 3.0 } else { 2.0 }
    }

    /// In words.
    pub(super) fn method(&self) -> String {
        let Self { run, answers, output, thinking, .. } = self;
        format!(
            "answers and thinking: as in {run}, whose {answers} answers had {output:.0} and {thinking:.0} tokens in \
             the mean; low and high are {:.0} times less and more",
            self.spread()
        )
    }
}

/// What an estimate reads of a report.
#[derive(Deserialize)]
struct Report {
    spending: Option<Spending>,
}

#[derive(Deserialize)]
struct Spending {
    answers: u64,
    usage: UsageTotals,
}

/// The newest run below `root` that asked the same of the same model, on the service or on the emulator
/// as this one is to.
pub(super) fn measured(root: &Path, spec: &Spec, fingerprint: &str, local: bool) -> Option<Measured> {
    let runs = list_runs(root).ok()?;
    runs.iter().find_map(|entry| {
        let state = read_run(&entry.directory).ok()?;
        if !asks_the_same(&state, spec, local) {
            return None;
        }
        of_report(&entry.directory, state.fingerprint == fingerprint)
    })
}

/// What the run of `state` has taken so far, where `spec` asks the same of other records of it.
pub(super) fn measured_in(directory: &Path, state: &RunState, spec: &Spec) -> Option<Measured> {
    if asks_the_same(state, spec, state.local) { of_report(directory, false) } else { None }
}

fn of_report(directory: &Path, same_records: bool) -> Option<Measured> {
    let text = fs::read(directory.join("report.json")).ok()?;
    let Spending { answers, usage } = serde_json::from_slice::<Report>(&text).ok()?.spending?;
    if answers == 0 {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "a mean needs no more than 2^53")]
    let mean = |tokens: u64| tokens as f64 / answers as f64;
    let all = usage.all();
    Some(Measured {
        run: directory.display().to_string(),
        answers,
        prompt: mean(all.prompts() - all.tool_use),
        output: mean(all.output + all.media_output),
        thinking: mean(all.thinking),
        same_records,
    })
}

/// The prompt may have been another one; what forms the answer was not.
fn asks_the_same(state: &RunState, spec: &Spec, local: bool) -> bool {
    let (ours, theirs) = (&spec.request, &state.spec.request);
    state.local == local
        && (!local || state.spec.local.answer == spec.local.answer)
        && ours.model == theirs.model
        && ours.generation_config == theirs.generation_config
        && ours.tools == theirs.tools
        && ours.system == theirs.system
        && ours.prompt == theirs.prompt
}
