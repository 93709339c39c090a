//! The rules of the service for tables, checked before anything is created.
//!
//! From the documentation of batch inference with BigQuery; how certain each is stands with it.

use std::fmt;

use batch_backend::{Error, Kind, Result};
use batch_model::{BigQueryUri, Location};

use crate::{
    BqClient,
    client::dataset_of,
    table::{Field, FieldKind, Mode},
};

/// One thing about a table or dataset that the service does not take, or may not take.
///
/// Displays as what is wrong, with the column or dataset that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// Which rule.
    pub rule: Rule,
    /// How certain it is that the service refuses it.
    pub certainty: Certainty,
    /// The column, table or dataset.
    pub subject: String,
    /// What is wrong with it.
    pub message: String,
    /// What to do.
    pub hint: String,
}

/// The rules for tables and datasets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// An input table has a column `request`, of type `JSON` or `STRING`.
    RequestColumn,
    /// No column is an array, or of type `STRUCT`, `RANGE`, `DATETIME` or `GEOGRAPHY`.
    ColumnType,
    /// `response`, `status` and `processed_time` are columns of the output.
    ReservedName,
    /// A column has a name that BigQuery takes, and no other column has it.
    ColumnName,
    /// The dataset is in the region of the job, and in one region only.
    DatasetLocation,
    /// The dataset exists.
    DatasetExists,
    /// The input table exists, and has rows of its own.
    TableExists,
    /// The output table does not exist.
    TableAbsent,
}

/// How certain it is that the service refuses what was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Certainty {
    /// Sources contradict each other, or say nothing: worth a word, no reason to stop.
    Unknown,
    /// One good source, or a strong inference.
    Likely,
    /// The documentation says so.
    Certain,
}

impl Finding {
    /// Whether to stop before anything is created.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        Certainty::Unknown < self.certainty
    }

    /// The finding as an error, of what was being done to which resource.
    #[must_use]
    pub fn to_error(&self, doing: &str, resource: &str) -> Error {
        let kind = match self.rule {
            Rule::DatasetExists | Rule::TableExists => Kind::NotFound,
            Rule::TableAbsent => Kind::AlreadyExists,
            Rule::DatasetLocation => Kind::FailedPrecondition,
            _ => Kind::InvalidArgument,
        };
        Error::new(kind, doing, resource).with_source(self.to_string()).with_hint(self.hint.clone())
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.subject, self.message)
    }
}

fn finding(rule: Rule, subject: &str, message: impl Into<String>, hint: impl Into<String>) -> Finding {
    let (subject, message, hint) = (subject.to_owned(), message.into(), hint.into());
    Finding { rule, certainty: Certainty::Certain, subject, message, hint }
}

/// What the service would refuse of an input table with these columns.
///
/// ```
/// use batch_bq::{Field, FieldKind, Rule, check_input_columns};
///
/// let columns = [Field::nullable("request", FieldKind::Json), Field::nullable("place", FieldKind::Geography)];
/// let findings = check_input_columns(&columns);
/// assert_eq!(findings[0].rule, Rule::ColumnType);
/// assert_eq!(findings[0].to_string(), "column place: the service takes no GEOGRAPHY");
/// ```
#[must_use]
pub fn check_input_columns(fields: &[Field]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let request = fields.iter().find(|field| field.name.eq_ignore_ascii_case("request"));
    match request {
        None => findings.push(finding(
            Rule::RequestColumn,
            "column request",
            "there is none",
            "add a column request of type JSON with a GenerateContentRequest in each row",
        )),
        Some(Field { kind: FieldKind::Json | FieldKind::String, mode: Mode::Nullable | Mode::Required, .. }) => {}
        Some(field) => findings.push(finding(
            Rule::RequestColumn,
            "column request",
            format!("its type is {}, and must be JSON or STRING", field.sql_type()),
            "make it JSON: TO_JSON(request), or PARSE_JSON of a text",
        )),
    }
    for field in fields.iter().filter(|field| !field.name.eq_ignore_ascii_case("request")) {
        findings.extend(column_type(field));
        findings.extend(reserved(field));
    }
    findings
}

/// What is wrong with the columns of a table that we make ourselves.
pub(crate) fn check_staged_columns(fields: &[Field]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, field) in fields.iter().enumerate() {
        findings.extend(reserved(field));
        findings.extend(column_name(field));
        // BigQuery does not tell upper case from lower case.
        if fields[..at].iter().any(|other| other.name.to_lowercase() == field.name.to_lowercase()) {
            findings.push(finding(
                Rule::ColumnName,
                &format!("column {}", field.name),
                "BigQuery takes it for the name of another column",
                "rename it, or leave it out of request.columns",
            ));
        }
    }
    findings
}

