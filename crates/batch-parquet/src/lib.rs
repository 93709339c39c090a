//! The results of a join as a Parquet file.
//!
//! `batch-io` writes results as CSV and as JSONL. This crate takes the same rows and writes the file that
//! DuckDB, Polars, pandas and BigQuery load without being told of types: compressed with Snappy, in row
//! groups of bounded size, the same bytes for the same rows.
//!
//! ```
//! use batch_io::{Join, TableFormat};
//! use batch_parquet::write_join;
//! # let directory = tempfile::tempdir()?;
//! # let path = |name: &str| directory.path().join(name);
//! std::fs::write(path("news.csv"), "body\nfirst\n")?;
//! std::fs::write(path("predictions.jsonl"), concat!(
//!     r#"{"key":"r0","status":"","response":{"candidates":[{"content":{"parts":[{"text":"sport"}]}}]}}"#, "\n",
//! ))?;
//!
//! let mut file = Vec::new();
//! let join = Join::from_path(path("news.csv"), TableFormat::CSV, [path("predictions.jsonl")]);
//! let summary = write_join(join, &mut file, &mut |_| {})??;
//! assert_eq!(summary.predictions, 1);
//! assert!(file.starts_with(b"PAR1") && file.ends_with(b"PAR1"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod column;
mod compress;
mod error;
mod extremes;
mod group;
mod header;
mod levels;
mod pages;
mod results;
mod text;

pub use error::{Error, ErrorKind, Result};
pub use results::{ParquetResults, write_join};
