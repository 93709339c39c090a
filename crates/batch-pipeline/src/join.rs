//! The join of a run: what `batch-io` needs to know of a spec.

use std::path::{Path, PathBuf};

use batch_io::{AnswerFormat, Join, PredictionFile, RequestTemplate, TableFormat};
use serde_json::value::RawValue;

use crate::{Error, Kind, Result, Spec, finish::Placed, key_spec, request_spec, stage::open_table};

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

/// Builds the request lines again, for a join where neither keys nor labels came back.
pub(crate) fn write_requests(spec: &Spec, input: &Path, path: &Path) -> Result<PathBuf> {
    let wrong = |error| Error::new(Kind::Input, "build request lines").with_source(error);
    let table = open_table(input, spec)?;
    let template = RequestTemplate::compile(&request_spec(spec)?, table.columns()).map_err(wrong)?;
    let mut placed = Placed::create(path)?;
    batch_io::build(table, &template, &key_spec(spec), &mut placed.file).map_err(wrong)?;
    placed.place()?;
    Ok(path.to_owned())
}
