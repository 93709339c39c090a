//! That a request built by SQL is the request built here.

use std::collections::BTreeMap;

use batch_io::{
    FilePart, KeySpec, MimeType, RequestLines, RequestSpec, RequestTemplate, Role, Table, TableFormat, Turn,
};
use serde_json::{Value, json};

use super::server::Server;
use super::uri;
use crate::sql::{BuildRequests, Source, SourceColumn};

/// Texts that a literal, a path or a JSON string could trip over.
const TEXTS: [&str; 16] = [
    "",
    "plain",
    "it's \"quoted\" `ticked`",
    "back\\slash \\n \\u0041 \\",
    "line\nfeed\r\nand\ttab",
    "日本語の本文、「見出し」",
    "emoji 😀 👩‍👩‍👧 e\u{301}",
    "{{ title }} {% if %} {# #}",
    "\u{1}\u{7f}\u{1f} control",
    "\u{2028}\u{2029}\u{85} separators",
    "  \u{3000}white\u{a0}space\n ",
    "%s %d $1 \\1 @param ?",
    "'); DROP TABLE x; --",
    "<b>&amp;'</b>",
    "null",
    "007",
];

fn rows() -> Vec<Value> {
    TEXTS
        .iter()
        .enumerate()
        .map(|(number, text)| {
            json!({
                "id": format!("k{number}"),
                "title": text,
                "note": if number % 3 == 0 { Value::Null } else { json!(TEXTS[(number * 7 + 3) % TEXTS.len()]) },
                "n": if number % 4 == 0 { Value::Null } else { json!(number as i64 - 5) },
                "price": if number % 5 == 0 { Value::Null } else { json!(number as f64 + 0.25) },
                "ok": match number % 3 { 0 => Value::Null, 1 => json!(true), _ => json!(false) },
                "day": "2026-01-02",
                "odd name": "odd",
                "uri": format!("gs://bucket/{number}.png"),
            })
        })
        .collect()
}

fn columns() -> Vec<SourceColumn> {
    [
        ("id", "STRING"),
        ("title", "STRING"),
        ("note", "STRING"),
        ("n", "INTEGER"),
        ("price", "FLOAT"),
        ("ok", "BOOLEAN"),
        ("day", "DATE"),
        ("odd name", "STRING"),
        ("uri", "STRING"),
    ]
    .into_iter()
    .map(|(name, sql_type)| SourceColumn::new(name, sql_type))
    .collect()
}

fn create(server: &Server, dataset: &str) {
    server.query(&format!(
        "CREATE OR REPLACE TABLE demo.{dataset}.source (id STRING, title STRING, note STRING, n INT64, price FLOAT64, \
         ok BOOL, day DATE, `odd name` STRING, uri STRING)"
    ));
    server.insert(dataset, "source", &rows());
}

/// What batch-io makes of the rows: requests by key.
fn expected(spec: &RequestSpec, key: &str) -> BTreeMap<String, Value> {
    let mut table = String::new();
    for row in rows() {
        table.push_str(&row.to_string());
        table.push('\n');
    }
    let table = Table::new(table.as_bytes(), "rows.jsonl", TableFormat::Jsonl).unwrap();
    let template = RequestTemplate::compile(spec, table.columns()).unwrap();
    let mut lines = RequestLines::new(table, &template, &KeySpec::Column(key.into())).unwrap();
    let mut requests = BTreeMap::new();
    let mut line = Vec::new();
    while lines.next_line(&mut line).unwrap().is_some() {
        let parsed: Value = serde_json::from_slice(&line).unwrap();
        requests.insert(parsed["key"].as_str().unwrap().to_owned(), parsed["request"].clone());
        line.clear();
    }
    requests
}

fn built(server: &Server, table: &str) -> BTreeMap<String, Value> {
    let rows = server.query(&format!("SELECT key, TO_JSON_STRING(request) FROM {table}"));
    rows.iter()
        .map(|row| (row[0].as_str().unwrap().to_owned(), serde_json::from_str(row[1].as_str().unwrap()).unwrap()))
        .collect()
}

