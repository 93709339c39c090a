//! Automation of this repository: `cargo xtask help` lists it.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program's output")]

mod bench;
mod ci;
mod dist;
mod icount;
mod interop;
mod layering;
mod order;
mod run;
mod tidy;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask COMMAND

  ci         everything that CI checks: formatting, lints, layering, tests, docs, end-to-end runs
  interop    run other people's clients and servers with ours: `--list` shows which
  layering   check which crate may know which
  tidy       check properties of the source files
  bench      measure the program side by side with others: `--help` shows the options
  icount     count the instructions of building and joining, and compare with before: `--write` keeps them
  dist       build the program as it is shipped, pack it with licences and checksums, and try it
  order      find what a start runs, and keep the order in which the shipped program is laid
  help       this text";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let command = args.next().unwrap_or_else(|| "help".to_owned());
    let rest: Vec<String> = args.collect();
    let done = match command.as_str() {
        "ci" => ci::ci(),
        "layering" => layering::check(),
        "tidy" => tidy::check(),
        "interop" => interop::interop(&rest),
        "bench" => bench::bench(&rest),
        "icount" => icount::icount(&rest),
        // How `bench` starts what it measures.
        "measure" => return bench::launch(&rest),
        "dist" => dist::dist(&rest),
        "order" => order::order(&rest),
        "help" | "--help" | "-h" => {
            println!("{HELP}");
            Ok(())
        }
        other => Err(format!("there is no `cargo xtask {other}`\n{HELP}").into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}
