//! `batch-cli cache`: the answers of earlier runs, shown and cleared; and which cache a run uses.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

use batch_pipeline::{CACHE, CacheUse, Spec, cache_summary, clear_cache};
use clap::{Args, Subcommand};
use serde_json::json;

use crate::{
    args::Format,
    connect::{answered_by, elsewhere},
    exit::Exit,
    failure::{Failure, Result},
    local,
    progress::{count, size},
    terminal::Terminal,
};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct CacheArgs {
    #[command(subcommand)]
    action: Option<Action>,

    #[command(flatten)]
    show: ShowCacheArgs,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show what is in it (this is what `cache` alone does).
    Show(ShowCacheArgs),
    /// Forget all of it. The predictions stay with their runs.
    Clear(ShowCacheArgs),
}

#[derive(Debug, Args)]
struct ShowCacheArgs {
    /// The cache's folder.
    #[arg(long, value_name = "DIR", env = "BATCH_CACHE_PATH", default_value = CACHE)]
    path: PathBuf,

    /// How it is written.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// Whether a run uses the cache.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct UseArgs {
    /// Ask about every record, also where an earlier run has the answer to the same request; and leave no
    /// answers for later runs.
    #[arg(long)]
    no_cache: bool,
}

impl UseArgs {
    /// The cache of a run of `spec`, before anybody is connected to.
    pub(crate) fn planned(self, spec: &Spec, spec_file: &Path, local: bool) -> Result<Option<CacheUse>> {
        let answers = match local {
            true => Some(local::answered_by(spec, spec_file)),
            false => answered_by(elsewhere(spec)?.as_deref()),
        };
        self.cache(spec, spec_file, answers.as_deref(), local)
    }

    /// Whether the cache is to be left alone.
    pub(crate) fn is_off(self) -> bool {
        self.no_cache
    }

    /// The cache of a run of `spec`; `answered_by` is who answers, unless that is the service's model.
    pub(crate) fn cache(
        self,
        spec: &Spec,
        spec_file: &Path,
        answered_by: Option<&str>,
        local: bool,
    ) -> Result<Option<CacheUse>> {
        // Of records that are not here it could know nothing.
        if self.no_cache || !spec.cache.enabled.unwrap_or(!local && spec.input.is_here()) {
            return Ok(None);
        }
        let directory = match &spec.cache.path {
            Some(path) => Spec::resolve_path(spec_file, path),
            None => PathBuf::from(CACHE),
        };
        // The run may go on from another working directory.
        let directory = std::path::absolute(&directory).map_err(|error| Failure::io("find", &directory, error))?;
        Ok(Some(CacheUse { directory, answered_by: answered_by.map(str::to_owned) }))
    }
}

pub(crate) fn cache(args: &CacheArgs, terminal: &Terminal) -> Result<Exit> {
    let text = match &args.action {
        Some(Action::Clear(args)) => clear(args)?,
        Some(Action::Show(args)) => show(args)?,
        None => show(&args.show)?,
    };
    let written = terminal.write(terminal.safe_data(&text).as_bytes());
    written.map_err(|error| Failure::caused("write what is in the cache", error))?;
    Ok(Exit::Done)
}

fn show(args: &ShowCacheArgs) -> Result<String> {
    let summary = cache_summary(&args.path)?;
    let path = args.path.display();
    Ok(match args.format {
        Format::Json => {
            let mut value = json!(summary);
            value["version"] = 1.into();
            value["path"] = path.to_string().into();
            format!("{value:#}\n")
        }
        Format::Text => {
            let (answers, runs) = (count(summary.answers, "answer"), count(summary.runs, "run"));
            let mut out = format!("{path}: {answers} of {runs}, {} of indexes\n", size(summary.bytes));
            for damaged in &summary.damaged {
                let _ = writeln!(out, "damaged, and passed over: {}", damaged.display());
            }
            out
        }
    })
}

fn clear(args: &ShowCacheArgs) -> Result<String> {
    let removed = clear_cache(&args.path)?;
    let path = args.path.display();
    Ok(match args.format {
        Format::Json => format!("{:#}\n", json!({ "version": 1, "path": path.to_string(), "removed": removed })),
        Format::Text => format!("{path}: {} removed; predictions stay with their runs\n", indexes(removed)),
    })
}

fn indexes(removed: u64) -> String {
    if removed == 1 { "1 index".to_owned() } else { format!("{removed} indexes") }
}
