//! Prediction lines, byte for byte.

use batch_emulator::{JobsConfig, LineGeneration};
use serde_json::{Value, json};

use super::{Service, line, many, parse, with_key};

/// What the published examples have: a system instruction, a schema, a label; here with
/// members out of order, a fraction that is none, and two kinds of part.
fn rows() -> String {
    [
        r#"{"request":{"systemInstruction":{"parts":[{"text":"Choose."}]},"contents":[{"role":"user","parts":[{"text":"日本語 and \u00e9\n"}]}],"generationConfig":{"temperature":0.0,"responseMimeType":"application/json","responseSchema":{"type":"string","enum":["sport","tech"]}},"labels":{"id":"n0"}},"key":"r0"}"#,
        r#"{"key":"r1","request":{"contents":[{"parts":[{"text":"b"},{"file_data":{"file_uri":"gs://b/o.png","mime_type":"image/png"}}]}],"generationConfig":{"topK":64.0,"stopSequences":null}}}"#,
        r#"{"key":"r2","request":{"contents":[{"role":"tool","parts":[{"text":"c"}]}]}}"#,
    ]
    .map(|row| format!("{row}\n"))
    .concat()
}

async fn lines(jobs: JobsConfig) -> Vec<String> {
    let service = Service::start(jobs).await;
    let (_, mut lines) = service.run_text(&rows()).await;
    lines.sort();
    lines
}

#[tokio::test]
async fn the_second_generation() {
    insta::assert_snapshot!(lines(JobsConfig::default()).await.concat());
}

#[tokio::test]
async fn the_first_generation() {
    let first = JobsConfig { lines: LineGeneration::First, ..JobsConfig::default() };
    insta::assert_snapshot!(lines(first).await.concat());
}

#[tokio::test]
async fn without_normalizing_a_request_comes_back_byte_for_byte() {
    let verbatim = JobsConfig { normalize_echo: false, ..JobsConfig::default() };
    let lines = lines(verbatim).await;
    for row in rows().lines() {
        let request = &row[row.find("\"request\":").unwrap()..];
        // Up to the brace that ends the row, or to the key that follows.
        let request = match request.find(",\"key\":") {
            Some(end) => &request[..end],
            None => &request[..request.len() - 1],
        };
        assert!(lines.iter().any(|line| line.contains(request)), "{request}");
    }
}

#[tokio::test]
async fn other_members_pass_through_unless_they_shall_not() {
    let mut row = line("r0", "x");
    row["custom_id"] = json!("c");
    row["metadata"] = json!({ "b": [1.5, null], "a": true });
    let service = Service::start(JobsConfig::default()).await;
    let (_, lines) = service.run(&[row.clone()]).await;
    assert!(
        lines[0].starts_with(r#"{"custom_id":"c","key":"r0","metadata":{"a":true,"b":[1.5,null]},"request":{"#),
        "{}",
        lines[0]
    );
    let without = Service::start(JobsConfig { pass_through: false, ..JobsConfig::default() }).await;
    let (_, lines) = without.run(&[row]).await;
    let members: Vec<_> = parse(&lines[0]).as_object().unwrap().keys().cloned().collect();
    assert_eq!(members, ["request", "status", "response", "processed_time"]);
}

#[tokio::test]
async fn predictions_come_in_another_order_and_all_of_them() {
    let keys = |lines: &[String]| -> Vec<String> {
        lines.iter().map(|line| parse(line)["key"].as_str().unwrap().to_owned()).collect()
    };
    let text = many(1000);
    let service = Service::start(JobsConfig::default()).await;
    let (job, lines) = service.run_text(&text).await;
    assert_eq!(job["completionStats"], json!({ "successfulCount": "1000" }));
    let shuffled = keys(&lines);
    let sent: Vec<_> = (0..1000).map(|i| format!("r{i}")).collect();
    assert_ne!(shuffled, sent);
    let again = Service::start(JobsConfig::default()).await;
    let (_, same) = again.run_text(&text).await;
    assert_eq!(lines, same, "one seed, one result");

    let ordered = Service::start(JobsConfig { shuffle: false, ..JobsConfig::default() }).await;
    let (_, lines) = ordered.run_text(&text).await;
    assert_eq!(keys(&lines), sent);
}

#[tokio::test]
async fn the_directory_has_the_time_of_the_job() {
    let service = Service::start(JobsConfig::default()).await;
    let (job, _) = service.run_text(&many(1)).await;
    assert_eq!(job["outputInfo"]["gcsOutputDirectory"], "gs://bucket/out/prediction-model-2026-11-21T10:00:00.123456Z");
    assert_eq!(service.objects("out").await, ["out/prediction-model-2026-11-21T10:00:00.123456Z/predictions.jsonl"]);
}

#[tokio::test]
async fn nulls_come_from_other_rows_too() {
    let service = Service::start(JobsConfig::default()).await;
    let mut file = line("file", "x");
    file["request"]["contents"][0]["parts"] =
        json!([{ "fileData": { "fileUri": "gs://b/o.png", "mimeType": "image/png" } }]);
    let (_, lines) = service.run(&[line("text", "x"), file]).await;
    let lines: Vec<Value> = lines.iter().map(|line| parse(line)).collect();
    assert_eq!(with_key(&lines, "text")["request"]["contents"][0]["parts"], json!([{ "fileData": null, "text": "x" }]));
    assert_eq!(
        with_key(&lines, "file")["request"]["contents"][0]["parts"],
        json!([{ "fileData": { "fileUri": "gs://b/o.png", "mimeType": "image/png" }, "text": null }])
    );
    // Where all parts are alike there is nothing to fill.
    let (_, lines) = service.run(&[line("a", "x"), line("b", "y")]).await;
    assert!(lines.iter().all(|line| !line.contains("null")));
}

#[tokio::test]
async fn prediction_files_have_a_crc32c_and_no_md5() {
    let service = Service::start(JobsConfig::default()).await;
    service.run(&[line("a", "text")]).await;
    let list = service.get("/storage/v1/b/bucket/o").await.ok();
    let hashes: Vec<_> =
        list["items"].as_array().unwrap().iter().map(|o| (o["crc32c"].is_string(), o["md5Hash"].is_string())).collect();
    // What was uploaded, and what the job made of it.
    assert_eq!(hashes, [(true, true), (true, false)]);
}
