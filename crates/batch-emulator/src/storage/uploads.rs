//! The sessions of resumable uploads.
//!
//! A session keeps what was received in blocks of 256 KiB, which is also the unit in
//! which the service takes it. With a data directory sessions outlive the process; those
//! older than a week are swept, as the service does.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::body::BodyReader;
use super::call::Call;
use super::checksums::Claims;
use super::disk;
use super::meta::{Attributes, ObjectMeta, Preconditions, StoreError};
use super::objects::Objects;
use super::resource;
use super::spool::{Spool, Spooled, remove};
use crate::clock::timestamp;
use crate::context::Context;
use crate::envelope::ApiError;

/// What uploads are for: objects, or the jobs of BigQuery.
pub(crate) trait Purpose: Clone + Debug + Send + Sync + 'static {
    /// What the client said when it began.
    type Session: Clone + Debug + Serialize + DeserializeOwned + Send + 'static;
    /// What comes of it.
    type Made: Clone + Debug + Serialize + DeserializeOwned + Send + 'static;

    /// Where unfinished uploads are kept, where anything is.
    fn directory(&self) -> Option<PathBuf>;

    /// Keeps a record.
    fn write<T: Serialize>(&self, path: &Path, record: &T) -> io::Result<()>;

    /// Takes the bytes. A failure is final.
    fn make(&self, session: &Self::Session, spooled: Spooled, claims: &Claims) -> Result<Self::Made, ApiError>;

    /// What the client is told in the end.
    fn show(&self, call: &Call, made: &Self::Made) -> Value;
}

/// The unit in which bytes are kept.
pub(super) const BLOCK: usize = 256 << 10;

/// How long a session lives.
const WEEK_MICROS: i64 = 7 * 24 * 60 * 60 * 1_000_000;

/// What the client said when it began.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Session {
    pub(super) bucket: String,
    pub(super) name: String,
    pub(super) attributes: Attributes,
    pub(super) preconditions: Preconditions,
    pub(super) claims: Claims,
}

impl Purpose for Objects {
    type Session = Session;
    type Made = ObjectMeta;

    fn directory(&self) -> Option<PathBuf> {
        Some(self.disk()?.uploads())
    }

    fn write<T: Serialize>(&self, path: &Path, record: &T) -> io::Result<()> {
        match self.disk() {
            Some(disk) => disk.write(path, record),
            None => Ok(()),
        }
    }

    fn make(&self, session: &Session, spooled: Spooled, claims: &Claims) -> Result<ObjectMeta, ApiError> {
        session.claims.check(&spooled)?;
        claims.check(&spooled)?;
        let attributes = session.attributes.clone();
        Ok(self.insert(&session.bucket, &session.name, spooled, attributes, 0, session.preconditions)?)
    }

    fn show(&self, call: &Call, made: &ObjectMeta) -> Value {
        resource::object(call, made)
    }
}

/// A session on disk.
#[derive(Serialize, Deserialize)]
struct Record<S, M> {
    session: S,
    created_micros: i64,
    /// What became of it.
    done: Option<M>,
}

/// One upload, in whatever state it is.
#[derive(Debug)]
pub(super) struct Upload<P: Purpose> {
    purpose: P,
    id: String,
    session: P::Session,
    created_micros: i64,
    spool: Option<Spool>,
    done: Option<P::Made>,
}

/// All uploads. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Uploads<P: Purpose> {
    purpose: P,
    uploads: Arc<Mutex<BTreeMap<String, SharedUpload<P>>>>,
}

/// An upload is one client's at a time: a retry waits until the request before it ended.
pub(super) type SharedUpload<P> = Arc<tokio::sync::Mutex<Upload<P>>>;

impl<P: Purpose> Uploads<P> {
    /// Reads the sessions of an earlier process.
    pub(crate) fn open(context: &Context, purpose: P) -> io::Result<Uploads<P>> {
        let mut uploads = BTreeMap::new();
        if let Some(directory) = purpose.directory() {
            let now = timestamp(&*context.clock).as_microsecond();
            for entry in std::fs::read_dir(directory)? {
                let path = entry?.path();
                if path.extension().is_none_or(|extension| extension != "json") {
                    continue;
                }
                let record: Record<P::Session, P::Made> = disk::read(&path)?;
                if now - record.created_micros > WEEK_MICROS {
                    remove(&path);
                    remove(&path.with_extension("body"));
                    continue;
                }
                let Some(id) = path.file_stem().and_then(|id| id.to_str()) else {
                    continue;
                };
                let upload = Upload {
                    purpose: purpose.clone(),
                    id: id.to_owned(),
                    session: record.session,
                    created_micros: record.created_micros,
                    spool: None,
                    done: record.done,
                };
                uploads.insert(id.to_owned(), Arc::new(tokio::sync::Mutex::new(upload)));
            }
        }
        Ok(Uploads { purpose, uploads: Arc::new(Mutex::new(uploads)) })
    }

