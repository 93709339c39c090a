//! The pipeline against backends in memory.

mod run;
mod spec;
mod world;
