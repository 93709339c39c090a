//! Answers that are there already: which request was answered where, over all runs.
//!
//! A cache is a folder of indexes, one for each run, and nothing else: no database and no lock. An index
//! maps the digest of a request to the line of a prediction file; the files stay where their run has them.
//! An index is written whole and renamed into place, and look-ups read all there are, so that runs that go
//! on at the same time do not disturb each other. What an index points to is checked when it is read: a file
//! that is gone or was changed has no answers.

mod index;
mod note;
mod reuse;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use batch_io::{Columns, Record, RequestTemplate};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use twox_hash::XxHash3_128;

use self::index::Index;
pub(crate) use self::{
    note::Notes,
    reuse::{answered, reuse},
};
use crate::{Error, Kind, Result, Spec, request::request_spec, state::RunState};

/// Where the cache lives unless another place is named: below the working directory, beside the runs.
pub const CACHE: &str = ".batch/cache";

/// Which cache a run uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheUse {
    /// The folder of indexes.
    pub directory: PathBuf,
    /// Who answers, where that is not known to be the service's model. Answers of one are none of another:
    /// what an emulator made up never serves a run on the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_by: Option<String>,
}

/// What a cache has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CacheSummary {
    /// Indexes: one for each run that left answers.
    pub runs: u64,
    /// Answers, also those whose file is gone.
    pub answers: u64,
    /// Bytes of all indexes; the predictions themselves lie with their runs.
    pub bytes: u64,
    /// Indexes that cannot be read; their answers are not found.
    pub damaged: Vec<PathBuf>,
}

/// What is in the cache in `directory`; a folder that is not there is an empty cache.
///
/// # Errors
/// The folder cannot be read.
pub fn cache_summary(directory: &Path) -> Result<CacheSummary> {
    let mut summary = CacheSummary::default();
    for path in indexes(directory)? {
        summary.bytes += fs::metadata(&path).map_or(0, |meta| meta.len());
        match Index::open(&path) {
            Ok(index) => {
                summary.runs += 1;
                summary.answers += index.len();
            }
            Err(_) => summary.damaged.push(path),
        }
    }
    Ok(summary)
}

/// How many answers the cache that a run uses finds in the run's directory: requests that need not be paid for
/// again while it is there.
#[must_use]
pub fn cached_answers(state: &RunState) -> u64 {
    let Some(cache) = &state.cache else { return 0 };
    // Of an index that is not there, or cannot be read, no answer is found anyway.
    Index::open(&index_of(&cache.directory, &state.id)).map_or(0, |index| index.len())
}

/// Removes every index of a cache, and what an interrupted process left of one: how many. The predictions
/// stay with their runs.
///
/// # Errors
/// An index cannot be removed.
pub fn clear_cache(directory: &Path) -> Result<u64> {
    let mut removed = 0;
    for path in files(directory)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_index = name.ends_with(SUFFIX);
        if is_index || name.ends_with(&format!("{SUFFIX}.part")) {
            fs::remove_file(&path).map_err(|error| Error::io(Kind::Cache, "remove", &path, error))?;
            removed += u64::from(is_index);
        }
    }
    Ok(removed)
}

/// What the names of indexes end with.
const SUFFIX: &str = ".index";

/// Where the index of a run is.
fn index_of(directory: &Path, run: &str) -> PathBuf {
    directory.join(format!("{run}{SUFFIX}"))
}

/// The indexes of a cache, the newest first: their names begin with when their run was begun.
fn indexes(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = files(directory)?;
    paths.retain(|path| path.to_string_lossy().ends_with(SUFFIX));
    paths.sort_unstable_by(|one, other| other.cmp(one));
    Ok(paths)
}

fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let failed = |error| Error::io(Kind::Cache, "read the cache", directory, error);
    match fs::read_dir(directory) {
        Ok(entries) => entries.map(|entry| entry.map(|entry| entry.path()).map_err(failed)).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(failed(error)),
    }
}

/// Makes the digests of requests: of the model, of who answers, and of the request as it is sent but for its
/// labels. Labels name a cost centre or a record, and no answer depends on them; neither does one on the
/// project, the location, or what passes through beside the request.
pub(crate) struct Digester {
    template: RequestTemplate,
    domain: [u8; 32],
    line: Vec<u8>,
}

impl Digester {
    pub(crate) fn new(spec: &Spec, answered_by: Option<&str>, columns: &Columns) -> Result<Self> {
        let mut request = request_spec(spec)?;
        request.labels = Vec::new();
        request.columns = Vec::new();
        let template = RequestTemplate::compile(&request, columns);
        let template = template.map_err(|error| Error::new(Kind::Input, "build request lines").with_source(error))?;
        // Another seed makes up other answers.
        let local = answered_by.map(|who| (who, &spec.local.answer, spec.local.seed));
        let domain = serde_json::json!({ "version": 1, "model": spec.model()?.to_string(), "answered_by": local });
        let domain = Sha256::digest(domain.to_string().as_bytes()).into();
        Ok(Self { template, domain, line: Vec::new() })
    }

    /// The digest of a record's request.
    pub(crate) fn digest(&mut self, record: &Record, key: &str) -> Result<u128> {
        self.line.clear();
        let rendered = self.template.render(record, key, &mut self.line);
        rendered.map_err(|error| Error::new(Kind::Input, "build request lines").with_source(error))?;
        let mut hasher = XxHash3_128::with_seed(0);
        hasher.write(&self.domain);
        hasher.write(request_in(&self.line));
        Ok(hasher.finish_128())
    }
}

/// What stands behind the key of a request line.
fn request_in(line: &[u8]) -> &[u8] {
    const BEFORE: &[u8] = b"{\"key\":\"";
    let mut at = BEFORE.len();
    while let Some(byte) = line.get(at) {
        match byte {
            b'"' => break,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    line.get(at..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_no_part_of_a_request() {
        for key in ["r0", r#"a\"b"#, r"back\\", r#"\",\"request\":{}"#, ""] {
            let line = format!(r#"{{"key":"{key}","request":{{"contents":[]}}}}"#);
            assert_eq!(request_in(line.as_bytes()), br#"","request":{"contents":[]}}"#);
        }
    }
}
