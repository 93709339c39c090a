//! What the answerers say.

use std::collections::BTreeSet;
use std::fs;

use batch_emulator::{Answer, JobsConfig, RecordingAbout, condense};
use serde_json::{Value, json};

use super::{Service, answer, line, parse, row_error, with_key};

/// The answers to so many requests that differ in their text, by number.
async fn answers(config: &Value, count: usize) -> Vec<String> {
    let service = Service::start(JobsConfig { shuffle: false, ..JobsConfig::default() }).await;
    let rows: Vec<_> = (0..count)
        .map(|i| {
            let mut row = line(&format!("r{i}"), &format!("text {i}"));
            row["request"]["generationConfig"] = config.clone();
            row
        })
        .collect();
    let (_, lines) = service.run(&rows).await;
    lines.iter().map(|line| answer(&parse(line)).to_owned()).collect()
}

fn json_mode(schema: &Value) -> Value {
    json!({ "responseMimeType": "application/json", "responseSchema": schema })
}

#[tokio::test]
async fn an_enum_is_answered_with_each_of_its_values() {
    let values: BTreeSet<String> = ["sport", "tech", "business"].map(str::to_owned).into();
    for (config, bare) in [
        (json_mode(&json!({ "type": "string", "enum": values })), false),
        (json_mode(&json!({ "type": "STRING", "enum": values })), false),
        (json!({ "response_mime_type": "application/json", "response_json_schema": { "enum": values } }), false),
        (json!({ "responseMimeType": "text/x.enum", "responseSchema": { "type": "STRING", "enum": values } }), true),
        (
            json!({ "responseFormat": [{ "text": { "mimeType": "APPLICATION_JSON", "schema": { "enum": values } } }] }),
            false,
        ),
    ] {
        let answers = answers(&config, 60).await;
        let found: BTreeSet<String> = answers
            .iter()
            .map(|answer| match bare {
                true => answer.clone(),
                // A string answer is the text of a JSON string.
                false => serde_json::from_str(answer).unwrap(),
            })
            .collect();
        assert_eq!(found, values, "{config}");
    }
}

#[tokio::test]
async fn objects_obey_their_schema() {
    let config = json_mode(&json!({
        "type": "OBJECT",
        "required": ["name", "tags", "score", "count", "when", "code"],
        "propertyOrdering": ["when", "name"],
        "properties": {
            "name": { "type": "STRING", "minLength": "12", "maxLength": 14 },
            "tags": { "type": "ARRAY", "minItems": 2, "maxItems": "3", "items": { "type": "STRING", "enum": ["a", "b"] } },
            "score": { "type": "NUMBER", "minimum": 0.25, "maximum": 0.5 },
            "count": { "type": "INTEGER", "minimum": -3, "maximum": 3 },
            "when": { "type": "STRING", "format": "date-time" },
            "code": { "type": "STRING", "pattern": "^[A-Z]{3}-\\d{2}$" },
            "maybe": { "type": "BOOLEAN", "nullable": true },
            "nested": { "type": "OBJECT", "properties": { "flag": { "type": "BOOLEAN" } }, "required": ["flag"] },
        },
    }));
    let answers = answers(&config, 80).await;
    let mut seen = BTreeSet::new();
    for text in &answers {
        let value = parse(text);
        let object = value.as_object().unwrap();
        assert!(text.starts_with("{\"when\":\"20"), "{text}");
        let order: Vec<_> = object.keys().take(2).collect();
        assert_eq!(order, ["when", "name"], "{text}");
        let length = object["name"].as_str().unwrap().chars().count();
        assert!((12..=14).contains(&length), "{text}");
        let tags = object["tags"].as_array().unwrap();
        assert!((2..=3).contains(&tags.len()), "{text}");
        assert!(tags.iter().all(|tag| tag == "a" || tag == "b"), "{text}");
        let score = object["score"].as_f64().unwrap();
        assert!((0.25..=0.5).contains(&score), "{text}");
        let count = object["count"].as_i64().unwrap();
        assert!((-3..=3).contains(&count), "{text}");
        let code = object["code"].as_str().unwrap();
        assert!(code.len() == 6 && code.as_bytes()[3] == b'-', "{text}");
        if let Some(maybe) = object.get("maybe") {
            assert!(maybe.is_boolean() || maybe.is_null(), "{text}");
        }
        if let Some(nested) = object.get("nested") {
            assert!(nested["flag"].is_boolean(), "{text}");
        }
        seen.extend(object.keys().cloned());
    }
    assert!(seen.contains("maybe") && seen.contains("nested"));
    assert!(answers.iter().any(|text| !text.contains("maybe")), "what is optional is missing at times");
}

