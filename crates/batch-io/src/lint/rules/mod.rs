//! The table of all rules: what each finds, what the service does about it, and how sure that is.

mod config;
mod contents;
mod file;
mod files;
mod import;
mod job;
mod keys;
mod page;

use std::fmt;

use super::finding::Severity;

pub(super) use config::*;
pub(super) use contents::*;
pub(super) use file::*;
pub(super) use files::*;
pub(super) use import::*;
pub(super) use job::*;
pub(super) use keys::*;
pub use page::rules_markdown;

/// One thing that is looked for.
#[derive(Debug)]
#[non_exhaustive]
pub struct Rule {
    /// Its code: `B001`. It never changes its meaning.
    pub code: &'static str,
    /// Its name: `not-json`.
    pub name: &'static str,
    /// Whether the service refuses what it finds.
    pub severity: Severity,
    /// What it finds, as a lower-case fragment.
    pub summary: &'static str,
    /// What the service does about it, or what is lost.
    pub why: &'static str,
    /// What to do about it; a finding may say more in its own `help`.
    pub help: &'static str,
    /// How sure `why` is.
    pub certainty: Certainty,
    /// Whether some of its findings have a [`Fix`](super::Fix).
    pub fixed: bool,
    /// Lines in which this rule, and no other, finds something.
    pub bad: RuleExample,
    /// The same lines as they should be.
    pub good: RuleExample,
}

impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        self.code == other.code
    }
}

impl Eq for Rule {}

/// How sure it is what the service does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Certainty {
    /// Google documents it, or it was seen in real jobs.
    Certain,
    /// It follows from what is known: how the import works, what the online method does.
    Likely,
}

impl Certainty {
    /// `certain` or `likely`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Certain => "certain",
            Self::Likely => "likely",
        }
    }
}

impl fmt::Display for Certainty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A file of request lines, with the model and location of its job where they matter.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RuleExample {
    /// The file's text; empty where the rule is about sizes that no example has.
    pub lines: &'static str,
    /// The job's model.
    pub model: Option<&'static str>,
    /// The job's location.
    pub location: Option<&'static str>,
}

impl RuleExample {
    pub(super) const fn lines(lines: &'static str) -> Self {
        Self { lines, model: None, location: None }
    }

    pub(super) const fn none() -> Self {
        Self::lines("")
    }

    pub(super) const fn for_model(mut self, model: &'static str) -> Self {
        self.model = Some(model);
        self
    }

    pub(super) const fn in_location(mut self, location: &'static str) -> Self {
        self.location = Some(location);
        self
    }
}

/// `NAME = "code" "name", Severity, Certainty, { summary: …, why: …, … }`: a rule as a static;
/// `fixed` behind the certainty where findings can have a fix.
macro_rules! rules {
    ($table:ident: $( $rule:ident = $code:literal $name:literal, $severity:ident, $certainty:ident $($fixed:ident)?, {
        $( $field:ident: $value:expr, )*
    } )*) => {
        $( pub(in crate::lint) static $rule: super::Rule = super::Rule {
            code: $code,
            name: $name,
            severity: super::Severity::$severity,
            certainty: super::Certainty::$certainty,
            fixed: super::rules!(@ $($fixed)?),
            $( $field: $value, )*
        }; )*
        pub(super) static $table: &[&super::Rule] = &[ $( &$rule ),* ];
    };
    (@) => { false };
    (@ fixed) => { true };
}

/// A line whose request has these members.
macro_rules! request {
    ($members:literal) => {
        super::RuleExample::lines(concat!(r#"{"key":"r0","request":{"#, $members, "}}"))
    };
}

/// A line whose request has a prompt, and these members beside it.
macro_rules! with {
    ($members:literal) => {
        super::RuleExample::lines(concat!(
            r#"{"key":"r0","request":{"contents":[{"role":"user","parts":[{"text":"Hi"}]}],"#,
            $members,
            "}}"
        ))
    };
}

/// A line whose request has this generation config.
macro_rules! with_config {
    ($members:literal) => {
        super::RuleExample::lines(concat!(
            r#"{"key":"r0","request":{"contents":[{"role":"user","parts":[{"text":"Hi"}]}],"generationConfig":{"#,
            $members,
            "}}}"
        ))
    };
}

/// A line whose request has this schema for its answer.
macro_rules! schema {
    ($members:literal) => {
        super::RuleExample::lines(concat!(
            r#"{"key":"r0","request":{"contents":[{"role":"user","parts":[{"text":"Hi"}]}],"generationConfig":{"#,
            r#""responseMimeType":"application/json","responseSchema":{"#,
            $members,
            "}}}}"
        ))
    };
}

/// A line whose prompt has this part.
macro_rules! part {
    ($members:literal) => {
        super::RuleExample::lines(concat!(
            r#"{"key":"r0","request":{"contents":[{"role":"user","parts":[{"#,
            $members,
            "}]}]}}"
        ))
    };
}

use {part, request, rules, schema, with, with_config};

/// Every rule, by its code.
pub static RULES: std::sync::LazyLock<Vec<&'static Rule>> = std::sync::LazyLock::new(|| {
    [file::TABLE, import::TABLE, contents::TABLE, keys::TABLE, config::TABLE, files::TABLE, job::TABLE].concat()
});
