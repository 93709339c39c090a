//! Asking a model server over HTTP: how many at once, how long, how often again.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use reqwest::Url;
use serde_json::Value;
use tokio::sync::Semaphore;

use super::RowError;
use crate::random::Random;
use crate::{Error, ErrorKind};

/// The most bytes of a reply that are read.
const MOST_REPLY: usize = 64 << 20;

/// The most bytes of a reply that is no JSON which an error quotes.
const MOST_QUOTED: usize = 2 << 10;

/// After so many requests in a row that got no answer at all, the others are tried once: a
/// server that is gone shall not keep a job of thousands of rows for days.
const GONE: u32 = 3;

/// A model server, and perhaps the model it is asked for.
///
/// It is written `URL` or `URL#MODEL`. Without a model, a request asks for the model that
/// the job names.
///
/// ```
/// use batch_emulator::ModelServer;
///
/// let server: ModelServer = "http://127.0.0.1:8080/v1#smollm2".parse()?;
/// assert_eq!(server.url(), "http://127.0.0.1:8080/v1");
/// assert_eq!(server.model(), Some("smollm2"));
/// # Ok::<(), batch_emulator::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelServer {
    url: String,
    model: Option<String>,
}

impl ModelServer {
    /// The base address, without a slash at its end: what comes before `/chat/completions`
    /// or `/models/…:generateContent`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The model that every request asks for, where it is not the job's.
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// The address with its path extended; a query stays at the end.
    pub(super) fn endpoint(&self, path: &[&str]) -> Option<Url> {
        let mut url = Url::parse(&self.url).ok()?;
        url.path_segments_mut().ok()?.pop_if_empty().extend(path);
        Some(url)
    }
}

impl FromStr for ModelServer {
    type Err = Error;

    fn from_str(text: &str) -> Result<ModelServer, Error> {
        let (url, model) = match text.split_once('#') {
            Some((url, model)) => (url, Some(model.to_owned()).filter(|model| !model.is_empty())),
            None => (text, None),
        };
        // The text may hold a secret, so an error does not repeat it.
        let wrong = |what: &str| {
            Error::new(ErrorKind::Config, format!("the address of the model server {what}"))
                .with_hint("it is of the form http://HOST:PORT/v1, with #MODEL after it to choose the model")
        };
        let parsed = Url::parse(url).map_err(|error| wrong("is no URL").with_source(error))?;
        if !matches!(parsed.scheme(), "http" | "https") || !parsed.has_host() {
            return Err(wrong("is neither http:// nor https://"));
        }
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(wrong("holds a user or a password"));
        }
        Ok(ModelServer { url: url.trim_end_matches('/').to_owned(), model })
    }
}

impl fmt::Display for ModelServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)?;
        match &self.model {
            Some(model) => write!(f, "#{model}"),
            None => Ok(()),
        }
    }
}

/// The key that a model server asks for. It shows itself to nobody.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl From<String> for ApiKey {
    fn from(key: String) -> ApiKey {
        ApiKey(key)
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

/// How a model server is asked: [`Answer::OpenAi`](crate::Answer::OpenAi) and
/// [`Answer::Gemini`](crate::Answer::Gemini).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerOptions {
    /// How many requests are under way at once, over all jobs. Default: 4.
    pub concurrency: usize,
    /// How long one try may take, from the sending to the last byte. A try that takes
    /// longer fails its row. Default: five minutes.
    pub timeout: Duration,
    /// How many times a request is tried at most, the first included, where the server is
    /// not reached or answers 408, 429 or 5xx. Default: 5.
    pub attempts: u32,
    /// The wait before the second try; each later one is twice as long, a minute at most.
    /// A server may ask for more by `Retry-After`. Default: half a second.
    pub backoff: Duration,
    /// The key, sent as `Authorization: Bearer`, or as `x-goog-api-key` to a server with the
    /// paths of the Gemini Developer API. Default: none.
    pub api_key: Option<ApiKey>,
}

impl Default for AnswerOptions {
    fn default() -> AnswerOptions {
        AnswerOptions {
            concurrency: 4,
            timeout: Duration::from_secs(300),
            attempts: 5,
            backoff: Duration::from_millis(500),
            api_key: None,
        }
    }
}

