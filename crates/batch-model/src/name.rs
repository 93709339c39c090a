//! Names of jobs, models and locations.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{ParseError, uri::serde_as_text};

/// Where a job runs: a region (`us-central1`), a multi-region (`us`, `eu`) or `global`. It decides the API host.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Location(String);

impl Location {
    /// The location's name as it stands in resource names.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The base URL of the Vertex AI API for this location, without a trailing slash.
    ///
    /// Certain for regions, `global`, `us` and `eu` (the API's discovery document, revision 20261106).
    #[must_use]
    pub fn vertex_base_url(&self) -> String {
        match self.0.as_str() {
            "global" => "https://aiplatform.googleapis.com".to_owned(),
            multi @ ("us" | "eu") => format!("https://aiplatform.{multi}.rep.googleapis.com"),
            region => format!("https://{region}-aiplatform.googleapis.com"),
        }
    }
}

impl FromStr for Location {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        // The name becomes part of a host: nothing that could make it another host.
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
            return Err(ParseError::new("location", text, "it has lowercase letters, digits and '-' only"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `projects/PROJECT/locations/LOCATION/batchPredictionJobs/ID`.
///
/// PROJECT is an id or a number: the service answers with the number whatever it was asked with.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobName {
    project: String,
    location: Location,
    id: String,
}

impl JobName {
    /// The job `id` of a project and location.
    #[must_use]
    pub fn new(project: impl Into<String>, location: Location, id: impl Into<String>) -> Self {
        Self { project: project.into(), location, id: id.into() }
    }

    /// The project's id or number.
    #[must_use]
    pub fn project(&self) -> &str {
        &self.project
    }

    /// The job's location.
    #[must_use]
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// The last segment: decimal digits on the real service.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl FromStr for JobName {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let segments: Vec<&str> = text.split('/').collect();
        let ["projects", project, "locations", location, "batchPredictionJobs", id] = segments[..] else {
            return Err(ParseError::new("job name", text, "it is not projects/*/locations/*/batchPredictionJobs/*"));
        };
        if project.is_empty() || id.is_empty() {
            return Err(ParseError::new("job name", text, "a segment is empty"));
        }
        Ok(Self::new(project, location.parse()?, id))
    }
}

impl fmt::Display for JobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "projects/{}/locations/{}/batchPredictionJobs/{}", self.project, self.location, self.id)
    }
}

/// A model as the job's `model` field takes it.
///
/// Written bare (`gemini-2.5-flash`), with its publisher (`anthropic/claude-…`,
/// `publishers/google/models/…`) or as a tuned model (`projects/…/locations/…/models/…`).
/// A bare name is Google's.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModelName(String);

impl ModelName {
    /// The resource name that is sent: `publishers/*/models/*` or `projects/…`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last segment: `gemini-2.5-flash`, or a tuned model's number.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// The publisher and its name for the model: `("google", "gemini-2.5-flash")`; `None` for a tuned model.
    #[must_use]
    pub fn publisher_model(&self) -> Option<(&str, &str)> {
        let segments: Vec<&str> = self.0.split('/').collect();
        match segments[..] {
            ["publishers", publisher, "models", model]
            | ["projects", _, "locations", _, "publishers", publisher, "models", model] => Some((publisher, model)),
            _ => None,
        }
    }

    /// Whether this is a project's own model, not a publisher's.
    #[must_use]
    pub fn is_tuned(&self) -> bool {
        self.0.starts_with("projects/") && !self.0.contains("/publishers/")
    }
}

impl FromStr for ModelName {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let wrong = |why| Err(ParseError::new("model", text, why));
        if text.is_empty() || text.contains(char::is_whitespace) {
            return wrong("it is empty or has white space");
        }
        let segments: Vec<&str> = text.split('/').collect();
        if segments.contains(&"") {
            return wrong("a segment is empty");
        }
        Ok(Self(match segments[..] {
            [model] | ["models", model] => format!("publishers/google/models/{model}"),
            ["publishers", _, "models", _] | ["projects", ..] => text.to_owned(),
            [publisher, model] => format!("publishers/{publisher}/models/{model}"),
            _ => return wrong("write gemini-…, publishers/*/models/* or projects/*/locations/*/models/*"),
        }))
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

serde_as_text!(Location);
serde_as_text!(JobName);
serde_as_text!(ModelName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_follows_the_location() {
        let url = |text: &str| text.parse::<Location>().unwrap().vertex_base_url();
        assert_eq!(url("us-central1"), "https://us-central1-aiplatform.googleapis.com");
        assert_eq!(url("global"), "https://aiplatform.googleapis.com");
        assert_eq!(url("eu"), "https://aiplatform.eu.rep.googleapis.com");
        assert!("evil.example/".parse::<Location>().is_err());
    }

    #[test]
    fn every_spelling_of_a_model() {
        let sent = |text: &str| text.parse::<ModelName>().unwrap().to_string();
        assert_eq!(sent("gemini-2.5-flash"), "publishers/google/models/gemini-2.5-flash");
        assert_eq!(sent("models/gemini-2.5-flash"), "publishers/google/models/gemini-2.5-flash");
        assert_eq!(sent("anthropic/claude-x"), "publishers/anthropic/models/claude-x");
        assert_eq!(sent("publishers/meta/models/llama"), "publishers/meta/models/llama");
        assert_eq!(sent("projects/p/locations/l/models/7@2"), "projects/p/locations/l/models/7@2");
        assert!("projects/p/locations/l/models/7".parse::<ModelName>().unwrap().is_tuned());
        let publisher =
            |text: &str| text.parse::<ModelName>().unwrap().publisher_model().map(|(p, m)| format!("{p} {m}"));
        assert_eq!(publisher("anthropic/claude-x").as_deref(), Some("anthropic claude-x"));
        assert_eq!(publisher("projects/p/locations/l/publishers/google/models/g").as_deref(), Some("google g"));
        assert_eq!(publisher("projects/p/locations/l/models/7"), None);
        assert!("a b".parse::<ModelName>().is_err());
        assert!("a//b".parse::<ModelName>().is_err());
    }

    #[test]
    fn a_job_name_round_trips() {
        let text = "projects/467677818012/locations/us-central1/batchPredictionJobs/484549293982613504";
        let name: JobName = text.parse().unwrap();
        assert_eq!((name.project(), name.id()), ("467677818012", "484549293982613504"));
        assert_eq!(name.to_string(), text);
        assert!("484549293982613504".parse::<JobName>().is_err());
    }
}
