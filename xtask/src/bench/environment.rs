//! The packages that are compared with, the machine, and the page that tells of both.

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{contest, goals, report::Contest, told};
use crate::run::{Result, run};

/// Makes the environment of Python unless it is there as the requirements say; returns its interpreter.
pub(super) fn python(below: &Path) -> Result<PathBuf> {
    let folder = below.join("python");
    let requirements = contest::folder().join("requirements.txt");
    let wanted = fs::read_to_string(&requirements)?;
    let (interpreter, stamp) = (folder.join("bin").join("python"), folder.join("made-of.txt"));
    if fs::read_to_string(&stamp).is_ok_and(|made| made == wanted) {
        return Ok(interpreter);
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-cache-dir", "--requirement"];
    run(Command::new(&interpreter).args(pip).arg(&requirements))?;
    fs::write(stamp, wanted)?;
    Ok(interpreter)
}

/// How many threads wanted to run in the last minute, on average; 0 where nobody knows.
pub(super) fn load() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|load| load.parse().ok()).unwrap_or_default()
}

/// `docs/reference/benchmarks.md`.
pub(super) fn page(product: &Path, contests: &[Contest]) -> Result<String> {
    let mut page = String::new();
    let requirements = fs::read_to_string(contest::folder().join("requirements.txt"))?;
    let packages = requirements.lines().map(|line| line.replace("==", " ")).collect::<Vec<_>>().join(", ");
    let highest = contests.iter().map(|contest| contest.load.0.max(contest.load.1)).fold(0.0, f64::max);
    writeln!(
        page,
        "<!-- Written by `cargo xtask bench`; do not edit. -->\n\n\
         # Benchmarks\n\n\
         `cargo xtask bench` makes the data, runs the program as it is shipped and the others in turn on the same\n\
         cores, looks at each output before it counts a time, and writes this page. Each command runs twice in a\n\
         row, of which the second counts, so that all find memory that the machine has at hand. Times are medians;\n\
         ratios are taken within a round, so that other work on the machine falls on both alike, and shown with the least and\n\
         the greatest. Memory is the most that was resident, mapped files included. Inputs and outputs are in the\n\
         page cache. [performance.md](performance.md) says what to do about it, `fixtures/bench/` what each of the\n\
         others runs.\n"
    )?;
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    writeln!(page, "| | |\n| --- | --- |")?;
    writeln!(page, "| date | {} |", told("date", &["-u", "+%F"]))?;
    writeln!(page, "| machine | {} cores of {}, Linux {} |", processors, processor(), told("uname", &["-r"]))?;
    writeln!(
        page,
        "| program | {}, {}, profile `dist` |",
        told(&product.display().to_string(), &["--version"]),
        told("rustc", &["-V"])
    )?;
    writeln!(page, "| others | {}, {packages} |", told("python3", &["-V"]))?;
    writeln!(
        page,
        "| other work | a load of up to {highest:.1} on {processors} cores{} |\n",
        if 1.5 < highest / processors as f64 {
            ": the machine was busy, so the times are too long and only the ratios say something"
        } else {
            ""
        }
    )?;
    writeln!(page, "## Goals\n\n{}", goals::table(contests))?;
    for contest in contests {
        writeln!(page, "## {}\n\n{}", contest.title(), contest.table())?;
    }
    Ok(page.trim_end().to_owned() + "\n")
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    model.map_or_else(|| "an unknown processor".to_owned(), |(_, model)| model.trim().to_owned())
}