fn column_type(field: &Field) -> Option<Finding> {
    let refused = field.mode == Mode::Repeated
        || matches!(field.kind, FieldKind::Record | FieldKind::Range | FieldKind::DateTime | FieldKind::Geography);
    refused.then(|| {
        let hint = match field.kind {
            _ if field.mode == Mode::Repeated => "leave it out, or make it a text: TO_JSON_STRING(column)",
            FieldKind::DateTime => "make it a TIMESTAMP or a STRING: CAST(column AS STRING)",
            FieldKind::Geography => "leave it out, or make it a text: ST_ASTEXT(column)",
            _ => "leave it out, or make it a text: TO_JSON_STRING(column)",
        };
        let kind = if field.mode == Mode::Repeated { "ARRAY".to_owned() } else { field.kind.to_string() };
        finding(Rule::ColumnType, &format!("column {}", field.name), format!("the service takes no {kind}"), hint)
    })
}

fn reserved(field: &Field) -> Option<Finding> {
    let certainty = match field.name.to_ascii_lowercase().as_str() {
        "response" | "status" => Certainty::Certain,
        // It is in the output as the others are, and the documentation does not name it.
        "processed_time" => Certainty::Likely,
        _ => return None,
    };
    let subject = format!("column {}", field.name);
    let message = "the service writes a column of this name into the output";
    let found = finding(Rule::ReservedName, &subject, message, "rename it, or leave it out");
    Some(Finding { certainty, ..found })
}

/// <https://cloud.google.com/bigquery/docs/schemas#column_names>.
fn column_name(field: &Field) -> Option<Finding> {
    const RESERVED: [&str; 7] =
        ["_table_", "_file_", "_partition", "_row_timestamp", "__root__", "_colidentifier", "_change_"];
    let name = &field.name;
    let lower = name.to_lowercase();
    let why = match () {
        () if name.is_empty() => "it is empty".to_owned(),
        () if 300 < name.chars().count() => "it has more than 300 characters".to_owned(),
        () if name.contains(|c: char| c.is_control() || "!\"$()*,./;?@[\\]^`{}~".contains(c)) => {
            "it has a character that a column's name cannot have".to_owned()
        }
        () => {
            let prefix = RESERVED.iter().find(|prefix| lower.starts_with(**prefix))?;
            format!("names that begin with {} are BigQuery's own", prefix.to_uppercase())
        }
    };
    let hint = "rename the column in the table";
    Some(finding(Rule::ColumnName, &format!("column {name}"), format!("BigQuery does not take the name: {why}"), hint))
}

/// What is wrong with a dataset in `dataset_location` for a job in `location`.
///
/// The two must be the same region, and a dataset in `US` or `EU` is in several (certain). Whether jobs in
/// `global` work with BigQuery at all, and with which datasets, is not known: the documentation said no in
/// 2025 and says nothing now, and Google's samples do it.
#[must_use]
pub fn check_location(dataset: &str, dataset_location: &str, location: &Location) -> Option<Finding> {
    let subject = format!("dataset {dataset}");
    let job = location.as_str();
    let is_multi_region = ["us", "eu"].iter().any(|region| dataset_location.eq_ignore_ascii_case(region));
    if dataset_location.is_empty() || (dataset_location.eq_ignore_ascii_case(job) && !is_multi_region) {
        return None;
    }
    let hint = format!("use a dataset in {job}: `bq --location={job} mk --dataset PROJECT:DATASET`");
    let found = |certainty, message: String, hint: String| {
        Some(Finding { certainty, ..finding(Rule::DatasetLocation, &subject, message, hint) })
    };
    match job {
        "global" => found(
            Certainty::Unknown,
            format!("it is in {dataset_location}, and it is not certain that jobs in global use BigQuery"),
            "should the job be refused, use the region of the dataset as the location".to_owned(),
        ),
        "us" | "eu" => found(
            Certainty::Unknown,
            format!("it is in {dataset_location}, and it is not certain which datasets jobs in {job} use"),
            "should the job be refused, use a region as the location, and a dataset there".to_owned(),
        ),
        _ if is_multi_region => found(
            Certainty::Certain,
            format!("it is in {dataset_location}, which is several regions, and the job is in {job}"),
            hint,
        ),
        _ => found(Certainty::Certain, format!("it is in {dataset_location}, and the job is in {job}"), hint),
    }
}

impl BqClient {
    /// What the service would refuse of a table of requests as the input of a job in `location`: where it
    /// is, that it is there, its columns.
    ///
    /// # Errors
    /// `InvalidArgument` where `uri` names no table; what the service may answer.
    pub async fn check_input_table(&self, uri: &BigQueryUri, location: &Location) -> Result<Vec<Finding>> {
        let mut findings = self.check_dataset(uri, location).await?;
        if findings.iter().any(|finding| finding.rule == Rule::DatasetExists) {
            return Ok(findings);
        }
        match self.table(uri).await? {
            None => findings.push(finding(
                Rule::TableExists,
                &format!("table {}", uri.table().unwrap_or_default()),
                "there is none",
                "see that its name is right",
            )),
            Some(table) => findings.extend(check_input_columns(&table.fields)),
        }
        Ok(findings)
    }

