//! Tokens are sent where they may be, and shown nowhere.

use std::{
    error::Error as _,
    io,
    sync::{Arc, Mutex},
};

use batch_backend::Kind;
use batch_http::{AccessToken, Credentials, EndpointSettings, Endpoints, HttpClient, HttpConfig, Request, Service};
use http::Method;
use tracing_subscriber::fmt::MakeWriter;

use crate::server::{Server, Step, TestClock, config, create, get, ok, reply, told, vertex};

const SECRET: &str = "ya29.very-secret";

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn no_event_error_or_debug_text_shows_a_token() {
    let log = Log::default();
    let writer = log.clone();
    // For the whole process: what one thread alone listens to, another may have switched off. What
    // other tests log shows none of the secrets of this one either.
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(writer).with_ansi(false);
    tracing::subscriber::set_global_default(subscriber.finish()).unwrap();

    let (clock, steps) = (TestClock::new(), [ok("{}"), reply(500, "", "down"), reply(401, "", "no"), Step::Hang]);
    let server = Server::start(steps).await;
    let http = HttpClient::new(config(&server.url, Credentials::access_token(SECRET), &clock)).unwrap();
    let mut shown = format!("{http:?} {:?}", AccessToken::new(SECRET, None));
    let request = get().query("access_token", "query-secret");
    shown += &format!("{:?}", http.send(&request).await.unwrap());
    for request in [create(), get(), create()] {
        let error = http.send(&request).await.unwrap_err();
        shown += &format!("{error:?} {}", told(&error));
    }
    let url = format!("{}/session?upload_id=query-secret", server.url);
    let error = http.send(&Request::to_url(Method::POST, Service::Storage, url)).await.unwrap_err();
    shown += &format!("{error:?} {}", told(&error));

    assert_eq!(server.headers("authorization")[0].as_deref(), Some("Bearer ya29.very-secret"), "it is sent");
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let ours: Vec<&str> = log.lines().filter(|line| line.contains("batch_http::")).collect();
    assert!(ours.iter().any(|line| line.contains("status=500")), "{ours:#?}");
    for text in [&shown, &log] {
        assert!(!text.contains(SECRET), "{text}");
    }
    for text in [shown, ours.join("\n")] {
        assert!(!text.contains("query-secret"), "{text}");
    }
}

/// A client of storage at `url`.
fn storage_at(url: &str, credentials: Credentials) -> HttpClient {
    let settings = EndpointSettings { storage: Some(url.to_owned()), ..EndpointSettings::default() };
    HttpClient::new(HttpConfig::new(Endpoints::new(&settings, &|_| None).unwrap(), credentials)).unwrap()
}

#[tokio::test]
async fn no_token_goes_over_plain_http_to_another_machine() {
    // An address for documentation: were anything sent, the test would hang.
    let http = storage_at("http://192.0.2.1:9023", Credentials::access_token(SECRET));
    let errors = [
        http.send(&get()).await.unwrap_err(),
        http.stream(&get()).await.unwrap_err(),
        http.base_url(&Service::Storage).unwrap_err(),
        // Nor to where a reply says that an upload goes on.
        http.send(&Request::to_url(Method::PUT, Service::Storage, "http://192.0.2.1/up?id=query-secret"))
            .await
            .unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), Kind::FailedPrecondition);
        assert!(error.source().unwrap().to_string().contains("plain http"));
        assert!(error.to_string().starts_with("send a token to http://192.0.2.1"), "{error}");
        assert!(!told(&error).contains("secret"), "{}", told(&error));
    }
}

#[test]
fn plain_http_is_for_this_machine_and_for_who_sends_no_token() {
    let base =
        |url, credentials| storage_at(url, credentials).base_url(&Service::Storage).map_err(|error| error.kind());
    let token = || Credentials::access_token(SECRET);
    assert_eq!(base("localhost:9023", token()).unwrap(), "http://localhost:9023");
    assert_eq!(base("http://[::1]:9023/", token()).unwrap(), "http://[::1]:9023");
    assert_eq!(base("https://storage.example.com", token()).unwrap(), "https://storage.example.com");
    assert_eq!(base("emulator:9023", Credentials::anonymous()).unwrap(), "http://emulator:9023");
    assert_eq!(base("emulator:9023", token()).unwrap_err(), Kind::FailedPrecondition);
    assert_eq!(base("http://localhost.example.com", token()).unwrap_err(), Kind::FailedPrecondition);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Server::start([ok("{}")]).await;
    let (clock, step) = (TestClock::new(), reply(302, &format!("location: {}/x\r\n", elsewhere.url), ""));
    let server = Server::start([step]).await;
    let http = HttpClient::new(config(&server.url, Credentials::access_token(SECRET), &clock)).unwrap();
    let error = http.send(&get()).await.unwrap_err();
    assert_eq!(error.service().unwrap().http_status, 302);
    assert!(elsewhere.requests().is_empty());
}

#[tokio::test]
async fn a_token_that_is_no_header_is_refused_without_being_shown() {
    let (clock, server) = (TestClock::new(), Server::start([]).await);
    let http = HttpClient::new(config(&server.url, Credentials::access_token("sec\nret"), &clock)).unwrap();
    let error = http.send(&Request::get(vertex(), ["v1"])).await.unwrap_err();
    assert_eq!(told(&error), "GET /v1: not logged in\n  because the token has characters that no header can carry");
}
