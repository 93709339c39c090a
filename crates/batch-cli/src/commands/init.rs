//! `batch-cli init`: a commented spec to begin with.

use std::{fs::OpenOptions, io::Write, path::Path};

use batch_pipeline::SAMPLE;

use crate::{
    args::InitArgs,
    exit::Exit,
    failure::{Failure, Result},
    terminal::Terminal,
};

pub(crate) fn init(args: &InitArgs, terminal: &Terminal) -> Result<Exit> {
    let path = &args.path;
    if path == Path::new("-") {
        terminal.write(SAMPLE.as_bytes()).map_err(|error| Failure::caused("write the spec", error))?;
        return Ok(Exit::Done);
    }
    let written = OpenOptions::new().write(true).create_new(true).open(path);
    let written = written.and_then(|mut file| {
        // Half a spec is worse than none.
        file.write_all(SAMPLE.as_bytes()).inspect_err(|_| drop(std::fs::remove_file(path)))
    });
    written.map_err(|error| {
        let there = error.kind() == std::io::ErrorKind::AlreadyExists;
        let failure = Failure::io("write", path, error);
        if there { failure.with_hint("name another file, or - for standard output") } else { failure }
    })?;
    terminal.say(&format!("wrote {}; `batch-cli run {0} --local` runs it once it names a table", path.display()));
    Ok(Exit::Done)
}
