//! `batch-cli build`: request lines from a table.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
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
        let path = match spec_file {
            Some(spec_file) => Spec::resolve_path(spec_file, &spec.input.path),
            None => spec.input.path.clone(),
        };
        let file = File::open(&path).map_err(|error| Failure::io("read the input", &path, error))?;
        (Box::new(file), path.display().to_string())
    };
    Ok(Table::new(BufReader::with_capacity(1 << 18, reader), &name, format)?)
}
