//! The frame: who is let in, what is logged, how it ends.

use std::net::SocketAddr;

use batch_emulator::{Config, Emulator, ErrorKind, Faults};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::http::{Reply, send};

async fn start(config: Config) -> Emulator {
    Emulator::start(Config { buckets: vec!["bucket".to_owned()], ..config }).await.unwrap()
}

async fn get(emulator: &Emulator, path: &str) -> Reply {
    send(emulator.url(), "GET", path, None).await.unwrap()
}

#[tokio::test]
async fn unknown_paths_are_named() {
    let emulator = start(Config::default()).await;
    assert_eq!(
        get(&emulator, "/v2/nothing?x=y").await.error(),
        (404, "NOT_FOUND".to_owned(), "The emulator serves no GET /v2/nothing.".to_owned())
    );
    let storage = get(&emulator, "/storage/v1/b/bucket/acl").await;
    let error = &storage.json()["error"];
    assert_eq!(
        (storage.status, &error["message"]),
        (404, &json!("The emulator serves no GET /storage/v1/b/bucket/acl."))
    );
    assert_eq!(error["errors"][0]["reason"], "notFound");
}

#[tokio::test]
async fn only_the_loopback_interface_unless_told_otherwise() {
    let addr: SocketAddr = "0.0.0.0:0".parse().unwrap();
    let error = Emulator::start(Config { addr, ..Config::default() }).await.unwrap_err();
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::Config, "0.0.0.0:0 is no loopback address".to_owned()));
    assert!(error.hint().unwrap().contains("remote clients"));
    Emulator::start(Config { addr, allow_remote: true, ..Config::default() }).await.unwrap().shutdown().await;
}

#[tokio::test]
async fn settings_that_make_no_sense_are_refused() {
    for external in ["batch.test:80", "ftp://batch.test", "http://batch.test/path"] {
        let config = Config { external_url: Some(external.to_owned()), ..Config::default() };
        assert_eq!(Emulator::start(config).await.unwrap_err().kind(), ErrorKind::Config, "{external}");
    }
    let config = Config { buckets: vec!["Not_A_Bucket".to_owned()], ..Config::default() };
    let error = Emulator::start(config).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string()),
        (ErrorKind::Config, "failed to make bucket \"Not_A_Bucket\"".to_owned())
    );
    let taken = start(Config::default()).await;
    let addr = taken.url().strip_prefix("http://").unwrap().parse().unwrap();
    let error = Emulator::start(Config { addr, ..Config::default() }).await.unwrap_err();
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::Bind, format!("failed to listen on {addr}")));
}

#[tokio::test]
async fn a_token_is_given_out_and_then_required() {
    let emulator = start(Config { require_token: Some("secret".to_owned()), ..Config::default() }).await;
    let storage = get(&emulator, "/storage/v1/b/bucket").await;
    let error = &storage.json()["error"];
    assert_eq!((storage.status, &error["message"]), (401, &json!("Invalid Credentials")));
    assert_eq!(error["errors"][0]["location"], "Authorization");
    let (status, canonical, _) = get(&emulator, "/v1/projects/p/locations/l/batchPredictionJobs").await.error();
    assert_eq!((status, canonical.as_str()), (401, "UNAUTHENTICATED"));

    for grant in [
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=e30.e30.e30",
        "client_id=a&grant_type=refresh_token&refresh_token=b",
        r#"{"grant_type": "refresh_token", "refresh_token": "b"}"#,
    ] {
        let token = send(emulator.url(), "POST", "/token", Some(grant.as_bytes())).await.unwrap().ok();
        assert_eq!(token, json!({"access_token": "secret", "expires_in": 3599, "token_type": "Bearer"}), "{grant}");
    }
    let wrong = send(emulator.url(), "POST", "/token", Some(b"grant_type=password")).await.unwrap();
    assert_eq!((wrong.status, &wrong.json()["error"]), (400, &json!("unsupported_grant_type")));

    for (token, expected) in [("secret", 200), ("other", 401)] {
        let mut stream = TcpStream::connect(emulator.url().strip_prefix("http://").unwrap()).await.unwrap();
        let request = format!("GET /storage/v1/b/bucket HTTP/1.0\r\nAuthorization: Bearer {token}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut reply = String::new();
        tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut reply).await.unwrap();
        assert!(reply.starts_with(&format!("HTTP/1.0 {expected} ")), "{reply}");
    }
}

#[tokio::test]
async fn faults_can_be_set_and_requests_counted_while_it_runs() {
    let emulator = start(Config { faults: Faults::parse(["cut-upload=3"]).unwrap(), ..Config::default() }).await;
    let set = |body: &'static str| send(emulator.url(), "POST", "/emulator/faults", Some(body.as_bytes()));
    let faults = set(r#"{"storage-503": 1, "poll-503": 2}"#).await.unwrap().ok();
    assert_eq!(faults, json!({"cut-upload": 3, "poll-503": 2, "storage-503": 1}));
    let (status, _, message) = set(r#"{"storage-503": 9, "no-such": 1}"#).await.unwrap().error();
    assert_eq!(status, 400);
    assert!(message.starts_with("there is no fault \"no-such\"; the faults are "), "{message}");
    set(r#"{"cut-upload": 0}"#).await.unwrap().ok();
    assert_eq!(get(&emulator, "/emulator/faults").await.ok(), json!({"poll-503": 2, "storage-503": 1}));

    for expected in [503, 200] {
        assert_eq!(get(&emulator, "/storage/v1/b/bucket?x=%2F").await.status, expected);
    }
    let log = json!({"requests": [
        {"method": "GET", "path": "/storage/v1/b/bucket?x=%2F", "status": 503},
        {"method": "GET", "path": "/storage/v1/b/bucket?x=%2F", "status": 200},
    ]});
    assert_eq!(get(&emulator, "/emulator/log").await.ok(), log);
    assert_eq!(emulator.requests().len(), 2);
    emulator.faults().set("storage-503", 1).unwrap();
    assert_eq!(get(&emulator, "/storage/v1/b/bucket").await.status, 503);
}

#[tokio::test]
async fn a_client_that_does_not_finish_cannot_keep_it_from_ending() {
    let dir = tempfile::tempdir().unwrap();
    let config = || Config { data: Some(dir.path().to_owned()), ..Config::default() };
    let emulator = start(config()).await;
    let mut stream = TcpStream::connect(emulator.url().strip_prefix("http://").unwrap()).await.unwrap();
    let upload = "POST /upload/storage/v1/b/bucket/o?uploadType=media&name=a HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf";
    stream.write_all(upload.as_bytes()).await.unwrap();
    // Answered on another connection, so that the first is being served by then.
    get(&emulator, "/storage/v1/b/bucket").await;
    emulator.shutdown().await;
    // The lock of the directory is free, and the half object is none.
    let emulator = start(config()).await;
    assert_eq!(get(&emulator, "/storage/v1/b/bucket/o/a").await.status, 404);
}
