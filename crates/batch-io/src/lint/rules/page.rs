//! The page of all rules, for the reference documentation.

use std::fmt::Write as _;

use batch_model::models;

use super::{RULES, RuleExample};

/// The page `docs/reference/lint-rules.md`: every rule with what it finds, what the service does,
/// how sure that is, and an example of what is wrong and right.
#[must_use]
pub fn rules_markdown() -> String {
    let mut page = String::from(
        "# Lint rules\n\n\
         Made from the table of rules in `batch-io`; do not edit.\n\n\
         An **error** means that the service refuses the row or the whole job. A **warning** means that rows, \
         answers or money are lost, or that something comes back other than expected.\n\n",
    );
    let _ = writeln!(page, "The models are those known on {}.\n", models::AS_OF);
    page.push_str("| code | rule | severity | certainty | finds | fixed |\n| --- | --- | --- | --- | --- | --- |\n");
    for rule in RULES.iter() {
        let _ = writeln!(
            page,
            "| {} | [{}](#{}-{}) | {} | {} | {} | {} |",
            rule.code,
            rule.name,
            rule.code.to_lowercase(),
            rule.name,
            rule.severity,
            rule.certainty,
            rule.summary,
            if rule.fixed { "yes" } else { "" },
        );
    }
    for rule in RULES.iter() {
        let _ = write!(
            page,
            "\n## {} {}\n\n{}: {}. What the service does is {}.\n\n{}\n\nWhat to do: {}.\n",
            rule.code,
            rule.name,
            capitalised(rule.severity.as_str()),
            rule.summary,
            rule.certainty,
            rule.why,
            rule.help,
        );
        example(&mut page, "Bad", rule.bad);
        example(&mut page, "Good", rule.good);
    }
    page
}

fn example(page: &mut String, title: &str, example: RuleExample) {
    if example.lines.is_empty() {
        return;
    }
    let _ = write!(page, "\n{title}");
    if let Some(model) = example.model {
        let _ = write!(page, ", with the model `{model}`");
    }
    if let Some(location) = example.location {
        let _ = write!(page, " in `{location}`");
    }
    // What cannot be seen is written out.
    let lines = example.lines.replace('\u{feff}', "<U+FEFF>").replace('\r', "<CR>");
    let _ = write!(page, ":\n\n```text\n{}\n```\n", lines.strip_suffix('\n').unwrap_or(&lines));
}

fn capitalised(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
