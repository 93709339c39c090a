//! Token counts.

use std::fmt;
use std::ops::AddAssign;

use batch_model::prices::UsageCounts;
use memchr::memchr2;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::json::{self, Members};

/// The token counts of one response (`usageMetadata`). A count that the service left out
/// is `None`; it leaves out zeros.
///
/// Thinking is billed like the answer and is not part of `candidates_tokens`. The total is
/// the service's own and is not always the sum of the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Usage {
    /// Tokens of the request, cached ones included (`promptTokenCount`).
    pub prompt_tokens: Option<u64>,
    /// Tokens of the answer (`candidatesTokenCount`).
    pub candidates_tokens: Option<u64>,
    /// Tokens of thinking (`thoughtsTokenCount`).
    pub thoughts_tokens: Option<u64>,
    /// The service's sum (`totalTokenCount`).
    pub total_tokens: Option<u64>,
    /// Tokens of the request that came out of a cache (`cachedContentTokenCount`).
    pub cached_tokens: Option<u64>,
    /// Tokens that tools put into the prompt (`toolUsePromptTokenCount`).
    pub tool_use_tokens: Option<u64>,
    /// Of the request, tokens of sound (`promptTokensDetails`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio_tokens: Option<u64>,
    /// Of the request, tokens of sound that came out of a cache (`cacheTokensDetails`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached_audio_tokens: Option<u64>,
    /// Of the answer, tokens of pictures, sound and video (`candidatesTokensDetails`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media_tokens: Option<u64>,
}

/// Whether tokens of this kind are counted.
type IsWanted = fn(&str) -> bool;

/// Sums of [`Usage`] over many responses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TokenTotals {
    /// Sum of `prompt_tokens`.
    pub prompt_tokens: u64,
    /// Sum of `candidates_tokens`.
    pub candidates_tokens: u64,
    /// Sum of `thoughts_tokens`.
    pub thoughts_tokens: u64,
    /// Sum of `total_tokens`.
    pub total_tokens: u64,
    /// Sum of `cached_tokens`.
    pub cached_tokens: u64,
    /// Sum of `tool_use_tokens`.
    pub tool_use_tokens: u64,
}

impl AddAssign<&Usage> for TokenTotals {
    fn add_assign(&mut self, usage: &Usage) {
        let add = |sum: &mut u64, count: Option<u64>| *sum = sum.saturating_add(count.unwrap_or(0));
        add(&mut self.prompt_tokens, usage.prompt_tokens);
        add(&mut self.candidates_tokens, usage.candidates_tokens);
        add(&mut self.thoughts_tokens, usage.thoughts_tokens);
        add(&mut self.total_tokens, usage.total_tokens);
        add(&mut self.cached_tokens, usage.cached_tokens);
        add(&mut self.tool_use_tokens, usage.tool_use_tokens);
    }
}

impl Usage {
    /// The counts as they are priced; `None` where the response tells none.
    #[must_use]
    pub fn counts(&self) -> Option<UsageCounts> {
        if self.prompt_tokens.is_none() && self.candidates_tokens.is_none() && self.thoughts_tokens.is_none() {
            return None;
        }
        let count = |count: Option<u64>| count.unwrap_or(0);
        Some(UsageCounts {
            prompt: count(self.prompt_tokens),
            cached: count(self.cached_tokens),
            audio: count(self.audio_tokens),
            cached_audio: count(self.cached_audio_tokens),
            tool_use: count(self.tool_use_tokens),
            candidates: count(self.candidates_tokens),
            media: count(self.media_tokens),
            thoughts: count(self.thoughts_tokens),
        })
    }

    /// The count that a list by kind of token has a part of, and which kinds are that part.
    fn detail(&mut self, name: &str) -> Option<(&mut Option<u64>, IsWanted)> {
        let is_audio: IsWanted = |kind| kind == "AUDIO";
        match name {
            "promptTokensDetails" | "prompt_tokens_details" => Some((&mut self.audio_tokens, is_audio)),
            "cacheTokensDetails" | "cache_tokens_details" => Some((&mut self.cached_audio_tokens, is_audio)),
            "candidatesTokensDetails" | "candidates_tokens_details" => {
                Some((&mut self.media_tokens, |kind| !matches!(kind, "TEXT" | "MODALITY_UNSPECIFIED" | "")))
            }
            _ => None,
        }
    }

