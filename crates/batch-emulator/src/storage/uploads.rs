//! The sessions of resumable uploads.
//!
//! A session keeps what was received in blocks of 256 KiB, which is also the unit in
//! which the service takes it. With a data directory sessions outlive the process; those
//! older than a week are swept, as the service does.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::checksums::Claims;
use super::disk;
use super::meta::{Attributes, ObjectMeta, Preconditions, StoreError};
use super::objects::Objects;
use super::spool::{Spool, remove};
use crate::clock::timestamp;
use crate::context::Context;

/// The unit in which bytes are kept.
pub(super) const BLOCK: usize = 256 << 10;

/// How long a session lives.
const WEEK_MICROS: i64 = 7 * 24 * 60 * 60 * 1_000_000;

/// What the client said when it began.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Session {
    pub(super) bucket: String,
    pub(super) name: String,
    pub(super) attributes: Attributes,
    pub(super) preconditions: Preconditions,
    pub(super) claims: Claims,
}

/// A session on disk.
#[derive(Serialize, Deserialize)]
struct Record {
    session: Session,
    created_micros: i64,
    /// What became of it.
    done: Option<ObjectMeta>,
}

/// One upload, in whatever state it is.
#[derive(Debug)]
pub(super) struct Upload {
    objects: Objects,
    id: String,
    session: Session,
    created_micros: i64,
    spool: Option<Spool>,
    done: Option<ObjectMeta>,
}

/// All uploads. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Uploads(Arc<Mutex<BTreeMap<String, SharedUpload>>>);

/// An upload is one client's at a time: a retry waits until the request before it ended.
pub(super) type SharedUpload = Arc<tokio::sync::Mutex<Upload>>;

impl Uploads {
    /// Reads the sessions of an earlier process.
    pub(super) fn open(context: &Context) -> io::Result<Uploads> {
        let mut uploads = BTreeMap::new();
        if let Some(disk) = context.objects.disk() {
            let now = timestamp(&*context.clock).as_microsecond();
            for entry in std::fs::read_dir(disk.uploads())? {
                let path = entry?.path();
                if path.extension().is_none_or(|extension| extension != "json") {
                    continue;
                }
                let record: Record = disk::read(&path)?;
                if now - record.created_micros > WEEK_MICROS {
                    remove(&path);
                    remove(&path.with_extension("body"));
                    continue;
                }
                let Some(id) = path.file_stem().and_then(|id| id.to_str()) else {
                    continue;
                };
                let upload = Upload {
                    objects: context.objects.clone(),
                    id: id.to_owned(),
                    session: record.session,
                    created_micros: record.created_micros,
                    spool: None,
                    done: record.done,
                };
                uploads.insert(id.to_owned(), Arc::new(tokio::sync::Mutex::new(upload)));
            }
        }
        Ok(Uploads(Arc::new(Mutex::new(uploads))))
    }

    /// Begins an upload; returns its id.
    pub(super) fn begin(&self, context: &Context, session: Session) -> io::Result<String> {
        let mut uploads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A restart draws the same numbers again.
        let id = loop {
            let (high, low) = (context.random.next_u64(), context.random.next_u64());
            let id = format!("{high:016x}{low:016x}");
            if !uploads.contains_key(&id) {
                break id;
            }
        };
        let upload = Upload {
            objects: context.objects.clone(),
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
    pub(super) fn get(&self, id: &str) -> Option<SharedUpload> {
        let uploads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        uploads.get(id).cloned()
    }

    /// Forgets an upload that was cancelled or has failed.
    pub(super) fn forget(&self, upload: &mut Upload) {
        upload.discard();
        let mut uploads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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

impl Upload {
    /// The object that came of it, once it is finished.
    pub(super) fn done(&self) -> Option<&ObjectMeta> {
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
    pub(super) fn receive(&mut self, first: u64, last: bool, body: &mut impl Read) -> io::Result<Received> {
        let spool = self.spool()?;
        let mut skip = spool.size().saturating_sub(first);
        let mut bytes = 0;
        let mut block = Vec::with_capacity(BLOCK);
        let mut buffer = vec![0; 64 << 10];
        let ended = loop {
            let n = match body.read(&mut buffer) {
                Ok(0) => break Ok(()),
                Ok(n) => n,
                Err(error) => break Err(error),
            };
            bytes += n as u64;
            let skipped = usize::try_from(skip).unwrap_or(n).min(n);
            skip -= skipped as u64;
            let mut new = &buffer[skipped..n];
            while !new.is_empty() {
                let (head, tail) = new.split_at(new.len().min(BLOCK - block.len()));
                block.extend_from_slice(head);
                new = tail;
                if block.len() == BLOCK {
                    spool.write_all(&block)?;
                    block.clear();
                }
            }
        };
        if last && ended.is_ok() {
            spool.write_all(&block)?;
            block.clear();
        }
        spool.flush()?;
        ended.map(|()| Received { bytes, left_over: block.len() as u64 })
    }

    /// Makes the object. A failure is final: the session is to be forgotten then.
    pub(super) fn finish(&mut self, claims: &Claims) -> Result<ObjectMeta, StoreError> {
        let spooled = self.take_spool()?.finish()?;
        let session = &self.session;
        session.claims.check(&spooled)?;
        claims.check(&spooled)?;
        let meta = self.objects.insert(
            &session.bucket,
            &session.name,
            spooled,
            session.attributes.clone(),
            0,
            session.preconditions,
        )?;
        self.done = Some(meta.clone());
        self.save()?;
        Ok(meta)
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
        let (Some(disk), Some(path)) = (self.objects.disk(), self.path("json")) else {
            return Ok(());
        };
        disk.write(
            &path,
            &Record { session: self.session.clone(), created_micros: self.created_micros, done: self.done.clone() },
        )
    }

    fn path(&self, extension: &str) -> Option<PathBuf> {
        let disk = self.objects.disk()?;
        Some(disk.uploads().join(format!("{}.{extension}", self.id)))
    }
}
