//! What is known about datasets and tables, and how the API shows it.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::schema::Schema;
use crate::storage::encode;

/// A table by its names: `p:d.t`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct TableName {
    pub(crate) project: String,
    pub(crate) dataset: String,
    pub(crate) table: String,
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}.{}", self.project, self.dataset, self.table)
    }
}

impl TableName {
    /// Reads a `TableReference`; the project may be missing where one is known.
    pub(super) fn read(reference: &Value, project: &str) -> Option<TableName> {
        let text = |name: &str| reference.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        Some(TableName {
            project: text("projectId").unwrap_or(project).to_owned(),
            dataset: text("datasetId")?.to_owned(),
            table: text("tableId")?.to_owned(),
        })
    }

    /// As the API writes it.
    pub(super) fn show(&self) -> Value {
        json!({ "projectId": self.project, "datasetId": self.dataset, "tableId": self.table })
    }
}

/// A dataset.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct DatasetRecord {
    pub(super) id: u64,
    pub(crate) project: String,
    pub(crate) name: String,
    /// `US`, `EU`, or a region such as `us-central1`.
    pub(crate) location: String,
    /// What the client wrote: description, labels, access and so on.
    pub(super) settings: Map<String, Value>,
    /// Microseconds since 1970, as all times here.
    pub(super) created: i64,
    pub(super) modified: i64,
    /// Counts the changes.
    pub(super) version: u64,
}

impl DatasetRecord {
    pub(super) fn etag(&self) -> String {
        etag(self.id, self.version)
    }

    /// How long a table lives unless it says otherwise, in microseconds.
    pub(super) fn table_life(&self) -> Option<i64> {
        int64(self.settings.get("defaultTableExpirationMs")?)?.checked_mul(1000)
    }

    /// As the API writes it.
    pub(super) fn show(&self, url: &str) -> Value {
        let mut shown = Map::new();
        let mut put = |name: &str, value: Value| {
            shown.insert(name.to_owned(), value);
        };
        put("kind", json!("bigquery#dataset"));
        put("etag", json!(self.etag()));
        put("id", json!(format!("{}:{}", self.project, self.name)));
        put("selfLink", json!(self.link(url)));
        put("datasetReference", json!({ "datasetId": self.name, "projectId": self.project }));
        if !self.settings.contains_key("access") {
            put(
                "access",
                json!([
                    { "role": "WRITER", "specialGroup": "projectWriters" },
                    { "role": "OWNER", "specialGroup": "projectOwners" },
                    { "role": "READER", "specialGroup": "projectReaders" },
                ]),
            );
        }
        for (name, value) in &self.settings {
            put(name, value.clone());
        }
        put("creationTime", json!(millis(self.created)));
        put("lastModifiedTime", json!(millis(self.modified)));
        put("location", json!(self.location));
        put("type", json!("DEFAULT"));
        Value::Object(shown)
    }

    /// As lists have it.
    pub(super) fn show_in_list(&self) -> Value {
        let mut shown = json!({
            "kind": "bigquery#dataset",
            "id": format!("{}:{}", self.project, self.name),
            "datasetReference": { "datasetId": self.name, "projectId": self.project },
            "location": self.location,
            "type": "DEFAULT",
        });
        copy(&self.settings, &mut shown, &["labels", "friendlyName"]);
        shown
    }

    fn link(&self, url: &str) -> String {
        format!("{url}/bigquery/v2/projects/{}/datasets/{}", encode(&self.project), encode(&self.name))
    }
}

/// A piece of a table, as its record lists it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct PieceRecord {
    pub(super) id: u64,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    /// The number of the job that wrote it.
    pub(super) job: Option<u64>,
    /// Whether streaming inserts wrote it, so that more may be appended.
    pub(super) streamed: bool,
}

/// A table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TableRecord {
    pub(super) id: u64,
    pub(crate) name: TableName,
    pub(crate) location: String,
    /// What the client wrote: description, labels, a view and so on; no schema.
    pub(super) settings: Map<String, Value>,
    pub(crate) schema: Schema,
    pub(super) pieces: Vec<PieceRecord>,
    pub(super) created: i64,
    pub(super) modified: i64,
    pub(super) version: u64,
}

