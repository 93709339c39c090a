//! The discovery document: what the API has, as `bq` and Google's generic client want to be told before
//! they call any of it.
//!
//! It lists what this emulator answers, which is less than the service's own document does. Its form:
//! <https://developers.google.com/discovery/v1/reference/apis>.

use std::collections::BTreeMap;

use axum::response::Response;
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::error::not_found;
use crate::envelope::{self, ApiError};
use crate::storage::Call;

/// Where it is served.
pub(super) const PATH: &str = "/$discovery/rest";

/// A method of the API.
struct Method {
    /// The resource and the method's own name.
    name: &'static str,
    verb: &'static str,
    /// Below `bigquery/v2/`, with its parameters in braces.
    path: &'static str,
    /// Parameters behind the path, each with its type.
    query: &'static [(&'static str, &'static str)],
    /// What is sent, and what is answered; nothing where there is no body.
    bodies: [&'static str; 2],
}

const DATASETS: &str = "projects/{+projectId}/datasets";
const DATASET: &str = "projects/{+projectId}/datasets/{+datasetId}";
const TABLES: &str = "projects/{+projectId}/datasets/{+datasetId}/tables";
const TABLE: &str = "projects/{+projectId}/datasets/{+datasetId}/tables/{+tableId}";
const JOBS: &str = "projects/{+projectId}/jobs";
const POLICY: (&str, &str) = ("accessPolicyVersion", "integer");
/// Text that may stand several times.
const REPEATED: &str = "strings";
/// The method whose job may come with its data.
const INSERT_JOB: &str = "jobs.insert";

const PAGES: [(&str, &str); 2] = [("maxResults", "integer"), ("pageToken", "string")];
const INT64: (&str, &str) = ("formatOptions.useInt64Timestamp", "boolean");
const LOCATION: (&str, &str) = ("location", "string");

const METHODS: &[Method] = &[
    method("projects.list", "GET", "projects", &PAGES, ["", "ProjectList"]),
    method(
        "projects.getServiceAccount",
        "GET",
        "projects/{+projectId}/serviceAccount",
        &[],
        ["", "GetServiceAccountResponse"],
    ),
    method(
        "datasets.list",
        "GET",
        DATASETS,
        &[PAGES[0], PAGES[1], ("all", "boolean"), ("filter", "string")],
        ["", "DatasetList"],
    ),
    method("datasets.insert", "POST", DATASETS, &[POLICY], ["Dataset", "Dataset"]),
    method("datasets.get", "GET", DATASET, &[POLICY, ("datasetView", "string")], ["", "Dataset"]),
    method("datasets.patch", "PATCH", DATASET, &[POLICY, ("updateMode", "string")], ["Dataset", "Dataset"]),
    method("datasets.update", "PUT", DATASET, &[POLICY, ("updateMode", "string")], ["Dataset", "Dataset"]),
    method("datasets.delete", "DELETE", DATASET, &[("deleteContents", "boolean")], ["", ""]),
    method("tables.list", "GET", TABLES, &PAGES, ["", "TableList"]),
    method("tables.insert", "POST", TABLES, &[], ["Table", "Table"]),
    method("tables.get", "GET", TABLE, &[("selectedFields", "string"), ("view", "string")], ["", "Table"]),
    method("tables.patch", "PATCH", TABLE, &[("autodetect_schema", "boolean")], ["Table", "Table"]),
    method("tables.update", "PUT", TABLE, &[("autodetect_schema", "boolean")], ["Table", "Table"]),
    method("tables.delete", "DELETE", TABLE, &[], ["", ""]),
    method(
        "tabledata.list",
        "GET",
        "projects/{+projectId}/datasets/{+datasetId}/tables/{+tableId}/data",
        &[PAGES[0], PAGES[1], INT64, ("selectedFields", "string"), ("startIndex", "string")],
        ["", "TableDataList"],
    ),
    method(
        "tabledata.insertAll",
        "POST",
        "projects/{+projectId}/datasets/{+datasetId}/tables/{+tableId}/insertAll",
        &[],
        ["TableDataInsertAllRequest", "TableDataInsertAllResponse"],
    ),
    method(
        "jobs.list",
        "GET",
        JOBS,
        &[
            PAGES[0],
            PAGES[1],
            ("allUsers", "boolean"),
            ("maxCreationTime", "string"),
            ("minCreationTime", "string"),
            ("parentJobId", "string"),
            ("projection", "string"),
            ("stateFilter", REPEATED),
        ],
        ["", "JobList"],
    ),
    method(INSERT_JOB, "POST", JOBS, &[], ["Job", "Job"]),
    method("jobs.get", "GET", "projects/{+projectId}/jobs/{+jobId}", &[LOCATION], ["", "Job"]),
    method("jobs.cancel", "POST", "projects/{+projectId}/jobs/{+jobId}/cancel", &[LOCATION], ["", "JobCancelResponse"]),
    method("jobs.delete", "DELETE", "projects/{+projectId}/jobs/{+jobId}/delete", &[LOCATION], ["", ""]),
    // These two are there to be refused: the emulator runs no SQL.
    method("jobs.query", "POST", "projects/{+projectId}/queries", &[], ["QueryRequest", "QueryResponse"]),
    method(
        "jobs.getQueryResults",
        "GET",
        "projects/{+projectId}/queries/{+jobId}",
        &[PAGES[0], PAGES[1], INT64, LOCATION, ("startIndex", "string"), ("timeoutMs", "integer")],
        ["", "GetQueryResultsResponse"],
    ),
];

const fn method(
    name: &'static str,
    verb: &'static str,
    path: &'static str,
    query: &'static [(&'static str, &'static str)],
    bodies: [&'static str; 2],
) -> Method {
    Method { name, verb, path, query, bodies }
}

/// `GET /$discovery/rest?version=v2`.
pub(super) fn serve(call: &Call) -> Result<Response, ApiError> {
    match call.parameter("version") {
        None | Some("v2") => Ok(envelope::json(StatusCode::OK, &document(&call.context.url))),
        Some(other) => Err(not_found(format_args!("Discovery document of version {other}"))),
    }
}

fn document(url: &str) -> Value {
    let mut resources: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    let mut schemas: BTreeMap<&str, Value> = BTreeMap::new();
    for method in METHODS {
        if let Some((resource, name)) = method.name.split_once('.') {
            resources.entry(resource).or_default().insert(name.to_owned(), method.show());
        }
        for body in method.bodies.into_iter().filter(|body| !body.is_empty()) {
            schemas.insert(body, json!({ "id": body, "type": "object", "properties": next_page(body) }));
        }
    }
    let resources: BTreeMap<_, _> =
        resources.into_iter().map(|(name, methods)| (name, json!({ "methods": methods }))).collect();
    json!({
        "kind": "discovery#restDescription",
        "discoveryVersion": "v1",
        "id": "bigquery:v2",
        "name": "bigquery",
        "version": "v2",
        "title": "BigQuery API, as the emulator has it",
        "protocol": "rest",
        "rootUrl": format!("{url}/"),
        "servicePath": "bigquery/v2/",
        "baseUrl": format!("{url}/bigquery/v2/"),
        "basePath": "/bigquery/v2/",
        "batchPath": "batch/bigquery/v2",
        "parameters": {
            "alt": parameter("query", "string"),
            "fields": parameter("query", "string"),
            "key": parameter("query", "string"),
            "prettyPrint": parameter("query", "boolean"),
            "quotaUser": parameter("query", "string"),
            "uploadType": parameter("query", "string"),
        },
        "schemas": schemas,
        "resources": resources,
    })
}

/// The members of a reply that a client looks for in the document: whether there are more pages.
fn next_page(body: &str) -> Value {
    let token = match body {
        "TableDataList" | "GetQueryResultsResponse" => "pageToken",
        list if list.ends_with("List") => "nextPageToken",
        _ => return json!({}),
    };
    json!({ token: { "type": "string" } })
}

impl Method {
    fn show(&self) -> Value {
        let in_path: Vec<&str> =
            self.path.split("{+").skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name).collect();
        let mut parameters: Map<String, Value> =
            in_path.iter().map(|name| ((*name).to_owned(), parameter("path", "string"))).collect();
        parameters.extend(self.query.iter().map(|(name, kind)| ((*name).to_owned(), parameter("query", kind))));
        let mut shown = json!({
            "id": format!("bigquery.{}", self.name),
            "httpMethod": self.verb,
            "path": self.path,
            "parameters": parameters,
            "parameterOrder": in_path,
        });
        for (member, body) in ["request", "response"].into_iter().zip(self.bodies) {
            if !body.is_empty() {
                shown[member] = json!({ "$ref": body });
            }
        }
        if self.name == INSERT_JOB {
            let protocol = |prefix: &str| json!({ "multipart": true, "path": format!("{prefix}/bigquery/v2/{JOBS}") });
            shown["supportsMediaUpload"] = json!(true);
            shown["mediaUpload"] = json!({
                "accept": ["*/*"],
                "protocols": { "simple": protocol("/upload"), "resumable": protocol("/resumable/upload") },
            });
        }
        shown
    }
}

fn parameter(location: &str, kind: &str) -> Value {
    let mut shown = json!({ "location": location, "type": if kind == REPEATED { "string" } else { kind } });
    if location == "path" {
        shown["required"] = json!(true);
    }
    if kind == REPEATED {
        shown["repeated"] = json!(true);
    }
    shown
}
