//! Answering rows on all processors, and handing the lines on in order.

use std::collections::HashMap;
use std::io;
use std::num::NonZero;
use std::ops::{ControlFlow, Range};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use futures::{StreamExt, stream};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::check::check;
use super::config::{JobsConfig, LineGeneration};
use super::import::{Imported, Row, Source, is_done};
use super::line::{self, Line};
use super::memo::{Memo, Met};
use super::plan::RowFault;
use super::time::Seconds;
use crate::Clock;
use crate::answer::{Answerer, Question, Reply, RowError, Stamp, candidates_of, write_response};
use crate::bigquery::Members;
use crate::clock::timestamp;
use crate::json::{Json, Messages, Place, Tree, canonical_request, hash};
use crate::storage::{Objects, ReadSeek};

/// The most rows that a worker takes at once.
const MOST_ROWS: usize = 256;

/// The most bytes of rows that a worker takes at once, unless one row alone has more.
const MOST_BYTES: u64 = 4 << 20;

/// How many bytes a prediction has beyond its row, as a rule: room is made for so many.
const MOST_ADDED: usize = 1 << 10;

/// What is needed to answer the rows of one job.
#[derive(Debug)]
pub(super) struct Work<'w> {
    pub(super) objects: &'w Objects,
    pub(super) answerer: &'w dyn Answerer,
    pub(super) config: &'w JobsConfig,
    pub(super) clock: &'w dyn Clock,
    /// What answers that take their time are waited for on.
    pub(super) runtime: &'w Handle,
    /// The rows, in the order in which they are to be answered.
    pub(super) imported: &'w Imported,
    /// What responses call the model.
    pub(super) model: &'w str,
    /// When the job began to run; nothing happens before.
    pub(super) started: Timestamp,
    /// What log probabilities and identifiers are drawn from, together with the request.
    pub(super) seed: u64,
    /// The rows that go wrong.
    pub(super) faults: &'w HashMap<Place, RowFault>,
    /// Whether strings of digits become integers.
    pub(super) retype: bool,
    /// What a failed row has for a response.
    pub(super) no_response: &'w [u8],
    /// How many rows at most become ready together.
    pub(super) step: usize,
    /// Cancelled when the emulator stops, and when the job is to: answers that take their
    /// time are not waited for any more.
    pub(super) halts: [&'w CancellationToken; 2],
}

impl Work<'_> {
    /// Completes once nobody wants the answers.
    async fn halted(&self) {
        let [stop, cancel] = self.halts;
        tokio::select! {
            () = stop.cancelled() => {}
            () = cancel.cancelled() => {}
        }
    }
}

/// Lines that became ready together.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// The lines, each with its line end.
    pub(super) bytes: Vec<u8>,
    /// How many rows they stand for.
    pub(super) rows: u64,
    /// How many of these were answered.
    pub(super) successful: u64,
    /// How many failed.
    pub(super) failed: u64,
}

/// Answers the rows. `ready` is asked before each step with the number of rows after it
/// and may end the work; `take` gets the lines. Both run on the calling thread, which
/// blocks.
pub(super) fn process<B>(
    work: &Work<'_>,
    mut ready: impl FnMut(u64) -> ControlFlow<B>,
    mut take: impl FnMut(Lines) -> io::Result<()>,
) -> io::Result<ControlFlow<B>> {
    // Slow answers in small steps, so that progress is seen and much is kept at a cancel.
    let most = match work.answerer.concurrency() {
        1 => MOST_ROWS,
        several => several.saturating_mul(2).min(MOST_ROWS),
    };
    let steps = steps(&work.imported.rows, work.step.clamp(1, most));
    let workers = thread::available_parallelism().map_or(1, NonZero::get).clamp(1, 8).min(steps.len().max(1));
    thread::scope(|scope| {
        let spawn = |worker| {
            // Each worker takes every so-many-th step and runs at most one ahead.
            let (sender, receiver) = sync_channel(1);
            let steps = &steps;
            let thread = thread::Builder::new().name("emulator-answer".to_owned());
            thread.spawn_scoped(scope, move || run(work, steps, worker, workers, &sender))?;
            Ok(receiver)
        };
        let receivers = (0..workers).map(spawn).collect::<io::Result<Vec<Receiver<io::Result<Lines>>>>>()?;
        for (step, receiver) in (0..steps.len()).zip(receivers.iter().cycle()) {
            let after = steps.get(step).map_or(0, |range| range.end as u64);
            if let ControlFlow::Break(reason) = ready(after) {
                return Ok(ControlFlow::Break(reason));
            }
            let Ok(lines) = receiver.recv() else {
                // A worker ends without a word when the work was halted meanwhile.
                return match ready(after) {
                    ControlFlow::Break(reason) => Ok(ControlFlow::Break(reason)),
                    ControlFlow::Continue(()) => Err(io::Error::other("a worker ended unexpectedly")),
                };
            };
            take(lines?)?;
        }
        Ok(ControlFlow::Continue(()))
    })
}

