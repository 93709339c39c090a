//! One run of a batch: plan, build, stage, submit, wait, collect, join, evaluate.
//!
//! A [`Spec`] says what to ask about which table; a [`RunDir`] holds one run of it, locked and saved at
//! every step; [`run()`] takes it from wherever it stopped to its [`Report`], on whatever [`Backends`] it
//! is given. A [`Context`] brings the [`Clock`], an ear for [`Events`] and a way to [`Stop`].
//!
//! ```
//! use std::sync::Arc;
//!
//! use batch_backend::memory::{MemoryJobs, MemoryStore};
//! use batch_pipeline::{Backends, Context, Overrides, RunDir, RunDirOptions, Spec};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
//! let folder = tempfile::tempdir()?;
//! let table = folder.path().join("news.csv");
//! std::fs::write(&table, "body,category\nThe match ended 2:1.,sport\n")?;
//!
//! let text = r#"
//!     version = 1
//!     input.path = "news.csv"
//!     request.model = "gemini-2.5-flash"
//!     request.prompt = "{{ body }}"
//!     evaluate.expected = "category"
//! "#;
//! let spec = Spec::parse("batch.toml", text, &Overrides::default())?;
//!
//! // A service in memory that says "sport" to everything, and echoes the request as the real one does.
//! let store = MemoryStore::default();
//! let jobs = MemoryJobs::new(
//!     store.clone(),
//!     Arc::new(|line: &[u8]| {
//!         let mut prediction: serde_json::Value = serde_json::from_slice(line).unwrap_or_default();
//!         prediction["response"] = serde_json::json!({
//!             "candidates": [{ "content": { "parts": [{ "text": "sport" }] }, "finishReason": "STOP" }],
//!         });
//!         prediction.to_string().into_bytes()
//!     }),
//! );
//! let store = Arc::new(store);
//! let backends = Backends { input: store.clone(), output: store, jobs: Arc::new(jobs), records: None };
//!
//! let context = Context::default();
//! let options = RunDirOptions { root: Some(folder.path().join("runs")), ..RunDirOptions::default() };
//! let mut run = RunDir::open(&spec, &table, &options, &*context.clock)?;
//! let report = batch_pipeline::run(&mut run, &backends, &context, None).await?;
//!
//! assert_eq!(report.accounting.answered, 1);
//! assert_eq!(report.evaluation.map(|metrics| metrics.correct), Some(1));
//! assert!(run.path().join("results.csv").exists());
//! # Ok(())
//! # })
//! # }
//! ```

mod adopt;
mod at_once;
mod backends;
mod cache;
mod clean;
mod clock;
mod collect;
mod cost;
mod cut;
mod detach;
mod error;
mod evaluate;
mod event;
mod finish;
mod in_place;
mod input;
mod join;
mod list;
mod manifest;
mod patience;
mod plan;
mod poll;
mod records;
mod refused;
mod report;
mod request;
mod rest;
mod retry;
mod run;
mod run_dir;
mod selection;
mod spec;
mod stage;
pub mod state;
mod status;
mod stop;
mod submit;
mod wait;

pub use adopt::{adopt, cached_before, download, is_of, jobs_of_run, other_model, stores_of};
pub use backends::{Backends, Context};
pub use cache::{CACHE, CacheSummary, CacheUse, cache_summary, cached_answers, clear_cache};
pub use clean::{Fate, Remnant, RemnantKind, find_remnants, remove_directory, remove_remnants};
pub use clock::{Clock, system};
pub use cost::{CostBound, CostEstimate, Expected, MaxCost, Spending, price_of, usd};
pub use cut::CutShard;
pub use detach::{Collected, collect, submit, wait};
pub use error::{Error, Kind, Place, Result};
pub use evaluate::evaluation_options;
pub use event::{Event, Events};
pub use input::find_input;
pub use join::{answer_format, join_of};
pub use list::{RunEntry, RunSummary, list_runs};
pub use manifest::{MANIFEST, ManifestRow, read_manifest};
pub use plan::{
    Destination, EarlierRun, Estimate, Measured, PLAN_VERSION, Plan, PlanOptions, Ranged, RuleCount, SpecFile, plan,
};
pub use poll::PollPolicy;
pub use report::{Accounting, JobReport, Report};
pub use request::request_spec;
pub use rest::check_cost;
pub use retry::{Retried, RetryOptions, UNANSWERED, retry};
pub use run::run;
pub use run_dir::{RUNS, RunDir, RunDirOptions, read_run};
pub use selection::{Selected, Selection};
pub use spec::{
    CacheSpec, EndpointsSpec, EvaluateSpec, FileSpec, InputSpec, LimitsSpec, LocalSpec, Override, Overrides,
    RequestSpec, ResultsSpec, SAMPLE, Spec, TargetSpec, TurnSpec,
};
pub use stage::{key_spec, open_table};
pub use status::{JobStatus, RunStage, RunStatus, ShardStatus, Times, Warning, Window, WindowKind, job_status, status};
pub use stop::{Stop, Stopper, stopper};
pub use submit::{CACHED_LABEL, FINGERPRINT_LABEL, PART_LABEL, ROUND_LABEL, RUN_LABEL, SETTINGS_LABEL, SHARD_LABEL};
pub use wait::{QUEUE_WINDOW, RUN_WINDOW, wait_for_job};
