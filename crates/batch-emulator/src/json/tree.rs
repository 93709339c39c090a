//! A JSON text as one flat list of nodes.

use std::fmt;
use std::io::Write as _;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};

use super::parse::{Alike, parse};
use super::text::Text;

/// A parsed JSON text. Strings without escapes are slices of the text.
#[derive(Debug)]
pub(crate) struct Tree<'a> {
    pub(super) text: &'a str,
    pub(super) nodes: Vec<Node<'a>>,
    pub(super) spans: Vec<Span>,
}

/// Where in the text an array or object stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) node: usize,
    /// The array or object around it.
    pub(super) parent: usize,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// One value, or the name of a member. An array or object is followed by its content
/// (names and values in turn) up to the index that it holds.
#[derive(Clone, Debug)]
pub(super) enum Node<'a> {
    Null,
    Bool(bool),
    Int(i64),
    /// Above `i64::MAX`.
    Uint(u64),
    Float(f64),
    Str(Text<'a>),
    Array(usize),
    Object(usize),
}

impl<'a> Tree<'a> {
    /// Parses one JSON value; blanks around it are allowed.
    pub(crate) fn parse(text: &'a str) -> Result<Tree<'a>, serde_json::Error> {
        Tree::parse_with(text, None)
    }

    /// Parses one JSON value, which costs less where it has members of members in common with the one before.
    pub(crate) fn parse_after(text: &'a str, before: Option<&Tree<'a>>) -> Result<Tree<'a>, serde_json::Error> {
        Tree::parse_with(text, before.map(|before| (before, Alike::Copied)))
    }

    /// As [`Tree::parse_after`], for what is new only: null stands for what both have in common.
    pub(crate) fn parse_new(text: &'a str, before: Option<&Tree<'a>>) -> Result<Tree<'a>, serde_json::Error> {
        Tree::parse_with(text, before.map(|before| (before, Alike::LeftOut)))
    }

    fn parse_with(text: &'a str, before: Option<(&Tree<'a>, Alike)>) -> Result<Tree<'a>, serde_json::Error> {
        let (mut nodes, mut spans) = (Vec::with_capacity(64), Vec::with_capacity(8));
        match parse(text, before, &mut nodes, &mut spans) {
            Some(()) => Ok(Tree { text, nodes, spans }),
            None => Tree::parse_slowly(text),
        }
    }

    /// Parses what is rare or wrong.
    pub(super) fn parse_slowly(text: &'a str) -> Result<Tree<'a>, serde_json::Error> {
        let mut nodes = Vec::with_capacity(64);
        let mut deserializer = serde_json::Deserializer::from_str(text);
        Build(&mut nodes).deserialize(&mut deserializer)?;
        deserializer.end()?;
        Ok(Tree { text, nodes, spans: Vec::new() })
    }

    /// The text of an array or object as it stood there, where that was noted: for the members of the whole, and
    /// for their members.
    pub(crate) fn text_of(&self, json: Json<'_>) -> Option<&'a str> {
        let span = self.spans.iter().find(|span| span.node == json.at)?;
        self.text.get(span.start..span.end)
    }

    /// The value itself.
    pub(crate) fn root(&self) -> Json<'_> {
        Json { nodes: &self.nodes, at: 0 }
    }

    /// Where the value `at` ends.
    pub(super) fn end(&self, at: usize) -> usize {
        Json { nodes: &self.nodes, at }.end()
    }
}

struct Build<'b, 'a>(&'b mut Vec<Node<'a>>);

impl<'de> DeserializeSeed<'de> for Build<'_, 'de> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Build<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.0.push(Node::Null);
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.0.push(Node::Bool(value));
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.0.push(Node::Int(value));
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.0.push(match i64::try_from(value) {
            Ok(value) => Node::Int(value),
            Err(_) => Node::Uint(value),
        });
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.0.push(Node::Float(value));
        Ok(())
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<(), E> {
        self.0.push(Node::Str(Text::Plain(value)));
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.0.push(Node::Str(Text::Other(value.to_owned())));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let at = self.0.len();
        self.0.push(Node::Array(0));
        while seq.next_element_seed(Build(self.0))?.is_some() {}
        let end = self.0.len();
        self.close(at, Node::Array(end))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let at = self.0.len();
        self.0.push(Node::Object(0));
        while map.next_key_seed(Build(self.0))?.is_some() {
            map.next_value_seed(Build(self.0))?;
        }
        let end = self.0.len();
        self.close(at, Node::Object(end))
    }
}

