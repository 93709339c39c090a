//! `batch-cli build`: request lines from a table.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use batch_bq::sql::SourceColumn;
use batch_io::{RequestTemplate, Table};
use batch_pipeline::{Spec, key_spec, request_spec};
use serde::Deserialize;

use super::output::{self, Output};
use crate::{
    args::BuildArgs,
    connect::{self, Target},
    exit::Exit,
    failure::{Failure, Result},
    progress::{count, size},
    settings::Settings,
    terminal::Terminal,
};

pub(crate) fn build(args: &BuildArgs, terminal: &Terminal) -> Result<Exit> {
    let settings = Settings::from_environment().table(&args.settings, args.spec.as_deref())?.request(&args.request)?;
    let spec = settings.load(args.spec.as_deref())?;
    if !spec.input.is_here() {
        let failure = Failure::new(format!("the records are not here to build requests of: {}", spec.input.name()));
        return Err(failure.with_hint("`batch-cli run` has BigQuery build them; --print-sql shows the statements"));
    }
    let Some(output_path) = args.output.as_deref() else {
        return Err(Failure::new("where shall the request lines go?").with_hint("name a file with --output"));
    };
    let table = open_table(&spec, args.spec.as_deref())?;
    let template = RequestTemplate::compile(&request_spec(&spec)?, table.columns())?;
    let input = input_path(&spec, args.spec.as_deref());
    Output::is_none_of(output_path, [Some(&*input), args.spec.as_deref()].into_iter().flatten())?;
    let mut output = Output::create_through(output_path)?;
    let built = batch_io::build(table, &template, &key_spec(&spec), &mut output);
    let summary = built.map_err(|error| output::failed(error, output_path))?;
    output.finish()?;
    terminal.say(&format!("{}, {}", count(summary.records, "request line"), size(summary.bytes)));
    Ok(Exit::Done)
}

/// The statements by which BigQuery would build the requests, as text for a console.
pub(crate) async fn print_sql(args: &BuildArgs, terminal: &Terminal) -> Result<Exit> {
    let settings = Settings::from_environment().table(&args.settings, args.spec.as_deref())?.request(&args.request)?;
    let spec = settings.load(args.spec.as_deref())?;
    if spec.input.is_here() {
        let failure = Failure::new(format!("the table is a file, of which no SQL is made: {}", spec.input.name()));
        return Err(failure.with_hint("name a table of BigQuery with input.table, or a SELECT with input.query"));
    }
    let statements = match &args.schema {
        Some(schema) => connect::statements(&spec, &columns(schema)?)?,
        None => Target::of(&spec)?.statements(&spec).await?,
    };
    if statements.is_empty() {
        terminal.say(&format!("{} has a column request, and is submitted as it is", spec.input.name()));
    }
    let text: Vec<String> = statements.iter().map(ToString::to_string).collect();
    terminal.write_report(terminal.safe_data(&text.join("\n")).as_bytes())?;
    Ok(Exit::Done)
}

/// The columns of a schema, with their types as SQL has them.
fn columns(schema: &Path) -> Result<Vec<SourceColumn>> {
    #[derive(Deserialize)]
    struct Column {
        name: String,
        #[serde(rename = "type")]
        kind: String,
        #[serde(default)]
        mode: String,
    }
    let text = std::fs::read_to_string(schema).map_err(|error| Failure::io("read the schema", schema, error))?;
    let columns: Vec<Column> = serde_json::from_str(&text).map_err(|error| {
        let failure = Failure::caused(format!("{} is no schema", schema.display()), error);
        failure.with_hint("`bq show --schema --format=prettyjson project:dataset.table` writes one")
    })?;
    let column = |column: Column| match column.mode.eq_ignore_ascii_case("REPEATED") {
        true => SourceColumn::new(column.name, format!("ARRAY<{}>", column.kind)),
        false => SourceColumn::new(column.name, column.kind),
    };
    Ok(columns.into_iter().map(column).collect())
}

/// Refuses a spec whose records are not in a file, for a command that reads them.
pub(crate) fn check_here(spec: &Spec) -> Result<()> {
    if spec.input.is_here() {
        return Ok(());
    }
    let failure = Failure::new(format!("the records are in {}, and not in a file here", spec.input.name()));
    Err(failure
        .with_hint("`run` and `submit` take them where they lie; to read them here, export them and set input.path"))
}

/// The table of a spec; `-` is standard input.
pub(crate) fn open_table(spec: &Spec, spec_file: Option<&Path>) -> Result<Table<Box<dyn Read + Send>>> {
    check_here(spec)?;
    let format = spec.table_format().map_err(Failure::new)?;
    let (reader, name): (Box<dyn Read + Send>, String) = if spec.input.path == Path::new("-") {
        (Box::new(io::stdin()), "standard input".to_owned())
    } else {
        let path = input_path(spec, spec_file);
        let file = File::open(&path).map_err(|error| Failure::io("read the input", &path, error))?;
        (Box::new(file), path.display().to_string())
    };
    Ok(Table::new(reader, &name, format)?)
}

/// Where the table of a spec lies, seen from here.
pub(crate) fn input_path(spec: &Spec, spec_file: Option<&Path>) -> PathBuf {
    match spec_file {
        Some(spec_file) if spec.input.path != Path::new("-") => Spec::resolve_path(spec_file, &spec.input.path),
        _ => spec.input.path.clone(),
    }
}
