//! The buckets and objects themselves, in memory or on disk.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::ops::Bound;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use serde_json::{Map, Value};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::disk::Disk;
use super::meta::{Attributes, BucketMeta, ObjectMeta, Preconditions, StoreError};
use super::spool::{Spool, Spooled, SpooledBody, remove};
use crate::Clock;
use crate::clock::timestamp;

/// What a body is read through.
pub(crate) trait ReadSeek: Read + Seek {
    /// Fills the buffer with the bytes from `offset` on. Where reading goes on afterwards is not known.
    fn read_exact_at(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.seek(SeekFrom::Start(offset))?;
        self.read_exact(buffer)
    }
}

impl ReadSeek for Cursor<Bytes> {}

impl ReadSeek for File {
    /// One call of the system and not two.
    #[cfg(unix)]
    fn read_exact_at(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(self, buffer, offset)
    }
}

/// All buckets and objects. Clones share them.
///
/// Every call may touch the disk: from async code, call it on a blocking thread.
#[derive(Clone)]
pub(crate) struct Objects(Arc<Inner>);

struct Inner {
    clock: Arc<dyn Clock>,
    disk: Option<Disk>,
    state: Mutex<State>,
    /// Dropped after the others, when the directory is free again.
    closed: DropGuard,
}

#[derive(Default)]
struct State {
    buckets: BTreeMap<String, Bucket>,
    last_generation: i64,
}

struct Bucket {
    meta: BucketMeta,
    objects: BTreeMap<String, Object>,
}

struct Object {
    meta: ObjectMeta,
    /// The bytes, or `None` where they are on disk.
    body: Option<Bytes>,
}

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Objects").field("disk", &self.0.disk).finish_non_exhaustive()
    }
}

impl Objects {
    /// Opens the store under the data directory, or an empty one in memory.
    pub(crate) fn open(data: Option<&Path>, clock: Arc<dyn Clock>) -> io::Result<Objects> {
        let disk = data.map(Disk::open).transpose()?;
        let mut state = State::default();
        if let Some(disk) = &disk {
            for found in disk.load()? {
                let objects: BTreeMap<_, _> =
                    found.objects.into_iter().map(|(name, meta)| (name, Object { meta, body: None })).collect();
                state.last_generation =
                    objects.values().map(|object| object.meta.generation).fold(state.last_generation, i64::max);
                let bucket = Bucket { meta: found.bucket, objects };
                state.buckets.insert(bucket.meta.name.clone(), bucket);
            }
        }
        Ok(Objects(Arc::new(Inner {
            clock,
            disk,
            state: Mutex::new(state),
            closed: CancellationToken::new().drop_guard(),
        })))
    }

    /// A token that is cancelled when the last clone is gone and the directory is free.
    pub(crate) fn closed(&self) -> CancellationToken {
        self.0.closed.token().clone()
    }

    /// Makes a bucket without settings.
    pub(crate) fn create_bucket(&self, name: &str, project_number: u64) -> Result<BucketMeta, StoreError> {
        self.create_bucket_with(name, project_number, Map::new())
    }

    /// Makes a bucket.
    pub(crate) fn create_bucket_with(
        &self,
        name: &str,
        project_number: u64,
        settings: Map<String, Value>,
    ) -> Result<BucketMeta, StoreError> {
        if !valid_bucket_name(name) {
            return Err(StoreError::BucketName(name.to_owned()));
        }
        let mut state = self.state();
        if state.buckets.contains_key(name) {
            return Err(StoreError::BucketExists);
        }
        let now = timestamp(&*self.0.clock);
        let meta = BucketMeta {
            name: name.to_owned(),
            project_number,
            created: now,
            updated: now,
            metageneration: 1,
            settings,
        };
        if let Some(disk) = &self.0.disk {
            disk.save_bucket(&meta)?;
        }
        let bucket = Bucket { meta: meta.clone(), objects: BTreeMap::new() };
        state.buckets.insert(name.to_owned(), bucket);
        Ok(meta)
    }

    /// The bucket of that name.
    pub(crate) fn bucket(&self, name: &str) -> Option<BucketMeta> {
        let state = self.state();
        state.buckets.get(name).map(|bucket| bucket.meta.clone())
    }

    /// All buckets, sorted by name.
    pub(crate) fn buckets(&self) -> Vec<BucketMeta> {
        let state = self.state();
        state.buckets.values().map(|b| b.meta.clone()).collect()
    }

    /// Changes the settings of a bucket.
    pub(crate) fn update_bucket(
        &self,
        name: &str,
        preconditions: Preconditions,
        change: impl FnOnce(&mut Map<String, Value>),
    ) -> Result<BucketMeta, StoreError> {
        let mut state = self.state();
        let bucket = bucket_mut(&mut state, name)?;
        preconditions.check_bucket(&bucket.meta)?;
        let mut meta = bucket.meta.clone();
        change(&mut meta.settings);
        meta.metageneration += 1;
        meta.updated = timestamp(&*self.0.clock);
        if let Some(disk) = &self.0.disk {
            disk.save_bucket(&meta)?;
        }
        bucket.meta = meta.clone();
        Ok(meta)
    }

