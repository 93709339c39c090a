//! Calls on objects other than uploads, downloads and lists.

use std::io;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::call::{Call, blocking, invalid, json_body, required};
use super::meta::{Attributes, ObjectMeta, Preconditions, StoreError};
use super::objects::Objects;
use super::resource;
use crate::envelope::{self, ApiError};

/// The most objects that one call composes.
const MOST_SOURCES: usize = 32;

/// Which object.
#[derive(Clone, Debug)]
pub(super) struct Name {
    pub(super) bucket: String,
    pub(super) object: String,
}

/// `GET …/o/{object}`.
pub(super) async fn get(call: Call, name: Name) -> Result<Response, ApiError> {
    let (generation, preconditions) = (call.generation()?, call.preconditions()?);
    let objects = call.context.objects.clone();
    let meta = blocking(move || objects.meta(&name.bucket, &name.object, generation)).await?;
    preconditions.check_read(meta.generation, meta.metageneration)?;
    call.check_etag(&meta.etag())?;
    Ok(reply(&call, &meta))
}

/// `PATCH …/o/{object}`: what is absent stays.
pub(super) async fn patch(call: Call, name: Name, body: Body) -> Result<Response, ApiError> {
    update(call, name, body, |attributes| attributes).await
}

/// `PUT …/o/{object}`: what is absent goes, but for the storage class.
pub(super) async fn put(call: Call, name: Name, body: Body) -> Result<Response, ApiError> {
    update(call, name, body, |attributes| Attributes {
        storage_class: attributes.storage_class,
        ..Attributes::default()
    })
    .await
}

async fn update(call: Call, name: Name, body: Body, start: fn(Attributes) -> Attributes) -> Result<Response, ApiError> {
    let written = json_body(body).await?;
    let (generation, preconditions) = (call.generation()?, call.preconditions()?);
    // Before the object is touched: what is written must make sense.
    resource::apply(&mut Attributes::default(), &written)?;
    let objects = call.context.objects.clone();
    let meta = blocking(move || {
        objects.update(&name.bucket, &name.object, generation, preconditions, |attributes| {
            let mut changed = start(std::mem::take(attributes));
            // Cannot fail: it was checked above.
            let _ = resource::apply(&mut changed, &written);
            *attributes = changed;
        })
    })
    .await?;
    Ok(reply(&call, &meta))
}

/// `DELETE …/o/{object}`.
pub(super) async fn delete(call: Call, name: Name) -> Result<Response, ApiError> {
    let (generation, preconditions) = (call.generation()?, call.preconditions()?);
    let objects = call.context.objects.clone();
    blocking(move || objects.delete(&name.bucket, &name.object, generation, preconditions)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `POST …/o/{object}/compose`: an object of the bytes of others, one after another.
pub(super) async fn compose(call: Call, name: Name, body: Body) -> Result<Response, ApiError> {
    let written = json_body(body).await?;
    let mut attributes = Attributes::default();
    if let Some(destination) = written.get("destination").and_then(Value::as_object) {
        resource::apply(&mut attributes, destination)?;
    }
    let sources = match written.get("sourceObjects").and_then(Value::as_array) {
        Some(sources) if !sources.is_empty() => sources.iter().map(Source::read).collect::<Result<Vec<_>, _>>()?,
        _ => return Err(required("sourceObjects")),
    };
    if sources.len() > MOST_SOURCES {
        return Err(invalid(format!(
            "The number of source components provided ({}) exceeds the maximum ({MOST_SOURCES})",
            sources.len()
        )));
    }
    let preconditions = call.preconditions()?;
    let objects = call.context.objects.clone();
    let meta = blocking(move || -> Result<ObjectMeta, StoreError> {
        let mut spool = objects.spool()?;
        let mut components = 0;
        for source in sources {
            let (meta, mut bytes) = objects.reader_of(&name.bucket, &source.name, source.generation)?;
            source.preconditions.check(Some(&meta))?;
            io::copy(&mut bytes, &mut spool)?;
            components += meta.components.max(1);
            if attributes.content_type.is_none() {
                attributes.content_type.clone_from(&meta.attributes.content_type);
            }
        }
        objects.insert(&name.bucket, &name.object, spool.finish()?, attributes, components, preconditions)
    })
    .await?;
    Ok(reply(&call, &meta))
}

/// One of the objects that are composed.
struct Source {
    name: String,
    generation: Option<i64>,
    preconditions: Preconditions,
}

impl Source {
    fn read(source: &Value) -> Result<Source, ApiError> {
        Ok(Source {
            name: source.get("name").and_then(Value::as_str).ok_or_else(|| required("sourceObjects.name"))?.to_owned(),
            generation: number(source.get("generation"))?,
            preconditions: Preconditions {
                if_generation_match: number(source.pointer("/objectPreconditions/ifGenerationMatch"))?,
                ..Preconditions::default()
            },
        })
    }
}

/// An int64 of a JSON body: digits in a string, or a number.
fn number(value: Option<&Value>) -> Result<Option<i64>, ApiError> {
    let read = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(digits)) => digits.parse().ok(),
        Some(number) => number.as_i64(),
    };
    match read {
        Some(number) => Ok(Some(number)),
        None => Err(invalid("Invalid value: it is not a valid integer")),
    }
}

