//! What cannot be said in SQL, and in which words.

use batch_io::RequestSpec;

use super::{format, told, uri};
use crate::sql::{BuildRequests, FlattenAnswers, Source, SourceColumn};

fn build(prompt: &str) -> String {
    let spec = RequestSpec::new(prompt);
    let columns = vec![
        SourceColumn::new("id", "STRING"),
        SourceColumn::new("title", "STRING"),
        SourceColumn::new("n", "INT64"),
        SourceColumn::new("extra", "JSON"),
        SourceColumn::new("place", "GEOGRAPHY"),
    ];
    let build = BuildRequests::new(&spec, Source::Table(uri("bq://p.d.t")), columns).key_column("id");
    match build.statements(&uri("bq://p.d.requests")) {
        Ok(statements) => panic!("{}", statements[0]),
        Err(error) => told(&error),
    }
}

#[test]
fn what_has_no_equal_is_named_with_line_and_column() {
    for (prompt, expected) in [
        ("a\n {% for x in title %}{% endfor %}", "a loop in the prompt template, line 2, column 5,"),
        ("{% set x = 1 %}", "a variable in the prompt template, line 1, column 4,"),
        ("{{ title | title }}", "the filter \"title\" in the prompt template, line 1, column 12,"),
        ("{{ title | replace(\"\", \"x\") }}", "the filter \"replace\" of nothing, or of no constant,"),
        ("{{ n == title }}", "a comparison of other values than two texts, or one number and a constant,"),
        ("{{ n | length }}", "the length of what is no text in the prompt template"),
        ("{% if extra %}x{% endif %}", "the truth of a JSON value in the prompt template"),
        ("{{ extra.a }}", "a look into a value in the prompt template, line 1, column 4,"),
        ("{{ record.index }}", "record.index in the prompt template, line 1, column 4,"),
        ("{{ title or n }}", "a choice between values of two types"),
        ("{{ place }}", "the column \"place\" has the type GEOGRAPHY"),
        ("{{ titel }}", "the request cannot be built\ncause: unknown column \"titel\""),
    ] {
        let told = build(prompt);
        assert!(told.starts_with(expected), "{prompt}: {told}");
        assert!(told.contains("\nhint: "), "{prompt}: {told}");
    }
}

#[test]
fn columns_that_the_service_refuses_are_not_passed_through() {
    let mut spec = RequestSpec::new("x");
    for (name, sql_type, expected) in [
        ("tags", "ARRAY<STRING>", "of type ARRAY<STRING> cannot be passed through"),
        ("at", "DATETIME", "of type DATETIME cannot be passed through"),
        ("STATUS", "STRING", "its name is taken in output tables"),
    ] {
        spec.columns = vec![name.to_owned()];
        let columns = vec![SourceColumn::new(name, sql_type)];
        let build = BuildRequests::new(&spec, Source::Table(uri("bq://p.d.t")), columns);
        let error = build.statements(&uri("bq://p.d.requests")).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn keys_have_one_spelling() {
    let spec = RequestSpec::new("x");
    for (key, expected) in [("x", "values of its type have no one spelling"), ("y", "unknown column \"y\" for the key")]
    {
        let columns = vec![SourceColumn::new("x", "FLOAT64")];
        let build = BuildRequests::new(&spec, Source::Query("SELECT 1.0 AS x".into()), columns).key_column(key);
        assert!(build.check_keys().unwrap_err().to_string().contains(expected));
        assert!(build.statements(&uri("bq://p.d.requests")).unwrap_err().to_string().contains(expected));
    }
}

#[test]
fn a_statement_is_no_longer_than_bigquery_takes() {
    let spec = RequestSpec::new("x".repeat(1_000_001));
    let build = BuildRequests::new(&spec, Source::Table(uri("bq://p.d.t")), vec![SourceColumn::new("a", "STRING")]);
    let told = told(&build.statements(&uri("bq://p.d.requests")).unwrap_err());
    assert!(told.contains("and BigQuery takes 1000000\nhint: "), "{told}");
}

#[test]
fn schemas_that_cannot_be_checked_alike_are_refused() {
    for (config, expected) in [
        (
            r#"{"responseSchema":{"type":"OBJECT","additionalProperties":{"type":"STRING"}}}"#,
            "additionalProperties is a schema",
        ),
        (
            r##"{"responseJsonSchema":{"$ref":"#/$defs/x","$defs":{"x":{"type":"array","items":{"$ref":"#/$defs/x"}}}}}"##,
            "it refers to itself, or is too large",
        ),
        (r#"{"responseSchema":{"properties":{"a\"b":{"type":"STRING"}}}}"#, "cannot be named in a JSON path"),
        (r#"{"responseSchema":{"properties":{"a.b":{}}}}"#, "can be no column in BigQuery"),
        (r#"{"responseSchema":{"properties":{"Outcome":{}}}}"#, "would have the name \"outcome\""),
    ] {
        let flatten = FlattenAnswers::new(vec![uri("bq://p.d.out")], format(config));
        let told = told(&flatten.statements(&uri("bq://p.d.view")).unwrap_err());
        assert!(told.contains(expected) && told.contains("\nhint: "), "{config}: {told}");
    }
}
