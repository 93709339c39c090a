//! Which backend serves which address: the one place that knows the schemes.

mod places;
mod records;

pub(crate) use self::records::{results_in, statements};

use std::sync::Arc;

use batch_api::VertexJobs;
use batch_backend::{InputStore, JobService, OutputStore};
use batch_bq::{BqClient, BqInput, BqOutput, sql::Source};
use batch_gcs::{GcsClient, GcsInput, GcsOutput};
use batch_http::{Credentials, EndpointSettings, Endpoints, HttpClient, HttpConfig, RetryPolicy, Service, env};
use batch_model::{BatchPredictionJob, BigQueryUri, GcsUri, Location, OutputConfig};
use batch_pipeline::{Backends, Destination, EndpointsSpec, Spec};

use crate::failure::{Failure, Result};

/// The addresses of a spec, each of a kind that there is a backend for.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    project: String,
    location: Location,
    input: Address,
    output: Address,
    /// The records, where they lie in BigQuery.
    records: Option<Source>,
}

/// An address of a spec.
#[derive(Debug, Clone)]
enum Address {
    /// `gs://bucket/folder`.
    Storage(GcsUri),
    /// `bq://project.dataset`.
    BigQuery(BigQueryUri),
}

impl Address {
    /// The address `uri`, which the spec has at `what`.
    fn of(what: &str, uri: &str) -> Result<Self> {
        let failed = |error| Failure::caused(what.to_owned(), error);
        match uri.starts_with("bq://") {
            true => uri.parse().map(Self::BigQuery).map_err(failed),
            false => uri.parse().map(Self::Storage).map_err(failed),
        }
    }