/// Cuts the rows into steps.
fn steps(rows: &[Row], most: usize) -> Vec<Range<usize>> {
    let mut steps = Vec::new();
    let (mut start, mut bytes) = (0, 0_u64);
    for (at, row) in rows.iter().enumerate() {
        let length = u64::from(row.length);
        if at > start && (at - start == most || bytes + length > MOST_BYTES) {
            steps.push(start..at);
            (start, bytes) = (at, 0);
        }
        bytes += length;
    }
    if start < rows.len() {
        steps.push(start..rows.len());
    }
    steps
}

/// One worker: ends when its steps are done or nobody takes them any more.
fn run(work: &Work<'_>, steps: &[Range<usize>], worker: usize, workers: usize, sender: &SyncSender<io::Result<Lines>>) {
    let mut reader = Reader { work, files: HashMap::new() };
    let (mut buffer, mut memo, mut seconds) = (Vec::new(), Memo::default(), Seconds::default());
    for range in steps.iter().skip(worker).step_by(workers) {
        let rows = work.imported.rows.get(range.clone()).unwrap_or_default();
        let Some(lines) = answer(work, rows, &mut reader, &mut buffer, &mut memo, &mut seconds).transpose() else {
            return;
        };
        let failed = lines.is_err();
        if sender.send(lines).is_err() || failed {
            return;
        }
    }
}

/// Reads rows where they stand.
struct Reader<'w> {
    work: &'w Work<'w>,
    files: HashMap<u32, Box<dyn ReadSeek + Send>>,
}

impl Reader<'_> {
    /// Reads rows into a buffer that is kept, one behind the other.
    fn read<'b>(&mut self, rows: &[Row], buffer: &'b mut Vec<u8>) -> io::Result<Vec<&'b str>> {
        let length = rows.iter().map(|row| row.length as usize).sum();
        // One long row is no reason to keep as much for all that follow.
        if buffer.len() < length || buffer.len() as u64 > 2 * MOST_BYTES {
            *buffer = vec![0; length];
        }
        let mut rest = buffer.as_mut_slice();
        let mut texts = Vec::with_capacity(rows.len());
        for row in rows {
            let (bytes, behind) = rest.split_at_mut(row.length as usize);
            rest = behind;
            self.file(*row)?.read_exact_at(bytes, row.offset)?;
            texts.push(simdutf8::basic::from_utf8(bytes).map_err(io::Error::other)?);
        }
        Ok(texts)
    }

    fn file(&mut self, row: Row) -> io::Result<&mut (dyn ReadSeek + Send)> {
        let file = match self.files.entry(row.file) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => {
                let reader = self.work.imported.source.open(self.work.objects, row.file)?;
                entry.insert(reader)
            }
        };
        Ok(&mut **file)
    }
}

/// A row on its way.
struct Prepared<'a> {
    row: Row,
    tree: Tree<'a>,
    text: &'a str,
    hash: u128,
    /// The members of its request that are known.
    met: Met,
    fault: Option<RowFault>,
    /// What is already known to come out of it.
    known: Option<Known>,
}

/// What comes out of a row that is not answered.
enum Known {
    /// It was answered by an earlier job, and stays as it is.
    Done,
    /// It fails.
    Failed(RowError),
}

