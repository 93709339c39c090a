//! The resource of jobs.

use batch_model::{BatchPredictionJob, InputConfig, JobState, ModelName, OutputConfig};

use crate::fixtures;

fn job(file: &str) -> BatchPredictionJob {
    serde_json::from_value(fixtures::one("jobs", file)).unwrap()
}

#[test]
fn a_job_to_be_created() {
    let model: ModelName = "gemini-2.5-flash".parse().unwrap();
    let gcs = BatchPredictionJob::new(
        "rivers",
        &model,
        InputConfig::gcs(["gs://b/*.jsonl"]),
        OutputConfig::gcs("gs://b/out"),
    )
    .with_label("team", "rivers");
    let bigquery = BatchPredictionJob::new(
        "rivers",
        &model,
        InputConfig::bigquery("bq://p.d.in"),
        OutputConfig::bigquery("bq://p.d.out"),
    );
    insta::assert_json_snapshot!([&gcs, &bigquery]);
    assert_eq!(gcs.input_config.unwrap().uris(), ["gs://b/*.jsonl"]);
    assert_eq!(bigquery.output_config.unwrap().uri(), Some("bq://p.d.out"));
}

#[test]
fn replies_in_both_encodings_of_enums() {
    let succeeded = job("succeeded.json");
    assert_eq!(succeeded.state, JobState::Succeeded);
    assert_eq!(succeeded.output_info.unwrap().bigquery_output_table.as_deref(), Some("bq://demo.ds.out"));
    let failed = job("failed-as-numbers.json");
    assert_eq!(failed.state, JobState::Failed);
    assert_eq!(failed.error.unwrap().code, Some(3));
    assert_eq!(failed.completion_stats.unwrap().incomplete_count, Some(-1));
    assert_eq!(failed.output_info, None);
    assert!(failed.extra.contains_key("modelMonitoringStatus"));
}

#[test]
fn the_states_that_end_a_wait() {
    let terminal: Vec<&str> =
        JobState::NAMES.iter().copied().filter(|name| JobState::from_name(name).is_terminal()).collect();
    assert_eq!(
        terminal,
        [
            "JOB_STATE_SUCCEEDED",
            "JOB_STATE_FAILED",
            "JOB_STATE_CANCELLED",
            "JOB_STATE_PAUSED",
            "JOB_STATE_EXPIRED",
            "JOB_STATE_PARTIALLY_SUCCEEDED"
        ]
    );
    assert!(!JobState::from_name("JOB_STATE_DREAMING").is_terminal());
    for number in 0..=11 {
        assert!(!matches!(JobState::from_number(number), JobState::Unknown(_)), "{number}");
    }
}
