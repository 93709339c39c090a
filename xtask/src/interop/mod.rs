//! `cargo xtask interop`: clients and servers that we did not write, with those that we did.
//!
//! Each row of the table is a client and a server, both pinned. The client's program says what it
//! looked at, line by line; between them stands a proxy that keeps the exchanges, so that a failure is
//! shown with what was sent and what was answered. Known faults of servers must fail, and are told when
//! they no longer do.

mod check;
mod environment;
mod faults;
mod process;
mod proxy;
mod record;
mod rows;
mod server;
mod table;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::mpsc,
    time::{Duration, Instant},
};

use serde_json::Value;

use self::{
    check::Check,
    process::{Leashed, tail},
    rows::{Ci, Client, ROWS, Row, Tests},
    server::{BUCKET, Running},
    table::{Done, Verdict},
};
use crate::run::{Result, cargo, output, root};

const USAGE: &str = "\
cargo xtask interop [--only NAME]… [--skip NAME]… [--ci] [--list] [--faults] [--record DIR] [--emulator FILE]

  --only NAME   the rows of that name, or whose name begins with it
  --skip NAME   not these
  --ci          what CI runs; a row that cannot run is a failure
  --list        what there is
  --faults      the known faults of servers, as the table of docs/reference/wire.md
  --record DIR  keep every exchange in a file
  --emulator F  use this program as batch-cli, instead of building it";

/// The longest time that a client's program may take.
const PATIENCE: Duration = Duration::from_secs(900);

/// What was asked for.
#[derive(Debug, Default)]
struct Options {
    only: Vec<String>,
    skip: Vec<String>,
    ci: bool,
    record: Option<PathBuf>,
    emulator: Option<PathBuf>,
}

/// What was built for this run.
struct Built {
    ci: bool,
    emulator: PathBuf,
    work: PathBuf,
}

pub(crate) fn interop(args: &[String]) -> Result {
    let mut options = Options::default();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut value = || args.next().cloned().ok_or_else(|| format!("{arg} needs a value\n{USAGE}"));
        match arg.as_str() {
            "--only" => options.only.push(value()?),
            "--skip" => options.skip.push(value()?),
            "--ci" => options.ci = true,
            "--record" => options.record = Some(PathBuf::from(value()?)),
            "--emulator" => options.emulator = Some(std::path::absolute(value()?)?),
            "--list" => return table::list(),
            "--faults" => {
                print!("{}", table::faults());
                return Ok(());
            }
            other => return Err(format!("interop takes no {other:?}\n{USAGE}").into()),
        }
    }
    run(&options)
}

/// What CI runs.
pub(crate) fn ci() -> Result {
    run(&Options { ci: true, ..Options::default() })
}

fn run(options: &Options) -> Result {
    let rows = options.rows()?;
    let folder = environment::folder();
    let work = folder.join("work");
    if work.exists() {
        fs::remove_dir_all(&work)?;
    }
    fs::create_dir_all(&work)?;
    let emulator = options.emulator.clone().map_or_else(|| build_emulator(options.ci), Ok)?;
    let built = Built { ci: options.ci, emulator, work };
    let mut done = Vec::new();
    for row in rows {
        println!("\n== {}: {} on {}", row.name, row.client_version(), row.server.name());
        let begun = Instant::now();
        let verdict = match row.missing() {
            Some(reason) => Verdict::Skipped(reason),
            None => match one(row, &built, options.record.as_deref()) {
                Ok(checks) => Verdict::of(row, checks),
                Err(error) => Verdict::Broken(error.to_string()),
            },
        };
        verdict.say();
        done.push(Done { row, seconds: begun.elapsed().as_secs_f64(), verdict });
    }
    table::print(&done);
    table::judge(&done, options.ci)
}

impl Options {
    fn rows(&self) -> Result<Vec<&'static Row>> {
        // A name is a row's, or what the names of several begin with.
        let is_row = |name: &String| ROWS.iter().any(|row| row.name == name);
        let means = |name: &String, row: &Row| {
            if is_row(name) { row.name == name } else { row.name.starts_with(name.as_str()) }
        };
        let named = |names: &[String], row: &Row| names.iter().any(|name| means(name, row));
        for name in self.only.iter().chain(&self.skip) {
            if !ROWS.iter().any(|row| means(name, row)) {
                return Err(format!("there is no row {name:?}; `cargo xtask interop --list` shows them").into());
            }
        }
        let wanted = ROWS.iter().filter(|row| self.only.is_empty() || named(&self.only, row));
        let wanted = wanted.filter(|row| !named(&self.skip, row));
        let wanted = wanted.filter(|row| !self.ci || in_ci(row));
        Ok(wanted.collect())
    }
}

/// Whether CI runs a row: where one that comes first cannot run, its substitute does.
fn in_ci(row: &Row) -> bool {
    let replaces = ROWS.iter().any(|other| other.ci == Ci::OrElse(row.name) && other.missing().is_some());
    match row.ci {
        Ci::Always => true,
        Ci::OrElse(_) => row.missing().is_none(),
        Ci::No => replaces,
    }
}

/// Runs a row: makes what it needs, starts its servers, runs the client, and ends all of it.
fn one(row: &Row, built: &Built, record: Option<&Path>) -> Result<Vec<Check>> {
    let work = built.work.join(row.name);
    fs::create_dir_all(&work)?;
    let storage = row.storage.map(|storage| server::start_storage(storage, &work, &built.emulator)).transpose()?;
    let storage_url = storage.as_ref().map(|storage| storage.proxy.url());
    let server = server::start(row.server, storage_url.as_deref(), &work, &built.emulator)?;
    let mut checks = Vec::new();
    for (number, mut command) in commands(row, &server, &work, built)?.into_iter().enumerate() {
        if let Some(url) = &storage_url {
            command.env("INTEROP_STORAGE", url);
        }
        let log = work.join(format!("client-{number}.log"));
        checks.extend(watch(&command, &log, &server)?);
    }
    if let Some(folder) = record {
        record::write(&folder.join(row.name), &server.proxy.since(0))?;
    }
    if checks.is_empty() {
        return Err("the client looked at nothing".into());
    }
    Ok(checks)
}

