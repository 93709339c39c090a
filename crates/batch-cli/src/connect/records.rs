//! Records that lie in BigQuery: from a spec to what reads them there.

use batch_bq::{
    BqClient, BqInput, BqRecords, ResultsIn,
    sql::{BuildRequests, Flattened, Source, SourceColumn, Statement},
};
use batch_http::Service;
use batch_io::AnswerFormat;
use batch_model::BigQueryUri;
use batch_pipeline::{Spec, answer_format, request_spec};
use serde_json::value::RawValue;

use super::{Address, Reached, Target};
use crate::failure::{Failure, Result};

/// The records of a spec; `None` where they are in a file.
pub(super) fn source(spec: &Spec) -> Result<Option<Source>> {
    match (&spec.input.table, &spec.input.query) {
        (Some(table), _) => {
            let uri: BigQueryUri = table.parse().map_err(|error| {
                Failure::caused("input.table", error).with_hint("write it as bq://project.dataset.table")
            })?;
            if uri.table().is_none() {
                let failure = Failure::new(format!("input.table names no table: {uri}"));
                return Err(failure.with_hint("write it as bq://project.dataset.table"));
            }
            Ok(Some(Source::Table(uri)))
        }
        (None, Some(query)) => Ok(Some(Source::Query(query.clone()))),
        (None, None) => Ok(None),
    }
}

/// Where requests are built if the spec does not say: beside the predictions, or beside the table.
pub(super) fn beside(spec: &Spec, source: Option<&Source>) -> Option<String> {
    let source = source?;
    let output = spec.target.output.as_deref().and_then(|output| output.parse::<BigQueryUri>().ok());
    let table = match source {
        Source::Table(uri) => Some(uri.clone()),
        Source::Query(_) => None,
    };
    let uri = output.filter(|uri| uri.dataset().is_some()).or(table)?;
    Some(format!("bq://{}.{}", uri.project(), uri.dataset()?))
}

/// What does not go together with records in BigQuery.
pub(super) fn check(spec: &Spec, input: &Address, output: &Address) -> Result<()> {
    if let Address::Storage(uri) = input {
        let failure = Failure::new(format!("the records are in BigQuery, and target.input is not: {uri}"));
        return Err(failure.with_hint("requests are built in a dataset: set target.input to bq://project.dataset"));
    }
    if let (Address::Storage(uri), false) = (output, spec.results.is_here()) {
        let failure = Failure::new(format!("results.in is \"bigquery\", and the predictions go to {uri}"));
        return Err(failure.with_hint("set target.output to bq://project.dataset, or leave out results.in"));
    }
    if !spec.request.prompt.is_empty() {
        return Ok(());
    }
    // Without a prompt the requests are the table's own, to which nothing is added.
    let request = &spec.request;
    let unsent = [
        ("system", request.system.is_some()),
        ("turns", !request.turns.is_empty()),
        ("labels", !request.labels.is_empty()),
        ("safetySettings", request.safety_settings.is_some()),
        ("tools", request.tools.is_some()),
        ("toolConfig", request.tool_config.is_some()),
        ("files", !request.files.is_empty()),
        ("columns", !request.columns.is_empty()),
    ];
    match unsent.into_iter().find(|(_, is_set)| *is_set) {
        Some((name, _)) => {
            let failure = Failure::new(format!("request.{name} would not be sent: there is no request.prompt"));
            let hint = "without a prompt the requests are those of the column request, as they are: leave it out, or \
                        write a prompt for a table without that column";
            Err(failure.with_hint(hint))
        }
        None => Ok(()),
    }
}

/// What the requests ask answers to be.
pub(crate) fn form_of_answers(spec: &Spec) -> Result<AnswerFormat> {
    match answer_format(spec) {
        Some(format) => Ok(format),
        None => {
            let none = RawValue::from_string("{}".to_owned());
            let none = none.map_err(|error| Failure::caused("read the form of the answers", error))?;
            Ok(AnswerFormat::from_generation_config(&none))
        }
    }
}

