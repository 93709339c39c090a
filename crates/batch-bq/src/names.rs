//! Names of the pipeline as names of tables.
//!
//! The pipeline names what it stages `run-id/s00000`; a table's name should be of letters, digits and
//! underscores, so that it needs no care anywhere (BigQuery takes more, other tools do not). The
//! mapping is one to one, so that two names are never one table:
//!
//! | in the name | in the table's name |
//! | --- | --- |
//! | a letter or digit of ASCII | itself |
//! | one `-` | `_` |
//! | one `/` | `__` |
//! | anything else, and specials in a row | `___`, their bytes in hexadecimal, `_` |

use std::fmt::Write;

/// The longest name that a table may have, in characters.
pub(crate) const LONGEST: usize = 1024;

/// The table's name for `name`.
pub(crate) fn table_name(name: &str) -> String {
    let mut table = String::with_capacity(name.len() + 8);
    let mut rest = name;
    while !rest.is_empty() {
        let plain = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        table.push_str(&rest[..plain]);
        rest = &rest[plain..];
        let end = rest.find(|c: char| c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        match &rest[..end] {
            "" => {}
            "-" => table.push('_'),
            "/" => table.push_str("__"),
            specials => {
                table.push_str("___");
                for byte in specials.bytes() {
                    // Writing to a String does not fail.
                    let _ = write!(table, "{byte:02x}");
                }
                table.push('_');
            }
        }
        rest = &rest[end..];
    }
    table
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The name of which `table` is the table's name.
    fn name_of(table: &str) -> String {
        let mut name = Vec::new();
        let mut rest = table;
        while !rest.is_empty() {
            let plain = rest.find('_').unwrap_or(rest.len());
            name.extend_from_slice(&rest.as_bytes()[..plain]);
            rest = &rest[plain..];
            let score = rest.find(|c| c != '_').unwrap_or(rest.len());
            rest = &rest[score..];
            match score {
                0 => {}
                1 => name.push(b'-'),
                2 => name.push(b'/'),
                _ => {
                    let (hex, after) = rest.split_once('_').unwrap();
                    name.extend((0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()));
                    rest = after;
                }
            }
        }
        String::from_utf8(name).unwrap()
    }

    proptest! {
        #[test]
        fn every_name_has_a_table_of_its_own(name in "([a-zA-Z0-9]|[-/_.]|[あ語 ]){0,20}") {
            let table = table_name(&name);
            prop_assert!(table.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'));
            prop_assert_eq!(name_of(&table), name);
        }
    }

    #[test]
    fn names_of_the_pipeline_stay_readable() {
        assert_eq!(table_name("20261121-064500-k3/s00000"), "20261121_064500_k3__s00000");
        assert_eq!(table_name("r1/s00000-a1"), "r1__s00000_a1");
        assert_eq!(table_name("a_b.jsonl"), "a___5f_b___2e_jsonl");
        assert_eq!(table_name("a--b"), "a___2d2d_b");
    }
}
