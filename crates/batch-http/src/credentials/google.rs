//! Google's own auth crate: for what `gcp_auth` cannot do, and so that Google's clients use our login.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use batch_backend::{Error, Kind, Result};
use google_cloud_auth::{
    credentials::{
        AccessTokenCredentials, CacheableResource, CredentialsProvider, EntityTag, external_account, impersonated,
        user_account,
    },
    errors::CredentialsError,
};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, header::AUTHORIZATION};
use serde_json::Value;

use super::{
    AccessToken, Credentials, MARGIN,
    login::{SCOPE, chain},
};
use crate::init_tls;

/// How long a token of Google's crate is kept by us. It does not say when a token expires, and renews
/// it by itself; asking again is cheap.
const KEPT: Duration = Duration::from_secs(60);

const QUOTA_PROJECT: HeaderName = HeaderName::from_static("x-goog-user-project");

/// A login that Google's crate does.
pub(super) struct GoogleLogin {
    kind: Account,
    json: Value,
    path: PathBuf,
    /// Built when it is first asked, because building it starts a task that fetches tokens.
    built: Mutex<Option<AccessTokenCredentials>>,
}

#[derive(Debug, Clone, Copy)]
enum Account {
    User,
    Federated,
    Impersonated,
}

impl GoogleLogin {
    pub(super) fn new(path: &Path, kind: &str, json: Value) -> Result<Self> {
        let kind = match kind {
            "authorized_user" => Account::User,
            "external_account" => Account::Federated,
            "impersonated_service_account" => Account::Impersonated,
            other => {
                return Err(Error::new(Kind::Unsupported, "use the credentials in", path.display().to_string())
                    .with_source(format!("there is no login for credentials of the type {other:?}")));
            }
        };
        Ok(Self { kind, json, path: path.to_owned(), built: Mutex::new(None) })
    }

    /// A token, or why there is none and whether there may be one later.
    pub(super) async fn fetch(&self) -> Result<AccessToken, (String, bool)> {
        let credentials = self.built()?;
        match credentials.access_token().await {
            Ok(token) => Ok(AccessToken::new(token.token, Some(SystemTime::now() + KEPT + MARGIN))),
            Err(error) => {
                // After a refusal the crate's task has ended: the next try needs another.
                self.forget();
                Err((chain(&error), error.is_transient()))
            }
        }
    }

    /// Drops what is built, and with it the token that it holds.
    pub(super) fn forget(&self) {
        *self.lock() = None;
    }

    fn built(&self) -> Result<AccessTokenCredentials, (String, bool)> {
        init_tls();
        let mut built = self.lock();
        if let Some(credentials) = &*built {
            return Ok(credentials.clone());
        }
        let json = self.json.clone();
        let credentials = match self.kind {
            Account::User => user_account::Builder::new(json).with_scopes([SCOPE]).build_access_token_credentials(),
            Account::Federated => {
                external_account::Builder::new(json).with_scopes([SCOPE]).build_access_token_credentials()
            }
            Account::Impersonated => {
                impersonated::Builder::new(json).with_scopes([SCOPE]).build_access_token_credentials()
            }
        };
        let credentials = credentials.map_err(|error| (chain(&error), false))?;
        *built = Some(credentials.clone());
        Ok(credentials)
    }

    fn lock(&self) -> MutexGuard<'_, Option<AccessTokenCredentials>> {
        self.built.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for GoogleLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            Account::User => "the user's login",
            Account::Federated => "the federated identity",
            Account::Impersonated => "the impersonated service account",
        };
        write!(f, "{what} in {}", self.path.display())
    }
}

impl Credentials {
    /// The same login for Google's own clients, so that a program logs in once. They get our headers,
    /// token and quota project; without a login they get none.
    ///
    /// Whoever builds such a client checks its address first with
    /// [`HttpClient::base_url`](crate::HttpClient::base_url): Google's crates send a token anywhere.
    #[must_use]
    pub fn google(&self) -> google_cloud_auth::credentials::Credentials {
        init_tls();
        Adapter { credentials: self.clone(), seen: Arc::default() }.into()
    }
}

/// Our login behind Google's trait.
#[derive(Debug)]
struct Adapter {
    credentials: Credentials,
    /// The tag under which the token of a generation was handed out.
    seen: Arc<Mutex<Option<(u64, EntityTag)>>>,
}

impl Adapter {
    /// The tag of a token: the same for the same token.
    fn tag(&self, generation: u64) -> EntityTag {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match &*seen {
            Some((known, tag)) if *known == generation => tag.clone(),
            _ => {
                let tag = EntityTag::new();
                *seen = Some((generation, tag.clone()));
                tag
            }
        }
    }
}

impl CredentialsProvider for Adapter {
    async fn headers(&self, extensions: Extensions) -> Result<CacheableResource<HeaderMap>, CredentialsError> {
        let token = self.credentials.token(SystemTime::now(), None).await.map_err(|error| {
            let transient = error.is_transient();
            CredentialsError::from_source(transient, error)
        })?;
        let entity_tag = self.tag(token.as_ref().map_or(0, |token| token.generation));
        if extensions.get::<EntityTag>() == Some(&entity_tag) {
            return Ok(CacheableResource::NotModified);
        }
        let mut data = HeaderMap::new();
        if let Some(token) = token {
            let bearer = crate::client::bearer(&token.secret).map_err(|why| CredentialsError::from_msg(false, why))?;
            data.insert(AUTHORIZATION, bearer);
            if let Some(project) = self.credentials.quota_project() {
                let project =
                    HeaderValue::from_str(project).map_err(|error| CredentialsError::from_source(false, error))?;
                data.insert(QUOTA_PROJECT, project);
            }
        }
        Ok(CacheableResource::New { entity_tag, data })
    }

    async fn universe_domain(&self) -> Option<String> {
        None
    }
}
