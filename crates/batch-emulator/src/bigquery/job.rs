//! The jobs of BigQuery: what is known of them, and how they are run.
//!
//! A job is done when the reply to its insertion is sent, which says that it runs all the
//! same, as the service's does: a client has to ask for the job again.

use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::error::{Problem, duplicate, invalid, not_found, not_implemented, required};
use super::record::millis;
use super::store::{Store, location_name};
use super::{copy, extract, load};
use crate::Faults;
use crate::envelope::ApiError;
use crate::random::Random;
use crate::storage::{Objects, Spooled, encode};

/// What runs jobs.
#[derive(Clone, Debug)]
pub(super) struct Engine {
    pub(super) store: Store,
    pub(super) objects: Objects,
    pub(super) random: Random,
    pub(super) faults: Faults,
}

/// A job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct JobRecord {
    /// Counts all things of the store; the higher number is the later job.
    pub(super) serial: u64,
    pub(super) project: String,
    pub(super) location: String,
    pub(super) id: String,
    /// What was asked for.
    pub(super) configuration: Map<String, Value>,
    pub(super) done: bool,
    /// The `errorResult` of a job that failed.
    pub(super) error: Option<Value>,
    /// The `errors` of a job, which one that succeeded may have too.
    pub(super) errors: Vec<Value>,
    /// `{"load": {…}}` and the like.
    pub(super) statistics: Map<String, Value>,
    /// Microseconds since 1970.
    pub(super) created: i64,
    pub(super) ended: Option<i64>,
    /// Whether what it wrote is there.
    pub(super) committed: bool,
}

/// What a job has done.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// The statistics of its kind.
    pub(super) statistics: Map<String, Value>,
    /// What it did not mind.
    pub(super) errors: Vec<Problem>,
}

/// Why a job failed.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) result: Problem,
    pub(super) errors: Vec<Problem>,
}

impl<T: Into<Problem>> From<T> for Failed {
    fn from(problem: T) -> Failed {
        let result: Problem = problem.into();
        Failed { errors: vec![result.clone()], result }
    }
}

/// A job on its way: what it needs to commit exactly once.
#[derive(Debug)]
pub(super) struct Running<'e> {
    pub(super) engine: &'e Engine,
    pub(super) record: JobRecord,
}

impl Running<'_> {
    /// Keeps the outcome, shortly before the rows are committed: a kill in between leaves
    /// neither.
    pub(super) fn about_to_commit(&self, statistics: &Map<String, Value>) -> Result<(), Problem> {
        let mut record = self.record.clone();
        record.done = true;
        record.statistics = statistics.clone();
        record.ended = Some(self.engine.store.now());
        Ok(self.engine.store.save(super::disk::JOBS, record.serial, &record)?)
    }
}

impl JobRecord {
    pub(super) fn key(&self) -> (String, String, String) {
        (self.project.clone(), self.location.clone(), self.id.clone())
    }

    /// The name in messages.
    fn name(&self) -> String {
        format!("{}:{}.{}", self.project, self.location, self.id)
    }

