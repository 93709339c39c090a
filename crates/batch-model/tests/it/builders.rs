//! Requests written from Rust.

use batch_model::{
    Content, FunctionCallingConfig, FunctionCallingMode, FunctionDeclaration, GenerateContentRequest, GenerationConfig,
    HarmBlockThreshold, HarmCategory, Part, SafetySetting, Schema, ThinkingLevel, Tool, ToolConfig,
};
use serde_json::{Map, json};

#[test]
fn a_classification() {
    let request = GenerateContentRequest::text("The derby ended late.")
        .with_system("Answer with the category.")
        .with_generation_config(
            GenerationConfig::default().with_temperature(0.0).with_seed(0).with_json_enum(["sport", "tech"]),
        )
        .with_safety_setting(SafetySetting::new(HarmCategory::Harassment, HarmBlockThreshold::BlockOnlyHigh))
        .with_label("id", "n0");
    insta::assert_json_snapshot!(request);
}

#[test]
fn a_conversation_with_files_and_functions() {
    let args = Map::from_iter([("city".to_owned(), json!("Kyoto"))]);
    let parameters = Schema::object([
        ("city", Schema::string().with_description("Its name.")),
        ("days", Schema::array(Schema::integer().with_range(0, 6)).with_items_range(1, 7)),
        ("unit", Schema::any_of([Schema::string().with_enum(["C", "F"]), Schema::boolean().nullable()])),
    ]);
    let mut calling = FunctionCallingConfig::default();
    calling.mode = Some(FunctionCallingMode::Any);
    let mut tool_config = ToolConfig::default();
    tool_config.function_calling_config = Some(calling);

    let request = GenerateContentRequest::new([Content::user([
        Part::file("gs://bucket/map.png", "image/png"),
        Part::inline("iVBORw0KGgo=", "image/png"),
        Part::text("How warm is it there?"),
    ])])
    .with_turn(Content::model(Part::function_call("temperature_of", args)))
    .with_turn(Content::user(Part::function_response(
        "temperature_of",
        Map::from_iter([("output".to_owned(), json!(21))]),
    )))
    .with_tool(Tool::functions([
        FunctionDeclaration::new("temperature_of", "The temperature in a city.").with_parameters(parameters.required())
    ]))
    .with_tool(Tool::google_search())
    .with_tool_config(tool_config)
    .with_generation_config(
        GenerationConfig::default()
            .with_top_p(0.95)
            .with_top_k(64)
            .with_candidate_count(2)
            .with_max_output_tokens(1024)
            .with_stop_sequences(["END"])
            .with_logprobs(3)
            .with_thinking_level(ThinkingLevel::Low)
            .with_thoughts(),
    );
    insta::assert_json_snapshot!(request);
}

/// What may not stand together does not.
#[test]
fn the_last_of_two_that_exclude_each_other_wins() {
    let config = GenerationConfig::default()
        .with_schema(Schema::string())
        .with_json_schema(json!({"type": "string"}))
        .with_thinking_level(ThinkingLevel::High)
        .with_thinking_budget(-1);
    assert_eq!(
        serde_json::to_string(&config).unwrap(),
        r#"{"responseMimeType":"application/json","responseJsonSchema":{"type":"string"},"thinkingConfig":{"thinkingBudget":-1}}"#
    );
}
