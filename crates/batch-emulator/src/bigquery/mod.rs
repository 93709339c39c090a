//! BigQuery: datasets, tables, their rows and the jobs that move them, and the REST API
//! over them. It runs no SQL.

mod cell;
mod copy;
mod csv;
mod data_calls;
mod dataset_calls;
mod detect;
mod discovery;
mod disk;
mod error;
mod extract;
mod job;
mod job_calls;
mod lines;
mod load;
mod record;
mod rows;
mod scalar;
mod schema;
mod shown;
mod store;
mod table_calls;
mod upload;

pub(crate) use cell::Members;
pub(crate) use lines::{TableLines, commit_new, write_line, writer};
pub(crate) use record::TableName;
pub(crate) use rows::RowWriter;
pub(crate) use schema::{Field, Kind, Mode, Schema};
pub(crate) use store::{Store, location_name};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use self::job::Engine;
use self::upload::LoadUploads;
use crate::context::Context;
use crate::envelope::{self, ApiError};
use crate::storage::{Call, Objects, Uploads};
use crate::{Config, Error, ErrorKind};

/// The project of datasets that name none.
const PROJECT: &str = "local";

/// Whether the path is one of BigQuery, whose errors have a shape of their own.
pub(crate) fn serves(path: &str) -> bool {
    ["/bigquery/", "/upload/bigquery/", "/resumable/upload/bigquery/", "/projects", discovery::PATH]
        .iter()
        .any(|prefix| path.starts_with(prefix))
}

/// The reply to a request without a valid token.
pub(crate) fn unauthenticated() -> ApiError {
    ApiError::bigquery(
        StatusCode::UNAUTHORIZED,
        "authError",
        "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.",
    )
    .at("header", "Authorization")
}

/// Opens the store and makes the datasets that were asked for. Blocks.
pub(crate) fn open_store(config: &Config, objects: Objects) -> Result<Store, Error> {
    let store = Store::open(config.data.as_deref(), config.clock.clone(), objects).map_err(|error| {
        let dir = config.data.clone().unwrap_or_default();
        Error::new(ErrorKind::Data, format!("failed to open the tables in {}", dir.display())).with_source(error)
    })?;
    for written in &config.datasets {
        let failed = |message: String| {
            Error::new(ErrorKind::Config, format!("failed to make dataset {written:?}: {message}"))
                .with_hint("write NAME, NAME=LOCATION or PROJECT.NAME=LOCATION")
        };
        let (name, location) = written.split_once('=').unwrap_or((written, ""));
        let (project, name) = name.rsplit_once(['.', ':']).unwrap_or((PROJECT, name));
        if store.dataset(project, name).is_err() {
            let made = store.create_dataset(project, name, location, serde_json::Map::new());
            made.map_err(|error| failed(error.message().to_owned()))?;
        }
    }
    Ok(store)
}

/// What the calls work on.
#[derive(Clone, Debug)]
pub(crate) struct BigQuery {
    context: Context,
    engine: Engine,
    uploads: Uploads<LoadUploads>,
}

impl BigQuery {
    /// Takes up the uploads that an earlier process left unfinished.
    pub(crate) async fn open(context: &Context) -> Result<BigQuery, Error> {
        let engine = Engine {
            store: context.tables.clone(),
            objects: context.objects.clone(),
            random: context.random.clone(),
            faults: context.faults.clone(),
        };
        let opened = {
            let (context, purpose) = (context.clone(), LoadUploads(engine.clone()));
            tokio::task::spawn_blocking(move || Uploads::open(&context, purpose)).await
        };
        let failed = || Error::new(ErrorKind::Data, "failed to read the unfinished uploads of load jobs");
        let uploads =
            opened.map_err(|error| failed().with_source(error))?.map_err(|error| failed().with_source(error))?;
        Ok(BigQuery { context: context.clone(), engine, uploads })
    }

    /// The routes of the REST API.
    pub(crate) fn router(&self) -> Router {
        let serve = any(|State(bigquery): State<BigQuery>, request: Request| serve(bigquery, request));
        Router::new()
            .route("/bigquery/v2/{*path}", serve.clone())
            .route("/upload/bigquery/v2/{*path}", serve.clone())
            .route("/resumable/upload/bigquery/v2/{*path}", serve.clone())
            // Where JavaScript's client goes when BIGQUERY_EMULATOR_HOST is set.
            .route("/projects", serve.clone())
            .route("/projects/{*path}", serve.clone())
            .route(discovery::PATH, serve)
            .with_state(self.clone())
    }
}

/// Answers a request.
async fn serve(bigquery: BigQuery, request: Request) -> Response {
    let (call, body) = match Call::new(bigquery.context.clone(), request) {
        Ok(taken_apart) => taken_apart,
        Err(error) => return error.into_response(),
    };
    let Some(error) = fault(&bigquery.context) else {
        return dispatch(bigquery, call, body).await.unwrap_or_else(IntoResponse::into_response);
    };
    // The body is read all the same: a client that is still sending would not see the reply.
    let mut pieces = body.into_data_stream();
    while let Some(Ok(_)) = futures::StreamExt::next(&mut pieces).await {}
    error.into_response()
}

