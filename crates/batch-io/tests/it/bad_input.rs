//! What is refused, in the words in which it is refused.

use std::io::{self, Read, Write};

use batch_io::{ErrorKind, FilePart, KeySpec, MimeType, RequestSpec, RequestTemplate, Role, Table, TableFormat, build};
use serde_json::json;

use crate::support::{Trickle, explain, read_all};

/// The errors of several cases, each under its name.
fn listing<'a>(cases: impl IntoIterator<Item = (&'a str, batch_io::Error)>) -> String {
    let mut text = String::new();
    for (name, error) in cases {
        text.push_str(&format!("[{name}] {:?}\n{}\n\n", error.kind(), explain(&error)));
    }
    text
}

fn table_error(bytes: &[u8], format: TableFormat) -> batch_io::Error {
    let error = read_all(bytes, format).unwrap_err();
    // However the bytes come in.
    let trickled = read_all(Trickle::new(bytes, 1), format).unwrap_err();
    assert_eq!(explain(&error), explain(&trickled));
    error
}

#[test]
fn tables() {
    let cases: [(&str, &[u8]); 17] = [
        ("empty file", b""),
        ("byte order mark alone", b"\xEF\xBB\xBF"),
        ("blank lines alone", b"\n\r\n\n"),
        ("empty name", b"a,,c\n1,2,3\n"),
        ("duplicate name", b"a,\"b\",b\n1,2,3\n"),
        ("too few fields", b"a,b,c\n1,2,3\n\n\"x\ny\",2\n"),
        ("too many fields", b"a,b\n1,2,3\n"),
        ("wrong delimiter", b"a;b\n1;2\n3,5;4\n"),
        ("not UTF-8", b"a,b\n1,2\n\"x\ny\",\"caf\xE9\"\n"),
        ("not UTF-8 in the header", b"a,\x8C\x8F\n"),
        ("character cut by a delimiter", b"a,b\n\xE6,\x97\xA5\n"),
        ("UTF-16", b"\xFF\xFEa\0,\0"),
        ("quote left open", b"a,b\n1,2\n3,\"x\n4,5\n"),
        ("text behind a quote", b"a,b\n1,\"x\" y\n"),
        ("backslash before a quote", b"a,b\n1,\"x \\\"y\\\"\"\n"),
        ("lone carriage return", b"a,b\r1,2\r"),
        ("unquoted carriage return", b"a,b\n1,x\ry\n"),
    ];
    insta::assert_snapshot!(listing(cases.map(|(name, bytes)| (name, table_error(bytes, TableFormat::CSV)))));
}

#[test]
fn json_tables() {
    let cases: [(&str, &[u8]); 12] = [
        ("empty file", b""),
        ("blank lines alone", b" \n\n"),
        ("an array of objects", b"[{\"a\":1}]\n"),
        ("pretty printed", b"{\n  \"a\": 1\n}\n"),
        ("no keys", b"{}\n"),
        ("key twice in the first", b"{\"a\":1,\"a\":2}\n"),
        ("empty key", b"{\"a\":1,\"\":2}\n"),
        ("key twice later", b"{\"a\":1}\n{\"a\":1,\"a\":2}\n"),
        ("a key that the first lacks", b"{\"a\":1}\n\n{\"a\":2,\"b\":3}\n"),
        ("cut line", b"{\"a\":1}\n{\"a\":\"x"),
        ("half a surrogate pair", b"{\"a\":\"x\"}\n{\"a\":\"\\ud83d\"}\n"),
        ("not UTF-8", b"{\"a\":1}\n{\"a\":\"\xFF\"}\n"),
    ];
    insta::assert_snapshot!(listing(cases.map(|(name, bytes)| (name, table_error(bytes, TableFormat::Jsonl)))));
}

/// What `build` says to a table and a spec.
fn build_error(table: &str, spec: &RequestSpec, key: &KeySpec) -> batch_io::Error {
    let format = if table.starts_with('{') { TableFormat::Jsonl } else { TableFormat::CSV };
    let table = Table::new(table.as_bytes(), "news.csv", format).unwrap();
    RequestTemplate::compile(spec, table.columns())
        .and_then(|template| build(table, &template, key, io::sink()))
        .unwrap_err()
}

#[test]
fn keys() {
    let spec = RequestSpec::new("{{ body }}");
    let column = |name: &str| KeySpec::Column(name.into());
    insta::assert_snapshot!(listing([
        ("no records", build_error("id,body\n\n", &spec, &KeySpec::Index)),
        ("unknown key column", build_error("id,body\n1,x\n", &spec, &column("Id"))),
        ("empty key", build_error("id,body\na,x\n,y\n", &spec, &column("id"))),
        ("duplicate key", build_error("id,body\na,\"x\ny\"\nb,y\na,z\n", &spec, &column("id"))),
    ]));
}

