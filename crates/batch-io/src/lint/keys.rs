//! What stands beside the request: keys, and fields that pass through.

use std::collections::HashMap;

use twox_hash::XxHash3_128;

use super::finding::{Finding, Place};
use super::json::{Kind, Value};
use super::pointer::Pointer;
use super::report::{Report, quoted};
use super::rules;

/// What the service writes beside the request.
pub(super) const RESERVED: [&str; 3] = ["status", "response", "processed_time"];

/// The keys so far: a hash, a file and a line for each.
#[derive(Debug, Default)]
pub(super) struct Keys {
    seen: HashMap<u128, (u32, u64)>,
    lines: u64,
    without: u64,
    first_without: Option<(u32, Place)>,
}

impl Keys {
    /// Takes in the line's members.
    pub(super) fn observe(&mut self, line: &Value<'_>, files: &[String], report: &mut Report<'_>) {
        self.lines += 1;
        let has = |name: &str| line.get(name).is_some();
        // A line of an earlier job's output: the service keeps what is done of it.
        let is_prediction = has("request") && has("response") && line.members().iter().any(|m| m.name == "status");
        let mut key = None;
        for member in line.members() {
            let at = Pointer::Line.name(&member.name);
            let (name, value) = (&*member.name, &member.value);
            if name == "request" || (is_prediction && RESERVED.contains(&name)) {
                continue;
            }
            if RESERVED.contains(&name) {
                let message = format!("{name:?} is a name that the service writes itself");
                report.add(&rules::RESERVED_NAME, member.start, &at, message);
            } else if matches!(value.kind, Kind::Object(_) | Kind::Array(_)) {
                // An empty object is worse, and said elsewhere.
                if !value.is_empty_object() {
                    let message = format!("the pass-through field {} is {}", quoted(name), value.what());
                    report.add(&rules::PASS_THROUGH_TYPE, value.start, &at, message);
                }
            } else if name == "key" {
                key = Some(value);
            }
        }
        let text = match key.map(|key| &key.kind) {
            Some(Kind::String(text)) => &**text,
            Some(Kind::Number(digits)) => digits,
            Some(Kind::Bool(true)) => "true",
            Some(Kind::Bool(false)) => "false",
            _ => "",
        };
        let (Some(key), false) = (key, text.is_empty()) else {
            self.without += 1;
            if self.first_without.is_none() {
                let start = key.map_or(line.start, |key| key.start);
                self.first_without = Some((report.file_index(), report.place(start)));
            }
            return;
        };
        let hash = XxHash3_128::oneshot(text.as_bytes());
        if let Some((file, number)) = self.seen.get(&hash) {
            let file = files.get(*file as usize).map_or("", String::as_str);
            let message = format!("the key {} stands in {file}, line {number} as well", quoted(text));
            report.add(&rules::DUPLICATE_KEY, key.start, &Pointer::Line.name("key"), message);
        } else {
            self.seen.insert(hash, (report.file_index(), report.line()));
        }
    }

    pub(super) fn finish(self, found: &mut Vec<(u32, Finding)>) {
        let Some((file, place)) = self.first_without else { return };
        let message = match self.without {
            all if all == self.lines => "no line has a key".to_owned(),
            1 => format!("this one of {} lines has no key", self.lines),
            some => format!("{some} of {} lines have no key; this is the first", self.lines),
        };
        found.push((file, Finding::new(&rules::MISSING_KEY, Some(place), String::new(), message)));
    }
}
