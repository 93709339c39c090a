//! `Part`: one piece of a turn, of one of several kinds.

use serde_json::{Map, Value};

use crate::{Float, List, open_enum::open_enum, wire::wire_struct};

wire_struct! {
    /// One piece of a turn: a text, a file, a call, … beside what is said about it.
    ///
    /// One of the data members is there (see [`Part::kind`]). It is a struct and not an enum, so that
    /// a kind invented later survives, in `extra`.
    pub struct Part {
        /// A text.
        text: Option<String> = "text",
        /// A file, in the request itself.
        inline_data: Option<Blob> = "inlineData",
        /// A file, by its address.
        file_data: Option<FileData> = "fileData",
        /// A call that the model asks for.
        function_call: Option<FunctionCall> = "functionCall",
        /// What the called function gave.
        function_response: Option<FunctionResponse> = "functionResponse",
        /// Code that the model wrote to be run.
        executable_code: Option<ExecutableCode> = "executableCode",
        /// What running it gave.
        code_execution_result: Option<CodeExecutionResult> = "codeExecutionResult",
        /// What was heard.
        audio_transcription: Option<AudioTranscription> = "audioTranscription",
        /// Whether this is a thought of the model and no part of its answer.
        thought: Option<bool> = "thought",
        /// An opaque signature in base64, to be sent back in the next turn (Gemini 3 asks for it).
        thought_signature: Option<String> = "thoughtSignature",
        /// Which part of a video, and how densely.
        video_metadata: Option<VideoMetadata> = "videoMetadata",
        /// How finely this file is looked at.
        media_resolution: Option<PartMediaResolution> = "mediaResolution",
        /// Who speaks a text, and how.
        speech_metadata: Option<SpeechMetadata> = "speechMetadata",
    }

    /// A file in the request itself. It comes back in the echo of the request: mind the size.
    pub struct Blob {
        /// The IANA media type.
        mime_type: Option<String> = "mimeType",
        /// The bytes in standard base64.
        data: Option<String> = "data",
        /// A name for it.
        display_name: Option<String> = "displayName",
    }

    /// A file by its address.
    pub struct FileData {
        /// The IANA media type.
        mime_type: Option<String> = "mimeType",
        /// `gs://…`, or the URL of a public web page or YouTube video.
        file_uri: Option<String> = "fileUri",
        /// A name for it.
        display_name: Option<String> = "displayName",
    }

    /// A call that the model asks for.
    pub struct FunctionCall {
        /// Tells this call from others.
        id: Option<String> = "id",
        /// The function's name.
        name: Option<String> = "name",
        /// Its arguments.
        args: Option<Map<String, Value>> = "args",
        /// Arguments that are still arriving; streams only.
        partial_args: List<PartialArg> = "partialArgs",
        /// Whether more of them follow; streams only.
        will_continue: Option<bool> = "willContinue",
    }

    /// A piece of an argument that is still arriving.
    pub struct PartialArg {
        /// Where it belongs, as an RFC 9535 JSON path.
        json_path: Option<String> = "jsonPath",
        /// A string, or a piece of one.
        string_value: Option<String> = "stringValue",
        /// A number.
        number_value: Option<Float> = "numberValue",
        /// A boolean.
        bool_value: Option<bool> = "boolValue",
        /// `NULL_VALUE`, where the argument is null.
        null_value: Option<String> = "nullValue",
        /// Whether more of this string follows.
        will_continue: Option<bool> = "willContinue",
    }

    /// What a called function gave.
    pub struct FunctionResponse {
        /// The call that this answers.
        id: Option<String> = "id",
        /// The function's name.
        name: Option<String> = "name",
        /// What it gave: `output` or `error`, else the whole is taken as the output.
        response: Option<Map<String, Value>> = "response",
        /// Files that it gave.
        parts: List<FunctionResponsePart> = "parts",
        /// When the model shall look at it.
        scheduling: Option<Scheduling> = "scheduling",
    }

    /// A file that a function gave.
    pub struct FunctionResponsePart {
        /// The file itself.
        inline_data: Option<Blob> = "inlineData",
        /// The file's address.
        file_data: Option<FileData> = "fileData",
    }

    /// Code that the model wrote to be run.
    pub struct ExecutableCode {
        /// Tells this code from other.
        id: Option<String> = "id",
        /// Its language.
        language: Option<CodeLanguage> = "language",
        /// The code.
        code: Option<String> = "code",
    }

    /// What running code gave.
    pub struct CodeExecutionResult {
        /// The code that was run.
        id: Option<String> = "id",
        /// How it ended.
        outcome: Option<CodeExecutionOutcome> = "outcome",
        /// What it printed, or why it failed.
        output: Option<String> = "output",
    }

    /// What was heard.
    pub struct AudioTranscription {
        /// The words as text.
        text: Option<String> = "text",
        /// Who said it.
        speaker_label: Option<String> = "speakerLabel",
        /// The words one by one.
        words: List<AudioTranscriptionWord> = "words",
    }

    /// One word that was heard. Offsets are durations: `1.5s`.
    pub struct AudioTranscriptionWord {
        /// The word.
        word: Option<String> = "word",
        /// Where it begins.
        start_offset: Option<String> = "startOffset",
        /// Where it ends.
        end_offset: Option<String> = "endOffset",
    }

    /// Which part of a video is looked at. Offsets are durations: `1.5s`.
    pub struct VideoMetadata {
        /// Where to begin.
        start_offset: Option<String> = "startOffset",
        /// Where to end.
        end_offset: Option<String> = "endOffset",
        /// Pictures a second, above 0 and up to 24; 1 where absent.
        fps: Option<Float> = "fps",
    }

    /// How finely one file is looked at.
    pub struct PartMediaResolution {
        /// The level.
        level: Option<MediaResolution> = "level",
    }

    /// Who speaks a text, and how.
    pub struct SpeechMetadata {
        /// The speaker's name.
        speaker: Option<String> = "speaker",
        /// How it is said.
        style: Option<String> = "style",
    }
}

