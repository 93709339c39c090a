//! Everything that CI checks, each stage with its seconds.

use std::{process::Command, time::Instant};

use crate::{
    icount, interop, layering,
    run::{Result, cargo, run},
    tidy,
};

type Stage = (&'static str, fn() -> Result);

const STAGES: &[Stage] = &[
    ("formatting", || run(cargo().args(["fmt", "--all", "--check"]))),
    ("layering", layering::check),
    ("tidy", tidy::check),
    ("lints", || run(cargo().args(["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]))),
    // The end-to-end runs of the program against the emulator are tests of batch-cli.
    ("tests", tests),
    ("doctests", || run(cargo().args(["test", "--workspace", "--doc", "--locked"]))),
    ("docs", || run(cargo().args(["doc", "--workspace", "--no-deps", "--locked"]).env("RUSTDOCFLAGS", "-D warnings"))),
    ("instructions", || icount::icount(&[])),
    ("interop", interop::ci),
];

pub(crate) fn ci() -> Result {
    let begun = Instant::now();
    let mut seconds = Vec::new();
    for (name, stage) in STAGES {
        println!("\n== {name}");
        let begun = Instant::now();
        let done = stage();
        seconds.push((name, begun.elapsed().as_secs_f64()));
        if done.is_err() {
            print_times(&seconds);
        }
        done.map_err(|error| format!("{name}: {error}"))?;
    }
    print_times(&seconds);
    println!("ci passed in {:.0} s", begun.elapsed().as_secs_f64());
    Ok(())
}

fn print_times(seconds: &[(&&str, f64)]) {
    println!();
    for (name, seconds) in seconds {
        println!("{name:>12} {seconds:7.1} s");
    }
}

fn tests() -> Result {
    let nextest = Command::new("cargo-nextest").arg("--version").output().is_ok_and(|output| output.status.success());
    // Snapshots are compared, never written, wherever this runs.
    if nextest {
        run(cargo().args(["nextest", "run", "--workspace", "--locked", "--no-fail-fast"]).env("INSTA_UPDATE", "no"))
    } else {
        let args = ["test", "--workspace", "--locked", "--no-fail-fast", "--lib", "--bins", "--tests"];
        run(cargo().args(args).env("INSTA_UPDATE", "no"))
    }
}