#[tokio::test]
async fn json_schema_words_are_understood() {
    for (schema, fits) in [
        (json!({ "const": { "a": 1 } }), (|v| *v == json!({ "a": 1 })) as fn(&Value) -> bool),
        (json!({ "type": ["integer", "null"], "exclusiveMinimum": 0, "exclusiveMaximum": 3 }), |v| {
            v.is_null() || (1..=2).contains(&v.as_i64().unwrap())
        }),
        (json!({ "type": "integer", "multipleOf": 5, "minimum": 11, "maximum": 21 }), |v| {
            [15, 20].contains(&v.as_i64().unwrap())
        }),
        (json!({ "anyOf": [{ "type": "boolean" }, { "type": "string", "format": "uuid" }] }), |v| {
            v.is_boolean() || v.as_str().unwrap().len() == 36
        }),
        (
            json!({ "allOf": [{ "properties": { "a": { "type": "integer" } }, "required": ["a"] }, { "properties": { "b": { "type": "null" } }, "required": ["b"] }] }),
            |v| v["a"].is_i64() && v["b"].is_null() && v.as_object().unwrap().len() == 2,
        ),
        (
            json!({ "prefixItems": [{ "type": "integer" }, { "type": "boolean" }], "items": false, "type": "array" }),
            |v| v[0].is_i64() && v[1].is_boolean() && v.as_array().unwrap().len() == 2,
        ),
        (
            json!({ "type": "array", "uniqueItems": true, "minItems": 3, "maxItems": 3, "items": { "enum": [1, 2, 3] } }),
            |v| {
                let set: BTreeSet<_> = v.as_array().unwrap().iter().map(|v| v.as_i64()).collect();
                set.len() == 3
            },
        ),
        (json!({ "type": "object", "additionalProperties": { "type": "integer" }, "minProperties": 2 }), |v| {
            v.as_object().unwrap().len() == 2 && v.as_object().unwrap().values().all(Value::is_i64)
        }),
        (
            json!({ "$ref": "#/$defs/node", "$defs": { "node": { "type": "object", "required": ["v", "next"],
                "properties": { "v": { "type": "integer" }, "next": { "anyOf": [{ "type": "null" }, { "$ref": "#/$defs/node" }] } } } } }),
            |v| v["v"].is_i64() && v.get("next").is_some(),
        ),
        // Nothing ends this but the emulator.
        (json!({ "type": "array", "minItems": 2, "items": { "$ref": "#" } }), Value::is_array),
    ] {
        let config = json!({ "responseMimeType": "application/json", "responseJsonSchema": schema });
        for text in answers(&config, 20).await {
            assert!(fits(&parse(&text)), "{schema}: {text}");
        }
    }
}

#[tokio::test]
async fn answers_depend_on_the_request_and_on_nothing_else() {
    let service = Service::start(JobsConfig::default()).await;
    let mut same = line("b", "x");
    same["request"]["labels"] = json!({ "id": "n1" });
    let (_, lines) = service.run(&[line("a", "x"), same, line("c", "y")]).await;
    let lines: Vec<_> = lines.iter().map(|line| parse(line)).collect();
    let [a, b, c] = ["a", "b", "c"].map(|key| with_key(&lines, key));
    assert_eq!(answer(a), answer(b));
    assert_ne!(answer(a), answer(c));
    let id = |line: &Value| line["response"]["responseId"].as_str().unwrap().to_owned();
    assert_ne!(id(a), id(b));
    assert_eq!(id(a).len(), 23);
    let other = Service::start(JobsConfig::default()).await;
    let (_, lines) = other.run(&[line("a", "x")]).await;
    assert_eq!(answer(&parse(&lines[0])), answer(a));
}

