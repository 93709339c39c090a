//! The job as a whole: its model and its location.

use batch_model::models::{self, ModelInfo};
use batch_model::{Location, ModelName};

use super::finding::Finding;
use super::rules::{self, Rule};

/// Whose requests a job's lines hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Requests {
    /// Gemini's: `GenerateContentRequest`.
    Gemini,
    /// An embedding model's, or another publisher's: only what every line must be is known.
    Other,
    /// A classic text embedding model's: there is no `request` at all.
    Bare,
}

impl Requests {
    pub(super) fn of(model: Option<&ModelName>) -> Self {
        let Some(("google", name)) = model.map_or(Some(("google", "")), ModelName::publisher_model) else {
            // Tuned models are Gemini models as far as is known; other publishers' are not.
            let is_tuned = model.is_some_and(ModelName::is_tuned);
            return if is_tuned { Self::Gemini } else { Self::Other };
        };
        if name.starts_with("text-embedding-") || name.starts_with("text-multilingual-embedding-") {
            Self::Bare
        } else if name.starts_with("gemini-embedding-") {
            Self::Other
        } else {
            Self::Gemini
        }
    }
}

/// What is wrong with a job of this model in this location, on this day.
pub(super) fn check(model: &ModelName, location: Option<&Location>, today: Option<&str>, out: &mut dyn FnMut(Finding)) {
    let mut report = |rule: &'static Rule, message: String, help: Option<String>| {
        let mut finding = Finding::new(rule, None, String::new(), message);
        if let Some(help) = help {
            finding.help(help);
        }
        out(finding);
    };
    if model.is_tuned() {
        if location.is_some_and(|location| location.as_str() == "global") {
            let message = "tuned models are not served in global".to_owned();
            report(&rules::MODEL_NOT_HERE, message, Some("use the location of the tuned model".to_owned()));
        }
        return;
    }
    if !matches!(model.publisher_model(), Some(("google", _))) {
        return;
    }
    let Some(info) = models::find(model) else {
        let like = crate::suggest::closest(model.short(), models::all().iter().map(|info| &*info.id));
        let message = format!("{:?} is not in the list of {}", model.short(), models::AS_OF);
        report(&rules::MODEL_UNKNOWN, message, like.map(|like| format!("did you mean {like:?}?")));
        return;
    };
    known(info, location, today, &mut report);
}

/// What is wrong with a job of a model in the list.
fn known(
    info: &ModelInfo,
    location: Option<&Location>,
    today: Option<&str>,
    report: &mut dyn FnMut(&'static Rule, String, Option<String>),
) {
    let instead = info.replacement.as_ref().map(|name| format!("Google recommends {name}"));
    let day = today.unwrap_or(models::AS_OF);
    match info.is_retired(day) {
        Some(true) => return report(&rules::MODEL_RETIRED, retired(info), instead),
        Some(false) => {}
        None => {
            if let Some(earliest) = info.retires_not_before.as_deref().filter(|earliest| day >= *earliest) {
                let message = format!("{} was promised until {earliest} only", info.id);
                report(&rules::MODEL_RETIRING, message, instead);
            }
        }
    }
    if info.batch == Some(false) {
        return report(&rules::MODEL_NOT_FOR_BATCH, format!("{} is not for batches", info.id), None);
    }
    if let Some(location) = location
        && info.served_in(location) == Some(false)
    {
        let help = match (&info.locations, info.global) {
            (Some(locations), _) => Some(format!("use one of {}", locations.join(", "))),
            (None, Some(true)) => Some("use the location global".to_owned()),
            (None, _) => None,
        };
        report(&rules::MODEL_NOT_HERE, format!("{} is not served in {location}", info.id), help);
    }
}

fn retired(info: &ModelInfo) -> String {
    match &info.retired {
        Some(day) => format!("{} is retired since {day}", info.id),
        None => format!("{} is retired", info.id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The list has no model that batches are known not to take; the next one may.
    #[test]
    fn a_model_that_batches_do_not_take() {
        let info: ModelInfo =
            serde_json::from_str(r#"{"id": "gemini-9-live", "family": "gemini-9", "batch": false}"#).unwrap();
        let mut found = Vec::new();
        known(&info, None, None, &mut |rule, message, _| found.push((rule.code, message)));
        assert_eq!(found, [(rules::MODEL_NOT_FOR_BATCH.code, "gemini-9-live is not for batches".to_owned())]);
    }
}
