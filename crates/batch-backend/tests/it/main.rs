//! The in-memory reference keeps its own contract.

use std::sync::Arc;

use batch_backend::{
    InputStore, OutputStore, contract,
    memory::{MemoryJobs, MemoryStore},
};
use batch_model::BatchPredictionJob;

#[tokio::test]
async fn memory_store() {
    let store = MemoryStore::default();
    contract::input_store(&store, "contract").await;
    contract::large_input(&store, "contract", 3).await;
}

#[tokio::test]
async fn memory_jobs() {
    let store = MemoryStore::default();
    let mut sink = store.create("in", &Default::default()).await.unwrap();
    sink.write("a\nb\n".into()).await.unwrap();
    let staged = sink.finish().await.unwrap();
    let jobs = MemoryJobs::new(store.clone(), Arc::new(|line| [line, b"!"].concat()));
    let job = BatchPredictionJob::new("test", &"gemini-2.5-flash".parse().unwrap(), staged.input, store.config("out"));

    let ended = contract::job_service(&jobs, "test", job, || std::future::ready(())).await;

    let files = contract::output_store(&store, "out", &ended).await;
    assert_eq!(files, [("predictions.jsonl".to_owned(), b"b!\na!\n".to_vec())]);
    store.remove_output("out").await;
    assert!(contract::output_store(&store, "out", &ended).await.is_empty());
}

/// Both store traits have a `remove`.
trait RemoveOutput {
    async fn remove_output(&self, name: &str);
}

impl RemoveOutput for MemoryStore {
    async fn remove_output(&self, name: &str) {
        OutputStore::remove(self, name).await.expect("remove");
    }
}
