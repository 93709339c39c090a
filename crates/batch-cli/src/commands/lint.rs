//! `batch-cli lint`: what can be known of request lines before they are paid for.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Write},
    path::Path,
};

use batch_io::{Finding, LintOptions, Linter, RequestLines, RequestTemplate, fix_line};
use batch_pipeline::{Spec, key_spec, request_spec};

use super::{build::open_table, output::Output};
use crate::{
    args::LintArgs,
    exit::Exit,
    failure::{Failure, Result},
    progress::count,
    render,
    settings::Settings,
    terminal::Terminal,
};

pub(crate) fn lint(args: &LintArgs, terminal: &Terminal) -> Result<Exit> {
    let mut report = render::lint::Report::new(args.format, terminal);
    let is_spec = args.path.extension().is_some_and(|extension| extension == "toml");
    if is_spec {
        lint_spec(args, &mut report)?;
    } else if args.fix {
        fix(args, &mut report, terminal)?;
    } else {
        lint_file(args, &mut report)?;
    }
    let (errors, warnings) = (report.errors(), report.warnings());
    report.finish()?;
    terminal.say(&format!("{}, {}", count(errors, "error"), count(warnings, "warning")));
    let clean = errors == 0 && !(args.deny_warnings && 0 < warnings);
    Ok(if clean { Exit::Done } else { Exit::No })
}

fn lint_file(args: &LintArgs, report: &mut render::lint::Report) -> Result<()> {
    let name = args.path.display().to_string();
    let mut linter = Linter::new(options(args.model.as_deref(), args.location.as_deref())?);
    let mut out = |finding| report.add(&finding);
    match args.path.as_path() {
        stdin if stdin == Path::new("-") => linter.read("standard input", io::stdin().lock(), &mut out)?,
        path => {
            let file = File::open(path).map_err(|error| Failure::io("read", path, error))?;
            linter.read(&name, BufReader::with_capacity(1 << 18, file), &mut out)?;
        }
    }
    linter.finish(&mut out);
    Ok(())
}

/// The request lines that a spec would send, each named by the line of the table that it comes from.
fn lint_spec(args: &LintArgs, report: &mut render::lint::Report) -> Result<()> {
    if args.fix {
        let failure = Failure::new("request lines that are built from a spec cannot be mended");
        return Err(failure.with_hint("mend the spec or the table, or build a file and lint that"));
    }
    let mut settings = Settings::from_environment();
    settings.push("request.model", args.model.as_deref(), "--model");
    settings.push("target.location", args.location.as_deref(), "--location");
    let spec = settings.load(Some(&args.path))?;
    let table = open_table(&spec, Some(&args.path))?;
    let name = table.name().to_owned();
    let template = RequestTemplate::compile(&request_spec(&spec)?, table.columns())?;
    let mut linter = Linter::new(options_of(&spec)?);
    let mut lines = RequestLines::new(table, &template, &key_spec(&spec))?;
    let (mut line, mut byte) = (Vec::new(), 0);
    let mut out = |finding| report.add(&finding);
    while let Some(info) = lines.next_line(&mut line)? {
        let number = info.line;
        linter.line(&name, number, byte, line.strip_suffix(b"\n").unwrap_or(&line), &mut out);
        byte += line.len() as u64;
        line.clear();
    }
    linter.finish(&mut out);
    Ok(())
}

/// Writes the file again with what can be mended for certain, and tells what is left.
fn fix(args: &LintArgs, report: &mut render::lint::Report, terminal: &Terminal) -> Result<()> {
    let path = args.path.as_path();
    if path == Path::new("-") {
        return Err(Failure::new("standard input cannot be mended").with_hint("name a file"));
    }
    let name = path.display().to_string();
    let file = File::open(path).map_err(|error| Failure::io("read", path, error))?;
    let mut reader = BufReader::with_capacity(1 << 18, file);
    let mut output = Output::create(path)?;
    let options = options(args.model.as_deref(), args.location.as_deref())?;
    let (mut line, mut mended) = (Vec::new(), 0);
    loop {
        line.clear();
        let length = reader.read_until(b'\n', &mut line).map_err(|error| Failure::io("read", path, error))?;
        if length == 0 {
            break;
        }
        let ended = line.last() == Some(&b'\n');
        let text = if ended { &line[..length - 1] } else { &line[..] };
        let fixed = mend(text, &options);
        mended += u64::from(fixed != text);
        let end: &[u8] = if ended { b"\n" } else { b"" };
        let written = output.write_all(&fixed).and_then(|()| output.write_all(end));
        written.map_err(|error| Failure::io("write", path, error))?;
    }
    output.finish()?;
    terminal.say(&format!("mended {} of {name}", count(mended, "line")));
    // What is left is what the file as it is now still has.
    lint_file(args, report)
}

/// A line with all that can be mended; one mend may bring another to light.
fn mend(line: &[u8], options: &LintOptions) -> Vec<u8> {
    let mut line = line.to_vec();
    loop {
        let mut findings: Vec<Finding> = Vec::new();
        Linter::new(options.clone()).line("", 1, 0, &line, &mut |finding| findings.push(finding));
        let mended = fix_line(&line, &findings);
        if mended == line {
            return line;
        }
        line = mended;
    }
}

/// What is known of the job.
fn options(model: Option<&str>, location: Option<&str>) -> Result<LintOptions> {
    let mut options = LintOptions::default();
    if let Some(model) = model {
        options = options.with_model(model.parse().map_err(|error| Failure::caused("--model", error))?);
    }
    if let Some(location) = location {
        options = options.with_location(location.parse().map_err(|error| Failure::caused("--location", error))?);
    }
    Ok(options.with_today(jiff::Timestamp::now().strftime("%Y-%m-%d").to_string()))
}

fn options_of(spec: &Spec) -> Result<LintOptions> {
    let model = Some(spec.request.model.as_str()).filter(|model| !model.is_empty());
    options(model, spec.target.location.as_deref())
}
