//! What form of answer a request asked for.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::schema::{Node, Schema};
use crate::json::{self, Members, Text};

/// What form of answer a request asked for: free text, one of a list of values, or JSON,
/// perhaps of a schema.
///
/// It decides how an answer is read: in free text every character counts; of JSON a
/// string's text is the answer and an object's fields are columns.
#[derive(Clone, Debug, Default)]
pub struct AnswerFormat {
    kind: FormatKind,
    schema: Option<Schema>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum FormatKind {
    #[default]
    Text,
    /// `text/x.enum`: a value of the list, bare.
    Enum,
    Json,
}

impl AnswerFormat {
    /// Free text.
    #[must_use]
    pub fn text() -> Self {
        Self::default()
    }

    /// JSON of whatever shape.
    #[must_use]
    pub fn json() -> Self {
        Self { kind: FormatKind::Json, schema: None }
    }

    /// What a `generationConfig` asks for by `responseMimeType`, `responseSchema`,
    /// `responseJsonSchema` or `responseFormat`, in `camelCase` or `snake_case`. A schema
    /// without a MIME type asks for JSON.
    #[must_use]
    pub fn from_generation_config(config: &RawValue) -> Self {
        let config = Members::of(config);
        let mime = config.get(&["responseMimeType", "response_mime_type"]).and_then(json::string);
        let schema = config
            .get(&["responseSchema", "response_schema"])
            .or_else(|| config.get(&["responseJsonSchema", "response_json_schema"]));
        if mime.is_some() || schema.is_some() {
            return Self::new(mime.as_deref(), schema);
        }
        let formats = config.get(&["responseFormat", "response_format"]).map(json::elements).unwrap_or_default();
        let text = formats.into_iter().find_map(|format| Members::of(format).get(&["text"]));
        let Some(text) = text.map(Members::of) else { return Self::text() };
        let mime = text.get(&["mimeType", "mime_type"]).and_then(json::string);
        Self::new(mime.as_deref(), text.get(&["schema"]))
    }

    /// What a `GenerateContentRequest` asks for.
    #[must_use]
    pub fn from_request(request: &RawValue) -> Self {
        generation_config(request).map(Self::from_generation_config).unwrap_or_default()
    }

    fn new(mime: Option<&str>, schema: Option<&RawValue>) -> Self {
        let kind = match mime {
            Some(mime) if is(mime, &["application/json", "APPLICATION_JSON"]) => FormatKind::Json,
            Some(mime) if is(mime, &["text/x.enum"]) => FormatKind::Enum,
            Some(mime) if is(mime, &["text/plain", "TEXT_PLAIN"]) => FormatKind::Text,
            _ if schema.is_some() => FormatKind::Json,
            _ => FormatKind::Text,
        };
        let schema = schema.filter(|_| kind != FormatKind::Text).map(Schema::read);
        Self { kind, schema }
    }

    /// Whether the answer is to be JSON.
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.kind == FormatKind::Json
    }

    /// The fields of the answer's objects in the order of their columns; `None` where only
    /// the answers tell which there are, and none where answers are no objects.
    #[must_use]
    pub fn fields(&self) -> Option<Vec<&str>> {
        match (&self.schema, self.kind) {
            (_, FormatKind::Text | FormatKind::Enum) => Some(Vec::new()),
            (Some(schema), FormatKind::Json) => schema.fields(),
            (None, FormatKind::Json) => None,
        }
    }

    /// Whether the answer is to be one of a list of values, bare (`text/x.enum`).
    #[must_use]
    pub fn is_enum(&self) -> bool {
        self.kind == FormatKind::Enum
    }

    /// What the schema asks of an answer, if there is one.
    #[must_use]
    pub fn answer_node(&self) -> Option<&Node> {
        self.schema.as_ref().map(Schema::root)
    }

    /// What a part of the schema asks: itself, or what its reference leads to. `None` for a
    /// reference that leads nowhere, which allows anything.
    #[must_use]
    pub fn resolve<'a>(&'a self, node: &'a Node) -> Option<&'a Node> {
        self.schema.as_ref()?.resolve(node, 0)
    }

