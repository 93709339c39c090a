//! What is blocked, and how harmful something was found.

use crate::{Float, open_enum::open_enum, wire::wire_struct};

wire_struct! {
    /// From which likelihood of a harm on a prompt or answer is blocked.
    pub struct SafetySetting {
        /// The harm.
        category: Option<HarmCategory> = "category",
        /// From where on.
        threshold: Option<HarmBlockThreshold> = "threshold",
        /// By likelihood alone, or by severity too.
        method: Option<HarmBlockMethod> = "method",
    }

    /// How harmful something was found. Usually absent in batch output.
    pub struct SafetyRating {
        /// The harm.
        category: Option<HarmCategory> = "category",
        /// How likely it is.
        probability: Option<HarmProbability> = "probability",
        /// How likely it is, from 0 to 1.
        probability_score: Option<Float> = "probabilityScore",
        /// How bad it would be.
        severity: Option<HarmSeverity> = "severity",
        /// How bad it would be, from 0 to 1.
        severity_score: Option<Float> = "severityScore",
        /// Whether this rating is why something was blocked.
        blocked: Option<bool> = "blocked",
        /// A stricter threshold than the one asked for, which the service applied.
        overwritten_threshold: Option<HarmBlockThreshold> = "overwrittenThreshold",
    }
}

impl SafetySetting {
    /// Blocks `category` from `threshold` on.
    #[must_use]
    pub fn new(category: HarmCategory, threshold: HarmBlockThreshold) -> Self {
        Self { category: Some(category), threshold: Some(threshold), ..Self::default() }
    }
}

open_enum! {
    /// A kind of harm. The numbers from 6 on differ between Google's own clients and are left out.
    pub enum HarmCategory {
        /// Not said.
        Unspecified = "HARM_CATEGORY_UNSPECIFIED" = 0,
        /// Hate speech.
        HateSpeech = "HARM_CATEGORY_HATE_SPEECH" = 1,
        /// Dangerous content.
        DangerousContent = "HARM_CATEGORY_DANGEROUS_CONTENT" = 2,
        /// Harassment.
        Harassment = "HARM_CATEGORY_HARASSMENT" = 3,
        /// Sexually explicit content.
        SexuallyExplicit = "HARM_CATEGORY_SEXUALLY_EXPLICIT" = 4,
        /// Elections; deprecated.
        CivicIntegrity = "HARM_CATEGORY_CIVIC_INTEGRITY" = 5,
        /// A hateful picture.
        ImageHate = "HARM_CATEGORY_IMAGE_HATE",
        /// A dangerous picture.
        ImageDangerousContent = "HARM_CATEGORY_IMAGE_DANGEROUS_CONTENT",
        /// A harassing picture.
        ImageHarassment = "HARM_CATEGORY_IMAGE_HARASSMENT",
        /// A sexually explicit picture.
        ImageSexuallyExplicit = "HARM_CATEGORY_IMAGE_SEXUALLY_EXPLICIT",
        /// A prompt made to get around the filters.
        Jailbreak = "HARM_CATEGORY_JAILBREAK",
    }

    /// From where on something is blocked.
    pub enum HarmBlockThreshold {
        /// The model's default.
        Unspecified = "HARM_BLOCK_THRESHOLD_UNSPECIFIED" = 0,
        /// Low likelihood and more.
        BlockLowAndAbove = "BLOCK_LOW_AND_ABOVE" = 1,
        /// Medium likelihood and more.
        BlockMediumAndAbove = "BLOCK_MEDIUM_AND_ABOVE" = 2,
        /// High likelihood.
        BlockOnlyHigh = "BLOCK_ONLY_HIGH" = 3,
        /// Nothing is blocked; it is rated all the same.
        BlockNone = "BLOCK_NONE" = 4,
        /// The filter is off.
        Off = "OFF" = 5,
    }

    /// What decides about blocking.
    pub enum HarmBlockMethod {
        /// Not said.
        Unspecified = "HARM_BLOCK_METHOD_UNSPECIFIED" = 0,
        /// Likelihood and severity.
        Severity = "SEVERITY" = 1,
        /// Likelihood alone.
        Probability = "PROBABILITY" = 2,
    }

    /// How likely a harm is.
    pub enum HarmProbability {
        /// Not said.
        Unspecified = "HARM_PROBABILITY_UNSPECIFIED" = 0,
        /// Hardly.
        Negligible = "NEGLIGIBLE" = 1,
        /// A little.
        Low = "LOW" = 2,
        /// Likely.
        Medium = "MEDIUM" = 3,
        /// Very.
        High = "HIGH" = 4,
    }

    /// How bad a harm would be.
    pub enum HarmSeverity {
        /// Not said.
        Unspecified = "HARM_SEVERITY_UNSPECIFIED" = 0,
        /// Hardly.
        Negligible = "HARM_SEVERITY_NEGLIGIBLE" = 1,
        /// A little.
        Low = "HARM_SEVERITY_LOW" = 2,
        /// Bad.
        Medium = "HARM_SEVERITY_MEDIUM" = 3,
        /// Very bad.
        High = "HARM_SEVERITY_HIGH" = 4,
    }
}