#[test]
#[ignore = "needs a BigQuery server at BATCH_TEST_BIGQUERY"]
fn every_template_makes_the_text_that_the_renderer_makes() {
    let server = Server::connect("bqqr");
    create(&server, "bqqr");
    let mut spec = RequestSpec::new("");
    spec.system = Some("It's \"constant\" \\ {{ '{{' }}\nand ends".into());
    spec.generation_config =
        Some(json!({"temperature": 0.5, "responseSchema": {"type": "STRING", "description": "it's \\ \n 日本"}}));
    spec.turns.push(Turn::new(Role::User, "{{ note }}"));
    spec.turns.push(Turn::new(Role::Model, "fixed"));
    spec.labels.push(("key".into(), "{{ record.key }}".into()));
    spec.files.push(FilePart::new("uri", MimeType::Fixed("image/png".into())));
    for prompt in [
        "{{ title }}",
        "About: {{ title }}\n\n{{ row[\"odd name\"] }} it's\n",
        "{{ title | upper }} {{ title | lower }} {{ title | capitalize }}",
        "[{{ title | trim }}] [{{ title | trim(\" '\") }}] [{{ n | trim }}]",
        "{{ title | replace(\"\\\\\", \"/\") | replace(\"'\", n) }}",
        "{{ title | length }} {{ title[2:5] }}|{{ title[:3] }}|{{ title[4:] }}",
        "{{ note | default(\"none\", true) }} {{ note | default(\"none\") }}",
        "{{ title | tojson }}",
        "{{ n }} {{ price }} {{ ok }} {{ day }} {{ n | string }}",
        "{% if note %}N{% elif title == \"plain\" %}P{% else %}-{% endif %}{% if n %}n{% endif %}{% if not ok %}!{% endif %}",
        "{% if n == 5 and title != 'x' or price %}yes{% endif %}{{ title == note }}{{ ok == true }}{{ n != 5 }}",
        "{{ note or title }} {{ note and title }} {{ 'a' if ok else title }} {{ title ~ '/' ~ n }}",
        "{% raw %}{{ raw }}{% endraw %}{# comment #}   {%- if title -%}  x  {%- endif %}",
    ] {
        spec.prompt = prompt.to_owned();
        let build = BuildRequests::new(&spec, Source::Table(uri("bq://demo.bqqr.source")), columns()).key_column("id");
        server.query("DROP TABLE IF EXISTS demo.bqqr.requests");
        for statement in build.statements(&uri("bq://demo.bqqr.requests")).unwrap() {
            server.query(&statement.sql);
        }
        let (built, expected) = (built(&server, "demo.bqqr.requests"), expected(&spec, "id"));
        assert_eq!(built.len(), TEXTS.len());
        for (key, request) in &expected {
            // Whether a control character is \u001f or \u001F is the server's own.
            if prompt.contains("tojson") && key == "k8" {
                continue;
            }
            assert_eq!(built.get(key), Some(request), "{prompt}, {key}");
        }
    }
}

#[test]
#[ignore = "needs a BigQuery server at BATCH_TEST_BIGQUERY"]
fn shards_hold_every_row_once_and_keep_columns() {
    let server = Server::connect("bqqs");
    create(&server, "bqqs");
    let mut spec = RequestSpec::new("{{ title }}");
    spec.columns = vec!["n".into(), "odd name".into()];
    let source = Source::Query("SELECT * FROM `demo.bqqs.source` WHERE id != 'k3' -- not this one\n;".into());
    let build = BuildRequests::new(&spec, source, columns()).key_column("id");
    let checked = server.query(&build.check_keys().unwrap().sql);
    assert_eq!(checked, [[json!("15"), json!("0"), json!("0"), Value::Null]]);
    let shards = [uri("bq://demo.bqqs.s0"), uri("bq://demo.bqqs.s1"), uri("bq://demo.bqqs.s2")];
    for table in ["staging", "s0", "s1", "s2"] {
        server.query(&format!("DROP TABLE IF EXISTS demo.bqqs.{table}"));
    }
    for statement in build.sharded_statements(&uri("bq://demo.bqqs.staging"), &shards, 12).unwrap() {
        server.query(&statement.sql);
    }
    let mut all = BTreeMap::new();
    for table in ["s0", "s1", "s2"] {
        let shard = built(&server, &format!("demo.bqqs.{table}"));
        assert!(!shard.is_empty());
        for (key, request) in shard {
            assert_eq!(all.insert(key, request), None);
        }
    }
    let mut expected = expected(&spec, "id");
    expected.remove("k3");
    assert_eq!(all, expected);
    let rows = server.query("SELECT key, n, `odd name` FROM demo.bqqs.s0 ORDER BY key LIMIT 1");
    assert_eq!(rows[0][2], json!("odd"));
    // The dropped table is gone, and the limit holds.
    assert!(server.try_query("SELECT * FROM demo.bqqs.staging").is_err());
    let statements = build.sharded_statements(&uri("bq://demo.bqqs.staging"), &shards, 1).unwrap();
    server.query(&statements[0].sql);
    let error = server.try_query(&statements[1].sql).unwrap_err();
    assert!(error.contains("more than 1: take more shards"), "{error}");
    server.query("DROP TABLE demo.bqqs.staging");
}

