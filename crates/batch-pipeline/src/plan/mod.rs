//! What a run would do, before anything is done: `plan.json`, version 1.
//!
//! Nothing is written, nobody is asked: the table is read once, its request lines are built and cut as
//! staging cuts them, looked at by the linter, counted and thrown away.

mod answer;
mod estimate;
mod file;
mod findings;
mod history;
mod line;
mod media;
mod tokens;

use std::path::{Path, PathBuf};

use batch_io::{RequestLines, RequestTemplate};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::{estimate::Estimate, findings::RuleCount, history::Measured, tokens::Ranged};
use self::{estimate::Estimator, findings::Counting};
use crate::{
    Accounting, CacheUse, Clock, CostEstimate, CutShard, Error, Kind, Result, RunSummary, Selected, Selection, Spec,
    cache,
    cost::price_of,
    cut::{Cutter, check_length},
    input::digest_of,
    key_spec, list_runs, open_table,
    records::RecordSet,
    request_spec,
    run_dir::{RUNS, new_state},
    state::{InputState, RunState},
};

/// The version of `plan.json` that this crate writes and reads.
pub const PLAN_VERSION: u32 = 1;

/// What a plan is made with, beside the spec and its table.
#[derive(Debug, Clone, Default)]
pub struct PlanOptions {
    /// The spec's file, to be named in the plan and looked at again when it is run.
    pub spec_file: Option<PathBuf>,
    /// Whether the service is to be the emulator of the process that runs the plan.
    pub local: bool,
    /// The part of the table that is asked about; all of it by default.
    pub selection: Option<Selection>,
    /// Where runs live; [`RUNS`] by default.
    pub root: Option<PathBuf>,
    /// The cache that the run is to take answers from; none by default.
    pub cache: Option<CacheUse>,
}

/// What a run would do: everything that decides it, and what it would come to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The version of this format: 1.
    pub version: u32,
    /// When it was made.
    pub made: Timestamp,
    /// The spec's file.
    pub spec_file: Option<SpecFile>,
    /// The spec as it is run: the file with flags and environment over it, templates read in.
    pub spec: Spec,
    /// Whether the service is the emulator of the process that runs it.
    pub local: bool,
    /// Which spec and input it is of: the run's own fingerprint.
    pub fingerprint: String,
    /// The input table.
    pub input: InputState,
    /// The part of the table that is asked about; absent where that is all.
    pub selection: Option<Selection>,
    /// Records of the table.
    pub records: u64,
    /// Records that are asked about, a request each. The others are skipped, or answered already.
    pub requests: u64,
    /// The cache that the run takes answers from; absent where it takes none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<CacheUse>,
    /// Records whose answer is in the cache: they are not sent again.
    #[serde(default)]
    pub cached: u64,
    /// Bytes of all request lines.
    pub bytes: u64,
    /// How the request lines are cut, a job for each.
    pub shards: Vec<CutShard>,
    /// The tokens of prompts and answers.
    pub estimate: Estimate,
    /// What they cost; absent where the price of the model is not known.
    pub cost: Option<CostEstimate>,
    /// Where request lines go and predictions come from, and whether that is near the job. Whoever plans
    /// fills it in: addresses are text here.
    pub destinations: Vec<Destination>,
    /// What the linter has found in the request lines, counted by rule.
    pub findings: Vec<RuleCount>,
    /// Runs that were made of the same spec and input, newest first.
    pub runs: Vec<EarlierRun>,
}

/// An address that a run uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Destination {
    /// What for: `input` or `output`.
    pub role: String,
    /// Its URI.
    pub uri: String,
    /// Where it is, in lower case; absent where nobody was asked, or nobody knows.
    pub location: Option<String>,
    /// Whether jobs in the spec's location can use it, as far as is known.
    pub fits: Option<bool>,
    /// What there is to say about it.
    pub note: Option<String>,
}

/// A file that a plan was made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpecFile {
    /// Its path, as it was named.
    pub path: String,
    /// XXH3-128 of its bytes, in hexadecimal digits.
    pub digest: String,
}

/// A run of the same spec and input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlierRun {
    /// Its directory.
    pub directory: String,
    /// How far it has come: `staging`, `submitting`, `running`, `ended` or `finished`.
    pub stage: String,
    /// What became of its records, where it is reported.
    pub accounting: Option<Accounting>,
}

