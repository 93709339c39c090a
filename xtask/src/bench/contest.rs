//! Who is measured at what.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    data::{Data, World},
    server::BUCKET,
    verify::{self, Verdict},
};
use crate::run::{Result, root};

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    /// A table to request lines.
    Build,
    /// A table and predictions to results in CSV.
    Join,
    /// The same, to JSONL.
    JoinJsonl,
    /// The same, to Parquet.
    JoinParquet,
    /// A table and predictions to the share of right answers.
    Eval,
    /// A table to request lines in a bucket.
    Upload,
    /// Ten rows to request lines: what a start costs.
    Startup,
}

impl Task {
    pub(super) const ALL: [Self; 7] =
        [Self::Build, Self::Join, Self::JoinJsonl, Self::JoinParquet, Self::Eval, Self::Upload, Self::Startup];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Join => "join",
            Self::JoinJsonl => "join-jsonl",
            Self::JoinParquet => "join-parquet",
            Self::Eval => "eval",
            Self::Upload => "upload",
            Self::Startup => "startup",
        }
    }

    pub(super) fn says(self) -> &'static str {
        match self {
            Self::Build => "a CSV to request lines",
            Self::Join => "a CSV and predictions to results in CSV",
            Self::JoinJsonl => "a CSV and predictions to results in JSONL",
            Self::JoinParquet => "a CSV and predictions to results in Parquet, compressed with Snappy",
            Self::Eval => "a CSV and predictions to the share of right answers",
            Self::Upload => "a CSV to request lines in a bucket of the emulator, which has the other core",
            Self::Startup => "a CSV of ten rows to request lines: the whole process",
        }
    }

    /// The bytes that have to be read.
    pub(super) fn bytes(self, data: &Data) -> Result<u64> {
        let length = |path: PathBuf| std::fs::metadata(path).map(|meta| meta.len());
        let predictions = match self {
            Self::Build | Self::Upload | Self::Startup => 0,
            Self::Join | Self::JoinJsonl | Self::JoinParquet | Self::Eval => length(data.predictions())?,
        };
        Ok(length(data.table())? + predictions)
    }

    fn extension(self) -> &'static str {
        match self {
            Self::Build | Self::Startup | Self::JoinJsonl | Self::Upload => "jsonl",
            Self::Join => "csv",
            Self::JoinParquet => "parquet",
            Self::Eval => "txt",
        }
    }

    pub(super) fn verify(self, world: &World, rows: u64, output: &Path) -> Result<Verdict> {
        match self {
            Self::Build | Self::Startup | Self::Upload => verify::build(world, rows, output),
            Self::Join | Self::JoinJsonl | Self::JoinParquet => verify::join(world, rows, output),
            Self::Eval => verify::evaluation(world, rows, output),
        }
    }
}

/// One that is measured.
#[derive(Debug, Clone)]
pub(super) struct Contestant {
    pub(super) name: String,
    pub(super) command: Vec<String>,
    /// `None` for a floor, which makes nothing to be looked at.
    pub(super) output: Option<PathBuf>,
}

/// What is compared with, and in what order it is shown.
pub(super) const PEERS: [&str; 6] = ["copy", "python", "orjson", "duckdb", "polars", "chdb"];

pub(super) struct Setup<'a> {
    pub(super) product: &'a Path,
    pub(super) python: &'a Path,
    pub(super) folder: &'a Path,
    pub(super) peers: &'a [String],
    pub(super) threads: usize,
}

/// The spec of an upload, and request lines that were made before it, in the folder of the work.
const UPLOAD_SPEC: &str = "upload.toml";
const READY: &str = "ready.jsonl";

/// What a floor writes, in the folder of the work.
pub(super) const FLOOR_COPY: &str = "copy";

const LABEL: &str = "id=n{{ record.index }}";

