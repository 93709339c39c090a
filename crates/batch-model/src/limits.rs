//! What the service allows: numbers, and the rule of labels.
//!
//! The numbers are those of the batch inference pages of mid to late 2026, unless they say otherwise.

use std::{fmt, time::Duration};

/// Most request lines of a job on a Gemini model. Certain; older pages say 30,000 to 150,000 by model.
pub const REQUESTS_PER_JOB: u64 = 200_000;

/// Most bytes of a Cloud Storage input: "1 GB", read as the smaller of its two meanings.
///
/// Certain as documentation; 4.3 GB were seen to pass in December 2025.
pub const BYTES_PER_INPUT: u64 = 1_000_000_000;

/// Most lines of a job on a Gemini embedding model. Certain.
pub const EMBEDDINGS_PER_JOB: u64 = 1_000_000;

/// Most lines of a job on a classic text embedding model. Likely.
pub const CLASSIC_EMBEDDINGS_PER_JOB: u64 = 30_000;

/// How long a job waits for capacity before it expires. Certain.
pub const QUEUE_TIME: Duration = Duration::from_secs(72 * 60 * 60);

/// How long a job runs before what is not done is cancelled. Only what is done is paid. Certain.
pub const RUN_TIME: Duration = Duration::from_secs(24 * 60 * 60);

/// Most characters of a job's `displayName`. Certain.
pub const DISPLAY_NAME_CHARACTERS: usize = 128;

/// Most characters of a BigQuery URI. Certain.
pub const BIGQUERY_URI_CHARACTERS: usize = 2000;

/// Most characters of a label's key or value. Certain for requests; the page of jobs says 64.
pub const LABEL_CHARACTERS: usize = 63;

/// Most labels of a request or job: Google Cloud's general rule. Likely.
pub const LABELS: usize = 64;

/// Jobs that run at a time on partner models such as Claude; more are queued. Certain.
///
/// Gemini models have no such number: their capacity is shared.
pub const PARTNER_JOBS: u32 = 4;

/// What a text does to be no label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LabelProblem {
    /// It is empty, and a key.
    Empty,
    /// It is longer than [`LABEL_CHARACTERS`]: how long.
    TooLong(usize),
    /// It has a character that is no lowercase letter, digit, `_` or `-`: the first of them, and how
    /// many characters stand before it.
    Character(char, usize),
    /// It is a key and begins with something that is no letter.
    Start(char),
}

impl fmt::Display for LabelProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("is empty"),
            Self::TooLong(length) => write!(f, "has {length} characters, more than {LABEL_CHARACTERS}"),
            Self::Character(character, _) if character.is_uppercase() => {
                write!(f, "has the uppercase letter {character:?}")
            }
            Self::Character(character, _) => {
                write!(f, "has {character:?}, which is no lowercase letter, digit, '_' or '-'")
            }
            Self::Start(character) => write!(f, "begins with {character:?}, which is no letter"),
        }
    }
}

/// What is wrong with the key of a label: it must begin with a lowercase letter, and have lowercase
/// letters, digits, `_` and `-` only; letters of any script will do. Certain.
///
/// ```
/// use batch_model::limits::{LabelProblem, label_key_problem};
///
/// assert_eq!(label_key_problem("team"), None);
/// assert_eq!(label_key_problem("チーム"), None);
/// assert_eq!(label_key_problem("Team"), Some(LabelProblem::Character('T', 0)));
/// assert_eq!(label_key_problem("1st").unwrap().to_string(), "begins with '1', which is no letter");
/// ```
#[must_use]
pub fn label_key_problem(key: &str) -> Option<LabelProblem> {
    let Some(first) = key.chars().next() else { return Some(LabelProblem::Empty) };
    label_value_problem(key).or_else(|| (!is_lowercase_letter(first)).then_some(LabelProblem::Start(first)))
}

/// What is wrong with the value of a label: the rule of keys, but it may be empty or begin with
/// anything. Certain.
///
/// A value may be all digits by this rule, and yet fail the row in a batch: see [`is_retyped`].
#[must_use]
pub fn label_value_problem(value: &str) -> Option<LabelProblem> {
    let odd =
        value.chars().enumerate().find(|(_, c)| !(is_lowercase_letter(*c) || c.is_numeric() || matches!(c, '_' | '-')));
    if let Some((place, character)) = odd {
        return Some(LabelProblem::Character(character, place));
    }
    let length = value.chars().count();
    (length > LABEL_CHARACTERS).then_some(LabelProblem::TooLong(length))
}

/// A lowercase letter, or one of a script that has no case.
fn is_lowercase_letter(c: char) -> bool {
    c.is_alphabetic() && c.to_lowercase().eq(std::iter::once(c))
}

/// Whether the import of a batch would make a number or a boolean of this string: `7`, `-0.5`, `1e3`, `true`.
///
/// It happens where every line has such a string in the same place; the request is then refused
/// where a string is due, and a key comes back as a number (`"007"` as `7`). Likely: seen with
/// labels in 2025, and what BigQuery's detection of types does.
///
/// ```
/// use batch_model::limits::is_retyped;
///
/// assert!(is_retyped("007") && is_retyped("-1.5") && is_retyped("True"));
/// assert!(!is_retyped("n7") && !is_retyped("") && !is_retyped("1.2.3") && !is_retyped("infinity"));
/// ```
#[must_use]
pub fn is_retyped(text: &str) -> bool {
    let numeric = text.bytes().any(|b| b.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E'))
        && text.parse::<f64>().is_ok();
    numeric || text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false")
}
