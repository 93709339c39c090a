//! What the import makes of all lines together: one table with one type for each path.

use std::collections::{BTreeMap, HashSet};

use batch_model::GenerateContentRequest;
use batch_model::Shape;
use batch_model::limits::is_retyped;

use super::finding::{Finding, Place};
use super::json::{Kind, Value};
use super::pointer::Pointer;
use super::report::{Report, quoted};
use super::rules;

/// Most levels of records in a table of BigQuery. Certain as BigQuery's documentation.
const DEEPEST_RECORD: usize = 15;

/// Most characters of a column's name. Certain as BigQuery's documentation.
pub(super) const LONGEST_NAME: usize = 300;

/// The types that the import tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    /// A string that looks like a number.
    Digits,
    /// `"true"` or `"false"`.
    Truth,
    Text,
    Number,
    Bool,
    Object,
    Array,
}

impl Type {
    const ALL: [Self; 7] = [Self::Digits, Self::Truth, Self::Text, Self::Number, Self::Bool, Self::Object, Self::Array];

    fn what(self) -> &'static str {
        match self {
            Self::Digits | Self::Truth | Self::Text => "a string",
            Self::Number => "a number",
            Self::Bool => "a boolean",
            Self::Object => "an object",
            Self::Array => "an array",
        }
    }
}

/// Where a type was first seen at a path.
#[derive(Debug)]
struct Seen {
    file: u32,
    place: Place,
    pointer: String,
}

/// All that was seen at one path and below it.
#[derive(Debug, Default)]
struct Node {
    seen: [Option<Box<Seen>>; Type::ALL.len()],
    members: BTreeMap<Box<str>, Node>,
    elements: Option<Box<Node>>,
}

/// The paths of all lines so far. It grows with the number of different paths up to its limit, and
/// not with the number of lines.
#[derive(Debug)]
pub(super) struct Import {
    root: Node,
    growth: Growth,
}

#[derive(Debug)]
struct Growth {
    leaves: usize,
    limit: usize,
    is_full: bool,
}

impl Import {
    pub(super) fn new(limit: usize) -> Self {
        Self { root: Node::default(), growth: Growth { leaves: 1, limit, is_full: false } }
    }

    /// Takes in a line, and reports what the import has against it alone.
    pub(super) fn observe(&mut self, line: &Value<'_>, report: &mut Report<'_>) {
        let mut walk = Walk { growth: &mut self.growth, report, is_too_deep: false };
        if line.is_empty_object() {
            // That it has no request is said elsewhere.
            return;
        }
        walk.observe(&mut self.root, line, &Pointer::Line, 0);
    }

    /// Reports what does not fit together.
    pub(super) fn finish(&self, found: &mut Vec<(u32, Finding)>) {
        let request = Shape::Object(GenerateContentRequest::shape());
        for (name, node) in &self.root.members {
            let shape = if &**name == "request" { Some(&request) } else { None };
            let role = if &**name == "key" { Role::Key } else { Role::Other };
            node.finish(role, shape, found);
        }
    }
}

/// What a member is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Key,
    Labels,
    Label,
    Other,
}

impl Node {
    fn first(&self, kind: Type) -> Option<&Seen> {
        self.seen[kind as usize].as_deref()
    }

    fn finish(&self, role: Role, shape: Option<&Shape>, found: &mut Vec<(u32, Finding)>) {
        self.find_conflict(found);
        if role == Role::Key {
            self.find_retyped(&rules::RETYPED_KEY, "every key is a number", true, found);
        } else if role == Role::Label {
            self.find_retyped(&rules::RETYPED_LABEL, "this label's value is a number on every line", false, found);
        } else if matches!(shape, Some(Shape::String)) {
            self.find_retyped(&rules::RETYPED_TEXT, "this text is a number on every line", false, found);
        }
        for (name, member) in &self.members {
            let below = match shape {
                Some(Shape::Object(object)) => object.member(name).map(batch_model::MemberShape::shape),
                Some(Shape::Map(shape)) => Some((**shape).clone()),
                Some(Shape::List(shape)) => match &**shape {
                    Shape::Object(object) => object.member(name).map(batch_model::MemberShape::shape),
                    _ => None,
                },
                _ => None,
            };
            let role = match role {
                Role::Labels => Role::Label,
                Role::Other if shape.is_some_and(is_request) && &**name == "labels" => Role::Labels,
                _ => Role::Other,
            };
            member.finish(role, below.as_ref(), found);
        }
        if let Some(elements) = &self.elements {
            let below = match shape {
                Some(Shape::List(shape)) => Some(&**shape),
                _ => None,
            };
            elements.finish(Role::Other, below, found);
        }
    }

