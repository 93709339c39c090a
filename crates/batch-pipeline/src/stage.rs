//! Building and staging at once: request lines are built on a thread of their own and flow, a piece at
//! a time, into the store. Nothing is written to disk on the way, and no line is built twice in a row.

use std::{
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
};

use batch_backend::{Columns, RequestSink};
use batch_io::{KeySpec, RequestLines, RequestTemplate, Table};
use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;

use crate::{
    Backends, Context, CutShard, Error, Event, Kind, Result, RunDir, Spec, cache,
    cut::{Cutter, check_length},
    manifest::ManifestWriter,
    records::RecordSet,
    request::request_spec,
    selection::Selected,
    state::{CACHED_LIST, RunState, Shard, StagedState},
};

/// How many bytes travel at once from the builder to the store.
const PIECE: usize = 1 << 20;
/// How many pieces may wait between them: what is held in memory is their product.
const WAITING: usize = 4;

/// What the builder sends.
enum Piece {
    /// A shard begins.
    Begin(usize),
    /// Bytes of its request lines.
    Bytes { bytes: Bytes, records: u64 },
    /// It has ended.
    End(CutShard),
}

/// Sees to it that every shard of the run and of its rounds lies where the service reads it.
pub(crate) async fn stage(run: &mut RunDir, backends: &Backends, context: &Context) -> Result<()> {
    select(run).await?;
    take_from_cache(run, context).await?;
    stage_round(run, 0, backends, context).await?;
    let rounds = run.state().rounds.iter().filter(|round| round.resumed.is_empty()).map(|round| round.number);
    for round in rounds.collect::<Vec<_>>() {
        stage_round(run, round, backends, context).await?;
    }
    Ok(())
}

/// Finds out which records are asked about, unless that is known.
async fn select(run: &mut RunDir) -> Result<()> {
    let state = run.state();
    if state.selection.is_none() || state.selected.is_some() {
        return Ok(());
    }
    let (input, digest, spec) = (state.input_path(), state.input.digest.clone(), state.spec.clone());
    let selection = state.selection;
    let selecting = tokio::task::spawn_blocking(move || Selected::of(selection, &input, &digest, &spec));
    let selected = selecting.await.map_err(|error| Error::new(Kind::Bug, "select records").with_source(error))??;
    run.update(|state| state.selected = Some(selected))
}

/// Finds out which records are answered already, unless that is known or too late.
async fn take_from_cache(run: &mut RunDir, context: &Context) -> Result<()> {
    let state = run.state();
    let Some(cache) = state.cache.clone() else { return Ok(()) };
    if state.cached.is_none() && !state.staged && state.shards.is_empty() {
        let (root, spec, input) = (run.path().to_owned(), state.spec.clone(), state.input_path());
        let selected = state.selected.unwrap_or(Selected::All);
        let taking = tokio::task::spawn_blocking(move || cache::reuse(&root, &spec, &input, selected, &cache));
        let cached =
            taking.await.map_err(|error| Error::new(Kind::Bug, "look into the cache").with_source(error))??;
        run.update(|state| state.cached = Some(cached))?;
    }
    let records = run.state().cached_records();
    if 0 < records {
        context.events.send(&Event::Cached { records });
    }
    Ok(())
}

