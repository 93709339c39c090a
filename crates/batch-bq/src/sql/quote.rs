//! Names and texts of others, made safe to stand in a statement.

use std::fmt::Write;

use batch_model::BigQueryUri;

use super::{Result, SqlError};

/// A text as a string literal.
///
/// A text with backslashes, such as JSON, is a raw literal where it can be: easier to read, and
/// every server reads it alike. Otherwise quotes, backslashes, line ends and control characters
/// are escaped, and all else stands as it is.
pub(super) fn text(text: &str) -> String {
    if text.contains('\\') && !text.ends_with(['\\', '\'']) && !text.contains(char::is_control) {
        if !text.contains('\'') {
            return format!("r'{text}'");
        }
        if !text.contains("'''") {
            return format!("r'''{text}'''");
        }
    }
    let mut out = String::with_capacity(text.len() + 2);
    out.push('\'');
    for char in text.chars() {
        match char {
            '\'' | '\\' => out.extend(['\\', char]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{0b}' => out.push_str("\\v"),
            '\u{0c}' => out.push_str("\\f"),
            '\0'..='\u{1f}' | '\u{7f}' => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\x{:02x}", u32::from(char));
            }
            _ => out.push(char),
        }
    }
    out.push('\'');
    out
}

/// A pattern as a raw string literal. The patterns are ours and have no single quote.
pub(super) fn pattern(pattern: &str) -> String {
    format!("r'{pattern}'")
}

/// Characters that BigQuery allows in no column's name.
const FORBIDDEN: &str = "!\"$()*,./;?@[\\]^`{}~";

/// Beginnings that BigQuery keeps for itself, in either case.
const RESERVED: [&str; 8] = [
    "_TABLE_",
    "_FILE_",
    "_PARTITION",
    "_ROW_TIMESTAMP",
    "__ROOT__",
    "_COLIDENTIFIER",
    "_CHANGE_SEQUENCE_NUMBER",
    "_CHANGE_TYPE",
];

/// The name of a column, in backticks. `what` says whose it is, for the error.
pub(super) fn column(name: &str, what: &str) -> Result<String> {
    let refused = |why: String| {
        Err(SqlError::new(format!("{what} {name:?} can be no column in BigQuery: {why}"))
            .with_hint("rename it, or give it a name of its own in a SELECT"))
    };
    if name.is_empty() || 300 < name.chars().count() {
        return refused("a name has 1 to 300 characters".to_owned());
    }
    if let Some(char) = name.chars().find(|char| FORBIDDEN.contains(*char) || char.is_control()) {
        return refused(format!("{char:?} may not stand in a name"));
    }
    if let Some(prefix) = RESERVED.into_iter().find(|prefix| name.to_ascii_uppercase().starts_with(prefix)) {
        return refused(format!("names that begin with {prefix:?} are kept for BigQuery"));
    }
    Ok(format!("`{name}`"))
}

/// The name of a table, its three parts in one pair of backticks.
pub(super) fn table(uri: &BigQueryUri) -> Result<String> {
    let refused = |why: &str| Err(SqlError::new(format!("{uri} cannot stand in a statement: {why}")));
    let (Some(dataset), Some(table)) = (uri.dataset(), uri.table()) else {
        return Err(SqlError::new(format!("{uri} names no table")).with_hint("write it as bq://project.dataset.table"));
    };
    let name = format!("{}.{dataset}.{table}", uri.project());
    if name.contains(['`', '\\']) || name.contains(char::is_control) {
        return refused("it has a backtick, a backslash or a control character");
    }
    Ok(format!("`{name}`"))
}

/// A path to a member of a JSON object, as a literal.
pub(super) fn member(name: &str) -> Result<String> {
    if name.contains(['"', '\\', '\'']) || name.contains(char::is_control) || name.is_empty() {
        return Err(SqlError::new(format!("the field {name:?} of the answer cannot be named in a JSON path"))
            .with_hint("rename it in the response schema, or download the predictions and join them here"));
    }
    let is_plain = name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_')
        && !name.starts_with(|char: char| char.is_ascii_digit());
    Ok(if is_plain { format!("'$.{name}'") } else { format!("'$.\"{name}\"'") })
}

/// A name that no column has: `name` with underscores behind it, as many as it takes.
pub(super) fn unused<'a>(name: &str, columns: impl Iterator<Item = &'a str>) -> String {
    let columns: Vec<&str> = columns.collect();
    let mut name = name.to_owned();
    while columns.iter().any(|column| column.eq_ignore_ascii_case(&name)) {
        name.push('_');
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_a_literal_but_its_end() {
        assert_eq!(text("it's a\nb\u{1}日本😀\"`"), "'it\\'s a\\nb\\x01日本😀\"`'");
        assert_eq!(text(r#"{"a":"\u0041"}"#), r#"r'{"a":"\u0041"}'"#);
        assert_eq!(text(r"\'; DROP TABLE x; --"), r"r'''\'; DROP TABLE x; --'''");
        assert_eq!(text(r"\'''; DROP TABLE x; --"), r"'\\\'\'\'; DROP TABLE x; --'");
        assert_eq!(text(r"\'"), r"'\\\''");
        assert_eq!(text("\\"), r"'\\'");
    }

    #[test]
    fn names_that_could_break_out_are_refused() {
        assert_eq!(column("本文 1", "the column").unwrap(), "`本文 1`");
        assert_eq!(column("select", "the column").unwrap(), "`select`");
        for name in ["a`b", "", "a.b", "_PARTITIONTIME", "a\nb"] {
            assert!(column(name, "the column").is_err(), "{name:?}");
        }
        assert_eq!(table(&BigQueryUri::table_of("p-1", "d", "t x")).unwrap(), "`p-1.d.t x`");
        assert!(table(&BigQueryUri::table_of("p", "d", "t` x")).is_err());
        assert!(table(&"bq://p.d".parse().unwrap()).is_err());
        assert_eq!(member("a b").unwrap(), "'$.\"a b\"'");
        assert!(member("a\"b").is_err());
        assert_eq!(unused("key", ["KEY", "key_"].into_iter()), "key__");
    }
}
