//! The pipeline against backends in memory.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod adopt;
mod away;
mod cache;
mod ceiling;
mod changed;
mod denied;
mod detach;
mod in_place;
mod kills;
mod overlap;
mod plan;
mod refused;
mod retry;
mod run;
mod spec;
mod world;