async fn stage_round(run: &mut RunDir, round: u32, backends: &Backends, context: &Context) -> Result<()> {
    let found = verify(run, round, backends, context).await?;
    let state = run.state();
    let complete = state.round(round).map_or(state.staged, |round| round.staged);
    if complete && found.iter().all(|found| *found) {
        return Ok(());
    }
    let (sender, mut pieces) = mpsc::channel(WAITING);
    let known: Vec<&Shard> = state.shards.iter().filter(|shard| shard.round == round).collect();
    let builder = Builder {
        root: run.path().to_owned(),
        input: state.input_path(),
        spec: state.spec_of(round),
        wanted: match state.round(round) {
            None => Wanted::Selected {
                selected: state.selected.unwrap_or(Selected::All),
                cached: (0 < state.cached_records()).then(|| run.path().join(CACHED_LIST)),
            },
            Some(round) => Wanted::Listed(run.path().join(&round.list)),
        },
        first: state.shards.iter().filter(|shard| shard.round < round).count(),
        known: known.into_iter().zip(&found).map(|(shard, found)| (built_of(shard), *found)).collect(),
        complete,
        pieces: sender,
    };
    let building = tokio::task::spawn_blocking(move || builder.build());
    let staged = receive(run, round, &mut pieces, backends, context).await;
    // The builder stops at its next piece where nobody takes any more.
    drop(pieces);
    let built = building.await.map_err(|error| Error::new(Kind::Bug, "build request lines").with_source(error))?;
    // What the store refuses is the cause, and the builder's complaint about it the consequence; and
    // the other way round where the builder failed.
    match (staged, built) {
        (Err(error), Ok(()) | Err(Halt::NobodyListens)) | (_, Err(Halt::Failed(error))) => Err(error),
        (Ok(()), Err(Halt::NobodyListens)) => Err(Error::new(Kind::Bug, "the builder stopped too early")),
        (Ok(()), Ok(())) => run.update(|state| *is_staged(state, round) = true),
    }
}

fn is_staged(state: &mut RunState, round: u32) -> &mut bool {
    match state.rounds.iter_mut().find(|other| other.number == round) {
        Some(round) => &mut round.staged,
        None => &mut state.staged,
    }
}

/// For each shard of a round that was staged before, whether it lies there as it was.
async fn verify(run: &RunDir, round: u32, backends: &Backends, context: &Context) -> Result<Vec<bool>> {
    let mut all = Vec::new();
    for shard in run.state().shards.iter().filter(|shard| shard.round == round) {
        context.stop.check()?;
        // What a job has read already need not lie there any more.
        if shard.attempts.iter().any(|attempt| attempt.job.is_some()) {
            all.push(true);
            continue;
        }
        let found = backends.input.find(&shard.staged.name).await.map_err(|error| {
            Error::new(Kind::Backend, format!("look for shard {} where it was staged", shard.index)).with_source(error)
        })?;
        let found = found.is_some_and(|found| shard.staged.is(&found));
        if found {
            context.events.send(&staged_event(shard, true));
        }
        all.push(found);
    }
    Ok(all)
}

pub(crate) fn staged_event(shard: &Shard, found: bool) -> Event {
    let uri = shard.staged.input.uris().first().map_or_else(String::new, |uri| (*uri).to_owned());
    Event::Staged { shard: shard.index, records: shard.records, bytes: shard.bytes, uri, found }
}

