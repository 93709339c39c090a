//! What the service has against a single request.
//!
//! The sentences are the service's own where they are known; those marked "likely" follow
//! its manner. A request that passes here is answered.

use crate::answer::RowError;
use crate::json::{Json, Messages, Text, View};

/// Where the service's sentences send their readers.
const LEARN_MORE: &str = "Learn more: https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/gemini";

/// The first fault of a `GenerateContentRequest`.
///
/// Members that are `known` were found to be well before, by [`is_well`].
pub(super) fn check(request: Json<'_>, known: &dyn Fn(Json<'_>) -> bool) -> Result<(), RowError> {
    let complaints = Messages::get().request().complaints_but_for(request, "", known);
    if !complaints.is_empty() {
        return Err(RowError::invalid(complaints.join("\n")));
    }
    check_contents(request)?;
    if let Some(system) = request.get_either("systemInstruction", "system_instruction").filter(|json| !known(*json)) {
        check_parts(system)?;
    }
    if let Some(config) = request.get_either("generationConfig", "generation_config").filter(|json| !known(*json)) {
        check_config(config)?;
    }
    if let Some(labels) = request.get("labels") {
        check_labels(labels)?;
    }
    check_features(request)
}

/// Whether nothing is wrong with the member `name` of a request, as far as it can be judged by itself.
pub(super) fn is_well(name: &str, value: Json<'_>) -> bool {
    let checked = match name {
        "systemInstruction" | "system_instruction" => check_parts(value),
        "generationConfig" | "generation_config" => check_config(value),
        _ => Ok(()),
    };
    checked.is_ok() && Messages::get().request().takes(name, value)
}

fn check_contents(request: Json<'_>) -> Result<(), RowError> {
    let mut any = false;
    for content in request.get("contents").into_iter().flat_map(Json::items_or_self) {
        any = true;
        let role = content.get("role").and_then(Json::as_str).unwrap_or_default();
        if !matches!(role, "" | "user" | "model") {
            return Err(RowError::invalid("Please use a valid role: user, model."));
        }
        check_parts(content)?;
    }
    if any {
        return Ok(());
    }
    Err(unable("at least one contents field is required", ""))
}

fn check_parts(content: Json<'_>) -> Result<(), RowError> {
    const DATA: [(&str, &str); 7] = [
        ("inlineData", "inline_data"),
        ("fileData", "file_data"),
        ("functionCall", "function_call"),
        ("functionResponse", "function_response"),
        ("executableCode", "executable_code"),
        ("codeExecutionResult", "code_execution_result"),
        ("audioTranscription", "audio_transcription"),
    ];
    let mut any = false;
    for part in content.get("parts").into_iter().flat_map(Json::items_or_self) {
        any = true;
        let data = match part.get("text") {
            Some(text) => Some(("text", text)),
            None => DATA.iter().find_map(|(camel, snake)| Some((*camel, part.get_either(camel, snake)?))),
        };
        match data {
            None => {
                return Err(unable("it must have a text parameter", "Add a text parameter and try again. "));
            }
            Some(("text", text)) if text.as_text().is_some_and(Text::is_empty) => {
                return Err(unable("it has an empty text parameter", "Add a value to the parameter and try again. "));
            }
            Some(("fileData", file)) => check_file(file)?,
            Some(("inlineData", inline)) => check_mime(inline)?,
            Some(_) => {}
        }
        if let Some(video) = part.get_either("videoMetadata", "video_metadata") {
            check_video(video)?;
        }
    }
    if any {
        return Ok(());
    }
    Err(unable("it must include at least one parts field, which describes the prompt input", ""))
}

/// The range is documented, the sentence is likely.
fn check_video(metadata: Json<'_>) -> Result<(), RowError> {
    match metadata.get("fps").and_then(Json::as_f64) {
        Some(fps) if !(fps > 0.0 && fps <= 24.0) => Err(unable(
            &format!("it has a fps value of {fps} but the supported range is from 0 (exclusive) to 24 (inclusive)"),
            "Update the value and try again. ",
        )),
        _ => Ok(()),
    }
}

fn check_file(file: Json<'_>) -> Result<(), RowError> {
    let uri = file.get_either("fileUri", "file_uri").and_then(Json::as_str).unwrap_or_default();
    if !["gs://", "https://", "http://"].iter().any(|scheme| uri.starts_with(scheme)) {
        // Likely.
        return Err(RowError::invalid(format!(
            "Invalid file URI: {uri:?}. Only Cloud Storage, HTTP and YouTube URIs are supported."
        )));
    }
    check_mime(file)
}

fn check_mime(media: Json<'_>) -> Result<(), RowError> {
    let mime = media.get_either("mimeType", "mime_type").and_then(Json::as_str).unwrap_or_default();
    let known = mime.split_once('/').is_some_and(|(kind, rest)| {
        !rest.is_empty() && matches!(kind, "image" | "video" | "audio" | "text" | "application")
    });
    if known {
        return Ok(());
    }
    Err(unable(
        &format!("it has a mimeType parameter with value {mime}, which is not supported"),
        "Update the mimeType and try again. ",
    ))
}

