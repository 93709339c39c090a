//! The first pass: every prediction's key and place, and which fields the answers have.

use super::columns::FieldNames;
use super::files::FileSet;
use super::identity::{Class, Hash96};
use super::index::{Entry, Index, Place};
use super::summary::Listed;
use crate::error::{Error, ErrorKind, Position, Result};
use crate::outcome::Outcome;
use crate::predictions::{Formats, Prediction, Problem};

/// What the first pass found.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub(super) entries: Vec<Entry>,
    /// Whether a key is a number or a boolean.
    pub(super) has_retyped: bool,
    pub(super) problems: Listed<Problem>,
    pub(super) fields: FieldNames,
}

impl Scan {
    /// Reads all files through. `key_member` names the member that is the key, where it is
    /// not found by itself.
    pub(super) fn read(mut self, files: &FileSet, key_member: Option<&str>, formats: &mut Formats) -> Result<Self> {
        // Where the one format there is names the fields, no prediction need be looked into.
        let fields_are_known = formats.given().is_some_and(|format| self.fields.add_format(format));
        for (number, file) in files.files().iter().enumerate() {
            let mut lines = file.lines()?;
            while let Some(line) = lines.next_line()? {
                let prediction = match line.prediction() {
                    Ok(prediction) => prediction,
                    Err(problem) => {
                        self.problems.push(problem);
                        continue;
                    }
                };
                let place = Place::new(number, line.byte());
                let (Some(place), Ok(length)) = (place, u32::try_from(line.bytes().len())) else {
                    return Err(too_large(file.name(), line.number()));
                };
                let hash = self.identify(&prediction, key_member);
                self.entries.push(Entry::new(hash, place, length));
                if !fields_are_known {
                    self.look_for_fields(&prediction, formats);
                }
                if Index::MOST <= self.entries.len() {
                    return Err(too_large(file.name(), line.number()));
                }
            }
        }
        Ok(self)
    }

    fn identify(&mut self, prediction: &Prediction<'_>, key_member: Option<&str>) -> Hash96 {
        let key = match key_member {
            Some(name) => prediction.member(name),
            None => prediction.key(),
        };
        match key.and_then(Hash96::of) {
            Some((hash, class)) => {
                self.has_retyped |= class == Class::Retyped;
                hash
            }
            None => Hash96::NONE,
        }
    }

    fn look_for_fields(&mut self, prediction: &Prediction<'_>, formats: &mut Formats) {
        let format = formats.of(prediction.request.as_deref());
        if self.fields.add_format(&format) {
            return;
        }
        let reading = prediction.read(&format);
        if reading.outcome == Outcome::Answered {
            self.fields.add_answer(&reading);
        }
    }
}

fn too_large(file: &str, line: u64) -> Error {
    Error::new(ErrorKind::TooLong, "more predictions than one join can tell apart")
        .at(Position::file(file).line(line))
        .with_hint("join the input in parts")
}
