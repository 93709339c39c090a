//! One record's predictions, looked up for a person.

use super::files::PredictionFile;
use super::identity::Hash96;
use crate::error::Result;
use crate::predictions::{AnswerFormat, Explanation};

/// Explains every prediction whose key is this one, or may be this one retyped, in the
/// order of files and lines. `format` is what the requests asked for; without it each
/// echoed request tells.
///
/// A prediction that joined by another way than its key is found by
/// [`explain_line`], with the place in [`JoinedRow::found`](crate::JoinedRow::found).
///
/// # Errors
/// [`ErrorKind::Io`](crate::ErrorKind::Io). Lines that cannot be read are passed over.
pub fn explain_key(files: &[PredictionFile], key: &str, format: Option<&AnswerFormat>) -> Result<Vec<Explanation>> {
    let mut found = Vec::new();
    for file in files {
        let mut lines = file.lines()?;
        while let Some(line) = lines.next_line()? {
            let is_it = line.prediction().is_ok_and(|found| found.key().is_some_and(|raw| Hash96::may_be(raw, key)));
            found.extend(is_it.then(|| Explanation::of(&line, format).ok()).flatten());
        }
    }
    Ok(found)
}

/// Explains the prediction whose line begins at this byte; `None` if there is none.
///
/// # Errors
/// [`ErrorKind::Io`](crate::ErrorKind::Io).
pub fn explain_line(file: &PredictionFile, byte: u64, format: Option<&AnswerFormat>) -> Result<Option<Explanation>> {
    let mut lines = file.lines()?;
    while let Some(line) = lines.next_line()? {
        if byte <= line.byte() {
            return Ok(if byte == line.byte() { Explanation::of(&line, format).ok() } else { None });
        }
    }
    Ok(None)
}
