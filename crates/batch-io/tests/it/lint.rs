//! Lint: every rule finds what it says, and nothing else; what is sound is clean; nothing panics.

use std::collections::HashSet;
use std::fmt::Write as _;

use batch_io::{
    Finding, KeySpec, LintLimits, LintOptions, Linter, RULES, RequestSpec, RequestTemplate, RuleExample, Severity,
    Table, TableFormat, build, fix_line, rules_markdown,
};

pub(crate) fn lint_with(options: LintOptions, bytes: &[u8]) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut out = |finding| found.push(finding);
    let mut linter = Linter::new(options);
    linter.read("requests.jsonl", bytes, &mut out).unwrap();
    linter.finish(&mut out);
    found
}

pub(crate) fn lint(text: &str) -> Vec<Finding> {
    lint_with(LintOptions::default(), text.as_bytes())
}

fn names(found: &[Finding]) -> Vec<&str> {
    found.iter().map(|finding| finding.rule.name).collect()
}

fn lint_example(example: RuleExample) -> Vec<Finding> {
    let mut options = LintOptions::default().with_today("2026-11-21");
    if let Some(model) = example.model {
        options = options.with_model(model.parse().unwrap());
    }
    if let Some(location) = example.location {
        options = options.with_location(location.parse().unwrap());
    }
    lint_with(options, example.lines.as_bytes())
}

/// A finding as a person sees it.
fn show(finding: &Finding) -> String {
    let mut text = String::new();
    if let Some(place) = &finding.place {
        write!(text, "{place} (byte {}): ", place.byte).unwrap();
    }
    write!(text, "{} {} {}: {}", finding.severity, finding.rule.code, finding.rule.name, finding.message).unwrap();
    if !finding.pointer.is_empty() {
        write!(text, "\n  at {}", finding.pointer).unwrap();
    }
    write!(text, "\n  help: {}", finding.help).unwrap();
    if let Some(fix) = &finding.fix {
        write!(text, "\n  fix: {:?} -> {:?}", fix.range, fix.replacement).unwrap();
    }
    text
}

fn show_all(found: &[Finding]) -> String {
    found.iter().map(show).collect::<Vec<_>>().join("\n")
}

/// Mends line by line until nothing is left to mend.
pub(crate) fn mend(bytes: &[u8]) -> Vec<u8> {
    let mut text = bytes.to_vec();
    for _ in 0..32 {
        let found = lint_with(LintOptions::default(), &text);
        if found.iter().all(|finding| finding.fix.is_none()) {
            return text;
        }
        let mut mended = Vec::new();
        for (number, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let (line, end) = match line.split_last() {
                Some((b'\n', line)) => (line, &b"\n"[..]),
                _ => (line, &b""[..]),
            };
            let of_line: Vec<Finding> = found
                .iter()
                .filter(|finding| finding.place.as_ref().is_some_and(|place| place.line == number as u64 + 1))
                .cloned()
                .collect();
            mended.extend(fix_line(line, &of_line));
            mended.extend(end);
        }
        assert_ne!(mended, text, "a fix that changes nothing");
        text = mended;
    }
    panic!("fixes do not come to an end: {}", String::from_utf8_lossy(&text));
}

#[test]
fn codes_and_names_are_unique_and_in_order() {
    let codes: Vec<_> = RULES.iter().map(|rule| rule.code).collect();
    assert!(codes.is_sorted_by(|a, b| a < b), "{codes:?}");
    assert_eq!(RULES.iter().map(|rule| rule.name).collect::<HashSet<_>>().len(), RULES.len());
    for rule in RULES.iter() {
        assert!(!rule.summary.ends_with('.') && !rule.help.ends_with('.') && rule.why.ends_with('.'), "{}", rule.code);
    }
}

#[test]
fn every_rule_finds_its_example_and_nothing_else() {
    let mut shown = String::new();
    let mut without = Vec::new();
    for rule in RULES.iter() {
        if rule.bad.lines.is_empty() {
            without.push(rule.name);
            continue;
        }
        let found = lint_example(rule.bad);
        assert_eq!(names(&found), [rule.name], "{}:\n{}", rule.bad.lines, show_all(&found));
        assert_eq!(found[0].severity, rule.severity);
        writeln!(shown, "{}\n{}\n", rule.bad.lines.trim_end(), show(&found[0])).unwrap();
        let clean = lint_example(rule.good);
        assert!(clean.is_empty(), "{}:\n{}", rule.good.lines, show_all(&clean));
    }
    insta::assert_snapshot!(shown);
    // Each of these has a test of its own.
    assert_eq!(
        without,
        [
            "not-utf8",
            "line-too-long",
            "too-many-fields",
            "too-many-labels",
            "inline-too-large",
            "model-not-for-batch",
            "too-many-requests",
            "file-too-large",
            "no-lines",
        ],
    );
}

