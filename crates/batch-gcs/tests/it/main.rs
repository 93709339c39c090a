//! The stores against the emulator: the contract, faults, and what is said about them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod ahead;
mod errors;
mod input;
mod output;
mod script;
mod servers;
mod setup;
mod transcripts;
mod wire;
