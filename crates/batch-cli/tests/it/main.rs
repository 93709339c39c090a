//! The program as people run it: arguments, streams, exit codes, files.

mod bad_input;
mod build;
mod context;
mod eval;
mod join;
mod run;
mod servers;
