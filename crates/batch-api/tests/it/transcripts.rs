//! The transcripts of `fixtures/wire/jobs/`: we are served the replies, and have to send the requests.
//! The emulator's tests send the same requests, and get the same replies.

use std::path::Path;

use batch_backend::{JobService, Kind, ListJobs};
use batch_model::{BatchPredictionJob, JobName};
use serde_json::{Value, json};

use crate::script::{Script, TestClock};

/// A transcript, its placeholders filled: times with a time, all else with digits.
fn read(file: &Path) -> Value {
    let text = std::fs::read_to_string(file).unwrap();
    let mut parts = text.split("{{");
    let mut filled = parts.next().unwrap().to_owned();
    for part in parts {
        let (name, rest) = part.split_once("}}").unwrap();
        match name {
            "time" => filled.push_str("2026-11-21T03:00:00.123456Z"),
            // One number for each name.
            name => filled.push_str(&name.bytes().fold(7, |sum, byte| sum * 31 + u64::from(byte)).to_string()),
        }
        filled.push_str(rest);
    }
    serde_json::from_str(&filled).unwrap()
}

/// A request as [`Script`] keeps it, with its body as JSON.
fn parse(request: &str) -> Value {
    let (line, body) = request.split_once('\n').unwrap_or((request, "null"));
    let (method, path) = line.split_once(' ').unwrap();
    json!({ "method": method, "path": path, "body": serde_json::from_str::<Value>(body).unwrap() })
}

#[tokio::test]
async fn what_we_send_is_what_the_files_say_and_what_we_make_of_it_loses_nothing() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/wire/jobs");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 10, "{files:?}");
    for file in files {
        let exchange = read(&file);
        let (request, response) = (&exchange["request"], &exchange["response"]);
        let status = u16::try_from(response["status"].as_u64().unwrap()).unwrap();
        let script = Script::start(&[(status, &response["body"].to_string())]).await;
        let jobs = script.jobs(&TestClock::default());
        let (method, path) = (request["method"].as_str().unwrap(), request["path"].as_str().unwrap());
        let name = || path.trim_start_matches("/v1/").trim_end_matches(":cancel").parse::<JobName>().unwrap();
        let job = || serde_json::from_value::<BatchPredictionJob>(request["body"].clone()).unwrap();
        let as_json = |job| serde_json::to_value(job).unwrap();
        let made = match method {
            "POST" if path.ends_with(":cancel") => jobs.cancel(&name()).await.map(|()| json!({})),
            "POST" => jobs.create(&job()).await.map(as_json),
            "DELETE" => jobs.delete(&name()).await.map(|()| response["body"].clone()),
            _ if path.contains('?') => jobs.list(&query(path)).await.map(|page| {
                let jobs: Vec<Value> = page.jobs.into_iter().map(as_json).collect();
                match page.next_page_token {
                    Some(token) => json!({ "batchPredictionJobs": jobs, "nextPageToken": token }),
                    None => json!({ "batchPredictionJobs": jobs }),
                }
            }),
            _ => jobs.get(&name()).await.map(as_json),
        };
        let shown = file.display();
        let sent: Vec<Value> = script.requests().iter().map(|request| parse(request)).collect();
        let expected = json!({ "method": method, "path": path, "body": request.get("body") });
        assert_eq!(sent, [expected], "{shown}");
        match made {
            Ok(made) => assert_eq!((200, &made), (status, &response["body"]), "{shown}"),
            Err(error) => {
                let kind = match status {
                    400 => Kind::FailedPrecondition,
                    404 => Kind::NotFound,
                    other => panic!("{shown}: {other}: {error:?}"),
                };
                assert_eq!(error.kind(), kind, "{shown}");
                let message = error.service().and_then(|service| service.message.clone());
                assert_eq!(json!(message), response["body"]["error"]["message"], "{shown}");
            }
        }
    }
}

/// The query of a path, as a caller would say it.
fn query(path: &str) -> ListJobs {
    let mut query = ListJobs::default();
    let (_, pairs) = path.split_once('?').unwrap();
    for (name, value) in pairs.split('&').map(|pair| pair.split_once('=').unwrap()) {
        match name {
            "filter" => query.filter = value.replace("%3D", "=").replace("%22", "\""),
            "pageSize" => query.page_size = Some(value.parse().unwrap()),
            "pageToken" => query.page_token = Some(value.to_owned()),
            other => panic!("{other}"),
        }
    }
    query
}
