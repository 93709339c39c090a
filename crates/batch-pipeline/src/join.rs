//! The join of a run: what `batch-io` needs to know of a spec.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use batch_io::{AnswerFormat, Join, JoinSummary, Outcome, PredictionFile, RequestLines, RequestTemplate, TableFormat};
use batch_model::prices::Price;
use serde_json::value::RawValue;

use crate::{
    Error, Kind, RequestSpec, Result, RunDir, Selected, Spec,
    cost::{other_prices, price_of},
    finish::Placed,
    key_spec, request_spec,
    stage::open_table,
};

/// The join of a spec's table with prediction files: keys, label, answer format and columns as the
/// spec says. Without the request lines, which are the last resort.
///
/// # Errors
/// The spec's format is none.
pub fn join_of(spec: &Spec, input: &Path, predictions: Vec<PredictionFile>) -> Result<Join<'static>> {
    let format = spec.table_format().map_err(|error| Error::new(Kind::Spec, error))?;
    let mut join = Join::from_path(input, format, predictions).key(key_spec(spec));
    if let Some((name, template)) = telling_label(spec) {
        join = join.label(name, template);
    }
    if let Some(format) = answer_format(spec) {
        join = join.answer_format(format);
    }
    if spec.results.format.as_deref() == Some("jsonl") {
        join = join.output(TableFormat::Jsonl);
    }
    join = join.price(price_of(spec));
    let prefix = |prefix: &Option<String>| prefix.clone().unwrap_or_default();
    Ok(join.column_prefix(prefix(&spec.results.column_prefix)).field_prefix(prefix(&spec.results.field_prefix)))
}

/// The label that tells one record from another: its template looks at the record, or at the key.
fn telling_label(spec: &Spec) -> Option<(&str, &str)> {
    let tells = |template: &str| {
        template.contains("record.") || spec.input.key.as_deref().is_some_and(|key| template.contains(key))
    };
    let labels = spec.request.labels.iter();
    let mut labels = labels.filter_map(|(name, template)| Some((name.as_str(), template.as_str()?)));
    labels.find(|(_, template)| tells(template))
}

/// What the requests of a spec ask answers to be; `None` where the spec has no generation config.
#[must_use]
pub fn answer_format(spec: &Spec) -> Option<AnswerFormat> {
    let config = spec.request.generation_config.as_ref()?;
    let config = RawValue::from_string(serde_json::to_string(config).ok()?).ok()?;
    Some(AnswerFormat::from_generation_config(&config))
}

/// All that a join of a run needs, to be taken to a thread of its own.
pub(crate) struct RunJoin {
    root: PathBuf,
    spec: Spec,
    input: PathBuf,
    selected: Selected,
    /// The newest first: of several answers to one record the first one counts.
    predictions: Vec<String>,
    /// The files that another model has answered, with its price.
    prices: Vec<(String, Option<&'static Price>)>,
    /// The file with answers from the cache.
    cached: Option<String>,
    /// Whether all rounds asked for answers of one form, as far as that is known.
    is_one_form: bool,
    /// The member of a prediction with its key, where that is not for the join to find.
    key_member: Option<String>,
}

impl RunJoin {
    pub(crate) fn new(run: &RunDir) -> Self {
        let state = run.state();
        let requests = state.rounds.iter().filter_map(|round| round.request.as_ref());
        let form = form_of(&state.spec.request);
        Self {
            root: run.path().to_owned(),
            spec: state.table_spec(),
            input: state.input_path(),
            selected: state.selected.unwrap_or(Selected::All),
            key_member: state.input.records.as_ref().map(|records| records.key.clone()),
            predictions: state.prediction_files().into_iter().map(str::to_owned).collect(),
            prices: other_prices(state),
            cached: state.cached_file().map(str::to_owned),
            is_one_form: requests.into_iter().all(|request| form_of(request) == form)
                && !state.rounds.iter().any(|round| round.unknown_settings),
        }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn spec(&self) -> &Spec {
        &self.spec
    }

    /// Joins by `attempt`, which runs the join that it is given to the end, and once more where keys were
    /// lost: with the request lines, built again, so that the echoed requests tell.
    ///
    /// # Errors
    /// Those of `attempt`, and of building request lines.
    pub(crate) fn run<T>(
        &self,
        mut attempt: impl FnMut(Join<'static>) -> Result<(JoinSummary, T)>,
    ) -> Result<(JoinSummary, T)> {
        let (summary, done) = attempt(self.join()?)?;
        // Predictions that belong to nobody and records without one: the keys did not come back. The
        // echoed requests may tell then, and what was asked can be built again.
        let lost = summary.outcomes.get(Outcome::Missing).min(summary.unmatched.count);
        // A table that was joined without the spec's prompt cannot be asked.
        if lost == 0 || self.spec.request.prompt.is_empty() {
            return Ok((summary, done));
        }
        drop(done);
        let requests = self.write_requests(&self.root.join("requests.jsonl"))?;
        attempt(self.join()?.requests(requests))
    }

    fn join(&self) -> Result<Join<'static>> {
        let predictions = self.predictions.iter();
        let predictions = predictions.map(|name| PredictionFile::new(name, self.root.join(name))).collect();
        let join = match self.is_one_form {
            true => join_of(&self.spec, &self.input, predictions)?,
            // Each echoed request tells what form its answer was to have.
            false => {
                let mut spec = self.spec.clone();
                spec.request.generation_config = None;
                join_of(&spec, &self.input, predictions)?
            }
        };
        let join = match &self.key_member {
            Some(member) => join.key_member(member),
            None => join,
        };
        let join = self.prices.iter().fold(join, |join, (file, price)| join.price_of_file(file, *price));
        // An earlier run paid for these, and this one does not.
        let join = self.cached.iter().fold(join, |join, file| join.paid_before(file));
        Ok(match self.selected {
            Selected::All => join,
            selected => join.skip(move |index| !selected.has(index)),
        })
    }

    /// Builds the request lines again, for a join where neither keys nor labels came back.
    fn write_requests(&self, path: &Path) -> Result<PathBuf> {
        let wrong = |error| Error::new(Kind::Input, "build request lines").with_source(error);
        let table = open_table(&self.input, &self.spec)?;
        let template = RequestTemplate::compile(&request_spec(&self.spec)?, table.columns()).map_err(wrong)?;
        let mut lines = RequestLines::new(table, &template, &key_spec(&self.spec)).map_err(wrong)?;
        let (mut placed, mut line) = (Placed::create(path)?, Vec::new());
        while lines.next_line_if(&mut line, |index| self.selected.has(index)).map_err(wrong)?.is_some() {
            let written = placed.write_all(&line);
            written.map_err(|error| Error::io(Kind::RunDirectory, "write", path, error))?;
            line.clear();
        }
        placed.place()?;
        Ok(path.to_owned())
    }
}

/// What decides which form answers have.
fn form_of(request: &RequestSpec) -> [Option<&serde_json::Value>; 3] {
    let config = request.generation_config.as_ref();
    ["responseMimeType", "responseSchema", "responseJsonSchema"].map(|name| config?.get(name))
}
