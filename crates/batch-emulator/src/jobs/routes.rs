//! The API of jobs over HTTP.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, Path, Query, State};
use axum::response::Response;
use axum::routing::{get, post};
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::list::{Asked, mask, page};
use super::operations::Operation;
use super::record::Record;
use super::state::JobState;
use super::{Jobs, create};
use crate::clock::timestamp;
use crate::connection::Connection;
use crate::envelope::{self, ApiError};

/// The versions of the API, which differ in nothing that is served here.
const VERSIONS: [&str; 2] = ["v1", "v1beta1"];

/// Where jobs of express mode live, whose paths name no project and no location.
const EXPRESS: (&str, &str) = ("express-mode", "global");

type Params = Query<Vec<(String, String)>>;

/// All routes of jobs and operations.
pub(super) fn router(jobs: &Jobs) -> Router {
    let mut router = Router::new();
    for version in VERSIONS {
        let parent = format!("/{version}/projects/{{project}}/locations/{{location}}");
        for parent in [parent, format!("/{version}")] {
            router = router
                .route(&format!("{parent}/batchPredictionJobs"), post(create_job).get(list_jobs))
                .route(
                    &format!("{parent}/batchPredictionJobs/{{id}}"),
                    get(get_job).post(act_on_job).delete(delete_job),
                )
                .route(&format!("{parent}/operations"), get(list_operations))
                .route(
                    &format!("{parent}/operations/{{id}}"),
                    get(get_operation).post(act_on_operation).delete(delete_operation),
                );
        }
    }
    router.with_state(jobs.clone())
}

/// What the path of a request says.
struct Named {
    version: &'static str,
    /// The project as the client wrote it, and its number.
    project: String,
    number: u64,
    location: String,
    /// The last part, where the path has one.
    id: String,
}

impl Named {
    fn new(jobs: &Jobs, path: &str, parts: Vec<(String, String)>) -> Named {
        let mut named = Named {
            version: VERSIONS.into_iter().find(|version| path.split('/').nth(1) == Some(version)).unwrap_or("v1"),
            project: EXPRESS.0.to_owned(),
            number: 0,
            location: EXPRESS.1.to_owned(),
            id: String::new(),
        };
        for (name, value) in parts {
            match &*name {
                "project" => named.project = value,
                "location" => named.location = value,
                _ => named.id = value,
            }
        }
        named.number = jobs.0.context.config.project_number(&named.project);
        named
    }

    /// Cuts the method off the end of the path.
    fn method(&mut self) -> Option<String> {
        let (id, method) = self.id.split_once(':')?;
        let (id, method) = (id.to_owned(), method.to_owned());
        self.id = id;
        Some(method)
    }

    fn job(&self) -> String {
        format!("projects/{}/locations/{}/batchPredictionJobs/{}", self.number, self.location, self.id)
    }
}

type Parts = Path<Vec<(String, String)>>;

async fn create_job(
    State(jobs): State<Jobs>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    uri: http::Uri,
    Path(parts): Parts,
    Query(params): Params,
    body: Bytes,
) -> Result<Response, ApiError> {
    let named = Named::new(&jobs, uri.path(), parts);
    let context = &jobs.0.context;
    if context.faults.take("create-400") {
        let message = "Request contains an invalid argument.";
        return Err(ApiError::rpc(StatusCode::BAD_REQUEST, "INVALID_ARGUMENT", message));
    }
    if context.faults.take("create-403") {
        let resource = format!("//aiplatform.googleapis.com/projects/{}/locations/{}", named.project, named.location);
        return Err(ApiError::rpc(
            StatusCode::FORBIDDEN,
            "PERMISSION_DENIED",
            format!(
                "Permission 'aiplatform.batchPredictionJobs.create' denied on resource '{resource}' (or it may not exist)."
            ),
        ));
    }
    if context.faults.take("create-429") {
        return Err(ApiError::rpc(
            StatusCode::TOO_MANY_REQUESTS,
            "RESOURCE_EXHAUSTED",
            "Quota exceeded for aiplatform.googleapis.com/batch_prediction_requests with base model. Please submit a quota increase request.",
        )
        .with_retry_after(1));
    }
    if context.faults.take("create-500") {
        return Err(internal());
    }
    let body = create::read(&body, &context.config.jobs.models, &named.project, &named.location)?;
    let maker = jobs.clone();
    let made = blocking(move || maker.create(named.number, &named.location, body)).await?;
    if context.faults.take("lost-create") {
        connection.cut();
    }
    Ok(envelope::json(StatusCode::OK, &made.show(numbers(&params))))
}

