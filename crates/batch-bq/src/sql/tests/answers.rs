//! That a flattened answer is the answer that is read here.

use std::collections::BTreeMap;
use std::fs;

use batch_io::{AnswerFormat, Join, Prediction, TableFormat};
use serde_json::{Value, json};

use super::server::Server;
use super::{fixtures, format, uri};
use crate::sql::{FlattenAnswers, Flattened};

/// Forms of answers, with all that a schema can ask.
const FORMATS: [&str; 8] = [
    "{}",
    r#"{"responseMimeType":"application/json"}"#,
    r#"{"responseMimeType":"application/json","responseSchema":{"type":"string","enum":["sport","entertainment","tech","business","politics"]}}"#,
    r#"{"responseMimeType":"text/x.enum","responseSchema":{"type":"STRING","enum":["sport","tech","it's"]}}"#,
    r#"{"responseSchema":{"type":"OBJECT","properties":{"topic":{"type":"STRING","enum":["sport","tech"]},"n":{"type":"INTEGER","minimum":-1,"maximum":10},
        "tags":{"type":"ARRAY","items":{"type":"STRING","maxLength":3},"minItems":1,"maxItems":2},"sure":{"type":"BOOLEAN"},"score":{"type":"NUMBER"}},"required":["topic"]}}"#,
    r##"{"responseJsonSchema":{"type":"object","properties":{"topic":{"$ref":"#/$defs/t"},"n":{"type":["integer","null"]},"odd name":{"nullable":true,"type":"string"},
        "in":{"type":"object","properties":{"a":{"anyOf":[{"type":"string"},{"type":"number","minimum":1}]}},"required":["a"],"additionalProperties":false}},
        "additionalProperties":false,"maxProperties":3,"$defs":{"t":{"type":"string","minLength":2}}}}"##,
    r#"{"responseSchema":{"type":"INTEGER","enum":["1","2.0","30"]}}"#,
    r#"{"responseSchema":{"type":"ARRAY","items":{"allOf":[{"type":"OBJECT"},{"properties":{"n":{"type":"NUMBER","maximum":5}}}]}}}"#,
];

/// A row of an output table.
struct Row {
    key: String,
    status: Option<String>,
    response: Option<String>,
}

impl Row {
    fn new(key: String, status: &str, response: &str) -> Self {
        Self { key, status: Some(status.to_owned()), response: Some(response.to_owned()) }
    }

    /// As a job would have written it into a file.
    fn line(&self, time: usize) -> String {
        let response = self.response.as_deref().unwrap_or("null");
        let status = Value::from(self.status.clone());
        let time = format!("2026-01-02 03:{:02}:{:02}+00", time / 60, time % 60);
        format!(
            "{{\"key\":{},\"status\":{status},\"processed_time\":\"{time}\",\"response\":{response}}}\n",
            Value::from(self.key.as_str())
        )
    }

    fn cells(&self, time: usize) -> Value {
        let time = format!("2026-01-02 03:{:02}:{:02}", time / 60, time % 60);
        json!({"key": self.key, "status": self.status, "processed_time": time, "response": self.response, "odd": self.key})
    }
}

/// Every line of the fixtures' predictions, as a row.
fn fixture_rows() -> Vec<Row> {
    let mut rows = Vec::new();
    let mut files: Vec<_> =
        fs::read_dir(fixtures().join("predictions")).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    for file in files {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        let bytes = fs::read(&file).unwrap();
        for (number, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let Ok(text) = std::str::from_utf8(line) else { continue };
            let Ok(prediction) = Prediction::parse(text.trim_start_matches('\u{feff}').trim()) else { continue };
            rows.push(Row {
                key: format!("{name}:{number}"),
                // A column of text has a text's own characters, and anything else as JSON.
                status: prediction.status.map(|status| match serde_json::from_str(status.get()) {
                    Ok(Value::String(text)) => text,
                    _ => status.get().to_owned(),
                }),
                response: prediction.response.as_ref().map(|response| response.get().to_owned()),
            });
        }
    }
    assert!(100 < rows.len(), "{}", rows.len());
    rows
}

