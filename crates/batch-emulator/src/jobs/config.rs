//! The settings of batch prediction jobs.

use std::time::Duration;

use crate::{Answer, AnswerOptions};

/// How jobs are run and what answers them.
///
/// The default runs a job at once and writes what the service writes today.
#[derive(Clone, Debug)]
pub struct JobsConfig {
    /// What answers the requests. Default: [`Answer::Schema`].
    pub answer: Answer,
    /// How a model server is asked, where that answers.
    pub answer_options: AnswerOptions,
    /// How long a job stays pending. Default: no time.
    pub queue_delay: Duration,
    /// How long a job runs at least; its rows become ready evenly over that time.
    /// Default: as long as the work takes.
    pub run_delay: Duration,
    /// How long a job may be pending before it expires. Default: the service's 72 hours.
    pub queue_limit: Duration,
    /// How long a job may run before it fails with the rows that are ready. Default: the
    /// service's 24 hours.
    pub run_limit: Duration,
    /// The shape of prediction lines. Default: the second generation.
    pub lines: LineGeneration,
    /// What a failed row has for a response in a table. Default: NULL.
    pub failed_response: FailedResponse,
    /// Whether the echoed request comes back as the service's import leaves it: members
    /// sorted, nulls for members that only other elements of a list have, `1.0` as `1`.
    /// Otherwise it comes back byte for byte. Default: yes.
    pub normalize_echo: bool,
    /// Whether strings of digits become integers where every row has digits there, which
    /// makes such label values an error. Default: yes.
    pub retype_digits: bool,
    /// Whether members beside `request`, such as `key`, come back with the prediction.
    /// Default: yes.
    pub pass_through: bool,
    /// Whether predictions come in another order than their requests; the order is drawn
    /// from the emulator's seed. Default: yes.
    pub shuffle: bool,
    /// The most requests of one job; an input of more fails at the import. Default: the
    /// service's 200,000.
    pub max_requests: usize,
    /// Which models there are. Default: [`Models::Any`].
    pub models: Models,
}

impl Default for JobsConfig {
    fn default() -> JobsConfig {
        const HOUR: Duration = Duration::from_secs(60 * 60);
        JobsConfig {
            answer: Answer::default(),
            answer_options: AnswerOptions::default(),
            queue_delay: Duration::ZERO,
            run_delay: Duration::ZERO,
            queue_limit: 72 * HOUR,
            run_limit: 24 * HOUR,
            lines: LineGeneration::default(),
            failed_response: FailedResponse::default(),
            normalize_echo: true,
            retype_digits: true,
            pass_through: true,
            shuffle: true,
            max_requests: 200_000,
            models: Models::default(),
        }
    }
}

/// The shape of prediction lines, which the service changed in 2025.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LineGeneration {
    /// Until autumn 2025: `status`, `processed_time`, `request`, `response`; times in
    /// milliseconds.
    First,
    /// Since December 2025 at the latest: `request`, `status`, `response`,
    /// `processed_time`; times in microseconds, and `score` and `billablePromptUsage` in
    /// the response.
    #[default]
    Second,
}

/// What a failed row has for a response in a BigQuery table. Which of the two the service
/// writes is not known; in files it is `{}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum FailedResponse {
    /// NULL.
    #[default]
    Null,
    /// The JSON value `{}`.
    Empty,
}

/// Which models can be named in a job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Models {
    /// Every `gemini-…` that is not retired, every publisher's models and every tuned one.
    #[default]
    Any,
    /// Google's models of these names, such as `gemini-2.5-flash`, and every tuned one.
    Only(Vec<String>),
}
