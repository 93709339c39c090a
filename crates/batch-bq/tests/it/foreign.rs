//! The stores on somebody else's server, whose address is in `BATCH_TEST_BIGQUERY`.
//!
//! `cargo xtask interop` starts the servers. What each of them does otherwise than BigQuery, and is
//! allowed to here, stands beside the assertion.

use batch_backend::{Column, ColumnKind, Columns, InputStore, OutputStore, StagedSize, contract};
use batch_bq::{Rule, SqlJob};
use batch_model::BatchPredictionJob;

use crate::setup::{World, ended};

/// The server, and a dataset that no other test has; the server may have been used before.
pub(crate) async fn world(name: &str) -> World {
    let url = std::env::var("BATCH_TEST_BIGQUERY").expect("BATCH_TEST_BIGQUERY is the address of a server");
    let process = std::process::id();
    World::at(&url, &format!("it_{name}_{process}")).await
}

pub(crate) async fn rows_of(world: &World, sql: &str) -> String {
    let job = SqlJob::new(format!("it-{}-{}", std::process::id(), world.dataset.dataset().unwrap()), sql);
    let mut rows = world.client.query(&job.in_location("us-central1")).await.unwrap();
    let mut lines = Vec::new();
    while let Some(page) = rows.next().await.unwrap() {
        lines.extend_from_slice(&page.lines);
    }
    String::from_utf8(lines).unwrap()
}

#[tokio::test]
#[ignore = "needs a BigQuery server at BATCH_TEST_BIGQUERY"]
async fn the_contract_holds() {
    let world = world("contract").await;
    contract::input_store(&world.input, "contract").await;
    contract::large_input(&world.input, "contract", 20).await;
}

