//! `usageMetadata`: what an answer cost in tokens.

use crate::{List, open_enum::open_enum, wire::wire_struct};

wire_struct! {
    /// What an answer cost in tokens; what is absent is 0.
    ///
    /// By the API's documentation the total is prompt + candidates + tool use + thoughts; real lines
    /// leave the tool use out. Real lines also have `billablePromptUsage` (in `extra`), which no
    /// documentation has.
    pub struct UsageMetadata {
        /// The prompt, cached tokens included.
        prompt_token_count: Option<i64> = "promptTokenCount",
        /// The part of the prompt that came out of a cache.
        cached_content_token_count: Option<i64> = "cachedContentTokenCount",
        /// The answers, without thoughts.
        candidates_token_count: Option<i64> = "candidatesTokenCount",
        /// The thoughts; paid as output.
        thoughts_token_count: Option<i64> = "thoughtsTokenCount",
        /// What tools added to the prompt.
        tool_use_prompt_token_count: Option<i64> = "toolUsePromptTokenCount",
        /// All of it.
        total_token_count: Option<i64> = "totalTokenCount",
        /// The prompt by kind.
        prompt_tokens_details: List<ModalityTokenCount> = "promptTokensDetails",
        /// The cached part of the prompt by kind.
        cache_tokens_details: List<ModalityTokenCount> = "cacheTokensDetails",
        /// The answers by kind.
        candidates_tokens_details: List<ModalityTokenCount> = "candidatesTokensDetails",
        /// What tools added, by kind.
        tool_use_prompt_tokens_details: List<ModalityTokenCount> = "toolUsePromptTokensDetails",
        /// By which agreement it is paid.
        traffic_type: Option<TrafficType> = "trafficType",
    }

    /// Tokens of one kind.
    pub struct ModalityTokenCount {
        /// The kind.
        modality: Option<Modality> = "modality",
        /// How many.
        token_count: Option<i64> = "tokenCount",
    }
}

open_enum! {
    /// A kind of tokens.
    pub enum Modality {
        /// Not said; text.
        Unspecified = "MODALITY_UNSPECIFIED" = 0,
        /// Text.
        Text = "TEXT" = 1,
        /// Pictures.
        Image = "IMAGE" = 2,
        /// Moving pictures.
        Video = "VIDEO" = 3,
        /// Sound.
        Audio = "AUDIO" = 4,
        /// Documents: PDF.
        Document = "DOCUMENT" = 5,
    }

    /// By which agreement a request is paid.
    pub enum TrafficType {
        /// Not said.
        Unspecified = "TRAFFIC_TYPE_UNSPECIFIED" = 0,
        /// As one goes. Batches say so too.
        OnDemand = "ON_DEMAND" = 1,
        /// By capacity bought before. Not for batches.
        ProvisionedThroughput = "PROVISIONED_THROUGHPUT" = 2,
        /// As one goes, sooner.
        OnDemandPriority = "ON_DEMAND_PRIORITY",
        /// As one goes, later.
        OnDemandFlex = "ON_DEMAND_FLEX",
        /// As one goes, in quiet hours.
        OnDemandOffpeak = "ON_DEMAND_OFFPEAK",
    }
}
