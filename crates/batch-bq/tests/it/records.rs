//! Requests built and answers flattened by the SQL of somebody else's server, at `BATCH_TEST_BIGQUERY`:
//! what comes of them is what is built and joined here.

use std::{collections::BTreeMap, path::Path};

use batch_backend::{
    Column, ColumnKind, Columns, Kind, OutputStore, PredictionSource, RecordStore, Staged, StagedSize,
};
use batch_bq::{
    BqRecords, ResultsIn, SqlJob,
    sql::{Flattened, Source},
};
use batch_io::{
    AnswerFormat, Join, KeySpec, Outcome, PredictionFile, RequestLines, RequestSpec, RequestTemplate, Table,
    TableFormat,
};
use batch_model::{BatchPredictionJob, InputConfig, OutputInfo};
use serde_json::Value;

use crate::{foreign::world, setup::World};

type Fields = BTreeMap<String, String>;

fn fixture(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(name)
}

/// The request, but for its prompt, and the form of answers of the packages' spec.
fn asked() -> (RequestSpec, AnswerFormat) {
    let text = std::fs::read_to_string(fixture("packages/batch.toml")).unwrap();
    let file: Value = serde_json::to_value(toml::from_str::<toml::Table>(&text).unwrap()).unwrap();
    let request = &file["request"];
    // Of the fixture's prompt, which takes the first line alone, SQL can say only the column.
    let mut spec = RequestSpec::new("{{ description }}");
    spec.system = request["system"].as_str().map(str::to_owned);
    spec.generation_config = request.get("generationConfig").cloned();
    spec.columns = vec!["section".to_owned()];
    let config = serde_json::value::to_raw_value(&request["generationConfig"]).unwrap();
    (spec, AnswerFormat::from_generation_config(&config))
}

fn packages() -> Table<std::io::BufReader<std::fs::File>> {
    let file = std::fs::File::open(fixture("packages/packages.csv")).unwrap();
    Table::new(std::io::BufReader::new(file), "packages.csv", TableFormat::CSV).unwrap()
}

/// Puts the packages into a table, and makes records of it.
async fn records(world: &World) -> BqRecords {
    let mut table = packages();
    let (mut record, mut lines) = (batch_io::Record::new(), String::new());
    let names = table.columns().names().to_vec();
    while table.read(&mut record).unwrap() {
        let mut line = serde_json::json!({ "key": "", "request": {} });
        for (name, value) in names.iter().zip(record.iter()) {
            line[name] = value.into();
        }
        lines.push_str(&format!("{line}\n"));
    }
    let column = |name: &String| Column { name: name.clone(), kind: ColumnKind::String };
    world.stage("packages", &Columns::new(names.iter().map(column).collect()), &lines).await;
    let sql = format!("SELECT {} FROM `{}`", names.join(", "), name_of(world, "packages"));
    let (request, format) = asked();
    let results = ResultsIn::new(world.dataset.clone(), Flattened::View, format);
    let location = "us-central1".parse().unwrap();
    BqRecords::new(world.client.clone(), Source::Query(sql), world.input.clone(), location)
        .key_column("package")
        .request(request)
        .results(results)
}

fn name_of(world: &World, table: &str) -> String {
    world.table(table).to_string().trim_start_matches("bq://").to_owned()
}

fn rows(staged: &[Staged]) -> Vec<u64> {
    staged
        .iter()
        .map(|staged| match staged.size {
            StagedSize::Rows(rows) => rows,
            StagedSize::Bytes(_) => panic!("a table has rows"),
        })
        .collect()
}

fn inputs(staged: &[Staged]) -> Vec<InputConfig> {
    staged.iter().map(|staged| staged.input.clone()).collect()
}

async fn read(mut source: Box<dyn PredictionSource>) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(chunk) = source.next().await.unwrap() {
        assert_eq!(chunk.offset, bytes.len() as u64);
        bytes.extend_from_slice(&chunk.bytes);
    }
    bytes
}