#[tokio::test]
#[ignore = "needs a BigQuery server at BATCH_TEST_BIGQUERY"]
async fn columns_are_typed_and_rows_come_back() {
    let world = world("columns").await;
    let column = |name: &str, kind| Column { name: name.to_owned(), kind };
    let columns = Columns::new(vec![
        column("title", ColumnKind::String),
        column("n", ColumnKind::Integer),
        column("share", ColumnKind::Float),
        column("ok", ColumnKind::Bool),
    ]);
    let lines = concat!(
        r#"{"key":"a","request":{"contents":[{"role":"user","parts":[{"text":"日本\n\"x\""}]}]},"title":"タ","n":9007199254740993,"share":0.25,"ok":true}"#,
        "\n",
        r#"{"key":"b","request":{"contents":[]},"title":null,"n":null}"#,
        "\n",
    );
    let staged = world.stage("run-1/s00000", &columns, lines).await;
    assert_eq!(staged.size, StagedSize::Rows(2));
    let table = world.table("run_1__s00000");
    assert_eq!(staged.input.uris(), [table.to_string()]);
    let mut read: Vec<String> = world.lines(&table).await.lines().map(str::to_owned).collect();
    read.sort();
    assert_eq!(
        read[0],
        r#"{"key":"a","request":{"contents":[{"role":"user","parts":[{"text":"日本\n\"x\""}]}]},"title":"タ","n":9007199254740993,"share":0.25,"ok":true}"#
    );
    assert_eq!(read[1], r#"{"key":"b","request":{"contents":[]},"title":null,"n":null,"share":null,"ok":null}"#);
    let findings = world.client.check_input_table(&table, &"us-central1".parse().unwrap()).await.unwrap();
    assert!(findings.is_empty(), "{findings:?}");
}

#[tokio::test]
#[ignore = "needs a BigQuery server at BATCH_TEST_BIGQUERY"]
async fn the_same_lines_are_not_loaded_twice() {
    let world = world("twice").await;
    let lines = "{\"key\":\"a\",\"request\":{\"contents\":[]}}\n";
    let staged = world.stage("r/s0", &Columns::default(), lines).await;
    let table = world.client.table(&world.table("r__s0")).await.unwrap().unwrap();
    assert_eq!(world.stage("r/s0", &Columns::default(), lines).await, staged);
    let again = world.client.table(&world.table("r__s0")).await.unwrap().unwrap();
    assert_eq!(again, table, "it was written again");
}

#[tokio::test]
#[ignore = "needs a BigQuery server at BATCH_TEST_BIGQUERY"]
async fn a_line_that_does_not_fit_is_an_error_and_leaves_nothing() {
    let world = world("wrong").await;
    let mut sink = world.input.create("r/s0", &Columns::default()).await.unwrap();
    sink.write("{\"key\":\"a\",\"request\":{}}\n{\"key\":\"b\",\"requ\n".into()).await.unwrap();
    let error = sink.finish().await.unwrap_err();
    assert!(error.to_string().contains("r__s0"), "{error}");
    assert_eq!(world.input.find("r/s0").await.unwrap(), None);
}

#[tokio::test]
#[ignore = "needs a BigQuery server at BATCH_TEST_BIGQUERY"]
async fn a_table_that_sql_made_is_read_as_predictions() {
    let world = world("output").await;
    let table = world.table("r1__s00000_a1");
    let name = table.to_string().trim_start_matches("bq://").to_owned();
    let sql = format!(
        "CREATE TABLE `{name}` AS SELECT FORMAT('k%d', n) AS key, '' AS status, \
         TIMESTAMP '2026-01-01 00:00:00.123456+00' AS processed_time, \
         PARSE_JSON('{{\"contents\":[]}}') AS request, PARSE_JSON('{{\"candidates\":[{{\"index\":0}}]}}') AS response, \
         n AS n FROM UNNEST(GENERATE_ARRAY(1, 1300)) AS n"
    );
    let job = SqlJob::new(format!("it-ctas-{}", std::process::id()), sql).in_location("us-central1");
    world.client.run(&job).await.unwrap();
    let line = |n: usize| {
        format!(
            "{{\"key\":\"k{n}\",\"status\":\"\",\"processed_time\":\"2026-01-01T00:00:00.123456+00:00\",\
             \"request\":{{\"contents\":[]}},\"response\":{{\"candidates\":[{{\"index\":0}}]}},\"n\":{n}}}"
        )
    };
    let mut expected: Vec<String> = (1..=1300).map(line).collect();
    expected.sort();
    for job in [ended(&table.to_string()), BatchPredictionJob::default()] {
        let files = contract::output_store(&world.output, "r1/s00000-a1", &job).await;
        assert_eq!(files.len(), 1);
        let mut lines: Vec<&str> = std::str::from_utf8(&files[0].1).unwrap().lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, expected);
    }
    let there = world.client.check_output(&table, &"us-central1".parse().unwrap()).await.unwrap();
    assert_eq!(there.iter().map(|finding| finding.rule).collect::<Vec<_>>(), [Rule::TableAbsent]);
    world.output.remove("r1/s00000-a1").await.unwrap();
    world.output.remove("r1/s00000-a1").await.unwrap();
    assert!(contract::output_store(&world.output, "r1/s00000-a1", &BatchPredictionJob::default()).await.is_empty());
}

#[tokio::test]
#[ignore = "needs a BigQuery server at BATCH_TEST_BIGQUERY"]
async fn queries_run_once_under_their_name() {
    let world = world("query").await;
    let lines = "{\"key\":\"a\",\"request\":{\"n\":1}}\n{\"key\":\"b\",\"request\":{\"n\":2}}\n";
    world.stage("q/s0", &Columns::default(), lines).await;
    let name = world.table("q__s0").to_string().trim_start_matches("bq://").to_owned();
    let read =
        rows_of(&world, &format!("SELECT key, JSON_VALUE(request, '$.n') AS n FROM `{name}` ORDER BY key")).await;
    assert_eq!(read, "{\"key\":\"a\",\"n\":\"1\"}\n{\"key\":\"b\",\"n\":\"2\"}\n");

    let delete =
        SqlJob::new(format!("it-delete-{}", std::process::id()), format!("DELETE FROM `{name}` WHERE key = 'a'"));
    let delete = delete.in_location("us-central1").with_label("batch_run", "r1");
    assert_eq!(world.client.run(&delete).await.unwrap().rows_affected, Some(1));
    let sql = format!("SELECT * FROM `{name}`");
    world.client.dry_run(&sql, Some("us-central1")).await.unwrap();

    let error = world.client.run(&SqlJob::new(format!("it-bad-{}", std::process::id()), "SELEC 1")).await.unwrap_err();
    assert!(error.service().is_some(), "{error:?}");
}
