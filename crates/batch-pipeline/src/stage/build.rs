//! Request lines, built by threads in turn and cut into shards on their way.

use std::path::PathBuf;

use batch_io::{Build, RequestTemplate};
use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;

use super::{key_spec, open_table};
use crate::{
    CutShard, Error, Kind, Spec,
    cut::{Cutter, check_length},
    manifest::ManifestWriter,
    records::RecordSet,
    request::request_spec,
    selection::Selected,
};

/// How many bytes travel at once from the builder to the store; a longer line travels alone.
const PIECE: usize = 256 << 10;
/// How many pieces of a shard may wait for the store, beside the one that is being filled.
const WAITING: usize = 2;

/// A shard that the builder has begun.
pub(super) struct Begun {
    pub(super) index: usize,
    /// Its request lines. Without [`Piece::End`] at their end they are not all.
    pub(super) pieces: mpsc::Receiver<Piece>,
}

/// A part of a shard.
pub(super) enum Piece {
    /// Bytes of its request lines, cut between two of them.
    Lines { bytes: Bytes, records: u64 },
    /// It has ended.
    End(CutShard),
}

/// Why the builder stopped before the end.
pub(super) enum Halt {
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
pub(super) enum Wanted {
    /// Those that are selected, but for a list of those that are answered already.
    Selected { selected: Selected, cached: Option<PathBuf> },
    /// Those of a list on disk.
    Listed(PathBuf),
}

/// Builds request lines, and cuts them into shards at the limits.
pub(super) struct Builder {
    pub(super) root: PathBuf,
    pub(super) input: PathBuf,
    pub(super) spec: Spec,
    pub(super) wanted: Wanted,
    /// The index of the first shard that is cut: those before are of earlier rounds.
    pub(super) first: usize,
    /// The shards of an earlier process, and whether they lie there, so that they are not sent.
    pub(super) known: Vec<(CutShard, bool)>,
    /// Whether `known` are all there are.
    pub(super) complete: bool,
    /// Where shards go. One that nobody has taken yet waits there, with its pieces.
    pub(super) shards: mpsc::Sender<Begun>,
}

impl Builder {
    pub(super) fn build(self) -> Result<(), Halt> {
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
        let mut cut = Cut::new(&self);
        Build::new(&template, &key_spec(&self.spec)).only(wanted).lines(table, |info, line| {
            check_length(&self.input, &info, &self.spec.limits)?;
            if let Some(ended) = cut.cutter.before(info.length as u64) {
                cut.end(ended)?;
            }
            manifest.add(info.key, info.index, self.first + cut.cutter.index(), line)?;
            cut.add(info.index, line)
        })?;
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

/// The shard that is being built, on its way to the store.
struct Cut<'a> {
    builder: &'a Builder,
    cutter: Cutter,
    /// Where the shard goes, once one is begun; nowhere where it lies there already.
    open: Option<Option<mpsc::Sender<Piece>>>,
    piece: BytesMut,
    of_piece: u64,
}

impl<'a> Cut<'a> {
    fn new(builder: &'a Builder) -> Self {
        let cutter = Cutter::new(&builder.spec.limits);
        Self { builder, cutter, open: None, piece: BytesMut::new(), of_piece: 0 }
    }

    fn add(&mut self, record: u64, line: &[u8]) -> Result<(), Halt> {
        let sends = match &self.open {
            Some(to) => to.is_some(),
            None => {
                let to = self.begin()?;
                self.open.insert(to).is_some()
            }
        };
        self.cutter.add(record, line);
        if sends {
            // Before it is too long: what grows is held twice for a moment.
            if PIECE < self.piece.len() + line.len() {
                self.flush()?;
            }
            if self.piece.is_empty() {
                self.piece.reserve(PIECE.max(line.len()));
            }
            self.piece.extend_from_slice(line);
            self.of_piece += 1;
        }
        Ok(())
    }

    fn begin(&self) -> Result<Option<mpsc::Sender<Piece>>, Halt> {
        let index = self.cutter.index();
        if self.builder.known.get(index).is_some_and(|(_, found)| *found) {
            return Ok(None);
        }
        let (sender, pieces) = mpsc::channel(WAITING);
        let begun = Begun { index: self.builder.first + index, pieces };
        self.builder.shards.blocking_send(begun).map_err(|_| Halt::NobodyListens)?;
        Ok(Some(sender))
    }

    fn flush(&mut self) -> Result<(), Halt> {
        let bytes = std::mem::take(&mut self.piece).freeze();
        let records = std::mem::take(&mut self.of_piece);
        if bytes.is_empty() { Ok(()) } else { self.send(Piece::Lines { bytes, records }) }
    }

    fn end(&mut self, cut: CutShard) -> Result<(), Halt> {
        let known = self.builder.known.get(cut.index);
        let built = CutShard { index: self.builder.first + cut.index, ..cut };
        if known.is_some_and(|(known, _)| *known != built) {
            return Err(self.changed());
        }
        if matches!(self.open, Some(Some(_))) {
            self.flush()?;
            self.send(Piece::End(built))?;
        }
        self.open = None;
        Ok(())
    }

    fn send(&self, piece: Piece) -> Result<(), Halt> {
        let Some(Some(to)) = &self.open else { return Ok(()) };
        to.blocking_send(piece).map_err(|_| Halt::NobodyListens)
    }

    fn changed(&self) -> Halt {
        let message =
            format!("{} builds other request lines than when the run was begun", self.builder.input.display());
        Halt::Failed(Error::new(Kind::Input, message).with_hint("begin a new run with --new"))
    }
}
