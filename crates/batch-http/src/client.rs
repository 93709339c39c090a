//! The client: one call, made until it succeeds or there is no point in making it again.

use std::{pin::Pin, sync::Arc, time::Duration};

use batch_backend::{Error, Kind, Result};
use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Method, StatusCode, header};
use url::Url;

use crate::{
    Clock, Credentials, Endpoints, Jitter, Request, Response, RetryPolicy, Service, StreamingResponse, SystemClock,
    credentials::login_failed, endpoints::is_loopback, envelope, hint, init_tls, request::Target, secret::Secret,
};

/// How much is read of the reply to a call that failed.
const ERROR_BODY: usize = 1 << 20;

/// What an [`HttpClient`] is made of.
#[derive(Debug, Clone)]
pub struct HttpConfig {
    /// Where the services are.
    pub endpoints: Endpoints,
    /// Who we are.
    pub credentials: Credentials,
    /// What we call ourselves: `batch-cli/VERSION`.
    pub user_agent: String,
    /// How long a connection may take.
    pub connect_timeout: Duration,
    /// How long nothing may come from the service, before the reply and within it.
    pub read_timeout: Duration,
    /// When a call is made again.
    pub retry: RetryPolicy,
    /// What the time is, and how to wait.
    pub clock: Arc<dyn Clock>,
    /// By how much waits vary.
    pub jitter: Jitter,
}

impl HttpConfig {
    /// The usual settings: 10 s to connect, 60 s of silence, the default [`RetryPolicy`], the system's
    /// clock.
    #[must_use]
    pub fn new(endpoints: Endpoints, credentials: Credentials) -> Self {
        Self {
            endpoints,
            credentials,
            user_agent: concat!("batch-cli/", env!("CARGO_PKG_VERSION")).to_owned(),
            connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(60),
            retry: RetryPolicy::default(),
            clock: Arc::new(SystemClock),
            jitter: Jitter::random(),
        }
    }
}

/// What is known of a call whose failure has this status (`google.rpc.Code`): of these the service only knows that it did
/// not come to its end, whatever the number beside it.
fn effect_of(status: Option<&str>) -> Effect {
    let is_open = |status| {
        matches!(
            status,
            "CANCELLED" | "UNKNOWN" | "DEADLINE_EXCEEDED" | "ABORTED" | "INTERNAL" | "UNAVAILABLE" | "DATA_LOSS"
        )
    };
    if status.is_some_and(is_open) { Effect::Unknown } else { Effect::None }
}

/// The client through which every call of ours to Google Cloud goes. Clones share connections and login.
///
/// What it repeats, by itself and as [`RetryPolicy`] says:
///
/// | failure | idempotent call | other call |
/// | --- | --- | --- |
/// | no connection, no token for the moment | again | again |
/// | 429 | again | again: the service says that it did nothing |
/// | 408, 500, 502, 503, 504, a lost or broken reply | again | no; the error is [`maybe_done`](Error::maybe_done) |
/// | 499, or a status such as `CANCELLED` or `ABORTED` with any other | no | no; the same |
/// | 401 | once, at once, with a new token | the same |
/// | anything else | no | no |
///
/// (The documentation of the service does not promise that a 503 means "nothing was done", hence the
/// caution.) Redirects are not followed. A token is never sent over plain http but to this machine,
/// and what goes to this machine goes through no proxy.
#[derive(Debug, Clone)]
pub struct HttpClient {
    config: Arc<HttpConfig>,
    /// For services elsewhere: through the system's proxy, where one is set.
    remote: reqwest::Client,
    /// For services on this machine.
    local: reqwest::Client,
}

/// Whether a call that failed had an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// Certainly none: it was not sent, or it was refused.
    None,
    /// Nobody knows.
    Unknown,
}

/// One attempt that failed.
struct Failure {
    error: Error,
    effect: Effect,
    /// Whether the same attempt may succeed later.
    transient: bool,
    retry_after: Option<Duration>,
    /// The service did not take the token of this generation.
    refused_token: Option<u64>,
}