    fn service(&self) -> Service {
        match self {
            Self::Storage(_) => Service::Storage,
            Self::BigQuery(_) => Service::BigQuery,
        }
    }
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
        let records = records::source(spec)?;
        let beside = records::beside(spec, records.as_ref());
        let input = target.input.as_deref().or(beside.as_deref());
        let input = input.ok_or_else(|| {
            missing("place for request lines", "set target.input to gs://bucket/folder or bq://project.dataset")
        })?;
        let output = target.output.as_deref();
        let output = output.ok_or_else(|| {
            missing("place for predictions", "set target.output to gs://bucket/folder or bq://project.dataset")
        })?;
        let (input, output) = (Address::of("target.input", input)?, Address::of("target.output", output)?);
        if let Address::BigQuery(uri) = &input
            && uri.dataset().is_none()
        {
            let failure = Failure::new(format!("target.input names no dataset: {uri}"));
            return Err(failure.with_hint("request lines are staged in a dataset that exists: bq://project.dataset"));
        }
        if records.is_some() {
            records::check(spec, &input, &output)?;
        }
        Ok(Self { project, location, input, output, records })
    }

    /// Where the addresses are, and whether jobs in the target's location can use them. Only looks.
    pub(crate) async fn destinations(&self, spec: &Spec) -> Result<Vec<Destination>> {
        let reached = Reached::new(&self.location, &spec.endpoints, None, &self.services()).await?;
        let mut destinations = Vec::new();
        for (role, address) in [("input", &self.input), ("output", &self.output)] {
            destinations.push(match address {
                Address::Storage(uri) => {
                    places::bucket(&reached.storage(&self.location).await?, role, uri, &self.location).await
                }
                Address::BigQuery(uri) => {
                    let bigquery = reached.bigquery(&self.project, &self.location).await?;
                    places::dataset(&bigquery, role, uri, &self.location).await
                }
            });
        }
        Ok(destinations)
    }

    /// Connects to the services: those of the spec, or the emulator at `local`.
    pub(crate) async fn connect(&self, spec: &Spec, local: Option<&str>) -> Result<Connected> {
        let reached = Reached::new(&self.location, &spec.endpoints, local, &self.services()).await?;
        let input: Arc<dyn InputStore> = match &self.input {
            Address::Storage(uri) => Arc::new(GcsInput::new(reached.storage(&self.location).await?, uri.clone())),
            Address::BigQuery(uri) => {
                let bigquery = reached.bigquery(&self.project, &self.location).await?;
                places::check(&bigquery, uri, &self.location).await?;
                Arc::new(BqInput::new(bigquery, uri.clone())?)
            }
        };
        let output: Arc<dyn OutputStore> = match &self.output {
            Address::Storage(uri) => Arc::new(GcsOutput::new(reached.storage(&self.location).await?, uri.clone())),
            Address::BigQuery(uri) => {
                let bigquery = reached.bigquery(&self.project, &self.location).await?;
                if uri.dataset().is_some() {
                    places::check(&bigquery, uri, &self.location).await?;
                }
                Arc::new(BqOutput::new(bigquery, uri.clone()))
            }
        };
        let records = match self.records {
            Some(_) => {
                Some(Arc::new(self.records_on(reached.bigquery(&self.project, &self.location).await?, spec)?) as _)
            }
            None => None,
        };
        let Reached { http, elsewhere, .. } = reached;
        let jobs = Arc::new(VertexJobs::new(http, &self.project, self.location.clone()));
        Ok(Connected { backends: Backends { input, output, jobs, records }, elsewhere })
    }

    /// The services in which the addresses are.
    fn services(&self) -> Vec<Service> {
        let mut services = vec![self.input.service(), self.output.service()];
        services.dedup();
        services
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
    /// Clients for jobs, and for the services `stores`.
    async fn new(
        location: &Location,
        endpoints: &EndpointsSpec,
        local: Option<&str>,
        stores: &[Service],
    ) -> Result<Self> {
        let vertex = Service::Vertex(location.clone());
        let needed: Vec<Service> = stores.iter().cloned().chain([vertex.clone()]).collect();
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

    /// A client whose load jobs and queries are billed to `project`.
    async fn bigquery(&self, project: &str, location: &Location) -> Result<BqClient> {
        Ok(BqClient::connect(self.http.clone(), self.retry.clone(), project).await?.for_jobs_in(location))
    }
}

/// The jobs of a project and location, without any run of ours.
pub(crate) struct Jobs {
    pub(crate) jobs: Arc<dyn JobService>,
    reached: Reached,
    project: String,
    location: Location,
}

impl Jobs {
    /// Connects to the jobs of `project` in `location`, at the endpoints that are set.
    pub(crate) async fn connect(project: &str, location: &Location, endpoints: &EndpointsSpec) -> Result<Self> {
        let reached = Reached::new(location, endpoints, None, &[Service::Storage]).await?;
        let jobs = Arc::new(VertexJobs::new(reached.http.clone(), project, location.clone()));
        Ok(Self { jobs, reached, project: project.to_owned(), location: location.clone() })
    }

    /// Where jobs are asked about, if that is not Google's own address.
    pub(crate) fn elsewhere(&self) -> Option<&str> {
        self.reached.elsewhere.as_deref()
    }

    /// The store with the predictions of a job: [`open`](OutputStore::open) it under an empty name.
    pub(crate) async fn output(&self, job: &BatchPredictionJob) -> Result<Arc<dyn OutputStore>> {
        let uri = job.output_config.as_ref().and_then(OutputConfig::uri);
        let uri = uri.ok_or_else(|| Failure::new("the job does not tell where its predictions go"))?;
        Ok(match Address::of("the job's output", uri)? {
            Address::Storage(uri) => Arc::new(GcsOutput::new(self.reached.storage(&self.location).await?, uri)),
            Address::BigQuery(uri) => {
                Arc::new(BqOutput::new(self.reached.bigquery(&self.project, &self.location).await?, uri))
            }
        })
    }
}

/// Whether the jobs of a spec are Google's own, as far as its endpoints and the environment tell. Nobody is
/// asked.
pub(crate) fn is_google(spec: &Spec) -> bool {
    matches!(elsewhere(spec), Ok(None))
}

/// Where the jobs of a spec go, if that is not Google's own address. Nobody is asked.
pub(crate) fn elsewhere(spec: &Spec) -> Result<Option<String>> {
    let location = spec.target.location.as_deref().unwrap_or_default();
    let location: Location = location.parse().map_err(|error| Failure::caused("[target] location", error))?;
    let vertex = spec.endpoints.vertex.clone();
    let endpoints = Endpoints::new(&EndpointSettings { vertex, ..EndpointSettings::default() }, &env::process)?;
    let url = endpoints.base_url(&Service::Vertex(location.clone()));
    Ok(Some(url).filter(|url| *url != location.vertex_base_url()))
}

/// Who answered, for the first line of a report, where it is not known to be the service's model.
pub(crate) fn answered_by(elsewhere: Option<&str>) -> Option<String> {
    elsewhere.map(|url| format!("the server at {url}, which is not Google's; perhaps no model was asked"))
}