    /// Begins an upload; returns its id.
    pub(crate) fn begin(&self, context: &Context, session: P::Session) -> io::Result<String> {
        let mut uploads = self.uploads.lock().unwrap_or_else(PoisonError::into_inner);
        // A restart draws the same numbers again.
        let id = loop {
            let (high, low) = (context.random.next_u64(), context.random.next_u64());
            let id = format!("{high:016x}{low:016x}");
            if !uploads.contains_key(&id) {
                break id;
            }
        };
        let upload = Upload {
            purpose: self.purpose.clone(),
            id: id.clone(),
            session,
            created_micros: timestamp(&*context.clock).as_microsecond(),
            spool: None,
            done: None,
        };
        upload.save()?;
        uploads.insert(id.clone(), Arc::new(tokio::sync::Mutex::new(upload)));
        Ok(id)
    }

    /// The upload of that id.
    pub(super) fn get(&self, id: &str) -> Option<SharedUpload<P>> {
        let uploads = self.uploads.lock().unwrap_or_else(PoisonError::into_inner);
        uploads.get(id).cloned()
    }

    /// What the client is told of a finished upload.
    pub(super) fn show(&self, call: &Call, made: &P::Made) -> Value {
        self.purpose.show(call, made)
    }

    /// Forgets an upload that was cancelled or has failed.
    pub(super) fn forget(&self, upload: &mut Upload<P>) {
        upload.discard();
        let mut uploads = self.uploads.lock().unwrap_or_else(PoisonError::into_inner);
        uploads.remove(&upload.id);
    }
}

/// What came of receiving a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Received {
    /// How many bytes the request had.
    pub(super) bytes: u64,
    /// How many bytes at their end filled no block and were not kept.
    pub(super) left_over: u64,
}

impl<P: Purpose> Upload<P> {
    /// What came of it, once it is finished.
    pub(super) fn done(&self) -> Option<&P::Made> {
        self.done.as_ref()
    }

    /// How many bytes are kept.
    pub(super) fn size(&mut self) -> io::Result<u64> {
        Ok(self.spool()?.size())
    }

    /// Receives bytes that start at `first`; those that are kept already are skipped.
    /// `last` keeps a block that is not full, because no other follows.
    ///
    /// Where the bytes stop coming, the full blocks before that are kept.
    pub(super) fn receive(&mut self, first: u64, last: bool, body: &mut BodyReader) -> io::Result<Received> {
        let spool = self.spool()?;
        let mut skip = spool.size().saturating_sub(first);
        let mut bytes = 0;
        // The beginning of a block, in the pieces that it came in.
        let (mut block, mut length) = (Vec::<Bytes>::new(), 0);
        let ended = loop {
            let mut piece = match body.piece() {
                Ok(Some(piece)) => piece,
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            };
            bytes += piece.len() as u64;
            let skipped = usize::try_from(skip).unwrap_or(usize::MAX).min(piece.len());
            skip -= skipped as u64;
            drop(piece.split_to(skipped));
            if BLOCK <= length + piece.len() {
                // What is left over is the beginning of another block, and shorter than what made this one full.
                let full = piece.len() - (length + piece.len()) % BLOCK;
                for part in block.drain(..) {
                    spool.write_all(&part)?;
                }
                spool.write_all(&piece.split_to(full))?;
                length = 0;
            }
            if !piece.is_empty() {
                length += piece.len();
                block.push(piece);
            }
        };
        if last && ended.is_ok() {
            for part in block.drain(..) {
                spool.write_all(&part)?;
            }
            length = 0;
        }
        spool.flush()?;
        ended.map(|()| Received { bytes, left_over: length as u64 })
    }

    /// Makes of it what it is for. A failure is final: the session is to be forgotten then.
    pub(super) fn finish(&mut self, claims: &Claims) -> Result<P::Made, ApiError> {
        let spooled = self.take_spool().and_then(Spool::finish).map_err(StoreError::from)?;
        let made = self.purpose.make(&self.session, spooled, claims)?;
        self.done = Some(made.clone());
        self.save().map_err(StoreError::from)?;
        Ok(made)
    }

    fn spool(&mut self) -> io::Result<&mut Spool> {
        let spool = self.take_spool()?;
        Ok(self.spool.insert(spool))
    }

    fn take_spool(&mut self) -> io::Result<Spool> {
        if let Some(spool) = self.spool.take() {
            return Ok(spool);
        }
        match self.path("body") {
            None => Ok(Spool::in_memory()),
            Some(path) if path.try_exists()? => Ok(Spool::reopen(path, BLOCK as u64)?.keep()),
            Some(path) => Ok(Spool::create(path)?.keep()),
        }
    }

    fn discard(&mut self) {
        self.spool = None;
        for path in ["json", "body"].into_iter().filter_map(|e| self.path(e)) {
            remove(&path);
        }
    }

    fn save(&self) -> io::Result<()> {
        let Some(path) = self.path("json") else {
            return Ok(());
        };
        let record =
            Record { session: self.session.clone(), created_micros: self.created_micros, done: self.done.clone() };
        self.purpose.write(&path, &record)
    }

    fn path(&self, extension: &str) -> Option<PathBuf> {
        Some(self.purpose.directory()?.join(format!("{}.{extension}", self.id)))
    }
}
