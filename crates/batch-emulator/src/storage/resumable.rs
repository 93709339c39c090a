//! Resumable uploads: begin, chunks, status, cancel.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_RANGE, LOCATION, RANGE};
use http::{HeaderName, HeaderValue, StatusCode};

use super::body;
use super::call::{Call, blocking, invalid, json_body, lost_task};
use super::checksums::Claims;
use super::meta::StoreError;
use super::objects::Objects;
use super::resource::encode;
use super::upload::{announced_type, cut_after, lose_response, plan};
use super::uploads::{BLOCK, Purpose, Session, SharedUpload, Upload, Uploads};
use crate::envelope::{self, ApiError};

/// What the service replies to a cancelled upload; no registered status, so `http` has no
/// name for it.
const CLIENT_CLOSED_REQUEST: u16 = 499;

/// `POST …/o?uploadType=resumable`: replies with the address that takes the chunks.
pub(super) async fn begin(
    call: Call,
    uploads: Uploads<Objects>,
    bucket: String,
    body: Body,
) -> Result<Response, ApiError> {
    let written = json_body(body).await?;
    let mut claims = Claims::default();
    claims.add_headers(&call.headers);
    let plan = plan(
        &written,
        call.parameter("name"),
        announced_type(&call.headers),
        call.parameter("contentEncoding"),
        claims,
    )?;
    let session = Session {
        bucket: bucket.clone(),
        name: plan.name.clone(),
        attributes: plan.attributes,
        preconditions: call.preconditions()?,
        claims: plan.claims,
    };
    let context = call.context.clone();
    let id = blocking(move || -> Result<String, StoreError> {
        // What cannot succeed should not cost the upload first.
        let present = match context.objects.meta(&session.bucket, &session.name, None) {
            Ok(object) => Some(object),
            Err(StoreError::NoObject { .. }) => None,
            Err(error) => return Err(error),
        };
        session.preconditions.check(present.as_ref())?;
        Ok(uploads.begin(&context, session)?)
    })
    .await?;

    // Not from the Host header: some clients leave the port out of it.
    let location = call.link(&format!(
        "/upload/storage/v1/b/{}/o?uploadType=resumable&name={}&upload_id={id}",
        encode(&bucket),
        encode(&plan.name)
    ));
    Ok(begun(&location, &id))
}

/// The reply to the beginning of an upload: the address that takes the chunks.
pub(crate) fn begun(location: &str, id: &str) -> Response {
    let mut response = StatusCode::OK.into_response();
    let headers = response.headers_mut();
    // Both are ASCII: an address of our own with everything else escaped, and hex digits.
    if let (Ok(location), Ok(id)) = (location.parse(), HeaderValue::from_str(id)) {
        headers.insert(LOCATION, location);
        headers.insert(HeaderName::from_static("x-guploader-uploadid"), id);
    }
    response
}

/// `PUT …/o?upload_id=…`: a chunk, the end, or the question how far it has come.
pub(crate) async fn chunk<P: Purpose>(call: Call, uploads: Uploads<P>, body: Body) -> Result<Response, ApiError> {
    let upload = find(&call, &uploads)?.lock_owned().await;
    let range = match call.text_header(&CONTENT_RANGE) {
        None => ContentRange::WHOLE,
        Some(range) => ContentRange::parse(range)
            .ok_or_else(|| invalid(format!("Failed to parse Content-Range header: {range}")))?,
    };
    let mut claims = Claims::default();
    claims.add_headers(&call.headers);
    let length = range.length().or(call.content_length());
    let empty = length == Some(0) || matches!(range, ContentRange::Status { .. });
    let cut = if empty { None } else { cut_after(&call, length) };

    let (sender, reader) = body::channel();
    let shown = uploads.clone();
    let work = tokio::task::spawn_blocking(move || {
        let (mut upload, mut reader) = (upload, reader);
        let step = step(&mut upload, range, &claims, &mut reader);
        if matches!(step, Err(Failure::Final(_))) {
            uploads.forget(&mut upload);
        }
        step
    });
    body::pump(body, sender, call.connection.as_ref(), cut).await;
    match work.await.map_err(|error| lost_task(&error))? {
        Ok(Step::Kept(size)) => Ok(incomplete(size)),
        Ok(Step::Done(made)) => {
            lose_response(&call);
            Ok(envelope::json(StatusCode::OK, &shown.show(&call, &made)))
        }
        Err(Failure::Final(error) | Failure::Passing(error)) => Err(error),
    }
}

