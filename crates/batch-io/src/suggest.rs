//! Names that a user may have meant.

use crate::error::{Error, ErrorKind};
use crate::table::Columns;

/// So many columns are named in a message; a table of hundreds would bury the fault.
const NAMED: usize = 24;

/// The candidate that looks most like the name, if one does at all.
pub(crate) fn closest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = name.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&folded, &candidate.to_lowercase()), candidate))
        // One slip in three letters, and never all of them.
        .filter(|&(distance, candidate)| {
            distance * 3 <= folded.chars().count().max(3) && distance < candidate.chars().count()
        })
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// The error for a column that the table does not have; `place` says where it is named:
/// "for the key", "in the prompt template".
pub(crate) fn unknown_column(name: &str, place: &str, columns: &Columns) -> Error {
    let mut message = format!("unknown column {name:?} {place}; the table has ");
    for (number, column) in columns.names().iter().take(NAMED).enumerate() {
        let separator = if number == 0 { "" } else { ", " };
        message.push_str(&format!("{separator}{column:?}"));
    }
    if NAMED < columns.len() {
        message.push_str(&format!(" and {} more", columns.len() - NAMED));
    }
    let error = Error::new(ErrorKind::UnknownColumn, message);
    match closest(name, columns.names().iter().map(String::as_str)) {
        Some(column) => error.with_hint(format!("did you mean {column:?}?")),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_strangers_are_not() {
        let columns = ["title", "本文", "Body", "id"];
        for (name, meant) in [
            ("titel", Some("title")),
            ("body", Some("Body")),
            ("BODY", Some("Body")),
            ("本分", Some("本文")),
            ("author", None),
            ("x", None),
        ] {
            assert_eq!(closest(name, columns), meant, "{name}");
        }
    }
}
