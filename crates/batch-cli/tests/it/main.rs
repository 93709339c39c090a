//! The program as people run it: arguments, streams, exit codes, files.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod bad_input;
mod bigquery;
mod build;
mod chaos;
mod cloud;
mod context;
mod detach;
mod eval;
mod in_place;
mod join;
mod lint;
mod parquet;
mod plan;
mod refusals;
mod retry;
mod run;
mod servers;