async fn get_job(
    State(jobs): State<Jobs>,
    uri: http::Uri,
    Path(parts): Parts,
    Query(params): Params,
) -> Result<Response, ApiError> {
    let named = Named::new(&jobs, uri.path(), parts);
    let faults = &jobs.0.context.faults;
    if faults.take("poll-401") {
        return Err(ApiError::rpc(
            StatusCode::UNAUTHORIZED,
            "UNAUTHENTICATED",
            "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential.",
        ));
    }
    if faults.take("poll-503") {
        return Err(ApiError::rpc(
            StatusCode::SERVICE_UNAVAILABLE,
            "UNAVAILABLE",
            "The service is currently unavailable.",
        ));
    }
    let record = find(&jobs, &named)?;
    let mut shown = record.show(numbers(&params));
    if faults.take("unknown-state") {
        let unknown = if numbers(&params) { json!(99) } else { json!("JOB_STATE_UNHEARD_OF") };
        shown.insert("state".to_owned(), unknown);
    }
    Ok(envelope::json(StatusCode::OK, &shown))
}

async fn list_jobs(
    State(jobs): State<Jobs>,
    uri: http::Uri,
    Path(parts): Parts,
    Query(params): Params,
) -> Result<Response, ApiError> {
    let named = Named::new(&jobs, uri.path(), parts);
    let records: Vec<Record> = jobs
        .state()
        .jobs
        .values()
        .filter(|job| job.record.project == named.number && job.record.location == named.location)
        .map(super::Job::now)
        .collect();
    let asked = Asked {
        filter: param(&params, "filter").unwrap_or_default(),
        page_size: param(&params, "pageSize"),
        page_token: param(&params, "pageToken"),
    };
    let page = page(records.iter().collect(), &asked)?;
    let read_mask = param(&params, "readMask");
    let shown: Vec<Value> = page
        .jobs
        .into_iter()
        .map(|record| {
            let job = record.show(numbers(&params));
            Value::Object(match read_mask {
                Some(fields) => mask(job, fields),
                None => job,
            })
        })
        .collect();
    let mut reply = Map::new();
    if !shown.is_empty() {
        reply.insert("batchPredictionJobs".to_owned(), Value::Array(shown));
    }
    if let Some(next) = page.next {
        reply.insert("nextPageToken".to_owned(), json!(next));
    }
    Ok(envelope::json(StatusCode::OK, &reply))
}

/// `:cancel`, whose body is empty or `{}`.
async fn act_on_job(State(jobs): State<Jobs>, uri: http::Uri, Path(parts): Parts) -> Result<Response, ApiError> {
    let mut named = Named::new(&jobs, uri.path(), parts);
    if named.method().as_deref() != Some("cancel") {
        return Err(no_method(&uri));
    }
    let record = find(&jobs, &named)?;
    let canceller = jobs.clone();
    let cancelled = blocking(move || {
        let mut cancelled = Err(record.state);
        canceller.update(record.id, |record| {
            // Looked at again: the job may have ended since.
            if !record.state.is_cancellable() {
                cancelled = Err(record.state);
                return false;
            }
            record.state = JobState::Cancelling;
            cancelled = Ok(());
            true
        });
        if cancelled.is_ok()
            && let Some(job) = canceller.state().jobs.get(&record.id)
        {
            job.cancel.cancel();
        }
        Ok(cancelled)
    })
    .await?;
    cancelled.map_err(|state| {
        precondition(format!(
            "The BatchPredictionJob \"{}\" cannot be cancelled in state {}.",
            named.job(),
            state.name()
        ))
    })?;
    Ok(envelope::json(StatusCode::OK, &json!({})))
}

async fn delete_job(State(jobs): State<Jobs>, uri: http::Uri, Path(parts): Parts) -> Result<Response, ApiError> {
    let named = Named::new(&jobs, uri.path(), parts);
    let record = find(&jobs, &named)?;
    if !record.state.is_final() {
        return Err(precondition(format!(
            "The BatchPredictionJob \"{}\" cannot be deleted in state {}.",
            named.job(),
            record.state.name()
        )));
    }
    let deleter = jobs.clone();
    let operation = blocking(move || {
        let mut state = deleter.state();
        let operation = Operation {
            id: deleter.new_id(|id| state.operations.contains_key(&id)),
            project: record.project,
            location: record.location.clone(),
            created: timestamp(&*deleter.0.context.clock).as_microsecond(),
        };
        deleter.0.store.save_operation(&operation)?;
        deleter.0.store.remove(record.id)?;
        state.jobs.remove(&record.id);
        state.operations.insert(operation.id, operation.clone());
        Ok(operation)
    })
    .await?;
    Ok(envelope::json(StatusCode::OK, &operation.show(named.version)))
}

