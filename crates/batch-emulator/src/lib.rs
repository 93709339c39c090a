//! A local server that speaks enough Cloud Storage and Vertex AI to run Gemini batch prediction jobs end to end.
//!
//! [`Emulator::start`] takes a [`Config`] and serves both APIs on one port of the
//! loopback interface; [`Emulator::url`] is the base address to give to a client
//! (`STORAGE_EMULATOR_HOST`, `GOOGLE_VERTEX_BASE_URL`, an endpoint setting). [`Faults`]
//! are what shall go wrong, by name and count, and [`Clock`] is where time comes from.
//!
//! This crate shares no type with the clients of the workspace: what both sides got
//! wrong in one place would pass every test. It meets them on a socket.
//!
//! ```
//! use batch_emulator::{Config, Emulator};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let emulator = Emulator::start(Config {
//!     buckets: vec!["reviews".to_owned()],
//!     ..Config::default()
//! })
//! .await?;
//! assert!(emulator.url().starts_with("http://127.0.0.1:"));
//!
//! // … point a client at `emulator.url()`; afterwards ask what it sent:
//! assert!(emulator.requests().is_empty());
//! emulator.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod admin;
mod answer;
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

pub use answer::Answer;
pub use clock::{Clock, ManualClock, SystemClock};
pub use config::Config;
pub use error::{Error, ErrorKind};
pub use faults::{FAULTS, Fault, Faults};
pub use jobs::{JobsConfig, LineGeneration, Models};
pub use log::LoggedRequest;
pub use server::Emulator;
