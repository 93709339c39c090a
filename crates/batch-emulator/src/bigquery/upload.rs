//! Load jobs whose bytes come with them: in one request, or in a resumable upload.

use std::io;
use std::path::{Path, PathBuf};

use axum::body::Body;
use axum::response::Response;
use http::header::CONTENT_TYPE;
use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::BigQuery;
use super::error::{failed, invalid, required};
use super::job::{Engine, JobRecord};
use crate::envelope::{self, ApiError};
use crate::storage::{
    self, Call, Claims, Multipart, Purpose, Spooled, boundary, encode, json_body, lost_task, parse_json,
};

/// Resumable uploads of load jobs.
#[derive(Clone, Debug)]
pub(super) struct LoadUploads(pub(super) Engine);

/// What the client said when it began.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Session {
    project: String,
    job: Map<String, Value>,
}

impl Purpose for LoadUploads {
    type Session = Session;
    type Made = JobRecord;

    fn directory(&self) -> Option<PathBuf> {
        Some(self.0.store.disk()?.uploads())
    }

    fn write<T: Serialize>(&self, path: &Path, record: &T) -> io::Result<()> {
        match self.0.store.disk() {
            Some(disk) => disk.write(path, record),
            None => Ok(()),
        }
    }

    fn make(&self, session: &Session, spooled: Spooled, _claims: &Claims) -> Result<JobRecord, ApiError> {
        // Another name for the bytes: they go when the job has read them.
        self.0.run(&session.project, &session.job, Some(spooled.taken()))
    }

    fn show(&self, call: &Call, made: &JobRecord) -> Value {
        made.show(&call.context.url, true)
    }
}

/// `…/upload/bigquery/v2/projects/{project}/jobs`.
pub(super) async fn serve(bigquery: BigQuery, call: Call, project: String, body: Body) -> Result<Response, ApiError> {
    let in_session = call.parameter("upload_id").is_some();
    match call.method {
        Method::POST | Method::PUT if in_session => return storage::chunk(call, bigquery.uploads, body).await,
        Method::DELETE if in_session => return storage::cancel(call, bigquery.uploads).await,
        Method::POST => {}
        _ => return Err(super::unknown(&call)),
    }
    match call.parameter("uploadType") {
        Some("resumable") => begin(bigquery, call, project, body).await,
        Some("multipart") => multipart(bigquery, call, project, body).await,
        _ => Err(required("uploadType")),
    }
}

async fn begin(bigquery: BigQuery, call: Call, project: String, body: Body) -> Result<Response, ApiError> {
    let job = json_body(body).await?;
    let session = Session { project: project.clone(), job };
    let context = call.context.clone();
    let id =
        storage::blocking(move || bigquery.uploads.begin(&context, session).map_err(|error| failed(&error))).await?;
    // Not from the Host header: some clients leave the port out of it.
    let location = call
        .link(&format!("/upload/bigquery/v2/projects/{}/jobs?uploadType=resumable&upload_id={id}", encode(&project)));
    Ok(storage::begun(&location, &id))
}

async fn multipart(bigquery: BigQuery, call: Call, project: String, body: Body) -> Result<Response, ApiError> {
    let content_type = call.text_header(&CONTENT_TYPE).unwrap_or_default();
    let boundary = boundary(content_type)
        .ok_or_else(|| invalid("The content type of a multipart upload must be multipart/related with a boundary."))?;
    let cut = storage::cut_after(&call, call.content_length());
    let (sender, reader) = storage::channel();
    let engine = bigquery.engine.clone();
    let work = tokio::task::spawn_blocking(move || {
        let mut parts = Multipart::new(reader, &boundary);
        let missing = |what: &str| invalid(format!("The multipart body has no {what} part."));
        parts.next_part()?.ok_or_else(|| missing("metadata"))?;
        let mut metadata = Vec::new();
        parts.read_part(&mut metadata)?;
        let job = parse_json(&metadata)?;
        parts.next_part()?.ok_or_else(|| missing("media"))?;
        let mut spool = engine.objects.spool().map_err(|error| failed(&error))?;
        parts.read_part(&mut spool)?;
        let spooled = spool.finish().map_err(|error| failed(&error))?;
        engine.run(&project, &job, Some(spooled))
    });
    storage::pump(body, sender, call.connection.as_ref(), cut).await;
    let record: JobRecord = work.await.map_err(|error| lost_task(&error))??;
    storage::lose_response(&call);
    Ok(envelope::json(StatusCode::OK, &record.show(&call.context.url, true)))
}
