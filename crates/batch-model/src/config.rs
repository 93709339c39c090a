//! `generationConfig`: how an answer is made.

use serde_json::Value;

use crate::{
    Float, List, MediaResolution, Schema,
    media::{AudioTranscriptionConfig, ImageConfig, ResponseFormat, SpeechConfig},
    open_enum::open_enum,
    wire::wire_struct,
};

wire_struct! {
    /// How an answer is made. What is absent is the model's own default.
    ///
    /// ```
    /// use batch_model::{GenerationConfig, ThinkingLevel};
    ///
    /// let config = GenerationConfig::default()
    ///     .with_max_output_tokens(2048)
    ///     .with_thinking_level(ThinkingLevel::Low)
    ///     .with_json_schema(serde_json::json!({"type": "object", "properties": {"name": {"type": "string"}}}));
    /// assert_eq!(config.response_mime_type.as_deref(), Some("application/json"));
    /// ```
    pub struct GenerationConfig {
        /// How random, from 0 to 2.
        temperature: Option<Float> = "temperature",
        /// Tokens are drawn from the likeliest that make up this share, from 0 to 1.
        top_p: Option<Float> = "topP",
        /// Tokens are drawn from this many of the likeliest. A float on Vertex AI: `64` or `64.0`.
        top_k: Option<Float> = "topK",
        /// How many answers, from 1 to 8.
        candidate_count: Option<i32> = "candidateCount",
        /// Most tokens of an answer, thoughts included.
        max_output_tokens: Option<i32> = "maxOutputTokens",
        /// Texts at which the answer ends; five at most.
        stop_sequences: List<String> = "stopSequences",
        /// The same seed gives, as far as it goes, the same answer.
        seed: Option<i32> = "seed",
        /// Above 0: words that occurred become less likely.
        presence_penalty: Option<Float> = "presencePenalty",
        /// Above 0: words become less likely with each occurrence.
        frequency_penalty: Option<Float> = "frequencyPenalty",
        /// Whether the log probabilities of the chosen tokens are given.
        response_logprobs: Option<bool> = "responseLogprobs",
        /// And those of this many others at each step.
        logprobs: Option<i32> = "logprobs",
        /// `text/plain`, `application/json` or `text/x.enum`.
        response_mime_type: Option<String> = "responseMimeType",
        /// What a JSON answer looks like. Needs a `response_mime_type`.
        response_schema: Option<Schema> = "responseSchema",
        /// The same as JSON Schema. Needs `application/json`; not together with `response_schema`.
        response_json_schema: Option<Value> = "responseJsonSchema",
        /// Media type and schema in one: the successor of the three above, from 2026.
        response_format: List<ResponseFormat> = "responseFormat",
        /// What kinds of parts an answer may have.
        response_modalities: List<ResponseModality> = "responseModalities",
        /// How much the model thinks first.
        thinking_config: Option<ThinkingConfig> = "thinkingConfig",
        /// How finely files are looked at.
        media_resolution: Option<MediaResolution> = "mediaResolution",
        /// Whether audio comes with timestamps.
        audio_timestamp: Option<bool> = "audioTimestamp",
        /// How speech is transcribed.
        audio_transcription_config: Option<AudioTranscriptionConfig> = "audioTranscriptionConfig",
        /// Into which language speech is translated.
        translation_config: Option<TranslationConfig> = "translationConfig",
        /// How an answer is spoken.
        speech_config: Option<SpeechConfig> = "speechConfig",
        /// What pictures look like.
        image_config: Option<ImageConfig> = "imageConfig",
        /// Whether the answer adapts to how the user feels.
        enable_affective_dialog: Option<bool> = "enableAffectiveDialog",
        /// Which model answers.
        routing_config: Option<RoutingConfig> = "routingConfig",
        /// Preferences about the model's features: v1beta1 only, deprecated.
        model_config: Option<ModelConfig> = "modelConfig",
    }

    /// How much the model thinks before it answers. What it thinks is paid as output.
    pub struct ThinkingConfig {
        /// Whether thoughts come back, as parts of their own.
        include_thoughts: Option<bool> = "includeThoughts",
        /// Most tokens of thought: 0 is off, −1 is as the model sees fit. For Gemini 2.5 (likely).
        thinking_budget: Option<i32> = "thinkingBudget",
        /// How much thought. For Gemini 3 and later (likely); not together with a budget.
        thinking_level: Option<ThinkingLevel> = "thinkingLevel",
    }

    /// Into which language speech is translated.
    pub struct TranslationConfig {
        /// The language, as a BCP-47 code.
        target_language_code: Option<String> = "targetLanguageCode",
        /// Whether speech that is in that language already is repeated.
        echo_target_language: Option<bool> = "echoTargetLanguage",
    }

    /// Which model answers: chosen by the service, or named.
    pub struct RoutingConfig {
        /// The service chooses.
        auto_mode: Option<AutoRoutingMode> = "autoMode",
        /// It is named.
        manual_mode: Option<ManualRoutingMode> = "manualMode",
    }

    /// How the service chooses a model.
    pub struct AutoRoutingMode {
        /// What matters most.
        model_routing_preference: Option<ModelPreference> = "modelRoutingPreference",
    }

    /// The model that answers.
    pub struct ManualRoutingMode {
        /// Its name.
        model_name: Option<String> = "modelName",
    }

    /// Preferences about the model's features.
    pub struct ModelConfig {
        /// What matters most.
        feature_selection_preference: Option<ModelPreference> = "featureSelectionPreference",
    }
}