impl Failure {
    /// A failure that no further attempt mends.
    fn permanent(error: Error) -> Self {
        Self { error, effect: Effect::None, transient: false, retry_after: None, refused_token: None }
    }
}

/// What an attempt brings back: the head, and the body whole or on the way.
enum Reply {
    Whole(Response),
    Streaming(StreamingResponse),
}

impl HttpClient {
    /// A client.
    ///
    /// # Errors
    /// `InvalidArgument` for a user agent that is no header, `Other` where the system's TLS roots or
    /// proxy settings cannot be read.
    pub fn new(config: HttpConfig) -> Result<Self> {
        init_tls();
        let user_agent = HeaderValue::from_str(&config.user_agent).map_err(|error| {
            Error::new(Kind::InvalidArgument, "use the user agent", &config.user_agent).with_source(error)
        })?;
        let builder = || {
            reqwest::Client::builder()
                .user_agent(user_agent.clone())
                .connect_timeout(config.connect_timeout)
                .read_timeout(config.read_timeout)
                .redirect(reqwest::redirect::Policy::none())
                // The one retry loop is ours.
                .retry(reqwest::retry::never())
        };
        let failed = |error: reqwest::Error| Error::new(Kind::Other, "make", "an HTTP client").with_source(error);
        let remote = builder().build().map_err(failed)?;
        let local = builder().no_proxy().build().map_err(failed)?;
        Ok(Self { config: Arc::new(config), remote, local })
    }

    /// The login.
    #[must_use]
    pub fn credentials(&self) -> &Credentials {
        &self.config.credentials
    }

    /// Where the services are.
    #[must_use]
    pub fn endpoints(&self) -> &Endpoints {
        &self.config.endpoints
    }

