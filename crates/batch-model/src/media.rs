//! Speech, pictures, sound and video in answers, and the transcription of speech.

use serde_json::Value;

use crate::{List, open_enum::open_enum, wire::wire_struct};

wire_struct! {
    /// How an answer is spoken.
    pub struct SpeechConfig {
        /// With which voice.
        voice_config: Option<VoiceConfig> = "voiceConfig",
        /// With which voices, for a dialogue.
        multi_speaker_voice_config: Option<MultiSpeakerVoiceConfig> = "multiSpeakerVoiceConfig",
        /// In which language (BCP-47).
        language_code: Option<String> = "languageCode",
    }

    /// A voice: one of these.
    pub struct VoiceConfig {
        /// One of the service's.
        prebuilt_voice_config: Option<PrebuiltVoiceConfig> = "prebuiltVoiceConfig",
        /// One like a sample.
        replicated_voice_config: Option<ReplicatedVoiceConfig> = "replicatedVoiceConfig",
        /// One by name.
        voice: Option<String> = "voice",
    }

    /// A voice of the service.
    pub struct PrebuiltVoiceConfig {
        /// Its name.
        voice_name: Option<String> = "voiceName",
    }

    /// A voice like a sample.
    pub struct ReplicatedVoiceConfig {
        /// The sample's media type.
        mime_type: Option<String> = "mimeType",
        /// The sample in base64.
        voice_sample_audio: Option<String> = "voiceSampleAudio",
    }

    /// The voices of a dialogue.
    pub struct MultiSpeakerVoiceConfig {
        /// One for each speaker.
        speaker_voice_configs: List<SpeakerVoiceConfig> = "speakerVoiceConfigs",
    }

    /// The voice of one speaker.
    pub struct SpeakerVoiceConfig {
        /// The speaker's name, as in the prompt.
        speaker: Option<String> = "speaker",
        /// The voice.
        voice_config: Option<VoiceConfig> = "voiceConfig",
    }

    /// What pictures look like. Deprecated in favour of [`ImageResponseFormat`]; a batch makes `1K` only.
    pub struct ImageConfig {
        /// Width to height: `16:9`.
        aspect_ratio: Option<String> = "aspectRatio",
        /// `1K`, `2K` or `4K`.
        image_size: Option<String> = "imageSize",
        /// Whether people may be in it.
        person_generation: Option<PersonGeneration> = "personGeneration",
        /// Whether well-known people may be.
        prominent_people: Option<ProminentPeople> = "prominentPeople",
        /// How it is stored.
        image_output_options: Option<ImageOutputOptions> = "imageOutputOptions",
    }

    /// How a picture is stored.
    pub struct ImageOutputOptions {
        /// Its media type.
        mime_type: Option<String> = "mimeType",
        /// How well a JPEG is kept, from 0 to 100.
        compression_quality: Option<i32> = "compressionQuality",
    }

    /// What an answer looks like: one of these.
    pub struct ResponseFormat {
        /// A text.
        text: Option<TextResponseFormat> = "text",
        /// A picture.
        image: Option<ImageResponseFormat> = "image",
        /// Sound.
        audio: Option<AudioResponseFormat> = "audio",
        /// Moving pictures.
        video: Option<VideoResponseFormat> = "video",
    }

    /// What a text looks like.
    pub struct TextResponseFormat {
        /// Plain or JSON.
        mime_type: Option<TextMimeType> = "mimeType",
        /// The JSON Schema of a JSON answer.
        schema: Option<Value> = "schema",
    }

    /// What a picture looks like.
    pub struct ImageResponseFormat {
        /// Width to height.
        aspect_ratio: Option<AspectRatio> = "aspectRatio",
        /// How large.
        image_size: Option<ImageSize> = "imageSize",
        /// How it is delivered.
        delivery: Option<Delivery> = "delivery",
        /// Its media type.
        mime_type: Option<ImageMimeType> = "mimeType",
    }

    /// What sound is like.
    pub struct AudioResponseFormat {
        /// Its media type.
        mime_type: Option<AudioMimeType> = "mimeType",
        /// How it is delivered.
        delivery: Option<Delivery> = "delivery",
        /// Samples a second.
        sample_rate: Option<i32> = "sampleRate",
        /// Bits a second.
        bit_rate: Option<i32> = "bitRate",
    }

    /// What moving pictures look like.
    pub struct VideoResponseFormat {
        /// Width to height.
        aspect_ratio: Option<AspectRatio> = "aspectRatio",
        /// How it is delivered.
        delivery: Option<Delivery> = "delivery",
        /// How long: `8s`.
        duration: Option<String> = "duration",
        /// Where it goes.
        gcs_uri: Option<String> = "gcsUri",
        /// How fine.
        resolution: Option<String> = "resolution",
    }

    /// How speech is transcribed.
    pub struct AudioTranscriptionConfig {
        /// Word for word, or tidied.
        mode: Option<TranscriptionMode> = "mode",
        /// The languages that may be spoken (BCP-47).
        language_codes: List<String> = "languageCodes",
        /// Words to be heard well.
        custom_vocabulary: List<String> = "customVocabulary",
        /// Whether speakers are told apart.
        diarization: Option<bool> = "diarization",
        /// Whether each word has its time.
        word_timestamp: Option<bool> = "wordTimestamp",
        /// A text that is read aloud in the recording.
        source_text: Option<String> = "sourceText",
        /// Deprecated: words to be heard well.
        adaptation_phrases: List<String> = "adaptationPhrases",
        /// Deprecated: the language is found out.
        language_auto: Option<LanguageAuto> = "languageAuto",
        /// Deprecated: the languages that may be spoken.
        language_hints: Option<LanguageHints> = "languageHints",
    }

    /// Deprecated: the language is found out. It has no members.
    pub struct LanguageAuto {}

    /// Deprecated: the languages that may be spoken.
    pub struct LanguageHints {
        /// The languages (BCP-47).
        language_codes: List<String> = "languageCodes",
    }
}

