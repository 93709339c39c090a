//! `batch-cli ls`: the runs of a folder, damaged ones too.

use std::path::PathBuf;

use batch_pipeline::{RUNS, list_runs, system};
use clap::Args;
use serde_json::json;

use crate::{
    args::Format,
    exit::Exit,
    failure::{Failure, Result},
    render,
    terminal::Terminal,
};

#[derive(Debug, Args)]
pub(crate) struct LsArgs {
    /// The folders with runs in them.
    #[arg(default_value = RUNS, value_name = "FOLDER")]
    folders: Vec<PathBuf>,

    /// How the list is written.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub(crate) fn ls(args: &LsArgs, terminal: &Terminal) -> Result<Exit> {
    let mut runs = Vec::new();
    for folder in &args.folders {
        runs.extend(list_runs(folder)?);
    }
    let text = match args.format {
        Format::Text => terminal.safe_data(&render::runs::text(&runs, system().now())).into_owned(),
        Format::Json => format!("{:#}\n", json!({ "version": 1, "runs": runs })),
    };
    terminal.write(text.as_bytes()).map_err(|error| Failure::caused("write the list", error))?;
    if runs.is_empty() && args.format == Format::Text {
        let folders: Vec<String> = args.folders.iter().map(|folder| folder.display().to_string()).collect();
        terminal.say(&format!("no runs in {}", folders.join(", ")));
    }
    Ok(Exit::Done)
}
