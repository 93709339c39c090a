//! Predictions out of a bucket.

use std::{collections::BTreeSet, fmt};

use async_trait::async_trait;
use batch_backend::{Error, Kind, OutputStore, PredictionSource, Result};
use batch_model::{BatchPredictionJob, GcsUri, InputConfig, OutputConfig, OutputInfo};

use crate::{
    GcsClient,
    files::{Folder, OutputFile, job_folder, select},
    source::GcsSource,
};

/// Prediction files below `gs://BUCKET/PREFIX`, a folder for each name.
///
/// Which files of a job's folder are taken: `predictions.jsonl`, its shards
/// (`predictions.jsonl-00000-of-00002`, `predictions_0001.jsonl`), `prediction.results-…`,
/// `errors….jsonl`; `incremental_predictions.jsonl` only where there is none of the former. They come
/// by name, each whole and as it was when it was listed: a file that is replaced meanwhile is an
/// error. Anything else in the folder is told as a warning (`tracing`). Displays as its address.
#[derive(Debug, Clone)]
pub struct GcsOutput {
    gcs: GcsClient,
    prefix: GcsUri,
}

impl GcsOutput {
    /// A store below `prefix`. Nothing is sent yet.
    #[must_use]
    pub fn new(gcs: GcsClient, prefix: GcsUri) -> Self {
        Self { gcs, prefix }
    }

    /// The folder of a name.
    fn folder(&self, name: &str) -> GcsUri {
        self.prefix.join(name.trim_start_matches('/')).as_folder()
    }

    /// The files in the folder that the job itself names.
    async fn files_in(&self, directory: &str) -> Result<(GcsUri, Vec<OutputFile>)> {
        let folder = directory_of(directory, "read")?;
        let objects = self.gcs.api().list(folder.bucket(), folder.object()).await?;
        let files = pick(&folder, objects);
        Ok((folder, files))
    }

    /// The files that the job may have written below `name`, where it does not name its folder.
    async fn files_below(&self, name: &str, job: &BatchPredictionJob) -> Result<(GcsUri, Vec<OutputFile>)> {
        let top = self.folder(name);
        let objects = self.gcs.api().list(top.bucket(), top.object()).await?;
        let folders: BTreeSet<&str> = objects
            .iter()
            .filter_map(|object| object.name.strip_prefix(top.object())?.split_once('/'))
            .map(|(folder, _)| folder)
            .collect();
        let folders: Vec<&str> = folders.into_iter().collect();
        let folder = match job_folder(&folders, job.create_time.as_deref()) {
            // Files right below the name are taken, should there be any.
            Folder::None => top,
            Folder::One(folder) => top.join(folder).as_folder(),
            Folder::Unclear => {
                let created = job.create_time.as_deref().unwrap_or("a time that it does not tell");
                return Err(Error::new(Kind::FailedPrecondition, "find the predictions below", top.to_string())
                    .with_source(format!(
                        "the job, created at {created}, does not name its folder, and it is not clear which of these \
                         is its: {}",
                        folders.join(", ")
                    ))
                    .with_hint("download the right one, and join it by hand"));
            }
        };
        let objects = objects.into_iter().filter(|object| object.name.starts_with(folder.object())).collect();
        let files = pick(&folder, objects);
        Ok((folder, files))
    }
}

/// The prediction files among the objects of a folder; says which are none.
fn pick(folder: &GcsUri, objects: Vec<crate::api::Object>) -> Vec<OutputFile> {
    let selection = select(folder.object(), objects);
    for object in &selection.left {
        tracing::warn!(
            object = %GcsUri::new(folder.bucket(), &object.name),
            bytes = object.size,
            "not read: no prediction file by its name"
        );
    }
    selection.taken
}

fn directory_of(text: &str, doing: &str) -> Result<GcsUri> {
    match text.parse::<GcsUri>() {
        Ok(uri) => Ok(uri.as_folder()),
        Err(error) => Err(Error::new(Kind::BadReply, doing, text).with_source(error)),
    }
}

impl fmt::Display for GcsOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.prefix.to_string().trim_end_matches('/'))
    }
}

#[async_trait]
impl OutputStore for GcsOutput {
    fn config(&self, name: &str) -> OutputConfig {
        OutputConfig::gcs(self.folder(name).to_string())
    }

    /// As the trait says.
    ///
    /// Where the job has no `outputInfo`, the folder `prediction-…-<time>` below the name that bears
    /// the job's `createTime` is its own; else the only one that is not older than the job. Where that
    /// is not clear, it is an error (`FailedPrecondition`): the predictions of two jobs are never mixed.
    async fn open(&self, name: &str, job: &BatchPredictionJob) -> Result<Box<dyn PredictionSource>> {
        let info = job.output_info.as_ref();
        let (folder, files) = match info.and_then(|info| info.gcs_output_directory.as_deref()) {
            Some(directory) if !directory.is_empty() => self.files_in(directory).await?,
            _ => match info.and_then(|info| info.bigquery_output_table.as_deref()) {
                Some(table) if !table.is_empty() => {
                    return Err(Error::new(Kind::Unsupported, "read", table)
                        .with_source(format!("the predictions are in BigQuery, not in {self}")));
                }
                _ => self.files_below(name, job).await?,
            },
        };
        tracing::debug!(%folder, files = files.len(), "reading predictions");
        Ok(Box::new(GcsSource::new(self.gcs.clone(), folder.bucket(), files)))
    }

    /// The job's `predictions.jsonl`. A folder with shards instead makes a job that fails at import,
    /// rather than one that silently reads less: the documentation names this file only, and it is not
    /// certain which patterns the service takes.
    fn as_input(&self, info: &OutputInfo) -> Result<InputConfig> {
        match info.gcs_output_directory.as_deref() {
            Some(directory) if !directory.is_empty() => {
                let folder = directory_of(directory, "use as an input")?;
                Ok(InputConfig::gcs([folder.join("predictions.jsonl").to_string()]))
            }
            _ => Err(Error::new(Kind::Unsupported, "use as an input", "an output that is not on Cloud Storage")),
        }
    }

    /// As the trait says. An empty name is refused: it would be all that lies below the store.
    async fn remove(&self, name: &str) -> Result<()> {
        let folder = self.folder(name);
        if folder == self.prefix.as_folder() {
            return Err(Error::new(Kind::InvalidArgument, "remove", folder.to_string())
                .with_source("it is the whole store, not an output in it"));
        }
        for object in self.gcs.api().list(folder.bucket(), folder.object()).await? {
            self.gcs.api().delete(&GcsUri::new(folder.bucket(), object.name), None).await?;
        }
        Ok(())
    }
}
