//! Cloud Storage. Each module is about one kind of call.

mod batch;
mod buckets;
mod data;
mod downloads;
mod faults;
mod lists;
mod multipart;
mod objects;
mod resumable;
pub(crate) mod wire;

use std::path::Path;
use std::time::{Duration, SystemTime};

use batch_emulator::{Config, Emulator, Faults, ManualClock};
use serde_json::{Value, json};

use self::wire::{Request, request};
use crate::http::Reply;

/// 2026-11-21T10:00:00.123456Z.
const START: Duration = Duration::from_micros(1_795_255_200_123_456);

/// The unit of resumable uploads.
const BLOCK: usize = 256 << 10;

/// An emulator with the bucket `bucket` and a clock that stands still.
struct Service {
    emulator: Emulator,
    clock: ManualClock,
}

impl Service {
    /// In memory.
    async fn start() -> Service {
        Service::with(|_| {}).await
    }

    /// In memory, where things go wrong.
    async fn faulty(faults: &[&str]) -> Service {
        Service::with(|config| config.faults = Faults::parse(faults).unwrap()).await
    }

    /// In a directory.
    async fn at(data: &Path) -> Service {
        Service::with(|config| config.data = Some(data.to_owned())).await
    }

    async fn with(change: impl FnOnce(&mut Config)) -> Service {
        let clock = ManualClock::new(SystemTime::UNIX_EPOCH + START);
        let mut config = Config {
            buckets: vec!["bucket".to_owned()],
            clock: std::sync::Arc::new(clock.clone()),
            ..Config::default()
        };
        change(&mut config);
        Service { emulator: Emulator::start(config).await.unwrap(), clock }
    }

    async fn send(&self, request: &Request) -> Reply {
        // Not its external address, which leads nowhere here.
        request.send(&format!("http://{}", self.emulator.addr())).await
    }

    async fn get(&self, path: &str) -> Reply {
        self.send(&request("GET", path)).await
    }

    /// Writes an object in one request and returns its resource.
    async fn put(&self, name: &str, bytes: impl AsRef<[u8]>) -> Value {
        let path = format!("/upload/storage/v1/b/bucket/o?uploadType=media&name={}", encode(name));
        self.send(&request("POST", &path).header("Content-Type", "text/plain").body(bytes)).await.ok()
    }

    /// The bytes of an object.
    async fn read(&self, name: &str) -> Vec<u8> {
        let reply = self.get(&format!("{}?alt=media", object(name))).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.body
    }
}

/// The path of an object of the bucket.
fn object(name: &str) -> String {
    format!("/storage/v1/b/bucket/o/{}", encode(name))
}

/// A name as a segment of a path, everything but letters and digits escaped.
fn encode(name: &str) -> String {
    name.bytes()
        .map(|byte| match byte {
            byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

/// The reason and message of an error, after a look at its envelope.
#[track_caller]
fn refusal(reply: &Reply) -> (u16, String, String) {
    let json = reply.json();
    let error = &json["error"];
    let (reason, message) = (&error["errors"][0]["reason"], &error["message"]);
    assert_eq!(error["code"], reply.status, "{json}");
    assert_eq!(error["errors"][0]["domain"], "global", "{json}");
    assert_eq!(error["errors"][0]["message"], *message, "{json}");
    assert_eq!(error.get("status"), None, "Cloud Storage says no status: {json}");
    (reply.status, reason.as_str().unwrap().to_owned(), message.as_str().unwrap().to_owned())
}

/// As [`refusal`], without the message.
#[track_caller]
fn refused(reply: &Reply) -> (u16, String) {
    let (status, reason, _) = refusal(reply);
    (status, reason)
}

/// Bytes without a pattern, the same every time.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        // Xorshift.
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// The CRC-32C of bytes as the API writes it.
fn crc32c(bytes: &[u8]) -> String {
    base64(&crc32c::crc32c(bytes).to_be_bytes())
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// An empty JSON object.
fn nothing() -> Value {
    json!({})
}
