//! How many tokens an answer will have: by its schema, by the limits, and by guessing.

use batch_model::models::{ModelInfo, Thinking};
use serde_json::{Map, Value};

use super::tokens::{Ranged, tokens_of};

/// Most tokens of an answer where neither the spec nor the list of models says it: all models that are
/// served today have this limit.
const OUTPUT: u64 = 65_536;
/// More than any limit: a text without a length.
const UNBOUNDED: u64 = u64::MAX;
/// What a free text is expected to have; a guess.
const FREE_TEXT: u64 = 256;
/// What dynamic thinking is expected to take for one answer; a guess. A currency question took 346.
const THOUGHTS: u64 = 500;
/// Schemas deeper than this are not followed: they may refer to themselves.
const DEEPEST: usize = 8;

/// The tokens of one answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    /// Without thoughts.
    pub(super) output: Ranged<u64>,
    pub(super) thinking: Ranged<u64>,
    /// Of `output`, what is pictures, whose price no list has.
    pub(super) media: Ranged<u64>,
    /// How `output` and `thinking` were found, in words.
    pub(super) output_method: String,
    pub(super) thinking_method: String,
}

/// What answers will be like by the generation config of the spec.
pub(super) fn answer(config: Option<&Map<String, Value>>, model: &str, info: Option<&ModelInfo>) -> Answer {
    let empty = Map::new();
    let config = config.unwrap_or(&empty);
    let named = member(config, "maxOutputTokens").and_then(Value::as_u64);
    let limit = named.or_else(|| info.and_then(|info| info.output_tokens).map(u64::from)).unwrap_or(OUTPUT);
    let limit_is = if named.is_some() { "maxOutputTokens" } else { "the model's limit" };

    let (one, by) = one_answer(config);
    let count = member(config, "candidateCount").and_then(Value::as_u64).unwrap_or(1).max(1);
    let (thinking, thinking_method) = thinking(config, model, info);
    let thinking = thinking.at_most(limit);
    // The limit is of thoughts and answer together.
    let room = limit.saturating_sub(thinking.high);
    let high = one.high.min(room.max(one.expected)).min(limit);
    let one = Ranged { high, ..one.at_most(limit) };
    let media = pictures(config);
    let output = one.times(Ranged::each(count)).plus(media);
    let output_method = format!("{by}; {limit_is} is {limit}");
    Answer { output, thinking, media, output_method, thinking_method }
}

fn one_answer(config: &Map<String, Value>) -> (Ranged<u64>, &'static str) {
    let schema = ["responseSchema", "responseJsonSchema"].iter().find_map(|name| member(config, name));
    let is_enum = member(config, "responseMimeType").and_then(Value::as_str) == Some("text/x.enum");
    match schema {
        Some(schema) => {
            let mut tokens = value(schema, schema, 0);
            if is_enum {
                // No quotation marks.
                tokens = tokens.map(|tokens| tokens.saturating_sub(2).max(1));
            }
            (tokens, "answers: by the schema")
        }
        None => {
            (Ranged { low: 1, expected: FREE_TEXT, high: UNBOUNDED }, "answers: free text, 256 tokens each as a guess")
        }
    }
}

/// Pictures that are asked for: 1,290 tokens each in Gemini 2.5, up to 2,520 later.
fn pictures(config: &Map<String, Value>) -> Ranged<u64> {
    let asked = member(config, "responseModalities").and_then(Value::as_array);
    let asked = asked.is_some_and(|all| all.iter().any(|one| one.as_str() == Some("IMAGE")));
    if asked { Ranged { low: 1_120, expected: 1_290, high: 2_520 } } else { Ranged::default() }
}

/// The tokens of a value of this schema, written as JSON.
fn value(schema: &Value, root: &Value, depth: usize) -> Ranged<u64> {
    let Some(members) = schema.as_object().filter(|_| depth < DEEPEST) else {
        return Ranged { low: 1, expected: 10, high: UNBOUNDED };
    };
    if let Some(target) = ["$ref", "ref"].iter().find_map(|name| members.get(*name)).and_then(Value::as_str) {
        let found = target.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
        return value(found.unwrap_or(&Value::Null), root, depth + 1);
    }
    if let Some(all) = member(members, "enum").and_then(Value::as_array).filter(|all| !all.is_empty()) {
        return either(all.iter().map(constant));
    }
    if let Some(constant_value) = members.get("const") {
        return constant(constant_value);
    }
    let any = ["anyOf", "oneOf"].iter().find_map(|name| member(members, name)).and_then(Value::as_array);
    if let Some(all) = any.filter(|all| !all.is_empty()) {
        return either(all.iter().map(|one| value(one, root, depth + 1)));
    }
    match kind(members).as_str() {
        "object" => object(members, root, depth),
        "array" => array(members, root, depth),
        "boolean" | "null" => Ranged { low: 1, expected: 1, high: 2 },
        "integer" => Ranged { low: 1, expected: 3, high: 20 },
        "number" => Ranged { low: 1, expected: 5, high: 25 },
        _ => {
            // No character has more than a token, as a rule; quotation marks around.
            let most = member(members, "maxLength").and_then(whole).unwrap_or(UNBOUNDED);
            Ranged { low: 2, expected: 25, high: most.saturating_add(2) }.at_most(most.saturating_add(2))
        }
    }
}

