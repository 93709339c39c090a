//! Records in memory, as a service's own storage would have them.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use batch_model::{InputConfig, OutputInfo};
use bytes::Bytes;
use serde_json::Value;

use super::{MemorySource, MemoryStore, lock};
use crate::{
    Chunk, Error, Flattened, Kind, OutcomeTotals, PredictionSource, RecordStore, RecordsInfo, Result, Staged,
    StagedSize,
};

/// Records that have requests: JSON lines with `key`, `request` and what else there is. Staging puts copies
/// of them into a [`MemoryStore`], whose jobs read them. Clones share the records.
#[derive(Debug, Clone)]
pub struct MemoryRecords {
    store: MemoryStore,
    lines: Arc<Mutex<Vec<Value>>>,
}

impl MemoryRecords {
    /// These records, staged in `store`. What is no JSON object is left out.
    #[must_use]
    pub fn new(store: MemoryStore, lines: &str) -> Self {
        let this = Self { store, lines: Arc::default() };
        this.replace(lines);
        this
    }

    /// Puts other records in place of those that are there.
    pub fn replace(&self, lines: &str) {
        let lines = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        *lock(&self.lines) = lines.filter(Value::is_object).collect();
    }

    /// The lines of staged pieces, of which none may be gone.
    fn staged(&self, staged: &[InputConfig]) -> Result<Vec<Value>> {
        let mut lines = Vec::new();
        for uri in staged.iter().flat_map(InputConfig::uris) {
            let gone = || Error::new(Kind::NotFound, "read the records of", uri);
            lines.extend(values(&self.store.read(MemoryStore::name_of(uri)).ok_or_else(gone)?));
        }
        Ok(lines)
    }
}

fn values(bytes: &Bytes) -> Vec<Value> {
    let lines = bytes.split(|byte| *byte == b'\n');
    lines.filter_map(|line| serde_json::from_slice(line).ok()).collect()
}

fn to_lines(values: &[Value]) -> Bytes {
    values.iter().map(|value| format!("{value}\n")).collect::<String>().into()
}

impl fmt::Display for MemoryRecords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("memory:records")
    }
}

#[async_trait]
impl RecordStore for MemoryRecords {
    async fn look(&self) -> Result<RecordsInfo> {
        let lines = lock(&self.lines);
        let columns = lines.first().and_then(Value::as_object).map(|line| line.keys().cloned().collect::<Vec<_>>());
        let bytes = to_lines(&lines);
        Ok(RecordsInfo {
            place: self.to_string(),
            identity: format!("crc32c={:08x}", crc32c::crc32c(&bytes)),
            records: Some(lines.len() as u64),
            bytes: bytes.len() as u64,
            columns: columns.unwrap_or_default().into_iter().filter(|name| name != "request").collect(),
            key: "key".to_owned(),
            is_built: true,
        })
    }

    async fn stage(&self, name: &str, most: u64) -> Result<Vec<Staged>> {
        let most = usize::try_from(most).unwrap_or(usize::MAX).max(1);
        let lines = lock(&self.lines).clone();
        let pieces = lines.chunks(most).enumerate().map(|(number, piece)| {
            let name = format!("{name}/s{number:05}");
            let bytes = self.store.read(&name).unwrap_or_else(|| to_lines(piece));
            self.store.put(&name, bytes.clone());
            let size = StagedSize::Rows(values(&bytes).len() as u64);
            Staged { size, ..MemoryStore::staged(&name, &bytes) }
        });
        Ok(pieces.collect())
    }

    async fn open(&self, staged: &[InputConfig]) -> Result<Box<dyn PredictionSource>> {
        let mut lines = self.staged(staged)?;
        for line in lines.iter_mut().filter_map(Value::as_object_mut) {
            line.remove("request");
        }
        let chunk = Chunk { file: "records.jsonl".into(), offset: 0, bytes: to_lines(&lines) };
        Ok(Box::new(MemorySource { chunks: [chunk].into() }))
    }

    /// Counts the predictions: with candidates they are `answered`, others `request_error`.
    async fn flatten(&self, name: &str, staged: &[InputConfig], outputs: &[OutputInfo]) -> Result<Flattened> {
        let mut answered = BTreeMap::new();
        for info in outputs {
            let directory = info.gcs_output_directory.as_deref().unwrap_or_default();
            let file = format!("{}/predictions.jsonl", MemoryStore::name_of(directory));
            for line in values(&self.store.read(&file).unwrap_or_default()) {
                let is_answered = line["response"]["candidates"].is_array();
                let tokens = line["response"]["usageMetadata"]["totalTokenCount"].as_u64().unwrap_or_default();
                answered.insert(line["key"].to_string(), (is_answered, tokens));
            }
        }
        let mut outcomes: BTreeMap<&str, OutcomeTotals> = BTreeMap::new();
        for line in self.staged(staged)? {
            let (outcome, tokens) = match answered.get(&line["key"].to_string()) {
                None => ("missing", 0),
                Some((true, tokens)) => ("answered", *tokens),
                Some((false, tokens)) => ("request_error", *tokens),
            };
            let totals = outcomes.entry(outcome).or_default();
            outcome.clone_into(&mut totals.outcome);
            totals.records += 1;
            totals.total_tokens += tokens;
        }
        Ok(Flattened { place: format!("memory:{name}/results"), outcomes: outcomes.into_values().collect() })
    }

    async fn remove(&self, staged: &InputConfig) -> Result<()> {
        let mut files = lock(&self.store.files);
        for uri in staged.uris() {
            files.remove(MemoryStore::name_of(uri));
        }
        Ok(())
    }
}