/// `DELETE …/o?upload_id=…`.
pub(crate) async fn cancel<P: Purpose>(call: Call, uploads: Uploads<P>) -> Result<Response, ApiError> {
    let mut upload = find(&call, &uploads)?.lock_owned().await;
    blocking(move || {
        uploads.forget(&mut upload);
        Ok::<_, StoreError>(())
    })
    .await?;
    let status = StatusCode::from_u16(CLIENT_CLOSED_REQUEST).unwrap_or(StatusCode::NO_CONTENT);
    Ok(status.into_response())
}

fn find<P: Purpose>(call: &Call, uploads: &Uploads<P>) -> Result<SharedUpload<P>, ApiError> {
    let id = call.parameter("upload_id").unwrap_or_default();
    uploads.get(id).ok_or_else(|| {
        ApiError::storage(
            StatusCode::NOT_FOUND,
            "notFound",
            format!("No such resumable upload: {id}; it was cancelled, has failed, or never was."),
        )
    })
}

/// How far an upload has come.
enum Step<M> {
    /// So many bytes are kept.
    Kept(u64),
    Done(Box<M>),
}

enum Failure {
    /// The upload cannot succeed any more.
    Final(ApiError),
    /// The request was wrong; the upload is as it was.
    Passing(ApiError),
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Failure {
        Failure::Passing(StoreError::Io(error).into())
    }
}

fn step<P: Purpose>(
    upload: &mut Upload<P>,
    range: ContentRange,
    claims: &Claims,
    body: &mut body::BodyReader,
) -> Result<Step<P::Made>, Failure> {
    if let Some(made) = upload.done() {
        // A client that lost the last reply asks again.
        return Ok(Step::Done(Box::new(made.clone())));
    }
    let size = upload.size()?;
    let (first, last, total) = match range {
        ContentRange::Status { total: None } => return Ok(Step::Kept(size)),
        ContentRange::Status { total: Some(total) } if total == size => {
            return finish(upload, claims);
        }
        ContentRange::Status { total: Some(total) } if total > size => {
            return Ok(Step::Kept(size));
        }
        ContentRange::Status { total: Some(total) } => {
            return Err(Failure::Passing(invalid(format!(
                "Invalid request.  The total size of {total} byte(s) is less than the already uploaded size of {size} byte(s)."
            ))));
        }
        ContentRange::Bytes { first, last, total } => (first, last, total),
    };
    if first > size {
        return Err(Failure::Passing(ApiError::storage(
            StatusCode::SERVICE_UNAVAILABLE,
            "backendError",
            format!(
                "Invalid request.  According to the Content-Range header, the upload offset is {first} byte(s), which exceeds already uploaded size of {size} byte(s)."
            ),
        )));
    }
    let ends = match (last, total) {
        (Some(last), Some(total)) => last + 1 == total,
        (Some(_), None) => false,
        (None, _) => true,
    };
    let received = upload.receive(first, ends, body)?;
    let expected = match (last, total) {
        (Some(last), _) => Some(last + 1 - first),
        (None, Some(total)) => total.checked_sub(first),
        (None, None) => None,
    };
    if expected.is_some_and(|expected| expected != received.bytes) {
        return Err(Failure::Passing(invalid(format!(
            "Invalid request.  The Content-Range header does not match the {} byte(s) that were received.",
            received.bytes
        ))));
    }
    if ends {
        return finish(upload, claims);
    }
    if received.bytes < BLOCK as u64 && received.left_over > 0 {
        return Err(Failure::Passing(invalid(format!(
            "Invalid request.  The number of bytes uploaded is required to be equal or greater than {BLOCK}, except for the final request (it's recommended to be the exact multiple of {BLOCK}).  The received request contained {} bytes, which does not meet this requirement.",
            received.bytes
        ))));
    }
    Ok(Step::Kept(upload.size()?))
}