/// A request line without its key, by its key.
fn by_key(lines: &str) -> BTreeMap<String, Value> {
    lines
        .lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            (line["key"].as_str().unwrap().to_owned(), line)
        })
        .collect()
}

#[tokio::test]
#[ignore = "needs a BigQuery server at BATCH_TEST_BIGQUERY"]
async fn requests_are_built_and_answers_read_where_the_records_lie() {
    let world = world("records").await;
    let records = records(&world).await;
    let info = records.look().await.unwrap();
    assert_eq!((info.columns.join(" "), info.key.as_str(), info.is_built), ("key section".to_owned(), "key", true));
    assert_eq!(records.look().await.unwrap().identity, info.identity);
    assert_eq!(records.statements("r").await.unwrap().len(), 2);

    // What is built there is what is built here.
    let template = RequestTemplate::compile(&asked().0, packages().columns()).unwrap();
    let mut lines = RequestLines::new(packages(), &template, &KeySpec::Column("package".to_owned())).unwrap();
    let (mut expected, mut count) = (Vec::new(), 0);
    while lines.next_line(&mut expected).unwrap().is_some() {
        count += 1;
    }
    let expected = by_key(std::str::from_utf8(&expected).unwrap());
    assert_eq!((count, expected.len()), (1000, 1000));
    let mut staged = Vec::new();
    for (run, most, shards) in [("whole", 200_000, 1..=1), ("cut", 300, 4..=8)] {
        staged = records.stage(run, most).await.unwrap();
        assert!(shards.contains(&staged.len()), "{} shards", staged.len());
        assert_eq!(rows(&staged).iter().sum::<u64>(), 1000);
        assert!(rows(&staged).iter().all(|rows| *rows <= most), "{:?}", rows(&staged));
        assert_eq!(records.stage(run, most).await.unwrap(), staged, "built twice");
        let mut built = String::new();
        for staged in &staged {
            built += &world.lines(&staged.input.uris()[0].parse().unwrap()).await;
        }
        assert!(by_key(&built) == expected, "{run}: other requests");
    }

    // A job for each shard, which some records have no prediction of.
    let mut outputs = Vec::new();
    for (at, staged) in staged.iter().enumerate() {
        let table = world.table(&format!("cut__s{at:05}_a1"));
        predict(&world, staged.input.uris()[0], &table.to_string()).await;
        let mut info = OutputInfo::default();
        info.bigquery_output_table = Some(table.to_string());
        outputs.push(info);
    }
    let flattened = records.flatten("cut", &inputs(&staged), &outputs).await.unwrap();
    assert_eq!(flattened.place, world.table("cut__results").to_string());
    assert_eq!(records.flatten("cut", &inputs(&staged), &outputs).await.unwrap(), flattened, "a second time");

    // The same predictions, joined here.
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("records.jsonl"), read(records.open(&inputs(&staged)).await.unwrap()).await).unwrap();
    let mut files = Vec::new();
    for (at, info) in outputs.iter().enumerate() {
        let mut job = BatchPredictionJob::default();
        job.output_info = Some(info.clone());
        let name = format!("p{at}.jsonl");
        std::fs::write(path(&name), read(world.output.open("x", &job).await.unwrap()).await).unwrap();
        files.push(PredictionFile::from(path(&name)));
    }
    let mut joined: BTreeMap<String, Fields> = BTreeMap::new();
    let summary = Join::from_path(path("records.jsonl"), TableFormat::Jsonl, files)
        .key(KeySpec::Column("key".to_owned()))
        .answer_format(asked().1)
        .run(&mut std::io::sink(), &mut |row| {
            let fields = [
                ("key", row.key().to_owned()),
                ("section", row.value("section").unwrap_or_default().to_owned()),
                ("outcome", row.outcome().to_string()),
                ("answer", row.answer().unwrap_or_default().to_owned()),
                ("finish_reason", row.finish_reason().unwrap_or_default().to_owned()),
                ("total_tokens", row.usage().total_tokens.map(|tokens| tokens.to_string()).unwrap_or_default()),
            ];
            let fields = fields.map(|(name, value)| (name.to_owned(), value)).into_iter().collect();
            joined.insert(row.key().to_owned(), fields);
        })
        .unwrap();
    for outcome in
        [Outcome::Answered, Outcome::InvalidAnswer, Outcome::Truncated, Outcome::RequestError, Outcome::Missing]
    {
        assert_ne!(summary.outcomes.get(outcome), 0, "{outcome} is not tried");
    }
    let counted: Vec<(String, u64)> =
        flattened.outcomes.iter().map(|totals| (totals.outcome.clone(), totals.records)).collect();
    let mut of_join: Vec<(String, u64)> =
        summary.outcomes.iter().filter(|(_, n)| 0 < *n).map(|(outcome, n)| (outcome.to_string(), n)).collect();
    of_join.sort();
    assert_eq!(counted, of_join);
    let tokens: u64 = flattened.outcomes.iter().map(|totals| totals.total_tokens).sum();
    assert_eq!(tokens, summary.tokens.total_tokens);
    let sql = format!(
        "SELECT key, section, outcome, IFNULL(answer, '') AS answer, IFNULL(finish_reason, '') AS finish_reason, \
         IFNULL(CAST(total_tokens AS STRING), '') AS total_tokens FROM `{}`",
        name_of(&world, "cut__results")
    );
    let there: BTreeMap<String, Fields> = crate::foreign::rows_of(&world, &sql)
        .await
        .lines()
        .map(|line| {
            let fields: Fields = serde_json::from_str(line).unwrap();
            (fields["key"].clone(), fields)
        })
        .collect();
    assert_eq!(there.len(), 1000);
    for (key, fields) in &joined {
        assert_eq!(&there[key], fields);
    }

    // What was built goes, and what was there stays.
    for staged in inputs(&staged) {
        records.remove(&staged).await.unwrap();
        records.remove(&staged).await.unwrap();
    }
    assert!(world.client.table(&world.table("packages")).await.unwrap().is_some());
    let error = records.stage("cut", 300).await.unwrap_err();
    assert_eq!((error.kind(), error.hint()), (Kind::FailedPrecondition, Some("begin a new run with --new")));
}

