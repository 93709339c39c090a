//! The statements for the specs in `fixtures`, as a user sees them.

use std::fs;

use super::{fixtures, format, spec, told, uri};
use crate::sql::{BuildRequests, FlattenAnswers, Source, SourceColumn, Statement};

fn shown(statements: &[Statement]) -> String {
    statements.iter().map(Statement::to_string).collect::<Vec<_>>().join("\n")
}

/// The columns of a fixture's table, all of them text.
fn columns(name: &str, file: &str) -> Vec<SourceColumn> {
    let text = fs::read_to_string(fixtures().join(name).join(file)).unwrap();
    text.lines().next().unwrap().split(',').map(|column| SourceColumn::new(column, "STRING")).collect()
}

#[test]
fn packages() {
    let mut spec = spec("packages");
    // The first line of a text is beyond the filters that there are in SQL.
    spec.prompt = "{{ description }}".into();
    spec.columns = vec!["section".into()];
    let source = Source::Table(uri("bq://shop.debian.packages"));
    let build = BuildRequests::new(&spec, source, columns("packages", "packages.csv")).key_column("package");
    let mut statements = vec![build.check_keys().unwrap()];
    statements.extend(build.statements(&uri("bq://shop.runs.requests")).unwrap());
    let config = spec.generation_config.unwrap().to_string();
    let flatten = FlattenAnswers::new(vec![uri("bq://shop.runs.answers")], format(&config))
        .inputs(vec![uri("bq://shop.runs.requests")])
        .columns(vec!["section".into()]);
    statements.extend(flatten.statements(&uri("bq://shop.runs.flat")).unwrap());
    statements.push(flatten.summary(&uri("bq://shop.runs.flat")).unwrap());
    insta::assert_snapshot!(shown(&statements));
}

#[test]
fn extract_in_shards() {
    let spec = spec("extract");
    let source = Source::Query("SELECT * FROM `shop.debian.packages` -- all of them\n;".into());
    let build = BuildRequests::new(&spec, source, columns("extract", "packages.csv")).key_column("package");
    let shards = [uri("bq://shop.runs.s0"), uri("bq://shop.runs.s1")];
    let mut statements = build.sharded_statements(&uri("bq://shop.runs.staging"), &shards, 200_000).unwrap();
    let config = spec.generation_config.as_ref().unwrap().to_string();
    let flatten = FlattenAnswers::new(vec![uri("bq://shop.runs.a0"), uri("bq://shop.runs.a1")], format(&config));
    statements.extend(flatten.statements(&uri("bq://shop.runs.flat")).unwrap());
    insta::assert_snapshot!(shown(&statements));
}

#[test]
fn article_has_no_numbers_of_records_in_bigquery() {
    let mut spec = spec("article");
    let source = || Source::Table(uri("bq://shop.news.articles"));
    let columns = || columns("article", "news.csv");
    let build = BuildRequests::new(&spec, source(), columns());
    let refused = told(&build.statements(&uri("bq://shop.runs.requests")).unwrap_err());
    spec.labels[0].1 = "{{ record.key }}".into();
    let build = BuildRequests::new(&spec, source(), columns());
    let mut statements = vec![build.check_keys().unwrap()];
    statements.extend(build.statements(&uri("bq://shop.runs.requests")).unwrap());
    insta::assert_snapshot!(format!("{refused}\n\n{}", shown(&statements)));
}
