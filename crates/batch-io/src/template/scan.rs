//! The tokens of a template's expressions, as far as names and constants go.
//!
//! The engine tells which variables a template uses, but not what it looks up in them:
//! `row["本文 1"]`. This scan does. It may miss something in odd templates, and strict
//! rendering finds that later; it must not see what is not there.

/// A token of an expression or statement, with the line it stands in, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) kind: TokenKind<'a>,
    pub(super) line: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind<'a> {
    /// `{{`.
    Expression,
    /// `{%`.
    Statement,
    Name(&'a str),
    /// A string without escapes; one with escapes is [`Other`](Self::Other).
    Text(&'a str),
    /// A character of punctuation.
    Mark(char),
    Other,
}

/// All tokens between `{{ }}` and `{% %}`, comments and raw blocks left out.
pub(super) fn tokens(source: &str) -> Vec<Token<'_>> {
    let mut scan = Scan { source, at: 0, line: 1, tokens: Vec::new() };
    while scan.skip_text() {}
    scan.tokens
}

struct Scan<'a> {
    source: &'a str,
    at: usize,
    line: usize,
    tokens: Vec<Token<'a>>,
}

impl<'a> Scan<'a> {
    fn rest(&self) -> &'a str {
        &self.source[self.at..]
    }

    fn advance(&mut self, length: usize) {
        self.line += self.rest()[..length].matches('\n').count();
        self.at += length;
    }

    /// Goes on behind the next occurrence, or to the end.
    fn advance_behind(&mut self, end: &str) {
        let rest = self.rest();
        self.advance(rest.find(end).map_or(rest.len(), |found| found + end.len()));
    }

    fn push(&mut self, kind: TokenKind<'a>) {
        self.tokens.push(Token { kind, line: self.line });
    }

    /// Text up to the next section, and that section; `false` at the end.
    fn skip_text(&mut self) -> bool {
        let rest = self.rest();
        let Some(open) = rest
            .match_indices('{')
            .map(|(at, _)| at)
            .find(|&at| matches!(rest.as_bytes().get(at + 1), Some(b'{' | b'%' | b'#')))
        else {
            return false;
        };
        self.advance(open);
        let opening = &self.rest()[..2];
        self.advance(2);
        match opening {
            "{#" => self.advance_behind("#}"),
            "{%" => {
                let first = self.tokens.len();
                self.section(TokenKind::Statement, "%}");
                if self.tokens.get(first + 1).is_some_and(|token| token.kind == TokenKind::Name("raw")) {
                    self.skip_raw();
                }
            }
            _ => self.section(TokenKind::Expression, "}}"),
        }
        true
    }

    fn skip_raw(&mut self) {
        while !self.rest().is_empty() {
            self.advance_behind("{%");
            let inner = self.rest().trim_start_matches(['-', '+']).trim_start();
            if inner.starts_with("endraw") {
                self.advance_behind("%}");
                return;
            }
        }
    }

    fn section(&mut self, kind: TokenKind<'a>, end: &str) {
        self.push(kind);
        while let Some(first) = self.rest().chars().next() {
            if self.rest().starts_with(end) {
                self.advance(end.len());
                return;
            }
            match first {
                '"' | '\'' => self.string(first),
                _ if first.is_alphanumeric() || first == '_' => {
                    let rest = self.rest();
                    let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
                    // Digits in front: a number.
                    if first.is_numeric() {
                        self.push(TokenKind::Other);
                    } else {
                        self.push(TokenKind::Name(&rest[..length]));
                    }
                    self.advance(length);
                }
                _ => {
                    if !first.is_whitespace() {
                        self.push(TokenKind::Mark(first));
                    }
                    self.advance(first.len_utf8());
                }
            }
        }
    }

    fn string(&mut self, quote: char) {
        let inner = &self.rest()[1..];
        let mut escaped = false;
        let mut has_escapes = false;
        let end = inner.find(|c| {
            if escaped {
                escaped = false;
                return false;
            }
            escaped = c == '\\';
            has_escapes |= escaped;
            c == quote
        });
        let text = &inner[..end.unwrap_or(inner.len())];
        self.push(if has_escapes { TokenKind::Other } else { TokenKind::Text(text) });
        self.advance((text.len() + 2).min(self.rest().len()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(source: &str) -> Vec<TokenKind<'_>> {
        tokens(source).into_iter().map(|token| token.kind).collect()
    }

    #[test]
    fn sees_names_and_constants_in_sections_alone() {
        use TokenKind::{Expression, Mark, Name, Statement, Text};
        assert_eq!(
            kinds("a { b {{- row['本文 1'] -}} {# {{ no }} #}{% raw %}{{ no }}{% endraw %} {% if 題 %}"),
            [
                Expression,
                Mark('-'),
                Name("row"),
                Mark('['),
                Text("本文 1"),
                Mark(']'),
                Mark('-'),
                Statement,
                Name("raw"),
                Statement,
                Name("if"),
                Name("題"),
            ]
        );
    }

    #[test]
    fn strings_hide_what_looks_like_an_end() {
        use TokenKind::{Expression, Name, Other, Text};
        assert_eq!(kinds(r#"{{ "}}" 'a\'b' x }}"#), [Expression, Text("}}"), Other, Name("x")]);
        assert_eq!(kinds("{{ 'open"), [Expression, Text("open")]);
    }

    #[test]
    fn counts_lines() {
        let lines: Vec<_> = tokens("\n{{ a\n}}\n\n{{ b }}").iter().map(|token| token.line).collect();
        assert_eq!(lines, [2, 2, 5, 5]);
    }
}