/// Writes what a job would have made of the requests in a table: by a hash of the key an answer, one that
/// is none, one that was cut, a failed request, or nothing at all.
async fn predict(world: &World, from: &str, into: &str) {
    let (from, into) = (from.trim_start_matches("bq://"), into.trim_start_matches("bq://"));
    let answer = |text: &str, reason: &str| {
        format!(
            "CONCAT('{{\"candidates\":[{{\"content\":{{\"role\":\"model\",\"parts\":[{{\"text\":', TO_JSON_STRING({text}), \
             '}}]}},\"finishReason\":\"{reason}\"}}],\"usageMetadata\":{{\"promptTokenCount\":',CAST(LENGTH(key) AS STRING),\
             ',\"candidatesTokenCount\":2,\"totalTokenCount\":',CAST(LENGTH(key) + 2 AS STRING),'}}}}')"
        )
    };
    let sql = format!(
        "CREATE TABLE `{into}` AS SELECT key, section, \
         IF(n = 3, 'Service Unavailable: {{\"error\": {{\"code\": 503, \"message\": \"away\", \"status\": \"UNAVAILABLE\"}}}}', '') AS status, \
         TIMESTAMP '2026-01-01 00:00:00+00' AS processed_time, request, \
         PARSE_JSON(CASE n WHEN 0 THEN {} WHEN 1 THEN {} WHEN 3 THEN '{{}}' ELSE {} END) AS response \
         FROM (SELECT *, ABS(MOD(FARM_FINGERPRINT(CONCAT('x', key)), 7)) AS n FROM `{from}`) WHERE n != 4",
        answer("CONCAT('the ', section)", "STOP"),
        answer("'ga'", "MAX_TOKENS"),
        answer("section", "STOP"),
    );
    let job = SqlJob::new(format!("it-predict-{}-{}", std::process::id(), into.replace('.', "-")), sql);
    world.client.run(&job.in_location("us-central1")).await.unwrap();
}