    pub(super) fn kind(&self) -> FormatKind {
        self.kind
    }

    pub(super) fn schema(&self) -> Option<&Schema> {
        self.schema.as_ref()
    }
}

fn is(mime: &str, names: &[&str]) -> bool {
    // Parameters such as `; charset=utf-8` change nothing.
    let essence = mime.split(';').next().unwrap_or_default().trim();
    names.iter().any(|name| essence.eq_ignore_ascii_case(name))
}

/// The member of a request that says how to answer, with the contents passed over.
pub(crate) fn generation_config(request: &RawValue) -> Option<&RawValue> {
    struct Config<'a>(Option<&'a RawValue>);

    impl<'de: 'a, 'a> Deserialize<'de> for Config<'a> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct ConfigVisitor;

            impl<'de> Visitor<'de> for ConfigVisitor {
                type Value = Config<'de>;

                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("a request, which is a JSON object")
                }

                fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                    let mut config = None;
                    while let Some(name) = map.next_key::<Text<'de>>()? {
                        match name.0.as_ref() {
                            "generationConfig" | "generation_config" => config = Some(map.next_value()?),
                            _ => _ = map.next_value::<IgnoredAny>()?,
                        }
                    }
                    Ok(Config(config))
                }
            }

            deserializer.deserialize_map(ConfigVisitor)
        }
    }

    serde_json::from_str::<Config<'_>>(request.get()).ok()?.0
}

/// How each of many predictions is to be read: all in one way that is known, or each as its
/// echoed request says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Formats {
    given: Option<Arc<AnswerFormat>>,
    /// For a prediction without an echo.
    fallback: Arc<AnswerFormat>,
    /// For a request without a `generationConfig`.
    free_text: Arc<AnswerFormat>,
    /// By the text of the `generationConfig`, which most lines of a file share.
    known: HashMap<Box<str>, Arc<AnswerFormat>>,
    /// The newest of `known`.
    last: Option<(Box<str>, Arc<AnswerFormat>)>,
    /// What the predictions had that were looked over.
    met: Met,
}

/// Which kinds of echo were met.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Met {
    #[default]
    Nothing,
    One(Echo),
    Several,
}

/// What a prediction's echo says of the answer's form.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Echo {
    None,
    WithoutConfig,
    Config(Box<str>),
}

impl Echo {
    fn of(has_request: bool, config: Option<&str>) -> Self {
        match config {
            Some(config) => Self::Config(config.into()),
            None if has_request => Self::WithoutConfig,
            None => Self::None,
        }
    }

    fn is(&self, has_request: bool, config: Option<&str>) -> bool {
        match self {
            Self::Config(own) => config == Some(own),
            Self::WithoutConfig => has_request && config.is_none(),
            Self::None => !has_request,
        }
    }
}

impl Formats {
    /// More than this many different configurations are read each time anew.
    const REMEMBERED: usize = 256;

    pub(crate) fn new(given: Option<AnswerFormat>, fallback: AnswerFormat) -> Self {
        Self { given: given.map(Arc::new), fallback: Arc::new(fallback), ..Self::default() }
    }

    /// The format that holds for all, if one was given.
    pub(crate) fn given(&self) -> Option<&AnswerFormat> {
        self.given.as_deref()
    }

    /// The format of all predictions that were met, where they have one.
    pub(crate) fn common(&mut self) -> Option<Arc<AnswerFormat>> {
        match (&self.given, self.met.clone()) {
            (Some(given), _) => Some(Arc::clone(given)),
            (None, Met::One(Echo::None)) => Some(Arc::clone(&self.fallback)),
            (None, Met::One(Echo::WithoutConfig)) => Some(Arc::clone(&self.free_text)),
            (None, Met::One(Echo::Config(config))) => Some(self.of_config(&config)),
            (None, Met::Nothing | Met::Several) => None,
        }
    }

    /// Takes note of a prediction.
    pub(crate) fn meet(&mut self, has_request: bool, config: Option<&str>) {
        match &self.met {
            Met::Nothing => self.met = Met::One(Echo::of(has_request, config)),
            Met::One(one) if !one.is(has_request, config) => self.met = Met::Several,
            Met::One(_) | Met::Several => {}
        }
    }

