//! The end of a run: predictions joined to records, answers compared, results and report written.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use batch_eval::Metrics;
use batch_io::{JoinSummary, JoinedRow, Outcome, PredictionFile};

use crate::{
    Context, Error, Event, Events, Kind, Report, Result, RunDir, Spec,
    evaluate::Comparison,
    join::{join_of, write_requests},
    report::{Accounting, VERSION, jobs_of},
    run_dir::{put_in_place, temporary_of, write_atomically},
};

/// How many records between two events.
const TELL_EVERY: u64 = 10_000;

/// Joins, evaluates and reports; as often as asked.
pub(crate) async fn finish(run: &mut RunDir, context: &Context, answered_by: Option<String>) -> Result<Report> {
    let state = run.state();
    let predictions =
        state.shards.iter().flat_map(|shard| &shard.attempts).flat_map(|attempt| attempt.collected.iter().flatten());
    let work = Work {
        root: run.path().to_owned(),
        spec: state.spec.clone(),
        input: PathBuf::from(&state.input.path),
        predictions: predictions.map(|file| file.path.clone()).collect(),
        events: context.events.clone(),
    };
    let done = tokio::task::spawn_blocking(move || work.write()).await;
    let done = done.map_err(|error| Error::new(Kind::Bug, "join the predictions").with_source(error))??;

    let state = run.state();
    let finished = context.clock.now();
    let report = Report {
        version: VERSION,
        run: state.id.clone(),
        directory: run.path().display().to_string(),
        model: state.spec.model()?.to_string(),
        answered_by,
        created: state.created,
        finished,
        input: state.input.path.clone(),
        accounting: Accounting::of(&done.summary),
        join: done.summary,
        jobs: jobs_of(state),
        evaluation: done.metrics,
        results: done.results,
        mismatches: done.mismatches,
    };
    if !report.accounting.is_balanced() {
        return Err(Error::new(Kind::Bug, format!("the counts do not add up: {:?}", report.accounting)));
    }
    let mut text = serde_json::to_vec_pretty(&report)
        .map_err(|error| Error::new(Kind::Bug, "write the report").with_source(error))?;
    text.push(b'\n');
    write_atomically(&run.path().join("report.json"), |file| file.write_all(&text))?;
    run.update(|state| state.finished = Some(finished))?;
    Ok(report)
}

/// What is done on a thread of its own.
struct Work {
    root: PathBuf,
    spec: Spec,
    input: PathBuf,
    predictions: Vec<String>,
    events: Events,
}

struct Done {
    summary: JoinSummary,
    metrics: Option<Metrics>,
    results: String,
    mismatches: Option<String>,
}

impl Work {
    fn write(self) -> Result<Done> {
        let done = self.join()?;
        self.remove_stale(&done);
        Ok(done)
    }

    fn join(&self) -> Result<Done> {
        let done = self.attempt(None)?;
        // Predictions that belong to nobody and records without one: the keys did not come back. The
        // echoed requests may tell then, and what was asked can be built again.
        let lost = done.summary.outcomes.get(Outcome::Missing).min(done.summary.unmatched.count);
        // A table that was joined without the spec's prompt cannot be asked.
        if lost == 0 || self.spec.request.prompt.is_empty() {
            return done.place();
        }
        drop(done);
        let requests = write_requests(&self.spec, &self.input, &self.root.join("requests.jsonl"))?;
        self.attempt(Some(requests))?.place()
    }

    /// What was written before under a name that is not written now tells of another spec.
    fn remove_stale(&self, done: &Done) {
        let written = [Some(done.results.as_str()), done.mismatches.as_deref()];
        for name in ["results.csv", "results.jsonl", "mismatches.csv"] {
            if !written.contains(&Some(name)) {
                let _ = fs::remove_file(self.root.join(name));
            }
        }
    }

    fn attempt(&self, requests: Option<PathBuf>) -> Result<Attempted> {
        let results = match self.spec.results.format.as_deref() {
            Some("jsonl") => "results.jsonl",
            _ => "results.csv",
        };
        let predictions = self.predictions.iter();
        let predictions = predictions.map(|name| PredictionFile::new(name, self.root.join(name))).collect();
        let mut join = join_of(&self.spec, &self.input, predictions)?;
        if let Some(requests) = requests {
            join = join.requests(requests);
        }
        let mut comparison = match &self.spec.evaluate {
            Some(evaluate) => Some(Comparison::new(evaluate, &self.spec, &self.root.join("mismatches.csv"))?),
            None => None,
        };
        let mut output = Placed::create(&self.root.join(results))?;
        let mut compared = Ok(());
        let mut each = |row: &JoinedRow<'_>| {
            let records = row.record().index() + 1;
            if records.is_multiple_of(TELL_EVERY) {
                self.events.send(&Event::Joining { records });
            }
            if let Some(comparison) = &mut comparison
                && compared.is_ok()
            {
                compared = comparison.add(row);
            }
        };
        let summary = join.run(&mut output.file, &mut each);
        let summary = summary.map_err(|error| Error::new(Kind::Input, "join the predictions").with_source(error))?;
        compared?;
        Ok(Attempted { summary, comparison, output, results: results.to_owned() })
    }
}

/// A join whose files have no names yet.
struct Attempted {
    summary: JoinSummary,
    comparison: Option<Comparison>,
    output: Placed,
    results: String,
}

impl Attempted {
    fn place(self) -> Result<Done> {
        self.output.place()?;
        let (metrics, mismatches) = match self.comparison {
            Some(comparison) => (Some(comparison.finish()?), Some("mismatches.csv".to_owned())),
            None => (None, None),
        };
        Ok(Done { summary: self.summary, metrics, results: self.results, mismatches })
    }
}

/// A file that gets its name when it is whole.
pub(crate) struct Placed {
    pub(crate) file: BufWriter<File>,
    path: PathBuf,
}

impl Placed {
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let file =
            File::create(temporary_of(path)).map_err(|error| Error::io(Kind::RunDirectory, "write", path, error))?;
        Ok(Self { file: BufWriter::with_capacity(1 << 18, file), path: path.to_owned() })
    }

    pub(crate) fn place(mut self) -> Result<()> {
        let placed = self.file.flush().and_then(|()| self.file.get_ref().sync_all());
        let placed = placed.and_then(|()| put_in_place(&temporary_of(&self.path), &self.path));
        placed.map_err(|error| Error::io(Kind::RunDirectory, "write", &self.path, error))
    }
}

impl Drop for Placed {
    /// What did not get its name is removed; once placed there is nothing of that name.
    fn drop(&mut self) {
        let _ = fs::remove_file(temporary_of(&self.path));
    }
}
