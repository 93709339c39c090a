//! Which login is found where.

use std::{path::Path, sync::Arc};

use batch_backend::{Kind, Result};
use batch_http::{Credentials, Endpoints, HttpClient, HttpConfig, RetryPolicy, Service, SystemClock};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::server::{Server, TestClock, config, get, ok, reply, told, vertex};

/// The login that an environment of these variables offers. No metadata server is looked for.
pub(crate) async fn discover(variables: &[(&str, &str)]) -> Result<Credentials> {
    let env = |name: &str| {
        let set = variables.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned());
        set.or_else(|| (name == "NO_GCE_CHECK").then(|| "true".to_owned()))
    };
    Credentials::discover(&env).await
}

/// The key of a service account that nobody has; its tokens come from `token_uri`.
fn service_account(token_uri: &str) -> Value {
    let body = include_str!("service_account_key.b64");
    let label = "PRIVATE KEY";
    json!({
        "type": "service_account",
        "project_id": "key-project",
        "private_key": format!("-----BEGIN {label}-----\n{body}-----END {label}-----\n"),
        "client_email": "batch@key-project.iam.gserviceaccount.com",
        "token_uri": token_uri,
    })
}

fn write(dir: &Path, name: &str, json: &Value) -> String {
    let path = dir.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, json.to_string()).unwrap();
    path.to_str().unwrap().to_owned()
}

/// An error, with the directory of the test taken out.
fn told_in(dir: &TempDir, error: &batch_backend::Error) -> String {
    told(error).replace(dir.path().to_str().unwrap(), "DIR")
}

#[tokio::test]
async fn a_token_in_the_environment_comes_first() {
    let both = [("GOOGLE_OAUTH_ACCESS_TOKEN", "first"), ("CLOUDSDK_AUTH_ACCESS_TOKEN", "second")];
    for (variables, expected) in [(&both[..], "Bearer first"), (&both[1..], "Bearer second")] {
        let (clock, server) = (TestClock::new(), Server::start([ok("")]).await);
        // A file that is not there would be an error: it is not looked at.
        let file = [("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/key.json")];
        let credentials = discover(&[variables, &file].concat()).await.unwrap();
        HttpClient::new(config(&server.url, credentials, &clock)).unwrap().send(&get()).await.unwrap();
        assert_eq!(server.headers("authorization"), [Some(expected.to_owned())]);
    }
}

