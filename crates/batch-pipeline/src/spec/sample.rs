//! The spec that `batch-cli init` writes.

/// A commented spec with every setting; what is commented out is the default or an example.
pub const SAMPLE: &str = include_str!("sample.toml");
