//! The REST API of BigQuery, where Google's clients have none: media upload and the listing of rows.
//!
//! Pages: <https://cloud.google.com/bigquery/docs/reference/api-uploads>,
//! <https://cloud.google.com/bigquery/docs/reference/rest/v2/tabledata/list> and `…/jobs/getQueryResults`.

use std::sync::Arc;

use batch_backend::{Error, Kind, Result};
use batch_http::{HttpClient, Request, ResumableUpload, Service};
use batch_model::Location;
use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use serde_json::Value;

use crate::{job::JobName, table::TableName};

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

    /// The upload of a load job's data, which has not begun.
    pub(crate) fn upload(&self, project: &str, table: &TableName, job: &Value) -> Result<ResumableUpload> {
        let begin = Request::post(Service::BigQuery, ["upload", "bigquery", "v2", "projects", project, "jobs"])
            .query("uploadType", "resumable")
            .header(UPLOAD_TYPE, HeaderValue::from_static("application/octet-stream"))
            .about("load into", table.to_string())
            .json(job)?;
        Ok(ResumableUpload::new(self.http.clone(), begin))
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
            _ => self.http.advise(error, &Service::BigQuery),
        }
    }

    /// The command that makes a dataset.
    pub(crate) fn make_dataset(&self, project: &str, dataset: &str) -> String {
        let location = self.location.as_deref().unwrap_or("LOCATION");
        format!("create the dataset: `bq --location={location} mk --dataset {project}:{dataset}`")
    }
}