#[tokio::test]
async fn a_service_accounts_key_logs_in() {
    let tokens = Server::start([
        ok(r#"{"access_token":"from-key-1","expires_in":3599,"token_type":"Bearer"}"#),
        ok(r#"{"access_token":"from-key-2","expires_in":3599,"token_type":"Bearer"}"#),
    ])
    .await;
    let (clock, dir) = (TestClock::new(), TempDir::new().unwrap());
    let path = write(dir.path(), "key.json", &service_account(&format!("{}/token", tokens.url)));
    let credentials = discover(&[("GOOGLE_APPLICATION_CREDENTIALS", &path)]).await.unwrap();
    assert_eq!(credentials.account(), Some("batch@key-project.iam.gserviceaccount.com"));
    assert_eq!(credentials.project(), Some("key-project"));
    assert!(tokens.requests().is_empty(), "no token is fetched before one is needed");

    let server = Server::start([ok(""), reply(401, "", ""), ok("")]).await;
    let http = HttpClient::new(config(&server.url, credentials, &clock)).unwrap();
    http.send(&get()).await.unwrap();
    http.send(&get()).await.unwrap();
    let bearers = ["Bearer from-key-1", "Bearer from-key-1", "Bearer from-key-2"].map(|bearer| Some(bearer.to_owned()));
    assert_eq!(server.headers("authorization"), bearers);
    let asked = &tokens.requests()[0];
    assert!(asked.contains("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=ey"), "{asked}");
}

#[tokio::test]
async fn a_token_server_that_is_down_is_no_refusal_of_a_key_that_has_worked() {
    let down = || (0..5).map(|_| reply(503, "", "down"));
    let first = ok(r#"{"access_token":"t","expires_in":1,"token_type":"Bearer"}"#);
    let (clock, dir) = (TestClock::new(), TempDir::new().unwrap());
    // The library asks five times by itself, in less than a second.
    for (replies, kind) in [
        (down().collect::<Vec<_>>(), Kind::Unauthenticated),
        (std::iter::once(first).chain(down()).collect(), Kind::Unavailable),
    ] {
        let has_worked = replies.len() > 5;
        let tokens = Server::start(replies).await;
        let path = write(dir.path(), "key.json", &service_account(&format!("{}/token", tokens.url)));
        let credentials = discover(&[("GOOGLE_APPLICATION_CREDENTIALS", &path)]).await.unwrap();
        // The library's tokens expire by the time of day.
        let config = HttpConfig { clock: Arc::new(SystemClock), ..config("http://127.0.0.1:1", credentials, &clock) };
        let http = HttpClient::new(HttpConfig { retry: RetryPolicy::never(), ..config }).unwrap();
        if has_worked {
            let refused = http.send(&get()).await.unwrap_err();
            assert!(refused.hint().unwrap().contains("is the emulator running?"), "the token is there: {refused:?}");
        }
        let error = http.send(&get()).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{}", told(&error));
    }
}

#[tokio::test]
async fn the_file_of_gcloud_is_found_in_its_usual_place_and_in_another() {
    let dir = TempDir::new().unwrap();
    let mut key = service_account("https://oauth2.googleapis.com/token");
    key["quota_project_id"] = json!("billed");
    let usual = if cfg!(windows) { "gcloud" } else { ".config/gcloud" };
    write(&dir.path().join(usual), "application_default_credentials.json", &key);
    let root = dir.path().to_str().unwrap();
    let usual = discover(&[(if cfg!(windows) { "APPDATA" } else { "HOME" }, root)]).await.unwrap();
    assert_eq!(usual.quota_project(), Some("billed"));

    key["quota_project_id"] = json!("elsewhere");
    write(&dir.path().join("moved"), "application_default_credentials.json", &key);
    let moved = dir.path().join("moved");
    let variables = [("HOME", root), ("CLOUDSDK_CONFIG", moved.to_str().unwrap())];
    assert_eq!(discover(&variables).await.unwrap().quota_project(), Some("elsewhere"));

    let variables = [&variables[..], &[("GOOGLE_CLOUD_QUOTA_PROJECT", "chosen")]].concat();
    assert_eq!(discover(&variables).await.unwrap().quota_project(), Some("chosen"));
}

#[tokio::test]
async fn where_there_is_no_login_all_places_are_named() {
    let dir = TempDir::new().unwrap();
    let root = dir.path().to_str().unwrap();
    let error = discover(&[("CLOUDSDK_CONFIG", root), ("PATH", root)]).await.unwrap_err();
    assert_eq!(error.kind(), Kind::NoCredentials);
    insta::assert_snapshot!(told_in(&dir, &error));
}

#[tokio::test]
async fn a_file_that_cannot_be_used_is_named() {
    let dir = TempDir::new().unwrap();
    let mut without_email = service_account("https://oauth2.googleapis.com/token");
    without_email.as_object_mut().unwrap().remove("client_email");
    let files = [
        ("no-type.json", json!({"installed": {}})),
        ("no-email.json", without_email),
        ("in-the-clear.json", service_account("http://tokens.example.com/token")),
    ];
    let mut said = Vec::new();
    for (name, json) in &files {
        let path = write(dir.path(), name, json);
        said.push(told_in(&dir, &discover(&[("GOOGLE_APPLICATION_CREDENTIALS", &path)]).await.unwrap_err()));
    }
    let cut = dir.path().join("cut.json");
    std::fs::write(&cut, r#"{"type": "service_account", "private_key": "very-secret"#).unwrap();
    for path in [cut, dir.path().join("missing.json")] {
        let variables = [("GOOGLE_APPLICATION_CREDENTIALS", path.to_str().unwrap())];
        said.push(told_in(&dir, &discover(&variables).await.unwrap_err()));
    }
    let said = said.join("\n");
    assert!(!said.contains("very-secret"));
    insta::assert_snapshot!(said);
}

#[tokio::test]
async fn a_type_that_nothing_can_use_is_named() {
    let dir = TempDir::new().unwrap();
    let path = write(dir.path(), "strange.json", &json!({"type": "gdch_service_account"}));
    let error = discover(&[("GOOGLE_APPLICATION_CREDENTIALS", &path)]).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unsupported);
    assert!(told_in(&dir, &error).contains("of the type \"gdch_service_account\""));
}

#[cfg(not(feature = "google-auth"))]
#[tokio::test]
async fn what_needs_the_feature_says_so() {
    let dir = TempDir::new().unwrap();
    let path = write(dir.path(), "wif.json", &json!({"type": "external_account"}));
    let error = discover(&[("GOOGLE_APPLICATION_CREDENTIALS", &path)]).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unsupported);
    insta::assert_snapshot!(told_in(&dir, &error));
}

#[tokio::test]
async fn for_services_of_this_machine_no_login_is_looked_for() {
    let needed = [Service::Storage, vertex()];
    let asked = std::sync::Mutex::new(Vec::new());
    let env = |name: &str| {
        asked.lock().unwrap().push(name.to_owned());
        (name == "GOOGLE_OAUTH_ACCESS_TOKEN").then(|| "real".to_owned())
    };
    let here = Endpoints::all_at("http://127.0.0.1:1").unwrap();
    assert!(Credentials::for_endpoints(&here, &needed, &env).await.unwrap().is_anonymous());
    assert!(asked.lock().unwrap().is_empty());
    assert!(!Credentials::for_endpoints(&Endpoints::default(), &needed, &env).await.unwrap().is_anonymous());
}
