//! How a table is written down.

use std::path::Path;

use super::Columns;
use crate::error::{Error, ErrorKind, Result};

/// How a [`Table`](crate::Table) is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TableFormat {
    /// Delimiter-separated values with a header, quoted as in RFC 4180.
    Csv {
        /// What stands between two fields: one ASCII character, neither a quote nor a
        /// line end.
        delimiter: u8,
    },
    /// One JSON object a line.
    Jsonl,
}

impl TableFormat {
    /// Comma-separated values.
    pub const CSV: Self = Self::Csv { delimiter: b',' };
    /// Tab-separated values, with the quoting of [`CSV`](Self::CSV).
    pub const TSV: Self = Self::Csv { delimiter: b'\t' };

    /// The format that a file's extension stands for: `csv`; `tsv`, `tab`; `jsonl`,
    /// `ndjson`; in either case. `None` for any other.
    pub fn from_path(path: impl AsRef<Path>) -> Option<Self> {
        let extension = path.as_ref().extension()?.to_str()?.to_ascii_lowercase();
        match extension.as_str() {
            "csv" => Some(Self::CSV),
            "tsv" | "tab" => Some(Self::TSV),
            "jsonl" | "ndjson" => Some(Self::Jsonl),
            _ => None,
        }
    }

    pub(super) fn check(self) -> Result<()> {
        match self {
            Self::Csv { delimiter } if !delimiter.is_ascii() || b"\"\r\n".contains(&delimiter) => {
                Err(Error::new(ErrorKind::Setting, format!("{:?} cannot delimit fields", char::from(delimiter)))
                    .with_hint("a delimiter is one ASCII character, neither a quote nor a line end"))
            }
            _ => Ok(()),
        }
    }

    /// A hint for the case that the whole header is one column because its delimiter is
    /// another one.
    pub(super) fn other_delimiter(self, columns: &Columns) -> Option<String> {
        let Self::Csv { delimiter } = self else { return None };
        let [name] = columns.names() else { return None };
        [(b'\t', "tab"), (b';', "semicolon"), (b',', "comma"), (b'|', "vertical bar")]
            .into_iter()
            .find(|&(other, _)| other != delimiter && name.as_bytes().contains(&other))
            .map(|(_, word)| format!("the header looks delimited by another character: {word}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_name_formats() {
        for (path, format) in [
            ("news.csv", Some(TableFormat::CSV)),
            ("a/b.TSV", Some(TableFormat::TSV)),
            ("x.tab", Some(TableFormat::TSV)),
            ("x.jsonl", Some(TableFormat::Jsonl)),
            ("x.csv.ndjson", Some(TableFormat::Jsonl)),
            ("x.json", None),
            ("csv", None),
        ] {
            assert_eq!(TableFormat::from_path(path), format, "{path}");
        }
    }

    #[test]
    fn quotes_line_ends_and_halves_of_characters_delimit_nothing() {
        for delimiter in [b'"', b'\n', b'\r', 0xE6] {
            let error = TableFormat::Csv { delimiter }.check().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Setting);
        }
        assert!(TableFormat::Csv { delimiter: b';' }.check().is_ok());
    }
}
