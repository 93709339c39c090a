//! The five methods.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use batch_backend::{Error, JobPage, JobService, Kind, ListJobs, Result, ServiceError};
use batch_http::{HttpClient, Request, Service};
use batch_model::{BatchPredictionJob, JobName, Location, Operation, Status};
use http::Method;
use serde::Deserialize;
use serde_json::{Map, Value};

/// The waits between looks at an operation: the first, and the longest, each twice the one before.
const OPERATION_WAIT: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));

/// How often an operation is looked at: for about ten minutes. A deletion takes seconds.
const OPERATION_LOOKS: u32 = 64;

/// Batch prediction jobs of a project, in a location: [`JobService`] over Vertex AI's REST API, v1.
///
/// [`create`](JobService::create) is sent once, and again only where it certainly had no effect; after
/// an error that is [`maybe_done`](Error::maybe_done) it is the caller who looks for the job. The other
/// methods are repeated as the client's [`RetryPolicy`](batch_http::RetryPolicy) says.
///
/// A job may be asked for by any name of it: with its project's id or with its number, which is what
/// the service answers with, and in another location than this service's.
#[derive(Debug, Clone)]
pub struct VertexJobs {
    client: HttpClient,
    project: String,
    location: Location,
}

impl VertexJobs {
    /// The jobs of `project` (its id or number) in `location`.
    #[must_use]
    pub fn new(client: HttpClient, project: impl Into<String>, location: Location) -> Self {
        Self { client, project: project.into(), location }
    }

    /// `projects/*/locations/*`.
    fn parent(&self) -> String {
        format!("projects/{}/locations/{}", self.project, self.location)
    }

    /// A request for the jobs of the project.
    fn collection(&self, method: Method) -> Request {
        let segments = ["v1", "projects", &self.project, "locations", self.location.as_str(), "batchPredictionJobs"];
        Request::new(method, Service::Vertex(self.location.clone()), segments)
    }

    /// Waits until an operation on a job has ended.
    async fn wait(&self, name: &JobName, doing: &str, mut operation: Operation) -> Result<()> {
        let unfinished = |kind, why: &str| {
            Error::new(kind, doing, name.to_string()).with_source(why.to_owned()).with_maybe_done(true)
        };
        let (mut wait, longest) = OPERATION_WAIT;
        for _ in 0..OPERATION_LOOKS {
            if let Some(status) = operation.error.take() {
                return Err(failed(doing, name, status));
            }
            if operation.is_done() {
                return Ok(());
            }
            let Some(asked) = operation.name.take() else {
                return Err(unfinished(Kind::BadReply, "the operation is not done, and has no name to ask for"));
            };
            self.client.clock().sleep(wait).await;
            wait = (wait * 2).min(longest);
            let request = request_for(Method::GET, name.location(), &asked).about("look at the operation", &asked);
            operation = match self.client.send(&request).await {
                Ok(response) => response.json()?,
                // It ended and is forgotten. Whether it ended well, the job tells.
                Err(error) if error.kind() == Kind::NotFound => {
                    return match self.get(name).await {
                        Err(gone) if gone.kind() == Kind::NotFound => Ok(()),
                        _ => Err(error),
                    };
                }
                Err(error) => return Err(error.with_maybe_done(true)),
            };
            operation.name.get_or_insert(asked);
        }
        Err(unfinished(Kind::DeadlineExceeded, "the operation has not ended in ten minutes"))
    }
}

impl fmt::Display for VertexJobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vertex AI jobs of {}", self.parent())
    }
}

#[async_trait]
impl JobService for VertexJobs {
    async fn create(&self, job: &BatchPredictionJob) -> Result<BatchPredictionJob> {
        let named = job.display_name.as_deref().unwrap_or_default();
        let request = self
            .collection(Method::POST)
            .about("create the job", format!("{named:?} in {}", self.parent()))
            .json(job)?;
        match self.client.send(&request).await {
            // The reply of a create that worked, and that nobody can read: the job is there.
            Ok(response) => response.json().map_err(|error| error.with_maybe_done(true)),
            Err(error) if error.maybe_done() && error.hint().is_none() => {
                Err(error.with_hint("the job may have been created: look for it before creating another"))
            }
            Err(error) => Err(error),
        }
    }

    async fn get(&self, name: &JobName) -> Result<BatchPredictionJob> {
        let request = request_for_job(Method::GET, name, "").about("get the job", name.to_string());
        self.client.send(&request).await?.json()
    }

    async fn list(&self, query: &ListJobs) -> Result<JobPage> {
        let mut request = self.collection(Method::GET).about("list the jobs of", self.parent());
        if !query.filter.is_empty() {
            request = request.query("filter", &query.filter);
        }
        if let Some(size) = query.page_size {
            request = request.query("pageSize", size.to_string());
        }
        if let Some(token) = &query.page_token {
            request = request.query("pageToken", token);
        }
        let page: Page = self.client.send(&request).await?.json()?;
        Ok(JobPage {
            jobs: page.batch_prediction_jobs.unwrap_or_default(),
            next_page_token: page.next_page_token.filter(|token| !token.is_empty()),
        })
    }

    async fn cancel(&self, name: &JobName) -> Result<()> {
        // Asking twice is asking once: the second is refused, which changes nothing.
        let request = request_for_job(Method::POST, name, ":cancel")
            .about("cancel the job", name.to_string())
            .json(&Map::<String, Value>::new())?
            .idempotent(true);
        match self.client.send(&request).await {
            Ok(_) => Ok(()),
            // The reply to the first was lost, and the second says that it is being cancelled already.
            Err(error) if error.maybe_done() && error.kind() == Kind::FailedPrecondition => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn delete(&self, name: &JobName) -> Result<()> {
        let doing = "delete the job";
        let request = request_for_job(Method::DELETE, name, "").about(doing, name.to_string());
        match self.client.send(&request).await {
            Ok(response) => {
                let operation = response.json().map_err(|error| error.with_maybe_done(true))?;
                self.wait(name, doing, operation).await
            }
            // The reply to the first was lost, and the job is gone.
            Err(error) if error.maybe_done() && error.kind() == Kind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// What `list` answers.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Page {
    batch_prediction_jobs: Option<Vec<BatchPredictionJob>>,
    next_page_token: Option<String>,
}

/// A request for a job by its name, or for a method of it (`:cancel`).
fn request_for_job(method: Method, name: &JobName, suffix: &str) -> Request {
    request_for(method, name.location(), &format!("{name}{suffix}"))
}

/// A request for a resource by its name, in the location that the name is of.
fn request_for(method: Method, location: &Location, name: &str) -> Request {
    let segments = ["v1"].into_iter().chain(name.split('/'));
    Request::new(method, Service::Vertex(location.clone()), segments)
}

/// An operation that ended badly.
fn failed(doing: &str, name: &JobName, status: Status) -> Error {
    let canonical = status.code.and_then(Kind::status_of_code);
    let mut service = ServiceError::new(0);
    service.status = canonical.map(str::to_owned);
    service.message = status.message;
    service.details = status.details;
    let kind = canonical.and_then(Kind::from_status).unwrap_or(Kind::Other);
    Error::new(kind, doing, name.to_string()).with_service(service)
}