/// Rows put together from whatever answers are made of; the same ones each time.
fn mixed_rows() -> Vec<Row> {
    const STATUSES: [&str; 12] = [
        "",
        "",
        "",
        " ",
        "OK",
        "{}",
        "Bad Request: {\"error\": {\"code\": 400, \"message\": \"no\"}}",
        "{\"code\": 0}",
        "{\"error\": {\"code\": \"200\", \"message\": \"\"}}",
        "{\"error\": \"it broke\", \"code\": 0}",
        "{\"status\": \"OK\"}",
        "{\"code\": 13, \"message\": \"x\"}",
    ];
    const REASONS: [&str; 10] = [
        "\"STOP\"",
        "\"STOP\"",
        "\"STOP\"",
        "\"MAX_TOKENS\"",
        "\"SAFETY\"",
        "2",
        "8",
        "\"OTHER\"",
        "null",
        "\"FINISH_REASON_UNSPECIFIED\"",
    ];
    const TEXTS: [&str; 40] = [
        "",
        " \n\u{3000}",
        "sport",
        "\"sport\"",
        " \"tech\"\n",
        "```json\n\"sport\"\n```",
        "```sport```",
        "```json \"tech\"```",
        "``` 日本\nsport\n```",
        "```two words\nsport```",
        "it's",
        "\"it's\"",
        "Sport",
        "{\"topic\":\"sport\"}",
        " { \"topic\" : \"sport\" , \"n\" : 3.0 }\n",
        "```json\n{\"topic\": \"te ch\\n\\\"\", \"n\": 12}\n```",
        "{\"topic\":\"tech\",\"n\":null}",
        "{\"topic\":\"tech\",\"n\":-1,\"tags\":[\"a\",\"日本語\"],\"sure\":true,\"score\":1e2}",
        "{\"topic\":\"tech\",\"tags\":[]}",
        "{\"topic\":\"tech\",\"tags\":[\"a\",1]}",
        "{\"topic\":\"tech\",\"tags\":[\"long\"]}",
        "{\"topic\":\"x\"}",
        "{\"n\":1}",
        "{\"topic\":\"xy\",\"in\":{\"a\":\"b\"}}",
        "{\"topic\":\"xy\",\"in\":{\"a\":0.5}}",
        "{\"topic\":\"xy\",\"in\":{\"a\":1,\"b\":2}}",
        "{\"topic\":\"xy\",\"odd name\":null,\"n\":3.5}",
        "{\"topic\":\"xy\",\"stranger\":1}",
        "[{\"n\":5},{\"n\":-7,\"m\":[]}]",
        "[{\"n\":6}]",
        "[1]",
        "1",
        "2",
        "30.0",
        "31",
        "\"1\"",
        "true",
        "null",
        "{\"topic\":",
        "[ 12345678901234567890 , 1.50 , \"a b\" ]",
    ];
    let mut seed = 1_u32;
    let mut pick = |count: usize| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) as usize % count
    };
    let part = |text: &str| json!({"text": text}).to_string();
    let mut rows = Vec::new();
    // CI has less time.
    let count = if std::env::var_os("BATCH_TEST_SHARE").is_some() { 120 } else { 700 };
    for number in 0..count {
        let text = TEXTS[if number < TEXTS.len() { number } else { pick(TEXTS.len()) }];
        let parts = match if number < TEXTS.len() { 9 } else { pick(12) } {
            0 => format!("[{{\"text\":\"thinking\",\"thought\":true}},{}]", part(text)),
            1 => "[{\"text\":\"thinking\",\"thought\":true}]".to_owned(),
            2 => {
                let middle = text.char_indices().nth(text.chars().count() / 2).map_or(0, |(at, _)| at);
                format!("[{},{{\"text\":null}},{}]", part(&text[..middle]), part(&text[middle..]))
            }
            3 => format!("[{},{{\"functionCall\":{{\"name\":\"f\",\"args\":{{\"z\":1,\"a\":null}}}},\"text\":null}}]", part(text)),
            4 => "[{\"inlineData\":{\"mimeType\":\"image/png\",\"data\":\"aGk=\"},\"thoughtSignature\":\"x\"},{\"executableCode\":{\"code\":\"1 + 1\"}}]".to_owned(),
            5 => "[]".to_owned(),
            6 => "null".to_owned(),
            7 => part(text),
            _ => format!("[{}]", part(text)),
        };
        let reason = if number < TEXTS.len() { REASONS[0] } else { REASONS[pick(REASONS.len())] };
        let candidate = format!("{{\"content\":{{\"parts\":{parts},\"role\":\"model\"}},\"finishReason\":{reason}}}");
        let usage = r#""usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":"7","thoughtsTokenCount":-1,"totalTokenCount":12.0}"#;
        let response = match if number < TEXTS.len() { 9 } else { pick(16) } {
            0 => format!("{{\"candidates\":[{{\"index\":1}},{candidate}],{usage}}}"),
            1 => format!("{{\"candidates\":[],\"promptFeedback\":{{\"blockReason\":\"SAFETY\"}},{usage}}}"),
            2 => format!("{{\"candidates\":[{candidate}],\"prompt_feedback\":{{\"block_reason\":4}}}}"),
            3 => format!("{{\"candidates\":[{candidate}],\"promptFeedback\":{{\"blockReason\":0}}}}"),
            4 => "{\"promptFeedback\":{\"blockReason\":\"BLOCKED_REASON_UNSPECIFIED\"}}".to_owned(),
            5 => "{}".to_owned(),
            6 => "{\"candidates\":null}".to_owned(),
            7 => format!("{{\"candidates\":{candidate}}}"),
            _ => format!("{{\"candidates\":[{candidate}],{usage}}}"),
        };
        let status = if number < TEXTS.len() { "" } else { STATUSES[pick(STATUSES.len())] };
        rows.push(Row::new(format!("m{number}"), status, &response));
    }
    rows
}