/// The programs of a client, to be run one after the other.
fn commands(row: &Row, server: &Running, work: &Path, built: &Built) -> Result<Vec<Command>> {
    let (fixtures, url) = (root().join("fixtures").join("interop"), server.proxy.url());
    let mut commands = Vec::new();
    match row.client {
        Client::Python { python, scripts, .. } => {
            let interpreter = python.make()?.join("bin/python");
            for script in scripts {
                let mut command = Command::new(&interpreter);
                environment::clean(&mut command);
                command.arg("-u").arg(fixtures.join(format!("{script}.py"))).arg(&url).arg(work);
                command.env("PYTHONDONTWRITEBYTECODE", "1");
                commands.push(command);
            }
        }
        Client::Node { name, .. } => {
            // Modules are looked for beside the script, so it goes to where they are.
            let folder = environment::make_node(name)?;
            let file = format!("{name}.mjs");
            fs::copy(fixtures.join(name).join(&file), folder.join(&file))?;
            let mut command = Command::new("node");
            environment::clean(&mut command);
            command.arg(folder.join(&file)).arg(&url).arg(work);
            commands.push(command);
        }
        Client::Rust { package, tests, variable } => {
            for tests in tests {
                let (program, names) = test_program(package, *tests, built.ci)?;
                let mut command = Command::new(program);
                environment::clean(&mut command);
                command.current_dir(root().join("crates").join(package)).env(variable, &url);
                command.args(["--ignored", "--test-threads=1", names]).env("RUST_BACKTRACE", "0");
                if built.ci {
                    command.env("BATCH_TEST_SHARE", "1");
                }
                commands.push(command);
            }
        }
    }
    for command in &mut commands {
        command.env("INTEROP_BUCKET", BUCKET).env("INTEROP_PROJECT", server::PROJECT);
        command.env("INTEROP_PROGRAM", &built.emulator);
        if command.get_current_dir().is_none() {
            command.current_dir(root());
        }
    }
    Ok(commands)
}

/// Runs a client's program to its end, and shows what it did wrong, with the exchanges.
fn watch(command: &Command, log: &Path, server: &Running) -> Result<Vec<Check>> {
    let (sender, lines) = mpsc::channel();
    let mut process = Leashed::start(command, log, Some(sender))?;
    let deadline = Instant::now() + PATIENCE;
    let (mut checks, mut said, mut before) = (Vec::new(), Vec::new(), 0);
    while let Ok(line) = lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        let Some(check) = Check::parse(&line) else {
            said.push(line);
            continue;
        };
        if let Some(why) = &check.wrong {
            println!("  FAIL {}: {why}", check.name);
            record::print(&server.proxy.since(before));
        }
        before = server.proxy.count();
        checks.push(check);
    }
    let failed = checks.iter().any(|check| check.wrong.is_some());
    match process.wait(Duration::from_secs(10)) {
        Some(status) if status.success() || failed => {}
        status => {
            let status = status.map_or_else(|| "it did not end".to_owned(), |status| status.to_string());
            record::print(&server.proxy.since(before));
            print!("{}{}", tail(log, 40), tail(&server.log, 15));
            checks.push(Check::failed("runs to its end", status));
        }
    }
    if failed {
        for line in said.iter().rev().take(60).rev() {
            println!("    : {line}");
        }
    }
    Ok(checks)
}

fn build_emulator(ci: bool) -> Result<PathBuf> {
    let selection: &[&str] = if ci { &["--workspace", "--bins"] } else { &["--package", "batch-cli"] };
    let args = ["build", "--locked", "--message-format=json-render-diagnostics"];
    let messages = output(cargo().args(args).args(selection))?;
    executable(&messages, "batch-cli", "batch-cli").ok_or_else(|| "cargo built no batch-cli".into())
}

/// The program with tests of a crate, and what their names begin with. CI has built those of the whole
/// workspace just before, with the features that all of it asks for, and shall not build them again with
/// fewer.
fn test_program(package: &str, tests: Tests, ci: bool) -> Result<(PathBuf, &'static str)> {
    let selection: &[&str] = if ci { &["--workspace"] } else { &["--package", package] };
    let library = package.replace('-', "_");
    let (programs, target, names): (&[&str], _, _) = match tests {
        Tests::It(names) => (&["--test", "it"], "it", names),
        Tests::Lib(names) => (&["--lib"], library.as_str(), names),
    };
    let args = ["test", "--no-run", "--locked", "--message-format=json-render-diagnostics"];
    let messages = output(cargo().args(args).args(programs).args(selection))?;
    let program = executable(&messages, package, target);
    Ok((program.ok_or_else(|| format!("cargo built no tests of {package}"))?, names))
}

/// The program that cargo says it has built of a package's target.
fn executable(messages: &str, package: &str, target: &str) -> Option<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut built = messages.filter(|message| {
        let manifest = message["manifest_path"].as_str().map(Path::new);
        let folder = manifest.and_then(Path::parent).and_then(Path::file_name);
        message["target"]["name"] == target && folder.is_some_and(|folder| folder == package)
    });
    built.find_map(|message| message["executable"].as_str().map(PathBuf::from))
}
