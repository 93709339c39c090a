//! Calls on datasets.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::error::{invalid, required};
use super::{BigQuery, check_etag, merge, page, unknown};
use crate::envelope::{self, ApiError};
use crate::storage::{Call, blocking, json_body};

/// What of a dataset resource is not the client's to write, or has a place of its own.
const FIXED: [&str; 9] =
    ["kind", "etag", "id", "selfLink", "datasetReference", "creationTime", "lastModifiedTime", "location", "type"];

/// `…/datasets`.
pub(super) async fn on_all(bigquery: BigQuery, call: Call, project: &str, body: Body) -> Result<Response, ApiError> {
    match call.method {
        Method::GET => list(&bigquery, &call, project),
        Method::POST => insert(bigquery, call, project.to_owned(), body).await,
        _ => Err(unknown(&call)),
    }
}

fn list(bigquery: &BigQuery, call: &Call, project: &str) -> Result<Response, ApiError> {
    let mut datasets = bigquery.engine.store.datasets(Some(project));
    if let Some(filter) = call.parameter("filter") {
        let wanted = labels(filter)?;
        datasets.retain(|dataset| {
            wanted.iter().all(|(name, value)| {
                let label = dataset.settings.get("labels").and_then(|labels| labels.get(name)).and_then(Value::as_str);
                label.is_some_and(|label| value.is_none_or(|value| value == label))
            })
        });
    }
    let (datasets, next) = page(datasets, call, 1000, |dataset| dataset.name.clone())?;
    let mut reply = Map::new();
    reply.insert("kind".to_owned(), json!("bigquery#datasetList"));
    reply.insert("etag".to_owned(), json!(format!("{}", datasets.iter().map(|dataset| dataset.version).sum::<u64>())));
    if let Some(next) = next {
        reply.insert("nextPageToken".to_owned(), json!(next));
    }
    if !datasets.is_empty() {
        let shown: Vec<Value> = datasets.iter().map(super::record::DatasetRecord::show_in_list).collect();
        reply.insert("datasets".to_owned(), json!(shown));
    }
    Ok(envelope::json(StatusCode::OK, &reply))
}

/// Reads `labels.NAME:VALUE labels.OTHER`.
fn labels(filter: &str) -> Result<Vec<(&str, Option<&str>)>, ApiError> {
    filter
        .split_whitespace()
        .map(|term| {
            let term = term.strip_prefix("labels.").ok_or_else(|| {
                invalid(format!("Invalid filter: {filter}. A filter is a list of labels.NAME or labels.NAME:VALUE."))
            })?;
            Ok(match term.split_once(':') {
                Some((name, value)) => (name, Some(value)),
                None => (term, None),
            })
        })
        .collect()
}

async fn insert(bigquery: BigQuery, call: Call, project: String, body: Body) -> Result<Response, ApiError> {
    let mut settings = json_body(body).await?;
    let reference = settings.get("datasetReference").unwrap_or(&Value::Null);
    let text = |name: &str| reference.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    if let Some(other) = text("projectId").filter(|other| *other != project) {
        return Err(invalid(format!(
            "Value {project} in the URL does not match the value {other} of datasetReference.projectId."
        )));
    }
    let name = text("datasetId").ok_or_else(|| required("datasetReference.datasetId"))?.to_owned();
    let location = settings.get("location").and_then(Value::as_str).unwrap_or_default().to_owned();
    settings.retain(|field, value| !FIXED.contains(&field.as_str()) && !value.is_null());
    let record = blocking(move || bigquery.engine.store.create_dataset(&project, &name, &location, settings)).await?;
    Ok(envelope::json(StatusCode::OK, &record.show(&call.context.url)))
}

/// `…/datasets/{dataset}`.
pub(super) async fn on_one(
    bigquery: BigQuery,
    call: Call,
    project: &str,
    dataset: &str,
    body: Body,
) -> Result<Response, ApiError> {
    let (project, dataset) = (project.to_owned(), dataset.to_owned());
    let store = bigquery.engine.store;
    match call.method {
        Method::GET => {
            let record = store.dataset(&project, &dataset)?;
            Ok(envelope::json(StatusCode::OK, &record.show(&call.context.url)))
        }
        Method::PATCH | Method::PUT => {
            let written = json_body(body).await?;
            let replace = call.method == Method::PUT;
            let url = call.context.url.clone();
            let record = blocking(move || {
                store.update_dataset(&project, &dataset, |record| {
                    check_etag(&call, &record.etag())?;
                    if let Some(location) = written.get("location").and_then(Value::as_str)
                        && super::location_name(location) != record.location
                    {
                        return Err(invalid("Cannot change the location of a dataset."));
                    }
                    if replace {
                        record.settings.clear();
                    }
                    for (field, value) in written {
                        if !FIXED.contains(&field.as_str()) {
                            merge(&mut record.settings, field, value);
                        }
                    }
                    Ok(())
                })
            })
            .await?;
            Ok(envelope::json(StatusCode::OK, &record.show(&url)))
        }
        Method::DELETE => {
            let contents = call.flag("deleteContents");
            blocking(move || store.delete_dataset(&project, &dataset, contents)).await?;
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        _ => Err(unknown(&call)),
    }
}
