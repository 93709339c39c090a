//! Which login the environment offers.

use std::{
    io,
    path::{Path, PathBuf},
    pin::Pin,
    time::Duration,
};

use batch_backend::{Error, Kind, Result};
use serde_json::Value;
use url::Url;

use super::{
    Credentials,
    login::{self, Login},
};
use crate::{
    endpoints::is_loopback,
    env::{self, Env},
    secret::Secret,
};

const FILE: &str = "application_default_credentials.json";

/// How long to wait for a metadata server: where there is one, it answers in milliseconds.
const METADATA_TIMEOUT: Duration = Duration::from_secs(3);

/// What was looked at in the environment, read at once.
struct Seen {
    token: Option<String>,
    named_file: Option<String>,
    gcloud_dir: Option<PathBuf>,
    is_default_dir: bool,
    path: Option<String>,
    no_metadata: bool,
    quota_project: Option<String>,
}

impl Seen {
    fn new(env: Env<'_>) -> Self {
        let get = |name| env::get(env, name);
        let (root, below) = if cfg!(windows) { (env::APPDATA, "gcloud") } else { (env::HOME, ".config/gcloud") };
        let chosen = get(env::CLOUDSDK_CONFIG).map(PathBuf::from);
        let default = get(root).map(|root| Path::new(&root).join(below));
        Self {
            token: get(env::GOOGLE_OAUTH_ACCESS_TOKEN).or_else(|| get(env::CLOUDSDK_AUTH_ACCESS_TOKEN)),
            named_file: get(env::GOOGLE_APPLICATION_CREDENTIALS),
            is_default_dir: chosen.is_none(),
            gcloud_dir: chosen.or(default),
            path: get(env::PATH),
            no_metadata: get(env::NO_GCE_CHECK).is_some_and(|value| value == "1" || value.eq_ignore_ascii_case("true")),
            quota_project: get(env::GOOGLE_CLOUD_QUOTA_PROJECT),
        }
    }
}

pub(super) async fn discover(env: Env<'_>) -> Result<Credentials> {
    let seen = Seen::new(env);
    let credentials = look(&seen).await?;
    tracing::debug!(login = %credentials.description(), "found a login");
    Ok(match seen.quota_project {
        Some(project) => credentials.with_quota_project(project),
        None => credentials,
    })
}

/// In a box, so that the code of each kind of login is made in this crate, once.
fn look(seen: &Seen) -> Pin<Box<dyn Future<Output = Result<Credentials>> + Send + '_>> {
    Box::pin(looked(seen))
}

async fn looked(seen: &Seen) -> Result<Credentials> {
    if let Some(token) = &seen.token {
        return Ok(Credentials::access_token(token));
    }
    let mut tried = Vec::new();
    match &seen.named_file {
        Some(path) => {
            let path = Path::new(path);
            let text = read(path).await?;
            return from_file(path, &text, false);
        }
        None => tried.push(format!("{} is not set", env::GOOGLE_APPLICATION_CREDENTIALS)),
    }
    match &seen.gcloud_dir {
        Some(dir) => {
            let path = dir.join(FILE);
            match tokio::fs::read_to_string(&path).await {
                Ok(text) => return from_file(&path, &text, seen.is_default_dir),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    tried.push(format!("there is no {}", path.display()));
                }
                Err(error) => return Err(unreadable(&path, error)),
            }
        }
        None => tried.push("there is no home directory".to_owned()),
    }
    if seen.no_metadata {
        tried.push(format!("{} is set", env::NO_GCE_CHECK));
    } else {
        match tokio::time::timeout(METADATA_TIMEOUT, login::metadata()).await {
            Ok(Ok((token, project))) => {
                return Ok(Credentials::of(Login::Metadata { project }, Some(login::access_token(&token)), None));
            }
            Ok(Err(_)) | Err(_) => tried.push("no metadata server answered".to_owned()),
        }
    }
    if seen.path.as_deref().is_some_and(has_gcloud) {
        match login::gcloud().await {
            Ok((token, project)) => {
                return Ok(Credentials::of(Login::Gcloud { project }, Some(login::access_token(&token)), None));
            }
            Err(error) => tried.push(format!("gcloud gave no token ({})", login::chain(&error))),
        }
    } else {
        tried.push("gcloud is not on the PATH".to_owned());
    }
    Err(Error::new(Kind::NoCredentials, "log in to", "Google Cloud").with_source(tried.join("; ")).with_hint(
        "log in with `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS to a key file; \
         --local needs no login",
    ))
}