    /// Takes note of what another has met.
    pub(crate) fn meet_all(&mut self, other: &Self) {
        self.met = match (std::mem::take(&mut self.met), &other.met) {
            (met, Met::Nothing) => met,
            (Met::Nothing, met) => met.clone(),
            (Met::One(one), Met::One(other)) if one == *other => Met::One(one),
            _ => Met::Several,
        };
    }

    pub(crate) fn of(&mut self, request: Option<&RawValue>) -> Arc<AnswerFormat> {
        if let Some(given) = &self.given {
            return Arc::clone(given);
        }
        let Some(request) = request else { return Arc::clone(&self.fallback) };
        match generation_config(request) {
            Some(config) => self.of_config(config.get()),
            None => Arc::clone(&self.free_text),
        }
    }

    /// The same, where the echoed request has been looked over: its `generationConfig`, and whether
    /// there is a request at all.
    pub(crate) fn of_echo(&mut self, has_request: bool, config: Option<&str>) -> Arc<AnswerFormat> {
        match (&self.given, config) {
            (Some(given), _) => Arc::clone(given),
            (None, Some(config)) => self.of_config(config),
            (None, None) if has_request => Arc::clone(&self.free_text),
            (None, None) => Arc::clone(&self.fallback),
        }
    }

    fn of_config(&mut self, config: &str) -> Arc<AnswerFormat> {
        match &self.last {
            Some((text, format)) if **text == *config => return Arc::clone(format),
            _ => {}
        }
        let format = match self.known.get(config) {
            Some(format) => Arc::clone(format),
            None => {
                let config = serde_json::from_str(config).map(AnswerFormat::from_generation_config);
                Arc::new(config.unwrap_or_default())
            }
        };
        if self.known.len() < Self::REMEMBERED {
            self.known.insert(config.into(), Arc::clone(&format));
        }
        self.last = Some((config.into(), Arc::clone(&format)));
        format
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(config: &str) -> AnswerFormat {
        AnswerFormat::from_generation_config(serde_json::from_str(config).unwrap())
    }

    #[test]
    fn every_way_to_ask_is_understood() {
        for (config, kind) in [
            (r#"{}"#, FormatKind::Text),
            (r#"{"temperature":0,"responseMimeType":null,"responseSchema":null}"#, FormatKind::Text),
            (r#"{"responseMimeType":"application/json"}"#, FormatKind::Json),
            (r#"{"response_mime_type":"Application/JSON; charset=utf-8"}"#, FormatKind::Json),
            (r#"{"response_schema":{"type":"STRING"}}"#, FormatKind::Json),
            (r#"{"responseJsonSchema":{"type":"string"}}"#, FormatKind::Json),
            (r#"{"responseMimeType":"text/x.enum","responseSchema":{"type":"STRING","enum":["a"]}}"#, FormatKind::Enum),
            (r#"{"responseMimeType":"text/plain","responseSchema":{}}"#, FormatKind::Text),
            (r#"{"responseFormat":[{"image":{}},{"text":{"mimeType":"APPLICATION_JSON"}}]}"#, FormatKind::Json),
            (r#"{"responseFormat":{"text":{"mime_type":"TEXT_PLAIN","schema":null}}}"#, FormatKind::Text),
        ] {
            assert_eq!(format(config).kind, kind, "{config}");
        }
    }

    #[test]
    fn an_echo_is_looked_into_once_for_each_configuration() {
        let request = |config: &str| format!(r#"{{"contents":[{{"parts":[]}}],"generation_config":{config}}}"#);
        let mut formats = Formats::new(None, AnswerFormat::json());
        let json = request(r#"{"responseMimeType":"application/json"}"#);
        let text = request(r#"{"seed":1}"#);
        let mut read = |request: &str| formats.of(Some(serde_json::from_str(request).unwrap()));
        let first = read(&json);
        assert!(first.is_json());
        assert!(!read(&text).is_json());
        assert!(Arc::ptr_eq(&first, &read(&json)));
        assert!(formats.of(None).is_json());
    }
}
