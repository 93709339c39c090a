//! How texts are compared, which labels there are, and where the tables stop.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// What an [`Evaluator`](crate::Evaluator) is told before the first record.
///
/// ```
/// use batch_eval::{Normalize, Options};
///
/// let options = Options {
///     labels: Some(vec!["sport".into(), "tech".into()]),
///     normalize: Normalize { case_fold: true, ..Normalize::default() },
///     ..Options::default()
/// };
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// The rules under which an expected value and an answer are the same text.
    pub normalize: Normalize,
    /// The labels that are known beforehand, for instance the `enum` of a response schema.
    ///
    /// They come first in every table, in this order and spelling, whether they occur or not.
    /// An expected value that is not among them becomes a label as well, after them, and is
    /// listed in [`Metrics::undeclared_labels`](crate::Metrics::undeclared_labels).
    ///
    /// `None`: the labels are the expected values that occur, in order of their code points.
    pub labels: Option<Vec<String>>,
    /// What an undefined figure of one class counts as in the averages.
    pub zero_division: ZeroDivision,
    /// How many distinct labels are told apart, and how many distinct answers that are no
    /// label are remembered. Given labels are always told apart.
    ///
    /// Beyond it the values are free text rather than classes; what is then left out is told
    /// by [`Metrics::limited`](crate::Metrics::limited). Totals and accuracies stay exact.
    /// Default: 1,000.
    pub max_labels: usize,
    /// How many labels get a row and a column of their own in the
    /// [`Confusion`](crate::Confusion) matrix: those with the largest support (among equals
    /// the first in label order). The rest share one row and one column. Default: 50.
    pub max_matrix: usize,
    /// How many pairs [`TopConfusions`](crate::TopConfusions) lists. Default: 20.
    pub max_confusions: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            normalize: Normalize::default(),
            labels: None,
            zero_division: ZeroDivision::default(),
            max_labels: 1_000,
            max_matrix: 50,
            max_confusions: 20,
        }
    }
}

/// The rules that are applied to the expected value and to the answer before they are compared.
///
/// The default is [`trim`](Self::trim) alone: `Sport` is then another text than `sport`, and
/// the report shows it as one, because a model that does not keep to the labels is worth
/// knowing about. Labels are shown in their normalised spelling, except for those given in
/// [`Options::labels`], which are shown as given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Normalize {
    /// Take white space (Unicode's `White_Space`, with U+3000) off both ends. Default: on.
    pub trim: bool,
    /// Make one space of every run of white space inside. Default: off.
    pub collapse_whitespace: bool,
    /// Take quotation marks and sentence marks off both ends, so that `"sport".` is `sport`:
    /// `" ' `` ` `` “ ” „ ‘ ’ « » 「 」 『 』 . , : ; ! ? 。 、 ． ， ： ； ！ ？ …`. Default: off.
    pub strip_punctuation: bool,
    /// Ignore case, in every script that has it: each character is mapped to lower, upper and
    /// again lower case, without regard to its neighbours or to a language, so that `Straße` is
    /// `STRASSE`. Close to Unicode's full case folding; composed and decomposed spellings
    /// of one accent stay different. Default: off.
    pub case_fold: bool,
}

impl Default for Normalize {
    fn default() -> Self {
        Self { trim: true, ..Self::EXACT }
    }
}

impl Normalize {
    /// No rule at all: texts are the same when their bytes are.
    pub const EXACT: Self =
        Self { trim: false, collapse_whitespace: false, strip_punctuation: false, case_fold: false };

    /// `text` under these rules. Applying them twice changes nothing more.
    ///
    /// ```
    /// use batch_eval::Normalize;
    ///
    /// assert_eq!(Normalize::default().apply(" Sport \n"), "Sport");
    /// let lenient = Normalize { strip_punctuation: true, case_fold: true, ..Normalize::default() };
    /// assert_eq!(lenient.apply("“Sport.”"), "sport");
    /// ```
    #[must_use]
    pub fn apply<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let text = match (self.trim, self.strip_punctuation) {
            (false, false) => text,
            (true, false) => text.trim(),
            (false, true) => text.trim_matches(is_strippable),
            // Both at once: the marks and the white space may alternate.
            (true, true) => text.trim_matches(|c: char| c.is_whitespace() || is_strippable(c)),
        };
        let text = if self.collapse_whitespace { collapse_whitespace(text) } else { text.into() };
        if self.case_fold { case_fold(text) } else { text }
    }
}

/// What a figure with a zero denominator counts as when classes are averaged.
///
/// Only precision can be undefined for a class that takes part in an average: that of a class
/// which occurs, and which no answer named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ZeroDivision {
    /// It counts as 0, as in scikit-learn unless told otherwise. A model cannot raise its
    /// average by never naming a class.
    #[default]
    Zero,
    /// The class is left out of that average.
    LeaveOut,
}

fn is_strippable(c: char) -> bool {
    matches!(
        c,
        '"' | '\''
            | '`'
            | '“'
            | '”'
            | '„'
            | '‘'
            | '’'
            | '«'
            | '»'
            | '「'
            | '」'
            | '『'
            | '』'
            | '.'
            | ','
            | ':'
            | ';'
            | '!'
            | '?'
            | '。'
            | '、'
            | '．'
            | '，'
            | '：'
            | '；'
            | '！'
            | '？'
            | '…'
    )
}

fn collapse_whitespace(text: &str) -> Cow<'_, str> {
    let mut previous = false;
    let collapsed = text.chars().all(|c| {
        let ok = !c.is_whitespace() || (c == ' ' && !previous);
        previous = c.is_whitespace();
        ok
    });
    if collapsed {
        return text.into();
    }
    let mut out = String::with_capacity(text.len());
    let mut previous = false;
    for c in text.chars() {
        if !c.is_whitespace() {
            out.push(c);
        } else if !previous {
            out.push(' ');
        }
        previous = c.is_whitespace();
    }
    out.into()
}

fn case_fold(text: Cow<'_, str>) -> Cow<'_, str> {
    // Lower case first: the upper case of the capital ẞ is itself, that of ß is SS.
    let folded = |c: char| c.to_lowercase().flat_map(char::to_uppercase).flat_map(char::to_lowercase);
    let unchanged = text.chars().all(|c| {
        let mut to = folded(c);
        to.next() == Some(c) && to.next().is_none()
    });
    if unchanged { text } else { text.chars().flat_map(folded).collect::<String>().into() }
}
