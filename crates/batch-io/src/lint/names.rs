//! What a name that the API does not have was meant to be.

use std::collections::{HashSet, VecDeque};
use std::sync::LazyLock;

use batch_model::{GenerateContentRequest, ObjectShape, Shape};

/// Names of other APIs and libraries, and what they are here.
const FOREIGN: &[(&str, &str)] = &[
    ("messages", "contents"),
    ("prompt", "contents"),
    ("input", "contents"),
    ("system", "systemInstruction"),
    ("systemprompt", "systemInstruction"),
    ("config", "generationConfig"),
    ("maxtokens", "generationConfig.maxOutputTokens"),
    ("maxcompletiontokens", "generationConfig.maxOutputTokens"),
    ("stop", "generationConfig.stopSequences"),
    ("n", "generationConfig.candidateCount"),
    ("reasoningeffort", "generationConfig.thinkingConfig.thinkingLevel"),
    ("functions", "tools.functionDeclarations"),
    ("toolchoice", "toolConfig.functionCallingConfig"),
    ("image", "inlineData"),
    ("imageurl", "fileData"),
    ("content", "parts"),
    ("uri", "fileUri"),
    ("mediatype", "mimeType"),
];

/// Members that are not in the v1 document and yet taken: seen in real rows, or of v1beta1.
const ALSO_KNOWN: &[(&str, &str)] = &[
    ("GoogleSearch", "timeRangeFilter"),
    ("GoogleSearch", "time_range_filter"),
    ("Part", "mediaProcessing"),
    ("Part", "media_processing"),
];

/// A longer name is no slip of the API's, whose longest has 38 characters.
const LONGEST_SLIP: usize = 64;

/// What was probably meant.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meant {
    /// This member of the same object, for certain: it is only written otherwise.
    Spelling(&'static str),
    /// This member of the same object, probably.
    Like(&'static str),
    /// A member of another object, by its path in the request.
    Elsewhere(String),
    Unknown,
}

pub(super) fn is_also_known(object: &ObjectShape, name: &str) -> bool {
    ALSO_KNOWN.contains(&(object.name(), name))
}

/// What a member `name` of this object was meant to be.
pub(super) fn meant(object: &'static ObjectShape, name: &str) -> Meant {
    if name.len() > LONGEST_SLIP {
        return Meant::Unknown;
    }
    let folded = fold(name);
    if let Some(member) = object.members().iter().find(|member| fold(member.name()) == folded) {
        return Meant::Spelling(if name.contains('_') { member.snake_name() } else { member.name() });
    }
    if let Some((_, path)) = PLACES.iter().find(|(place, _)| *place == folded) {
        return Meant::Elsewhere(path.clone());
    }
    if let Some((_, path)) = FOREIGN.iter().find(|(foreign, _)| *foreign == folded) {
        return Meant::Elsewhere((*path).to_owned());
    }
    match like(name, object.members().iter().flat_map(|member| [member.name(), member.snake_name()])) {
        Some(like) => Meant::Like(like),
        None => Meant::Unknown,
    }
}

/// The candidate that looks most like the name, if one does at all.
pub(super) fn like<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // The comparison takes time and memory by the product of both lengths.
    if name.len() > LONGEST_SLIP {
        return None;
    }
    crate::suggest::closest(name, candidates)
}

/// A name without what differs between spellings.
fn fold(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '_' | '-' | ' ')).flat_map(char::to_lowercase).collect()
}

/// Every member of the request by its folded name, with the shortest path to it. Schemas are left
/// out: `title` or `format` in a wrong place is hardly meant for one.
static PLACES: LazyLock<Vec<(String, String)>> = LazyLock::new(|| {
    let mut places: Vec<(String, String)> = Vec::new();
    let mut visited = HashSet::new();
    let mut queue = VecDeque::from([(GenerateContentRequest::shape(), String::new())]);
    while let Some((object, path)) = queue.pop_front() {
        if object.name() == "Schema" || !visited.insert(object.name()) {
            continue;
        }
        for member in object.members() {
            let folded = fold(member.name());
            let separator = if path.is_empty() { "" } else { "." };
            let path = format!("{path}{separator}{}", member.name());
            let mut shape = member.shape();
            while let Shape::List(inner) | Shape::Map(inner) = shape {
                shape = *inner;
            }
            if let Shape::Object(below) = shape {
                queue.push_back((below, path.clone()));
            }
            if !places.iter().any(|(known, _)| *known == folded) {
                places.push((folded, path));
            }
        }
    }
    places
});

#[cfg(test)]
mod tests {
    use batch_model::GenerationConfig;

    use super::*;

    #[test]
    fn case_spelling_and_place() {
        let request = GenerateContentRequest::shape();
        for (name, expected) in [
            ("SystemInstruction", Meant::Spelling("systemInstruction")),
            ("System_Instruction", Meant::Spelling("system_instruction")),
            ("sytemInstruction", Meant::Like("systemInstruction")),
            ("thinking_config", Meant::Elsewhere("generationConfig.thinkingConfig".into())),
            ("temperature", Meant::Elsewhere("generationConfig.temperature".into())),
            ("max_tokens", Meant::Elsewhere("generationConfig.maxOutputTokens".into())),
            ("zzz", Meant::Unknown),
        ] {
            assert_eq!(meant(request, name), expected, "{name}");
        }
        assert_eq!(meant(GenerationConfig::shape(), "safety_settings"), Meant::Elsewhere("safetySettings".into()),);
    }
}
