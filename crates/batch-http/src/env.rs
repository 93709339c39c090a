//! The environment variables that this crate knows, each with its meaning.
//!
//! Nothing here reads the process's environment by itself: whoever calls passes an [`Env`], which in a
//! program is [`process`] and in a test a table.

/// How a variable is looked up: `None` where it is not set.
///
/// A variable that is set to nothing counts as not set.
pub type Env<'a> = &'a (dyn Fn(&str) -> Option<String> + Sync + 'a);

/// The process's own environment. A value that is not UTF-8 counts as not set.
#[must_use]
pub fn process(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

pub(crate) fn get(env: Env<'_>, name: &str) -> Option<String> {
    env(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

/// Where Cloud Storage is: `HOST:PORT` (plain http) or a URL. Google's own clients read it too.
pub const STORAGE_EMULATOR_HOST: &str = "STORAGE_EMULATOR_HOST";
/// Where BigQuery is: `HOST:PORT` (plain http) or a URL.
pub const BIGQUERY_EMULATOR_HOST: &str = "BIGQUERY_EMULATOR_HOST";
/// Where Vertex AI is, for every location: a URL, or `HOST:PORT` (plain http).
pub const GOOGLE_VERTEX_BASE_URL: &str = "GOOGLE_VERTEX_BASE_URL";

/// An OAuth 2.0 access token to use as it is; nothing can renew it.
pub const GOOGLE_OAUTH_ACCESS_TOKEN: &str = "GOOGLE_OAUTH_ACCESS_TOKEN";
/// The same, under the name that `gcloud` reads. The one above wins.
pub const CLOUDSDK_AUTH_ACCESS_TOKEN: &str = "CLOUDSDK_AUTH_ACCESS_TOKEN";
/// The path of a credentials file: a service account's key, or any other type of credentials.
pub const GOOGLE_APPLICATION_CREDENTIALS: &str = "GOOGLE_APPLICATION_CREDENTIALS";
/// The directory of `gcloud`, where `application_default_credentials.json` lies.
pub const CLOUDSDK_CONFIG: &str = "CLOUDSDK_CONFIG";
/// The home directory, below which `gcloud` has its directory on Unix.
pub const HOME: &str = "HOME";
/// The directory of applications' data, below which `gcloud` has its directory on Windows.
pub const APPDATA: &str = "APPDATA";
/// Where programs are looked for: `gcloud` is asked for a token only if it lies there.
pub const PATH: &str = "PATH";
/// `true` or `1`: do not look for a metadata server. Google's Python libraries read it too.
pub const NO_GCE_CHECK: &str = "NO_GCE_CHECK";
/// The project that quotas are counted for (`x-goog-user-project`); wins over the credentials file's.
pub const GOOGLE_CLOUD_QUOTA_PROJECT: &str = "GOOGLE_CLOUD_QUOTA_PROJECT";
