//! Uploads that break off. What servers answer to pieces is tried with the stores, in batch-gcs and batch-bq.

use std::{future::poll_fn, pin::pin, task::Poll};

use batch_backend::Kind;
use batch_http::{Chunks, Request, ResumableUpload, Service, UploadBuffer};
use bytes::Bytes;

use crate::server::{Server, TestClock, client};

/// An upload to where nobody listens.
async fn upload() -> ResumableUpload {
    let (clock, server) = (TestClock::new(), Server::nobody().await);
    let begin = Request::post(Service::Storage, ["upload"]).about("write", "gs://news/x");
    ResumableUpload::new(client(&server.url, &clock), begin)
}

fn buffer() -> Chunks {
    Bytes::from(vec![b'x'; 8 << 20]).into()
}

#[tokio::test]
async fn an_upload_that_has_failed_tells_why_once_and_stays_failed() {
    let mut upload = upload().await;
    upload.send(buffer()).await.unwrap();
    let error = upload.send(buffer()).await.unwrap_err();
    assert_eq!((error.kind(), error.resource()), (Kind::Unavailable, "gs://news/x"));
    assert_eq!(upload.send(buffer()).await.unwrap_err().kind(), Kind::FailedPrecondition);
    assert_eq!(upload.finish(Chunks::default()).await.unwrap_err().kind(), Kind::FailedPrecondition);
    upload.abort().await.unwrap();
}

#[tokio::test]
async fn bytes_for_which_nobody_waited_to_the_end_are_not_left_out() {
    let mut upload = upload().await;
    upload.send(buffer()).await.unwrap();
    {
        let mut second = pin!(upload.send(buffer()));
        let is_pending = poll_fn(|context| Poll::Ready(second.as_mut().poll(context).is_pending())).await;
        assert!(is_pending, "the first buffer has landed already");
    }
    let error = upload.finish(Bytes::from("rest").into()).await.unwrap_err();
    assert_eq!((error.kind(), error.resource()), (Kind::FailedPrecondition, "gs://news/x"));
}

#[tokio::test]
async fn little_is_gathered_behind_a_buffer_before_it_is_waited_for() {
    let mut upload = upload().await;
    let mut gathered = UploadBuffer::default();
    assert!(gathered.fill(&mut Bytes::from(vec![b'x'; 2 << 20])).is_none());
    // Nothing is on its way yet.
    upload.keep_up(&gathered).await.unwrap();
    upload.send(buffer()).await.unwrap();
    upload.keep_up(&UploadBuffer::default()).await.unwrap();
    assert_eq!(upload.keep_up(&gathered).await.unwrap_err().kind(), Kind::Unavailable);
    assert_eq!(upload.finish(gathered.rest()).await.unwrap_err().kind(), Kind::FailedPrecondition);
}
