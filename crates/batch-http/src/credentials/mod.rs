//! Who we are to the services.

mod discover;
#[cfg(feature = "google-auth")]
mod google;
mod login;

use std::{
    error::Error as StdError,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use batch_backend::{Error, Kind, Result};

use crate::{Endpoints, Service, env::Env, secret::Secret};
use login::{Login, LoginError};

/// A token is renewed this long before it expires. Less than the four minutes before expiry at which
/// Google's metadata servers begin to hand out a new one.
const MARGIN: Duration = Duration::from_secs(60);

/// An OAuth 2.0 access token from a function of the caller's; see [`Credentials::from_fn`].
#[derive(Debug, Clone)]
pub struct AccessToken {
    secret: Secret,
    expires_at: Option<SystemTime>,
}

impl AccessToken {
    /// A token that is good until `expires_at`; `None`: until a service refuses it.
    #[must_use]
    pub fn new(token: impl Into<String>, expires_at: Option<SystemTime>) -> Self {
        Self { secret: Secret::new(token.into()), expires_at }
    }
}

/// A login, shared by all clients of a program. Clones share the token.
///
/// There is one token at a time: it is fetched when the first call needs it, kept, renewed before it
/// expires and once after a service refused it (401), by one task while others wait. Neither `Debug`
/// nor any error shows it.
///
/// ```
/// use batch_http::Credentials;
///
/// let credentials = Credentials::access_token("ya29.secret");
/// assert_eq!(format!("{credentials:?}"), r#"Credentials { login: "an access token", quota_project: None }"#);
/// assert!(Credentials::anonymous().is_anonymous());
/// ```
#[derive(Clone)]
pub struct Credentials {
    inner: Arc<Inner>,
    quota_project: Option<Arc<str>>,
}

struct Inner {
    login: Login,
    /// Held while a token is fetched: one task fetches, the others find the result.
    refresh: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    current: Option<Token>,
    generation: u64,
}

/// A token, and which one of those we had it is.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) secret: Secret,
    pub(crate) generation: u64,
    expires_at: Option<SystemTime>,
}

impl Credentials {
    /// No login: for an emulator, or what everybody may read.
    #[must_use]
    pub fn anonymous() -> Self {
        Self::of(Login::Anonymous, None, None)
    }

    /// This access token, as long as it lasts. Nothing renews it.
    #[must_use]
    pub fn access_token(token: impl Into<String>) -> Self {
        Self::of(Login::Static(Secret::new(token.into())), None, None)
    }

