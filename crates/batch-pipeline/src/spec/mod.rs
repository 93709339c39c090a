//! The spec, `batch.toml`: what to ask of which model about which table, and where.

mod document;
mod keys;
mod places;
mod sample;

use std::path::{Path, PathBuf};

use batch_model::ModelName;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use self::document::Document;
pub use self::{document::Override, sample::SAMPLE};
use crate::{Error, Kind, PollPolicy, Result};

/// A batch, as its spec describes it. Version 1 of the format.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The version of the format: 1.
    pub version: u32,
    /// The table.
    #[serde(default)]
    pub input: InputSpec,
    /// What is asked about each record.
    #[serde(default)]
    pub request: RequestSpec,
    /// Where on the service.
    #[serde(default)]
    pub target: TargetSpec,
    /// Other servers than the service's own.
    #[serde(default)]
    pub endpoints: EndpointsSpec,
    /// The emulator of a local run.
    #[serde(default)]
    pub local: LocalSpec,
    /// What the answers are compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluate: Option<EvaluateSpec>,
    /// The table of results.
    #[serde(default)]
    pub results: ResultsSpec,
    /// Where to cut the input into several jobs.
    #[serde(default)]
    pub limits: LimitsSpec,
    /// When to look at a job.
    #[serde(default)]
    pub poll: PollPolicy,
    /// Answers that are there already.
    #[serde(default)]
    pub cache: CacheSpec,
}

/// `[input]`: the table.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InputSpec {
    /// The file, relative to the spec; `-` is standard input. Empty where the records are elsewhere.
    pub path: PathBuf,
    /// A table that lies in the service's own storage, by its address: `bq://project.dataset.table`. One
    /// with a column `request` is submitted as it is; of another one's rows the service's side makes the
    /// requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// A `SELECT` over tables there, or `@FILE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// `csv`, `tsv` or `jsonl`; by the file's name where absent, else `csv`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// One character between the fields of a CSV.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<String>,
    /// The column whose values are the keys: unique and not empty. Without one a key is `r` and the
    /// record's index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

impl InputSpec {
    /// The input for people.
    #[must_use]
    pub fn name(&self) -> String {
        match (&self.table, &self.query) {
            (Some(table), _) => table.clone(),
            (None, Some(_)) => "input.query".to_owned(),
            (None, None) => self.path.display().to_string(),
        }
    }

    /// Whether the records are in a file here.
    #[must_use]
    pub fn is_here(&self) -> bool {
        self.table.is_none() && self.query.is_none()
    }
}

/// `[request]`: what is asked about each record.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RequestSpec {
    /// The model: `gemini-2.5-flash`, `publishers/*/models/*` or `projects/*/locations/*/models/*`.
    pub model: String,
    /// The template of the prompt.
    pub prompt: String,
    /// The template of the system instruction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// Turns before the prompt, for few-shot prompts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub turns: Vec<TurnSpec>,
    /// `generationConfig`, in the API's own names, passed through whole.
    #[serde(rename = "generationConfig", skip_serializing_if = "Option::is_none")]
    pub generation_config: Option<Map<String, Value>>,
    /// Labels of each request: name and template of the value.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub labels: Map<String, Value>,
    /// `safetySettings`, passed through whole.
    #[serde(rename = "safetySettings", skip_serializing_if = "Option::is_none")]
    pub safety_settings: Option<Value>,
    /// `tools`, passed through whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<Value>,
    /// `toolConfig`, passed through whole.
    #[serde(rename = "toolConfig", skip_serializing_if = "Option::is_none")]
    pub tool_config: Option<Value>,
    /// File parts from columns of URIs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileSpec>,
    /// Columns that travel beside the request and come back with the prediction.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
}

/// `[[request.turns]]`: one earlier turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TurnSpec {
    /// `user` or `model`.
    pub role: String,
    /// The template of its text.
    pub template: String,
}

/// `[[request.files]]`: one file part of each request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSpec {
    /// The column of URIs.
    pub column: String,
    /// The MIME type of all of them.
    #[serde(rename = "mimeType", default, skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    /// The column of MIME types.
    #[serde(rename = "mimeTypeColumn", default, skip_serializing_if = "Option::is_none")]
    pub mime_type_column: Option<String>,
}

/// `[target]`: where on the service.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TargetSpec {
    /// The project's id or number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The location: `us-central1`, `global`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Where request lines are staged: a URI.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// Where the service writes predictions: a URI.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// Labels of the job.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub labels: Map<String, Value>,
}

