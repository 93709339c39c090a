//! Rows to request lines, prediction lines to outcomes, and the join of both: synchronous and streaming.

mod error;
mod key;
mod outcome;
mod predictions;
mod request;
mod suggest;
mod table;
mod template;

pub use error::{Error, ErrorKind, Position, Result};
pub use key::{KeySpec, Keys};
pub use outcome::{Blocked, BlockedPart, Cause, Empty, InvalidAnswer, Nothing, Outcome, Truncated, UnknownOutcome};
pub use predictions::{
    AnswerFormat, Explanation, Line, Prediction, PredictionLines, Problem, ProblemKind, Reading, RequestError,
    TokenTotals, Usage,
};
pub use request::{
    BuildSummary, FilePart, LineInfo, MimeType, RequestLines, RequestSpec, RequestTemplate, Role, Turn, build,
};
pub use table::{Columns, Record, Table, TableFormat, ValueType};
pub use template::Template;
