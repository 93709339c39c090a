//! Where the services are.

use std::{fmt, net::IpAddr};

use batch_backend::{Error, Kind, Result};
use batch_model::Location;
use url::{Host, Url};

use crate::env::{self, Env};

/// A service of Google Cloud that the batch clients call.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Service {
    /// Cloud Storage, the JSON API.
    Storage,
    /// BigQuery.
    BigQuery,
    /// Vertex AI in a location, which decides the host.
    Vertex(Location),
}

impl Service {
    fn default_url(&self) -> String {
        match self {
            Self::Storage => "https://storage.googleapis.com".to_owned(),
            Self::BigQuery => "https://bigquery.googleapis.com".to_owned(),
            Self::Vertex(location) => location.vertex_base_url(),
        }
    }

    /// The setting and the variable that override the service's address.
    fn overrides(&self) -> (&'static str, &'static str) {
        match self {
            Self::Storage => ("endpoints.storage", env::STORAGE_EMULATOR_HOST),
            Self::BigQuery => ("endpoints.bigquery", env::BIGQUERY_EMULATOR_HOST),
            Self::Vertex(_) => ("endpoints.vertex", env::GOOGLE_VERTEX_BASE_URL),
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Storage => f.write_str("Cloud Storage"),
            Self::BigQuery => f.write_str("BigQuery"),
            Self::Vertex(location) => write!(f, "Vertex AI in {location}"),
        }
    }
}

/// Addresses that somebody set by hand (the `[endpoints]` of a spec, or flags): each a URL or `HOST:PORT`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EndpointSettings {
    /// Cloud Storage.
    pub storage: Option<String>,
    /// BigQuery.
    pub bigquery: Option<String>,
    /// Vertex AI, for every location.
    pub vertex: Option<String>,
}

/// The base URL of each service: Google's, or what overrides it.
///
/// A base URL is `http` or `https`, may have a path, to which the API's own is added, and has neither
/// user and password nor a query. The default has no overrides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Endpoints {
    storage: Option<Override>,
    bigquery: Option<Override>,
    vertex: Option<Override>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Override {
    url: Url,
    /// The name of the setting or variable that it comes from.
    origin: &'static str,
}

impl Endpoints {
    /// Google's addresses, overridden by `settings`, or else by the variables
    /// [`STORAGE_EMULATOR_HOST`](env::STORAGE_EMULATOR_HOST),
    /// [`BIGQUERY_EMULATOR_HOST`](env::BIGQUERY_EMULATOR_HOST) and
    /// [`GOOGLE_VERTEX_BASE_URL`](env::GOOGLE_VERTEX_BASE_URL).
    ///
    /// # Errors
    /// `InvalidArgument` for what is no base URL, naming the setting or the variable.
    pub fn new(settings: &EndpointSettings, env: Env<'_>) -> Result<Self> {
        let resolve = |setting: &Option<String>, origin: &'static str, variable: &'static str| {
            let setting = setting.as_deref().map(str::trim).filter(|text| !text.is_empty());
            let (text, origin) = match setting {
                Some(text) => (text.to_owned(), origin),
                None => match env::get(env, variable) {
                    Some(text) => (text, variable),
                    None => return Ok(None),
                },
            };
            Ok(Some(Override { url: parse(&text, origin)?, origin }))
        };
        Ok(Self {
            storage: resolve(&settings.storage, "endpoints.storage", env::STORAGE_EMULATOR_HOST)?,
            bigquery: resolve(&settings.bigquery, "endpoints.bigquery", env::BIGQUERY_EMULATOR_HOST)?,
            vertex: resolve(&settings.vertex, "endpoints.vertex", env::GOOGLE_VERTEX_BASE_URL)?,
        })
    }

    /// Every service at one address: an emulator's.
    ///
    /// # Errors
    /// `InvalidArgument` for what is no base URL.
    pub fn all_at(url: &str) -> Result<Self> {
        let all = Some(Override { url: parse(url, "the emulator's address")?, origin: "the emulator's address" });
        Ok(Self { storage: all.clone(), bigquery: all.clone(), vertex: all })
    }

    /// The base URL of a service, without a slash at its end.
    #[must_use]
    pub fn base_url(&self, service: &Service) -> String {
        match self.overridden(service) {
            Some(Override { url, .. }) => url.as_str().trim_end_matches('/').to_owned(),
            None => service.default_url(),
        }
    }

    /// Whether the services that are `needed` are all on this machine, so that no login is needed.
    ///
    /// `false` where none of them is. A service that is not needed may be anywhere.
    ///
    /// # Errors
    /// `InvalidArgument` where some are on this machine and others are not, naming each: data
    /// staged in an emulator is nothing that the real service could read.
    pub fn local(&self, needed: &[Service]) -> Result<bool> {
        let is_local =
            |service: &&Service| self.overridden(service).is_some_and(|overridden| is_loopback(&overridden.url));
        let (here, there): (Vec<_>, Vec<_>) = needed.iter().partition(is_local);
        if here.is_empty() || there.is_empty() {
            return Ok(there.is_empty() && !here.is_empty());
        }
        let name = |service: &&Service| match self.overridden(service) {
            Some(Override { origin, .. }) => format!("{service} is {} ({origin})", self.base_url(service)),
            None => format!("{service} is {} (the default)", service.default_url()),
        };
        let list = |services: &[&Service]| services.iter().map(name).collect::<Vec<_>>().join(", ");
        let (settings, variables): (Vec<_>, Vec<_>) = there.iter().map(|service| service.overrides()).unzip();
        Err(Error::new(Kind::InvalidArgument, "use", "an emulator and the real services together")
            .with_source(format!("{}; {}", list(&here), list(&there)))
            .with_hint(format!(
                "set {} (or {}) to the emulator's address as well, or unset the others",
                settings.join(", "),
                variables.join(", ")
            )))
    }

    fn overridden(&self, service: &Service) -> Option<&Override> {
        match service {
            Service::Storage => self.storage.as_ref(),
            Service::BigQuery => self.bigquery.as_ref(),
            Service::Vertex(_) => self.vertex.as_ref(),
        }
    }
}

/// Whether a URL leads to this machine: `localhost`, `127.0.0.0/8`, `::1`, and the unspecified
/// addresses (`0.0.0.0`), which connect to this machine too and which people copy from servers' logs.
pub(crate) fn is_loopback(url: &Url) -> bool {
    let local = |address: IpAddr| address.is_loopback() || address.is_unspecified();
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => local(address.into()),
        Some(Host::Ipv6(address)) => local(address.to_canonical()),
        None => false,
    }
}

fn parse(text: &str, origin: &'static str) -> Result<Url> {
    // What may hold a password is not quoted.
    let quoted = if text.contains('@') { origin.to_owned() } else { format!("{origin} {text:?}") };
    let wrong = |why: String| {
        Error::new(Kind::InvalidArgument, "use", &quoted)
            .with_source(why)
            .with_hint("write HOST:PORT or http://HOST:PORT, with or without a path")
    };
    let text = text.trim();
    let full = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let url = Url::parse(&full).map_err(|error| wrong(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong(format!("the scheme {} is neither http nor https", url.scheme())));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("it has a user or a password in it; log in by credentials instead".to_owned()));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("it has a query or a fragment".to_owned()));
    }
    Ok(url)
}
