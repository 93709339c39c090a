//! The runs below a folder.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    Accounting, Error, Kind, Result, read_run,
    state::RunState,
    status::{RunStage, records_of},
};

/// A directory where runs are, with what it holds.
#[derive(Debug, Clone, Serialize)]
pub struct RunEntry {
    /// The directory.
    pub directory: PathBuf,
    /// The run; absent where it cannot be read.
    pub run: Option<RunSummary>,
    /// Why it cannot be read.
    pub damage: Option<String>,
}

/// A run in a line, as it is on disk: no service is asked.
#[derive(Debug, Clone, Serialize)]
pub struct RunSummary {
    /// Its id.
    pub id: String,
    /// The spec's file, as it was named, where that is known.
    pub spec: Option<String>,
    /// The table, as the spec names it.
    pub input: String,
    /// The model, as the spec names it.
    pub model: String,
    /// Whether the service was an emulator inside the program.
    pub local: bool,
    /// When it was made.
    pub created: Timestamp,
    /// How far it has come.
    pub stage: RunStage,
    /// How many records its shards have, once all are staged.
    pub records: Option<u64>,
    /// How many shards.
    pub shards: usize,
    /// What became of the records, where it is reported.
    pub accounting: Option<Accounting>,
}

impl RunSummary {
    /// What is known of a run without asking anybody.
    #[must_use]
    pub fn of(state: &RunState, directory: &Path) -> Self {
        Self {
            id: state.id.clone(),
            spec: state.spec_file.clone(),
            input: state.spec.input.name(),
            model: state.spec.request.model.clone(),
            local: state.local,
            created: state.created,
            stage: RunStage::of(state),
            records: state.staged.then(|| records_of(state)),
            shards: state.shards.len(),
            accounting: accounting_of(directory),
        }
    }
}

/// The counts of the report, where there is one that can be read.
fn accounting_of(directory: &Path) -> Option<Accounting> {
    #[derive(serde::Deserialize)]
    struct Counts {
        accounting: Accounting,
    }
    let text = fs::read(directory.join("report.json")).ok()?;
    serde_json::from_slice::<Counts>(&text).ok().map(|report| report.accounting)
}

/// The runs right below `root`, newest first, then the directories that hold no run that can be read.
/// A `root` that is not there has none.
///
/// # Errors
/// `root` cannot be read.
pub fn list_runs(root: &Path) -> Result<Vec<RunEntry>> {
    let failed = |error| Error::io(Kind::RunDirectory, "read", root, error);
    let entries = match fs::read_dir(root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut runs = Vec::new();
    for entry in entries {
        let directory = entry.map_err(failed)?.path();
        // A file beside the runs is none of them.
        if directory.is_dir() {
            runs.push(entry_of(directory));
        }
    }
    runs.sort_by(|a, b| {
        let age = |entry: &RunEntry| std::cmp::Reverse(entry.run.as_ref().map(|run| run.created));
        age(a).cmp(&age(b)).then_with(|| a.directory.cmp(&b.directory))
    });
    Ok(runs)
}

/// What is in the directory of a run.
fn entry_of(directory: PathBuf) -> RunEntry {
    let (run, damage) = match read_run(&directory) {
        Ok(state) => (Some(RunSummary::of(&state, &directory)), None),
        Err(error) => {
            let mut text = error.to_string();
            let mut cause = std::error::Error::source(&error);
            while let Some(error) = cause {
                text = format!("{text}: {error}");
                cause = error.source();
            }
            (None, Some(text))
        }
    };
    RunEntry { directory, run, damage }
}
