//! The stores against the emulator: the contract, faults, and what is said about them.

mod errors;
mod input;
mod output;
mod setup;
