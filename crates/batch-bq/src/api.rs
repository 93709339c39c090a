//! The REST API of BigQuery, where Google's clients have none: media upload and the listing of rows.
//!
//! Pages: <https://cloud.google.com/bigquery/docs/reference/api-uploads>,
//! <https://cloud.google.com/bigquery/docs/reference/rest/v2/tabledata/list> and `…/jobs/getQueryResults`.

use std::sync::Arc;

use batch_backend::{Error, Kind, Result};
use batch_http::{HttpClient, Request, Service};
use batch_model::Location;
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{CONTENT_RANGE, LOCATION, RANGE},
};
use serde_json::Value;

use crate::{job::JobName, table::TableName};

/// Asks for 200 where the upload protocol has 308, which by now means "moved for good".
const NO_308: HeaderName = HeaderName::from_static("x-guploader-no-308");
/// Says that a 200 stands for a 308.
const STATUS_OVERRIDE: HeaderName = HeaderName::from_static("x-http-status-code-override");
/// Says what the upload will be of.
const UPLOAD_TYPE: HeaderName = HeaderName::from_static("x-upload-content-type");

/// Where rows are listed.
#[derive(Debug, Clone)]
pub(crate) enum RowsOf {
    Table(TableName),
    /// Some columns of a table, in the table's order.
    Columns(TableName, Vec<String>),
    Query(JobName),
}

impl RowsOf {
    pub(crate) fn resource(&self) -> String {
        match self {
            Self::Table(table) | Self::Columns(table, _) => table.to_string(),
            Self::Query(job) => job.to_string(),
        }
    }
}

/// How far an upload has come.
#[derive(Debug)]
pub(crate) enum Progress {
    /// The service has so many bytes, and waits for the rest.
    Kept(u64),
    /// The service took the piece, and waits for the rest.
    All,
    /// That was all: the job.
    Complete(Bytes),
}

/// The calls.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    http: HttpClient,
    /// Where a dataset that is missing should be made.
    location: Option<Arc<str>>,
}

impl Api {
    pub(crate) fn new(http: HttpClient) -> Self {
        Self { http, location: None }
    }

    pub(crate) fn http(&self) -> &HttpClient {
        &self.http
    }

    /// Says where jobs run, which is where their datasets must be.
    pub(crate) fn set_location(&mut self, location: &Location) {
        // A dataset cannot be in `global`.
        self.location = (location.as_str() != "global").then(|| location.as_str().into());
    }

    /// Begins the upload of a load job's data; its address is as good as a login for this one job.
    pub(crate) async fn begin_upload(&self, project: &str, table: &TableName, job: &Value) -> Result<String> {
        let request = Request::post(Service::BigQuery, ["upload", "bigquery", "v2", "projects", project, "jobs"])
            .query("uploadType", "resumable")
            .header(UPLOAD_TYPE, HeaderValue::from_static("application/octet-stream"))
            // A session that nobody uses has no effect.
            .idempotent(true)
            .about("load into", table.to_string())
            .json(job)?;
        let response = self.http.send(&request).await.map_err(|error| self.advise(error, table))?;
        let session = response.headers.get(LOCATION).and_then(|value| value.to_str().ok());
        session.map(str::to_owned).ok_or_else(|| {
            Error::new(Kind::BadReply, "load into", table.to_string())
                .with_source("the reply has no Location for the upload")
        })
    }

    /// Sends a piece of an upload. Bytes that the service has already, it ignores.
    pub(crate) async fn put(&self, table: &TableName, session: &str, range: &str, piece: Bytes) -> Result<Progress> {
        let octets = HeaderValue::from_static("application/octet-stream");
        let range = HeaderValue::from_str(range)
            .map_err(|error| Error::new(Kind::InvalidArgument, "load into", table.to_string()).with_source(error))?;
        let request = Request::to_url(Method::PUT, Service::BigQuery, session)
            .header(CONTENT_RANGE, range)
            .header(NO_308, HeaderValue::from_static("yes"))
            .body(octets, piece)
            .about("load into", table.to_string());
        match self.http.send(&request).await {
            Ok(response) => match response.headers.get(STATUS_OVERRIDE) {
                Some(status) if status == "308" => kept(&response.headers, table).map(Progress::Kept),
                _ => Ok(Progress::Complete(response.body)),
            },
            // A server that does not know the header, and whose `Range` is not to be had therefore.
            Err(error) if status(&error) == Some(308) => Ok(Progress::All),
            Err(error) => Err(self.advise(error, table)),
        }
    }