/// How a key is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyHeader {
    /// `Authorization: Bearer KEY`.
    Bearer,
    /// `x-goog-api-key: KEY`.
    Google,
}

/// A connection to a model server.
#[derive(Debug)]
pub(super) struct Connection {
    client: reqwest::Client,
    options: AnswerOptions,
    permits: Semaphore,
    /// How many requests in a row got no answer.
    unanswered: AtomicU32,
}

/// Why a try failed.
struct Failed {
    error: RowError,
    /// Whether another try may help.
    again: bool,
    /// Whether there was no reply at all.
    unreached: bool,
    /// How long the server asks to wait.
    retry_after: Option<Duration>,
}

impl Connection {
    pub(super) fn new(server: &ModelServer, options: &AnswerOptions, key: KeyHeader) -> Result<Connection, Error> {
        // Without a provider for TLS the client panics, for http:// too. An error says that
        // the program has chosen one, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
            Error::new(ErrorKind::Config, "failed to make a client for the model server").with_source(error)
        };
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(ApiKey(secret)) = &options.api_key {
            let (name, text) = match key {
                KeyHeader::Bearer => (header::AUTHORIZATION, format!("Bearer {secret}")),
                KeyHeader::Google => (HeaderName::from_static("x-goog-api-key"), secret.clone()),
            };
            // The error of a header would not say more, and must not say what it was.
            let mut value = HeaderValue::from_str(&text)
                .map_err(|_| failed("the API key holds characters that a header cannot".into()))?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        let mut client = reqwest::Client::builder()
            .default_headers(headers)
            // A key goes to the server that was named and to no other.
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(30))
            .user_agent(concat!("batch-emulator/", env!("CARGO_PKG_VERSION")));
        if is_loopback(server.url()) {
            // What listens on this machine is not behind the proxy of the environment.
            client = client.no_proxy();
        }
        Ok(Connection {
            client: client.build().map_err(|error| failed(error.into()))?,
            permits: Semaphore::new(options.concurrency.clamp(1, Semaphore::MAX_PERMITS)),
            options: options.clone(),
            unanswered: AtomicU32::new(0),
        })
    }

    /// How many requests may be under way at once.
    pub(super) fn concurrency(&self) -> usize {
        self.options.concurrency.max(1)
    }

    /// Sends a body and gives the body of the reply, 2xx; tries again where that may help.
    /// `seed` is what the waits are drawn from.
    pub(super) async fn post(&self, url: &Url, body: Vec<u8>, seed: u64) -> Result<Vec<u8>, RowError> {
        // The semaphore is never closed.
        let _permit = self.permits.acquire().await;
        let body = bytes::Bytes::from(body);
        let random = Random::new(seed);
        let mut attempt = 1;
        loop {
            let tried = tokio::time::timeout(self.options.timeout, self.try_once(url, body.clone())).await;
            let failed = match tried.unwrap_or_else(|_| Err(self.too_slow(url))) {
                Ok(reply) => {
                    self.unanswered.store(0, Ordering::Relaxed);
                    return Ok(reply);
                }
                Err(failed) => failed,
            };
            let unanswered = match failed.unreached {
                true => self.unanswered.load(Ordering::Relaxed),
                false => 0,
            };
            let most = if unanswered >= GONE { 1 } else { self.options.attempts };
            let wait = wait(&self.options, attempt, failed.retry_after, random.next_u64());
            match wait.filter(|_| failed.again && attempt < most) {
                Some(wait) => {
                    tracing::debug!(attempt, ?wait, error = failed.error.message, "asking the model server again");
                    tokio::time::sleep(wait).await;
                    attempt += 1;
                }
                None => {
                    match failed.unreached {
                        true => drop(self.unanswered.fetch_add(1, Ordering::Relaxed)),
                        false => self.unanswered.store(0, Ordering::Relaxed),
                    }
                    tracing::warn!(attempt, error = failed.error.message, "the model server gave no answer");
                    return Err(failed.error);
                }
            }
        }
    }

    async fn try_once(&self, url: &Url, body: bytes::Bytes) -> Result<Vec<u8>, Failed> {
        let unreached = |error: &reqwest::Error| Failed {
            error: RowError {
                code: 503,
                message: self.public(&format!("{} was not reached: {}", name(url), chain(error))),
            },
            again: true,
            unreached: true,
            retry_after: None,
        };
        let mut reply = self.client.post(url.clone()).body(body).send().await.map_err(|error| unreached(&error))?;
        let (status, retry_after) = (reply.status(), retry_after(reply.headers()));
        let mut bytes = Vec::new();
        while let Some(chunk) = reply.chunk().await.map_err(|error| unreached(&error))? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > MOST_REPLY {
                let message = format!("{} sent a reply of more than {} MiB.", name(url), MOST_REPLY >> 20);
                return Err(Failed {
                    error: RowError { code: 500, message },
                    again: false,
                    unreached: false,
                    retry_after: None,
                });
            }
        }
        if status.is_success() {
            return Ok(bytes);
        }
        let message = self.public(&format!("{} replied {}: {}", name(url), status.as_u16(), said(&bytes)));
        Err(Failed {
            error: RowError { code: row_code(status), message },
            again: matches!(status.as_u16(), 408 | 429 | 500..),
            unreached: false,
            retry_after,
        })
    }

    fn too_slow(&self, url: &Url) -> Failed {
        let message = format!("{} took longer than {} s.", name(url), self.options.timeout.as_secs_f64());
        // Not again: what took so long once would, and the next row waits.
        Failed { error: RowError { code: 504, message }, again: false, unreached: true, retry_after: None }
    }

    /// A text without the key, which some servers repeat when they refuse it.
    fn public(&self, text: &str) -> String {
        match &self.options.api_key {
            Some(ApiKey(key)) if !key.is_empty() => text.replace(key.as_str(), "…"),
            _ => text.to_owned(),
        }
    }
}

