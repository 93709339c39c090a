//! Properties of the source files that no compiler checks.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::run::{Result, output, root};

/// A file of code past this many lines has a second subject in it.
const LINES: usize = 650;

pub(crate) fn check() -> Result {
    let root = root();
    let files = output(Command::new("git").current_dir(&root).args([
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
    ]))?;
    let files: Vec<PathBuf> = files.lines().map(PathBuf::from).filter(|file| root.join(file).is_file()).collect();
    let mut wrong = Vec::new();
    for file in &files {
        if file.extension().is_some_and(|extension| extension == "rs") {
            check_code(&root, file, &mut wrong)?;
        }
    }
    check_snapshots(&root, &files, &mut wrong)?;
    if wrong.is_empty() {
        println!("{} files are tidy", files.len());
        return Ok(());
    }
    Err(wrong.join("\n       ").into())
}

fn check_code(root: &Path, file: &Path, wrong: &mut Vec<String>) -> Result {
    let text = fs::read_to_string(root.join(file)).map_err(|error| format!("{}: {error}", file.display()))?;
    let shown = file.display();
    if !text.starts_with("//!") {
        wrong.push(format!("{shown}: it does not say what it is (`//! …` in its first line)"));
    }
    let lines = text.lines().count();
    if lines > LINES {
        wrong.push(format!("{shown}: {lines} lines, more than {LINES}: is there a second subject in it?"));
    }
    for (number, line) in (1..).zip(text.lines()) {
        if line.ends_with([' ', '\t']) {
            wrong.push(format!("{shown}:{number}: white space at the end of the line"));
        }
    }
    let may = ["crates/batch-gcs", "crates/batch-bq", "crates/batch-http", "xtask"];
    if !may.iter().any(|may| file.starts_with(may)) && text.contains("google_cloud_") {
        wrong.push(format!("{shown}: names a google_cloud_* type; whoever names one pays for its code generation"));
    }
    Ok(())
}

/// A snapshot whose test is gone is never looked at again, and says nothing any more.
fn check_snapshots(root: &Path, files: &[PathBuf], wrong: &mut Vec<String>) -> Result {
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "snap")) {
        let text = fs::read_to_string(root.join(file))?;
        let source = text.lines().find_map(|line| line.strip_prefix("source: "));
        match source {
            Some(source) if root.join(source.trim_matches('"')).is_file() => {}
            _ => wrong.push(format!("{}: the file of its test is gone", file.display())),
        }
    }
    Ok(())
}