/// The fault that is to happen now.
fn fault(context: &Context) -> Option<ApiError> {
    let faults = &context.faults;
    if faults.take("bigquery-401") {
        return Some(unauthenticated());
    }
    if faults.take("bigquery-403") {
        let message = "Access Denied: User does not have permission to perform this operation.";
        return Some(ApiError::bigquery(StatusCode::FORBIDDEN, "accessDenied", message));
    }
    if faults.take("bigquery-429") {
        let message = "Exceeded rate limits: too many api requests per user per method for this user_method. For more information, see https://cloud.google.com/bigquery/docs/troubleshoot-quotas";
        let error = ApiError::bigquery(StatusCode::TOO_MANY_REQUESTS, "rateLimitExceeded", message);
        return Some(error.with_retry_after(1));
    }
    if faults.take("bigquery-503") {
        let message = "The service is currently unavailable. Please try again.";
        return Some(ApiError::bigquery(StatusCode::SERVICE_UNAVAILABLE, "backendError", message));
    }
    None
}

/// Which call a request is.
async fn dispatch(bigquery: BigQuery, call: Call, body: Body) -> Result<Response, ApiError> {
    let path = call.path.clone();
    let segments: Vec<&str> = path.iter().map(String::as_str).filter(|segment| !segment.is_empty()).collect();
    let below = segments.strip_prefix(&["resumable"]).unwrap_or(&segments);
    if let ["upload", "bigquery", "v2", "projects", project, "jobs"] = below {
        let project = (*project).to_owned();
        return upload::serve(bigquery, call, project, body).await;
    }
    let below = below.strip_prefix(&["bigquery", "v2"]).unwrap_or(below);
    let get = call.method == Method::GET;
    match below {
        ["$discovery", "rest"] if get => discovery::serve(&call),
        ["projects"] if get => Ok(projects(&bigquery)),
        ["projects", project, "serviceAccount"] if get => Ok(service_account(&bigquery, project)),
        ["projects", project, "datasets", rest @ ..] => match rest {
            [] => dataset_calls::on_all(bigquery, call, project, body).await,
            [dataset] => dataset_calls::on_one(bigquery, call, project, dataset, body).await,
            [dataset, "tables", rest @ ..] => table_calls::serve(bigquery, call, [project, dataset], rest, body).await,
            _ => Err(unknown(&call)),
        },
        ["projects", project, "jobs", rest @ ..] => job_calls::serve(bigquery, call, project, rest, body).await,
        ["projects", project, "queries", rest @ ..] => job_calls::queries(&bigquery, &call, project, rest),
        _ => Err(unknown(&call)),
    }
}

/// The projects that have datasets, as far as a server without projects can say.
fn projects(bigquery: &BigQuery) -> Response {
    let mut names: Vec<String> =
        bigquery.engine.store.datasets(None).into_iter().map(|dataset| dataset.project).collect();
    names.dedup();
    let shown: Vec<Value> = names
        .iter()
        .map(|name| {
            let number = bigquery.context.config.project_number(name).to_string();
            json!({
                "kind": "bigquery#project",
                "id": name,
                "numericId": number,
                "projectReference": { "projectId": name },
                "friendlyName": name,
            })
        })
        .collect();
    let reply = json!({ "kind": "bigquery#projectList", "projects": shown, "totalItems": names.len() });
    envelope::json(StatusCode::OK, &reply)
}

fn service_account(bigquery: &BigQuery, project: &str) -> Response {
    let number = bigquery.context.config.project_number(project);
    let reply = json!({
        "kind": "bigquery#getServiceAccountResponse",
        "email": format!("bq-{number}@bigquery-encryption.iam.gserviceaccount.com"),
    });
    envelope::json(StatusCode::OK, &reply)
}

fn unknown(call: &Call) -> ApiError {
    let message = format!("The emulator serves no {} /{}.", call.method, call.path.join("/"));
    ApiError::bigquery(StatusCode::NOT_FOUND, "notFound", message)
}

/// A page of a list by names: those after the token, and the token of the next page.
fn page<T>(
    items: Vec<T>,
    call: &Call,
    default: usize,
    name: impl Fn(&T) -> String,
) -> Result<(Vec<T>, Option<String>), ApiError> {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    let most = match call.number("maxResults")? {
        Some(most) if most > 0 => usize::try_from(most).unwrap_or(default),
        _ => default,
    };
    let after = match call.parameter("pageToken") {
        None => None,
        Some(token) => {
            let decoded = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            Some(decoded.ok_or_else(|| error::invalid(format!("Invalid page token: {token}")))?)
        }
    };
    let start = match &after {
        None => 0,
        Some(after) => items.iter().position(|item| name(item) == *after).map_or(items.len(), |at| at + 1),
    };
    let total = items.len();
    let page: Vec<T> = items.into_iter().skip(start).take(most).collect();
    let more = start + page.len() < total;
    let next = page.last().filter(|_| more).map(|last| URL_SAFE_NO_PAD.encode(name(last)));
    Ok((page, next))
}

/// JSON merge patch (RFC 7396), which is what the service's patch does.
fn merge(target: &mut serde_json::Map<String, Value>, field: String, value: Value) {
    match value {
        Value::Null => {
            target.shift_remove(&field);
        }
        // Labels are merged; other objects are replaced as they are.
        Value::Object(inner) if field == "labels" => {
            let entry = target.entry(field).or_insert_with(|| json!({}));
            if let Value::Object(labels) = entry {
                for (label, value) in inner {
                    merge(labels, label, value);
                }
            }
        }
        value => {
            target.insert(field, value);
        }
    }
}

/// Refuses a change of something that changed meanwhile.
fn check_etag(call: &Call, etag: &str) -> Result<(), ApiError> {
    match call.text_header(&http::header::IF_MATCH) {
        Some(given) if given != "*" && given.trim_matches('"') != etag => {
            Err(ApiError::bigquery(StatusCode::PRECONDITION_FAILED, "conditionNotMet", "Precondition Failed")
                .at("header", "If-Match"))
        }
        _ => Ok(()),
    }
}
