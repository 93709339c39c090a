//! Replies that are read piece by piece, and what is sent with a call.

use batch_backend::Kind;
use batch_http::{Request, Service};
use http::{HeaderName, HeaderValue, Method};

use crate::server::{Server, TestClock, broken, client, create, get, ok, reply};

#[tokio::test]
async fn a_stream_is_retried_up_to_its_head_and_then_told_as_it_is() {
    let (clock, server) = (TestClock::new(), Server::start([reply(503, "", ""), broken("first half")]).await);
    let mut stream = client(&server.url, &clock).stream(&get()).await.unwrap();
    assert_eq!(clock.waits(), [0.5]);
    let mut read = Vec::new();
    let error = loop {
        match stream.chunk().await {
            Ok(Some(chunk)) => read.extend_from_slice(&chunk),
            Ok(None) => panic!("the body is not whole"),
            Err(error) => break error,
        }
    };
    assert_eq!(read, b"first half");
    assert_eq!((error.kind(), error.resource()), (Kind::Unavailable, "gs://news"));
}

#[tokio::test]
async fn a_stream_ends() {
    let (clock, server) = (TestClock::new(), Server::start([ok("all of it")]).await);
    let mut stream = client(&server.url, &clock).stream(&get()).await.unwrap();
    let mut read = Vec::new();
    while let Some(chunk) = stream.chunk().await.unwrap() {
        read.extend_from_slice(&chunk);
    }
    assert_eq!(read, b"all of it");
}

#[tokio::test]
async fn a_call_is_sent_as_it_was_described() {
    let (clock, server) = (TestClock::new(), Server::start([ok(""), ok(""), ok("")]).await);
    let http = client(&format!("{}/prefix/", server.url), &clock);
    let request = Request::get(Service::Storage, ["storage", "v1", "b", "news", "o", "in/日本 1.jsonl"])
        .query("fields", "name,size")
        .query("prefix", "a&b=c")
        .header(HeaderName::from_static("range"), HeaderValue::from_static("bytes=7-"));
    http.send(&request).await.unwrap();
    http.send(&create()).await.unwrap();
    http.send(&Request::to_url(Method::PUT, Service::Storage, format!("{}/session?id=1", server.url))).await.unwrap();

    let address = server.url.trim_start_matches("http://").to_owned();
    let requests = server.requests().into_iter().map(|request| request.replace(&address, "HOST")).collect::<Vec<_>>();
    let version = concat!("batch-cli/", env!("CARGO_PKG_VERSION"));
    insta::assert_snapshot!(requests.join("\n---\n").replace("\r\n", "\n").replace(version, "batch-cli/VERSION"));
}

#[tokio::test]
async fn a_name_that_would_lead_elsewhere_is_not_sent() {
    let (clock, server) = (TestClock::new(), Server::start([ok("")]).await);
    for name in ["", ".", ".."] {
        let request = Request::delete(Service::Storage, ["storage", "v1", "b", "news", "o", name]);
        let error = client(&server.url, &clock).send(&request).await.unwrap_err();
        assert_eq!(error.kind(), Kind::InvalidArgument, "{name:?}");
    }
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_reply_that_is_not_what_it_should_be_is_quoted() {
    let (clock, server) = (TestClock::new(), Server::start([ok("<html>hello</html>")]).await);
    let response = client(&server.url, &clock).send(&get()).await.unwrap();
    let error = response.json::<serde_json::Value>().unwrap_err();
    assert_eq!(error.kind(), Kind::BadReply);
    assert_eq!(error.to_string(), "look at gs://news: 200 reply not understood: <html>hello</html>");
}
