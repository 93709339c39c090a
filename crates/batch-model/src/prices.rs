//! What tokens cost, as far as is known, with the date of that knowledge.

use std::{ops::AddAssign, sync::LazyLock};

use serde::{Deserialize, Serialize};

use crate::{List, Modality, ModalityTokenCount, ModelName, UsageMetadata, models::by_id};

/// The day on which the list was made.
pub const AS_OF: &str = "2026-11-21";

/// Prompts with more tokens than this are long: some models cost more for them.
pub const LONG_PROMPT_TOKENS: u64 = 200_000;

/// What a model costs. Likely, not certain; see the sources in the data file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Price {
    /// The model's name without a publisher.
    pub model: String,
    /// The rates, of short prompts where there are others for long ones.
    pub base: Rates,
    /// The rates of requests with prompts over [`LONG_PROMPT_TOKENS`]; `None`: the same.
    pub long: Option<Rates>,
}

/// USD for a million tokens; `None` is unknown, never free.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Rates {
    /// A prompt, one request at a time.
    pub input: Option<f64>,
    /// An answer or a thought, one request at a time.
    pub output: Option<f64>,
    /// A prompt, in a batch.
    pub batch_input: Option<f64>,
    /// An answer or a thought, in a batch.
    pub batch_output: Option<f64>,
    /// What a cache gave, in a batch or not: the discounts do not stack.
    pub cached_input: Option<f64>,
    /// Sound in a prompt, one request at a time.
    pub audio_input: Option<f64>,
    /// Sound in a prompt, in a batch.
    pub batch_audio_input: Option<f64>,
}

/// What this model costs; `None` where that is not known.
#[must_use]
pub fn find(model: &ModelName) -> Option<&'static Price> {
    by_id(all(), model, |price| &price.model)
}

/// Every known price.
#[must_use]
pub fn all() -> &'static [Price] {
    &DATA.prices
}

/// The tokens of many answers, kept apart as they are priced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct UsageTotals {
    /// Of requests with prompts up to [`LONG_PROMPT_TOKENS`].
    pub base: TokenTotals,
    /// Of requests with longer prompts.
    pub long: TokenTotals,
}

/// Tokens that have one price each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TokenTotals {
    /// Prompts: text, pictures, video and documents, not out of a cache.
    pub input: u64,
    /// Prompts: sound, not out of a cache.
    pub audio_input: u64,
    /// Prompts out of a cache, without sound.
    pub cached_input: u64,
    /// Prompts out of a cache: sound.
    pub cached_audio_input: u64,
    /// What tools added to prompts.
    pub tool_use: u64,
    /// Answers as text, and thoughts.
    pub output: u64,
    /// Answers as pictures, sound or video.
    pub media_output: u64,
}

impl UsageTotals {
    /// Adds the tokens of one answer.
    pub fn add(&mut self, usage: &UsageMetadata) {
        let count = |tokens: Option<i64>| u64::try_from(tokens.unwrap_or(0)).unwrap_or(0);
        let prompt = count(usage.prompt_token_count);
        let cached = count(usage.cached_content_token_count);
        let audio = tokens_of(&usage.prompt_tokens_details, |modality| *modality == Modality::Audio);
        let cached_audio = tokens_of(&usage.cache_tokens_details, |modality| *modality == Modality::Audio);
        let candidates = count(usage.candidates_token_count);
        let media = tokens_of(&usage.candidates_tokens_details, |modality| {
            !matches!(modality, Modality::Text | Modality::Unspecified)
        });
        let audio_input = audio.saturating_sub(cached_audio);
        let tokens = TokenTotals {
            input: prompt.saturating_sub(cached).saturating_sub(audio_input),
            audio_input,
            cached_input: cached.saturating_sub(cached_audio),
            cached_audio_input: cached_audio,
            tool_use: count(usage.tool_use_prompt_token_count),
            output: candidates.saturating_sub(media) + count(usage.thoughts_token_count),
            media_output: media,
        };
        if LONG_PROMPT_TOKENS < prompt { self.long += tokens } else { self.base += tokens }
    }
}

