//! JSON text into nodes. What rows are made of is read directly; whatever else there may be is left to
//! `serde_json`, which is asked again from the start and also says what is wrong.

use super::marks::Marks;
use super::text::{Text, unescaped};
use super::tree::{Node, Span, Tree};

/// Deeper texts are left to `serde_json`, which has a limit of its own.
const DEEPEST: usize = 100;
/// How deep the values stand whose place in the text is noted: the members of a row's members.
const NOTED: usize = 2;
/// A number with more digits may not fit into 64 bits.
const MOST_DIGITS: usize = 18;

/// What becomes of a member of a member that stands in the row before at the same place, in the same words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alike {
    /// It is what it is there, and is not read again.
    Copied,
    /// It is left out: a null stands for it.
    LeftOut,
}

/// Reads one value with blanks around it; `None` where that takes another look. Rows have much in common: what
/// one has in common with the row `before` is not read again.
pub(super) fn parse<'a>(
    text: &'a str,
    before: Option<(&Tree<'a>, Alike)>,
    nodes: &mut Vec<Node<'a>>,
    spans: &mut Vec<Span>,
) -> Option<()> {
    let bytes = text.as_bytes();
    let mut parser = Parser { text, bytes, marks: Marks::of(bytes), at: 0, before, nodes, spans };
    parser.blanks();
    parser.value(0, 0)?;
    parser.blanks();
    (parser.at == text.len()).then_some(())
}

struct Parser<'a, 'n> {
    text: &'a str,
    bytes: &'a [u8],
    marks: Marks,
    at: usize,
    before: Option<(&'n Tree<'a>, Alike)>,
    nodes: &'n mut Vec<Node<'a>>,
    spans: &'n mut Vec<Span>,
}

