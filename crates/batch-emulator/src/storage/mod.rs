//! Cloud Storage: buckets and objects, and the JSON API over them.

mod batch;
mod body;
mod bucket_calls;
mod call;
mod checksums;
mod disk;
mod download;
mod glob;
mod list;
mod meta;
mod multipart;
mod object_calls;
mod objects;
mod resource;
mod resumable;
mod spool;
mod upload;
mod uploads;

pub(crate) use body::{channel, pump};
pub(crate) use call::{Call, blocking, json_body, lost_task, parse_json};
pub(crate) use checksums::Claims;
pub(crate) use disk::{Versioned, read as read_record};
pub(crate) use meta::{Attributes, ObjectMeta, Preconditions, StoreError};
pub(crate) use multipart::{Multipart, boundary};
pub(crate) use objects::{ObjectWriter, Objects, ReadSeek};
pub(crate) use resource::encode;
pub(crate) use resumable::{begun, cancel, chunk};
pub(crate) use spool::{Spooled, SpooledBody, Temporary, remove};
pub(crate) use upload::{cut_after, lose_response};
pub(crate) use uploads::{Purpose, Uploads};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use http::{Method, StatusCode};

use self::object_calls::Name;
use crate::context::Context;
use crate::envelope::ApiError;
use crate::{Error, ErrorKind};

/// Whether the path is one of Cloud Storage, whose errors have a shape of their own.
pub(crate) fn serves(path: &str) -> bool {
    ["/storage/", "/upload/storage/", "/resumable/upload/", "/download/storage/", "/batch/storage/", "/b/"]
        .iter()
        .any(|prefix| path.starts_with(prefix))
}

/// What the calls work on.
#[derive(Clone, Debug)]
pub(crate) struct Storage {
    context: Context,
    uploads: Uploads<Objects>,
}

impl Storage {
    /// Takes up the uploads that an earlier process left unfinished.
    pub(crate) async fn open(context: &Context) -> Result<Storage, Error> {
        let opened = {
            let context = context.clone();
            tokio::task::spawn_blocking(move || Uploads::open(&context, context.objects.clone())).await
        };
        let failed = || Error::new(ErrorKind::Data, "failed to read the unfinished uploads");
        let uploads =
            opened.map_err(|error| failed().with_source(error))?.map_err(|error| failed().with_source(error))?;
        Ok(Storage { context: context.clone(), uploads })
    }

    /// The routes of the JSON API. Which call a request is, is decided by [`dispatch`]:
    /// object names have slashes, which some clients do not escape.
    pub(crate) fn router(&self) -> Router {
        let serve = any(|State(storage): State<Storage>, request: Request| serve(storage, request));
        Router::new()
            .route("/storage/v1/{*path}", serve.clone())
            .route("/upload/storage/v1/{*path}", serve.clone())
            // Where gcloud begins its resumable uploads.
            .route("/resumable/upload/storage/v1/{*path}", serve.clone())
            .route("/download/storage/v1/{*path}", serve.clone())
            .route("/b/{*path}", serve.clone())
            .route("/b", serve.clone())
            .route("/batch/storage/v1", serve)
            .with_state(self.clone())
    }

    /// Answers a `GET /{bucket}/{object}`, with which some clients (Go's) read, or gives
    /// the request back where there is no such bucket.
    pub(crate) async fn read_by_plain_path(&self, request: Request) -> Result<Response, Request> {
        let mut segments = request.uri().path().splitn(3, '/').skip(1);
        let known = matches!(*request.method(), Method::GET | Method::HEAD)
            && segments.next().is_some_and(|bucket| self.context.objects.bucket(bucket).is_some())
            && segments.next().is_some_and(|object| !object.is_empty());
        if !known {
            return Err(request);
        }
        if let Some(error) = fault(&self.context) {
            return Ok(call::as_text(&error));
        }
        Ok(match Call::new(self.context.clone(), request) {
            Ok((mut call, _)) => {
                let bucket = call.path.remove(0);
                let object = call.path.join("/");
                download::read(call, bucket, object).await
            }
            Err(error) => error.into_response(),
        })
    }
}

/// Answers a request.
async fn serve(storage: Storage, request: Request) -> Response {
    let (call, body) = match Call::new(storage.context.clone(), request) {
        Ok(taken_apart) => taken_apart,
        Err(error) => return error.into_response(),
    };
    let reads_bytes = call.method == Method::GET && call.wants_media();
    let Some(error) = fault(&storage.context) else {
        return dispatch(storage, call, body).await.unwrap_or_else(IntoResponse::into_response);
    };
    // The body is read all the same: a client that is still sending would not see the reply.
    drain(body).await;
    if reads_bytes { call::as_text(&error) } else { error.into_response() }
}

async fn drain(body: Body) {
    let mut pieces = body.into_data_stream();
    while let Some(Ok(_)) = futures::StreamExt::next(&mut pieces).await {}
}

