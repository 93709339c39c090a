//! `batch-cli eval`: answers against an expected column, offline.

use std::{borrow::Cow, fs::File, io::Read, path::Path};

use batch_eval::{Evaluator, Judgement, Options, Verdict};
use batch_io::{Columns, Outcome, Record, Table, TableFormat};
use batch_pipeline::{EvaluateSpec, Spec, evaluation_options, join_of};
use serde_json::json;

use super::{
    join::{predictions, table_path, with_label},
    output::Output,
    thresholds::Thresholds,
};
use crate::{
    args::{EvalArgs, Format},
    exit::Exit,
    failure::{Failure, Result},
    progress::count,
    render,
    settings::Settings,
    terminal::Terminal,
};

pub(crate) fn eval(args: &EvalArgs, terminal: &Terminal) -> Result<Exit> {
    // A table of results is read as it is, whatever the environment says of the table behind it.
    let settings = match args.predictions.is_empty() && args.spec.is_none() {
        true => Settings::none(),
        false => Settings::from_environment(),
    };
    if args.settings.input.is_none() && args.spec.is_none() {
        let failure = Failure::new("which table is it?");
        return Err(failure.with_hint("name the results with --input, or with --predictions the records' table"));
    }
    let spec = settings.table(&args.settings, args.spec.as_deref())?.load(args.spec.as_deref())?;
    let thresholds = Thresholds::new(&args.thresholds, &spec);
    thresholds.validate()?;
    let mut judge = Judge::new(args, &spec)?;
    let damaged = match args.predictions.is_empty() {
        true => judge.read_results(args, &spec).map(|()| 0)?,
        false => judge.read_predictions(args, &spec)?,
    };
    let Judge { evaluator, mismatches, unanswered, .. } = judge;
    if let Some(mismatches) = mismatches {
        mismatches.finish()?;
    }
    let metrics = evaluator.finish();
    let verdict = thresholds.check(&metrics)?;
    let failed = thresholds.max_failed() < unanswered;
    let passed = verdict.passed() && !failed && damaged == 0;
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
    if failed {
        let max = thresholds.max_failed();
        terminal.say(&format!("{} without an answer, more than the {max} allowed", count(unanswered, "record")));
    }
    if 0 < damaged {
        terminal.say(&format!("{} of the prediction files could not be read", count(damaged, "line")));
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

/// Compares one record after the other.
struct Judge<'a> {
    expected: &'a str,
    /// What `--answer` or the spec names.
    answer: &'a str,
    evaluator: Evaluator,
    mismatches: Option<Mismatches>,
    unanswered: u64,
}

impl<'a> Judge<'a> {
    fn new(args: &'a EvalArgs, spec: &'a Spec) -> Result<Self> {
        let evaluate = spec.evaluate.as_ref();
        let Some(expected) = args.expected.as_deref().or(evaluate.map(|evaluate| &*evaluate.expected)) else {
            let failure = Failure::new("which column has the expected values?");
            return Err(failure.with_hint("name it with --expected, or a spec that has [evaluate] with --spec"));
        };
        let of_spec = |evaluate: &EvaluateSpec| evaluation_options(evaluate, spec);
        let mut options: Options = evaluate.map(of_spec).unwrap_or_default();
        options.normalize.case_fold |= args.ignore_case;
        if !args.labels.is_empty() {
            options.labels = Some(args.labels.clone());
        }
        let answer = args.answer.as_deref().or(evaluate.and_then(|evaluate| evaluate.answer.as_deref()));
        let mismatches = args.mismatches.as_deref().map(|path| Mismatches::create(path, inputs(args))).transpose()?;
        Ok(Self {
            expected,
            answer: answer.unwrap_or("answer"),
            evaluator: Evaluator::new(options)?,
            mismatches,
            unanswered: 0,
        })
    }

    /// Reads a table of results.
    fn read_results(&mut self, args: &EvalArgs, spec: &Spec) -> Result<()> {
        let Some(input) = args.settings.input.as_deref() else {
            let failure = Failure::new("which table has the results?");
            return Err(failure.with_hint("name it with --input, or the prediction files with --predictions"));
        };
        let mut table = open(Path::new(input), args)?;
        let columns = table.columns();
        let prefix = |prefix: &Option<String>| prefix.clone().unwrap_or_default();
        let (ours, field) = (prefix(&spec.results.column_prefix), prefix(&spec.results.field_prefix));
        let answer = match (&args.answer, self.answer) {
            (Some(column), _) => column.clone(),
            (None, "answer") => format!("{ours}answer"),
            (None, name) => format!("{field}{name}"),
        };
        let expected = position(columns, self.expected, "--expected", input)?;
        let answer = position(columns, &answer, "--answer", input)?;
        // A table of another tool has no outcomes: an empty answer is none then.
        let outcome = match &args.outcome {
            Some(name) => Some(position(columns, name, "--outcome", input)?),
            None => columns.position(&format!("{ours}outcome")),
        };
        if let Some(mismatches) = &mut self.mismatches {
            mismatches.row(columns.names())?;
        }
        let mut record = Record::new();
        while table.read(&mut record)? {
            // A record that was not to be asked about says nothing of the model.
            if outcome.is_some_and(|outcome| record.get(outcome) == "skipped") {
                continue;
            }
            let is_answered = outcome.is_none_or(|outcome| record.get(outcome) == "answered");
            let given = Some(record.get(answer)).filter(|answer| is_answered && !answer.trim().is_empty());
            if self.is_mismatch(record.get(expected), given)
                && let Some(mismatches) = &mut self.mismatches
            {
                mismatches.row(record.iter())?;
            }
        }
        Ok(())
    }

    /// Joins predictions to their records, and writes none of the results. How many lines of the files could
    /// not be read.
    fn read_predictions(&mut self, args: &EvalArgs, spec: &Spec) -> Result<u64> {
        let table = table_path(spec, args.spec.as_deref())?;
        // Of a join it is known only with the first row which columns there are.
        let columns = super::build::open_table(spec, args.spec.as_deref())?;
        let expected = position(columns.columns(), self.expected, "--expected", &table.display().to_string())?;
        let prefix = spec.results.column_prefix.as_deref().unwrap_or_default();
        if let Some(mismatches) = &mut self.mismatches {
            let added = ["outcome", "answer", "detail"].map(|name| format!("{prefix}{name}"));
            mismatches.row(columns.columns().names().iter().chain(&added))?;
        }
        let mut join = with_label(join_of(spec, &table, predictions(&args.predictions)?)?, &args.settings);
        // Mismatches are written with the whole record.
        if self.mismatches.is_none() {
            join = join.wanted_columns([expected]);
        }
        let mut failed = Ok(());
        let summary = join.for_each(&mut |row| {
            let answer = match self.answer {
                "answer" => row.answer().map(Cow::Borrowed),
                field => row.field_text(field),
            };
            // What is cut or of another kind than asked for is no answer, though there may be text.
            let given = answer.as_deref().filter(|_| row.outcome() == Outcome::Answered);
            if self.is_mismatch(row.record().get(expected), given)
                && let Some(mismatches) = &mut self.mismatches
                && failed.is_ok()
            {
                let added = [row.outcome().as_str(), answer.as_deref().unwrap_or_default(), row.detail()];
                failed = mismatches.row(row.record().iter().chain(added));
            }
        })?;
        failed?;
        Ok(summary.problems.count)
    }

    fn is_mismatch(&mut self, expected: &str, given: Option<&str>) -> bool {
        self.unanswered += u64::from(given.is_none());
        matches!(self.evaluator.add(expected, given), Judgement::Wrong | Judgement::NotAnswered)
    }
}

/// The files that are read, which no output may be.
fn inputs(args: &EvalArgs) -> impl Iterator<Item = &Path> {
    let input = args.settings.input.as_deref().map(Path::new);
    input.into_iter().chain(args.spec.as_deref()).chain(args.predictions.iter().map(|path| &**path))
}

fn open(input: &Path, args: &EvalArgs) -> Result<Table<Box<dyn Read + Send>>> {
    if args.settings.input_format.is_none() && input.extension().is_some_and(|extension| extension == "parquet") {
        let failure = Failure::new(format!("{} is Parquet, and is not read here", input.display()));
        return Err(failure.with_hint(
            "eval reads csv, tsv and jsonl; or name the spec and --predictions, and the join is made again",
        ));
    }
    let format = match args.settings.input_format.as_deref() {
        None => TableFormat::from_path(input).unwrap_or(TableFormat::CSV),
        Some("csv") => TableFormat::CSV,
        Some("tsv") => TableFormat::Csv { delimiter: b'\t' },
        Some("jsonl") => TableFormat::Jsonl,
        Some(other) => return Err(Failure::new(format!("--input-format {other:?} is not csv, tsv or jsonl"))),
    };
    let (reader, name): (Box<dyn Read + Send>, _) = if input == Path::new("-") {
        (Box::new(std::io::stdin()), "standard input".to_owned())
    } else {
        let file = File::open(input).map_err(|error| Failure::io("read the results", input, error))?;
        (Box::new(file), input.display().to_string())
    };
    Ok(Table::new(reader, &name, format)?)
}

fn position(columns: &Columns, name: &str, flag: &str, file: &str) -> Result<usize> {
    columns.position(name).ok_or_else(|| {
        let there = columns.names().join(", ");
        let failure = Failure::new(format!("{file} has no column {name:?} ({flag})"));
        failure.with_hint(format!("its columns are: {there}"))
    })
}

/// The records whose answer is not the expected one, whole.
struct Mismatches {
    writer: csv::Writer<Output>,
}

impl Mismatches {
    fn create<'a>(path: &Path, inputs: impl Iterator<Item = &'a Path>) -> Result<Self> {
        Output::is_none_of(path, inputs)?;
        Ok(Self { writer: csv::Writer::from_writer(Output::create(path)?) })
    }

    fn row(&mut self, fields: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Result<()> {
        self.writer.write_record(fields).map_err(|error| Failure::caused("write the mismatches", error))
    }

    fn finish(self) -> Result<()> {
        let output = self.writer.into_inner();
        output.map_err(|error| Failure::caused("write the mismatches", error.into_error()))?.finish()
    }
}
