//! What a run knows about itself: `run.json`, version 1.

use std::path::{Path, PathBuf};

use batch_backend::{Staged, StagedSize};
use batch_io::Outcome;
use batch_model::{CompletionStats, InputConfig, JobName, JobState, OutputInfo, Status};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{CacheUse, RequestSpec, Selected, Selection, Spec};

/// The version of `run.json` that this crate writes.
pub const VERSION: u32 = 1;

/// The predictions that were taken from the cache, relative to the run directory.
pub const CACHED_PREDICTIONS: &str = "predictions/cached.jsonl";
/// Whose they are: a CSV of `key,index,outcome`, relative to the run directory.
pub const CACHED_LIST: &str = "cached.csv";

/// A run's whole state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunState {
    /// The version of this file: 1.
    pub version: u32,
    /// The run's id: the name of its directory when it was made.
    pub id: String,
    /// Which spec and input this is a run of: 32 hexadecimal digits.
    pub fingerprint: String,
    /// When the run was made.
    pub created: Timestamp,
    /// Whether the service is the emulator of this process.
    pub local: bool,
    /// The spec's file, as it was named: for people. All that it said is in `spec`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec_file: Option<String>,
    /// The spec as it is run: the file with flags and environment over it.
    pub spec: Spec,
    /// The input as it was read.
    pub input: InputState,
    /// The part of the table that is asked about; absent where that is all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selection: Option<Selection>,
    /// What the selection comes to on this table; absent until staging begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selected: Option<Selected>,
    /// The cache that the run takes answers from and leaves its own in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<CacheUse>,
    /// What was taken from the cache; absent until that was looked up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached: Option<CachedState>,
    /// The pieces of the input, each a job of its own: those of the run itself in input order, then those
    /// of each round of retries. Empty until they are staged.
    pub shards: Vec<Shard>,
    /// Whether every shard of the input is in `shards`; of those of a round, the round tells.
    pub staged: bool,
    /// The rounds of retries, oldest first. The last one is being worked on while the run is not finished.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rounds: Vec<Round>,
    /// When results and report were written last.
    pub finished: Option<Timestamp>,
}

/// The input table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InputState {
    /// The file, as it can be opened from where the run was started.
    pub path: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// XXH3-128 of its bytes, in hexadecimal digits; of records elsewhere, their identity.
    pub digest: String,
    /// Where the records are, if not in a file here; `path` is then where the run brings what its results
    /// need of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<RecordsState>,
}

/// Records that lie in the service's own storage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordsState {
    /// Where they are, for people.
    pub place: String,
    /// The column whose values are the keys, in the records that are brought here and in predictions.
    pub key: String,
    /// The columns of the records that are brought here.
    pub columns: Vec<String>,
    /// Whether staging made tables of requests; otherwise the records were submitted as they are.
    pub is_built: bool,
    /// Whether the records are in the run's directory, without their requests.
    pub is_here: bool,
}

/// Records that had an answer before the run was begun, and were not sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CachedState {
    /// How many.
    pub records: u64,
    /// Their predictions, under the keys of this run; absent where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<CollectedFile>,
}

/// A round of retries: records that are asked about again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// Which round, from 1; the run itself is round 0.
    pub number: u32,
    /// When it was begun.
    pub begun: Timestamp,
    /// What became of its records before: the outcomes that were chosen.
    #[serde(with = "outcomes")]
    pub only: Vec<Outcome>,
    /// How many records it has.
    pub records: u64,
    /// Which they are: a CSV of `key,index,outcome`, relative to the run directory.
    pub list: String,
    /// What is asked, where that is not what the run asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestSpec>,
    /// Whether it asked with other settings than the run, and they are not known: the run was adopted, and all
    /// that is known of `request` is the model.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unknown_settings: bool,
    /// The shards whose newest output is the input of another job, by the service's own resume. Without
    /// them the round has shards of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resumed: Vec<usize>,
    /// Whether every shard of the round is staged.
    pub staged: bool,
}

/// Outcomes by their names.
mod outcomes {
    use batch_io::Outcome;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(outcomes: &[Outcome], serializer: S) -> Result<S::Ok, S::Error> {
        outcomes.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Outcome>, D::Error> {
        let names = Vec::<String>::deserialize(deserializer)?;
        let outcome = |name: &String| name.parse().map_err(|_| D::Error::custom(format!("{name:?} is no outcome")));
        names.iter().map(outcome).collect()
    }
}

/// A set of records that one job answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shard {
    /// Which, from 0.
    pub index: usize,
    /// The round that it was made for; 0 is the run itself.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub round: u32,
    /// The index of its first record.
    pub first: u64,
    /// How many records it has.
    pub records: u64,
    /// How many bytes its request lines have.
    pub bytes: u64,
    /// XXH3-128 of its request lines, in hexadecimal digits.
    pub digest: String,
    /// Where its request lines lie.
    pub staged: StagedState,
    /// The jobs made for it, oldest first.
    pub attempts: Vec<Attempt>,
}

/// Where request lines lie.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StagedState {
    /// The name in the input store.
    pub name: String,
    /// The input of the job.
    pub input: InputConfig,
    /// Bytes, in a store of files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Rows, in a store of tables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// The store's checksum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
}

impl StagedState {
    pub(crate) fn new(name: String, staged: &Staged) -> Self {
        let (bytes, rows) = match staged.size {
            StagedSize::Bytes(bytes) => (Some(bytes), None),
            StagedSize::Rows(rows) => (None, Some(rows)),
        };
        Self { name, input: staged.input.clone(), bytes, rows, checksum: staged.checksum.clone() }
    }

