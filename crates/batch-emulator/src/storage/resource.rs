//! Buckets and objects as the JSON API writes them.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::call::{Call, invalid};
use super::meta::{Attributes, BucketMeta, ObjectMeta};
use crate::envelope::ApiError;

/// What is escaped in a segment of a path: all but RFC 3986's unreserved characters.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A name as one segment of a path or one value of a query.
pub(crate) fn encode(name: &str) -> String {
    utf8_percent_encode(name, SEGMENT).to_string()
}

/// An object resource.
pub(super) fn object(call: &Call, meta: &ObjectMeta) -> Value {
    let path = format!("/storage/v1/b/{}/o/{}", encode(&meta.bucket), encode(&meta.name));
    let attributes = &meta.attributes;
    let mut resource = Map::new();
    let mut put = |name: &str, value: Value| {
        resource.insert(name.to_owned(), value);
    };
    put("kind", json!("storage#object"));
    put("id", json!(format!("{}/{}/{}", meta.bucket, meta.name, meta.generation)));
    put("selfLink", json!(call.link(&path)));
    put("mediaLink", json!(call.link(&format!("/download{path}?generation={}&alt=media", meta.generation))));
    put("name", json!(meta.name));
    put("bucket", json!(meta.bucket));
    put("generation", json!(meta.generation.to_string()));
    put("metageneration", json!(meta.metageneration.to_string()));
    let storage_class = attributes.storage_class.as_deref().unwrap_or("STANDARD");
    put("storageClass", json!(storage_class));
    put("size", json!(meta.size.to_string()));
    if let Some(md5) = meta.md5_base64() {
        put("md5Hash", json!(md5));
    }
    put("crc32c", json!(meta.crc32c_base64()));
    put("etag", json!(meta.etag()));
    for (name, value) in [
        ("contentType", &attributes.content_type),
        ("contentEncoding", &attributes.content_encoding),
        ("contentDisposition", &attributes.content_disposition),
        ("contentLanguage", &attributes.content_language),
        ("cacheControl", &attributes.cache_control),
        ("customTime", &attributes.custom_time),
    ] {
        if let Some(value) = value {
            put(name, json!(value));
        }
    }
    if meta.components > 0 {
        put("componentCount", json!(meta.components));
    }
    put("timeCreated", json!(millis(meta.created)));
    put("updated", json!(millis(meta.updated)));
    put("timeStorageClassUpdated", json!(millis(meta.created)));
    put("timeFinalized", json!(millis(meta.created)));
    if !attributes.metadata.is_empty() {
        put("metadata", json!(attributes.metadata));
    }
    Value::Object(resource)
}

/// Where a bucket is, and of what kind that place is.
pub(super) fn bucket_location(meta: &BucketMeta) -> (String, &'static str) {
    let location = meta.settings.get("location").and_then(Value::as_str).unwrap_or("US").to_uppercase();
    let kind = match location.as_str() {
        "ASIA" | "EU" | "US" => "multi-region",
        "ASIA1" | "EUR4" | "EUR5" | "EUR7" | "EUR8" | "NAM4" => "dual-region",
        _ => "region",
    };
    (location, kind)
}

/// A bucket resource: what the service fills in, and over it what the client wrote.
pub(super) fn bucket(call: &Call, meta: &BucketMeta) -> Value {
    let path = format!("/storage/v1/b/{}", encode(&meta.name));
    let mut resource = Map::new();
    let mut put = |name: &str, value: Value| {
        resource.insert(name.to_owned(), value);
    };
    let (location, kind) = bucket_location(meta);
    put("location", json!(location));
    put("locationType", json!(kind));
    put("storageClass", json!("STANDARD"));
    put(
        "iamConfiguration",
        json!({
            "bucketPolicyOnly": {"enabled": false},
            "uniformBucketLevelAccess": {"enabled": false},
            "publicAccessPrevention": "inherited",
        }),
    );
    for (name, value) in &meta.settings {
        put(name, value.clone());
    }
    put("kind", json!("storage#bucket"));
    put("selfLink", json!(call.link(&path)));
    put("id", json!(meta.name));
    put("name", json!(meta.name));
    put("projectNumber", json!(meta.project_number.to_string()));
    put("metageneration", json!(meta.metageneration.to_string()));
    put("etag", json!(meta.etag()));
    put("timeCreated", json!(millis(meta.created)));
    put("updated", json!(millis(meta.updated)));
    Value::Object(resource)
}

/// A time as the API writes it: RFC 3339 in UTC with milliseconds.
fn millis(time: jiff::Timestamp) -> String {
    format!("{time:.3}")
}

/// The names of an object resource that a client may write.
const TEXT_ATTRIBUTES: [&str; 7] = [
    "contentType",
    "contentEncoding",
    "contentDisposition",
    "contentLanguage",
    "cacheControl",
    "customTime",
    "storageClass",
];

/// Applies what a client wrote: absent fields stay, `null` takes a field away, and so it
/// does with the entries of `metadata`. Fields that are not the client's to write are
/// ignored, as the service does.
pub(super) fn apply(attributes: &mut Attributes, written: &Map<String, Value>) -> Result<(), ApiError> {
    for name in TEXT_ATTRIBUTES {
        let Some(value) = written.get(name) else {
            continue;
        };
        let value = optional_text(name, value)?;
        let slot = match name {
            "contentType" => &mut attributes.content_type,
            "contentEncoding" => &mut attributes.content_encoding,
            "contentDisposition" => &mut attributes.content_disposition,
            "contentLanguage" => &mut attributes.content_language,
            "cacheControl" => &mut attributes.cache_control,
            "customTime" => &mut attributes.custom_time,
            _ => &mut attributes.storage_class,
        };
        *slot = value;
    }
    match written.get("metadata") {
        None => {}
        Some(Value::Null) => attributes.metadata.clear(),
        Some(Value::Object(entries)) => {
            for (key, value) in entries {
                match optional_text(key, value)? {
                    Some(value) => attributes.metadata.insert(key.clone(), value),
                    None => attributes.metadata.remove(key),
                };
            }
        }
        Some(_) => return Err(invalid("Invalid value at 'metadata': it is no object.")),
    }
    Ok(())
}

fn optional_text(name: &str, value: &Value) -> Result<Option<String>, ApiError> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        _ => Err(invalid(format!("Invalid value at '{name}': it is no string."))),
    }
}
