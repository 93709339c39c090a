//! What can be typed.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::{
    commands::{
        cache::{CacheArgs, UseArgs},
        clean::CleanArgs,
        collect::CollectArgs,
        flatten::FlattenArgs,
        jobs::JobsArgs,
        ls::LsArgs,
        part::PartArgs,
        plan::{CostArgs, PlanArgs},
        retry::RetryArgs,
        status::StatusArgs,
        submit::SubmitArgs,
        wait::WaitArgs,
    },
    exit,
    terminal::Color,
    typed::Typed,
};

/// Run large Gemini batch prediction jobs on Google Cloud, or here without an account.
#[derive(Debug, Parser)]
#[command(name = "batch-cli", version, about, after_help = exit::HELP, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// When to use colour.
    #[arg(long, global = true, value_enum, default_value = "auto", value_name = "WHEN", help_heading = "Talk")]
    pub(crate) color: Color,

    /// Tell on standard error what goes over the wire (repeat for more); `RUST_LOG` says it in detail.
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Talk")]
    pub(crate) verbose: u8,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a whole batch: build, stage, submit, wait, collect, join, evaluate.
    Run(Typed<RunArgs>),
    /// Build, stage and create the jobs of a batch, and leave them alone.
    Submit(Typed<SubmitArgs>),
    /// See how the jobs of a run stand, or one job.
    Status(Typed<StatusArgs>),
    /// Wait until the jobs of a run have ended, or one job.
    Wait(Typed<WaitArgs>),
    /// Fetch the predictions of jobs that were left alone; join and report.
    Collect(Typed<CollectArgs>),
    /// List the runs here.
    Ls(Typed<LsArgs>),
    /// List, show, cancel and delete any batch prediction jobs.
    Jobs(Typed<JobsArgs>),
    /// See what a run left in the cloud, and remove it.
    Clean(Typed<CleanArgs>),
    /// Ask again about the records of a run that have no answer.
    Retry(Typed<RetryArgs>),
    /// Show or clear the answers that later runs need not ask for again.
    Cache(Typed<CacheArgs>),
    /// Make columns of a run's answers in BigQuery, where its predictions are.
    Flatten(Typed<FlattenArgs>),
    /// Say what a run would do and cost, before anything is done.
    Plan(Typed<PlanArgs>),
    /// Build request lines from a table; or show the SQL that would.
    Build(Typed<BuildArgs>),
    /// Join predictions to the records of a table, in the table's order.
    Join(Typed<JoinArgs>),
    /// Compare answers with an expected column.
    Eval(Typed<EvalArgs>),
    /// Find what the service would refuse, or what would cost or surprise, before it is paid for.
    Lint(Typed<LintArgs>),
    /// Explain one record of a run: its request, its prediction, its outcome.
    Show(Typed<ShowArgs>),
    /// List the models, with what is known of them and when it was.
    Models(Typed<ModelsArgs>),
    /// Write a commented spec to begin with.
    Init(Typed<InitArgs>),
    /// Serve Cloud Storage and Vertex AI batch jobs on this machine.
    Emulator(Typed<EmulatorArgs>),
}

/// How a result is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// For programs: one JSON object with a `version`.
    Json,
}

/// How progress is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressMode {
    /// Bars on a terminal, lines elsewhere.
    Auto,
    /// Bars.
    Bar,
    /// Lines.
    Plain,
    /// One JSON object a line, on standard error.
    Json,
    /// Not at all.
    None,
}

/// Settings of the spec, over the environment and the file.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Settings (over the environment, over the spec)")]
pub(crate) struct SettingArgs {
    /// The table: CSV, TSV or JSONL; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) input: Option<String>,

    /// The table's format: csv, tsv or jsonl.
    #[arg(long, value_name = "FORMAT")]
    pub(crate) input_format: Option<String>,

    /// The character between the fields of a CSV.
    #[arg(long, value_name = "CHARACTER")]
    pub(crate) delimiter: Option<String>,

    /// The column whose values are the keys.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) key: Option<String>,

