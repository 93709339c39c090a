//! Reading prediction lines: the fixtures, and bytes of any kind.

use std::fmt::Write;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use batch_io::{AnswerFormat, Explanation, Prediction, PredictionLines, ProblemKind};

use crate::support::Trickle;

pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/predictions").join(name)
}

/// Each line of a file as a person would want it told in one.
fn tell(reader: impl Read, name: &str) -> String {
    let mut lines = PredictionLines::new(reader, name);
    let mut out = String::new();
    while let Some(line) = lines.next_line().unwrap() {
        let told = match Explanation::of(&line, None) {
            Ok(told) => told,
            Err(problem) => {
                writeln!(out, "PROBLEM {problem}").unwrap();
                continue;
            }
        };
        let quoted = |text: &Option<String>| text.as_ref().map_or("-".to_owned(), |text| format!("{text:?}"));
        let usage = told.usage;
        let counts = [usage.prompt_tokens, usage.candidates_tokens, usage.thoughts_tokens, usage.total_tokens];
        let counts = counts.map(|count| count.map_or("-".to_owned(), |count| count.to_string())).join("+");
        let key = told.key.as_deref().unwrap_or("-");
        writeln!(out, "{key} {} {} {counts}", told.outcome, told.finish_reason.as_deref().unwrap_or("-")).unwrap();
        writeln!(out, "    answer {}", quoted(&told.answer)).unwrap();
        if !told.fields.is_empty() {
            let fields: Vec<_> = told.fields.iter().map(|(name, value)| format!("{name} = {value}")).collect();
            writeln!(out, "    fields {}", fields.join(" | ")).unwrap();
        }
        if !told.detail.is_empty() {
            writeln!(out, "    detail {}", told.detail).unwrap();
        }
        if told.thoughts.is_some() {
            writeln!(out, "    thoughts {}", quoted(&told.thoughts)).unwrap();
        }
        if !told.extra.is_empty() {
            let extra: Vec<_> = told.extra.iter().map(|(name, value)| format!("{name} = {value}")).collect();
            writeln!(out, "    beside {}", extra.join(" | ")).unwrap();
        }
    }
    out
}

#[test]
fn every_shape_has_its_outcome() {
    let mut names: Vec<_> = fs::read_dir(fixture(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains(".jsonl"))
        .collect();
    names.sort();
    assert!(20 < names.len());
    for name in names {
        let told = tell(fs::File::open(fixture(&name)).unwrap(), &name);
        insta::assert_snapshot!(name.replace(".jsonl", ""), told);
    }
}

#[test]
fn the_pieces_in_which_bytes_arrive_do_not_matter() {
    for name in ["crlf-bom.jsonl", "cut.jsonl", "faults.jsonl", "separators.jsonl", "nothing.jsonl"] {
        let bytes = fs::read(fixture(name)).unwrap();
        let whole = tell(bytes.as_slice(), name);
        for step in [1, 2, 3, 7, 64, 1000] {
            assert_eq!(tell(Trickle::new(&bytes, step), name), whole, "{name} by {step}");
        }
    }
}

#[test]
fn every_byte_of_the_file_can_be_found_again() {
    let bytes = fs::read(fixture("crlf-bom.jsonl")).unwrap();
    let mut lines = PredictionLines::new(bytes.as_slice(), "f");
    let mut numbers = Vec::new();
    while let Some(line) = lines.next_line().unwrap() {
        let start = usize::try_from(line.byte()).unwrap();
        assert_eq!(&bytes[start..start + line.bytes().len()], line.bytes());
        assert_eq!(line.bytes().first(), Some(&b'{'));
        assert_eq!(line.bytes().last(), Some(&b'}'));
        numbers.push(line.number());
    }
    assert_eq!(numbers, [1, 3, 5]);
}

#[test]
fn a_file_may_be_cut_at_any_byte() {
    let name = "separators.jsonl";
    let bytes = fs::read(fixture(name)).unwrap();
    for length in 1..bytes.len() - 1 {
        let mut lines = PredictionLines::new(&bytes[..length], name);
        let problem = lines.next_line().unwrap().unwrap().prediction().unwrap_err();
        assert_eq!((problem.kind, problem.line, problem.byte), (ProblemKind::Cut, 1, 0), "{length}");
        assert!(lines.next_line().unwrap().is_none());
    }
    let mut lines = PredictionLines::new(&bytes[..bytes.len() - 1], name);
    assert!(lines.next_line().unwrap().unwrap().prediction().is_ok());
}

#[test]
fn a_line_of_many_megabytes_is_a_line() {
    let image = "A".repeat(30 << 20);
    let line = format!(
        r#"{{"key":"r0","request":{{"contents":[{{"parts":[{{"inlineData":{{"data":"{image}"}}}}]}}]}},"status":"","response":{{"candidates":[{{"content":{{"parts":[{{"text":"a cat"}}]}}}}]}}}}"#
    );
    let file = format!("{{\"key\":\"a\"}}\n{line}\n{{\"key\":\"b\"}}\n");
    let mut lines = PredictionLines::new(file.as_bytes(), "big");
    let mut answers = Vec::new();
    while let Some(line) = lines.next_line().unwrap() {
        let prediction = line.prediction().unwrap();
        answers.push(prediction.read(&AnswerFormat::text()).answer.map(std::borrow::Cow::into_owned));
    }
    assert_eq!(answers, [None, Some("a cat".to_owned()), None]);
}

#[test]
fn an_explanation_is_json_that_keeps_what_the_service_wrote() {
    let line = fs::read_to_string(fixture("json.jsonl")).unwrap();
    let line = line.lines().find(|line| line.contains("日本")).unwrap();
    let mut lines = PredictionLines::new(line.as_bytes(), "json.jsonl");
    let told = Explanation::of(&lines.next_line().unwrap().unwrap(), None).unwrap();
    let json = serde_json::to_string(&told).unwrap();
    for raw in ["\"id\":12345678901234567890", "\"score\":1.0", "\"tags\":[\"a\",\"b\"]"] {
        assert!(json.contains(raw), "{raw} in {json}");
    }
    let request = Prediction::parse(line).unwrap().request.unwrap().get().to_owned();
    assert!(json.contains(&format!("\"request\":{request}")));

    let mut lines = PredictionLines::new(fs::File::open(fixture("truncated.jsonl")).unwrap(), "truncated.jsonl");
    let told = Explanation::of(&lines.next_line().unwrap().unwrap(), None).unwrap();
    insta::assert_snapshot!("explanation", serde_json::to_string_pretty(&told).unwrap());
}

#[test]
fn deeply_nested_json_does_no_harm() {
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(200_000), close.repeat(200_000));
    let array = deep("[", "]");
    let schema = deep(r#"{"items":"#, "}");
    let answer = serde_json::Value::from(array.as_str());
    for line in [
        format!(r#"{{"key":{array},"request":{array},"response":{array}}}"#),
        format!(
            r#"{{"request":{{"generationConfig":{{"responseSchema":{schema}}}}},"response":{{"candidates":[{{"content":{{"parts":[{{"text":{answer}}}]}}}}]}}}}"#
        ),
        format!(r#"{{"status":{array},"response":{{"candidates":{array}}}}}"#),
    ] {
        let mut lines = PredictionLines::new(line.as_bytes(), "deep");
        let told = Explanation::of(&lines.next_line().unwrap().unwrap(), None).unwrap();
        assert!(!told.outcome.as_str().is_empty());
        assert!(!batch_io::canonical_request(&told.request.unwrap_or_default()).is_empty());
    }
}