/// Answers some rows; none where the work is halted before.
fn answer(
    work: &Work<'_>,
    rows: &[Row],
    reader: &mut Reader<'_>,
    buffer: &mut Vec<u8>,
    memo: &mut Memo,
    seconds: &mut Seconds,
) -> io::Result<Option<Lines>> {
    let mut lines = Lines { rows: rows.len() as u64, ..Lines::default() };
    let texts = reader.read(rows, buffer)?;
    let length: usize = texts.iter().map(|text| text.len() + MOST_ADDED).sum();
    lines.bytes.reserve(length);
    let mut canonical = Vec::new();
    let mut prepared: Vec<Prepared<'_>> = Vec::with_capacity(rows.len());
    for (row, text) in rows.iter().zip(&texts) {
        // What was retyped in one row may stand as text at another place of the next.
        let before = prepared.last().map(|row| &row.tree).filter(|_| !work.retype);
        // The import has parsed it before, so an error is about a row that changed since.
        let tree = Tree::parse_after(text, before).map_err(io::Error::other)?;
        prepared.push(prepare(work, *row, text, tree, memo, &mut canonical));
    }
    let memo = &*memo;
    let replies = stream::iter(&prepared)
        .map(|row| async {
            match (&row.known, row.tree.root().get("request")) {
                (None, Some(request)) => {
                    let config = request.get_either("generationConfig", "generation_config");
                    let config = config.and_then(|config| memo.hash(&row.met, config));
                    let question = Question { request, model: work.model, hash: row.hash, config };
                    Some(work.answerer.answer(&question).await)
                }
                _ => None,
            }
        })
        .buffered(work.answerer.concurrency().max(1))
        .collect::<Vec<Option<Reply>>>();
    let replies = work.runtime.block_on(async {
        tokio::select! {
            biased;
            () = work.halted() => None,
            replies = replies => Some(replies),
        }
    });
    let Some(replies) = replies else {
        return Ok(None);
    };
    for (row, reply) in prepared.iter().zip(replies) {
        let start = lines.bytes.len();
        let successful = write(work, row, reply, memo, seconds, &mut lines.bytes)?;
        if successful {
            lines.successful += 1;
        } else {
            lines.failed += 1;
        }
        match row.fault {
            Some(RowFault::Drop) => lines.bytes.truncate(start),
            Some(RowFault::Duplicate) => lines.bytes.extend_from_within(start..),
            _ => {}
        }
    }
    Ok(Some(lines))
}

fn prepare<'a>(
    work: &Work<'_>,
    row: Row,
    text: &'a str,
    mut tree: Tree<'a>,
    memo: &mut Memo,
    canonical: &mut Vec<u8>,
) -> Prepared<'a> {
    let (mut prepared_hash, mut met) = (0, Met::default());
    let fault = work.faults.get(&row.place()).copied();
    let known = if is_done(tree.root()) {
        Some(Known::Done)
    } else {
        if work.retype {
            work.imported.shape.retype(&mut tree);
        }
        let request = tree.root().get("request");
        if let Some(request) = request {
            met = memo.meet(&tree, request, work.imported.shape.field("request"));
        }
        let checked = match request {
            Some(request) => check(request, &|value| memo.is_known(&met, value)),
            None => Err(RowError::invalid("The request is missing.")),
        };
        match checked {
            Err(error) => Some(Known::Failed(error)),
            Ok(()) if fault == Some(RowFault::Fail) => Some(Known::Failed(unlucky(row))),
            Ok(()) => {
                if let Some(request) = request {
                    canonical.clear();
                    let known = |value: Json<'_>| memo.canonical(&met, value);
                    canonical_request(request, Messages::get().request(), &known, canonical);
                    prepared_hash = hash(canonical);
                }
                None
            }
        }
    };
    Prepared { row, tree, text, hash: prepared_hash, met, fault, known }
}