    /// Deletes an empty bucket.
    pub(crate) fn delete_bucket(&self, name: &str, preconditions: Preconditions) -> Result<(), StoreError> {
        let mut state = self.state();
        let bucket = bucket_mut(&mut state, name)?;
        preconditions.check_bucket(&bucket.meta)?;
        if !bucket.objects.is_empty() {
            return Err(StoreError::BucketNotEmpty);
        }
        if let Some(disk) = &self.0.disk {
            disk.remove_bucket(name)?;
        }
        state.buckets.remove(name);
        Ok(())
    }

    /// The objects whose names start with `prefix`, sorted by name (by UTF-8 bytes).
    pub(crate) fn list(&self, bucket: &str, prefix: &str) -> Result<Vec<ObjectMeta>, StoreError> {
        self.scan(bucket, prefix, prefix, |found| found.cloned().collect())
    }

    /// Shows `visit` the objects whose names start with `prefix` and are not before `from`,
    /// sorted by name. Nothing else happens in the store meanwhile.
    pub(super) fn scan<T>(
        &self,
        bucket: &str,
        prefix: &str,
        from: &str,
        visit: impl FnOnce(&mut dyn Iterator<Item = &ObjectMeta>) -> T,
    ) -> Result<T, StoreError> {
        let mut state = self.state();
        let bucket = bucket_mut(&mut state, bucket)?;
        let from = prefix.max(from);
        let mut found = bucket
            .objects
            .range::<str, _>((Bound::Included(from), Bound::Unbounded))
            .take_while(|(name, _)| name.starts_with(prefix))
            .map(|(_, object)| &object.meta);
        Ok(visit(&mut found))
    }

    /// What is known about an object; with a generation, only of that one.
    pub(crate) fn meta(&self, bucket: &str, name: &str, generation: Option<i64>) -> Result<ObjectMeta, StoreError> {
        let mut state = self.state();
        Ok(object_mut(&mut state, bucket, name, generation)?.meta.clone())
    }

    /// An object and its bytes, as they are now: a later overwrite or deletion does not
    /// disturb the reader. With a generation, only of that one.
    pub(crate) fn reader_of(
        &self,
        bucket: &str,
        name: &str,
        generation: Option<i64>,
    ) -> Result<(ObjectMeta, Box<dyn ReadSeek + Send>), StoreError> {
        let mut state = self.state();
        let object = object_mut(&mut state, bucket, name, generation)?;
        let meta = object.meta.clone();
        match (&object.body, &self.0.disk) {
            (Some(bytes), _) => Ok((meta, Box::new(Cursor::new(bytes.clone())))),
            // Opened under the lock, so that no deletion comes between.
            (None, Some(disk)) => {
                let file = File::open(disk.body(&meta))?;
                Ok((meta, Box::new(file)))
            }
            (None, None) => Ok((meta, Box::new(Cursor::new(Bytes::new())))),
        }
    }

    /// Begins to write an object of the emulator's own, which gets no MD5; nothing is visible before
    /// [`ObjectWriter::commit`].
    pub(crate) fn writer(&self, bucket: &str, name: &str) -> Result<ObjectWriter, StoreError> {
        check_object_name(name)?;
        if self.bucket(bucket).is_none() {
            return Err(StoreError::NoBucket(bucket.to_owned()));
        }
        Ok(ObjectWriter {
            objects: self.clone(),
            bucket: bucket.to_owned(),
            name: name.to_owned(),
            spool: self.spool()?.without_md5(),
        })
    }

    /// Changes the attributes of an object.
    pub(crate) fn update(
        &self,
        bucket: &str,
        name: &str,
        generation: Option<i64>,
        preconditions: Preconditions,
        change: impl FnOnce(&mut Attributes),
    ) -> Result<ObjectMeta, StoreError> {
        let mut state = self.state();
        let object = object_mut(&mut state, bucket, name, generation)?;
        preconditions.check(Some(&object.meta))?;
        let mut meta = object.meta.clone();
        change(&mut meta.attributes);
        meta.metageneration += 1;
        meta.updated = timestamp(&*self.0.clock);
        if let Some(disk) = &self.0.disk {
            disk.save_object(&meta)?;
        }
        object.meta = meta.clone();
        Ok(meta)
    }

    /// Deletes an object; with a generation, only that one.
    pub(crate) fn delete(
        &self,
        bucket: &str,
        name: &str,
        generation: Option<i64>,
        preconditions: Preconditions,
    ) -> Result<(), StoreError> {
        let mut state = self.state();
        let object = object_mut(&mut state, bucket, name, generation)?;
        preconditions.check(Some(&object.meta))?;
        if let Some(disk) = &self.0.disk {
            disk.remove_object(&object.meta)?;
        }
        bucket_mut(&mut state, bucket)?.objects.remove(name);
        Ok(())
    }

