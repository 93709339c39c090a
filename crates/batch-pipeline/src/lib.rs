//! One run of a batch: plan, build, stage, submit, wait, collect, join, evaluate.

mod backends;
mod clock;
mod collect;
mod error;
mod evaluate;
mod event;
mod finish;
mod join;
mod poll;
mod report;
mod request;
mod run;
mod run_dir;
mod spec;
mod stage;
pub mod state;
mod stop;
mod submit;
mod wait;

pub use backends::{Backends, Context};
pub use clock::{Clock, system};
pub use error::{Error, Kind, Place, Result};
pub use event::{Event, Events};
pub use join::{answer_format, join_of};
pub use poll::PollPolicy;
pub use report::{Accounting, JobReport, Report};
pub use request::request_spec;
pub use run::run;
pub use run_dir::{RUNS, RunDir, RunDirOptions, read_run};
pub use spec::{
    EndpointsSpec, EvaluateSpec, FileSpec, InputSpec, LimitsSpec, LocalSpec, Override, Overrides, RequestSpec,
    ResultsSpec, SAMPLE, Spec, TargetSpec, TurnSpec,
};
pub use stage::{key_spec, open_table};
pub use stop::{Stop, Stopper, stopper};
pub use submit::{FINGERPRINT_LABEL, RUN_LABEL, SHARD_LABEL};
pub use wait::{QUEUE_WINDOW, RUN_WINDOW};
