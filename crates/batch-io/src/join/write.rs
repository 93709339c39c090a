//! Results as CSV or JSONL.

use std::borrow::Cow;

use batch_model::prices::{self, UsageTotals};
use memchr::{memchr, memchr3};

use super::columns::{Charge, ResultColumns};
use super::row::JoinedRow;
use crate::escape::{push_doubled, push_escaped};
use crate::json::{self, Kind};
use crate::page::Page;
use crate::table::{TableFormat, ValueType};

/// Makes rows of results. A CSV is that of the `csv` crate byte for byte, and its tests' oracle; a record
/// that stands in the input as that crate would write it is copied as a whole.
pub(super) struct RowWriter {
    form: Form,
}

enum Form {
    Delimited(Box<Quoting>),
    /// With what stands before each value: a brace or a comma, the column's name, a colon.
    Jsonl {
        names: Vec<Vec<u8>>,
    },
}

impl RowWriter {
    /// Appends what stands before the first row.
    pub(super) fn new(format: TableFormat, layout: &ResultColumns, page: &mut Page) -> Self {
        let names = layout.names();
        let form = match format {
            TableFormat::Csv { delimiter } => {
                let quoting = Quoting::new(delimiter);
                for (number, name) in names.enumerate() {
                    match number {
                        0 => quoting.push_first(name, page),
                        _ => quoting.push_next(name, page),
                    }
                }
                page.push(b"\n");
                Form::Delimited(Box::new(quoting))
            }
            TableFormat::Jsonl => {
                let before = names.enumerate().map(|(number, name)| {
                    let mut page = Page::default();
                    page.push(if number == 0 { b"{\"" } else { b",\"" });
                    push_escaped(name, &mut page);
                    page.push(b"\":");
                    page.into_vec()
                });
                Form::Jsonl { names: before.collect() }
            }
        };
        Self { form }
    }

    /// Appends a row.
    pub(super) fn push(&self, row: &JoinedRow<'_>, layout: &ResultColumns, page: &mut Page) {
        match &self.form {
            Form::Delimited(quoting) => push_delimited(page, quoting, row, layout),
            Form::Jsonl { names } => push_object(page, names, row, layout),
        }
    }
}

fn push_delimited(page: &mut Page, quoting: &Quoting, row: &JoinedRow<'_>, layout: &ResultColumns) {
    match row.record.as_csv(quoting.delimiter) {
        Some(record) => page.push(record.as_bytes()),
        None => {
            for (number, value) in row.record.iter().enumerate() {
                match number {
                    0 => quoting.push_first(value, page),
                    _ => quoting.push_next(value, page),
                }
            }
        }
    }
    quoting.push_word(row.outcome.as_str(), page);
    quoting.push_next(row.answer().unwrap_or_default(), page);
    quoting.push_next(row.detail, page);
    quoting.push_next(row.finish_reason().unwrap_or_default(), page);
    for count in counts(row) {
        match count {
            Some(count) => quoting.push_word(itoa::Buffer::new().format(count), page),
            None => quoting.push_word("", page),
        }
    }
    if let Some(charge) = layout.charge_of(row) {
        quoting.push_next(&cost(row, charge).unwrap_or_default(), page);
    }
    for (field, _) in &layout.fields {
        quoting.push_next(&row.field(field).map(as_text).unwrap_or_default(), page);
    }
    page.push(b"\n");
}

/// Which fields stand in quotes: those with a delimiter, a quote or half a line end.
///
/// An empty field needs none where it is not alone, and no field of the results is.
struct Quoting {
    delimiter: u8,
    /// For each byte, whether a field with it needs quotes.
    needs: [bool; 256],
    /// Whether the delimiter is a letter, a digit or an underscore.
    delimits_words: bool,
}

impl Quoting {
    fn new(delimiter: u8) -> Self {
        let mut needs = [false; 256];
        for byte in [delimiter, b'"', b'\r', b'\n'] {
            needs[usize::from(byte)] = true;
        }
        Self { delimiter, needs, delimits_words: delimiter.is_ascii_alphanumeric() || delimiter == b'_' }
    }

    /// Appends the first field of a row.
    fn push_first(&self, text: &str, page: &mut Page) {
        if self.is_needed(text) { push_quoted(text, page) } else { page.push(text.as_bytes()) }
    }

    /// Appends a delimiter and a field.
    fn push_next(&self, text: &str, page: &mut Page) {
        if self.is_needed(text) {
            page.push(&[self.delimiter]);
            push_quoted(text, page);
        } else {
            self.push_bare(text.as_bytes(), page);
        }
    }

    /// The same for a number, or one of our own words.
    fn push_word(&self, word: &str, page: &mut Page) {
        if self.delimits_words { self.push_next(word, page) } else { self.push_bare(word.as_bytes(), page) }
    }

    #[inline]
    fn push_bare(&self, text: &[u8], page: &mut Page) {
        let room = &mut page.room(1 + text.len())[..=text.len()];
        room[0] = self.delimiter;
        room[1..].copy_from_slice(text);
        page.advance(1 + text.len());
    }