fn object(members: &Map<String, Value>, root: &Value, depth: usize) -> Ranged<u64> {
    let braces = Ranged { low: 1, expected: 2, high: 2 };
    let Some(properties) = members.get("properties").and_then(Value::as_object) else {
        return Ranged { low: 1, expected: 30, high: UNBOUNDED };
    };
    let required = members.get("required").and_then(Value::as_array);
    let mut sum = braces;
    for (name, schema) in properties {
        let is_due = required.is_some_and(|required| required.iter().any(|one| one.as_str() == Some(name)));
        // The name, its quotation marks, the colon and the comma: some of them in one token.
        let one = value(schema, root, depth + 1).plus(tokens_of(name)).plus(Ranged { low: 1, expected: 2, high: 4 });
        sum = sum.plus(Ranged { low: if is_due { one.low } else { 0 }, ..one });
    }
    sum
}

fn array(members: &Map<String, Value>, root: &Value, depth: usize) -> Ranged<u64> {
    let one = value(members.get("items").unwrap_or(&Value::Null), root, depth + 1).plus(Ranged::each(1));
    let least = member(members, "minItems").and_then(whole).unwrap_or(0);
    let most = member(members, "maxItems").and_then(whole).unwrap_or(UNBOUNDED);
    let count = Ranged { low: least, expected: 3.clamp(least, most.max(least)), high: most };
    one.times(count).plus(Ranged { low: 1, expected: 2, high: 2 })
}

fn constant(constant: &Value) -> Ranged<u64> {
    match constant.as_str() {
        Some(text) => tokens_of(text).plus(Ranged::each(2)),
        None => tokens_of(&constant.to_string()),
    }
}

/// One of these: the least, the mean, the most.
fn either(all: impl Iterator<Item = Ranged<u64>>) -> Ranged<u64> {
    let (mut low, mut sum, mut high, mut count) = (u64::MAX, 0_u64, 0, 0);
    for one in all {
        (low, sum, high, count) = (low.min(one.low), sum.saturating_add(one.expected), high.max(one.high), count + 1);
    }
    Ranged { low, expected: sum.div_ceil(count.max(1)), high }
}

fn kind(schema: &Map<String, Value>) -> String {
    let kind = match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.iter().find(|kind| kind.as_str() != Some("null")),
        kind => kind,
    };
    let named = kind.and_then(Value::as_str).map(str::to_lowercase);
    named.unwrap_or_else(|| if schema.contains_key("properties") { "object".to_owned() } else { String::new() })
}

/// Thoughts of one answer, by the config and by what the model does by itself.
fn thinking(config: &Map<String, Value>, model: &str, info: Option<&ModelInfo>) -> (Ranged<u64>, String) {
    let of_config = member(config, "thinkingConfig").and_then(Value::as_object);
    let budget = of_config.and_then(|config| member(config, "thinkingBudget")).and_then(Value::as_i64);
    let level = of_config.and_then(|config| member(config, "thinkingLevel")).and_then(Value::as_str);
    let guess = |expected, high| Ranged { low: 0, expected, high };
    let is_lite = model.contains("flash-lite");
    match (info.and_then(|info| info.thinking), budget, level) {
        (Some(Thinking::None), ..) => (Ranged::each(0), "thinking: the model has none".to_owned()),
        (_, Some(0), _) => (Ranged::each(0), "thinking: turned off by thinkingBudget".to_owned()),
        (_, Some(budget @ 1..), _) => {
            let most = u64::try_from(budget).unwrap_or_default();
            (guess(most / 2, most), format!("thinking: half of the budget of {most} as a guess"))
        }
        (_, _, Some(level)) => {
            let expected = match level.to_ascii_uppercase().as_str() {
                "MINIMAL" => 20,
                "LOW" => 150,
                "MEDIUM" => THOUGHTS,
                _ => 2 * THOUGHTS,
            };
            (guess(expected, UNBOUNDED), format!("thinking: {expected} tokens each at level {level} as a guess"))
        }
        (Some(Thinking::Budget), None, None) if is_lite => {
            (Ranged::each(0), "thinking: off in this model unless it is asked for".to_owned())
        }
        (Some(Thinking::Budget), ..) => {
            let most = if model.contains("pro") { 32_768 } else { 24_576 };
            (guess(THOUGHTS, most), format!("thinking: {THOUGHTS} tokens each as a guess; the model may take {most}"))
        }
        (Some(Thinking::Level), ..) if is_lite => {
            (guess(20, UNBOUNDED), "thinking: minimal in this model, 20 tokens each as a guess".to_owned())
        }
        _ => (guess(THOUGHTS, UNBOUNDED), format!("thinking: {THOUGHTS} tokens each as a guess, without a limit")),
    }
}

