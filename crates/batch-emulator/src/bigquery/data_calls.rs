//! Calls on rows: listing them, and streaming them in.

use std::borrow::Cow;
use std::collections::HashSet;

use axum::body::Body;
use axum::response::Response;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::BigQuery;
use super::cell::{Members, Misfit, Reading, write_row};
use super::error::{failed, invalid};
use super::record::TableName;
use super::shown::{Cells, Selection, write_listed};
use super::store::Store;
use crate::envelope::{self, ApiError};
use crate::storage::{Call, blocking};

/// The most rows of a page.
const PAGE_ROWS: u64 = 100_000;

/// A page ends after so many bytes.
const PAGE_BYTES: usize = 10 << 20;

/// How many pieces of a table are opened for a page.
const PAGE_PIECES: usize = 16;

/// The largest body of a streaming insert: 10 MB.
const INSERT_LIMIT: usize = 10 << 20;

/// The most rows of a streaming insert.
const INSERT_ROWS: usize = 50_000;

/// What is asked for.
struct Asked {
    start: u64,
    most: u64,
    fields: Option<String>,
    micros: bool,
}

/// `GET …/tables/{table}/data`.
///
/// Timestamps are seconds since 1970 as a double, unless `formatOptions.useInt64Timestamp`
/// asks for microseconds. A page ends after 10 MB, or when it has as many rows as were
/// asked for; the token of the next is the number of its first row.
pub(super) async fn list(bigquery: BigQuery, call: Call, name: TableName) -> Result<Response, ApiError> {
    let number = |parameter| match call.number(parameter)? {
        Some(number) => u64::try_from(number)
            .map(Some)
            .map_err(|_| invalid(format!("Invalid value for {parameter}: it must not be negative"))),
        None => Ok(None),
    };
    let start = match call.parameter("pageToken") {
        Some(token) => token
            .strip_prefix("row-")
            .and_then(|row| row.parse().ok())
            .ok_or_else(|| invalid(format!("Invalid page token: {token}")))?,
        None => number("startIndex")?.unwrap_or(0),
    };
    let asked = Asked {
        start,
        most: number("maxResults")?.unwrap_or(PAGE_ROWS).min(PAGE_ROWS),
        fields: call.parameter("selectedFields").map(str::to_owned),
        micros: call.flag("formatOptions.useInt64Timestamp")
            || call.parameter("formatOptions.timestampOutputFormat") == Some("INT64"),
    };
    let store = bigquery.engine.store;
    let reply = blocking(move || page(&store, &name, &asked)).await?;
    let mut response = Response::new(Body::from(reply));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=UTF-8"));
    Ok(response)
}

fn page(store: &Store, name: &TableName, asked: &Asked) -> Result<Vec<u8>, ApiError> {
    let most = if asked.most == 0 { 0 } else { PAGE_PIECES };
    let (table, pieces) = store.read(name, asked.start, most)?;
    if table.is_view() {
        return Err(invalid("Cannot list a table of type VIEW."));
    }
    let selection = match &asked.fields {
        Some(fields) => Some(Selection::parse(&table.schema, fields)?),
        None => None,
    };
    let total = table.rows();
    let mut rows = Vec::new();
    let mut next = asked.start.min(total);
    let end = next.saturating_add(asked.most).min(total);
    'pieces: for (first, piece) in pieces {
        let mut reader = piece.read_from(next.saturating_sub(first)).map_err(|error| failed(&error))?;
        while let Some((_, row)) = reader.next_row().map_err(|error| failed(&error))? {
            if next == end || rows.len() >= PAGE_BYTES {
                break 'pieces;
            }
            if !rows.is_empty() {
                rows.extend_from_slice(b",\n");
            }
            let cells = Cells::read(row).map_err(|error| failed(&error))?;
            write_listed(&table.schema, &cells, selection.as_ref(), asked.micros, &mut rows)
                .map_err(|error| failed(&error))?;
            next += 1;
        }
    }
    let mut reply = Vec::with_capacity(rows.len() + 256);
    let head = json!({
        "kind": "bigquery#tableDataList",
        "etag": table.etag(),
        "totalRows": total.to_string(),
    });
    let head = head.to_string();
    reply.extend_from_slice(head.trim_end_matches('}').as_bytes());
    if next < total {
        reply.extend_from_slice(format!(",\"pageToken\":\"row-{next}\"").as_bytes());
    }
    if !rows.is_empty() {
        reply.extend_from_slice(b",\"rows\":[\n");
        reply.append(&mut rows);
        reply.extend_from_slice(b"\n]");
    }
    reply.extend_from_slice(b"}\n");
    Ok(reply)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InsertAll<'a> {
    #[serde(default)]
    skip_invalid_rows: bool,
    #[serde(default)]
    ignore_unknown_values: bool,
    template_suffix: Option<Value>,
    #[serde(borrow, default)]
    rows: Vec<InsertRow<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InsertRow<'a> {
    #[serde(borrow)]
    insert_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    json: Option<&'a RawValue>,
}

