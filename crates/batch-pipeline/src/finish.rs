//! The end of a run: predictions joined to records, answers compared, results and report written.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use batch_eval::Metrics;
use batch_io::{Join, JoinSummary, JoinedRow, Outcome, WriteBehind};
use batch_parquet::write_join;

use crate::{
    Backends, Context, Error, Event, Events, Kind, Plan, Report, Result, RunDir, Spending,
    cache::Notes,
    cost::Spent,
    evaluate::Comparison,
    in_place,
    input::check_input,
    join::RunJoin,
    report::{Accounting, VERSION, jobs_of},
    run_dir::{PacedFile, put_in_place, temporary_of, write_atomically},
};

/// How many records between two events.
const TELL_EVERY: u64 = 10_000;

/// Joins, evaluates and reports; as often as asked.
pub(crate) async fn finish(
    run: &mut RunDir,
    backends: &Backends,
    context: &Context,
    answered_by: Option<String>,
) -> Result<Report> {
    let done = match in_place::store_of(run, backends)? {
        Some(store) if !run.state().spec.results.is_here() => {
            Done::there(in_place::flatten(run, store, context).await?)
        }
        Some(store) => {
            // Of a run that was begun to have its results elsewhere they are not here yet.
            in_place::bring(run, store, context).await?;
            join(run, context).await?
        }
        None => {
            check_input(run, |_| {
                "put the table back as it was and run the same command again, or name a copy of it with `batch-cli collect \
                 RUN --input FILE`; what was answered stays in the run, and a new run would pay for it again"
                    .to_owned()
            })?;
            join(run, context).await?
        }
    };
    let state = run.state();
    let finished = context.clock.now();
    let plan = Plan::kept_in(run.path());
    let spending = Spending::of(&done.spent, &done.summary.superseded_by_file, state, plan.as_ref());
    let report = Report {
        version: VERSION,
        run: state.id.clone(),
        directory: run.path().display().to_string(),
        model: state.spec.model()?.to_string(),
        answered_by,
        created: state.created,
        finished,
        input: state.input_name().to_owned(),
        accounting: Accounting::of(&done.summary),
        cached: state.cached_records(),
        join: done.summary,
        spending,
        jobs: jobs_of(state),
        evaluation: done.metrics,
        results_in: state.spec.results.place.clone().filter(|_| !state.spec.results.is_here()),
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

/// Joins what was collected, on a thread of its own.
async fn join(run: &RunDir, context: &Context) -> Result<Done> {
    let spent = Spent::new(run.state());
    let work = Work { join: RunJoin::new(run), spent, notes: Notes::of(run), events: context.events.clone() };
    let done = tokio::task::spawn_blocking(move || work.write()).await;
    done.map_err(|error| Error::new(Kind::Bug, "join the predictions").with_source(error))?
}

/// What is done on a thread of its own.
struct Work {
    join: RunJoin,
    /// What is known of the prediction files before any row.
    spent: Spent,
    notes: Option<Notes>,
    events: Events,
}

struct Done {
    summary: JoinSummary,
    spent: Spent,
    metrics: Option<Metrics>,
    results: String,
    mismatches: Option<String>,
}

impl Done {
    /// Answers that were made readable elsewhere.
    fn there(counted: in_place::Counted) -> Self {
        let in_place::Counted { place, summary, usage } = counted;
        let spent = Spent::counted(summary.predictions, usage);
        Self { summary, spent, metrics: None, results: place, mismatches: None }
    }
}

impl Work {
    fn write(self) -> Result<Done> {
        let (summary, mut attempted) = self.join.run(|join| self.attempt(join))?;
        let notes = attempted.notes.take();
        let done = attempted.place(summary)?;
        self.remove_stale(&done);
        // The run has its results; that the next one may ask again what this one knows is no reason to fail.
        if let Some(notes) = notes
            && let Err(error) = notes.and_then(Notes::write)
        {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            self.events.send(&Event::NotNoted { error: format!("{error}{cause}") });
        }
        Ok(done)
    }

    /// What was written before under a name that is not written now tells of another spec.
    fn remove_stale(&self, done: &Done) {
        let written = [Some(done.results.as_str()), done.mismatches.as_deref()];
        for name in ["results.csv", "results.jsonl", "results.parquet", "mismatches.csv"] {
            if !written.contains(&Some(name)) {
                let _ = fs::remove_file(self.join.root().join(name));
            }
        }
    }

    fn attempt(&self, join: Join<'static>) -> Result<(JoinSummary, Attempted)> {
        let (root, spec) = (self.join.root(), self.join.spec());
        let results = match spec.results.format.as_deref() {
            Some("jsonl") => "results.jsonl",
            Some("parquet") => "results.parquet",
            _ => "results.csv",
        };
        let mut comparison = match &spec.evaluate {
            Some(evaluate) => Some(Comparison::new(evaluate, spec, &root.join("mismatches.csv"))?),
            None => None,
        };
        let (path, is_parquet) = (root.join(results), spec.results.is_parquet());
        let mut output = if is_parquet { Placed::create(&path)? } else { Placed::create_through(&path)? };
        let mut compared = Ok(());
        let mut spent = self.spent.anew();
        let mut notes = self.notes.as_ref().map(|notes| Ok(notes.anew()));
        let mut each = |row: &JoinedRow<'_>| {
            let records = row.record().index() + 1;
            if records.is_multiple_of(TELL_EVERY) {
                self.events.send(&Event::Joining { records });
            }
            spent.add(row);
            // What was not asked about is neither right nor wrong.
            if let Some(comparison) = &mut comparison
                && row.outcome() != Outcome::Skipped
                && compared.is_ok()
            {
                compared = comparison.add(row);
            }
            if let Some(Ok(noting)) = &mut notes
                && let Err(error) = noting.add(row)
            {
                notes = Some(Err(error));
            }
        };
        let failed = |error| Error::new(Kind::Input, "join the predictions").with_source(error);
        let summary = match is_parquet {
            false => join.run(&mut output, &mut each).map_err(failed)?,
            true => {
                let failed_to_write =
                    |error| Error::new(Kind::RunDirectory, format!("write {results}")).with_source(error);
                write_join(join, &mut output, &mut each).map_err(failed)?.map_err(failed_to_write)?
            }
        };
        compared?;
        Ok((summary, Attempted { comparison, spent, notes, output, results: results.to_owned() }))
    }
}

/// A join whose files have no names yet.
struct Attempted {
    comparison: Option<Comparison>,
    spent: Spent,
    notes: Option<Result<Notes>>,
    output: Placed,
    results: String,
}

impl Attempted {
    fn place(self, summary: JoinSummary) -> Result<Done> {
        self.output.place()?;
        let (metrics, mismatches) = match self.comparison {
            Some(comparison) => (Some(comparison.finish()?), Some("mismatches.csv".to_owned())),
            None => (None, None),
        };
        Ok(Done { summary, spent: self.spent, metrics, results: self.results, mismatches })
    }
}

/// A file that gets its name when it is whole.
pub(crate) struct Placed {
    /// `None` only while it is placed.
    file: Option<WriteBehind<PacedFile>>,
    path: PathBuf,
}

impl Placed {
    /// A file that is written on a thread of its own.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        Self::open(path, WriteBehind::new)
    }

    /// A file to which several threads in turn write what each has made.
    pub(crate) fn create_through(path: &Path) -> Result<Self> {
        Self::open(path, WriteBehind::through)
    }

    fn open(path: &Path, writer: fn(PacedFile) -> WriteBehind<PacedFile>) -> Result<Self> {
        let file = PacedFile::create(&temporary_of(path));
        let file = file.map_err(|error| Error::io(Kind::RunDirectory, "write", path, error))?;
        Ok(Self { file: Some(writer(file)), path: path.to_owned() })
    }

    pub(crate) fn place(mut self) -> Result<()> {
        let file = self.file.take().ok_or_else(gone);
        let written = file.and_then(WriteBehind::finish).and_then(|file| file.sync_all());
        let placed = written.and_then(|()| put_in_place(&temporary_of(&self.path), &self.path));
        placed.map_err(|error| Error::io(Kind::RunDirectory, "write", &self.path, error))
    }
}

impl Write for Placed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.as_mut().ok_or_else(gone)?.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().ok_or_else(gone)?.flush()
    }
}

/// Nobody writes to a file that has its name.
fn gone() -> io::Error {
    io::Error::other("the file is closed")
}

impl Drop for Placed {
    /// What did not get its name is removed; once placed there is nothing of that name.
    fn drop(&mut self) {
        // Not while somebody writes to it; how that ends is nobody's any more.
        let _ = self.file.take().map(WriteBehind::finish);
        let _ = fs::remove_file(temporary_of(&self.path));
    }
}
