//! The stores on our emulator.

use batch_backend::{Column, ColumnKind, Columns, InputStore, Kind, OutputStore, Staged, StagedSize, contract};
use batch_bq::BqInput;
use batch_emulator::{Config, Emulator};
use batch_http::{Credentials, Endpoints, HttpClient, HttpConfig, Request, Service};
use batch_model::{BatchPredictionJob, InputConfig, OutputInfo};
use http::Method;

use crate::setup::{World, ended, impatient, uri};

async fn world() -> (Emulator, World) {
    let config = Config { datasets: vec!["demo.news=us-central1".to_owned()], ..Config::default() };
    let emulator = Emulator::start(config).await.unwrap();
    let world = World::at(emulator.url(), "news").await;
    (emulator, world)
}

fn lines(count: usize) -> String {
    (0..count).map(|n| format!("{{\"key\":\"r{n}\",\"request\":{{\"n\":{n},\"x\":1.50}}}}\n")).collect()
}

/// The requests of a method whose path has `part` in it.
fn requests(emulator: &Emulator, method: &str, part: &str) -> usize {
    let requests = emulator.requests();
    requests.iter().filter(|request| request.method == method && request.path.contains(part)).count()
}

#[tokio::test]
async fn the_contract_holds() {
    let (_emulator, world) = world().await;
    contract::input_store(&world.input, "contract").await;
    assert_eq!(world.input.to_string(), "bq://demo.news");
}

#[tokio::test]
async fn the_contract_holds_for_much() {
    let (_emulator, world) = world().await;
    contract::large_input(&world.input, "contract", 25).await;
}

#[tokio::test]
async fn the_contract_holds_below_a_prefix() {
    let (_emulator, world) = world().await;
    let below = BqInput::new(world.client.clone(), uri("bq://demo.news.mine")).unwrap();
    contract::input_store(&below, "contract").await;
    let mut sink = below.create("r/s0", &Columns::default()).await.unwrap();
    sink.write(lines(1).into()).await.unwrap();
    assert_eq!(sink.finish().await.unwrap().input.uris(), ["bq://demo.news.mine_r__s0"]);
}

#[tokio::test]
async fn the_same_lines_are_not_loaded_twice() {
    let (emulator, world) = world().await;
    let staged = world.stage("r/s0", &Columns::default(), &lines(3)).await;
    let uploads = requests(&emulator, "POST", "/upload/");
    assert_eq!(world.stage("r/s0", &Columns::default(), &lines(3)).await, staged);
    assert_eq!(requests(&emulator, "POST", "/upload/"), uploads, "a second load was begun");
    // Others are, in place of those.
    let other = world.stage("r/s0", &Columns::default(), &lines(4)).await;
    assert_eq!(other.size, StagedSize::Rows(4));
    assert_ne!(other.checksum, staged.checksum);
    // And the first again, although a job of that name has loaded them once.
    assert_eq!(world.stage("r/s0", &Columns::default(), &lines(3)).await, staged);
    assert_eq!(world.lines(&world.table("r__s0")).await, lines(3));
}

#[tokio::test]
async fn a_failed_load_does_not_stand_in_the_way_of_the_next() {
    let (_emulator, world) = world().await;
    let text = Columns::default();
    for _ in 0..2 {
        let mut sink = world.input.create("r/s0", &text).await.unwrap();
        sink.write("{\"key\":\"a\",\"request\":{},\"more\":1}\n".into()).await.unwrap();
        let error = sink.finish().await.unwrap_err();
        assert_eq!((error.kind(), error.resource()), (Kind::InvalidArgument, "bq://demo.news.r__s0"), "{error}");
        assert_eq!(world.input.find("r/s0").await.unwrap(), None);
    }
    world.stage("r/s0", &text, &lines(1)).await;
}

#[tokio::test]
async fn a_load_whose_process_died_before_the_labels_is_found_by_its_job() {
    let (emulator, world) = world().await;
    let staged = world.stage("r/s0", &Columns::default(), &lines(3)).await;
    let config = HttpConfig::new(Endpoints::all_at(emulator.url()).unwrap(), Credentials::anonymous());
    let path = ["bigquery", "v2", "projects", "demo", "datasets", "news", "tables", "r__s0"];
    let unlabel = Request::new(Method::PATCH, Service::BigQuery, path)
        .json(&serde_json::json!({ "labels": { "batch_rows": null, "batch_digest": null } }))
        .unwrap();
    HttpClient::new(config).unwrap().send(&unlabel).await.unwrap();
    assert_eq!(world.input.find("r/s0").await.unwrap(), None, "nobody has said that it is whole");
    let uploads = requests(&emulator, "POST", "/upload/");
    assert_eq!(world.stage("r/s0", &Columns::default(), &lines(3)).await, staged);
    assert_eq!(requests(&emulator, "POST", "/upload/"), uploads, "it was loaded again");
}

