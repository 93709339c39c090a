//! What holds for every input.

use std::collections::BTreeMap;

use batch_io::{
    AnswerFormat, Explanation, KeySpec, Outcome, PredictionLines, RequestSpec, RequestTemplate, Table, TableFormat,
    build, canonical_request,
};
use proptest::prelude::*;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::join::{Folder, run};
use crate::support::Trickle;

/// What the service does with one request.
#[derive(Clone, Debug)]
enum Fate {
    Answered,
    Failed,
    Blocked,
    Truncated,
    Empty,
    Dropped,
    AnsweredTwice,
    FailedThenAnswered,
}

fn fates() -> impl Strategy<Value = Fate> {
    prop_oneof![
        4 => Just(Fate::Answered),
        1 => Just(Fate::Failed),
        1 => Just(Fate::Blocked),
        1 => Just(Fate::Truncated),
        1 => Just(Fate::Empty),
        1 => Just(Fate::Dropped),
        1 => Just(Fate::AnsweredTwice),
        1 => Just(Fate::FailedThenAnswered),
    ]
}

/// What the tests know of a record beforehand.
#[derive(Clone, Debug)]
struct Sent {
    text: String,
    fate: Fate,
    /// Where each of its predictions comes among all of them.
    arrival: [u64; 2],
}

fn sent() -> impl Strategy<Value = Sent> {
    // Few texts, so that requests repeat, and some that a CSV must quote or a type
    // detection takes for something else.
    let text = prop_oneof![
        Just("7".to_owned()),
        Just("007".to_owned()),
        Just("a, \"b\"\nc\u{2028}".to_owned()),
        "[ -~\\n日本é😀]{0,12}",
    ];
    (text, fates(), any::<[u64; 2]>()).prop_map(|(text, fate, arrival)| Sent { text, fate, arrival })
}

/// A request as the service echoes it: keys sorted, nulls filled in, floats and labels
/// retyped.
fn echo(request: &Value, noise: u64) -> Value {
    match request {
        Value::Object(members) => {
            let mut sorted: BTreeMap<String, Value> =
                members.iter().map(|(name, value)| (name.clone(), echo(value, noise))).collect();
            if noise.is_multiple_of(2) {
                sorted.insert("zNull".to_owned(), Value::Null);
                sorted.insert("aList".to_owned(), json!([]));
            }
            Value::Object(sorted.into_iter().collect::<Map<_, _>>())
        }
        Value::Array(elements) => elements.iter().map(|element| echo(element, noise)).collect(),
        Value::Number(number) => match number.as_f64() {
            #[expect(clippy::cast_possible_truncation, reason = "small integers")]
            Some(float) if float.fract() == 0.0 => json!(float as i64),
            _ => request.clone(),
        },
        other => other.clone(),
    }
}

