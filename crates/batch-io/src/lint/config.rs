//! How the answer is made, and what batches do not have.

use batch_model::models::Thinking;

use super::json::Value;
use super::pointer::Pointer;
use super::report::quoted;
use super::request::Checks;
use super::rules;

/// Below this a model that thinks as it sees fit often has no token left for the answer. No number
/// of Google's: thoughts took 88 % of the output in a production job that was reported.
const LITTLE_OUTPUT: f64 = 512.0;

/// Most tokens of an answer of any model. Certain: the service names the range, end excluded.
const OUTPUT_TOKENS: f64 = 65_536.0;

pub(super) fn request(checks: &mut Checks<'_, '_>, request: &Value<'_>, at: &Pointer<'_>) {
    if let Some(cache) = request.member("cachedContent") {
        let message = "explicit caches are not for batches";
        checks.report.add(&rules::NOT_IN_BATCH, cache.start, &at.name(&cache.name), message);
    }
    if let (Some(armor), Some(_)) = (request.member("modelArmorConfig"), request.member("safetySettings")) {
        let message = "modelArmorConfig together with safetySettings";
        checks.report.add(&rules::ARMOR_AND_SAFETY, armor.start, &at.name(&armor.name), message);
    }
    super::files::base64(checks, request, "continuationToken", at);
}

pub(super) fn generation(checks: &mut Checks<'_, '_>, config: &Value<'_>, at: &Pointer<'_>) {
    ranges(checks, config, at);
    answer_format(checks, config, at);
    thinking(checks, config, at);
}

fn ranges(checks: &mut Checks<'_, '_>, config: &Value<'_>, at: &Pointer<'_>) {
    for (name, least, most) in [
        ("temperature", 0.0, 2.0),
        ("topP", 0.0, 1.0),
        ("candidateCount", 1.0, 8.0),
        ("maxOutputTokens", 1.0, OUTPUT_TOKENS),
    ] {
        let Some(member) = config.member(name) else { continue };
        let Some(number) = member.value.number() else { continue };
        let of_model = checks.model.filter(|_| name == "maxOutputTokens").and_then(|model| model.output_tokens);
        let most = of_model.map_or(most, f64::from);
        if !(least..=most).contains(&number) {
            let message = format!("{name} is {number}, and the range is {least} to {most}");
            checks.report.add(&rules::OUT_OF_RANGE, member.value.start, &at.name(&member.name), message);
        }
    }
}

pub(super) fn video(checks: &mut Checks<'_, '_>, metadata: &Value<'_>, at: &Pointer<'_>) {
    if let Some(fps) = metadata.get("fps")
        && let Some(number) = fps.number()
        && !(number > 0.0 && number <= 24.0)
    {
        let message = format!("fps is {number}, and the range is above 0 to 24");
        checks.report.add(&rules::OUT_OF_RANGE, fps.start, &at.name("fps"), message);
    }
}

fn answer_format(checks: &mut Checks<'_, '_>, config: &Value<'_>, at: &Pointer<'_>) {
    let mime = config.member("responseMimeType");
    let mime_text = mime.and_then(|member| member.value.text()).unwrap_or_default();
    if let Some(member) = mime
        && member.value.text().is_some()
        && !matches!(mime_text, "" | "text/plain" | "application/json" | "text/x.enum")
        && !mime_text.starts_with("image/")
        && !mime_text.starts_with("audio/")
    {
        let message = format!("unknown responseMimeType {}", quoted(mime_text));
        checks.report.add(&rules::RESPONSE_MIME_TYPE, member.value.start, &at.name(&member.name), message);
        return;
    }
    let schema = config.member("responseSchema");
    let json_schema = config.member("responseJsonSchema");
    if let (Some(_), Some(second)) = (schema, json_schema) {
        let message = "responseSchema together with responseJsonSchema";
        checks.report.add(&rules::TWO_SCHEMAS, second.start, &at.name(&second.name), message);
    }
    let lacks_json = match (schema, json_schema) {
        (_, Some(_)) => mime_text != "application/json",
        (Some(_), None) => !matches!(mime_text, "application/json" | "text/x.enum"),
        (None, None) => false,
    };
    if let (Some(member), true) = (json_schema.or(schema), lacks_json) {
        let (message, fix) = match mime {
            Some(_) => (format!("{} with responseMimeType {}", member.name, quoted(mime_text)), None),
            None => {
                // A null of that name would be a second member of it.
                let is_free =
                    !config.members().iter().any(|m| super::json::is_spelling_of(&m.name, "responseMimeType"));
                let place = config.start + 1..config.start + 1;
                let fix = checks.report.replace(place, "\"responseMimeType\":\"application/json\",");
                (format!("{} without a responseMimeType", member.name), Some(fix).filter(|_| is_free))
            }
        };
        let at = at.name(&member.name);
        checks.report.add(&rules::SCHEMA_WITHOUT_JSON, member.start, &at, message).fix = fix;
    }
    if let Some(member) = json_schema {
        super::schema::json_schema(checks, &member.value, &at.name(&member.name));
    }
}