/// The server as an error names it: without the query, which may hold anything.
pub(super) fn name(url: &Url) -> String {
    format!("The model server at {}", url.origin().ascii_serialization())
}

fn is_loopback(url: &str) -> bool {
    let host = Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// An error and its causes; the URL is said already.
fn chain(error: &reqwest::Error) -> String {
    let mut text = String::new();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&error.to_string());
        cause = error.source();
    }
    if text.is_empty() { "the connection broke".to_owned() } else { text }
}

/// What a server has to say about a request that it refuses: the message of the usual
/// envelopes, or the start of the text.
fn said(body: &[u8]) -> String {
    let json: Option<Value> = serde_json::from_slice(body).ok();
    let message = json.as_ref().and_then(|json| {
        let error = json.get("error").unwrap_or(json);
        [error.get("message"), json.get("message"), json.get("detail"), Some(error)]
            .into_iter()
            .flatten()
            .find_map(Value::as_str)
    });
    match message {
        Some(message) => message.to_owned(),
        None => {
            let text = String::from_utf8_lossy(body);
            text[..text.floor_char_boundary(MOST_QUOTED)].trim().to_owned()
        }
    }
}

/// The code of a row whose request got that status.
fn row_code(status: StatusCode) -> u16 {
    match status.as_u16() {
        code @ (401 | 403 | 404 | 429) => code,
        408 | 504 => 504,
        // A server that redirects is not the one that was meant.
        300..500 => 400,
        _ => 503,
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let end = httpdate::parse_http_date(text).ok()?;
    Some(end.duration_since(SystemTime::now()).unwrap_or_default())
}

/// How long to wait after try number `attempt` (from 1); `None` where the server asks for
/// more time than a try may take.
fn wait(options: &AnswerOptions, attempt: u32, retry_after: Option<Duration>, random: u64) -> Option<Duration> {
    const LONGEST: Duration = Duration::from_secs(60);
    if retry_after.is_some_and(|asked| asked > options.timeout) {
        return None;
    }
    let doublings = attempt.saturating_sub(1).min(16);
    let backoff = options.backoff.saturating_mul(1 << doublings).min(LONGEST);
    // Between half and all of it, so that those who failed together do not come back together.
    let share = 0.5 + 0.5 * (random as f64 / u64::MAX as f64);
    Some(backoff.mul_f64(share).max(retry_after.unwrap_or_default()))
}