    /// A label of each request; may be repeated.
    #[arg(long, value_name = "NAME=TEMPLATE")]
    pub(crate) label: Vec<String>,

    /// Any setting of the spec by its path, `target.output=gs://bucket/out`; may be repeated.
    #[arg(long, value_name = "PATH=VALUE")]
    pub(crate) set: Vec<String>,
}

/// What decides between exit codes 0 and 1, over the spec.
#[derive(Debug, Default, Args)]
pub(crate) struct ThresholdArgs {
    /// Exit with 1 where the accuracy is below this (0 to 1).
    #[arg(long, value_name = "PART")]
    pub(crate) min_accuracy: Option<f64>,

    /// How many records may have no answer before the exit code is 1.
    #[arg(long, value_name = "N")]
    pub(crate) max_failed: Option<u64>,
}

/// Where a run takes place.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Settings (over the environment, over the spec)")]
pub(crate) struct PlaceArgs {
    /// The project's id.
    #[arg(long)]
    pub(crate) project: Option<String>,

    /// The location: us-central1, global, …
    #[arg(long)]
    pub(crate) location: Option<String>,
}

/// Settings of the request.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Settings (over the environment, over the spec)")]
pub(crate) struct RequestArgs {
    /// The model.
    #[arg(long)]
    pub(crate) model: Option<String>,

    /// The template of the prompt, or `@FILE`.
    #[arg(long, value_name = "TEMPLATE")]
    pub(crate) prompt: Option<String>,

    /// The template of the system instruction, or `@FILE`.
    #[arg(long, value_name = "TEMPLATE")]
    pub(crate) system: Option<String>,

    /// A JSON file with the generationConfig.
    #[arg(long, value_name = "FILE")]
    pub(crate) generation_config: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The spec, batch.toml; or a plan of `batch-cli plan --out`, which is run as it is.
    pub(crate) spec: PathBuf,

    /// Run on an emulator inside this process: no account, no network.
    #[arg(long)]
    pub(crate) local: bool,

    /// The run's directory. Without it the newest unfinished run of the same spec and input goes on,
    /// and where there is none a new one is made below .batch/runs/.
    #[arg(long, value_name = "DIR")]
    pub(crate) run_dir: Option<PathBuf>,

    /// Begin a new run, whatever is unfinished.
    #[arg(long)]
    pub(crate) new: bool,

    #[command(flatten)]
    pub(crate) part: PartArgs,

    #[command(flatten)]
    pub(crate) cost: CostArgs,

    #[command(flatten)]
    pub(crate) cache: UseArgs,

    /// How the report is written on standard output.
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,

    /// How progress is told.
    #[arg(long, value_enum, default_value = "auto", value_name = "HOW")]
    pub(crate) progress: ProgressMode,

    #[command(flatten)]
    pub(crate) thresholds: ThresholdArgs,

    #[command(flatten)]
    pub(crate) place: PlaceArgs,

    #[command(flatten)]
    pub(crate) settings: SettingArgs,

    #[command(flatten)]
    pub(crate) request: RequestArgs,

    /// What answers a local run: schema, replay:FILE, or a model server: openai:URL[#MODEL],
    /// gemini:URL[#MODEL], with its key in BATCH_ANSWER_API_KEY.
    #[arg(long, value_name = "WHAT", help_heading = "Local runs")]
    pub(crate) answer: Option<String>,

    /// A fault of a local run, by name and count: `create-403=1`, or `create-403=1@2` from the second time on that
    /// it could happen; may be repeated.
    #[arg(long, value_name = "NAME=COUNT", help_heading = "Local runs")]
    pub(crate) fault: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct BuildArgs {
    /// A spec to take the settings from.
    pub(crate) spec: Option<PathBuf>,

    /// Where the request lines go; `-` is standard output.
    #[arg(long, short, value_name = "FILE", required_unless_present = "print_sql")]
    pub(crate) output: Option<PathBuf>,

    /// Write the SQL by which BigQuery would build the requests of input.table or input.query, and run
    /// nothing.
    #[arg(long, conflicts_with = "output", requires = "spec")]
    pub(crate) print_sql: bool,

    /// For --print-sql without asking BigQuery: the columns, as `bq show --schema` writes them.
    #[arg(long, value_name = "FILE", requires = "print_sql")]
    pub(crate) schema: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) settings: SettingArgs,