fn thinking(checks: &mut Checks<'_, '_>, config: &Value<'_>, at: &Pointer<'_>) {
    let limit = config.member("maxOutputTokens").and_then(|member| Some((member, member.value.number()?)));
    let thinking = config.member("thinkingConfig");
    let setting = |name: &str| thinking.and_then(|member| member.value.member(name));
    let (budget, level) = (setting("thinkingBudget"), setting("thinkingLevel"));
    let under = thinking.map_or("thinkingConfig", |member| &member.name);
    let thinking_at = at.name(under);
    if let (Some(_), Some(level)) = (budget, level) {
        let message = "thinkingBudget together with thinkingLevel";
        checks.report.add(&rules::BUDGET_AND_LEVEL, level.start, &thinking_at.name(&level.name), message);
        return;
    }
    let model = checks.model;
    let other = match model.and_then(|model| model.thinking) {
        Some(Thinking::Budget) => level,
        Some(Thinking::Level) => budget,
        Some(Thinking::None) => level.or(budget),
        _ => None,
    };
    if let (Some(other), Some(model)) = (other, model) {
        let message = format!("{} has no {}", model.id, other.name);
        checks.report.add(&rules::OTHER_THINKING, other.start, &thinking_at.name(&other.name), message);
        return;
    }
    let Some((member, limit)) = limit else { return };
    let tokens = budget.and_then(|budget| budget.value.number());
    let message = match tokens {
        Some(tokens) if tokens > 0.0 && tokens >= limit => {
            format!("{tokens} tokens of thought fill the {limit} tokens of the answer")
        }
        // The model decides: -1, or nothing is said.
        Some(tokens) if tokens < 0.0 && limit < LITTLE_OUTPUT => {
            format!("thoughts without a limit in an answer of {limit} tokens")
        }
        None if level.is_none() && (1.0..LITTLE_OUTPUT).contains(&limit) && model.is_some_and(thinks_unasked) => {
            format!("this model thinks unless told otherwise, in an answer of {limit} tokens")
        }
        _ => return,
    };
    checks.report.add(&rules::THINKING_EATS_OUTPUT, member.value.start, &at.name(&member.name), message);
}

/// Whether a model thinks where nothing is said. The Flash-Lite models do not, or hardly.
fn thinks_unasked(model: &batch_model::models::ModelInfo) -> bool {
    matches!(model.thinking, Some(Thinking::Budget | Thinking::Level)) && !model.id.contains("flash-lite")
}

pub(super) fn image(checks: &mut Checks<'_, '_>, config: &Value<'_>, at: &Pointer<'_>) {
    if let Some(member) = config.member("imageSize")
        && let Some(size @ ("2K" | "4K" | "IMAGE_SIZE_TWO_K" | "IMAGE_SIZE_FOUR_K")) = member.value.text()
    {
        let message = format!("pictures of size {size} are not for batches");
        let finding = checks.report.add(&rules::NOT_IN_BATCH, member.value.start, &at.name(&member.name), message);
        finding.help("leave imageSize out: batches make 1K");
    }
}

pub(super) fn retrieval(checks: &mut Checks<'_, '_>, retrieval: &Value<'_>, at: &Pointer<'_>) {
    if let Some(store) = retrieval.member("vertexRagStore") {
        checks.report.add(&rules::NOT_IN_BATCH, store.start, &at.name(&store.name), "RAG is not for batches");
    }
}

pub(super) fn secret(checks: &mut Checks<'_, '_>, tool: &Value<'_>, at: &Pointer<'_>) {
    if let Some(key) = tool.member("apiKey") {
        checks.report.add(&rules::SECRET, key.start, &at.name(&key.name), "an API key comes back in each prediction");
    }
}
