//! What a command is about: a run, by its directory or id, or a job, by its name.

use std::path::{Path, PathBuf};

use batch_model::{JobName, Location};
use batch_pipeline::{RUNS, Spec, read_run, state::RunState};
use clap::Args;

use crate::{
    connect::{Connected, Jobs, Target},
    failure::{Failure, Result},
    settings::Settings,
};

/// Where jobs are, for those that no run tells of.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Where jobs are")]
pub(crate) struct ServiceArgs {
    /// The project's id or number, for a job that is named by its number alone.
    #[arg(long, global = true)]
    pub(crate) project: Option<String>,

    /// The location, for a job that is named by its number alone: us-central1, global, …
    #[arg(long, global = true)]
    pub(crate) location: Option<String>,

    /// A setting by its path, such as `endpoints.vertex=http://127.0.0.1:8080`; may be repeated.
    #[arg(long, global = true, value_name = "PATH=VALUE")]
    pub(crate) set: Vec<String>,
}

impl ServiceArgs {
    /// The flags over the environment.
    pub(crate) fn settings(&self) -> Result<Settings> {
        let mut settings = Settings::from_environment();
        settings.push("target.project", self.project.as_deref(), "--project");
        settings.push("target.location", self.location.as_deref(), "--location");
        settings.set(&self.set)
    }

    /// Project, location and endpoints as a spec has them. Of its table nothing is known.
    pub(crate) fn spec(&self) -> Result<Spec> {
        without_table(self.settings()?)
    }

    /// The jobs of the project and location that are set.
    pub(crate) async fn jobs(&self) -> Result<Jobs> {
        let spec = self.spec()?;
        let (project, location) = place_of(&spec)?;
        Jobs::connect(&project, &location, &spec.endpoints).await
    }

    /// The jobs of the project and location that a job's name tells.
    pub(crate) async fn jobs_beside(&self, name: &JobName) -> Result<Jobs> {
        Jobs::connect(name.project(), name.location(), &self.spec()?.endpoints).await
    }

    /// A job by its whole name, or by its number in the project and location that are set.
    pub(crate) fn job(&self, text: &str) -> Result<JobName> {
        if is_number(text) {
            let (project, location) = place_of(&self.spec()?)?;
            return Ok(JobName::new(project, location, text));
        }
        text.parse().map_err(|error| {
            let hint = "a job is named projects/PROJECT/locations/LOCATION/batchPredictionJobs/NUMBER, or by its number \
                        with --project and --location";
            Failure::caused("there is no such job", error).with_hint(hint)
        })
    }

    /// Connects to the services of a run: those of its spec, at the endpoints that are set here, if any.
    pub(crate) async fn connect(&self, state: &RunState) -> Result<Connected> {
        let spec = self.spec_of(state)?;
        Target::of(&spec)?.connect(&spec, None).await
    }

    /// The spec of a run, with the endpoints that are set by flags.
    pub(crate) fn spec_of(&self, state: &RunState) -> Result<Spec> {
        let mut spec = state.spec.clone();
        if !self.set.is_empty() {
            let here = without_table(Settings::none().set(&self.set)?)?.endpoints;
            let take = |to: &mut Option<String>, from: Option<String>| {
                if from.is_some() {
                    *to = from;
                }
            };
            take(&mut spec.endpoints.storage, here.storage);
            take(&mut spec.endpoints.bigquery, here.bigquery);
            take(&mut spec.endpoints.vertex, here.vertex);
        }
        Ok(spec)
    }
}

/// A spec that is made of settings alone, and is asked only where things are.
fn without_table(mut settings: Settings) -> Result<Spec> {
    settings.push("input.path", Some("-"), "no table");
    settings.load(None)
}

fn place_of(spec: &Spec) -> Result<(String, Location)> {
    let missing = |what: &str, how: &str| Failure::new(format!("no {what} is set")).with_hint(how);
    let project = spec.target.project.clone();
    let project = project.ok_or_else(|| missing("project", "pass --project, or set GOOGLE_CLOUD_PROJECT"))?;
    let location = spec.target.location.as_deref();
    let location = location.ok_or_else(|| missing("location", "pass --location, or set GOOGLE_CLOUD_LOCATION"))?;
    let location = location.parse().map_err(|error| Failure::caused("--location", error))?;
    Ok((project, location))
}

/// What a command is about.
pub(crate) enum Subject {
    /// A run, with its state as it is on disk.
    Run { directory: PathBuf, state: Box<RunState> },
    /// A job.
    Job(JobName),
}

impl Subject {
    /// Reads `text`: a job's name or number, a run's directory, or a run's id.
    pub(crate) fn of(text: &str, service: &ServiceArgs) -> Result<Self> {
        if text.starts_with("projects/") || (is_number(text) && !Path::new(text).exists()) {
            return service.job(text).map(Self::Job);
        }
        let (directory, state) = run_of(text)?;
        Ok(Self::Run { directory, state: Box::new(state) })
    }
}

/// A run by its directory or id.
pub(crate) fn run_of(text: &str) -> Result<(PathBuf, RunState)> {
    let named = PathBuf::from(text);
    let by_id = Path::new(RUNS).join(text);
    let directory = if named.is_dir() || !by_id.is_dir() { named } else { by_id };
    if !directory.is_dir() {
        let failure = Failure::new(format!("there is no run {text}"));
        return Err(failure.with_hint("`batch-cli ls` lists the runs here; a run is named by its directory or its id"));
    }
    let state = read_run(&directory)?;
    Ok((directory, state))
}

/// A run's jobs lived in the process that ran it, if it was local.
pub(crate) fn refuse_local(state: &RunState, directory: &Path) -> Result<()> {
    if !state.local {
        return Ok(());
    }
    let failure =
        Failure::new(format!("{} is a run with --local: its jobs ended with its process", directory.display()));
    Err(failure.with_hint(EMULATOR_HINT))
}

/// How to leave a job behind without Google Cloud.
pub(crate) const EMULATOR_HINT: &str = "for jobs that outlive the command, start `batch-cli emulator --data DIR --bucket NAME` in another \
     terminal, and set endpoints.storage and endpoints.vertex to where it listens";

/// Whether this is a job's number, and no run's id.
fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