    #[command(flatten)]
    pub(crate) request: RequestArgs,
}

#[derive(Debug, Args)]
pub(crate) struct JoinArgs {
    /// A spec to take the settings from.
    #[arg(long, value_name = "SPEC")]
    pub(crate) spec: Option<PathBuf>,

    /// The prediction files, in any order.
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    pub(crate) predictions: Vec<PathBuf>,

    /// The request lines that were sent: needed where neither key nor label came back.
    #[arg(long, value_name = "FILE")]
    pub(crate) requests: Option<PathBuf>,

    /// Where the results go; `-` is standard output.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: PathBuf,

    /// csv, jsonl or parquet; by the output's name where absent.
    #[arg(long, value_name = "FORMAT")]
    pub(crate) output_format: Option<String>,

    /// Put before the names of the columns that are added.
    #[arg(long, value_name = "PREFIX")]
    pub(crate) column_prefix: Option<String>,

    /// Put before the names of the columns that are made of the answers' fields.
    #[arg(long, value_name = "PREFIX")]
    pub(crate) field_prefix: Option<String>,

    /// How many records may have no answer before the exit code is 1.
    #[arg(long, value_name = "N")]
    pub(crate) max_failed: Option<u64>,

    /// How the summary is written: text on standard error, or JSON on standard output.
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,

    #[command(flatten)]
    pub(crate) settings: SettingArgs,
}

#[derive(Debug, Args)]
pub(crate) struct EvalArgs {
    /// A spec whose `[evaluate]` says what is compared; flags stand over it.
    #[arg(long, value_name = "SPEC")]
    pub(crate) spec: Option<PathBuf>,

    /// Prediction files, in any order: they are joined to the records of the input, and their answers compared.
    /// Without them the input is a table of results.
    #[arg(long, num_args = 1.., value_name = "FILE")]
    pub(crate) predictions: Vec<PathBuf>,

    /// The column of expected values.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) expected: Option<String>,

    /// The column of answers, or with --predictions a field of JSON answers; `answer` is the whole of it.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) answer: Option<String>,

    /// The column of outcomes in a table of results: a record counts as answered only where it says `answered`.
    #[arg(long, value_name = "COLUMN", conflicts_with = "predictions")]
    pub(crate) outcome: Option<String>,

    /// A label there is; may be repeated. Without it, the labels are those of the expected column.
    #[arg(long = "known-label", value_name = "LABEL")]
    pub(crate) labels: Vec<String>,

    /// Whether upper and lower case are no difference.
    #[arg(long)]
    pub(crate) ignore_case: bool,

    /// Write the records whose answer is not the expected one to this file (CSV).
    #[arg(long, value_name = "FILE")]
    pub(crate) mismatches: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) thresholds: ThresholdArgs,

    /// How the report is written.
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,

    #[command(flatten)]
    pub(crate) settings: SettingArgs,
}

/// How findings are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LintFormat {
    /// For people.
    Text,
    /// For programs: one JSON object with a `version`.
    Json,
    /// SARIF 2.1.0, for code hosts and editors.
    Sarif,
}

#[derive(Debug, Args)]
pub(crate) struct LintArgs {
    /// A file of request lines, `-` for standard input, or a spec (`.toml`).
    pub(crate) path: PathBuf,

    /// The model that the lines are for.
    #[arg(long)]
    pub(crate) model: Option<String>,

    /// The location of the job.
    #[arg(long)]
    pub(crate) location: Option<String>,

    /// Mend in place what can be mended for certain.
    #[arg(long)]
    pub(crate) fix: bool,

    /// Exit with 1 for warnings too.
    #[arg(long)]
    pub(crate) deny_warnings: bool,