open_enum! {
    /// How finely files are looked at: the more tokens, the more is seen and paid.
    pub enum MediaResolution {
        /// Not said.
        Unspecified = "MEDIA_RESOLUTION_UNSPECIFIED" = 0,
        /// Few tokens.
        Low = "MEDIA_RESOLUTION_LOW" = 1,
        /// More tokens.
        Medium = "MEDIA_RESOLUTION_MEDIUM" = 2,
        /// Many tokens.
        High = "MEDIA_RESOLUTION_HIGH" = 3,
        /// Most tokens; only for a single part.
        UltraHigh = "MEDIA_RESOLUTION_ULTRA_HIGH",
    }

    /// When the model shall look at a function's response.
    pub enum Scheduling {
        /// Not said.
        Unspecified = "SCHEDULING_UNSPECIFIED",
        /// It is added, and nothing more is made of it.
        Silent = "SILENT",
        /// When nothing else goes on.
        WhenIdle = "WHEN_IDLE",
        /// At once.
        Interrupt = "INTERRUPT",
    }

    /// A programming language.
    pub enum CodeLanguage {
        /// Not said.
        Unspecified = "LANGUAGE_UNSPECIFIED" = 0,
        /// Python 3.
        Python = "PYTHON" = 1,
    }

    /// How running code ended.
    pub enum CodeExecutionOutcome {
        /// Not said.
        Unspecified = "OUTCOME_UNSPECIFIED" = 0,
        /// Well.
        Ok = "OUTCOME_OK" = 1,
        /// With an error.
        Failed = "OUTCOME_FAILED" = 2,
        /// It took too long.
        DeadlineExceeded = "OUTCOME_DEADLINE_EXCEEDED" = 3,
    }
}

/// What a [`Part`] is.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum PartKind<'a> {
    /// A text: an answer, a prompt or a thought.
    Text(&'a str),
    /// A file in the request itself.
    InlineData(&'a Blob),
    /// A file by its address.
    FileData(&'a FileData),
    /// A call that the model asks for.
    FunctionCall(&'a FunctionCall),
    /// What the called function gave.
    FunctionResponse(&'a FunctionResponse),
    /// Code to be run.
    ExecutableCode(&'a ExecutableCode),
    /// What running it gave.
    CodeExecutionResult(&'a CodeExecutionResult),
    /// What was heard.
    AudioTranscription(&'a AudioTranscription),
    /// A kind that this version does not know: the member's name and value.
    Unknown(&'a str, &'a Value),
    /// Nothing: no data member is there.
    Empty,
}

/// Members of newer or other versions of the API that describe a part and are not its data.
const ANNOTATIONS: [&str; 4] = ["mediaProcessing", "media_processing", "partMetadata", "part_metadata"];

impl Part {
    /// A text.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: Some(text.into()), ..Self::default() }
    }

    /// A file by its address (`gs://…`) and media type.
    #[must_use]
    pub fn file(uri: impl Into<String>, mime_type: impl Into<String>) -> Self {
        let file = FileData { file_uri: Some(uri.into()), mime_type: Some(mime_type.into()), ..FileData::default() };
        Self { file_data: Some(file), ..Self::default() }
    }

    /// A file in the request itself, its bytes already in standard base64.
    #[must_use]
    pub fn inline(base64: impl Into<String>, mime_type: impl Into<String>) -> Self {
        let blob = Blob { data: Some(base64.into()), mime_type: Some(mime_type.into()), ..Blob::default() };
        Self { inline_data: Some(blob), ..Self::default() }
    }

    /// A call, as the model asked for it in an earlier turn.
    #[must_use]
    pub fn function_call(name: impl Into<String>, args: Map<String, Value>) -> Self {
        let call = FunctionCall { name: Some(name.into()), args: Some(args), ..FunctionCall::default() };
        Self { function_call: Some(call), ..Self::default() }
    }

    /// What the called function gave.
    #[must_use]
    pub fn function_response(name: impl Into<String>, response: Map<String, Value>) -> Self {
        let response =
            FunctionResponse { name: Some(name.into()), response: Some(response), ..FunctionResponse::default() };
        Self { function_response: Some(response), ..Self::default() }
    }

    /// Whether this is a thought of the model and no part of its answer.
    #[must_use]
    pub fn is_thought(&self) -> bool {
        self.thought == Some(true)
    }

    /// Which of the data members is there; the first, where a malformed part has several.
    #[must_use]
    pub fn kind(&self) -> PartKind<'_> {
        if let Some(text) = &self.text {
            PartKind::Text(text)
        } else if let Some(blob) = &self.inline_data {
            PartKind::InlineData(blob)
        } else if let Some(file) = &self.file_data {
            PartKind::FileData(file)
        } else if let Some(call) = &self.function_call {
            PartKind::FunctionCall(call)
        } else if let Some(response) = &self.function_response {
            PartKind::FunctionResponse(response)
        } else if let Some(code) = &self.executable_code {
            PartKind::ExecutableCode(code)
        } else if let Some(result) = &self.code_execution_result {
            PartKind::CodeExecutionResult(result)
        } else if let Some(heard) = &self.audio_transcription {
            PartKind::AudioTranscription(heard)
        } else {
            let mut unknown = self.extra.iter();
            unknown
                .find(|(name, value)| !value.is_null() && !ANNOTATIONS.contains(&name.as_str()))
                .map_or(PartKind::Empty, |(name, value)| PartKind::Unknown(name, value))
        }
    }
}