fn has_gcloud(path: &str) -> bool {
    let program = if cfg!(windows) { "gcloud.cmd" } else { "gcloud" };
    std::env::split_paths(path).any(|dir| dir.join(program).is_file())
}

async fn read(path: &Path) -> Result<String> {
    tokio::fs::read_to_string(path).await.map_err(|error| {
        unreadable(path, error).with_hint(
            "GOOGLE_APPLICATION_CREDENTIALS must name a credentials file; unset it to use the login of gcloud",
        )
    })
}

fn unreadable(path: &Path, error: io::Error) -> Error {
    Error::new(Kind::Io, "read the credentials in", path.display().to_string()).with_source(error)
}

fn wrong(path: &Path, why: impl Into<String>) -> Error {
    Error::new(Kind::InvalidArgument, "use the credentials in", path.display().to_string()).with_source(why.into())
}

/// The login that a credentials file holds. `is_default` says that it lies where `gcloud` puts it.
fn from_file(path: &Path, text: &str, is_default: bool) -> Result<Credentials> {
    // What serde_json says of a syntax error is a position, and nothing of the content.
    let json: Value = serde_json::from_str(text).map_err(|error| wrong(path, format!("it is not JSON: {error}")))?;
    let field = |name: &str| json.get(name).and_then(Value::as_str).map(str::to_owned);
    let quota_project = field("quota_project_id");
    for name in ["token_uri", "token_url"] {
        if let Some(url) = field(name) {
            check_token_url(&url).map_err(|why| wrong(path, format!("its {name} {why}")))?;
        }
    }
    let login = match field("type").as_deref() {
        Some("service_account") => {
            for name in ["client_email", "private_key", "token_uri"] {
                if field(name).is_none() {
                    return Err(wrong(path, format!("it is a service account's key without {name}")));
                }
            }
            Login::ServiceAccount {
                key: Secret::new(text),
                path: path.to_owned(),
                email: field("client_email"),
                project: field("project_id"),
            }
        }
        Some(kind) => other_type(path, kind, json, is_default)?,
        None => return Err(wrong(path, "it has no `type`: it is no credentials file of Google Cloud")),
    };
    Ok(Credentials::of(login, None, quota_project))
}

#[cfg(feature = "google-auth")]
fn other_type(path: &Path, kind: &str, json: Value, _is_default: bool) -> Result<Login> {
    super::google::GoogleLogin::new(path, kind, json).map(Login::Google)
}

#[cfg(not(feature = "google-auth"))]
fn other_type(path: &Path, kind: &str, json: Value, is_default: bool) -> Result<Login> {
    drop(json);
    if kind == "authorized_user" && is_default {
        return Ok(Login::User { path: path.to_owned() });
    }
    Err(Error::new(Kind::Unsupported, "use the credentials in", path.display().to_string())
        .with_source(format!(
            "credentials of the type {kind:?} need the feature google-auth, which this build is without"
        ))
        .with_hint("use a service account's key, or `gcloud auth application-default login`"))
}

/// A key or a refresh token goes to the token server: never over the network in the clear.
fn check_token_url(url: &str) -> Result<(), String> {
    let url = Url::parse(url).map_err(|error| format!("is no URL: {error}"))?;
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_loopback(&url) => Ok(()),
        scheme => Err(format!("is {scheme}://{}, where only https is safe", url.host_str().unwrap_or_default())),
    }
}