fn load(server: &Server, dataset: &str, rows: &[Row]) {
    server.query(&format!(
        "CREATE OR REPLACE TABLE demo.{dataset}.predictions (key STRING, status STRING, processed_time TIMESTAMP, response JSON, odd STRING)"
    ));
    let cells: Vec<Value> = rows.iter().enumerate().map(|(time, row)| row.cells(time)).collect();
    server.insert(dataset, "predictions", &cells);
}

fn text(value: Option<impl ToString>) -> Value {
    value.map_or(Value::Null, |value| Value::from(value.to_string()))
}

/// The row as it is read here: outcome, answer, finish reason, four counts.
fn read(line: &str, format: &AnswerFormat) -> Vec<Value> {
    let prediction = Prediction::parse(line).unwrap();
    let reading = prediction.read(format);
    let usage = reading.usage;
    let mut cells = vec![
        text(Some(reading.outcome)),
        text(reading.answer.as_deref()),
        text(reading.finish_reason.as_deref()),
        text(usage.prompt_tokens),
        text(usage.candidates_tokens),
        text(usage.thoughts_tokens),
        text(usage.total_tokens),
    ];
    for name in format.fields().unwrap_or_default() {
        cells.push(match reading.field(name) {
            Some(json) => match serde_json::from_str(json).unwrap() {
                Value::String(text) => Value::from(text),
                Value::Null => Value::Null,
                // Numbers by their value.
                Value::Number(number) => json!(number.as_f64()),
                other => Value::from(other.to_string()),
            },
            None => Value::Null,
        });
    }
    cells
}

/// A cell of a field, in the form of [`read`]'s.
fn field(cell: &Value, expected: &Value) -> Value {
    match (cell.as_str(), expected) {
        (Some(text), Value::Number(_)) => json!(text.parse::<f64>().ok()),
        (Some("null"), Value::Null) => Value::Null,
        (Some(text), Value::String(other)) if text != other => match serde_json::from_str::<Value>(text) {
            Ok(json) => Value::from(json.to_string()),
            Err(_) => cell.clone(),
        },
        _ => cell.clone(),
    }
}