    /// Ends an upload without a job.
    pub(crate) async fn cancel_upload(&self, table: &TableName, session: &str) -> Result<()> {
        let request = Request::to_url(Method::DELETE, Service::BigQuery, session)
            .about("give up loading into", table.to_string());
        match self.http.send(&request).await {
            Ok(_) => Ok(()),
            // 499 is the documented answer; 404 and 410: the session is over.
            Err(error) if matches!(status(&error), Some(499 | 404 | 410)) => Ok(()),
            // Some servers cannot; a session expires by itself after a week.
            Err(error) if matches!(status(&error), Some(405 | 501)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// A page of rows: at most `rows` of them, and fewer where they are long.
    pub(crate) async fn rows(&self, of: &RowsOf, rows: u64, token: Option<&str>) -> Result<Bytes> {
        let request = match of {
            RowsOf::Table(name) | RowsOf::Columns(name, _) => Request::get(
                Service::BigQuery,
                ["bigquery", "v2", "projects", &name.project, "datasets", &name.dataset, "tables", &name.table, "data"],
            ),
            RowsOf::Query(JobName { project, id, location }) => {
                let request = Request::get(Service::BigQuery, ["bigquery", "v2", "projects", project, "queries", id]);
                match location {
                    Some(location) => request.query("location", location),
                    None => request,
                }
            }
        };
        let mut request = request
            .query("maxResults", rows.to_string())
            // Times as whole microseconds: as floats they lose the last digit.
            .query("formatOptions.useInt64Timestamp", "true")
            .about("read the rows of", of.resource());
        if let RowsOf::Columns(_, columns) = of {
            request = request.query("selectedFields", columns.join(","));
        }
        if let Some(token) = token {
            request = request.query("pageToken", token);
        }
        match (self.http.send(&request).await, of) {
            (Ok(response), _) => Ok(response.body),
            (Err(error), RowsOf::Table(table) | RowsOf::Columns(table, _)) => Err(self.advise(error, table)),
            (Err(error), RowsOf::Query(_)) => Err(error),
        }
    }

    /// Adds what to do: the command that makes the dataset where the jobs run, or that grants the role.
    pub(crate) fn advise(&self, error: Error, table: &TableName) -> Error {
        self.advise_on(error, &table.project, &table.dataset)
    }

    /// As [`advise`](Self::advise), of a dataset.
    pub(crate) fn advise_on(&self, error: Error, project: &str, dataset: &str) -> Error {
        match error.kind() {
            Kind::NotFound => error.with_hint(self.make_dataset(project, dataset)),
            Kind::PermissionDenied if error.hint().is_none() => {
                let account = self.http.credentials().account().unwrap_or("this login");
                error.with_hint(format!(
                    "{account} needs the role roles/bigquery.dataEditor on the dataset {dataset} and \
                     roles/bigquery.jobUser on the project {project}"
                ))
            }
            Kind::Unauthenticated if error.hint().is_none() => {
                error.with_hint("log in again: `gcloud auth application-default login`")
            }
            Kind::Unavailable if error.hint().is_none() && error.service().is_none() => {
                let address = self.http.endpoints().base_url(&Service::BigQuery);
                error
                    .with_hint(format!("see that {address} can be reached from here, and that it is the right address"))
            }
            _ => error,
        }
    }

    /// The command that makes a dataset.
    pub(crate) fn make_dataset(&self, project: &str, dataset: &str) -> String {
        let location = self.location.as_deref().unwrap_or("LOCATION");
        format!("create the dataset: `bq --location={location} mk --dataset {project}:{dataset}`")
    }
}

fn status(error: &Error) -> Option<u16> {
    error.service().map(|service| service.http_status)
}

/// How many bytes the service has kept: `Range: bytes=0-262143`; none where it says none.
fn kept(headers: &HeaderMap, table: &TableName) -> Result<u64> {
    let Some(range) = headers.get(RANGE) else { return Ok(0) };
    let last = range.to_str().ok().and_then(|range| range.rsplit_once('-')?.1.trim().parse::<u64>().ok());
    last.map(|last| last + 1).ok_or_else(|| {
        Error::new(Kind::BadReply, "load into", table.to_string()).with_source(format!("the Range {range:?} is none"))
    })
}
