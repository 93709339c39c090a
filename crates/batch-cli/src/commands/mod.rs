//! The commands, one file each.

mod build;
mod emulator;
mod eval;
mod init;
mod join;
mod lint;
mod models;
mod output;
pub(crate) mod part;
pub(crate) mod retry;
mod run;
mod session;
mod show;
mod thresholds;

use crate::{
    args::Command,
    exit::Exit,
    failure::{Failure, Result},
    terminal::Terminal,
};

pub(crate) fn run(command: Command, terminal: &Terminal) -> Result<Exit> {
    match command {
        Command::Build(args) => build::build(&args, terminal),
        Command::Join(args) => join::join(&args, terminal),
        Command::Eval(args) => eval::eval(&args, terminal),
        Command::Lint(args) => lint::lint(&args, terminal),
        Command::Models(args) => models::models(&args, terminal),
        Command::Show(args) => show::show(&args, terminal),
        Command::Init(args) => init::init(&args, terminal),
        // Only what goes over a network pays for the start of a runtime.
        Command::Run(args) => block_on(run::run(args, terminal)),
        Command::Retry(args) => block_on(retry::retry(args, terminal)),
        Command::Emulator(args) => block_on(emulator::emulator(args, terminal)),
    }
}

fn block_on<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| Failure::caused("start the threads of the program", error))?.block_on(future)
}