fn compare(dataset: &str, rows: &[Row]) {
    let server = Server::connect(dataset);
    load(&server, dataset, rows);
    let flat = uri(&format!("bq://demo.{dataset}.flat"));
    let mut differ = Vec::new();
    for config in FORMATS {
        let format = format(config);
        let flatten = FlattenAnswers::new(vec![uri(&format!("bq://demo.{dataset}.predictions"))], format.clone())
            .columns(vec!["odd".into()])
            .flattened(Flattened::Table);
        server.query(&flatten.statements(&flat).unwrap()[0].sql);
        let found: BTreeMap<String, Vec<Value>> = server
            .query(&format!("SELECT * FROM demo.{dataset}.flat"))
            .into_iter()
            .map(|row| {
                assert_eq!(row[0], row[1]);
                (row[0].as_str().unwrap().to_owned(), row[2..].to_vec())
            })
            .collect();
        assert_eq!(found.len(), rows.len());
        for (time, row) in rows.iter().enumerate() {
            let expected = read(row.line(time).trim_end(), &format);
            let mut cells = found[&row.key].clone();
            for (cell, expected) in cells.iter_mut().zip(&expected).skip(7) {
                *cell = field(cell, expected);
            }
            // An absent finish reason and one of no characters print alike.
            if cells[2] == "" {
                cells[2] = Value::Null;
            }
            if cells != expected {
                differ.push(format!(
                    "{config}\n{}\n  status   {:?}\n  response {:?}\n  here {expected:?}\n  sql  {cells:?}",
                    row.key, row.status, row.response
                ));
            }
        }
        let counts = server.query(&flatten.summary(&flat).unwrap().sql);
        let total: usize = counts.iter().map(|row| row[1].as_str().unwrap().parse::<usize>().unwrap()).sum();
        assert_eq!(total, rows.len());
    }
    assert!(differ.is_empty(), "{} differ, the first:\n{}", differ.len(), differ[..differ.len().min(8)].join("\n"));
}

#[test]
#[ignore = "needs a BigQuery server at BATCH_TEST_BIGQUERY"]
fn every_fixture_has_the_outcome_that_it_has_here() {
    compare("bqqf", &fixture_rows());
}

#[test]
#[ignore = "needs a BigQuery server at BATCH_TEST_BIGQUERY"]
fn mixed_answers_have_the_outcomes_that_they_have_here() {
    compare("bqqx", &mixed_rows());
}

#[test]
#[ignore = "needs a BigQuery server at BATCH_TEST_BIGQUERY"]
fn of_several_predictions_the_one_counts_that_counts_in_the_join() {
    let server = Server::connect("bqqj");
    let answer = |text: &str| format!("{{\"candidates\":[{{\"content\":{{\"parts\":[{{\"text\":\"{text}\"}}]}}}}]}}");
    let failed = "Bad Request: {\"error\": {\"code\": 400, \"message\": \"no\"}}";
    let rows = [
        Row::new("a".into(), failed, "{}"),
        Row::new("a".into(), "", &answer("first")),
        Row::new("b".into(), "", &answer("only")),
        Row::new("a".into(), "", &answer("second")),
        Row::new("c".into(), "", "{}"),
        Row::new("c".into(), failed, "{}"),
        Row::new("nobody".into(), "", &answer("stray")),
        Row::new("7".into(), "", &answer("seven")),
    ];
    load(&server, "bqqj", &rows);
    server.query("CREATE OR REPLACE TABLE demo.bqqj.requests (key STRING, odd STRING, request JSON)");
    let keys = ["a", "b", "c", "d", "7"];
    let inputs: Vec<Value> = keys.iter().map(|key| json!({"key": key, "odd": "o", "request": "{}"})).collect();
    server.insert("bqqj", "requests", &inputs);
    let flatten = FlattenAnswers::new(vec![uri("bq://demo.bqqj.predictions")], AnswerFormat::text())
        .inputs(vec![uri("bq://demo.bqqj.requests")])
        .columns(vec!["odd".into()]);
    for statement in flatten.statements(&uri("bq://demo.bqqj.view")).unwrap() {
        server.query(&statement.sql);
    }
    let found = server.query("SELECT key, outcome, answer FROM demo.bqqj.view ORDER BY key");

    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    fs::write(path("keys.csv"), format!("key\n{}\n", keys.join("\n"))).unwrap();
    let lines: String = rows.iter().enumerate().map(|(time, row)| row.line(time)).collect();
    fs::write(path("predictions.jsonl"), lines).unwrap();
    let mut expected = Vec::new();
    Join::from_path(path("keys.csv"), TableFormat::CSV, [path("predictions.jsonl")])
        .key(batch_io::KeySpec::Column("key".into()))
        .answer_format(AnswerFormat::text())
        .run(&mut Vec::new(), &mut |row| {
            expected.push(vec![text(Some(row.key())), text(Some(row.outcome())), text(row.answer())]);
        })
        .unwrap();
    expected.sort_by_key(|row| row[0].to_string());
    assert_eq!(found, expected);
}
