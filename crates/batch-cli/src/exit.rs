//! Exit codes, for scripts.

use std::process::ExitCode;

/// How a command ended. `batch-cli help` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, and all is well.
    Done = 0,
    /// Done, and the answer is no: records without an answer, a threshold missed, a file cut short.
    No = 1,
    /// It could not be done: bad arguments, bad input, a service that refuses.
    Failed = 2,
    /// What was asked about is still running.
    Running = 3,
    /// Refused: it may cost more than `--max-cost`, or nobody knows what.
    TooExpensive = 4,
    /// Stopped by Ctrl-C. What the service was given to do goes on there.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// The table of exit codes, as it stands in the help.
pub(crate) const HELP: &str = "\
Exit codes:
  0    done
  1    done, and the answer is no: records without an answer, a threshold missed
  2    could not run
  3    still running
  4    refused: it may cost more than --max-cost, or nobody knows what
  130  interrupted; jobs that were created go on in the service";
