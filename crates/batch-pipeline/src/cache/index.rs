//! One index: sorted entries of one width behind a table of files, looked up without being in memory.
//!
//! ```text
//! "batchix1"  files: u32  entries: u64
//! each file:  length: u32  path: UTF-8
//! each entry: digest: 16 bytes, highest first  file: u32  byte: u64  bytes: u32  digest of the line: u64
//! XXH3-64 of all of that: u64
//! ```
//! Numbers without another word have their lowest byte first.

use std::{
    fs::File,
    hash::Hasher as _,
    io::{self, BufReader, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use twox_hash::XxHash3_64;

use crate::{Error, Kind, Result, finish::Placed};

const MAGIC: &[u8; 8] = b"batchix1";
const WIDTH: usize = 40;
/// Of so many entries one digest is held in memory: 125 kB for a million.
const STEP: usize = 64;

/// Where the answer to a request lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// The digest of the request.
    pub(super) digest: u128,
    /// The prediction file, by its place in the table of files.
    pub(super) file: u32,
    /// Where its line begins.
    pub(super) byte: u64,
    /// How long the line is, without its end.
    pub(super) bytes: u32,
    /// XXH3-64 of the line.
    pub(super) line: u64,
}

impl Entry {
    fn to_bytes(self) -> [u8; WIDTH] {
        let mut out = [0; WIDTH];
        out[..16].copy_from_slice(&self.digest.to_be_bytes());
        out[16..20].copy_from_slice(&self.file.to_le_bytes());
        out[20..28].copy_from_slice(&self.byte.to_le_bytes());
        out[28..32].copy_from_slice(&self.bytes.to_le_bytes());
        out[32..].copy_from_slice(&self.line.to_le_bytes());
        out
    }

    fn from_bytes(bytes: &[u8; WIDTH]) -> Self {
        fn part<const N: usize>(bytes: &[u8; WIDTH], from: usize) -> [u8; N] {
            let mut part = [0; N];
            part.copy_from_slice(&bytes[from..from + N]);
            part
        }
        Self {
            digest: u128::from_be_bytes(part(bytes, 0)),
            file: u32::from_le_bytes(part(bytes, 16)),
            byte: u64::from_le_bytes(part(bytes, 20)),
            bytes: u32::from_le_bytes(part(bytes, 28)),
            line: u64::from_le_bytes(part(bytes, 32)),
        }
    }
}

/// Writes an index of `entries`, which are sorted here, and has it on disk under its name.
pub(super) fn write(path: &Path, files: &[PathBuf], entries: &mut [Entry]) -> Result<()> {
    entries.sort_unstable_by_key(|entry| entry.digest);
    let mut placed = Placed::create(path)?;
    let mut hasher = XxHash3_64::with_seed(0);
    let mut put = |bytes: &[u8]| {
        hasher.write(bytes);
        placed.write_all(bytes)
    };
    let mut write = || -> io::Result<()> {
        put(MAGIC)?;
        put(&u32::try_from(files.len()).map_err(io::Error::other)?.to_le_bytes())?;
        put(&(entries.len() as u64).to_le_bytes())?;
        for file in files {
            let file = file.to_str().ok_or_else(|| io::Error::other("the name of a prediction file is not UTF-8"))?;
            put(&u32::try_from(file.len()).map_err(io::Error::other)?.to_le_bytes())?;
            put(file.as_bytes())?;
        }
        entries.iter().try_for_each(|entry| put(&entry.to_bytes()))
    };
    let written = write().and_then(|()| placed.write_all(&hasher.finish().to_le_bytes()));
    written.map_err(|error| Error::io(Kind::Cache, "write", path, error))?;
    placed.place()
}

/// An index that is open for look-ups.
#[derive(Debug)]
pub(super) struct Index {
    path: PathBuf,
    file: File,
    files: Vec<PathBuf>,
    /// Where the entries begin.
    start: u64,
    count: usize,
    /// The digest of every [`STEP`]th entry.
    fence: Vec<u128>,
}

impl Index {
    /// Opens an index and reads it through once, to see that it is whole.
    pub(super) fn open(path: &Path) -> Result<Self> {
        Self::read(path).map_err(|error| Error::io(Kind::Cache, "read", path, error))
    }

    fn read(path: &Path) -> io::Result<Self> {
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "not a whole index");
        let mut from = Hashed {
            reader: BufReader::with_capacity(1 << 18, File::open(path)?),
            hasher: XxHash3_64::with_seed(0),
            read: 0,
        };
        if &from.take::<8>()? != MAGIC {
            return Err(damaged());
        }
        let names = u32::from_le_bytes(from.take()?);
        let count = usize::try_from(u64::from_le_bytes(from.take()?)).map_err(|_| damaged())?;
        let mut files = Vec::new();
        for _ in 0..names {
            let length = u32::from_le_bytes(from.take()?);
            if 1 << 16 < length {
                return Err(damaged());
            }
            let mut name = vec![0; length as usize];
            from.fill(&mut name)?;
            files.push(PathBuf::from(String::from_utf8(name).map_err(|_| damaged())?));
        }
        let (start, mut fence, mut before) = (from.read, Vec::new(), 0);
        for number in 0..count {
            let entry = Entry::from_bytes(&from.take()?);
            if entry.digest < before || files.len() <= entry.file as usize {
                return Err(damaged());
            }
            before = entry.digest;
            if number % STEP == 0 {
                fence.push(entry.digest);
            }
        }
        let sum = from.hasher.finish();
        if u64::from_le_bytes(from.take()?) != sum {
            return Err(damaged());
        }
        Ok(Self { path: path.to_owned(), file: from.reader.into_inner(), files, start, count, fence })
    }

    pub(super) fn len(&self) -> u64 {
        self.count as u64
    }

    pub(super) fn file(&self, entry: &Entry) -> &Path {
        &self.files[entry.file as usize]
    }

    /// The entries of a digest: several where several records asked the same.
    pub(super) fn find(&mut self, digest: u128) -> Result<Vec<Entry>> {
        self.look(digest).map_err(|error| Error::io(Kind::Cache, "read", &self.path, error))
    }

    fn look(&mut self, digest: u128) -> io::Result<Vec<Entry>> {
        // From the last step that begins below, since equal digests may reach over a step.
        let below = self.fence.partition_point(|fence| *fence < digest);
        let mut number = below.saturating_sub(1) * STEP;
        let mut found = Vec::new();
        let mut block = Vec::with_capacity(STEP * WIDTH);
        while number < self.count {
            let entries = STEP.min(self.count - number);
            block.resize(entries * WIDTH, 0);
            self.file.seek(SeekFrom::Start(self.start + (number * WIDTH) as u64))?;
            self.file.read_exact(&mut block)?;
            let (blocks, _) = block.as_chunks::<WIDTH>();
            for bytes in blocks {
                let entry = Entry::from_bytes(bytes);
                if digest < entry.digest {
                    return Ok(found);
                }
                if entry.digest == digest {
                    found.push(entry);
                }
            }
            number += entries;
        }
        Ok(found)
    }
}