/// A member in either spelling: `maxOutputTokens` or `max_output_tokens`.
fn member<'a>(of: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    of.get(name).or_else(|| {
        let folded: String = name.chars().flat_map(fold).collect();
        of.get(&folded)
    })
}

fn fold(c: char) -> impl Iterator<Item = char> {
    let (underscore, c) = if c.is_ascii_uppercase() { (Some('_'), c.to_ascii_lowercase()) } else { (None, c) };
    underscore.into_iter().chain([c])
}

/// A whole number, also where it is written as text as int64s are.
fn whole(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use batch_model::models;
    use serde_json::json;

    use super::*;

    fn of(model: &str, config: &Value) -> Answer {
        let info = models::find(&model.parse().unwrap());
        answer(config.as_object(), model, info)
    }

    fn range(low: u64, expected: u64, high: u64) -> Ranged<u64> {
        Ranged { low, expected, high }
    }

    #[test]
    fn one_of_a_few_words() {
        let schema = json!({"type": "STRING", "enum": ["ab", "abcdefghij"]});
        let json =
            of("gemini-2.5-flash-lite", &json!({"responseMimeType": "application/json", "responseSchema": schema}));
        // Two quotation marks; "ab" is a token, "abcdefghij" is 2 to 5, 3 expected.
        assert_eq!(json.output, range(3, 4, 7));
        assert_eq!(json.thinking, range(0, 0, 0));
        let bare = of("gemini-2.5-flash-lite", &json!({"responseMimeType": "text/x.enum", "responseSchema": schema}));
        assert_eq!(bare.output, range(1, 2, 5));
    }

    #[test]
    fn an_object_has_its_names_and_its_values() {
        let schema = json!({
            "type": "object", "required": ["a"],
            "properties": {"a": {"type": "boolean"}, "b": {"type": "integer"}},
        });
        // {"a": 1+1+1, not required} to {"a": 2+1+4, "b": 20+1+4} and braces.
        let answer = of("gemini-2.5-flash-lite", &json!({"responseJsonSchema": schema}));
        assert_eq!(answer.output, range(1 + 3, 2 + (1 + 1 + 2) + (3 + 1 + 2), 2 + 7 + 25));
    }

    #[test]
    fn a_list_is_as_long_as_it_may_be() {
        let list = json!({"type": "array", "items": {"type": "boolean"}, "minItems": 2, "maxItems": "5"});
        assert_eq!(of("gemini-2.5-flash-lite", &json!({"response_schema": list})).output, range(5, 8, 17));
        let endless = json!({"type": "array", "items": {"type": "boolean"}});
        assert_eq!(of("gemini-2.5-flash-lite", &json!({"responseSchema": endless})).output.high, 65_536);
    }

    #[test]
    fn a_schema_that_refers_to_itself_comes_to_an_end() {
        let schema = json!({"type": "object", "properties": {"next": {"$ref": "#"}, "next2": {"$ref": "#"}}});
        let answer = of("gemini-2.5-flash-lite", &json!({"responseJsonSchema": schema, "maxOutputTokens": 500}));
        assert_eq!(answer.output.high, 500);
    }

    #[test]
    fn the_limit_is_of_thoughts_and_answer_together() {
        let answer =
            of("gemini-2.5-flash", &json!({"maxOutputTokens": 1000, "thinkingConfig": {"thinkingBudget": 400}}));
        assert_eq!((answer.output, answer.thinking), (range(1, 256, 600), range(0, 200, 400)));
        let off = of("gemini-2.5-flash", &json!({"maxOutputTokens": 100, "thinkingConfig": {"thinkingBudget": 0}}));
        assert_eq!((off.output, off.thinking), (range(1, 100, 100), range(0, 0, 0)));
        let dynamic = of("gemini-2.5-flash", &json!({}));
        assert_eq!(dynamic.thinking, range(0, 500, 24_576));
        let by_level = of("gemini-3.8-flash", &json!({"thinkingConfig": {"thinkingLevel": "LOW"}}));
        assert_eq!(by_level.thinking, range(0, 150, 65_536));
    }
}
