//! The first pass: every prediction's identity and place, and which fields the answers have.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

use serde_json::value::RawValue;

use super::columns::FieldNames;
use super::files::PredictionFile;
use super::identity::{Class, Hash96};
use super::index::{Entry, Index, Place, Reply};
use super::summary::Listed;
use crate::error::{Error, ErrorKind, Position, Result};
use crate::outcome::Outcome;
use crate::predictions::{
    AnswerFormat, Answers, Formats, Glance, Glances, KeptAnswers, Line, Prediction, Problem, Reading, Room, Span,
    generation_config,
};

/// What is looked for in each line.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wanted<'a> {
    /// The member that is the key, where it is not found by itself.
    pub(super) key_member: Option<&'a str>,
    /// The label that stands in for a key which did not come back.
    pub(super) label: Option<&'a str>,
}

/// How much of a file one thread reads before it takes the next part.
pub(super) const PART: u64 = 8 << 20;

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
    pub(super) formats: Formats,
    /// What was kept of the answers.
    pub(super) kept: KeptAnswers,
    /// Where in their lines the responses lie of which nothing was kept.
    pub(super) responses: Vec<Span>,
    /// Whether the one format there is names the fields, so that no prediction need be looked into.
    fields_are_known: bool,
    /// How many lines were passed.
    lines: u64,
    /// The format that was met last, and whether it names the fields.
    told: Option<(Arc<AnswerFormat>, bool)>,
    /// Of the line that was looked over last; nearly always the next one's request asks for the same.
    asked: Option<Asked>,
}

/// What an echoed request asked for.
#[derive(Debug)]
struct Asked {
    has_request: bool,
    /// Its `generationConfig`.
    config: Option<Box<[u8]>>,
    format: Arc<AnswerFormat>,
    /// Whether the format says which fields there are, or that need not be found out.
    tells_fields: bool,
}

/// A part of the file of this number.
type Part = (usize, Range<u64>);

/// What one thread has seen of how lines look.
#[derive(Debug)]
struct Looks<'a> {
    glances: Glances,
    answers: Answers,
    room: &'a Room,
}

impl<'a> Looks<'a> {
    fn new(wanted: Wanted<'_>, room: &'a Room) -> Self {
        Self { glances: Glances::with_label(wanted.label), answers: Answers::default(), room }
    }
}

