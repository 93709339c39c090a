//! Records to request lines: exact bytes, and what holds for all records.

use batch_io::{
    FilePart, KeySpec, MimeType, RequestLines, RequestSpec, RequestTemplate, Role, Table, TableFormat, Turn, build,
};
use proptest::prelude::*;
use serde_json::{Value, json};

fn lines(table: &str, format: TableFormat, spec: &RequestSpec, key: &KeySpec) -> String {
    let table = Table::new(table.as_bytes(), "t.csv", format).unwrap();
    let template = RequestTemplate::compile(spec, table.columns()).unwrap();
    let mut out = Vec::new();
    let summary = build(table, &template, key, &mut out).unwrap();
    let out = String::from_utf8(out).unwrap();
    assert_eq!(summary.bytes, out.len() as u64);
    assert_eq!(summary.records, out.matches('\n').count() as u64);
    out
}

/// The shape of a published walkthrough: Japanese instruction, enum schema, a label.
#[test]
fn a_classification_in_japanese() {
    let mut spec = RequestSpec::new("{{ body }}");
    spec.system = Some("\n与えられた文章を分類してください。\n候補: ['sport', 'tech']\n".into());
    spec.generation_config = Some(json!({
        "temperature": 0,
        "seed": 0,
        "responseMimeType": "application/json",
        "responseSchema": {"type": "string", "enum": ["sport", "tech"]},
    }));
    spec.labels.push(("id".into(), "n{{ record.index }}".into()));
    let csv = "body,category\n\"He said \"\"no\"\".\r\n\tThen: £5 \\ “完了”\",sport\n新しい電話、🏉 発売。,tech\n";
    insta::assert_snapshot!(lines(csv, TableFormat::CSV, &spec, &KeySpec::Index));
}

#[test]
fn every_field_has_its_place() {
    let mut spec = RequestSpec::new("Compare with {{ title }}:{% if note %} {{ note }}{% endif %}");
    spec.system = Some("Be \"brief\".".into());
    spec.turns = vec![
        Turn::new(Role::User, "Example {{ record.index }}"),
        Turn::new(Role::Model, "{\"answer\": \"{{ title|upper }}\"}"),
    ];
    spec.generation_config = Some(json!({"topP": 0.5, "temperature": 1.0}));
    spec.safety_settings = Some(json!([{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]));
    spec.tools = Some(json!([{"googleSearch": {"excludeDomains": []}}]));
    spec.tool_config = Some(json!({"functionCallingConfig": {"mode": "NONE"}}));
    spec.labels = vec![("run".into(), "a-1".into()), ("title".into(), "{{ title }}".into())];
    spec.files = vec![
        FilePart::new("image", MimeType::Fixed("image/jpeg".into())),
        FilePart::new("clip", MimeType::Column("clip type".into())),
    ];
    spec.fields.insert("modelArmorConfig".into(), json!({"promptTemplateName": "p"}));
    spec.columns = vec!["note".into(), "sku \"x\"".into()];
    let csv = "title,note,sku \"x\",image,clip,clip type\n\
               café,\"a\nb\",007,gs://b/a%20b.jpg,https://youtu.be/x,video/mp4\n";
    insta::assert_snapshot!(lines(csv, TableFormat::CSV, &spec, &KeySpec::Column("sku \"x\"".into())));
}

#[test]
fn what_says_nothing_is_left_out() {
    let mut spec = RequestSpec::new("{{ a }}");
    spec.generation_config = Some(json!({}));
    spec.safety_settings = Some(json!([]));
    spec.tools = Some(Value::Null);
    assert_eq!(
        lines("a\nx\n", TableFormat::CSV, &spec, &KeySpec::Index),
        "{\"key\":\"r0\",\"request\":{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"x\"}]}]}}\n"
    );
}

#[test]
fn keys_of_a_column_go_in_to_the_letter() {
    let jsonl =
        "{\"id\": 007.0e1, \"a\": 1}\n".replace("007.0e1", "7.0e1") + "{\"id\": \"日\\\"\\u0000\", \"a\": null}\n";
    let out = lines(&jsonl, TableFormat::Jsonl, &RequestSpec::new("{{ a }}"), &KeySpec::Column("id".into()));
    let keys: Vec<Value> =
        out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["key"].clone()).collect();
    assert_eq!(keys, ["7.0e1", "日\"\0"]);
}

