//! Calls on tables.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::error::{invalid, required};
use super::record::{TableName, TableRecord};
use super::schema::{Allowed, Schema};
use super::{BigQuery, check_etag, data_calls, merge, page, unknown};
use crate::envelope::{self, ApiError};
use crate::storage::{Call, blocking, json_body};

/// What of a table resource is not the client's to write, or has a place of its own.
const FIXED: [&str; 18] = [
    "kind",
    "etag",
    "id",
    "selfLink",
    "tableReference",
    "schema",
    "numBytes",
    "numLongTermBytes",
    "numRows",
    "creationTime",
    "lastModifiedTime",
    "type",
    "location",
    "numTotalLogicalBytes",
    "numActiveLogicalBytes",
    "numLongTermLogicalBytes",
    "streamingBuffer",
    "numPhysicalBytes",
];

/// `…/datasets/{dataset}/tables` and below.
pub(super) async fn serve(
    bigquery: BigQuery,
    call: Call,
    [project, dataset]: [&str; 2],
    rest: &[&str],
    body: Body,
) -> Result<Response, ApiError> {
    let name =
        |table: &str| TableName { project: project.to_owned(), dataset: dataset.to_owned(), table: table.to_owned() };
    let method = call.method.clone();
    match (method, rest) {
        (Method::GET, []) => list(bigquery, call, project.to_owned(), dataset.to_owned()).await,
        (Method::POST, []) => insert(bigquery, call, project.to_owned(), dataset.to_owned(), body).await,
        (Method::GET, [table]) => {
            let (store, name) = (bigquery.engine.store, name(table));
            let record = blocking(move || store.table(&name)).await?;
            Ok(reply(&call, &record))
        }
        (Method::PATCH | Method::PUT, [table]) => update(bigquery, call, name(table), body).await,
        (Method::DELETE, [table]) => {
            let (store, name) = (bigquery.engine.store, name(table));
            blocking(move || store.delete_table(&name)).await?;
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        (Method::GET, [table, "data"]) => data_calls::list(bigquery, call, name(table)).await,
        (Method::POST, [table, "insertAll"]) => data_calls::insert_all(bigquery, call, name(table), body).await,
        _ => Err(unknown(&call)),
    }
}

fn reply(call: &Call, record: &TableRecord) -> Response {
    envelope::json(StatusCode::OK, &record.show(&call.context.url))
}

async fn list(bigquery: BigQuery, call: Call, project: String, dataset: String) -> Result<Response, ApiError> {
    let store = bigquery.engine.store;
    let tables = blocking(move || store.tables(&project, &dataset)).await?;
    let total = tables.len();
    let (tables, next) = page(tables, &call, 1000, |table| table.name.table.clone())?;
    let mut reply = Map::new();
    reply.insert("kind".to_owned(), json!("bigquery#tableList"));
    reply.insert("etag".to_owned(), json!(format!("{}", tables.iter().map(|table| table.version).sum::<u64>())));
    if let Some(next) = next {
        reply.insert("nextPageToken".to_owned(), json!(next));
    }
    if !tables.is_empty() {
        let shown: Vec<Value> = tables.iter().map(TableRecord::show_in_list).collect();
        reply.insert("tables".to_owned(), json!(shown));
    }
    reply.insert("totalItems".to_owned(), json!(total));
    Ok(envelope::json(StatusCode::OK, &reply))
}

async fn insert(
    bigquery: BigQuery,
    call: Call,
    project: String,
    dataset: String,
    body: Body,
) -> Result<Response, ApiError> {
    let mut settings = json_body(body).await?;
    let mut reference = settings.get("tableReference").cloned().unwrap_or_default();
    if let Some(reference) = reference.as_object_mut()
        && !reference.contains_key("datasetId")
    {
        reference.insert("datasetId".to_owned(), json!(dataset));
    }
    let name = TableName::read(&reference, &project).ok_or_else(|| required("tableReference.tableId"))?;
    if name.project != project || name.dataset != dataset {
        return Err(invalid(format!("The table reference {name} does not match the URL.")));
    }
    let schema = settings.get("schema").map(Schema::parse).transpose()?.unwrap_or_default();
    settings.retain(|field, value| !FIXED.contains(&field.as_str()) && !value.is_null());
    if let Some(view) = settings.get("view")
        && view.get("query").and_then(Value::as_str).is_none_or(str::is_empty)
    {
        return Err(required("view.query"));
    }
    let store = bigquery.engine.store;
    let record = blocking(move || store.create_table(&name, schema, settings)).await?;
    Ok(reply(&call, &record))
}

async fn update(bigquery: BigQuery, call: Call, name: TableName, body: Body) -> Result<Response, ApiError> {
    let written = json_body(body).await?;
    let schema = written.get("schema").filter(|schema| !schema.is_null()).map(Schema::parse).transpose()?;
    let replace = call.method == Method::PUT;
    let store = bigquery.engine.store;
    let headers = call.clone();
    let record = blocking(move || {
        store.update_table(&name, |record| {
            check_etag(&headers, &record.etag())?;
            if let Some(schema) = schema {
                let allowed = Allowed { additions: true, relaxations: true };
                record.schema = record
                    .schema
                    .changed(&schema, allowed, true)
                    .map_err(|problem| invalid(format!("Provided Schema does not match Table {name}. {problem}")))?;
            }
            if replace {
                record.settings.retain(|field, _| field == "view" || field == "materializedView");
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
    Ok(reply(&call, &record))
}
