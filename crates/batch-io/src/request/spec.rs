//! What every request of a run is made of.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::error::{Error, ErrorKind, Result};

/// What the requests of a run are made of, before any table is known: templates, and the
/// fields that are the same in every request.
///
/// Compiled by [`RequestTemplate::compile`](crate::RequestTemplate::compile). The fields
/// mirror `GenerateContentRequest`; what is JSON here goes into the request whole, in the
/// order of its keys, and nothing in it is a template.
// A field that is added later must not be serialized while it has its default, or the
// fingerprints of all runs that there are would change.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RequestSpec {
    /// Template of the last user turn.
    pub prompt: String,
    /// Template of the system instruction.
    pub system: Option<String>,
    /// Turns before the prompt, oldest first, as in a few-shot prompt.
    pub turns: Vec<Turn>,
    /// `generationConfig`, an object.
    pub generation_config: Option<Value>,
    /// `safetySettings`, an array.
    pub safety_settings: Option<Value>,
    /// `tools`, an array.
    pub tools: Option<Value>,
    /// `toolConfig`, an object.
    pub tool_config: Option<Value>,
    /// Names of labels and the templates of their values, in this order.
    pub labels: Vec<(String, String)>,
    /// Files that follow the prompt's text in the last user turn.
    pub files: Vec<FilePart>,
    /// Other fields of the request, such as `modelArmorConfig`.
    pub fields: Map<String, Value>,
    /// Columns that stand beside `request` in each line, to come back with the
    /// prediction.
    pub columns: Vec<String>,
}

impl RequestSpec {
    /// Requests of a prompt and nothing else.
    pub fn new(prompt: impl Into<String>) -> Self {
        Self { prompt: prompt.into(), ..Self::default() }
    }

    /// Bytes that are equal for equal specs and differ for different ones, in this and
    /// every later version: what a run's fingerprint is made of.
    pub fn fingerprint(&self) -> Vec<u8> {
        // Strings, lists and JSON values always serialize.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// A turn of the conversation before the prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Turn {
    /// Who speaks.
    pub role: Role,
    /// Template of what is said.
    pub template: String,
}

impl Turn {
    /// A turn of this role.
    pub fn new(role: Role, template: impl Into<String>) -> Self {
        Self { role, template: template.into() }
    }
}

/// Who speaks in a turn: the two roles that the service knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The one who asks.
    User,
    /// The one who answers.
    Model,
}

impl Role {
    /// As in a request.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Model => "model",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = Error;

    fn from_str(role: &str) -> Result<Self> {
        match role {
            "user" => Ok(Self::User),
            "model" => Ok(Self::Model),
            _ => {
                let error = Error::new(ErrorKind::Setting, format!("unknown role {role:?}"));
                Err(error.with_hint(match role {
                    "system" => "the system instruction is no turn but a setting of its own",
                    "assistant" => "did you mean \"model\"?",
                    _ => "a turn's role is \"user\" or \"model\"",
                }))
            }
        }
    }
}

/// A file that goes with the prompt, by its URI in a column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FilePart {
    /// The column with the URI: `gs://…`, or `https://…` for what is public.
    pub column: String,
    /// What kind of file it is.
    pub mime_type: MimeType,
}

impl FilePart {
    /// A file whose URI is in this column.
    pub fn new(column: impl Into<String>, mime_type: MimeType) -> Self {
        Self { column: column.into(), mime_type }
    }
}

/// Where the MIME type of a file comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MimeType {
    /// The same for all: `image/jpeg`.
    Fixed(String),
    /// The value in the column of this name.
    Column(String),
}
