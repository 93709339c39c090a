//! Rows to request lines, prediction lines to outcomes, and the join of both: synchronous and streaming.

mod error;
mod table;

pub use error::{Error, ErrorKind, Position, Result};
pub use table::{Columns, Record, Table, TableFormat, ValueType};