fn line(request: &str) -> String {
    format!(r#"{{"key":"r0","request":{{"contents":[{{"role":"user","parts":[{{"text":"Hi"}}]}}],{request}}}}}"#)
}

#[test]
fn case_spelling_and_place_of_unknown_fields() {
    let text = [
        r#""SystemInstruction":{"parts":[{"text":"Be brief."}]}"#,
        r#""generation_config":{"max_output_token":100,"safety_settings":[]}"#,
        r#""generationConfig":{"responseMimeType":"application/json","responseSchema":{"type":"object","properties":{"a":{"oneOf":[{"type":"string"}],"min_length":1,"maxLenght":2}}}}"#,
        r#""max_tokens":100,"日本語":[{"a":1}],"frobnicate":1"#,
        r#""tools":[{"functionDeclarations":[{"name":"f","parameter":{"type":"object"}}]}]"#,
    ]
    .map(line)
    .join("\n");
    let found = lint(&text.replace("r0", "r"));
    insta::assert_snapshot!(show_all(&found.into_iter().filter(|f| f.rule.code != "B302").collect::<Vec<_>>()));
}

#[test]
fn what_may_not_be_in_a_line_at_all() {
    let text = [
        "{\"key\":\"a\",\"request\":\"Hi\"}",
        "{\"key\":\"b\",\"request\":{}}",
        "{\"contents\":[{\"parts\":[{\"text\":\"日本語\"}]}]}",
        "{\"custom_id\":\"1\",\"method\":\"POST\",\"url\":\"/v1/chat/completions\",\"body\":{\"model\":\"m\"}}",
        "[{\"request\":{}}",
        "{\"日本\": \"\\ud83d\"}",
        "not json",
    ]
    .join("\n");
    insta::assert_snapshot!(show_all(&lint(&text)));
    let found = lint_with(LintOptions::default(), b"{\"key\":\"\xe6\x97\xa5\xff\"}\n{\"key\":\"a\",");
    assert_eq!(names(&found), ["not-utf8", "not-json"]);
    let place = found[0].place.as_ref().unwrap();
    assert_eq!((place.line, place.column, place.byte), (1, 10, 11));
    assert_eq!(names(&lint("")), ["no-lines"]);
    assert_eq!(names(&lint("\n")), ["blank-line", "no-lines"]);
}

#[test]
fn what_all_lines_together_do_not_fit() {
    let request =
        |text: &str, more: &str| format!(r#""request":{{"contents":[{{"parts":[{{"text":"{text}"}}]}}]{more}}}"#);
    let lines = [
        format!(r#"{{"key":"1","n":1,{}}}"#, request("7", r#","labels":{"id":"7"}"#)),
        format!(r#"{{"key":"2","n":"1","flag":"true",{}}}"#, request("8", r#","labels":{"id":"8"}"#)),
        format!(r#"{{"n":"one","flag":"yes",{}}}"#, request("9", r#","labels":{"id":"9"}"#)),
        format!(r#"{{"key":"2","n":null,{}}}"#, request("10", r#","labels":{"id":"x"}"#)),
    ];
    insta::assert_snapshot!(show_all(&lint(&lines.join("\n"))));
    // One text that is none is enough.
    let found = lint(&format!("{}\n{{\"key\":\"a\",{}}}", lines[0], request("eleven", r#","labels":{"id":"n7"}"#)));
    assert!(found.is_empty(), "{}", show_all(&found));
}

#[test]
fn files_of_one_job_are_held_together() {
    let mut found = Vec::new();
    let mut out = |finding| found.push(finding);
    let mut linter = Linter::new(LintOptions::default());
    linter.read("a.jsonl", line(r#""labels":{"a":"x"}"#).as_bytes(), &mut out).unwrap();
    linter.read("b.jsonl", line(r#""labels":"none""#).as_bytes(), &mut out).unwrap();
    linter.finish(&mut out);
    let shown: Vec<_> = found.iter().map(|f| format!("{}: {}", f.place.as_ref().unwrap(), f.message)).collect();
    assert_eq!(
        shown,
        [
            "b.jsonl:1:8: the key \"r0\" stands in a.jsonl, line 1 as well",
            "b.jsonl:1:86: the string \"none\" where an object is due",
            "b.jsonl:1:86: a string here, and an object at a.jsonl:1:86",
        ],
    );
}

#[test]
fn limits_of_lines_files_and_jobs() {
    let one = r#"{"key":"r0","request":{"contents":[{"role":"user","parts":[{"text":"Hi"}]}]}}"#;
    let lines = ["r0", "r1", "r2"].map(|key| one.replace("r0", key)).join("\n") + "\n";
    let length = one.len() as u64;
    let with = |set: fn(&mut LintLimits, u64)| {
        let mut limits = LintLimits::default();
        set(&mut limits, length);
        let found = lint_with(LintOptions::default().with_limits(limits), lines.as_bytes());
        found.iter().map(|f| format!("{} {}", f.rule.name, f.place.as_ref().unwrap().line)).collect::<Vec<_>>()
    };
    assert_eq!(with(|limits, _| limits.requests = Some(2)), ["too-many-requests 3"]);
    assert_eq!(with(|limits, length| limits.file_bytes = length), ["file-too-large 2"]);
    assert_eq!(with(|limits, length| limits.file_bytes = 3 * length + 2), Vec::<String>::new());
    assert_eq!(with(|limits, length| limits.line_bytes = length), Vec::<String>::new());
    assert_eq!(
        with(|limits, length| limits.line_bytes = length - 2),
        ["line-too-long 1", "line-too-long 2", "line-too-long 3"],
    );
    assert_eq!(with(|limits, _| limits.fields = 3), Vec::<String>::new());
    assert_eq!(with(|limits, _| limits.fields = 2), ["too-many-fields 1"]);
    let inline = one.replace(r#""text":"Hi""#, r#""inlineData":{"mimeType":"image/png","data":"AAAAAAAA"}"#);
    let mut limits = LintLimits::default();
    limits.inline_bytes = 5;
    assert_eq!(names(&lint_with(LintOptions::default().with_limits(limits), inline.as_bytes())), ["inline-too-large"]);
    let labels: Vec<_> = (0..65).map(|n| format!(r#""l{n}":"v""#)).collect();
    assert_eq!(names(&lint(&line(&format!(r#""labels":{{{}}}"#, labels.join(","))))), ["too-many-labels"]);
    assert_eq!(names(&lint(&line(&format!(r#""labels":{{{}}}"#, labels[1..].join(","))))), [""; 0]);
}

/// What nobody writes by hand, and a generator gone wild does: it ends, and says what it left out.
#[test]
fn lines_of_monstrous_shape_are_looked_at() {
    let parts = vec![r#"{"text":""}"#; 5_000].join(",");
    let found = lint(&format!(r#"{{"key":"日本","request":{{"contents":[{{"parts":[{parts}]}}]}}}}"#));
    assert_eq!(found.len(), 1_000);
    let place = found[0].place.as_ref().unwrap();
    assert_eq!((place.column, place.byte), (54, 57));
    assert_eq!(found[999].message, "a text of no characters; 4000 more findings of this line are not listed");
    let name = "n".repeat(1_000_000);
    let found = lint(&line(&format!(r#""{name}":1,"labels":{{"{name}":"x","b":"{name}"}}"#)));
    assert_eq!(names(&found), ["odd-name", "unknown-field", "odd-name", "label-key", "label-value"]);
    assert!(found.iter().all(|finding| finding.message.len() < 200));
    // As deep as is read at all: each property is two objects.
    let deep = |levels: usize| {
        let open = r#"{"type":"OBJECT","properties":{"a":"#.repeat(levels);
        let schema = format!(r#"{open}{{"type":"STRING"}}{}"#, "}}".repeat(levels));
        let config = format!(r#""responseMimeType":"application/json","responseSchema":{schema}"#);
        lint(&line(&format!(r#""generationConfig":{{{config}}}"#)))
    };
    assert_eq!(names(&deep(5)), [""; 0]);
    assert_eq!(names(&deep(48)), ["too-deep"]);
    assert_eq!(names(&deep(50)), ["not-json"]);
}

#[test]
fn both_spellings_and_what_the_service_takes_are_clean() {
    for request in [
        r#""system_instruction":{"parts":{"text":"One part, and no list."}},"generation_config":{"max_output_tokens":"100","response_mime_type":"application/json","response_schema":{"type":"string","enum":["a"]}}"#,
        r#""generationConfig":{"topK":64.0,"responseMimeType":"application/json","responseSchema":{"type":"OBJECT","properties":{"n":{"type":"integer","minimum":"0"}}}}"#,
        r#""tools":[{"google_search":{"timeRangeFilter":null}}],"safetySettings":{"category":3,"threshold":"off"}"#,
        r#""labels":{"team":"検索","empty":""},"systemInstruction":null"#,
    ] {
        let found = lint(&line(request));
        assert!(found.is_empty(), "{request}\n{}", show_all(&found));
    }
}

fn fixture(name: &str) -> String {
    let path = format!("{}/../../fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn the_lines_of_every_fixture_spec_are_clean() {
    for (name, records) in [("article", 10), ("extract", 0), ("packages", 900)] {
        let spec: serde_json::Value = toml::from_str(&fixture(&format!("{name}/batch.toml"))).unwrap();
        let request = &spec["request"];
        let mut made = RequestSpec::new(request["prompt"].as_str().unwrap());
        made.system = request["system"].as_str().map(str::to_owned);
        made.generation_config = Some(request["generationConfig"].clone());
        for (label, template) in request["labels"].as_object().into_iter().flatten() {
            made.labels.push((label.clone(), template.as_str().unwrap().to_owned()));
        }
        let key = spec["input"]["key"].as_str().map_or(KeySpec::Index, |column| KeySpec::Column(column.to_owned()));
        let csv = fixture(&format!("{name}/{}", spec["input"]["path"].as_str().unwrap()));
        let table = Table::new(csv.as_bytes(), "table", TableFormat::CSV).unwrap();
        let template = RequestTemplate::compile(&made, table.columns()).unwrap();
        let mut lines = Vec::new();
        let summary = build(table, &template, &key, &mut lines).unwrap();
        assert!(summary.records >= records.max(1), "{name}: {} records", summary.records);
        let model = request["model"].as_str().unwrap().parse().unwrap();
        // A day on which the model of the fixtures is surely served.
        let found = lint_with(LintOptions::default().with_model(model).with_today("2026-10-01"), &lines);
        assert!(found.is_empty(), "{name}:\n{}", show_all(&found));
    }
}

/// Requests that the service takes, in the spellings and liberties that it allows.
#[test]
fn sound_fixtures_of_requests_are_clean() {
    for name in ["categories", "functions", "mixed-case", "snake-case"] {
        let request: serde_json::Value = serde_json::from_str(&fixture(&format!("requests/{name}.json"))).unwrap();
        let line = serde_json::json!({"key": "r0", "request": request}).to_string();
        let found = lint(&line);
        assert!(found.is_empty(), "{name}:\n{}", show_all(&found));
    }
}

/// Every member that the API has is known here: nothing is called unknown but what is.
#[test]
fn every_member_of_the_api_is_known() {
    let line = format!("{{\"key\":\"r0\",\"request\":{}}}", fixture("requests/every-member.json").replace('\n', " "));
    let found = lint(&line);
    let unknown: Vec<_> = found
        .iter()
        .filter(|f| {
            ["unknown-field", "unknown-value", "schema-keyword", "wrong-type", "not-json"].contains(&f.rule.name)
        })
        .map(show)
        .collect();
    assert!(unknown.is_empty(), "{}", unknown.join("\n"));
}

#[test]
fn a_line_of_an_earlier_jobs_output_is_clean() {
    let text = r#"{"key":"r0","request":{"contents":[{"parts":[{"fileData":null,"text":"Hi"}],"role":"user"}]},"status":"","response":{},"processed_time":"2025-12-19T07:32:47.279859+00:00"}"#;
    assert!(lint(text).is_empty(), "{}", show_all(&lint(text)));
}

#[test]
fn another_publishers_lines_are_held_to_what_every_line_must_be() {
    let of = |model: &str, text: &str| {
        let found = lint_with(LintOptions::default().with_model(model.parse().unwrap()), text.as_bytes());
        found.iter().map(|finding| finding.rule.name).collect::<Vec<_>>()
    };
    let claude = r#"{"key":"r0","request":{"messages":[{"role":"user","content":"Hi"}],"max_tokens":100}}"#;
    assert_eq!(of("anthropic/claude-opus-5", claude), [""; 0]);
    assert_eq!(of("gemini-embedding-001", r#"{"key":"r0","request":{"content":{"parts":[{"text":"Hi"}]}}}"#), [""; 0]);
    assert_eq!(of("text-embedding-005", r#"{"content":"Hi"}"#), [""; 0]);
    assert_eq!(of("anthropic/claude-opus-5", &claude.replace("\"Hi\"", "{}")), ["empty-object"]);
}

#[test]
fn models_and_locations() {
    let job = |model: &str, location: &str, today: &str| {
        let options = LintOptions::default()
            .with_model(model.parse().unwrap())
            .with_location(location.parse().unwrap())
            .with_today(today);
        let text = line(r#""labels":{"a":"x"}"#);
        show_all(&lint_with(options, text.as_bytes()))
    };
    insta::assert_snapshot!(
        [
            ("gemini-2.0-flash-001", "us-central1", "2026-11-21"),
            ("gemini-2.5-flash", "us-central1", "2026-11-21"),
            ("gemini-3-flash-preview", "europe-west1", "2026-11-21"),
            ("gemini-3.8-flahs", "global", "2026-11-21"),
            ("projects/1/locations/global/models/7", "global", "2026-11-21"),
        ]
        .map(|(model, location, today)| job(model, location, today))
        .join("\n\n")
    );
    assert_eq!(job("gemini-2.5-flash", "us-central1", "2026-01-01"), "");
    assert_eq!(job("gemini-2.0-flash", "us-central1", "2026-05-31"), "");
    assert_eq!(job("projects/1/locations/us-central1/models/7", "us-central1", "2026-11-21"), "");
}

#[test]
fn thinking_against_the_output_limit_and_the_model() {
    let of = |model: &str, config: &str| {
        let text = line(&format!(r#""generationConfig":{{{config}}}"#));
        let options = LintOptions::default().with_model(model.parse().unwrap()).with_today("2026-10-01");
        lint_with(options, text.as_bytes()).iter().map(|f| f.message.clone()).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(
        of("gemini-2.5-pro", r#""maxOutputTokens":10"#),
        "this model thinks unless told otherwise, in an answer of 10 tokens",
    );
    assert_eq!(
        of("gemini-2.5-flash", r#""maxOutputTokens":10,"thinkingConfig":{"thinkingBudget":-1}"#),
        "thoughts without a limit in an answer of 10 tokens",
    );
    assert_eq!(of("gemini-2.5-flash", r#""maxOutputTokens":10,"thinkingConfig":{"thinkingBudget":0}"#), "");
    assert_eq!(of("gemini-2.5-flash-lite", r#""maxOutputTokens":10"#), "");
    assert_eq!(
        of("gemini-3.8-flash", r#""thinkingConfig":{"thinking_budget":0}"#),
        "gemini-3.8-flash has no thinking_budget"
    );
    assert_eq!(
        of("gemini-2.5-pro", r#""thinkingConfig":{"thinkingLevel":"LOW"}"#),
        "gemini-2.5-pro has no thinkingLevel"
    );
}

#[test]
fn fixes_mend_what_they_say() {
    let bad = [
        "\u{feff}{\"contents\":[{\"role\":\"User\",\"parts\":[{\"text\":\"日本語\"}]}],\"generationConfig\":{\"responseschema\":{\"type\":\"STRING\"}}}\r\n".to_owned(),
        line(r#""model":"gemini-2.5-pro","labels":{},"tools":[{"googleSearch":{}}]"#) + "\n",
        line(r#""labels":{"a":"x"},"model":"gemini-2.5-pro""#).replace(r#"{"text":"Hi"}"#, r#"{"inlineData":{"mimeType":"image/png","data":"data:image/png;base64,AAAA"}}"#),
    ]
    .concat();
    insta::assert_snapshot!(String::from_utf8(mend(bad.as_bytes())).unwrap());
    // Every rule that says it has fixes has one in its example, and no other has.
    for rule in RULES.iter() {
        let has = lint_example(rule.bad).iter().any(|finding| finding.fix.is_some());
        let elsewhere = ["no-request", "unknown-field"].contains(&rule.name);
        assert!(has == rule.fixed || elsewhere, "{}", rule.name);
    }
    assert_eq!(
        mend(br#"{"contents":[{"parts":[{"text":"Hi"}]}]}"#),
        br#"{"request":{"contents":[{"parts":[{"text":"Hi"}]}]}}"#
    );
}

#[test]
fn the_page_of_rules_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/lint-rules.md");
    let written = std::fs::read_to_string(path).unwrap();
    assert!(written == rules_markdown(), "write the result of rules_markdown() to docs/reference/lint-rules.md");
}

#[test]
fn the_file_with_one_of_each_fault_has_them_all() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/lint/one-of-each.jsonl");
    let bytes = std::fs::read(path).unwrap();
    let found = lint_with(LintOptions::default(), &bytes);
    let rules: HashSet<_> = found.iter().map(|finding| finding.rule.name).collect();
    let absent: Vec<_> = RULES.iter().filter(|rule| !rules.contains(rule.name)).map(|rule| rule.name).collect();
    // These need a job or a size, or cannot stand beside the others in one file.
    insta::assert_snapshot!(absent.join("\n"));
    assert!(found.iter().any(|finding| finding.severity == Severity::Error));
    insta::assert_snapshot!(show_all(&found));
}
