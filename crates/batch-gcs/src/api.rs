//! The JSON API of Cloud Storage, where Google's client has none or one that cannot be used.
//!
//! Pages: <https://cloud.google.com/storage/docs/json_api/v1/objects> and `…/buckets`.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_STANDARD};
use batch_backend::{Error, Kind, Result, ServiceError};
use batch_http::{HttpClient, Request, ResumableUpload, Service, bucket_grant};
use batch_model::{GcsUri, Location};
use serde::{Deserialize, Deserializer, de};
use serde_json::json;

/// What request lines are; likely the most common name for it. The service does not look at it.
pub(crate) const CONTENT_TYPE: &str = "application/jsonl";

/// How many objects a page of a listing has at most.
const PAGE: &str = "1000";

/// What is known of an object.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Object {
    /// Its name in its bucket.
    #[serde(default)]
    pub(crate) name: String,
    /// Its length in bytes.
    #[serde(deserialize_with = "digits")]
    pub(crate) size: u64,
    /// Which of the objects that had this name it is.
    #[serde(deserialize_with = "digits")]
    pub(crate) generation: i64,
    /// Its checksum. The service has one of every object; some servers that imitate it do not.
    #[serde(default, deserialize_with = "crc32c")]
    pub(crate) crc32c: Option<u32>,
}

impl Object {
    /// The checksum as [`Staged`](batch_backend::Staged) has it: `crc32c=` and the service's own form
    /// (Base64 of the big-endian bytes).
    pub(crate) fn checksum(&self) -> Option<String> {
        self.crc32c.map(|crc| format!("crc32c={}", encode_crc32c(crc)))
    }
}

/// A checksum in the service's form.
pub(crate) fn encode_crc32c(crc: u32) -> String {
    BASE64_STANDARD.encode(crc.to_be_bytes())
}

/// `int64` in JSON is a string of digits; a number is taken as well.
fn digits<'de, D: Deserializer<'de>, T>(deserializer: D) -> Result<T, D::Error>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    let text = match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    };
    text.parse().map_err(|error| de::Error::custom(format!("{text:?}: {error}")))
}

fn crc32c<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    let bytes = BASE64_STANDARD.decode(&text).ok().and_then(|bytes| <[u8; 4]>::try_from(bytes).ok());
    match bytes {
        Some(bytes) => Ok(Some(u32::from_be_bytes(bytes))),
        None => Err(de::Error::custom(format!("{text:?} is no CRC32C"))),
    }
}

/// The calls.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    http: HttpClient,
    /// Where a bucket that is missing should be made.
    location: Option<Arc<str>>,
}

impl Api {
    pub(crate) fn new(http: HttpClient) -> Self {
        Self { http, location: None }
    }

    /// Says where jobs run, which is where their buckets should be.
    pub(crate) fn set_location(&mut self, location: &Location) {
        // A bucket cannot be in `global`; jobs there take it from anywhere.
        self.location = (location.as_str() != "global").then(|| location.as_str().into());
    }

    /// What is known of the object; `None` where there is none. A missing bucket is an error.
    pub(crate) async fn stat(&self, uri: &GcsUri) -> Result<Option<Object>> {
        let request = Request::get(Service::Storage, object_path(uri))
            .query("fields", "name,size,generation,crc32c")
            .about("look at", uri.to_string());
        match self.http.send(&request).await {
            Ok(response) => response.json().map(Some),
            Err(error) if error.kind() != Kind::NotFound => Err(self.advise(error, uri.bucket())),
            Err(error) if says_bucket(&error) => Err(self.advise(error, uri.bucket())),
            Err(error) if says(&error, "no such object") => Ok(None),
            // Not every server says which of the two is missing. Whoever may write objects may list
            // them, but not look at a bucket.
            Err(_) => self.page(uri.bucket(), uri.object(), "1", None).await.map(|_| None),
        }
    }

    /// All objects whose names begin with `prefix`, by name.
    pub(crate) async fn list(&self, bucket: &str, prefix: &str) -> Result<Vec<Object>> {
        let mut objects = Vec::new();
        let mut token = None;
        loop {
            let page = self.page(bucket, prefix, PAGE, token.as_deref()).await?;
            objects.extend(page.items);
            // Some servers end with an empty one.
            match page.next_page_token.filter(|next| !next.is_empty()) {
                None => return Ok(objects),
                Some(next) if token.as_ref() == Some(&next) => {
                    return Err(Error::new(Kind::BadReply, "list", GcsUri::new(bucket, prefix).to_string())
                        .with_source(format!("the page {next:?} says that it is followed by itself")));
                }
                next => token = next,
            }
        }
    }

    async fn page(&self, bucket: &str, prefix: &str, size: &str, token: Option<&str>) -> Result<Page> {
        let mut request = Request::get(Service::Storage, ["storage", "v1", "b", bucket, "o"])
            .query("prefix", prefix)
            .query("maxResults", size)
            .query("fields", "items(name,size,generation,crc32c),nextPageToken")
            .about("list", GcsUri::new(bucket, prefix).to_string());
        if let Some(token) = token {
            request = request.query("pageToken", token);
        }
        match self.http.send(&request).await {
            Ok(response) => response.json(),
            Err(error) => Err(self.advise_on_bucket(error, bucket)),
        }
    }