open_enum! {
    /// A kind of part in an answer.
    pub enum ResponseModality {
        /// Not said.
        Unspecified = "MODALITY_UNSPECIFIED" = 0,
        /// Text.
        Text = "TEXT" = 1,
        /// Pictures.
        Image = "IMAGE" = 2,
        /// Sound.
        Audio = "AUDIO" = 3,
        /// Moving pictures.
        Video = "VIDEO",
    }

    /// How much the model thinks.
    pub enum ThinkingLevel {
        /// Not said.
        Unspecified = "THINKING_LEVEL_UNSPECIFIED",
        /// Hardly.
        Minimal = "MINIMAL",
        /// A little.
        Low = "LOW",
        /// More.
        Medium = "MEDIUM",
        /// Most.
        High = "HIGH",
    }

    /// What matters most when a model is chosen.
    pub enum ModelPreference {
        /// Not said, for a router.
        Unspecified = "UNKNOWN" = 0,
        /// The best answer.
        PrioritizeQuality = "PRIORITIZE_QUALITY" = 1,
        /// Both.
        Balanced = "BALANCED" = 2,
        /// The cheapest answer.
        PrioritizeCost = "PRIORITIZE_COST" = 3,
    }
}

impl GenerationConfig {
    /// The same configuration with this temperature.
    #[must_use]
    pub fn with_temperature(mut self, temperature: impl Into<Float>) -> Self {
        self.temperature = Some(temperature.into());
        self
    }

    /// The same configuration with this share of likely tokens.
    #[must_use]
    pub fn with_top_p(mut self, top_p: impl Into<Float>) -> Self {
        self.top_p = Some(top_p.into());
        self
    }

    /// The same configuration with this number of likely tokens.
    #[must_use]
    pub fn with_top_k(mut self, top_k: impl Into<Float>) -> Self {
        self.top_k = Some(top_k.into());
        self
    }

    /// The same configuration with this many answers.
    #[must_use]
    pub fn with_candidate_count(mut self, count: i32) -> Self {
        self.candidate_count = Some(count);
        self
    }

    /// The same configuration with at most this many tokens, thoughts included.
    #[must_use]
    pub fn with_max_output_tokens(mut self, tokens: i32) -> Self {
        self.max_output_tokens = Some(tokens);
        self
    }

    /// The same configuration with these ends.
    #[must_use]
    pub fn with_stop_sequences<S: Into<String>>(mut self, sequences: impl IntoIterator<Item = S>) -> Self {
        self.stop_sequences = sequences.into_iter().map(Into::into).collect();
        self
    }

    /// The same configuration with this seed.
    #[must_use]
    pub fn with_seed(mut self, seed: i32) -> Self {
        self.seed = Some(seed);
        self
    }

    /// The same configuration with log probabilities: of the chosen tokens and of `others` at each step.
    #[must_use]
    pub fn with_logprobs(mut self, others: i32) -> Self {
        self.response_logprobs = Some(true);
        self.logprobs = Some(others);
        self
    }

    /// The same configuration, for a JSON answer of this schema.
    #[must_use]
    pub fn with_schema(mut self, schema: Schema) -> Self {
        self.response_mime_type = Some("application/json".to_owned());
        self.response_schema = Some(schema);
        self.response_json_schema = None;
        self
    }

    /// The same configuration, for a JSON answer of this JSON Schema.
    #[must_use]
    pub fn with_json_schema(mut self, schema: Value) -> Self {
        self.response_mime_type = Some("application/json".to_owned());
        self.response_schema = None;
        self.response_json_schema = Some(schema);
        self
    }

    /// The same configuration, for an answer that is one of these, as a JSON string.
    #[must_use]
    pub fn with_json_enum<V: Into<String>>(self, values: impl IntoIterator<Item = V>) -> Self {
        self.with_schema(Schema::string().with_enum(values))
    }

    /// The same configuration with at most this many tokens of thought: 0 is off, −1 as the model sees fit.
    #[must_use]
    pub fn with_thinking_budget(mut self, tokens: i32) -> Self {
        let thinking = self.thinking_config.get_or_insert_default();
        thinking.thinking_budget = Some(tokens);
        thinking.thinking_level = None;
        self
    }

    /// The same configuration with this much thought.
    #[must_use]
    pub fn with_thinking_level(mut self, level: ThinkingLevel) -> Self {
        let thinking = self.thinking_config.get_or_insert_default();
        thinking.thinking_budget = None;
        thinking.thinking_level = Some(level);
        self
    }

    /// The same configuration, with thoughts coming back.
    #[must_use]
    pub fn with_thoughts(mut self) -> Self {
        self.thinking_config.get_or_insert_default().include_thoughts = Some(true);
        self
    }

    /// The same configuration with this look at files.
    #[must_use]
    pub fn with_media_resolution(mut self, resolution: MediaResolution) -> Self {
        self.media_resolution = Some(resolution);
        self
    }
}
