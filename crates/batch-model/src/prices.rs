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

/// The tokens of one answer, as they are counted: what is absent is 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UsageCounts {
    /// The prompt, with what a cache gave and with sound.
    pub prompt: u64,
    /// The prompt: what a cache gave, with sound.
    pub cached: u64,
    /// The prompt: sound, with what a cache gave.
    pub audio: u64,
    /// The prompt: sound that a cache gave.
    pub cached_audio: u64,
    /// What tools added to the prompt.
    pub tool_use: u64,
    /// The answer, with pictures, sound and video.
    pub candidates: u64,
    /// The answer: pictures, sound and video.
    pub media: u64,
    /// Thoughts.
    pub thoughts: u64,
}

/// The tokens of many answers, kept apart as they are priced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct UsageTotals {
    /// Of requests with prompts up to [`LONG_PROMPT_TOKENS`].
    pub base: TokenTotals,
    /// Of requests with longer prompts.
    pub long: TokenTotals,
}

/// Tokens that have one price each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
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
    /// Answers as text.
    pub output: u64,
    /// Thoughts, which are paid as output.
    pub thinking: u64,
    /// Answers as pictures, sound or video.
    pub media_output: u64,
}

impl UsageTotals {
    /// Adds the tokens of one answer.
    pub fn add(&mut self, usage: &UsageMetadata) {
        let count = |tokens: Option<i64>| u64::try_from(tokens.unwrap_or(0)).unwrap_or(0);
        let is_audio = |modality: &Modality| *modality == Modality::Audio;
        let is_media = |modality: &Modality| !matches!(modality, Modality::Text | Modality::Unspecified);
        self.add_counts(&UsageCounts {
            prompt: count(usage.prompt_token_count),
            cached: count(usage.cached_content_token_count),
            audio: tokens_of(&usage.prompt_tokens_details, is_audio),
            cached_audio: tokens_of(&usage.cache_tokens_details, is_audio),
            tool_use: count(usage.tool_use_prompt_token_count),
            candidates: count(usage.candidates_token_count),
            media: tokens_of(&usage.candidates_tokens_details, is_media),
            thoughts: count(usage.thoughts_token_count),
        });
    }

    /// Adds the tokens of one answer, however they were counted. Which prompts are long is decided
    /// by each prompt alone.
    pub fn add_counts(&mut self, counts: &UsageCounts) {
        let audio_input = counts.audio.saturating_sub(counts.cached_audio);
        let tokens = TokenTotals {
            input: counts.prompt.saturating_sub(counts.cached).saturating_sub(audio_input),
            audio_input,
            cached_input: counts.cached.saturating_sub(counts.cached_audio),
            cached_audio_input: counts.cached_audio,
            tool_use: counts.tool_use,
            output: counts.candidates.saturating_sub(counts.media),
            thinking: counts.thoughts,
            media_output: counts.media,
        };
        if LONG_PROMPT_TOKENS < counts.prompt { self.long += tokens } else { self.base += tokens }
    }

    /// All of it, whatever the length of the prompts.
    #[must_use]
    pub fn all(&self) -> TokenTotals {
        let mut all = self.base;
        all += self.long;
        all
    }
}

fn tokens_of(details: &List<ModalityTokenCount>, wanted: impl Fn(&Modality) -> bool) -> u64 {
    let of_kind = details.iter().filter(|detail| wanted(detail.modality.as_ref().unwrap_or(&Modality::Unspecified)));
    of_kind.filter_map(|detail| u64::try_from(detail.token_count?).ok()).fold(0, u64::saturating_add)
}

impl AddAssign for TokenTotals {
    /// Counts that no service gives, of a damaged file, end at the most that there can be.
    fn add_assign(&mut self, other: Self) {
        self.input = self.input.saturating_add(other.input);
        self.audio_input = self.audio_input.saturating_add(other.audio_input);
        self.cached_input = self.cached_input.saturating_add(other.cached_input);
        self.cached_audio_input = self.cached_audio_input.saturating_add(other.cached_audio_input);
        self.tool_use = self.tool_use.saturating_add(other.tool_use);
        self.output = self.output.saturating_add(other.output);
        self.thinking = self.thinking.saturating_add(other.thinking);
        self.media_output = self.media_output.saturating_add(other.media_output);
    }
}

