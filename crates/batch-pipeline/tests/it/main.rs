//! The pipeline against backends in memory.

mod spec;