#[test]
fn templates() {
    let csv = "title,本文,本文 1\nx,y,z\n";
    let check = |name: &'static str, source: &str| (name, build_error(csv, &RequestSpec::new(source), &KeySpec::Index));
    insta::assert_snapshot!(listing([
        check("unknown column", "{{ titel }}"),
        check("unknown column far from all", "Text:\n\n{{ author }}\n"),
        check("unknown constant", "{{ row[\"本文 2\"] }}"),
        check("unknown attribute", "{% if row.Title %}x{% endif %}"),
        check("unknown in a branch that is never taken", "{% if false %}{{ autor }}{% endif %}"),
        check("unknown field of record", "{{ record.id }}"),
        check("name that is no identifier", "{{ 本文 1 }}"),
        check("not closed", "a\nb {{ title"),
        check("braces of another language", "{{title}, {x}}"),
        check("unknown filter", "{{ title|uper }}"),
        check("include", "x\n{%- include 'other' %}"),
        check("looked up by a value", "{{ row[title] }}"),
        check("wrong type", "{{ title + 1 }}"),
        check("endless", "{% for a in range(9999) %}{% for b in range(9999) %}{{ a }}{% endfor %}{% endfor %}"),
    ]));
}

#[test]
fn many_columns_are_not_all_named() {
    let header: Vec<String> = (0..300).map(|column| format!("c{column}")).collect();
    let csv = format!("{}\n", header.join(","));
    insta::assert_snapshot!(explain(&build_error(&csv, &RequestSpec::new("{{ body }}"), &KeySpec::Index)));
}

#[test]
fn settings() {
    let check = |name: &'static str, change: fn(&mut RequestSpec)| {
        let mut spec = RequestSpec::new("{{ body }}");
        change(&mut spec);
        (name, build_error("body,response,id\nx,y,z\n", &spec, &KeySpec::Index))
    };
    insta::assert_snapshot!(listing([
        check("label name", |spec| spec.labels.push(("Id".into(), "x".into()))),
        check("label twice", |spec| spec.labels = vec![("a".into(), "x".into()), ("a".into(), "y".into())]),
        check("label value", |spec| spec.labels.push(("id".into(), "Batch 1".into()))),
        check("label template", |spec| spec.labels.push(("id".into(), "{{ idd }}".into()))),
        check("too many labels", |spec| {
            spec.labels = (0..65).map(|number| (format!("l{number}"), String::new())).collect();
        }),
        check("system template", |spec| spec.system = Some("{{ }}".into())),
        check("turn template", |spec| spec.turns = vec![batch_io::Turn::new(Role::User, "{{ x.y }}")]),
        check("generation config", |spec| spec.generation_config = Some(json!("temperature"))),
        check("tools", |spec| spec.tools = Some(json!({"googleSearch": {"excludeDomains": []}}))),
        check("field with its own setting", |spec| _ = spec.fields.insert("system_instruction".into(), json!("x"))),
        check("reserved column", |spec| spec.columns.push("response".into())),
        check("column twice", |spec| spec.columns = vec!["id".into(), "id".into()]),
        check("unknown pass-through column", |spec| spec.columns.push("ID".into())),
        check("unknown file column", |spec| {
            spec.files.push(FilePart::new("uri", MimeType::Fixed("image/png".into())));
        }),
        ("role", "assistant".parse::<Role>().unwrap_err()),
        ("delimiter", read_all(&b"a"[..], TableFormat::Csv { delimiter: b'"' }).unwrap_err()),
    ]));
}

#[test]
fn files() {
    let check = |name: &'static str, record: &str| {
        let mut spec = RequestSpec::new("{{ body }}");
        spec.files.push(FilePart::new("uri", MimeType::Column("type".into())));
        let csv = format!("body,uri,type\nx,gs://b/o,image/png\n{record}\n");
        (name, build_error(&csv, &spec, &KeySpec::Index))
    };
    insta::assert_snapshot!(listing([
        check("empty URI", "y,,image/png"),
        check("scheme alone", "y,gs://,image/png"),
        check("local path", "y,./image.png,image/png"),
        check("plain http", "y,http://example.com/a.png,image/png"),
        check("no MIME type", "y,gs://b/p,"),
    ]));
}

/// Fails after its first bytes, as a disk does that is full or pulled out.
struct Broken<'a>(&'a [u8]);

impl Read for Broken<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self.0.read(out)? {
            0 => Err(io::Error::other("the disk is gone")),
            count => Ok(count),
        }
    }
}

impl Write for Broken<'_> {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::StorageFull.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn disks() {
    let reading = Table::new(Broken(b"a\n1\n"), "t.csv", TableFormat::CSV)
        .and_then(|mut table| {
            let mut record = batch_io::Record::new();
            while table.read(&mut record)? {}
            Ok(())
        })
        .unwrap_err();
    let table = Table::new(&b"a\n1\n"[..], "t.csv", TableFormat::CSV).unwrap();
    let template = RequestTemplate::compile(&RequestSpec::new("{{ a }}"), table.columns()).unwrap();
    let writing = build(table, &template, &KeySpec::Index, Broken(b"")).unwrap_err();
    assert!(reading.is_io() && writing.kind() == ErrorKind::Io);
    insta::assert_snapshot!(listing([("reading", reading), ("writing", writing)]));
}
