//! What is repeated, when, and what is said where it is not.

use std::time::Duration;

use batch_backend::Kind;
use batch_http::{AccessToken, Credentials, HttpClient, HttpConfig, RetryPolicy};

use crate::server::{Server, Step, TestClock, broken, client, config, create, get, ok, reply};

#[tokio::test]
async fn an_idempotent_call_is_repeated_until_it_succeeds() {
    for failure in [408, 429, 500, 502, 503, 504] {
        let (clock, server) =
            (TestClock::new(), Server::start([reply(failure, "", ""), reply(failure, "", ""), ok("{}")]).await);
        let response = client(&server.url, &clock).send(&get()).await.unwrap();
        assert_eq!((response.status.as_u16(), &response.body[..]), (200, &b"{}"[..]), "after {failure}");
        assert_eq!(clock.waits(), [0.5, 1.0], "after {failure}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_the_call_is_not_repeated() {
    for failure in [400, 401, 403, 404, 409, 412, 501, 302] {
        let (clock, server) = (TestClock::new(), Server::start([reply(failure, "", "")]).await);
        let error = client(&server.url, &clock).send(&get()).await.unwrap_err();
        assert_eq!(error.service().unwrap().http_status, failure);
        assert_eq!((error.attempts(), error.kind()), (1, Kind::from_http(failure)));
        assert!(clock.waits().is_empty());
    }
}

#[tokio::test]
async fn it_gives_up_after_the_last_attempt_and_says_how_many_there_were() {
    let (clock, server) = (TestClock::new(), Server::start((0..4).map(|_| reply(503, "", "busy"))).await);
    let error = client(&server.url, &clock).send(&get()).await.unwrap_err();
    assert_eq!(error.to_string(), "look at gs://news: 503 service unavailable: busy (after 4 attempts)");
    assert_eq!(clock.waits(), [0.5, 1.0, 2.0], "no wait after the last");
    assert!(!error.maybe_done(), "looking changes nothing");
}

#[tokio::test]
async fn it_gives_up_where_the_next_wait_would_end_after_the_deadline() {
    let (clock, server) = (TestClock::new(), Server::start((0..3).map(|_| reply(503, "", ""))).await);
    let retry = RetryPolicy { max_attempts: 10, deadline: Duration::from_secs(3), ..RetryPolicy::default() };
    let config = HttpConfig { retry, ..config(&server.url, Credentials::anonymous(), &clock) };
    let error = HttpClient::new(config).unwrap().send(&get()).await.unwrap_err();
    assert_eq!((error.attempts(), clock.waits()), (3, vec![0.5, 1.0]));
}

#[tokio::test]
async fn retry_after_is_waited_for_in_seconds_and_until_a_date() {
    let date = "retry-after: Sat, 21 Nov 2026 00:00:50 GMT\r\n";
    let steps = [reply(429, "retry-after: 7\r\n", ""), reply(503, date, ""), reply(503, date, ""), ok("")];
    let (clock, server) = (TestClock::new(), Server::start(steps).await);
    client(&server.url, &clock).send(&get()).await.unwrap();
    // The second time the date has passed, and the backoff is what is left.
    assert_eq!(clock.waits(), [7.0, 43.0, 2.0]);
}

#[tokio::test]
async fn who_asks_for_too_long_a_wait_is_not_called_again_but_quoted() {
    let (clock, server) = (TestClock::new(), Server::start([reply(429, "retry-after: 3600\r\n", "")]).await);
    let error = client(&server.url, &clock).send(&get()).await.unwrap_err();
    assert_eq!(error.service().unwrap().retry_after, Some(Duration::from_secs(3600)));
    assert!(clock.waits().is_empty());
}

#[tokio::test]
async fn a_reply_that_breaks_off_or_never_comes_is_asked_for_again() {
    let steps = [broken("{\"half"), Step::Hang, Step::Send("HTTP/1.1 ".to_owned()), ok("{\"whole\":1}")];
    let (clock, server) = (TestClock::new(), Server::start(steps).await);
    let response = client(&server.url, &clock).send(&get()).await.unwrap();
    assert_eq!(&response.body[..], b"{\"whole\":1}");
    assert_eq!(server.requests().len(), 4);
}

#[tokio::test]
async fn nothing_that_may_have_been_created_is_created_twice() {
    let may_be = [
        reply(500, "", ""),
        reply(503, "retry-after: 1\r\n", ""),
        reply(504, "", ""),
        reply(408, "", ""),
        Step::Hang,
        broken("{\"name\":"),
    ];
    for step in may_be {
        let (clock, server) = (TestClock::new(), Server::start([step, ok("{}")]).await);
        let error = client(&server.url, &clock).send(&create()).await.unwrap_err();
        assert!(error.maybe_done(), "{error:?}");
        assert_eq!((error.attempts(), server.requests().len()), (1, 1), "{error:?}");
        assert!(error.kind().is_transient(), "{error:?}");
    }
}

#[tokio::test]
async fn a_call_that_was_cut_off_may_have_been_done() {
    let said = |status: &str| format!(r#"{{"error":{{"code":409,"message":"no","status":"{status}"}}}}"#);
    for (code, status) in
        [(499, ""), (499, "CANCELLED"), (409, "ABORTED"), (400, "DEADLINE_EXCEEDED"), (403, "UNAVAILABLE")]
    {
        let (clock, server) = (TestClock::new(), Server::start([reply(code, "", &said(status)), ok("{}")]).await);
        let error = client(&server.url, &clock).send(&create()).await.unwrap_err();
        assert!(error.maybe_done(), "{error:?}");
        assert_eq!((error.attempts(), server.requests().len()), (1, 1), "{error:?}");
    }
    for (code, status) in [(409, "ALREADY_EXISTS"), (403, "PERMISSION_DENIED"), (400, "INVALID_ARGUMENT")] {
        let (clock, server) = (TestClock::new(), Server::start([reply(code, "", &said(status))]).await);
        let error = client(&server.url, &clock).send(&create()).await.unwrap_err();
        assert!(!error.maybe_done(), "{error:?}");
    }
}

#[tokio::test]
async fn what_certainly_was_not_created_is_tried_again() {
    let (clock, server) = (TestClock::new(), Server::start([reply(429, "", ""), ok("{}")]).await);
    client(&server.url, &clock).send(&create()).await.unwrap();
    assert_eq!(server.requests().len(), 2);

    let (clock, server) = (TestClock::new(), Server::nobody().await);
    let error = client(&server.url, &clock).send(&create()).await.unwrap_err();
    assert_eq!((error.attempts(), error.maybe_done(), error.kind()), (4, false, Kind::Unavailable));
    let port = server.url.rsplit(':').next().unwrap();
    assert_eq!(
        error.hint().unwrap(),
        format!("is the emulator running? `batch-cli emulator --port {port}` starts one there")
    );

    let (clock, server) = (TestClock::new(), Server::start([reply(400, "", "")]).await);
    let error = client(&server.url, &clock).send(&create()).await.unwrap_err();
    assert!(!error.maybe_done(), "a refusal creates nothing");
}

#[tokio::test]
async fn doubt_about_one_attempt_is_not_forgotten_by_the_next() {
    // The reply to a deletion is lost; the next attempt finds nothing to delete.
    let (clock, server) = (TestClock::new(), Server::start([Step::Hang, reply(404, "", "")]).await);
    let request = batch_http::Request::delete(batch_http::Service::Storage, ["storage", "v1", "b", "x"]);
    let error = client(&server.url, &clock).send(&request).await.unwrap_err();
    assert_eq!((error.kind(), error.maybe_done(), error.attempts()), (Kind::NotFound, true, 2));
}

#[tokio::test]
async fn a_refused_token_is_renewed_once() {
    let tokens = || {
        let count = std::sync::atomic::AtomicU32::new(1);
        Credentials::from_fn("a test", move || {
            let number = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            async move { Ok::<_, std::io::Error>(AccessToken::new(format!("token-{number}"), None)) }
        })
    };
    // A create as well: what is refused for its token is not done.
    let (clock, server) = (TestClock::new(), Server::start([reply(401, "", ""), ok("{}")]).await);
    let http = HttpClient::new(config(&server.url, tokens(), &clock)).unwrap();
    http.send(&create()).await.unwrap();
    let bearers = ["Bearer token-1", "Bearer token-2"].map(|bearer| Some(bearer.to_owned()));
    assert_eq!(server.headers("authorization"), bearers);
    assert!(clock.waits().is_empty(), "at once");

    let (clock, server) = (TestClock::new(), Server::start([reply(401, "", ""), reply(401, "", "")]).await);
    let http = HttpClient::new(config(&server.url, tokens(), &clock)).unwrap();
    let error = http.send(&get()).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (Kind::Unauthenticated, 2));
    assert!(error.hint().unwrap().contains("gcloud auth application-default login"));
}

#[tokio::test]
async fn a_token_that_nothing_renews_is_refused_once() {
    let (clock, server) = (TestClock::new(), Server::start([reply(401, "", "")]).await);
    let http = HttpClient::new(config(&server.url, Credentials::access_token("t"), &clock)).unwrap();
    let error = http.send(&get()).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (Kind::Unauthenticated, 1));
}
