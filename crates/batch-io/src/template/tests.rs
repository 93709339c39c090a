//! That the way without the engine writes what the engine writes.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::table::{Table, TableFormat};

/// Column names of every kind: identifiers of several scripts, none at all, words that the
/// engine knows.
const COLUMNS: [&str; 12] =
    ["body", "本文", "本文 1", "_x", "row", "record", "true", "None", "loop", "self", "range", "a'b"];

fn table_of(values: &[String]) -> (Columns, Record) {
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(COLUMNS).unwrap();
    csv.write_record(values).unwrap();
    let bytes = csv.into_inner().unwrap();
    let mut table = Table::new(bytes.as_slice(), "t.csv", TableFormat::CSV).unwrap();
    let mut record = Record::new();
    assert!(table.read(&mut record).unwrap());
    (table.columns().clone(), record)
}

fn by_engine(source: &str, columns: &Columns, record: &Record) -> Result<String> {
    let jinja = Jinja::compile("prompt template", source, Arc::new(columns.clone()))?;
    let mut out = String::new();
    jinja.render(&Row::new(record, "the \"key\""), |text| out.push_str(text))?;
    Ok(out)
}

fn placeholder() -> impl Strategy<Value = String> {
    let name = proptest::sample::select(COLUMNS.to_vec());
    let space = || proptest::sample::select(vec!["", " ", "  ", "\n", "\t"]);
    let expression = prop_oneof![
        name.clone().prop_map(str::to_owned),
        name.clone().prop_map(|name| format!("row[\"{name}\"]")),
        name.prop_map(|name| format!("row['{name}']")),
        Just("record.index".to_owned()),
        Just("record.key".to_owned()),
        Just("row[ 'body' ]".to_owned()),
        Just("row['body'] ~ row['本文']".to_owned()),
        Just("body|upper".to_owned()),
    ];
    let control = || proptest::sample::select(vec!["", "", "", "-", "+"]);
    (control(), space(), expression, space(), control()).prop_map(|(open, before, expression, after, close)| {
        format!("{{{{{open}{before}{expression}{after}{close}}}}}")
    })
}

fn template() -> impl Strategy<Value = String> {
    let text = prop_oneof![
        "[ -~é日\n\r]{0,12}",
        proptest::sample::select(vec![
            "{",
            "}",
            "}}",
            "{ {",
            "%}",
            "#}",
            "\n",
            "\r\n",
            "{# x #}",
            "{% raw %}{{ x }}{% endraw %}"
        ])
        .prop_map(str::to_owned),
    ];
    proptest::collection::vec(prop_oneof![text, placeholder()], 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn plain_templates_come_out_as_from_the_engine(
        source in template(),
        values in proptest::collection::vec("[ -~é日\n]{0,6}", COLUMNS.len()),
    ) {
        let (columns, record) = table_of(&values);
        let compiled = Template::compile("prompt template", &source, &columns);
        match by_engine(&source, &columns, &record) {
            Ok(expected) => {
                let mut out = String::new();
                compiled.unwrap().render(&record, "the \"key\"", &mut out).unwrap();
                prop_assert_eq!(out, expected);
            }
            Err(expected) => {
                // Plain templates never fail on a record, so it was the compilation.
                let found = match compiled {
                    Err(error) => error,
                    Ok(template) => template.render(&record, "k", &mut String::new()).unwrap_err(),
                };
                prop_assert_eq!(found.kind(), expected.kind());
            }
        }
    }
}

/// The property above would hold just as well if everything went to the engine.
#[test]
fn the_usual_templates_are_plain() {
    let (columns, _) = table_of(&vec![String::new(); COLUMNS.len()]);
    for (source, plain) in [
        ("{{ body }}", true),
        ("件名: {{ 本文 }}\n\n{{ row[\"本文 1\"] }}\n", true),
        ("n{{ record.index }}", true),
        ("{\"text\": \"{{ _x }}\"}", true),
        ("{{ range }}", true),
        ("{{ body|trim }}", false),
        ("{{ body }}{% if 本文 %}!{% endif %}", false),
    ] {
        let template = Template::compile("prompt template", source, &columns).unwrap();
        assert_eq!(matches!(template.program, Program::Plain(_)), plain, "{source}");
    }
}
