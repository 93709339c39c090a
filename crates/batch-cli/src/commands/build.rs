//! `batch-cli build`: request lines from a table.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
};

use batch_io::{RequestTemplate, Table};
use batch_pipeline::{Spec, key_spec, request_spec};

use super::output::{self, Output};
use crate::{
    args::BuildArgs,
    exit::Exit,
    failure::{Failure, Result},
    progress::{count, size},
    settings::Settings,
    terminal::Terminal,
};

pub(crate) fn build(args: &BuildArgs, terminal: &Terminal) -> Result<Exit> {
    let settings = Settings::from_environment().table(&args.settings, args.spec.as_deref())?.request(&args.request)?;
    let spec = settings.load(args.spec.as_deref())?;
    let table = open_table(&spec, args.spec.as_deref())?;
    let template = RequestTemplate::compile(&request_spec(&spec)?, table.columns())?;
    let input = input_path(&spec, args.spec.as_deref());
    Output::is_none_of(&args.output, [Some(&*input), args.spec.as_deref()].into_iter().flatten())?;
    let mut output = Output::create(&args.output)?;
    let built = batch_io::build(table, &template, &key_spec(&spec), &mut output);
    let summary = built.map_err(|error| output::failed(error, &args.output))?;
    output.finish()?;
    terminal.say(&format!("{}, {}", count(summary.records, "request line"), size(summary.bytes)));
    Ok(Exit::Done)
}

/// The table of a spec; `-` is standard input.
pub(crate) fn open_table(spec: &Spec, spec_file: Option<&Path>) -> Result<Table<BufReader<Box<dyn Read>>>> {
    let format = spec.table_format().map_err(Failure::new)?;
    let (reader, name): (Box<dyn Read>, String) = if spec.input.path == Path::new("-") {
        (Box::new(io::stdin()), "standard input".to_owned())
    } else {
        let path = input_path(spec, spec_file);
        let file = File::open(&path).map_err(|error| Failure::io("read the input", &path, error))?;
        (Box::new(file), path.display().to_string())
    };
    Ok(Table::new(BufReader::with_capacity(1 << 18, reader), &name, format)?)
}

/// Where the table of a spec lies, seen from here.
pub(crate) fn input_path(spec: &Spec, spec_file: Option<&Path>) -> PathBuf {
    match spec_file {
        Some(spec_file) if spec.input.path != Path::new("-") => Spec::resolve_path(spec_file, &spec.input.path),
        _ => spec.input.path.clone(),
    }
}
