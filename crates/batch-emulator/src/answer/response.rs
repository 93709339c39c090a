//! A `GenerateContentResponse` around an answer.

use super::request::config;
use super::text::{below, tokens, tokens_of, words};
use super::{Candidate, Content};
use crate::json::{Json, Tree, write_count, write_number, write_text};
use crate::random::Random;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// What a response says of itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp<'a> {
    /// The name of the model, without a path.
    pub(crate) model: &'a str,
    /// When it was made, as protobuf's JSON writes it.
    pub(crate) created: &'a str,
    /// What log probabilities and thoughts are drawn from: the same for equal requests, in
    /// whichever job and place they stand.
    pub(crate) seed: u64,
    /// What the identifier is drawn from beside the seed: the place of the row.
    pub(crate) place: u64,
    /// Whether the fields are there that came with the second generation of lines.
    pub(crate) second_generation: bool,
}

/// How a response is spoiled on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spoiled {
    /// The prompt is blocked.
    Blocked,
    /// There are no candidates, and nothing says why.
    NoCandidates,
    /// The thoughts used up the tokens, so that no part is left.
    Truncated,
    /// A thought part comes before the answer.
    Thought,
}

/// The candidates of a whole response, as far as they are text: what it takes to spoil it.
pub(crate) fn candidates_of(response: &[u8]) -> Vec<Candidate> {
    let tree = std::str::from_utf8(response).ok().and_then(|text| Tree::parse(text).ok());
    let candidates = tree.iter().filter_map(|tree| tree.root().get("candidates")).flat_map(Json::items_or_self);
    candidates
        .map(|candidate| {
            let parts = candidate.get("content").and_then(|content| content.get("parts"));
            let said = parts
                .into_iter()
                .flat_map(Json::items_or_self)
                .filter(|part| part.get("thought").and_then(Json::as_bool) != Some(true));
            let text = said.filter_map(|part| part.get("text")?.as_str()).collect();
            let reason = candidate.get_either("finishReason", "finish_reason").and_then(Json::as_str);
            Candidate { content: Content::Text(text), truncated: reason == Some("MAX_TOKENS") }
        })
        .collect()
}

/// Writes the response to `request`, members sorted as the service does it.
pub(crate) fn write_response(
    request: Json<'_>,
    candidates: &[Candidate],
    spoiled: Option<Spoiled>,
    stamp: &Stamp<'_>,
    out: &mut Vec<u8>,
) {
    let random = Random::new(stamp.seed);
    let answer = candidates
        .iter()
        .map(|candidate| match &candidate.content {
            Content::Text(text) => tokens(text),
            Content::Call(name, args) => tokens(name) + (args.len() as u64).div_ceil(4),
        })
        .sum();
    let mut usage = Usage {
        prompt: Prompt::of(request),
        candidates: answer,
        thoughts: thoughts(request, stamp.model, answer, &random),
    };
    out.push(b'{');
    match spoiled {
        Some(Spoiled::Blocked | Spoiled::NoCandidates) => {
            usage.candidates = 0;
            usage.thoughts = 0;
        }
        _ => {
            if spoiled == Some(Spoiled::Truncated) {
                let limit = config(request, "maxOutputTokens", "max_output_tokens");
                usage.thoughts =
                    limit.and_then(Json::as_i64).and_then(|limit| u64::try_from(limit).ok()).unwrap_or(65_535);
                usage.candidates = 0;
            }
            let aloud = spoiled == Some(Spoiled::Thought) || (usage.thoughts > 0 && includes_thoughts(request));
            let thought = aloud.then(|| words(&random, 12));
            out.extend_from_slice(b"\"candidates\":[");
            for (index, candidate) in candidates.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_candidate(
                    index,
                    candidate,
                    spoiled == Some(Spoiled::Truncated),
                    thought.as_deref(),
                    stamp,
                    &random,
                    out,
                );
            }
            out.extend_from_slice(b"],");
        }
    }
    out.extend_from_slice(b"\"createTime\":\"");
    out.extend_from_slice(stamp.created.as_bytes());
    out.extend_from_slice(b"\",\"modelVersion\":");
    write_text(stamp.model, out);
    if spoiled == Some(Spoiled::Blocked) {
        out.extend_from_slice(b",\"promptFeedback\":{\"blockReason\":\"PROHIBITED_CONTENT\"}");
    }
    out.extend_from_slice(b",\"responseId\":\"");
    out.extend_from_slice(identifier(&Random::new(stamp.seed ^ stamp.place)).as_bytes());
    out.extend_from_slice(b"\",\"usageMetadata\":");
    usage.write(stamp.second_generation, out);
    out.push(b'}');
}