impl Setup<'_> {
    /// The product first: the others are told as multiples of it.
    pub(super) fn contestants(&self, task: Task, data: &Data) -> Vec<Contestant> {
        let mut all = vec![self.make(task, "batch-cli", |output| self.product(task, data, output))];
        if task == Task::Startup {
            let name = "batch-cli --version".to_owned();
            all.push(Contestant { name, command: vec![text(self.product), "--version".to_owned()], output: None });
            let name = "python -c pass".to_owned();
            all.push(Contestant { name, command: vec![text(self.python), "-c".into(), "pass".into()], output: None });
        }
        for peer in PEERS.iter().filter(|peer| self.peers.iter().any(|wanted| wanted == *peer)) {
            match *peer {
                "copy" => all.extend(self.floor(task, data)),
                peer if runs(peer, task) => {
                    all.push(self.make(task, peer, |output| self.peer(peer, task, data, output)));
                }
                _ => {}
            }
        }
        all
    }

    /// Writes the spec that the product uploads by, and the lines that the floor uploads.
    pub(super) fn prepare_upload(&self, data: &Data) -> Result {
        let place = |name: &str| format!("gs://{BUCKET}/{name}");
        let spec = format!(
            "version = 1\ninput.path = {:?}\ntarget = {{ project = \"p\", location = \"us-central1\", input = {:?}, \
             output = {:?} }}\nrequest.model = \"gemini-2.5-flash\"\n",
            text(&data.table()),
            place("in"),
            place("out")
        );
        std::fs::write(self.folder.join(UPLOAD_SPEC), spec)?;
        let build = self.product(Task::Build, data, &self.folder.join(READY));
        let built = Command::new(self.product).args(&build[1..]).output()?;
        if built.status.success() { Ok(()) } else { Err("the lines to upload could not be built".into()) }
    }

    fn make(&self, task: Task, name: &str, command: impl Fn(&Path) -> Vec<String>) -> Contestant {
        let output = self.folder.join(format!("{}-{name}.{}", task.name(), task.extension()));
        Contestant { name: name.to_owned(), command: command(&output), output: Some(output) }
    }

    fn product(&self, task: Task, data: &Data, output: &Path) -> Vec<String> {
        let (product, table, predictions) = (text(self.product), text(&data.table()), text(&data.predictions()));
        let join =
            ["join", "--input", &table, "--predictions", &predictions, "--label", LABEL, "--max-failed", "1000000"];
        let (system, config) = (format!("@{}", text(&data.system())), text(&data.config()));
        let settings = ["--prompt", "{{ body }}", "--system", &system, "--generation-config", &config];
        match task {
            Task::Build | Task::Startup => words(
                [&*product, "build", "--input", &table, "--label", LABEL],
                &settings,
                &["--output", &text(output)],
            ),
            Task::Upload => {
                let afresh = "rm -rf run; exec \"$@\"";
                let submit = [&*product, "submit", UPLOAD_SPEC, "--run-dir", "run", "--label", LABEL];
                words(["sh", "-c", afresh, "sh"], &submit, &settings)
            }
            Task::Join | Task::JoinJsonl | Task::JoinParquet => words([&*product], &join, &["--output", &text(output)]),
            Task::Eval => {
                let told = "out=$1; shift; \"$@\" > \"$out\"";
                let eval = ["eval", "--input", &table, "--predictions", &predictions, "--label", LABEL];
                let rules = ["--expected", "category", "--max-failed", "1000000", "--format", "json"];
                words(["sh", "-c", told, "sh", &text(output), &product], &eval, &rules)
            }
        }
    }

    /// The least that has to be done: the same bytes read, and as many as there are in the table
    /// written.
    fn floor(&self, task: Task, data: &Data) -> Option<Contestant> {
        let (table, predictions) = (text(&data.table()), text(&data.predictions()));
        let output = text(&self.folder.join(FLOOR_COPY));
        let (name, command) = match task {
            Task::Build => ("cp", words(["cp", &table, &output], &[], &[])),
            Task::Join | Task::JoinJsonl | Task::JoinParquet => {
                let both = "cat \"$1\" > /dev/null; cp \"$2\" \"$3\"";
                ("cat + cp", words(["sh", "-c", both, "sh", &predictions, &table, &output], &[], &[]))
            }
            Task::Eval => ("wc -l", words(["wc", "-l", &predictions], &[], &[])),
            Task::Upload => {
                let url = format!("$STORAGE_EMULATOR_HOST/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name=x");
                let curl = format!("curl --silent --fail --request POST --upload-file {READY} \"{url}\"");
                ("curl of ready lines", words(["sh", "-c", &curl], &[], &[]))
            }
            Task::Startup => return None,
        };
        Some(Contestant { name: name.to_owned(), command, output: None })
    }

    fn peer(&self, peer: &str, task: Task, data: &Data, output: &Path) -> Vec<String> {
        let (python, table, predictions) = (text(self.python), text(&data.table()), text(&data.predictions()));
        let script = match (peer, task) {
            ("python" | "orjson", Task::Build | Task::Startup) => "build_python.py",
            (_, Task::Upload) => "upload_python.py",
            ("python" | "orjson", Task::Eval) => "eval_python.py",
            ("python" | "orjson", _) => "join_python.py",
            ("duckdb", Task::Build | Task::Startup) => "build_duckdb.py",
            ("duckdb", _) => "join_duckdb.py",
            ("polars", Task::Build | Task::Startup) => "build_polars.py",
            ("polars", _) => "join_polars.py",
            (_, Task::Build | Task::Startup) => "build_chdb.py",
            (_, _) => "join_chdb.py",
        };
        let script = text(&folder().join(script));
        let mut command = words([&*python, &script, &table], &[], &[]);
        match task {
            Task::Build | Task::Startup | Task::Upload => {
                command.extend([text(&data.system()), text(&data.config())]);
            }
            Task::Join | Task::JoinJsonl | Task::JoinParquet | Task::Eval => command.push(predictions),
        }
        command.push(text(output));
        command.push(match peer {
            "python" => "json".to_owned(),
            "orjson" => peer.to_owned(),
            _ => self.threads.to_string(),
        });
        command
    }
}

/// Only scripts of ten lines are what anybody evaluates or uploads with.
fn runs(peer: &str, task: Task) -> bool {
    match task {
        Task::Eval => matches!(peer, "python" | "orjson"),
        Task::Upload => matches!(peer, "python" | "orjson"),
        Task::JoinJsonl | Task::JoinParquet => !matches!(peer, "python" | "orjson"),
        _ => true,
    }
}

/// The scripts, and the packages that they need.
pub(super) fn folder() -> PathBuf {
    root().join("fixtures").join("bench")
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn words<const N: usize>(first: [&str; N], then: &[&str], last: &[&str]) -> Vec<String> {
    first.iter().chain(then).chain(last).map(|&word| word.to_owned()).collect()
}