fn prediction(line: &Value, index: usize, fate: &Fate, noise: u64, keyed: bool) -> String {
    let mut out = Map::new();
    if keyed {
        out.insert("key".to_owned(), line["key"].clone());
    }
    out.insert("request".to_owned(), echo(&line["request"], noise));
    let usage = json!({ "promptTokenCount": 1, "totalTokenCount": "3" });
    let candidate = |candidate: Value| json!({ "candidates": [candidate], "usageMetadata": usage });
    let (status, response) = match fate {
        Fate::Failed => (r#"Bad Request: {"error": {"code": 400, "message": "no"}}"#, json!({})),
        Fate::Blocked => ("", json!({ "promptFeedback": { "blockReason": "OTHER" }, "usageMetadata": usage })),
        Fate::Truncated => ("", candidate(json!({ "finishReason": "MAX_TOKENS" }))),
        Fate::Empty => ("", candidate(json!({ "finishReason": "STOP" }))),
        _ => ("", candidate(json!({ "content": { "parts": [{ "text": format!("answer {index}") }] } }))),
    };
    out.insert("status".to_owned(), json!(status));
    out.insert("response".to_owned(), response);
    if noise.is_multiple_of(3) {
        out.insert("processed_time".to_owned(), Value::Null);
    }
    Value::Object(out).to_string()
}

fn outcome(fate: &Fate) -> Outcome {
    match fate {
        Fate::Answered | Fate::AnsweredTwice | Fate::FailedThenAnswered => Outcome::Answered,
        Fate::Failed => Outcome::RequestError,
        Fate::Blocked => Outcome::Blocked,
        Fate::Truncated => Outcome::Truncated,
        Fate::Empty => Outcome::Empty,
        Fate::Dropped => Outcome::Missing,
    }
}

/// The table of these records, its request lines, and their predictions in the order of
/// arrival, cut into two files.
fn files(records: &[Sent], keyed: bool) -> Folder {
    let mut csv = "text\n".to_owned();
    for record in records {
        csv.push_str(&format!("\"{}\"\n", record.text.replace('"', "\"\"")));
    }
    let table = Table::new(csv.as_bytes(), "input.csv", TableFormat::CSV).unwrap();
    let spec = RequestSpec::new("{{ text }}");
    let template = RequestTemplate::compile(&spec, table.columns()).unwrap();
    let mut requests = Vec::new();
    build(table, &template, &KeySpec::Index, &mut requests).unwrap();
    let requests = String::from_utf8(requests).unwrap();

    let mut arriving = Vec::new();
    for (index, (record, line)) in records.iter().zip(requests.split_terminator('\n')).enumerate() {
        let line: Value = serde_json::from_str(line).unwrap();
        let fates = match record.fate {
            Fate::Dropped => vec![],
            Fate::AnsweredTwice => vec![Fate::Answered, Fate::Answered],
            Fate::FailedThenAnswered => vec![Fate::Failed, Fate::Answered],
            ref fate => vec![fate.clone()],
        };
        for (fate, arrival) in fates.iter().zip(record.arrival) {
            arriving.push((arrival, index, prediction(&line, index, fate, arrival, keyed)));
        }
    }
    arriving.sort();
    let lines: Vec<_> = arriving.into_iter().map(|(_, _, line)| line).collect();
    let (first, second) = lines.split_at(lines.len() / 3);
    Folder::new(&[
        ("input.csv", &csv),
        ("requests", &requests),
        ("1", &first.iter().map(|line| format!("{line}\n")).collect::<String>()),
        ("2", &second.join("\r\n")),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_record_is_accounted_for_exactly_once(records in prop::collection::vec(sent(), 1..40)) {
        let folder = files(&records, true);
        let mut rows = Vec::new();
        let mut out = Vec::new();
        let summary = folder.join(&["1", "2"]).run(&mut out, &mut |row| {
            rows.push((row.value("text").unwrap().to_owned(), row.outcome(), row.answer().map(str::to_owned)));
        }).unwrap();

        // In the order of the input, each with what happened to it.
        let expected: Vec<_> = records.iter().enumerate().map(|(index, record)| {
            let outcome = outcome(&record.fate);
            let answer = (outcome == Outcome::Answered).then(|| format!("answer {index}"));
            (record.text.clone(), outcome, answer)
        }).collect();
        prop_assert_eq!(rows, expected);

        // The sums are those of the parts.
        let found = summary.records - summary.outcomes.get(Outcome::Missing);
        prop_assert_eq!(summary.records, records.len() as u64);
        prop_assert_eq!(summary.outcomes.total(), summary.records);
        prop_assert_eq!(summary.by_way.key, found);
        prop_assert_eq!(summary.predictions, found + summary.duplicates);
        prop_assert_eq!(summary.unmatched.count + summary.problems.count, 0);
        let with_usage = found - summary.outcomes.get(Outcome::RequestError);
        prop_assert_eq!((summary.tokens.prompt_tokens, summary.tokens.total_tokens), (with_usage, with_usage * 3));

        // The order of arrival shows nowhere.
        let (csv, _) = run(folder.join(&["2", "1"])).unwrap();
        prop_assert_eq!(csv.as_bytes(), &out);

        // The other ways change nothing where the first has found everything.
        let (csv, again) = run(folder.join(&["1", "2"]).requests(folder.path("requests"))).unwrap();
        prop_assert_eq!(csv.as_bytes(), &out);
        prop_assert_eq!(again.by_way, summary.by_way);
    }

    #[test]
    fn without_keys_equal_requests_get_each_others_predictions_and_no_other(
        records in prop::collection::vec(sent(), 1..40),
    ) {
        let folder = files(&records, false);
        let mut answers: BTreeMap<String, Vec<Option<usize>>> = BTreeMap::new();
        let summary = folder.join(&["1", "2"]).requests(folder.path("requests")).run(&mut Vec::new(), &mut |row| {
            let answer = row.answer().map(|answer| answer["answer ".len()..].parse().unwrap());
            answers.entry(row.value("text").unwrap().to_owned()).or_default().push(answer);
        }).unwrap();

        prop_assert_eq!(summary.outcomes.total(), records.len() as u64);
        prop_assert_eq!(summary.predictions, summary.by_way.request + summary.duplicates + summary.unmatched.count);
        prop_assert_eq!(summary.unmatched.count, 0);
        for (text, answers) in answers {
            // An answer came from a record of the same text. Only a record's own prediction
            // and its duplicate have the same answer.
            let mut given: BTreeMap<usize, usize> = BTreeMap::new();
            for index in answers.into_iter().flatten() {
                prop_assert_eq!(&records[index].text, &text);
                *given.entry(index).or_default() += 1;
            }
            for (index, count) in given {
                let most = if matches!(records[index].fate, Fate::AnsweredTwice) { 2 } else { 1 };
                prop_assert!(count <= most);
            }
        }
    }

    #[test]
    fn an_echo_has_the_canonical_form_of_its_request(text in ".{0,20}", temperature in 0..3, noise in any::<u64>()) {
        let request = json!({
            "contents": [{ "role": "user", "parts": [{ "text": text }, { "fileData": { "fileUri": "gs://b/o" } }] }],
            "generationConfig": { "temperature": f64::from(temperature), "topP": 0.95, "stopSequences": ["x"] },
        });
        let canonical = |value: &Value| canonical_request(&RawValue::from_string(value.to_string()).unwrap());
        prop_assert_eq!(canonical(&request), canonical(&echo(&request, noise)));
        let form = canonical(&request);
        prop_assert_eq!(canonical(&serde_json::from_str(&form).unwrap()), form);
    }

    #[test]
    fn any_bytes_are_lines_and_problems(
        pieces in prop::collection::vec(pieces(), 0..12),
        step in 1_usize..40,
    ) {
        let bytes = pieces.concat();
        let mut lines = PredictionLines::new(Trickle::new(&bytes, step), "any");
        let (mut number, mut end) = (0, 0);
        while let Some(line) = lines.next_line().unwrap() {
            prop_assert!(number < line.number() && end <= line.byte());
            let start = usize::try_from(line.byte()).unwrap();
            prop_assert_eq!(&bytes[start..start + line.bytes().len()], line.bytes());
            prop_assert!(!line.bytes().contains(&b'\n'));
            (number, end) = (line.number(), line.byte() + line.bytes().len() as u64);
            for format in [None, Some(AnswerFormat::json())] {
                match Explanation::of(&line, format.as_ref()) {
                    Ok(told) => {
                        prop_assert_eq!(told.cause.is_none(), told.outcome == Outcome::Answered);
                        serde_json::to_string(&told).unwrap();
                    }
                    Err(problem) => prop_assert_eq!(problem.line, line.number()),
                }
            }
        }
        // White space alone is no line.
        let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
        prop_assert_eq!(text.iter().all(u8::is_ascii_whitespace), number == 0);
    }
}

/// Bytes that may be a part of a predictions file, and bytes that may not.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let fixture = |name: &str| std::fs::read(crate::predictions::fixture(name)).unwrap();
    let seeds: Vec<Vec<u8>> =
        ["json.jsonl", "failed.jsonl", "nulls.jsonl", "parts.jsonl"].map(fixture).into_iter().collect();
    let cut = (prop::sample::select(seeds), any::<prop::sample::Index>(), any::<prop::sample::Index>());
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..60),
        Just(b"\n".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"\xEF\xBB\xBF".to_vec()),
        "[{}\\[\\]:,\"\\\\ntf0-9.eE+-]{0,40}".prop_map(String::into_bytes),
        r#"\{"(key|status|response|request|error)":("[a-z: {}\\"]*"|\{\}|\[\]|null|-?[0-9]{1,30}(e[0-9]{1,3})?)\}"#
            .prop_map(String::into_bytes),
        cut.prop_map(|(seed, from, to)| {
            let (from, to) = (from.index(seed.len()), to.index(seed.len()));
            seed[from.min(to)..from.max(to)].to_vec()
        }),
    ]
}
