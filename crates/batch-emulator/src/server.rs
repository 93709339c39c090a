//! The socket, and which path goes where.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::uri::Authority;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::bigquery::{self, BigQuery, Store};
use crate::connection::{Connection, Connections};
use crate::context::Context;
use crate::envelope::ApiError;
use crate::jobs::Jobs;
use crate::log::RequestLog;
use crate::random::Random;
use crate::storage::{self, Objects, Storage};
use crate::{Config, Error, ErrorKind, Faults, LoggedRequest, admin, token};

/// How long [`Emulator::shutdown`] waits for requests that are being answered.
const GRACE: Duration = Duration::from_secs(1);

/// A running emulator. Dropping it stops it too, at once and without waiting.
#[derive(Debug)]
pub struct Emulator {
    addr: SocketAddr,
    context: Context,
    log: RequestLog,
    server: JoinHandle<()>,
    /// Cuts every connection when it is dropped.
    cut_all: DropGuard,
    _stop: DropGuard,
}

impl Emulator {
    /// Starts to listen; once this returns, requests are answered.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for an address outside the loopback interface that
    /// [`Config::allow_remote`] does not allow, an external address that is none, or a
    /// bucket name that the service would refuse; [`ErrorKind::Bind`] where the address
    /// is taken; [`ErrorKind::Data`] where the data directory cannot be used.
    pub async fn start(config: Config) -> Result<Emulator, Error> {
        if !config.allow_remote && !config.addr.ip().is_loopback() {
            return Err(Error::new(
                ErrorKind::Config,
                format!("{} is no loopback address", config.addr),
            )
            .with_hint(
                "the emulator knows no permissions; allow remote clients only where everybody who reaches the port may read everything",
            ));
        }
        let external = config.external_url.as_deref().map(external_url).transpose()?;
        let bind_error = |error: io::Error| {
            Error::new(ErrorKind::Bind, format!("failed to listen on {}", config.addr))
                .with_hint("port 0 picks a free port")
                .with_source(error)
        };
        let listener = TcpListener::bind(config.addr).await.map_err(bind_error)?;
        let bound = listener.local_addr().map_err(bind_error)?;
        let url: Arc<str> = match external {
            Some(url) => url.into(),
            None => format!("http://{bound}").into(),
        };

        let (objects, tables) = open_stores(&config).await?;
        let context = Context {
            url,
            clock: config.clock.clone(),
            random: Random::new(config.seed),
            faults: config.faults.clone(),
            objects,
            tables,
            stop: CancellationToken::new(),
            config: Arc::new(config),
        };
        let storage = Storage::open(&context).await?;
        let bigquery = BigQuery::open(&context).await?;
        let jobs = Jobs::open(&context).await?;
        let log = RequestLog::default();
        let app = Router::new()
            .merge(jobs.router())
            .merge(storage.router())
            .merge(bigquery.router())
            .merge(token::router(&context))
            .merge(admin::router(&context, &log))
            .fallback(move |request| fallback(storage.clone(), request))
            .layer(middleware::from_fn_with_state((context.clone(), log.clone()), observe))
            .layer(DefaultBodyLimit::disable());

        let cut_all = CancellationToken::new();
        let stop = context.stop.clone();
        let serve = axum::serve(
            Connections::new(listener, cut_all.clone()),
            app.into_make_service_with_connect_info::<Connection>(),
        )
        .with_graceful_shutdown(async move { stop.cancelled().await });
        let server = tokio::spawn(async move {
            if let Err(error) = serve.await {
                tracing::error!(%error, "the server ended");
            }
            // What jobs hold, such as the lock of the data directory, is free after this.
            jobs.ended().await;
        });
        tracing::info!(url = %context.url, "listening");
        let stop = context.stop.clone().drop_guard();
        Ok(Emulator { addr: bound, context, log, server, cut_all: cut_all.drop_guard(), _stop: stop })
    }

    /// Where clients reach the emulator: `http://127.0.0.1:PORT`, or
    /// [`Config::external_url`].
    pub fn url(&self) -> &str {
        &self.context.url
    }

    /// The address that it listens on, with the port that was picked.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The last 10,000 requests, oldest first, those under `/emulator` left out.
    pub fn requests(&self) -> Vec<LoggedRequest> {
        self.log.all()
    }

    /// What shall still go wrong; it can be changed at any time.
    pub fn faults(&self) -> &Faults {
        &self.context.faults
    }

