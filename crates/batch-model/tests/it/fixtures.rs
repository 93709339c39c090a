//! The files under `fixtures/` of the workspace.

use std::{fs, path::PathBuf};

use serde_json::Value;

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(name)
}

/// Every JSON value in a folder, with the file (and line) that it stands in.
pub(crate) fn all(name: &str) -> Vec<(String, Value)> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut values = Vec::new();
    for path in paths {
        let file = path.file_name().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&path).unwrap();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("json") => values.push((file, serde_json::from_str(&text).unwrap())),
            Some("jsonl") => values.extend(
                text.lines()
                    .enumerate()
                    .map(|(i, line)| (format!("{file}:{}", i + 1), serde_json::from_str(line).unwrap())),
            ),
            _ => {}
        }
    }
    assert!(!values.is_empty(), "no fixtures in {name}");
    values
}

/// The value of one file.
pub(crate) fn one(name: &str, file: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(folder(name).join(file)).unwrap()).unwrap()
}

/// The values of the lines of one file.
pub(crate) fn lines(name: &str, file: &str) -> Vec<Value> {
    let text = fs::read_to_string(folder(name).join(file)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
