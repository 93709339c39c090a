//! Which objects are a job's predictions: pure functions on listings.
//!
//! A job writes below `PREFIX/prediction-model-<time>/`, where the time is the job's `createTime` (likely,
//! to the microsecond) and `model` is that word for publisher models. In the folder lies
//! `predictions.jsonl` (certain); other reported names are shards (`predictions.jsonl-00000-of-00002`,
//! `predictions_00001.jsonl`), files of errors, and `incremental_predictions.jsonl`, a copy of what
//! there was while the job ran. So: list, never assume one name.

use std::{collections::HashSet, sync::Arc};

use jiff::Timestamp;

use crate::api::Object;

/// One prediction file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OutputFile {
    /// Its name below the folder, safe for the local file system.
    pub(crate) file: Arc<str>,
    /// The object.
    pub(crate) object: Object,
}

/// What a folder's listing comes to.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Selection {
    /// The prediction files, by name.
    pub(crate) taken: Vec<OutputFile>,
    /// The objects that are no prediction files.
    pub(crate) left: Vec<Object>,
}

/// Picks the prediction files among the objects below `folder` (which ends with a slash, or is empty).
pub(crate) fn select(folder: &str, mut objects: Vec<Object>) -> Selection {
    objects.sort_by(|a, b| a.name.cmp(&b.name));
    let base = |object: &Object| object.name.strip_prefix(folder).unwrap_or(&object.name).to_owned();
    let complete = objects.iter().any(|object| shape(&base(object)) == Shape::Predictions);
    let mut selection = Selection::default();
    let mut names = HashSet::new();
    for object in objects {
        let base = base(&object);
        let wanted = match shape(&base) {
            Shape::Predictions | Shape::Errors => true,
            Shape::Incremental => !complete,
            Shape::Other => false,
        };
        if wanted {
            selection.taken.push(OutputFile { file: unique(&local_name(&base), &mut names), object });
        } else if !base.is_empty() && !base.ends_with('/') {
            // What ends with a slash is a console's placeholder for an empty folder.
            selection.left.push(object);
        }
    }
    selection
}

/// What a file's name says that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Predictions,
    Errors,
    Incremental,
    Other,
}

fn shape(base: &str) -> Shape {
    if base.contains('/') {
        return Shape::Other;
    }
    let is = |stem: &str| {
        let rest = base.strip_prefix(stem).unwrap_or_default();
        rest.starts_with(['.', '-', '_']) && unsharded(base).ends_with(".jsonl")
    };
    if is("predictions") || base.starts_with("prediction.results-") {
        Shape::Predictions
    } else if is("errors") {
        Shape::Errors
    } else if is("incremental_predictions") {
        Shape::Incremental
    } else {
        Shape::Other
    }
}

/// The name without `-00000-of-00002` at its end.
fn unsharded(base: &str) -> &str {
    let shard = || {
        let (rest, count) = base.rsplit_once("-of-")?;
        let (name, number) = rest.rsplit_once('-')?;
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        (digits(number) && digits(count)).then_some(name)
    };
    shard().unwrap_or(base)
}

/// A name that every file system takes: what separates paths, drives or commands becomes `_`.
fn local_name(base: &str) -> String {
    let forbidden = |c: char| matches!(c, '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|') || c.is_control();
    let name: String = base.chars().map(|c| if forbidden(c) { '_' } else { c }).collect();
    match name.strip_prefix('.') {
        Some(rest) => format!("_{rest}"),
        None => name,
    }
}

/// `name`, numbered where another file has it already.
fn unique(name: &str, names: &mut HashSet<String>) -> Arc<str> {
    let mut candidate = name.to_owned();
    let mut number = 2;
    // Compared without case: some local file systems know none.
    while !names.insert(candidate.to_lowercase()) {
        candidate = format!("{name}-{number}");
        number += 1;
    }
    candidate.into()
}

/// Which folder is a job's, where the job does not say it itself.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Folder<'a> {
    /// There is none.
    None,
    /// This one.
    One(&'a str),
    /// More than one may be.
    Unclear,
}

/// Picks the folder of a job that was created at `created` (RFC 3339) among the names of the folders
/// below its output prefix.
///
/// The one that bears this very time; else the only one that is not older than the job. Older ones
/// are another job's. Where that leaves several, or only older ones, nobody can tell: predictions of
/// two jobs must not be mixed.
pub(crate) fn job_folder<'a>(folders: &[&'a str], created: Option<&str>) -> Folder<'a> {
    let created: Option<Timestamp> = created.and_then(|text| text.parse().ok());
    let folders: Vec<_> = folders.iter().filter(|name| name.starts_with("prediction-")).collect();
    if let Some(exact) = folders.iter().find(|name| created.is_some() && stamp(name) == created) {
        return Folder::One(exact);
    }
    let possible = |name: &&&&str| match (stamp(name), created) {
        (Some(stamp), Some(created)) => created <= stamp,
        _ => true,
    };
    let mut candidates = folders.iter().filter(possible);
    match (candidates.next(), candidates.next()) {
        (Some(one), None) => Folder::One(one),
        (None, _) if folders.is_empty() => Folder::None,
        _ => Folder::Unclear,
    }
}

