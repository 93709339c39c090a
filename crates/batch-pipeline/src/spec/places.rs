//! Where a spec's records and results are, and what does not go together.

use super::{Spec, document::Document};
use crate::Result;

/// Exactly one input, and settings that belong to where it is; results likewise.
pub(super) fn check(spec: &Spec, document: &Document) -> Result<()> {
    let wrong = |path: &str, message: String, hint: &str| Err(document.error_at(path, message).with_hint(hint));
    let input = &spec.input;
    let named = [
        ("path", !input.path.as_os_str().is_empty()),
        ("table", input.table.is_some()),
        ("query", input.query.is_some()),
    ];
    let mut named = named.into_iter().filter(|(_, is_named)| *is_named).map(|(name, _)| name);
    match (named.next(), named.next()) {
        (None, _) => {
            let hint = "write `path = \"table.csv\"` under [input], or pass --input; or name a table of BigQuery, \
                        `table = \"bq://project.dataset.table\"`";
            return wrong("input", "no input table is named".to_owned(), hint);
        }
        (Some(one), Some(other)) => {
            let message = format!("the input is named twice: input.{one} and input.{other}");
            return wrong(&format!("input.{other}"), message, "leave out one of them");
        }
        (Some(_), None) => {}
    }
    if input.table.as_deref().is_some_and(str::is_empty) || input.query.as_deref().is_some_and(str::is_empty) {
        return wrong("input", "the input is an empty text".to_owned(), "name a table, or write a SELECT");
    }
    if !input.is_here() {
        for (name, is_set) in [("format", input.format.is_some()), ("delimiter", input.delimiter.is_some())] {
            if is_set {
                let message = format!("input.{name} is of a file, and the records are in {}", input.name());
                return wrong(&format!("input.{name}"), message, "leave it out");
            }
        }
        if spec.cache.enabled == Some(true) {
            let message = "the cache knows records that are here, and these are not".to_owned();
            return wrong("cache.enabled", message, "leave it out");
        }
    }
    check_results(spec, document)
}

fn check_results(spec: &Spec, document: &Document) -> Result<()> {
    let wrong = |path: &str, message: &str, hint: &str| Err(document.error_at(path, message).with_hint(hint));
    let results = &spec.results;
    if !matches!(results.place.as_deref(), None | Some("here" | "bigquery")) {
        return wrong("results.in", "results are \"here\" or in \"bigquery\"", "leave it out to have them here");
    }
    if !matches!(results.form.as_deref(), None | Some("view" | "table")) {
        return wrong("results.as", "results in BigQuery are a \"view\" or a \"table\"", "leave it out for a view");
    }
    if results.is_here() {
        return Ok(());
    }
    if spec.input.is_here() {
        return wrong(
            "results.in",
            "the table is a file, and its results would be in BigQuery alone",
            "`batch-cli flatten RUN` makes a view of the answers beside the results that are here",
        );
    }
    if results.format.is_some() {
        return wrong("results.format", "results in BigQuery are no file", "leave out results.format, or results.in");
    }
    if spec.evaluate.is_some() {
        return wrong(
            "evaluate",
            "answers that stay in BigQuery are not compared here",
            "leave out [evaluate], or results.in; or compare the columns of the view in SQL",
        );
    }
    Ok(())
}
