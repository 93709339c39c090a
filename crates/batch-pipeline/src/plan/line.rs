//! The prompt of a request line, in tokens.

use std::{borrow::Cow, collections::BTreeMap};

use batch_model::{models::ModelInfo, prices::UsageCounts};
use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};

use super::{
    media::{Media, Rules},
    tokens::{Characters, Ranged, tokens_of},
};

/// The context of every model that is served today: no prompt has more tokens.
const CONTEXT: u64 = 1_048_576;

/// What the estimate looks at in a request line. Lines are ours, so that the spelling is known.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    request: Request<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow)]
    contents: Vec<Content<'a>>,
    #[serde(borrow)]
    system_instruction: Option<Content<'a>>,
    #[serde(borrow)]
    tools: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Content<'a> {
    #[serde(borrow)]
    parts: Vec<Part<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part<'a> {
    #[serde(borrow, default)]
    text: Cow<'a, str>,
    #[serde(borrow)]
    file_data: Option<FileData<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FileData<'a> {
    #[serde(borrow, default)]
    mime_type: Cow<'a, str>,
}

/// Counts prompts, one line after the other.
pub(super) struct Prompts {
    rules: Rules,
    /// The schema of the answer, which may be counted as part of the prompt.
    schema: u64,
    /// Texts that were the same in the line before, by their position: mostly the system instruction.
    known: Vec<(String, Characters)>,
    /// How many files of each kind were met.
    files: BTreeMap<Media, u64>,
}

/// A prompt: its tokens, and of these those that are sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Prompt {
    all: Ranged<u64>,
    audio: Ranged<u64>,
}

impl Prompts {
    pub(super) fn new(config: Option<&Map<String, Value>>, info: Option<&ModelInfo>) -> Self {
        let member = |name: &str, other: &str| config.and_then(|config| config.get(name).or_else(|| config.get(other)));
        let resolution = member("mediaResolution", "media_resolution").and_then(Value::as_str);
        let rules = Rules {
            fixed_budgets: info.is_some_and(|info| matches!(&*info.family, "gemini-3" | "gemini-4")),
            low_resolution: resolution.is_some_and(|resolution| resolution.ends_with("_LOW")),
        };
        let schema = member("responseSchema", "response_schema")
            .or_else(|| member("responseJsonSchema", "response_json_schema"))
            .map_or(0, |schema| tokens_of(&schema.to_string()).high);
        Self { rules, schema, known: Vec::new(), files: BTreeMap::new() }
    }

    /// The prompt of one line; `None` for a line that is none of ours.
    pub(super) fn count(&mut self, line: &[u8]) -> Option<Prompt> {
        let request = serde_json::from_slice::<Line<'_>>(line).ok()?.request;
        let mut characters = Characters::default();
        let mut all = Ranged { low: 0, expected: 0, high: self.schema };
        let mut audio = Ranged::default();
        let contents = request.system_instruction.iter().chain(&request.contents);
        for (position, part) in contents.flat_map(|content| &content.parts).enumerate() {
            characters.add(&self.text(position, &part.text));
            if let Some(file) = &part.file_data {
                let media = Media::of(&file.mime_type);
                *self.files.entry(media).or_default() += 1;
                let tokens = media.tokens(self.rules);
                all = all.plus(tokens);
                if media == Media::Audio {
                    audio = audio.plus(tokens);
                }
            }
        }
        if let Some(tools) = request.tools {
            characters.add(&Characters::of(tools.get()));
        }
        let all = all.plus(characters.tokens()).at_most(CONTEXT);
        Some(Prompt { all, audio: audio.at_most(CONTEXT) })
    }

    /// A text that is the same in every line is counted once.
    fn text(&mut self, position: usize, text: &str) -> Characters {
        match self.known.get_mut(position) {
            Some((known, characters)) if known == text => *characters,
            Some(other) => {
                let characters = Characters::of(text);
                text.clone_into(&mut other.0);
                other.1 = characters;
                characters
            }
            None => {
                let characters = Characters::of(text);
                // Positions come in order; a request of many parts is not remembered whole.
                if position == self.known.len() && position < 8 {
                    self.known.push((text.to_owned(), characters));
                }
                characters
            }
        }
    }

    /// How the files were counted, in words.
    pub(super) fn file_methods(&self) -> impl Iterator<Item = String> {
        self.files.iter().map(|(media, count)| format!("{count} {}", media.method(self.rules)))
    }
}

impl Prompt {
    /// As the price list counts.
    pub(super) fn counts(&self) -> Ranged<UsageCounts> {
        self.all.zip(&self.audio, |prompt, audio| UsageCounts {
            prompt: *prompt,
            audio: *audio,
            ..UsageCounts::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(prompts: &mut Prompts, line: &str) -> Prompt {
        prompts.count(line.as_bytes()).unwrap()
    }

    #[test]
    fn every_text_and_file_of_a_line_counts() {
        let mut prompts = Prompts::new(None, None);
        let line = r#"{"key":"a","request":{"contents":[{"role":"user","parts":[{"text":"12\n3"},
            {"fileData":{"fileUri":"gs://b/o.mp3","mimeType":"audio/mpeg"}}]}],
            "systemInstruction":{"parts":[{"text":"4567"}]},"labels":{"a":"99999"}}}"#;
        // 7 digits, half a line feed, a minute of sound.
        let prompt = count(&mut prompts, line);
        assert_eq!(prompt.all.expected, 8 + 1920);
        assert_eq!(prompt.audio.expected, 1920);
        assert_eq!(count(&mut prompts, line), prompt);
        let methods: Vec<_> = prompts.file_methods().collect();
        assert!(methods[0].starts_with("2 sounds: 32 tokens a second"), "{methods:?}");
    }

    #[test]
    fn what_was_counted_before_is_not_taken_for_what_is_new() {
        let mut prompts = Prompts::new(None, None);
        let line = |text: &str| format!(r#"{{"request":{{"contents":[{{"parts":[{{"text":"{text}"}}]}}]}}}}"#);
        assert_eq!(count(&mut prompts, &line("123")).all.expected, 3);
        assert_eq!(count(&mut prompts, &line("1234")).all.expected, 4);
        assert_eq!(count(&mut prompts, &line("123")).all.expected, 3);
        assert_eq!(prompts.count(b"[]"), None);
    }
}
