//! `batch-cli`: from a table to a report. Arguments, wiring, rendering, exit codes; the work is done
//! by the `batch-*` crates.

mod args;
mod commands;
mod connect;
mod exit;
mod failure;
mod local;
mod progress;
mod render;
mod settings;
mod terminal;
mod typed;

use std::process::ExitCode;

use crate::{
    args::{Command, ProgressMode},
    exit::Exit,
    terminal::Terminal,
};

fn main() -> ExitCode {
    let cli = typed::parse();
    let mut terminal = Terminal::new(cli.color, |name| std::env::var(name).ok());
    let progress = match &cli.command {
        Command::Run(args) => Some(args.progress),
        Command::Submit(args) => Some(args.progress),
        Command::Wait(args) => Some(args.progress),
        Command::Collect(args) => Some(args.progress),
        Command::Retry(args) => Some(args.progress),
        _ => None,
    };
    if progress == Some(ProgressMode::Json) {
        terminal.talk_json();
    }
    log(cli.verbose);
    match commands::run(cli.command, &terminal) {
        Ok(exit) => exit.into(),
        Err(failure) if failure.is_broken_pipe() => Exit::Done.into(),
        Err(failure) => {
            failure.tell(&terminal);
            failure.exit().into()
        }
    }
}

/// What libraries tell, on standard error: nothing unless it is asked for.
fn log(verbose: u8) {
    // Most runs tell nothing, and a short one is over sooner than that is set up.
    if verbose == 0 && std::env::var_os(tracing_subscriber::EnvFilter::DEFAULT_ENV).is_none() {
        return;
    }
    let level = match verbose {
        0 => "off",
        1 => "batch=info,batch_api=debug,batch_gcs=debug,batch_http=debug,batch_pipeline=debug",
        2 => "debug",
        _ => "trace",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_default_env();
    let filter = filter.unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}
