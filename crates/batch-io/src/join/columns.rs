//! The columns of the results.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use batch_model::prices::Price;

use super::row::JoinedRow;
use crate::error::{Error, ErrorKind, Position, Result};
use crate::predictions::{AnswerFormat, Reading};
use crate::table::Columns;

/// The columns that every result has behind the input's, in this order.
pub const RESULT_COLUMNS: [&str; 8] = [
    "outcome",
    "answer",
    "detail",
    "finish_reason",
    "prompt_tokens",
    "candidates_tokens",
    "thoughts_tokens",
    "total_tokens",
];

/// The column behind [`RESULT_COLUMNS`] where a [price](crate::Join::price) was given: what the answer cost in a
/// batch, in USD; 0 where it was [paid before](crate::Join::paid_before), empty where it is not known.
pub const COST_COLUMN: &str = "cost_usd";

/// More fields than this, and free-form keys were taken for fields: no column is made of
/// them then.
const MOST_FIELDS: usize = 1_000;

/// The fields that answers have, gathered before the first result is written.
///
/// What comes out depends on which there are and not on the order in which they came.
#[derive(Debug, Default)]
pub(super) struct FieldNames {
    /// Of the format that was given, or of our own requests.
    first: Vec<String>,
    /// Of each schema that was met in an echo.
    schemas: BTreeSet<Vec<String>>,
    /// Of answers that no schema describes.
    free: BTreeSet<String>,
    too_many: bool,
}

impl FieldNames {
    pub(super) fn put_first(&mut self, format: &AnswerFormat) {
        self.first = format.fields().unwrap_or_default().into_iter().map(str::to_owned).collect();
    }

    /// Whether the format says which fields there are; notes them if so.
    pub(super) fn add_format(&mut self, format: &AnswerFormat) -> bool {
        let Some(fields) = format.fields() else { return false };
        let is_known = fields.is_empty() || self.schemas.iter().any(|schema| *schema == fields);
        // One more than are used, to tell that there are too many.
        if !is_known && self.schemas.len() <= MOST_FIELDS {
            self.schemas.insert(fields.into_iter().map(str::to_owned).collect());
        }
        true
    }

    /// Adds those that another pass over other predictions has met.
    pub(super) fn add_all(&mut self, other: Self) {
        self.schemas.extend(other.schemas);
        self.free.extend(other.free);
        self.too_many |= other.too_many || MOST_FIELDS < self.free.len();
    }

    pub(super) fn add_answer(&mut self, reading: &Reading<'_>) {
        for (name, _) in reading.fields() {
            if self.too_many || self.free.contains(name) {
                continue;
            }
            self.free.insert(name.to_owned());
            self.too_many = MOST_FIELDS < self.free.len();
        }
    }

    /// Whether there were so many that no columns are made of them.
    pub(super) fn too_many(&self) -> bool {
        self.too_many || MOST_FIELDS < self.schemas.len()
    }

    fn into_names(self) -> Vec<String> {
        let free = if self.too_many { BTreeSet::new() } else { self.free };
        // Of more, which were first would depend on the order of the predictions.
        let schemas = if MOST_FIELDS < self.schemas.len() { BTreeSet::new() } else { self.schemas };
        let mut seen = HashSet::new();
        let all = self.first.into_iter().chain(schemas.into_iter().flatten()).chain(free);
        // A column needs a name; the value of a field without one is in the answer.
        all.filter(|name| !name.is_empty() && seen.insert(name.clone())).collect()
    }
}

/// How the predictions of a file are charged.
#[derive(Clone, Copy, Debug)]
pub(super) enum Charge {
    /// By their tokens, where the price is known.
    Tokens(Option<&'static Price>),
    /// Not at all: they were paid for before.
    Paid,
}

/// The columns of a join's results, known before the first row.
#[derive(Clone, Debug, Default)]
pub struct ResultColumns {
    /// Those of the table.
    input: Vec<String>,
    /// Named like [`RESULT_COLUMNS`], with the prefix; the last is [`COST_COLUMN`] where there is a price.
    pub(super) ours: Vec<String>,
    /// Each field's name, and its column's.
    pub(super) fields: Vec<(String, String)>,
    /// What tokens cost, where there is a column for it; and nothing where that is not known.
    pub(super) price: Option<Option<&'static Price>>,
    /// What they cost in the prediction files where that is something else.
    pub(super) file_prices: BTreeMap<String, Charge>,
}

impl ResultColumns {
    /// The table's own columns.
    pub fn input(&self) -> &[String] {
        &self.input
    }

    /// The columns that every join adds: [`RESULT_COLUMNS`] with the prefix, and [`COST_COLUMN`] behind
    /// them where there is a price.
    pub fn added(&self) -> &[String] {
        &self.ours
    }

    /// Whether the last of [`added`](Self::added) is what an answer cost.
    pub fn has_cost(&self) -> bool {
        self.price.is_some()
    }

    /// The fields of answers that are objects: each with its name in the answer, and its column's.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|(name, column)| (name.as_str(), column.as_str()))
    }

    /// The names of all columns: the table's, those that are added, those of fields.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let names = self.input.iter().chain(&self.ours).map(String::as_str);
        names.chain(self.fields().map(|(_, column)| column))
    }

    /// How a row is charged: by its file, where that is one with a price of its own. `None` where there is no
    /// column for it.
    pub(super) fn charge_of(&self, row: &JoinedRow<'_>) -> Option<Charge> {
        let of_file = row.found().and_then(|found| self.file_prices.get(found.file));
        self.price.map(|price| of_file.copied().unwrap_or(Charge::Tokens(price)))
    }

    pub(super) fn new(
        input: &Columns,
        file: &str,
        fields: FieldNames,
        (ours, field): (&str, &str),
        price: Option<Option<&'static Price>>,
    ) -> Result<Self> {
        let clash = |name: &str| Position::file(file).column(name);
        let layout = Self {
            input: input.names().to_vec(),
            ours: RESULT_COLUMNS
                .iter()
                .chain(price.is_some().then_some(&COST_COLUMN))
                .map(|name| format!("{ours}{name}"))
                .collect(),
            fields: fields.into_names().into_iter().map(|name| (name.clone(), format!("{field}{name}"))).collect(),
            price,
            file_prices: BTreeMap::new(),
        };
        if let Some(name) = layout.ours.iter().find(|name| input.position(name).is_some()) {
            return Err(Error::new(ErrorKind::Setting, format!("the input has a column {name:?}, and so have the results"))
                .at(clash(name))
                .with_hint("set column_prefix, such as \"batch_\": it goes in front of the names of the columns that the join adds"));
        }
        for (name, column) in &layout.fields {
            let holder = if input.position(column).is_some() {
                "the input has a column of that name"
            } else if layout.ours.contains(column) {
                "the results have a column of that name anyway"
            } else {
                continue;
            };
            return Err(Error::new(ErrorKind::Setting, format!("the answers have a field {name:?}, and {holder}"))
                .at(clash(column))
                .with_hint("set field_prefix, such as \"answer_\": it goes in front of the names of the columns that are made of the answers' fields"));
        }
        Ok(layout)
    }
}
