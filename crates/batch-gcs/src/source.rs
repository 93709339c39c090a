//! The prediction files of a job, on their way here.

use std::{collections::VecDeque, sync::Arc, vec};

use async_trait::async_trait;
use batch_backend::{Chunk, Error, Kind, PredictionSource, Result};
use batch_model::GcsUri;
use bytes::Bytes;
use tokio::{sync::mpsc, task::JoinHandle};

use crate::{GcsClient, download::Download, files::OutputFile};

/// How many files are read at once: the one whose turn it is, and those after it.
const AT_ONCE: usize = 3;
/// How many chunks of a file are here before they are wanted; each is what a connection gives at once, some
/// hundred kilobytes at most.
const WAITING: usize = 16;

/// Prediction files one after the other. While one is handed out, the next ones are begun, so that a job with
/// many small files does not wait for a reply before each.
pub(crate) struct GcsSource {
    gcs: GcsClient,
    bucket: String,
    files: vec::IntoIter<OutputFile>,
    reading: VecDeque<Reading>,
}

impl GcsSource {
    pub(crate) fn new(gcs: GcsClient, bucket: &str, files: Vec<OutputFile>) -> Self {
        Self { gcs, bucket: bucket.to_owned(), files: files.into_iter(), reading: VecDeque::new() }
    }
}

#[async_trait]
impl PredictionSource for GcsSource {
    async fn next(&mut self) -> Result<Option<Chunk>> {
        loop {
            while self.reading.len() < AT_ONCE
                && let Some(file) = self.files.next()
            {
                self.reading.push_back(Reading::begin(&self.gcs, &self.bucket, file));
            }
            let Some(first) = self.reading.front_mut() else { return Ok(None) };
            if let Some((offset, bytes)) = first.chunks.recv().await {
                return Ok(Some(Chunk { file: Arc::clone(&first.file), offset, bytes }));
            }
            // That no more comes may be the end or a failure.
            let ended = (&mut first.task)
                .await
                .unwrap_or_else(|error| Err(Error::new(Kind::Other, "read", first.uri.to_string()).with_source(error)));
            self.reading.pop_front();
            ended?;
        }
    }
}

/// A file that is being read, by a task of its own.
struct Reading {
    file: Arc<str>,
    uri: GcsUri,
    /// Pieces, each with where in the file it begins.
    chunks: mpsc::Receiver<(u64, Bytes)>,
    task: JoinHandle<Result<()>>,
}

impl Reading {
    fn begin(gcs: &GcsClient, bucket: &str, OutputFile { file, object }: OutputFile) -> Self {
        let uri = GcsUri::new(bucket, &object.name);
        let (sender, chunks) = mpsc::channel(WAITING);
        let is_empty = object.size == 0;
        let mut download = Download::new(gcs.clone(), uri.clone(), object);
        let task = tokio::spawn(async move {
            if is_empty {
                // Nobody who has gone misses it.
                let _ = sender.send((0, Bytes::new())).await;
                return Ok(());
            }
            loop {
                let offset = download.offset();
                let Some(bytes) = download.next().await? else { return Ok(()) };
                if sender.send((offset, bytes)).await.is_err() {
                    return Ok(());
                }
            }
        });
        Self { file, uri, chunks, task }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.task.abort();
    }
}