async fn get_operation(State(jobs): State<Jobs>, uri: http::Uri, Path(parts): Parts) -> Result<Response, ApiError> {
    let named = Named::new(&jobs, uri.path(), parts);
    let operation = find_operation(&jobs, &named)?;
    Ok(envelope::json(StatusCode::OK, &operation.show(named.version)))
}

async fn list_operations(State(jobs): State<Jobs>, uri: http::Uri, Path(parts): Parts) -> Response {
    let named = Named::new(&jobs, uri.path(), parts);
    let state = jobs.state();
    let operations: Vec<Value> = state
        .operations
        .values()
        .filter(|operation| operation.project == named.number && operation.location == named.location)
        .map(|operation| operation.show(named.version))
        .collect();
    let mut reply = Map::new();
    if !operations.is_empty() {
        reply.insert("operations".to_owned(), Value::Array(operations));
    }
    envelope::json(StatusCode::OK, &reply)
}

/// `:wait` and `:cancel`; an operation here is done, so that neither has anything to do.
async fn act_on_operation(State(jobs): State<Jobs>, uri: http::Uri, Path(parts): Parts) -> Result<Response, ApiError> {
    let mut named = Named::new(&jobs, uri.path(), parts);
    let method = named.method();
    let operation = find_operation(&jobs, &named)?;
    match method.as_deref() {
        Some("wait") => Ok(envelope::json(StatusCode::OK, &operation.show(named.version))),
        Some("cancel") => Ok(envelope::json(StatusCode::OK, &json!({}))),
        _ => Err(no_method(&uri)),
    }
}

async fn delete_operation(State(jobs): State<Jobs>, uri: http::Uri, Path(parts): Parts) -> Result<Response, ApiError> {
    let named = Named::new(&jobs, uri.path(), parts);
    let operation = find_operation(&jobs, &named)?;
    blocking(move || {
        jobs.0.store.remove_operation(operation.id)?;
        jobs.state().operations.remove(&operation.id);
        Ok(())
    })
    .await?;
    Ok(envelope::json(StatusCode::OK, &json!({})))
}

fn find(jobs: &Jobs, named: &Named) -> Result<Record, ApiError> {
    jobs.find(named.number, &named.location, &named.id)
        .ok_or_else(|| not_found(format!("The BatchPredictionJob \"{}\" does not exist.", named.job())))
}

fn find_operation(jobs: &Jobs, named: &Named) -> Result<Operation, ApiError> {
    let state = jobs.state();
    named
        .id
        .parse()
        .ok()
        .and_then(|id: u64| state.operations.get(&id))
        .filter(|operation| operation.project == named.number && operation.location == named.location)
        .cloned()
        .ok_or_else(|| not_found(format!("The operation \"{}\" does not exist.", named.id)))
}

/// Runs what touches the disk where it may block.
async fn blocking<T: Send + 'static>(
    call: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, ApiError> {
    match tokio::task::spawn_blocking(call).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => {
            tracing::error!(%error, "failed to keep a record");
            Err(internal())
        }
        Err(error) => {
            tracing::error!(%error, "a request broke");
            Err(internal())
        }
    }
}

/// A parameter of the query; an empty one counts as none, which Google's clients rely on.
fn param<'q>(params: &'q [(String, String)], name: &str) -> Option<&'q str> {
    params.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
}

/// Whether the client asks for enums as numbers.
fn numbers(params: &[(String, String)]) -> bool {
    params.iter().any(|(key, value)| matches!(&**key, "$alt" | "alt") && value.contains("enum-encoding=int"))
}

fn not_found(message: String) -> ApiError {
    ApiError::rpc(StatusCode::NOT_FOUND, "NOT_FOUND", message)
}

fn precondition(message: String) -> ApiError {
    ApiError::rpc(StatusCode::BAD_REQUEST, "FAILED_PRECONDITION", message)
}

fn internal() -> ApiError {
    ApiError::rpc(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", "Internal error encountered.")
}

fn no_method(uri: &http::Uri) -> ApiError {
    not_found(format!("The emulator serves no POST {}.", uri.path()))
}
