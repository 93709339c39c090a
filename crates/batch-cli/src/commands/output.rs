//! A command's output file: nothing half-written stands under its final name.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use batch_io::WriteBehind;

use crate::{
    failure::{Failure, Result},
    terminal::of_stdout,
};

/// Where a command writes: a file that gets its name when it is whole, or standard output.
pub(crate) struct Output {
    to: To,
}

enum To {
    Stdout(WriteBehind<io::Stdout>),
    File {
        writer: WriteBehind<File>,
        temporary: Temporary,
        path: PathBuf,
    },
    /// A device or a pipe: it has no other name to wait under.
    Special(WriteBehind<File>),
}

/// A file that is removed where it does not get its final name.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // After it was renamed there is nothing of that name.
        let _ = fs::remove_file(&self.0);
    }
}

impl Output {
    /// Opens it at once, so that a wrong path is told before the work. What is written is written behind.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        Self::open(path, WriteBehind::new, WriteBehind::new)
    }

    /// The same for what is made by several threads in turn, each of which writes what it made.
    pub(crate) fn create_through(path: &Path) -> Result<Self> {
        Self::open(path, WriteBehind::through, WriteBehind::through)
    }

    fn open(
        path: &Path,
        to_stdout: fn(io::Stdout) -> WriteBehind<io::Stdout>,
        to_file: fn(File) -> WriteBehind<File>,
    ) -> Result<Self> {
        let failed = |error| Failure::io("write", path, error);
        if path == Path::new("-") {
            return Ok(Self { to: To::Stdout(to_stdout(io::stdout())) });
        }
        if fs::metadata(path).is_ok_and(|meta| !meta.is_file() && !meta.is_dir()) {
            let file = File::options().write(true).open(path).map_err(failed)?;
            return Ok(Self { to: To::Special(to_file(file)) });
        }
        if path.is_dir() {
            return Err(Failure::new(format!("{} is a directory", path.display())));
        }
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.part", std::process::id()));
        let temporary = path.with_file_name(name);
        let writer = to_file(File::create(&temporary).map_err(failed)?);
        Ok(Self { to: To::File { writer, temporary: Temporary(temporary), path: path.to_owned() } })
    }

    /// Refuses an output that is one of the files it is made of.
    pub(crate) fn is_none_of<'a>(path: &Path, inputs: impl IntoIterator<Item = &'a Path>) -> Result<()> {
        let Ok(own) = fs::canonicalize(path) else { return Ok(()) };
        if !own.is_file() || inputs.into_iter().all(|input| fs::canonicalize(input).ok().as_ref() != Some(&own)) {
            return Ok(());
        }
        let failure = Failure::new(format!("{} is an input, and would be overwritten", path.display()));
        Err(failure.with_hint("name another output"))
    }

    /// Everything is written: it gets its name.
    pub(crate) fn finish(self) -> Result<()> {
        match self.to {
            To::Stdout(writer) => match writer.finish() {
                Ok(_) => Ok(()),
                Err(error) => Err(Failure::caused("write to standard output", of_stdout(error))),
            },
            To::Special(writer) => match writer.finish() {
                Ok(_) => Ok(()),
                Err(error) => Err(Failure::caused("write the output", error)),
            },
            To::File { writer, temporary, path } => {
                let placed = writer.finish().and_then(|_| fs::rename(&temporary.0, &path));
                placed.map_err(|error| Failure::io("write", &path, error))
            }
        }
    }
}

/// What went wrong between the input and this output, with the output's name where it is to blame.
pub(crate) fn failed(error: batch_io::Error, output: &Path) -> Failure {
    // Reading has a position; writing has none.
    if !error.is_io() || error.position().file.is_some() {
        return error.into();
    }
    failed_to_write(error, output)
}

/// What went wrong in writing this output.
pub(crate) fn failed_to_write(error: impl std::error::Error + Send + Sync + 'static, output: &Path) -> Failure {
    let full = error
        .source()
        .and_then(|cause| cause.downcast_ref::<io::Error>())
        .is_some_and(|cause| cause.kind() == io::ErrorKind::StorageFull);
    let name = if output == Path::new("-") { "to standard output".to_owned() } else { output.display().to_string() };
    let failure = Failure::caused(format!("write {name}"), error);
    if full { failure.with_hint("make room on the disk, or write elsewhere") } else { failure }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.to {
            To::Stdout(writer) => writer.write(bytes).map_err(of_stdout),
            To::File { writer, .. } | To::Special(writer) => writer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.to {
            To::Stdout(writer) => writer.flush().map_err(of_stdout),
            To::File { writer, .. } | To::Special(writer) => writer.flush(),
        }
    }
}
