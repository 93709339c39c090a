//! A local server that speaks enough Cloud Storage, BigQuery and Vertex AI to run Gemini batch prediction jobs end to end.
//!
//! [`Emulator::start`] takes a [`Config`] and serves both APIs on one port of the
//! loopback interface; [`Emulator::url`] is the base address to give to a client
//! (`STORAGE_EMULATOR_HOST`, `GOOGLE_VERTEX_BASE_URL`, an endpoint setting). [`JobsConfig`]
//! says how jobs run and what [answers](Answer) them, [`Faults`] what shall go wrong, by
//! name and count, and [`Clock`] is where time comes from.
//!
//! This crate shares no type with the clients of the workspace: what both sides got
//! wrong in one place would pass every test. It meets them on a socket.
//!
//! ```
//! use batch_emulator::{Config, Emulator};
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let emulator = Emulator::start(Config {
//!     buckets: vec!["reviews".to_owned()],
//!     ..Config::default()
//! })
//! .await?;
//!
//! // Any client will do that takes `emulator.url()`, one by hand too.
//! let mut client = tokio::net::TcpStream::connect(emulator.addr()).await?;
//! client.write_all(b"GET /storage/v1/b/reviews HTTP/1.0\r\n\r\n").await?;
//! let mut reply = String::new();
//! client.read_to_string(&mut reply).await?;
//! assert!(reply.starts_with("HTTP/1.0 200 OK"));
//!
//! // What was asked can be counted afterwards.
//! assert_eq!(emulator.requests()[0].path, "/storage/v1/b/reviews");
//! emulator.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! # What is served
//! | path | what |
//! | --- | --- |
//! | `/storage/v1`, `/upload/storage/v1`, `/download/storage/v1`, `/batch/storage/v1` | the Cloud Storage JSON API: buckets; objects by simple, multipart and resumable upload, ranged download, list, patch, copy, compose, delete; preconditions and checksums |
//! | `/b/…`, `/resumable/upload/storage/v1`, `GET /BUCKET/OBJECT` | the same, where JavaScript's client, gcloud and Go's client ask for it |
//! | `/bigquery/v2`, `/upload/bigquery/v2` | BigQuery: datasets; tables; load jobs from uploads and `gs://`, copy and extract jobs; streaming inserts; listed rows |
//! | `/$discovery/rest` | the discovery document of BigQuery, which `bq` asks for first |
//! | `/projects/…` | the same, where JavaScript's client asks for it when `BIGQUERY_EMULATOR_HOST` is set |
//! | `/v1`, `/v1beta1` | batch prediction jobs and their operations |
//! | `/token` | access tokens for service account keys and stored credentials, which are not checked |
//! | `GET`, `POST /emulator/faults` | the faults still to happen; `{"poll-503": 2}` sets some |
//! | `GET /emulator/log` | the requests seen: `{"requests": [{"method", "path", "status"}]}`, `null` for a dropped connection |
//!
//! With [`Config::data`] all of it survives a restart: buckets, objects, datasets,
//! tables, unfinished uploads, jobs. Bodies pass in pieces and lie on disk, so an object of any size takes
//! little memory. A kill loses nothing that was acknowledged; a power cut may.
//!
//! # What is not
//! No SQL is run, and views are kept and not looked into: whatever wants a query gets 501
//! and the reason `notImplemented`. A BigQuery job is done when its insertion is answered,
//! which says that it runs all the same. JSON cells come back as they were written but for
//! blanks, in the order of their members and with numbers of any length. There are no
//! partitions, no Storage Read and Write APIs, no Avro, Parquet or gzip.
//!
//! Nobody is refused for want of a permission, and encryption keys are ignored. An object
//! has one generation: overwriting and deleting are final. Bucket settings, such as a
//! lifecycle, are kept and have no effect. Objects with `contentEncoding: gzip` are sent
//! as stored, never unpacked. What jobs write has a CRC-32C and, as composed objects, no MD5; whether the
//! service's own predictions have one is unknown. `fields` is accepted and everything returned. There are no
//! access lists, notifications or folders, no gRPC, no XML API beyond the read above, and
//! no TLS.

mod admin;
mod answer;
mod bigquery;
mod clock;
mod config;
mod connection;
mod context;
mod envelope;
mod error;
mod faults;
mod jobs;
mod json;
mod log;
mod random;
mod server;
mod storage;
mod token;

pub use answer::{Answer, AnswerOptions, ApiKey, ModelServer, RecordingAbout, condense};
pub use clock::{Clock, ManualClock, SystemClock};
pub use config::Config;
pub use error::{Error, ErrorKind};
pub use faults::{FAULTS, Fault, Faults};
pub use jobs::{FailedResponse, JobsConfig, LineGeneration, Models};
pub use log::LoggedRequest;
pub use server::Emulator;
