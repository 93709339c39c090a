//! Prediction lines: framing, a view of a line, and what it means.

mod answer;
mod cursor;
mod explain;
mod fields;
mod format;
mod glance;
mod json_answer;
mod kept;
mod lines;
mod prediction;
mod problem;
mod reading;
mod response;
mod schema;
mod shape;
mod span;
mod status;
mod token;
mod usage;
mod utf8;

pub(crate) use answer::Answers;
pub use explain::Explanation;
pub(crate) use explain::key_text;
pub use format::AnswerFormat;
pub(crate) use format::{Formats, generation_config};
pub(crate) use glance::{Glance, Glances};
pub(crate) use kept::{KeptAnswers, Room};
pub use lines::{Line, PredictionLines};
pub use prediction::Prediction;
pub use problem::{Problem, ProblemKind};
pub use reading::Reading;
pub use schema::{Bounds as SchemaBounds, Node as SchemaNode, Type as SchemaType};
pub(crate) use span::Span;
pub use status::RequestError;
pub use usage::{TokenTotals, Usage};
