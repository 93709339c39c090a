//! Rows to request lines, prediction lines to outcomes, and the join of both: synchronous and streaming.

mod error;
mod key;
mod request;
mod suggest;
mod table;
mod template;

pub use error::{Error, ErrorKind, Position, Result};
pub use key::{KeySpec, Keys};
pub use request::{
    BuildSummary, FilePart, LineInfo, MimeType, RequestLines, RequestSpec, RequestTemplate, Role, Turn, build,
};
pub use table::{Columns, Record, Table, TableFormat, ValueType};
pub use template::Template;
