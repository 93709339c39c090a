//! `GenerateContentResponse`: what a model answered.

use crate::{
    Content, Float, List, SafetyRating, UsageMetadata,
    grounding::{CitationMetadata, GroundingMetadata, UrlContextMetadata},
    open_enum::open_enum,
    wire::wire_struct,
};

wire_struct! {
    /// What a model answered: what stands under `response` in a prediction.
    ///
    /// A response is no promise of a text: there may be no candidate (the prompt was blocked), a
    /// candidate without content (all tokens went into thought), or only thoughts.
    ///
    /// ```
    /// use batch_model::{FinishReason, GenerateContentResponse};
    ///
    /// let response: GenerateContentResponse = serde_json::from_str(
    ///     r#"{"candidates":[{"content":{"role":"model","parts":[
    ///         {"text":"Sport, or tech?","thought":true},{"text":"spo"},{"text":"rt"}]},"finishReason":"STOP"}]}"#,
    /// )?;
    /// assert_eq!(response.text().as_deref(), Some("sport"));
    /// assert_eq!(response.finish_reason(), Some(&FinishReason::Stop));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub struct GenerateContentResponse {
        /// The answers; usually one.
        candidates: List<Candidate> = "candidates",
        /// Why the prompt was blocked, where it was.
        prompt_feedback: Option<PromptFeedback> = "promptFeedback",
        /// What it cost in tokens.
        usage_metadata: Option<UsageMetadata> = "usageMetadata",
        /// The model that answered; with `@default` behind it until 2025.
        model_version: Option<String> = "modelVersion",
        /// When the request was taken up (RFC 3339).
        create_time: Option<String> = "createTime",
        /// Tells this response from others.
        response_id: Option<String> = "responseId",
    }

    /// One answer.
    pub struct Candidate {
        /// Which of the answers; left out where 0.
        index: Option<i64> = "index",
        /// The answer; absent or without parts where nothing was said.
        content: Option<Content> = "content",
        /// Why it ends.
        finish_reason: Option<FinishReason> = "finishReason",
        /// More about that.
        finish_message: Option<String> = "finishMessage",
        /// The mean log probability of its tokens.
        avg_logprobs: Option<Float> = "avgLogprobs",
        /// Their sum. In the lines of batches since 2025-12, and in no documentation.
        score: Option<Float> = "score",
        /// The log probabilities one by one.
        logprobs_result: Option<LogprobsResult> = "logprobsResult",
        /// How harmful it is; usually absent in batch output.
        safety_ratings: List<SafetyRating> = "safetyRatings",
        /// What it quotes.
        citation_metadata: Option<CitationMetadata> = "citationMetadata",
        /// What it rests on.
        grounding_metadata: Option<GroundingMetadata> = "groundingMetadata",
        /// The web pages that were read.
        url_context_metadata: Option<UrlContextMetadata> = "urlContextMetadata",
        /// Base64 to go on with, where it ended with `CONTINUATION`.
        continuation_token: Option<String> = "continuationToken",
    }

    /// Why a prompt was blocked.
    pub struct PromptFeedback {
        /// The reason.
        block_reason: Option<BlockedReason> = "blockReason",
        /// More about that.
        block_reason_message: Option<String> = "blockReasonMessage",
        /// How harmful it is.
        safety_ratings: List<SafetyRating> = "safetyRatings",
    }

    /// The log probabilities of an answer's tokens.
    pub struct LogprobsResult {
        /// Those of the tokens chosen, step by step.
        chosen_candidates: List<LogprobsToken> = "chosenCandidates",
        /// Those of the likeliest tokens at each step.
        top_candidates: List<TopLogprobs> = "topCandidates",
    }

    /// The likeliest tokens at one step, the likeliest first.
    pub struct TopLogprobs {
        /// The tokens.
        candidates: List<LogprobsToken> = "candidates",
    }

    /// A token and how likely it was.
    pub struct LogprobsToken {
        /// Its text.
        token: Option<String> = "token",
        /// Its number.
        token_id: Option<i64> = "tokenId",
        /// Its log probability.
        log_probability: Option<Float> = "logProbability",
    }
}