/// The fault that is to happen now.
fn fault(context: &Context) -> Option<ApiError> {
    let faults = &context.faults;
    if faults.take("storage-401") {
        return Some(unauthenticated());
    }
    if faults.take("storage-403") {
        let message = "emulator@example.com does not have storage.objects access to the Google Cloud Storage object. Permission 'storage.objects' denied on resource (or it may not exist).";
        return Some(ApiError::storage(StatusCode::FORBIDDEN, "forbidden", message));
    }
    if faults.take("storage-429") {
        let message = "The rate of requests exceeds the rate limit. Please reduce your request rate.";
        let error = ApiError::storage(StatusCode::TOO_MANY_REQUESTS, "rateLimitExceeded", message);
        return Some(error.with_retry_after(1));
    }
    if faults.take("storage-503") {
        let message = "We encountered an internal error. Please try again.";
        return Some(ApiError::storage(StatusCode::SERVICE_UNAVAILABLE, "backendError", message));
    }
    None
}

/// The reply to a request without a valid token.
pub(crate) fn unauthenticated() -> ApiError {
    ApiError::storage(StatusCode::UNAUTHORIZED, "authError", "Invalid Credentials").at("header", "Authorization")
}

/// Which call a request is. Paths are taken apart by hand: an object name may come with
/// its slashes escaped or not.
async fn dispatch(storage: Storage, call: Call, body: Body) -> Result<Response, ApiError> {
    let method = call.method.clone();
    let path = call.path.clone();
    let segments: Vec<&str> = path.iter().map(String::as_str).collect();
    if let ["resumable", "upload", "storage", "v1", "b", bucket, "o"] | ["upload", "storage", "v1", "b", bucket, "o"] =
        segments[..]
    {
        let (uploads, bucket) = (storage.uploads, bucket.to_owned());
        let in_session = call.parameter("upload_id").is_some();
        return match method {
            Method::POST => upload::insert(call, uploads, bucket, body).await,
            Method::PUT if in_session => resumable::chunk(call, uploads, body).await,
            Method::DELETE if in_session => resumable::cancel(call, uploads).await,
            _ => Err(unknown(&call)),
        };
    }
    if let ["batch", "storage", "v1"] = segments[..] {
        return match method {
            Method::POST => batch::run(storage, call, body).await,
            _ => Err(unknown(&call)),
        };
    }
    let below = segments.strip_prefix(&["download"]).unwrap_or(&segments);
    let below = below.strip_prefix(&["storage", "v1"]).unwrap_or(below);
    match below {
        ["b"] | ["b", ""] => match method {
            Method::GET => bucket_calls::list(call).await,
            Method::POST => bucket_calls::insert(call, body).await,
            _ => Err(unknown(&call)),
        },
        ["b", bucket] => {
            let bucket = (*bucket).to_owned();
            match method {
                Method::GET | Method::HEAD => bucket_calls::get(call, bucket).await,
                Method::PATCH => bucket_calls::patch(call, bucket, body).await,
                Method::PUT => bucket_calls::put(call, bucket, body).await,
                Method::DELETE => bucket_calls::delete(call, bucket).await,
                _ => Err(unknown(&call)),
            }
        }
        ["b", bucket, what @ ("storageLayout" | "folders" | "managedFolders")]
        | ["b", bucket, "iam", what @ "testPermissions"]
            if method == Method::GET =>
        {
            bucket_calls::about(call, (*bucket).to_owned(), what).await
        }
        ["b", bucket, "o"] => match method {
            Method::GET => list::list(call, (*bucket).to_owned()).await,
            Method::POST => upload::insert_empty(call, (*bucket).to_owned(), body).await,
            _ => Err(unknown(&call)),
        },
        ["b", bucket, "o", object @ ..] => on_object(call, bucket, object, body).await,
        _ => Err(unknown(&call)),
    }
}

/// Which call on an object a request is.
async fn on_object(call: Call, bucket: &str, object: &[&str], body: Body) -> Result<Response, ApiError> {
    let name = |bucket: &str, object: &[&str]| Name { bucket: bucket.to_owned(), object: object.join("/") };
    if call.method == Method::POST {
        return match object {
            [object @ .., "compose"] => object_calls::compose(call, name(bucket, object), body).await,
            [from, "copyTo", "b", to, "o", rest @ ..] => {
                object_calls::copy(call, name(bucket, &[from]), name(to, rest), body).await
            }
            [from, "rewriteTo", "b", to, "o", rest @ ..] => {
                object_calls::rewrite(call, name(bucket, &[from]), name(to, rest), body).await
            }
            _ => Err(unknown(&call)),
        };
    }
    let name = name(bucket, object);
    match call.method {
        Method::GET | Method::HEAD if call.wants_media() => Ok(download::read(call, name.bucket, name.object).await),
        Method::GET | Method::HEAD => object_calls::get(call, name).await,
        Method::PATCH => object_calls::patch(call, name, body).await,
        Method::PUT => object_calls::put(call, name, body).await,
        Method::DELETE => object_calls::delete(call, name).await,
        _ => Err(unknown(&call)),
    }
}

fn unknown(call: &Call) -> ApiError {
    ApiError::storage(
        StatusCode::NOT_FOUND,
        "notFound",
        format!("The emulator serves no {} /{}.", call.method, call.path.join("/")),
    )
}
