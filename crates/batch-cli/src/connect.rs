//! Which backend serves which address: the one place that knows the schemes.

use std::sync::Arc;

use batch_api::VertexJobs;
use batch_backend::{InputStore, OutputStore};
use batch_gcs::{GcsClient, GcsInput, GcsOutput};
use batch_http::{Credentials, EndpointSettings, Endpoints, HttpClient, HttpConfig, Service, env};
use batch_model::{GcsUri, Location};
use batch_pipeline::{Backends, Spec};

use crate::failure::{Failure, Result};

/// The addresses of a spec, each of a kind that there is a backend for.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    project: String,
    location: Location,
    input: GcsUri,
    output: GcsUri,
}

/// Backends, and whose they are.
pub(crate) struct Connected {
    pub(crate) backends: Backends,
    /// Where jobs go, if that is not Google's own address.
    pub(crate) elsewhere: Option<String>,
}

impl Target {
    /// Reads the `[target]` of a spec, before anything is begun.
    pub(crate) fn of(spec: &Spec) -> Result<Self> {
        let target = &spec.target;
        let missing = |what: &str, how: &str| {
            let hint = format!("{how}; or run it here with --local");
            Failure::new(format!("the spec names no {what}")).with_hint(hint)
        };
        let project = target.project.clone();
        let project =
            project.ok_or_else(|| missing("project", "set target.project, --project or GOOGLE_CLOUD_PROJECT"))?;
        let location = target.location.as_deref();
        let location =
            location.ok_or_else(|| missing("location", "set target.location, --location or GOOGLE_CLOUD_LOCATION"))?;
        let location = location.parse().map_err(|error| Failure::caused("[target] location", error))?;
        let input = target.input.as_deref();
        let input = input
            .ok_or_else(|| missing("place for request lines", "set target.input to a folder, gs://bucket/folder"))?;
        let output = target.output.as_deref();
        let output = output
            .ok_or_else(|| missing("place for predictions", "set target.output to a folder, gs://bucket/folder"))?;
        Ok(Self { project, location, input: address("input", input)?, output: address("output", output)? })
    }

    /// Connects to the services: those of the spec, or the emulator at `local`.
    pub(crate) async fn connect(&self, spec: &Spec, local: Option<&str>) -> Result<Connected> {
        let vertex = Service::Vertex(self.location.clone());
        let needed = [Service::Storage, vertex.clone()];
        let (endpoints, credentials) = match local {
            Some(url) => (Endpoints::all_at(url)?, Credentials::anonymous()),
            None => {
                let settings = EndpointSettings {
                    storage: spec.endpoints.storage.clone(),
                    bigquery: spec.endpoints.bigquery.clone(),
                    vertex: spec.endpoints.vertex.clone(),
                };
                let endpoints = Endpoints::new(&settings, &env::process)?;
                let credentials = Credentials::for_endpoints(&endpoints, &needed, &env::process).await?;
                (endpoints, credentials)
            }
        };
        let jobs_at = endpoints.base_url(&vertex);
        let elsewhere = Some(jobs_at).filter(|url| *url != self.location.vertex_base_url());
        let config = HttpConfig::new(endpoints, credentials);
        let retry = config.retry.clone();
        let http = HttpClient::new(config)?;
        let storage = GcsClient::connect(http.clone(), retry).await?.for_jobs_in(&self.location);
        let input: Arc<dyn InputStore> = Arc::new(GcsInput::new(storage.clone(), self.input.clone()));
        let output: Arc<dyn OutputStore> = Arc::new(GcsOutput::new(storage, self.output.clone()));
        let jobs = Arc::new(VertexJobs::new(http, &self.project, self.location.clone()));
        Ok(Connected { backends: Backends { input, output, jobs }, elsewhere })
    }
}

fn address(what: &str, uri: &str) -> Result<GcsUri> {
    if uri.starts_with("bq://") {
        let failure = Failure::new(format!("target.{what} is in BigQuery, which this version does not serve yet"));
        return Err(failure.with_hint("use a folder on Cloud Storage: gs://bucket/folder"));
    }
    uri.parse().map_err(|error| Failure::caused(format!("target.{what}"), error))
}
