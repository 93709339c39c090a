//! Where a job reads and writes.
//!
//! Multimodal datasets have their place here, so that a job can be told about them; they are
//! refused when the job is created.

use serde_json::Value;

use crate::bigquery::TableName;

/// The source of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// Objects, by URIs that may have stars in them.
    CloudStorage(Vec<GcsUri>),
    /// A table.
    BigQuery(TableName),
    /// A multimodal dataset.
    Dataset,
}

/// The destination of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Output {
    /// A directory below this prefix.
    CloudStorage(GcsUri),
    /// A table.
    BigQuery(BigQueryUri),
    /// A multimodal dataset.
    Dataset,
}

/// A project, a dataset of it, or a table in that: `bq://PROJECT[.DATASET[.TABLE]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BigQueryUri {
    pub(super) project: String,
    pub(super) dataset: Option<String>,
    pub(super) table: Option<String>,
}

impl BigQueryUri {
    /// Reads a URI of at most 2,000 characters.
    pub(super) fn parse(uri: &str) -> Option<BigQueryUri> {
        let path = uri.strip_prefix("bq://").filter(|_| uri.chars().count() <= 2000)?;
        let mut parts = path.split('.').map(str::to_owned);
        let parsed = BigQueryUri { project: parts.next()?, dataset: parts.next(), table: parts.next() };
        let empty = path.split('.').any(str::is_empty);
        (!empty && parts.next().is_none()).then_some(parsed)
    }

    /// The table, where one is named.
    pub(super) fn table(self) -> Option<TableName> {
        Some(TableName { project: self.project, dataset: self.dataset?, table: self.table? })
    }
}

/// A bucket and the name of an object, a prefix of one or a pattern for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GcsUri {
    pub(super) bucket: String,
    pub(super) name: String,
}

impl GcsUri {
    /// Reads `gs://BUCKET/NAME`; the name may be missing.
    pub(super) fn parse(uri: &str) -> Option<GcsUri> {
        let rest = uri.strip_prefix("gs://")?;
        let (bucket, name) = rest.split_once('/').unwrap_or((rest, ""));
        (!bucket.is_empty()).then(|| GcsUri { bucket: bucket.to_owned(), name: name.to_owned() })
    }

    /// `gs://BUCKET/NAME`.
    pub(super) fn uri(&self) -> String {
        format!("gs://{}/{}", self.bucket, self.name)
    }
}

impl Input {
    /// Reads an `inputConfig`; none where it has no source, or URIs that are none.
    pub(super) fn read(config: &Value) -> Option<Input> {
        if let Some(source) = config.get("gcsSource") {
            let uris = source.get("uris")?.as_array()?;
            let uris: Option<Vec<_>> = uris.iter().map(|uri| GcsUri::parse(uri.as_str()?)).collect();
            return uris.filter(|uris| !uris.is_empty()).map(Input::CloudStorage);
        }
        if let Some(source) = config.get("bigquerySource") {
            let uri = source.get("inputUri")?.as_str()?;
            return BigQueryUri::parse(uri)?.table().map(Input::BigQuery);
        }
        config.get("vertexMultimodalDatasetSource").map(|_| Input::Dataset)
    }

    /// The `instancesFormat` that goes with it.
    pub(super) fn format(&self) -> &'static str {
        match self {
            Input::CloudStorage(_) => "jsonl",
            Input::BigQuery(_) => "bigquery",
            Input::Dataset => "vertex-dataset",
        }
    }
}

impl Output {
    /// Reads an `outputConfig`; none where it has no destination, or a URI that is none.
    pub(super) fn read(config: &Value) -> Option<Output> {
        if let Some(destination) = config.get("gcsDestination") {
            let prefix = destination.get("outputUriPrefix")?.as_str()?;
            return GcsUri::parse(prefix).map(Output::CloudStorage);
        }
        if let Some(destination) = config.get("bigqueryDestination") {
            let uri = destination.get("outputUri")?.as_str()?;
            return BigQueryUri::parse(uri).map(Output::BigQuery);
        }
        config.get("vertexMultimodalDatasetDestination").map(|_| Output::Dataset)
    }

    /// The `predictionsFormat` that goes with it.
    pub(super) fn format(&self) -> &'static str {
        match self {
            Output::CloudStorage(_) => "jsonl",
            Output::BigQuery(_) => "bigquery",
            Output::Dataset => "vertex-dataset",
        }
    }
}