    #[inline]
    fn is_needed(&self, text: &str) -> bool {
        let bytes = text.as_bytes();
        match bytes.len() {
            0..32 => bytes.iter().any(|byte| self.needs[usize::from(*byte)]),
            _ => memchr3(self.delimiter, b'"', b'\n', bytes).is_some() || memchr(b'\r', bytes).is_some(),
        }
    }
}

fn push_quoted(text: &str, page: &mut Page) {
    page.push(b"\"");
    push_doubled(text, page);
    page.push(b"\"");
}

fn push_object(page: &mut Page, names: &[Vec<u8>], row: &JoinedRow<'_>, layout: &ResultColumns) {
    let mut names = names.iter();
    let mut name = |page: &mut Page| page.push(names.next().map(Vec::as_slice).unwrap_or_default());
    for (position, value) in row.record.iter_types().enumerate() {
        name(page);
        match value {
            ValueType::Text => {
                page.push(b"\"");
                row.record.push_escaped(position, page);
                page.push(b"\"");
            }
            ValueType::Null => page.push(b"null"),
            ValueType::Number | ValueType::Bool | ValueType::Json => page.push(row.record.get(position).as_bytes()),
        }
    }
    for text in [Some(row.outcome.as_str()), row.answer(), Some(row.detail), row.finish_reason()] {
        name(page);
        match text {
            None | Some("") => page.push(b"null"),
            Some(text) => {
                page.push(b"\"");
                push_escaped(text, page);
                page.push(b"\"");
            }
        }
    }
    for count in counts(row) {
        name(page);
        match count {
            Some(count) => page.push(itoa::Buffer::new().format(count).as_bytes()),
            None => page.push(b"null"),
        }
    }
    if let Some(charge) = layout.charge_of(row) {
        name(page);
        page.push(cost(row, charge).as_deref().unwrap_or("null").as_bytes());
    }
    for (field, _) in &layout.fields {
        name(page);
        page.push(row.field(field).unwrap_or("null").as_bytes());
    }
    page.push(b"}\n");
}

fn counts(row: &JoinedRow<'_>) -> [Option<u64>; 4] {
    let usage = row.usage();
    [usage.prompt_tokens, usage.candidates_tokens, usage.thoughts_tokens, usage.total_tokens]
}

/// What the row's answer cost in a batch, as a decimal number; `None` where that is not known.
pub(super) fn cost(row: &JoinedRow<'_>, charge: Charge) -> Option<String> {
    let Charge::Tokens(price) = charge else { return Some("0".to_owned()) };
    let mut totals = UsageTotals::default();
    totals.add_counts(&row.usage().counts()?);
    let cost = prices::cost(price?, &totals).total()?;
    // A thousandth of a millionth of a dollar is less than any token costs.
    let text = format!("{cost:.9}");
    Some(text.trim_end_matches('0').trim_end_matches('.').to_owned())
}

/// A JSON value in a cell: a string's text, nothing for null, any other as it is written.
pub(super) fn as_text(value: &str) -> Cow<'_, str> {
    match Kind::of(value) {
        Kind::String => json::string(value).unwrap_or_default(),
        Kind::Null => Cow::Borrowed(""),
        _ => Cow::Borrowed(value),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn field() -> impl Strategy<Value = String> {
        prop_oneof![
            "[ab,;\t\"\r\n é]{0,6}",
            "[a-z日]{20,40}[,;\t\"\r\n]{0,2}[a-z]{0,40}",
            Just(String::new()),
            "[0-9]{1,4}",
        ]
    }

    proptest! {
        #[test]
        fn fields_are_written_as_by_the_csv_crate(
            fields in proptest::collection::vec(field(), 2..6),
            delimiter in proptest::sample::select(b",;\t|7 a".to_vec()),
        ) {
            let mut theirs = csv::WriterBuilder::new().delimiter(delimiter).from_writer(Vec::new());
            theirs.write_record(&fields).unwrap();
            let (mut page, quoting) = (Page::default(), Quoting::new(delimiter));
            quoting.push_first(&fields[0], &mut page);
            for field in &fields[1..] {
                match field.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                    true => quoting.push_word(field, &mut page),
                    false => quoting.push_next(field, &mut page),
                }
            }
            page.push(b"\n");
            prop_assert_eq!(page.into_vec(), theirs.into_inner().unwrap());
        }

        #[test]
        fn the_text_of_a_value_is_that_of_the_parser(text in "[ -~é\n\"\\\\]{0,8}") {
            let value = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(as_text(&value), text);
        }
    }

    #[test]
    fn what_is_no_string_is_its_own_text() {
        for (value, text) in [("null", ""), ("1.0", "1.0"), ("[\"a\"]", "[\"a\"]"), ("\"\\u0041\"", "A"), ("\"\"", "")]
        {
            assert_eq!(as_text(value), text);
        }
    }
}
