//! Rows to request lines, prediction lines to outcomes, and the join of both: synchronous and streaming.
//!
//! * [`Table`] reads CSV, TSV and JSONL one [`Record`] at a time and refuses what would be misread.
//! * [`RequestTemplate`] is a [`RequestSpec`] compiled for a table's columns; [`build`] and
//!   [`RequestLines`] make the lines that a batch prediction job takes, each with its key ([`KeySpec`]).
//! * [`PredictionLines`] reads what the job gives back, and [`Prediction`] is one line of it with its
//!   [`Outcome`].
//! * [`Join`] puts both together again: every record exactly once, in input order.
//!
//! Everything is driven by the caller, on its own thread; memory does not grow with the data but for
//! some bytes a record that tell keys apart. What is wrong with the input is an [`Error`] that names
//! file, line, column and key; what went wrong with one record's prediction is data, not an error.
//!
//! ```
//! use batch_io::{KeySpec, RequestSpec, RequestTemplate, Table, TableFormat, build};
//!
//! let csv = "id,見出し\na-1,\"新記録、\"\"金\"\"へ\"\n";
//! let table = Table::new(csv.as_bytes(), "news.csv", TableFormat::CSV)?;
//!
//! // A column that is not there is found before any request is written, let alone paid for.
//! let error = RequestTemplate::compile(&RequestSpec::new("{{ 見出 }}"), table.columns()).unwrap_err();
//! assert_eq!(error.to_string(), r#"unknown column "見出" in the prompt template; the table has "id", "見出し""#);
//! assert_eq!(error.hint(), Some(r#"did you mean "見出し"?"#));
//!
//! let mut spec = RequestSpec::new("{{ 見出し }}");
//! spec.system = Some("Answer with one word: sport or tech.".into());
//! spec.labels.push(("id".into(), "n{{ record.index }}".into()));
//! let template = RequestTemplate::compile(&spec, table.columns())?;
//!
//! let mut out = Vec::new();
//! let summary = build(table, &template, &KeySpec::Column("id".into()), &mut out)?;
//! assert_eq!(summary.records, 1);
//! assert_eq!(
//!     String::from_utf8_lossy(&out),
//!     concat!(
//!         r#"{"key":"a-1","request":{"contents":[{"role":"user","parts":[{"text":"新記録、\"金\"へ"}]}],"#,
//!         r#""systemInstruction":{"parts":[{"text":"Answer with one word: sport or tech."}]},"#,
//!         r#""labels":{"id":"n0"}}}"#,
//!         "\n",
//!     ),
//! );
//! # Ok::<(), batch_io::Error>(())
//! ```

mod aligned;
mod block;
mod canonical;
mod error;
mod escape;
mod join;
mod json;
mod key;
mod lint;
mod outcome;
mod page;
mod predictions;
mod relay;
mod request;
mod suggest;
mod table;
mod template;
mod unescape;
mod write_behind;

pub use canonical::canonical_request;
pub use error::{Error, ErrorKind, Position, Result};
pub use join::{
    COST_COLUMN, Found, Join, JoinSummary, JoinedRow, Listed, OutcomeCounts, OutcomeExample, PredictionFile,
    RESULT_COLUMNS, ResultColumns, Unmatched, Way, WayCounts, explain_key, explain_line,
};
pub use key::{KeySpec, Keys};
pub use lint::{
    Certainty, Finding, Fix, LintLimits, LintOptions, Linter, Place, RULES, Rule, RuleExample, Severity, fix_line,
    rules_markdown,
};
pub use outcome::{Blocked, BlockedPart, Cause, Empty, InvalidAnswer, Nothing, Outcome, Truncated, UnknownOutcome};
pub use predictions::{
    AnswerFormat, Explanation, Line, Prediction, PredictionLines, Problem, ProblemKind, Reading, RequestError,
    SchemaBounds, SchemaNode, SchemaType, TokenTotals, Usage,
};
pub use request::{
    Build, BuildSummary, FilePart, LineInfo, MimeType, RequestLines, RequestPiece, RequestSpec, RequestTemplate, Role,
    Turn, build,
};
pub use table::{Columns, Record, Table, TableFormat, ValueType};
pub use template::{ExpressionKind, SourcePlace, Template, TemplateExpression, TemplateNode};
pub use write_behind::WriteBehind;