impl Build<'_, '_> {
    fn close<E: serde::de::Error>(self, at: usize, closed: Node<'static>) -> Result<(), E> {
        match self.0.get_mut(at) {
            Some(open) => {
                *open = closed;
                Ok(())
            }
            None => Err(E::custom("a container lost its start")),
        }
    }
}

/// One value in a [`Tree`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Json<'t> {
    nodes: &'t [Node<'t>],
    at: usize,
}

/// What a value is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum View<'t> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number without a fraction that fits.
    Int(i64),
    /// A number without a fraction, above `i64::MAX`.
    Uint(u64),
    /// Any other number.
    Float(f64),
    /// A string.
    Str(&'t Text<'t>),
    /// An array.
    Array(Items<'t>),
    /// An object.
    Object(Members<'t>),
}

impl<'t> Json<'t> {
    /// What the value is.
    pub(crate) fn view(self) -> View<'t> {
        match &self.nodes[self.at] {
            Node::Null => View::Null,
            Node::Bool(value) => View::Bool(*value),
            Node::Int(value) => View::Int(*value),
            Node::Uint(value) => View::Uint(*value),
            Node::Float(value) => View::Float(*value),
            Node::Str(value) => View::Str(value),
            Node::Array(end) => View::Array(Items { nodes: self.nodes, at: self.at + 1, end: *end }),
            Node::Object(end) => View::Object(Members { nodes: self.nodes, at: self.at + 1, end: *end }),
        }
    }

    /// Whether it is `null`.
    pub(crate) fn is_null(self) -> bool {
        matches!(self.view(), View::Null)
    }

    /// The text of a string.
    pub(crate) fn as_str(self) -> Option<&'t str> {
        match self.view() {
            View::Str(text) => Some(text.as_str()),
            _ => None,
        }
    }

    /// The string as it stood in the JSON.
    pub(crate) fn as_text(self) -> Option<&'t Text<'t>> {
        match self.view() {
            View::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The value of a boolean.
    pub(crate) fn as_bool(self) -> Option<bool> {
        match self.view() {
            View::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The value of a number, also one in quotes, as protobuf's JSON allows both.
    pub(crate) fn as_f64(self) -> Option<f64> {
        match self.view() {
            View::Int(value) => Some(value as f64),
            View::Uint(value) => Some(value as f64),
            View::Float(value) => Some(value),
            View::Str(text) => text.as_str().parse().ok(),
            _ => None,
        }
    }

    /// The value of a number without fraction, also one in quotes or written `2.0`.
    pub(crate) fn as_i64(self) -> Option<i64> {
        match self.view() {
            View::Int(value) => Some(value),
            View::Float(value) if is_whole(value) => Some(value as i64),
            View::Str(text) => text.as_str().parse().ok(),
            _ => None,
        }
    }

    /// The member `name` of an object; the last one where it comes twice, and none where
    /// it is `null`.
    pub(crate) fn get(self, name: &str) -> Option<Json<'t>> {
        self.find(|other| other == name)
    }

    /// The member of an object under either of its spellings.
    pub(crate) fn get_either(self, camel: &str, snake: &str) -> Option<Json<'t>> {
        self.find(|name| name == camel || name == snake)
    }

    fn find(self, is_it: impl Fn(&str) -> bool) -> Option<Json<'t>> {
        let View::Object(members) = self.view() else {
            return None;
        };
        let mut found = None;
        for (name, value) in members {
            if is_it(name) {
                found = Some(value);
            }
        }
        found.filter(|value| !value.is_null())
    }

    /// The elements of an array; a single value where protobuf's JSON would take it for a
    /// list of one; nothing for `null`.
    pub(crate) fn items_or_self(self) -> impl Iterator<Item = Json<'t>> {
        let (items, single) = match self.view() {
            View::Array(items) => (Some(items), None),
            View::Null => (None, None),
            _ => (None, Some(self)),
        };
        items.into_iter().flatten().chain(single)
    }

    /// Which of the values of its tree it is.
    pub(crate) fn number(self) -> usize {
        self.at
    }

    /// Writes the name of the member whose value this is.
    pub(super) fn write_name(self, out: &mut Vec<u8>) {
        if let Some(Node::Str(name)) = self.at.checked_sub(1).and_then(|at| self.nodes.get(at)) {
            write_again(name, out);
        }
    }

    /// Where the value ends.
    fn end(self) -> usize {
        match &self.nodes[self.at] {
            Node::Array(end) | Node::Object(end) => *end,
            _ => self.at + 1,
        }
    }
}

