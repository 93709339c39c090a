//! Which backend serves which address: the one place that knows the schemes.

mod places;

use std::sync::Arc;

use batch_api::VertexJobs;
use batch_backend::{InputStore, JobService, OutputStore};
use batch_gcs::{GcsClient, GcsInput, GcsOutput};
use batch_http::{Credentials, EndpointSettings, Endpoints, HttpClient, HttpConfig, RetryPolicy, Service, env};
use batch_model::{BatchPredictionJob, GcsUri, Location, OutputConfig};
use batch_pipeline::{Backends, Destination, EndpointsSpec, Spec};

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

    /// Where the addresses are, and whether jobs in the target's location can use them. Only looks.
    pub(crate) async fn destinations(&self, spec: &Spec) -> Result<Vec<Destination>> {
        let storage = Reached::new(&self.location, &spec.endpoints, None).await?.storage(&self.location).await?;
        let mut destinations = Vec::new();
        for (role, uri) in [("input", &self.input), ("output", &self.output)] {
            destinations.push(places::bucket(&storage, role, uri, &self.location).await);
        }
        Ok(destinations)
    }

    /// Connects to the services: those of the spec, or the emulator at `local`.
    pub(crate) async fn connect(&self, spec: &Spec, local: Option<&str>) -> Result<Connected> {
        let reached = Reached::new(&self.location, &spec.endpoints, local).await?;
        let storage = reached.storage(&self.location).await?;
        let Reached { http, elsewhere, .. } = reached;
        let input: Arc<dyn InputStore> = Arc::new(GcsInput::new(storage.clone(), self.input.clone()));
        let output: Arc<dyn OutputStore> = Arc::new(GcsOutput::new(storage, self.output.clone()));
        let jobs = Arc::new(VertexJobs::new(http, &self.project, self.location.clone()));
        Ok(Connected { backends: Backends { input, output, jobs }, elsewhere })
    }
}

/// Clients of the services in a location, and whose they are.
struct Reached {
    http: HttpClient,
    retry: RetryPolicy,
    /// Where jobs go, if that is not Google's own address.
    elsewhere: Option<String>,
}

impl Reached {
    async fn new(location: &Location, endpoints: &EndpointsSpec, local: Option<&str>) -> Result<Self> {
        let vertex = Service::Vertex(location.clone());
        let needed = [Service::Storage, vertex.clone()];
        let (endpoints, credentials) = match local {
            Some(url) => (Endpoints::all_at(url)?, Credentials::anonymous()),
            None => {
                let settings = EndpointSettings {
                    storage: endpoints.storage.clone(),
                    bigquery: endpoints.bigquery.clone(),
                    vertex: endpoints.vertex.clone(),
                };
                let endpoints = Endpoints::new(&settings, &env::process)?;
                let credentials = Credentials::for_endpoints(&endpoints, &needed, &env::process).await?;
                (endpoints, credentials)
            }
        };
        let jobs_at = endpoints.base_url(&vertex);
        let elsewhere = Some(jobs_at).filter(|url| *url != location.vertex_base_url());
        let config = HttpConfig::new(endpoints, credentials);
        let retry = config.retry.clone();
        Ok(Self { http: HttpClient::new(config)?, retry, elsewhere })
    }

    async fn storage(&self, location: &Location) -> Result<GcsClient> {
        Ok(GcsClient::connect(self.http.clone(), self.retry.clone()).await?.for_jobs_in(location))
    }
}

/// The jobs of a project and location, without any run of ours.
pub(crate) struct Jobs {
    pub(crate) jobs: Arc<dyn JobService>,
    reached: Reached,
    location: Location,
}

impl Jobs {
    /// Connects to the jobs of `project` in `location`, at the endpoints that are set.
    pub(crate) async fn connect(project: &str, location: &Location, endpoints: &EndpointsSpec) -> Result<Self> {
        let reached = Reached::new(location, endpoints, None).await?;
        let jobs = Arc::new(VertexJobs::new(reached.http.clone(), project, location.clone()));
        Ok(Self { jobs, reached, location: location.clone() })
    }

    /// Where jobs are asked about, if that is not Google's own address.
    pub(crate) fn elsewhere(&self) -> Option<&str> {
        self.reached.elsewhere.as_deref()
    }

    /// The store with the predictions of a job: [`open`](OutputStore::open) it under an empty name.
    pub(crate) async fn output(&self, job: &BatchPredictionJob) -> Result<Arc<dyn OutputStore>> {
        let uri = job.output_config.as_ref().and_then(OutputConfig::uri);
        let uri = uri.ok_or_else(|| Failure::new("the job does not tell where its predictions go"))?;
        if uri.starts_with("bq://") {
            let failure = Failure::new(format!("the predictions of the job are in BigQuery: {uri}"));
            return Err(failure.with_hint("this version fetches predictions from Cloud Storage only"));
        }
        let uri = uri.parse().map_err(|error| Failure::caused("the job's output", error))?;
        Ok(Arc::new(GcsOutput::new(self.reached.storage(&self.location).await?, uri)))
    }
}

/// Whether the jobs of a spec are Google's own, as far as its endpoints and the environment tell. Nobody is
/// asked.
pub(crate) fn is_google(spec: &Spec) -> bool {
    let location = spec.target.location.as_deref().and_then(|location| location.parse::<Location>().ok());
    let vertex = spec.endpoints.vertex.clone();
    let endpoints = Endpoints::new(&EndpointSettings { vertex, ..EndpointSettings::default() }, &env::process);
    match (location, endpoints) {
        (Some(location), Ok(endpoints)) => {
            endpoints.base_url(&Service::Vertex(location.clone())) == location.vertex_base_url()
        }
        _ => false,
    }
}

/// Who answered, for the first line of a report, where it is not known to be the service's model.
pub(crate) fn answered_by(elsewhere: Option<&str>) -> Option<String> {
    elsewhere.map(|url| format!("the server at {url}, which is not Google's; perhaps no model was asked"))
}

fn address(what: &str, uri: &str) -> Result<GcsUri> {
    if uri.starts_with("bq://") {
        let failure = Failure::new(format!("target.{what} is in BigQuery, which this version does not serve yet"));
        return Err(failure.with_hint("use a folder on Cloud Storage: gs://bucket/folder"));
    }
    uri.parse().map_err(|error| Failure::caused(format!("target.{what}"), error))
}
