//! A value that obeys a schema.

use std::cell::Cell;

use super::pattern::matching;
use super::schema::{Kind, Object, Root, Schema};
use super::text::{below, pick, words};
use crate::json::{write_number, write_text};
use crate::random::Random;

/// How deep references lead into each other before the smallest value is taken.
const DEEP: usize = 3;

/// Where even the smallest value has no end, null ends it.
const TOO_DEEP: usize = 24;

/// The most values in one answer: lists of lists that must be long have to end somewhere.
const MOST_VALUES: u32 = 10_000;

/// The JSON text of a value that `random` picks among those that the schema allows.
pub(super) fn generate(root: &Root, random: &Random) -> String {
    let mut out = Vec::new();
    let writer = Writer { root, random, left: Cell::new(MOST_VALUES) };
    writer.write(&root.schema, Depth::default(), &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

struct Writer<'a> {
    root: &'a Root,
    random: &'a Random,
    left: Cell<u32>,
}

/// How far down a value stands.
#[derive(Clone, Copy, Default)]
struct Depth {
    references: usize,
    levels: usize,
}

impl Depth {
    fn below(self) -> Depth {
        Depth { levels: self.levels + 1, ..self }
    }

    /// Whether to leave out what can be left out.
    fn is_deep(self) -> bool {
        self.references > DEEP
    }
}

impl Writer<'_> {
    fn write(&self, schema: &Schema, depth: Depth, out: &mut Vec<u8>) {
        let null = schema.nullable && (depth.is_deep() || below(self.random, 8) == 0);
        self.left.set(self.left.get().saturating_sub(1));
        if null || depth.levels + depth.references > TOO_DEEP || self.left.get() == 0 {
            out.extend_from_slice(b"null");
            return;
        }
        match pick(self.random, &schema.kinds) {
            Some(kind) => self.write_kind(kind, depth, out),
            // No type that anybody knows: a text is the likeliest to be taken.
            None => write_text(&words(self.random, 2), out),
        }
    }

    fn write_kind(&self, kind: &Kind, depth: Depth, out: &mut Vec<u8>) {
        match kind {
            Kind::Null => out.extend_from_slice(b"null"),
            Kind::Boolean => {
                let value: &[u8] = match below(self.random, 2) {
                    0 => b"false",
                    _ => b"true",
                };
                out.extend_from_slice(value);
            }
            Kind::OneOf(values) => {
                let value = pick(self.random, values).map_or("null", String::as_str);
                out.extend_from_slice(value.as_bytes());
            }
            Kind::Number { whole, least, most, step } => write_number(self.number(*whole, *least, *most, *step), out),
            Kind::Text { format, pattern, least, most } => {
                let text = self.text(format.as_deref(), pattern.as_deref(), *least, *most);
                write_text(&text, out);
            }
            Kind::List { first, items, least, most, unique } => {
                let usual = if depth.is_deep() { *least } else { *least + below(self.random, 3) };
                let count = usual.max(first.len() as u64).max(*least).min(*most);
                // Without bounds a list has at least one element: an empty one shows
                // nothing.
                let count = if count == 0 && *most > 0 && !depth.is_deep() { 1 } else { count };
                self.write_list(first, items.as_deref(), count, *unique, depth, out);
            }
            Kind::Object(object) => self.write_object(object, depth, out),
            Kind::AnyOf(choices) => {
                let flat: Vec<_> = choices.iter().filter(|choice| !leads_on(choice)).collect();
                if depth.is_deep()
                    && let Some(choice) = flat.first()
                {
                    self.write(choice, depth, out);
                } else if let Some(choice) = pick(self.random, choices) {
                    self.write(choice, depth, out);
                } else {
                    out.extend_from_slice(b"null");
                }
            }
            Kind::Reference(name) => match self.root.resolve(name) {
                Some(schema) => {
                    let depth = Depth { references: depth.references + 1, ..depth };
                    self.write(schema, depth, out);
                }
                None => out.extend_from_slice(b"null"),
            },
        }
    }

    fn write_list(
        &self,
        first: &[Schema],
        items: Option<&Schema>,
        count: u64,
        unique: bool,
        depth: Depth,
        out: &mut Vec<u8>,
    ) {
        let mut values: Vec<Vec<u8>> = Vec::new();
        let anything = Schema::default();
        let mut schemas = first.iter();
        for _ in 0..count {
            let schema = schemas.next().or(items).unwrap_or(&anything);
            let mut value = Vec::new();
            self.write(schema, depth.below(), &mut value);
            // A few tries; where there are not enough values, the list is shorter.
            for _ in 0..16 {
                if !(unique && values.contains(&value)) {
                    break;
                }
                value.clear();
                self.write(schema, depth.below(), &mut value);
            }
            if !(unique && values.contains(&value)) {
                values.push(value);
            }
        }
        out.push(b'[');
        out.extend_from_slice(&values.join(&b','));
        out.push(b']');
    }

    fn write_object(&self, object: &Object, depth: Depth, out: &mut Vec<u8>) {
        let mut count = 0;
        out.push(b'{');
        let mut name = |name: &str, out: &mut Vec<u8>| {
            if count > 0 {
                out.push(b',');
            }
            count += 1;
            write_text(name, out);
            out.push(b':');
            count
        };
        let required = object.members.iter().filter(|(.., required)| *required);
        let mut optional = object.most.saturating_sub(required.count() as u64);
        let mut missing = (object.members.len() as u64).saturating_sub(object.least);
        let mut written = 0;
        for (member, schema, required) in &object.members {
            if !required {
                let unwanted = depth.is_deep() || below(self.random, 8) == 0;
                if optional == 0 || (unwanted && missing > 0) {
                    missing = missing.saturating_sub(1);
                    continue;
                }
                optional -= 1;
            }
            written = name(member, out);
            self.write(schema, depth.below(), out);
        }
        if let Some(others) = &object.others {
            let wanted = object.least.max(u64::from(object.members.is_empty()));
            let mut number = 0;
            while written < wanted && written < object.most {
                number += 1;
                written = name(&format!("member{number}"), out);
                self.write(others, depth.below(), out);
            }
        }
        out.push(b'}');
    }

    fn number(&self, whole: bool, least: Option<f64>, most: Option<f64>, step: Option<f64>) -> f64 {
        let (least, most) = match (least, most) {
            (Some(least), Some(most)) => (least, most.max(least)),
            (Some(least), None) => (least, least + 100.0),
            (None, Some(most)) => (most - 100.0, most),
            (None, None) => (0.0, 100.0),
        };
        let step = step.unwrap_or(if whole {
            1.0
        } else if most - least <= 10.0 {
            0.001
        } else {
            0.01
        });
        // Multiples of the step, so that a multiple of 5 stays one; where none lies
        // between the bounds, the lower bound has to do.
        let (first, last) = ((least / step).ceil(), (most / step).floor());
        if first > last {
            return least;
        }
        let spread = ((last - first) as u64).saturating_add(1);
        let value = (first + below(self.random, spread) as f64) * step;
        if whole {
            return value.round();
        }
        // Takes away the dust that binary fractions leave: 0.1 * 3.
        let tidy = (value * 1e6).round() / 1e6;
        if tidy < least || tidy > most { value } else { tidy }
    }

    fn text(&self, format: Option<&str>, pattern: Option<&str>, least: u64, most: u64) -> String {
        if let Some(text) = pattern.and_then(|pattern| matching(pattern, self.random)) {
            return text;
        }
        if let Some(text) = format.and_then(|format| self.formatted(format)) {
            return text;
        }
        let mut text = words(self.random, 1 + below(self.random, 4));
        while (text.chars().count() as u64) < least {
            text.push(' ');
            text.push_str(&words(self.random, 1));
        }
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        text.chars().take(most).collect()
    }

    fn formatted(&self, format: &str) -> Option<String> {
        let n = |end| below(self.random, end);
        let date = || format!("20{:02}-{:02}-{:02}", n(30), 1 + n(12), 1 + n(28));
        let time = || format!("{:02}:{:02}:{:02}Z", n(24), n(60), n(60));
        let word = || words(self.random, 1);
        Some(match format {
            "date-time" => format!("{}T{}", date(), time()),
            "date" => date(),
            "time" => time(),
            "duration" => format!("PT{}M{}S", n(60), n(60)),
            "email" => format!("{}@example.com", word()),
            "hostname" => format!("{}.example.com", word()),
            "uri" | "url" | "iri" => format!("https://example.com/{}", word()),
            "ipv4" => format!("192.0.2.{}", n(256)),
            "ipv6" => format!("2001:db8::{:x}", n(0x1_0000)),
            "uuid" => format!(
                "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
                n(1 << 32),
                n(1 << 16),
                n(1 << 12),
                n(1 << 12),
                n(1 << 48)
            ),
            _ => return None,
        })
    }
}

/// Whether a schema is a reference or holds one at its top.
fn leads_on(schema: &Schema) -> bool {
    schema.kinds.iter().any(|kind| match kind {
        Kind::Reference(_) => true,
        Kind::Object(object) => object.members.iter().any(|(_, schema, required)| *required && leads_on(schema)),
        _ => false,
    })
}
