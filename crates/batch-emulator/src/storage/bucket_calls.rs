//! Calls on buckets.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::call::{Call, blocking, json_body, required};
use super::meta::StoreError;
use super::resource;
use crate::envelope::{self, ApiError};

/// What of a bucket resource is not the client's to write.
const FIXED: [&str; 12] = [
    "kind",
    "selfLink",
    "id",
    "name",
    "projectNumber",
    "metageneration",
    "generation",
    "etag",
    "timeCreated",
    "updated",
    "acl",
    "defaultObjectAcl",
];

/// `GET /storage/v1/b`: the buckets of every project, since a local server has one user.
pub(super) async fn list(call: Call) -> Result<Response, ApiError> {
    let prefix = call.parameter("prefix").unwrap_or_default();
    let buckets: Vec<Value> = call
        .context
        .objects
        .buckets()
        .iter()
        .filter(|bucket| bucket.name.starts_with(prefix))
        .map(|bucket| resource::bucket(&call, bucket))
        .collect();
    let mut reply = Map::new();
    reply.insert("kind".to_owned(), json!("storage#buckets"));
    if !buckets.is_empty() {
        reply.insert("items".to_owned(), json!(buckets));
    }
    Ok(envelope::json(StatusCode::OK, &reply))
}

/// `POST /storage/v1/b?project=…`.
pub(super) async fn insert(call: Call, body: Body) -> Result<Response, ApiError> {
    let project = call.parameter("project").ok_or_else(|| required("project"))?;
    let number = call.context.config.project_number(project);
    let mut settings = json_body(body).await?;
    let name = match settings.get("name").and_then(Value::as_str) {
        Some(name) => name.to_owned(),
        None => return Err(required("name")),
    };
    settings.retain(|field, value| !FIXED.contains(&field.as_str()) && !value.is_null());
    if let Some(Value::String(location)) = settings.get_mut("location") {
        location.make_ascii_uppercase();
    }
    let objects = call.context.objects.clone();
    let meta = blocking(move || objects.create_bucket_with(&name, number, settings)).await?;
    Ok(envelope::json(StatusCode::OK, &resource::bucket(&call, &meta)))
}

/// `GET /storage/v1/b/{bucket}`.
pub(super) async fn get(call: Call, name: String) -> Result<Response, ApiError> {
    let Some(meta) = call.context.objects.bucket(&name) else {
        return Err(StoreError::NoBucket(name).into());
    };
    call.preconditions()?.check_read(0, meta.metageneration)?;
    call.check_etag(&meta.etag())?;
    Ok(envelope::json(StatusCode::OK, &resource::bucket(&call, &meta)))
}

/// `PATCH /storage/v1/b/{bucket}`: what is absent stays, `null` takes a setting away.
pub(super) async fn patch(call: Call, name: String, body: Body) -> Result<Response, ApiError> {
    update(call, name, body, |settings| settings).await
}

/// `PUT /storage/v1/b/{bucket}`: what is absent goes, but for where the bucket is.
pub(super) async fn put(call: Call, name: String, body: Body) -> Result<Response, ApiError> {
    update(call, name, body, |mut settings| {
        settings.retain(|field, _| matches!(field.as_str(), "location" | "storageClass"));
        settings
    })
    .await
}

async fn update(
    call: Call,
    name: String,
    body: Body,
    start: fn(Map<String, Value>) -> Map<String, Value>,
) -> Result<Response, ApiError> {
    let written = json_body(body).await?;
    let preconditions = call.preconditions()?;
    let objects = call.context.objects.clone();
    let meta = blocking(move || {
        objects.update_bucket(&name, preconditions, |settings| {
            let mut changed = start(std::mem::take(settings));
            for (field, value) in written {
                if !FIXED.contains(&field.as_str()) {
                    merge(&mut changed, field, value);
                }
            }
            *settings = changed;
        })
    })
    .await?;
    Ok(envelope::json(StatusCode::OK, &resource::bucket(&call, &meta)))
}

/// JSON merge patch (RFC 7396), which is what the service's patch does.
fn merge(target: &mut Map<String, Value>, field: String, value: Value) {
    match value {
        Value::Null => {
            target.remove(&field);
        }
        Value::Object(inner) => {
            let entry = target.entry(field).or_insert(Value::Null);
            let mut merged = match entry.take() {
                Value::Object(present) => present,
                _ => Map::new(),
            };
            for (field, value) in inner {
                merge(&mut merged, field, value);
            }
            *entry = Value::Object(merged);
        }
        value => {
            target.insert(field, value);
        }
    }
}

/// `DELETE /storage/v1/b/{bucket}`.
pub(super) async fn delete(call: Call, name: String) -> Result<Response, ApiError> {
    let preconditions = call.preconditions()?;
    let objects = call.context.objects.clone();
    blocking(move || objects.delete_bucket(&name, preconditions)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// What clients ask about a bucket before they do what they came for: its layout, its
/// folders (none: names with slashes are all there is) and what the caller may do
/// (everything).
pub(super) async fn about(call: Call, name: String, what: &str) -> Result<Response, ApiError> {
    let Some(meta) = call.context.objects.bucket(&name) else {
        return Err(StoreError::NoBucket(name).into());
    };
    let (location, kind) = resource::bucket_location(&meta);
    let reply = match what {
        "storageLayout" => json!({
            "kind": "storage#storageLayout",
            "bucket": name,
            "location": location,
            "locationType": kind,
            "hierarchicalNamespace": {"enabled": false},
        }),
        "folders" => json!({"kind": "storage#folders"}),
        "managedFolders" => json!({"kind": "storage#managedFolders"}),
        _ => json!({
            "kind": "storage#testIamPermissionsResponse",
            "permissions": call.parameters("permissions"),
        }),
    };
    Ok(envelope::json(StatusCode::OK, &reply))
}
