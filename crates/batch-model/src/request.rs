//! `GenerateContentRequest`: what stands under `request` in a line.

use serde_json::{Map, Value};

use crate::{Content, GenerationConfig, List, Part, SafetySetting, Tool, ToolConfig, wire::wire_struct};

wire_struct! {
    /// A request to a Gemini model: what stands under `request` in a request line.
    ///
    /// The online method's `model` is left out: the job names it.
    ///
    /// ```
    /// use batch_model::{Content, GenerateContentRequest, GenerationConfig};
    ///
    /// let request = GenerateContentRequest::text("日本が優勝した。")
    ///     .with_system("Answer with the category of the text.")
    ///     .with_generation_config(GenerationConfig::default().with_temperature(0.0).with_json_enum(["sport", "tech"]))
    ///     .with_label("id", "n0");
    /// assert_eq!(
    ///     serde_json::to_string(&request)?,
    ///     concat!(
    ///         r#"{"contents":[{"role":"user","parts":[{"text":"日本が優勝した。"}]}],"#,
    ///         r#""systemInstruction":{"parts":[{"text":"Answer with the category of the text."}]},"#,
    ///         r#""generationConfig":{"temperature":0,"responseMimeType":"application/json","#,
    ///         r#""responseSchema":{"type":"STRING","enum":["sport","tech"]}},"labels":{"id":"n0"}}"#,
    ///     ),
    /// );
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub struct GenerateContentRequest {
        /// The conversation so far; the last turn is the one to be answered. Required.
        contents: List<Content> = "contents",
        /// What the model is told before the conversation: text parts (likely nothing else).
        system_instruction: Option<Content> = "systemInstruction",
        /// How the answer is made.
        generation_config: Option<GenerationConfig> = "generationConfig",
        /// What is blocked. Not together with `model_armor_config`.
        safety_settings: List<SafetySetting> = "safetySettings",
        /// What the model may use.
        tools: List<Tool> = "tools",
        /// How it may use them.
        tool_config: Option<ToolConfig> = "toolConfig",
        /// Labels for the bill, and a way to know the row again: see [`limits`](crate::limits).
        labels: Option<Map<String, Value>> = "labels",
        /// A cached prompt. Not usable in a batch.
        cached_content: Option<String> = "cachedContent",
        /// Templates that check prompt and answer.
        model_armor_config: Option<ModelArmorConfig> = "modelArmorConfig",
        /// Base64 from an answer that ended with `CONTINUATION`, to go on with it.
        continuation_token: Option<String> = "continuationToken",
        /// Where media answers go.
        output_config: Option<RequestOutputConfig> = "outputConfig",
    }

    /// Templates of Model Armor that check prompt and answer.
    pub struct ModelArmorConfig {
        /// `projects/*/locations/*/templates/*`, for the prompt.
        prompt_template_name: Option<String> = "promptTemplateName",
        /// The same, for the answer.
        response_template_name: Option<String> = "responseTemplateName",
    }

    /// Where media answers go (`GenerateContentRequestOutputConfig`).
    pub struct RequestOutputConfig {
        /// A folder on Cloud Storage.
        output_uri_prefix: Option<String> = "outputUriPrefix",
    }
}

impl GenerateContentRequest {
    /// A request with this conversation.
    #[must_use]
    pub fn new(contents: impl IntoIterator<Item = Content>) -> Self {
        Self { contents: contents.into_iter().collect(), ..Self::default() }
    }

    /// A request with one turn of the user.
    #[must_use]
    pub fn text(prompt: impl Into<String>) -> Self {
        Self::new([Content::user(Part::text(prompt))])
    }

    /// The same request with one more turn, at the end.
    #[must_use]
    pub fn with_turn(mut self, turn: Content) -> Self {
        self.contents.push(turn);
        self
    }

    /// The same request with this system instruction.
    #[must_use]
    pub fn with_system(mut self, parts: impl Into<List<Part>>) -> Self {
        self.system_instruction = Some(Content::new(parts));
        self
    }

    /// The same request with this configuration.
    #[must_use]
    pub fn with_generation_config(mut self, config: GenerationConfig) -> Self {
        self.generation_config = Some(config);
        self
    }

    /// The same request with one more safety setting.
    #[must_use]
    pub fn with_safety_setting(mut self, setting: SafetySetting) -> Self {
        self.safety_settings.push(setting);
        self
    }

    /// The same request with one more tool.
    #[must_use]
    pub fn with_tool(mut self, tool: Tool) -> Self {
        self.tools.push(tool);
        self
    }

    /// The same request with this use of the tools.
    #[must_use]
    pub fn with_tool_config(mut self, config: ToolConfig) -> Self {
        self.tool_config = Some(config);
        self
    }

    /// The same request with one more label.
    #[must_use]
    pub fn with_label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.get_or_insert_default().insert(key.into(), Value::String(value.into()));
        self
    }
}
