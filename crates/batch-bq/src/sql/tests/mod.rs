//! What the statements look like, and what is refused; and that other people's servers make of them
//! what batch-io makes of the same rows.

mod answers;
mod refused;
mod requests;
mod server;
mod shown;

use std::error::Error as _;
use std::fs;
use std::path::{Path, PathBuf};

use batch_io::{AnswerFormat, RequestSpec};
use batch_model::BigQueryUri;
use serde_json::Value;

use super::SqlError;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures")
}

fn uri(text: &str) -> BigQueryUri {
    text.parse().unwrap()
}

fn format(config: &str) -> AnswerFormat {
    AnswerFormat::from_generation_config(serde_json::from_str(config).unwrap())
}

/// The error, its cause and its hint.
fn told(error: &SqlError) -> String {
    let mut text = error.to_string();
    if let Some(source) = error.source() {
        text = format!("{text}\ncause: {source}");
    }
    if let Some(hint) = error.hint() {
        text = format!("{text}\nhint: {hint}");
    }
    text
}

/// The request of a fixture's spec.
fn spec(name: &str) -> RequestSpec {
    let text = fs::read_to_string(fixtures().join(name).join("batch.toml")).unwrap();
    let file: Value = serde_json::to_value(toml::from_str::<toml::Table>(&text).unwrap()).unwrap();
    let request = &file["request"];
    let mut spec = RequestSpec::new(request["prompt"].as_str().unwrap());
    spec.system = request["system"].as_str().map(str::to_owned);
    spec.generation_config = request.get("generationConfig").cloned();
    if let Some(labels) = request["labels"].as_object() {
        spec.labels = labels.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect();
    }
    spec
}
