//! One line of the results.

use std::borrow::Cow;

use super::columns::ResultColumns;
use super::write::{as_text, cost};
use crate::outcome::{Cause, Outcome};
use crate::predictions::{Reading, Usage};
use crate::table::{Columns, Record};

use serde::Serialize;

/// How a prediction was found to be a record's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// By the key beside the request.
    Key,
    /// By a label of the echoed request.
    Label,
    /// By the echoed request as a whole.
    Request,
}

/// One record with what became of it: a row of the results, handed out as it is written.
#[derive(Clone, Copy, Debug)]
pub struct JoinedRow<'a> {
    pub(super) columns: &'a Columns,
    pub(super) layout: &'a ResultColumns,
    pub(super) record: &'a Record,
    pub(super) key: &'a str,
    pub(super) outcome: Outcome,
    pub(super) reading: Option<&'a Reading<'a>>,
    pub(super) detail: &'a str,
    pub(super) found: Option<Found<'a>>,
}

/// The prediction that a row was made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found<'a> {
    /// How it was found.
    pub way: Way,
    /// Its file, by the name that was given.
    pub file: &'a str,
    /// The offset of its line in bytes, from 0.
    pub byte: u64,
}

impl<'a> JoinedRow<'a> {
    /// The record as it stands in the input.
    pub fn record(&self) -> &'a Record {
        self.record
    }

    /// The input's columns.
    pub fn columns(&self) -> &'a Columns {
        self.columns
    }

    /// The columns of the results, the same for every row of a join.
    pub fn result_columns(&self) -> &'a ResultColumns {
        self.layout
    }

    /// The record's value in an input column, if there is one of that name.
    pub fn value(&self, column: &str) -> Option<&'a str> {
        Some(self.record.get(self.columns.position(column)?))
    }

    /// The record's key.
    pub fn key(&self) -> &'a str {
        self.key
    }

    /// What became of it.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Why it is not answered; `None` where it is, and where there is no prediction.
    pub fn cause(&self) -> Option<&'a Cause> {
        self.reading?.cause.as_ref()
    }

    /// The answer, or the part of it that is there.
    pub fn answer(&self) -> Option<&'a str> {
        self.reading?.answer.as_deref()
    }

    /// A field of an answer that is an object, as JSON.
    pub fn field(&self, name: &str) -> Option<&'a str> {
        self.reading?.field(name)
    }

    /// The same as the text that its column in a CSV has: a string without quotation marks, nothing for
    /// null, any other value as JSON. `None` where the answer has no such field.
    pub fn field_text(&self, name: &str) -> Option<Cow<'a, str>> {
        self.field(name).map(as_text)
    }

    /// The column `detail`: one sentence, or nothing.
    pub fn detail(&self) -> &'a str {
        self.detail
    }

    /// The model's finish reason.
    pub fn finish_reason(&self) -> Option<&'a str> {
        self.reading?.finish_reason.as_deref()
    }

    /// The token counts; all `None` where there is no prediction.
    pub fn usage(&self) -> Usage {
        self.reading.map(|reading| reading.usage).unwrap_or_default()
    }

    /// What the answer cost in a batch, in USD, as the column [`COST_COLUMN`](crate::COST_COLUMN) has it;
    /// `None` where there is no such column, and where it is not known.
    pub fn cost(&self) -> Option<f64> {
        cost(self, self.layout.charge_of(self)?)?.parse().ok()
    }

    /// The model that answered, as the service calls it.
    pub fn model_version(&self) -> Option<&'a str> {
        self.reading?.model_version.as_deref()
    }

    /// The prediction, if there is one.
    pub fn found(&self) -> Option<Found<'a>> {
        self.found
    }
}