    /// LOAD, COPY or EXTRACT.
    fn kind(&self) -> &'static str {
        if self.configuration.contains_key("load") {
            "LOAD"
        } else if self.configuration.contains_key("copy") {
            "COPY"
        } else {
            "EXTRACT"
        }
    }

    /// As the API writes it; `fresh` as the reply to its insertion does.
    pub(super) fn show(&self, url: &str, fresh: bool) -> Value {
        let mut configuration = self.configuration.clone();
        configuration.insert("jobType".to_owned(), json!(self.kind()));
        let done = self.done && !fresh;
        let mut statistics = Map::new();
        statistics.insert("creationTime".to_owned(), json!(millis(self.created)));
        statistics.insert("startTime".to_owned(), json!(millis(self.created)));
        if done {
            statistics.insert("endTime".to_owned(), json!(millis(self.ended.unwrap_or(self.created))));
            statistics.extend(self.statistics.clone());
        }
        json!({
            "kind": "bigquery#job",
            "etag": format!("{}.{}", self.serial, u8::from(done)),
            "id": self.name(),
            "selfLink": self.link(url),
            "user_email": "emulator@example.com",
            "configuration": configuration,
            "jobReference": { "projectId": self.project, "jobId": self.id, "location": self.location },
            "statistics": statistics,
            "status": self.status(done),
        })
    }

    /// As lists have it.
    pub(super) fn show_in_list(&self, url: &str) -> Value {
        let mut shown = self.show(url, false);
        if let Some(shown) = shown.as_object_mut() {
            shown.insert("kind".to_owned(), json!("bigquery#job"));
            shown.insert("state".to_owned(), json!(self.state()));
            if let Some(error) = &self.error {
                shown.insert("errorResult".to_owned(), error.clone());
            }
        }
        shown
    }

    /// The state by its name.
    pub(super) fn state(&self) -> &'static str {
        if self.done { "DONE" } else { "RUNNING" }
    }

    fn status(&self, done: bool) -> Value {
        if !done {
            return json!({ "state": "RUNNING" });
        }
        let mut status = Map::new();
        if let Some(error) = &self.error {
            status.insert("errorResult".to_owned(), error.clone());
        }
        if !self.errors.is_empty() {
            status.insert("errors".to_owned(), json!(self.errors));
        }
        status.insert("state".to_owned(), json!("DONE"));
        Value::Object(status)
    }

    fn link(&self, url: &str) -> String {
        format!(
            "{url}/bigquery/v2/projects/{}/jobs/{}?location={}",
            encode(&self.project),
            encode(&self.id),
            self.location
        )
    }
}

impl Engine {
    /// Takes in a job and runs it. Blocks.
    ///
    /// # Errors
    /// What is wrong with the request; what goes wrong with the job is in the job.
    pub(super) fn run(
        &self,
        project: &str,
        job: &Map<String, Value>,
        upload: Option<Spooled>,
    ) -> Result<JobRecord, ApiError> {
        let configuration = match job.get("configuration") {
            Some(Value::Object(configuration)) => configuration.clone(),
            _ => return Err(required("configuration")),
        };
        let work = Work::plan(self, project, &configuration, upload)?;
        let reference = job.get("jobReference").unwrap_or(&Value::Null);
        let text = |name: &str| reference.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        if let Some(other) = text("projectId").filter(|other| *other != project) {
            return Err(invalid(format!(
                "Value {project} in the URL does not match the value {other} of jobReference.projectId."
            )));
        }
        let location = match text("location").map(location_name) {
            Some(location) if location != work.location() => {
                return Err(not_found(format_args!("{} was not found in location {location}", work.place())));
            }
            _ => work.location().to_owned(),
        };
        let id = match text("jobId") {
            Some(id) => id.to_owned(),
            None => format!("job_{:016x}{:08x}", self.random.next_u64(), self.random.next_u64() as u32),
        };
        check_job_id(&id)?;
        let record = JobRecord {
            serial: 0,
            project: project.to_owned(),
            location,
            id,
            configuration,
            done: false,
            error: None,
            errors: Vec::new(),
            statistics: Map::new(),
            created: self.store.now(),
            ended: None,
            committed: false,
        };
        let record = self.begin(record)?;
        let mut running = Running { engine: self, record };
        let outcome = match self.faults.take("load-failed") {
            true => {
                Err(Problem::new("backendError", "Error encountered during execution. Retrying may solve the problem.")
                    .into())
            }
            false => work.run(&running),
        };
        let record = &mut running.record;
        match outcome {
            Ok(done) => {
                record.statistics = done.statistics;
                record.errors = done.errors.iter().map(Problem::show).collect();
            }
            Err(failed) => {
                record.error = Some(failed.result.show());
                record.errors = failed.errors.iter().map(Problem::show).collect();
            }
        }
        record.done = true;
        record.committed = true;
        record.ended = Some(self.store.now());
        let record = running.record;
        self.store.save(super::disk::JOBS, record.serial, &record)?;
        self.store.state().jobs.insert(record.key(), record.clone());
        Ok(record)
    }

    /// Takes the name for a job.
    fn begin(&self, mut record: JobRecord) -> Result<JobRecord, ApiError> {
        let mut state = self.store.state();
        if state.jobs.contains_key(&record.key()) {
            return Err(duplicate(format_args!("Job {}", record.name())));
        }
        record.serial = state.next_id();
        state.jobs.insert(record.key(), record.clone());
        Ok(record)
    }

