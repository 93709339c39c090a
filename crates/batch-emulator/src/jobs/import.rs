//! Reading all rows once: where they stand, and whether they load.
//!
//! The service loads the rows into a table whose columns it guesses from them, and fails
//! the whole job over one row that does not fit. Its sentences are those of the loader.

use std::collections::HashSet;
use std::io::{self, BufRead, BufReader};
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use memchr::memchr;
use tokio_util::sync::CancellationToken;

use super::glob;
use super::record::JobError;
use super::source::GcsUri;
use crate::bigquery::TableLines;
use crate::json::{Json, Place, Shape, Tree, View};
use crate::storage::{ObjectMeta, Objects, ReadSeek, StoreError};

/// The longest row that the loader takes: 100 MB.
const LONGEST_ROW: u64 = 100 * 1024 * 1024;

/// The most columns of a table.
const MOST_COLUMNS: usize = 10_000;

/// The most files; their numbers have 16 bits.
const MOST_FILES: usize = 65_536;

/// How many bytes of rows a worker gets at once.
const BLOCK: usize = 1 << 20;

/// What the service adds to a row; not part of what is loaded.
pub(super) const ADDED: [&str; 3] = ["status", "response", "processed_time"];

/// The rows of a job.
#[derive(Debug)]
pub(super) struct Imported {
    /// Where the rows stand.
    pub(super) source: Source,
    /// Where the rows stand, in the order of the files.
    pub(super) rows: Vec<Row>,
    /// What all rows together look like.
    pub(super) shape: Shape,
}

/// What rows stand in.
#[derive(Debug)]
pub(super) enum Source {
    /// The files in the order of the job's URIs, each once.
    Files(Vec<ObjectMeta>),
    /// The lines that a table was written as.
    Table(TableLines),
}

impl Source {
    /// Opens one of its files.
    pub(super) fn open(&self, objects: &Objects, file: u32) -> io::Result<Box<dyn ReadSeek + Send>> {
        match self {
            Source::Files(files) => {
                let file = files.get(file as usize).ok_or_else(|| io::Error::other("a row has no file"))?;
                // Of the generation that was imported: another has other rows.
                let opened = objects.reader_of(&file.bucket, &file.name, Some(file.generation));
                opened.map(|(_, reader)| reader).map_err(io::Error::other)
            }
            Source::Table(lines) => lines.open(),
        }
    }
}

/// Where a row stands: 16 bytes are held for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) offset: u64,
    pub(super) length: u32,
    pub(super) file: u32,
}

impl Row {
    pub(super) fn place(self) -> Place {
        Place::new(self.file, self.offset)
    }
}

/// Why there are no rows.
#[derive(Debug)]
pub(super) enum Refused {
    /// The job fails.
    Failed(JobError),
    /// Nobody waits for the rows any more.
    Stopped,
}

impl Refused {
    pub(super) fn because(message: impl AsRef<str>) -> Refused {
        Refused::Failed(JobError::import(message))
    }
}

/// Reads every row of every file, `most` of them at most. Blocks; uses all processors.
pub(super) fn import(
    objects: &Objects,
    uris: &[GcsUri],
    most: usize,
    stop: &CancellationToken,
) -> Result<Imported, Refused> {
    let files = find(objects, uris)?;
    let workers = thread::available_parallelism().map_or(1, NonZero::get).min(8);
    let (sender, receiver) = sync_channel::<Block>(workers * 2);
    let receiver = Mutex::new(receiver);
    let failed = AtomicBool::new(false);
    let (rows, parts) = thread::scope(|scope| {
        let spawn = |_| {
            let thread = thread::Builder::new().name("emulator-import".to_owned());
            thread.spawn_scoped(scope, || observe(&receiver, &failed))
        };
        let workers = (0..workers).map(spawn).collect::<io::Result<Vec<_>>>();
        let workers = workers.map_err(|error| Refused::Failed(JobError::internal(error.to_string())))?;
        let mut rows = Vec::new();
        let mut read = Ok(());
        for (number, file) in files.iter().enumerate() {
            let number = number as u32;
            let mut send = |block: Block| {
                let gone = sender.send(block).is_err();
                gone || failed.load(Ordering::Relaxed) || stop.is_cancelled()
            };
            read = frame(objects, file, number, &mut rows, &mut send);
            if read.is_err() || rows.len() > most || failed.load(Ordering::Relaxed) || stop.is_cancelled() {
                break;
            }
        }
        drop(sender);
        let parts: Vec<_> = workers.into_iter().map(thread::ScopedJoinHandle::join).collect();
        read.map(|()| (rows, parts))
    })?;
    if stop.is_cancelled() {
        return Err(Refused::Stopped);
    }
    let mut shape = Shape::default();
    let mut first: Option<Fault> = None;
    for part in parts {
        let Ok((part, fault)) = part else {
            return Err(Refused::Failed(JobError::internal("The import ended unexpectedly.")));
        };
        shape.merge(part);
        if let Some(fault) = fault
            && first.as_ref().is_none_or(|first| fault.place < first.place)
        {
            first = Some(fault);
        }
    }
    let columns = shape.columns();
    if let Some(conflict) = shape.conflict()
        && first.as_ref().is_none_or(|first| conflict.place < first.place)
    {
        first = Some(Fault { place: conflict.place, message: in_row(conflict.place, &conflict.message) });
    }
    if let Some(fault) = first {
        let file = files.get(fault.place.file());
        let uri = file.map(|file| format!(" File: gs://{}/{}", file.bucket, file.name));
        return Err(Refused::because(format!("{}{}", fault.message, uri.unwrap_or_default())));
    }
    if columns > MOST_COLUMNS {
        return Err(too_many_columns(columns));
    }
    check_count(rows.len(), most)?;
    Ok(Imported { source: Source::Files(files), rows, shape })
}