/// Reads, and digests what it reads.
struct Hashed {
    reader: BufReader<File>,
    hasher: XxHash3_64,
    read: u64,
}

impl Hashed {
    fn take<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        self.reader.read_exact(bytes)?;
        self.hasher.write(bytes);
        self.read += bytes.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(digest: u128, byte: u64) -> Entry {
        Entry { digest, file: (byte % 2) as u32, byte, bytes: 7, line: !byte }
    }

    #[test]
    fn every_entry_is_found_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.index");
        let files = [PathBuf::from("/runs/a/p.jsonl"), PathBuf::from("/runs/ä/q.jsonl")];
        for count in [0, 1, 63, 64, 65, 1000_u64] {
            // Every tenth digest three times.
            let digest = |number: u64| u128::from(number) << 90;
            let all = (0..count).rev().flat_map(|number| {
                let times = if number % 10 == 0 { 3 } else { 1 };
                (0..times).map(move |time| entry(u128::from(number) << 90, number * 3 + time))
            });
            let mut all: Vec<Entry> = all.collect();
            write(&path, &files, &mut all).unwrap();
            let mut index = Index::open(&path).unwrap();
            assert_eq!(index.len(), all.len() as u64);
            for number in 0..count {
                let found = index.find(digest(number)).unwrap();
                let wanted: Vec<&Entry> = all.iter().filter(|entry| entry.digest == digest(number)).collect();
                assert_eq!(found.iter().collect::<Vec<_>>(), wanted);
                assert_eq!(index.find(digest(number) + 1).unwrap(), []);
            }
            if let Some(first) = all.first() {
                assert_eq!(index.file(first), files[first.file as usize]);
            }
        }
    }

    #[test]
    fn a_damaged_index_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.index");
        write(&path, &[PathBuf::from("p")], &mut [Entry { file: 0, ..entry(5, 2) }]).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut other = whole.clone();
            other[at] ^= 1;
            std::fs::write(&path, &other).unwrap();
            assert!(Index::open(&path).is_err(), "byte {at}");
            std::fs::write(&path, &whole[..at]).unwrap();
            assert!(Index::open(&path).is_err(), "cut at {at}");
        }
    }
}