open_enum! {
    /// Why an answer ends. The numbers from 17 on are not known.
    pub enum FinishReason {
        /// Not said.
        Unspecified = "FINISH_REASON_UNSPECIFIED" = 0,
        /// It is complete, or met a stop sequence.
        Stop = "STOP" = 1,
        /// The tokens were used up, perhaps by thought.
        MaxTokens = "MAX_TOKENS" = 2,
        /// It was harmful.
        Safety = "SAFETY" = 3,
        /// It quoted too much.
        Recitation = "RECITATION" = 4,
        /// Something else.
        Other = "OTHER" = 5,
        /// It had a forbidden word.
        Blocklist = "BLOCKLIST" = 6,
        /// It was forbidden.
        ProhibitedContent = "PROHIBITED_CONTENT" = 7,
        /// It had personal data.
        Spii = "SPII" = 8,
        /// It called a function in a way that cannot be read.
        MalformedFunctionCall = "MALFORMED_FUNCTION_CALL" = 9,
        /// Model Armor blocked it.
        ModelArmor = "MODEL_ARMOR" = 10,
        /// The picture was harmful.
        ImageSafety = "IMAGE_SAFETY" = 11,
        /// The picture was forbidden.
        ImageProhibitedContent = "IMAGE_PROHIBITED_CONTENT" = 12,
        /// The picture was too like another.
        ImageRecitation = "IMAGE_RECITATION" = 13,
        /// Something else about the picture.
        ImageOther = "IMAGE_OTHER" = 14,
        /// It called a function that it may not call.
        UnexpectedToolCall = "UNEXPECTED_TOOL_CALL" = 15,
        /// A picture was due and none came.
        NoImage = "NO_IMAGE" = 16,
        /// It cannot be read.
        MalformedResponse = "MALFORMED_RESPONSE",
        /// There is more: see the continuation token.
        Continuation = "CONTINUATION",
        /// It called too many tools.
        TooManyToolCalls = "TOO_MANY_TOOL_CALLS",
        /// Its language is not supported.
        Language = "LANGUAGE",
        /// A thought's signature was not sent back.
        MissingThoughtSignature = "MISSING_THOUGHT_SIGNATURE",
        /// Known from Google's client only.
        Escalation = "ESCALATION",
        /// Known from Google's client only.
        PupLimitedDisabled = "PUP_LIMITED_DISABLED",
    }

    /// Why a prompt was blocked. The numbers from 6 on are not known.
    pub enum BlockedReason {
        /// Not said.
        Unspecified = "BLOCKED_REASON_UNSPECIFIED" = 0,
        /// It was harmful.
        Safety = "SAFETY" = 1,
        /// Something else.
        Other = "OTHER" = 2,
        /// It had a forbidden word.
        Blocklist = "BLOCKLIST" = 3,
        /// It was forbidden.
        ProhibitedContent = "PROHIBITED_CONTENT" = 4,
        /// Model Armor blocked it.
        ModelArmor = "MODEL_ARMOR" = 5,
        /// A picture in it was harmful.
        ImageSafety = "IMAGE_SAFETY",
        /// It tried to get around the filters.
        Jailbreak = "JAILBREAK",
    }
}

impl FinishReason {
    /// Whether the answer was cut off because of what it is: harmful, forbidden, quoted, personal.
    ///
    /// Not so for answers that the model spoiled (`MALFORMED_FUNCTION_CALL`, …), that are cut by
    /// length, or that ended for a reason this version does not know.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        matches!(
            self,
            Self::Safety
                | Self::Recitation
                | Self::Blocklist
                | Self::ProhibitedContent
                | Self::Spii
                | Self::ModelArmor
                | Self::ImageSafety
                | Self::ImageProhibitedContent
                | Self::ImageRecitation
        )
    }
}

impl GenerateContentResponse {
    /// The first candidate's text parts joined, thoughts left out; `None` where there is no such part.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        self.candidates.first()?.content.as_ref()?.text()
    }

    /// Why the first candidate ends.
    #[must_use]
    pub fn finish_reason(&self) -> Option<&FinishReason> {
        self.candidates.first()?.finish_reason.as_ref()
    }

    /// Why the prompt was blocked, where it was.
    #[must_use]
    pub fn block_reason(&self) -> Option<&BlockedReason> {
        self.prompt_feedback.as_ref()?.block_reason.as_ref()
    }
}
