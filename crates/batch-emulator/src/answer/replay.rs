//! Answers from a recording.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use futures::FutureExt;
use futures::future::BoxFuture;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Answerer, Question, Reply, RowError};
use crate::json::{Messages, Tree, View, canonical_request, hash};
use crate::{Error, ErrorKind};

/// The predictions of a file by the canonical form of their requests. What is held is
/// where each stands, not the predictions themselves.
#[derive(Debug)]
pub(super) struct Replay {
    path: PathBuf,
    file: Mutex<File>,
    index: HashMap<u128, Recorded>,
}

#[derive(Clone, Copy, Debug)]
struct Recorded {
    offset: u64,
    length: usize,
    usable: bool,
}

/// The parts of a line that are passed on.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(default)]
    status: Option<String>,
    #[serde(borrow, default)]
    response: Option<&'a RawValue>,
}

impl Replay {
    /// Reads through the file and notes where each request stands.
    pub(super) fn open(path: &Path) -> Result<Replay, Error> {
        let failed = |error: io::Error| {
            Error::new(ErrorKind::Config, format!("failed to read the recording {}", path.display())).with_source(error)
        };
        let file = File::open(path).map_err(failed)?;
        let mut reader = BufReader::with_capacity(1 << 20, &file);
        let mut index: HashMap<u128, Recorded> = HashMap::new();
        let (mut line, mut canonical) = (Vec::new(), Vec::new());
        let (mut offset, mut number) = (0_u64, 0_u64);
        loop {
            line.clear();
            let length = reader.read_until(b'\n', &mut line).map_err(failed)?;
            if length == 0 {
                break;
            }
            number += 1;
            let start = offset;
            offset += length as u64;
            if line.trim_ascii().is_empty() {
                continue;
            }
            canonical.clear();
            let recorded = read(&line, number == 1, &mut canonical).map_err(|problem| {
                Error::new(ErrorKind::Config, format!("line {number} of {} is no prediction", path.display()))
                    .with_hint("each line needs a `request` and a `response`; take the line out")
                    .with_source(problem)
            })?;
            let recorded = Recorded { offset: start, length, usable: recorded };
            match index.entry(hash(&canonical)) {
                Entry::Vacant(entry) => {
                    entry.insert(recorded);
                }
                Entry::Occupied(mut entry) => {
                    if recorded.usable && !entry.get().usable {
                        entry.insert(recorded);
                    }
                }
            }
        }
        drop(reader);
        Ok(Replay { path: path.to_owned(), file: Mutex::new(file), index })
    }

    fn find(&self, hash: u128) -> Reply {
        let Some(recorded) = self.index.get(&hash) else {
            return Reply::Refused(RowError {
                code: 404,
                message: format!("The recording {} has no prediction for this request.", self.path.display()),
            });
        };
        let lost = |error: &dyn std::fmt::Display| {
            Reply::Refused(RowError {
                code: 500,
                message: format!("The recording {} was lost: {error}", self.path.display()),
            })
        };
        let line = match self.read_line(*recorded) {
            Ok(line) => line,
            Err(error) => return lost(&error),
        };
        match serde_json::from_slice::<Line<'_>>(without_mark(&line)) {
            Ok(line) => Reply::Whole {
                status: line.status.unwrap_or_default(),
                response: line.response.map_or(b"{}".to_vec(), |response| response.get().into()),
            },
            Err(error) => lost(&error),
        }
    }

    fn read_line(&self, recorded: Recorded) -> io::Result<Vec<u8>> {
        let mut line = vec![0; recorded.length];
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(recorded.offset))?;
        file.read_exact(&mut line)?;
        Ok(line)
    }
}

impl Answerer for Replay {
    fn answer<'a>(&'a self, question: &'a Question<'a>) -> BoxFuture<'a, Reply> {
        futures::future::ready(self.find(question.hash)).boxed()
    }
}

/// Writes the canonical form of a line's request and says whether its response is usable.
fn read(line: &[u8], first: bool, canonical: &mut Vec<u8>) -> Result<bool, Box<dyn std::error::Error + Send + Sync>> {
    let line = if first { without_mark(line) } else { line };
    let tree = Tree::parse(std::str::from_utf8(line)?)?;
    let root = tree.root();
    let request = root.get("request").ok_or("it has no `request`")?;
    if root.get("response").is_none() && root.get("status").is_none() {
        return Err("it has no `response`".into());
    }
    canonical_request(request, Messages::get().request(), canonical);
    let usable = root
        .get("response")
        .is_some_and(|response| matches!(response.view(), View::Object(members) if !members.is_empty()));
    Ok(usable)
}

fn without_mark(line: &[u8]) -> &[u8] {
    line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line)
}