/// Takes the builder's pieces into the store.
async fn receive(
    run: &mut RunDir,
    round: u32,
    pieces: &mut mpsc::Receiver<Piece>,
    backends: &Backends,
    context: &Context,
) -> Result<()> {
    let columns = Columns::new(pass_through(&run.state().spec_of(round)));
    let mut sink: Option<(usize, String, Box<dyn RequestSink>)> = None;
    let (mut records, mut bytes) = (0, 0);
    let outcome = loop {
        if let Err(stopped) = context.stop.check() {
            break Err(stopped);
        }
        let Some(piece) = pieces.recv().await else { break Ok(()) };
        let step: Result<()> = async {
            match piece {
                Piece::Begin(index) => {
                    let name = format!("{}/s{index:05}", run.state().id);
                    let created = backends.input.create(&name, &columns).await.map_err(|error| failed(index, error))?;
                    sink = Some((index, name, created));
                }
                Piece::Bytes { bytes: piece, records: of_piece } => {
                    records += of_piece;
                    bytes += piece.len() as u64;
                    if let Some((index, _, sink)) = &mut sink {
                        sink.write(piece).await.map_err(|error| failed(*index, error))?;
                    }
                    context.events.send(&Event::Staging { records, bytes });
                }
                Piece::End(built) => {
                    let Some((_, name, sink)) = sink.take() else { return Ok(()) };
                    let staged = sink.finish().await.map_err(|error| failed(built.index, error))?;
                    let staged = StagedState::new(name, &staged);
                    let event = run.update(|state| {
                        let CutShard { index, first, records, bytes, digest } = built;
                        // Of a shard that is staged again: an intent may have become a job.
                        let place = state.shards.get_mut(index);
                        let attempts = place.map(|place| std::mem::take(&mut place.attempts)).unwrap_or_default();
                        let shard = Shard { index, round, first, records, bytes, digest, staged, attempts };
                        let event = staged_event(&shard, false);
                        if let Some(place) = state.shards.get_mut(index) {
                            *place = shard;
                        } else {
                            state.shards.push(shard);
                        }
                        event
                    })?;
                    context.events.send(&event);
                }
            }
            Ok(())
        }
        .await;
        if step.is_err() {
            break step;
        }
    };
    // A shard that was begun and not ended is not wanted: the builder failed, or we stop.
    if let Some((_, _, sink)) = sink
        && let Err(error) = sink.abort().await
    {
        tracing::warn!(%error, "what was staged half could not be removed");
    }
    outcome
}

fn failed(shard: usize, error: batch_backend::Error) -> Error {
    Error::new(Kind::Backend, format!("stage the request lines of shard {shard}")).with_source(error)
}

/// The pass-through columns: in a CSV every value is a text.
fn pass_through(spec: &Spec) -> Vec<batch_backend::Column> {
    let column = |name: &String| batch_backend::Column { name: name.clone(), kind: batch_backend::ColumnKind::String };
    spec.request.columns.iter().map(column).collect()
}

fn built_of(shard: &Shard) -> CutShard {
    let Shard { index, first, records, bytes, .. } = *shard;
    CutShard { index, first, records, bytes, digest: shard.digest.clone() }
}

