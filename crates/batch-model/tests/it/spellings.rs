//! The ways in which the same thing may be written, and what is wrong in all of them.

use batch_model::{
    BatchPredictionJob, Content, FinishReason, Float, GenerateContentRequest, GenerateContentResponse,
    GenerationConfig, JobState, List, Schema, SchemaType, UsageMetadata,
};
use serde_json::{Value, json};

use crate::fixtures;

fn rewritten(text: &str) -> String {
    serde_json::to_string(&serde_json::from_str::<GenerationConfig>(text).unwrap()).unwrap()
}

/// `0.2` that became a 32-bit float would be written `0.20000000298023224`.
#[test]
fn numbers_stay_as_they_were() {
    for text in
        [r#"{"temperature":0.2}"#, r#"{"temperature":1}"#, r#"{"temperature":1.0}"#, r#"{"topP":0.95,"topK":64.0}"#]
    {
        assert_eq!(rewritten(text), text);
    }
    assert_eq!(
        rewritten(r#"{"temperature":"0.2","topK":"64","seed":"7"}"#),
        r#"{"temperature":0.2,"topK":64,"seed":7}"#
    );
    let nan: GenerationConfig = serde_json::from_str(r#"{"temperature":"NaN","topP":"-Infinity"}"#).unwrap();
    assert!(nan.temperature.as_ref().unwrap().as_f64().is_nan());
    assert_eq!(serde_json::to_string(&nan).unwrap(), r#"{"temperature":"NaN","topP":"-Infinity"}"#);
    assert_eq!(Float::from(1.0), serde_json::from_str::<Float>("1.0").unwrap());
    assert_ne!(Float::from(0.1), Float::from(0.2));
    assert_eq!(
        serde_json::to_string(&[Float::from(1e300), Float::from(f64::INFINITY)]).unwrap(),
        r#"[1e+300,"Infinity"]"#
    );
}

#[test]
fn both_spellings_mean_the_same() {
    let camel: GenerateContentRequest = serde_json::from_value(json!({
        "systemInstruction": {"parts": [{"fileData": {"fileUri": "gs://b/o", "mimeType": "text/plain"}}]},
        "generationConfig": {"thinkingConfig": {"thinkingBudget": 0}},
    }))
    .unwrap();
    let snake: GenerateContentRequest = serde_json::from_value(json!({
        "system_instruction": {"parts": {"file_data": {"file_uri": "gs://b/o", "mime_type": "text/plain"}}},
        "generation_config": {"thinking_config": {"thinking_budget": "0"}},
    }))
    .unwrap();
    assert_eq!(camel, snake);
}

/// The union of keys that the import makes has both spellings where the lines do, one of them null.
#[test]
fn a_null_in_one_spelling_leaves_the_other() {
    let config: GenerationConfig = serde_json::from_str(r#"{"topP":0.5,"top_p":null,"seed":null}"#).unwrap();
    assert_eq!(config.top_p, Some(0.5.into()));
    assert_eq!(config.seed, None);
    let twice = serde_json::from_str::<GenerationConfig>(r#"{"topP":0.5,"top_p":0.6}"#).unwrap_err();
    assert_eq!(twice.to_string(), "duplicate field `topP` at line 1 column 24");
}

#[test]
fn a_single_value_is_a_list_of_one() {
    let request: GenerateContentRequest = serde_json::from_value(fixtures::one("requests", "liberties.json")).unwrap();
    insta::assert_json_snapshot!(request);
}

/// `{"googleSearch": {}}` would fail the whole job where `{"googleSearch": {"excludeDomains": []}}` passes.
#[test]
fn an_empty_list_is_not_an_absent_one() {
    let absent: Content = serde_json::from_str(r#"{"role":"model"}"#).unwrap();
    let empty: Content = serde_json::from_str(r#"{"role":"model","parts":[]}"#).unwrap();
    let null: Content = serde_json::from_str(r#"{"role":"model","parts":null}"#).unwrap();
    assert!(absent.parts.is_absent() && null.parts.is_absent() && !empty.parts.is_absent());
    assert!(empty.parts.is_empty());
    assert_eq!(serde_json::to_string(&absent).unwrap(), r#"{"role":"model"}"#);
    assert_eq!(serde_json::to_string(&empty).unwrap(), r#"{"role":"model","parts":[]}"#);
    let mut pushed = List::default();
    pushed.push(1);
    assert!(!pushed.is_absent());
}

#[test]
fn enums_are_names_or_numbers_and_may_be_unknown() {
    let reason = |text: &str| -> FinishReason { serde_json::from_str(text).unwrap() };
    assert_eq!(reason("2"), FinishReason::MaxTokens);
    assert_eq!(reason(r#""MAX_TOKENS""#), FinishReason::MaxTokens);
    // No number is known for it, so none may be taken for it.
    assert_eq!(reason("17"), FinishReason::Unknown("17".to_owned()));
    for text in [r#""BORED""#, "99", "-1"] {
        assert_eq!(serde_json::to_string(&reason(text)).unwrap(), text);
    }
    for name in FinishReason::NAMES {
        assert_eq!(FinishReason::from_name(name).as_str(), *name);
        assert!(!matches!(FinishReason::from_name(name), FinishReason::Unknown(_)));
    }
    assert_eq!(serde_json::from_str::<JobState>("11").unwrap(), JobState::PartiallySucceeded);
}

/// The walkthrough that users start from writes `string`; the API's own name is `STRING`.
#[test]
fn the_type_of_a_schema_keeps_its_case_and_is_known_in_both() {
    let schema: Schema = serde_json::from_str(r#"{"type":"string","enum":["a"]}"#).unwrap();
    assert_eq!(schema.kind(), Some(SchemaType::String));
    assert_eq!(serde_json::to_string(&schema).unwrap(), r#"{"type":"string","enum":["a"]}"#);
    assert_eq!(serde_json::from_str::<Schema>(r#"{"type":1}"#).unwrap().kind(), Some(SchemaType::String));
    assert_eq!(Schema::default().kind(), None);
}

/// The import retypes quoted digits, and so may the echo have numbers where strings were sent.
#[test]
fn a_retyped_text_is_a_text() {
    let content: Content = serde_json::from_str(r#"{"parts":[{"text":7},{"text":0.5},{"text":true}]}"#).unwrap();
    assert_eq!(content.text().as_deref(), Some("70.5true"));
}

#[test]
fn counts_are_strings_on_the_wire_and_read_as_either() {
    let job: BatchPredictionJob =
        serde_json::from_str(r#"{"completionStats":{"successfulCount":"10","failed_count":1,"incompleteCount":"-1"}}"#)
            .unwrap();
    assert_eq!(
        serde_json::to_string(&job).unwrap(),
        r#"{"completionStats":{"successfulCount":"10","failedCount":"1","incompleteCount":"-1"}}"#
    );
    let usage: UsageMetadata = serde_json::from_str(r#"{"promptTokenCount":"5","totalTokenCount":7.0}"#).unwrap();
    assert_eq!((usage.prompt_token_count, usage.total_token_count), (Some(5), Some(7)));
}

#[test]
fn a_value_of_the_wrong_type_is_an_error_that_says_where_and_what() {
    fn message(text: &str) -> String {
        serde_json::from_str::<GenerateContentRequest>(text).unwrap_err().to_string()
    }
    insta::assert_snapshot!(
        [
            r#"{"contents":"just a prompt"}"#,
            r#"{"contents":[{"parts":[{"text":{"a":1}}]}]}"#,
            r#"{"generationConfig":{"seed":1.5}}"#,
            r#"{"generationConfig":{"seed":"one"}}"#,
            r#"{"generationConfig":{"seed":3000000000}}"#,
            r#"{"generationConfig":{"temperature":"warm"}}"#,
            r#"{"generationConfig":{"responseLogprobs":"yes"}}"#,
            r#"{"safetySettings":[{"category":[1]}]}"#,
            r#"{"labels":["a"]}"#,
            r#"[]"#,
            r#"{"contents":["#,
        ]
        .map(|text| format!("{text}\n    {}", message(text)))
        .join("\n")
    );
    // A cut line is told from a wrong one.
    assert!(serde_json::from_str::<GenerateContentRequest>(r#"{"contents":[{"par"#).unwrap_err().is_eof());
}

#[test]
fn names_are_known_in_both_spellings() {
    let shape = GenerationConfig::shape();
    let member = shape.member("max_output_tokens").unwrap();
    assert_eq!((member.name(), member.snake_name()), ("maxOutputTokens", "max_output_tokens"));
    assert!(shape.member("maxOutputToken").is_none());
    assert_eq!(Schema::shape().member("enum").unwrap().snake_name(), "enum");
    // Each snake_case name is the camelCase one: a slip would make a second member.
    fn snake(camel: &str) -> String {
        camel.chars().fold(String::new(), |mut snake, c| {
            if c.is_uppercase() {
                snake.push('_');
            }
            snake.extend(c.to_lowercase());
            snake
        })
    }
    let mut seen = Vec::new();
    let mut todo = vec![GenerateContentRequest::shape(), GenerateContentResponse::shape(), BatchPredictionJob::shape()];
    while let Some(shape) = todo.pop() {
        if seen.contains(&shape.name()) {
            continue;
        }
        seen.push(shape.name());
        for member in shape.members() {
            assert_eq!(member.snake_name(), snake(member.name()), "{}", shape.name());
            let mut inner = member.shape();
            while let batch_model::Shape::List(element) | batch_model::Shape::Map(element) = inner {
                inner = *element;
            }
            if let batch_model::Shape::Object(object) = inner {
                todo.push(object);
            }
        }
    }
    assert!(100 < seen.len(), "only {} objects were found", seen.len());
}

#[test]
fn what_is_null_at_the_top_is_no_request() {
    assert!(serde_json::from_value::<GenerateContentRequest>(Value::Null).is_err());
    assert_eq!(serde_json::from_str::<GenerateContentRequest>("{}").unwrap(), GenerateContentRequest::default());
}