    /// How findings are written.
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: LintFormat,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The run's directory.
    pub(crate) run: PathBuf,

    /// The record's key.
    #[arg(long)]
    pub(crate) key: String,

    /// How it is written.
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct ModelsArgs {
    /// How the list is written.
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// The file to write; `-` is standard output.
    #[arg(default_value = "batch.toml")]
    pub(crate) path: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct EmulatorArgs {
    /// The port; 0 picks a free one.
    #[arg(long, default_value_t = 0)]
    pub(crate) port: u16,

    /// The address to listen on. Anybody who reaches it may do anything with what it holds.
    #[arg(long, default_value = "127.0.0.1", value_name = "ADDRESS")]
    pub(crate) host: std::net::IpAddr,

    /// Allow an address that is not loopback.
    #[arg(long)]
    pub(crate) allow_remote: bool,

    /// The URL under which clients reach it, where that is another.
    #[arg(long, value_name = "URL")]
    pub(crate) external_url: Option<String>,

    /// Keep all state here, over restarts; without it, in memory.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,

    /// A bucket to make at the start; may be repeated.
    #[arg(long, value_name = "NAME")]
    pub(crate) bucket: Vec<String>,

    /// A BigQuery dataset to make at the start, `[PROJECT.]NAME[=LOCATION]`; may be repeated.
    #[arg(long, value_name = "NAME[=LOCATION]")]
    pub(crate) dataset: Vec<String>,

    /// What answers: schema, replay:FILE, or a model server: openai:URL[#MODEL], gemini:URL[#MODEL].
    #[arg(long, default_value = "schema", value_name = "WHAT")]
    pub(crate) answer: String,

    /// How many requests a model server gets at once. Its key, if it wants one: BATCH_ANSWER_API_KEY.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..), value_name = "N")]
    pub(crate) answer_concurrency: u32,

    /// A fault, by name and count: `create-403=1`, or `create-403=1@2` from the second time on that it could
    /// happen; may be repeated.
    #[arg(long, value_name = "NAME=COUNT")]
    pub(crate) fault: Vec<String>,

    /// In a thousand times, how often each fault that passes by itself happens at random, by the seed.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u16).range(..=1000), value_name = "PER_MILLE")]
    pub(crate) chaos: u16,

    /// The seed of ids, of the order of predictions and of what `schema` answers.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,

    #[command(flatten)]
    pub(crate) jobs: JobArgs,
}

/// How the emulator's jobs behave.
#[derive(Debug, Args)]
#[command(next_help_heading = "Jobs")]
pub(crate) struct JobArgs {
    /// How long a job waits for capacity.
    #[arg(long, default_value = "0", value_parser = seconds, value_name = "SECONDS")]
    pub(crate) queue_delay: Duration,

    /// How long a job runs at least.
    #[arg(long, default_value = "0", value_parser = seconds, value_name = "SECONDS")]
    pub(crate) run_delay: Duration,

    /// How long a job may wait before it expires (the service: 72 hours).
    #[arg(long, default_value = "259200", value_parser = seconds, value_name = "SECONDS")]
    pub(crate) queue_limit: Duration,

    /// How long a job may run before it ends with what is done (the service: 24 hours).
    #[arg(long, default_value = "86400", value_parser = seconds, value_name = "SECONDS")]
    pub(crate) run_limit: Duration,

    /// The shape of prediction lines: as until 2025 (1), or as since then (2).
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=2), value_name = "N")]
    pub(crate) line_generation: u8,

    /// Echo requests byte for byte, not as the service's import leaves them.
    #[arg(long)]
    pub(crate) verbatim_echo: bool,

    /// Leave strings of digits as they are; the service makes numbers of them.
    #[arg(long)]
    pub(crate) keep_digits: bool,

    /// Lose what stands beside the request in a line, keys too.
    #[arg(long)]
    pub(crate) lose_keys: bool,

    /// Write predictions in the order of their requests.
    #[arg(long)]
    pub(crate) in_order: bool,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| format!("{text:?} is no number of seconds"))?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}
