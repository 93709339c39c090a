//! Uploads in one request: the bytes alone, or with metadata before them.

use std::io::Write;

use axum::body::Body;
use axum::response::Response;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value};

use super::body::{self, BodyReader};
use super::call::{Call, blocking, invalid, json_body, lost_task, parse_json, required};
use super::checksums::Claims;
use super::meta::{Attributes, ObjectMeta, Preconditions, StoreError};
use super::multipart::{self, Multipart, MultipartError};
use super::objects::Objects;
use super::uploads::Uploads;
use super::{resource, resumable};
use crate::envelope::{self, ApiError};

/// What an object without a content type has.
const UNKNOWN_TYPE: &str = "application/octet-stream";

/// Where the connection is cut when the length of the body is not known beforehand: after
/// one block of a resumable upload, so that something is left to resume.
const CUT_UNKNOWN: u64 = 300 << 10;

/// `POST /upload/storage/v1/b/{bucket}/o`.
pub(super) async fn insert(
    call: Call,
    uploads: Uploads<Objects>,
    bucket: String,
    body: Body,
) -> Result<Response, ApiError> {
    if call.parameter("upload_id").is_some() {
        return resumable::chunk(call, uploads, body).await;
    }
    match call.parameter("uploadType") {
        Some("resumable") => resumable::begin(call, uploads, bucket, body).await,
        Some("multipart") => {
            let target = Target::new(&call, bucket)?;
            let content_type = call.text_header(&CONTENT_TYPE).unwrap_or_default();
            let boundary = multipart::boundary(content_type).ok_or_else(|| {
                invalid("The content type of a multipart upload must be multipart/related with a boundary.")
            })?;
            let work = move |reader| target.receive_multipart(reader, &boundary);
            receive(&call, body, work).await
        }
        Some("media") => {
            let target = Target::new(&call, bucket)?;
            let work = move |reader| target.receive_media(reader);
            receive(&call, body, work).await
        }
        _ => Err(required("uploadType")),
    }
}

/// `POST /storage/v1/b/{bucket}/o`: an object of no bytes.
pub(super) async fn insert_empty(call: Call, bucket: String, body: Body) -> Result<Response, ApiError> {
    let written = json_body(body).await?;
    let target = Target::new(&call, bucket)?;
    let meta = blocking(move || {
        let plan = target.plan(&written, None)?;
        target.store_empty(plan)
    })
    .await?;
    Ok(envelope::json(StatusCode::OK, &resource::object(&call, &meta)))
}

/// Runs `work` on a body, on a blocking thread, and replies with the object it made.
async fn receive<F>(call: &Call, body: Body, work: F) -> Result<Response, ApiError>
where
    F: FnOnce(BodyReader) -> Result<ObjectMeta, ApiError> + Send + 'static,
{
    let cut = cut_after(call, call.content_length());
    let (sender, reader) = body::channel();
    let work = tokio::task::spawn_blocking(move || work(reader));
    body::pump(body, sender, call.connection.as_ref(), cut).await;
    let meta = work.await.map_err(|error| lost_task(&error))??;
    lose_response(call);
    Ok(envelope::json(StatusCode::OK, &resource::object(call, &meta)))
}

/// After how many bytes to cut the connection, if that is to happen now.
pub(crate) fn cut_after(call: &Call, length: Option<u64>) -> Option<u64> {
    call.context.faults.take("cut-upload").then(|| length.map_or(CUT_UNKNOWN, |length| (length / 2).max(1)))
}

/// Cuts the connection before the reply, if that is to happen now.
pub(crate) fn lose_response(call: &Call) {
    if call.context.faults.take("lost-upload-response")
        && let Some(connection) = &call.connection
    {
        connection.cut();
    }
}

impl Call {
    /// The length of the body, where the client has said it.
    pub(crate) fn content_length(&self) -> Option<u64> {
        self.text_header(&CONTENT_LENGTH)?.parse().ok()
    }
}

/// Where an upload goes, as the address and headers of the request say.
struct Target {
    objects: Objects,
    bucket: String,
    name: Option<String>,
    content_type: Option<String>,
    content_encoding: Option<String>,
    preconditions: Preconditions,
    claims: Claims,
}

/// An object that is about to be written.
pub(super) struct Plan {
    pub(super) name: String,
    pub(super) attributes: Attributes,
    pub(super) claims: Claims,
}

impl Target {
    fn new(call: &Call, bucket: String) -> Result<Target, ApiError> {
        let mut claims = Claims::default();
        claims.add_headers(&call.headers);
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Ok(Target {
            objects: call.context.objects.clone(),
            bucket,
            name: owned(call.parameter("name")),
            content_type: owned(call.text_header(&CONTENT_TYPE)),
            content_encoding: owned(call.parameter("contentEncoding")),
            preconditions: call.preconditions()?,
            claims,
        })
    }

