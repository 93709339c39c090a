//! Lines of both generations, and of other models.

use batch_model::{BlockedReason, CodeExecutionOutcome, FinishReason, Part, PartKind, Prediction, Status};
use serde_json::{Value, json};

use crate::fixtures;

fn predictions(file: &str) -> Vec<Prediction> {
    fixtures::lines("responses", file).into_iter().map(|line| serde_json::from_value(line).unwrap()).collect()
}

/// What can be known of each line, in one table.
#[test]
fn both_generations() {
    let mut table = Vec::new();
    for file in ["generation-1.jsonl", "generation-2.jsonl", "other-models.jsonl"] {
        for (i, line) in predictions(file).into_iter().enumerate() {
            let response = line.response.clone().unwrap_or_default();
            let thoughts = response.candidates.first().and_then(|candidate| candidate.content.as_ref()?.thoughts());
            table.push(json!({
                "line": format!("{file}:{}", i + 1),
                "error": line.error(),
                "text": response.text(),
                "thoughts": thoughts,
                "finish": response.finish_reason(),
                "blocked": response.block_reason(),
                "extra": line.extra,
                "usage": response.usage_metadata,
            }));
        }
    }
    insta::assert_json_snapshot!(table);
}

#[test]
fn a_blocked_prompt_has_no_candidate() {
    let line = &predictions("generation-2.jsonl")[2];
    assert_eq!(line.error(), None);
    let response = line.response.as_ref().unwrap();
    assert!(response.candidates.is_absent());
    assert_eq!(response.block_reason(), Some(&BlockedReason::ProhibitedContent));
    assert_eq!((response.text(), response.finish_reason()), (None, None));
}

#[test]
fn parts_tell_their_kind() {
    let lines = predictions("generation-2.jsonl");
    let candidate = &lines[5].response.as_ref().unwrap().candidates[0];
    let parts = &candidate.content.as_ref().unwrap().parts;
    assert!(matches!(parts[0].kind(), PartKind::ExecutableCode(code) if code.code.as_deref() == Some("print(2+2)")));
    assert!(
        matches!(parts[1].kind(), PartKind::CodeExecutionResult(result) if result.outcome == Some(CodeExecutionOutcome::Ok))
    );
    assert_eq!(parts[2].kind(), PartKind::Text("4"));
    assert_eq!(candidate.finish_reason, Some(FinishReason::Unknown("SOMETHING_NEW".to_owned())));

    let kind_of = |value: Value| match serde_json::from_value::<Part>(value).unwrap().kind() {
        PartKind::Unknown(name, value) => format!("unknown {name} {value}"),
        kind => format!("{kind:?}"),
    };
    assert_eq!(kind_of(json!({"partMetadata": {"a": 1}, "toolCall": {"id": "t"}})), r#"unknown toolCall {"id":"t"}"#);
    assert_eq!(kind_of(json!({"text": null, "toolCall": null, "mediaProcessing": "STATIC"})), "Empty");
    assert_eq!(kind_of(json!({"text": ""})), r#"Text("")"#);
}

#[test]
fn the_echo_can_be_parsed_and_stays_as_it_came() {
    let line = &predictions("generation-1.jsonl")[2];
    let request = line.parse_request().unwrap();
    assert_eq!(request.contents[0].role.as_deref(), Some("system"));
    assert_eq!(request.contents[0].parts.len(), 2);
    assert!(matches!(request.contents[0].parts[1].kind(), PartKind::FileData(_)));
    assert_eq!(line.request.as_ref().unwrap()["contents"][0]["parts"][0]["fileData"], Value::Null);
    assert!(predictions("other-models.jsonl")[2].parse_request().unwrap().contents.is_absent());
}

#[test]
fn the_status_of_a_row_in_all_its_forms() {
    let forms = [
        "",
        "{}",
        r#"Bad Request: {"error": {"code": 400, "message": "Please use a valid role: user, model.", "status": "INVALID_ARGUMENT"}}"#,
        r#"Too Many Requests: {"error": {"code": 429, "message": "Slow {down}.", "status": "RESOURCE_EXHAUSTED", "details": [{"@type": "x"}]}}"#,
        r#"RESOURCE_EXHAUSTED error occurred: {"error": {"code": 429, "message": "m"}}"#,
        r#"{"code": 13, "message": "internal"}"#,
        "service agents are being provisioned",
        "Bad Request: {cut off",
        r#"Odd: {"reason": "none of ours"}"#,
        r#"Odd: {"error": "a text"}"#,
    ];
    let read: Vec<_> = forms.iter().map(|text| (text, Status::from_row(text))).collect();
    insta::assert_json_snapshot!(read);
}

#[test]
fn a_reason_that_blocks_is_told_from_one_that_does_not() {
    let blocks: Vec<&str> =
        FinishReason::NAMES.iter().copied().filter(|name| FinishReason::from_name(name).is_blocked()).collect();
    assert_eq!(
        blocks,
        [
            "SAFETY",
            "RECITATION",
            "BLOCKLIST",
            "PROHIBITED_CONTENT",
            "SPII",
            "MODEL_ARMOR",
            "IMAGE_SAFETY",
            "IMAGE_PROHIBITED_CONTENT",
            "IMAGE_RECITATION"
        ]
    );
}