fn write_candidate(
    index: usize,
    candidate: &Candidate,
    without_parts: bool,
    thought: Option<&str>,
    stamp: &Stamp<'_>,
    random: &Random,
    out: &mut Vec<u8>,
) {
    // Between 0 and -0.6, where real ones mostly are.
    let average = -(below(random, 600_000) as f64 + 1.0) / 1_000_000.0;
    out.extend_from_slice(b"{\"avgLogprobs\":");
    write_number(average, out);
    out.extend_from_slice(b",\"content\":{");
    let mut count = 0;
    if !without_parts {
        out.extend_from_slice(b"\"parts\":[");
        if let Some(thought) = thought {
            out.extend_from_slice(b"{\"text\":");
            write_text(thought, out);
            out.extend_from_slice(b",\"thought\":true},");
        }
        match &candidate.content {
            Content::Text(text) => {
                count = tokens(text);
                out.extend_from_slice(b"{\"text\":");
                write_text(text, out);
                out.push(b'}');
            }
            Content::Call(name, args) => {
                count = (args.len() as u64).div_ceil(4);
                out.extend_from_slice(b"{\"functionCall\":{\"args\":");
                out.extend_from_slice(args);
                out.extend_from_slice(b",\"name\":");
                write_text(name, out);
                out.extend_from_slice(b"}}");
            }
        }
        out.extend_from_slice(b"],");
    }
    out.extend_from_slice(b"\"role\":\"model\"},\"finishReason\":");
    let cut = without_parts || candidate.truncated;
    write_text(if cut { "MAX_TOKENS" } else { "STOP" }, out);
    // The first one's index, being 0, is left out.
    if index > 0 {
        out.extend_from_slice(format!(",\"index\":{index}").as_bytes());
    }
    if stamp.second_generation {
        out.extend_from_slice(b",\"score\":");
        write_number(average * count as f64, out);
    }
    out.push(b'}');
}

/// What the prompt counts for.
#[derive(Debug, Default)]
struct Prompt {
    characters: u64,
    text: u64,
    image: u64,
    video: u64,
    audio: u64,
    document: u64,
}

struct Usage {
    prompt: Prompt,
    candidates: u64,
    thoughts: u64,
}

impl Prompt {
    fn of(request: Json<'_>) -> Prompt {
        let mut prompt = Prompt::default();
        let system = request.get_either("systemInstruction", "system_instruction");
        let contents = request.get("contents");
        let all = contents.into_iter().flat_map(Json::items_or_self).chain(system);
        for content in all {
            for part in content.get("parts").into_iter().flat_map(Json::items_or_self) {
                prompt.add(part);
            }
        }
        prompt
    }

    fn add(&mut self, part: Json<'_>) {
        if let Some(text) = part.get("text").and_then(Json::as_text) {
            self.characters += text.characters() as u64;
            self.text += tokens_of(text.len());
            return;
        }
        let media = part.get_either("fileData", "file_data").or_else(|| part.get_either("inlineData", "inline_data"));
        if let Some(media) = media {
            let kind = media.get_either("mimeType", "mime_type").and_then(Json::as_str).unwrap_or_default();
            // What a picture, a page, ten seconds of video and half a minute of sound
            // cost; the emulator does not look into files.
            match kind.split('/').next() {
                Some("image") => self.image += 258,
                Some("video") => self.video += 2_630,
                Some("audio") => self.audio += 960,
                _ => self.document += 258,
            }
        } else {
            self.text += 10;
        }
    }

