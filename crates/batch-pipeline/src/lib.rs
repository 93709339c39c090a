//! One run of a batch: plan, build, stage, submit, wait, collect, join, evaluate.

mod backends;
mod clock;
mod collect;
mod error;
mod event;
mod poll;
mod run_dir;
mod spec;
pub mod state;
mod stop;
mod submit;
mod wait;

pub use backends::{Backends, Context};
pub use clock::{Clock, system};
pub use error::{Error, Kind, Place, Result};
pub use event::{Event, Events};
pub use poll::PollPolicy;
pub use run_dir::{RUNS, RunDir, RunDirOptions};
pub use spec::{
    EndpointsSpec, EvaluateSpec, FileSpec, InputSpec, LimitsSpec, LocalSpec, Override, Overrides, RequestSpec,
    ResultsSpec, SAMPLE, Spec, TargetSpec, TurnSpec,
};
pub use stop::{Stop, Stopper, stopper};
pub use submit::{FINGERPRINT_LABEL, RUN_LABEL, SHARD_LABEL};
pub use wait::{QUEUE_WINDOW, RUN_WINDOW};
