//! The filter of a list: the subset of AIP-160 that the service documents.

use jiff::Timestamp;

use super::glob;
use super::state::JobState;

/// Parentheses and NOTs within each other beyond this are nobody's intention.
const DEEPEST: usize = 50;

/// A condition on jobs.
#[derive(Debug, PartialEq)]
pub(super) enum Filter {
    /// All of these hold; with none, every job is meant.
    All(Vec<Filter>),
    /// At least one of these holds.
    Any(Vec<Filter>),
    /// This does not hold.
    Not(Box<Filter>),
    /// `display_name`, equal to a pattern or not.
    DisplayName(Equality, String),
    /// `model_display_name`: the model as the job names it.
    ModelDisplayName(Equality, String),
    /// `state`.
    State(Equality, JobState),
    /// `create_time`.
    CreateTime(Order, Timestamp),
    /// `labels.key`.
    Label(String, Equality, String),
    /// `labels.key:*` and `labels:key`.
    HasLabel(String),
}

/// `=` (and `:`), or `!=`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Equality {
    Equal,
    Unequal,
}

/// How two times compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Before,
    UntilThen,
    Equal,
    Unequal,
    FromThen,
    After,
}

/// What a filter looks at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    pub(super) display_name: &'a str,
    pub(super) model: &'a str,
    pub(super) state: JobState,
    pub(super) created: Timestamp,
    pub(super) labels: Option<&'a serde_json::Map<String, serde_json::Value>>,
}

impl Filter {
    /// Reads a filter; an empty one means every job.
    ///
    /// # Errors
    /// What is wrong with it, as a sentence.
    pub(super) fn parse(text: &str) -> Result<Filter, String> {
        let mut parser = Parser { text, at: 0 };
        parser.blanks();
        if parser.rest().is_empty() {
            return Ok(Filter::All(Vec::new()));
        }
        let filter = parser.expression(0)?;
        if !parser.rest().is_empty() {
            return Err(parser.unexpected());
        }
        Ok(filter)
    }

    /// Whether a job is meant.
    pub(super) fn matches(&self, job: &Subject<'_>) -> bool {
        let holds = |equality, equal| (equality == Equality::Equal) == equal;
        match self {
            Filter::All(filters) => filters.iter().all(|filter| filter.matches(job)),
            Filter::Any(filters) => filters.iter().any(|filter| filter.matches(job)),
            Filter::Not(filter) => !filter.matches(job),
            Filter::DisplayName(equality, pattern) => holds(*equality, glob::matches(pattern, job.display_name)),
            Filter::ModelDisplayName(equality, pattern) => {
                let name = job.model.rsplit('/').next().unwrap_or_default();
                holds(*equality, glob::matches(pattern, name))
            }
            Filter::State(equality, state) => holds(*equality, job.state == *state),
            Filter::CreateTime(order, time) => match order {
                Order::Before => job.created < *time,
                Order::UntilThen => job.created <= *time,
                Order::Equal => job.created == *time,
                Order::Unequal => job.created != *time,
                Order::FromThen => job.created >= *time,
                Order::After => job.created > *time,
            },
            Filter::Label(key, equality, value) => {
                let label = job.labels.and_then(|labels| labels.get(key)?.as_str());
                holds(*equality, label.is_some_and(|label| glob::matches(value, label)))
            }
            Filter::HasLabel(key) => job.labels.is_some_and(|labels| labels.contains_key(key)),
        }
    }
}