    /// Tokens from a function of the caller's, called whenever a new one is needed; an error of it ends
    /// the call that needed the token. `name` is what messages call it.
    #[must_use]
    pub fn from_fn<F, T, E>(name: impl Into<String>, fetch: F) -> Self
    where
        F: Fn() -> T + Send + Sync + 'static,
        T: Future<Output = Result<AccessToken, E>> + Send + 'static,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        Self::of(Login::from_fn(name.into(), fetch), None, None)
    }

    /// The login that the environment offers. In this order:
    ///
    /// 1. the token in `GOOGLE_OAUTH_ACCESS_TOKEN` or `CLOUDSDK_AUTH_ACCESS_TOKEN`;
    /// 2. the file that `GOOGLE_APPLICATION_CREDENTIALS` names;
    /// 3. `application_default_credentials.json` in the directory of `gcloud` (`CLOUDSDK_CONFIG`, or
    ///    its usual place), which `gcloud auth application-default login` writes;
    /// 4. a metadata server, as there is on Google Cloud's machines, unless `NO_GCE_CHECK` is set;
    /// 5. the `gcloud` program on the `PATH`.
    ///
    /// Service accounts' keys need nothing more; a file with another type of credentials (workload
    /// identity federation, impersonation, a user's login that lies elsewhere) needs the feature
    /// `google-auth`.
    ///
    /// # Errors
    /// `NoCredentials` where there are none, saying where they were looked for; `InvalidArgument` and
    /// `Io` for a file that cannot be used; `Unsupported` for one that needs the feature.
    pub async fn discover(env: Env<'_>) -> Result<Self> {
        discover::discover(env).await
    }

    /// [`anonymous`](Self::anonymous) where all services that are `needed` are on this machine, where
    /// no credentials are looked for; else what the environment offers.
    ///
    /// # Errors
    /// As for [`Endpoints::local`] and [`discover`](Self::discover).
    pub async fn for_endpoints(endpoints: &Endpoints, needed: &[Service], env: Env<'_>) -> Result<Self> {
        if endpoints.local(needed)? { Ok(Self::anonymous()) } else { Self::discover(env).await }
    }

    /// The project that quotas are counted for, sent as `x-goog-user-project`.
    #[must_use]
    pub fn with_quota_project(mut self, project: impl Into<String>) -> Self {
        self.quota_project = Some(project.into().into());
        self
    }

    /// Whether there is no login.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        matches!(self.inner.login, Login::Anonymous)
    }

    /// Where the login comes from, for people: `the service account x@y in /path/key.json`.
    #[must_use]
    pub fn description(&self) -> String {
        self.inner.login.to_string()
    }

    /// The e-mail address of the account, where the credentials name it.
    #[must_use]
    pub fn account(&self) -> Option<&str> {
        self.inner.login.account()
    }

    /// The project that the credentials belong to, where they name one: a default for who names none.
    #[must_use]
    pub fn project(&self) -> Option<&str> {
        self.inner.login.project().or(self.quota_project())
    }

    /// The project that quotas are counted for.
    #[must_use]
    pub fn quota_project(&self) -> Option<&str> {
        self.quota_project.as_deref()
    }

    /// `first`, where there is one, is a token that was fetched already.
    fn of(login: Login, first: Option<AccessToken>, quota_project: Option<String>) -> Self {
        let current = first.map(|token| Token { secret: token.secret, generation: 0, expires_at: token.expires_at });
        let state = Mutex::new(State { current, generation: 0 });
        let inner = Inner { login, refresh: tokio::sync::Mutex::new(()), state };
        Self { inner: Arc::new(inner), quota_project: quota_project.map(Into::into) }
    }

    /// Whether another token could be had than the one that a service refused.
    pub(crate) fn is_renewable(&self) -> bool {
        !matches!(self.inner.login, Login::Anonymous | Login::Static(_))
    }

    /// A token that is good at `now`, and is not number `refused`. `None` for no login.
    pub(crate) async fn token(&self, now: SystemTime, refused: Option<u64>) -> Result<Option<Token>, LoginError> {
        match &self.inner.login {
            Login::Anonymous => return Ok(None),
            Login::Static(secret) => {
                return Ok(Some(Token { secret: secret.clone(), generation: 0, expires_at: None }));
            }
            _ => {}
        }
        if let Some(token) = self.current(now + MARGIN, refused) {
            return Ok(Some(token));
        }
        let _one_at_a_time = self.inner.refresh.lock().await;
        // Somebody may have fetched it while we waited.
        if let Some(token) = self.current(now + MARGIN, refused) {
            return Ok(Some(token));
        }
        match self.inner.login.fetch(refused.is_some()).await {
            Ok(AccessToken { secret, expires_at }) => {
                let mut state = self.lock();
                state.generation += 1;
                let token = Token { secret, generation: state.generation, expires_at };
                state.current = Some(token.clone());
                Ok(Some(token))
            }
            Err(error) => match self.current(now, refused) {
                // The old one is good for some seconds yet.
                Some(token) => Ok(Some(token)),
                None if self.lock().current.is_some() => Err(error.of_a_good_login()),
                None => Err(error),
            },
        }
    }

    /// The token that we have, where it is good until `until`.
    fn current(&self, until: SystemTime, refused: Option<u64>) -> Option<Token> {
        let current = self.lock().current.clone()?;
        let good = current.expires_at.is_none_or(|expires_at| until < expires_at);
        (good && refused != Some(current.generation)).then_some(current)
    }

    /// What is locked is whole at any time, so a panic elsewhere changes nothing.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("login", &self.description())
            .field("quota_project", &self.quota_project)
            .finish()
    }
}

/// A failed login as an error of a call.
pub(crate) fn login_failed(error: LoginError, doing: &str, resource: &str) -> Error {
    let kind = if error.is_transient() { Kind::Unavailable } else { Kind::Unauthenticated };
    let hint = error.hint();
    let failed = Error::new(kind, doing, resource).with_source(error);
    match hint {
        Some(hint) => failed.with_hint(hint),
        None => failed,
    }
}