/// `POST …/o/{object}/copyTo/b/{bucket}/o/{object}`.
pub(super) async fn copy(call: Call, from: Name, to: Name, body: Body) -> Result<Response, ApiError> {
    let meta = copied(&call, from, to, body).await?;
    Ok(reply(&call, &meta))
}

/// `POST …/o/{object}/rewriteTo/b/{bucket}/o/{object}`: done in one call, whatever the
/// size.
pub(super) async fn rewrite(call: Call, from: Name, to: Name, body: Body) -> Result<Response, ApiError> {
    let meta = copied(&call, from, to, body).await?;
    let size = meta.size.to_string();
    let rewritten = json!({
        "kind": "storage#rewriteResponse",
        "totalBytesRewritten": size,
        "objectSize": size,
        "done": true,
        "resource": resource::object(&call, &meta),
    });
    Ok(envelope::json(StatusCode::OK, &rewritten))
}

async fn copied(call: &Call, from: Name, to: Name, body: Body) -> Result<ObjectMeta, ApiError> {
    let written = json_body(body).await?;
    let generation = call.number("sourceGeneration")?;
    let source_preconditions = call.source_preconditions()?;
    let preconditions = call.preconditions()?;
    let objects = call.context.objects.clone();
    blocking(move || -> Result<ObjectMeta, ApiError> {
        let (meta, mut bytes) = objects.reader_of(&from.bucket, &from.object, generation)?;
        source_preconditions.check(Some(&meta))?;
        let attributes = attributes_of_copy(&meta, &written)?;
        store(&objects, &to, &mut bytes, attributes, meta.components, preconditions).map_err(ApiError::from)
    })
    .await
}

/// A copy takes the attributes of the original, unless the call writes others.
fn attributes_of_copy(original: &ObjectMeta, written: &Map<String, Value>) -> Result<Attributes, ApiError> {
    if written.is_empty() {
        return Ok(original.attributes.clone());
    }
    let mut attributes = Attributes::default();
    resource::apply(&mut attributes, written)?;
    Ok(attributes)
}

fn store(
    objects: &Objects,
    to: &Name,
    bytes: &mut dyn io::Read,
    attributes: Attributes,
    components: u32,
    preconditions: Preconditions,
) -> Result<ObjectMeta, StoreError> {
    let mut spool = objects.spool()?;
    io::copy(bytes, &mut spool)?;
    objects.insert(&to.bucket, &to.object, spool.finish()?, attributes, components, preconditions)
}

fn reply(call: &Call, meta: &ObjectMeta) -> Response {
    envelope::json(StatusCode::OK, &resource::object(call, meta))
}