/// Where the results of a spec are in BigQuery: the place that it names, or a dataset.
pub(crate) fn results_in(spec: &Spec, dataset: &BigQueryUri) -> Result<ResultsIn> {
    let into = match &spec.results.table {
        Some(table) => table.parse().map_err(|error| Failure::caused("results.table", error))?,
        None => match dataset.dataset() {
            Some(name) => format!("bq://{}.{name}", dataset.project())
                .parse()
                .map_err(|error| Failure::caused("the dataset of the results", error))?,
            None => {
                let failure = Failure::new(format!("no place for the results is named: {dataset} has no dataset"));
                return Err(failure.with_hint("set results.table to bq://project.dataset.view"));
            }
        },
    };
    let form = match spec.results.form.as_deref() {
        Some("table") => Flattened::Table,
        _ => Flattened::View,
    };
    let prefix = |prefix: &Option<String>| prefix.clone().unwrap_or_default();
    let results = ResultsIn::new(into, form, form_of_answers(spec)?);
    Ok(results.prefixes(prefix(&spec.results.column_prefix), prefix(&spec.results.field_prefix)))
}

/// The name that statements have for a run that does not exist.
const RUN: &str = "RUN";

/// The statements that would build the requests of a source with these columns, without asking anybody.
pub(crate) fn statements(spec: &Spec, columns: &[SourceColumn]) -> Result<Vec<Statement>> {
    let Some(source) = source(spec)? else { return Err(Failure::new("the records are not in BigQuery")) };
    let input = spec.target.input.clone().or_else(|| beside(spec, Some(&source)));
    let input: BigQueryUri = input
        .ok_or_else(|| {
            Failure::new("no place for requests is named").with_hint("set target.input to bq://project.dataset")
        })?
        .parse()
        .map_err(|error| Failure::caused("target.input", error))?;
    let Some(dataset) = input.dataset() else {
        return Err(Failure::new(format!("target.input names no dataset: {input}")));
    };
    let into = BigQueryUri::table_of(input.project(), dataset, format!("{RUN}__s00000"));
    if columns.iter().any(|column| column.name().eq_ignore_ascii_case("request")) {
        return Ok(match &source {
            Source::Table(_) => Vec::new(),
            Source::Query(_) => vec![source.copy(&into)?],
        });
    }
    let request = request_spec(spec)?;
    let build = BuildRequests::new(&request, source, columns.to_vec());
    let build = match &spec.input.key {
        Some(key) => build.key_column(key),
        None => build,
    };
    let mut statements = vec![build.check_keys()?];
    statements.extend(build.statements(&into)?);
    Ok(statements)
}

impl Target {
    /// The statements that would build the requests of a run of the spec.
    pub(crate) async fn statements(&self, spec: &Spec) -> Result<Vec<Statement>> {
        let bigquery = self.bigquery(spec).await?;
        Ok(self.records_on(bigquery, spec)?.statements(RUN).await?)
    }

    /// A client of BigQuery, where the target has an address there or not.
    pub(crate) async fn bigquery(&self, spec: &Spec) -> Result<BqClient> {
        let reached = Reached::new(&self.location, &spec.endpoints, None, &[Service::BigQuery]).await?;
        reached.bigquery(&self.project, &self.location).await
    }

    /// The records of the spec, on `bigquery`.
    pub(super) fn records_on(&self, bigquery: BqClient, spec: &Spec) -> Result<BqRecords> {
        let (Some(source), Address::BigQuery(staged_in)) = (self.records.clone(), &self.input) else {
            return Err(Failure::new("the records of the spec are not in BigQuery"));
        };
        let staged_in = BqInput::new(bigquery.clone(), staged_in.clone())?;
        let mut records = BqRecords::new(bigquery, source, staged_in, self.location.clone());
        if let Some(key) = &spec.input.key {
            records = records.key_column(key);
        }
        if !spec.request.prompt.is_empty() {
            records = records.request(request_spec(spec)?);
        }
        match &self.output {
            Address::BigQuery(output) if !spec.results.is_here() => Ok(records.results(results_in(spec, output)?)),
            _ => Ok(records),
        }
    }
}
