//! The stores against servers: the contract, rows of every type, and what is said where something fails.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod emulator;
mod foreign;
mod records;
#[path = "../../../batch-gcs/tests/it/script.rs"]
mod script;
mod setup;
mod transcripts;
