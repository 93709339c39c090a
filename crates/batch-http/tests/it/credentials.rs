//! One token for all, fetched once, renewed in time.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use batch_backend::Kind;
use batch_http::{AccessToken, Clock, Credentials, HttpClient};

use crate::server::{Server, TestClock, config, create, get, ok, told};

/// Tokens that are numbered and last `lifetime`, and how many there were.
fn numbered(clock: &TestClock, lifetime: Duration) -> (Credentials, Arc<AtomicU32>, Arc<AtomicBool>) {
    let (count, down) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
    let (counter, is_down, clock) = (Arc::clone(&count), Arc::clone(&down), clock.clone());
    let credentials = Credentials::from_fn("a test", move || {
        let number = counter.fetch_add(1, Ordering::SeqCst) + 1;
        let (down, expires_at) = (is_down.load(Ordering::SeqCst), clock.now() + lifetime);
        async move {
            // Gives the others a chance to ask as well.
            tokio::task::yield_now().await;
            if down {
                return Err(io::Error::other("the token server is down"));
            }
            Ok(AccessToken::new(format!("token-{number}"), Some(expires_at)))
        }
    });
    (credentials, count, down)
}

#[tokio::test]
async fn many_calls_at_once_fetch_one_token() {
    let (clock, server) = (TestClock::new(), Server::start((0..32).map(|_| ok("{}"))).await);
    let (credentials, count, _) = numbered(&clock, Duration::from_secs(3600));
    let http = HttpClient::new(config(&server.url, credentials, &clock)).unwrap();
    let calls: Vec<_> = (0..32)
        .map(|_| {
            let http = http.clone();
            tokio::spawn(async move { http.send(&get()).await.map(|_| ()) })
        })
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(count.load(Ordering::SeqCst), 1);
    assert!(server.headers("authorization").iter().all(|bearer| bearer.as_deref() == Some("Bearer token-1")));
}

#[tokio::test]
async fn a_token_is_renewed_before_it_expires() {
    let (clock, server) = (TestClock::new(), Server::start([ok(""), ok(""), ok("")]).await);
    let (credentials, ..) = numbered(&clock, Duration::from_secs(3600));
    let http = HttpClient::new(config(&server.url, credentials, &clock)).unwrap();
    http.send(&get()).await.unwrap();
    clock.advance(Duration::from_secs(3500));
    http.send(&get()).await.unwrap();
    clock.advance(Duration::from_secs(41));
    http.send(&get()).await.unwrap();
    let bearers = ["Bearer token-1", "Bearer token-1", "Bearer token-2"].map(|bearer| Some(bearer.to_owned()));
    assert_eq!(server.headers("authorization"), bearers);
}

#[tokio::test]
async fn a_token_that_still_lasts_is_used_while_none_can_be_had() {
    let (clock, server) = (TestClock::new(), Server::start([ok(""), ok("")]).await);
    let (credentials, _, down) = numbered(&clock, Duration::from_secs(3600));
    let http = HttpClient::new(config(&server.url, credentials, &clock)).unwrap();
    http.send(&get()).await.unwrap();
    down.store(true, Ordering::SeqCst);
    clock.advance(Duration::from_secs(3590));
    http.send(&get()).await.unwrap();
    clock.advance(Duration::from_secs(20));
    let error = http.send(&create()).await.unwrap_err();
    assert_eq!((error.kind(), error.maybe_done()), (Kind::Unauthenticated, false));
    assert_eq!(
        told(&error),
        "create the job \"news\": not logged in\n  because no token from a test: the token server is down"
    );
    assert_eq!(server.requests().len(), 2, "nothing is sent without a token");
}

#[tokio::test]
async fn without_a_login_nothing_is_sent_of_one() {
    let (clock, server) = (TestClock::new(), Server::start([ok("")]).await);
    let credentials = Credentials::anonymous().with_quota_project("billed");
    HttpClient::new(config(&server.url, credentials, &clock)).unwrap().send(&get()).await.unwrap();
    assert_eq!((server.headers("authorization"), server.headers("x-goog-user-project")), (vec![None], vec![None]));
}

#[tokio::test]
async fn the_quota_project_goes_along() {
    let (clock, server) = (TestClock::new(), Server::start([ok("")]).await);
    let credentials = Credentials::access_token("t").with_quota_project("billed");
    HttpClient::new(config(&server.url, credentials, &clock)).unwrap().send(&get()).await.unwrap();
    assert_eq!(server.headers("x-goog-user-project"), [Some("billed".to_owned())]);
}