/// The two errors that the service gives for no fault of the request.
fn unlucky(row: Row) -> RowError {
    if row.offset.is_multiple_of(2) {
        RowError {
            code: 429,
            message: "Resource exhausted. Please try again later. Please refer to https://cloud.google.com/vertex-ai/generative-ai/docs/error-code-429 for more details.".to_owned(),
        }
    } else {
        RowError { code: 500, message: "Internal error encountered.".to_owned() }
    }
}

/// Writes the line of a row; says whether the row was answered.
fn write(
    work: &Work<'_>,
    row: &Prepared<'_>,
    reply: Option<Reply>,
    memo: &Memo,
    seconds: &mut Seconds,
    out: &mut Vec<u8>,
) -> io::Result<bool> {
    if let Some(Known::Done) = row.known {
        out.extend_from_slice(row.text.as_bytes());
        out.push(b'\n');
        return Ok(true);
    }
    let seed = row.hash as u64 ^ (row.hash >> 64) as u64 ^ work.seed;
    let (created, processed) = times(work, seed);
    let spoiled = match row.fault {
        Some(RowFault::Spoil(spoiled)) => Some(spoiled),
        _ => None,
    };
    let reply = match reply {
        // A response that is to be spoiled is made anew around its answer.
        Some(Reply::Whole { status, response }) if spoiled.is_some() && status.is_empty() => {
            Some(Reply::Candidates(candidates_of(&response)))
        }
        other => other,
    };
    let (status, response) = match (&row.known, reply) {
        (Some(Known::Failed(error)), _) => (error.status(), work.no_response.to_vec()),
        (_, Some(Reply::Refused(error))) => (error.status(), work.no_response.to_vec()),
        (_, Some(Reply::Whole { status, response })) => (status, response),
        (_, Some(Reply::Candidates(candidates))) => {
            let stamp = Stamp {
                model: work.model,
                created: &seconds.proto(created),
                seed,
                place: row.row.offset.rotate_left(17) ^ u64::from(row.row.file),
                second_generation: work.config.lines != LineGeneration::First,
            };
            let mut response = Vec::with_capacity(1024);
            if let Some(request) = row.tree.root().get("request") {
                write_response(request, &candidates, spoiled, &stamp, &mut response);
            }
            (String::new(), response)
        }
        (_, None) => (RowError::invalid("The request is missing.").status(), work.no_response.to_vec()),
    };
    let from_table = matches!(work.imported.source, Source::Table(_));
    // What comes out of a table was never guessed at by a loader.
    let exact = match from_table {
        true => Some(serde_json::from_str::<Members<'_>>(row.text)?),
        false => None,
    };
    let verbatim = match (&exact, work.config.normalize_echo) {
        (Some(members), _) => members.get("request"),
        (None, true) => None,
        (None, false) => Some(verbatim(row.text)?),
    };
    let line = Line {
        row: row.tree.root(),
        verbatim,
        exact: exact.as_ref(),
        shape: &work.imported.shape,
        known: (memo, &row.met),
        pass_through: work.config.pass_through,
        status: &status,
        response: &response,
        processed: &match work.config.lines {
            LineGeneration::First => seconds.processed_first(processed),
            LineGeneration::Second => seconds.processed_second(processed),
        },
    };
    line::write(&line, work.config.lines, out);
    Ok(status.is_empty())
}

/// When a response was made and when its row was done. In the first generation the row
/// says that it was done shortly before the response was made, in the second shortly
/// after.
fn times(work: &Work<'_>, seed: u64) -> (Timestamp, Timestamp) {
    let now = timestamp(work.clock);
    let earlier =
        Timestamp::from_microsecond(now.as_microsecond() - (seed % 900_000) as i64).unwrap_or(now).max(work.started);
    match work.config.lines {
        LineGeneration::First => (now, earlier),
        LineGeneration::Second => (earlier, now),
    }
}

/// The text of the request in a row.
fn verbatim(text: &str) -> io::Result<&str> {
    #[derive(Deserialize)]
    struct OnlyRequest<'a> {
        #[serde(borrow)]
        request: &'a RawValue,
    }
    let row: OnlyRequest<'_> = serde_json::from_str(text)?;
    Ok(row.request.get())
}