    /// What the time is, and how to wait.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.config.clock
    }

    /// By how much waits vary.
    #[must_use]
    pub fn jitter(&self) -> &Jitter {
        &self.config.jitter
    }

    /// Adds to a failure of another client with our login what a person can do about it, where nothing is
    /// said yet: log in again, look at the address.
    #[must_use]
    pub fn advise(&self, error: Error, service: &Service) -> Error {
        match error.kind() {
            _ if error.hint().is_some() => error,
            Kind::Unauthenticated => error.with_hint("log in again: `gcloud auth application-default login`"),
            Kind::Unavailable if error.service().is_none() => {
                let address = self.endpoints().base_url(service);
                error
                    .with_hint(format!("see that {address} can be reached from here, and that it is the right address"))
            }
            _ => error,
        }
    }

    /// The base URL of a service, without a slash at its end, checked to be one that the login may be
    /// sent to: for clients that are not this one.
    ///
    /// # Errors
    /// `FailedPrecondition` where a token would go over plain http to another machine.
    pub fn base_url(&self, service: &Service) -> Result<String> {
        let base = self.config.endpoints.base_url(service);
        self.check(&parse(&base)?)?;
        Ok(base)
    }

    /// Makes a call and reads the whole reply.
    ///
    /// # Errors
    /// What the service answered, as it said it; how many attempts were made; whether the call may have
    /// had an effect; and, where we know, what to do about it.
    pub async fn send(&self, request: &Request) -> Result<Response> {
        match self.repeat(request, true).await? {
            Reply::Whole(response) => Ok(response),
            Reply::Streaming(_) => Err(Error::new(Kind::BadReply, &request.doing, &request.resource)),
        }
    }

    /// Makes a call and hands over the reply as soon as its headers are there.
    ///
    /// # Errors
    /// As for [`send`](Self::send), up to the headers.
    pub async fn stream(&self, request: &Request) -> Result<StreamingResponse> {
        match self.repeat(request, false).await? {
            Reply::Streaming(response) => Ok(response),
            Reply::Whole(_) => Err(Error::new(Kind::BadReply, &request.doing, &request.resource)),
        }
    }

    /// In a box, so that the code of the whole client behind it is made in this crate, once, and not in
    /// each crate that waits for a call.
    fn repeat<'a>(
        &'a self,
        request: &'a Request,
        whole: bool,
    ) -> Pin<Box<dyn Future<Output = Result<Reply>> + Send + 'a>> {
        Box::pin(self.repeated(request, whole))
    }

    async fn repeated(&self, request: &Request, whole: bool) -> Result<Reply> {
        let HttpConfig { clock, retry, jitter, credentials, .. } = &*self.config;
        let url = self.url(request)?;
        let began = clock.now();
        let (mut attempt, mut refused_token, mut maybe_done) = (0, None, false);
        loop {
            attempt += 1;
            let failure = match self.attempt(request, &url, whole, refused_token, attempt).await {
                Ok(reply) => return Ok(reply),
                Err(failure) => failure,
            };
            maybe_done |= failure.effect == Effect::Unknown && !request.method.is_safe();
            let give_up = |error: Error| error.with_attempts(attempt).with_maybe_done(maybe_done);
            if failure.refused_token.is_some() && refused_token.is_none() && credentials.is_renewable() {
                refused_token = failure.refused_token;
                continue;
            }
            let may_repeat = request.idempotent || failure.effect == Effect::None;
            if !failure.transient || !may_repeat {
                return Err(give_up(failure.error));
            }
            let elapsed = clock.now().duration_since(began).unwrap_or_default();
            let Some(wait) = retry.wait(attempt, elapsed, failure.retry_after, jitter.draw()) else {
                return Err(give_up(failure.error));
            };
            tracing::debug!(error = %failure.error, attempt, ?wait, "trying again");
            clock.sleep(wait).await;
        }
    }

    async fn attempt(
        &self,
        request: &Request,
        url: &Url,
        whole: bool,
        refused_token: Option<u64>,
        attempt: u32,
    ) -> Result<Reply, Failure> {
        let config = &*self.config;
        let about = |kind| Error::new(kind, &request.doing, &request.resource);
        let client = if is_loopback(url) { &self.local } else { &self.remote };
        let mut builder = client.request(request.method.clone(), url.clone()).headers(request.headers.clone());
        if !request.body.is_empty() {
            builder = builder.body(request.body.clone().into_body());
        } else if !matches!(request.method, Method::GET | Method::HEAD | Method::DELETE) {
            // Front ends insist on a length, of nothing too.
            builder = builder.header(header::CONTENT_LENGTH, 0);
        }
        let token = config.credentials.token(config.clock.now(), refused_token).await.map_err(|error| Failure {
            transient: error.is_transient(),
            error: login_failed(error, &request.doing, &request.resource),
            effect: Effect::None,
            retry_after: None,
            refused_token: None,
        })?;
        if let Some(token) = &token {
            let bearer = bearer(&token.secret)
                .map_err(|why| Failure::permanent(about(Kind::Unauthenticated).with_source(why)))?;
            builder = builder.header(header::AUTHORIZATION, bearer);
            if let Some(project) = config.credentials.quota_project() {
                builder = builder.header("x-goog-user-project", project);
            }
        }
        let path = url.path();
        let sent = builder.send().await;
        let reply = sent.map_err(|error| {
            tracing::debug!(method = %request.method, host = url.host_str(), path, attempt, "no reply");
            self.broken(error, url, about)
        })?;
        let status = reply.status();
        tracing::debug!(method = %request.method, host = url.host_str(), path, status = status.as_u16(), attempt, "reply");
        if !status.is_success() {
            return Err(self.refused(request, reply, token.map(|token| token.generation)).await);
        }
        let headers = reply.headers().clone();
        let (doing, resource) = (request.doing.clone(), request.resource.clone());
        if !whole {
            return Ok(Reply::Streaming(StreamingResponse { status, headers, inner: reply, doing, resource }));
        }
        let body = reply.bytes().await.map_err(|error| self.broken(error, url, about))?;
        Ok(Reply::Whole(Response { status, headers, body, doing, resource }))
    }

    /// A failure below HTTP: no connection, or one that broke.
    fn broken(&self, error: reqwest::Error, url: &Url, about: impl Fn(Kind) -> Error) -> Failure {
        // Not sent at all, or sent and nobody knows.
        let effect = if error.is_connect() || error.is_builder() { Effect::None } else { Effect::Unknown };
        let kind = match () {
            () if error.is_builder() => Kind::InvalidArgument,
            () if error.is_timeout() => Kind::DeadlineExceeded,
            () => Kind::Unavailable,
        };
        let transient = !error.is_builder();
        let is_connect = error.is_connect();
        let mut failed = about(kind).with_source(error.without_url());
        if is_connect && is_loopback(url) {
            let port = url.port_or_known_default().unwrap_or_default();
            failed = failed
                .with_hint(format!("is the emulator running? `batch-cli emulator --port {port}` starts one there"));
        } else if is_connect {
            failed = failed.with_hint(format!(
                "see that {} can be reached from here, and that its name is right",
                url.host_str().unwrap_or_default()
            ));
        }
        Failure { error: failed, effect, transient, retry_after: None, refused_token: None }
    }

    /// A reply that is not a success.
    async fn refused(&self, request: &Request, mut reply: reqwest::Response, token: Option<u64>) -> Failure {
        let status = reply.status();
        let mut body = BytesMut::new();
        // What cannot be read of it is missing from the message; the status stands.
        while body.len() < ERROR_BODY {
            match reply.chunk().await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) | Err(_) => break,
            }
        }
        let config = &*self.config;
        let service = envelope::service_error(status, reply.headers(), &body, config.clock.now());
        let kind = envelope::kind(&service);
        let hint = hint::hint(kind, &service, request, &config.credentials);
        let retry_after = service.retry_after;
        let mut error = Error::new(kind, &request.doing, &request.resource).with_service(service);
        if let Some(hint) = hint {
            error = error.with_hint(hint);
        }
        let transient = matches!(status.as_u16(), 408 | 429 | 500 | 502..=504);
        // Of these the service only knows that it failed, not how far it had come.
        let effect = match status.as_u16() {
            408 | 499 | 500.. => Effect::Unknown,
            _ => effect_of(error.service().and_then(|service| service.status.as_deref())),
        };
        let refused_token = token.filter(|_| status == StatusCode::UNAUTHORIZED);
        Failure { error, effect, transient, retry_after, refused_token }
    }

    /// The address of a request, checked to be one that the login may be sent to.
    fn url(&self, request: &Request) -> Result<Url> {
        if let Some(segment) = request.impossible_segment() {
            return Err(Error::new(Kind::InvalidArgument, &request.doing, &request.resource)
                .with_source(format!("{segment:?} is no name that a path can hold")));
        }
        let base = match &request.target {
            Target::Segments(_) => format!("{}{}", self.config.endpoints.base_url(&request.service), request.path()),
            Target::Url(url) => url.clone(),
        };
        let mut url = parse(&base)?;
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&request.query);
        }
        self.check(&url)?;
        Ok(url)
    }

    /// Refuses to send a token over plain http but to this machine.
    fn check(&self, url: &Url) -> Result<()> {
        if self.config.credentials.is_anonymous() || url.scheme() == "https" || is_loopback(url) {
            return Ok(());
        }
        let place = url.origin().ascii_serialization();
        Err(Error::new(Kind::FailedPrecondition, "send a token to", place)
            .with_source("plain http shows it to everybody on the way")
            .with_hint("use https, an address of this machine, or no login"))
    }
}

/// `Authorization`'s value, marked so that nothing prints it.
pub(crate) fn bearer(token: &Secret) -> Result<HeaderValue, &'static str> {
    let mut value = HeaderValue::from_maybe_shared(Bytes::from(format!("Bearer {}", token.reveal())))
        .map_err(|_| "the token has characters that no header can carry")?;
    value.set_sensitive(true);
    Ok(value)
}

fn parse(url: &str) -> Result<Url> {
    // The query, where there is one, may hold what nobody should read.
    let shown = url.split(['?', '#']).next().unwrap_or_default();
    Url::parse(url).map_err(|error| Error::new(Kind::InvalidArgument, "use the URL", shown).with_source(error))
}
