//! Bytes on their way in: in memory or in a file, with checksums as they pass.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use md5::{Digest, Md5};

/// The body of an object that is being written. Dropping it discards the bytes, unless it
/// was told to [`Spool::keep`] them.
#[derive(Debug)]
pub(crate) struct Spool {
    place: Place,
    size: u64,
    crc32c: u32,
    /// None where it is not wanted: it takes more time than all else that is done with most bytes.
    md5: Option<Md5>,
}

#[derive(Debug)]
enum Place {
    Memory(Vec<u8>),
    File(BufWriter<File>, Temporary),
}

/// A finished body with its checksums. Dropping it discards the bytes.
#[derive(Debug)]
pub(crate) struct Spooled {
    pub(crate) body: SpooledBody,
    pub(crate) size: u64,
    pub(super) crc32c: u32,
    pub(super) md5: Option<[u8; 16]>,
}

#[derive(Debug)]
pub(crate) enum SpooledBody {
    Memory(Bytes),
    File(Temporary),
}

/// A file that is deleted when this is dropped, unless it was kept or renamed.
#[derive(Debug)]
pub(crate) struct Temporary {
    path: PathBuf,
    keep: bool,
}

impl Spool {
    /// An empty spool in memory.
    pub(crate) fn in_memory() -> Spool {
        Spool::new(Place::Memory(Vec::new()))
    }

    /// An empty spool in a new file.
    pub(crate) fn create(path: PathBuf) -> io::Result<Spool> {
        let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        Ok(Spool::new(Place::File(BufWriter::new(file), Temporary { path, keep: false })))
    }

    /// Goes on with the file of an earlier spool, whose end beyond a multiple of `block`
    /// bytes may not have been acknowledged and is cut off. Reads the file once for the
    /// checksums.
    pub(super) fn reopen(path: PathBuf, block: u64) -> io::Result<Spool> {
        let mut file = OpenOptions::new().read(true).append(true).open(&path)?;
        let length = file.metadata()?.len();
        file.set_len(length - length % block)?;
        let (mut size, mut crc32c, mut md5) = (0, 0, Md5::new());
        let mut buffer = vec![0; 256 << 10];
        loop {
            let n = file.read(&mut buffer)?;
            if n == 0 {
                break;
            }
            size += n as u64;
            crc32c = crc32c::crc32c_append(crc32c, &buffer[..n]);
            md5.update(&buffer[..n]);
        }
        let place = Place::File(BufWriter::new(file), Temporary { path, keep: false });
        Ok(Spool { place, size, crc32c, md5: Some(md5) })
    }

    fn new(place: Place) -> Spool {
        Spool { place, size: 0, crc32c: 0, md5: Some(Md5::new()) }
    }

    /// The same spool, still empty, which finds no MD5.
    pub(super) fn without_md5(self) -> Spool {
        Spool { md5: None, ..self }
    }

    /// How many bytes it holds.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Leaves the file where it is when this is dropped.
    pub(super) fn keep(mut self) -> Spool {
        if let Place::File(_, temporary) = &mut self.place {
            temporary.keep = true;
        }
        self
    }

    /// Ends the body.
    pub(crate) fn finish(mut self) -> io::Result<Spooled> {
        self.flush()?;
        let body = match self.place {
            Place::Memory(bytes) => SpooledBody::Memory(bytes.into()),
            Place::File(_, temporary) => SpooledBody::File(temporary),
        };
        Ok(Spooled { body, size: self.size, crc32c: self.crc32c, md5: self.md5.map(|md5| md5.finalize().into()) })
    }
}

impl Write for Spool {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = match &mut self.place {
            Place::Memory(buffer) => buffer.write(bytes)?,
            Place::File(file, _) => file.write(bytes)?,
        };
        self.size += n as u64;
        self.crc32c = crc32c::crc32c_append(self.crc32c, &bytes[..n]);
        if let Some(md5) = &mut self.md5 {
            md5.update(&bytes[..n]);
        }
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.place {
            Place::Memory(_) => Ok(()),
            Place::File(file, _) => file.flush(),
        }
    }
}

impl Spooled {
    /// The same bytes, which now go when this is dropped, whatever was said before.
    pub(crate) fn taken(mut self) -> Spooled {
        if let SpooledBody::File(file) = &mut self.body {
            file.keep = false;
        }
        self
    }
}

impl Temporary {
    /// Takes a file that is to go.
    pub(crate) fn new(path: PathBuf) -> Temporary {
        Temporary { path, keep: false }
    }

    /// Opens it for reading.
    pub(crate) fn open(&self) -> io::Result<File> {
        File::open(&self.path)
    }

    /// Moves the file to where it belongs.
    pub(crate) fn rename(mut self, to: &Path) -> io::Result<()> {
        fs::rename(&self.path, to)?;
        self.keep = true;
        Ok(())
    }

    /// Reads the file.
    pub(super) fn read(self) -> io::Result<Vec<u8>> {
        fs::read(&self.path)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.keep {
            remove(&self.path);
        }
    }
}

/// Deletes a file that nothing refers to any more. Where that fails it is swept when the
/// directory is opened next.
pub(crate) fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(path = %path.display(), %error, "failed to delete a file");
    }
}