#[tokio::test]
async fn a_broken_upload_goes_on_where_it_broke() {
    let (emulator, world) = world().await;
    let text = lines(1) + &format!("{{\"key\":\"long\",\"request\":\"{}\"}}\n", "x".repeat(20 << 20));
    for (at, fault) in ["cut-upload", "lost-upload-response", "bigquery-503", "bigquery-429"].into_iter().enumerate() {
        for (size, text) in [("small", lines(5)), ("large", text.clone())] {
            emulator.faults().set(fault, 2).unwrap();
            let name = format!("{size}/s{at}");
            let staged = world.stage(&name, &Columns::default(), &text).await;
            assert!(emulator.faults().remaining().is_empty(), "{fault} did not happen");
            assert_eq!(world.input.find(&name).await.unwrap(), Some(staged));
            let read = world.lines(&world.table(&format!("{size}__s{at}"))).await;
            assert!(read == text, "{fault} changed what was written");
        }
    }
}

#[tokio::test]
async fn a_load_that_fails_inside_the_service_is_made_again_as_another_job() {
    let (emulator, world) = world().await;
    emulator.faults().set("load-failed", 2).unwrap();
    world.stage("r/s0", &Columns::default(), &lines(2)).await;
    assert!(emulator.faults().remaining().is_empty());
    assert_eq!(requests(&emulator, "POST", "/upload/"), 3);
    assert_eq!(world.lines(&world.table("r__s0")).await, lines(2));
}

#[tokio::test]
async fn loads_that_fail_inside_the_service_end_as_something_to_try_again() {
    let (emulator, world) = world().await;
    let long = format!("{{\"key\":\"long\",\"request\":\"{}\"}}\n", "x".repeat(9 << 20));
    // Of the long one not all is here any more when its job fails.
    for (text, uploads) in [(lines(2), impatient().max_attempts as usize), (long, 1)] {
        let before = requests(&emulator, "POST", "/upload/");
        emulator.faults().set("load-failed", 100).unwrap();
        let mut sink = world.input.create("r/s0", &Columns::default()).await.unwrap();
        sink.write(text.clone().into()).await.unwrap();
        let error = sink.finish().await.unwrap_err();
        assert!(error.kind().is_transient() && error.hint().is_some(), "{error:?}");
        assert_eq!(requests(&emulator, "POST", "/upload/") - before, uploads);
        emulator.faults().set("load-failed", 0).unwrap();
        assert_eq!(world.input.find("r/s0").await.unwrap(), None);
        let staged = world.stage("r/s0", &Columns::default(), &text).await;
        world.input.remove(&staged).await.unwrap();
    }
}

#[tokio::test]
async fn a_sink_that_failed_stays_failed() {
    let (emulator, world) = world().await;
    let mut sink = world.input.create("r/s0", &Columns::default()).await.unwrap();
    emulator.faults().set("bigquery-403", 1_000).unwrap();
    let piece = bytes::Bytes::from(vec![b'x'; 9 << 20]);
    let failed = match sink.write(piece.clone()).await {
        Err(error) => error,
        Ok(()) => sink.write(piece.clone()).await.unwrap_err(),
    };
    assert_eq!(failed.kind(), Kind::PermissionDenied);
    assert!(failed.hint().is_some_and(|hint| hint.contains("roles/bigquery.")), "{failed:?}");
    emulator.faults().set("bigquery-403", 0).unwrap();
    assert_eq!(sink.write(piece).await.unwrap_err().kind(), Kind::FailedPrecondition);
    assert_eq!(sink.finish().await.unwrap_err().kind(), Kind::FailedPrecondition);
    assert_eq!(world.input.find("r/s0").await.unwrap(), None);
}

