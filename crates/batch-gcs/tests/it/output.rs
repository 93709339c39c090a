//! Predictions out of the emulator.

use batch_backend::{Kind, OutputStore, contract};
use batch_model::{BatchPredictionJob, InputConfig, OutputInfo};
use bytes::Bytes;

use crate::setup::Setup;

const CREATED: &str = "2026-11-21T03:00:00.123456Z";

/// A job that names its folder.
fn ended(directory: &str) -> BatchPredictionJob {
    let mut info = OutputInfo::default();
    info.gcs_output_directory = Some(directory.to_owned());
    let mut job = unnamed();
    job.output_info = Some(info);
    job
}

/// A job that does not.
fn unnamed() -> BatchPredictionJob {
    let mut job = BatchPredictionJob::default();
    job.create_time = Some(CREATED.to_owned());
    job
}

fn names(files: &[(String, Vec<u8>)]) -> Vec<&str> {
    files.iter().map(|(name, _)| name.as_str()).collect()
}

async fn failure(setup: &Setup, name: &str, job: &BatchPredictionJob) -> batch_backend::Error {
    let mut source = match setup.output.open(name, job).await {
        Ok(source) => source,
        Err(error) => return error,
    };
    loop {
        match source.next().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("no error"),
            Err(error) => return error,
        }
    }
}

#[tokio::test]
async fn a_jobs_files_come_whole_and_by_name() {
    let setup = Setup::new().await;
    let directory = format!("gs://news/runs/out/s0/prediction-model-{CREATED}");
    let object = |file: &str| format!("runs/out/s0/prediction-model-{CREATED}/{file}");
    let large: Bytes = (0..3_000_000u32).flat_map(u32::to_le_bytes).collect();
    setup.put(&object("predictions.jsonl"), large.clone()).await;
    setup.put(&object("errors.jsonl"), "").await;
    setup.put(&object("notes.txt"), "not read").await;
    // Another job's, by its side.
    setup.put("runs/out/s0/prediction-model-2026-11-20T00:00:00Z/predictions.jsonl", "other\n").await;
    setup.put("runs/out/s01/predictions.jsonl", "other\n").await;

    for job in [ended(&directory), ended(&format!("{directory}/")), unnamed()] {
        let files = contract::output_store(&setup.output, "s0", &job).await;
        assert_eq!(names(&files), ["errors.jsonl", "predictions.jsonl"]);
        assert!(files[0].1.is_empty(), "an empty file is one too");
        assert!(files[1].1 == large);
    }
}

#[tokio::test]
async fn a_job_without_output_has_no_files() {
    let setup = Setup::new().await;
    assert!(contract::output_store(&setup.output, "none", &unnamed()).await.is_empty());
    assert!(contract::output_store(&setup.output, "none", &ended("gs://news/runs/out/none/p")).await.is_empty());
    // As a service that makes no folder of its own would leave it.
    setup.put("runs/out/flat/predictions.jsonl", "{}\n").await;
    let files = contract::output_store(&setup.output, "flat", &unnamed()).await;
    assert_eq!(names(&files), ["predictions.jsonl"]);
}

#[tokio::test]
async fn two_jobs_below_one_name_are_not_mixed() {
    let setup = Setup::new().await;
    for hour in ["01", "02"] {
        setup.put(&format!("runs/out/x/prediction-model-2026-11-21T{hour}:00:00Z/predictions.jsonl"), "{}\n").await;
    }
    let error = failure(&setup, "x", &unnamed()).await;
    assert_eq!(error.kind(), Kind::FailedPrecondition);
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains(CREATED) && cause.contains("prediction-model-2026-11-21T01:00:00Z, "), "{cause}");
    assert!(error.hint().is_some());
}

#[tokio::test]
async fn many_pages_of_files() {
    let setup = Setup::new().await;
    let count = 1_003;
    for n in 0..count {
        setup.put(&format!("runs/out/p/prediction-model-{CREATED}/predictions.jsonl-{n:05}-of-{count:05}"), "x").await;
    }
    let files = contract::output_store(&setup.output, "p", &unnamed()).await;
    assert_eq!(files.len(), count);
    assert!(names(&files).is_sorted());
    assert!(setup.requests("GET", "pageToken=") > 0);

    setup.output.remove("p").await.unwrap();
    assert!(contract::output_store(&setup.output, "p", &unnamed()).await.is_empty());
    setup.output.remove("p").await.unwrap();
}

#[tokio::test]
async fn a_broken_download_goes_on_where_it_broke() {
    let setup = Setup::new().await;
    let bytes: Bytes = (0..2_000_000u32).flat_map(u32::to_le_bytes).collect();
    setup.put("runs/out/d/predictions.jsonl", bytes.clone()).await;
    setup.fault("cut-download", 6);
    let files = contract::output_store(&setup.output, "d", &unnamed()).await;
    assert!(files[0].1 == bytes);
    assert!(setup.emulator.faults().remaining().is_empty(), "more breaks than attempts, as each made progress");
}

#[tokio::test]
async fn corrupted_bytes_are_noticed() {
    let setup = Setup::new().await;
    setup.put("runs/out/d/predictions.jsonl", "{\"key\":\"r0\"}\n").await;
    setup.fault("corrupt-download", 1);
    let error = failure(&setup, "d", &unnamed()).await;
    assert_eq!((error.kind(), error.resource()), (Kind::DataLoss, "gs://news/runs/out/d/predictions.jsonl"));
}

#[tokio::test]
async fn a_file_that_is_replaced_after_it_was_listed_is_noticed() {
    let setup = Setup::new().await;
    setup.put("runs/out/d/predictions.jsonl", "old\n").await;
    let mut source = setup.output.open("d", &unnamed()).await.unwrap();
    setup.put("runs/out/d/predictions.jsonl", "new\n").await;
    let error = source.next().await.unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
    assert!(error.hint().unwrap().contains("replaced or deleted"), "{error:?}");
}

#[tokio::test]
async fn an_output_is_the_input_of_another_job() {
    let setup = Setup::new().await;
    let mut info = OutputInfo::default();
    assert_eq!(setup.output.as_input(&info).unwrap_err().kind(), Kind::Unsupported);
    info.gcs_output_directory = Some("gs://b/out/prediction-model-1".to_owned());
    let input = setup.output.as_input(&info).unwrap();
    assert_eq!(input, InputConfig::gcs(["gs://b/out/prediction-model-1/predictions.jsonl"]));
}

#[tokio::test]
async fn predictions_in_bigquery_are_not_looked_for_here() {
    let setup = Setup::new().await;
    let mut job = unnamed();
    let mut info = OutputInfo::default();
    info.bigquery_output_table = Some("bq://p.d.t".to_owned());
    job.output_info = Some(info);
    assert_eq!(failure(&setup, "x", &job).await.kind(), Kind::Unsupported);
}

#[tokio::test]
async fn each_name_has_a_folder_of_its_own() {
    let setup = Setup::new().await;
    assert_eq!(setup.output.to_string(), "gs://news/runs/out");
    assert_eq!(setup.output.config("r1/s0").uri(), Some("gs://news/runs/out/r1/s0/"));
    for name in ["", "/"] {
        assert_eq!(setup.output.remove(name).await.unwrap_err().kind(), Kind::InvalidArgument, "{name:?}");
    }
    assert_eq!(setup.requests("GET", "/o?"), 0);
}
