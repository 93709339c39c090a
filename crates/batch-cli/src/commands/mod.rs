//! The commands, one file each.

mod build;
pub(crate) mod cache;
pub(crate) mod clean;
pub(crate) mod collect;
mod emulator;
mod eval;
pub(crate) mod flatten;
mod init;
pub(crate) mod jobs;
mod join;
mod lint;
pub(crate) mod ls;
mod models;
mod output;
pub(crate) mod part;
pub(crate) mod plan;
pub(crate) mod retry;
mod run;
mod session;
mod show;
pub(crate) mod status;
mod subject;
pub(crate) mod submit;
mod thresholds;
pub(crate) mod wait;

use crate::{
    args::Command,
    exit::Exit,
    failure::{Failure, Result},
    terminal::Terminal,
};

pub(crate) fn run(command: Command, terminal: &Terminal) -> Result<Exit> {
    match command {
        Command::Build(args) if args.print_sql => block_on(build::print_sql(&args, terminal)),
        Command::Build(args) => build::build(&args, terminal),
        Command::Join(args) => join::join(&args, terminal),
        Command::Eval(args) => eval::eval(&args, terminal),
        Command::Lint(args) => lint::lint(&args, terminal),
        Command::Models(args) => models::models(&args, terminal),
        Command::Show(args) => show::show(&args, terminal),
        Command::Cache(args) => cache::cache(&args, terminal),
        Command::Init(args) => init::init(&args, terminal),
        Command::Ls(args) => ls::ls(&args, terminal),
        // Only what goes over a network pays for the start of a runtime.
        Command::Plan(args) => block_on(plan::plan(args.0, terminal)),
        Command::Run(args) => block_on(run::run(args.0, terminal)),
        Command::Submit(args) => block_on(submit::submit(args.0, terminal)),
        Command::Status(args) => block_on(status::status(args.0, terminal)),
        Command::Wait(args) => block_on(wait::wait(args.0, terminal)),
        Command::Collect(args) => block_on(collect::collect(args.0, terminal)),
        Command::Jobs(args) => block_on(jobs::jobs(args.0, terminal)),
        Command::Clean(args) => block_on(clean::clean(args.0, terminal)),
        Command::Flatten(args) => block_on(flatten::flatten(args.0, terminal)),
        Command::Retry(args) => block_on(retry::retry(args.0, terminal)),
        Command::Emulator(args) => block_on(emulator::emulator(args.0, terminal)),
    }
}

fn block_on<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| Failure::caused("start the threads of the program", error))?.block_on(future)
}
