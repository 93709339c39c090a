//! `cargo xtask icount`: instructions that building and joining take for each byte, counted by valgrind
//! and compared with the figures that are committed. Unlike times they are the same on a busy machine.
//!
//! A figure is marginal: what ten thousand rows take more than a thousand, over the bytes that they have
//! more. So what a start costs is not in it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

use crate::{
    bench,
    run::{Result, cargo, output, root, run, target},
};

/// More than this above the committed figure is a failure.
const TOLERANCE: f64 = 0.05;

const CASES: [&str; 4] = ["build", "join", "join-jsonl", OBJECTS];

/// A join of predictions whose answers are objects of a schema.
const OBJECTS: &str = "join-objects";

pub(crate) fn icount(args: &[String]) -> Result {
    let write = match args {
        [] => false,
        [flag] if flag == "--write" => true,
        _ => return Err("icount takes nothing but --write".into()),
    };
    if !Command::new("valgrind").arg("--version").output().is_ok_and(|output| output.status.success()) {
        println!("skipped: no valgrind");
        return Ok(());
    }
    let program = hot()?;
    let counts = Counts::take(&program)?;
    for (case, figure) in CASES.iter().zip(&counts.figures) {
        println!("{case:>12} {figure:.3} instructions per byte");
    }
    println!("{:>12} {}", "on", counts.features);
    let file = file();
    if write {
        fs::write(&file, format!("{:#}\n", counts.to_json()))?;
        println!("written to {}", shown(&file));
        return Ok(());
    }
    counts.compare(&committed_json()?)
}

/// What one run of all cases says.
struct Counts {
    /// Instructions per byte of input, in the order of [`CASES`].
    figures: Vec<f64>,
    /// What the processor can do that valgrind shows: it decides which code runs.
    features: String,
}

impl Counts {
    fn take(program: &Path) -> Result<Self> {
        let plain = (bench::files(1_000)?, bench::files(10_000)?);
        let objects = (with_objects(&plain.0)?, with_objects(&plain.1)?);
        let mut figures = Vec::new();
        for case in CASES {
            let (small, large) = if case == OBJECTS { &objects } else { &plain };
            let (few, many) = (instructions(program, case, small)?, instructions(program, case, large)?);
            let bytes = length(case, large)? - length(case, small)?;
            figures.push(many.saturating_sub(few) as f64 / bytes as f64);
        }
        // What the processor can do is asked from inside of valgrind.
        let features = output(Command::new("valgrind").args(["--tool=none", "--quiet"]).arg(program).arg("features"))?;
        Ok(Self { figures, features: features.trim().to_owned() })
    }

    fn to_json(&self) -> Value {
        let figures = CASES.iter().zip(&self.figures);
        let figures: Value = figures.map(|(case, figure)| ((*case).to_owned(), json!(rounded(*figure)))).collect();
        json!({ "features": self.features, "instructions_per_byte": figures })
    }

    fn compare(&self, committed: &Value) -> Result {
        if committed["features"] != self.features {
            println!("skipped: the committed figures are of a processor with {}", committed["features"]);
            return Ok(());
        }
        let mut wrong = Vec::new();
        for (case, figure) in CASES.iter().zip(&self.figures) {
            let Some(before) = committed["instructions_per_byte"][case].as_f64() else {
                wrong.push(format!("{case} has no committed figure; `cargo xtask icount --write` writes one"));
                continue;
            };
            if before * (1.0 + TOLERANCE) < *figure {
                wrong.push(format!("{case} takes {figure:.3} instructions per byte, and took {before:.3}"));
            } else if *figure < before * (1.0 - TOLERANCE) {
                println!("{case} takes less than the {before:.3} of before: keep it with `cargo xtask icount --write`");
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n       ").into()) }
    }
}

/// The committed figures in words; nothing where there are none.
pub(crate) fn committed() -> Vec<String> {
    let Ok(committed) = committed_json() else { return Vec::new() };
    let figure = |case: &str| Some(format!("{case} {:.2}", committed["instructions_per_byte"][case].as_f64()?));
    CASES.into_iter().filter_map(figure).collect()
}

fn committed_json() -> Result<Value> {
    let file = file();
    let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", shown(&file)))?;
    Ok(serde_json::from_str(&text)?)
}

fn file() -> PathBuf {
    root().join("docs").join("reference").join("instructions.json")
}

fn shown(file: &Path) -> String {
    file.strip_prefix(root()).unwrap_or(file).display().to_string()
}

fn rounded(figure: f64) -> f64 {
    (figure * 1000.0).round() / 1000.0
}

/// The same files, where objects were asked for and are the answers.
fn with_objects((table, predictions): &(PathBuf, PathBuf)) -> Result<(PathBuf, PathBuf)> {
    const WORDS: [&str; 5] = ["sport", "entertainment", "tech", "business", "politics"];
    let one_of = format!("\"enum\":[{}],\"type\":\"string\"", WORDS.map(|word| format!("{word:?}")).join(","));
    let object = format!(
        "\"properties\":{{\"topic\":{{{one_of}}},\"confidence\":{{\"type\":\"number\"}},\
         \"reason\":{{\"type\":\"string\"}}}},\"required\":[\"topic\"],\"type\":\"object\""
    );
    let text = fs::read_to_string(predictions)?;
    let mut changed = text.replace(&one_of, &object);
    for word in WORDS {
        let answer = json!({ "topic": word, "confidence": 0.97, "reason": format!("It speaks of \"{word}\".") });
        let answer = json!(answer.to_string()).to_string();
        changed = changed.replace(&format!("\"text\":\"\\\"{word}\\\"\""), &format!("\"text\":{answer}"));
    }
    if changed.matches("topic").count() < text.lines().count() * 3 / 2 {
        return Err(format!("{} is not of the form that objects can be put into", shown(predictions)).into());
    }
    let file = predictions.with_file_name("predictions-objects.jsonl");
    fs::write(&file, changed)?;
    Ok((table.clone(), file))
}

/// What a case reads.
fn length(case: &str, (table, predictions): &(PathBuf, PathBuf)) -> Result<u64> {
    let predictions = if case == "build" { 0 } else { fs::metadata(predictions)?.len() };
    Ok(fs::metadata(table)?.len() + predictions)
}

/// Runs a case under valgrind.
fn instructions(program: &Path, case: &str, (table, predictions): &(PathBuf, PathBuf)) -> Result<u64> {
    let valgrind = ["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"];
    let mut command = Command::new("valgrind");
    command.args(valgrind).arg(program).arg(case).arg(table).arg(predictions);
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("{case} failed under valgrind:\n{said}").into());
    }
    let count = said.lines().find_map(|line| line.split_once("I refs:").or_else(|| line.split_once("I   refs:")));
    let count = count.map(|(_, count)| count.replace(',', "").trim().parse());
    Ok(count.ok_or("valgrind told no count of instructions")??)
}

/// Builds the program that is counted: batch-io alone, optimised as in a release.
fn hot() -> Result<PathBuf> {
    run(cargo().args(["build", "--release", "--locked", "--quiet", "--package", "hot"]))?;
    Ok(target().join("release").join("hot"))
}