/// Why the builder stopped before the end.
enum Halt {
    /// The store's side is gone, and knows why.
    NobodyListens,
    /// The input cannot be built.
    Failed(Error),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<batch_io::Error> for Halt {
    fn from(error: batch_io::Error) -> Self {
        Self::Failed(Error::new(Kind::Input, "build request lines").with_source(error))
    }
}

/// The records whose request lines are built.
enum Wanted {
    /// Those that are selected, but for a list of those that are answered already.
    Selected { selected: Selected, cached: Option<PathBuf> },
    /// Those of a list on disk.
    Listed(PathBuf),
}

/// Builds request lines, and cuts them into shards at the limits.
struct Builder {
    root: PathBuf,
    input: PathBuf,
    spec: Spec,
    wanted: Wanted,
    /// The index of the first shard that is cut: those before are of earlier rounds.
    first: usize,
    /// The shards of an earlier process, and whether they are to be built again.
    known: Vec<(CutShard, bool)>,
    /// Whether `known` are all there are.
    complete: bool,
    pieces: mpsc::Sender<Piece>,
}

impl Builder {
    fn build(self) -> Result<(), Halt> {
        let listed = match &self.wanted {
            Wanted::Selected { cached: None, .. } => RecordSet::default(),
            Wanted::Selected { cached: Some(path), .. } | Wanted::Listed(path) => RecordSet::read(path)?,
        };
        let wanted = |index| match &self.wanted {
            Wanted::Selected { selected, .. } => selected.has(index) && !listed.has(index),
            Wanted::Listed(_) => listed.has(index),
        };
        let table = open_table(&self.input, &self.spec)?;
        let template = RequestTemplate::compile(&request_spec(&self.spec)?, table.columns())?;
        let mut manifest = ManifestWriter::create(&self.root, self.first)?;
        let mut lines = RequestLines::new(table, &template, &key_spec(&self.spec))?;
        let mut cut = Cut::new(&self);
        let mut line = Vec::new();
        while let Some(info) = lines.next_line_if(&mut line, wanted)? {
            let index = info.index;
            let length = info.length as u64;
            check_length(&self.input, &info, &self.spec.limits)?;
            if let Some(ended) = cut.cutter.before(length) {
                cut.end(ended)?;
            }
            manifest.add(info.key, index, self.first + cut.cutter.index(), &line)?;
            cut.add(index, &line)?;
            line.clear();
        }
        if let Some(ended) = cut.cutter.end() {
            cut.end(ended)?;
        }
        if self.complete && cut.cutter.index() != self.known.len() {
            return Err(cut.changed());
        }
        // Before the state says that all is staged: whoever reads that finds the manifest.
        manifest.place()?;
        Ok(())
    }
}

/// The input table of a spec, before its first record.
///
/// # Errors
/// The file cannot be read, or its header is no header.
pub fn open_table(input: &Path, spec: &Spec) -> Result<Table<BufReader<File>>> {
    let file = File::open(input).map_err(|error| Error::io(Kind::Input, "read the input", input, error))?;
    let format = spec.table_format().map_err(|error| Error::new(Kind::Spec, error))?;
    let table = Table::new(BufReader::with_capacity(1 << 18, file), &input.display().to_string(), format);
    table.map_err(|error| Error::new(Kind::Input, "read the input").with_source(error))
}

/// How the records of a spec get their keys.
#[must_use]
pub fn key_spec(spec: &Spec) -> KeySpec {
    spec.input.key.clone().map_or(KeySpec::Index, KeySpec::Column)
}

/// The shard that is being built, on its way to the store.
struct Cut<'a> {
    builder: &'a Builder,
    cutter: Cutter,
    /// Whether the shard's bytes are sent, once one is begun.
    open: Option<bool>,
    piece: BytesMut,
    of_piece: u64,
}

impl<'a> Cut<'a> {
    fn new(builder: &'a Builder) -> Self {
        let cutter = Cutter::new(&builder.spec.limits);
        Self { builder, cutter, open: None, piece: BytesMut::with_capacity(PIECE), of_piece: 0 }
    }

    fn add(&mut self, record: u64, line: &[u8]) -> Result<(), Halt> {
        let sends = match self.open {
            Some(sends) => sends,
            None => {
                let index = self.cutter.index();
                let sends = self.builder.known.get(index).is_none_or(|(_, found)| !found);
                if sends {
                    self.send(Piece::Begin(self.builder.first + index))?;
                }
                *self.open.insert(sends)
            }
        };
        self.cutter.add(record, line);
        if sends {
            self.piece.extend_from_slice(line);
            self.of_piece += 1;
            if PIECE <= self.piece.len() {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Halt> {
        let bytes = self.piece.split().freeze();
        self.piece.reserve(PIECE);
        let records = std::mem::take(&mut self.of_piece);
        if bytes.is_empty() { Ok(()) } else { self.send(Piece::Bytes { bytes, records }) }
    }

    fn end(&mut self, cut: CutShard) -> Result<(), Halt> {
        let known = self.builder.known.get(cut.index);
        let built = CutShard { index: self.builder.first + cut.index, ..cut };
        if known.is_some_and(|(known, _)| *known != built) {
            return Err(self.changed());
        }
        if self.open.take() == Some(true) {
            self.flush()?;
            self.send(Piece::End(built))?;
        }
        Ok(())
    }

    fn send(&self, piece: Piece) -> Result<(), Halt> {
        self.builder.pieces.blocking_send(piece).map_err(|_| Halt::NobodyListens)
    }

    fn changed(&self) -> Halt {
        let message =
            format!("{} builds other request lines than when the run was begun", self.builder.input.display());
        Halt::Failed(Error::new(Kind::Input, message).with_hint("begin a new run with --new"))
    }
}