    fn total(&self) -> u64 {
        self.text + self.image + self.video + self.audio + self.document
    }
}

impl Usage {
    fn write(&self, second_generation: bool, out: &mut Vec<u8>) {
        let prompt = &self.prompt;
        let start = out.len();
        let member = |name: &str, count: u64, out: &mut Vec<u8>| {
            out.extend_from_slice(name.as_bytes());
            write_count(count, out);
        };
        if second_generation {
            member(",\"billablePromptUsage\":{\"textCount\":", prompt.characters, out);
            out.push(b'}');
        }
        if self.candidates > 0 {
            member(",\"candidatesTokenCount\":", self.candidates, out);
            out.extend_from_slice(b",\"candidatesTokensDetails\":[");
            write_detail("TEXT", self.candidates, out);
            out.push(b']');
        }
        member(",\"promptTokenCount\":", prompt.total(), out);
        out.extend_from_slice(b",\"promptTokensDetails\":[");
        for (modality, count) in [
            ("TEXT", prompt.text),
            ("IMAGE", prompt.image),
            ("VIDEO", prompt.video),
            ("AUDIO", prompt.audio),
            ("DOCUMENT", prompt.document),
        ] {
            if count > 0 {
                if out.last() == Some(&b'}') {
                    out.push(b',');
                }
                write_detail(modality, count, out);
            }
        }
        out.push(b']');
        if self.thoughts > 0 {
            member(",\"thoughtsTokenCount\":", self.thoughts, out);
        }
        member(",\"totalTokenCount\":", prompt.total() + self.candidates + self.thoughts, out);
        out.extend_from_slice(b",\"trafficType\":\"ON_DEMAND\"}");
        // In the place of the first comma.
        if let Some(first) = out.get_mut(start) {
            *first = b'{';
        }
    }
}

fn write_detail(modality: &str, count: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"modality\":\"");
    out.extend_from_slice(modality.as_bytes());
    out.extend_from_slice(b"\",\"tokenCount\":");
    write_count(count, out);
    out.push(b'}');
}

fn includes_thoughts(request: Json<'_>) -> bool {
    config(request, "thinkingConfig", "thinking_config")
        .and_then(|thinking| thinking.get_either("includeThoughts", "include_thoughts"))
        .and_then(Json::as_bool)
        .unwrap_or(false)
}

/// How many tokens the model thought: none where the model does not think or must not,
/// and never so many that the answer would not fit.
fn thoughts(request: Json<'_>, model: &str, answer: u64, random: &Random) -> u64 {
    let thinking = config(request, "thinkingConfig", "thinking_config");
    let budget =
        thinking.and_then(|thinking| thinking.get_either("thinkingBudget", "thinking_budget")).and_then(Json::as_i64);
    let asked = thinking.and_then(|thinking| thinking.get_either("thinkingLevel", "thinking_level")).is_some();
    let by_itself = ["gemini-2.5-", "gemini-3", "gemini-4"].iter().any(|family| model.starts_with(family))
        && !model.contains("-lite")
        && !model.contains("-image");
    let most = match budget {
        Some(0) => return 0,
        Some(budget) if budget > 0 => budget.unsigned_abs(),
        _ if asked || by_itself || budget == Some(-1) => 512,
        _ => return 0,
    };
    let room = config(request, "maxOutputTokens", "max_output_tokens")
        .and_then(Json::as_i64)
        .map_or(u64::MAX, |limit| limit.unsigned_abs().saturating_sub(answer));
    (24 + below(random, 400)).min(most).min(room)
}

/// An identifier of the form that the service gives: 23 characters of base64.
fn identifier(random: &Random) -> String {
    let mut bytes = [0; 17];
    for chunk in bytes.chunks_mut(8) {
        let number = random.next_u64().to_be_bytes();
        chunk.copy_from_slice(&number[..chunk.len()]);
    }
    URL_SAFE_NO_PAD.encode(bytes)
}