/// The elements of an array.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Items<'t> {
    nodes: &'t [Node<'t>],
    at: usize,
    end: usize,
}

impl<'t> Iterator for Items<'t> {
    type Item = Json<'t>;

    fn next(&mut self) -> Option<Json<'t>> {
        if self.at == self.end {
            return None;
        }
        let item = Json { nodes: self.nodes, at: self.at };
        self.at = item.end();
        Some(item)
    }
}

/// The members of an object in the order of the text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Members<'t> {
    nodes: &'t [Node<'t>],
    at: usize,
    end: usize,
}

impl<'t> Members<'t> {
    /// The members sorted by name; of a name that comes twice, the last.
    pub(crate) fn sorted(self) -> impl Iterator<Item = (&'t str, Json<'t>)> {
        // What echoes and careful clients write is sorted already.
        let (as_they_are, others) = match self.is_sorted_by(|a, b| a.0 < b.0) {
            true => (Some(self), Vec::new()),
            false => {
                let mut members: Vec<_> = self.collect();
                members.reverse();
                members.sort_by(|a, b| a.0.cmp(b.0));
                members.dedup_by(|later, kept| later.0 == kept.0);
                (None, members)
            }
        };
        as_they_are.into_iter().flatten().chain(others)
    }

    /// Whether there is none.
    pub(crate) fn is_empty(self) -> bool {
        self.at == self.end
    }
}

impl<'t> Iterator for Members<'t> {
    type Item = (&'t str, Json<'t>);

    fn next(&mut self) -> Option<(&'t str, Json<'t>)> {
        if self.at == self.end {
            return None;
        }
        let name = match &self.nodes[self.at] {
            Node::Str(name) => name.as_str(),
            // The names of members are always strings.
            _ => "",
        };
        let value = Json { nodes: self.nodes, at: self.at + 1 };
        self.at = value.end();
        Some((name, value))
    }
}

/// Writes a value as compact JSON, members in the order of the text.
pub(crate) fn write_plain(json: Json<'_>, out: &mut Vec<u8>) {
    match json.view() {
        View::Array(items) => {
            out.push(b'[');
            for (i, item) in items.enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write_plain(item, out);
            }
            out.push(b']');
        }
        View::Object(members) => {
            out.push(b'{');
            for (i, (name, value)) in members.enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write_text(name, out);
                out.push(b':');
                write_plain(value, out);
            }
            out.push(b'}');
        }
        _ => write_scalar(json, out),
    }
}

/// Writes anything but an array or an object.
pub(super) fn write_scalar(json: Json<'_>, out: &mut Vec<u8>) {
    match json.view() {
        View::Null | View::Array(_) | View::Object(_) => out.extend_from_slice(b"null"),
        View::Bool(true) => out.extend_from_slice(b"true"),
        View::Bool(false) => out.extend_from_slice(b"false"),
        View::Int(value) => write_display(value, out),
        View::Uint(value) => write_display(value, out),
        View::Float(value) => write_number(value, out),
        View::Str(text) => write_again(text, out),
    }
}

/// Writes a string of a tree.
fn write_again(text: &Text<'_>, out: &mut Vec<u8>) {
    match text.written() {
        // What was read so is written so.
        Some(written) => {
            out.push(b'"');
            out.extend_from_slice(written.as_bytes());
            out.push(b'"');
        }
        None => write_text(text.as_str(), out),
    }
}

/// Writes a number the short way: `1.0` as `1`.
pub(crate) fn write_number(value: f64, out: &mut Vec<u8>) {
    if is_whole(value) {
        write_display(value as i64, out);
    } else {
        // Writing to memory does not fail, and JSON has no number that is not finite.
        let _ = serde_json::to_writer(out, &value);
    }
}

