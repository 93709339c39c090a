//! Where a job's request lines are and its predictions go: `inputConfig`, `outputConfig`, `outputInfo`.

use crate::wire::wire_struct;

wire_struct! {
    /// Where a job's request lines are: one of the sources, and the format that goes with it.
    pub struct InputConfig {
        /// `jsonl`, `bigquery` or `vertex-dataset`.
        instances_format: String = "instancesFormat",
        /// JSONL files on Cloud Storage.
        gcs_source: Option<GcsSource> = "gcsSource",
        /// A BigQuery table with a `request` column.
        bigquery_source: Option<BigQuerySource> = "bigquerySource",
        /// A multimodal dataset.
        vertex_multimodal_dataset_source: Option<VertexMultimodalDatasetSource> = "vertexMultimodalDatasetSource",
    }

    /// Files on Cloud Storage.
    pub struct GcsSource {
        /// `gs://` URIs; the service takes wildcards.
        uris: Vec<String> = "uris",
    }

    /// A BigQuery table.
    pub struct BigQuerySource {
        /// `bq://project.dataset.table`.
        input_uri: String = "inputUri",
    }

    /// A multimodal dataset.
    pub struct VertexMultimodalDatasetSource {
        /// `projects/*/locations/*/datasets/*`.
        dataset_name: String = "datasetName",
    }

    /// Where a job shall write its predictions.
    pub struct OutputConfig {
        /// `jsonl`, `bigquery` or `vertex-dataset`.
        predictions_format: String = "predictionsFormat",
        /// A folder on Cloud Storage.
        gcs_destination: Option<GcsDestination> = "gcsDestination",
        /// A BigQuery project, dataset or table.
        bigquery_destination: Option<BigQueryDestination> = "bigqueryDestination",
        /// A multimodal dataset to be made.
        vertex_multimodal_dataset_destination: Option<VertexMultimodalDatasetDestination> =
            "vertexMultimodalDatasetDestination",
    }

    /// A folder on Cloud Storage.
    pub struct GcsDestination {
        /// `gs://bucket/folder`; a missing trailing slash is added by the service.
        output_uri_prefix: String = "outputUriPrefix",
    }

    /// A place in BigQuery.
    pub struct BigQueryDestination {
        /// `bq://project`, `bq://project.dataset` or `bq://project.dataset.table`.
        output_uri: String = "outputUri",
    }

    /// A multimodal dataset to be made.
    pub struct VertexMultimodalDatasetDestination {
        /// Where its table goes.
        bigquery_destination: Option<BigQueryDestination> = "bigqueryDestination",
        /// Its name for people.
        display_name: Option<String> = "displayName",
    }

    /// Where a job's predictions are. All of it is set by the service.
    pub struct OutputInfo {
        /// `gs://…/prediction-model-<time>`, without a trailing slash.
        gcs_output_directory: Option<String> = "gcsOutputDirectory",
        /// `bq://project.dataset`.
        bigquery_output_dataset: Option<String> = "bigqueryOutputDataset",
        /// The table: its name or, for Gemini jobs (likely), the full `bq://project.dataset.table`.
        bigquery_output_table: Option<String> = "bigqueryOutputTable",
        /// `projects/*/locations/*/datasets/*`.
        vertex_multimodal_dataset_name: Option<String> = "vertexMultimodalDatasetName",
    }
}

impl InputConfig {
    /// JSONL files on Cloud Storage; a URI may have wildcards.
    #[must_use]
    pub fn gcs<U: Into<String>>(uris: impl IntoIterator<Item = U>) -> Self {
        Self {
            instances_format: "jsonl".to_owned(),
            gcs_source: Some(GcsSource { uris: uris.into_iter().map(Into::into).collect(), ..GcsSource::default() }),
            ..Self::default()
        }
    }

    /// The table at `bq://project.dataset.table`.
    #[must_use]
    pub fn bigquery(uri: impl Into<String>) -> Self {
        Self {
            instances_format: "bigquery".to_owned(),
            bigquery_source: Some(BigQuerySource { input_uri: uri.into(), ..BigQuerySource::default() }),
            ..Self::default()
        }
    }

    /// The addresses of the input, whichever source it is.
    #[must_use]
    pub fn uris(&self) -> Vec<&str> {
        let gcs = self.gcs_source.iter().flat_map(|source| source.uris.iter().map(String::as_str));
        gcs.chain(self.bigquery_source.iter().map(|source| source.input_uri.as_str())).collect()
    }
}

impl OutputConfig {
    /// A folder on Cloud Storage; the service makes a folder of its own below it.
    #[must_use]
    pub fn gcs(prefix: impl Into<String>) -> Self {
        Self {
            predictions_format: "jsonl".to_owned(),
            gcs_destination: Some(GcsDestination { output_uri_prefix: prefix.into(), ..GcsDestination::default() }),
            ..Self::default()
        }
    }

    /// `bq://project.dataset.table`, a table that must not exist yet.
    #[must_use]
    pub fn bigquery(uri: impl Into<String>) -> Self {
        Self {
            predictions_format: "bigquery".to_owned(),
            bigquery_destination: Some(BigQueryDestination {
                output_uri: uri.into(),
                ..BigQueryDestination::default()
            }),
            ..Self::default()
        }
    }

    /// The address of the output, whichever destination it is.
    #[must_use]
    pub fn uri(&self) -> Option<&str> {
        let gcs = self.gcs_destination.as_ref().map(|destination| destination.output_uri_prefix.as_str());
        gcs.or_else(|| self.bigquery_destination.as_ref().map(|destination| destination.output_uri.as_str()))
    }
}
