//! A chat completion as a `GenerateContentResponse`.

use serde_json::{Map, Value, json};

use crate::answer::request::{Form, config, form};
use crate::json::Json;

/// The response, members sorted as the service does it; an error says what is wrong with
/// the chat completion. `asked` is the model that was asked for, where the server names none.
pub(super) fn response(reply: &[u8], request: Json<'_>, asked: &str) -> Result<Vec<u8>, String> {
    let reply: Value = serde_json::from_slice(reply).map_err(|error| error.to_string())?;
    if let Some(error) = reply.get("error").filter(|error| !error.is_null()) {
        // Some servers say so under 200.
        let message = error.get("message").and_then(Value::as_str).map_or_else(|| error.to_string(), str::to_owned);
        return Err(message);
    }
    let choices = reply.get("choices").and_then(Value::as_array).ok_or("it has no choices")?;
    let mut candidates = choices.iter().map(|choice| candidate(choice, request)).collect::<Result<Vec<_>, _>>()?;
    candidates.sort_by_key(|candidate| candidate.get("index").and_then(Value::as_u64).unwrap_or(0));
    let mut response = Map::new();
    if !candidates.is_empty() {
        response.insert("candidates".to_owned(), candidates.into());
    }
    let created = reply.get("created").and_then(Value::as_i64).and_then(|at| jiff::Timestamp::from_second(at).ok());
    if let Some(created) = created {
        response.insert("createTime".to_owned(), created.to_string().into());
    }
    let model = reply.get("model").and_then(Value::as_str).filter(|model| !model.is_empty());
    response.insert("modelVersion".to_owned(), model.unwrap_or(asked).into());
    if let Some(id) = reply.get("id").filter(|id| id.is_string()) {
        response.insert("responseId".to_owned(), id.clone());
    }
    response.insert("usageMetadata".to_owned(), usage(reply.get("usage").unwrap_or(&Value::Null)));
    let mut response = Value::Object(response);
    response.sort_all_objects();
    Ok(response.to_string().into_bytes())
}

fn candidate(choice: &Value, request: Json<'_>) -> Result<Value, String> {
    let message = choice.get("message").filter(|message| message.is_object()).ok_or("a choice has no message")?;
    let mut reason = finish_reason(choice.get("finish_reason").and_then(Value::as_str));
    let mut explained = None;
    let mut parts = Vec::new();
    let thought = ["reasoning_content", "reasoning"].iter().find_map(|name| message.get(*name)?.as_str());
    if let Some(thought) = thought.filter(|thought| !thought.is_empty() && includes_thoughts(request)) {
        parts.push(json!({ "text": thought, "thought": true }));
    }
    if let Some(text) = content(message).filter(|text| !text.is_empty()) {
        let text = match form(request) {
            // The schema makes the server write a JSON string; a bare word was asked for.
            Form::Enum(_) => serde_json::from_str(&text).unwrap_or(text),
            _ => text,
        };
        parts.push(json!({ "text": text }));
    }
    for call in message.get("tool_calls").and_then(Value::as_array).into_iter().flatten() {
        match function_call(call) {
            Ok(part) => parts.push(part),
            Err(problem) => {
                reason = "MALFORMED_FUNCTION_CALL";
                explained = Some(problem);
            }
        }
    }
    if let Some(refusal) = message.get("refusal").and_then(Value::as_str).filter(|refusal| !refusal.is_empty()) {
        reason = "SAFETY";
        explained = Some(refusal.to_owned());
    }
    let mut content = Map::new();
    // An answer whose thoughts used up the tokens has no parts, and no empty list of them.
    if !parts.is_empty() {
        content.insert("parts".to_owned(), parts.into());
    }
    content.insert("role".to_owned(), "model".into());
    let mut candidate = Map::new();
    candidate.insert("content".to_owned(), Value::Object(content));
    candidate.insert("finishReason".to_owned(), reason.into());
    if let Some(explained) = explained {
        candidate.insert("finishMessage".to_owned(), explained.into());
    }
    if let Some(index) = choice.get("index").and_then(Value::as_u64).filter(|index| *index > 0) {
        candidate.insert("index".to_owned(), index.into());
    }
    add_logprobs(choice, &mut candidate);
    Ok(Value::Object(candidate))
}

