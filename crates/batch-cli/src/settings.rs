//! From what was typed to the settings of a spec.

use std::{
    fs,
    path::{Path, PathBuf},
};

use batch_pipeline::{Overrides, Spec};

use crate::{
    args::{JoinArgs, PlaceArgs, RequestArgs, RunArgs, SettingArgs},
    failure::{Failure, Result},
};

/// The settings that flags give, over those of the environment.
pub(crate) struct Settings(Overrides);

impl Settings {
    pub(crate) fn from_environment() -> Self {
        Self(Overrides::from_environment(|name| std::env::var(name).ok()))
    }

    /// No settings.
    pub(crate) fn none() -> Self {
        Self(Overrides::default())
    }

    /// Settings by their paths, `target.output=gs://bucket/out`.
    pub(crate) fn set(mut self, settings: &[String]) -> Result<Self> {
        for setting in settings {
            let (path, value) = pair(setting, "--set", "PATH=VALUE")?;
            self.push(path, Some(value), &format!("--set {path}"));
        }
        Ok(self)
    }

    pub(crate) fn push(&mut self, path: &str, value: Option<&str>, flag: &str) {
        if let Some(value) = value {
            self.0.push(path, value, flag);
        }
    }

    /// The flags about where it takes place.
    pub(crate) fn place(&mut self, args: &PlaceArgs) {
        self.push("target.project", args.project.as_deref(), "--project");
        self.push("target.location", args.location.as_deref(), "--location");
    }

    /// The flags about the table; `spec` is the spec that they stand over, if there is one.
    pub(crate) fn table(mut self, args: &SettingArgs, spec: Option<&Path>) -> Result<Self> {
        if let Some(input) = &args.input {
            let path =
                if input == "-" { input.clone() } else { from_here(Path::new(input), spec)?.display().to_string() };
            self.push("input.path", Some(&path), "--input");
        }
        self.push("input.format", args.input_format.as_deref(), "--input-format");
        self.push("input.delimiter", args.delimiter.as_deref(), "--delimiter");
        self.push("input.key", args.key.as_deref(), "--key");
        for label in &args.label {
            let (name, template) = pair(label, "--label", "NAME=TEMPLATE")?;
            let path = format!("request.labels.{name}");
            self.push(&path, Some(&template_of(template)?), "--label");
        }
        self.set(&args.set)
    }

    pub(crate) fn request(mut self, args: &RequestArgs) -> Result<Self> {
        self.push("request.model", args.model.as_deref(), "--model");
        let prompt = args.prompt.as_deref().map(template_of).transpose()?;
        self.push("request.prompt", prompt.as_deref(), "--prompt");
        let system = args.system.as_deref().map(template_of).transpose()?;
        self.push("request.system", system.as_deref(), "--system");
        if let Some(file) = &args.generation_config {
            let text = fs::read_to_string(file).map_err(|error| Failure::io("read", file, error))?;
            let value: serde_json::Value = serde_json::from_str(&text)
                .map_err(|error| Failure::caused(format!("{} is not JSON", file.display()), error))?;
            if !value.is_object() {
                return Err(Failure::new(format!("{} is not a JSON object", file.display())));
            }
            self.push("request.generationConfig", Some(&value.to_string()), "--generation-config");
        }
        Ok(self)
    }

    /// The flags about the results of a join.
    pub(crate) fn results(mut self, args: &JoinArgs) -> Result<Self> {
        self.push("results.format", args.output_format.as_deref(), "--output-format");
        let by_name = ["jsonl", "parquet"].into_iter().find(|name| args.output.extension() == Some(name.as_ref()));
        if args.output_format.is_none() && by_name.is_some() {
            self.push("results.format", by_name, "--output");
        }
        self.push("results.column_prefix", args.column_prefix.as_deref(), "--column-prefix");
        self.push("results.field_prefix", args.field_prefix.as_deref(), "--field-prefix");
        Ok(self)
    }

    pub(crate) fn run(mut self, args: &RunArgs) -> Result<Self> {
        self.place(&args.place);
        if let Some(answer) = args.answer.as_deref() {
            let answer = match answer.strip_prefix("replay:") {
                Some(file) => format!("replay:{}", from_here(Path::new(file), Some(&args.spec))?.display()),
                None => answer.to_owned(),
            };
            self.push("local.answer", Some(&answer), "--answer");
        }
        if !args.fault.is_empty() {
            let faults = serde_json::Value::from(args.fault.clone()).to_string();
            self.push("local.faults", Some(&faults), "--fault");
        }
        let settings = self.table(&args.settings, Some(&args.spec))?;
        settings.request(&args.request)
    }

    /// The spec in `file` under these settings; without a file, these settings alone.
    pub(crate) fn load(&self, file: Option<&Path>) -> Result<Spec> {
        Ok(match file {
            Some(file) => Spec::load(file, &self.0)?,
            None => Spec::parse("the arguments", "version = 1\n", &self.0)?,
        })
    }
}

fn pair<'a>(text: &'a str, flag: &str, shape: &str) -> Result<(&'a str, &'a str)> {
    let split = text.split_once('=').filter(|(name, _)| !name.is_empty());
    split.ok_or_else(|| Failure::new(format!("{flag} {text:?} is not {shape}")))
}

/// A template of a flag: `@FILE` is that file's text. A template that begins with @ itself is passed
/// on as a spec writes it.
fn template_of(text: &str) -> Result<String> {
    let text = match text.strip_prefix('@') {
        Some(rest) if !rest.starts_with('@') => {
            let file = Path::new(rest);
            fs::read_to_string(file).map_err(|error| Failure::io("read the template", file, error))?
        }
        Some(rest) => rest.to_owned(),
        None => text.to_owned(),
    };
    Ok(if text.starts_with('@') { format!("@{text}") } else { text })
}

/// A path of a flag is relative to where we are, and a path of a spec to the spec: where these are two
/// places, the path has to be whole.
fn from_here(path: &Path, spec: Option<&Path>) -> Result<PathBuf> {
    match spec.and_then(Path::parent) {
        Some(folder) if folder != Path::new("") => {
            std::path::absolute(path).map_err(|error| Failure::io("find", path, error))
        }
        _ => Ok(path.to_owned()),
    }
}
