//! Which models a job can name.

use http::StatusCode;

use super::config::Models;
use crate::envelope::ApiError;

/// Models that the service has shut down; their names begin so. Those of 2.0 ended on
/// 2026-06-01, the previews when their successors came.
const RETIRED: &[&str] = &[
    "gemini-1.0-",
    "gemini-1.5-",
    "gemini-2.0-",
    "gemini-3-pro-preview",
    "gemini-3.1-flash-lite-preview",
    "gemini-pro",
    "gemini-ultra",
];

/// Models that are served in one location only: seen on 2026-08-30, and as its page says.
const ONLY_IN: &[(&str, &str)] = &[("gemini-3.5-flash-lite", "global"), ("gemini-3-flash-preview", "global")];

/// Models that make embeddings, which this emulator does not.
const EMBEDDINGS: &[&str] = &["gemini-embedding-", "text-embedding-", "text-multilingual-embedding-"];

/// A model as a job names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Named<'a> {
    /// A publisher and the name of its model.
    Publisher(&'a str, &'a str),
    /// A tuned model.
    Tuned,
}

fn read(model: &str) -> Option<Named<'_>> {
    let parts: Vec<&str> = model.split('/').collect();
    if parts.iter().any(|part| part.is_empty()) {
        return None;
    }
    match parts[..] {
        ["publishers", publisher, "models", model]
        | ["projects", _, "locations", _, "publishers", publisher, "models", model] => {
            Some(Named::Publisher(publisher, model))
        }
        ["projects", _, "locations", _, "models", _] => Some(Named::Tuned),
        [model] if model.starts_with("gemini-") => Some(Named::Publisher("google", model)),
        _ => None,
    }
}

/// Refuses a model that the service would refuse.
pub(super) fn check(models: &Models, model: &str, project: &str, location: &str) -> Result<(), ApiError> {
    let invalid = |message: String| Err(ApiError::rpc(StatusCode::BAD_REQUEST, "INVALID_ARGUMENT", message));
    let (publisher, name) = match read(model) {
        Some(Named::Publisher(publisher, name)) => (publisher, name),
        Some(Named::Tuned) if location == "global" => {
            return invalid(format!("Tuned model {model} is not supported in location global."));
        }
        Some(Named::Tuned) => return Ok(()),
        None => {
            return invalid(format!(
                "List of found errors:\t1.Field: batch_prediction_job.model; Message: Invalid Model resource name.\t ({model})"
            ));
        }
    };
    let bare = name.split('@').next().unwrap_or(name);
    if publisher == "google" && EMBEDDINGS.iter().any(|start| bare.starts_with(start)) {
        return Err(ApiError::rpc(
            StatusCode::NOT_IMPLEMENTED,
            "UNIMPLEMENTED",
            format!("This emulator makes no embeddings, which {name} would be for."),
        ));
    }
    // These speak in sessions and answer no single request. The sentence is likely.
    if publisher == "google" && bare.split('-').any(|word| word == "live") {
        return invalid(format!("Model {name} is not supported for batch prediction."));
    }
    let served = match (publisher, models) {
        ("google", Models::Only(names)) => names.iter().any(|known| known == bare || known == name),
        ("google", Models::Any) => {
            bare.starts_with("gemini-")
                && !RETIRED.iter().any(|start| bare.starts_with(start))
                && ONLY_IN.iter().all(|(model, only)| bare != *model || location == *only)
        }
        _ => true,
    };
    if served {
        return Ok(());
    }
    Err(ApiError::rpc(
        StatusCode::NOT_FOUND,
        "NOT_FOUND",
        format!(
            "Publisher Model `projects/{project}/locations/{location}/publishers/{publisher}/models/{name}` was not found or your project does not have access to it. Please ensure you are using a valid model version. For more information, see: https://cloud.google.com/vertex-ai/generative-ai/docs/learn/model-versions"
        ),
    ))
}

/// What responses call the model: its name without a path or a version.
pub(super) fn version(model: &str) -> &str {
    let name = model.rsplit('/').next().unwrap_or(model);
    name.split('@').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_served_as_known() {
        for (model, location) in [
            ("publishers/google/models/gemini-2.5-flash", "us-central1"),
            ("gemini-2.5-flash-lite", "us-central1"),
            ("projects/p/locations/l/publishers/google/models/gemini-2.5-pro@1", "l"),
            ("projects/1/locations/us-central1/models/2@3", "us-central1"),
            ("publishers/anthropic/models/claude-sonnet-5", "us-east5"),
            ("publishers/google/models/gemini-3.5-flash-lite", "global"),
        ] {
            assert!(check(&Models::Any, model, "p", location).is_ok(), "{model}");
        }
        for (model, location) in [
            ("publishers/google/models/gemini-1.5-flash-002", "us-central1"),
            ("publishers/google/models/gemini-2.0-flash-001", "us-central1"),
            ("gemini-3-flash-preview", "us-central1"),
            ("gemini-2.5-flash-live", "us-central1"),
            ("publishers/google/models/gemini-3.5-flash-lite", "us-central1"),
            ("publishers/google/models/bison", "us-central1"),
            ("publishers/google/models/gemini-embedding-001", "us-central1"),
            ("projects/1/locations/global/models/2", "global"),
            ("m", "us-central1"),
            ("publishers//models/gemini-2.5-flash", "us-central1"),
        ] {
            assert!(check(&Models::Any, model, "p", location).is_err(), "{model}");
        }
        let only = Models::Only(vec!["gemini-2.5-pro".to_owned()]);
        assert!(check(&only, "gemini-2.5-pro", "p", "l").is_ok());
        assert!(check(&only, "gemini-2.5-flash", "p", "l").is_err());
    }

    #[test]
    fn a_version_has_no_path() {
        assert_eq!(version("publishers/google/models/gemini-2.5-flash@default"), "gemini-2.5-flash");
        assert_eq!(version("gemini-2.5-pro"), "gemini-2.5-pro");
    }
}
