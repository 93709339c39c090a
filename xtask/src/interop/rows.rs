//! The rows of the table: which client meets which server.

use super::{
    environment::{Python, node_version, own_version, program_version},
    server::Server,
};

/// What is run against a server.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Client {
    /// Scripts of `fixtures/interop/`, one after the other, each given the server's URL and a folder.
    Python {
        /// Its environment.
        python: Python,
        /// Their names.
        scripts: &'static [&'static str],
        /// A program that the scripts drive, where they do.
        program: Option<&'static str>,
    },
    /// A script in a folder of `fixtures/interop/` that has a `package.json`.
    Node {
        /// The folder, and the script in it without `.mjs`.
        name: &'static str,
        /// The package whose version the table shows.
        package: &'static str,
    },
    /// Ignored tests of a crate of ours.
    Rust {
        /// The crate.
        package: &'static str,
        /// Which.
        tests: &'static [Tests],
        /// The variable that tells them the server's URL.
        variable: &'static str,
    },
}

/// Tests of one program of a crate.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Tests {
    /// The integration tests of a module.
    It(&'static str),
    /// The unit tests of a module.
    Lib(&'static str),
}

/// Whether `--ci` runs a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ci {
    /// Always: it is a failure when it cannot run.
    Always,
    /// Where it can run; where it cannot, the row of that name must.
    OrElse(&'static str),
    /// On demand only.
    No,
}

/// One row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) client: Client,
    pub(crate) server: Server,
    /// Where a BigQuery server reads `gs://` from.
    pub(crate) storage: Option<Server>,
    pub(crate) ci: Ci,
}

const fn python(name: &'static str, package: &'static str) -> Python {
    Python { name, package, only: None }
}

const fn script(python: Python, scripts: &'static [&'static str]) -> Client {
    Client::Python { python, scripts, program: None }
}

const fn program(program: &'static str, scripts: &'static [&'static str]) -> Client {
    Client::Python { python: python("sdk", "google-genai"), scripts, program: Some(program) }
}

const fn row(name: &'static str, client: Client, server: Server, ci: Ci) -> Row {
    Row { name, client, server, storage: None, ci }
}

const BIGQUERY: Client = script(python("sdk", "google-cloud-bigquery"), &["bigquery"]);

const fn bigquery(name: &'static str, client: Client, server: Server, ci: Ci) -> Row {
    Row { name, client, server, storage: Some(Server::FakeGcs), ci }
}

const GCS_TESTS: Client =
    Client::Rust { package: "batch-gcs", tests: &[Tests::It("servers::")], variable: "BATCH_TEST_STORAGE" };

const fn bigquery_tests(tests: &'static [Tests]) -> Client {
    Client::Rust { package: "batch-bq", tests, variable: "BATCH_TEST_BIGQUERY" }
}

const BIGQUERY_TESTS: Client = bigquery_tests(&[Tests::It("foreign::")]);

/// What is built and flattened in BigQuery, against what is built and joined here.
const SQL_TESTS: Client = bigquery_tests(&[Tests::It("records::"), Tests::Lib("sql::")]);

/// All of them: clients of others on our emulator first, then ours on servers of others, then others
/// among themselves, which shows that a server's fault is not our client's.
pub(crate) const ROWS: &[Row] = &[
    row("article", script(python("sdk", "google-genai"), &["article"]), Server::Emulator, Ci::Always),
    row("genai", script(python("sdk", "google-genai"), &["genai"]), Server::Emulator, Ci::Always),
    row("genai-old", script(python("genai-old", "google-genai"), &["genai"]), Server::Emulator, Ci::Always),
    row("genai-js", Client::Node { name: "genai-js", package: "@google/genai" }, Server::Emulator, Ci::No),
    row(
        "aiplatform",
        script(python("aiplatform", "google-cloud-aiplatform"), &["aiplatform"]),
        Server::Emulator,
        Ci::Always,
    ),
    row(
        "vertexai",
        script(python("aiplatform", "google-cloud-aiplatform"), &["vertexai_batch"]),
        Server::Emulator,
        Ci::No,
    ),
    row("storage", script(python("sdk", "google-cloud-storage"), &["storage"]), Server::Emulator, Ci::Always),
    row("bigquery", BIGQUERY, Server::Emulator, Ci::Always),
    row("bq", program("bq", &["bq"]), Server::Emulator, Ci::No),
    row("gcloud", program("gcloud", &["gcloud"]), Server::Emulator, Ci::No),
    row("litellm", script(python("litellm", "litellm"), &["litellm_batch"]), Server::Emulator, Ci::No),
    row("langextract", script(python("langextract", "langextract"), &["langextract_batch"]), Server::Emulator, Ci::No),
    row("parquet", script(python("parquet", "pyarrow"), &["parquet_files"]), Server::Join, Ci::Always),
    row("batch-gcs@emulator", GCS_TESTS, Server::Emulator, Ci::No),
    row("batch-bq@emulator", BIGQUERY_TESTS, Server::Emulator, Ci::No),
    row("batch-gcs@fake-gcs-server", GCS_TESTS, Server::FakeGcs, Ci::Always),
    row("batch-gcs@gcp-storage-emulator", GCS_TESTS, Server::GcpStorage, Ci::No),
    bigquery("batch-bq@local-bigquery", BIGQUERY_TESTS, Server::LocalBigQuery, Ci::OrElse("batch-bq@bqemulator")),
    bigquery("batch-bq@bqemulator", BIGQUERY_TESTS, Server::BqEmulator, Ci::No),
    bigquery("batch-bq-sql@local-bigquery", SQL_TESTS, Server::LocalBigQuery, Ci::OrElse("batch-bq-sql@bqemulator")),
    bigquery("batch-bq-sql@bqemulator", SQL_TESTS, Server::BqEmulator, Ci::No),
    row(
        "storage@fake-gcs-server",
        script(python("sdk", "google-cloud-storage"), &["storage"]),
        Server::FakeGcs,
        Ci::No,
    ),
    row(
        "storage@gcp-storage-emulator",
        script(python("sdk", "google-cloud-storage"), &["storage"]),
        Server::GcpStorage,
        Ci::No,
    ),
    bigquery("bigquery@local-bigquery", BIGQUERY, Server::LocalBigQuery, Ci::No),
    bigquery("bigquery@bqemulator", BIGQUERY, Server::BqEmulator, Ci::No),
    bigquery("bq@local-bigquery", program("bq", &["bq"]), Server::LocalBigQuery, Ci::No),
];

impl Row {
    /// What is shown of the client: its package and version.
    pub(crate) fn client_version(&self) -> String {
        match self.client {
            Client::Python { program: Some(program), .. } => program_version(program).unwrap_or_else(|| "?".to_owned()),
            Client::Python { python, .. } => format!("{} {}", python.package, python.version()),
            Client::Node { name, package } => format!("{package} {}", node_version(name, package)),
            Client::Rust { package, .. } => format!("{package} {}", own_version()),
        }
    }

    /// Why it cannot run on this machine.
    pub(crate) fn missing(&self) -> Option<String> {
        let client = match self.client {
            Client::Python { program: Some(program), .. } if program_version(program).is_none() => {
                Some(format!("no {program} here"))
            }
            Client::Python { python, .. } => python.missing(),
            Client::Node { .. } if program_version("npm").is_none() => Some("no npm here".to_owned()),
            Client::Node { .. } | Client::Rust { .. } => None,
        };
        let servers = [Some(self.server), self.storage].into_iter().flatten();
        client.or_else(|| servers.filter_map(Server::python).find_map(|python| python.missing()))
    }
}