#[test]
#[ignore = "needs a BigQuery server at BATCH_TEST_BIGQUERY"]
fn bad_keys_and_files_stop_the_statement() {
    let server = Server::connect("bqqk");
    let spec = RequestSpec::new("{{ a }}");
    let columns = || vec![SourceColumn::new("k", "STRING"), SourceColumn::new("a", "STRING")];
    for (rows, check, error) in [
        (
            "SELECT 'x' AS k, 'a' AS a UNION ALL SELECT 'x', 'b' UNION ALL SELECT 'y', 'c'",
            ["3", "0", "1"],
            "stands in 2 rows",
        ),
        ("SELECT 'x' AS k, 'a' AS a UNION ALL SELECT '', 'b'", ["2", "1", "0"], "a key is empty"),
        ("SELECT 'x' AS k, 'a' AS a UNION ALL SELECT CAST(NULL AS STRING), 'b'", ["2", "1", "0"], "a key is empty"),
    ] {
        server.query("DROP TABLE IF EXISTS demo.bqqk.requests");
        let build = BuildRequests::new(&spec, Source::Query(rows.into()), columns()).key_column("k");
        let checked = server.query(&build.check_keys().unwrap().sql);
        assert_eq!(checked[0][..3], check.map(Value::from), "{rows}");
        let statements = build.statements(&uri("bq://demo.bqqk.requests")).unwrap();
        let words = server.try_query(&statements[0].sql).unwrap_err();
        assert!(words.contains(error), "{words}");
        assert!(server.try_query("SELECT * FROM demo.bqqk.requests").is_err());
    }
    let mut spec = RequestSpec::new("x");
    spec.files.push(FilePart::new("a", MimeType::Column("k".into())));
    for (rows, error) in [
        ("SELECT 'image/png' AS k, 'gs://' AS a", "the service reads no file from"),
        ("SELECT '' AS k, 'gs://b/o' AS a", "the MIME type of the file is empty"),
    ] {
        let build = BuildRequests::new(&spec, Source::Query(rows.into()), columns());
        let statements = build.statements(&uri("bq://demo.bqqk.requests")).unwrap();
        let words = server.try_query(&statements[0].sql).unwrap_err();
        assert!(words.contains(error), "{words}");
    }
}

#[test]
#[ignore = "needs a BigQuery server at BATCH_TEST_BIGQUERY"]
fn keys_that_are_made_are_unique_and_the_same_again() {
    let server = Server::connect("bqqm");
    let spec = RequestSpec::new("{{ a }}");
    let rows = "SELECT 'x' AS a, 1 AS n UNION ALL SELECT 'x', 1 UNION ALL SELECT 'x', 2";
    let columns = vec![SourceColumn::new("a", "STRING"), SourceColumn::new("n", "INT64")];
    let build = BuildRequests::new(&spec, Source::Query(rows.into()), columns);
    assert_eq!(server.query(&build.check_keys().unwrap().sql)[0][0], json!("3"));
    let mut seen = Vec::new();
    for _ in 0..2 {
        server.query("DROP TABLE IF EXISTS demo.bqqm.requests");
        server.query(&build.statements(&uri("bq://demo.bqqm.requests")).unwrap()[0].sql);
        seen.push(built(&server, "demo.bqqm.requests"));
    }
    assert_eq!(seen[0].len(), 3);
    assert_eq!(seen[0], seen[1]);
    assert!(seen[0].keys().all(|key| key.starts_with('r') && (key.ends_with("-1") || key.ends_with("-2"))), "{seen:?}");
}
