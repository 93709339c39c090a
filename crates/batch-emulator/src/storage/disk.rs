//! The store's files.
//!
//! ```text
//! DATA/lock                                  held while an emulator runs on DATA
//! DATA/storage/tmp/N                         bodies and records being written; swept at the start
//! DATA/storage/uploads/ID.json, ID.body      unfinished resumable uploads
//! DATA/storage/buckets/B/bucket.json         a bucket
//! DATA/storage/buckets/B/GENERATION.json     an object: its record, and …
//! DATA/storage/buckets/B/GENERATION.body     … its bytes
//! ```
//! Bodies are named by generation, as object names do not fit into file names (1,024
//! bytes, slashes, dots). A record is written last and replaced by renaming, so that a
//! kill at any instant leaves an object whole, or absent, or in its former generation.
//! Nothing is forced to the platter: state survives the end of the process, and not a
//! power cut.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::meta::{BucketMeta, ObjectMeta};
use super::spool::remove;

/// The version of the records below `DATA/storage`.
const VERSION: u32 = 1;

/// A record as it is on disk.
#[derive(Serialize, Deserialize)]
pub(crate) struct Versioned<T> {
    pub(crate) version: u32,
    pub(crate) record: T,
}

/// The directory of a store.
#[derive(Debug)]
pub(super) struct Disk {
    root: PathBuf,
    /// Held, not used: the lock ends with the file.
    _lock: File,
    next_temporary: Arc<AtomicU64>,
}

/// A bucket as it was found.
pub(super) struct Found {
    pub(super) bucket: BucketMeta,
    pub(super) objects: BTreeMap<String, ObjectMeta>,
}

impl Disk {
    /// Opens or makes the directory, and sweeps what a kill left behind.
    pub(super) fn open(data: &Path) -> io::Result<Disk> {
        fs::create_dir_all(data)?;
        let lock = File::create(data.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(io::Error::new(io::ErrorKind::ResourceBusy, "another emulator runs on it"));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let root = data.join("storage");
        for dir in ["tmp", "uploads", "buckets"] {
            fs::create_dir_all(root.join(dir))?;
        }
        for entry in fs::read_dir(root.join("tmp"))? {
            fs::remove_file(entry?.path())?;
        }
        Ok(Disk { root, _lock: lock, next_temporary: Arc::default() })
    }

    /// A path for a file that is being written.
    pub(super) fn temporary(&self) -> PathBuf {
        let n = self.next_temporary.fetch_add(1, Ordering::Relaxed);
        self.root.join("tmp").join(n.to_string())
    }

    /// The directory of unfinished uploads.
    pub(super) fn uploads(&self) -> PathBuf {
        self.root.join("uploads")
    }

    /// The file of a body.
    pub(super) fn body(&self, object: &ObjectMeta) -> PathBuf {
        self.bucket_dir(&object.bucket).join(format!("{}.body", object.generation))
    }

    /// Reads all buckets and objects.
    pub(super) fn load(&self) -> io::Result<Vec<Found>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(self.root.join("buckets"))? {
            let dir = entry?.path();
            let record = dir.join("bucket.json");
            if !record.try_exists()? {
                // The kill came between the directory and its record, or between the
                // record's end and the directory's: the bucket was empty.
                fs::remove_dir_all(&dir)?;
                continue;
            }
            found.push(Found { bucket: read(&record)?, objects: load_objects(&dir)? });
        }
        Ok(found)
    }

    pub(super) fn save_bucket(&self, bucket: &BucketMeta) -> io::Result<()> {
        let dir = self.bucket_dir(&bucket.name);
        fs::create_dir_all(&dir)?;
        self.write(&dir.join("bucket.json"), bucket)
    }

    pub(super) fn remove_bucket(&self, name: &str) -> io::Result<()> {
        let dir = self.bucket_dir(name);
        fs::remove_file(dir.join("bucket.json"))?;
        fs::remove_dir_all(dir)
    }

    pub(super) fn save_object(&self, object: &ObjectMeta) -> io::Result<()> {
        self.write(&self.record(object), object)
    }

    /// Deletes an object; from the moment its record is gone, it is.
    pub(super) fn remove_object(&self, object: &ObjectMeta) -> io::Result<()> {
        fs::remove_file(self.record(object))?;
        remove(&self.body(object));
        Ok(())
    }

    /// Writes a record under a temporary name and renames it.
    pub(super) fn write<T: Serialize>(&self, path: &Path, record: &T) -> io::Result<()> {
        let temporary = self.temporary();
        let bytes = serde_json::to_vec(&Versioned { version: VERSION, record })?;
        fs::write(&temporary, bytes)?;
        fs::rename(&temporary, path)
    }

    fn bucket_dir(&self, name: &str) -> PathBuf {
        self.root.join("buckets").join(name)
    }

    fn record(&self, object: &ObjectMeta) -> PathBuf {
        self.bucket_dir(&object.bucket).join(format!("{}.json", object.generation))
    }
}

/// Reads a record; the error names the file.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> io::Result<T> {
    let name = |what: &dyn Display| format!("{}: {what}", path.display());
    let invalid = |what: &dyn Display| io::Error::new(io::ErrorKind::InvalidData, name(what));
    let bytes = fs::read(path).map_err(|error| io::Error::new(error.kind(), name(&error)))?;
    // The version first: what another version means by a record is not known here.
    let versioned: Versioned<&RawValue> = serde_json::from_slice(&bytes).map_err(|error| invalid(&error))?;
    if versioned.version != VERSION {
        return Err(invalid(&format_args!("version {} is not {VERSION}", versioned.version)));
    }
    serde_json::from_str(versioned.record.get()).map_err(|error| invalid(&error))
}

/// Reads the objects of a bucket, and deletes bodies without a record and generations that
/// were being replaced.
fn load_objects(dir: &Path) -> io::Result<BTreeMap<String, ObjectMeta>> {
    let mut objects = BTreeMap::<String, ObjectMeta>::new();
    let mut bodies = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("body") => bodies.push(path),
            Some("json") if path.file_name().is_some_and(|name| name != "bucket.json") => {
                let object: ObjectMeta = read(&path)?;
                let older = match objects.get(&object.name) {
                    Some(other) if other.generation > object.generation => Some(path),
                    Some(other) => Some(dir.join(format!("{}.json", other.generation))),
                    None => None,
                };
                let keep = older.as_deref() != Some(&*dir.join(format!("{}.json", object.generation)));
                if let Some(older) = older {
                    remove(&older);
                }
                if keep {
                    objects.insert(object.name.clone(), object);
                }
            }
            _ => {}
        }
    }
    for body in bodies {
        let used = objects.values().any(|object| body.ends_with(format!("{}.body", object.generation)));
        if !used {
            remove(&body);
        }
    }
    Ok(objects)
}
