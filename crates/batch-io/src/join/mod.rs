//! Predictions joined to the records that they answer.

mod ahead;
mod columns;
mod explain;
mod files;
mod identity;
mod index;
mod matches;
mod pass;
mod predictions;
mod row;
mod rows;
mod scan;
mod summary;
mod write;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::thread;

pub use columns::{COST_COLUMN, RESULT_COLUMNS, ResultColumns};
pub use explain::{explain_key, explain_line};
pub use files::PredictionFile;
pub use row::{Found, JoinedRow, Way};
pub use summary::{JoinSummary, Listed, OutcomeCounts, OutcomeExample, Unmatched, WayCounts};

use batch_model::prices::Price;

use crate::error::{Error, Position, Result};
use crate::key::{KeySpec, Keys};
use crate::predictions::{AnswerFormat, Formats};
use crate::table::{Table, TableFormat};
use crate::template::Template;
use columns::{Charge, FieldNames};
use files::FileSet;
use matches::{Matches, read_request_line};
use pass::{Pass, Skip};
use predictions::Predictions;
use rows::{Finding, Joining, Rows};
use scan::{PART, Scan, Wanted};

/// Joins predictions to the records of a table and writes a row of results for each record,
/// in the table's order.
///
/// A row has the record's own values, then `outcome`, `answer`, `detail`, `finish_reason`,
/// `prompt_tokens`, `candidates_tokens`, `thoughts_tokens` and `total_tokens`, then one
/// column for each field of answers that are JSON objects: in the schema's order where
/// there is one, else in alphabetical order, so that the order in which predictions arrive
/// never shows. In CSV whatever is not there is an empty cell, in JSONL it is null.
///
/// A prediction is found to be a record's by its [key](Self::key), as it is or as the
/// service may have retyped it; what is left then by a [label](Self::label), and what is
/// left then by the [request](Self::requests) itself.
///
/// The predictions are read twice: the first time from front to end, the second time in the order of
/// the table. In between, where each of them lies is kept in 24 bytes, or in 32 where its answer is not kept
/// too: short answers are, in 8 MB at most, and are not read again. The table is read once where all keys are strings and no other way was asked
/// for, or where there are no keys and the label is text with the index in it; otherwise once
/// more for each way.
///
/// ```
/// use batch_io::{Join, Outcome, TableFormat};
/// # let directory = tempfile::tempdir()?;
/// # let path = |name: &str| directory.path().join(name);
/// std::fs::write(path("news.csv"), "body\nfirst\nsecond\n")?;
/// std::fs::write(path("predictions.jsonl"), concat!(
///     r#"{"key":"r1","status":"","response":{"candidates":[{"content":{"parts":[{"text":"sport"}]}}]}}"#, "\n",
///     r#"{"key":"r0","status":"Bad Request: {\"error\": {\"code\": 400, \"message\": \"no\"}}"}"#, "\n",
/// ))?;
///
/// let mut results = Vec::new();
/// let summary = Join::from_path(path("news.csv"), TableFormat::CSV, [path("predictions.jsonl")])
///     .run(&mut results, &mut |_row| {})?;
///
/// assert_eq!(String::from_utf8(results)?, "\
/// body,outcome,answer,detail,finish_reason,prompt_tokens,candidates_tokens,thoughts_tokens,total_tokens
/// first,request_error,,400: no,,,,,
/// second,answered,sport,,,,,,
/// ");
/// assert_eq!(summary.outcomes.get(Outcome::Answered), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub struct Join<'a> {
    open: Opener<'a>,
    files: Vec<PredictionFile>,
    key: KeySpec,
    key_member: Option<String>,
    label: Option<(String, String)>,
    requests: Option<PathBuf>,
    format: Option<AnswerFormat>,
    skip: Option<Box<Skip<'a>>>,
    price: Option<Option<&'static Price>>,
    file_prices: BTreeMap<String, Charge>,
    output: TableFormat,
    column_prefix: String,
    field_prefix: String,
    threads: NonZero<usize>,
    /// The columns whose values are asked for; all where nothing is said.
    wanted: Option<Vec<usize>>,
}

