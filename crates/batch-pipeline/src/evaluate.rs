//! Answers against the expected column, and the records where they differ.

use std::{borrow::Cow, path::Path};

use batch_eval::{Evaluator, Judgement, Metrics, Normalize, Options};
use batch_io::{JoinedRow, Outcome};

use crate::{Error, EvaluateSpec, Kind, Result, Spec, finish::Placed};

/// How the answers to a spec's requests are compared: its rules of normalizing, and the labels that it names or,
/// where it names none, the choices that its response schema leaves the model.
#[must_use]
pub fn evaluation_options(evaluate: &EvaluateSpec, spec: &Spec) -> Options {
    let normalize = Normalize { trim: evaluate.trim, case_fold: evaluate.ignore_case, ..Normalize::default() };
    let labels = match evaluate.labels.is_empty() {
        false => Some(evaluate.labels.clone()),
        true => choices(spec, evaluate),
    };
    Options { normalize, labels, ..Options::default() }
}

/// The comparison of a run's answers with its expected column.
pub(crate) struct Comparison {
    expected: String,
    /// A field of JSON answers; `None` for the answer itself.
    field: Option<String>,
    evaluator: Evaluator,
    mismatches: csv::Writer<Vec<u8>>,
    file: Placed,
    /// What the spec puts before the names of columns that are added.
    prefix: String,
    is_begun: bool,
}

impl Comparison {
    pub(crate) fn new(evaluate: &EvaluateSpec, spec: &Spec, mismatches: &Path) -> Result<Self> {
        let evaluator = Evaluator::new(evaluation_options(evaluate, spec))
            .map_err(|error| Error::new(Kind::Spec, "[evaluate]").with_source(error))?;
        Ok(Self {
            expected: evaluate.expected.clone(),
            field: evaluate.answer.clone().filter(|name| name != "answer"),
            evaluator,
            mismatches: csv::Writer::from_writer(Vec::new()),
            file: Placed::create(mismatches)?,
            prefix: spec.results.column_prefix.clone().unwrap_or_default(),
            is_begun: false,
        })
    }

    pub(crate) fn add(&mut self, row: &JoinedRow<'_>) -> Result<()> {
        let expected = row.value(&self.expected).unwrap_or_default();
        let answer = match &self.field {
            Some(field) => row.field_text(field),
            None => row.answer().map(Cow::Borrowed),
        };
        let answer = answer.as_deref();
        // What is cut or of another kind than asked for is no answer, though there may be text.
        let usable = answer.filter(|_| row.outcome() == Outcome::Answered);
        let judgement = self.evaluator.add(expected, usable);
        if !self.is_begun {
            self.is_begun = true;
            let names = row.columns().names();
            let added = ["key", "outcome", "answer", "detail"].map(|name| self.name_beside(name, names));
            self.write(names.iter().chain(&added).map(String::as_str))?;
        }
        if matches!(judgement, Judgement::Wrong | Judgement::NotAnswered) {
            let outcome = row.outcome().as_str();
            let added = [row.key(), outcome, answer.unwrap_or_default(), row.detail()];
            self.write(row.record().iter().chain(added))?;
        }
        Ok(())
    }

    /// The name of a column of ours that is none of the table's.
    fn name_beside(&self, name: &str, table: &[String]) -> String {
        let mut name = format!("{}{name}", self.prefix);
        while table.contains(&name) {
            name.insert(0, '_');
        }
        name
    }

    fn write<'a>(&mut self, fields: impl Iterator<Item = &'a str>) -> Result<()> {
        self.mismatches.write_record(fields).map_err(failed)?;
        if 1 << 16 <= self.mismatches.get_ref().len() { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        let full = std::mem::replace(&mut self.mismatches, csv::Writer::from_writer(Vec::new()));
        let bytes = full.into_inner().map_err(|error| failed(error.into_error()))?;
        std::io::Write::write_all(&mut self.file, &bytes).map_err(failed)
    }

    pub(crate) fn finish(mut self) -> Result<Metrics> {
        self.flush()?;
        self.file.place()?;
        Ok(self.evaluator.finish())
    }
}

fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(Kind::RunDirectory, "write mismatches.csv").with_source(error)
}

/// The choices that the response schema leaves the model: the labels there are.
fn choices(spec: &Spec, evaluate: &EvaluateSpec) -> Option<Vec<String>> {
    let config = spec.request.generation_config.as_ref()?;
    let mut schema = config.get("responseSchema").or_else(|| config.get("responseJsonSchema"))?;
    if let Some(field) = evaluate.answer.as_deref().filter(|name| *name != "answer") {
        schema = schema.get("properties")?.get(field)?;
    }
    let choices: Option<Vec<String>> =
        schema.get("enum")?.as_array()?.iter().map(|choice| choice.as_str().map(str::to_owned)).collect();
    choices.filter(|choices| !choices.is_empty())
}