#[tokio::test]
async fn limits_end_an_answer() {
    let service = Service::start(JobsConfig { shuffle: false, ..JobsConfig::default() }).await;
    let mut short = line("a", "x");
    short["request"]["generationConfig"] = json!({ "maxOutputTokens": 3 });
    let mut stopped = line("b", "x");
    stopped["request"]["generationConfig"] = json!({ "stopSequences": [".", "e"] });
    let mut three = line("c", "x");
    three["request"]["generationConfig"] = json!({ "candidateCount": 3 });
    let (_, lines) = service.run(&[short, stopped, three]).await;
    let lines: Vec<_> = lines.iter().map(|line| parse(line)).collect();
    assert_eq!(lines[0]["response"]["candidates"][0]["finishReason"], "MAX_TOKENS");
    assert_eq!(answer(&lines[0]).len(), 12);
    assert_eq!(lines[0]["response"]["usageMetadata"]["candidatesTokenCount"], 3);
    assert_eq!(lines[1]["response"]["candidates"][0]["finishReason"], "STOP");
    assert!(!answer(&lines[1]).contains(['.', 'e']));
    let candidates = lines[2]["response"]["candidates"].as_array().unwrap();
    assert_eq!(candidates.len(), 3);
    assert!(candidates[0].get("index").is_none());
    assert_eq!(candidates[2]["index"], 2);
}

#[tokio::test]
async fn a_function_that_must_be_called_is() {
    let service = Service::start(JobsConfig::default()).await;
    let mut row = line("a", "x");
    row["request"]["tools"] = json!([{ "functionDeclarations": [
        { "name": "look", "parameters": { "type": "OBJECT", "required": ["at"], "properties": { "at": { "type": "INTEGER" } } } },
        { "name": "leap", "description": "no" },
    ] }]);
    row["request"]["toolConfig"] =
        json!({ "functionCallingConfig": { "mode": "ANY", "allowedFunctionNames": ["look"] } });
    let (_, lines) = service.run(&[row]).await;
    let line = parse(&lines[0]);
    let call = &line["response"]["candidates"][0]["content"]["parts"][0]["functionCall"];
    assert_eq!(call["name"], "look");
    assert!(call["args"]["at"].is_i64(), "{line:#}");
}

#[tokio::test]
async fn thinking_is_counted_and_shown_where_asked() {
    let service = Service::start(JobsConfig { shuffle: false, ..JobsConfig::default() }).await;
    let with = |key: &str, thinking: Value| {
        let mut row = line(key, "x");
        row["request"]["generationConfig"] = json!({ "thinkingConfig": thinking });
        row
    };
    let rows = [
        with("a", json!({ "thinkingBudget": 50, "includeThoughts": true })),
        with("b", json!({ "thinking_budget": 0 })),
    ];
    let (_, lines) = service.run(&rows).await;
    let lines: Vec<_> = lines.iter().map(|line| parse(line)).collect();
    let usage = &lines[0]["response"]["usageMetadata"];
    let count = |name: &str| usage[name].as_u64().unwrap();
    assert!((1..=50).contains(&count("thoughtsTokenCount")));
    assert_eq!(
        count("totalTokenCount"),
        count("promptTokenCount") + count("candidatesTokenCount") + count("thoughtsTokenCount")
    );
    let parts = &lines[0]["response"]["candidates"][0]["content"]["parts"];
    assert_eq!(parts[0]["thought"], true);
    assert!(lines[1]["response"]["usageMetadata"].get("thoughtsTokenCount").is_none());
}

