//! A `GenerateContentRequest` as a chat completion request.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value, json};

use super::schema::json_schema;
use crate::answer::RowError;
use crate::answer::request::{Form, config, form};
use crate::json::{Json, View, write_plain};

/// The body of `POST /chat/completions`.
pub(super) fn chat(request: Json<'_>, model: &str) -> Result<Value, RowError> {
    let mut body = Map::new();
    body.insert("model".to_owned(), model.into());
    body.insert("messages".to_owned(), messages(request)?.into());
    add_limits(request, &mut body)?;
    add_form(request, &mut body);
    add_tools(request, &mut body)?;
    Ok(Value::Object(body))
}

/// What cannot be passed on.
fn cannot(what: &str) -> RowError {
    RowError::invalid(format!("A chat completion cannot carry {what}, so this answerer cannot ask for an answer."))
}

fn messages(request: Json<'_>) -> Result<Vec<Value>, RowError> {
    let mut talk = Talk::default();
    if let Some(system) = request.get_either("systemInstruction", "system_instruction") {
        let mut texts = Vec::new();
        for part in parts(system) {
            texts.push(
                part.get("text")
                    .and_then(Json::as_str)
                    .ok_or_else(|| cannot("a system instruction with anything but text"))?,
            );
        }
        talk.messages.push(json!({ "role": "system", "content": texts.join("\n") }));
    }
    for content in request.get("contents").into_iter().flat_map(Json::items_or_self) {
        talk.add(content)?;
    }
    Ok(talk.messages)
}

/// The messages, and the function calls among them that have no result yet.
#[derive(Default)]
struct Talk {
    messages: Vec<Value>,
    /// The name and the identifier of each call.
    open: Vec<(String, String)>,
    calls: usize,
}

impl Talk {
    fn add(&mut self, content: Json<'_>) -> Result<(), RowError> {
        let is_model = content.get("role").and_then(Json::as_str) == Some("model");
        let (mut pieces, mut calls) = (Vec::new(), Vec::new());
        for part in parts(content) {
            if part.get("thought").and_then(Json::as_bool) == Some(true) {
                // What a model thought in an earlier turn is not told to it.
                continue;
            }
            if let Some(text) = part.get("text").and_then(Json::as_str) {
                pieces.push(json!({ "type": "text", "text": text }));
            } else if let Some(call) = part.get_either("functionCall", "function_call") {
                calls.push(self.call(call));
            } else if let Some(result) = part.get_either("functionResponse", "function_response") {
                let message = self.result(result);
                self.messages.push(message);
            } else if is_model {
                return Err(cannot("a turn of the model with anything but text and function calls"));
            } else if let Some(blob) = part.get_either("inlineData", "inline_data") {
                pieces.push(inline(blob)?);
            } else if let Some(file) = part.get_either("fileData", "file_data") {
                pieces.push(linked(file)?);
            } else {
                return Err(cannot(&format!("a part of {}", kind(part))));
            }
        }
        if pieces.is_empty() && calls.is_empty() {
            return Ok(());
        }
        let mut message = Map::new();
        message.insert("role".to_owned(), if is_model { "assistant" } else { "user" }.into());
        message.insert("content".to_owned(), joined(pieces));
        if !calls.is_empty() {
            message.insert("tool_calls".to_owned(), calls.into());
        }
        self.messages.push(Value::Object(message));
        Ok(())
    }

    fn call(&mut self, call: Json<'_>) -> Value {
        self.calls += 1;
        let name = text(call, "name");
        let id = call.get("id").and_then(Json::as_str).map_or_else(|| format!("call_{}", self.calls), str::to_owned);
        self.open.push((name.clone(), id.clone()));
        let arguments = call.get("args").map_or_else(|| "{}".to_owned(), plain);
        json!({ "id": id, "type": "function", "function": { "name": name, "arguments": arguments } })
    }

    /// The result of the first open call of that name, unless it says of which.
    fn result(&mut self, result: Json<'_>) -> Value {
        let (name, given) = (text(result, "name"), result.get("id").and_then(Json::as_str));
        let found = self.open.iter().position(|(open, id)| match given {
            Some(given) => id == given,
            None => *open == name,
        });
        let id = match (found, given) {
            (Some(found), _) => self.open.remove(found).1,
            (None, Some(given)) => given.to_owned(),
            (None, None) => name,
        };
        let content = result.get("response").map_or_else(|| "{}".to_owned(), plain);
        json!({ "role": "tool", "tool_call_id": id, "content": content })
    }
}