impl TableRecord {
    pub(super) fn etag(&self) -> String {
        etag(self.id, self.version)
    }

    /// How many rows it has.
    pub(crate) fn rows(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.rows).sum()
    }

    /// How many bytes its rows have; the service counts by types, this counts what is kept.
    pub(super) fn bytes(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.bytes).sum()
    }

    /// Whether it is a view, which has no rows of its own.
    pub(crate) fn is_view(&self) -> bool {
        self.settings.contains_key("view") || self.settings.contains_key("materializedView")
    }

    /// Whether nothing but that job has written to it.
    pub(crate) fn is_of_job(&self, job: u64) -> bool {
        self.pieces.iter().all(|piece| piece.job == Some(job)) && !self.pieces.is_empty()
    }

    fn kind(&self) -> &'static str {
        if self.settings.contains_key("view") {
            "VIEW"
        } else if self.settings.contains_key("materializedView") {
            "MATERIALIZED_VIEW"
        } else if self.settings.contains_key("externalDataConfiguration") {
            "EXTERNAL"
        } else {
            "TABLE"
        }
    }

    /// When it goes by itself, in microseconds.
    pub(super) fn expires(&self) -> Option<i64> {
        int64(self.settings.get("expirationTime")?)?.checked_mul(1000)
    }

    /// As the API writes it.
    pub(super) fn show(&self, url: &str) -> Value {
        let mut shown = Map::new();
        let mut put = |name: &str, value: Value| {
            shown.insert(name.to_owned(), value);
        };
        let TableName { project, dataset, table } = &self.name;
        put("kind", json!("bigquery#table"));
        put("etag", json!(self.etag()));
        put("id", json!(self.name.to_string()));
        put(
            "selfLink",
            json!(format!(
                "{url}/bigquery/v2/projects/{}/datasets/{}/tables/{}",
                encode(project),
                encode(dataset),
                encode(table)
            )),
        );
        put("tableReference", self.name.show());
        for (name, value) in &self.settings {
            put(name, value.clone());
        }
        if !self.schema.0.is_empty() {
            put("schema", self.schema.show());
        }
        let bytes = json!(self.bytes().to_string());
        put("numBytes", bytes.clone());
        put("numLongTermBytes", json!("0"));
        put("numRows", json!(self.rows().to_string()));
        put("creationTime", json!(millis(self.created)));
        put("lastModifiedTime", json!(millis(self.modified)));
        put("type", json!(self.kind()));
        put("location", json!(self.location));
        put("numTotalLogicalBytes", bytes.clone());
        put("numActiveLogicalBytes", bytes);
        put("numLongTermLogicalBytes", json!("0"));
        Value::Object(shown)
    }

    /// As lists have it.
    pub(super) fn show_in_list(&self) -> Value {
        let mut shown = json!({
            "kind": "bigquery#table",
            "id": self.name.to_string(),
            "tableReference": self.name.show(),
            "type": self.kind(),
            "creationTime": millis(self.created),
        });
        let settings = ["friendlyName", "labels", "expirationTime", "timePartitioning", "clustering", "view"];
        copy(&self.settings, &mut shown, &settings);
        shown
    }
}

fn copy(settings: &Map<String, Value>, shown: &mut Value, names: &[&str]) {
    for name in names {
        if let (Some(value), Some(shown)) = (settings.get(*name), shown.as_object_mut()) {
            shown.insert((*name).to_owned(), value.clone());
        }
    }
}

/// Changes with every change.
fn etag(id: u64, version: u64) -> String {
    STANDARD.encode(format!("{id}.{version}"))
}

/// A time as the API writes it: milliseconds since 1970, in quotes as all 64-bit numbers.
pub(super) fn millis(micros: i64) -> String {
    micros.div_euclid(1000).to_string()
}

/// A 64-bit number, which may come in quotes.
pub(super) fn int64(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number.as_i64().or_else(|| Some(number.as_f64()? as i64)),
        _ => None,
    }
}
