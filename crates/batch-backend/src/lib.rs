//! The contract between the batch pipeline and its backends: traits, error kinds, an in-memory reference, contract tests.