    fn add_detail(&mut self, name: &str, list: &RawValue) {
        let Some((field, is_wanted)) = self.detail(name) else { return };
        // Nearly always it is all text: one look is enough. AUDIO, VIDEO and DOCUMENT have a D, IMAGE
        // an I; TEXT and the names of the members have neither.
        if memchr2(b'D', b'I', list.get().as_bytes()).is_none() {
            return;
        }
        let elements: Vec<&RawValue> = serde_json::from_str(list.get()).unwrap_or_default();
        for element in elements {
            let members = Members::of(element);
            let kind = members.get(&["modality"]).and_then(json::string).unwrap_or_default();
            let count = members.get(&["tokenCount", "token_count"]).and_then(json::number).and_then(whole);
            if let Some(count) = count.filter(|_| is_wanted(&kind)) {
                *field = Some(field.unwrap_or(0).saturating_add(count));
            }
        }
    }

    fn field(&mut self, name: &str) -> Option<&mut Option<u64>> {
        match name {
            "promptTokenCount" | "prompt_token_count" => Some(&mut self.prompt_tokens),
            "candidatesTokenCount" | "candidates_token_count" => Some(&mut self.candidates_tokens),
            "thoughtsTokenCount" | "thoughts_token_count" => Some(&mut self.thoughts_tokens),
            "totalTokenCount" | "total_token_count" => Some(&mut self.total_tokens),
            "cachedContentTokenCount" | "cached_content_token_count" => Some(&mut self.cached_tokens),
            "toolUsePromptTokenCount" | "tool_use_prompt_token_count" => Some(&mut self.tool_use_tokens),
            _ => None,
        }
    }

    /// Whatever counts can be read.
    pub(super) fn forgiving(value: &RawValue) -> Self {
        let mut usage = Self::default();
        for (name, value) in Members::of(value).iter() {
            match usage.field(name) {
                Some(field) => *field = json::number(value).and_then(whole),
                None => usage.add_detail(name, value),
            }
        }
        usage
    }
}

impl<'de> Deserialize<'de> for Usage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct UsageVisitor;

        impl<'de> Visitor<'de> for UsageVisitor {
            type Value = Usage;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("token counts, which are a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Usage, A::Error> {
                let mut usage = Usage::default();
                while let Some(name) = map.next_key::<json::Text<'de>>()? {
                    if usage.detail(&name.0).is_some() {
                        usage.add_detail(&name.0, map.next_value::<&'de RawValue>()?);
                        continue;
                    }
                    match usage.field(&name.0) {
                        Some(field) => *field = map.next_value::<Count>()?.0,
                        None => _ = map.next_value::<IgnoredAny>()?,
                    }
                }
                Ok(usage)
            }
        }

        deserializer.deserialize_map(UsageVisitor)
    }
}

/// A count: a number, or digits in a string.
struct Count(Option<u64>);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct CountVisitor;

        impl Visitor<'_> for CountVisitor {
            type Value = Count;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a count, as a number or as digits")
            }

            fn visit_u64<E: de::Error>(self, count: u64) -> Result<Count, E> {
                Ok(Count(Some(count)))
            }

            fn visit_i64<E: de::Error>(self, count: i64) -> Result<Count, E> {
                // -1 says that a count is incomplete.
                Ok(Count(u64::try_from(count).ok()))
            }

            fn visit_f64<E: de::Error>(self, count: f64) -> Result<Count, E> {
                Ok(Count(whole(count)))
            }

            fn visit_str<E: de::Error>(self, count: &str) -> Result<Count, E> {
                Ok(Count(count.trim().parse().ok()))
            }

            fn visit_unit<E: de::Error>(self) -> Result<Count, E> {
                Ok(Count(None))
            }
        }

        deserializer.deserialize_any(CountVisitor)
    }
}

/// A float that is a count.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be a small whole number")]
fn whole(number: f64) -> Option<u64> {
    // Beyond 2^53 a float does not name one integer.
    (number.fract() == 0.0 && (0.0..9_007_199_254_740_992.0).contains(&number)).then_some(number as u64)
}