    /// Whether what the store finds is what was put there.
    pub(crate) fn is(&self, found: &Staged) -> bool {
        *self == Self::new(self.name.clone(), found)
    }
}

/// One job for a shard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// Which attempt, from 1.
    pub number: u32,
    /// The round that it was made in; 0 is the run itself.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub round: u32,
    /// The job's input, where that is the output of the attempt before and not the staged request lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<InputConfig>,
    /// The name in the output store.
    pub output: String,
    /// The display name that the job is created with.
    pub display_name: String,
    /// The labels that the job is created with, by which it is found again.
    pub labels: serde_json::Map<String, serde_json::Value>,
    /// When the job was about to be created: written before the call.
    pub intended: Timestamp,
    /// The job; absent while it is not known whether it was created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobName>,
    /// The state when it was last looked at.
    pub state: JobState,
    /// Each state with when it was first seen.
    pub history: Vec<StateSeen>,
    /// The counts when it was last looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stats: Option<CompletionStats>,
    /// Where the service put the predictions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_info: Option<OutputInfo>,
    /// Why the job failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Status>,
    /// The prediction files that were collected, relative to the run directory. Absent until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collected: Option<Vec<CollectedFile>>,
}

impl Attempt {
    /// Whether the job has ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.state.is_terminal()
    }

    /// Whether the service refused to create the job: then there is none, and `error` says why.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.job.is_none() && self.has_ended()
    }
}

/// A state and when it was first seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StateSeen {
    /// The state.
    pub state: JobState,
    /// When it was first seen.
    pub at: Timestamp,
}

/// A prediction file as received.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectedFile {
    /// Its path, relative to the run directory.
    pub path: String,
    /// Its size.
    pub bytes: u64,
}

impl RunState {
    /// Whether results and report stand, nothing has been begun since, and no job goes on or is still to be
    /// created: a report may be of what there was before that.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        let has_ended = |shard: &Shard| shard.attempts.last().is_some_and(Attempt::has_ended);
        let is_staged = self.staged && self.rounds.iter().all(|round| round.staged);
        self.finished.is_some() && is_staged && self.shards.iter().all(has_ended)
    }

    /// The last round of retries, where something of it has not even an intent to be submitted.
    pub(crate) fn round_to_submit(&self) -> Option<&Round> {
        self.rounds.last().filter(|round| {
            let newest = |shard: &usize| self.shards.get(*shard).and_then(|shard| shard.attempts.last());
            let is_resumed = |shard| newest(shard).is_some_and(|attempt| round.number <= attempt.round);
            !round.staged || !round.resumed.iter().all(is_resumed)
        })
    }

    /// The input for people: the table's file, or where the records are.
    #[must_use]
    pub fn input_name(&self) -> &str {
        self.input.records.as_ref().map_or(&self.input.path, |records| &records.place)
    }

    /// The spec as it reads the table that is here. Of records elsewhere that is what was brought of them,
    /// of which no request can be made.
    #[must_use]
    pub fn table_spec(&self) -> Spec {
        let mut spec = self.spec.clone();
        if let Some(records) = &self.input.records {
            spec.input = crate::InputSpec {
                path: self.input_path(),
                format: Some("jsonl".to_owned()),
                key: Some(records.key.clone()),
                ..crate::InputSpec::default()
            };
            spec.request.prompt.clear();
            spec.request.labels.clear();
        }
        spec
    }

    /// The spec under which a round asks: the run's own, or with what was changed for the round.
    #[must_use]
    pub fn spec_of(&self, round: u32) -> Spec {
        let mut spec = self.spec.clone();
        if let Some(request) = self.round(round).and_then(|round| round.request.clone()) {
            spec.request = request;
        }
        spec
    }

    /// A round of retries by its number.
    #[must_use]
    pub fn round(&self, number: u32) -> Option<&Round> {
        self.rounds.iter().find(|round| round.number == number)
    }

    /// Whether a record is asked about, by its index.
    #[must_use]
    pub fn is_selected(&self, index: u64) -> bool {
        self.selected.is_none_or(|selected| selected.has(index))
    }

    /// All prediction files that were collected, relative to the run directory: the newest round first,
    /// so that of several answers to one record the newest is read first.
    #[must_use]
    pub fn prediction_files(&self) -> Vec<&str> {
        let attempts = self.shards.iter().flat_map(|shard| &shard.attempts);
        let mut attempts: Vec<&Attempt> = attempts.collect();
        // Stable: the shards of one round stay in their order.
        attempts.sort_by_key(|attempt| std::cmp::Reverse(attempt.round));
        let collected = attempts.iter().flat_map(|attempt| attempt.collected.iter().flatten());
        collected.map(|file| &*file.path).chain(self.cached_file()).collect()
    }

    /// The file with the predictions that were taken from the cache, where there are any.
    pub(crate) fn cached_file(&self) -> Option<&str> {
        self.cached.as_ref()?.file.as_ref().map(|file| &*file.path)
    }

    /// How many records were answered from the cache.
    #[must_use]
    pub fn cached_records(&self) -> u64 {
        self.cached.as_ref().map_or(0, |cached| cached.records)
    }

    /// The input table, as it can be opened.
    pub(crate) fn input_path(&self) -> PathBuf {
        Path::new(&self.input.path).to_owned()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls")]
fn is_false(truth: &bool) -> bool {
    !*truth
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}