impl Scan {
    /// Reads all files through, on so many threads; what comes out is the same for any number.
    pub(super) fn read(
        files: &[PredictionFile],
        wanted: Wanted<'_>,
        mut fields: FieldNames,
        formats: &Formats,
        (threads, part): (usize, u64),
    ) -> Result<Self> {
        let fields_are_known = formats.given().is_some_and(|format| fields.add_format(format));
        let new = || Self { formats: formats.clone(), fields_are_known, ..Self::default() };
        let mut parts: Vec<Part> = Vec::new();
        for (number, file) in files.iter().enumerate() {
            let of_file = if threads < 2 { std::iter::once(0..u64::MAX).collect() } else { file.parts(part)? };
            parts.extend(of_file.into_iter().map(|part| (number, part)));
        }
        let mut whole = Self { fields, ..new() };
        let room = Room::new();
        if threads < 2 || parts.len() < 2 {
            let mut looks = Looks::new(wanted, &room);
            for (number, part) in parts {
                whole.lines = 0;
                whole.read_part((number, part), &files[number], wanted, &mut looks)?;
            }
            return Ok(whole);
        }
        let next = AtomicUsize::new(0);
        let (sender, done) = mpsc::sync_channel(threads);
        thread::scope(|scope| {
            for _ in 0..threads.min(parts.len()) {
                let (sender, next, parts, new, room) = (sender.clone(), &next, &parts, &new, &room);
                scope.spawn(move || {
                    let mut looks = Looks::new(wanted, room);
                    loop {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        let Some(part) = parts.get(at) else { return };
                        let mut scan = new();
                        let read = scan.read_part(part.clone(), &files[part.0], wanted, &mut looks);
                        // Nobody listens any more once a part has failed.
                        if sender.send((at, read.map(|()| scan))).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(sender);
            whole.gather(done, &parts, files)
        })?;
        Ok(whole)
    }

    /// Puts parts together in their order, however they come in.
    fn gather(
        &mut self,
        done: mpsc::Receiver<(usize, Result<Self>)>,
        parts: &[Part],
        files: &[PredictionFile],
    ) -> Result<()> {
        let mut waiting = BTreeMap::new();
        let mut next = 0;
        for (at, scan) in done {
            waiting.insert(at, scan);
            while let Some(scan) = waiting.remove(&next) {
                let (number, part) = &parts[next];
                if part.start == 0 {
                    self.lines = 0;
                }
                self.add(scan?, &files[*number])?;
                next += 1;
            }
        }
        Ok(())
    }

    fn add(&mut self, part: Self, file: &PredictionFile) -> Result<()> {
        if Index::MOST - self.entries.len() <= part.entries.len() {
            return Err(too_large(file.name(), self.lines + part.lines));
        }
        let (mut entries, mut responses) = (part.entries, part.responses);
        let kept = entries.iter().filter_map(|entry| match entry.reply() {
            Reply::Kept(number) => Some(number),
            _ => None,
        });
        let kept_before = self.kept.append(part.kept, kept);
        // There are no more of them than entries.
        let before = u32::try_from(self.responses.len()).unwrap_or(Reply::MOST);
        for entry in &mut entries {
            entry.set_reply(match entry.reply() {
                Reply::Line => continue,
                Reply::Response(number) => Reply::Response(before + number),
                Reply::Kept(number) => kept_before.map_or(Reply::Line, |before| Reply::Kept(before + number)),
            });
        }
        self.responses.append(&mut responses);
        self.entries.append(&mut entries);
        self.has_retyped |= part.has_retyped;
        self.keyless += part.keyless;
        self.fields.add_all(part.fields);
        self.formats.meet_all(&part.formats);
        let before = self.lines;
        self.problems.extend(part.problems, |problem| problem.line += before);
        self.lines += part.lines;
        Ok(())
    }

    fn read_part(
        &mut self,
        (number, part): Part,
        file: &PredictionFile,
        wanted: Wanted<'_>,
        looks: &mut Looks<'_>,
    ) -> Result<()> {
        let Looks { glances, answers, room } = looks;
        let mut lines = file.lines_of(part)?;
        while let Some((line, glance)) = lines.next_glance(glances)? {
            let Some(place) = Place::new(number, line.byte()) else {
                return Err(too_large(file.name(), line.number()));
            };
            if !glance.is_some_and(|glance| self.take_glance(&line, glance, place, wanted, (answers, room))) {
                match line.prediction() {
                    Ok(prediction) => self.take(&prediction, place, wanted),
                    Err(problem) => self.problems.push(problem),
                }
            }
            if Index::MOST <= self.entries.len() {
                return Err(too_large(file.name(), line.number()));
            }
        }
        self.lines += lines.passed();
        self.kept.give_back(room);
        Ok(())
    }

    /// Takes a line in that has nothing unusual, without reading the request in it; `false` for
    /// any other.
    fn take_glance(
        &mut self,
        line: &Line<'_>,
        glance: &Glance,
        place: Place,
        wanted: Wanted<'_>,
        (answers, room): (&mut Answers, &Room),
    ) -> bool {
        let line = line.bytes();
        let present = |span: Span| span.of_bytes(line).filter(|value| *value != b"null");
        let key = match wanted.key_member {
            None => present(glance.key).or_else(|| present(glance.id)).or_else(|| present(glance.custom_id)),
            Some("key") => present(glance.key),
            Some("id") => present(glance.id),
            Some("custom_id") => present(glance.custom_id),
            Some(_) => return false,
        };
        let response = present(glance.response);
        // JSON in a string is looked into by the parser.
        if [response, glance.request.of_bytes(line)].into_iter().flatten().any(|value| !value.starts_with(b"{")) {
            return false;
        }
        let is_plain = match (present(glance.status), present(glance.error)) {
            (None | Some(b"\"\""), None) => true,
            (status, error) => {
                (Prediction { status: raw(status), error: raw(error), ..Prediction::default() }).has_no_failure()
            }
        };
        let kept = match &glance.answer {
            _ if !is_plain || response.is_none() => Some(Reply::Line),
            Some(spans) => self.kept.keep(line, spans, room).map(Reply::Kept),
            None => None,
        };
        let reply = kept.unwrap_or_else(|| {
            self.responses.push(glance.response);
            u32::try_from(self.responses.len() - 1).map_or(Reply::Line, Reply::Response)
        });
        let hash = self.identify(key.and_then(Hash96::of_json), || Hash96::of_json(present(glance.label)?));
        self.entries.push(Entry::new(hash, place, reply));
        let (has_request, config) = (glance.request.is_there(), glance.config.of_bytes(line));
        let is_as_before = |asked: &Asked| asked.has_request == has_request && asked.config.as_deref() == config;
        let asked = match self.asked.take().filter(is_as_before) {
            Some(asked) => asked,
            None => self.meet(has_request, config),
        };
        let asked = self.asked.insert(asked);
        // What has failed has no answer to look into.
        if !asked.tells_fields
            && is_plain
            && let Some((line, response)) = text(line).zip(response.and_then(text))
        {
            let format = Arc::clone(&asked.format);
            let spans = glance.answer.as_ref();
            let found = spans.and_then(|spans| Reading::of_spans(line, response, spans, &format));
            let reading = found.or_else(|| Reading::of_response(response, &format, answers).ok());
            reading.iter().for_each(|reading| self.add_fields(reading));
        }
        true
    }

    /// Takes note of what a line's request asked for.
    fn meet(&mut self, has_request: bool, config: Option<&[u8]>) -> Asked {
        let text = config.and_then(text);
        self.formats.meet(has_request, text);
        let format = self.formats.of_echo(has_request, text);
        let tells_fields = self.fields_are_known || self.tells_fields(&format);
        Asked { has_request, config: config.map(Box::from), format, tells_fields }
    }

    /// Takes a line in that was read.
    fn take(&mut self, prediction: &Prediction<'_>, place: Place, wanted: Wanted<'_>) {
        let key = match wanted.key_member {
            Some(name) => prediction.member(name),
            None => prediction.key(),
        };
        let hash = self.identify(key.and_then(Hash96::of), || Hash96::of(prediction.label(wanted.label?)?));
        self.entries.push(Entry::new(hash, place, Reply::Line));
        let request = prediction.request.as_deref();
        self.formats.meet(request.is_some(), request.and_then(generation_config).map(RawValue::get));
        if self.fields_are_known {
            return;
        }
        let format = self.formats.of(request);
        if !self.tells_fields(&format) {
            self.add_fields(&prediction.read(&format));
        }
    }

    fn identify(&mut self, key: Option<(Hash96, Class)>, label: impl FnOnce() -> Option<(Hash96, Class)>) -> Hash96 {
        match key {
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

    /// Whether the format says which fields there are.
    fn tells_fields(&mut self, format: &Arc<AnswerFormat>) -> bool {
        match &self.told {
            Some((told, tells)) if Arc::ptr_eq(told, format) => *tells,
            _ => {
                let tells = self.fields.add_format(format);
                self.told = Some((Arc::clone(format), tells));
                tells
            }
        }
    }

    fn add_fields(&mut self, reading: &Reading<'_>) {
        if reading.outcome == Outcome::Answered {
            self.fields.add_answer(reading);
        }
    }
}

fn raw(value: Option<&[u8]>) -> Option<&RawValue> {
    serde_json::from_slice(value?).ok()
}

/// A part of a line that is known to be UTF-8.
fn text(bytes: &[u8]) -> Option<&str> {
    simdutf8::basic::from_utf8(bytes).ok()
}

fn too_large(file: &str, line: u64) -> Error {
    Error::new(ErrorKind::TooLong, "more predictions than one join can tell apart")
        .at(Position::file(file).line(line))
        .with_hint("join the input in parts")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_put_together_are_the_whole() {
        let directory = tempfile::tempdir().unwrap();
        let line = |n: usize| {
            format!(
                r#"{{"request":{{"contents":[],"generationConfig":{{"responseMimeType":"application/json"}},"labels":{{"id":"n{n}"}}}},"response":{{"candidates":[{{"content":{{"parts":[{{"text":"{{\"f{}\":1}}"}}]}}}}]}}}}"#,
                n % 3
            )
        };
        let mut first = String::from("\u{feff}");
        for n in 0..40 {
            first += &match n % 8 {
                1 => format!("{{\"key\":{n},\"status\":\"Bad Request: x\"}}\r\n\n"),
                2 => "not JSON\n".to_owned(),
                3 => format!("{{\"key\":\"k{n}\",\t\"response\":{{}}}}\n"),
                _ => line(n) + "\n",
            };
        }
        let contents = [first.into_bytes(), b"\n\n".to_vec(), Vec::new(), (line(7) + "\n{\"key\":\"cu").into_bytes()];
        let files: Vec<PredictionFile> = contents
            .iter()
            .enumerate()
            .map(|(number, bytes)| {
                let path = directory.path().join(format!("{number}.jsonl"));
                std::fs::write(&path, bytes).unwrap();
                PredictionFile::new(number.to_string(), path)
            })
            .collect();
        let wanted = Wanted { key_member: None, label: Some("id") };
        let read = |threads, part| {
            let formats = Formats::new(None, AnswerFormat::text());
            let scan = Scan::read(&files, wanted, FieldNames::default(), &formats, (threads, part)).unwrap();
            let Scan { entries, responses, has_retyped, keyless, problems, fields, mut formats, .. } = scan;
            format!("{entries:?} {responses:?} {has_retyped} {keyless} {problems:?} {fields:?} {:?}", formats.common())
        };
        let whole = read(1, PART);
        assert!(whole.contains("line: 4,") && whole.contains("Cut"), "{whole}");
        for part in [1, 2, 7, 50, 333, 5_000] {
            assert_eq!(read(3, part), whole, "{part}");
        }
    }
}
