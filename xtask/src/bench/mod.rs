//! `cargo xtask bench`: the program side by side with what others would do the same with.
//!
//! The commands of a round run in turn, on the same processors; ratios are taken within a round, so that
//! whatever else the machine does in the meantime falls on all of them alike. Each runs twice in a row, of
//! which the second counts: a virtual machine gives memory that nobody used for some seconds back to its
//! host, and who writes first thereafter pays for having it found again. A first round, whose times do
//! not count, shows whether the outputs are right.

mod contest;
mod data;
mod environment;
mod goals;
mod measure;
mod random;
mod report;
mod server;
mod verify;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

pub(crate) use measure::launch;

use contest::{Contestant, FLOOR_COPY, PEERS, Setup, Task};
use data::{Data, World};
use report::{Contest, Ran};
use server::Server;

use crate::{
    dist,
    run::{Result, cargo, root, run, target},
};

const HELP: &str = "\
cargo xtask bench [OPTIONS]

  --rows 10k,100k   sizes of the data; `k` and `m` are thousands and millions (10k,100k);
                    of more than 200k, only build and join beside copy and chdb, build beside polars too
  --tasks a,b       build, join, join-jsonl, join-parquet, eval, upload, startup (all)
  --peers a,b       copy, python, orjson, duckdb, polars, chdb, or none (all)
  --cores 1,2       on how many cores; two cores are measured at the largest size alone (1,2)
  --n 5             rounds that count
  --quick           one round of 1000 rows with few peers, and nothing is written
  --program FILE    measure this program instead of building one";

/// Of more rows than this only what the goals ask for is measured, beside those who are done in seconds.
const MANY: u64 = 200_000;

/// What was asked for.
struct Options {
    rows: Vec<u64>,
    tasks: Vec<Task>,
    peers: Vec<String>,
    cores: Vec<usize>,
    rounds: usize,
    quick: bool,
    program: Option<PathBuf>,
}

pub(crate) fn bench(args: &[String]) -> Result {
    let Some(options) = options(args)? else {
        println!("{HELP}");
        return Ok(());
    };
    if cfg!(debug_assertions) {
        // To make a million rows and to look at every output takes as long as the others' work.
        return run(cargo()
            .args(["run", "--quiet", "--release", "--locked", "--package", "xtask", "--", "bench"])
            .args(args));
    }
    let folder = folder();
    fs::create_dir_all(&folder)?;
    let product = match &options.program {
        Some(program) => program.clone(),
        None => dist::build(&dist::map())?,
    };
    // Parquet is looked at with one of them.
    let needs_packages = options.peers.iter().any(|peer| peer != "copy") || options.tasks.contains(&Task::JoinParquet);
    let python = if needs_packages { environment::python(&folder)? } else { PathBuf::from("python3") };
    let world = World::new();
    let largest = options.rows.iter().copied().max().unwrap_or_default();
    let mut contests = Vec::new();
    for &task in &options.tasks {
        let rows = if task == Task::Startup { &[10][..] } else { &options.rows };
        for &rows in rows {
            let data = Data::make(&world, rows, &folder.join("data"))?;
            for &cores in &options.cores {
                if MANY < rows && !matches!(task, Task::Build | Task::Join) {
                    continue;
                }
                // What is uploaded to has the second core.
                if cores != 1 && (rows != largest || matches!(task, Task::Startup | Task::Upload)) {
                    continue;
                }
                let work = folder.join("work");
                fs::create_dir_all(&work)?;
                let quick = |peer: &&String| match peer.as_str() {
                    "copy" | "chdb" => true,
                    "polars" => rows <= MANY || matches!(task, Task::Build),
                    _ => rows <= MANY,
                };
                let peers: Vec<String> = options.peers.iter().filter(quick).cloned().collect();
                let setup = Setup { product: &product, python: &python, folder: &work, peers: &peers, threads: cores };
                let rounds = match task {
                    // A start is over so soon that it takes more rounds to see it.
                    Task::Startup => options.rounds * 4,
                    _ if MANY < rows => options.rounds.min(2),
                    _ => options.rounds,
                };
                let contest = compete(&world, task, &data, &setup, rounds)?;
                println!("\n## {}\n\n{}", contest.title(), contest.table());
                contests.push(contest);
                fs::remove_dir_all(&work)?;
            }
        }
    }
    println!("{}", goals::table(&contests));
    let page = environment::page(&product, &contests)?;
    fs::write(folder.join("benchmarks.md"), &page)?;
    if !options.quick {
        let committed = root().join("docs").join("reference").join("benchmarks.md");
        fs::write(&committed, page)?;
        println!("written to docs/reference/benchmarks.md");
    }
    let wrong = contests
        .iter()
        .filter_map(|contest| contest.ran.first().filter(|ran| !ran.is_right()).map(|_| contest.title()));
    let wrong: Vec<String> = wrong.collect();
    if wrong.is_empty() { Ok(()) } else { Err(format!("the product's output is wrong: {}", wrong.join("; ")).into()) }
}