#[test]
fn lines_tell_where_they_come_from() {
    let table = Table::new("id,a\nx,\"1\n2\"\ny,3\n".as_bytes(), "t.csv", TableFormat::CSV).unwrap();
    let template = RequestTemplate::compile(&RequestSpec::new("{{ a }}"), table.columns()).unwrap();
    let mut lines = RequestLines::new(table, &template, &KeySpec::Column("id".into())).unwrap();
    let mut out = Vec::new();
    let mut seen = Vec::new();
    while let Some(line) = lines.next_line(&mut out).unwrap() {
        seen.push((line.index, line.line, line.key.to_owned(), line.length));
    }
    assert_eq!(seen, [(0, 2, "x".to_owned(), 79), (1, 4, "y".to_owned(), 76)]);
    assert_eq!(out.len(), 79 + 76);
}

#[test]
fn a_record_that_fails_leaves_no_half_a_line() {
    let table = Table::new("a,uri\nx,gs://b/o\ny,\n".as_bytes(), "t.csv", TableFormat::CSV).unwrap();
    let mut spec = RequestSpec::new("{{ a }}");
    spec.files.push(FilePart::new("uri", MimeType::Fixed("text/plain".into())));
    let template = RequestTemplate::compile(&spec, table.columns()).unwrap();
    let mut lines = RequestLines::new(table, &template, &KeySpec::Index).unwrap();
    let mut out = Vec::new();
    let length = lines.next_line(&mut out).unwrap().unwrap().length;
    assert!(lines.next_line(&mut out).is_err());
    assert_eq!(out.len(), length);
}

#[test]
fn the_fingerprint_follows_the_spec() {
    let mut spec = RequestSpec::new("{{ a }}");
    insta::assert_snapshot!(String::from_utf8(spec.fingerprint()).unwrap());
    let before = spec.fingerprint();
    assert_eq!(RequestSpec::new("{{ a }}").fingerprint(), before);
    // The order of keys shows in the request lines, so it shows here.
    spec.generation_config = Some(json!({"a": 1, "b": 2}));
    let ab = spec.fingerprint();
    spec.generation_config = Some(json!({"b": 2, "a": 1}));
    assert_ne!(spec.fingerprint(), ab);
    assert_ne!(before, ab);
}

fn cell() -> impl Strategy<Value = String> {
    prop_oneof![".{0,12}", "[ -~\r\n\té日🏉\u{0}\u{2028}]{0,20}"]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn every_record_is_one_line_with_its_text(
        rows in proptest::collection::vec((cell(), cell(), cell()), 1..8),
        engine: bool,
    ) {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(["id", "body", "本文 1"]).unwrap();
        for (number, (id, body, other)) in rows.iter().enumerate() {
            writer.write_record([&format!("{id}{number}"), body, other]).unwrap();
        }
        let csv = String::from_utf8(writer.into_inner().unwrap()).unwrap();

        let mut spec = RequestSpec::new("« {{ body }} »\n{{ row['本文 1'] }}");
        if engine {
            spec.prompt.push_str("{% if false %}never{% endif %}");
        }
        spec.system = Some("{{ record.key }}".into());
        spec.columns.push("body".into());
        let out = lines(&csv, TableFormat::CSV, &spec, &KeySpec::Column("id".into()));

        prop_assert_eq!(out.matches('\n').count(), rows.len());
        for (number, (line, (id, body, other))) in out.split_terminator('\n').zip(&rows).enumerate() {
            let key = format!("{id}{number}");
            let expected = json!({
                "key": &key,
                "request": {
                    "contents": [{"role": "user", "parts": [{"text": format!("« {body} »\n{other}")}]}],
                    "systemInstruction": {"parts": [{"text": &key}]},
                },
                "body": body,
            });
            // Byte for byte what serde_json writes, key order included.
            prop_assert_eq!(line, expected.to_string());
        }
    }
}