/// The text of a message: a string, or a list of pieces.
fn content(message: &Value) -> Option<String> {
    match message.get("content")? {
        Value::String(text) => Some(text.clone()),
        Value::Array(pieces) => {
            Some(pieces.iter().filter_map(|piece| piece.get("text").and_then(Value::as_str)).collect())
        }
        _ => None,
    }
}

fn finish_reason(theirs: Option<&str>) -> &'static str {
    match theirs {
        // Gemini stops to have a function called, too.
        Some("stop" | "tool_calls" | "function_call") => "STOP",
        Some("length") => "MAX_TOKENS",
        Some("content_filter") => "SAFETY",
        _ => "OTHER",
    }
}

fn function_call(call: &Value) -> Result<Value, String> {
    let function = call.get("function").ok_or("a call of something that is no function")?;
    let name = function.get("name").and_then(Value::as_str).ok_or("a call without a name")?;
    let arguments = match function.get("arguments") {
        // Some servers send the object itself.
        Some(Value::Object(arguments)) => arguments.clone(),
        Some(Value::String(text)) if text.trim().is_empty() => Map::new(),
        Some(Value::String(text)) => serde_json::from_str(text)
            .map_err(|error| format!("the arguments of {name} are no JSON object: {error}"))?,
        _ => Map::new(),
    };
    let mut part = json!({ "functionCall": { "args": arguments, "name": name } });
    if let Some(id) = call.get("id").and_then(Value::as_str).filter(|id| !id.is_empty()) {
        part["functionCall"]["id"] = id.into();
    }
    Ok(part)
}

fn includes_thoughts(request: Json<'_>) -> bool {
    config(request, "thinkingConfig", "thinking_config")
        .and_then(|thinking| thinking.get_either("includeThoughts", "include_thoughts"))
        .and_then(Json::as_bool)
        .unwrap_or(false)
}

fn add_logprobs(choice: &Value, candidate: &mut Map<String, Value>) {
    let tokens = choice.get("logprobs").and_then(|logprobs| logprobs.get("content")).and_then(Value::as_array);
    let Some(tokens) = tokens.filter(|tokens| !tokens.is_empty()) else {
        return;
    };
    let one = |token: &Value| json!({ "logProbability": token.get("logprob"), "token": token.get("token") });
    let sum: f64 = tokens.iter().filter_map(|token| token.get("logprob")?.as_f64()).sum();
    let chosen: Vec<_> = tokens.iter().map(one).collect();
    let top: Vec<_> = tokens
        .iter()
        .filter_map(|token| token.get("top_logprobs")?.as_array())
        .map(|top| json!({ "candidates": top.iter().map(one).collect::<Vec<_>>() }))
        .collect();
    let mut result = json!({ "chosenCandidates": chosen });
    if !top.is_empty() {
        result["topCandidates"] = top.into();
    }
    candidate.insert("avgLogprobs".to_owned(), (sum / tokens.len() as f64).into());
    candidate.insert("logprobsResult".to_owned(), result);
}

/// Their completion tokens hold the thoughts, ours do not. What is 0 is left out.
fn usage(usage: &Value) -> Value {
    let count =
        |path: &[&str]| path.iter().try_fold(usage, |at, name| at.get(*name)).and_then(Value::as_u64).unwrap_or(0);
    let (prompt, completion) = (count(&["prompt_tokens"]), count(&["completion_tokens"]));
    let thoughts = count(&["completion_tokens_details", "reasoning_tokens"]).min(completion);
    let total = count(&["total_tokens"]).max(prompt + completion);
    let counts = [
        ("cachedContentTokenCount", count(&["prompt_tokens_details", "cached_tokens"])),
        ("candidatesTokenCount", completion - thoughts),
        ("promptTokenCount", prompt),
        ("thoughtsTokenCount", thoughts),
        ("totalTokenCount", total),
    ];
    let counts = counts.into_iter().filter(|(_, count)| *count > 0);
    Value::Object(counts.map(|(name, count)| (name.to_owned(), count.into())).collect())
}
