//! A server that follows a script, a clock that only moves when somebody waits, and a client of both.

use std::{
    error::Error as _,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use batch_backend::Error;
use batch_http::{Clock, Credentials, Endpoints, HttpClient, HttpConfig, Jitter, Request, RetryPolicy, Service};
use http::Method;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What the server does with one request.
pub(crate) enum Step {
    /// Sends these bytes, and closes the connection.
    Send(String),
    /// Reads the request, and closes the connection.
    Hang,
}

/// A reply with a status, headers (each with its line end) and a body.
pub(crate) fn reply(status: u16, headers: &str, body: &str) -> Step {
    let length = body.len();
    Step::Send(format!("HTTP/1.1 {status} -\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"))
}

/// A success with a body.
pub(crate) fn ok(body: &str) -> Step {
    reply(200, "", body)
}

/// A success whose body breaks off.
pub(crate) fn broken(body: &str) -> Step {
    Step::Send(format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 1000\r\n\r\n{body}"))
}

/// A server on loopback. After its last step it is gone: a connection is refused.
pub(crate) struct Server {
    /// `http://127.0.0.1:PORT`.
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Serves one request for each step.
    pub(crate) async fn start(steps: impl IntoIterator<Item = Step>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, steps) = (Arc::clone(&requests), steps.into_iter().collect::<Vec<_>>());
        tokio::spawn(async move {
            for step in steps {
                let (mut socket, _) = listener.accept().await.unwrap();
                let request = read(&mut socket).await;
                seen.lock().unwrap().push(request);
                if let Step::Send(bytes) = step {
                    socket.write_all(bytes.as_bytes()).await.unwrap();
                }
                let _ = socket.shutdown().await;
            }
        });
        Self { url, requests }
    }

    /// An address where nobody listens.
    pub(crate) async fn nobody() -> Self {
        Self::start([]).await.ended().await
    }

    async fn ended(self) -> Self {
        let address = self.url.trim_start_matches("http://");
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        self
    }

    /// The requests, head and body, as they came.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// A header of each request.
    pub(crate) fn headers(&self, name: &str) -> Vec<Option<String>> {
        let header = |request: &String| {
            let head = request.split("\r\n\r\n").next().unwrap();
            let mut lines = head.lines().filter_map(|line| line.split_once(": "));
            lines.find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
        };
        self.requests().iter().map(header).collect()
    }
}

/// One request: its head, and as much body as it announces.
async fn read(socket: &mut TcpStream) -> String {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return text;
            }
        }
        match socket.read(&mut buffer).await.unwrap() {
            0 => return text,
            read => bytes.extend_from_slice(&buffer[..read]),
        }
    }
}

/// A clock that stands still but for the waits, which it notes and does not take.
#[derive(Debug, Clone)]
pub(crate) struct TestClock {
    now: Arc<Mutex<SystemTime>>,
    waits: Arc<Mutex<Vec<Duration>>>,
}

impl TestClock {
    /// 2026-11-21 00:00:00 UTC.
    pub(crate) fn new() -> Self {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_219_200);
        Self { now: Arc::new(Mutex::new(now)), waits: Arc::default() }
    }

    /// The waits so far, in seconds.
    pub(crate) fn waits(&self) -> Vec<f64> {
        self.waits.lock().unwrap().iter().map(Duration::as_secs_f64).collect()
    }

    /// Moves on.
    pub(crate) fn advance(&self, duration: Duration) {
        *self.now.lock().unwrap() += duration;
    }
}

#[async_trait]
impl Clock for TestClock {
    fn now(&self) -> SystemTime {
        *self.now.lock().unwrap()
    }

    async fn sleep(&self, duration: Duration) {
        self.waits.lock().unwrap().push(duration);
        self.advance(duration);
    }
}

/// The settings of a client of a server, with a test's clock and no jitter.
pub(crate) fn config(url: &str, credentials: Credentials, clock: &TestClock) -> HttpConfig {
    HttpConfig {
        clock: Arc::new(clock.clone()),
        jitter: Jitter::from_fn(|| 1.0),
        retry: RetryPolicy { max_attempts: 4, ..RetryPolicy::default() },
        ..HttpConfig::new(Endpoints::all_at(url).unwrap(), credentials)
    }
}

/// A client without a login.
pub(crate) fn client(url: &str, clock: &TestClock) -> HttpClient {
    HttpClient::new(config(url, Credentials::anonymous(), clock)).unwrap()
}

/// A call that may be repeated.
pub(crate) fn get() -> Request {
    Request::get(Service::Storage, ["storage", "v1", "b", "news"]).about("look at", "gs://news")
}

/// A call that creates something.
pub(crate) fn create() -> Request {
    Request::new(Method::POST, vertex(), ["v1", "projects", "p", "locations", "us-central1", "batchPredictionJobs"])
        .about("create the job", "\"news\"")
        .json(&serde_json::json!({"displayName": "news"}))
        .unwrap()
}

/// Vertex AI in a location.
pub(crate) fn vertex() -> Service {
    Service::Vertex("us-central1".parse().unwrap())
}

/// An error and its causes, one a line, and the hint.
pub(crate) fn told(error: &Error) -> String {
    let mut lines = vec![error.to_string()];
    let mut source = error.source();
    while let Some(cause) = source {
        lines.push(format!("  because {cause}"));
        source = cause.source();
    }
    lines.extend(error.hint().map(|hint| format!("  hint: {hint}")));
    lines.join("\n")
}