open_enum! {
    /// Whether people may be in a picture.
    pub enum PersonGeneration {
        /// Not said.
        Unspecified = "PERSON_GENERATION_UNSPECIFIED",
        /// Anyone.
        AllowAll = "ALLOW_ALL",
        /// Adults.
        AllowAdult = "ALLOW_ADULT",
        /// No one.
        AllowNone = "ALLOW_NONE",
    }

    /// Whether well-known people may be in a picture.
    pub enum ProminentPeople {
        /// Not said.
        Unspecified = "PROMINENT_PEOPLE_UNSPECIFIED",
        /// They may.
        Allow = "ALLOW_PROMINENT_PEOPLE",
        /// They may not.
        Block = "BLOCK_PROMINENT_PEOPLE",
    }

    /// The media type of a text.
    pub enum TextMimeType {
        /// Not said.
        Unspecified = "MIME_TYPE_UNSPECIFIED",
        /// `application/json`.
        ApplicationJson = "APPLICATION_JSON",
        /// `text/plain`.
        TextPlain = "TEXT_PLAIN",
    }

    /// The media type of a picture.
    pub enum ImageMimeType {
        /// Not said.
        Unspecified = "MIME_TYPE_UNSPECIFIED",
        /// `image/jpeg`.
        ImageJpeg = "IMAGE_JPEG",
    }

    /// The media type of sound.
    pub enum AudioMimeType {
        /// Not said.
        Unspecified = "MIME_TYPE_UNSPECIFIED",
        /// MP3.
        Mp3 = "AUDIO_MP3",
        /// Opus in Ogg.
        OggOpus = "AUDIO_OGG_OPUS",
        /// Linear PCM, 16 bits.
        L16 = "AUDIO_L16",
        /// WAV.
        Wav = "AUDIO_WAV",
        /// A-law.
        Alaw = "AUDIO_ALAW",
        /// µ-law.
        Mulaw = "AUDIO_MULAW",
    }

    /// How media is delivered.
    pub enum Delivery {
        /// Not said.
        Unspecified = "DELIVERY_UNSPECIFIED",
        /// In the answer.
        Inline = "INLINE",
        /// By address.
        Uri = "URI",
    }

    /// How large a picture is.
    pub enum ImageSize {
        /// Not said.
        Unspecified = "IMAGE_SIZE_UNSPECIFIED",
        /// 512 pixels.
        FiveTwelve = "IMAGE_SIZE_FIVE_TWELVE",
        /// 1K: the only one of a batch.
        OneK = "IMAGE_SIZE_ONE_K",
        /// 2K.
        TwoK = "IMAGE_SIZE_TWO_K",
        /// 4K.
        FourK = "IMAGE_SIZE_FOUR_K",
    }

    /// Width to height.
    pub enum AspectRatio {
        /// Not said.
        Unspecified = "ASPECT_RATIO_UNSPECIFIED",
        /// 1:1.
        OneByOne = "ASPECT_RATIO_ONE_BY_ONE",
        /// 2:3.
        TwoByThree = "ASPECT_RATIO_TWO_BY_THREE",
        /// 3:2.
        ThreeByTwo = "ASPECT_RATIO_THREE_BY_TWO",
        /// 3:4.
        ThreeByFour = "ASPECT_RATIO_THREE_BY_FOUR",
        /// 4:3.
        FourByThree = "ASPECT_RATIO_FOUR_BY_THREE",
        /// 4:5.
        FourByFive = "ASPECT_RATIO_FOUR_BY_FIVE",
        /// 5:4.
        FiveByFour = "ASPECT_RATIO_FIVE_BY_FOUR",
        /// 9:16.
        NineBySixteen = "ASPECT_RATIO_NINE_BY_SIXTEEN",
        /// 16:9.
        SixteenByNine = "ASPECT_RATIO_SIXTEEN_BY_NINE",
        /// 21:9.
        TwentyOneByNine = "ASPECT_RATIO_TWENTY_ONE_BY_NINE",
        /// 1:8.
        OneByEight = "ASPECT_RATIO_ONE_BY_EIGHT",
        /// 8:1.
        EightByOne = "ASPECT_RATIO_EIGHT_BY_ONE",
        /// 1:4.
        OneByFour = "ASPECT_RATIO_ONE_BY_FOUR",
        /// 4:1.
        FourByOne = "ASPECT_RATIO_FOUR_BY_ONE",
    }

    /// How faithfully speech is transcribed.
    pub enum TranscriptionMode {
        /// Not said.
        Unspecified = "MODE_UNSPECIFIED",
        /// Word for word.
        Verbatim = "VERBATIM",
        /// Tidied.
        Smart = "SMART",
    }
}