    /// What the service would refuse of `uri` as the output of a job in `location`: the dataset must be
    /// there, in the job's region, and a table must not. A project alone is taken: the service makes a
    /// dataset in it.
    ///
    /// # Errors
    /// What the service may answer.
    pub async fn check_output(&self, uri: &BigQueryUri, location: &Location) -> Result<Vec<Finding>> {
        if uri.dataset().is_none() {
            return Ok(Vec::new());
        }
        let mut findings = self.check_dataset(uri, location).await?;
        let dataset_is_there = findings.iter().all(|finding| finding.rule != Rule::DatasetExists);
        if let Some(table) = uri.table()
            && dataset_is_there
            && self.table(uri).await?.is_some()
        {
            let message = "the output table must not exist yet";
            let hint = "name another, or only the dataset: bq://project.dataset";
            findings.push(finding(Rule::TableAbsent, &format!("table {table}"), message, hint));
        }
        Ok(findings)
    }

    /// What the service would refuse of the dataset of `uri` for a job in `location`.
    ///
    /// # Errors
    /// `InvalidArgument` where `uri` names no dataset; what the service may answer.
    pub async fn check_dataset(&self, uri: &BigQueryUri, location: &Location) -> Result<Vec<Finding>> {
        let id = dataset_of(uri, "look at the dataset")?;
        Ok(match self.dataset(uri).await? {
            Some(dataset) => check_location(id, &dataset.location, location).into_iter().collect(),
            None => {
                let hint = self.api().make_dataset(uri.project(), id);
                vec![finding(Rule::DatasetExists, &format!("dataset {id}"), "there is none", hint)]
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(fields: &[Field]) -> Vec<String> {
        check_input_columns(fields).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_good_table_has_no_findings() {
        for kind in [FieldKind::Json, FieldKind::String] {
            let columns = [Field::nullable("Request", kind), Field::nullable("id", FieldKind::Integer)];
            assert_eq!(said(&columns), Vec::<String>::new());
        }
    }

    #[test]
    fn what_the_service_refuses_is_found_column_by_column() {
        let mut array = Field::nullable("tags", FieldKind::String);
        array.mode = Mode::Repeated;
        let mut columns = vec![Field::nullable("request", FieldKind::Bytes), array];
        for (name, kind) in [
            ("s", FieldKind::Record),
            ("r", FieldKind::Range),
            ("d", FieldKind::DateTime),
            ("g", FieldKind::Geography),
            ("Status", FieldKind::String),
        ] {
            columns.push(Field::nullable(name, kind));
        }
        let expected = [
            "column request: its type is BYTES, and must be JSON or STRING",
            "column tags: the service takes no ARRAY",
            "column s: the service takes no STRUCT",
            "column r: the service takes no RANGE",
            "column d: the service takes no DATETIME",
            "column g: the service takes no GEOGRAPHY",
            "column Status: the service writes a column of this name into the output",
        ];
        assert_eq!(said(&columns), expected);
        assert_eq!(said(&[]), ["column request: there is none"]);
    }

    #[test]
    fn names_that_bigquery_does_not_take() {
        let wrong = |name: &str| {
            let fields = [Field::nullable("key", FieldKind::String), Field::nullable(name, FieldKind::String)];
            check_staged_columns(&fields).into_iter().map(|finding| finding.rule).collect::<Vec<_>>()
        };
        for name in ["", "a.b", "a`b", "_PARTITIONTIME", "KEY"] {
            assert_eq!(wrong(name), [Rule::ColumnName], "{name:?}");
        }
        for name in ["text", "列", "a b", "a-b", "_x"] {
            assert!(wrong(name).is_empty(), "{name:?}");
        }
        assert_eq!(wrong("processed_time"), [Rule::ReservedName]);
    }

    #[test]
    fn the_location_is_judged_as_far_as_it_is_known() {
        let judge = |dataset: &str, job: &str| {
            check_location("d", dataset, &job.parse().unwrap()).map(|finding| finding.certainty)
        };
        assert_eq!(judge("us-central1", "us-central1"), None);
        assert_eq!(judge("US-CENTRAL1", "us-central1"), None);
        assert_eq!(judge("US", "us-central1"), Some(Certainty::Certain));
        assert_eq!(judge("europe-west4", "us-central1"), Some(Certainty::Certain));
        assert_eq!(judge("us-central1", "global"), Some(Certainty::Unknown));
        assert_eq!(judge("US", "us"), Some(Certainty::Unknown));
    }
}
