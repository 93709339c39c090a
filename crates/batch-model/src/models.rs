//! The models that batches take, as far as is known, with the date of that knowledge.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::{Location, ModelName};

/// The day on which the list was made.
pub const AS_OF: &str = "2026-11-21";

/// What is known of a model; `None` is unknown, not no.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ModelInfo {
    /// Its name without a publisher: `gemini-2.5-flash`. All are Google's.
    pub id: String,
    /// The generation it belongs to: `gemini-2.5`, `embedding`.
    pub family: String,
    /// How mature it is.
    pub stage: Option<Stage>,
    /// Whether batches take it.
    pub batch: Option<bool>,
    /// Whether the `global` location serves it.
    pub global: Option<bool>,
    /// Every location that serves it.
    pub locations: Option<Vec<String>>,
    /// Locations that are known not to serve it.
    #[serde(default)]
    pub not_in: Vec<String>,
    /// Whether batches take a tuned model of it.
    pub tuned: Option<bool>,
    /// The day from which it is no longer served (RFC 3339).
    pub retired: Option<String>,
    /// The day before which it will not be retired.
    pub retires_not_before: Option<String>,
    /// What Google recommends instead.
    pub replacement: Option<String>,
    /// Most tokens of an answer, thoughts included.
    pub output_tokens: Option<u32>,
    /// How thinking is set.
    pub thinking: Option<Thinking>,
    /// Something else to know.
    pub note: Option<String>,
}

/// How mature a model is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Stage {
    /// Generally available.
    Ga,
    /// Public preview: it may change or go on short notice.
    Preview,
    /// For chosen users.
    Limited,
    /// No longer served: creating a job answers 404.
    Retired,
}

/// How a model's thinking is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Thinking {
    /// By `thinkingBudget`, in tokens.
    Budget,
    /// By `thinkingLevel`.
    Level,
    /// Not at all: it does not think.
    None,
}

impl ModelInfo {
    /// Whether it is served in this location, where known.
    #[must_use]
    pub fn served_in(&self, location: &Location) -> Option<bool> {
        let location = location.as_str();
        if self.not_in.iter().any(|other| other == location) {
            return Some(false);
        }
        if let Some(locations) = &self.locations {
            return Some(locations.iter().any(|one| one == location));
        }
        if location == "global" { self.global } else { None }
    }

    /// Whether it is retired on this day (`2026-11-21`), where known.
    #[must_use]
    pub fn is_retired(&self, day: &str) -> Option<bool> {
        // Days in this form sort as text.
        match (&self.retired, &self.retires_not_before) {
            (Some(retired), _) => Some(day >= retired.as_str()),
            (None, _) if self.stage == Some(Stage::Retired) => Some(true),
            (None, Some(earliest)) if day < earliest.as_str() => Some(false),
            _ => None,
        }
    }
}

/// Every model of the list, the newest generation first.
#[must_use]
pub fn all() -> &'static [ModelInfo] {
    &DATA.models
}

/// What is known of this model; `None` for tuned models, other publishers' and those not in the list.
///
/// ```
/// use batch_model::models;
///
/// let model = models::find(&"gemini-2.5-flash".parse()?).unwrap();
/// assert_eq!(model.batch, Some(true));
/// assert!(models::find(&"gemini-0-abacus".parse()?).is_none());
/// # Ok::<(), batch_model::ParseError>(())
/// ```
#[must_use]
pub fn find(model: &ModelName) -> Option<&'static ModelInfo> {
    by_id(all(), model, |info| &info.id)
}

/// The entry of a Google model: by its id as it is, else without `@version`, else without `-001`.
pub(crate) fn by_id<'a, T>(entries: &'a [T], model: &ModelName, id: impl Fn(&T) -> &str) -> Option<&'a T> {
    let ("google", name) = model.publisher_model()? else { return None };
    let unversioned = name.split_once('@').map_or(name, |(name, _)| name);
    let is_number = |suffix: &str| suffix.len() == 3 && suffix.bytes().all(|b| b.is_ascii_digit());
    let stable = match unversioned.rsplit_once('-') {
        Some((stable, suffix)) if is_number(suffix) => stable,
        _ => unversioned,
    };
    [name, unversioned, stable].into_iter().find_map(|wanted| entries.iter().find(|entry| id(entry) == wanted))
}

#[derive(Deserialize)]
struct Data {
    models: Vec<ModelInfo>,
}

static DATA: LazyLock<Data> =
    LazyLock::new(|| serde_json::from_str(include_str!("../data/models.json")).expect("a test reads the same file"));