    /// The job of that name. Without a location only the multi-regions are searched, as
    /// the service does.
    pub(super) fn find(&self, project: &str, location: Option<&str>, id: &str) -> Result<JobRecord, ApiError> {
        let state = self.store.state();
        let locations = match location {
            Some(location) => vec![location_name(location)],
            None => vec!["US".to_owned(), "EU".to_owned()],
        };
        let found = locations
            .iter()
            .find_map(|location| state.jobs.get(&(project.to_owned(), location.clone(), id.to_owned())));
        found.cloned().ok_or_else(|| match location {
            Some(_) => not_found(format_args!("Job {project}:{}.{id}", locations.concat())),
            None => not_found(format_args!("Job {project}:{id}")),
        })
    }

    /// The jobs of a project, the latest first.
    pub(super) fn list(&self, project: &str) -> Vec<JobRecord> {
        let state = self.store.state();
        let mut jobs: Vec<_> = state.jobs.values().filter(|job| job.project == project).cloned().collect();
        jobs.sort_by_key(|job| std::cmp::Reverse(job.serial));
        jobs
    }

    /// Forgets a job.
    pub(super) fn delete(&self, project: &str, location: Option<&str>, id: &str) -> Result<(), ApiError> {
        let record = self.find(project, location, id)?;
        if !record.done {
            return Err(invalid(format!("Job {} is still running", record.name())));
        }
        if let Some(disk) = self.store.disk() {
            disk.delete(super::disk::JOBS, record.serial).map_err(|error| super::error::failed(&error))?;
        }
        self.store.state().jobs.remove(&record.key());
        Ok(())
    }
}

/// What a job is to do.
enum Work {
    Load(Box<load::Load>),
    Copy(copy::Copy),
    Extract(extract::Extract),
}

impl Work {
    fn plan(
        engine: &Engine,
        project: &str,
        configuration: &Map<String, Value>,
        upload: Option<Spooled>,
    ) -> Result<Work, ApiError> {
        if configuration.contains_key("query") {
            return Err(no_sql());
        }
        if configuration.get("dryRun") == Some(&Value::Bool(true)) {
            return Err(not_implemented("This emulator makes no dry runs."));
        }
        let get = |name: &str| configuration.get(name).and_then(Value::as_object);
        match (get("load"), get("copy"), get("extract")) {
            (Some(load), None, None) => Ok(Work::Load(Box::new(load::Load::plan(engine, project, load, upload)?))),
            (None, Some(copy), None) => Ok(Work::Copy(copy::Copy::plan(engine, project, copy)?)),
            (None, None, Some(extract)) => Ok(Work::Extract(extract::Extract::plan(engine, project, extract)?)),
            _ => Err(ApiError::bigquery(
                StatusCode::BAD_REQUEST,
                "required",
                "Job configuration must contain exactly one job-specific configuration object (e.g., query, load, extract, spreadsheetExtract), but there were 0 or several.",
            )),
        }
    }

    fn location(&self) -> &str {
        match self {
            Work::Load(load) => &load.location,
            Work::Copy(copy) => &copy.location,
            Work::Extract(extract) => &extract.location,
        }
    }

    /// The dataset, as messages name it.
    fn place(&self) -> String {
        let name = match self {
            Work::Load(load) => &load.table,
            Work::Copy(copy) => &copy.destination,
            Work::Extract(extract) => &extract.source,
        };
        format!("Dataset {}:{}", name.project, name.dataset)
    }

    fn run(self, running: &Running<'_>) -> Result<Done, Failed> {
        match self {
            Work::Load(load) => load.run(running),
            Work::Copy(copy) => copy.run(running),
            Work::Extract(extract) => extract.run(running),
        }
    }
}

/// The reply to everything that wants SQL run.
pub(super) fn no_sql() -> ApiError {
    not_implemented(
        "This emulator runs no SQL: it keeps tables, loads rows into them, lists them, and runs batch prediction jobs over them. Read whole tables with tabledata.list, or use a BigQuery emulator that has a query engine, or the service itself.",
    )
}

/// Letters, digits, underscores and dashes; at most 1,024.
fn check_job_id(id: &str) -> Result<(), ApiError> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if (1..=1024).contains(&id.len()) && id.bytes().all(fits) {
        return Ok(());
    }
    Err(invalid(format!(
        "Invalid job ID \"{id}\". Job IDs must be alphanumeric (plus underscores and dashes) and must be at most 1024 characters long."
    )))
}
