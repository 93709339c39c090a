//! Rows to request lines, prediction lines to outcomes, and the join of both: synchronous and streaming.

mod error;
mod key;
mod suggest;
mod table;
mod template;

pub use error::{Error, ErrorKind, Position, Result};
pub use key::{KeySpec, Keys};
pub use table::{Columns, Record, Table, TableFormat, ValueType};
pub use template::Template;