/// A recursive-descent parser. OR binds more tightly than AND, as AIP-160 has it, and
/// terms side by side are all meant.
struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn unexpected(&self) -> String {
        match self.rest().chars().next() {
            Some(c) => format!("unexpected {c:?} at character {}", self.text[..self.at].chars().count() + 1),
            None => "unexpected end".to_owned(),
        }
    }

    /// Steps over `keyword` where it stands as a word of its own.
    fn keyword(&mut self, keyword: &str) -> bool {
        let Some(after) = self.rest().strip_prefix(keyword) else {
            return false;
        };
        if !after.starts_with(|c: char| c.is_whitespace() || c == '(') {
            return false;
        }
        self.at += keyword.len();
        self.blanks();
        true
    }

    fn expression(&mut self, depth: usize) -> Result<Filter, String> {
        let mut all = vec![self.factor(depth)?];
        loop {
            self.blanks();
            let and = self.keyword("AND");
            if !and && (self.rest().is_empty() || self.rest().starts_with(')')) {
                break;
            }
            all.push(self.factor(depth)?);
        }
        Ok(single(all, Filter::All))
    }

    fn factor(&mut self, depth: usize) -> Result<Filter, String> {
        let mut any = vec![self.term(depth)?];
        self.blanks();
        while self.keyword("OR") {
            any.push(self.term(depth)?);
            self.blanks();
        }
        Ok(single(any, Filter::Any))
    }

    fn term(&mut self, depth: usize) -> Result<Filter, String> {
        if depth > DEEPEST {
            return Err("it is nested too deeply".to_owned());
        }
        if self.keyword("NOT") {
            return Ok(Filter::Not(Box::new(self.term(depth + 1)?)));
        }
        if self.rest().starts_with('-') {
            self.at += 1;
            return Ok(Filter::Not(Box::new(self.term(depth + 1)?)));
        }
        if self.rest().starts_with('(') {
            self.at += 1;
            self.blanks();
            let inner = self.expression(depth + 1)?;
            self.blanks();
            if !self.rest().starts_with(')') {
                return Err(self.unexpected());
            }
            self.at += 1;
            return Ok(inner);
        }
        self.restriction()
    }

    fn restriction(&mut self) -> Result<Filter, String> {
        let mut field = self.word(|c| "()=!<>:\"'".contains(c) || c.is_whitespace()).to_owned();
        if field.ends_with('.') && self.rest().starts_with(['"', '\'']) {
            field.push_str(&self.quoted()?);
        }
        if field.is_empty() {
            return Err(self.unexpected());
        }
        self.blanks();
        let operators = ["!=", "<=", ">=", "=", "<", ">", ":"];
        let Some(operator) = operators.into_iter().find(|o| self.rest().starts_with(o)) else {
            return Err(format!("{field} is compared with nothing"));
        };
        self.at += operator.len();
        self.blanks();
        let value = if self.rest().starts_with(['"', '\'']) {
            self.quoted()?
        } else {
            self.word(|c| "()\"'".contains(c) || c.is_whitespace()).to_owned()
        };
        if value.is_empty() && !self.text[..self.at].ends_with(['"', '\'']) {
            return Err(format!("{field} is compared with nothing"));
        }
        compare(&field, operator, value)
    }

    fn word(&mut self, ends: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let word = &rest[..rest.find(ends).unwrap_or(rest.len())];
        self.at += word.len();
        word
    }

    /// A text in quotes, with backslashes before what is meant literally.
    fn quoted(&mut self) -> Result<String, String> {
        let mut text = String::new();
        let mut chars = self.rest().char_indices();
        let quote = chars.next().map(|(_, c)| c);
        while let Some((at, c)) = chars.next() {
            if Some(c) == quote {
                self.at += at + 1;
                return Ok(text);
            }
            let escaped = if c == '\\' { chars.next() } else { None };
            text.push(escaped.map_or(c, |(_, c)| c));
        }
        Err("a quotation does not end".to_owned())
    }
}

fn single(mut filters: Vec<Filter>, many: fn(Vec<Filter>) -> Filter) -> Filter {
    match (filters.pop(), filters.is_empty()) {
        (Some(only), true) => only,
        (last, _) => {
            filters.extend(last);
            many(filters)
        }
    }
}