    /// The object that metadata and the address describe together.
    fn plan(&self, written: &Map<String, Value>, media_type: Option<&str>) -> Result<Plan, ApiError> {
        plan(written, self.name.as_deref(), media_type, self.content_encoding.as_deref(), self.claims.clone())
    }

    fn receive_media(self, mut reader: BodyReader) -> Result<ObjectMeta, ApiError> {
        let plan = self.plan(&Map::new(), self.content_type.as_deref())?;
        self.check_bucket()?;
        let mut spool = self.objects.spool().map_err(StoreError::from)?;
        while let Some(piece) = reader.piece().map_err(StoreError::from)? {
            spool.write_all(&piece).map_err(StoreError::from)?;
        }
        self.insert(plan, spool)
    }

    /// Metadata, then the bytes, and after them perhaps their checksums.
    fn receive_multipart(self, reader: BodyReader, boundary: &str) -> Result<ObjectMeta, ApiError> {
        let missing = |what| MultipartError::Malformed(what);
        let mut parts = Multipart::new(reader, boundary);
        parts.next_part()?.ok_or_else(|| missing("it has no metadata part"))?;
        let mut metadata = Vec::new();
        parts.read_part(&mut metadata)?;
        let written = parse_json(&metadata)?;

        let media = parts.next_part()?.ok_or_else(|| missing("it has no media part"))?;
        if media.get("content-transfer-encoding").is_some_and(|encoding| encoding.eq_ignore_ascii_case("base64")) {
            return Err(missing("the media part is in base64, which is not supported").into());
        }
        let mut plan = self.plan(&written, media.get("content-type"))?;
        self.check_bucket()?;
        let mut spool = self.objects.spool().map_err(StoreError::from)?;
        parts.read_part(&mut spool)?;

        if parts.next_part()?.is_some() {
            let mut checksums = Vec::new();
            parts.read_part(&mut checksums)?;
            plan.claims.add_json(&parse_json(&checksums)?);
        }
        if parts.next_part()?.is_some() {
            return Err(missing("it has more parts than metadata, media and checksums").into());
        }
        self.insert(plan, spool)
    }

    /// An object of no bytes.
    fn store_empty(self, plan: Plan) -> Result<ObjectMeta, ApiError> {
        self.check_bucket()?;
        let spool = self.objects.spool().map_err(StoreError::from)?;
        self.insert(plan, spool)
    }

    fn insert(self, plan: Plan, spool: super::spool::Spool) -> Result<ObjectMeta, ApiError> {
        let spooled = spool.finish().map_err(StoreError::from)?;
        plan.claims.check(&spooled)?;
        Ok(self.objects.insert(&self.bucket, &plan.name, spooled, plan.attributes, 0, self.preconditions)?)
    }

    /// Fails before the bytes are stored, where they have nowhere to go.
    fn check_bucket(&self) -> Result<(), StoreError> {
        match self.objects.bucket(&self.bucket) {
            Some(_) => Ok(()),
            None => Err(StoreError::NoBucket(self.bucket.clone())),
        }
    }
}

/// The object that metadata and the request describe together. The name in the address
/// wins over that in the metadata; the content type in the metadata over that of the
/// bytes.
pub(super) fn plan(
    written: &Map<String, Value>,
    name: Option<&str>,
    media_type: Option<&str>,
    content_encoding: Option<&str>,
    mut claims: Claims,
) -> Result<Plan, ApiError> {
    let name = name
        .or_else(|| written.get("name").and_then(Value::as_str))
        .filter(|name| !name.is_empty())
        .ok_or_else(|| required("name"))?;
    let mut attributes =
        Attributes::of_type(media_type.filter(|media_type| !media_type.is_empty()).unwrap_or(UNKNOWN_TYPE));
    attributes.content_encoding = content_encoding.map(str::to_owned);
    resource::apply(&mut attributes, written)?;
    claims.add_json(written);
    Ok(Plan { name: name.to_owned(), attributes, claims })
}

impl From<MultipartError> for ApiError {
    fn from(error: MultipartError) -> ApiError {
        match error {
            MultipartError::Malformed(_) => ApiError::storage(StatusCode::BAD_REQUEST, "badContent", error.to_string()),
            MultipartError::Io(error) => StoreError::Io(error).into(),
        }
    }
}

/// The content type that the bytes of a resumable upload will have.
pub(super) fn announced_type(headers: &HeaderMap) -> Option<&str> {
    headers.get("x-upload-content-type")?.to_str().ok()
}