/// Text alone as a string, which every server takes; a list of pieces only where it must be.
fn joined(pieces: Vec<Value>) -> Value {
    let texts: Option<Vec<&str>> = pieces.iter().map(|piece| piece.get("text").and_then(Value::as_str)).collect();
    match texts {
        Some(texts) if texts.is_empty() => Value::Null,
        Some(texts) => texts.join("\n").into(),
        None => pieces.into(),
    }
}

/// A picture as a data URL, sound in the two formats that there are.
fn inline(blob: Json<'_>) -> Result<Value, RowError> {
    // Protobuf's JSON allows both alphabets, with and without padding.
    const FORGIVING: GeneralPurpose = GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let mime = blob.get_either("mimeType", "mime_type").and_then(Json::as_str).unwrap_or_default();
    let data = text(blob, "data").replace('-', "+").replace('_', "/");
    let bytes =
        FORGIVING.decode(data).map_err(|_| RowError::invalid("The data of an inlineData part is no base64."))?;
    let data = STANDARD.encode(&bytes);
    if mime.starts_with("image/") {
        return Ok(json!({ "type": "image_url", "image_url": { "url": format!("data:{mime};base64,{data}") } }));
    }
    let format = match mime {
        "audio/wav" | "audio/x-wav" | "audio/wave" => "wav",
        "audio/mp3" | "audio/mpeg" => "mp3",
        _ => return Err(cannot(&format!("inlineData of type {mime}"))),
    };
    Ok(json!({ "type": "input_audio", "input_audio": { "data": data, "format": format } }))
}

/// A picture that the server can fetch.
fn linked(file: Json<'_>) -> Result<Value, RowError> {
    let uri = file.get_either("fileUri", "file_uri").and_then(Json::as_str).unwrap_or_default();
    let mime = file.get_either("mimeType", "mime_type").and_then(Json::as_str).unwrap_or_default();
    if uri.starts_with("gs://") {
        return Err(cannot(&format!("the file {uri}, which the model server cannot read")));
    }
    if !mime.starts_with("image/") {
        return Err(cannot(&format!("a file of type {mime} by its address")));
    }
    Ok(json!({ "type": "image_url", "image_url": { "url": uri } }))
}

/// Sampling and limits.
fn add_limits(request: Json<'_>, body: &mut Map<String, Value>) -> Result<(), RowError> {
    const FIELDS: [(&str, &str, &str); 7] = [
        ("temperature", "temperature", "temperature"),
        ("topP", "top_p", "top_p"),
        ("maxOutputTokens", "max_output_tokens", "max_tokens"),
        ("seed", "seed", "seed"),
        ("candidateCount", "candidate_count", "n"),
        ("presencePenalty", "presence_penalty", "presence_penalty"),
        ("frequencyPenalty", "frequency_penalty", "frequency_penalty"),
    ];
    for (camel, snake, theirs) in FIELDS {
        if let Some(value) = config(request, camel, snake) {
            body.insert(theirs.to_owned(), number(value));
        }
    }
    if let Some(stops) = config(request, "stopSequences", "stop_sequences") {
        body.insert("stop".to_owned(), stops.items_or_self().map(value).collect());
    }
    if config(request, "responseLogprobs", "response_logprobs").and_then(Json::as_bool) == Some(true) {
        body.insert("logprobs".to_owned(), true.into());
        if let Some(most) = config(request, "logprobs", "logprobs") {
            body.insert("top_logprobs".to_owned(), number(most));
        }
    }
    let level = config(request, "thinkingConfig", "thinking_config")
        .and_then(|thinking| thinking.get_either("thinkingLevel", "thinking_level"))
        .and_then(Json::as_str)
        .map(str::to_ascii_lowercase);
    if let Some(level) = level.filter(|level| matches!(&**level, "minimal" | "low" | "medium" | "high")) {
        body.insert("reasoning_effort".to_owned(), level.into());
    }
    let modalities = config(request, "responseModalities", "response_modalities");
    for modality in modalities.into_iter().flat_map(Json::items_or_self).filter_map(Json::as_str) {
        if !modality.eq_ignore_ascii_case("TEXT") {
            return Err(cannot(&format!("the wish for {modality} in the answer")));
        }
    }
    Ok(())
}