/// Refuses an input of no rows, or of too many.
pub(super) fn check_count(rows: usize, most: usize) -> Result<(), Refused> {
    if rows > most {
        // The limit is documented, the sentence is likely.
        return Err(Refused::because(format!("The input has more than {most} requests, the limit of one job.")));
    }
    if rows == 0 {
        return Err(Refused::because("The input has no rows."));
    }
    Ok(())
}

fn too_many_columns(columns: usize) -> Refused {
    Refused::because(format!("Too many total leaf fields: {columns}, max allowed field count: {MOST_COLUMNS}"))
}

/// The objects that the URIs name.
fn find(objects: &Objects, uris: &[GcsUri]) -> Result<Vec<ObjectMeta>, Refused> {
    let mut files = Vec::new();
    let mut seen = HashSet::new();
    for uri in uris {
        let missing = || Refused::because(format!("Not found: URI {}", uri.uri()));
        let prefix = uri.name.split('*').next().unwrap_or_default();
        let found = match objects.list(&uri.bucket, prefix) {
            Ok(found) => found,
            Err(StoreError::NoBucket(_)) => return Err(missing()),
            Err(error) => return Err(Refused::because(error.to_string())),
        };
        let before = seen.len();
        let mut again = false;
        for file in found {
            if !glob::matches(&uri.name, &file.name) {
                continue;
            }
            if seen.insert((file.bucket.clone(), file.name.clone())) {
                files.push(file);
            } else {
                again = true;
            }
        }
        if seen.len() == before && !again {
            return Err(missing());
        }
    }
    if files.len() > MOST_FILES {
        return Err(Refused::because(format!("Too many input files: {}", files.len())));
    }
    Ok(files)
}

/// Rows of one file, one after the other.
struct Block {
    rows: Vec<Row>,
    bytes: Vec<u8>,
}

/// Cuts a file into rows and hands them out in blocks, until `send` says to stop. A mark
/// at the start, blank lines and carriage returns are tolerated.
fn frame(
    objects: &Objects,
    file: &ObjectMeta,
    number: u32,
    rows: &mut Vec<Row>,
    send: &mut impl FnMut(Block) -> bool,
) -> Result<(), Refused> {
    let unreadable = |error: &dyn std::fmt::Display| {
        Refused::because(format!(
            "Error while reading data, error message: {error} File: gs://{}/{}",
            file.bucket, file.name
        ))
    };
    let (_, reader) =
        objects.reader_of(&file.bucket, &file.name, Some(file.generation)).map_err(|error| unreadable(&error))?;
    let mut reader = BufReader::with_capacity(BLOCK, reader);
    let mut block = Block { rows: Vec::new(), bytes: Vec::with_capacity(BLOCK) };
    let mut offset = 0_u64;
    let mark = reader.fill_buf().map_err(|error| unreadable(&error))?;
    if mark.starts_with(b"\xef\xbb\xbf") {
        reader.consume(3);
        offset = 3;
    }
    loop {
        let start = block.bytes.len();
        let length = read_row(&mut reader, &mut block.bytes).map_err(|error| unreadable(&error))?;
        if length == 0 {
            break;
        }
        let place = offset;
        offset += length as u64;
        let Some(line) = block.bytes.get(start..) else {
            break;
        };
        let row = line.trim_ascii_end();
        let blank = row.trim_ascii_start().is_empty();
        let length = row.len();
        if blank {
            block.bytes.truncate(start);
            continue;
        }
        if length as u64 > LONGEST_ROW {
            let problem = in_row(Place::new(number, place), &format!("Row size is larger than: {LONGEST_ROW}."));
            return Err(Refused::because(format!("{problem} File: gs://{}/{}", file.bucket, file.name)));
        }
        block.bytes.truncate(start + length);
        let row = Row { offset: place, length: length as u32, file: number };
        rows.push(row);
        block.rows.push(row);
        if block.bytes.len() >= BLOCK {
            let full = Block {
                rows: std::mem::take(&mut block.rows),
                bytes: std::mem::replace(&mut block.bytes, Vec::with_capacity(BLOCK + BLOCK / 8)),
            };
            if send(full) {
                return Ok(());
            }
        }
    }
    if !block.rows.is_empty() {
        send(block);
    }
    Ok(())
}