impl AddAssign for UsageTotals {
    fn add_assign(&mut self, other: Self) {
        self.base += other.base;
        self.long += other.long;
    }
}

impl TokenTotals {
    /// Every token that is paid as input, at whatever rate.
    #[must_use]
    pub fn prompts(&self) -> u64 {
        let parts = [self.input, self.audio_input, self.cached_input, self.cached_audio_input, self.tool_use];
        parts.into_iter().fold(0, u64::saturating_add)
    }

    /// Every token that is paid as output: answers and thoughts.
    #[must_use]
    pub fn answers(&self) -> u64 {
        [self.output, self.thinking, self.media_output].into_iter().fold(0, u64::saturating_add)
    }
}

/// What tokens cost, in USD. A part is `None` where it has tokens whose price is not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Cost {
    /// Prompts, without what a cache gave.
    pub input: Option<f64>,
    /// Prompts, what a cache gave.
    pub cached_input: Option<f64>,
    /// What tools added to prompts. No list has its price.
    pub tool_use: Option<f64>,
    /// Answers.
    pub output: Option<f64>,
    /// Thoughts, at the price of answers.
    pub thinking: Option<f64>,
}

impl Cost {
    /// All of it; `None` where a part is not known.
    #[must_use]
    pub fn total(&self) -> Option<f64> {
        Some(self.input? + self.cached_input? + self.tool_use? + self.output? + self.thinking?)
    }

    /// The parts that are known: the least that it cost.
    #[must_use]
    pub fn at_least(&self) -> f64 {
        [self.input, self.cached_input, self.tool_use, self.output, self.thinking].into_iter().flatten().sum()
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
    cost_at(price, totals, Rates::in_a_batch)
}

/// What the same tokens cost one request at a time, without a batch: what a cache gave costs the same.
///
/// ```
/// use batch_model::prices::{UsageCounts, UsageTotals, find, online_cost};
///
/// let mut totals = UsageTotals::default();
/// totals.add_counts(&UsageCounts { prompt: 1_000_000, candidates: 100_000, ..UsageCounts::default() });
/// let price = find(&"gemini-3.8-flash".parse()?).unwrap();
/// assert_eq!(online_cost(price, &totals).total(), Some(0.75 + 0.375));
/// # Ok::<(), batch_model::ParseError>(())
/// ```
#[must_use]
pub fn online_cost(price: &Price, totals: &UsageTotals) -> Cost {
    cost_at(price, totals, Rates::one_at_a_time)
}

/// The rates of input, sound and output.
type Paid = (Option<f64>, Option<f64>, Option<f64>);

impl Rates {
    fn in_a_batch(&self) -> Paid {
        (self.batch_input, self.batch_audio_input, self.batch_output)
    }

    fn one_at_a_time(&self) -> Paid {
        (self.input, self.audio_input, self.output)
    }
}

fn cost_at(price: &Price, totals: &UsageTotals, paid: fn(&Rates) -> Paid) -> Cost {
    let base = tier_cost(&price.base, paid, &totals.base);
    let long = tier_cost(price.long.as_ref().unwrap_or(&price.base), paid, &totals.long);
    Cost {
        input: sum(base.input, long.input),
        cached_input: sum(base.cached_input, long.cached_input),
        tool_use: sum(base.tool_use, long.tool_use),
        output: sum(base.output, long.output),
        thinking: sum(base.thinking, long.thinking),
    }
}

fn tier_cost(rates: &Rates, paid: fn(&Rates) -> Paid, tokens: &TokenTotals) -> Cost {
    let (input, audio, output) = paid(rates);
    Cost {
        input: sum(part(input, tokens.input), part(audio, tokens.audio_input)),
        cached_input: sum(part(rates.cached_input, tokens.cached_input), part(None, tokens.cached_audio_input)),
        tool_use: part(None, tokens.tool_use),
        output: sum(part(output, tokens.output), part(None, tokens.media_output)),
        thinking: part(output, tokens.thinking),
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