/// `[endpoints]`: other servers than the service's own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EndpointsSpec {
    /// Cloud Storage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage: Option<String>,
    /// BigQuery.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bigquery: Option<String>,
    /// Vertex AI.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vertex: Option<String>,
}

/// `[local]`: the emulator of a local run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LocalSpec {
    /// What answers: `schema`; `replay:FILE`, the file relative to the spec; or a model server,
    /// `openai:URL` or `gemini:URL`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// How many requests a model server gets at once. 4 by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer_concurrency: Option<u32>,
    /// The seed of the order of predictions and of what `schema` answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Faults by name, each with a count: `fail-row=3`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<String>,
    /// How long a job waits for capacity, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_seconds: Option<f64>,
    /// How long a job runs at least, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_seconds: Option<f64>,
}

/// `[evaluate]`: what the answers are compared with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvaluateSpec {
    /// The column of expected values.
    pub expected: String,
    /// What is compared: `answer`, or a field of JSON answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// The labels there are, in the order of the report; without them, those of the expected column.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// Whether white space around a value is no difference. True by default.
    #[serde(default = "yes")]
    pub trim: bool,
    /// Whether upper and lower case are no difference. False by default.
    #[serde(default)]
    pub ignore_case: bool,
    /// The accuracy below which the exit code is 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_accuracy: Option<f64>,
    /// How many records may have no answer before the exit code is 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_failed: Option<u64>,
}

/// `[results]`: the table of results.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ResultsSpec {
    /// `csv`, which is the default, `jsonl` or `parquet`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Put before the names of the columns that are added, where they clash with the input's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column_prefix: Option<String>,
    /// Put before the names of the columns that are made of the answers' fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field_prefix: Option<String>,
    /// Where they are: `here`, which is the default, or `bigquery`, where the predictions are and stay.
    #[serde(rename = "in", skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// In BigQuery: the address of the view or table. By default beside the predictions, under the run's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// In BigQuery: `view`, which is the default, or `table`.
    #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
    pub form: Option<String>,
}

impl ResultsSpec {
    /// Whether they are written as Parquet, which is no table that is read here again.
    #[must_use]
    pub fn is_parquet(&self) -> bool {
        self.format.as_deref() == Some("parquet")
    }

    /// Whether predictions are brought here, and the results are files.
    #[must_use]
    pub fn is_here(&self) -> bool {
        self.place.as_deref() != Some("bigquery")
    }
}

/// `[limits]`: where to cut the input into several jobs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsSpec {
    /// Requests of one job, at most.
    pub requests: u64,
    /// Bytes of one input file, at most.
    pub bytes: u64,
    /// Jobs at once, at most.
    pub jobs: usize,
}

impl Default for LimitsSpec {
    /// The service's own limits: 200,000 requests a job, 1 GB a file.
    fn default() -> Self {
        Self { requests: 200_000, bytes: 1_000_000_000, jobs: 4 }
    }
}

/// `[cache]`: answers of earlier runs that are taken instead of being asked for again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CacheSpec {
    /// Whether it is used. Without it, on a service and not in a local run, whose answers cost nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// The folder of its indexes, relative to the spec; [`CACHE`](crate::CACHE) in the working directory by
    /// default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
}

fn yes() -> bool {
    true
}

/// Where settings come from beside the file, lowest first: the environment, then the flags.
#[derive(Debug, Clone, Default)]
pub struct Overrides(Vec<Override>);

impl Overrides {
    /// The settings of the environment: `BATCH_TARGET_PROJECT` and so on for every setting, and the
    /// names that Google's own tools read, below them. `lookup` reads a variable.
    pub fn from_environment(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let google = [("GOOGLE_CLOUD_PROJECT", "target.project"), ("GOOGLE_CLOUD_LOCATION", "target.location")];
        let google = google.map(|(name, path)| (name.to_owned(), path.to_owned())).into_iter();
        let ours = keys::settings().map(|path| (keys::variable(&path), path));
        let set = google.chain(ours).filter_map(|(origin, path)| {
            let value = lookup(&origin).filter(|value| !value.is_empty())?;
            Some(Override { path, value, origin })
        });
        Self(set.collect())
    }

    /// Adds a setting over all that came before.
    pub fn push(&mut self, path: impl Into<String>, value: impl Into<String>, origin: impl Into<String>) {
        self.0.push(Override { path: path.into(), value: value.into(), origin: origin.into() });
    }

    /// Every setting's path and its environment variable.
    #[must_use]
    pub fn environment_variables() -> Vec<(String, String)> {
        keys::settings().map(|path| (path.clone(), keys::variable(&path))).collect()
    }
}