#[tokio::test]
async fn an_aborted_or_dropped_upload_stages_nothing() {
    let (emulator, world) = world().await;
    for abort in [true, false] {
        let mut sink = world.input.create("r/s0", &Columns::default()).await.unwrap();
        for _ in 0..3 {
            sink.write(vec![b' '; 8 << 20].into()).await.unwrap();
        }
        if abort {
            sink.abort().await.unwrap();
            assert_eq!(requests(&emulator, "DELETE", "upload_id="), 1);
        } else {
            drop(sink);
        }
        assert_eq!(world.input.find("r/s0").await.unwrap(), None);
    }
}

#[tokio::test]
async fn rows_that_were_changed_since_show() {
    let (_emulator, world) = world().await;
    let staged = world.stage("r/s0", &Columns::default(), &lines(3)).await;
    world.client.delete_table(&world.table("r__s0")).await.unwrap();
    assert_eq!(world.input.find("r/s0").await.unwrap(), None);
    // Staged again, it is the same.
    assert_eq!(world.stage("r/s0", &Columns::default(), &lines(3)).await, staged);
}

#[tokio::test]
async fn every_length_around_a_buffer_arrives_whole() {
    let (_emulator, world) = world().await;
    let line = |length: usize| format!("{{\"key\":\"a\",\"request\":\"{}\"}}\n", "x".repeat(length - 25));
    for length in [8 << 20, (8 << 20) - 1, (8 << 20) + 1, (16 << 20) + 7] {
        let text = line(length);
        assert_eq!(text.len(), length);
        let staged = world.stage("lengths", &Columns::default(), &text).await;
        assert_eq!(staged.size, StagedSize::Rows(1));
        assert!(world.lines(&world.table("lengths")).await == text, "{length} bytes came back as others");
    }
}

#[tokio::test]
async fn no_lines_are_a_table_without_rows() {
    let (_emulator, world) = world().await;
    let staged = world.stage("r/none", &Columns::default(), "").await;
    assert_eq!(staged.size, StagedSize::Rows(0));
    let files = contract::output_store(&world.output, "r/none", &BatchPredictionJob::default()).await;
    assert_eq!(files, [("predictions.jsonl".to_owned(), Vec::new())], "a file without lines is one too");
}

#[tokio::test]
async fn pages_come_in_order_and_whole() {
    let (emulator, world) = world().await;
    let text = lines(5_000);
    world.stage("r/s0-a1", &Columns::default(), &text).await;
    for job in [ended("bq://demo.news.r__s0_a1"), BatchPredictionJob::default()] {
        let files = contract::output_store(&world.output, "r/s0-a1", &job).await;
        assert_eq!(files.len(), 1);
        assert!(files[0].1 == text.as_bytes());
    }
    assert!(requests(&emulator, "GET", "pageToken=") > 0, "one page would prove nothing");
}

#[tokio::test]
async fn columns_keep_their_types() {
    let (_emulator, world) = world().await;
    let column = |name: &str, kind| Column { name: name.to_owned(), kind };
    let columns = Columns::new(vec![
        column("n", ColumnKind::Integer),
        column("share", ColumnKind::Float),
        column("ok", ColumnKind::Bool),
        column("題", ColumnKind::String),
    ]);
    let text = concat!(
        r#"{"key":"a","request":{"b":1,"a":2},"n":9007199254740993,"share":0.25,"ok":true,"題":"タ\n"}"#,
        "\n",
        r#"{"key":"b","request":{},"n":null,"share":null,"ok":null,"題":null}"#,
        "\n"
    );
    world.stage("r/s0", &columns, text).await;
    assert_eq!(world.lines(&world.table("r__s0")).await, text);
}

#[tokio::test]
async fn a_column_that_the_service_keeps_for_itself_is_refused_at_once() {
    let (emulator, world) = world().await;
    let columns = Columns::new(vec![Column { name: "Status".to_owned(), kind: ColumnKind::String }]);
    let error = world.input.create("r/s0", &columns).await.err().unwrap();
    assert_eq!(error.kind(), Kind::InvalidArgument);
    assert!(error.hint().is_some_and(|hint| hint.contains("rename")), "{error:?}");
    assert_eq!(requests(&emulator, "POST", "/upload/"), 0);
}

