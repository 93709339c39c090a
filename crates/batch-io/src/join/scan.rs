//! The first pass: every prediction's identity and place, and which fields the answers have.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use serde_json::value::RawValue;

use super::columns::FieldNames;
use super::files::FileSet;
use super::identity::{Class, Hash96};
use super::index::{Entry, Index, Place, Span};
use super::summary::Listed;
use crate::error::{Error, ErrorKind, Position, Result};
use crate::json::{self, Members};
use crate::outcome::Outcome;
use crate::predictions::{AnswerFormat, Formats, Line, Prediction, Problem};

/// What is looked for in each line.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wanted<'a> {
    /// The member that is the key, where it is not found by itself.
    pub(super) key_member: Option<&'a str>,
    /// The label that stands in for a key which did not come back.
    pub(super) label: Option<&'a str>,
}

/// What the first pass found.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub(super) entries: Vec<Entry>,
    /// Whether a key is a number or a boolean.
    pub(super) has_retyped: bool,
    /// How many predictions have no key.
    pub(super) keyless: usize,
    pub(super) problems: Listed<Problem>,
    pub(super) fields: FieldNames,
    /// Whether the one format there is names the fields, so that no prediction need be looked into.
    pub(super) fields_are_known: bool,
}

impl Scan {
    /// Reads all files through.
    pub(super) fn read(mut self, files: &FileSet, wanted: Wanted<'_>, formats: &mut Formats) -> Result<Self> {
        self.fields_are_known = formats.given().is_some_and(|format| self.fields.add_format(format));
        for (number, file) in files.files().iter().enumerate() {
            let mut lines = file.lines()?;
            while let Some(line) = lines.next_line()? {
                let place = Place::new(number, line.byte());
                let (Some(place), Ok(length)) = (place, u32::try_from(line.bytes().len())) else {
                    return Err(too_large(file.name(), line.number()));
                };
                if !self.glance(&line, place, length, wanted, formats) {
                    match line.prediction() {
                        Ok(prediction) => self.take(&prediction, place, length, wanted, formats),
                        Err(problem) => self.problems.push(problem),
                    }
                }
                if Index::MOST <= self.entries.len() {
                    return Err(too_large(file.name(), line.number()));
                }
            }
        }
        Ok(self)
    }

    /// Takes a line in that has nothing unusual, without reading the request in it; `false` for
    /// any other.
    fn glance(
        &mut self,
        line: &Line<'_>,
        place: Place,
        length: u32,
        wanted: Wanted<'_>,
        formats: &mut Formats,
    ) -> bool {
        let Some((text, glance)) = line.glance() else { return false };
        let raw = |range: &Option<Range<usize>>| present(text, range.as_ref());
        let key = match wanted.key_member {
            None => raw(&glance.key).or_else(|| raw(&glance.id)).or_else(|| raw(&glance.custom_id)),
            Some("key") => raw(&glance.key),
            Some("id") => raw(&glance.id),
            Some("custom_id") => raw(&glance.custom_id),
            Some(_) => return false,
        };
        let is_object = |range: &Range<usize>| text.as_bytes().get(range.start) == Some(&b'{');
        let Some(response) = glance.response.clone().filter(is_object) else { return false };
        // JSON in a string is looked into by the parser.
        if glance.request.as_ref().is_some_and(|request| !is_object(request)) {
            return false;
        }
        let is_plain = (Prediction { status: raw(&glance.status), error: raw(&glance.error), ..Prediction::default() })
            .has_no_failure();
        let (start, end) = (u32::try_from(response.start), u32::try_from(response.end));
        let span = match (start, end) {
            (Ok(start), Ok(end)) if is_plain => Span { start, length: end - start },
            _ => Span::default(),
        };
        let label = |name: &str| Members::parse(&text[glance.labels.clone()?]).ok()?.get(&[name]).and_then(Hash96::of);
        let hash = self.identify(key, || wanted.label.and_then(label));
        self.entries.push(Entry::new(hash, place, length, span));
        let format = formats.of_echo(glance.request.is_some(), glance.config.clone().map(|config| &text[config]));
        formats.meet(&format);
        if !self.fields_are_known && !self.fields.add_format(&format) {
            let response = serde_json::from_str(&text[response]).ok();
            let prediction = Prediction {
                status: raw(&glance.status),
                error: raw(&glance.error),
                response: response.map(Cow::Borrowed),
                ..Prediction::default()
            };
            self.look_for_fields(&prediction, &format);
        }
        true
    }

    /// Takes a line in that was read.
    fn take(
        &mut self,
        prediction: &Prediction<'_>,
        place: Place,
        length: u32,
        wanted: Wanted<'_>,
        formats: &mut Formats,
    ) {
        let key = match wanted.key_member {
            Some(name) => prediction.member(name),
            None => prediction.key(),
        };
        let hash = self.identify(key, || Hash96::of(prediction.label(wanted.label?)?));
        self.entries.push(Entry::new(hash, place, length, Span::default()));
        let format = formats.of(prediction.request.as_deref());
        formats.meet(&format);
        if !self.fields_are_known && !self.fields.add_format(&format) {
            self.look_for_fields(prediction, &format);
        }
    }

    fn identify(&mut self, key: Option<&RawValue>, label: impl FnOnce() -> Option<(Hash96, Class)>) -> Hash96 {
        match key.and_then(Hash96::of) {
            Some((hash, class)) => {
                self.has_retyped |= class == Class::Retyped;
                hash
            }
            None => {
                self.keyless += 1;
                label().map_or(Hash96::NONE, |(hash, _)| hash.in_place_of_a_key())
            }
        }
    }

    fn look_for_fields(&mut self, prediction: &Prediction<'_>, format: &Arc<AnswerFormat>) {
        let reading = prediction.read(format);
        if reading.outcome == Outcome::Answered {
            self.fields.add_answer(&reading);
        }
    }
}

/// A member's value, unless it is null.
fn present<'a>(line: &'a str, range: Option<&Range<usize>>) -> Option<&'a RawValue> {
    let value: &RawValue = serde_json::from_str(line.get(range?.clone())?).ok()?;
    (!json::is_null(value)).then_some(value)
}

fn too_large(file: &str, line: u64) -> Error {
    Error::new(ErrorKind::TooLong, "more predictions than one join can tell apart")
        .at(Position::file(file).line(line))
        .with_hint("join the input in parts")
}