fn check_config(config: Json<'_>) -> Result<(), RowError> {
    // Bounds of today's models; the sentence is known for maxOutputTokens.
    const BOUNDS: [(&str, &str, f64, f64, bool); 4] = [
        ("maxOutputTokens", "max_output_tokens", 1.0, 65_537.0, false),
        ("candidateCount", "candidate_count", 1.0, 9.0, false),
        ("temperature", "temperature", 0.0, 2.0, true),
        ("topP", "top_p", 0.0, 1.0, true),
    ];
    for (camel, snake, least, end, inclusive) in BOUNDS {
        let Some(value) = config.get_either(camel, snake).and_then(Json::as_f64) else {
            continue;
        };
        let fits = value >= least && (value < end || (inclusive && value == end));
        if !fits {
            let last = if inclusive { "inclusive" } else { "exclusive" };
            return Err(unable(
                &format!(
                    "it has a {camel} value of {value} but the supported range is from {least} (inclusive) to {end} ({last})"
                ),
                "Update the value and try again. ",
            ));
        }
    }
    let mime = config.get_either("responseMimeType", "response_mime_type").and_then(Json::as_str).unwrap_or_default();
    if !matches!(mime, "" | "text/plain" | "application/json" | "text/x.enum")
        && !mime.starts_with("image/")
        && !mime.starts_with("audio/")
    {
        return Err(unable(
            &format!("it has a responseMimeType parameter with value {mime}, which is not supported"),
            "Update the responseMimeType and try again. ",
        ));
    }
    let schema = config.get_either("responseSchema", "response_schema").is_some();
    let json_schema = config.get_either("responseJsonSchema", "response_json_schema").is_some();
    // The rules are documented; the sentences are likely.
    if schema && json_schema {
        return Err(RowError::invalid("Only one of response_schema and response_json_schema can be set."));
    }
    if (schema && !matches!(mime, "application/json" | "text/x.enum")) || (json_schema && mime != "application/json") {
        return Err(unable(
            "a response schema is only supported with responseMimeType application/json or text/x.enum",
            "Update the responseMimeType and try again. ",
        ));
    }
    if let Some(thinking) = config.get_either("thinkingConfig", "thinking_config")
        && thinking.get_either("thinkingBudget", "thinking_budget").is_some()
        && thinking.get_either("thinkingLevel", "thinking_level").is_some()
    {
        return Err(RowError::invalid("Only one of thinkingLevel and thinkingBudget may be set in thinkingConfig."));
    }
    check_image_sizes(config)
}

/// Batches make pictures of 1K. Documented; the sentence is likely.
fn check_image_sizes(config: Json<'_>) -> Result<(), RowError> {
    let formats = config.get_either("responseFormat", "response_format").into_iter().flat_map(Json::items_or_self);
    let images = config
        .get_either("imageConfig", "image_config")
        .into_iter()
        .chain(formats.filter_map(|format| format.get("image")));
    for image in images {
        let size = image.get_either("imageSize", "image_size").and_then(Json::as_str).unwrap_or_default();
        if matches!(&*size.to_ascii_uppercase(), "2K" | "4K" | "IMAGE_SIZE_TWO_K" | "IMAGE_SIZE_FOUR_K") {
            return Err(RowError::invalid(format!("Image size {size} is not supported in batch prediction.")));
        }
    }
    Ok(())
}

/// The rules for labels are documented. The sentence about the characters is what the
/// service says of the labels of its other resources.
fn check_labels(labels: Json<'_>) -> Result<(), RowError> {
    let View::Object(members) = labels.view() else {
        return Ok(());
    };
    let mut count = 0;
    for (key, value) in members {
        count += 1;
        let value = value.as_str().unwrap_or_default();
        if !is_label_key(key) || !is_label_value(value) {
            return Err(RowError::invalid(format!(
                "Invalid label {key:?}: {value:?}. Label keys and values can only contain lowercase letters, numbers, dashes and underscores. Keys must start with a letter, and neither can be longer than 63 characters."
            )));
        }
    }
    if count > 64 {
        return Err(RowError::invalid("The number of labels must not be greater than 64."));
    }
    Ok(())
}

/// What is documented not to work in batches; the sentences are likely.
fn check_features(request: Json<'_>) -> Result<(), RowError> {
    let unsupported = |what: &str| Err(RowError::invalid(format!("{what} is not supported in batch prediction.")));
    if request.get_either("cachedContent", "cached_content").is_some() {
        return unsupported("Cached content");
    }
    if request.get_either("modelArmorConfig", "model_armor_config").is_some()
        && request.get_either("safetySettings", "safety_settings").is_some()
    {
        return Err(RowError::invalid("Only one of model_armor_config and safety_settings can be set."));
    }
    for tool in request.get("tools").into_iter().flat_map(Json::items_or_self) {
        if let Some(retrieval) = tool.get("retrieval")
            && retrieval.get_either("vertexRagStore", "vertex_rag_store").is_some()
        {
            return unsupported("RAG");
        }
    }
    Ok(())
}

fn unable(because: &str, mend: &str) -> RowError {
    RowError::invalid(format!("Unable to submit request because {because}. {mend}{LEARN_MORE}"))
}

/// At most 63 characters of letters that are not upper case, digits, `_` and `-`, the
/// first a letter.
pub(super) fn is_label_key(key: &str) -> bool {
    key.chars().next().is_some_and(|first| first.is_alphabetic()) && is_label_value(key)
}

/// As [`is_label_key`], with any of these characters first; it may be empty.
pub(super) fn is_label_value(value: &str) -> bool {
    let fits = |c: char| (c.is_alphabetic() && !c.is_uppercase()) || c.is_numeric() || c == '_' || c == '-';
    value.chars().count() <= 63 && value.chars().all(fits)
}
