//! `batch-cli lint`, `show` and `models`.

use insta::assert_snapshot;
use serde_json::Value;

use crate::context::{Context, fixture, settings};

const BAD: &str = concat!(
    r#"{"key":"a","request":{"contents":[{"role":"assistant","parts":[{"text":"Hi"}]}]}}"#,
    "\n",
    r#"{"key":"a","request":{"contents":[{"role":"user","parts":[{"text":""}]}],"tools":[{"googleSearch":{}}]}}"#,
    "\n",
);

#[test]
fn findings_for_people_for_programs_and_for_code_hosts() {
    let context = Context::new();
    context.write("bad.jsonl", BAD);
    settings().bind(|| {
        assert_snapshot!("lint_text", context.run(&["lint", "bad.jsonl"]).expect(1).show());
        assert_snapshot!("lint_json", context.run(&["lint", "bad.jsonl", "--format", "json"]).expect(1).stdout);
    });
    let sarif: Value =
        serde_json::from_str(&context.run(&["lint", "bad.jsonl", "--format", "sarif"]).expect(1).stdout).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    let result = &sarif["runs"][0]["results"][0];
    let rules = sarif["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap();
    assert!(rules.iter().any(|rule| rule["id"] == result["ruleId"]), "a result of no rule");
    assert_eq!(result["locations"][0]["physicalLocation"]["region"]["startLine"], 1);
}

#[test]
fn one_of_each_fault_is_found() {
    let context = Context::new();
    let file = fixture("lint/one-of-each.jsonl").display().to_string();
    let found: Value =
        serde_json::from_str(&context.run(&["lint", &file, "--format", "json"]).expect(1).stdout).unwrap();
    let mut codes: Vec<&str> =
        found["findings"].as_array().unwrap().iter().map(|finding| finding["code"].as_str().unwrap()).collect();
    codes.sort_unstable();
    codes.dedup();
    assert!(45 <= codes.len(), "{} rules: {codes:?}", codes.len());
}

#[test]
fn what_can_be_mended_is_mended_in_place() {
    let context = Context::new();
    context.write("bad.jsonl", BAD);
    let ran = context.run(&["lint", "bad.jsonl", "--fix"]).expect(1);
    let mended = context.read("bad.jsonl");
    assert!(mended.contains(r#""role":"model""#), "{mended}");
    assert!(mended.contains(r#"{"googleSearch":{"excludeDomains":[]}}"#), "{mended}");
    assert!(ran.stderr.contains("mended 2 lines of bad.jsonl"), "{}", ran.stderr);
    assert_eq!(context.list("."), ["bad.jsonl"]);
}

#[test]
fn a_spec_is_linted_by_the_lines_it_would_send() {
    let context = Context::new();
    context.write("in.csv", "text\n\" \"\nok\n");
    context.write(
        "batch.toml",
        "version = 1\n[input]\npath = 'in.csv'\n[request]\nmodel = 'gemini-3.5-flash'\nprompt = '{{ text }}'\n",
    );
    let ran = context.run(&["lint", "batch.toml"]).expect(0);
    settings().bind(|| assert_snapshot!("lint_spec", ran.show()));
    context.run(&["lint", "batch.toml", "--deny-warnings"]).expect(1);
}

#[test]
fn one_record_from_its_request_to_its_answer() {
    let context = Context::new();
    context.write("in.csv", "text\n東京\nb\n");
    context.write("batch.toml", "version = 1\n[input]\npath = 'in.csv'\n[request]\nmodel = 'gemini-2.5-flash'\nprompt = '{{ text }}'\n[request.generationConfig]\nresponseMimeType = 'application/json'\nresponseSchema = { type = 'STRING', enum = ['yes', 'no'] }\n");
    context
        .run(&["run", "batch.toml", "--local", "--run-dir", "run", "--progress", "none", "--set", "poll.first=0.05"])
        .expect(0);
    let ran = context.run(&["show", "run", "--key", "r0"]).expect(0);
    settings().bind(|| {
        assert_snapshot!(
            "show_text",
            ran.stdout.lines().filter(|line| !line.starts_with("  response")).collect::<Vec<_>>().join("\n")
        );
        assert_snapshot!("show_no_such_key", context.run(&["show", "run", "--key", "r9"]).expect(2).stderr);
    });
    let json: Value =
        serde_json::from_str(&context.run(&["show", "run", "--key", "r0", "--format", "json"]).expect(0).stdout)
            .unwrap();
    assert_eq!(json["predictions"][0]["outcome"], "answered");
    assert_eq!(json["request_line"]["request"]["contents"][0]["parts"][0]["text"], "東京");
}

#[test]
fn models_are_data_with_a_date() {
    let context = Context::new();
    let list: Value = serde_json::from_str(&context.run(&["models", "--format", "json"]).expect(0).stdout).unwrap();
    assert_eq!(list["version"], 1);
    assert!(list["models"]["as_of"].as_str().unwrap().starts_with("20"));
    let text = context.run(&["models"]).expect(0).stdout;
    assert!(text.contains("gemini-2.5-flash ") && text.contains("as of"), "{text}");
}
