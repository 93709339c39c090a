//! What a request asks of its answer.

use super::text::first_tokens;
use crate::json::Json;

/// A member of the generation configuration.
pub(super) fn config<'t>(request: Json<'t>, camel: &str, snake: &str) -> Option<Json<'t>> {
    request.get_either("generationConfig", "generation_config")?.get_either(camel, snake)
}

/// Ends a text at the request's limits: before its first stop sequence, and at its limit
/// of tokens. Says whether the latter was needed.
pub(super) fn limit(request: Json<'_>, mut text: String, stops: bool) -> (String, bool) {
    if stops && let Some(stops) = config(request, "stopSequences", "stop_sequences") {
        let first =
            stops.items_or_self().filter_map(|stop| text.find(stop.as_str().filter(|stop| !stop.is_empty())?)).min();
        if let Some(first) = first {
            text.truncate(first);
        }
    }
    let most = config(request, "maxOutputTokens", "max_output_tokens")
        .and_then(Json::as_i64)
        .and_then(|most| u64::try_from(most).ok())
        .unwrap_or(u64::MAX);
    let kept = first_tokens(&text, most).len();
    let truncated = kept < text.len();
    text.truncate(kept);
    (text, truncated)
}

/// How many candidates the request asks for.
pub(super) fn candidate_count(request: Json<'_>) -> u64 {
    config(request, "candidateCount", "candidate_count")
        .and_then(Json::as_i64)
        .and_then(|count| u64::try_from(count).ok())
        .map_or(1, |count| count.clamp(1, 8))
}

/// The form that the answer is to have.
pub(super) enum Form<'t> {
    /// Prose.
    Text,
    /// JSON that obeys a schema, where there is one.
    Json(Option<Json<'t>>),
    /// One of the values of the schema, bare.
    Enum(Json<'t>),
}

/// Reads the form out of the generation configuration.
pub(super) fn form(request: Json<'_>) -> Form<'_> {
    let mut schema = config(request, "responseJsonSchema", "response_json_schema")
        .or_else(|| config(request, "responseSchema", "response_schema"));
    let mut mime = config(request, "responseMimeType", "response_mime_type").and_then(Json::as_str).unwrap_or_default();
    // The newer way to say the same.
    let format = config(request, "responseFormat", "response_format")
        .into_iter()
        .flat_map(Json::items_or_self)
        .find_map(|format| format.get("text"));
    if let Some(text) = format {
        schema = text.get("schema").or(schema);
        mime = match text.get_either("mimeType", "mime_type").and_then(Json::as_str) {
            Some(kind) if kind.eq_ignore_ascii_case("APPLICATION_JSON") => "application/json",
            _ => mime,
        };
    }
    match (mime, schema) {
        ("text/x.enum", Some(schema)) => Form::Enum(schema),
        ("application/json", schema) => Form::Json(schema),
        _ => Form::Text,
    }
}

/// The functions that the model must call one of, with their parameters.
pub(super) fn forced_functions(request: Json<'_>) -> Vec<(&str, Option<Json<'_>>)> {
    let calling = request
        .get_either("toolConfig", "tool_config")
        .and_then(|c| c.get_either("functionCallingConfig", "function_calling_config"));
    let any = calling
        .and_then(|calling| calling.get("mode"))
        .and_then(Json::as_str)
        .is_some_and(|mode| mode.eq_ignore_ascii_case("ANY"));
    if !any {
        return Vec::new();
    }
    let allowed: Vec<&str> = calling
        .and_then(|c| c.get_either("allowedFunctionNames", "allowed_function_names"))
        .into_iter()
        .flat_map(Json::items_or_self)
        .filter_map(Json::as_str)
        .collect();
    request
        .get("tools")
        .into_iter()
        .flat_map(Json::items_or_self)
        .filter_map(|tool| tool.get_either("functionDeclarations", "function_declarations"))
        .flat_map(Json::items_or_self)
        .filter_map(|function| {
            let name = function.get("name")?.as_str()?;
            let schema = function
                .get_either("parametersJsonSchema", "parameters_json_schema")
                .or_else(|| function.get("parameters"));
            (allowed.is_empty() || allowed.contains(&name)).then_some((name, schema))
        })
        .collect()
}
