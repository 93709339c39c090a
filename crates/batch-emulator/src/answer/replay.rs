//! Answers from a recording.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::recording::{Line, Read, read_line, without_mark};
use super::{Answerer, Question, Reply, RowError};
use crate::{Error, ErrorKind};
use futures::FutureExt;
use futures::future::BoxFuture;

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

impl Replay {
    /// Reads through the file and notes where each request stands.
    pub(super) fn open(path: &Path) -> Result<Replay, Error> {
        let failed = |error: io::Error| {
            Error::new(ErrorKind::Config, format!("failed to read the recording {}", path.display())).with_source(error)
        };
        let file = File::open(path).map_err(failed)?;
        let mut reader = BufReader::with_capacity(1 << 20, &file);
        let mut index: HashMap<u128, Recorded> = HashMap::new();
        let mut line = Vec::new();
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
            let read = read_line(&line, number == 1).map_err(|problem| {
                Error::new(ErrorKind::Config, format!("line {number} of {} is no prediction", path.display()))
                    .with_hint("each line needs a `request` or `request_hash`, and a `response`; take the line out")
                    .with_source(problem)
            })?;
            let Read::Prediction { hash, usable } = read else {
                continue;
            };
            let recorded = Recorded { offset: start, length, usable };
            match index.entry(hash) {
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
            let file = self.path.file_name().unwrap_or_default().to_string_lossy();
            return Reply::Refused(RowError {
                code: 404,
                message: format!(
                    "The recording {file} has no answer to this request, which is not one of those that were recorded: its text, model settings or schema were changed. For made-up answers choose the answerer `schema`, to ask a model `openai:URL` or `gemini:URL` (--answer, or answer under [local] in a spec)."
                ),
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
