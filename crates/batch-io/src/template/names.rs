//! Whether every name in a template is a name that it can have.

use std::collections::HashSet;

use super::scan::{Token, TokenKind, tokens};
use crate::error::{Error, ErrorKind, Result};
use crate::suggest;
use crate::table::Columns;

/// The fields of `record`.
const RECORD_FIELDS: [&str; 2] = ["index", "key"];

/// Refuses names that would be undefined in every record.
///
/// `used` are the variables that the template looks up and nowhere declares before, as
/// the engine sees it; `builtins` are the functions that the engine brings along.
pub(super) fn check(
    template: &str,
    source: &str,
    used: &HashSet<String>,
    builtins: &HashSet<String>,
    columns: &Columns,
) -> Result<()> {
    let tokens = tokens(source);
    stands_alone(template, source, &tokens)?;
    let assigned = assigned(&tokens);
    let unknown_variable = |name: &str| {
        used.contains(name)
            && !assigned.contains(name)
            && !builtins.contains(name)
            && columns.position(name).is_none()
            && !matches!(name, "row" | "record")
    };
    for (at, token) in tokens.iter().enumerate() {
        let TokenKind::Name(name) = token.kind else { continue };
        // The name of a field or of a filter, not of a variable.
        if matches!(before(&tokens, at), Some(TokenKind::Mark('.' | '|'))) {
            continue;
        }
        if unknown_variable(name) {
            return Err(suggest::unknown_column(name, &place(template, source, token.line), columns));
        }
        if !matches!(name, "row" | "record") || assigned.contains(name) {
            continue;
        }
        let Some(field) = looked_up(&tokens[at + 1..]) else { continue };
        if name == "row" && columns.position(field).is_none() {
            return Err(suggest::unknown_column(field, &place(template, source, token.line), columns));
        }
        if name == "record" && !RECORD_FIELDS.contains(&field) {
            return Err(unknown_record_field(field, &place(template, source, token.line)));
        }
    }
    // What the scan has no token for, it cannot place.
    match used.iter().filter(|name| unknown_variable(name)).min() {
        Some(name) => Err(suggest::unknown_column(name, &place(template, "", 1), columns)),
        None => Ok(()),
    }
}

/// There are no other templates that it could include, and the engine would find that out
/// only at the first record.
fn stands_alone(template: &str, source: &str, tokens: &[Token<'_>]) -> Result<()> {
    for (at, token) in tokens.iter().enumerate() {
        let (Some(TokenKind::Statement), TokenKind::Name(statement @ ("include" | "import" | "from" | "extends"))) =
            (before_statement(tokens, at), token.kind)
        else {
            continue;
        };
        // `{{ from }}` is a variable: only a statement has something behind it.
        if matches!(tokens.get(at + 1), Some(Token { kind: TokenKind::Text(_) | TokenKind::Other, .. })) {
            let place = place(template, source, token.line);
            return Err(Error::new(
                ErrorKind::Template,
                format!("{statement:?} {place}: there are no other templates"),
            )
            .with_hint("put the text of the other template in its place"));
        }
    }
    Ok(())
}

fn before<'a>(tokens: &[Token<'a>], at: usize) -> Option<TokenKind<'a>> {
    at.checked_sub(1).map(|before| tokens[before].kind)
}

/// The constant in `["…"]` or behind a full stop.
fn looked_up<'a>(tokens: &[Token<'a>]) -> Option<&'a str> {
    let kind = |at: usize| tokens.get(at).map(|token| token.kind);
    match (kind(0)?, kind(1)?) {
        (TokenKind::Mark('.'), TokenKind::Name(field)) => Some(field),
        // The bracket must close behind it: `row["a" ~ b]` is not known before the record.
        (TokenKind::Mark('['), TokenKind::Text(field)) if kind(2) == Some(TokenKind::Mark(']')) => Some(field),
        _ => None,
    }
}

/// Names that the template gives a value anywhere. A branch that assigns one may come
/// before its use without the engine's analysis knowing, since branches have no scope.
fn assigned<'a>(tokens: &[Token<'a>]) -> HashSet<&'a str> {
    let mut assigned = HashSet::new();
    for (at, token) in tokens.iter().enumerate() {
        let (Some(TokenKind::Statement), TokenKind::Name("set" | "for" | "with" | "macro" | "call")) =
            (before_statement(tokens, at), token.kind)
        else {
            continue;
        };
        // Too many rather than too few: all names of the statement's left side, and of a
        // `with` or macro all there are.
        let stops_at_in = token.kind == TokenKind::Name("for");
        let stops_at_equals = token.kind == TokenKind::Name("set");
        for token in &tokens[at + 1..] {
            match token.kind {
                TokenKind::Expression | TokenKind::Statement => break,
                TokenKind::Name("in") if stops_at_in => break,
                TokenKind::Mark('=') if stops_at_equals => break,
                TokenKind::Name(name) => _ = assigned.insert(name),
                _ => {}
            }
        }
    }
    assigned
}

/// The token before, whitespace control passed over.
fn before_statement<'a>(tokens: &[Token<'a>], at: usize) -> Option<TokenKind<'a>> {
    match before(tokens, at)? {
        TokenKind::Mark('-' | '+') => before(tokens, at - 1),
        kind => Some(kind),
    }
}

fn place(template: &str, source: &str, line: usize) -> String {
    if source.trim_end().contains('\n') {
        format!("in line {line} of the {template}")
    } else {
        format!("in the {template}")
    }
}

fn unknown_record_field(field: &str, place: &str) -> Error {
    let error = Error::new(
        ErrorKind::UnknownColumn,
        format!("unknown field {field:?} of \"record\" {place}; it has \"index\" and \"key\""),
    );
    match suggest::closest(field, RECORD_FIELDS) {
        Some(meant) => error.with_hint(format!("did you mean {meant:?}?")),
        None => error.with_hint("a column named \"record\" is reached by row[\"record\"]"),
    }
}
