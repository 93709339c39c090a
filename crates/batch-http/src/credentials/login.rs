//! Each kind of login, and how it comes to a token.

use std::{
    error::Error as StdError,
    fmt,
    future::Future,
    path::PathBuf,
    pin::Pin,
    sync::Arc,
    time::{Duration, SystemTime},
};

use gcp_auth::TokenProvider;

use super::AccessToken;
use crate::{init_tls, secret::Secret};

/// What a token is good for: everything that the account may do.
pub(super) const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

type Cause = Box<dyn StdError + Send + Sync>;
type Fetch = dyn Fn() -> Pin<Box<dyn Future<Output = Result<AccessToken, Cause>> + Send>> + Send + Sync;

/// A way to a token. Each fetch starts afresh, so that nothing below keeps a token that a service has
/// refused: the one cache is [`Credentials`](super::Credentials)'.
pub(super) enum Login {
    Anonymous,
    Static(Secret),
    Function {
        name: String,
        fetch: Box<Fetch>,
    },
    /// The key of a service account.
    ServiceAccount {
        key: Secret,
        path: PathBuf,
        email: Option<String>,
        project: Option<String>,
    },
    /// A user's login that `gcloud` keeps in its usual place.
    #[cfg(not(feature = "google-auth"))]
    User {
        path: PathBuf,
    },
    /// The metadata server of the machine.
    Metadata {
        project: Option<String>,
    },
    /// The `gcloud` program.
    Gcloud {
        project: Option<String>,
    },
    /// What only Google's own crate can do.
    #[cfg(feature = "google-auth")]
    Google(super::google::GoogleLogin),
}

impl Login {
    pub(super) fn from_fn<F, T, E>(name: String, fetch: F) -> Self
    where
        F: Fn() -> T + Send + Sync + 'static,
        T: Future<Output = Result<AccessToken, E>> + Send + 'static,
        E: Into<Cause>,
    {
        let fetch = move || -> Pin<Box<dyn Future<Output = Result<AccessToken, Cause>> + Send>> {
            let token = fetch();
            Box::pin(async { token.await.map_err(Into::into) })
        };
        Self::Function { name, fetch: Box::new(fetch) }
    }

    pub(super) fn account(&self) -> Option<&str> {
        match self {
            Self::ServiceAccount { email, .. } => email.as_deref(),
            _ => None,
        }
    }

    pub(super) fn project(&self) -> Option<&str> {
        match self {
            Self::ServiceAccount { project, .. } | Self::Metadata { project } | Self::Gcloud { project } => {
                project.as_deref()
            }
            _ => None,
        }
    }

    /// A new token. `refused` says that a service did not take the one before.
    pub(super) async fn fetch(&self, refused: bool) -> Result<AccessToken, LoginError> {
        init_tls();
        #[cfg(not(feature = "google-auth"))]
        let _ = refused;
        let token = match self {
            Self::Anonymous => return Err(LoginError::new(self, "there is no login".to_owned(), false)),
            Self::Static(secret) => return Ok(AccessToken { secret: secret.clone(), expires_at: None }),
            Self::Function { fetch, .. } => {
                return fetch().await.map_err(|cause| LoginError::new(self, chain(&*cause), false));
            }
            Self::ServiceAccount { key, .. } => match gcp_auth::CustomServiceAccount::from_json(key.reveal()) {
                Ok(account) => account.token(&[SCOPE]).await,
                Err(error) => Err(error),
            },
            #[cfg(not(feature = "google-auth"))]
            Self::User { .. } => match gcp_auth::ConfigDefaultCredentials::new().await {
                Ok(user) => user.token(&[SCOPE]).await,
                Err(error) => Err(error),
            },
            Self::Metadata { .. } => metadata().await.map(|(token, _)| token),
            Self::Gcloud { .. } => gcloud().await.map(|(token, _)| token),
            #[cfg(feature = "google-auth")]
            Self::Google(google) => {
                if refused {
                    google.forget();
                }
                return google.fetch().await.map_err(|(cause, transient)| LoginError::new(self, cause, transient));
            }
        };
        token.map(|token| access_token(&token)).map_err(|error| {
            let transient = is_transient(&error);
            LoginError { unclear: is_unclear(&error), ..LoginError::new(self, chain(&error), transient) }
        })
    }
}

impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("no login"),
            Self::Static(_) => f.write_str("an access token"),
            Self::Function { name, .. } => f.write_str(name),
            Self::ServiceAccount { path, email: Some(email), .. } => {
                write!(f, "the service account {email} in {}", path.display())
            }
            Self::ServiceAccount { path, .. } => write!(f, "the service account in {}", path.display()),
            #[cfg(not(feature = "google-auth"))]
            Self::User { path } => write!(f, "the user's login in {}", path.display()),
            Self::Metadata { .. } => f.write_str("the machine's own account (metadata server)"),
            Self::Gcloud { .. } => f.write_str("the login of gcloud"),
            #[cfg(feature = "google-auth")]
            Self::Google(google) => google.fmt(f),
        }
    }
}

type Provided = Result<(Arc<gcp_auth::Token>, Option<String>), gcp_auth::Error>;

/// A token from the metadata server, and the machine's project.
pub(super) async fn metadata() -> Provided {
    init_tls();
    let provider = gcp_auth::MetadataServiceAccount::new().await?;
    let project = provider.project_id().await.ok().map(|project| project.to_string());
    Ok((provider.token(&[SCOPE]).await?, project))
}

/// A token from the `gcloud` program, and its current project. The program is started and waited for
/// in calls that block, hence on a thread of its own.
pub(super) async fn gcloud() -> Provided {
    let runtime = tokio::runtime::Handle::current();
    let asked = tokio::task::spawn_blocking(move || {
        runtime.block_on(async {
            let provider = gcp_auth::GCloudAuthorizedUser::new().await?;
            let project = provider.project_id().await.ok().map(|project| project.to_string());
            Ok((provider.token(&[SCOPE]).await?, project.filter(|project| !project.is_empty() && project != "(unset)")))
        })
    });
    asked.await.unwrap_or_else(|error| Err(gcp_auth::Error::Other("asking gcloud failed", Box::new(error))))
}

pub(super) fn access_token(token: &gcp_auth::Token) -> AccessToken {
    // The library's times are another crate's; seconds say as much.
    let seconds = u64::try_from(token.expires_at().timestamp()).unwrap_or(0);
    AccessToken::new(token.as_str(), Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)))
}

/// Whether the next try may succeed: no answer from the token server is not a refusal.
fn is_transient(error: &gcp_auth::Error) -> bool {
    match error {
        gcp_auth::Error::Http(..) => true,
        // "HTTP request failed" is what the library says of a connection that it did not get.
        gcp_auth::Error::Other(what, _) => what.contains("HTTP request"),
        _ => false,
    }
}

/// Whether the library does not tell a refusal from a token server that is down: it logs the reply,
/// and returns these words for both.
fn is_unclear(error: &gcp_auth::Error) -> bool {
    matches!(error, gcp_auth::Error::Str(what) if what.contains("token request failed"))
}

/// A chain of causes in one line, without what libraries say twice.
pub(super) fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let more = cause.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        source = cause.source();
    }
    text
}

/// No token came of a login.
#[derive(Debug)]
pub(crate) struct LoginError {
    login: String,
    why: String,
    transient: bool,
    unclear: bool,
    hint: Option<&'static str>,
}

impl LoginError {
    fn new(login: &Login, why: String, transient: bool) -> Self {
        let hint = match login {
            _ if transient => None,
            Login::Anonymous | Login::Static(_) | Login::Function { .. } => None,
            Login::ServiceAccount { .. } => Some(
                "see that the key is of an account that exists and is enabled: `gcloud iam service-accounts keys list`",
            ),
            Login::Metadata { .. } => Some("see that the machine has a service account with the scope cloud-platform"),
            Login::Gcloud { .. } => Some("log in again: `gcloud auth login`"),
            #[cfg(not(feature = "google-auth"))]
            Login::User { .. } => Some(LOGIN_AGAIN),
            #[cfg(feature = "google-auth")]
            Login::Google(_) => Some(LOGIN_AGAIN),
        };
        Self { login: login.to_string(), why, transient, unclear: false, hint }
    }

    /// The same failure of a login that has worked before: where it is unclear what it was, an outage
    /// is likelier than a key that was withdrawn, and a long wait goes on.
    pub(super) fn of_a_good_login(self) -> Self {
        if self.unclear { Self { transient: true, hint: None, ..self } } else { self }
    }

    pub(crate) fn is_transient(&self) -> bool {
        self.transient
    }

    pub(crate) fn hint(&self) -> Option<&'static str> {
        self.hint
    }
}

const LOGIN_AGAIN: &str = "log in again: `gcloud auth application-default login`";

impl fmt::Display for LoginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no token from {}: {}", self.login, self.why)
    }
}

impl StdError for LoginError {}
