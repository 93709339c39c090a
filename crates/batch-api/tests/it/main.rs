//! Vertex AI's jobs, of the emulator and of a server that says what a script tells it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod emulator;
mod help;
mod script;
mod transcripts;
mod wire;
