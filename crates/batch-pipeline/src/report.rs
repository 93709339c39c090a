//! What came of a run: `report.json`, version 1.

use batch_eval::Metrics;
use batch_io::{JoinSummary, Outcome};
use batch_model::{CompletionStats, JobName, JobState, Status};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    Spending,
    state::{Attempt, RunState},
};

/// The version of `report.json` that this crate writes.
pub(crate) const VERSION: u32 = 1;

/// What came of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The version of this format: 1.
    pub version: u32,
    /// The run.
    pub run: String,
    /// Its directory.
    pub directory: String,
    /// The model that was named in the jobs.
    pub model: String,
    /// Who answered, where it was not that model.
    pub answered_by: Option<String>,
    /// When the run was begun.
    pub created: Timestamp,
    /// When this report was made.
    pub finished: Timestamp,
    /// The input table: its file, or where its records are.
    pub input: String,
    /// What became of every record.
    pub accounting: Accounting,
    /// How many of the answered records were answered before this run, and not sent.
    pub cached: u64,
    /// How predictions found their records, what they cost in tokens, what was odd.
    pub join: JoinSummary,
    /// What the answers cost.
    pub spending: Spending,
    /// The jobs.
    pub jobs: Vec<JobReport>,
    /// The answers against the expected column, where the spec names one.
    pub evaluation: Option<Metrics>,
    /// Where the results are, if not in the directory: `bigquery`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub results_in: Option<String>,
    /// The table of results, relative to the directory; elsewhere its address.
    pub results: String,
    /// The records whose answer is not the expected one, relative to the directory.
    pub mismatches: Option<String>,
}

impl Report {
    /// Whether a prediction file has lines that could not be read: it ends in the middle of one, or was damaged
    /// on its way. What they said is lost.
    #[must_use]
    pub fn has_unreadable_lines(&self) -> bool {
        0 < self.join.problems.count
    }
}

/// What became of every record: the counts add up to all of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accounting {
    /// All records of the table.
    pub records: u64,
    /// A usable answer.
    pub answered: u64,
    /// An answer that is not what was asked for.
    pub invalid_answer: u64,
    /// A response without an answer.
    pub empty: u64,
    /// An answer cut at the token limit.
    pub truncated: u64,
    /// The prompt or the answer was blocked.
    pub blocked: u64,
    /// The service refused or failed the request.
    pub request_error: u64,
    /// No prediction came back.
    pub missing: u64,
    /// Never sent.
    pub skipped: u64,
}

impl Accounting {
    /// What a join found.
    #[must_use]
    pub fn of(summary: &JoinSummary) -> Self {
        let count = |outcome| summary.outcomes.get(outcome);
        Self {
            records: summary.records,
            answered: count(Outcome::Answered),
            invalid_answer: count(Outcome::InvalidAnswer),
            empty: count(Outcome::Empty),
            truncated: count(Outcome::Truncated),
            blocked: count(Outcome::Blocked),
            request_error: count(Outcome::RequestError),
            missing: count(Outcome::Missing),
            skipped: count(Outcome::Skipped),
        }
    }

    /// The records that were sent and have no usable answer.
    #[must_use]
    pub fn unanswered(&self) -> u64 {
        self.invalid_answer + self.empty + self.truncated + self.blocked + self.request_error + self.missing
    }

    /// Whether the counts add up to all records.
    #[must_use]
    pub fn is_balanced(&self) -> bool {
        self.records == self.answered + self.unanswered() + self.skipped
    }
}

/// One job of a run.
#[derive(Debug, Clone, Serialize)]
pub struct JobReport {
    /// Its shard.
    pub shard: usize,
    /// Which attempt at the shard.
    pub attempt: u32,
    /// The job.
    pub job: Option<JobName>,
    /// How it ended.
    pub state: JobState,
    /// How many records it was given.
    pub records: u64,
    /// The service's own counts.
    pub stats: Option<CompletionStats>,
    /// Why it failed.
    pub error: Option<Status>,
    /// The prediction files, relative to the directory.
    pub files: Vec<String>,
}

pub(crate) fn jobs_of(state: &RunState) -> Vec<JobReport> {
    let each = |records: u64, shard: usize, attempt: &Attempt| JobReport {
        shard,
        attempt: attempt.number,
        job: attempt.job.clone(),
        state: attempt.state.clone(),
        records,
        stats: attempt.stats.clone(),
        error: attempt.error.clone(),
        files: attempt.collected.iter().flatten().map(|file| file.path.clone()).collect(),
    };
    let shards = state.shards.iter();
    shards
        .flat_map(|shard| shard.attempts.iter().map(move |attempt| each(shard.records, shard.index, attempt)))
        .collect()
}
