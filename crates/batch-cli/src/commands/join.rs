//! `batch-cli join`: prediction files joined to the records of a table, offline.

use std::path::{Path, PathBuf};

use batch_io::{Join, JoinSummary, PredictionFile};
use batch_parquet::write_join;
use batch_pipeline::{Accounting, Spec, join_of};
use serde_json::json;

use super::{
    build::{check_here, input_path},
    output::{self, Output},
};
use crate::{
    args::{Format, JoinArgs, SettingArgs},
    exit::Exit,
    failure::{Failure, Result},
    render,
    settings::Settings,
    terminal::Terminal,
};

pub(crate) fn join(args: &JoinArgs, terminal: &Terminal) -> Result<Exit> {
    let settings = Settings::from_environment().results(args)?.table(&args.settings, args.spec.as_deref())?;
    let spec = settings.load(args.spec.as_deref())?;
    let table = table_path(&spec, args.spec.as_deref())?;
    let inputs = args.predictions.iter().chain(&args.requests).chain(&args.spec).chain([&table]);
    Output::is_none_of(&args.output, inputs.map(PathBuf::as_path))?;
    if args.output == Path::new("-") && args.format == Format::Json {
        let failure = Failure::new("the results and the summary cannot both go to standard output");
        return Err(failure.with_hint("write the results to a file with --output"));
    }
    let mut join = join_of(&spec, &table, predictions(&args.predictions)?)?;
    if let Some(requests) = &args.requests {
        join = join.requests(requests);
    }
    join = with_label(join, &args.settings);
    let is_parquet = spec.results.is_parquet();
    let mut output = if is_parquet { Output::create(&args.output)? } else { Output::create_through(&args.output)? };
    let failed = |error| output::failed(error, &args.output);
    let failed_to_write = |error| output::failed_to_write(error, &args.output);
    let summary = match is_parquet {
        true => write_join(join, &mut output, &mut |_| {}).map_err(failed)?.map_err(failed_to_write)?,
        false => join.run(&mut output, &mut |_| {}).map_err(failed)?,
    };
    output.finish()?;
    tell(args, &summary, terminal)?;
    let unanswered = Accounting::of(&summary).unanswered();
    let of_spec = spec.evaluate.as_ref().and_then(|evaluate| evaluate.max_failed);
    let max_failed = args.max_failed.or(of_spec).unwrap_or(0);
    let is_damaged = 0 < summary.problems.count;
    Ok(if max_failed < unanswered || is_damaged { Exit::No } else { Exit::Done })
}

/// A label that is named by a flag is meant, whatever its template looks at.
pub(crate) fn with_label<'a>(join: Join<'a>, settings: &SettingArgs) -> Join<'a> {
    match settings.label.first().and_then(|label| label.split_once('=')) {
        Some((name, template)) => join.label(name, template),
        None => join,
    }
}

/// The summary: talk for people, data for programs.
fn tell(args: &JoinArgs, summary: &JoinSummary, terminal: &Terminal) -> Result<()> {
    match args.format {
        Format::Text => {
            let mut text = String::new();
            render::join::accounting(&mut text, summary);
            render::join::notes(&mut text, summary);
            terminal.say(&terminal.safe(text.trim_end()));
        }
        Format::Json => {
            let mut value = json!({ "version": 1, "accounting": Accounting::of(summary) });
            value["join"] =
                serde_json::to_value(summary).map_err(|error| Failure::caused("write the summary", error))?;
            let written = terminal.write(format!("{value:#}\n").as_bytes());
            written.map_err(|error| Failure::caused("write the summary", error))?;
        }
    }
    Ok(())
}

pub(crate) fn predictions(paths: &[PathBuf]) -> Result<Vec<PredictionFile>> {
    let missing = paths.iter().find(|path| !path.exists());
    if let Some(missing) = missing {
        return Err(Failure::new(format!("there is no predictions file {}", missing.display())));
    }
    Ok(paths.iter().map(|path| PredictionFile::from(path.clone())).collect())
}

/// The table's file: the join reads it once, and again where keys are lost.
pub(crate) fn table_path(spec: &Spec, spec_file: Option<&Path>) -> Result<PathBuf> {
    check_here(spec)?;
    if spec.input.path == Path::new("-") {
        let failure = Failure::new("a join may read the table more than once, and standard input can be read once");
        return Err(failure.with_hint("write the table to a file, and name it with --input"));
    }
    Ok(input_path(spec, spec_file))
}
