//! What the vocabulary promises to who reads and writes the service's JSON.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod builders;
mod data;
mod fixtures;
mod jobs;
mod kept;
mod limits;
mod predictions;
mod round_trip;
mod spellings;