/// `POST …/tables/{table}/insertAll`.
///
/// Rows are there at once. Of rows with the same `insertId` in one request the first
/// counts; across requests they are not compared, which the service does for about a
/// minute and promises nothing of.
pub(super) async fn insert_all(
    bigquery: BigQuery,
    call: Call,
    name: TableName,
    body: Body,
) -> Result<Response, ApiError> {
    let Ok(body) = axum::body::to_bytes(body, INSERT_LIMIT).await else {
        return Err(ApiError::bigquery(
            StatusCode::PAYLOAD_TOO_LARGE,
            "uploadTooLarge",
            format!("Your client issued a request that was too large. The limit is {INSERT_LIMIT} bytes."),
        ));
    };
    let store = bigquery.engine.store;
    let errors = blocking(move || insert_rows(&store, &name, &body)).await?;
    if bigquery.context.faults.take("lost-insert")
        && let Some(connection) = &call.connection
    {
        connection.cut();
    }
    let mut reply = json!({ "kind": "bigquery#tableDataInsertAllResponse" });
    if let Some(reply) = reply.as_object_mut()
        && !errors.is_empty()
    {
        reply.insert("insertErrors".to_owned(), Value::Array(errors));
    }
    Ok(envelope::json(StatusCode::OK, &reply))
}

fn insert_rows(store: &Store, name: &TableName, body: &[u8]) -> Result<Vec<Value>, ApiError> {
    let request: InsertAll<'_> = serde_json::from_slice(body)
        .map_err(|error| ApiError::bigquery(StatusCode::BAD_REQUEST, "parseError", format!("Parse Error: {error}")))?;
    if request.template_suffix.is_some() {
        return Err(super::error::not_implemented("This emulator makes no tables from templates."));
    }
    if request.rows.is_empty() {
        return Err(invalid("No rows present in the request."));
    }
    if request.rows.len() > INSERT_ROWS {
        return Err(invalid(format!(
            "too many rows present in the request, limit: {INSERT_ROWS} row count: {}.",
            request.rows.len()
        )));
    }
    let table = store.table(name)?;
    if table.schema.0.is_empty() || table.is_view() {
        return Err(invalid("The destination table has no schema."));
    }
    let reading = Reading { ignore_unknown: request.ignore_unknown_values, json_as_text: true, ..Reading::default() };
    let (mut rows, mut count) = (Vec::new(), 0);
    let mut wrong = Vec::new();
    let mut seen = HashSet::new();
    let mut written = Vec::new();
    for (index, row) in request.rows.iter().enumerate() {
        let start = rows.len();
        let read = match row.json.map(|json| serde_json::from_str::<Members<'_>>(json.get())) {
            Some(Ok(members)) => write_row(&table.schema, &members, reading, &mut rows)
                .map_err(|misfit: Misfit| (misfit.path.clone(), misfit.in_insert())),
            _ => Err((String::new(), "The row has no JSON object.".to_owned())),
        };
        match read {
            Err((location, message)) => {
                rows.truncate(start);
                wrong.push((index, error("invalid", &location, &message)));
            }
            Ok(()) if row.insert_id.as_deref().is_some_and(|id| !id.is_empty() && !seen.insert(id)) => {
                rows.truncate(start);
                written.push(index);
            }
            Ok(()) => {
                rows.push(b'\n');
                count += 1;
                written.push(index);
            }
        }
    }
    if !wrong.is_empty() && !request.skip_invalid_rows {
        // All or nothing: the good rows are said to be stopped.
        wrong.extend(written.into_iter().map(|index| (index, error("stopped", "", ""))));
        count = 0;
    }
    if count > 0 {
        store.stream(name, &table.schema, &rows, count)?;
    }
    Ok(wrong.into_iter().map(|(index, error)| json!({ "index": index, "errors": [error] })).collect())
}

fn error(reason: &str, location: &str, message: &str) -> Value {
    json!({ "reason": reason, "location": location, "debugInfo": "", "message": message })
}
