//! Google's own auth crate, on both sides of our login.

use batch_backend::Kind;
use batch_http::{AccessToken, Credentials, HttpClient};
use google_cloud_auth::credentials::{CacheableResource, EntityTag};
use http::{Extensions, HeaderMap};
use serde_json::json;
use tempfile::TempDir;

use crate::{
    discovery::discover,
    server::{Server, TestClock, config, get, ok, reply, told},
};

/// The headers that Google's clients get, and their tag.
async fn headers(credentials: &google_cloud_auth::credentials::Credentials) -> (HeaderMap, EntityTag) {
    match credentials.headers(Extensions::new()).await.unwrap() {
        CacheableResource::New { entity_tag, data } => (data, entity_tag),
        CacheableResource::NotModified => panic!("nothing was known yet"),
    }
}

/// A user's login in a file outside gcloud's usual place, with its tokens from `token_uri`.
fn user_file(dir: &TempDir, token_uri: &str) -> String {
    let path = dir.path().join("user.json");
    let json = json!({
        "type": "authorized_user", "client_id": "id", "client_secret": "client-secret",
        "refresh_token": "refresh-secret", "quota_project_id": "billed", "token_uri": token_uri,
    });
    std::fs::write(&path, json.to_string()).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn googles_clients_get_our_token_and_quota_project() {
    let ours = Credentials::access_token("ya29.secret").with_quota_project("billed");
    let google = ours.google();
    let (data, tag) = headers(&google).await;
    assert_eq!(data["authorization"], "Bearer ya29.secret");
    assert!(data["authorization"].is_sensitive());
    assert_eq!(data["x-goog-user-project"], "billed");
    assert!(!format!("{google:?} {data:?}").contains("secret"));

    let mut known = Extensions::new();
    known.insert(tag);
    assert!(matches!(google.headers(known).await.unwrap(), CacheableResource::NotModified));
}

#[tokio::test]
async fn without_a_login_googles_clients_get_no_headers() {
    let (data, _) = headers(&Credentials::anonymous().google()).await;
    assert!(data.is_empty());
}

#[tokio::test]
async fn a_new_token_has_a_new_tag() {
    let number = std::sync::atomic::AtomicU32::new(0);
    let ours = Credentials::from_fn("a test", move || {
        let number = number.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        // Expired when it comes, so that the next call fetches another.
        let past = std::time::SystemTime::UNIX_EPOCH;
        async move { Ok::<_, std::io::Error>(AccessToken::new(format!("token-{number}"), Some(past))) }
    });
    let google = ours.google();
    let ((first, first_tag), (second, second_tag)) = (headers(&google).await, headers(&google).await);
    assert_eq!(first["authorization"], "Bearer token-0");
    assert_eq!(second["authorization"], "Bearer token-1");
    assert_ne!(first_tag, second_tag);
}

#[tokio::test]
async fn a_login_that_fails_fails_googles_clients_too() {
    let ours = Credentials::from_fn("a test", || async { Err::<AccessToken, _>(std::io::Error::other("revoked")) });
    let error = ours.google().headers(Extensions::new()).await.unwrap_err();
    assert!(!error.is_transient());
}

#[tokio::test]
async fn a_users_login_in_any_file_works_and_is_renewed_after_a_refusal() {
    let token = |name: &str| ok(&json!({"access_token": name, "expires_in": 3599, "token_type": "Bearer"}).to_string());
    let (tokens, dir) = (Server::start([token("user-1"), token("user-2")]).await, TempDir::new().unwrap());
    let path = user_file(&dir, &format!("{}/token", tokens.url));
    let credentials = discover(&[("GOOGLE_APPLICATION_CREDENTIALS", &path)]).await.unwrap();
    assert_eq!(credentials.quota_project(), Some("billed"));
    let (clock, server) = (TestClock::new(), Server::start([ok(""), reply(401, "", ""), ok("")]).await);
    let http = HttpClient::new(config(&server.url, credentials.clone(), &clock)).unwrap();
    http.send(&get()).await.unwrap();
    http.send(&get()).await.unwrap();
    let bearers = ["Bearer user-1", "Bearer user-1", "Bearer user-2"].map(|bearer| Some(bearer.to_owned()));
    assert_eq!(server.headers("authorization"), bearers);
    // Google's clients share the token that our calls renewed.
    assert_eq!(headers(&credentials.google()).await.0["authorization"], "Bearer user-2");
}

#[tokio::test]
async fn a_revoked_login_is_told_in_the_servers_words_and_without_secrets() {
    let revoked = reply(400, "", r#"{"error":"invalid_grant","error_description":"Token has been revoked."}"#);
    let (tokens, dir) = (Server::start([revoked]).await, TempDir::new().unwrap());
    let path = user_file(&dir, &format!("{}/token", tokens.url));
    let credentials = discover(&[("GOOGLE_APPLICATION_CREDENTIALS", &path)]).await.unwrap();
    let (clock, server) = (TestClock::new(), Server::start([]).await);
    let error = HttpClient::new(config(&server.url, credentials, &clock)).unwrap().send(&get()).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (Kind::Unauthenticated, 1));
    let said = told(&error);
    assert!(said.contains("invalid_grant") && said.contains("Token has been revoked."), "{said}");
    assert!(said.ends_with("hint: log in again: `gcloud auth application-default login`"), "{said}");
    assert!(!format!("{said} {error:?}").contains("-secret"), "{said}");
}
