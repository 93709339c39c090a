//! One run of a command: how long, how much of the processor, how much memory.
//!
//! A command is started by a copy of this program that does nothing else (`cargo xtask measure`), so
//! that what the kernel says of its children is of this command alone, and the memory of whoever
//! measures does not count.

use std::{
    fs::File,
    path::Path,
    process::{Command, ExitCode, Stdio},
    time::Instant,
};

use serde_json::{Value, json};

use crate::run::Result;

/// What a run took.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taken {
    /// Seconds by the clock on the wall.
    pub(super) wall: f64,
    /// Seconds of all threads, in the program and in the kernel for it.
    pub(super) cpu: f64,
    /// The most memory that was resident, in MB of 10^6 bytes; pages of files that are mapped count.
    pub(super) memory: f64,
}

/// Runs a command on the given processors; whatever but success is an error that says why.
pub(super) fn run(
    command: &[String],
    folder: &Path,
    processors: &[usize],
    environment: &[(String, String)],
) -> Result<Taken> {
    let said = folder.join("stderr.txt");
    let mut launcher = Command::new(std::env::current_exe()?);
    let processors = processors.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
    launcher.args(["measure", &processors]).args(command).current_dir(folder).env_clear();
    launcher.envs(std::env::var_os("PATH").map(|path| ("PATH", path))).env("LANG", "C.UTF-8").env("TMPDIR", folder);
    launcher.envs(environment.iter().map(|(name, value)| (name, value)));
    let output = launcher.stdin(Stdio::null()).stderr(File::create(&said)?).output()?;
    if !output.status.success() {
        let said = std::fs::read_to_string(&said).unwrap_or_default();
        let last = said.trim_end().lines().last().unwrap_or_default().to_owned();
        return Err(format!("{}: {last}", output.status).into());
    }
    let value: Value = serde_json::from_slice(&output.stdout)?;
    let number = |name: &str| value[name].as_f64().ok_or_else(|| format!("no {name} was measured"));
    Ok(Taken { wall: number("wall")?, cpu: number("cpu")?, memory: number("memory")? })
}

/// `cargo xtask measure PROCESSORS COMMAND…`: the launcher. Tells what the command took on standard
/// output, where the command itself writes nothing.
pub(crate) fn launch(args: &[String]) -> ExitCode {
    match launched(args) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(127)
        }
    }
}

#[cfg(target_os = "linux")]
fn launched(args: &[String]) -> Result<ExitCode> {
    use nix::{
        sched::{CpuSet, sched_setaffinity},
        sys::{
            resource::{UsageWho, getrusage},
            time::TimeValLike,
        },
        unistd::Pid,
    };

    let [processors, program, rest @ ..] = args else { return Err("measure PROCESSORS COMMAND…".into()) };
    let mut set = CpuSet::new();
    for processor in processors.split(',') {
        set.set(processor.parse()?)?;
    }
    sched_setaffinity(Pid::from_raw(0), &set)?;
    let begun = Instant::now();
    let status = Command::new(program).args(rest).stdout(Stdio::null()).status();
    let wall = begun.elapsed().as_secs_f64();
    let status = status.map_err(|error| format!("{program}: {error}"))?;
    if !status.success() {
        return Err(status.to_string().into());
    }
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let cpu = (usage.user_time() + usage.system_time()).num_microseconds() as f64 / 1e6;
    // Linux counts in kibibytes.
    println!("{}", json!({ "wall": wall, "cpu": cpu, "memory": usage.max_rss() as f64 * 1024.0 / 1e6 }));
    Ok(ExitCode::SUCCESS)
}

#[cfg(not(target_os = "linux"))]
fn launched(_: &[String]) -> Result<ExitCode> {
    Err("measurements are taken on Linux alone".into())
}