    /// Where the bytes of a new object go.
    pub(crate) fn spool(&self) -> io::Result<Spool> {
        match &self.0.disk {
            None => Ok(Spool::in_memory()),
            Some(disk) => Spool::create(disk.temporary()),
        }
    }

    /// The files of the store, where it has any.
    pub(super) fn disk(&self) -> Option<&Disk> {
        self.0.disk.as_ref()
    }

    /// Makes an object of a finished body, or discards the body.
    pub(super) fn insert(
        &self,
        bucket_name: &str,
        name: &str,
        spooled: Spooled,
        attributes: Attributes,
        components: u32,
        preconditions: Preconditions,
    ) -> Result<ObjectMeta, StoreError> {
        check_object_name(name)?;
        let mut state = self.state();
        let now = timestamp(&*self.0.clock);
        let generation = now.as_microsecond().max(state.last_generation + 1);
        let bucket = bucket_mut(&mut state, bucket_name)?;
        let before = bucket.objects.get(name).map(|object| &object.meta);
        preconditions.check(before)?;
        let meta = ObjectMeta {
            bucket: bucket_name.to_owned(),
            name: name.to_owned(),
            generation,
            metageneration: 1,
            size: spooled.size,
            crc32c: spooled.crc32c,
            md5: spooled.md5.filter(|_| components == 0),
            components,
            created: now,
            updated: now,
            attributes,
        };
        let body = match (spooled.body, &self.0.disk) {
            (SpooledBody::Memory(bytes), _) => Some(bytes),
            (SpooledBody::File(file), None) => Some(file.read()?.into()),
            (SpooledBody::File(file), Some(disk)) => {
                let body = disk.body(&meta);
                file.rename(&body)?;
                disk.save_object(&meta).inspect_err(|_| remove(&body))?;
                if let Some(before) = before
                    && let Err(error) = disk.remove_object(before)
                {
                    // The next start sweeps it: of two generations the newer counts.
                    tracing::warn!(%error, "failed to delete a replaced generation");
                }
                None
            }
        };
        let object = Object { meta: meta.clone(), body };
        bucket.objects.insert(name.to_owned(), object);
        state.last_generation = generation;
        Ok(meta)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An object that is being written; dropped before [`ObjectWriter::commit`], it never was.
#[derive(Debug)]
pub(crate) struct ObjectWriter {
    objects: Objects,
    bucket: String,
    name: String,
    spool: Spool,
}

impl ObjectWriter {
    /// Makes the object visible, unless a precondition fails.
    pub(crate) fn commit(self, attributes: Attributes, preconditions: Preconditions) -> Result<ObjectMeta, StoreError> {
        let spooled = self.spool.finish()?;
        self.objects.insert(&self.bucket, &self.name, spooled, attributes, 0, preconditions)
    }
}

impl Write for ObjectWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.spool.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.spool.flush()
    }
}

fn bucket_mut<'a>(state: &'a mut State, name: &str) -> Result<&'a mut Bucket, StoreError> {
    state.buckets.get_mut(name).ok_or_else(|| StoreError::NoBucket(name.to_owned()))
}

fn object_mut<'a>(
    state: &'a mut State,
    bucket: &str,
    name: &str,
    generation: Option<i64>,
) -> Result<&'a mut Object, StoreError> {
    bucket_mut(state, bucket)?
        .objects
        .get_mut(name)
        .filter(|object| generation.is_none_or(|generation| generation == object.meta.generation))
        .ok_or_else(|| StoreError::NoObject { bucket: bucket.to_owned(), name: name.to_owned() })
}

/// The documented rules: 3 to 63 characters (222 with dots) of `a-z0-9-_.`, a letter or
/// digit at both ends. Names that look like addresses or Google's are let through.
fn valid_bucket_name(name: &str) -> bool {
    let longest = if name.contains('.') { 222 } else { 63 };
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (3..=longest).contains(&name.len())
        && name.bytes().all(|byte| plain(byte) || b"-_.".contains(&byte))
        && name.bytes().next().is_some_and(plain)
        && name.bytes().next_back().is_some_and(plain)
}

/// The documented rules: 1 to 1,024 bytes of UTF-8 without line ends, neither `.` nor `..`.
fn check_object_name(name: &str) -> Result<(), StoreError> {
    if name.is_empty() {
        return Err(StoreError::ObjectName("it is empty"));
    }
    if name.len() > 1024 {
        return Err(StoreError::ObjectName("it is longer than 1024 bytes"));
    }
    if name.contains(['\r', '\n']) {
        return Err(StoreError::ObjectName("it has a line end"));
    }
    if name == "." || name == ".." {
        return Err(StoreError::ObjectName("it is . or .."));
    }
    Ok(())
}