/// All rounds of one task.
fn compete(world: &World, task: Task, data: &Data, setup: &Setup<'_>, rounds: usize) -> Result<Contest> {
    let contestants = setup.contestants(task, data);
    if task == Task::Upload {
        setup.prepare_upload(data)?;
    }
    let processors: Vec<usize> = (0..setup.threads).collect();
    let environment = [("POLARS_MAX_THREADS".to_owned(), setup.threads.to_string())];
    let before = environment::load();
    let mut ran: Vec<Ran> = contestants
        .iter()
        .map(|contestant| Ran { name: contestant.name.clone(), runs: Vec::new(), verdict: None, failure: None })
        .collect();
    for round in 0..=rounds {
        for (contestant, ran) in contestants.iter().zip(&mut ran) {
            for counts in [false, true] {
                if ran.failure.is_some() || (round == 0 && counts) {
                    continue;
                }
                let server = match task {
                    Task::Upload => Some(Server::start(setup.product, setup.threads, setup.folder)?),
                    _ => None,
                };
                let environment: Vec<_> =
                    environment.iter().cloned().chain(server.iter().flat_map(Server::environment)).collect();
                match measure::run(&contestant.command, setup.folder, &processors, &environment) {
                    Ok(taken) if counts => ran.runs.push(taken),
                    Ok(_) if 0 < round => {}
                    Ok(_) => {
                        if let (Some(server), Some(output)) = (&server, &contestant.output) {
                            server.fetch(output)?;
                        }
                        look_at(world, task, data, (setup.python, contestant), ran);
                    }
                    Err(error) => ran.failure = Some(error.to_string()),
                }
                // The next run shall not run out of room, nor wait for what this one left to be written.
                for output in contestant.output.iter().chain([&setup.folder.join(FLOOR_COPY)]) {
                    let _ = fs::remove_file(output);
                }
            }
        }
    }
    let load = (before, environment::load());
    Ok(Contest { task, rows: data.rows, processors: setup.threads, bytes: task.bytes(data)?, load, ran })
}

fn look_at(world: &World, task: Task, data: &Data, (python, contestant): (&Path, &Contestant), ran: &mut Ran) {
    let Some(output) = &contestant.output else { return };
    let read = |output: &Path| {
        if task != Task::JoinParquet {
            return task.verify(world, data.rows, output);
        }
        let lines = output.with_extension("jsonl");
        let read =
            Command::new(python).arg(contest::folder().join("read_parquet.py")).arg(output).arg(&lines).output()?;
        if !read.status.success() {
            return Err(String::from_utf8_lossy(&read.stderr).trim().to_owned().into());
        }
        let verdict = task.verify(world, data.rows, &lines);
        let _ = fs::remove_file(&lines);
        verdict
    };
    match read(output) {
        Ok(verdict) => ran.verdict = Some(verdict),
        Err(error) => ran.failure = Some(format!("its output cannot be read: {error}")),
    }
}

/// Where all that a bench makes is kept: beside the build, so that a clean build removes it.
fn folder() -> PathBuf {
    target().join("bench")
}

/// The files of so many rows for other measurements: the table and the predictions.
pub(crate) fn files(rows: u64) -> Result<(PathBuf, PathBuf)> {
    let data = Data::make(&World::new(), rows, &folder().join("data"))?;
    Ok((data.table(), data.predictions()))
}

fn options(args: &[String]) -> Result<Option<Options>> {
    let mut options = Options {
        rows: vec![10_000, 100_000],
        tasks: Task::ALL.to_vec(),
        peers: PEERS.map(str::to_owned).to_vec(),
        cores: if 1 < std::thread::available_parallelism().map_or(1, usize::from) { vec![1, 2] } else { vec![1] },
        rounds: 5,
        quick: false,
        program: None,
    };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value\n{HELP}"));
        match arg.as_str() {
            "--rows" => options.rows = list(value()?, rows)?,
            "--tasks" => options.tasks = list(value()?, task)?,
            "--peers" => options.peers = list(value()?, |peer| Ok(peer.to_owned()))?,
            "--cores" => options.cores = list(value()?, |cores| Ok(cores.parse()?))?,
            "--n" => options.rounds = value()?.parse()?,
            "--program" => options.program = Some(Path::new(value()?).canonicalize()?),
            "--quick" => {
                options.quick = true;
                (options.rows, options.rounds, options.cores) = (vec![1000], 1, vec![1]);
                options.peers = vec!["copy".to_owned(), "python".to_owned()];
            }
            "--help" | "-h" => return Ok(None),
            other => return Err(format!("bench does not know {other:?}\n{HELP}").into()),
        }
    }
    options.peers.retain(|peer| peer != "none");
    if let Some(unknown) = options.peers.iter().find(|peer| !PEERS.contains(&peer.as_str())) {
        return Err(format!("{unknown:?} is none of the peers {}", PEERS.join(", ")).into());
    }
    Ok(Some(options))
}

fn list<T>(text: &str, read: impl Fn(&str) -> Result<T>) -> Result<Vec<T>> {
    text.split(',').map(str::trim).map(read).collect()
}

fn rows(text: &str) -> Result<u64> {
    let (digits, unit) = match text.to_ascii_lowercase() {
        text if text.ends_with('k') => (text.trim_end_matches('k').to_owned(), 1000),
        text if text.ends_with('m') => (text.trim_end_matches('m').to_owned(), 1_000_000),
        text => (text, 1),
    };
    let number: u64 = digits.parse().map_err(|_| format!("{text:?} is no number of rows"))?;
    Ok(number * unit)
}

fn task(text: &str) -> Result<Task> {
    let found = Task::ALL.into_iter().find(|task| task.name() == text);
    found.ok_or_else(|| format!("there is no task {text:?}\n{HELP}").into())
}

/// Runs a command for its output, or says nothing.
fn told(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_rows_may_be_short() {
        assert_eq!(rows("10k").unwrap(), 10_000);
        assert_eq!(rows("1M").unwrap(), 1_000_000);
        assert_eq!(rows("7").unwrap(), 7);
        assert!(rows("many").is_err());
    }
}
