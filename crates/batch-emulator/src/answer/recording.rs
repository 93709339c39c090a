//! Recordings: what a model answered, to be replayed.
//!
//! A recording is a JSONL file of predictions. Prediction files of a job are recordings as
//! they are; [`condense`] makes a small one of them, which leaves the requests out and says
//! who answered.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::json::{Json, Messages, Tree, View, canonical_request, hash, write_plain};
use crate::{Error, ErrorKind};

/// Who answered what a recording holds.
///
/// It is the first line of a condensed recording:
///
/// ```json
/// {"recording":{"version":1,"model":"SmolLM2-135M-Instruct (Q4_1)","date":"2026-11-21"}}
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RecordingAbout {
    /// The version of the format: 1.
    pub version: u32,
    /// The model that answered, as people call it.
    pub model: String,
    /// The day on which it did, `YYYY-MM-DD`.
    pub date: String,
    /// The program that served the model, with its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
}

impl RecordingAbout {
    /// Of that model and that day, `YYYY-MM-DD`.
    pub fn new(model: impl Into<String>, date: impl Into<String>) -> RecordingAbout {
        RecordingAbout { version: 1, model: model.into(), date: date.into(), server: None }
    }

    /// What the recording in a file says of itself; `None` for predictions that say
    /// nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for a file that cannot be read.
    pub fn read(path: &Path) -> Result<Option<RecordingAbout>, Error> {
        let failed = |error: io::Error| {
            Error::new(ErrorKind::Config, format!("failed to read the recording {}", path.display())).with_source(error)
        };
        let mut first = Vec::new();
        let file = std::fs::File::open(path).map_err(failed)?;
        io::BufReader::new(file).read_until(b'\n', &mut first).map_err(failed)?;
        let line: Result<Line<'_>, _> = serde_json::from_slice(without_mark(&first));
        // What is wrong with the line is told where the predictions are read.
        Ok(line.ok().and_then(|line| line.recording))
    }
}

/// The parts of a line that matter.
#[derive(Deserialize)]
pub(super) struct Line<'a> {
    #[serde(default)]
    pub(super) status: Option<String>,
    #[serde(borrow, default)]
    pub(super) response: Option<&'a RawValue>,
    #[serde(default)]
    recording: Option<RecordingAbout>,
}

/// What a line is.
pub(super) enum Read {
    /// It says who answered.
    About,
    /// The prediction for the request of that hash, and whether there is an answer in it.
    Prediction { hash: u128, usable: bool },
}

/// Reads one line; `first` says that it may begin with a byte order mark.
pub(super) fn read_line(line: &[u8], first: bool) -> Result<Read, Box<dyn std::error::Error + Send + Sync>> {
    let line = if first { without_mark(line) } else { line };
    let tree = Tree::parse(std::str::from_utf8(line)?)?;
    let root = tree.root();
    if let Some(about) = root.get("recording") {
        return match about.get("version").and_then(Json::as_i64) {
            Some(1) => Ok(Read::About),
            _ => Err("it is of a version that this program does not know".into()),
        };
    }
    let hash = match root.get("request_hash").and_then(Json::as_str) {
        Some(digits) => u128::from_str_radix(digits, 16).map_err(|_| "its `request_hash` is no hash")?,
        None => hash_of(root.get("request").ok_or("it has no `request`")?),
    };
    if root.get("response").is_none() && root.get("status").is_none() {
        return Err("it has no `response`".into());
    }
    let usable = root
        .get("response")
        .is_some_and(|response| matches!(response.view(), View::Object(members) if !members.is_empty()));
    Ok(Read::Prediction { hash, usable })
}

/// The hash of a request in its canonical form: XXH3 with 128 bits, seed 0, of compact JSON
/// with sorted members in lowerCamelCase, without nulls, `labels` and `model`.
fn hash_of(request: Json<'_>) -> u128 {
    let mut canonical = Vec::new();
    canonical_request(request, Messages::get().request(), &|_| None, &mut canonical);
    hash(&canonical)
}

/// Makes a recording of predictions: [`RecordingAbout`] first, then a line
/// `{"request_hash":"…","response":{…}}` for each request that was answered, by hash. It
/// says how many there are. A request that was answered twice is there with its first
/// answer, and a row that failed is left out: it has nothing to replay.
///
/// # Errors
/// What reading and writing gives; [`io::ErrorKind::InvalidData`] with the number of a line
/// that is no prediction.
pub fn condense(about: &RecordingAbout, predictions: impl BufRead, mut out: impl Write) -> io::Result<usize> {
    let mut responses: BTreeMap<u128, Vec<u8>> = BTreeMap::new();
    for (number, line) in (1_usize..).zip(predictions.split(b'\n')) {
        let line = line?;
        if line.trim_ascii().is_empty() {
            continue;
        }
        let wrong = |what: String| io::Error::new(io::ErrorKind::InvalidData, format!("line {number}: {what}"));
        let read = read_line(&line, number == 1).map_err(|error| wrong(error.to_string()))?;
        let Read::Prediction { hash, usable: true } = read else {
            continue;
        };
        let line: Line<'_> = serde_json::from_slice(without_mark(&line)).map_err(|error| wrong(error.to_string()))?;
        if let Some(response) = line.response.filter(|_| line.status.as_deref().unwrap_or_default().is_empty()) {
            let tree = Tree::parse(response.get()).map_err(|error| wrong(error.to_string()))?;
            let mut compact = Vec::new();
            write_plain(tree.root(), &mut compact);
            responses.entry(hash).or_insert(compact);
        }
    }
    #[derive(Serialize)]
    struct First<'a> {
        recording: &'a RecordingAbout,
    }
    serde_json::to_writer(&mut out, &First { recording: about })?;
    out.write_all(b"\n")?;
    for (hash, response) in &responses {
        write!(out, "{{\"request_hash\":\"{hash:032x}\",\"response\":")?;
        out.write_all(response)?;
        out.write_all(b"}\n")?;
    }
    out.flush()?;
    Ok(responses.len())
}

pub(super) fn without_mark(line: &[u8]) -> &[u8] {
    line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line)
}
