//! The checksums that a client says its bytes have.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::meta::StoreError;
use super::spool::Spooled;

/// What was claimed, in base64. A claim may come before the bytes (metadata, a header) or
/// after them (the third part of a multipart upload, a header of the last chunk); every
/// one is checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    crc32c: Vec<String>,
    md5: Vec<String>,
}

impl Claims {
    /// The claims in an object resource, or in a part that has nothing else.
    pub(super) fn add_json(&mut self, object: &Map<String, Value>) {
        let text = |name| object.get(name).and_then(Value::as_str);
        self.crc32c.extend(claimed(text("crc32c")));
        self.md5.extend(claimed(text("md5Hash")));
    }

    /// The claims in `x-goog-hash: crc32c=…,md5=…`, which may come more than once.
    pub(super) fn add_headers(&mut self, headers: &HeaderMap) {
        for value in headers.get_all("x-goog-hash") {
            let Ok(value) = value.to_str() else {
                continue;
            };
            for claim in value.split(',') {
                match claim.trim().split_once('=') {
                    Some(("crc32c", value)) => self.crc32c.extend(claimed(Some(value))),
                    Some(("md5", value)) => self.md5.extend(claimed(Some(value))),
                    _ => {}
                }
            }
        }
    }

    /// Compares with what came.
    pub(super) fn check(&self, spooled: &Spooled) -> Result<(), StoreError> {
        let crc32c = STANDARD.encode(spooled.crc32c.to_be_bytes());
        let md5 = spooled.md5.map(|md5| STANDARD.encode(md5)).unwrap_or_default();
        let differing = |claims: &[String], what, computed: &str| {
            let given = claims.iter().find(|given| *given != computed)?;
            Some(StoreError::Checksum { what, given: given.clone(), computed: computed.to_owned() })
        };
        match differing(&self.crc32c, "CRC32C", &crc32c).or_else(|| differing(&self.md5, "MD5 hash", &md5)) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

fn claimed(value: Option<&str>) -> Option<String> {
    value.filter(|value| !value.is_empty()).map(str::to_owned)
}