    fn find_retyped(
        &self,
        rule: &'static rules::Rule,
        what: &str,
        with_numbers: bool,
        found: &mut Vec<(u32, Finding)>,
    ) {
        let (digits, truth) = (self.first(Type::Digits), self.first(Type::Truth));
        let number = self.first(Type::Number).filter(|_| with_numbers);
        let (seen, what) = match (digits.or(number), truth) {
            (Some(digits), None) => (digits, what.to_owned()),
            (None, Some(truth)) => (truth, what.replace("a number", "a boolean")),
            // Beside each other they stay strings.
            _ => return,
        };
        if self.first(Type::Text).is_some() || self.first(Type::Bool).is_some() {
            return;
        }
        found.push((seen.file, Finding::new(rule, Some(seen.place.clone()), seen.pointer.clone(), what)));
    }

    fn find_conflict(&self, found: &mut Vec<(u32, Finding)>) {
        let is_text = self.first(Type::Text).is_some()
            || (self.first(Type::Digits).is_some() && self.first(Type::Truth).is_some());
        // What looks like a number is one, but not beside other text.
        let column = |kind: Type| match kind {
            Type::Digits | Type::Truth if is_text => Type::Text,
            Type::Digits => Type::Number,
            Type::Truth => Type::Bool,
            other => other,
        };
        let mut seen: Vec<(&Seen, Type)> =
            Type::ALL.into_iter().filter_map(|kind| Some((self.first(kind)?, kind))).collect();
        seen.sort_by_key(|(seen, _)| (seen.file, seen.place.byte));
        let Some((&(first, established), rest)) = seen.split_first() else { return };
        let Some(&(second, other)) = rest.iter().find(|(_, kind)| column(*kind) != column(established)) else {
            return;
        };
        let message = format!("{} here, and {} at {}", other.what(), established.what(), first.place);
        let finding = Finding::new(&rules::MIXED_TYPES, Some(second.place.clone()), second.pointer.clone(), message);
        found.push((second.file, finding));
    }
}

fn is_request(shape: &Shape) -> bool {
    matches!(shape, Shape::Object(object) if std::ptr::eq(*object, GenerateContentRequest::shape()))
}

/// One line on its way into the table.
struct Walk<'w, 'a> {
    growth: &'w mut Growth,
    report: &'w mut Report<'a>,
    is_too_deep: bool,
}

impl Walk<'_, '_> {
    fn observe(&mut self, node: &mut Node, value: &Value<'_>, at: &Pointer<'_>, records: usize) {
        let kind = match &value.kind {
            Kind::Null => return,
            Kind::Bool(_) => Type::Bool,
            Kind::Number(_) => Type::Number,
            Kind::String(text) if !is_retyped(text) => Type::Text,
            Kind::String(text) if text.bytes().all(|byte| byte.is_ascii_alphabetic()) => Type::Truth,
            Kind::String(_) => Type::Digits,
            Kind::Array(_) => Type::Array,
            Kind::Object(_) => Type::Object,
        };
        let seen = &mut node.seen[kind as usize];
        if seen.is_none() {
            let (file, place) = (self.report.file_index(), self.report.place(value.start));
            *seen = Some(Box::new(Seen { file, place, pointer: at.to_string() }));
        }
        match &value.kind {
            Kind::Array(elements) => {
                let mut is_nested = false;
                for (index, element) in elements.iter().enumerate() {
                    let at = at.index(index);
                    if matches!(element.kind, Kind::Array(_)) && !is_nested {
                        is_nested = true;
                        self.report.add(&rules::NESTED_ARRAY, element.start, &at, "an array directly inside an array");
                    }
                    let is_leaf = node.members.is_empty() && node.elements.is_none();
                    if node.elements.is_none() && !self.growth.grow(is_leaf, self.report, element, &at) {
                        return;
                    }
                    self.observe(node.elements.get_or_insert_default(), element, &at, records);
                }
            }
            Kind::Object(members) if members.is_empty() => self.empty(value, at),
            Kind::Object(members) => {
                if records > DEEPEST_RECORD && !self.is_too_deep {
                    self.is_too_deep = true;
                    self.report.add(
                        &rules::TOO_DEEP,
                        value.start,
                        at,
                        format!("an object inside {DEEPEST_RECORD} others"),
                    );
                }
                let mut names = HashSet::new();
                for member in members {
                    // What the service adds to a row is not loaded.
                    if records == 0 && super::keys::RESERVED.contains(&&*member.name) {
                        continue;
                    }
                    let at = at.name(&member.name);
                    if !names.insert(&member.name) {
                        let message = format!("{} stands twice in this object", quoted(&member.name));
                        self.report.add(&rules::DUPLICATE_MEMBER, member.start, &at, message);
                        continue;
                    }
                    self.name(&member.name, member.start, &at);
                    if member.name.chars().count() > LONGEST_NAME {
                        continue;
                    }
                    if !node.members.contains_key(&*member.name) {
                        let is_leaf = node.members.is_empty() && node.elements.is_none();
                        if !self.growth.grow(is_leaf, self.report, &member.value, &at) {
                            continue;
                        }
                        node.members.insert((*member.name).into(), Node::default());
                    }
                    if let Some(below) = node.members.get_mut(&*member.name) {
                        self.observe(below, &member.value, &at, records + 1);
                    }
                }
            }
            _ => {}
        }
    }