/// Whether a double is a whole number that it holds exactly.
fn is_whole(value: f64) -> bool {
    value.fract() == 0.0 && value.abs() < 9_007_199_254_740_992.0
}

/// Writes a count.
pub(crate) fn write_count(mut count: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (count % 10) as u8;
        count /= 10;
        if count == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

fn write_display(value: impl fmt::Display, out: &mut Vec<u8>) {
    // Writing to memory does not fail.
    let _ = write!(out, "{value}");
}

/// Writes a string with the escapes that JSON demands and no others.
pub(crate) fn write_text(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let (mut from, mut at) = (0, 0);
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let mut byte = rest[0];
        if let Some(word) = rest.first_chunk() {
            let plain = plain_bytes(u64::from_le_bytes(*word));
            at += plain;
            match word.get(plain) {
                Some(other) => byte = *other,
                None => continue,
            }
        }
        let escape: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            0x08 => b"\\b",
            0x0c => b"\\f",
            0..0x20 => b"",
            _ => {
                at += 1;
                continue;
            }
        };
        out.extend_from_slice(&bytes[from..at]);
        if escape.is_empty() {
            let _ = write!(out, "\\u{byte:04x}");
        } else {
            out.extend_from_slice(escape);
        }
        at += 1;
        from = at;
    }
    out.extend_from_slice(&bytes[from..]);
    out.push(b'"');
}

/// How many of eight bytes come before the first that needs an escape. Most text is plain, and a look at eight
/// bytes costs what a look at one does.
fn plain_bytes(word: u64) -> usize {
    const ONES: u64 = u64::from_le_bytes([0x01; 8]);
    const HIGH: u64 = u64::from_le_bytes([0x80; 8]);
    // The high bit of a byte of `word - n * ONES` is set where the byte was below `n`, or
    // above 0x7f, which `!word` takes out; a borrow can only add bytes behind one that is.
    let below = |word: u64, n: u64| word.wrapping_sub(ONES * n) & !word & HIGH;
    let quote = word ^ (ONES * u64::from(b'"'));
    let backslash = word ^ (ONES * u64::from(b'\\'));
    let marks = below(word, 0x20) | below(quote, 1) | below(backslash, 1);
    marks.trailing_zeros() as usize / 8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> String {
        let tree = Tree::parse(text).unwrap();
        let mut out = Vec::new();
        write_plain(tree.root(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_is_read_is_written_again_with_short_numbers_and_few_escapes() {
        let text = r#" {"b":[1.0,-0.5,1e300,18446744073709551615,null,true],"a":{"é\u00e9\n":"\u0001\/日本語"}} "#;
        assert_eq!(plain(text), r#"{"b":[1,-0.5,1e+300,18446744073709551615,null,true],"a":{"éé\n":"\u0001/日本語"}}"#);
    }

    #[test]
    fn every_character_comes_back_wherever_it_stands() {
        for c in (0..0x180).filter_map(char::from_u32).chain(['日', '\u{2028}', '😀']) {
            for before in 0..10 {
                let text = format!("{}{c}{}", "x".repeat(before), "y".repeat(9));
                let mut out = Vec::new();
                write_text(&text, &mut out);
                assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
                assert_eq!(out.len(), serde_json::to_vec(&text).unwrap().len());
            }
        }
    }

    #[test]
    fn of_members_with_one_name_the_last_is_read() {
        let tree = Tree::parse(r#"{"b":1,"a":2,"b":{"c":3},"a":null}"#).unwrap();
        let sorted: Vec<_> = match tree.root().view() {
            View::Object(members) => members.sorted().collect(),
            _ => Vec::new(),
        };
        assert_eq!(sorted.len(), 2);
        assert!(sorted[0].0 == "a" && sorted[0].1.is_null());
        assert_eq!(sorted[1].1.get("c").and_then(Json::as_i64), Some(3));
        assert!(tree.root().get("a").is_none(), "null stands for nothing");
    }

    #[test]
    fn what_is_no_json_is_an_error() {
        for text in ["", "{", "{}{}", "[1,]", "nul", "{\"a\":1e999}"] {
            assert!(Tree::parse(text).is_err(), "{text}");
        }
    }
}