#[tokio::test]
async fn a_dataset_that_is_not_there_is_named_with_the_command_that_makes_it() {
    let (_emulator, world) = world().await;
    let client = world.client.clone().for_jobs_in(&"us-central1".parse().unwrap());
    let store = BqInput::new(client, uri("bq://demo.missing")).unwrap();
    for error in [store.create("r/s0", &Columns::default()).await.err().unwrap(), store.find("r/s0").await.unwrap_err()]
    {
        assert_eq!(error.kind(), Kind::NotFound, "{error:?}");
        let command = "create the dataset: `bq --location=us-central1 mk --dataset demo:missing`";
        assert_eq!(error.hint(), Some(command));
    }
    assert_eq!(BqInput::new(world.client.clone(), uri("bq://demo")).unwrap_err().kind(), Kind::InvalidArgument);
}

#[tokio::test]
async fn only_what_was_staged_here_is_removed() {
    let (emulator, world) = world().await;
    for uri in ["bq://demo.other.t", "bq://elsewhere.news.t", "bq://demo.news", "gs://news/x"] {
        let staged = Staged { input: InputConfig::bigquery(uri), size: StagedSize::Rows(1), checksum: None };
        let error = world.input.remove(&staged).await.unwrap_err();
        assert_eq!((error.kind(), error.resource()), (Kind::InvalidArgument, uri));
    }
    assert_eq!(world.output.remove("").await.unwrap_err().kind(), Kind::InvalidArgument);
    assert_eq!(requests(&emulator, "DELETE", "/tables/"), 0);
}

#[tokio::test]
async fn each_name_has_a_table_of_its_own() {
    let (_emulator, world) = world().await;
    assert_eq!(world.output.config("r1/s00000-a1").uri(), Some("bq://demo.news.r1__s00000_a1"));
    let at =
        |text: &str| batch_bq::BqOutput::new(world.client.clone(), uri(text)).config("r1/s0").uri().map(str::to_owned);
    assert_eq!(at("bq://demo.news.t").as_deref(), Some("bq://demo.news.t_r1__s0"));
    assert_eq!(at("bq://demo").as_deref(), Some("bq://demo"));
}

#[tokio::test]
async fn a_job_that_names_its_dataset_only_is_understood_where_that_is_clear() {
    let (_emulator, world) = world().await;
    let mut info = OutputInfo::default();
    info.bigquery_output_dataset = Some("bq://demo.news".to_owned());
    let mut job = BatchPredictionJob::default();
    job.output_info = Some(info);
    assert!(contract::output_store(&world.output, "r/x", &job).await.is_empty());
    world.stage("predictions", &Columns::default(), &lines(2)).await;
    let files = contract::output_store(&world.output, "r/x", &job).await;
    assert_eq!(files[0].1, lines(2).as_bytes());
    world.stage("predictions-2", &Columns::default(), &lines(1)).await;
    let error = world.output.open("r/x", &job).await.err().unwrap();
    assert_eq!(error.kind(), Kind::FailedPrecondition);
    // The table of the name goes before any other.
    world.stage("r/x", &Columns::default(), &lines(3)).await;
    let files = contract::output_store(&world.output, "r/x", &job).await;
    assert_eq!(files[0].1, lines(3).as_bytes());
}

#[tokio::test]
async fn predictions_on_cloud_storage_are_not_looked_for_here() {
    let (_emulator, world) = world().await;
    let mut info = OutputInfo::default();
    info.gcs_output_directory = Some("gs://b/out/prediction-model-1".to_owned());
    assert_eq!(world.output.as_input(&info).unwrap_err().kind(), Kind::Unsupported);
    let mut job = BatchPredictionJob::default();
    job.output_info = Some(info);
    assert_eq!(world.output.open("x", &job).await.err().unwrap().kind(), Kind::Unsupported);
    let input = world.output.as_input(&ended("bq://demo.news.t").output_info.unwrap()).unwrap();
    assert_eq!(input, InputConfig::bigquery("bq://demo.news.t"));
}

#[tokio::test]
async fn a_table_that_changes_while_it_is_read_is_an_error() {
    let (_emulator, world) = world().await;
    world.stage("r/s0", &Columns::default(), &lines(5_000)).await;
    let mut rows = world.client.read_table(&world.table("r__s0")).await.unwrap();
    rows.next().await.unwrap();
    world.stage("r/s0", &Columns::default(), &lines(5_001)).await;
    let error = loop {
        match rows.next().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("half of one table and half of another"),
            Err(error) => break error,
        }
    };
    assert!(
        matches!(error.kind(), Kind::FailedPrecondition | Kind::DataLoss | Kind::NotFound | Kind::InvalidArgument),
        "{error}"
    );
}