fn tokens_of(details: &List<ModalityTokenCount>, wanted: impl Fn(&Modality) -> bool) -> u64 {
    let of_kind = details.iter().filter(|detail| wanted(detail.modality.as_ref().unwrap_or(&Modality::Unspecified)));
    of_kind.filter_map(|detail| u64::try_from(detail.token_count?).ok()).sum()
}

impl AddAssign for TokenTotals {
    fn add_assign(&mut self, other: Self) {
        self.input += other.input;
        self.audio_input += other.audio_input;
        self.cached_input += other.cached_input;
        self.cached_audio_input += other.cached_audio_input;
        self.tool_use += other.tool_use;
        self.output += other.output;
        self.media_output += other.media_output;
    }
}

impl AddAssign for UsageTotals {
    fn add_assign(&mut self, other: Self) {
        self.base += other.base;
        self.long += other.long;
    }
}

/// What a batch cost, in USD. A part is `None` where it has tokens whose price is not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Cost {
    /// Prompts, without what a cache gave.
    pub input: Option<f64>,
    /// Prompts, what a cache gave.
    pub cached_input: Option<f64>,
    /// What tools added to prompts. No list has its price.
    pub tool_use: Option<f64>,
    /// Answers and thoughts.
    pub output: Option<f64>,
}

impl Cost {
    /// All of it; `None` where a part is not known.
    #[must_use]
    pub fn total(&self) -> Option<f64> {
        Some(self.input? + self.cached_input? + self.tool_use? + self.output?)
    }

    /// The parts that are known: the least that it cost.
    #[must_use]
    pub fn at_least(&self) -> f64 {
        [self.input, self.cached_input, self.tool_use, self.output].into_iter().flatten().sum()
    }
}

/// What these tokens cost in a batch: half price, thoughts as output, and what a cache gave at the
/// cache's price, which the batch does not halve again. Certain as rules; the rates are likely.
///
/// ```
/// use batch_model::{UsageMetadata, prices};
///
/// let usage: UsageMetadata = serde_json::from_str(
///     r#"{"promptTokenCount":1000000,"candidatesTokenCount":60000,"thoughtsTokenCount":40000}"#,
/// )?;
/// let mut totals = prices::UsageTotals::default();
/// totals.add(&usage);
/// let price = prices::find(&"gemini-3.8-flash".parse()?).unwrap();
/// assert_eq!(prices::cost(price, &totals).total(), Some(0.375 + 0.1875));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn cost(price: &Price, totals: &UsageTotals) -> Cost {
    let base = tier_cost(&price.base, &totals.base);
    let long = tier_cost(price.long.as_ref().unwrap_or(&price.base), &totals.long);
    Cost {
        input: sum(base.input, long.input),
        cached_input: sum(base.cached_input, long.cached_input),
        tool_use: sum(base.tool_use, long.tool_use),
        output: sum(base.output, long.output),
    }
}

fn tier_cost(rates: &Rates, tokens: &TokenTotals) -> Cost {
    Cost {
        input: sum(part(rates.batch_input, tokens.input), part(rates.batch_audio_input, tokens.audio_input)),
        cached_input: sum(part(rates.cached_input, tokens.cached_input), part(None, tokens.cached_audio_input)),
        tool_use: part(None, tokens.tool_use),
        output: sum(part(rates.batch_output, tokens.output), part(None, tokens.media_output)),
    }
}

/// Nothing costs nothing, whatever the rate.
fn part(rate: Option<f64>, tokens: u64) -> Option<f64> {
    if tokens == 0 {
        return Some(0.0);
    }
    #[expect(clippy::cast_precision_loss, reason = "2^53 tokens are more than anyone can pay")]
    rate.map(|rate| rate * tokens as f64 / 1e6)
}

fn sum(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    Some(a? + b?)
}

#[derive(Deserialize)]
struct Data {
    prices: Vec<Price>,
}

static DATA: LazyLock<Data> =
    LazyLock::new(|| serde_json::from_str(include_str!("../data/prices.json")).expect("a test reads the same file"));