type BoxedReader<'a> = Box<dyn Read + Send + 'a>;
type BoxedTable<'a> = Table<BoxedReader<'a>>;
type Opener<'a> = Box<dyn FnMut() -> Result<BoxedTable<'a>> + 'a>;

impl fmt::Debug for Join<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Join").field("files", &self.files).field("key", &self.key).finish_non_exhaustive()
    }
}

impl<'a> Join<'a> {
    /// Joins to the table that `open` opens. It is asked for the table anew for each pass,
    /// and it must be the same each time.
    pub fn new<F>(open: F, predictions: impl IntoIterator<Item = impl Into<PredictionFile>>) -> Self
    where
        F: FnMut() -> Result<Table<Box<dyn Read + Send + 'a>>> + 'a,
    {
        Self {
            open: Box::new(open),
            files: predictions.into_iter().map(Into::into).collect(),
            key: KeySpec::Index,
            key_member: None,
            label: None,
            requests: None,
            format: None,
            skip: None,
            price: None,
            file_prices: BTreeMap::new(),
            output: TableFormat::CSV,
            column_prefix: String::new(),
            field_prefix: String::new(),
            threads: thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN),
            wanted: None,
        }
    }

    /// Joins to the table in a file.
    pub fn from_path(
        input: impl Into<PathBuf>,
        format: TableFormat,
        predictions: impl IntoIterator<Item = impl Into<PredictionFile>>,
    ) -> Self {
        let input = input.into();
        Self::new(move || open_table(&input, format), predictions)
    }

    /// Where the records' keys come from; by the same rule as when the requests were built.
    /// By default from the index.
    pub fn key(mut self, key: KeySpec) -> Self {
        self.key = key;
        self
    }

    /// The member of a prediction line that holds the key. By default the first of `key`,
    /// `id` and `custom_id` that a line has.
    pub fn key_member(mut self, name: impl Into<String>) -> Self {
        self.key_member = Some(name.into());
        self
    }

    /// Also joins by a label of the echoed request: its name, and the template that makes
    /// its value of a record. A label that several records share tells nothing.
    pub fn label(mut self, name: impl Into<String>, template: impl Into<String>) -> Self {
        self.label = Some((name.into(), template.into()));
        self
    }

    /// Also joins by the echoed request in its [canonical form](crate::canonical_request),
    /// against the request lines that were built of this table. Equal requests share their
    /// predictions, one each.
    ///
    /// The first line also says what form of answer was asked for, where a prediction has
    /// no echo, and in which order the fields of its schema come.
    pub fn requests(mut self, path: impl Into<PathBuf>) -> Self {
        self.requests = Some(path.into());
        self
    }

    /// The form of answer that all requests asked for. Without it each prediction's echoed
    /// request tells, which takes time to look into.
    pub fn answer_format(mut self, format: AnswerFormat) -> Self {
        self.format = Some(format);
        self
    }

    /// Tells by its index which record was never sent: its outcome is
    /// [`Skipped`](crate::Outcome::Skipped), and no prediction is looked for.
    pub fn skip(mut self, skip: impl Fn(u64) -> bool + Sync + 'a) -> Self {
        self.skip = Some(Box::new(skip));
        self
    }

    /// How the results are written down; by default as CSV. In JSONL a record's numbers,
    /// booleans, arrays and objects stay what they were in a JSONL table, and the values of
    /// fields are the answer's own JSON.
    pub fn output(mut self, format: TableFormat) -> Self {
        self.output = format;
        self
    }

    /// Goes in front of the names `outcome`, `answer`, …, for a table that has such columns
    /// itself.
    pub fn column_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.column_prefix = prefix.into();
        self
    }

    /// Adds the column [`COST_COLUMN`]: what each answer cost in a batch at this price. Without a known
    /// price, and where a prediction tells no token counts, its cells stay empty.
    pub fn price(mut self, price: Option<&'static Price>) -> Self {
        self.price = Some(price);
        self
    }

    /// The price of the predictions in the file of this name, where another model answered them than the
    /// one that [`price`](Self::price) is of.
    pub fn price_of_file(mut self, name: impl Into<String>, price: Option<&'static Price>) -> Self {
        self.file_prices.insert(name.into(), Charge::Tokens(price));
        self
    }

    /// The predictions in the file of this name were paid for before, as those of a cache are: each costs 0,
    /// whatever tokens it tells and whether the price is known or not.
    pub fn paid_before(mut self, name: impl Into<String>) -> Self {
        self.file_prices.insert(name.into(), Charge::Paid);
        self
    }

    /// Goes in front of the names of the columns that are made of the answers' fields.
    pub fn field_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.field_prefix = prefix.into();
        self
    }

    /// On how many threads the predictions are read through, and on how many, three at most, the results are made in
    /// turn; by default on as many as the machine has. The results are the same for any number.
    pub fn threads(mut self, threads: NonZero<usize>) -> Self {
        self.threads = threads;
        self
    }

    /// The columns of the table, by their positions, whose values are asked for in
    /// [`for_each`](Self::for_each): the others may be empty in the records that it hands out, which spares
    /// copying them. [`run`](Self::run) writes them all the same.
    pub fn wanted_columns(mut self, columns: impl IntoIterator<Item = usize>) -> Self {
        self.wanted = Some(columns.into_iter().collect());
        self
    }

    /// Joins: writes the results to `out`, and hands each row to `on_row` before it is written.
    ///
    /// Each is called by one thread at a time, though not always by this one: `on_row` for later rows while the results
    /// of earlier ones are written, in large pieces, even if that then fails. What cannot go from thread to thread,
    /// such as a locked standard output, is no writer for this; the output itself is.
    ///
    /// # Errors
    /// [`ErrorKind::Setting`](crate::ErrorKind::Setting) where a column of the input has the
    /// name of one of the results', before anything is written; for request lines that are
    /// not those of the table;
    /// those of [`Table::read`] and [`Keys::key`](crate::Keys::key);
    /// [`ErrorKind::Io`](crate::ErrorKind::Io). What is wrong with a prediction is no error:
    /// see [`JoinSummary::problems`].
    pub fn run(
        mut self,
        out: &mut (dyn Write + Send),
        on_row: &mut (dyn FnMut(&JoinedRow<'_>) + Send),
    ) -> Result<JoinSummary> {
        let format = self.output;
        self.wanted = None;
        self.rows(|rows, threads| rows.write(format, threads, out, on_row))
    }

    /// Joins like [`run`](Self::run), and writes nothing: for who makes something else of the rows.
    ///
    /// # Errors
    /// Those of [`run`](Self::run).
    pub fn for_each(self, on_row: &mut dyn FnMut(&JoinedRow<'_>)) -> Result<JoinSummary> {
        self.rows(|rows, _| rows.for_each(on_row))
    }

    fn rows(mut self, take: impl FnOnce(Rows<'_, BoxedReader<'a>>, usize) -> Result<()>) -> Result<JoinSummary> {
        // Opened before the long reading of the predictions, so that a fault shows at once.
        let mut table = (self.open)()?;
        Keys::new(&self.key, table.columns(), table.name())?;
        let label = match &self.label {
            Some((name, source)) => {
                Some((name.clone(), Template::compile(&format!("label {name:?}"), source, table.columns())?))
            }
            None => None,
        };
        let (mut predictions, scan) = self.scan()?;
        let mut summary = JoinSummary {
            predictions: predictions.len(),
            problems: scan.problems,
            too_many_fields: scan.fields.too_many(),
            ..JoinSummary::default()
        };
        let (ours, field) = (&self.column_prefix, &self.field_prefix);
        let mut layout = ResultColumns::new(table.columns(), table.name(), scan.fields, (ours, field), self.price)?;
        layout.file_prices = std::mem::take(&mut self.file_prices);
        // Where labels are all there is, and each can be one record's alone, nothing is to be settled
        // between records before the first row is written.
        let is_direct = self.requests.is_none() && predictions.has_no_keys();
        let (own_label, label) = match label {
            Some((_, template)) if is_direct && template.tells_records_apart() => (Some(template), None),
            label => (None, label),
        };
        let matches = if scan.has_retyped || label.is_some() || self.requests.is_some() {
            let matches = self.find_matches(table, &mut predictions, label)?;
            table = (self.open)()?;
            Some(matches)
        } else {
            None
        };
        let mut pass = self.pass(table)?;
        // A label that is looked for in this pass has nothing of the columns in it.
        self.wanted.iter().for_each(|columns| pass.keep_only(columns));
        let columns = pass.table().columns().clone();
        let skip = self.skip.as_deref();
        let finding = Finding { matches, own_label, skip, table: pass.table().name().to_owned() };
        let joining = Joining { predictions: &mut predictions, columns, layout: &layout, summary: &mut summary };
        take(Rows { pass, finding, joining }, self.threads.get())?;
        summary.duplicates = predictions.duplicates;
        summary.unmatched = predictions.unmatched()?;
        for totals in predictions.superseded.values() {
            summary.superseded += *totals;
        }
        summary.superseded_by_file = predictions.superseded;
        summary.field_columns = layout.fields().map(|(_, column)| column.to_owned()).collect();
        summary.columns = layout;
        Ok(summary)
    }

    /// Reads the predictions through.
    fn scan(&mut self) -> Result<(Predictions, Scan)> {
        let mut fields = FieldNames::default();
        let mut fallback = AnswerFormat::text();
        if let Some(requests) = &self.requests {
            fallback = first_format(requests)?;
            fields.put_first(&fallback);
        }
        let files = FileSet::new(std::mem::take(&mut self.files))?;
        let formats = Formats::new(self.format.take(), fallback);
        if let Some(given) = formats.given() {
            fields.put_first(given);
        }
        let label = self.label.as_ref().map(|(name, _)| name.as_str());
        let wanted = Wanted { key_member: self.key_member.as_deref(), label };
        let mut scan = Scan::read(files.files(), wanted, fields, &formats, (self.threads.get(), PART))?;
        Ok((Predictions::new(files, &mut scan), scan))
    }

    /// Goes through the three ways, each with a pass over the table.
    fn find_matches(
        &mut self,
        table: BoxedTable<'a>,
        predictions: &mut Predictions,
        label: Option<(String, Template)>,
    ) -> Result<Matches> {
        let mut matches = Matches::by_key(&mut self.pass(table)?, predictions)?;
        if let Some((name, template)) = label
            && matches.is_worth_going_on(predictions)
        {
            let table = (self.open)()?;
            matches.by_label(&mut self.pass(table)?, predictions, &name, &template)?;
        }
        if let Some(requests) = self.requests.clone()
            && matches.is_worth_going_on(predictions)
        {
            let table = (self.open)()?;
            matches.by_request(&mut self.pass(table)?, predictions, &requests)?;
        }
        Ok(matches)
    }

    fn pass<'p, R: Read>(&'p self, mut table: Table<R>) -> Result<Pass<'p, R>> {
        if self.output != TableFormat::Jsonl {
            table.leave_out_escapes();
        }
        Pass::new(table, &self.key, self.skip.as_deref())
    }
}

fn open_table(path: &Path, format: TableFormat) -> Result<BoxedTable<'static>> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|error| Error::io("opening failed", error).at(Position::file(&name)))?;
    Table::new(Box::new(file), &name, format)
}

/// What the first of our own request lines asked for.
fn first_format(requests: &Path) -> Result<AnswerFormat> {
    match PredictionFile::from(requests).lines()?.next_line()? {
        Some(line) => read_request_line(&line, |_, request| AnswerFormat::from_request(request)),
        None => Ok(AnswerFormat::text()),
    }
}
