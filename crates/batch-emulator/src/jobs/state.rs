//! The states of a job.

use serde::{Deserialize, Serialize};

/// The states that the service knows, in the order of their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum JobState {
    #[serde(rename = "JOB_STATE_QUEUED")]
    Queued = 1,
    #[serde(rename = "JOB_STATE_PENDING")]
    Pending,
    #[serde(rename = "JOB_STATE_RUNNING")]
    Running,
    #[serde(rename = "JOB_STATE_SUCCEEDED")]
    Succeeded,
    #[serde(rename = "JOB_STATE_FAILED")]
    Failed,
    #[serde(rename = "JOB_STATE_CANCELLING")]
    Cancelling,
    #[serde(rename = "JOB_STATE_CANCELLED")]
    Cancelled,
    #[serde(rename = "JOB_STATE_PAUSED")]
    Paused,
    #[serde(rename = "JOB_STATE_EXPIRED")]
    Expired,
    #[serde(rename = "JOB_STATE_UPDATING")]
    Updating,
    #[serde(rename = "JOB_STATE_PARTIALLY_SUCCEEDED")]
    PartiallySucceeded,
}

const ALL: [JobState; 11] = [
    JobState::Queued,
    JobState::Pending,
    JobState::Running,
    JobState::Succeeded,
    JobState::Failed,
    JobState::Cancelling,
    JobState::Cancelled,
    JobState::Paused,
    JobState::Expired,
    JobState::Updating,
    JobState::PartiallySucceeded,
];

impl JobState {
    /// The name in the API.
    pub(super) fn name(self) -> &'static str {
        match self {
            JobState::Queued => "JOB_STATE_QUEUED",
            JobState::Pending => "JOB_STATE_PENDING",
            JobState::Running => "JOB_STATE_RUNNING",
            JobState::Succeeded => "JOB_STATE_SUCCEEDED",
            JobState::Failed => "JOB_STATE_FAILED",
            JobState::Cancelling => "JOB_STATE_CANCELLING",
            JobState::Cancelled => "JOB_STATE_CANCELLED",
            JobState::Paused => "JOB_STATE_PAUSED",
            JobState::Expired => "JOB_STATE_EXPIRED",
            JobState::Updating => "JOB_STATE_UPDATING",
            JobState::PartiallySucceeded => "JOB_STATE_PARTIALLY_SUCCEEDED",
        }
    }

    /// The number in the API, for clients that ask for numbers.
    pub(super) fn number(self) -> u8 {
        self as u8
    }

    /// The state of that name.
    pub(super) fn named(name: &str) -> Option<JobState> {
        ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether the job has come to an end.
    pub(super) fn is_final(self) -> bool {
        matches!(
            self,
            JobState::Succeeded
                | JobState::Failed
                | JobState::Cancelled
                | JobState::Expired
                | JobState::PartiallySucceeded
        )
    }

    /// Whether the job can still be cancelled.
    pub(super) fn is_cancellable(self) -> bool {
        matches!(self, JobState::Queued | JobState::Pending | JobState::Running)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_the_services() {
        for (i, state) in ALL.into_iter().enumerate() {
            assert_eq!(usize::from(state.number()), i + 1);
            assert_eq!(JobState::named(state.name()), Some(state));
            assert_eq!(serde_json::to_value(state).unwrap(), state.name());
        }
        assert_eq!(JobState::named("SUCCEEDED"), None);
    }
}