/// Reads up to a line end, or a little more than the longest row.
fn read_row(reader: &mut impl BufRead, bytes: &mut Vec<u8>) -> io::Result<usize> {
    let mut left = LONGEST_ROW as usize + 2;
    let start = bytes.len();
    loop {
        let there = reader.fill_buf()?;
        let (length, is_end) = match memchr(b'\n', there) {
            Some(at) => (at + 1, true),
            None => (there.len(), there.is_empty()),
        };
        let taken = there.get(..length.min(left)).unwrap_or_default();
        bytes.extend_from_slice(taken);
        left -= taken.len();
        let length = taken.len();
        reader.consume(length);
        if is_end || left == 0 {
            return Ok(bytes.len() - start);
        }
    }
}

/// What is wrong with a row.
struct Fault {
    place: Place,
    message: String,
}

/// Takes in blocks until there are no more, or one has a fault.
fn observe(receiver: &Mutex<Receiver<Block>>, failed: &AtomicBool) -> (Shape, Option<Fault>) {
    let mut shape = Shape::default();
    let mut first: Option<Fault> = None;
    loop {
        let received = {
            let receiver = receiver.lock().unwrap_or_else(PoisonError::into_inner);
            receiver.recv()
        };
        let Ok(block) = received else {
            return (shape, first);
        };
        // After a fault the rest is only taken out of the way. Blocks come in order, so
        // that no earlier fault is missed.
        if first.is_some() {
            continue;
        }
        first = observe_block(&block, &mut shape);
        if first.is_some() || shape.columns() > MOST_COLUMNS {
            failed.store(true, Ordering::Relaxed);
        }
    }
}

fn observe_block(block: &Block, shape: &mut Shape) -> Option<Fault> {
    let (mut start, mut before) = (0, None);
    for row in &block.rows {
        let end = start + row.length as usize;
        let bytes = block.bytes.get(start..end).unwrap_or_default();
        start = end;
        match observe_row(bytes, before.as_ref(), row.place(), shape) {
            Ok(tree) => before = Some(tree),
            Err(message) => return Some(Fault { place: row.place(), message }),
        }
    }
    None
}

/// Takes in a row. What the row before has as well was taken in with that, and is not looked at again.
fn observe_row<'a>(
    bytes: &'a [u8],
    before: Option<&Tree<'a>>,
    place: Place,
    shape: &mut Shape,
) -> Result<Tree<'a>, String> {
    let text = simdutf8::basic::from_utf8(bytes).map_err(|_| in_row(place, "Input contains invalid UTF-8."))?;
    let tree = Tree::parse_new(text, before).map_err(|error| {
        in_row(place, if error.is_eof() { "Parser terminated before end of string" } else { "Unexpected token" })
    })?;
    let View::Object(members) = tree.root().view() else {
        return Err(in_row(
            place,
            match tree.root().view() {
                View::Array(_) => "Start of array encountered without start of object.",
                _ => "Value encountered without start of object.",
            },
        ));
    };
    if tree.root().get("request").is_none() {
        return Err(in_row(place, "Missing required field: request."));
    }
    for (name, value) in members {
        if ADDED.contains(&name) {
            continue;
        }
        shape.observe_field(name, value, place).map_err(|mut path| {
            path.reverse();
            format!("Unsupported empty struct type for field '{}'", path.join("."))
        })?;
    }
    Ok(tree)
}

fn in_row(place: Place, problem: &str) -> String {
    format!(
        "Error while reading data, error message: JSON parsing error in row starting at position {}: {problem}",
        place.offset()
    )
}

/// Whether a row comes from an earlier job's output and needs no answer any more: an empty
/// `status`, and a `response` with something in it.
pub(super) fn is_done(row: Json<'_>) -> bool {
    let status = row.get("status").and_then(Json::as_str);
    let response = row.get("response").map(Json::view);
    status == Some("") && matches!(response, Some(View::Object(members)) if !members.is_empty())
}