    /// Deletes the object, or only its generation `generation`; whether it was there.
    pub(crate) async fn delete(&self, uri: &GcsUri, generation: Option<i64>) -> Result<bool> {
        let mut request = Request::delete(Service::Storage, object_path(uri)).about("delete", uri.to_string());
        if let Some(generation) = generation {
            request = request.query("ifGenerationMatch", generation.to_string());
        }
        match self.http.send(&request).await {
            Ok(_) => Ok(true),
            // Gone, by ourselves in an attempt before perhaps; or replaced by another.
            Err(error) if matches!(status(&error), Some(404 | 412)) && !says_bucket(&error) => Ok(false),
            Err(error) => Err(self.advise(error, uri.bucket())),
        }
    }

    /// Where a bucket is, in lower case; `None` where there is none.
    pub(crate) async fn bucket_location(&self, bucket: &str) -> Result<Option<String>> {
        let request = Request::get(Service::Storage, ["storage", "v1", "b", bucket])
            .query("fields", "location")
            .about("look at the bucket", bucket_uri(bucket));
        match self.http.send(&request).await {
            Ok(response) => Ok(Some(response.json::<Bucket>()?.location.to_lowercase())),
            Err(error) if error.kind() == Kind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes a bucket; whether it was made just now.
    pub(crate) async fn create_bucket(&self, project: &str, bucket: &str, location: &str) -> Result<bool> {
        let request = Request::post(Service::Storage, ["storage", "v1", "b"])
            .query("project", project)
            // A second one of the name is refused, so the call may be made again.
            .idempotent(true)
            .about("create the bucket", bucket_uri(bucket))
            .json(&json!({ "name": bucket, "location": location }))?;
        match self.http.send(&request).await {
            Ok(_) => Ok(true),
            Err(error) if status(&error) == Some(409) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// A resumable upload, which has not begun.
    pub(crate) fn upload(&self, uri: &GcsUri) -> Result<ResumableUpload> {
        let begin = Request::post(Service::Storage, ["upload", "storage", "v1", "b", uri.bucket(), "o"])
            .query("uploadType", "resumable")
            .query("name", uri.object())
            .about("write", uri.to_string())
            .json(&json!({ "contentType": CONTENT_TYPE }))?;
        Ok(ResumableUpload::new(self.http.clone(), begin))
    }

    /// Adds what to do to the error of a call that finds nothing missing but the bucket.
    pub(crate) fn advise_on_bucket(&self, error: Error, bucket: &str) -> Error {
        if error.kind() != Kind::NotFound {
            return self.advise(error, bucket);
        }
        let location = self.location.as_deref().unwrap_or("LOCATION");
        error.with_hint(format!(
            "create the bucket: `gcloud storage buckets create gs://{bucket} --location={location}`"
        ))
    }

    /// Adds what to do: the command that makes the bucket where the jobs run, or that grants the role.
    pub(crate) fn advise(&self, error: Error, bucket: &str) -> Error {
        match error.kind() {
            Kind::NotFound if says_bucket(&error) => self.advise_on_bucket(error, bucket),
            // Errors of Google's client have no hint yet.
            Kind::PermissionDenied if error.hint().is_none() => {
                // A refused download comes as plain text, not in an envelope.
                let said = |service: &'_ ServiceError| service.message.clone().or_else(|| service.body.clone());
                let message = error.service().and_then(said).unwrap_or_default();
                let named = bucket_grant(&message, bucket);
                let account = || bucket_grant(self.http.credentials().account()?, bucket);
                let hint = named
                    .or_else(account)
                    .unwrap_or_else(|| format!("ask who owns gs://{bucket} for the role roles/storage.objectUser"));
                error.with_hint(hint)
            }
            // Google's own disks are never full; an emulator's are.
            _ if error.service().is_some_and(|service| service.http_status == 507) => {
                error.with_hint("the server's disk is full: make room there and run the same command again")
            }
            _ => self.http.advise(error, &Service::Storage),
        }
    }
}

/// A page of a listing.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    #[serde(default)]
    items: Vec<Object>,
    next_page_token: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Bucket {
    location: String,
}

fn object_path(uri: &GcsUri) -> [&str; 6] {
    ["storage", "v1", "b", uri.bucket(), "o", uri.object()]
}

fn bucket_uri(bucket: &str) -> String {
    format!("gs://{bucket}")
}

fn status(error: &Error) -> Option<u16> {
    error.service().map(|service| service.http_status)
}

/// Whether the service says that it is the bucket which is missing ("The specified bucket does not
/// exist.").
fn says_bucket(error: &Error) -> bool {
    says(error, "bucket does not exist")
}

fn says(error: &Error, words: &str) -> bool {
    let message = error.service().and_then(|service| service.message.as_deref());
    message.is_some_and(|message| message.to_lowercase().contains(words))
}
