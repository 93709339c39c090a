//! The HTTP stack against servers that say what a script tells them, on loopback.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod credentials;
mod discovery;
mod endpoints;
mod envelope;
#[cfg(feature = "google-auth")]
mod google;
mod hints;
mod retry;
mod secrecy;
mod server;
mod streaming;
mod upload;
