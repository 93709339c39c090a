//! What happens to single rows.

use batch_emulator::JobsConfig;
use serde_json::{Value, json};

use super::{Service, line, parse, row_error, with_key};

const LEARN_MORE: &str = "Learn more: https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/gemini";

/// Runs one request and returns its error.
async fn error_of(service: &Service, request: Value) -> String {
    let (job, lines) = service.run(&[json!({ "request": request })]).await;
    assert_eq!(job["completionStats"], json!({ "failedCount": "1" }), "{request}: {lines:?}");
    let line = parse(&lines[0]);
    assert!(line["status"].as_str().unwrap().starts_with("Bad Request: {"));
    row_error(&line)
}

fn asking(change: impl FnOnce(&mut Value)) -> Value {
    let mut request = line("", "x")["request"].clone();
    change(&mut request);
    request
}

#[tokio::test]
async fn a_bad_row_fails_alone_and_in_the_services_words() {
    let service = Service::start(JobsConfig::default()).await;
    let mut bad = line("bad", "x");
    bad["request"]["contents"][0]["role"] = json!("system");
    let (job, lines) = service.run(&[line("good", "x"), bad]).await;
    assert_eq!(job["completionStats"], json!({ "successfulCount": "1", "failedCount": "1" }));
    let lines: Vec<_> = lines.iter().map(|line| parse(line)).collect();
    assert_eq!(with_key(&lines, "good")["status"], "");
    assert_eq!(
        with_key(&lines, "bad")["status"],
        r#"Bad Request: {"error": {"code": 400, "message": "Please use a valid role: user, model.", "status": "INVALID_ARGUMENT"}}"#
    );
    assert_eq!(with_key(&lines, "bad")["response"], json!({}));
}

#[tokio::test]
async fn each_fault_of_a_request_has_its_sentence() {
    let service = Service::start(JobsConfig::default()).await;
    let config = |config: Value| asking(|request| request["generationConfig"] = config);
    let parts = |parts: Value| asking(|request| request["contents"][0]["parts"] = parts);
    for (request, message) in [
        (
            json!({ "contents": [] , "labels": { "a": "b" } }),
            format!("Unable to submit request because at least one contents field is required. {LEARN_MORE}"),
        ),
        (
            parts(json!([])),
            format!("Unable to submit request because it must include at least one parts field, which describes the prompt input. {LEARN_MORE}"),
        ),
        (
            parts(json!([{ "thought": true }])),
            format!("Unable to submit request because it must have a text parameter. Add a text parameter and try again. {LEARN_MORE}"),
        ),
        (
            parts(json!([{ "text": "" }])),
            format!("Unable to submit request because it has an empty text parameter. Add a value to the parameter and try again. {LEARN_MORE}"),
        ),
        (
            parts(json!([{ "fileData": { "fileUri": "gs://b/o", "mimeType": "picture" } }])),
            format!("Unable to submit request because it has a mimeType parameter with value picture, which is not supported. Update the mimeType and try again. {LEARN_MORE}"),
        ),
        (
            parts(json!([{ "file_data": { "file_uri": "C:/o.png", "mime_type": "image/png" } }])),
            "Invalid file URI: \"C:/o.png\". Only Cloud Storage, HTTP and YouTube URIs are supported.".to_owned(),
        ),
        (
            config(json!({ "maxOutputTokens": 70_000 })),
            format!("Unable to submit request because it has a maxOutputTokens value of 70000 but the supported range is from 1 (inclusive) to 65537 (exclusive). Update the value and try again. {LEARN_MORE}"),
        ),
        (
            config(json!({ "temperature": 2.5 })),
            format!("Unable to submit request because it has a temperature value of 2.5 but the supported range is from 0 (inclusive) to 2 (inclusive). Update the value and try again. {LEARN_MORE}"),
        ),
        (
            config(json!({ "responseSchema": { "type": "STRING" } })),
            format!("Unable to submit request because a response schema is only supported with responseMimeType application/json or text/x.enum. Update the responseMimeType and try again. {LEARN_MORE}"),
        ),
        (
            config(json!({ "responseMimeType": "application/json", "responseSchema": { "type": "STRING" }, "responseJsonSchema": { "type": "string" } })),
            "Only one of response_schema and response_json_schema can be set.".to_owned(),
        ),
        (
            config(json!({ "responseMimeType": "text/csv" })),
            format!("Unable to submit request because it has a responseMimeType parameter with value text/csv, which is not supported. Update the responseMimeType and try again. {LEARN_MORE}"),
        ),
        (
            config(json!({ "thinkingConfig": { "thinkingBudget": 1, "thinkingLevel": "LOW" } })),
            "Only one of thinkingLevel and thinkingBudget may be set in thinkingConfig.".to_owned(),
        ),
        (
            config(json!({ "imageConfig": { "imageSize": "4K" } })),
            "Image size 4K is not supported in batch prediction.".to_owned(),
        ),
        (
            config(json!({ "responseSchema": { "type_": "STRING" } })),
            "Invalid JSON payload received. Unknown name \"type_\" at 'generation_config.response_schema': Cannot find field.".to_owned(),
        ),
        (
            asking(|request| request["labels"] = json!({ "id": "N 7" })),
            "Invalid label \"id\": \"N 7\". Label keys and values can only contain lowercase letters, numbers, dashes and underscores. Keys must start with a letter, and neither can be longer than 63 characters.".to_owned(),
        ),
        (
            asking(|request| request["labels"] = json!({ "7": "a" })),
            "Invalid label \"7\": \"a\". Label keys and values can only contain lowercase letters, numbers, dashes and underscores. Keys must start with a letter, and neither can be longer than 63 characters.".to_owned(),
        ),
        (
            asking(|request| request["cachedContent"] = json!("projects/p/locations/l/cachedContents/1")),
            "Cached content is not supported in batch prediction.".to_owned(),
        ),
        (
            asking(|request| request["tools"] = json!([{ "retrieval": { "vertexRagStore": { "similarityTopK": 3 } } }])),
            "RAG is not supported in batch prediction.".to_owned(),
        ),
        (
            json!("a bare prompt"),
            "Invalid value (type.googleapis.com/google.cloud.aiplatform.v1.GenerateContentRequest), \"a bare prompt\"".to_owned(),
        ),
    ] {
        assert_eq!(error_of(&service, request).await, message);
    }
}