#[tokio::test]
async fn a_recording_answers_what_it_heard() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("recorded.jsonl");
    let recorded = [
        // As the service echoes it: sorted, with nulls; a first try that failed.
        r#"{"status":"Too Many Requests: {}","request":{"contents":[{"parts":[{"fileData":null,"text":"x"}],"role":"user"}]},"response":{}}"#,
        r#"{"key":"old","request":{"contents":[{"parts":[{"fileData":null,"text":"x"}],"role":"user"}],"labels":{"id":"n9"}},"response":{"candidates":[ {"content":{"parts":[{"text":"recorded"}]}}]}}"#,
        "",
        r#"{"request":{"contents":[{"parts":[{"text":"bad"}],"role":"user"}]},"status":"Bad Request: {\"error\": {\"code\": 400, \"message\": \"m\", \"status\": \"INVALID_ARGUMENT\"}}","response":{}}"#,
    ];
    fs::write(&file, recorded.join("\r\n")).unwrap();
    let service = Service::start(JobsConfig { answer: Answer::Replay(file.clone()), ..JobsConfig::default() }).await;
    let mut labelled = line("new", "x");
    labelled["request"]["labels"] = json!({ "id": "n1" });
    let (job, lines) = service.run(&[labelled, line("bad", "bad"), line("unknown", "y")]).await;
    assert_eq!(job["completionStats"], json!({ "successfulCount": "1", "failedCount": "2" }));
    assert!(
        lines.iter().any(|line| line.contains(r#""response":{"candidates":[ {"content""#)),
        "a response is passed on as it is: {lines:?}"
    );
    let lines: Vec<_> = lines.iter().map(|line| parse(line)).collect();
    assert_eq!(answer(with_key(&lines, "new")), "recorded");
    assert_eq!(row_error(with_key(&lines, "bad")), "m");
    let unknown = with_key(&lines, "unknown");
    assert!(unknown["status"].as_str().unwrap().starts_with("Not Found: "));
    let told = row_error(unknown);
    assert!(told.starts_with("The recording recorded.jsonl has no answer to this request"), "{told}");
    assert!(told.contains("`schema`"), "{told}");

    fs::write(&file, "{\"request\":{}}\n").unwrap();
    let started = batch_emulator::Emulator::start(batch_emulator::Config {
        jobs: JobsConfig { answer: Answer::Replay(file), ..JobsConfig::default() },
        ..batch_emulator::Config::default()
    })
    .await;
    let error = started.unwrap_err();
    assert_eq!(error.kind(), batch_emulator::ErrorKind::Config);
    assert!(error.to_string().starts_with("line 1 of "), "{error}");
}

#[tokio::test]
async fn a_condensed_recording_says_who_answered_and_answers_the_same() {
    let predictions = concat!(
        r#"{"request":{"contents":[{"parts":[{"text":"y"}]}]},"status":"Too Many Requests: {}","response":{}}"#,
        "\n",
        r#"{"request":{"labels":{"a":"b"},"contents":[{"parts":[{"text":"x"}],"role":"user"}]},"status":"","response":{ "candidates":[{"content":{"parts":[{"text":"first"}]}}]}}"#,
        "\n\n",
        r#"{"request":{"contents":{"role":"user","parts":{"text":"x"}}},"response":{"candidates":[{"content":{"parts":[{"text":"second"}]}}]}}"#,
    );
    let mut about = RecordingAbout::new("Tiny (Q4)", "2026-11-21");
    about.server = Some("llama.cpp".to_owned());
    let mut condensed = Vec::new();
    assert_eq!(condense(&about, predictions.as_bytes(), &mut condensed).unwrap(), 1);
    assert_eq!(
        String::from_utf8(condensed.clone()).unwrap(),
        concat!(
            r#"{"recording":{"version":1,"model":"Tiny (Q4)","date":"2026-11-21","server":"llama.cpp"}}"#,
            "\n",
            r#"{"request_hash":"99239874b1a4b6446f2a9b31d0921865","response":{"candidates":[{"content":{"parts":[{"text":"first"}]}}]}}"#,
            "\n",
        )
    );
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("recording.jsonl");
    fs::write(&file, &condensed).unwrap();
    assert_eq!(RecordingAbout::read(&file).unwrap(), Some(about.clone()));
    let service = Service::start(JobsConfig { answer: Answer::Replay(file), ..JobsConfig::default() }).await;
    let (_, lines) = service.run(&[line("k", "x")]).await;
    assert_eq!(answer(&parse(&lines[0])), "first");

    // A recording can be condensed again, and nothing else can.
    let mut again = Vec::new();
    condense(&about, &condensed[..], &mut again).unwrap();
    assert_eq!(again, condensed);
    let error = condense(&about, &b"\n{}\n"[..], Vec::new()).unwrap_err();
    assert_eq!(error.to_string(), "line 2: it has no `request`");
}