/// Plans a run of `spec` over `input`: the file itself, not where the spec names it.
///
/// # Errors
/// The table cannot be read, or is none that can be read twice; the request lines cannot be built.
pub fn plan(spec: &Spec, input: &Path, options: &PlanOptions, clock: &dyn Clock) -> Result<Plan> {
    readable_twice(input)?;
    let model = spec.model()?;
    let made = clock.now();
    let state = new_state(spec, digest_of(input)?, options.local, options.selection, clock);
    let root = options.root.clone().unwrap_or_else(|| PathBuf::from(RUNS));
    let runs = earlier_runs(&root, &state.fingerprint)?;
    let selected = Selected::of(options.selection, input, &state.input.digest, spec)?;
    let cached = cached(spec, input, selected, options.cache.as_ref())?;

    let mut findings = Counting::new(spec, &made.strftime("%Y-%m-%d").to_string())?;
    let mut estimator = Estimator::new(spec, &model, history::measured(&root, spec, &state.fingerprint, options.local));
    let mut look = |row: u64, table: &str, line: &[u8]| {
        findings.line(table, row, line);
        estimator.add(line);
    };
    let cut = cut_lines(spec, input, &|index| selected.has(index) && !cached.has(index), &mut look)?;
    let estimate = estimator.finish();
    Ok(Plan {
        version: PLAN_VERSION,
        made,
        spec_file: options.spec_file.as_deref().map(spec_file).transpose()?,
        spec: spec.clone(),
        local: options.local,
        fingerprint: state.fingerprint,
        input: state.input,
        selection: options.selection,
        records: cut.records,
        requests: cut.shards.iter().map(|shard| shard.records).sum(),
        cache: options.cache.clone(),
        cached: cached.len(),
        bytes: cut.shards.iter().map(|shard| shard.bytes).sum(),
        shards: cut.shards,
        destinations: Vec::new(),
        cost: CostEstimate::of(price_of(spec), &estimate.usage),
        estimate,
        findings: findings.finish(),
        runs,
    })
}

/// What it would cost to ask about the `wanted` records of a run, under the spec of a round; `None` where the
/// model's price is not known. Answers are taken to be as long as those of the run so far, where it asked the same
/// and `is_usual` says that these need be no longer.
///
/// # Errors
/// The request lines cannot be built.
pub(crate) fn cost_of_records(
    state: &RunState,
    directory: &Path,
    spec: &Spec,
    wanted: &dyn Fn(u64) -> bool,
    is_usual: bool,
) -> Result<Option<CostEstimate>> {
    let measured = if is_usual { history::measured_in(directory, state, spec) } else { None };
    let mut estimator = Estimator::new(spec, &spec.model()?, measured);
    let mut look = |_: u64, _: &str, line: &[u8]| estimator.add(line);
    cut_lines(spec, &state.input_path(), wanted, &mut look)?;
    Ok(CostEstimate::of(price_of(spec), &estimator.finish().usage))
}

/// The request lines of a table, as they are cut.
struct CutTable {
    /// Records of the table, asked about or not.
    records: u64,
    shards: Vec<CutShard>,
}

/// The records whose answer is in the cache.
fn cached(spec: &Spec, input: &Path, selected: Selected, cache: Option<&CacheUse>) -> Result<RecordSet> {
    cache.map_or_else(|| Ok(RecordSet::default()), |cache| cache::answered(spec, input, selected, cache))
}

/// Builds and cuts the `wanted` records as staging does; each line is handed to `look` with its row and the table's name.
fn cut_lines(
    spec: &Spec,
    input: &Path,
    wanted: &dyn Fn(u64) -> bool,
    look: &mut dyn FnMut(u64, &str, &[u8]),
) -> Result<CutTable> {
    let wrong = |error| Error::new(Kind::Input, "build request lines").with_source(error);
    let table = open_table(input, spec)?;
    let name = table.name().to_owned();
    let template = RequestTemplate::compile(&request_spec(spec)?, table.columns()).map_err(wrong)?;
    let mut lines = RequestLines::new(table, &template, &key_spec(spec)).map_err(wrong)?;
    let mut cutter = Cutter::new(&spec.limits);
    let (mut shards, mut line) = (Vec::new(), Vec::new());
    while let Some(info) = lines.next_line_if(&mut line, wanted).map_err(wrong)? {
        let length = info.length as u64;
        check_length(input, &info, &spec.limits)?;
        shards.extend(cutter.before(length));
        cutter.add(info.index, &line);
        look(info.line, &name, &line);
        line.clear();
    }
    shards.extend(cutter.end());
    Ok(CutTable { records: lines.table().records(), shards })
}

/// A plan reads the table, and its run reads it again.
fn readable_twice(input: &Path) -> Result<()> {
    let is_file = input != Path::new("-") && std::fs::metadata(input).is_ok_and(|meta| meta.is_file());
    if is_file || (input != Path::new("-") && !input.exists()) {
        return Ok(());
    }
    let error =
        Error::new(Kind::Input, "a plan reads the table, and its run reads it again: this input can be read once");
    Err(error.with_hint("write the table to a file, and name it with --input"))
}

fn spec_file(path: &Path) -> Result<SpecFile> {
    let InputState { path, digest, .. } = digest_of(path)?;
    Ok(SpecFile { path, digest })
}

fn earlier_runs(root: &Path, fingerprint: &str) -> Result<Vec<EarlierRun>> {
    let same = list_runs(root)?.into_iter().filter_map(|entry| {
        let state = crate::read_run(&entry.directory).ok()?;
        let summary: RunSummary = entry.run?;
        (state.fingerprint == fingerprint).then(|| EarlierRun {
            directory: entry.directory.display().to_string(),
            stage: summary.stage.as_str().to_owned(),
            accounting: summary.accounting,
        })
    });
    Ok(same.collect())
}
