//! What templates can say, and what they make of a record.

use batch_io::{Record, Table, TableFormat, Template};

fn render(table: &str, format: TableFormat, source: &str) -> String {
    let mut table = Table::new(table.as_bytes(), "t", format).unwrap();
    let template = Template::compile("prompt template", source, table.columns()).unwrap();
    let mut record = Record::new();
    let mut out = String::new();
    while table.read(&mut record).unwrap() {
        template.render(&record, &format!("k{}", record.index()), &mut out).unwrap();
        out.push('|');
    }
    out
}

fn check_csv(source: &str, expected: &str) {
    let csv = "title,本文,本文 1,row,record\n<A>,あ,\"1\n\",R,C\nB,,2,r,c\n";
    assert_eq!(render(csv, TableFormat::CSV, source), expected, "{source}");
}

#[test]
fn columns_have_the_names_they_have() {
    check_csv("{{ title }}{{ 本文 }}", "<A>あ|B|");
    check_csv("{{ row[\"本文 1\"] }}{{ row.title }}", "1\n<A>|2B|");
    check_csv("{{ row['row'] }}{{ row.record }}", "RC|rc|");
    check_csv("{{ record.index }}:{{ record['key'] }}", "0:k0|1:k1|");
}

#[test]
fn text_stays_as_it_is() {
    check_csv("\n {x} \"'<&>\n", "\n {x} \"'<&>\n|\n {x} \"'<&>\n|");
    check_csv("\n {x} \"'<&>{{ title|lower }}\n", "\n {x} \"'<&><a>\n|\n {x} \"'<&>b\n|");
}

#[test]
fn logic_is_jinja() {
    check_csv("{% if 本文 %}{{ 本文 }}{% else %}-{% endif %}", "あ|-|");
    check_csv(
        "{% for name in row %}{{ name }}={{ row[name]|trim }};{% endfor %}",
        "title=<A>;本文=あ;本文 1=1;row=R;record=C;|title=B;本文=;本文 1=2;row=r;record=c;|",
    );
    check_csv("{% macro bold(text) %}*{{ text }}*{% endmacro %}{{ bold(title) }}", "*<A>*|*B*|");
    check_csv("{{ '%03d'|format(record.index) }}", "000|001|");
}

#[test]
fn a_variable_set_in_a_branch_is_known_behind_it() {
    check_csv("{% if 本文 %}{% set x = 'y' %}{% else %}{% set x = 'n' %}{% endif %}{{ x }}", "y|n|");
    check_csv("{%- set a, b = title, record.key -%} {{ a ~ b }}", "<A>k0|Bk1|");
}

#[test]
fn json_values_keep_their_types_in_expressions_and_their_text_in_print() {
    let jsonl = r#"{"n": 1.50, "i": 7, "big": 123456789012345678901234567890, "e": 1E3, "yes": true, "no": false, "nil": null, "list": ["a", {"b": 1.50, "c": null}], "o": {"k": [1,2]}}"#;
    let check = |source: &str, expected: &str| {
        assert_eq!(render(jsonl, TableFormat::Jsonl, source), format!("{expected}|"), "{source}");
    };
    check(
        "{{ n }} {{ i }} {{ big }} {{ e }} {{ yes }} {{ no }} {{ nil }}.",
        "1.50 7 123456789012345678901234567890 1E3 true false .",
    );
    // The same by the engine, as the filter has it do.
    check(
        "{{ n }} {{ i }} {{ big }} {{ e }} {{ yes }} {{ no }} {{ nil }}{{ '.'|upper }}",
        "1.50 7 123456789012345678901234567890 1E3 true false .",
    );
    check("{{ list }} {{ o }}", r#"["a",{"b":1.50,"c":null}] {"k":[1,2]}"#);
    check("{{ list }} {{ o }}{{ ''|upper }}", r#"["a",{"b":1.50,"c":null}] {"k":[1,2]}"#);
    check("{{ i + 1 }} {% if no %}wrong{% endif %}{% if not nil %}right{% endif %}", "8 right");
    check(
        "{% for item in list %}{{ loop.index }}{{ item }}{% endfor %} {{ list|length }}",
        r#"1a2{"b":1.50,"c":null} 2"#,
    );
    check(
        "{{ list[1].b }}{{ list[1].c }} {{ o.k[0] }} {{ o.k|sum }} {% for k in o %}{{ k }}{% endfor %}",
        "1.50 1 3 k",
    );
    check("{{ o|tojson }} {{ list[1].c is none }}", r#"{"k": [1, 2]} true"#);
}