impl<'a> Parser<'a, '_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn blanks(&mut self) {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize, parent: usize) -> Option<()> {
        match self.peek()? {
            b'"' => self.string(),
            b'{' => self.container(depth, parent, b'}'),
            b'[' => self.container(depth, parent, b']'),
            b't' => self.word("true", Node::Bool(true)),
            b'f' => self.word("false", Node::Bool(false)),
            b'n' => self.word("null", Node::Null),
            _ => self.number(),
        }
    }

    fn word(&mut self, word: &str, node: Node<'a>) -> Option<()> {
        let found = self.bytes.get(self.at..)?.starts_with(word.as_bytes());
        self.at += word.len();
        self.nodes.push(node);
        found.then_some(())
    }

    /// An integer; other numbers are for `serde_json`, which rounds them in its own way.
    fn number(&mut self) -> Option<()> {
        let start = self.at;
        let negative = self.peek()? == b'-';
        self.at += usize::from(negative);
        let digits = self.bytes.get(self.at..)?.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let first = self.peek()?;
        self.at += digits;
        let is_integer = (1..=MOST_DIGITS).contains(&digits)
            && (first != b'0' || (digits == 1 && !negative))
            && !matches!(self.peek(), Some(b'.' | b'e' | b'E'));
        if is_integer {
            self.nodes.push(Node::Int(self.text.get(start..self.at)?.parse().ok()?));
            return Some(());
        }
        let more = self.bytes.get(self.at..)?.iter();
        self.at += more.take_while(|byte| byte.is_ascii_digit() || b"+-.eE".contains(byte)).count();
        let number: f64 = serde_json::from_str(self.text.get(start..self.at)?).ok()?;
        let is_float = self.text.get(start..self.at)?.contains(['.', 'e', 'E']);
        // An integer of another size is one of several nodes.
        is_float.then(|| self.nodes.push(Node::Float(number)))
    }

    fn string(&mut self) -> Option<()> {
        let text = self.quoted()?;
        self.nodes.push(Node::Str(text));
        Some(())
    }

    fn quoted(&mut self) -> Option<Text<'a>> {
        let start = self.at;
        let (mut at, mut escapes, mut is_rare) = (start + 1, 0, false);
        loop {
            at = self.marks.next(at)?;
            match self.bytes.get(at)? {
                b'"' => break,
                b'\\' => {
                    is_rare |= !matches!(self.bytes.get(at + 1)?, b'"' | b'\\' | b'n' | b't' | b'r' | b'b' | b'f');
                    escapes += 1;
                    at += 2;
                }
                _ => return None,
            }
        }
        self.at = at + 1;
        let inner = self.text.get(start + 1..at)?;
        if !is_rare {
            return Some(Text::escaped(inner, escapes));
        }
        let text = unescaped(inner).or_else(|| serde_json::from_str(self.text.get(start..self.at)?).ok());
        text.map(Text::Other)
    }

    /// Takes a value over from the row before, where it stands there as well; says whether it does. `parent` is
    /// the object whose member it is.
    fn take_over(&mut self, parent: usize) -> Option<bool> {
        let Some((before, alike)) = self.before else { return Some(false) };
        let node = self.nodes.len();
        let (Some(outer), Some(name)) = (name_of(self.nodes, parent), name_of(self.nodes, node)) else {
            return Some(false);
        };
        let rest = self.text.get(self.at..)?;
        let found = before.spans.iter().find(|span| {
            name_of(&before.nodes, span.node) == Some(name)
                && name_of(&before.nodes, span.parent) == Some(outer)
                && before.text.get(span.start..span.end).is_some_and(|text| rest.starts_with(text))
        });
        let Some(found) = found else { return Some(false) };
        match alike {
            Alike::LeftOut => self.nodes.push(Node::Null),
            Alike::Copied => {
                let moved = |end: usize| end - found.node + node;
                let end = before.end(found.node);
                self.nodes.extend(before.nodes.get(found.node..end)?.iter().map(|other| match other {
                    Node::Array(end) => Node::Array(moved(*end)),
                    Node::Object(end) => Node::Object(moved(*end)),
                    scalar => scalar.clone(),
                }));
            }
        }
        let start = self.at;
        self.at += found.end - found.start;
        self.spans.push(Span { node, parent, start, end: self.at });
        Some(true)
    }

    fn container(&mut self, depth: usize, parent: usize, close: u8) -> Option<()> {
        if depth == DEEPEST {
            return None;
        }
        let (node, start) = (self.nodes.len(), self.at);
        // What it really is follows with its end.
        self.nodes.push(Node::Null);
        self.at += 1;
        self.blanks();
        let mut is_first = true;
        loop {
            if is_first && self.peek()? == close {
                break;
            }
            is_first = false;
            if close == b'}' {
                if self.peek()? != b'"' {
                    return None;
                }
                self.string()?;
                self.blanks();
                if self.peek()? != b':' {
                    return None;
                }
                self.at += 1;
                self.blanks();
            }
            let is_taken = depth + 1 == NOTED && close == b'}' && self.take_over(node)?;
            if !is_taken {
                self.value(depth + 1, node)?;
            }
            self.blanks();
            match self.peek()? {
                b',' => {
                    self.at += 1;
                    self.blanks();
                }
                other if other == close => break,
                _ => return None,
            }
        }
        self.at += 1;
        let end = self.nodes.len();
        *self.nodes.get_mut(node)? = if close == b'}' { Node::Object(end) } else { Node::Array(end) };
        if (1..=NOTED).contains(&depth) {
            self.spans.push(Span { node, parent, start, end: self.at });
        }
        Some(())
    }
}