#[tokio::test]
async fn label_values_of_digits_alone_become_numbers_and_fail() {
    let rows: Vec<_> = ["7", "12"]
        .map(|value| {
            let mut row = line(value, "x");
            row["request"]["labels"] = json!({ "id": value });
            row
        })
        .into();
    let service = Service::start(JobsConfig::default()).await;
    let (job, lines) = service.run(&rows).await;
    assert_eq!(job["completionStats"], json!({ "failedCount": "2" }));
    let mut lines: Vec<_> = lines.iter().map(|line| parse(line)).collect();
    lines.sort_by_key(|line| line["key"].as_i64());
    // The key too comes back as a number, which is no fault.
    assert_eq!(lines[0]["key"], 7);
    assert_eq!(row_error(&lines[0]), "Invalid value at 'labels.id' (TYPE_STRING), 7");
    assert_eq!(lines[0]["request"]["labels"]["id"], 7);

    // One value with a letter, and all of them stay strings.
    let mut mixed = rows.clone();
    mixed[1]["request"]["labels"]["id"] = json!("n12");
    let (job, lines) = service.run(&mixed).await;
    assert_eq!(job["completionStats"], json!({ "successfulCount": "2" }));
    let first = parse(&lines[0]);
    assert!(first["request"]["labels"]["id"].is_string() && first["key"].is_i64());

    // And without retyping there is nothing to see.
    let plain = Service::start(JobsConfig { retype_digits: false, ..JobsConfig::default() }).await;
    let (job, lines) = plain.run(&rows).await;
    assert_eq!(job["completionStats"], json!({ "successfulCount": "2" }));
    assert!(parse(&lines[0])["key"].is_string());
}

#[tokio::test]
async fn rows_that_are_done_already_stay_as_they_are() {
    let service = Service::faulty(&["fail-row=2"]).await;
    let rows: Vec<_> = (0..5).map(|i| line(&format!("r{i}"), "x")).collect();
    let (first, lines) = service.run(&rows).await;
    assert_eq!(first["completionStats"], json!({ "successfulCount": "3", "failedCount": "2" }));
    // The output of a job is the input of the next.
    service.clock.advance(std::time::Duration::from_secs(60));
    let (second, again) = service.run_text(&lines.concat()).await;
    assert_eq!(second["completionStats"], json!({ "successfulCount": "5" }));
    assert_eq!(again.len(), 5);
    for line in &lines {
        let done = parse(line)["status"] == "";
        assert_eq!(again.contains(line), done, "{line}");
    }
    assert!(again.iter().all(|line| parse(line)["status"] == ""));
}