/// The form of the answer.
fn add_form(request: Json<'_>, body: &mut Map<String, Value>) {
    let format = match form(request) {
        Form::Text => return,
        Form::Json(None) => json!({ "type": "json_object" }),
        Form::Json(Some(schema)) | Form::Enum(schema) => {
            json!({ "type": "json_schema", "json_schema": { "name": "answer", "schema": json_schema(&value(schema)) } })
        }
    };
    body.insert("response_format".to_owned(), format);
}

fn add_tools(request: Json<'_>, body: &mut Map<String, Value>) -> Result<(), RowError> {
    let calling = request
        .get_either("toolConfig", "tool_config")
        .and_then(|config| config.get_either("functionCallingConfig", "function_calling_config"));
    let allowed: Vec<&str> = calling
        .and_then(|calling| calling.get_either("allowedFunctionNames", "allowed_function_names"))
        .into_iter()
        .flat_map(Json::items_or_self)
        .filter_map(Json::as_str)
        .collect();
    let mut tools = Vec::new();
    for tool in request.get("tools").into_iter().flat_map(Json::items_or_self) {
        if let View::Object(members) = tool.view() {
            let others = members.filter(|(_, value)| !value.is_null()).map(|(name, _)| name);
            if let Some(other) =
                others.into_iter().find(|name| !matches!(*name, "functionDeclarations" | "function_declarations"))
            {
                return Err(cannot(&format!("the tool {other}, which is Google's")));
            }
        }
        let functions = tool.get_either("functionDeclarations", "function_declarations");
        for function in functions.into_iter().flat_map(Json::items_or_self) {
            let name = text(function, "name");
            if !allowed.is_empty() && !allowed.contains(&&*name) {
                continue;
            }
            let mut described = Map::new();
            described.insert("name".to_owned(), name.into());
            if let Some(description) = function.get("description") {
                described.insert("description".to_owned(), value(description));
            }
            let parameters = function
                .get_either("parametersJsonSchema", "parameters_json_schema")
                .or_else(|| function.get("parameters"));
            if let Some(parameters) = parameters {
                described.insert("parameters".to_owned(), json_schema(&value(parameters)));
            }
            tools.push(json!({ "type": "function", "function": described }));
        }
    }
    if tools.is_empty() {
        return Ok(());
    }
    body.insert("tools".to_owned(), tools.into());
    let mode = calling.and_then(|calling| calling.get("mode")).and_then(Json::as_str).map(str::to_ascii_uppercase);
    let choice = match mode.as_deref() {
        Some("ANY") => "required",
        Some("NONE") => "none",
        _ => return Ok(()),
    };
    body.insert("tool_choice".to_owned(), choice.into());
    Ok(())
}

fn parts(content: Json<'_>) -> impl Iterator<Item = Json<'_>> {
    content.get("parts").into_iter().flat_map(Json::items_or_self)
}

/// The name of a part's data, for an error.
fn kind(part: Json<'_>) -> String {
    match part.view() {
        View::Object(members) => members.map(|(name, _)| name).next().unwrap_or("nothing").to_owned(),
        _ => "another shape".to_owned(),
    }
}

fn text(json: Json<'_>, name: &str) -> String {
    json.get(name).and_then(Json::as_str).unwrap_or_default().to_owned()
}

/// A number as such, also where protobuf's JSON has it in quotes or as `5.0`.
fn number(json: Json<'_>) -> Value {
    json.as_i64().map(Value::from).or_else(|| json.as_f64().map(Value::from)).unwrap_or_else(|| value(json))
}

fn plain(json: Json<'_>) -> String {
    let mut out = Vec::new();
    write_plain(json, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

fn value(json: Json<'_>) -> Value {
    // What was just written is JSON.
    serde_json::from_str(&plain(json)).unwrap_or_default()
}