/// The name of the member whose value is the node `at`.
fn name_of<'n>(nodes: &'n [Node<'_>], at: usize) -> Option<&'n str> {
    match nodes.get(at.checked_sub(1)?) {
        Some(Node::Str(name)) => Some(name.as_str()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::json::Tree;

    /// What the long way makes of a text, against the short one.
    fn compare(text: &str) -> Result<(), TestCaseError> {
        let (mut nodes, mut spans) = (Vec::new(), Vec::new());
        let short = parse(text, None, &mut nodes, &mut spans);
        match (short, Tree::parse_slowly(text)) {
            (None, _) => {}
            (Some(()), Ok(tree)) => prop_assert_eq!(format!("{:?}", nodes), format!("{:?}", tree.nodes)),
            (Some(()), Err(error)) => prop_assert!(false, "{text:?} was taken, and is wrong: {error}"),
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn what_is_read_directly_is_what_serde_reads(text in "[\\[\\]{}\",:0-9eE.+\\-truefalsn \\\\/\\x00-\\x1f日a]{0,24}") {
            compare(&text)?;
        }

        #[test]
        fn so_are_texts_that_are_json_but_for_one_byte(
            names in prop::collection::vec("[a-b\\\\\"é]{0,9}", 1..4), number: f64, at in 0_usize..60, byte in "[ -~]",
        ) {
            let members: Vec<_> = names.iter().map(|name| serde_json::json!({ name.as_str(): [number, 7, -3, name] })).collect();
            let text = serde_json::Value::from(members).to_string();
            compare(&text)?;
            prop_assert!(parse(&text, None, &mut Vec::new(), &mut Vec::new()).is_some(), "{} takes the long way", text);
            let at = text.floor_char_boundary(at.min(text.len()));
            compare(&format!("{}{byte}{}", &text[..at], &text[at..]))?;
        }
    }

    proptest! {
        #[test]
        fn a_row_after_another_is_read_as_if_it_were_alone(
            rows in prop::collection::vec(("[abr]", "[ab]", "[ab\"\\\\\n]{0,2}", 0_u8..4), 2..6),
        ) {
            let texts: Vec<String> = rows
                .iter()
                .map(|(outer, inner, text, kind)| {
                    let value = match kind {
                        0 => serde_json::json!([{ "x": text }, 1]),
                        1 => serde_json::json!({ "x": { "y": [text] }, "z": {} }),
                        2 => serde_json::json!([]),
                        _ => serde_json::json!(text),
                    };
                    serde_json::json!({ "k": text, outer: { inner: value, "c": [1, { "d": 2 }] }, "s": [value] }).to_string()
                })
                .collect();
            let mut before: Option<Tree<'_>> = None;
            for text in &texts {
                let tree = Tree::parse_after(text, before.as_ref()).unwrap();
                let alone = Tree::parse(text).unwrap();
                prop_assert_eq!(format!("{:?}", tree.nodes), format!("{:?}", alone.nodes));
                prop_assert_eq!(format!("{:?}", tree.spans), format!("{:?}", alone.spans));
                before = Some(tree);
            }
        }
    }

    #[test]
    fn of_a_row_after_another_only_what_is_new_is_kept() {
        let before = Tree::parse(r#"{"key":"a","request":{"c":["x"],"g":{"t":[0]}},"other":{}}"#).unwrap();
        let tree = Tree::parse_new(
            r#"{"key":"a","request":{"c":["y"],"g":{"t":[0]}},"other":{"g":{"t":[0]}}}"#,
            Some(&before),
        );
        let tree = tree.unwrap();
        let request = tree.root().get("request").unwrap();
        assert!(request.get("c").is_some());
        assert!(request.get("g").is_none(), "it stood there before");
        assert!(tree.root().get("other").unwrap().get("g").is_some(), "it stood elsewhere");
        let after = Tree::parse_new(r#"{"request":{"g":{"t":[0]}}}"#, Some(&tree)).unwrap();
        assert!(after.root().get("request").unwrap().get("g").is_none(), "it stood in both");
    }

    #[test]
    fn numbers_are_what_serde_takes_for_numbers() {
        for text in [
            "0",
            "-0",
            "01",
            "1.",
            ".5",
            "-",
            "1e5",
            "1E+5",
            "-1.5e-3",
            "999999999999999999",
            "18446744073709551615",
            "1e999",
            "0x1",
            "+1",
            "1.0",
        ] {
            compare(text).unwrap();
            compare(&format!("[{text}]")).unwrap();
        }
    }

    #[test]
    fn the_members_of_members_are_found_in_the_text() {
        let text = r#"{"key":"k","request":{"contents":[{"a":{"b":1}}], "generationConfig" : {"x": 1} }}"#;
        let tree = Tree::parse(text).unwrap();
        let request = tree.root().get("request").unwrap();
        assert_eq!(tree.text_of(request), Some(&text[21..81]));
        assert_eq!(tree.text_of(request.get("generationConfig").unwrap()), Some(r#"{"x": 1}"#));
        let content = request.get("contents").unwrap();
        assert_eq!(tree.text_of(content), Some(r#"[{"a":{"b":1}}]"#));
        assert_eq!(tree.text_of(content.items_or_self().next().unwrap()), None);
        assert_eq!(tree.text_of(tree.root().get("key").unwrap()), None);
    }
}
