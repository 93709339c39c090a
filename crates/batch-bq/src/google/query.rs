//! Queries: begun once under a name of ours, waited for by `google-cloud-bigquery`.
//!
//! That client makes up a job's name for each call, so that a repeated call is a second query. Here the
//! job is created by the generated client, under our name, and the other one is attached to it.

use batch_backend::{Error, Kind, Result};
use google_cloud_bigquery_v2::model;
use google_cloud_gax::options::RequestOptionsBuilder;

use super::{Google, convert, error::translate_query, retry::ONE_TRY, silent};
use crate::{
    job::{JobInfo, JobName, LONGEST_JOB},
    sql_job::{DryRun, SqlJob},
};

impl Google {
    /// Creates the job. `AlreadyExists` where there is one of its name.
    pub(crate) async fn begin_query(&self, name: &JobName, job: &SqlJob) -> Result<JobInfo> {
        let about = ("run the query", name.to_string());
        let mut query = model::JobConfigurationQuery::new().set_query(job.sql()).set_use_legacy_sql(false);
        if let Some(bytes) = job.maximum_bytes_billed() {
            query = query.set_maximum_bytes_billed(i64::try_from(bytes).unwrap_or(i64::MAX));
        }
        let labels = job.labels().iter().map(|(key, value)| (key.clone(), value.clone()));
        let configuration = model::JobConfiguration::new().set_query(query).set_labels(labels);
        let mut reference = model::JobReference::new().set_project_id(&name.project).set_job_id(&name.id);
        if let Some(location) = &name.location {
            reference = reference.set_location(location);
        }
        let call = self
            .jobs
            .insert_job()
            .set_project_id(&name.project)
            .set_job(model::Job::new().set_job_reference(reference).set_configuration(configuration))
            // A second one of the name is refused.
            .with_idempotency(true);
        let persistence = self.persistence();
        let job = self.finish(&about, &persistence, persistence.set(call).send()).await?;
        Ok(convert::job(name, &job))
    }

    /// Waits for a query's end.
    pub(crate) async fn wait_for_query(&self, name: &JobName) -> Result<JobInfo> {
        let (doing, resource) = ("run the query", name.to_string());
        let mut reference = model::JobReference::new().set_project_id(&name.project).set_job_id(&name.id);
        if let Some(location) = &name.location {
            reference = reference.set_location(location);
        }
        // The client polls without an end of its own.
        let waiting = Box::pin(async { self.queries.attach_job(reference).await?.until_done().await });
        let done = match tokio::time::timeout(LONGEST_JOB, waiting).await {
            Ok(Ok(done)) => done,
            Ok(Err(error)) => return Err(translate_query(doing, &resource, &error)),
            Err(_) => return Err(silent(doing, &resource, LONGEST_JOB)),
        };
        let job = match done.get_job() {
            Some(call) => {
                let persistence = self.persistence();
                self.finish(&(doing, resource.clone()), &persistence, persistence.set(call).send()).await?
            }
            None => return Err(Error::new(Kind::BadReply, doing, resource).with_source("the query has no job")),
        };
        Ok(convert::job(name, &job))
    }

    /// Asks what a query would read, without running it.
    pub(crate) async fn dry_run(&self, project: &str, sql: &str, location: Option<&str>) -> Result<DryRun> {
        let (doing, resource) = ("check the query in", format!("project {project}"));
        let mut query = self.queries.query(sql).with_project_id(project).set_dry_run(true).set_use_legacy_sql(false);
        if let Some(location) = location {
            query = query.set_location(location);
        }
        let patience = self.persistence().0.whole(ONE_TRY);
        let asked = match tokio::time::timeout(patience, Box::pin(query.send())).await {
            Ok(Ok(asked)) => asked,
            Ok(Err(error)) => return Err(translate_query(doing, &resource, &error)),
            Err(_) => return Err(silent(doing, &resource, patience)),
        };
        let metadata = asked.metadata();
        Ok(DryRun {
            bytes_processed: metadata.total_bytes_processed.and_then(|bytes| u64::try_from(bytes).ok()),
            fields: metadata.schema.as_ref().map(|schema| convert::fields(&schema.fields)).unwrap_or_default(),
            statement: metadata.statement_type.clone(),
        })
    }
}
