//! `batch-cli eval`: answers against an expected column, offline.

use std::{
    fs::File,
    io::{BufReader, Read},
    path::Path,
};

use batch_eval::{Evaluator, Judgement, Normalize, Options, Thresholds, Verdict};
use batch_io::{Columns, Record, Table, TableFormat};
use serde_json::json;

use super::output::Output;
use crate::{
    args::{EvalArgs, Format},
    exit::Exit,
    failure::{Failure, Result},
    progress::count,
    render,
    terminal::Terminal,
};

pub(crate) fn eval(args: &EvalArgs, terminal: &Terminal) -> Result<Exit> {
    let thresholds = Thresholds { min_accuracy: args.min_accuracy, ..Thresholds::default() };
    thresholds.validate()?;
    let mut table = open(args)?;
    let columns = table.columns();
    let expected = position(columns, &args.expected, "--expected", &args.input)?;
    let answer = position(columns, &args.answer, "--answer", &args.input)?;
    // A table of another tool has no outcomes: an empty answer is none then.
    let outcome = columns.position(&args.outcome);
    let mut mismatches = match &args.mismatches {
        Some(path) => {
            Output::is_none_of(path, [args.input.as_path()])?;
            Some(Mismatches::create(path, columns)?)
        }
        None => None,
    };

    let mut evaluator = Evaluator::new(Options {
        normalize: Normalize { case_fold: args.ignore_case, ..Normalize::default() },
        labels: (!args.labels.is_empty()).then(|| args.labels.clone()),
        ..Options::default()
    })?;
    let mut record = Record::new();
    let mut unanswered = 0;
    while table.read(&mut record)? {
        let is_answered = outcome.is_none_or(|outcome| record.get(outcome) == "answered");
        let given = Some(record.get(answer)).filter(|answer| is_answered && !answer.trim().is_empty());
        unanswered += u64::from(given.is_none());
        let judgement = evaluator.add(record.get(expected), given);
        if let Some(mismatches) = &mut mismatches
            && matches!(judgement, Judgement::Wrong | Judgement::NotAnswered)
        {
            mismatches.write(&record)?;
        }
    }
    if let Some(mismatches) = mismatches {
        mismatches.finish()?;
    }
    let metrics = evaluator.finish();
    let verdict = thresholds.check(&metrics)?;
    let max_failed = args.max_failed.unwrap_or(0);
    let failed = (max_failed < unanswered).then_some(max_failed);
    let passed = verdict.passed() && failed.is_none();
    let text = match args.format {
        Format::Text => terminal.safe_data(&render::evaluation::text(&metrics)).into_owned(),
        Format::Json => {
            let value = json!({
                "version": 1, "passed": passed, "unanswered": unanswered, "metrics": metrics, "verdict": verdict,
            });
            format!("{value:#}\n")
        }
    };
    terminal.write_report(text.as_bytes())?;
    tell(&verdict, terminal);
    if let Some(max) = failed {
        terminal.say(&format!("{} without an answer, more than the {max} allowed", count(unanswered, "record")));
    }
    Ok(if passed { Exit::Done } else { Exit::No })
}

/// Says which thresholds were missed.
pub(crate) fn tell(verdict: &Verdict, terminal: &Terminal) {
    for check in verdict.checks.iter().filter(|check| !check.passed) {
        let actual = check.actual.map_or_else(|| "undefined".to_owned(), |actual| format!("{actual:.4}"));
        terminal.say(&format!("{} is {actual}, below the {} asked for", check.metric, check.minimum));
    }
}

fn open(args: &EvalArgs) -> Result<Table<BufReader<Box<dyn Read>>>> {
    let format = match args.input_format.as_deref() {
        None => TableFormat::from_path(&args.input).unwrap_or(TableFormat::Csv { delimiter: b',' }),
        Some("csv") => TableFormat::Csv { delimiter: b',' },
        Some("tsv") => TableFormat::Csv { delimiter: b'\t' },
        Some("jsonl") => TableFormat::Jsonl,
        Some(other) => return Err(Failure::new(format!("--input-format {other:?} is not csv, tsv or jsonl"))),
    };
    let (reader, name): (Box<dyn Read>, _) = if args.input == Path::new("-") {
        (Box::new(std::io::stdin()), "standard input".to_owned())
    } else {
        let file = File::open(&args.input).map_err(|error| Failure::io("read the results", &args.input, error))?;
        (Box::new(file), args.input.display().to_string())
    };
    Ok(Table::new(BufReader::with_capacity(1 << 18, reader), &name, format)?)
}

fn position(columns: &Columns, name: &str, flag: &str, file: &Path) -> Result<usize> {
    columns.position(name).ok_or_else(|| {
        let there = columns.names().join(", ");
        let message = format!("{} has no column {name:?} ({flag})", file.display());
        Failure::new(message).with_hint(format!("its columns are: {there}"))
    })
}

/// The records whose answer is not the expected one, whole.
struct Mismatches {
    writer: csv::Writer<Output>,
}

impl Mismatches {
    fn create(path: &Path, columns: &Columns) -> Result<Self> {
        let mut this = Self { writer: csv::Writer::from_writer(Output::create(path)?) };
        this.row(columns.names())?;
        Ok(this)
    }

    fn write(&mut self, record: &Record) -> Result<()> {
        self.row(record.iter())
    }

    fn row(&mut self, fields: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Result<()> {
        self.writer.write_record(fields).map_err(|error| Failure::caused("write the mismatches", error))
    }

    fn finish(self) -> Result<()> {
        let output = self.writer.into_inner();
        output.map_err(|error| Failure::caused("write the mismatches", error.into_error()))?.finish()
    }
}
