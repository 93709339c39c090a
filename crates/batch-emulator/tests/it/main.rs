//! The emulator, met on a socket.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod bigquery;
mod http;
mod jobs;
mod server;
mod storage;
mod wire;