    fn empty(&mut self, value: &Value<'_>, at: &Pointer<'_>) {
        // Without a member that is left out nothing changes; these two mean what they mean without.
        let known = match at.last_name() {
            Some("googleSearch" | "google_search" | "enterpriseWebSearch" | "enterprise_web_search") => {
                Some(("{\"excludeDomains\":[]}", "write {\"excludeDomains\": []}, which changes nothing"))
            }
            Some("labels" | "generationConfig" | "generation_config" | "toolConfig" | "tool_config") => {
                Some(("null", "leave it out, or write null"))
            }
            _ => None,
        };
        let help = match at.last_name() {
            Some("properties" | "parameters") => {
                Some("a function that takes nothing has no parameters: leave them out")
            }
            Some("codeExecution" | "code_execution" | "urlContext" | "url_context") => {
                Some("no way is known to use this tool in a batch: leave it out, or send the request online")
            }
            _ => known.map(|(_, help)| help),
        };
        let fix = known.map(|(text, _)| self.report.replace(value.start..value.end, text));
        let finding = self.report.add(&rules::EMPTY_OBJECT, value.start, at, "an object without members");
        if let Some(help) = help {
            finding.help(help);
        }
        if let Some(fix) = fix {
            finding.fix(fix);
        }
    }

    fn name(&mut self, name: &str, start: usize, at: &Pointer<'_>) {
        let problem = if name.is_empty() {
            Some("a name of no characters".to_owned())
        } else if let Some(odd) = name.chars().find(|c| is_odd(*c)) {
            Some(format!("the name {} has {odd:?}", quoted(name)))
        } else if name.chars().count() > LONGEST_NAME {
            Some(format!("a name of more than {LONGEST_NAME} characters"))
        } else {
            None
        };
        if let Some(problem) = problem {
            self.report.add(&rules::ODD_NAME, start, at, problem);
        }
    }
}

/// What the flexible names of BigQuery's columns may not have. Certain as BigQuery's documentation.
fn is_odd(c: char) -> bool {
    matches!(
        c,
        '!' | '"'
            | '$'
            | '('
            | ')'
            | '*'
            | ','
            | '.'
            | '/'
            | ';'
            | '?'
            | '@'
            | '['
            | '\\'
            | ']'
            | '^'
            | '`'
            | '{'
            | '}'
            | '~'
    ) || c.is_control()
}

impl Growth {
    /// Whether there is room for one more path; reports the first for which there is none.
    fn grow(&mut self, from_leaf: bool, report: &mut Report<'_>, value: &Value<'_>, at: &Pointer<'_>) -> bool {
        if self.is_full {
            return false;
        }
        // The first path below a leaf takes the leaf's place.
        self.leaves += usize::from(!from_leaf);
        if self.leaves > self.limit {
            self.is_full = true;
            let message = format!("this is path number {} of all lines so far", self.leaves);
            report.add(&rules::TOO_MANY_FIELDS, value.start, at, message);
        }
        !self.is_full
    }
}
