//! Where a job reads and writes.
//!
//! BigQuery tables and datasets have their places here, so that a job can be told about
//! them; this build refuses them when the job is created.

use serde_json::Value;

/// The source of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// Objects, by URIs that may have stars in them.
    CloudStorage(Vec<GcsUri>),
    /// A table.
    BigQuery,
    /// A multimodal dataset.
    Dataset,
}

/// The destination of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Output {
    /// A directory below this prefix.
    CloudStorage(GcsUri),
    /// A table.
    BigQuery,
    /// A multimodal dataset.
    Dataset,
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
        if config.get("bigquerySource").is_some() {
            return Some(Input::BigQuery);
        }
        config.get("vertexMultimodalDatasetSource").map(|_| Input::Dataset)
    }

    /// The `instancesFormat` that goes with it.
    pub(super) fn format(&self) -> &'static str {
        match self {
            Input::CloudStorage(_) => "jsonl",
            Input::BigQuery => "bigquery",
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
        if config.get("bigqueryDestination").is_some() {
            return Some(Output::BigQuery);
        }
        config.get("vertexMultimodalDatasetDestination").map(|_| Output::Dataset)
    }

    /// The `predictionsFormat` that goes with it.
    pub(super) fn format(&self) -> &'static str {
        match self {
            Output::CloudStorage(_) => "jsonl",
            Output::BigQuery => "bigquery",
            Output::Dataset => "vertex-dataset",
        }
    }
}