fn finish<P: Purpose>(upload: &mut Upload<P>, claims: &Claims) -> Result<Step<P::Made>, Failure> {
    match upload.finish(claims) {
        Ok(made) => Ok(Step::Done(Box::new(made))),
        Err(error) => Err(Failure::Final(error)),
    }
}

/// 308 with the range that is kept; without a range, nothing is.
fn incomplete(size: u64) -> Response {
    let mut response = StatusCode::PERMANENT_REDIRECT.into_response();
    if let Some(last) = size.checked_sub(1)
        && let Ok(range) = HeaderValue::from_str(&format!("bytes=0-{last}"))
    {
        response.headers_mut().insert(RANGE, range);
    }
    response
}

/// A `Content-Range` of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ContentRange {
    /// `bytes */TOTAL` or `bytes */*`: how far has it come, or that was all.
    Status { total: Option<u64> },
    /// `bytes FIRST-LAST/TOTAL`, where LAST and TOTAL may be `*`.
    Bytes { first: u64, last: Option<u64>, total: Option<u64> },
}

impl ContentRange {
    /// What a request without the header means: the whole object.
    const WHOLE: ContentRange = ContentRange::Bytes { first: 0, last: None, total: None };

    fn parse(header: &str) -> Option<ContentRange> {
        let (range, total) = header.trim().strip_prefix("bytes")?.trim().split_once('/')?;
        let total = star_or_number(total)?;
        if range.trim() == "*" {
            return Some(ContentRange::Status { total });
        }
        let (first, last) = range.split_once('-')?;
        let first = first.trim().parse().ok()?;
        let last = star_or_number(last)?;
        let possible = last.is_none_or(|last| {
            // `0-(-1)` cannot be written: an empty last chunk says `*/TOTAL`.
            last >= first && total.is_none_or(|total| last < total)
        });
        possible.then_some(ContentRange::Bytes { first, last, total })
    }

    fn length(self) -> Option<u64> {
        match self {
            ContentRange::Status { .. } => Some(0),
            ContentRange::Bytes { first, last, total } => match (last, total) {
                (Some(last), _) => Some(last + 1 - first),
                (None, Some(total)) => total.checked_sub(first),
                (None, None) => None,
            },
        }
    }
}

/// `*` as `Some(None)`, a number as `Some(Some(n))`.
fn star_or_number(text: &str) -> Option<Option<u64>> {
    match text.trim() {
        "*" => Some(None),
        number => number.parse().ok().map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges() {
        let bytes = |first, last, total| Some(ContentRange::Bytes { first, last, total });
        let status = |total| Some(ContentRange::Status { total });
        for (header, expected) in [
            ("bytes 0-262143/3000000", bytes(0, Some(262_143), Some(3_000_000))),
            ("bytes 0-262143/*", bytes(0, Some(262_143), None)),
            ("bytes 5-*/*", bytes(5, None, None)),
            ("bytes 5-*/9", bytes(5, None, Some(9))),
            ("bytes */*", status(None)),
            ("bytes */0", status(Some(0))),
            ("bytes=*/7", None),
            ("bytes 9-5/*", None),
            ("bytes 0-9/9", None),
            ("0-9/9", None),
        ] {
            assert_eq!(ContentRange::parse(header), expected, "{header}");
        }
    }
}