/// The time in `prediction-<model>-<time>`; the model may have dashes, as the time has.
fn stamp(folder: &str) -> Option<Timestamp> {
    folder.match_indices('-').find_map(|(at, _)| folder[at + 1..].parse().ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn object(name: &str) -> Object {
        Object { name: name.to_owned(), size: 1, generation: 1, crc32c: None }
    }

    fn taken(names: &[&str]) -> (Vec<String>, Vec<String>) {
        let objects = names.iter().map(|name| object(&format!("out/p/{name}"))).collect();
        let Selection { taken, left } = select("out/p/", objects);
        (taken.iter().map(|file| file.file.to_string()).collect(), left.into_iter().map(|object| object.name).collect())
    }

    #[test]
    fn the_one_file_of_a_usual_job() {
        assert_eq!(taken(&["predictions.jsonl"]), (vec!["predictions.jsonl".to_owned()], vec![]));
        assert_eq!(taken(&[]), (vec![], vec![]));
    }

    #[test]
    fn every_shard_and_every_file_of_errors_by_name() {
        let names = [
            "predictions_0002.jsonl",
            "predictions.jsonl-00001-of-00002",
            "errors_0001.jsonl",
            "predictions.jsonl-00000-of-00002",
            "errors.jsonl",
            "prediction.results-00000-of-00001",
        ];
        let (taken, left) = taken(&names);
        let mut sorted = names.map(str::to_owned);
        sorted.sort();
        assert_eq!(taken, sorted);
        assert!(left.is_empty());
    }

    #[test]
    fn the_incremental_copy_counts_only_without_a_final_file() {
        let (files, left) = taken(&["incremental_predictions.jsonl", "predictions.jsonl"]);
        assert_eq!(files, ["predictions.jsonl"]);
        assert_eq!(left, ["out/p/incremental_predictions.jsonl"]);
        // Errors alone are not the predictions.
        let (files, _) = taken(&["errors.jsonl", "incremental_predictions.jsonl"]);
        assert_eq!(files, ["errors.jsonl", "incremental_predictions.jsonl"]);
    }

    #[test]
    fn what_is_no_prediction_file_is_left_and_told() {
        let (files, left) = taken(&[
            "",
            "predictions.csv",
            "predictionsXjsonl",
            "prediction.errors_stats-00000-of-00001",
            "notes.txt",
            "tmp/",
            "tmp/predictions.jsonl",
        ]);
        assert!(files.is_empty());
        // The folder itself and the placeholder `tmp/` are no files.
        assert_eq!(left.len(), 5);
        assert!(left.contains(&"out/p/tmp/predictions.jsonl".to_owned()));
    }

    #[test]
    fn the_folder_with_the_jobs_own_time_is_the_jobs() {
        let folders = [
            "prediction-model-2025-03-19T09:34:27.764709Z",
            "prediction-model-2025-03-19T10:00:00Z",
            "prediction-my-tuned-model-2025-03-18T00:00:00Z",
        ];
        let pick = |created| job_folder(&folders, Some(created));
        assert_eq!(pick("2025-03-19T09:34:27.764709Z"), Folder::One(folders[0]));
        // The same instant, written another way.
        assert_eq!(pick("2025-03-19T10:00:00.000000Z"), Folder::One(folders[1]));
        assert_eq!(pick("2025-03-18T00:00:00Z"), Folder::One(folders[2]));
        // Made a little after the job.
        assert_eq!(pick("2025-03-19T09:59:59Z"), Folder::One(folders[1]));
    }

    #[test]
    fn two_jobs_are_never_mixed() {
        let folders = ["prediction-model-2025-03-19T09:00:00Z", "prediction-model-2025-03-19T10:00:00Z"];
        assert_eq!(job_folder(&folders, Some("2025-03-19T08:00:00Z")), Folder::Unclear);
        assert_eq!(job_folder(&folders, Some("2025-03-19T11:00:00Z")), Folder::Unclear, "both are older");
        assert_eq!(job_folder(&folders, None), Folder::Unclear);
        assert_eq!(job_folder(&folders[..1], None), Folder::One(folders[0]));
        assert_eq!(job_folder(&[], Some("2025-03-19T08:00:00Z")), Folder::None);
        assert_eq!(job_folder(&["other"], None), Folder::None);
    }

    proptest! {
        #[test]
        fn local_names_are_safe_and_distinct(names in proptest::collection::hash_set("[a-b:*\\\\.A]{0,4}", 0..8)) {
            let objects = names.iter().map(|name| object(&format!("predictions.{name}.jsonl"))).collect();
            let Selection { taken, .. } = select("", objects);
            prop_assert_eq!(taken.len(), names.len());
            let distinct: HashSet<_> = taken.iter().map(|file| file.file.to_lowercase()).collect();
            prop_assert_eq!(distinct.len(), names.len());
            for OutputFile { file, .. } in &taken {
                prop_assert!(!file.contains(['/', '\\', ':', '*']) && !file.starts_with('.'));
            }
        }
    }
}