    /// Stops listening, lets requests that are being answered end (within a second; what
    /// takes longer is cut off), and stops the jobs where they are. When this returns, the
    /// data directory is free: the next emulator on it goes on with the jobs.
    pub async fn shutdown(self) {
        let Emulator { addr: _, context, log: _, mut server, cut_all, _stop } = self;
        let closed = context.objects.closed();
        context.stop.cancel();
        let ended = tokio::time::timeout(GRACE, &mut server).await.is_ok();
        drop(cut_all);
        if !ended {
            // Without connections nothing keeps it.
            let _ = server.await;
        }
        drop(context);
        // The last that is still being written.
        closed.cancelled().await;
    }
}

/// Opens the stores and makes the buckets and datasets that were asked for.
async fn open_stores(config: &Config) -> Result<(Objects, Store), Error> {
    let config = config.clone();
    let opened = tokio::task::spawn_blocking(move || {
        let objects = Objects::open(config.data.as_deref(), config.clock.clone()).map_err(|error| {
            let dir = config.data.clone().unwrap_or_default();
            Error::new(ErrorKind::Data, format!("failed to open the data directory {}", dir.display()))
                .with_source(error)
        })?;
        let number = config.project_number("local");
        for name in &config.buckets {
            if objects.bucket(name).is_none() {
                objects.create_bucket(name, number).map_err(|error| {
                    Error::new(ErrorKind::Config, format!("failed to make bucket {name:?}")).with_source(error)
                })?;
            }
        }
        let tables = bigquery::open_store(&config, objects.clone())?;
        Ok((objects, tables))
    });
    opened.await.map_err(|error| Error::new(ErrorKind::Data, "failed to open the data directory").with_source(error))?
}

/// Checks an external address and takes the trailing slash off.
fn external_url(url: &str) -> Result<String, Error> {
    let plain = url.strip_suffix('/').unwrap_or(url);
    let authority = plain.strip_prefix("http://").or_else(|| plain.strip_prefix("https://"));
    if authority.is_none_or(|authority| authority.parse::<Authority>().is_err()) {
        return Err(Error::new(
            ErrorKind::Config,
            format!("the external address {url:?} is not of the form http://HOST:PORT"),
        )
        .with_hint("it has a scheme, http or https, and no path"));
    }
    Ok(plain.to_owned())
}

/// Logs each request, and turns those away that lack the token.
async fn observe(
    State((context, log)): State<(Context, RequestLog)>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    let own = path.starts_with("/emulator/");
    let mut entry = (!own).then(|| Entry::new(log, &request));
    let token = path == "/token";
    if !own && !token && context.faults.take("reset") {
        connection.cut();
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let response =
        if own || token || logged_in(&context, &request) { next.run(request).await } else { unauthenticated(path) };
    if !own && !token && context.faults.take("lost-response") {
        connection.cut();
    }
    if let Some(entry) = &mut entry
        && !connection.is_cut()
    {
        entry.request.status = Some(response.status().as_u16());
    }
    response
}

/// A request that is logged when it ends, in whichever way: a client may go away before
/// the reply, and nothing of this task runs any more then but what is dropped.
struct Entry {
    log: RequestLog,
    request: LoggedRequest,
}

impl Entry {
    fn new(log: RequestLog, request: &Request) -> Entry {
        let uri = request.uri();
        let path = uri.path_and_query().map_or_else(|| uri.path().to_owned(), ToString::to_string);
        Entry { log, request: LoggedRequest { method: request.method().to_string(), path, status: None } }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let LoggedRequest { method, path, status } = &self.request;
        tracing::debug!(method, path, status, "request");
        self.log.push(self.request.clone());
    }
}

fn logged_in(context: &Context, request: &Request) -> bool {
    let Some(token) = &context.config.require_token else {
        return true;
    };
    request
        .headers()
        .get(http::header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .is_some_and(|given| given == token)
}

fn unauthenticated(path: &str) -> Response {
    if storage::serves(path) {
        return storage::unauthenticated().into_response();
    }
    if bigquery::serves(path) {
        return bigquery::unauthenticated().into_response();
    }
    ApiError::rpc(
        StatusCode::UNAUTHORIZED,
        "UNAUTHENTICATED",
        "Request had invalid authentication credentials. Expected OAuth 2 access token, login \
         cookie or other valid authentication credential. See \
         https://developers.google.com/identity/sign-in/web/devconsole-project.",
    )
    .into_response()
}

/// The reply to a path that no route has: the bytes of an object, or 404.
async fn fallback(storage: Storage, request: Request) -> Response {
    match storage.read_by_plain_path(request).await {
        Ok(response) => response,
        Err(request) => {
            let message = format!("The emulator serves no {} {}.", request.method(), request.uri().path());
            ApiError::rpc(StatusCode::NOT_FOUND, "NOT_FOUND", message).into_response()
        }
    }
}