fn compare(field: &str, operator: &str, value: String) -> Result<Filter, String> {
    let equality = || match operator {
        "=" | ":" => Ok(Equality::Equal),
        "!=" => Ok(Equality::Unequal),
        _ => Err(format!("{field} cannot be compared by {operator}")),
    };
    if let Some(key) = field.strip_prefix("labels.") {
        return Ok(match (operator, &*value) {
            (":", "*") => Filter::HasLabel(key.to_owned()),
            _ => Filter::Label(key.to_owned(), equality()?, value),
        });
    }
    match field {
        "labels" if operator == ":" => Ok(Filter::HasLabel(value)),
        "display_name" | "displayName" => Ok(Filter::DisplayName(equality()?, value)),
        "model_display_name" | "modelDisplayName" => Ok(Filter::ModelDisplayName(equality()?, value)),
        "state" => match JobState::named(&value) {
            Some(state) => Ok(Filter::State(equality()?, state)),
            None => Err(format!("{value:?} is no state")),
        },
        "create_time" | "createTime" => {
            let time = value.parse().map_err(|_| format!("{value:?} is no time in the form of RFC 3339"))?;
            let order = match operator {
                "<" => Order::Before,
                "<=" => Order::UntilThen,
                "=" => Order::Equal,
                "!=" => Order::Unequal,
                ">=" => Order::FromThen,
                ">" => Order::After,
                _ => return Err(format!("{field} cannot be compared by {operator}")),
            };
            Ok(Filter::CreateTime(order, time))
        }
        _ => Err(format!("{field} is no field to filter by")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn matching(filter: &str) -> bool {
        let labels = json!({ "team": "a-b", "empty": "", "with space": "x" });
        let job = Subject {
            display_name: "my job (1)",
            model: "publishers/google/models/gemini-2.5-flash",
            state: JobState::Running,
            created: "2026-11-21T10:00:00.5Z".parse().unwrap(),
            labels: labels.as_object(),
        };
        Filter::parse(filter).unwrap().matches(&job)
    }

    #[test]
    fn documented_filters_select_what_they_say() {
        for filter in [
            "",
            "  ",
            r#"display_name="my job (1)""#,
            r#"displayName = "my job*""#,
            r#"display_name:"*job*""#,
            r#"display_name!="other""#,
            r#"display_name='my job \(1)'"#,
            r#"model_display_name="gemini-2.5-flash""#,
            r#"state="JOB_STATE_RUNNING""#,
            "state=JOB_STATE_RUNNING",
            r#"state!="JOB_STATE_FAILED""#,
            r#"create_time>"2026-11-21T10:00:00Z""#,
            "createTime<=2026-11-21T11:00:00.5+01:00",
            r#"create_time="2026-11-21T10:00:00.500Z""#,
            "labels.team=a-b",
            "labels.team:*",
            "labels.empty=\"\"",
            "labels.\"with space\"=x",
            "labels:team",
            "labels.none!=x",
            "NOT labels.none:*",
            "-labels.none:*",
            r#"NOT display_name="other" AND state="JOB_STATE_RUNNING""#,
            r#"state="JOB_STATE_FAILED" OR (state="JOB_STATE_RUNNING" AND labels.team:a*)"#,
            "state=JOB_STATE_RUNNING labels:team",
            "NOT (state=JOB_STATE_FAILED)",
            // OR before AND: (running or failed) and (failed or labelled).
            "state=JOB_STATE_RUNNING OR state=JOB_STATE_FAILED AND state=JOB_STATE_FAILED OR labels:team",
        ] {
            assert!(matching(filter), "{filter}");
        }
        for filter in [
            "display_name=my",
            "labels:none",
            "labels.empty=x",
            "state=JOB_STATE_RUNNING AND state=JOB_STATE_FAILED OR labels:none",
            "state=JOB_STATE_RUNNING labels:none",
            "create_time<\"2026-11-21T10:00:00.5Z\"",
        ] {
            assert!(!matching(filter), "{filter}");
        }
    }

    #[test]
    fn what_is_no_filter_is_said() {
        for (filter, problem) in [
            ("a", "a is compared with nothing"),
            ("state=", "state is compared with nothing"),
            ("state=DONE", "\"DONE\" is no state"),
            ("state>JOB_STATE_FAILED", "state cannot be compared by >"),
            ("colour=red", "colour is no field to filter by"),
            ("create_time>yesterday", "\"yesterday\" is no time in the form of RFC 3339"),
            ("(labels:a", "unexpected end"),
            ("labels:a)", "unexpected ')' at character 9"),
            ("display_name=\"a", "a quotation does not end"),
            ("AND", "AND is compared with nothing"),
        ] {
            assert_eq!(Filter::parse(filter).unwrap_err(), problem, "{filter}");
        }
        assert_eq!(Filter::parse(&"(".repeat(1000)).unwrap_err(), "it is nested too deeply");
    }
}
