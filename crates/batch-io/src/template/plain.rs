//! Templates that are nothing but text and plain placeholders.

use super::Piece;
use crate::table::Columns;

/// Words that are constants and not variables, whatever the columns are called.
const CONSTANTS: [&str; 6] = ["true", "True", "false", "False", "none", "None"];
/// Names that mean something to the engine of its own.
const SPECIAL: [&str; 4] = ["self", "loop", "super", "caller"];

/// Words that mean something in an expression, so that the engine must say what it makes of them.
const WORDS: [&str; 9] = ["and", "or", "not", "in", "is", "if", "else", "for", "recursive"];

/// The pieces of a template that the engine compiles without an error for certain; `None` where it has to
/// be asked.
///
/// To ask it costs more than all else that is done for a small table.
pub(super) fn certain_pieces(source: &str, columns: &Columns) -> Option<Vec<Piece>> {
    pieces_of(source, &|inside| is_certain(inside).then(|| placeholder(inside, columns))?)
}

/// The pieces of a template that the engine has compiled without an error, or `None` if
/// anything in it needs the engine.
pub(super) fn pieces(source: &str, columns: &Columns) -> Option<Vec<Piece>> {
    pieces_of(source, &|inside| placeholder(inside, columns))
}

fn pieces_of(source: &str, placeholder: &dyn Fn(&str) -> Option<Piece>) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut rest = source;
    while let Some(open) = rest.find('{') {
        match rest.as_bytes().get(open + 1) {
            Some(b'{') => {}
            Some(b'%' | b'#') => return None,
            // A brace of the text; more of them may follow it.
            _ => {
                push_text(&mut pieces, &rest[..=open]);
                rest = &rest[open + 1..];
                continue;
            }
        }
        push_text(&mut pieces, &rest[..open]);
        let inner = &rest[open + 2..];
        let close = inner.find("}}")?;
        pieces.push(placeholder(inner[..close].trim_ascii())?);
        rest = &inner[close + 2..];
    }
    push_text(&mut pieces, rest);
    Some(pieces)
}

fn push_text(pieces: &mut Vec<Piece>, text: &str) {
    match pieces.last_mut() {
        _ if text.is_empty() => {}
        Some(Piece::Text(before)) => before.push_str(text),
        _ => pieces.push(Piece::Text(text.to_owned())),
    }
}

/// Whether an expression is of letters that are an identifier's in every version of Unicode, and no word of
/// the engine's; or `row["…"]` on one line, or a field of `record`.
fn is_certain(expression: &str) -> bool {
    let is_letter = |c: char| {
        matches!(c, 'a'..='z' | 'A'..='Z' | '_' | 'ぁ'..='ゖ' | 'ァ'..='ヺ' | '一'..='鿋' | 'ー' | '々')
            || ('À'..='ÿ').contains(&c) && c.is_alphabetic()
    };
    let is_name = expression.starts_with(|c: char| is_letter(c) && !matches!(c, 'ー' | '々'))
        && expression.chars().all(|c| is_letter(c) || c.is_ascii_digit())
        && !WORDS.contains(&expression);
    let is_lookup = expression.starts_with("row[") && !expression.contains(char::is_control);
    is_name || is_lookup || expression.starts_with("record.")
}

fn placeholder(expression: &str, columns: &Columns) -> Option<Piece> {
    if let Some(inner) = expression.strip_prefix("row[").and_then(|rest| rest.strip_suffix(']')) {
        return columns.position(constant(inner.trim_ascii())?).map(Piece::Column);
    }
    match expression {
        "record.index" => Some(Piece::Index),
        "record.key" => Some(Piece::Key),
        "row" | "record" => None,
        // That it is an identifier need not be checked: the name of a column that is none
        // would be an expression over others, or no Jinja at all.
        name if is_identifier(name) && !CONSTANTS.contains(&name) && !SPECIAL.contains(&name) => {
            columns.position(name).map(Piece::Column)
        }
        _ => None,
    }
}

/// What a string literal says, if it has no escapes.
fn constant(literal: &str) -> Option<&str> {
    let quote = literal.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    let inner = literal[1..].strip_suffix(quote)?;
    (!inner.contains([quote, '\\'])).then_some(inner)
}

/// Narrower than the engine's own rule, which then has the rest.
fn is_identifier(name: &str) -> bool {
    !name.starts_with(|first: char| first.is_numeric()) && name.chars().all(|c| c.is_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &str) -> Option<Vec<Piece>> {
        let names = ["題", "body", "a b", "row", "true", "2nd"].map(str::to_owned).to_vec();
        pieces(source, &Columns::new(names).unwrap())
    }

    #[test]
    fn text_and_placeholders_need_no_engine() {
        assert_eq!(
            check("{x{ {{題}}}}{{ row['a b'] }}{{row[ \"row\" ]}} #{{ record.index }}{{ record.key }}\n"),
            Some(vec![
                Piece::Text("{x{ ".into()),
                Piece::Column(0),
                Piece::Text("}}".into()),
                Piece::Column(2),
                Piece::Column(3),
                Piece::Text(" #".into()),
                Piece::Index,
                Piece::Key,
                Piece::Text("\n".into()),
            ])
        );
        assert_eq!(check(""), Some(vec![]));
    }

    #[test]
    fn whatever_has_logic_does() {
        for source in [
            "{% if 題 %}x{% endif %}",
            "{# note #}x",
            "{{ 題|upper }}",
            "{{- 題 }}",
            "{{ 題 -}}",
            "{{ true }}",
            "{{ row }}",
            "{{ row.題 }}",
            r#"{{ row["a\u0020b"] }}"#,
            "{{ row['a b'] ~ row['題'] }}",
            "{{ 2nd }}",
            "{{ 'text' }}",
        ] {
            assert_eq!(check(source), None, "{source}");
        }
    }

    /// What is taken to be certain is what the engine compiles.
    #[test]
    fn the_engine_need_not_be_asked_about_what_is_certain() {
        let names = [
            "題",
            "カテゴリー",
            "größe",
            "body",
            "a b",
            "in",
            "not",
            "if",
            "for",
            "x²",
            "ⓐ",
            "a\nb",
            "range",
            "set",
            "block",
        ];
        let names = names.map(str::to_owned).to_vec();
        let columns = Columns::new(names.clone()).unwrap();
        let engine = |source: &str| super::super::Jinja::compile("t", source, std::sync::Arc::new(columns.clone()));
        let mut certain = Vec::new();
        for name in &names {
            for source in [format!("{{{{ {name} }}}}"), format!("}} {{x{{{{row[\"{name}\"]}}}}%}}")] {
                if let Some(found) = certain_pieces(&source, &columns) {
                    assert!(engine(&source).is_ok(), "{source}");
                    assert_eq!(Some(found), pieces(&source, &columns), "{source}");
                    certain.push(source);
                }
            }
        }
        for source in ["{{ record.index }}{{ record.key }}", "{{ 題 }}: {{ body }}\r\n"] {
            assert!(certain_pieces(source, &columns).is_some() && engine(source).is_ok());
        }
        for source in
            ["{{ in }}", "{{ not }}", "{{ x² }}", "{{ ⓐ }}", "{{ body }}{% if body %}{% endif %}", "{{ nobody }}", "{{"]
        {
            assert_eq!(certain_pieces(source, &columns), None, "{source}");
        }
        assert!(certain.contains(&"{{ größe }}".to_owned()) && certain.len() == names.len() - 1 + 7, "{certain:?}");
    }
}