impl Spec {
    /// Reads a spec file and puts `overrides` over it. Paths in it stay as they are written: see
    /// [`resolve_path`](Self::resolve_path).
    ///
    /// # Errors
    /// The file cannot be read, is not TOML, has a key that no spec has, or a value of another type:
    /// each with file, line and column.
    pub fn load(path: &Path, overrides: &Overrides) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            let missing = error.kind() == std::io::ErrorKind::NotFound;
            let error = Error::io(Kind::Spec, "read the spec", path, error);
            if missing { error.with_hint("`batch-cli init` writes a commented one") } else { error }
        })?;
        Self::parse(&path.display().to_string(), &text, overrides)
    }

    /// Reads a spec from `text`; `file` is its name in messages.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn parse(file: &str, text: &str, overrides: &Overrides) -> Result<Self> {
        let mut document = Document::parse(file, text)?;
        overrides.0.iter().try_for_each(|setting| document.set(setting))?;
        match document.values.get("version").and_then(Value::as_u64) {
            Some(1) => {}
            Some(other) => {
                let message = format!("version {other} of the format is not known");
                return Err(document.error_at("version", message).with_hint("this program reads version = 1"));
            }
            None => {
                let message = "the spec does not say its version";
                return Err(document.error_at("version", message).with_hint("write `version = 1` at its top"));
            }
        }
        document.check_keys()?;
        let mut spec: Self = serde_path_to_error::deserialize(&document.values).map_err(|error| {
            let path = error.path().to_string();
            let why = error.into_inner().to_string();
            let message = if path == "." { why } else { format!("{path}: {why}") };
            document.error_at(&path, message)
        })?;
        spec.check(&document)?;
        spec.read_templates(&document, Path::new(file))?;
        Ok(spec)
    }

    /// This spec with some settings of its `[request]` changed; `request.` may be left out of their paths.
    /// Templates are taken as they are: a leading `@` means no file here.
    ///
    /// # Errors
    /// A setting of another table, a key that there is not, a value of another type.
    pub fn with_request(&self, overrides: &Overrides) -> Result<Self> {
        let values = serde_json::to_value(self);
        let values = values.map_err(|error| Error::new(Kind::Bug, "write the spec").with_source(error))?;
        let mut document = Document::of(values);
        for setting in &overrides.0 {
            let first = setting.path.split('.').next().unwrap_or_default();
            let path = match first {
                "request" => setting.path.clone(),
                _ if keys::of("request").is_some_and(|keys| keys.contains(&first)) => {
                    keys::join("request", &setting.path)
                }
                _ => {
                    let message = format!("{}: {:?} is no setting of the request", setting.origin, setting.path);
                    return Err(Error::new(Kind::Spec, message).with_hint("only what is asked can be changed here"));
                }
            };
            document.set(&Override { path, ..setting.clone() })?;
        }
        document.check_keys()?;
        let spec: Self = serde_path_to_error::deserialize(&document.values).map_err(|error| {
            let path = error.path().to_string();
            let message = format!("{path}: {}", error.into_inner());
            document.error_at(&path, message)
        })?;
        spec.check(&document)?;
        Ok(spec)
    }

    /// A template that begins with `@` is the text of that file; `@@` stands for a real `@`.
    fn read_templates(&mut self, document: &Document, spec_file: &Path) -> Result<()> {
        let request = &mut self.request;
        let query = self.input.query.iter_mut().map(|query| ("input.query".to_owned(), query));
        let plain = [("request.prompt".to_owned(), &mut request.prompt)].into_iter().chain(query);
        let system = request.system.iter_mut().map(|template| ("request.system".to_owned(), template));
        let turns = request.turns.iter_mut().enumerate();
        let turns = turns.map(|(i, turn)| (format!("request.turns[{i}].template"), &mut turn.template));
        for (path, template) in plain.chain(system).chain(turns) {
            let Some(rest) = template.strip_prefix('@') else { continue };
            if rest.starts_with('@') {
                *template = rest.to_owned();
                continue;
            }
            let file = Self::resolve_path(spec_file, Path::new(rest));
            *template = std::fs::read_to_string(&file).map_err(|error| {
                let message = format!("{path}: read the template {}", file.display());
                document.error_at(&path, message).with_source(error)
            })?;
        }
        Ok(())
    }

    /// The model that is asked.
    ///
    /// # Errors
    /// None is named, or what is named is none.
    pub fn model(&self) -> Result<ModelName> {
        if self.request.model.is_empty() {
            let error = Error::new(Kind::Spec, "no model is named");
            return Err(error.with_hint("write `model = \"gemini-2.5-flash\"` under [request], or pass --model"));
        }
        let model = self.request.model.parse();
        model.map_err(|error| Error::new(Kind::Spec, "[request] model").with_source(error))
    }

    /// What serde cannot say of one value by itself.
    fn check(&self, document: &Document) -> Result<()> {
        let wrong = |path: &str, message: String| Err(document.error_at(path, message));
        places::check(self, document)?;
        if let Err(error) = self.table_format() {
            return wrong("input.format", error);
        }
        for (name, labels) in [("request.labels", &self.request.labels), ("target.labels", &self.target.labels)] {
            if let Some((key, _)) = labels.iter().find(|(_, value)| !value.is_string()) {
                return wrong(&format!("{name}.{key}"), format!("the label {key:?} is not a text"));
            }
        }
        for (i, turn) in self.request.turns.iter().enumerate() {
            if !matches!(turn.role.as_str(), "user" | "model") {
                let path = format!("request.turns[{i}].role");
                return wrong(&path, format!("the role {:?} is neither \"user\" nor \"model\"", turn.role));
            }
        }
        for (i, file) in self.request.files.iter().enumerate() {
            if file.mime_type.is_some() == file.mime_type_column.is_some() {
                let path = format!("request.files[{i}]");
                return wrong(&path, "a file part needs one of mimeType and mimeTypeColumn".to_owned());
            }
        }
        if !matches!(self.results.format.as_deref(), None | Some("csv" | "jsonl" | "parquet")) {
            let forms = "results are written as \"csv\", as \"jsonl\" or as \"parquet\"";
            return wrong("results.format", forms.to_owned());
        }
        for (path, value) in [("limits.requests", self.limits.requests), ("limits.bytes", self.limits.bytes)] {
            if value == 0 {
                return wrong(path, "the limit is 0".to_owned());
            }
        }
        if self.limits.jobs == 0 {
            return wrong("limits.jobs", "the limit is 0".to_owned());
        }
        let times = [self.poll.first, self.poll.steady, self.poll.young, self.poll.fraction, self.poll.longest];
        if times.iter().chain([&self.poll.jitter]).any(|time| !(0.0..1e9).contains(time)) {
            return wrong("poll", "the times of [poll] are not below 0, and not without end".to_owned());
        }
        if self.local.answer_concurrency == Some(0) {
            return wrong("local.answer_concurrency", "at least one request is under way at once".to_owned());
        }
        for (path, seconds) in [("queue_seconds", self.local.queue_seconds), ("run_seconds", self.local.run_seconds)] {
            if seconds.is_some_and(|seconds| !(0.0..1e9).contains(&seconds)) {
                return wrong(&format!("local.{path}"), "the time is not below 0".to_owned());
            }
        }
        if let Some(min) = self.evaluate.as_ref().and_then(|evaluate| evaluate.min_accuracy)
            && !(0.0..=1.0).contains(&min)
        {
            return wrong("evaluate.min_accuracy", format!("{min} is not between 0 and 1"));
        }
        Ok(())
    }

    /// The format of the input table.
    ///
    /// # Errors
    /// What is wrong with the setting.
    pub fn table_format(&self) -> std::result::Result<batch_io::TableFormat, String> {
        let format = match self.input.format.as_deref() {
            None => batch_io::TableFormat::from_path(&self.input.path)
                .unwrap_or(batch_io::TableFormat::Csv { delimiter: b',' }),
            Some("csv") => batch_io::TableFormat::Csv { delimiter: b',' },
            Some("tsv") => batch_io::TableFormat::Csv { delimiter: b'\t' },
            Some("jsonl") => batch_io::TableFormat::Jsonl,
            Some(other) => return Err(format!("the format {other:?} is not \"csv\", \"tsv\" or \"jsonl\"")),
        };
        match (self.input.delimiter.as_deref(), format) {
            (None, format) => Ok(format),
            (Some(text), batch_io::TableFormat::Csv { .. }) => match text.as_bytes() {
                [delimiter] => Ok(batch_io::TableFormat::Csv { delimiter: *delimiter }),
                _ => Err(format!("the delimiter {text:?} is not one ASCII character")),
            },
            (Some(_), _) => Err("only a CSV has a delimiter".to_owned()),
        }
    }

    /// A path of the spec, which is relative to the spec's own folder.
    #[must_use]
    pub fn resolve_path(spec_file: &Path, path: &Path) -> PathBuf {
        match spec_file.parent() {
            Some(folder) if path.is_relative() => folder.join(path),
            _ => path.to_owned(),
        }
    }
}
