//! A server that follows a script, for what no honest server does.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use batch_api::VertexJobs;
use batch_http::{Clock, Credentials, Endpoints, HttpClient, HttpConfig, Jitter};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// A server on loopback that serves one request for each reply.
pub(crate) struct Script {
    url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Script {
    /// A reply is a status and a body; without a status the connection is closed instead.
    pub(crate) async fn start(replies: &[(u16, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let replies: Vec<_> = replies.iter().map(|(status, body)| (*status, (*body).to_owned())).collect();
        let seen = Arc::clone(&requests);
        tokio::spawn(async move {
            for (status, body) in replies {
                let (mut socket, _) = listener.accept().await.unwrap();
                let request = read(&mut socket).await;
                seen.lock().unwrap().push(request);
                if status != LOST {
                    let head = format!("HTTP/1.1 {status} -\r\nconnection: close\r\ncontent-length: {}", body.len());
                    socket.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).await.unwrap();
                }
                let _ = socket.shutdown().await;
            }
        });
        Self { url, requests }
    }

    /// What was sent: of each request the method, the path and the body.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// The jobs of `my-project` in `us-central1`, as this server has them.
    pub(crate) fn jobs(&self, clock: &TestClock) -> VertexJobs {
        jobs_at(&self.url, Credentials::anonymous(), clock)
    }
}

/// In place of a status: the reply gets lost.
pub(crate) const LOST: u16 = 0;

/// The jobs of `my-project` in `us-central1`, of the server at `url`.
pub(crate) fn jobs_at(url: &str, credentials: Credentials, clock: &TestClock) -> VertexJobs {
    VertexJobs::new(client(url, credentials, clock), "my-project", "us-central1".parse().unwrap())
}

/// A client of the server at `url`, without jitter.
pub(crate) fn client(url: &str, credentials: Credentials, clock: &TestClock) -> HttpClient {
    let config = HttpConfig::new(Endpoints::all_at(url).unwrap(), credentials);
    HttpClient::new(HttpConfig { clock: Arc::new(clock.clone()), jitter: Jitter::from_fn(|| 1.0), ..config }).unwrap()
}

async fn read(socket: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                let line = head.lines().next().unwrap().trim_end_matches(" HTTP/1.1");
                return if body.is_empty() { line.to_owned() } else { format!("{line}\n{body}") };
            }
        }
        assert_ne!(socket.read_buf(&mut bytes).await.unwrap(), 0, "the request breaks off: {text}");
    }
}

/// A clock that waits in no time, and notes the waits.
#[derive(Debug, Clone, Default)]
pub(crate) struct TestClock {
    waits: Arc<Mutex<Vec<Duration>>>,
}

impl TestClock {
    /// The waits so far, in seconds.
    pub(crate) fn waits(&self) -> Vec<f64> {
        self.waits.lock().unwrap().iter().map(Duration::as_secs_f64).collect()
    }
}

#[async_trait]
impl Clock for TestClock {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }

    async fn sleep(&self, duration: Duration) {
        self.waits.lock().unwrap().push(duration);
    }
}
