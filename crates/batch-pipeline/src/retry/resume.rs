//! Whether the service's own resume would ask exactly what a retry wants to ask.

use std::{fs::File, path::Path};

use batch_io::PredictionLines;

use super::select::Chosen;
use crate::{Error, Kind, Result, RunDir, state::RunState};

const HINT: &str = "retry without --native: it asks about exactly these records, whatever became of them";

/// The shards whose newest output has all chosen records in rows without a response, and no other such
/// row. A resume of these is what was wanted; anything else is refused.
pub(super) async fn resumable(run: &RunDir, chosen: &Chosen) -> Result<Vec<usize>> {
    let refuse = |why: String| Err(Error::new(Kind::RunDirectory, why).with_hint(HINT));
    if let Some((outcome, (count, keys))) = chosen.others.iter().next() {
        let why = match outcome {
            batch_io::Outcome::Missing => "have no row in any output",
            _ => "have a response, which the service would keep",
        };
        let more = if keys.len() as u64 == *count { "" } else { ", …" };
        return refuse(format!("the service cannot resume: {count} {outcome} ({}{more}) {why}", keys.join(", ")));
    }
    let mut shards = Vec::new();
    for (file, wanted) in &chosen.unanswered_in {
        let Some(shard) = shard_of(run.state(), file) else {
            return refuse(format!(
                "the service cannot resume: {wanted} of the records are in {file} alone, which is not the newest output of a job"
            ));
        };
        let path = run.path().join(file);
        let counting = tokio::task::spawn_blocking(move || rows_without_response(&path));
        let found = counting.await.map_err(|error| Error::new(Kind::Bug, "read predictions").with_source(error))??;
        if found != *wanted {
            return refuse(format!(
                "the service cannot resume: {file} has {found} rows without a response, and {wanted} of them are wanted"
            ));
        }
        shards.push(shard);
    }
    shards.sort_unstable();
    Ok(shards)
}

/// The shard whose newest attempt has left this file and no other.
fn shard_of(state: &RunState, file: &str) -> Option<usize> {
    let shard = state.shards.iter().find(|shard| {
        let attempt = shard.attempts.last().filter(|attempt| attempt.has_ended() && attempt.output_info.is_some());
        let files = attempt.and_then(|attempt| attempt.collected.as_deref());
        matches!(files, Some([only]) if only.path == file)
    });
    shard.map(|shard| shard.index)
}

fn rows_without_response(path: &Path) -> Result<u64> {
    let failed = |error| Error::io(Kind::RunDirectory, "read", path, error);
    let file = File::open(path).map_err(failed)?;
    let mut lines = PredictionLines::new(file, &path.display().to_string());
    let wrong = |error| Error::new(Kind::RunDirectory, "read predictions").with_source(error);
    let mut rows = 0;
    while let Some(line) = lines.next_line().map_err(wrong)? {
        let is_without = line.prediction().is_ok_and(|prediction| {
            prediction.response.as_ref().is_none_or(|response| matches!(response.get().trim(), "{}" | "null"))
        });
        rows += u64::from(is_without);
    }
    Ok(rows)
}
