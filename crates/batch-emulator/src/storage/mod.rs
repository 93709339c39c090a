//! Cloud Storage: buckets and objects, and the JSON API over them.

mod disk;
mod meta;
mod objects;
mod spool;

pub(crate) use meta::{Attributes, BucketMeta, ObjectMeta, Preconditions, StoreError};
pub(crate) use objects::{ObjectWriter, Objects, ReadSeek};

use axum::Router;

use crate::context::Context;

/// Whether the path is one of Cloud Storage, whose errors have a shape of their own.
pub(crate) fn serves(path: &str) -> bool {
    ["/storage/", "/upload/storage/", "/download/storage/", "/batch/storage/", "/b/"]
        .iter()
        .any(|prefix| path.starts_with(prefix))
}

/// The routes of the JSON API.
pub(crate) fn router(_context: &Context) -> Router {
    Router::new()
}
