//! Token counts.

use std::fmt;
use std::ops::AddAssign;

use batch_model::prices::UsageCounts;
use memchr::memchr3;
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

    /// How many members are counts.
    pub(super) const COUNTS: usize = 6;
    /// How many members are lists by kind of token.
    pub(super) const DETAILS: usize = 3;

    /// Which of the counts a member is.
    pub(super) fn count_number(name: &[u8]) -> Option<usize> {
        match name {
            b"promptTokenCount" | b"prompt_token_count" => Some(0),
            b"candidatesTokenCount" | b"candidates_token_count" => Some(1),
            b"thoughtsTokenCount" | b"thoughts_token_count" => Some(2),
            b"totalTokenCount" | b"total_token_count" => Some(3),
            b"cachedContentTokenCount" | b"cached_content_token_count" => Some(4),
            b"toolUsePromptTokenCount" | b"tool_use_prompt_token_count" => Some(5),
            _ => None,
        }
    }

    /// Which of the lists by kind of token a member is.
    pub(super) fn detail_number(name: &[u8]) -> Option<usize> {
        match name {
            b"promptTokensDetails" | b"prompt_tokens_details" => Some(0),
            b"cacheTokensDetails" | b"cache_tokens_details" => Some(1),
            b"candidatesTokensDetails" | b"candidates_tokens_details" => Some(2),
            _ => None,
        }
    }

    /// Sets one of the [`COUNTS`](Self::COUNTS).
    pub(super) fn set_count(&mut self, number: usize, count: Option<u64>) {
        let field = match number {
            0 => &mut self.prompt_tokens,
            1 => &mut self.candidates_tokens,
            2 => &mut self.thoughts_tokens,
            3 => &mut self.total_tokens,
            4 => &mut self.cached_tokens,
            _ => &mut self.tool_use_tokens,
        };
        *field = count;
    }

    /// Whether a list by kind of token speaks of text alone, as it nearly always does: one look is enough.
    pub(super) fn is_of_text(list: &[u8]) -> bool {
        // AUDIO, VIDEO and DOCUMENT have a D, IMAGE an I; TEXT and the names of the members have neither.
        // An escape may hide either.
        memchr3(b'D', b'I', b'\\', list).is_none()
    }

    /// Adds what one of the [`DETAILS`](Self::DETAILS) tells, which is JSON.
    pub(super) fn add_detail(&mut self, number: usize, list: &str) {
        if Self::is_of_text(list.as_bytes()) {
            return;
        }
        let is_wanted = |kind: &str| match number {
            0 | 1 => kind == "AUDIO",
            _ => !matches!(kind, "TEXT" | "MODALITY_UNSPECIFIED" | ""),
        };
        let elements: Vec<&RawValue> = serde_json::from_str(list).unwrap_or_default();
        for element in elements {
            let members = Members::of(element);
            let kind = members.get(&["modality"]).and_then(json::string).unwrap_or_default();
            let count = members.get(&["tokenCount", "token_count"]).and_then(json::number).and_then(whole);
            if let Some(count) = count.filter(|_| is_wanted(&kind)) {
                let field = match number {
                    0 => &mut self.audio_tokens,
                    1 => &mut self.cached_audio_tokens,
                    _ => &mut self.media_tokens,
                };
                *field = Some(field.unwrap_or(0).saturating_add(count));
            }
        }
    }

    /// Whatever counts can be read.
    pub(super) fn forgiving(value: &RawValue) -> Self {
        let mut usage = Self::default();
        for (name, value) in Members::of(value).iter() {
            let name = name.as_bytes();
            if let Some(number) = Self::count_number(name) {
                usage.set_count(number, json::number(value).and_then(whole));
            } else if let Some(number) = Self::detail_number(name) {
                usage.add_detail(number, value.get());
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
                    let name = name.0.as_bytes();
                    if let Some(number) = Usage::count_number(name) {
                        usage.set_count(number, map.next_value::<Count>()?.0);
                    } else if let Some(number) = Usage::detail_number(name) {
                        usage.add_detail(number, map.next_value::<&'de RawValue>()?.get());
                    } else {
                        map.next_value::<IgnoredAny>()?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_of_token_is_known_however_it_is_written() {
        for (list, tokens) in [
            (r#"[{"modality":"AUDIO","tokenCount":7}]"#, Some(7)),
            (r#"[{"modality":"AU\u0044\u0049O","tokenCount":7}]"#, Some(7)),
            (r#"[{"modality":"TEXT","tokenCount":7}]"#, None),
        ] {
            let mut usage = Usage::default();
            usage.add_detail(0, list);
            assert_eq!(usage.audio_tokens, tokens, "{list}");
        }
    }
}
