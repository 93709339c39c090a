//! Which files are read, and which rows fail a whole job.

use batch_emulator::JobsConfig;
use serde_json::{Value, json};

use super::{PARENT, Service, id, job, line, many, parse};

#[tokio::test]
async fn files_are_named_by_lists_and_stars() {
    let service = Service::start(JobsConfig::default()).await;
    for name in ["in/a.jsonl", "in/b.jsonl", "in/deep/c.jsonl", "in/d.txt"] {
        service.put(name, format!("{}\n", line(name, "text"))).await;
    }
    for (uris, keys) in [
        (json!(["gs://bucket/in/*.jsonl"]), vec!["in/a.jsonl", "in/b.jsonl", "in/deep/c.jsonl"]),
        (
            json!(["gs://bucket/in/b.jsonl", "gs://bucket/in/*.txt", "gs://bucket/in/b*"]),
            vec!["in/b.jsonl", "in/d.txt"],
        ),
    ] {
        let mut body = job("");
        body["inputConfig"]["gcsSource"]["uris"] = uris;
        let created = service.post(&format!("{PARENT}/batchPredictionJobs"), &body).await;
        let done = service.until(&id(&created.ok()), "JOB_STATE_SUCCEEDED").await;
        let lines = service.predictions(&done).await;
        let mut found: Vec<_> = lines.iter().map(|line| parse(line)["key"].as_str().unwrap().to_owned()).collect();
        found.sort();
        assert_eq!(found, keys);
        // Another job in the same directory would mix with the next round.
        service.clock.advance(std::time::Duration::from_secs(1));
    }
}

#[tokio::test]
async fn marks_blank_lines_and_carriage_returns_are_tolerated() {
    let service = Service::start(JobsConfig::default()).await;
    let text = format!(
        "\u{feff}{}\r\n\r\n   \n{}\n\n{}",
        line("a", "one\u{2028}two"),
        line("b", "x"),
        line("c", "no line end")
    );
    let (job, lines) = service.run_text(&text).await;
    assert_eq!(job["completionStats"], json!({ "successfulCount": "3" }));
    assert_eq!(lines.len(), 3);
    let lines: Vec<_> = lines.iter().map(|line| parse(line)).collect();
    let a = super::with_key(&lines, "a");
    assert_eq!(a["request"]["contents"][0]["parts"][0]["text"], "one\u{2028}two");
}

#[tokio::test]
async fn what_is_not_there_fails_the_job_and_not_the_creation() {
    let service = Service::start(JobsConfig::default()).await;
    for uri in ["gs://bucket/none.jsonl", "gs://bucket/none/*", "gs://other/in.jsonl"] {
        let created = service.post(&format!("{PARENT}/batchPredictionJobs"), &job(uri)).await;
        let failed = service.until(&id(&created.ok()), "JOB_STATE_FAILED").await;
        assert_eq!(
            failed["error"],
            json!({ "code": 3, "message": format!("Failed to import data. Not found: URI {uri}") })
        );
        assert!(failed.get("startTime").is_none(), "it never ran");
        assert!(failed["endTime"].is_string());
    }
    service.put("in.jsonl", many(1)).await;
    let mut body = job("gs://bucket/in.jsonl");
    body["outputConfig"]["gcsDestination"]["outputUriPrefix"] = json!("gs://other/out");
    let created = service.post(&format!("{PARENT}/batchPredictionJobs"), &body).await;
    let failed = service.until(&id(&created.ok()), "JOB_STATE_FAILED").await;
    assert_eq!(failed["error"]["code"], 5);
}

#[tokio::test]
async fn one_odd_row_fails_the_whole_job() {
    let service = Service::start(JobsConfig::default()).await;
    let good = line("a", "x").to_string();
    let request = |request: Value| json!({ "key": "b", "request": request }).to_string();
    let at = good.len() + 1;
    let row = |problem: &str| {
        format!(
            "Error while reading data, error message: JSON parsing error in row starting at position {at}: {problem}"
        )
    };
    for (odd, problem) in [
        ("{\"request\":".to_owned(), row("Parser terminated before end of string")),
        ("{'request':{}}".to_owned(), row("Unexpected token")),
        ("[1]".to_owned(), row("Start of array encountered without start of object.")),
        ("7".to_owned(), row("Value encountered without start of object.")),
        ("{\"key\":\"b\"}".to_owned(), row("Missing required field: request.")),
        (
            request(json!({ "contents": [{ "parts": [{ "text": "x" }] }], "tools": [{ "googleSearch": {} }] })),
            "Unsupported empty struct type for field 'request.tools.googleSearch'".to_owned(),
        ),
        (
            request(json!({ "contents": [{ "parts": [{ "text": "x" }] }], "labels": {} })),
            "Unsupported empty struct type for field 'request.labels'".to_owned(),
        ),
        (
            request(json!({ "contents": "x" })),
            row("Repeated field must be imported as a JSON array. Field: request.contents"),
        ),
        (
            request(json!({ "contents": [{ "parts": [{ "text": ["x"] }] }] })),
            row("Array specified for non-repeated field: request.contents.parts.text."),
        ),
        (
            json!({ "key": 7, "request": parse(&good)["request"] }).to_string(),
            row("Could not convert value from double to string. Field: key"),
        ),
    ] {
        let error = service.fail(&format!("{good}\n{odd}\n{good}\n")).await;
        assert_eq!(error["code"], 3);
        assert_eq!(error["message"], format!("Failed to import data. {problem} File: gs://bucket/in.jsonl"));
        assert!(error.get("details").is_none());
    }
    let error = service.fail("\n \n").await;
    assert_eq!(error["message"], "Failed to import data. The input has no rows.");
}

#[tokio::test]
async fn an_object_whose_only_member_is_null_is_no_empty_object() {
    let service = Service::start(JobsConfig::default()).await;
    let mut row = line("a", "x");
    row["request"]["tools"] = json!([{ "google_search": { "timeRangeFilter": null } }]);
    let (_, lines) = service.run(&[row.clone()]).await;
    assert_eq!(parse(&lines[0])["request"]["tools"], row["request"]["tools"]);
}

#[tokio::test]
async fn rows_with_too_many_different_fields_fail() {
    let service = Service::start(JobsConfig::default()).await;
    let mut text = String::new();
    for i in 0..60 {
        let mut row = line("a", "x");
        let fields: serde_json::Map<_, _> = (0..200).map(|n| (format!("f{i}_{n}"), json!(n))).collect();
        row["request"]["generationConfig"] = json!({ "responseJsonSchema": fields });
        text.push_str(&format!("{row}\n"));
    }
    let error = service.fail(&text).await;
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("max allowed field count: 10000"), "{message}");
}
