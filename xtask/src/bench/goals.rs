//! What was aimed at, beside what was seen.

use super::{
    contest::Task,
    report::{Contest, Ran, Spread, ratio, seconds},
};
use crate::icount;

/// A goal: its number, what it asks for, and what the measurements say of it.
struct Goal {
    number: &'static str,
    asks: &'static str,
    seen: fn(&[Contest]) -> Vec<String>,
}

const GOALS: [Goal; 10] = [
    Goal {
        number: "G1",
        asks: "build of 100k rows on one core: ≥ 4× polars and chdb, ≥ 6× DuckDB, ≥ 22× plain Python; ≤ 3.5× `cp`",
        seen: |all| peers(all, Task::Build, &["polars", "chdb", "duckdb", "python"], "cp"),
    },
    Goal {
        number: "G2",
        asks: "memory of a build: ≤ 10 MB for any number of rows",
        seen: |all| memory(all, Task::Build),
    },
    Goal {
        number: "G3",
        asks: "join to CSV of 100k rows on one core, in the table's order: ≥ 5× chdb, ≥ 9× DuckDB, ≥ 30× plain Python; \
               ≤ 3× `cat` + `cp`",
        seen: |all| peers(all, Task::Join, &["chdb", "duckdb", "polars", "python"], "cat + cp"),
    },
    Goal {
        number: "G4",
        asks: "memory of a join: ≤ 24 MB at 100k rows, ≤ 48 MB at 1M",
        seen: |all| memory(all, Task::Join),
    },
    Goal {
        number: "G5",
        asks: "on two cores: 1.8 times as fast as on one; at 1M rows join ≥ 3.5× chdb, build ≥ 4× polars and chdb",
        seen: two_cores,
    },
    Goal {
        number: "G7",
        asks: "evaluate 100k rows, failures survived: ≥ 20× plain Python; ≤ 4× `wc -l`",
        seen: |all| peers(all, Task::Eval, &["python", "orjson"], "wc -l"),
    },
    Goal {
        number: "G8",
        asks: "join to JSONL and to Parquet: ≥ 2.2× DuckDB and ≥ 4× chdb in CPU time",
        seen: |all| {
            let mut seen = peers(all, Task::JoinJsonl, &["duckdb", "chdb", "polars"], "cat + cp");
            seen.extend(peers(all, Task::JoinParquet, &["duckdb", "chdb", "polars"], "cat + cp"));
            seen
        },
    },
    Goal { number: "G9", asks: "ten rows, the whole process: ≤ 4 ms, ≤ 10 MB", seen: startup },
    Goal {
        number: "G10",
        asks: "upload without a file between: ≤ 1.1× `curl` of lines that are ready made, ≤ 32 MB",
        seen: |all| {
            let mut seen = peers(all, Task::Upload, &["python", "orjson"], "curl of ready lines");
            seen.extend(memory(all, Task::Upload));
            seen
        },
    },
    Goal {
        number: "G12",
        asks: "instructions per byte that is read: build ≤ 2.5, join ≤ 2.2",
        seen: |_| icount::committed(),
    },
];

pub(super) fn table(contests: &[Contest]) -> String {
    let mut text = "| | goal | seen |\n| --- | --- | --- |\n".to_owned();
    for goal in GOALS {
        let seen = (goal.seen)(contests);
        let seen = if seen.is_empty() { "not measured in this run".to_owned() } else { seen.join("<br>") };
        text.push_str(&format!("| {} | {} | {seen} |\n", goal.number, goal.asks));
    }
    text
}

/// The contest of a task on one core that has the most rows, up to those that the goals are about.
fn routine(contests: &[Contest], task: Task) -> Option<&Contest> {
    let fits = contests.iter().filter(|contest| contest.task == task && contest.processors == 1);
    fits.filter(|contest| contest.rows <= 100_000).max_by_key(|contest| contest.rows)
}

/// The others as multiples of ours, and ours as one of the floor.
fn peers(contests: &[Contest], task: Task, peers: &[&str], floor: &str) -> Vec<String> {
    let Some(contest) = routine(contests, task) else { return Vec::new() };
    let mut seen = vec![contest.title()];
    for peer in peers {
        let (wall, cpu) = (contest.ratio(peer, |taken| taken.wall), contest.ratio(peer, |taken| taken.cpu));
        if let (Some(wall), Some(cpu)) = (wall, cpu) {
            let wrong = contest.find(peer).is_some_and(|ran| !ran.is_right());
            let wrong = if wrong { ", its output wrong" } else { "" };
            seen.push(format!("{peer} {}, in CPU time {}{wrong}", ratio(wall), ratio(cpu)));
        }
    }
    if let Some(floor_wall) = contest.ratio(floor, |taken| taken.wall) {
        seen.push(format!("ours is {:.1} × `{floor}`", 1.0 / floor_wall.median));
    }
    seen
}

fn product(contest: &Contest) -> Option<&Ran> {
    contest.ran.first().filter(|ran| !ran.runs.is_empty())
}

fn memory(contests: &[Contest], task: Task) -> Vec<String> {
    let of = contests.iter().filter(|contest| contest.task == task);
    let line = |contest: &Contest| {
        let memory = product(contest)?.spread(|taken| taken.memory)?;
        Some(format!("{}: {:.1} MB", contest.title(), memory.greatest))
    };
    of.filter_map(line).collect()
}

fn two_cores(contests: &[Contest]) -> Vec<String> {
    let mut seen = Vec::new();
    for two in contests.iter().filter(|contest| contest.processors == 2) {
        let one = contests.iter().find(|one| one.processors == 1 && one.task == two.task && one.rows == two.rows);
        let wall = |contest: &Contest| Some(product(contest)?.spread(|taken| taken.wall)?.median);
        if let (Some(one), Some(two_wall)) = (one.and_then(wall), wall(two)) {
            let peer = |name: &str| two.ratio(name, |taken| taken.wall).map(|wall| format!(", {name} {}", ratio(wall)));
            let peers: String = ["polars", "chdb"].into_iter().filter_map(peer).collect();
            seen.push(format!("{}: {:.2} times as fast as on one{peers}", two.title(), one / two_wall));
        }
    }
    seen
}

fn startup(contests: &[Contest]) -> Vec<String> {
    let Some(contest) = routine(contests, Task::Startup) else { return Vec::new() };
    let line = |ran: &Ran| {
        let wall: Spread = ran.spread(|taken| taken.wall)?;
        let memory = ran.spread(|taken| taken.memory)?;
        let span = format!("{}–{}", seconds(wall.least), seconds(wall.greatest));
        Some(format!("{}: {} ({span}), {:.1} MB", ran.name, seconds(wall.median), memory.greatest))
    };
    contest.ran.iter().filter_map(line).collect()
}
